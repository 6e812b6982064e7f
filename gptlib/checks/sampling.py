"""Lesson 07's exercises: temperature; top-k with ties; the best sentence; a step with a cache.

Logits and probabilities are tensors of shape (V,). The step with a cache is in `cache`.
"""

import math
from collections.abc import Iterator
from functools import partial
from itertools import product

import numpy as np
import torch

from ..logits import softmax
from ..sampling import next_token_probs
from .cache import one_more
from .exercise import Exercise, Mistake, Property
from .properties import SURE, in_turn, no_nan, not_below_zero, odds, shape, sums_to_one, unlike
from .reading import numbers, one_number
from .showing import short

__all__ = ["best_sentence", "keep_top_k", "one_more", "with_temperature"]

ONE_EACH = shape("There is one probability for every token.", lambda x, _: x.shape)
SUMS = sums_to_one("Probabilities sum to 1.")

# ---- 1. Temperature ----

# Two and a half; equals; all below 0; greedy; one token; temperatures near 0, where only close
# logits share; minus infinity; more tokens than ten.
BENT = (([2.0, 1.0, 0.0], 0.5), ([2.0, 1.0, 0.0], 2.0), ([2.0, 2.0, -3.0], 1.0))
BENT += (([-4.0, -1.0, -2.5, -9.0], 0.25), ([0.5, 4.5, 3.0, -1.0], 0), ([7.0, 6.0, 4.5], 5.0))
BENT += (([3.0], 0.7), ([0.1, 0.05, 0.0], 0.05), ([0.002, 0.001, 0.0, 0.0005], 0.001))
BENT += (([1.0, -torch.inf, 0.5, 2.0, 1.0], 1.5), (torch.linspace(-3, 3, 13).tolist(), 0.8))
BENT += (([-5.0, -7.0], 0), ([30.0, 20.0, -40.0], 100.0))


def _greedy_at_zero(given: tuple, value: np.ndarray) -> str | None:
    logits, temperature = given
    if temperature == 0 and not value[logits.argmax()] > 1 - SURE:
        largest = unlike(value[logits.argmax()], 1)
        return f"at temperature 0 the largest logit has probability {largest}"
    return None


ZERO = "Temperature 0 is greedy decoding, and so is a tiny one: never divide by less than 1e-6."


def _odds_by_temperature(a: float, b: float, temperature: float) -> float:
    by = (a - b) / temperature if temperature else np.inf
    return np.exp(by) if abs(by) < 12 else np.nan


with_temperature = Exercise(
    "sampling.with_temperature",
    """Exercise 1, easy, 3 minutes: `student(logits, temperature)` gives probabilities, (V,).

    Temperature 0 is greedy decoding: 1 for the largest logit (no two are equal there).
    """,
    right=next_token_probs,
    inputs=lambda: [(torch.tensor(logits), temperature) for logits, temperature in BENT],
    read=numbers,
    notes={"division by zero": ZERO},
    properties=(
        ONE_EACH,
        no_nan(),
        not_below_zero(),
        SUMS,
        Property(
            "Temperature 0 is greedy decoding: the largest logit gets probability 1.",
            _greedy_at_zero,
        ),
        odds("The logits are divided by the temperature before softmax.", _odds_by_temperature),
    ),
    mistakes=(
        Mistake("multiplied", lambda logits, t: softmax(logits * t)).as_if(
            "the logits were multiplied by the temperature",
            "Divide: a high temperature has to bring the logits closer together.",
        ),
        Mistake("softmax twice", lambda logits, t: softmax(softmax(logits) / t)).as_if(
            "softmax was taken twice",
            "The second one treats probabilities as logits. Divide the logits, and take only one.",
        ),
        Mistake("zero", lambda x, t: softmax(x / t)).as_if("the logits were divided by 0", ZERO),
    ),
)


# ---- 2. Top-k, where some are equal ----

# Two of four; two equals at the border, in either order; all equal; k beyond V; one token; more
# than 16 tokens, where torch's sort without stable=True reorders equals.
KEPT = (([0.05, 0.6, 0.05, 0.3], 2), ([0.3, 0.6, 0.05, 0.05], 3), ([0.25] * 4, 2))
KEPT += (([0.1, 0.2, 0.2, 0.2, 0.2, 0.1], 3), ([0.2, 0.8], 5), ([0.2, 0.3, 0.5], 1), ([1.0], 1))
KEPT += (([0.1] * 10, 4), ([0.4, 0.1, 0.5], 3), ([0.5, 0.0, 0.5, 0.0], 3), ([0.05] * 20, 3))
KEPT += (([0.01, 0.09] * 10, 7), ([0.001, 0.299, 0.7], 2))


def _first(probs: torch.Tensor, k: int, stable: bool = True) -> torch.Tensor:
    """probs with 0 for all but the first k of the order."""
    ids = probs.sort(descending=True, stable=stable).indices[:k]
    return torch.zeros_like(probs).scatter_(0, ids, probs[ids])


def _right_top_k(probs: torch.Tensor, k: int, stable: bool = True) -> torch.Tensor:
    kept = _first(probs, k, stable)
    return kept / kept.sum()


def _threshold(probs: torch.Tensor, k: int) -> torch.Tensor:
    least = probs.sort(descending=True).values[min(k, len(probs)) - 1]
    kept = torch.where(probs >= least, probs, 0)
    return kept / kept.sum()


def _k_stay(given: tuple, value: np.ndarray) -> str | None:
    probs, k = given
    want, stay = min(k, int((probs > 0).sum())), int((value > 0).sum())
    if stay == want:
        return None
    return f"{stay} stay{'s' * (stay == 1)} above 0, and k is {k}" + (
        f" of {len(probs)} tokens" if k > len(probs) else ""
    )


def _the_likeliest_stay(given: tuple, value: np.ndarray) -> str | None:
    probs = given[0].numpy()
    out, stay = np.flatnonzero(value == 0), np.flatnonzero(value > 0)
    for id, other in product(stay, out):
        if probs[other] > probs[id]:
            mine, its = short(probs[id]), short(probs[other])
            return f"id {other} is out with {its}, and id {id} stays with {mine}"
    return None


def _smaller_ids_stay(given: tuple, value: np.ndarray) -> str | None:
    probs = given[0].tolist()
    for id in range(len(probs)):
        for other in range(id):
            if probs[other] == probs[id] > 0 and value[id] > 0 and value[other] == 0:
                return f"ids {other} and {id} are equally likely, and only id {id} stays"
    return None


def _ratios_stay(given: tuple, value: np.ndarray) -> str | None:
    probs = given[0].numpy()
    kept = np.flatnonzero(value)
    for a, b in zip(kept, kept[1:]):
        if not np.isclose(value[a] * probs[b], value[b] * probs[a], rtol=1e-2):
            was, now = (f"{short(x[a])} and {short(x[b])}" for x in (probs, value))
            return f"ids {a} and {b} had {was}, and now {now}"
    return None


PLACES = "Choose ids, not values: the first k of the sorted ids."

keep_top_k = Exercise(
    "sampling.keep_top_k",
    """Exercise 2, medium, 6 minutes: `student(probs, k)` keeps exactly k; they sum to 1, (V,).

    Among equals the smaller id stays; with k beyond V all stay. The input is not changed.
    """,
    right=_right_top_k,
    inputs=lambda: [(torch.tensor(probs), k) for probs, k in KEPT],
    read=numbers,
    notes={"out of (range|bounds)": "If k is larger than the number of tokens, all of them stay."},
    properties=(
        ONE_EACH,
        no_nan(),
        not_below_zero(),
        Property("Exactly k tokens stay, or all where there are fewer.", _k_stay),
        Property("The most probable tokens stay.", _the_likeliest_stay),
        Property("Among equal probabilities, the smaller id stays.", _smaller_ids_stay),
        Property("All that stay are divided by the same number, their sum.", _ratios_stay),
        SUMS,
    ),
    mistakes=(
        Mistake("a threshold", _threshold).as_if(
            "every probability stayed that is as large as the k-th largest",
            f"Then too many stay if some are equal. {PLACES}",
        ),
        Mistake("not stable", partial(_right_top_k, stable=False)).as_if(
            "equal probabilities were sorted in no particular order",
            "sort(descending=True, stable=True) keeps equals in the order of their ids.",
        ),
        Mistake("softmax of zeros", lambda probs, k: softmax(_first(probs, k))).as_if(
            "you took the softmax at the end",
            "Then each 0 gets a share, since e^0 is 1. Divide the probabilities by their sum.",
        ),
    ),
)


# ---- 3. The best sentence ----


def _with_stops(table: dict) -> dict:
    """A full stop after each text that the table does not go on from."""
    ends = [text + token for text, row in table.items() for token in row if token != "."]
    return table | {text: {".": 1.0} for text in ends if text not in table}


# Greedy is right of the cat, where the likeliest comes last. The dog's likeliest word shares with
# two places. Of A the best way begins with the least likely token, and It has few sure steps. Of
# Wide the best way begins with the fifth of six tokens, so that no narrow beam keeps it.
CAT = _with_stops(
    {"The cat": {" runs": 0.3, " sleeps": 0.7}, "The cat sleeps": {".": 0.8, " on": 0.2}}
)
DOG = _with_stops(
    {
        "The dog is": {" on": 0.4, " running": 0.35, " happy": 0.2, " asleep": 0.05},
        "The dog is on": {" the bed": 0.6, " the sofa": 0.4},
        "The dog is asleep": {".": 0.5, " already": 0.5},
    }
)
LAST = {"A": {" b": 0.36, " c": 0.34, " d": 0.3}, "A b": {".": 0.55, " e": 0.45}}
LAST |= {"A c": {" e": 0.6, ".": 0.4}, "A d": {" e": 1.0}, "A d e": {" f": 0.95, ".": 0.05}}
SHORT = {"It": {" is": 0.55, " purrs": 0.45}, "It is": {" so": 0.9, ".": 0.1}}
SHORT |= {"It is so": {" red": 0.85, " big": 0.15}, "It is so red": {".": 0.98, " now": 0.02}}
LAST, SHORT = _with_stops(LAST), _with_stops(SHORT)
CHAIN = _with_stops({"Mia": {" has": 1.0}, "Mia has": {" it": 1.0}})
SIX = " a b c d e f".split(" ")[1:]
WIDE = {"Wide": {f" {x}": p for x, p in zip(SIX, (0.19, 0.18, 0.17, 0.165, 0.15, 0.145))}}
WIDE |= {f"Wide {x}": {f" {y}": 1 / 6 for y in SIX} for x in SIX if x != "e"}
WIDE = _with_stops(WIDE | {"Wide e": {" e": 0.9, ".": 0.1}})
TABLES = ((CAT, "The cat"), (DOG, "The dog is"), (LAST, "A"), (SHORT, "It"), (CHAIN, "Mia"))
TABLES += ((DOG, "The dog is asleep already"), (SHORT, "It is so"), (WIDE, "Wide"))


def _sentences(table, prefix, steps=()) -> Iterator[tuple[str, tuple]]:
    """Every way on to a full stop, with the probabilities of its steps."""
    for token, q in table[prefix].items():
        if token == ".":
            yield prefix + token, (*steps, q)
        else:
            yield from _sentences(table, prefix + token, (*steps, q))


def _probabilities(table, prefix) -> dict[str, float]:
    return {text: math.prod(steps) for text, steps in _sentences(table, prefix)}


def _right_best(table, prefix) -> tuple[str, float]:
    return max(_probabilities(table, prefix).items(), key=lambda pair: pair[1])


def _greedy(table, prefix) -> tuple[str, float]:
    p = 1.0
    while not prefix.endswith("."):
        token = max(table[prefix], key=table[prefix].get)
        prefix, p = prefix + token, p * table[prefix][token]
    return prefix, p


WHOLE = "The whole sentence is asked for, from its prefix on."
ENDS = "A sentence ends with its full stop."
FROM_THE_TABLE = "Each token comes from the row of the table for the text before it."
PRODUCT = "The probability of a sentence is the product of all its steps."
LIKELIEST = "No other sentence with this prefix is more probable."


def _of_sentences(given: tuple, value: tuple) -> tuple[str, str] | None:
    """(the first property that does not hold, what is seen)."""
    text, mine, found = value[0], float(value[1].array), _probabilities(*given)
    if not text.startswith(given[1]):
        return WHOLE, f"your sentence is {text!r}, and the prefix is {given[1]!r}"
    if not text.endswith("."):
        return ENDS, f"your sentence is {text!r}"
    if text not in found:
        return FROM_THE_TABLE, f"{text!r} cannot be made with the table"
    p, (best, most) = found[text], _right_best(*given)
    if not np.isclose(mine, p, rtol=1e-3):
        seen = f"{text!r} has probability {unlike(p, mine)}, and you say {unlike(mine, p)}"
        return PRODUCT, seen
    if p < most:
        seen = f"{text!r} has probability {unlike(p, most)}, and {best!r} has {unlike(most, p)}"
        return LIKELIEST, seen
    return None


def _read_sentence(value: object) -> tuple:
    if isinstance(value, str) or not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError("a sentence and its probability were expected: return sentence, p")
    text, p = value
    if not isinstance(text, str):
        raise ValueError("the sentence comes first, as text, then its probability")
    return text, one_number(p)


best_sentence = Exercise(
    "sampling.best_sentence",
    """Deeper, hard, 12 minutes: `student(table, prefix)` gives (sentence, probability).

    table: {text: {token: probability}}, where the next text is text + token. The sentence is
    the most probable one that begins with prefix and ends with a full stop, both included.
    """,
    right=_right_best,
    inputs=TABLES,
    read=_read_sentence,
    notes={r"KeyError: '.*\.'": "Nothing follows a full stop: the sentence ends there."},
    properties=in_turn(_of_sentences, WHOLE, ENDS, FROM_THE_TABLE, PRODUCT, LIKELIEST),
    mistakes=(
        Mistake("greedy", _greedy).as_if(
            "the most probable token was taken every time",
            "A less probable token may lead to a better sentence: go through all of them.",
        ),
        Mistake(
            "first branch only", lambda *given: next(iter(_probabilities(*given).items()))
        ).as_if(
            "the first sentence found was returned",
            "Is there a `return` inside the loop? Compare all of them, and keep the best.",
        ),
    ),
)
