"""Texts and tokenizers that several tests share."""

import json
import warnings
from collections import Counter

from hypothesis import strategies as st

from gptlib.tokenizer import Tokenizer, merge, pair_counts, split

EOT = "<|endoftext|>"


PETS = """The cat is sleeping. The dog is happy, the bird isn't. The cat is on the mat; whose ball
is red? A small child sees the sky in 2024: bright blue, quite clear, running over the old
garden wall.
"""


DIFFICULT = [
    "",
    " ",
    "\n\n  \t x \r\n",
    "It's we'll I'VE 'tis 1234 3.14",
    "naïve café, e\u0301 and \u00e9",
    "日本語 한국어 العربية हिन्दी ไทย",
    "👩‍👩‍👧‍👦 🏳️‍🌈 🤷🏽",
    "\x00\x1c\x7f\u00a0\u200b\u2028\u202e\ufeff",
    "a" * 300 + " " * 300 + "!" * 300,
    "x = {'a': [1, 2]}  # <|endoftext|>",
]


texts = st.text(st.characters(exclude_categories=("Cs",)))  # all of Unicode but lone surrogates


def naive_merges(text, n_merges, start=256):
    """BPE as one would write it down: count everything afresh before each merge."""
    pieces = [list(piece.encode()) for piece in split(text)]
    merges = []
    while len(merges) < n_merges:
        counts = Counter()
        for ids in pieces:
            counts.update(pair_counts(ids))
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        pieces = [merge(ids, best, start + len(merges) - 1) for ids in pieces]
    return merges


def train_quietly(text, vocab_size, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Tokenizer.train(text, vocab_size, **kwargs)


USER = "<|user|>"


# Peers know other versions of Unicode: leave out the code points that have no meaning in ours.
assigned = st.text(st.characters(exclude_categories=("Cs", "Cn")))


def fields_of(tokenizer, folder):
    """What `save` writes, as Python objects."""
    tokenizer.save(folder / "fields.json")
    return json.loads((folder / "fields.json").read_text(encoding="utf-8"))


def load_fields(fields, folder):
    (folder / "t.json").write_text(json.dumps(fields), encoding="utf-8")
    return Tokenizer.load(folder / "t.json")


def as_gpt2s_own_file(fields):
    """The same tokenizer in the words of the file that came with GPT-2."""
    model = fields["model"]
    model["merges"] = [" ".join(pair) for pair in model["merges"]]
    model |= {"continuing_subword_prefix": "", "end_of_word_suffix": ""}
    for name in ("type", "byte_fallback", "ignore_merges"):
        del model[name]
    del fields["pre_tokenizer"]["use_regex"]
    fields["added_tokens"][0]["normalized"] = True
    ends = {"type": "ByteLevel", "add_prefix_space": True}
    fields["post_processor"] = ends | {"trim_offsets": False}
    fields["decoder"] = ends | {"trim_offsets": True}
