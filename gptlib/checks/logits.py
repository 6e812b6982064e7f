"""Lesson 05's exercises: softmax; its logarithm where e^1000 overflows; and logits back.

Logits and probabilities are tensors of shape (..., V), one distribution a row.
"""

import numpy as np
import torch

from .exercise import Exercise, Mistake, Property
from .properties import (
    neighbours,
    no_nan,
    not_below_zero,
    odds,
    shape,
    sums_to,
    sums_to_one,
    unlike,
)
from .reading import Numbers, numbers
from .showing import rows_of, short


def _rows(*given: list) -> list[tuple[torch.Tensor]]:
    """float64, in which e^1000 overflows too, and 1000 leaves room for twelve decimals."""
    return [(torch.tensor(rows, dtype=torch.float64),) for rows in given]


ONE_EACH = shape("There is one number for every logit.", lambda z, *_: z.shape)

# ---- 1. Softmax ----

# Logits below 0; no two sizes alike, but a square too, where a forgotten keepdim goes unnoticed;
# equals; one alone; three axes; minus infinity; rows far apart.
LOGITS = ([[2.0, 1.0, 0.0], [0.0, 0.0, -3.0]], [[1.0, 2.0], [3.0, 5.0]], [-1.0, -2.0, 0.5, -0.5])
LOGITS += ([[3.0]], [[0.5, 0.5, 0.5, 0.5]], [[7.0, 8.0, 9.0], [-9.0, -8.0, -7.0], [1.0, 2.0, 4.0]])
LOGITS += ([[[1.0, 0.0, 2.0], [0.0, 3.0, 1.0]], [[-2.0, 1.0, 0.0], [4.0, 0.0, 1.0]]],)
LOGITS += ([[1.0, -torch.inf, 2.0, 0.5, 1.0]], np.linspace(-3, 4, 30).reshape(2, 3, 5).tolist())

softmax = Exercise(
    "logits.softmax",
    """The lesson, easy, 5 minutes: `student(logits)` gives (..., V) probabilities, a row sums to 1.

    The logits are small; they may be below 0, and there may be any leading axes.
    """,
    right=lambda logits: torch.softmax(logits, -1),
    inputs=lambda: _rows(*LOGITS),
    read=numbers,
    properties=(
        ONE_EACH,
        no_nan(),
        not_below_zero(),
        sums_to_one(),
        odds(
            "The odds of two tokens are e to the difference of their logits.",
            lambda a, b: np.exp(a - b),
        ),
    ),
    mistakes=(
        Mistake("wrong axis", lambda z: torch.softmax(z, 0)).as_if(
            "the sum went down the columns",
            "Each row is one distribution: sum over the last axis, dim=-1.",
        ),
        Mistake("sum without keepdim", lambda z: z.exp() / z.exp().sum(-1)).as_if(
            "the sum has lost its axis, so that row 1 is not divided by the sum of row 1",
            "With keepdim=True the sums have shape (..., 1), and each row is divided by its own.",
        ),
        Mistake("softmax twice", lambda z: torch.softmax(torch.softmax(z, -1), -1)).as_if(
            "softmax was applied twice",
            "The second softmax gets probabilities, which are all between 0 and 1, as its logits.",
        ),
    ),
)


# ---- 2. Log-softmax that holds at 1000 ----

LARGE = ([[2.0, 1.0, 0.0], [0.0, 0.0, -3.0]], [-2.0], [1000.0, 999.0, 0.0, 1.0])
LARGE += ([-1000.0, -1001.0, -1001.0], [[1000.0, 999.0], [3.0, 5.0], [-1000.0, -999.0]])
LARGE += ([1000.0, 0.0, -1000.0], [800.0, 0.0, 0.0, 0.0, 0.0], [[1000.0, 1000.0], [-9.0, -8.0]])
LARGE += ([[[1.0, 0.0, 2.0], [0.0, 3.0, 1.0]], [[-2.0, 1.0, 0.0], [4.0, 0.0, 1.0]]],)
LARGE += ([[900.0, -3000.0, 901.0, 5.0]], np.linspace(-3, 4, 30).reshape(2, 3, 5).tolist())


def _log_sum(z: torch.Tensor) -> torch.Tensor:
    return z.exp().sum(-1, keepdim=True).log()


def _finite_stays_finite(given: tuple, value: np.ndarray) -> str | None:
    for (name, row), (_, logits) in zip(rows_of(value), rows_of(given[0].numpy())):
        for result, logit in zip(row, logits):
            if np.isinf(result) and np.isfinite(logit):
                return f"in {name}, the logit {short(logit)} gives {short(result)}"
    return None


log_softmax = Exercise(
    "logits.log_softmax",
    """Deeper, medium, 8 minutes: `student(logits)` gives ln softmax, (..., V), at 1000 too.""",
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
        neighbours(
            "ln(a / b) is ln a - ln b, so the results of a row differ as their logits do.",
            "in {name}, the logits {a} and {b} differ by {its}, and your results by {mine}",
            of_result=lambda p, q: p - q,
            of_given=lambda a, b: a - b,
        ),
        sums_to(
            1,
            "The powers e^result are probabilities: each row of them sums to 1.",
            of=np.exp,
            what="the powers e^result of {} sum to",
        ),
    ),
    mistakes=(
        Mistake("nothing subtracted", lambda z: z - _log_sum(z)).as_if(
            "nothing was subtracted before the powers were computed",
            "Right for small logits, but e^1000 is infinite: subtract the row's largest first.",
        ),
        Mistake("log of a softmax", lambda z: torch.softmax(z, -1).log()).as_if(
            "you took the logarithm of the probabilities",
            "A probability of e^-1000 is rounded to 0, and ln 0 is minus infinity. Use "
            "ln(a / b) = ln a - ln b instead: then no probability has to be computed.",
        ),
        Mistake("largest of all rows", lambda z: z - z.max() - _log_sum(z - z.max())).as_if(
            "the largest of the whole tensor was subtracted",
            "In a row far below it all powers become e^-1000 = 0. Each row needs its own: "
            "amax(dim=-1, keepdim=True).",
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


def _with_top(logs: torch.Tensor, top: float) -> torch.Tensor:
    return logs - logs.amax(-1, keepdim=True) + top


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


recover = Exercise(
    "logits.recover",
    """Deeper, hard, 10 minutes: `student(probs, top)` gives the logits that gave `probs`.

    Of all logits (..., V) whose softmax is `probs` those whose largest, in each row, is `top`. A
    probability of 0 has the logit minus infinity, or a number so low that e to it is 0.
    """,
    right=lambda probs, top: _with_top(probs.log(), top),
    inputs=lambda: [(*row, top) for row, top in zip(_rows(*PROBS), TOPS)],
    read=Logits,
    notes={"math domain error|positive input": "math.log(0) stops: give -float('inf') there."},
    properties=(
        ONE_EACH,
        no_nan(),
        Property(
            "A probability of 0 has the logit minus infinity: e to that is 0.", _zero_never_comes
        ),
        neighbours(
            "e to the difference of two logits is the ratio of their probabilities.",
            "in {name}, the probabilities {a} and {b} ask for a difference of {its}, and yours is "
            "{mine}",
            of_result=lambda a, b: a - b,
            of_given=lambda p, q, top: np.log(p) - np.log(q),
        ),
        Property("The largest logit of each row is `top`.", _largest_is_top),
    ),
    mistakes=(
        Mistake("log of p / (1 - p)", lambda p, top: _with_top((p / (1 - p)).log(), top)).as_if(
            "you took ln(p / (1 - p))",
            "That is the inverse of the sigmoid. The inverse of softmax is ln p and a constant.",
        ),
        Mistake(
            "something added to 0", lambda p, top: _with_top(p.clamp(min=1e-9).log(), top)
        ).as_if(
            "0 was replaced by a small number",
            "Then the token can appear. ln 0 is minus infinity, as torch.log says: e to that is 0.",
        ),
    ),
)
