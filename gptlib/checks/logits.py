"""Lesson 05's exercises: softmax; its logarithm where e^1000 overflows; and the way back.

Logits and probabilities are tensors of shape (..., V), one distribution a row. The right answers
and the wrong ones are in `logits_answers`.
"""

import numpy as np
import torch

from . import base
from .base import Verdict
from .logits_answers import (
    LOG_SOFTMAX_MISTAKES,
    RECOVER_MISTAKES,
    SOFTMAX_MISTAKES,
    right_log_softmax,
    right_recover,
    right_softmax,
)


def _rows(*given: list) -> list[tuple[torch.Tensor]]:
    """float64, in which e^1000 overflows too, and 1000 leaves room for twelve decimals."""
    return [(torch.tensor(rows, dtype=torch.float64),) for rows in given]


# ---- 1. Softmax ----

# A square, where a forgotten keepdim goes unnoticed; logits below 0; one row; (2, 2, 3); equals.
LOGITS = ([[2.0, 1.0, 0.0], [0.0, 0.0, -3.0]], [[1.0, 2.0], [3.0, 5.0]], [-1.0, -2.0, 0.5, -0.5])
LOGITS += ([[[1.0, 0.0, 2.0], [0.0, 3.0, 1.0]], [[-2.0, 1.0, 0.0], [4.0, 0.0, 1.0]]],)
LOGITS += ([[0.5, 0.5, 0.5, 0.5]], [[7.0, 8.0, 9.0], [-9.0, -8.0, -7.0], [1.0, 2.0, 4.0]])


def softmax(student) -> Verdict:
    """Exercise 1, easy, 3 minutes: `student(logits)` gives (..., V) probabilities, a row sums to 1.

    The logits are small; they may be below 0, and there may be any leading axes.
    """
    return base.check(
        student,
        right=right_softmax,
        inputs=_rows(*LOGITS),
        mistakes=SOFTMAX_MISTAKES,
        read=base.numbers,
    )


# ---- 2. Log-softmax that holds at 1000 ----

LARGE = ([[2.0, 1.0, 0.0], [0.0, 0.0, -3.0]], [[1000.0, 999.0], [3.0, 5.0]])
LARGE += (
    [-1000.0, -1001.0, -1001.0],
    [1000.0, 0.0, -1000.0],
    [[1000.0, 1000.0], [-1000.0, -999.0]],
)
LARGE += (
    [[[1.0, 0.0, 2.0], [0.0, 3.0, 1.0]], [[-2.0, 1.0, 0.0], [4.0, 0.0, 1.0]]],
    [800.0, 0.0, 0.0],
)


def log_softmax(student) -> Verdict:
    """Exercise 2, medium, 6 minutes: `student(logits)` gives ln softmax, (..., V), at 1000 too."""
    return base.check(
        student,
        right=right_log_softmax,
        inputs=_rows(*LARGE),
        mistakes=LOG_SOFTMAX_MISTAKES,
        read=base.numbers,
    )


# ---- 3. Back from probabilities to logits ----

PROBS = ([0.6, 0.3, 0.05, 0.05], [[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]], [0.75, 0.0, 0.25])
PROBS += ([[0.25, 0.75], [0.9, 0.1]], [0.0, 1.0, 0.0], [0.2, 0.2, 0.2, 0.2, 0.2])
TOPS = (0.0, 3.0, 2.0, -1.0, 0.0, 5.0)
NEVER = -750.0  # as good as minus infinity: e to that is 0, in float64 too
HARDLY = -9.0  # no probability in PROBS is so small, but that of a small number put for 0 is


def recover(student) -> Verdict:
    """Exercise 3, hard, 12 minutes: `student(probs, top)` gives the logits behind probabilities.

    Of all logits (..., V) whose softmax is `probs` those whose largest, in each row, is `top`. A
    probability of 0 has the logit minus infinity, or a number so low that e to it is 0.
    """
    inputs = [(*row, top) for row, top in zip(_rows(*PROBS), TOPS)]
    return base.check(
        student, right=right_recover, inputs=inputs, mistakes=RECOVER_MISTAKES, read=_Logits
    )


class _Logits(base.Numbers):
    """Equal where they are minus infinity or as good as that, and where they hardly are."""

    def __init__(self, value: object) -> None:
        super().__init__(base.numbers(value).array)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Logits):
            return False
        return base.Numbers(_told_apart(self.array)) == base.Numbers(_told_apart(other.array))

    __hash__ = None


def _told_apart(logits: np.ndarray) -> np.ndarray:
    small = np.where(logits < HARDLY, HARDLY, logits)
    return np.where(logits < NEVER, -np.inf, small)
