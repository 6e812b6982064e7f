"""Lesson 05's exercises: softmax; its logarithm where e^1000 overflows; and the way back.

Logits and probabilities are tensors of shape (..., V), one distribution a row.
"""

import numpy as np
import torch

from .exercise import Exercise, Mistake, Property
from .properties import SURE, no_nan, not_below_zero, shape, sums_to_one, unlike
from .reading import Numbers, numbers
from .showing import rows_of, short


def _rows(*given: list) -> list[tuple[torch.Tensor]]:
    """float64, in which e^1000 overflows too, and 1000 leaves room for twelve decimals."""
    return [(torch.tensor(rows, dtype=torch.float64),) for rows in given]


def _shares(values: torch.Tensor, dim: int = -1) -> torch.Tensor:
    return values / values.sum(dim, keepdim=True)


def _differences(words: str, got: str, of_result, of_given) -> Property:
    """Two neighbours in a row differ as they should: their odds, or their difference."""

    def seen(given: tuple, value: np.ndarray) -> str | None:
        for (name, row), (_, logits) in zip(rows_of(value), rows_of(given[0].numpy())):
            for k in range(len(row) - 1):
                with np.errstate(all="ignore"):
                    mine, its = of_result(row[k], row[k + 1]), of_given(logits[k], logits[k + 1])
                if np.isfinite(its) and not np.isclose(mine, its, rtol=1e-2, atol=SURE):
                    return got.format(
                        name=name,
                        a=short(logits[k]),
                        b=short(logits[k + 1]),
                        mine=unlike(mine, its),
                        its=short(its),
                    )
        return None

    return Property(words, seen)


ONE_EACH = shape("There is one number for every logit.", lambda z, *_: z.shape)

# ---- 1. Softmax ----

# Logits below 0; no two sizes alike, but a square too, where a forgotten keepdim goes unnoticed;
# equals; one alone; three axes; minus infinity; rows far apart.
LOGITS = ([[2.0, 1.0, 0.0], [0.0, 0.0, -3.0]], [[1.0, 2.0], [3.0, 5.0]], [-1.0, -2.0, 0.5, -0.5])
LOGITS += ([[3.0]], [[0.5, 0.5, 0.5, 0.5]], [[7.0, 8.0, 9.0], [-9.0, -8.0, -7.0], [1.0, 2.0, 4.0]])
LOGITS += ([[[1.0, 0.0, 2.0], [0.0, 3.0, 1.0]], [[-2.0, 1.0, 0.0], [4.0, 0.0, 1.0]]],)
LOGITS += ([[1.0, -torch.inf, 2.0, 0.5, 1.0]], np.linspace(-3, 4, 30).reshape(2, 3, 5).tolist())

ODDS = _differences(
    "The odds of two tokens are e to the difference of their logits.",
    "in {name}, the logits {a} and {b} have probabilities in the ratio {mine} to 1, and it should "
    "be {its} to 1",
    lambda p, q: p / q,
    lambda a, b: np.exp(a - b),
)

softmax = Exercise(
    "logits.softmax",
    """Exercise 1, easy, 3 minutes: `student(logits)` gives (..., V) probabilities, a row sums to 1.

    The logits are small; they may be below 0, and there may be any leading axes.
    """,
    right=lambda logits: torch.softmax(logits, -1),
    inputs=lambda: _rows(*LOGITS),
    read=numbers,
    properties=(ONE_EACH, no_nan(), not_below_zero(), sums_to_one(), ODDS),
    mistakes=(
        Mistake("wrong axis", lambda z: torch.softmax(z, 0)).as_if(
            "the sum went down the columns",
            "Each row is one distribution: sum over the last axis, dim=-1.",
        ),
        Mistake("axis 1", lambda z: torch.softmax(z, 1)).as_if(
            "the sum went over axis 1",
            "With two axes dim=1 is the last; of any number of axes the last is dim=-1.",
        ),
        Mistake("sum without keepdim", lambda z: z.exp() / z.exp().sum(-1)).as_if(
            "the sum has lost its axis, so that row 1 is not divided by the sum of row 1",
            "With keepdim=True the sums have shape (..., 1) and go with the rows.",
        ),
        Mistake("softmax twice", lambda z: torch.softmax(torch.softmax(z, -1), -1)).as_if(
            "softmax was applied twice",
            "The second takes probabilities for logits, and these are all between 0 and 1.",
        ),
    ),
)


# ---- 2. Log-softmax that holds at 1000 ----

LARGE = ([[2.0, 1.0, 0.0], [0.0, 0.0, -3.0]], [-2.0], [1000.0, 999.0, 0.0, 1.0])
LARGE += ([-1000.0, -1001.0, -1001.0], [[1000.0, 999.0], [3.0, 5.0], [-1000.0, -999.0]])
LARGE += ([1000.0, 0.0, -1000.0], [800.0, 0.0, 0.0, 0.0, 0.0], [[1000.0, 1000.0], [-9.0, -8.0]])
LARGE += ([[[1.0, 0.0, 2.0], [0.0, 3.0, 1.0]], [[-2.0, 1.0, 0.0], [4.0, 0.0, 1.0]]],)
LARGE += ([[900.0, -3000.0, 901.0, 5.0]], np.linspace(-3, 4, 30).reshape(2, 3, 5).tolist())


def _log_sum(z: torch.Tensor, keepdim: bool = True) -> torch.Tensor:
    return z.exp().sum(-1, keepdim=keepdim).log()


def _top(z: torch.Tensor, keepdim: bool = True) -> torch.Tensor:
    return z.amax(-1, keepdim=keepdim)


def _powers_sum_to_one(given: tuple, value: np.ndarray) -> str | None:
    for name, row in rows_of(value):
        with np.errstate(all="ignore"):
            total = np.exp(row).sum()
        if row.size and not abs(total - 1) <= SURE:
            return f"the powers e^result of {name} sum to {unlike(total, 1)}"
    return None


def _finite_stays_finite(given: tuple, value: np.ndarray) -> str | None:
    for (name, row), (_, logits) in zip(rows_of(value), rows_of(given[0].numpy())):
        for result, logit in zip(row, logits):
            if np.isinf(result) and np.isfinite(logit):
                return f"in {name}, the logit {short(logit)} gives {short(result)}"
    return None


KEPT = _differences(
    "ln(a / b) is ln a - ln b, so the results of a row differ as their logits do.",
    "in {name}, the logits {a} and {b} differ by {its}, and your results by {mine}",
    lambda a, b: a - b,
    lambda a, b: a - b,
)

log_softmax = Exercise(
    "logits.log_softmax",
    """Exercise 2, medium, 6 minutes: `student(logits)` gives ln softmax, (..., V), at 1000 too.""",
    right=lambda logits: torch.log_softmax(logits, -1),
    inputs=lambda: _rows(*LARGE),
    read=numbers,
    properties=(
        ONE_EACH,
        no_nan(),
        Property(
            "A finite logit has a finite log-probability, however small the probability is.",
            _finite_stays_finite,
        ),
        KEPT,
        Property(
            "The powers e^result are probabilities: each row of them sums to 1.", _powers_sum_to_one
        ),
    ),
    mistakes=(
        Mistake("nothing taken off", lambda z: z - _log_sum(z)).as_if(
            "nothing was subtracted before the powers were taken",
            "That is right for small logits, but e^1000 is infinite and e^-1000 is 0. Subtract the "
            "largest of the row first.",
        ),
        Mistake("log of the naive softmax", lambda z: _shares(z.exp()).log()).as_if(
            "you took the logarithm of a softmax that overflows",
            "Subtract the largest of the row first, and return shifted - log(sum).",
        ),
        Mistake("log of a softmax", lambda z: torch.softmax(z, -1).log()).as_if(
            "you took the logarithm of the probabilities",
            "A probability of e^-1000 is rounded to 0, and ln 0 is minus infinity. Never compute "
            "the probability itself: return shifted - log(sum).",
        ),
        Mistake("largest of all rows", lambda z: z - z.max() - _log_sum(z - z.max())).as_if(
            "the largest of the whole tensor was subtracted",
            "In a row far below it all powers become e^-1000 = 0. Each row needs its own: "
            "amax(dim=-1, keepdim=True).",
        ),
        Mistake(
            "keepdim forgotten",
            lambda z: z - _top(z, False) - _log_sum(z - _top(z, False), keepdim=False),
        ).as_if(
            "the largest and the sum have lost their axis",
            "They then go with the wrong rows. keepdim=True leaves their shape (..., 1).",
        ),
        Mistake("wrong axis", lambda z: torch.log_softmax(z, 0)).as_if(
            "largest and sum went down the columns",
            "Each row is one distribution: dim=-1, for both.",
        ),
        Mistake("axis 1", lambda z: torch.log_softmax(z, 1)).as_if(
            "largest and sum went over axis 1",
            "With two axes dim=1 is the last; of any number of axes the last is dim=-1.",
        ),
    ),
)


# ---- 3. Back from probabilities to logits ----

PROBS = ([0.6, 0.3, 0.05, 0.05], [[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]], [0.75, 0.0, 0.25])
PROBS += ([[0.25, 0.75], [0.9, 0.1]], [0.0, 1.0, 0.0], [1.0], [0.2, 0.2, 0.2, 0.2, 0.2])
PROBS += ([[[0.4, 0.5, 0.1], [0.2, 0.7, 0.1]]], [[0.5, 0.5, 0.0, 0.0], [0.0, 0.2, 0.2, 0.6]])
TOPS = (0.0, 3.0, 2.0, -1.0, 0.0, 4.0, 5.0, -2.5, 700.0)
NEVER = -750.0  # below the largest: as good as minus infinity, since e to that is 0 in float64
HARDLY = -9.0  # below the largest: no probability in PROBS is so small, but a number put for 0 is


class Logits(Numbers):
    """Equal where they are minus infinity or as good as that, and where they hardly are."""

    def near(self, other: Numbers) -> np.ndarray:
        rounding = max(self.rounding, other.rounding)
        mine, its = (_told_apart(x.array.astype(float)) for x in (self, other))
        return np.isclose(mine, its, rtol=rounding, atol=rounding, equal_nan=True)


def _told_apart(logits: np.ndarray) -> np.ndarray:
    if logits.ndim == 0:
        return logits
    with np.errstate(all="ignore"):
        top = logits.max(-1, keepdims=True)
        hardly = np.where(logits - top < HARDLY, top + HARDLY, logits)
        return np.where(logits - top < NEVER, -np.inf, hardly)


def _right_recover(probs: torch.Tensor, top: float) -> torch.Tensor:
    return _with_top(probs.log(), top)


def _with_top(logs: torch.Tensor, top: float) -> torch.Tensor:
    return logs - _top(logs) + top


def _stops_at_zero(probs: torch.Tensor, top: float) -> torch.Tensor:
    if (probs == 0).any():
        raise ValueError("math domain error")
    return _right_recover(probs, top)


def _largest_is_top(given: tuple, value: np.ndarray) -> str | None:
    for name, row in rows_of(value):
        if not abs(row.max() - given[1]) <= 1e-2 * max(1, abs(given[1])):
            largest = unlike(row.max(), given[1])
            return f"the largest of {name} is {largest}, and top is {short(given[1])}"
    return None


def _zero_never_comes(given: tuple, value: np.ndarray) -> str | None:
    for (name, row), (_, probs) in zip(rows_of(value), rows_of(given[0].numpy())):
        for logit, p in zip(row, probs):
            if p == 0 and not logit - row.max() < NEVER:
                return f"in {name}, a probability of 0 has the logit {short(logit)}"
    return None


LOG_ODDS = _differences(
    "e to the difference of two logits is the ratio of their probabilities.",
    "in {name}, the probabilities {a} and {b} ask for a difference of {its}, and yours is {mine}",
    lambda a, b: a - b,
    lambda p, q: np.log(p) - np.log(q),
)

recover = Exercise(
    "logits.recover",
    """Exercise 3, hard, 12 minutes: `student(probs, top)` gives the logits that gave `probs`.

    Of all logits (..., V) whose softmax is `probs` those whose largest, in each row, is `top`. A
    probability of 0 has the logit minus infinity, or a number so low that e to it is 0.
    """,
    right=_right_recover,
    inputs=lambda: [(*row, top) for row, top in zip(_rows(*PROBS), TOPS)],
    read=Logits,
    properties=(
        ONE_EACH,
        no_nan(),
        Property(
            "A probability of 0 has the logit minus infinity: e to that is 0.", _zero_never_comes
        ),
        LOG_ODDS,
        Property("The largest logit of each row is `top`.", _largest_is_top),
    ),
    mistakes=(
        Mistake("keepdim forgotten", lambda p, top: p.log() - _top(p.log(), False) + top).as_if(
            "the largest of each row has lost its axis",
            "It then goes with the wrong row. keepdim=True leaves its shape (..., 1).",
        ),
        Mistake("largest of all rows", lambda p, top: p.log() - p.log().max() + top).as_if(
            "all rows were moved by one number",
            "In *each* row the largest should be `top`: amax(dim=-1, keepdim=True).",
        ),
        Mistake("log of p / (1 - p)", lambda p, top: _with_top((p / (1 - p)).log(), top)).as_if(
            "you took ln(p / (1 - p))",
            "That is the inverse of the sigmoid. The inverse of softmax is ln p and a constant.",
        ),
        Mistake(
            "something added to 0", lambda p, top: _right_recover(p.clamp(min=1e-9), top)
        ).as_if(
            "a small number was put in the place of 0",
            "Now the token can come. ln 0 is minus infinity (torch.log says so), and e to that is "
            "0 again.",
        ),
        Mistake("stops at 0", _stops_at_zero).as_if(
            "a probability of 0 stopped it",
            "math.log(0) stops. Its logit is -float('inf'), as torch.log gives it.",
        ),
    ),
)
