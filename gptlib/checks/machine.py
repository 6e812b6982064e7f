"""Lesson 00's exercises: the loss, the distance from the truth, and a model that only counts."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from .exercise import Exercise, Mistake, Property
from .properties import SURE, no_infinity, no_nan, unlike
from .reading import one_number
from .showing import short

NOT_NEGATIVE = Property(
    "-ln p is never below 0, since p is at most 1.",
    lambda given, value: None if value > -SURE else f"the loss is {short(float(value))}",
)

# ---- 1. The loss ----

# First what fits on paper; then sizes that differ, numbers alike, and what is nearly impossible.
PROBS = ([1.0], [0.5], [0.6, 0.3], [0.25, 0.25, 0.25, 0.25], [1.0, 0.05, 1.0], [1e-9, 0.9])
PROBS += ([0.9, 0.8, 0.1, 0.3, 0.3], [1 / 512], np.linspace(0.02, 0.98, 40).tolist())


def right_surprise(probs: Sequence[float]) -> float:
    return -sum(math.log(p) for p in probs) / len(probs)


def _mean_of_surprises(given: tuple, value: np.ndarray) -> str | None:
    want, mine = right_surprise(*given), float(value)
    if np.isclose(mine, want, rtol=SURE, atol=SURE):
        return None
    each = ", ".join(short(-math.log(p)) for p in given[0][:4])
    more = ", ..." if len(given[0]) > 4 else ""
    return f"-ln p is {each}{more}, with the mean {unlike(want, mine)}, not {unlike(mine, want)}"


mean_surprise = Exercise(
    "machine.mean_surprise",
    """Exercise 1, easy, 4 minutes: `student(probs)` is the mean of -ln p, in nats.

    probs: a list of probabilities above 0, one or more -> one number.
    """,
    right=right_surprise,
    inputs=[(probs,) for probs in PROBS],
    read=one_number,
    properties=(
        no_nan(),
        NOT_NEGATIVE,
        Property("The loss is the mean of the surprises.", _mean_of_surprises),
    ),
    mistakes=(
        Mistake("sum", lambda probs: right_surprise(probs) * len(probs)).as_if(
            "the surprises were added up, and the sum was not divided",
            "The loss is a mean: divide by how many probabilities there are.",
        ),
        Mistake("log of the mean", lambda probs: -math.log(sum(probs) / len(probs))).as_if(
            "the probabilities were averaged before the logarithm was taken",
            "Take the logarithm of each one first, then the mean.",
        ),
        Mistake("base 2", lambda probs: right_surprise(probs) / math.log(2)).as_if(
            "the logarithm had the base 2",
            "That measures in bits. Nats use the natural logarithm: math.log or torch.log.",
        ),
    ),
)


# ---- 2. The distance from the truth ----

IS = {"sleeping": 0.6, "on": 0.3, "happy": 0.05, "running": 0.05}
PAIRS = (({"on": 0.5, "happy": 0.5}, {"on": 0.5, "happy": 0.5}),)
PAIRS += (({"on": 0.5, "happy": 0.5}, {"on": 0.25, "happy": 0.75}), ({"is": 1.0}, {"is": 0.25}))
PAIRS += ((IS, {"sleeping": 0.62, "on": 0.28, "happy": 0.05, "running": 0.05}),)
PAIRS += ((IS, {word: 0.1 for word in IS} | {"hungry": 0.6}), (IS, {"running": 0.9} | IS))
PAIRS += (({"a": 0.7, "b": 0.2, "c": 0.1}, {"c": 0.5, "b": 0.3, "a": 0.2}),)


def right_divergence(truth: dict[str, float], model: dict[str, float]) -> float:
    return sum(p * math.log(p / model[word]) for word, p in truth.items())


def _weighted_sum(given: tuple, value: np.ndarray) -> str | None:
    truth, model = given
    want, mine = right_divergence(*given), float(value)
    if np.isclose(mine, want, rtol=SURE, atol=SURE):
        return None
    word = max(truth, key=lambda w: abs(truth[w] * math.log(truth[w] / model[w])))
    p, q = truth[word], model[word]
    part = f"{word!r} adds {short(p)} * ln({short(p)} / {short(q)}) = {short(p * math.log(p / q))}"
    return f"{part}, all words together {unlike(want, mine)}, not {unlike(mine, want)}"


divergence = Exercise(
    "machine.divergence",
    """Deeper, medium, 5 minutes: `student(truth, model)` is KL(truth || model), in nats.

    Both are {word: probability}. Each word of the truth has a probability above 0 in both; the
    model may have more words.
    """,
    right=right_divergence,
    inputs=PAIRS,
    read=one_number,
    properties=(
        no_nan(),
        Property(
            "Where model and truth agree, the divergence is 0.",
            lambda given, value: (
                f"both are {given[0]}, and the result is {short(float(value))}"
                if given[0] == given[1] and abs(value) > SURE
                else None
            ),
        ),
        Property(
            "Each word of the truth adds p ln(p / q), its own p times the logarithm.", _weighted_sum
        ),
    ),
    mistakes=(
        Mistake(
            "the other way round",
            lambda truth, model: sum(model[w] * math.log(model[w] / p) for w, p in truth.items()),
        ).as_if(
            "truth and model were exchanged",
            "The weight of each word, and the upper number of the ratio, is its true probability.",
        ),
        Mistake(
            "not weighted",
            lambda truth, model: sum(math.log(p / model[w]) for w, p in truth.items()),
        ).as_if(
            "every word counted alike",
            "Multiply each logarithm by the word's true probability before you add.",
        ),
        Mistake(
            "cross-entropy",
            lambda truth, model: -sum(p * math.log(model[w]) for w, p in truth.items()),
        ).as_if(
            "the truth's own entropy was not subtracted",
            "The logarithm is of a ratio: ln(p / q).",
        ),
    ),
)


# ---- 3. A model that counts ----

EXTRA = 0.1  # added to each count, as in the lesson


def right_counting(known: Sequence, new: Sequence, n: int) -> float:
    return _counting(known, new, n, len(known))


def _with_the_end(known: Sequence, new: Sequence, n: int) -> float:
    return _counting(known, new, n, len(known) + 1)


def _counting(known: Sequence, new: Sequence, n: int, stop: int) -> float:
    """The loss, where the n symbols before each place below `stop` count as followed."""
    seen = Counter(tuple(known[i - n : i + 1]) for i in range(n, len(known)))
    followed = Counter(tuple(known[i - n : i]) for i in range(n, stop))
    kinds = len(set(known))
    probs = []
    for i in range(n, len(new)):
        count, of = seen[tuple(new[i - n : i + 1])], followed[tuple(new[i - n : i])]
        probs.append((count + EXTRA) / (of + EXTRA * kinds))
    return right_surprise(probs)


def _counts(given: tuple, value: np.ndarray) -> str | None:
    known, new, n = given
    want, mine = right_counting(*given), float(value)
    if np.isclose(mine, want, rtol=SURE, atol=SURE):
        return None
    begin, then = list(known), list(new)
    context, symbol = then[:n], then[n]
    windows = [begin[i - n : i + 1] for i in range(n, len(begin))]
    of = sum(window[:n] == context for window in windows)
    count = sum(window == [*context, symbol] for window in windows)
    kinds = len(set(known))
    p = f"({count} + 0.1) / ({of} + 0.1 * {kinds})"
    after = f"after {new[:n]!r}" if n else "with nothing before it"
    first = f"{after}, {symbol!r} has the probability {p} = "
    first += short((count + EXTRA) / (of + EXTRA * kinds))
    return f"{first}; the mean of all -ln p is {unlike(want, mine)}, not {unlike(mine, want)}"


KNOWN = "the cat is on the sofa. the cats are on the roof. it sleeps. "
COUNTED = (("abab", "ab", 1), ("aab", "abb", 0), ("abcabd", "abcd", 2), (KNOWN, "the cat sat.", 1))
COUNTED += ((KNOWN, "the cat sat.", 3), ([300, 7, 300, 8, 300, 7], [300, 7, 300], 1))
COUNTED += ((KNOWN, "it rains", 0), ([1, 2, 3, 1, 2, 4, 1, 2, 3], [3, 1, 2, 3, 9], 2))

counting_loss = Exercise(
    "machine.counting_loss",
    """Deeper, hard, 12 minutes: `student(known, new, n)`, the loss of a model that only counts.

    known, new: two texts, or two lists of ids, each longer than n. A symbol that follows n others
    has the probability (count + 0.1) / (followed + 0.1 * kinds): how often it follows these n in
    `known`, how often anything follows them there, and how many kinds of symbols `known` has.
    Symbols of `new` with fewer than n before them are not scored. -> nats per symbol, one number.
    """,
    right=right_counting,
    inputs=COUNTED,
    read=one_number,
    properties=(
        no_nan(),
        no_infinity("What was never seen has a small probability, and not 0."),
        Property("The probability of a symbol comes from counts in `known`.", _counts),
    ),
    mistakes=(
        Mistake("the end counted too", _with_the_end).as_if(
            "the last n symbols of `known` were counted as context",
            "No symbol follows there, so that context says nothing. Leave it out of the count.",
        ),
        Mistake("counted in the new text", lambda known, new, n: right_counting(new, new, n)).as_if(
            "the counts came from the new text", "The model may only count in `known`."
        ),
        Mistake(
            "sum",
            lambda known, new, n: right_counting(known, new, n) * (len(new) - n),
        ).as_if(
            "the surprises were added up, and the sum was not divided",
            "The loss is a mean: divide by how many symbols were scored.",
        ),
    ),
)
