"""Lesson 01's questions and hints, and those of its Deeper.

`tests/teaching/test_tokenizer.py` holds the numbers in them to what gptlib computes.
"""

from .questions import Question

QUESTIONS = {
    "what_comes_out": Question(
        "The picture shows how probable four words are after `The cat is`. How many tokens did the "
        "model in lesson 00 give a probability?",
        "all of its 397 tokens",
        {
            "one, the token it chose": "Look at the picture: more than one token has a "
            "probability. One is chosen afterwards, by sampling.",
            "four, those in the picture": "The picture has room for the four most "
            "probable ones. The other 393 tokens have probabilities too, but very small ones.",
            "all of its 397 tokens": "For 393 of them it is below 0.01. One of the 397 "
            "is then chosen at random, with these probabilities.",
        },
    ),
    "unseen_word": Question(
        "No story contains `snoozing`. How many tokens will `The cat is snoozing.` have?",
        "10, since some longer parts of it are tokens",
        {
            "5, since each word is one token, and so is the full stop": "Count the tokens in the "
            "second line of the output: `␣snoozing` alone has 6. Only words that were frequent in "
            "the stories became one token.",
            "10, since some longer parts of it are tokens": "The frequent words are one token "
            "each, and `␣snoozing` is `␣s`, `n`, `o`, `o`, `z`, and `ing`.",
            "13, since the new word becomes single bytes": "Look at `␣snoozing` in the second line "
            "of the output: `n`, `o`, `o`, and `z` are single bytes, but `␣s` and `ing` are not.",
            "20, since the sentence becomes single bytes": "Look at the second line of the "
            "output: `The`, `␣cat`, and `␣is` are still one token each. Only the new word was cut.",
        },
    ),
    "the_and_The": Question(
        "`The`, ` the` (with a space in front), and `the`: which becomes more than one token?",
        "`the`, as the stories have it only after a space",
        {
            "both ` the` and `the`, as neither begins a story": "Look at the second line of the "
            "output: ` the` has one id. A word need not begin a story to become a token.",
            "` the` alone, as it has the most characters": "Look at the second line of the output: "
            "` the` has one id. Its length does not matter: it was frequent in the stories.",
            "`the`, as the stories have it only after a space": "The piece is always `␣the`. "
            "Without its space, `the` was never a piece, so no merge was learned from it.",
            "none of them, as the word is so frequent": "Look at the third line of the output: "
            "`the` has two ids. In the stories it always follows a space.",
        },
    ),
    "letters": Question(
        "How many tokens does GPT-2's tokenizer make of `s t r a w b e r r y`, with spaces between "
        "the letters?",
        "10, one for each letter",
        {
            "3, as in row 3": "In row 3 merges join the letters. But a merge stays inside a piece, "
            "and here each letter is a piece of its own.",
            "10, one for each letter": "They are `s`, `␣t`, `␣r`, `␣a`, and so on: each space is "
            "in the token of the letter after it. Now the model is given each letter.",
            "19, one for each character": "Look at row 7 of the output: a single space before a "
            "word is part of that word's token. It is the same with single letters.",
        },
    ),
    "exit": Question(
        "Train BPE on `hat hut hat`, and break ties as on paper. Which pair is merged first? "
        "(Space is 32, `a` 97, `h` 104, `t` 116, and `u` 117.)",
        "`␣` + `h`",
        {
            "`h` + `a`": "It occurs twice, but so do `␣` + `h` and `a` + `t`. Compare the left "
            "ids: 104 is not the smallest of them.",
            "`t` + `␣`": "Look at the pieces: `hat`, `␣hut`, `␣hat`. The `t` and the space are in "
            "different pieces, so they are not a pair.",
            "`␣` + `h`": "It occurs twice, as `h` + `a` and `a` + `t` do, and its left id, 32, is "
            "the smallest.",
            "`a` + `t`": "It occurs twice, but so does `␣` + `h`. Compare the left ids: 32 is "
            "smaller than 97.",
        },
    ),
    "wrong_order": Question(
        "We encode with the same merges, but always apply the one that was learned last. "
        "Which measurement shows it?",
        "the loss: the model expects other tokens",
        {
            "none: the same merges give the same tokens": "Compare the two lines of the output: "
            "there are more tokens in the second. A late merge has used up bytes that an earlier "
            "merge needs.",
            "decoding: a different text comes back": "Look at the end of each line of the output: "
            "every story comes back. The bytes of the tokens, joined, are still the same.",
            "the loss: the model expects other tokens": "All tokens are valid, and decoding is "
            "perfect. But the model was trained on words that were cut differently.",
        },
    ),
    "no_split": Question(
        "140 merges are learned from the stories without `split`. How many of the 140 tokens "
        "continue after a space?",
        "about a third of them",
        {
            "almost none of them": "Look at the first line of the output: it is 46 of 140. To BPE "
            "a space is a byte like any other, so `has a big red ` can become a token.",
            "about a third of them": "To BPE a space is a byte like any other, and words that "
            "often follow each other become one token.",
            "almost all of them": "Look at the first line of the output: it is 46 of 140. The "
            "others have no characters before a space, or none after it.",
        },
    ),
    "permute": Question(
        "The ids of the tokens are swapped at random, and a new model is trained on these ids. "
        "What about its loss?",
        "it differs no more than between seeds",
        {
            "it is higher: neighbouring ids were alike": "Compare the first two columns of "
            "losses: within a row they differ by no more than from row to row. Ids are looked up, "
            "not calculated with.",
            "it differs no more than between seeds": "An id is a name: it only says which row of a "
            "table to look up.",
            "it is useless: the ids mean nothing now": "Compare the first two columns of losses: "
            "within a row they differ by no more than from row to row. The ids meant nothing "
            "before, either.",
        },
    ),
}

HINTS = {
    "pair": (
        "Two things matter, one after the other: how often a pair occurs, and its ids. Look at the "
        "key of the example: it is a tuple, which is compared by its first number, and then by "
        "what follows.",
        "`min` takes the smallest key, but here the largest count should win. Which number becomes "
        "smaller when a count becomes larger?",
        "`min` and `max` raise an error if there is nothing to choose from. Their argument "
        "`default=` says what they return instead.",
    ),
    "merge": (
        "At each place `i` there are two cases: the pair begins there, or it does not. Compare "
        "tuple with tuple. A slice may reach past the end; `ids[i + 1]` may not.",
        "What is appended in each of the two cases?",
        "How many ids have been used up after a merge? And how many where nothing was merged?",
    ),
    "decode": (
        "A character may be spread over two tokens. What must come first: joining, or decoding?",
        '`b"".join(...)` makes one bytes object of many. Its method `decode` has an argument '
        "`errors`.",
    ),
    "encode": (
        "Three things happen in order: the text becomes pieces, each piece becomes bytes, and the "
        "merges are applied to each piece.",
        "In the lesson, a loop does it for the piece `␣cat`. What does `enumerate` give you for "
        "each merge, and which id does that merge make?",
        "The ids of all pieces belong in one list: add each piece's list to its end.",
    ),
    "train": (
        "Keep a list of pieces, each of them a list of ids; at the start these are its bytes.",
        "In each round, count the pairs of all pieces in one `Counter`: its method `update` adds "
        "to what is there. Choose as in the lesson's exercise 1, and merge in every piece.",
        "Which id does a merge make when so many are known already? And what should happen when no "
        "piece has a pair any more?",
    ),
}
