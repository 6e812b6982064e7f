"""Lesson 04's exercises: GELU by GPT-2's formula; LayerNorm; the block.

The right answers and the wrong ones are in `feedforward_answers`. Inputs are lively on purpose:
rows that are nearly constant, so that eps matters, and means away from 0, gains away from 1.

Axes: B batch, T tokens, C = n_embd channels.
"""

import torch
from torch import Tensor

from ..attention import CausalSelfAttention
from ..feedforward import EPS
from ..feedforward import gelu as right_gelu
from ..feedforward import layer_norm as right_layer_norm
from . import base
from .base import Verdict
from .feedforward_answers import (
    BLOCK_MISTAKES,
    GELU_MISTAKES,
    LAYER_NORM_MISTAKES,
    right_block,
)

# ---- 1. GELU ----


def gelu(student) -> Verdict:
    """Exercise 1, easy, 3 minutes: `student(x)` is GPT-2's GELU, with tanh, for x of any shape."""
    inputs = [(torch.tensor(x),) for x in ([1.0, 2.0, 0.0, -1.0], [[-2.5, 0.3], [3.0, -0.7]])]
    inputs += [(torch.tensor([-30.0, 30.0]),), (torch.tensor(0.5),), (torch.zeros(0, 4),)]
    inputs += [(torch.linspace(-5, 5, 30, dtype=torch.float64).view(2, 3, 5),)]
    return base.check(
        student, right=right_gelu, inputs=inputs, mistakes=GELU_MISTAKES, read=base.numbers
    )


# ---- 2. LayerNorm ----


def layer_norm(student) -> Verdict:
    """Exercise 2, medium, 6 minutes: `student(x, weight, bias, eps)` is torch's layer norm.

    x (B, T, C); weight, bias (C,); over the channels, variance divided by C, eps under the root.
    """
    return base.check(
        student,
        right=right_layer_norm,
        inputs=_rows_to_normalise(),
        mistakes=LAYER_NORM_MISTAKES,
        read=base.numbers,
    )


class Small(float):
    """A number too small for three decimals, shown as Python writes it."""


def _rows_to_normalise() -> list[tuple[Tensor, Tensor, Tensor, float]]:
    """The plainest first: the numbers done by hand, with a gain of 1 and a bias of 0."""
    by_hand = torch.tensor([[[7.0, 1.0, 1.0, -1.0]]])
    noise = torch.Generator().manual_seed(4)
    weight, bias = torch.tensor([2.0, 1.0, 0.5, -1.0]), torch.tensor([0.0, 3.0, -1.0, 0.5])
    rows = torch.randn(2, 3, 4, generator=noise)  # (B, T, C)
    moved = 3 * rows + torch.arange(3.0)[:, None] + 5  # (B, T, C): tokens of other sizes
    nearly_constant = torch.tensor([[[0.0, 0.002, -0.002, 0.0], [1.0, 1.0, 1.0, 1.0]]])
    square = torch.randn(1, 4, 4, generator=noise)  # (B, T, C), T = C: (B, T) spreads over it
    eps = Small(EPS)
    return [
        (by_hand, torch.ones(4), torch.zeros(4), eps),
        (moved, weight, bias, eps),
        (nearly_constant, weight, bias, eps),
        (square, weight, bias, 0.5),
        (rows[:1, :1].double() - 1, weight.double(), bias.double(), eps),
    ]


# ---- 3. The block ----


class Part:
    """Attention as the student is given it: a function (B, T, C) -> (B, T, C)."""

    def __init__(self, n_embd: int, n_head: int, seed: int) -> None:
        self.module = CausalSelfAttention(n_embd, n_head)
        _enliven(self.module, seed)

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        return self.module(x)

    def __repr__(self) -> str:
        return "attn"

    def __deepcopy__(self, memo: dict) -> "Part":
        return self  # nothing in it changes


class Weights(dict):
    """A block's tensors under GPT-2's names; shown in a word."""

    def __repr__(self) -> str:
        return "weights"


def block(student) -> Verdict:
    """Exercise 3, hard, 12 minutes: `student(x, attn, weights)` is GPT-2's pre-norm block.

    x (B, T, C). attn: a function (B, T, C) -> (B, T, C). weights: {name: tensor} of ln_1, ln_2,
    mlp.c_fc (4C, C) and mlp.c_proj (C, 4C), each with .weight and .bias.
    """
    sizes = ((1, 3, 4, 2), (2, 5, 4, 1), (1, 1, 6, 3))  # B, T, C, heads
    inputs = [_block_input(*size, seed=k) for k, size in enumerate(sizes)]
    return base.check(
        student, right=right_block, inputs=inputs, mistakes=BLOCK_MISTAKES, read=base.numbers
    )


def _block_input(
    n_rows: int, n_tokens: int, n_embd: int, n_head: int, seed: int
) -> tuple[Tensor, Part, Weights]:
    noise = torch.Generator().manual_seed(seed)
    shapes = {"ln_1": (n_embd,), "ln_2": (n_embd,)}
    shapes |= {"mlp.c_fc": (4 * n_embd, n_embd), "mlp.c_proj": (n_embd, 4 * n_embd)}
    weights = Weights()
    for name, shape in shapes.items():
        weights[f"{name}.weight"] = 1 + torch.randn(shape, generator=noise)
        weights[f"{name}.bias"] = torch.randn(shape[0], generator=noise)
    x = 2 * torch.randn(n_rows, n_tokens, n_embd, generator=noise) + 1  # (B, T, C)
    return x, Part(n_embd, n_head, seed), weights


@torch.no_grad()
def _enliven(module: torch.nn.Module, seed: int) -> None:
    """Weights that matter: normal of 1, biases too."""
    noise = torch.Generator().manual_seed(100 + seed)
    for parameter in module.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=noise))
