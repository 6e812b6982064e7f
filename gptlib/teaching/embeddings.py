"""Lesson 02's questions and hints. `tests/test_teaching_embeddings.py` holds to their numbers."""

from .questions import Question

QUESTIONS = {
    "larger_id": Question(
        "`␣cat` has the id 283, `␣is` has 268. What may the model conclude from 283 > 268?",
        "nothing",
        {
            "that a cat is more than an is": "Look at the end of lesson 01: with all ids swapped "
            "by lot, the model learned just as well. An id has no size.",
            "that the two are alike, being only 15 apart": "Look at the end of lesson 01: with "
            "all ids swapped by lot, neighbours became strangers, and the loss was the same.",
            "nothing": "An id is a name. So something else has to carry what a token is like.",
        },
    ),
    "the_ids": Question(
        "What does the tokenizer of the pets hand on for `The cat is`?",
        "3 ids: a space belongs to the word behind it",
        {
            "10 ids: one a byte": "Count in lesson 00, station 1: there are three numbers. The "
            "tokenizer begins with bytes, then its merges make longer tokens.",
            "3 ids: a space belongs to the word behind it": "260, 283 and 268. With these we "
            "begin.",
            "5 ids: three words and two spaces": "Look at `show` in lesson 01: the tokens were "
            "`The`, `␣cat`, `␣is`. The space is the first byte of a token.",
        },
    ),
    "before_training": Question(
        "What is the mean cosine between red, blue, green and yellow, before training and after?",
        "about 0 before, well above 0 after",
        {
            "above 0 both times: they all mean a colour": "Look at the first column of numbers: "
            "before training it is about 0. The model is not told what a word means.",
            "about 0 before, well above 0 after": "Random directions are nearly at right angles. "
            "Stories in which one colour can stand for another have brought the rows together.",
            "about 0 both times: an id is only a name": "Look at the second column of numbers. "
            "The id stays a name; its row is changed by training.",
            "below 0 after: training must tell them apart": "Look at the second column of numbers. "
            "They are told apart, and are still well above 0.",
        },
    ),
    "sum": Question(
        "Token vector plus place vector is one vector. What can a probe still read from it?",
        "the token and the place, almost always",
        {
            "neither: as with 5 = 2 + 3 or 1 + 4": "Look at the output: both are read. One "
            "number would not do; 64 have room.",
            "only the token: a place is too faint": "Look at the second line of the output: the "
            "place is read too, on sums which the probe had never seen.",
            "the token and the place, almost always": "The layers behind use matrices, "
            "and so can read both.",
            "all of it, but only before training": "Look at the output: this is the trained model.",
        },
    ),
    "axes": Question(
        "After the rotation, nearly every number in every vector is another. What has become of "
        "the cosines?",
        "they are the same",
        {
            "they are the same": "Lengths and angles do not notice a rotation: likeness lies "
            "in no single number.",
            "they are all about 0: the meanings are mixed up": "Look at the last line of the "
            "output. A single number need not stand for anything like animal or colour.",
            "some grew, some shrank": "Look at the last line of the output: of all pairs, not "
            "one cosine has changed but for rounding.",
        },
    ),
    "no_positions": Question(
        "Without positions, who can learn which of two words came first?",
        "two layers can, one layer cannot",
        {
            "nobody: without positions a sentence is a bag of words": "Look at the third line of "
            "the output: two layers without positions are always right.",
            "both: attention reads from left to right": "Look at the first line of the output: "
            "one layer stays at half. It adds up what it finds, and a sum has no order.",
            "one layer can, two mix everything up": "Look at the first and the third line of the "
            "output: it is the other way round.",
            "two layers can, one layer cannot": "The mask gives the order away: a token sees only "
            "what came before it.",
        },
    ),
    "exit": Question(
        "Where do the numbers in the vector of `␣cat` come from?",
        "from chance, then moved by the stories",
        {
            "from chance, then moved by the stories": "Rows of words that can stand for one "
            "another move together. Nobody writes a meaning in.",
            "from what a cat is, each number a property": "Look at the heatmap before training: "
            "no meaning there. And a rotation has changed all the numbers and no cosine.",
        },
    ),
}

HINTS = {
    "lookup": (
        "Which sides have to meet? (T, V) and (V, C): the V's.",
        "A matrix product in torch is `@`: `one_hot @ table`.",
    ),
    "embed": (
        "Blank 1: a tensor of ids may stand in the brackets: `wte[ids]` has the shape (B, T, C).",
        "Blank 2: T is `ids.shape[1]`, and the first T rows of a table are `wpe[:T]`.",
        "Blank 3: rows times columns, for each table; then both together.",
    ),
    "order": (
        "`ids[:-1].flip(0)` are all but the last, the other way round. `torch.cat([..., "
        "ids[-1:]])` puts the last one behind them.",
        "`model(ids[None])` adds the axis B; `[0, -1]` takes the logits at the last place.",
        "Sums in another order are rounded otherwise: `not torch.allclose(one, other, atol=1e-4)`.",
    ),
}
