"""Lesson 03's exercises: causal weights from scores; one row of attention; attention in heads.

Axes: B batch, T tokens, nh heads, hs channels of a head, C = nh * hs. The right answers and the
wrong ones are in `attention_answers`.
"""

import torch

from . import base
from .attention_answers import (
    HEADS_MISTAKES,
    ROW_MISTAKES,
    WEIGHTS_MISTAKES,
    right_heads,
    right_row,
    right_weights,
)
from .base import Verdict


def _drawn(*shape: int, seed: int) -> torch.Tensor:
    """Numbers with one decimal, which can be read, the same everywhere."""
    return (2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))).round(
        decimals=1
    )


# ---- 1. Causal weights ----

SCORES = [torch.tensor([[0.0, 2.0, 1.0], [1.0, 0.0, 2.0], [0.0, 2.0, 1.0]]), torch.tensor([[3.0]])]
SCORES += [torch.zeros(4, 4), torch.tensor([[-1.0, -5.0], [-2.0, -3.0]]), _drawn(5, 5, seed=0)]
SCORES += [40 * _drawn(3, 3, seed=1), _drawn(2, 2, seed=2).double()]


def causal_weights(student) -> Verdict:
    """Exercise 1, easy, 3 minutes: `student(scores)` hides the future and takes the softmax.

    scores (T, T), a row for each query; the weights have the same shape, and rows that sum to one.
    """
    return base.check(
        student,
        right=right_weights,
        inputs=[(scores,) for scores in SCORES],
        mistakes=WEIGHTS_MISTAKES,
        read=base.numbers,
    )


# ---- 2. One row ----

THREE = (torch.tensor([[1.0, 1.0], [0.0, 2.0], [1.0, 0.0]]),)  # lesson 03's numbers by hand
THREE += (torch.tensor([[0.0, 1.0], [2.0, 0.0], [1.0, -1.0]]),)
THREE += (torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),)
FIVE = tuple(_drawn(5, 3, seed=seed) for seed in (3, 4, 5))
WIDE = (_drawn(4, 2, seed=6), _drawn(4, 2, seed=7), _drawn(4, 3, seed=8))  # values of another width
ROWS = [(*THREE, 2), (*THREE, 1), (*THREE, 0), (*FIVE, 3), (*FIVE, 4), (*FIVE, 0), (*WIDE, 2)]


def one_row(student) -> Verdict:
    """Exercise 2, medium, 6 minutes: `student(q, k, v, t)` gives what the token at place t gets.

    q, k, v: (T, hs) each. The result is one vector, as wide as a value.
    """
    return base.check(
        student, right=right_row, inputs=ROWS, mistakes=ROW_MISTAKES, read=base.numbers
    )


# ---- 3. Heads ----

SHAPES = ((1, 3, 4, 2), (1, 3, 6, 2), (2, 4, 6, 2), (1, 5, 6, 3), (2, 1, 4, 2), (1, 3, 4, 1))
SHAPES += ((1, 2, 4, 4),)  # (B, T, C, n_head) each, the first two so small that they are shown
HEADS = [
    (*(_drawn(B, T, C, seed=100 * k + part) for part in range(3)), n_head)
    for k, (B, T, C, n_head) in enumerate(SHAPES)
]


def multi_head(student) -> Verdict:
    """Exercise 3, hard, 12 minutes: `student(q, k, v, n_head)` is causal attention in heads.

    q, k, v: (B, T, C) each, the heads' channels side by side. The result is (B, T, C) again.
    """
    return base.check(
        student, right=right_heads, inputs=HEADS, mistakes=HEADS_MISTAKES, read=base.numbers
    )
