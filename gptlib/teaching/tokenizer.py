"""Lesson 01's questions and hints, and those of its Deeper.

`tests/teaching/test_tokenizer.py` holds the numbers in them to what gptlib computes.
"""

from .questions import Question

QUESTIONS = {
    "what_comes_out": Question(
        'In lesson 00 the model read "The cat is". What did it give back?',
        "a probability for every token",
        {
            "the one word that comes next": "Look at the probabilities in lesson 00 again: "
            "`sleeping` had about 0.6, and `on` about 0.3. The word is chosen from these "
            "afterwards, by sampling.",
            "a probability for every token": "One token is then chosen at random, with these "
            "probabilities, and added to the text.",
            "a score for the whole sentence": "Look at the probabilities in lesson 00 again: there "
            "is one for each token that could come next, and together they make 1.",
        },
    ),
    "unseen_word": Question(
        "No story contains `snoozing`. How many tokens will `The cat is snoozing.` have?",
        "10, since a new word is cut into several tokens",
        {
            "5, since each word and the full stop is one token": "Count the tokens in the second "
            "line of the output: `␣snoozing` alone has 6. Only words that were frequent in the "
            "stories became one token.",
            "10, since a new word is cut into several tokens": "The frequent words are one token "
            "each, and `␣snoozing` is `␣s`, `n`, `o`, `o`, `z`, and `ing`.",
            "20, since a new word makes it use single bytes": "Look at the second line of the "
            "output: `The`, `␣cat`, and `␣is` are still one token each. Only the new word was cut.",
            "none, since an unknown word causes an error": "Look at the second line of the output: "
            "there is no error. All 256 bytes are tokens, so every text has some.",
        },
    ),
    "the_and_The": Question(
        "`The`, ` the` (with a space in front), and `the`: what does the model get for each?",
        "different ids for all three of them",
        {
            "the same ids, as it is the same word": "Compare the three lines of the output: no id "
            "is in two of them. The model has to learn from text that they mean the same.",
            "different ids only with a capital": "Compare the last two lines of the output: `the` "
            "with a space and `the` without one have different ids too.",
            "different ids for all three of them": "A capital letter and a space are bytes like "
            "all others.",
        },
    ),
    "letters": Question(
        "Which way of writing `strawberry` gives GPT-2 one token for each letter?",
        "its letters, with spaces between",
        {
            "the word, with a space in front": "Look at row 4 of the output: `␣strawberry` is a "
            "single token.",
            "the word, with nothing in front": "Look at row 3 of the output: `st`, `raw`, and "
            "`berry` are three tokens for ten letters.",
            "its letters, with spaces between": "`s t r a w` becomes `s`, `␣t`, `␣r`, `␣a`, `␣w`, "
            "since no merge goes from one piece into the next. Now each `r` is in the input.",
        },
    ),
    "exit": Question(
        "Who decides where one token ends and the next begins?",
        "counting: what was side by side most often",
        {
            "language: where a part with a meaning ends": "Look at the last two rows of the "
            "picture again: `␣sleeping` was joined from `␣slee` and `ping`, and not from `␣sleep` "
            "and `ing`.",
            "counting: what was side by side most often": "The most frequent pair was merged, "
            "again and again. Meaning was never asked for.",
        },
    ),
    "wrong_order": Question(
        "We encode with the same merges, but always apply the one that was learned last. "
        "Which experiment notices it?",
        "the loss: the model expects other tokens",
        {
            "none: the same merges give the same tokens": "Compare the two lines of the output: "
            "there are more tokens in the second. A late merge has used up bytes that an earlier "
            "merge needs.",
            "decoding: a different text comes back": "Look at the last number in each line of the "
            "output: every story comes back. The bytes of the tokens are still the same.",
            "the loss: the model expects other tokens": "All tokens are valid, and decoding is "
            "perfect. But the model was trained on words that were cut differently.",
        },
    ),
    "no_split": Question(
        "140 merges are learned from the stories without `split`. How many of the 140 tokens go on "
        "after a space?",
        "about a third of them",
        {
            "almost none of them": "Look at the first line of the output: it is 46 of 140. To BPE "
            "a space is a byte like any other, so `has a big red ` can become a token.",
            "about a third of them": "To BPE a space is a byte like any other, and words that "
            "often follow each other become one token.",
            "almost all of them": "Look at the first line of the output: it is 46 of 140. The "
            "other tokens are in one word, or end with the space.",
        },
    ),
    "permute": Question(
        "Each token gets the id of a different one, at random. A new model is trained on these "
        "ids. What about its loss?",
        "it differs no more than between seeds",
        {
            "it is higher: neighbouring ids were alike": "Compare the first two columns of the "
            "table: they differ by no more than the rows do. Ids are looked up, not calculated "
            "with.",
            "it differs no more than between seeds": "An id is a name: it only says which row of a "
            "table to look up.",
            "it is useless: the ids mean nothing now": "Compare the first two columns of the "
            "table: they differ by no more than the rows do. The ids meant nothing before, either.",
        },
    ),
}

HINTS = {
    "pair": (
        "What should come first: the largest count, and among equal counts the smallest pair. "
        "Can you say both with one key, of which you take the smallest?",
        "A large count must become a small number: put a minus sign in front of it. A tuple of two "
        "things is compared by its first, and then by its second.",
        "`min` takes a function as `key=`, and `default=` is what it gives back if there is "
        "nothing to choose from.",
    ),
    "merge": (
        "At each position i there are two cases. Which two ids must you compare with `pair`?",
        "`ids[i : i + 2]` is a list of two ids, or of one at the end, where nothing follows. A "
        "list never equals a tuple: turn it into one first.",
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
        "The lesson's step 2 does it for one piece. What does `enumerate` give you for each merge, "
        "and which id does that merge make?",
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
