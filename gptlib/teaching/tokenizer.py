"""Lesson 01's questions and hints. Numbers in them are held to by `tests/test_teaching.py`."""

from .questions import Question

QUESTIONS = {
    "what_comes_out": Question(
        'What comes out of the machine of lesson 00 for "The cat is"?',
        "a probability for every token",
        {
            "the word `sleeping`": "Look at the bars of lesson 00 again: `on` has 0.28. A word is "
            "only drawn afterwards, by sampling, and another draw gives another word.",
            "a probability for every token": "One is drawn by it, appended, and round it goes.",
            "one number: how good the sentence is": "In lesson 00, `probs.topk(6)` listed six "
            "numbers, and there were 397: one for each token that may come next.",
        },
    ),
    "the_way": Question(
        "Which station reads letters?",
        "only the tokenizer",
        {
            "only the tokenizer": "From there on there are only numbers. That is today.",
            "the tokenizer and attention": "The heatmap in lesson 00 had words at its sides for "
            "us. `gptlib.trace(model, ids)` was given ids, and never saw a letter.",
            "all of them": "Run `gptlib.trace(model, [260, 283, 268])`: it works with no text at "
            "all.",
        },
    ),
    "unseen_word": Question(
        "No story has the word `snoozing`. How many tokens will `The cat is snoozing.` be?",
        "10: known words whole, the new one in pieces",
        {
            "5: one a word, and one for the full stop": "Count in the output: `snoozing` alone is "
            "6 tokens. A token is not a word. It is what stood together often in training.",
            "10: known words whole, the new one in pieces": "Whatever was frequent is whole. "
            "The rest falls into pieces, down to single bytes if need be.",
            "20: one a letter": "Count in the output: `The` is 1 token, not 3. Only what was rare "
            "falls into letters.",
            "none: it stops with an error": "The output shows that it does not. All 256 bytes are "
            "tokens, so any text has some.",
        },
    ),
    "the_and_The": Question(
        "`The`, ` the` (with a space in front) and `the`: what does the model get to see?",
        "three different things",
        {
            "the same id three times: it is one word": "The output has no id in common. That the "
            "three mean the same is something the model has to learn from text.",
            "two different ids: with and without a capital": "Compare ` the` and `the` in the "
            "output: the space counts too, since it belongs to the token.",
            "three different things": "Capital and space are bytes like others.",
        },
    ),
    "wrong_order": Question(
        "We encode with the same merges, but always apply the one that was learned last. "
        "What notices?",
        "only the model: the text surprises it",
        {
            "nothing: the same merges make the same tokens": "Look at the output: more "
            "tokens a story than before. An early merge that comes late finds its letters taken.",
            "decoding: another text comes back": "Look at the end of each line: all 100 "
            "stories come back. Tokens that spell a text spell it however it was cut.",
            "only the model: the text surprises it": "Every token is valid, and decoding is "
            "perfect. But the model has never seen words cut like this.",
        },
    ),
    "permute": Question(
        "We swap the ids: each token gets another's number, by lot. A new model is trained on "
        "these. Its loss will be",
        "the same, but for luck",
        {
            "higher: neighbouring ids meant similar tokens": "Compare the two losses of a seed: "
            "they differ no more than two seeds do. An id is looked up, never calculated with.",
            "the same, but for luck": "An id is a name. 283 is not more than 268.",
            "beyond use: the numbers make no sense any more": "Compare the two losses of a seed: "
            "they differ no more than two seeds do. The numbers made no sense before, either.",
        },
    ),
    "exit": Question(
        "Who decides where a token ends?",
        "counting: what stood side by side most often",
        {
            "language: a token is a word or a part with a meaning": "Look at the last merges once "
            "more: `␣sleeping` is `␣slee` + `ping`, and neither is a part with a meaning.",
            "counting: what stood side by side most often": "Most frequent pair, merge, again.",
        },
    ),
}

HINTS = {
    "decode": (
        "A letter may lie across two tokens. What must be done first: joining, or decoding?",
        '`b"".join(data)` is one `bytes`. And `.decode("utf-8", errors="replace")` makes it text.',
    ),
    "pair": (
        "Blank 1: `min(counts, key=...)` finds the pair for which the key is smallest. Largest "
        "count first, then smallest pair: `key=lambda pair: (-counts[pair], pair)`.",
        "For no pair at all: `min(..., default=None)`.",
        "Blank 2: `if tuple(ids[i : i + 2]) == pair:` is also safe at the end of the list.",
        "Blank 3: after a merge `i += 2`, otherwise `i += 1`.",
    ),
    "train": (
        "Begin with `pieces = [list(piece.encode()) for piece in split(text)]`.",
        "n_merges times: count the pairs of all pieces in one `Counter`; choose as in exercise 2; "
        "merge in every piece.",
        "The new id is `256 + len(merges)`, before the pair is appended. `if not counts: break`.",
    ),
}
