"""Lesson 04's questions and hints. `tests/teaching/test_feedforward.py` holds their numbers."""

from .questions import Question

QUESTIONS = {
    # ---- The lesson ----
    "brings": Question(
        "In one head, `␣is` gives the weight 0.9 to `␣cat` and 0.1 to `The`. What does the head "
        "compute for `␣is`?",
        "0.9 of the value of `␣cat` plus 0.1 of the value of `The`",
        {
            "0.9 of the embedding of `␣cat` plus 0.1 of that of `The`": "Look at lesson 03 again: "
            "the weights are multiplied by the values, which are made from the vectors by a "
            "matrix of their own.",
            "the value of `␣cat`, which has the larger weight": "Look at the last step of lesson "
            "03: the weights times the values are summed. The smaller weight counts too.",
            "0.9 of the value of `␣cat` plus 0.1 of the value of `The`": "A weighted average of "
            "values, so one vector. Today you see what happens to it next.",
        },
    ),
    "mixes": Question(
        "The feedforward network is given three vectors, one for each token of `The cat is`. We "
        "replace only that of `␣cat`. Which of its three outputs change?",
        "only that of `␣cat`",
        {
            "all three of them": "Look at the first line of the output: with feedforward, `The` "
            "and `is` moved by 0. The network works on each vector separately.",
            "those of `␣cat` and `␣is`": "That is what attention does: compare the two lines "
            "of the output. With feedforward, `is` moved by 0.",
            "only that of `␣cat`": "The same two matrices are applied to each vector "
            "separately, so no token can influence a different one.",
        },
    ),
    "neuron": Question(
        "In this text, when is the activation of unit 34 large?",
        "just before an animal",
        {
            "at each `the` and at each `The`": "Look at the row of `␣the` near the end, between "
            "`␣on` and `␣roof`: its activation is below 0.",
            "just before an animal": "Each of the four long bars is followed by the row of an "
            "animal. The model can't see the next word: the unit responds to the words so far. "
            "After `on the` comes a place, and there the activation is below 0.",
            "at the words for animals": "Look at the rows of `␣cat` and `␣bird`: their "
            "activations are small. The long bars are one row above an animal.",
        },
    ),
    "which_layer": Question(
        "We take feedforward out of one of the two layers of the trained model. In which of them "
        "does this do more harm to the probabilities after `The cat is`?",
        "in layer 0, the first one",
        {
            "in layer 0, the first one": "A likely reason: the parts of layer 1 read what layer 0 "
            "writes, and they were trained with it.",
            "in layer 1, the last one": "Compare your two numbers from the explorer: KL is 0.13 "
            "without feedforward in layer 1, and 8.41 without it in layer 0.",
            "about equally in both": "Compare your two numbers from the explorer: KL is 0.13 "
            "without feedforward in layer 1, and 8.41 without it in layer 0.",
        },
    ),
    "exit": Question(
        "A block normalises with two LayerNorms. Do the vectors that leave the block have "
        "variance 1?",
        "no, since outputs are added afterwards",
        {
            "yes, since both set the variance to 1": "Look at the two formulas of the block again: "
            "LayerNorm is inside the brackets, and its result is not what the block returns.",
            "only in the last layer, for the logits": "Look at the two formulas of the block "
            "again: they are the same in each layer, and `x` itself is not normalised in either.",
            "no, since outputs are added afterwards": "Attention and feedforward each read a "
            "normalised copy. Their outputs are added to the stream, and the stream itself is not "
            "normalised.",
        },
    ),
    # ---- Deeper ----
    "adds_most": Question(
        "After `The cat is`, the logit of `sleeping` is a sum of what each part of the model "
        "adds to it. Which of these adds the most?",
        "feedforward in layer 1",
        {
            "the embeddings": "Look at the first bar: the embeddings add 0.06. The embeddings of "
            "`␣is` and of its position contain nothing about the cat.",
            "attention in layer 1": "Look at its bar: 1.29. What attention gathers is used by the "
            "feedforward network after it.",
            "feedforward in layer 0": "Look at its bar: 0.84. The same kind of part adds much more "
            "in layer 1.",
            "feedforward in layer 1": "It adds 8.00 of 9.87. It reads what all the parts before "
            "it have written into the stream.",
        },
    ),
    "two_linear": Question(
        "We leave out GELU: one matrix turns 64 numbers into 256, and a second turns these into "
        "64 again. Compared with a single 64 × 64 matrix, such a pair can compute",
        "the same functions",
        {
            "a few more functions": "Compare the two printed rows: the product of the two is one "
            "64 × 64 matrix, and it gives the same numbers.",
            "the same functions": "The product of the two matrices is a single 64 × 64 matrix "
            "that does the same.",
            "four times as many": "It has eight times as many weights. Still, compare "
            "the two printed rows: one 64 × 64 matrix gives the same numbers.",
        },
    ),
    "xor": Question(
        "Two small networks learn which of the four phrases are good news. One has GELU between "
        "its two linear layers, the other has nothing there. Which of them learns it?",
        "the one with GELU",
        {
            "both of them": "Look at the output: without GELU, each phrase gets 0.5 for the "
            "right answer, for each of the three seeds.",
            "the one with GELU": "The two good phrases have the same sum of vectors as the two "
            "bad ones, and a linear function cannot separate them.",
            "the one without GELU": "Look at the output: without GELU, each phrase gets 0.5 for "
            "the right answer. That is a coin toss.",
        },
    ),
    "no_residual": Question(
        "Eight layers are trained without residual connections, from GPT-2's usual initial "
        "weights. What will their held-out loss be like?",
        "that of counting tokens",
        {
            "that of counting tokens": "The model has learned how frequent each token is, and "
            "nothing about the text before it.",
            "nearly that of the whole model": "Compare rows 1 and 2 of the table: the loss is "
            "0.9 with residual connections, and 3.3 without them.",
            "halfway between the two": "Look at row 2 of the table: 3.3, and that is what counting "
            "tokens gives.",
        },
    ),
    "no_norm": Question(
        "Two layers are trained without layer normalisation, once at a learning rate of 0.01 and "
        "once at 0.1. What will the loss do?",
        "fall slowly at 0.01, jump at 0.1",
        {
            "fall as with LayerNorm at both": "Compare the rows with and without it: at 0.01 it "
            "ends higher without it, and at 0.1 it jumps above 100.",
            "fall slowly at 0.01, jump at 0.1": "At 0.01 it learns less in the same number of "
            "steps. At 0.1 the loss jumps far above the 5.98 of a model that knows nothing.",
            "stay where it began at both": "Look at the rows of 0.01 without it: the loss ends "
            "well below 3.28, the loss of counting tokens.",
        },
    ),
    "whose_mean": Question(
        "Two sentences go through layer normalisation in one batch. We replace the second "
        "sentence. What happens to the result of the first?",
        "it stays the same",
        {
            "it stays the same": "Each token is normalised with its own mean and its own variance.",
            "it changes a little": "Look at the output for layer normalisation: the first sentence "
            "moved by 0.0. It did move with batch normalisation.",
            "it changes in training only": "Run the cell again after `ln.train()`: still 0.0. "
            "Batch normalisation is the one that differs between training and use.",
        },
    ),
}

HINTS = {
    "gelu": (
        "The formula has three factors: x itself, one half, and a bracket. Which of them depends "
        "on `inner`?",
        "The gate is half of the sum of 1 and a `tanh`. Check it on paper: where `inner` is large, "
        "`tanh` is 1 and the gate is 1. What is the gate where `inner` is very negative?",
        "The gate is multiplied by `x`, and not by `inner`.",
    ),
    "layer_norm": (
        "`normalise` above works on one vector. Which of its lines do you still need, now that the "
        "mean is there?",
        "The variance is a mean, too: that of the squared distances from the mean. Over which axis "
        "is it taken, and which shape must it have?",
        "Torch's `var` divides by C - 1 unless you tell it not to. By hand you divided by C.",
        "In the last blank the order matters: normalise first, then multiply by the gain `weight`, "
        "then add `bias`. Where does `eps` go?",
    ),
    "block": (
        "A block has two lines of the same kind: the stream plus what a part makes of the "
        "normalised stream.",
        "What is normalised goes into a part and is not kept. Which tensor do you add the part's "
        "output to?",
        "Feedforward reads the stream that attention has already added to. A weight here has the "
        "shape (out, in): for rows of x on the left, do you need it or its transpose?",
    ),
}
