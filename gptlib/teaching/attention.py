"""Lesson 03's questions and hints. Their numbers are held to by `tests/test_teaching_attention`."""

from .questions import Question

QUESTIONS = {
    "row_of_a_table": Question(
        "How does lesson 02 get from an id to a vector?",
        "it reads one row of a learned table",
        {
            "it divides the id by the size of the vocabulary": "An id is only a name: lesson 01 "
            "gave the tokens other ids by lot, and a model trained on these was as good.",
            "it reads one row of a learned table": "A row for each token, of 64 numbers.",
            "it spells the token, a number for each letter": "In lesson 02 the lookup was given "
            "ids. Letters were left behind in lesson 01.",
        },
    ),
    "what_is_knows": Question(
        'In "The cat is", what does the vector of `␣is` hold when it leaves lesson 02?',
        "which token it is, and its place",
        {
            "which token it is, and its place": "A token vector plus a position vector. Of the cat "
            "it knows nothing yet: that is today.",
            "which token it is, its place, and its neighbours": "In lesson 02 each vector was "
            "looked up alone, row by row. Change `cat` to `dog`, and the row of `␣is` stays.",
            "what will probably come next": "In lesson 02 nothing was predicted: two table "
            "rows were looked up and added.",
        },
    ),
    "zero_after": Question(
        "A friend leaves the scores alone, takes the softmax, and then sets the future's weights "
        "to 0. Is anything wrong?",
        "yes: rows sum to less than 1, and they change with the future",
        {
            "no: the future gets the weight 0 either way": "Look at the sums in the output. "
            "The future had its share when the softmax divided, and the others lack it.",
            "only a little: rows sum to less than 1, but know nothing of the future": "Look at the "
            "last line of the output: another last word, and the row of `␣cat` is another. Its sum "
            "tells what the future is.",
            "yes: rows sum to less than 1, and they change with the future": "Softmax divides by a "
            "sum. What must not count may not be in the sum.",
        },
    ),
    "what_a_head_reads": Question(
        "The model has 4 heads in a layer. What does one head get to read?",
        "every token allowed by the mask, whole",
        {
            "a quarter of the tokens": "Look at the table: each head answers to each of the "
            "three tokens.",
            "a quarter of each token's 64 numbers": "Look where the cut is made in the cell above "
            "the table: `c_attn` reads all 64 numbers first. Only what it makes of them is cut.",
            "every token allowed by the mask, whole": "Its queries, keys and values are its own, "
            "16 numbers each; they are made from all 64.",
            "one kind of word: nouns, verbs, ...": "Nothing says so, and in the table each head "
            "answers to each token. What a head looks for, training decides.",
        },
    ),
    "swap_values": Question(
        'In layer 1, head 0, on "The cat is", we give `The` the value of `␣cat`, and `␣cat` that '
        "of `The`. Queries and keys stay. What becomes of the heatmap, and of the head's output?",
        "the same heatmap, another output",
        {
            "another heatmap, another output": "Compare the weights in the output: not one digit "
            "has changed. They come from queries and keys alone.",
            "the same heatmap, another output": "Where a head looks does not say what it takes "
            "from there.",
            "the same heatmap, the same output": "Look at the second number of the output: the "
            "values are what is mixed.",
        },
    ),
    "last_layer": Question(
        "We take the mask out of the last layer of the trained model, with no more training, and "
        'ask it for the next word after "The cat is". P(sleeping) becomes',
        "exactly what it was",
        {
            "larger: it can look ahead": "Look at the output. There is nothing ahead of the last "
            "word: the sentence ends there.",
            "useless: it has never seen a future": "Compare the first two rows of the output. The "
            "last word sees what it always saw: everything.",
            "exactly what it was": "The last row of a mask hides nothing. Only the rows above it "
            "change, and no later layer reads those.",
        },
    ),
    "train_without": Question(
        "Two small models learn the same stories, one with a mask and one without. Their loss is "
        "measured on new stories, all places at once, as always. The one without the mask",
        "has a loss below the floor of the language",
        {
            "has a higher loss: the future confuses it": "Look at the first column of the output: "
            "its loss is by far the lower one.",
            "has the same loss: it has nothing to gain": "Compare the rows of the output. The "
            "answer at each place is the next token, and there it stands, one place on.",
            "has a loss below the floor of the language": "No honest model can do that. It reads "
            "the answer instead of predicting it.",
        },
    ),
    "exit": Question(
        "What would go wrong if GPT had no mask?",
        "training: each place could read its own answer",
        {
            "generation: the model would see words that are not written yet": "Run the cell with "
            "the last layer's mask out once more: nothing changed. What is not written cannot be "
            "seen.",
            "training: each place could read its own answer": "And what is never predicted is "
            "never learned.",
        },
    ),
}

HINTS = {
    "causal_weights": (
        "Which cells of the table are the future? Row t is a query. Columns after t: above the "
        "diagonal.",
        "`torch.ones(T, T).triu(1).bool()` is True above the diagonal, and nowhere else.",
        "`scores.masked_fill(future, -math.inf)` gives back a copy. Without `_` at the end of its "
        "name it leaves `scores` as they are.",
    ),
    "one_row": (
        "Blank 1: `k[: t + 1] @ q[t]` are t + 1 dot products at once. Then the scale.",
        "The scale is the root of how many numbers a query has, `q.shape[-1]`. (`len(q)` is how "
        "many tokens there are.)",
        "Blank 2: `torch.softmax(scores, 0)`. Blank 3: `weights @ v[: t + 1]` multiplies and adds.",
    ),
    "multi_head": (
        "Four steps: cut into heads, attend, undo the cut, done. `attend` from above works for "
        "any number of axes in front of (T, hs).",
        "The cut in two moves: `view(B, T, n_head, hs)` and then `transpose(1, 2)`. Why not "
        "`view(B, n_head, T, hs)` at once? Try it on `torch.arange(8).view(1, 2, 4)`.",
        "Back: `y.transpose(1, 2).reshape(B, T, C)`.",
    ),
}
