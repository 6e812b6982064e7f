"""Lesson 05's questions and hints. `tests/teaching/test_logits.py` holds their numbers true."""

from .questions import Question

QUESTIONS = {
    "stream": Question(
        "What does a transformer block do with the vector of a token?",
        "it adds something to the vector",
        {
            "it replaces the vector with a new one": "Look at the two formulas of the block in "
            "lesson 04: each begins with `x +`, so the old vector is still part of the sum.",
            "it adds something to the vector": "So the last vector is the sum of the embeddings "
            "and of everything that the blocks added. Today we read probabilities from it.",
            "it scales the vector to one size": "Look at the two formulas of the block in lesson "
            "04: LayerNorm changes only what a part reads. The vector itself stays in the sum.",
        },
    ),
    "zero": Question(
        "In lesson 03, softmax turned the scores 0, 2 and 1 into weights. Which weight did the "
        "score 0 get?",
        "0.09, as e to the power 0 is 1",
        {
            "0, as the score itself is 0": "Look at the first weight that lesson 03 printed: 0.09. "
            "Softmax uses e to the power of the score, and e to the power 0 is 1.",
            "0.09, as e to the power 0 is 1": "The powers are 1, 7.39 and 2.72. Their sum is "
            "11.11, and 1 divided by 11.11 is 0.09.",
            "0.33, as there are three scores": "Look at the weights that lesson 03 printed: 0.09, "
            "0.67 and 0.24. They would be equal only if the scores were.",
        },
    ),
    "rows": Question(
        "The table of logits has three rows, one for each token, and 397 columns. What is in the "
        "first two rows, those of `The` and `␣cat`?",
        "scores for every token that could come next",
        {
            "scores for how well that token fits the text": "Look at row 0 of the output: the "
            "best token for the row of `The` is `␣cat`, which comes after it.",
            "scores for every token that could come next": "Every row predicts the token after "
            "its own. That gives three predictions at once; to continue the text, we use row 2.",
            "nothing useful, since only the last row predicts": "Look at rows 0 and 1 of the "
            "output: their probabilities are close to the truth, too. Training uses every row.",
        },
    ),
    "large": Question(
        "By hand, you added 0.693 to all logits. Now the same code as before gets our four logits "
        "plus 1000. Which probabilities will it print?",
        "`nan` for all four words",
        {
            "0.60, 0.30, 0.05 and 0.05": "Look at the powers in the second line of the "
            "output. On paper you are right, but the powers are too large for float32.",
            "1 for `sleeping`, 0 for the others": "Look at the powers in the second line of "
            "the output: all four are `inf`, so that no word has a larger power than the rest.",
            "`inf` for all four words": "Look at the second line of the output: the powers are "
            "`inf`, but so is their sum, and `inf` divided by `inf` is `nan`.",
            "`nan` for all four words": "Each power is `inf`, the sum is `inf`, and "
            "`inf` divided by `inf` is `nan`.",
        },
    ),
    "lens": Question(
        "Before the first block, the stream at `␣is` holds only embeddings. We already compute "
        "logits from it. Which token gets the highest probability?",
        "`␣is`, the token that was read",
        {
            "none: all get about the same": "Look at the lowest row of the picture: `␣is` gets "
            "0.99. The vector is close to a row of the matrix that computes the logits.",
            "`␣is`, the token that was read": "The vector comes from the embedding of `␣is`, which "
            "is also a row of that matrix. Here, no other row has a larger dot product with it.",
            "`␣sleeping`, the true favourite": "Look at the lowest row of the picture: before the "
            "first block, the vector of `␣is` has no information about `␣cat`.",
        },
    ),
    "flip": Question(
        "In the changed stories, `The cat is sleeping` begins half as many stories as before, and "
        "`The cat is on` twice as many. After 100 steps, what is P(sleeping) after `The cat is`?",
        "about 0.30, half of it",
        {
            "about 0.60, as it was": "Look at the column of sleeping in the output. Training has "
            "moved the model to the shares in its new stories.",
            "about 0.30, half of it": "And P(on) has risen to about 0.60: the two have exchanged "
            "their shares.",
            "about 0.45, in between": "Look at the column of sleeping in the output: 100 steps "
            "were enough to reach the new share.",
        },
    ),
    "twice": Question(
        "A trained model is trained for 100 more steps with softmax applied twice. Where does the "
        "mistake show?",
        "in its loss and its probabilities",
        {
            "in the text of greedy decoding only": "Look at the end of each line in the output: "
            "the text is the same. The most probable token is still the most probable.",
            "in its loss and its probabilities": "The loss is more than ten times as large, and "
            "P(on) is about 0.01 instead of 0.30.",
            "nowhere: each row still sums to 1": "Compare the losses in the output. The second "
            "softmax gets numbers between 0 and 1, so its results are nearly equal.",
        },
    ),
    "half": Question(
        "The largest number of float16 is 65,504. The trained model's largest logit is 9.9, and e "
        "to the power of 9.9 is about 20,000. We add 1 to all logits and compute softmax without "
        "subtracting the largest. What do we get in float16?",
        "0 for every token",
        {
            "the right probabilities": "Look at the line of c = 1 in the output: each power can be "
            "written in float16, but their sum cannot.",
            "0 for every token": "Each power can be written in float16, but their sum is `inf`, "
            "and a number divided by `inf` is 0. No `nan` warns us.",
            "`nan` for every token": "Look at the line of c = 1 in the output. `inf` divided by "
            "`inf` is `nan`, but here no power is `inf`: only the sum is.",
        },
    ),
    "exit": Question(
        "In one row of a model's logits, `on` has 9 and `happy` has 7. What can you conclude?",
        "`on` is 7.4 times as likely as `happy`",
        {
            "`on` is 7.4 times as likely as `happy`": "The odds are e to the power of 9 - 7, which "
            "is 7.4. How likely each of them is depends on the other logits too.",
            "`on` is 1.3 times as likely as `happy`": "Compare 9 divided by 7 with 19 divided "
            "by 17: adding 10 to both logits changes this ratio, but no probability. Only the "
            "difference counts, and e to the power of 2 is 7.4.",
            "`on` has a probability above one half": "Run `gptlib.softmax(torch.tensor([9.0, 7.0, "
            "19.0]))[0].item()`: if a third token has the logit 19, `on` gets only about 0.00005.",
        },
    ),
}

HINTS = {
    "softmax": (
        "In a table of logits of shape (2, 3), how many sums are there, and of how many powers is "
        "each?",
        "The sum of a row runs over the last axis. What shape does `powers.sum(dim=-1)` have, and "
        "can (2, 3) be divided by it?",
        "With `keepdim=True` the sums keep that axis, with length 1. Then each row is divided by "
        "its own sum.",
    ),
    "log_softmax": (
        "Blank 1: `amax` finds the largest along an axis. Which axis, and which shape do you need "
        "so that blank 2 can subtract it from each row?",
        "Blank 3: the formula contains z - m twice, once outside the sum and once inside it. What "
        "did you call that in blank 2?",
        "Try [1000, 0] on paper: `shifted` is [0, -1000], the powers are 1 and 0, their sum is 1, "
        "and its logarithm is 0. What should the two results be?",
    ),
    "recover": (
        "What undoes e to the power? Try it on (0.6, 0.3, 0.05, 0.05), and take the softmax of "
        "what you get.",
        "You may now add one number to each row. Which number makes its largest 0? And which then "
        "makes it `top`?",
        "`torch.log` gives minus infinity for a probability of 0. Is that a problem? Take e to the "
        "power of it.",
    ),
}
