"""Lesson 05's exercises: softmax; its logarithm where e^1000 overflows; and the way back.

Logits and probabilities are tensors of shape (..., V), one distribution a row.
"""

import numpy as np
import torch

from .exercise import Exercise, Mistake, Property
from .properties import SURE, no_nan, not_below_zero, shape, sums_to_one, unlike
from .reading import Numbers, numbers
from .showing import rows_of, short
from .verdict import Verdict


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

SOFTMAX = Exercise(
    "logits.softmax",
    right=lambda logits: torch.softmax(logits, -1),
    inputs=lambda: _rows(*LOGITS),
    read=numbers,
    properties=(ONE_EACH, no_nan(), not_below_zero(), sums_to_one(), ODDS),
    mistakes=(
        Mistake(
            "wrong axis",
            "the sum went down the columns",
            "Each row is one distribution: sum over the last axis, dim=-1.",
            lambda z: torch.softmax(z, 0),
        ),
        Mistake(
            "over everything",
            "all rows were divided by one sum",
            "Each row has its own: sum over the last axis, dim=-1, with keepdim=True.",
            lambda z: z.exp() / z.exp().sum(),
        ),
        Mistake(
            "axis 1",
            "the sum went over axis 1",
            "With two axes dim=1 is the last; of any number of axes the last is dim=-1.",
            lambda z: torch.softmax(z, 1),
        ),
        Mistake(
            "sum without keepdim",
            "the sum has lost its axis, so that row 1 is not divided by the sum of row 1",
            "With keepdim=True the sums have shape (..., 1) and go with the rows.",
            lambda z: z.exp() / z.exp().sum(-1),
        ),
        Mistake(
            "not divided",
            "these were the powers e^logit",
            "Divide each by the sum of its row.",
            lambda z: z.exp(),
        ),
        Mistake(
            "divided by the largest",
            "each power was divided by the largest of its row",
            "Divide by the sum. (It is from the logits that you may subtract the largest.)",
            lambda z: z.exp() / z.exp().amax(-1, keepdim=True),
        ),
        Mistake(
            "no exp",
            "the logits themselves were divided by their sum",
            "First take e to the power of each, torch.exp.",
            _shares,
        ),
        Mistake(
            "abs for exp",
            "you took the absolute value of each logit",
            "Then -2 counts as much as 2. Take e^logit: it is above 0 and keeps the order.",
            lambda z: _shares(z.abs()),
        ),
        Mistake(
            "square for exp",
            "you took the square of each logit",
            "Then -2 counts as much as 2. Take e^logit: it is above 0 and keeps the order.",
            lambda z: _shares(z**2),
        ),
        Mistake(
            "base 2",
            "you took powers of 2",
            "Softmax takes powers of e: torch.exp.",
            lambda z: _shares(2.0**z),
        ),
        Mistake(
            "the logarithm",
            "these were logarithms of the probabilities",
            "The exercise asks for the probabilities: softmax, not log_softmax.",
            lambda z: torch.log_softmax(z, -1),
        ),
        Mistake(
            "softmax twice",
            "softmax was applied twice",
            "The second takes probabilities for logits, and these are all between 0 and 1.",
            lambda z: torch.softmax(torch.softmax(z, -1), -1),
        ),
        Mistake(
            "the largest takes all",
            "the largest logit took everything",
            "Softmax does not choose: every logit gets its share.",
            lambda z: (z == z.amax(-1, keepdim=True)).double(),
        ),
    ),
)


def softmax(student) -> Verdict:
    """Exercise 1, easy, 3 minutes: `student(logits)` gives (..., V) probabilities, a row sums to 1.

    The logits are small; they may be below 0, and there may be any leading axes.
    """
    return SOFTMAX.check(student)


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


def _shifted(z: torch.Tensor, log=torch.log) -> torch.Tensor:
    return z - _top(z) - log((z - _top(z)).exp().sum(-1, keepdim=True))


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

LOG_SOFTMAX = Exercise(
    "logits.log_softmax",
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
        Mistake(
            "nothing taken off",
            "nothing was subtracted before the powers were taken",
            "That is right for small logits, but e^1000 is infinite and e^-1000 is 0. Subtract the "
            "largest of the row first.",
            lambda z: z - _log_sum(z),
        ),
        Mistake(
            "log of the naive softmax",
            "you took the logarithm of a softmax that overflows",
            "Subtract the largest of the row first, and return shifted - log(sum).",
            lambda z: _shares(z.exp()).log(),
        ),
        Mistake(
            "log of a softmax",
            "you took the logarithm of the probabilities",
            "A probability of e^-1000 is rounded to 0, and ln 0 is minus infinity. Never compute "
            "the probability itself: return shifted - log(sum).",
            lambda z: torch.softmax(z, -1).log(),
        ),
        Mistake(
            "largest of all rows",
            "the largest of the whole tensor was subtracted",
            "In a row far below it all powers become e^-1000 = 0. Each row needs its own: "
            "amax(dim=-1, keepdim=True).",
            lambda z: z - z.max() - _log_sum(z - z.max()),
        ),
        Mistake(
            "largest absolute value",
            "the largest absolute value was subtracted",
            "In a row of numbers below 0 all powers become tiny. Subtract the largest: amax.",
            lambda z: (
                z - z.abs().amax(-1, keepdim=True) - _log_sum(z - z.abs().amax(-1, keepdim=True))
            ),
        ),
        Mistake(
            "taken off once only",
            "the largest was subtracted inside the sum, but not from the logit outside",
            "Use the same shifted twice: shifted - log(sum of exp(shifted)).",
            lambda z: z - _log_sum(z - _top(z)),
        ),
        Mistake(
            "mean taken off",
            "the mean was subtracted",
            "A logit far above the mean still overflows. Subtract the largest.",
            lambda z: z - z.mean(-1, keepdim=True) - _log_sum(z - z.mean(-1, keepdim=True)),
        ),
        Mistake(
            "smallest taken off",
            "the smallest was subtracted",
            "Then the largest still overflows. Subtract the largest: no power is above e^0.",
            lambda z: z - z.amin(-1, keepdim=True) - _log_sum(z - z.amin(-1, keepdim=True)),
        ),
        Mistake(
            "keepdim forgotten",
            "the largest and the sum have lost their axis",
            "They then go with the wrong rows. keepdim=True leaves their shape (..., 1).",
            lambda z: z - _top(z, False) - _log_sum(z - _top(z, False), keepdim=False),
        ),
        Mistake(
            "wrong axis",
            "largest and sum went down the columns",
            "Each row is one distribution: dim=-1, for both.",
            lambda z: torch.log_softmax(z, 0),
        ),
        Mistake(
            "axis 1",
            "largest and sum went over axis 1",
            "With two axes dim=1 is the last; of any number of axes the last is dim=-1.",
            lambda z: torch.log_softmax(z, 1),
        ),
        Mistake(
            "everything at once",
            "largest and sum were those of the whole tensor",
            "Each row has its own: dim=-1, keepdim=True.",
            lambda z: z - z.max() - (z - z.max()).exp().sum().log(),
        ),
        Mistake(
            "only shifted",
            "only the largest was subtracted",
            "Also subtract the logarithm of the sum of e^shifted.",
            lambda z: z - _top(z),
        ),
        Mistake(
            "divided by the logarithm",
            "you divided by the logarithm of the sum",
            "ln(a / b) is ln a minus ln b.",
            lambda z: (z - _top(z)) / _log_sum(z - _top(z)),
        ),
        Mistake(
            "logarithm added",
            "the logarithm of the sum was added",
            "ln(a / b) is ln a minus ln b: subtract it.",
            lambda z: z - _top(z) + _log_sum(z - _top(z)),
        ),
        Mistake(
            "logarithm of shifted",
            "you took the logarithm of shifted",
            "ln(e^shifted) is shifted itself: only the sum needs a logarithm.",
            lambda z: (z - _top(z)).log() - (z - _top(z)).exp().sum(-1, keepdim=True).log(),
        ),
        Mistake(
            "no logarithm of the sum",
            "the sum itself was subtracted",
            "Subtract the *logarithm* of the sum.",
            lambda z: _shifted(z, log=lambda total: total),
        ),
        Mistake(
            "base 2",
            "you took log2 of the sum",
            "log2 is not the inverse of exp. Use torch.log, the natural logarithm.",
            lambda z: _shifted(z, log=torch.log2),
        ),
        Mistake(
            "the probabilities",
            "these were the probabilities",
            "The exercise asks for their logarithm.",
            lambda z: torch.softmax(z, -1),
        ),
    ),
)


def log_softmax(student) -> Verdict:
    """Exercise 2, medium, 6 minutes: `student(logits)` gives ln softmax, (..., V), at 1000 too."""
    return LOG_SOFTMAX.check(student)


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


def _largest_replaced(probs: torch.Tensor, top: float) -> torch.Tensor:
    logs = probs.log()
    return torch.where(logs == _top(logs), torch.tensor(top, dtype=logs.dtype), logs)


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

RECOVER = Exercise(
    "logits.recover",
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
        Mistake(
            "no constant",
            "these were the logarithms of the probabilities, with nothing added",
            "Their softmax is right. The same number may be added to a whole row: choose it.",
            lambda p, top: p.log(),
        ),
        Mistake(
            "top forgotten",
            "`top` was not used, and the largest of each row is 0",
            "The same number may be added to all of a row.",
            lambda p, top: _with_top(p.log(), 0),
        ),
        Mistake(
            "keepdim forgotten",
            "the largest of each row has lost its axis",
            "It then goes with the wrong row. keepdim=True leaves its shape (..., 1).",
            lambda p, top: p.log() - _top(p.log(), False) + top,
        ),
        Mistake(
            "top only added",
            "`top` was added to ln p",
            "The largest ln p is not 0: subtract it first.",
            lambda p, top: p.log() + top,
        ),
        Mistake(
            "largest of all rows",
            "all rows were moved by one number",
            "In *each* row the largest should be `top`: amax(dim=-1, keepdim=True).",
            lambda p, top: p.log() - p.log().max() + top,
        ),
        Mistake(
            "only the largest moved",
            "only the largest logit was changed",
            "That changes its odds. Add one number to a whole row.",
            _largest_replaced,
        ),
        Mistake(
            "scaled",
            "the logits were multiplied to make the largest fit",
            "Only *adding* a number to a row leaves its softmax as it is.",
            lambda p, top: p.log() * (top / _top(p.log())),
        ),
        Mistake(
            "the probabilities moved",
            "the probabilities themselves were moved",
            "The inverse of e to the power is the logarithm: start from torch.log(probs).",
            _with_top,
        ),
        Mistake(
            "log of p / (1 - p)",
            "you took ln(p / (1 - p))",
            "That is the inverse of the sigmoid. The inverse of softmax is ln p and a constant.",
            lambda p, top: _with_top((p / (1 - p)).log(), top),
        ),
        Mistake(
            "sign",
            "you took -ln p",
            "That turns the order round: the rarest has the largest logit. Use ln p.",
            lambda p, top: _with_top(-p.log(), top),
        ),
        Mistake(
            "base 2",
            "you took log2",
            "log2 undoes powers of 2, and softmax takes powers of e: torch.log.",
            lambda p, top: _with_top(p.log2(), top),
        ),
        Mistake(
            "base 10",
            "you took log10",
            "log10 undoes powers of 10, and softmax takes powers of e: torch.log.",
            lambda p, top: _with_top(p.log10(), top),
        ),
        Mistake(
            "something added to 0",
            "a small number was put in the place of 0",
            "Now the token can come. ln 0 is minus infinity (torch.log says so), and e to that is "
            "0 again.",
            lambda p, top: _right_recover(p.clamp(min=1e-9), top),
        ),
        Mistake(
            "0 for 0",
            "a probability of 0 was given the logit 0",
            "e^0 is 1. It has to be minus infinity, and e to that is 0.",
            lambda p, top: torch.where(p == 0, 0.0, _right_recover(p, top)),
        ),
        Mistake(
            "0 for ln 0",
            "the logarithm of 0 was set to 0",
            "0 is the logarithm of 1. Leave it minus infinity, and e to that is 0.",
            lambda p, top: _with_top(torch.where(p == 0, 0.0, p.log()), top),
        ),
        Mistake(
            "stops at 0",
            "a probability of 0 stopped it",
            "math.log(0) stops. Its logit is -float('inf'), as torch.log gives it.",
            _stops_at_zero,
        ),
    ),
)


def recover(student) -> Verdict:
    """Exercise 3, hard, 12 minutes: `student(probs, top)` gives the logits that gave `probs`.

    Of all logits (..., V) whose softmax is `probs` those whose largest, in each row, is `top`. A
    probability of 0 has the logit minus infinity, or a number so low that e to it is 0.
    """
    return RECOVER.check(student)
