"""Lesson 04. The feedforward network, and the layer norm before each part of a block.

Works on each token alone: only attention mixes tokens. Sources: Vaswani et al. 2017, section 3.3;
GELU: Hendrycks and Gimpel 2016 (arXiv 1606.08415); layer norm: Ba et al. 2016 (arXiv 1607.06450).

Axes: B batch, T tokens, C = n_embd channels.
"""

import math

import torch
from torch import Tensor, nn

from .fast.gelu import fast_gelu
from .fast.linear import Linear

EPS = 1e-5  # GPT-2's layer_norm_epsilon


def gelu(x: Tensor) -> Tensor:
    """GELU by GPT-2's formula with tanh, any shape: x/2 (1 + tanh(sqrt(2/pi)(x + 0.044715 x^3))).

    >>> [round(v, 3) for v in gelu(torch.tensor([-1.0, 0.0, 1.0])).tolist()]
    [-0.159, 0.0, 0.841]
    """
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = EPS) -> Tensor:
    """Each token's channels to mean 0 and variance 1, then times `weight` plus `bias`.

    x (B, T, C); weight, bias (C,). Over channels, never over the batch: a token's result does
    not depend on its neighbours.
    """
    mean = x.mean(dim=-1, keepdim=True)  # (B, T, 1)
    variance = x.var(dim=-1, keepdim=True, unbiased=False)
    return (x - mean) / torch.sqrt(variance + eps) * weight + bias  # (B, T, C)


class MLP(nn.Module):
    """`mlp`: to four times the width, GELU, and back."""

    def __init__(self, n_embd: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.c_fc = Linear(n_embd, 4 * n_embd)
        self.c_proj = Linear(4 * n_embd, n_embd)
        self.dropout = nn.Dropout(dropout)

    def hidden(self, x: Tensor) -> Tensor:
        """x (B, T, C) -> the wide layer after GELU, (B, T, 4C)."""
        return fast_gelu(self.c_fc(x))  # `gelu` above, sooner

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, C) -> (B, T, C)."""
        return self.dropout(self.c_proj(self.hidden(x)))  # (B, T, 4C) -> (B, T, C)
