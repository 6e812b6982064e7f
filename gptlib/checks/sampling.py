"""Lesson 07's exercises: temperature; top-k where some are equal; the best sentence; the capstone.

The right answers and the wrong ones are in `sampling_answers`, the capstone in `capstone`.
"""

import torch

from . import base
from .base import Verdict
from .capstone import capstone
from .sampling_answers import (
    BEND_MISTAKES,
    BEST_MISTAKES,
    TOP_K_MISTAKES,
    right_bend,
    right_best,
    right_top_k,
)

__all__ = ["bend", "best_sentence", "capstone", "keep_top_k"]

# ---- 1. Temperature ----

BENT = (([1.8, 1.1, -0.7, 0.3], 0.5), ([1.8, 1.1, -0.7, 0.3], 2.0), ([2.0, 2.0, -3.0], 1.0))
BENT += (([-4.0, -1.0, -2.5, -9.0], 0.25), ([0.5, 4.5, 3.0, -1.0], 0), ([7.0, 6.0, 4.5], 5.0))


def bend(student) -> Verdict:
    """Exercise 1, easy, 3 minutes: `student(logits, temperature)` gives probabilities, (V,).

    Temperature 0 is greedy: all of it on the largest logit (no two are equal there).
    """
    inputs = [(torch.tensor(logits), temperature) for logits, temperature in BENT]
    return base.check(
        student, right=right_bend, inputs=inputs, mistakes=BEND_MISTAKES, read=base.numbers
    )


# ---- 2. Top-k, where some are equal ----

KEPT = (([0.05, 0.6, 0.05, 0.3], 2), ([0.3, 0.6, 0.05, 0.05], 3), ([0.25] * 4, 2))
KEPT += (([0.1, 0.2, 0.2, 0.2, 0.2, 0.1], 3), ([0.2, 0.8], 5), ([0.2, 0.3, 0.5], 1))
KEPT += (([0.1] * 10, 4), ([0.4, 0.1, 0.5], 3))
KEPT += (([0.05] * 20, 3),)  # above 16 tokens, torch's sort without stable=True reorders equals


def keep_top_k(student) -> Verdict:
    """Exercise 2, medium, 6 minutes: `student(probs, k)` keeps exactly k, and divides anew; (V,).

    Among equals the smaller id stays; with k beyond V all stay. The input stays as it is.
    """
    inputs = [(torch.tensor(probs), k) for probs, k in KEPT]
    return base.check(
        student, right=right_top_k, inputs=inputs, mistakes=TOP_K_MISTAKES, read=base.numbers
    )


# ---- 3. The best sentence ----

# Greedy is right of the cat, where the likeliest comes last. The dog's likeliest word shares with
# two places. Of A the best way begins with the least likely token, and It has few sure steps.
DOG = {
    "The dog is": {" on": 0.4, " running": 0.35, " happy": 0.2, " asleep": 0.05},
    "The dog is on": {" the bed": 0.6, " the sofa": 0.4},
    "The dog is on the bed": {".": 1.0},
    "The dog is on the sofa": {".": 1.0},
    "The dog is running": {".": 1.0},
    "The dog is happy": {".": 1.0},
    "The dog is asleep": {".": 0.5, " already": 0.5},
    "The dog is asleep already": {".": 1.0},
}
CAT = {
    "The cat": {" runs": 0.3, " sleeps": 0.7},
    "The cat sleeps": {".": 0.8, " on": 0.2},
    "The cat sleeps on": {".": 1.0},
    "The cat runs": {".": 1.0},
}
LAST = {
    "A": {" b": 0.36, " c": 0.34, " d": 0.3},
    "A b": {".": 0.55, " e": 0.45},
    "A b e": {".": 1.0},
    "A c": {" e": 0.6, ".": 0.4},
    "A c e": {".": 1.0},
    "A d": {" e": 1.0},
    "A d e": {" f": 0.95, ".": 0.05},
    "A d e f": {".": 1.0},
}
SHORT = {
    "It": {" is": 0.55, " purrs": 0.45},
    "It is": {" so": 0.9, ".": 0.1},
    "It is so": {" red": 0.85, " big": 0.15},
    "It is so red": {".": 0.98, " now": 0.02},
    "It is so red now": {".": 1.0},
    "It is so big": {".": 1.0},
    "It purrs": {".": 1.0},
}
CHAIN = {"Mia": {" has": 1.0}, "Mia has": {" it": 1.0}, "Mia has it": {".": 1.0}}
TABLES = ((CAT, "The cat"), (DOG, "The dog is"), (LAST, "A"), (SHORT, "It"), (CHAIN, "Mia"))
TABLES += ((DOG, "The dog is asleep already"), (SHORT, "It is so"))


def best_sentence(student) -> Verdict:
    """Exercise 3, hard, 12 minutes: `student(table, prefix)` gives (sentence, probability).

    table: {text: {token: probability}}, where token goes behind text as it is. The sentence is
    the most probable of all that go on from prefix to a full stop, with the prefix and the stop.
    """
    endless = {r"KeyError: '.*\.'": "Nothing follows a full stop: with it the sentence is whole."}
    return base.check(
        student,
        right=right_best,
        inputs=list(TABLES),
        mistakes=BEST_MISTAKES,
        read=_sentence,
        notes=endless,
    )


def _sentence(value):
    if isinstance(value, str) or not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError("a sentence and its probability were expected: return sentence, p")
    text, p = value
    if not isinstance(text, str):
        raise ValueError("the sentence comes first, as text, then its probability")
    p = base.numbers(p)
    if p.array.ndim:
        raise ValueError("the probability must be one number")
    return text, p
