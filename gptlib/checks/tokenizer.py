"""Lesson 01's exercises: bytes back to text; the most frequent pair, and merging it; training.

Ids as in `gptlib.Tokenizer`: 0 to 255 are the bytes, 256 + k is what merge k makes. The right
answers and the wrong ones are in `tokenizer_answers`.
"""

from ..tokenizer import merge
from . import base
from .base import Verdict
from .tokenizer_answers import (
    DECODE_MISTAKES,
    MERGE_MISTAKES,
    PAIR_MISTAKES,
    TRAIN_MISTAKES,
    right_decode,
    right_pair,
    right_train,
)

# ---- 1. Ids back to text ----

BYTES = {k: bytes([k]) for k in range(256)}
BYTES |= {256: b" c", 257: b"at", 258: b" cat", 259: b"\xf0\x9f", 260: b"The"}
IDS = ([260, 258], [260, 258, 32, 105, 115], [78, 97, 195, 175, 118, 101], [259, 144, 177])
IDS += ([], [32, 32, 65, 10], [195, 40])  # the last two: white space counts, and half a letter


def decode(student) -> Verdict:
    """Exercise 1, easy, 3 minutes: `student(ids, token_bytes)` gives back the text.

    token_bytes: {id: its bytes}. Bytes that are not UTF-8 become U+FFFD, with "replace".
    """
    inputs = [(list(ids), {id: BYTES[id] for id in sorted(set(ids))}) for ids in IDS]
    return base.check(
        student, right=right_decode, inputs=inputs, mistakes=DECODE_MISTAKES, read=base.text
    )


# ---- 2. The most frequent pair, and merging it ----

A, B, C = 97, 98, 99
PAIRS = ([A, B, C, A, B], [C, B, A, B, C, B, A], [A, A, A, A, B, B], [B, A, C, B], [A, B], [A], [])
PAIRS += ([B, C, A, C, B, C, A, C, A], [C, C, C, B, A, B, A, B], [300, 2, 300, 2, 1, 1, 1])


def most_frequent_pair(student) -> Verdict:
    """Exercise 2, medium: `student(ids)` gives back the pair of neighbours that stands most often.

    Overlapping pairs count; of equally frequent ones the smallest pair wins; None if there is none.
    """
    return base.check(
        student,
        right=right_pair,
        inputs=[(list(ids),) for ids in PAIRS],
        mistakes=PAIR_MISTAKES,
        read=_pair_or_none,
    )


def _pair_or_none(value):
    if value is None:
        return None
    pair = base.ids(value)
    if len(pair) != 2:
        raise ValueError("a pair of two ids was expected")
    return tuple(pair)


MERGES = (([A, B, C, A, B], (A, B)), ([A, A, A], (A, A)), ([A, A, A, A, A], (A, A)))
MERGES += (([C, A, B], (A, B)), ([A, C, B], (A, B)), ([A, B], (A, B)), ([A], (A, B)), ([], (A, B)))
MERGES += (([B, A, B, A], (A, B)), ([A, A, B, B], (A, B)))


def merge_pair(student) -> Verdict:
    """Exercise 2, medium: `student(ids, pair, new_id)` replaces the pair wherever it stands.

    From left to right: of three equal ids the first two become one. The input stays as it is.
    """
    return base.check(
        student,
        right=merge,
        inputs=[(list(ids), pair, 256) for ids, pair in MERGES],
        mistakes=MERGE_MISTAKES,
        read=base.ids,
    )


# ---- 3. Train BPE ----

TEXTS = (("aaabdaaabac", 3), ("The cat is. The cat sat.", 5), ("banana bandana", 4))
TEXTS += (("the hat the mat the cat", 6), ("naïve Zoë, naïve Chloë", 6), ("ab ab", 9), ("", 2))
TEXTS += (("low low low lower lowest newest newest", 0), ("dog. dog! dog? dog", 4))


def train(student) -> Verdict:
    """Exercise 3, hard, 12 minutes: `student(text, n_merges)` learns the merges that gptlib learns.

    A list of pairs of ids, in the order learned; merge k makes the id 256 + k. Merges stay within
    the pieces of `gptlib.tokenizer.split`, and stop early when no pair is left.
    """
    inputs = list(TEXTS)
    return base.check(
        student, right=right_train, inputs=inputs, mistakes=TRAIN_MISTAKES, read=_merges
    )


def _merges(value):
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, dict):  # {pair: id}, as gptlib keeps them for encoding
        value = sorted(value, key=value.get)
    if not isinstance(value, list | tuple):
        raise ValueError("a list of merges was expected")
    try:
        return [pair for pair in map(_pair_or_none, value)]
    except (TypeError, ValueError):
        raise ValueError("each merge must be a pair of ids, such as (97, 116)") from None
