"""The words of lesson 02 and its "Deeper": questions and hints.

`tests/teaching/test_embeddings.py` holds the numbers in them to what the models give.
"""

from .questions import Question

QUESTIONS = {
    "larger_id": Question(
        "`␣cat` has the id 283 and `␣is` has the id 268. What can a model conclude from 283 > 268?",
        "nothing about the words",
        {
            "that `␣cat` matters more": "Look back at lesson 01: an id only says where a token "
            "is in the vocabulary. A different numbering would do as well.",
            "nothing about the words": "An id is a name. So the model needs other numbers to "
            "calculate with, and they are today's subject.",
            "that the two are similar": "Look back at lesson 01: neighbouring ids only mean that "
            "two tokens were made one after the other. `␣is` is not similar to `␣cat`.",
        },
    ),
    "before_training": Question(
        "`red` and `blue`, or `cat` and `dog`, can often be swapped in a story. What is the cosine "
        "similarity of such a pair, before training and after?",
        "near 0 before, clearly positive after",
        {
            "clearly positive before and after": "Look at the column “before”: all its numbers are "
            "near 0. Embeddings start as random numbers, and nobody tells the model what a word "
            "means.",
            "clearly positive before, near 0 after": "Compare the two columns in the first five "
            "rows: the similarity grows. Training makes the vectors of such words more similar.",
            "near 0 before, clearly positive after": "Random vectors of 64 numbers are usually "
            "nearly at right angles. Training makes the vectors of words more similar if the "
            "stories use them in similar ways.",
            "near 0 before, near 0 after": "Look at the column “after”: the first five rows have "
            "0.33 and more. The id stays the same, but its vector is trained.",
        },
    ),
    "word_sum": Question(
        "Which of these words is most similar to the result of `␣barked` - `␣barks` + `␣purrs`?",
        "`␣purred`",
        {
            "`␣barked`": "Compare the rows of `barked` and `purred` in the output. Subtracting "
            "`␣barks` moved the result away from the words about barking.",
            "`␣purrs`": "Compare the rows of `purrs` and `purred`, first column: 0.68 and 0.90. "
            "What was added to `␣purrs` is not small: it leads from present tense to past tense.",
            "`␣purred`": "The difference that leads from `␣barks` to `␣barked` leads from `␣purrs` "
            "close to `␣purred`.",
            "`␣sleeping`": "Look at the row of `sleeping` in the output: its cosine is near 0.",
        },
    ),
    "exit": Question(
        "`␣cat` occurs in “The cat is” and in “The big cat is”. Does the same vector enter the "
        "first layer for `␣cat` both times?",
        "no, since its position differs",
        {
            "yes, since it is the same token": "Look at the cell that computes `x` in *Build*: "
            "something is added to the row of the token.",
            "no, since its position differs": "The row of `wte` is the same. Row 1 of `wpe` is "
            "added in the first text, and row 2 in the second. The word before has no influence "
            "here: after “cat” and after “dog”, `␣is` had the same vector in *Build*.",
        },
    ),
    # ---- Deeper ----
    "sum": Question(
        "The vector of a token and the vector of a position are added. What can a probe find out "
        "from the sum alone?",
        "both the token and the position",
        {
            "the token, but not the position": "Look at the row “position” of the output: the "
            "probe finds it in sums that it has never been shown.",
            "both the token and the position": "64 numbers have enough room for both. A likely "
            "reason is that the two kinds of vectors are nearly at right angles.",
            "the position, but not the token": "Look at the row “token” of the output.",
            "neither the token nor the position": "Look at both rows of the output. From one "
            "number, 5, nobody can tell whether it was 2 + 3 or 1 + 4, but there are 64 numbers.",
        },
    ),
    "axes": Question(
        "We rotate all vectors, so that all their numbers change. What happens to the cosine "
        "similarities of the tokens?",
        "they all stay the same",
        {
            "they all move to about 0": "Look at the last line of the output: even the largest "
            "change of a similarity is 0.",
            "they all stay the same": "A rotation changes neither lengths nor angles, and the "
            "cosine depends on nothing else.",
            "some grow, and others shrink": "Look at the last line of the output: even the largest "
            "change of a similarity is 0.",
        },
    ),
    "share": Question(
        "GPT-2 small has 124 million parameters. What share of them is in its two embedding "
        "matrices?",
        "about a third",
        {
            "about a thirtieth": "Look at the second row of the output. The vocabulary has 50,257 "
            "tokens, and each of them has 768 numbers.",
            "about a third": "50,257 rows of 768 numbers are 39 million. In GPT-2 XL the share is "
            "smaller: layers grow faster than embedding matrices.",
            "about nine tenths": "Look at the second row of the output. The 12 layers have 85 "
            "million numbers.",
        },
    ),
    "tense": Question(
        "Which of these differences is most similar to `was` - `is`?",
        "`chased` - `chases`",
        {
            "`barked` - `barks`": "Look at the last row of the table, and compare its columns "
            "`barked` and `chased`.",
            "`chased` - `chases`": "Both can be in the first sentence of a story, which "
            "decides its tense. The other verbs only occur later.",
            "`sang` - `sings`": "Look at the last row of the table, and compare its columns `sang` "
            "and `chased`. How a past form is spelled makes little difference here.",
        },
    ),
    "reversed": Question(
        "We reverse the rows of `wpe`: the vector of position 63 comes first, that of position 0 "
        "last. What happens to the mean similarity of neighbours?",
        "it stays the same",
        {
            "it changes its sign": "Compare the two lines of the output. The same vectors are "
            "neighbours as before, only in the opposite order.",
            "it falls to about 0": "Compare the two lines of the output. The same vectors are "
            "neighbours as before, only in the opposite order.",
            "it stays the same": "So these similarities show which positions are close to each "
            "other, and not which of them comes first.",
        },
    ),
}

HINTS = {
    "lookup": (
        "Write down the shapes: `one_hot` is (T, V), `table` is (V, C), and the result is (T, C).",
        "In a matrix product, the inner sizes have to agree. Which of the two comes first?",
        "On paper you multiplied a single one-hot vector by the matrix. T of them, one below the "
        "other, need nothing new.",
    ),
    "nearest": (
        "Blank 1 is the formula of *By hand*, for all rows at once. One matrix product gives the "
        "dot product of every row with `word`.",
        "You divide by two things: the length of `word`, which is one number, and `lengths`, which "
        "are V numbers.",
        "Blank 2: `topk(k)` returns two things, the k largest values and their indices, the "
        "largest first. Which of the two are ids?",
    ),
    "count": (
        "Take the lesson's small matrix first: 5 tokens, 2 numbers for each. And how many numbers "
        "do 4 positions need?",
        "Each matrix has as many numbers as rows times columns. Mind the order in which Python "
        "adds and multiplies.",
    ),
    "embed": (
        "Blank 1: a matrix can be indexed with a whole tensor of ids. The result has the shape of "
        "the ids, and one axis more.",
        "Blank 2: T is the second number in `ids.shape`, and a slice takes the first T rows.",
        "The last step needs no loop: (B, T, C) + (T, C) adds the same rows to every text.",
    ),
    "order": (
        "Build the second input first: reverse `ids[:-1]` with `flip(0)`, and put `ids[-1:]` after "
        "it with `torch.cat`.",
        "`model(...)` needs the axis B. Of its logits (1, T, V) you need those at the last "
        "position.",
        "Sums in a different order are rounded differently. So ask whether the two are close, and "
        "not whether they are equal.",
    ),
}
