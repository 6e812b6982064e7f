"""The capstone's questions and hints. `tests/teaching/test_capstone.py` holds their numbers."""

from .questions import Question

QUESTIONS = {
    "unit": Question(
        "Model A has 2,000 tokens and a held-out loss of 3.9 nats a token. Model B has 300 tokens "
        "and 2.4 nats a token, on the same text. Which of them is better?",
        "that cannot be said yet",
        {
            "model A, which has more tokens": "Compare the numbers of tokens in the question: A's "
            "tokens are longer, but that alone makes no prediction better.",
            "model B, which has the smaller loss": "Compare what one token is: A predicts longer "
            "pieces of text with each token, so it needs fewer of them. Divide by characters.",
            "that cannot be said yet": "A token of A covers more text than a token of B. Only the "
            "loss per character has the same unit for both.",
        },
    ),
    "longer": Question(
        "Your training loop from lesson 06 reads rows of 8 tokens, and your model can read 48. "
        "You train with rows of 8. What happens at positions 9 to 48?",
        "their embeddings keep their random start",
        {
            "they work as well as the first 8 positions do": "Look at the model: each "
            "position has a vector of its own, and what no batch has used gets no gradient.",
            "their embeddings keep their random start": "Positions 9 to 48 occur in no batch, so "
            "nothing adjusts their vectors. The check measures this.",
            "the model raises an error there": "Count the rows of the position matrix: there are "
            "48, one for each position. The last 40 are just untrained.",
        },
    ),
    "repeats": Question(
        "Suppose 84 of 100 held-out stories also occur in the training text. A model's loss is 0.3 "
        "nats a token on these 84, and 2.0 on the 16 new ones. All are equally long. What is its "
        "held-out loss?",
        "about 0.6, near that of the 84",
        {
            "about 0.6, near that of the 84": "0.84 · 0.3 + 0.16 · 2.0 = 0.57. The loss looks "
            "good, although the model does badly on new stories.",
            "about 2.0, as on the 16 new ones": "Count the new stories: only 16 of 100. The "
            "held-out loss is the mean over all 100, 0.84 · 0.3 + 0.16 · 2.0 = 0.57.",
        },
    ),
    "exit": Question(
        "On a long new text, your model has a much lower loss per character than the letter pairs. "
        "What have you shown?",
        "that it uses more than the last character",
        {
            "that it uses more than the last character": "With enough training text, a table of "
            "pairs is nearly the best that one character allows. A much lower loss needs more of "
            "the text before.",
            "that no model of its size can be better": "Compare with the floor of lesson 06: "
            "only where the true probabilities are known can you say how far there is to go.",
            "that its sentences are true": "Look at a few sentences that it wrote. The loss "
            "measures how likely text is, not whether it is true.",
        },
    ),
}

HINTS = {
    "parts": (
        "Copy one of your functions, with everything that it calls, into a new cell above this "
        "one. Run it, then write its name after the `=`.",
        "Write a function of `(logits, temperature, top_k, top_p)` that calls your two exercises "
        "of lesson 07 one after the other. If `top_k` is `None`, leave out the second. You may "
        "ignore `top_p`: then the studio's control for it has no effect.",
        "Change one part at a time, and run everything below it again. If the check complains, you "
        "know which part it was.",
    ),
    "rows": (
        "Which number in your loop of lesson 06 says how many tokens a row has?",
        "The model knows how many it can read: it is a field of `model.config`.",
    ),
    "better": (
        "Compute the loss on the beginning of the training text: "
        "`gptlib.training.evaluate(mine, *gptlib.training.evaluation_rows(tokens[:4000], "
        "block_size))`. Is it much lower than the held-out loss? Then the text is too small for "
        "this model, or it was trained for too long.",
        "If both are high, the model has not learned enough: train for more steps first, then try "
        "a larger `n_embd`.",
    ),
}
