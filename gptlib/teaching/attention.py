"""Questions and hints of lesson 03 and its "Deeper". `tests/teaching` holds their numbers."""

from .questions import Question

QUESTIONS = {
    # ---- The lesson ----
    "what_is_knows": Question(
        'In "The cat is", what does the vector of `␣is` contain after the steps of lesson 02?',
        "its token and its position",
        {
            "its token and its position": "It is the sum of a token vector and a position vector.",
            "its token and its neighbours": "In lesson 02 each vector was looked up by itself. "
            "Replace `cat` with `dog`, and the vector of `␣is` stays the same.",
            "the token that comes next": "Nothing was predicted in lesson 02: two rows were "
            "looked up and added.",
        },
    ),
    "spread": Question(
        "We go from d = 16 to d = 64, so queries and keys are 4 times as wide. What happens to "
        "the standard deviation of their dot products?",
        "it becomes 2 times as large",
        {
            "it does not change at all": "Compare the first two lines of the output: 4 and 8. "
            "With more terms, the sum varies more.",
            "it becomes 2 times as large": "The variance grows 4 times, and the standard "
            "deviation is its square root.",
            "it becomes 4 times as large": "Compare the first two lines of the output: 4 and 8. "
            "What grows 4 times is the variance. Positive and negative terms partly cancel.",
            "it becomes 16 times as large": "Compare the first two lines of the output: 4 and 8. "
            "The last line, with d = 1024, is not even 16 times the first.",
        },
    ),
    "swap": Question(
        "In layer 0, we swap head 3's outputs at Tom's ball (11) and Eve's ball (17), and change "
        'nothing else. How does the model then complete "The ball of Tom is"?',
        "green, the colour of Eve's ball",
        {
            "blue, the colour of Tom's ball": "Look at the second line of the output. The ball at "
            "position 17 now carries Tom's name, and the last `␣is` attends to it.",
            "green, the colour of Eve's ball": "The ball at position 17 now carries Tom's name, so "
            "the last `␣is` attends to it in layer 1, head 1. That ball is green.",
            "blue and green are about equally likely": "Look at the second line of the output: the "
            "answer has a probability of almost 1. Nearly all the weight has moved to one ball.",
        },
    ),
    "exit": Question(
        "After training, which of these is the same for every sentence?",
        "the matrices `Wq`, `Wk` and `Wv`",
        {
            "the weights in a head's heatmap": "Look at the heatmaps again: the weights depend on "
            "which words are in the sentence, and where. They are computed anew for every text.",
            "the matrices `Wq`, `Wk` and `Wv`": "Training sets these matrices; they are "
            "called weights, too. Attention weights are computed from them anew for every text.",
            "the keys and values of each token": "Look at the formulas in *By hand*: keys and "
            "values are computed from each token's vector. They change when the vector does.",
        },
    ),
    # ---- Deeper ----
    "zero_after": Question(
        "A friend leaves the scores as they are, takes the softmax, and then sets the weights of "
        "the future to 0. Which of these is true?",
        "the rows depend on future tokens",
        {
            "the rows are as with our mask": "Look at the sums in the output: they are below 1. "
            "The future had its share when softmax divided.",
            "every row shrinks by a fixed factor": "Compare the sums in the second and the last "
            "line of the output, 0.95 and 0.07: how much a row shrinks depends on the future.",
            "the rows depend on future tokens": "Softmax divides by a sum that includes the "
            "future. So that sum must not contain what the token may not use.",
        },
    ),
    "last_layer": Question(
        "We remove the mask from the last layer of the trained model, without further training. "
        'What happens to the probability of `␣sleeping` after "The cat is"?',
        "it stays exactly the same",
        {
            "it rises, as the model looks ahead": "Compare the first two rows of the output. After "
            "the last token there is nothing to look at.",
            "it falls to almost nothing": "Compare the first two rows of the output. The last "
            "token could already attend to the whole text.",
            "it stays exactly the same": "The last row of a mask hides nothing. The rows above it "
            "change, but no later layer reads them.",
        },
    ),
    "train_without": Question(
        "Two small models are trained on the same stories, one with the mask and one without. "
        "What about the loss on new stories, all positions at once?",
        "it is far lower without the mask",
        {
            "it is far lower without the mask": "At each position, the answer is the next token, "
            "and without the mask the model can read it.",
            "it is about equal in both models": "Compare the first column of the output, model by "
            "model. The next token helps a lot if you may read it.",
            "it is far higher without the mask": "Look at the first column of the output. The "
            "future does not confuse the model in this test: it contains the answers.",
        },
    ),
    "swap_values": Question(
        'In layer 1, head 0, on "The cat is", `The` gets the value of `␣cat`, and `␣cat` that of '
        "`The`. Queries and keys stay. What changes in the row of `␣is`?",
        "the output, and not the weights",
        {
            "the weights, and not the output": "Compare the two rows of weights in the output: no "
            "digit has changed. They are computed from queries and keys alone.",
            "the output, and not the weights": "A heatmap shows how much a token takes from each "
            "position. It does not show what it takes.",
            "the weights and also the output": "Compare the two rows of weights in the output: no "
            "digit has changed. They are computed from queries and keys alone.",
        },
    ),
    "order": Question(
        "We take the position vectors out of the trained model and swap `␣dog` and `␣cat`. "
        "Where does the output of attention at the last `␣The` change?",
        "in layer 1, but not in layer 0",
        {
            "in layer 0, but not in layer 1": "Look at the two numbers in the output. In layer 0, "
            "the last token sees the same set of vectors as before.",
            "in layer 1, but not in layer 0": "In layer 0 the last token sees the same set of "
            "vectors. But `␣chases` does not: the mask lets it see only the animal before it.",
            "neither in layer 0 nor in layer 1": "Look at the second number in the output. The "
            "mask lets `␣chases` see only the animal before it, and layer 1 reads the result.",
        },
    ),
}

HINTS = {
    "causal_weights": (
        "In row t, the query is token t. Which columns of that row are its future? Mark these "
        "cells in a 3 × 3 table on paper.",
        "You need a (T, T) table of True and False, True above the diagonal. `triu(1)` keeps what "
        "is above the diagonal of a table of ones, and `.bool()` makes it True and False.",
        "`masked_fill` takes such a table and a number, and returns a copy. (`masked_fill_`, with "
        "an underscore, would change `scores` itself.)",
    ),
    "one_row": (
        "Which keys may the token at position t use? How many are there? A slice picks them.",
        "Blank 1: a matrix (t + 1, hs) times a vector (hs,) gives all t + 1 dot products. The "
        "scale is the square root of how many numbers a query has. (`len(q)` is how many tokens "
        "there are.)",
        "Blank 2: the softmax of a vector has only one axis to run along, 0. Blank 3: a vector "
        "(t + 1,) times a matrix (t + 1, hs) multiplies and adds. The values need the same slice "
        "as the keys.",
    ),
    "multi_head": (
        "Four steps: cut every vector into heads, attend in each head, undo the cut, return. "
        "`attend_all` works for any number of axes before (T, hs).",
        "Cut in two moves: first a `view` that turns the axis C into two, then a `transpose` that "
        "brings the heads before the tokens. What goes wrong with one `view` that does both? Try "
        "it on `torch.arange(8).view(1, 2, 4)` with two heads.",
        "To undo it, do the same backwards: first `transpose`, then `reshape`, which also works "
        "where `view` refuses.",
    ),
}
