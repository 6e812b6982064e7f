"""Lesson 04's questions and hints. `tests/test_teaching_feedforward.py` holds to the numbers."""

from .questions import Question

QUESTIONS = {
    "backwards": Question(
        'In "The cat is", how much may `␣cat` take from `␣is`?',
        "nothing",
        {
            "as much as `␣is` takes from `␣cat`": "Look at a heatmap of lesson 03 again: above "
            "the diagonal all is 0. A token does not see what comes after it.",
            "nothing": "The mask puts minus infinity there before softmax, so the weight is 0.",
            "a little, if the scores are high": "Change that score in lesson 03 as you like: the "
            "mask puts minus infinity in its place, and the weight stays 0.",
        },
    ),
    "brings": Question(
        "`␣is` gives `␣cat` the weight 0.9, and `␣The` 0.1. What does this head bring to `␣is`?",
        "0.9 of the value of `␣cat` and 0.1 of the value of `␣The`",
        {
            "the embedding of `␣cat`": "Lesson 03 swapped the values: the weights stayed, and the "
            "output was another. What is fetched are values, which are made from the vectors.",
            "the two weights, 0.9 and 0.1": "The weights only say how much of what. Look at the "
            "last step of lesson 03: weights times values, a vector for each token.",
            "0.9 of the value of `␣cat` and 0.1 of the value of `␣The`": "So what comes is one "
            "vector, mixed. Today: what is done with it.",
        },
    ),
    "mixes": Question(
        "Three rows go into the feedforward part, one a token. We change the row of `␣cat`. Which "
        "rows of its output change?",
        "that of `␣cat` alone",
        {
            "all three": "Look at the output: `The` and `is` moved by 0. Within a row every number "
            "meets every other, but no row meets a row.",
            "those of `␣cat` and `␣is`": "That is attention: look at its line in the output. In "
            "the line of `mlp`, `is` moved by 0.",
            "that of `␣cat` alone": "The loop worked on one token after another, and never looked "
            "at a second one.",
        },
    ),
    "two_linear": Question(
        "We leave out GELU: 64 numbers become 256 by one matrix, and 64 again by a second. "
        "Compared with a single matrix of 64 × 64, this can do",
        "exactly as much",
        {
            "a little more": "The output shows one matrix of 64 × 64 that gives the same, to "
            "rounding. Nothing is left over.",
            "exactly as much": "The product of the two matrices is the one matrix.",
            "far more": "It has eight times as many weights, and a wide middle. Look at the "
            "output: one matrix of 64 × 64 gives the same, so they buy nothing.",
        },
    ),
    "whose_mean": Question(
        "Two sentences go through LayerNorm together. We replace the second one by another. What "
        "happens to the first one's result?",
        "it stays",
        {
            "it stays": "Each token has a mean and a variance of its own. The loop took row by "
            "row.",
            "it changes": "The output says by how much the first sentence moved: 0. (Mean and "
            "variance of the whole batch would be batch norm, another layer.)",
            "it changes in training only": "Run the cell with `ln.train()` in front: 0 again. "
            "LayerNorm does the same always; that, too, would be batch norm.",
        },
    ),
    "how_much": Question(
        "In layer 0, what feedforward adds to `␣is` is, beside the vector that the layer read,",
        "several times longer",
        {
            "much shorter": "Look at the output, layer 0: what was read is 1.3 long, and "
            "feedforward adds 4.6.",
            "about as long": "So it is with attention: the output has 1.0 beside 1.3. Feedforward "
            "adds 4.6.",
            "several times longer": "And still nothing is replaced: the last line of the output "
            "takes the additions off, and is back at what was read.",
        },
    ),
    "xor": Question(
        "Two small networks are to learn which of the four phrases are good news: one with GELU, "
        "one with nothing in its place. Both read the average of the two words. Which learns it?",
        "the one with GELU",
        {
            "both": "Look at the output: without GELU it is 0.5 for every phrase, "
            "whichever the seed. Four phrases are too many for it.",
            "the one with GELU": "Good and bad have the same sum, so no straight line "
            "parts them. A bend does.",
            "neither": "Look at the output: with GELU, above 0.9 for each. The average "
            "still tells the four phrases apart.",
        },
    ),
    "no_residual": Question(
        "Eight layers, trained without the residual path: each part's answer replaces what it "
        "read. What will the model have learned?",
        "how frequent each token is",
        {
            "how frequent each token is": "No more than that: what the text was does not reach "
            "the end.",
            "what the whole one learns, more slowly": "Compare the two losses in each line; at its "
            "end, two texts get the same prediction. It is not on the way to anything.",
            "nothing at all": "Knowing nothing is a loss of ln 397 = 5.98. The output says less: "
            "as much as is gained by counting tokens.",
        },
    ),
    "no_norm": Question(
        "Two layers, trained without LayerNorm, at the usual learning rate (how far a step moves "
        "the numbers) and at ten times that. What happens?",
        "slower at the first, exploding at the second",
        {
            "the same as with it, at both": "Compare the rows with and without it, first at rate "
            "0.01, then the worst loss at rate 0.1.",
            "nothing is learned at either": "Look at rate 0.01: without it, too, the loss falls "
            "well below what counting tokens gives.",
            "slower at the first, exploding at the second": "On the way, at least. With "
            "LayerNorm, even ten times the rate stays within bounds.",
        },
    ),
    "exit": Question(
        "What does the feedforward part read while it works on `␣is`?",
        "the vector of `␣is`",
        {
            "the vectors of all tokens so far": "Look at the output again where we changed `␣cat`: "
            "with `mlp`, `is` moved by 0. Only attention looks at other tokens.",
            "the vector of `␣is`": "And whatever attention has brought there before.",
        },
    ),
}

HINTS = {
    "gelu": (
        "The gate is `0.5 * (1 + torch.tanh(inner))`: near 0 for very negative x, near 1 for "
        "large x.",
        "And the gate is multiplied by x.",
    ),
    "layer_norm": (
        "Blank 1: `x.mean(dim=-1, keepdim=True)`. What would the shape be without `keepdim`?",
        "Blank 2: the mean of the squared distances from the mean. `x.var` does it too, but "
        "divides by C - 1 unless you say `unbiased=False`.",
        "Blank 3: `(x - mean) / torch.sqrt(variance + eps)`, then times the gain, plus the bias.",
    ),
    "block": (
        "Two lines, each of the kind x = x + part(norm(x)). The norm's result has no other use.",
        'Attention: `attn(my_layer_norm(x, weights["ln_1.weight"], weights["ln_1.bias"]))`.',
        "A weight here has the shape (out, in), so a linear layer is `x @ weight.T + bias`. Widen, "
        "`my_gelu`, bring back.",
    ),
}
