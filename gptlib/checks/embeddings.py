"""Lesson 02's exercises: lookup by one-hot; embedding ids with their places, and what the tables
cost; whether a model's answer depends on the order of what it has read.

The right answers and the wrong ones are in `embeddings_answers`. Axes as in `gptlib.embeddings`.
"""

from functools import cache
from itertools import accumulate

import torch
from torch import Tensor, nn

from ..ablations import ablate
from ..model import GPT, GPTConfig
from . import base
from .base import Verdict
from .embeddings_answers import (
    COUNT_MISTAKES,
    EMBED_MISTAKES,
    LOOKUP_MISTAKES,
    ORDER_MISTAKES,
    right_count,
    right_embed,
    right_lookup,
    right_order,
)


def _table(n_rows: int, n_embd: int, seed: int) -> Tensor:
    """Numbers with two decimals, (n_rows, C), no two rows alike."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_rows, n_embd, generator=generator).mul(100).round() / 100


# ---- 1. Lookup by one-hot ----

# The lesson's own table on paper; T = V = C, where a turned matrix still fits; one token; repeats.
LOOKUPS = (([1, 2, 4], 5, 2), ([2, 0, 0], 3, 3), ([3], 4, 3), ([1, 1, 0, 2], 3, 4), ([0, 5], 6, 1))


def one_hot_lookup(student) -> Verdict:
    """Exercise 1, easy, 3 minutes: `student(ids, table)`, (T,) and (V, C), gives the rows (T, C).

    By one-hot times matrix, although any way to the same rows is accepted.
    """
    inputs = [(torch.tensor(ids), _table(V, C, seed=V)) for ids, V, C in LOOKUPS]
    return base.check(
        student, right=right_lookup, inputs=inputs, mistakes=LOOKUP_MISTAKES, read=base.numbers
    )


# ---- 2. Ids and places to vectors, and what the two tables cost ----

# ids (B, T), then the rows of wpe: more than enough; as many as tokens; B = T, where axes mix up.
EMBEDS = (([[1, 2, 4]], 6), ([[1, 2, 4], [1, 3, 4]], 6), ([[0, 3, 1], [2, 2, 2]], 3))
EMBEDS += (([[4, 0], [1, 3]], 5), ([[2]], 4), ([[1], [4], [0]], 6))


def embed(student) -> Verdict:
    """Exercise 2, medium: `student(ids, wte, wpe)`, ids (B, T), gives the vectors (B, T, C).

    wte (V, C) has a row for each token, wpe (block_size, C) one for each place from 0.
    """
    inputs = [
        (torch.tensor(ids), _table(5, 2, seed=1), _table(limit, 2, seed=2)) for ids, limit in EMBEDS
    ]
    return base.check(
        student, right=right_embed, inputs=inputs, mistakes=EMBED_MISTAKES, read=base.numbers
    )


SHAPES = ((7, 4, 3), (403, 64, 64), (50257, 1024, 768), (7, 1, 3))


def count_parameters(student) -> Verdict:
    """Exercise 2, medium: `student(vocab_size, block_size, n_embd)`, the numbers in both tables."""
    return base.check(
        student, right=right_count, inputs=SHAPES, mistakes=COUNT_MISTAKES, read=_whole
    )


def _whole(value) -> int:
    value = value.tolist() if hasattr(value, "tolist") else value
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole:
        raise ValueError("a whole number was expected")
    return int(value)


# ---- 3. Does order matter? ----

V, LIMIT = 11, 16


class Named(GPT):
    """A small model that a verdict can write down on one line."""

    name = ""

    def __repr__(self) -> str:
        return f"<{self.name}>"


class CountsWords(nn.Module):
    """A model whose logits say how often each token stood so far: exact, and blind to order."""

    def forward(self, ids: Tensor) -> Tensor:
        """ids (B, T) -> (B, T, V)."""
        return nn.functional.one_hot(ids, V).float().cumsum(1)

    def __repr__(self) -> str:
        return "<counts words>"


class AddsUp(nn.Module):
    """A model that adds up a number a token, one by one: blind to order but for rounding, which
    is the same on every machine."""

    def forward(self, ids: Tensor) -> Tensor:
        """ids (B, T) -> (B, T, V)."""
        numbers = torch.tensor([k * 20 / 3 for k in range(-5, 6)])[ids]  # (B, T)
        sums = torch.stack(list(accumulate(numbers.T)), 1)  # (B, T)
        return sums[..., None] + nn.functional.one_hot(ids, V)

    def __repr__(self) -> str:
        return "<adds up>"


@cache
def small_model(n_layer: int, positions: bool, seed: int = 0) -> GPT:
    """Untrained, with weights far enough from their start for every part to show."""
    model = Named(GPTConfig(V, LIMIT, n_layer, n_head=2, n_embd=32), seed=seed).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)
    model.name = f"{n_layer} layer{'s' * (n_layer > 1)}, with{'' if positions else 'out'} positions"
    return model if positions else ablate(model, "positions")


LONG, SHORT = (5, 3, 8, 1, 6, 2, 9, 4, 7, 0, 10), (1, 2, 3)
SAME_ENDS, BOTH_WAYS = (1, 2, 3, 1, 9), (4, 6, 4, 10)  # the latter before its last token only
# What AddsUp makes of them: next to 0, where only `atol` helps; and -80, where `rtol` does.
NEXT_TO_ZERO, LARGE = (0, 1, 9, 10), (0, 1, 3, 4)


def order_matters(student) -> Verdict:
    """Exercise 3, hard, 12 minutes: `student(model, ids)`, ids (T,): True if order matters.

    It does if the logits after the last token become others, by more than rounding, when the
    tokens before it are read the other way round.
    """
    inputs = [(CountsWords(), SHORT)]  # first, since here nothing is rounded
    inputs += [(small_model(1, False), LONG), (small_model(1, True), LONG)]
    inputs += [(small_model(2, False), LONG), (small_model(2, True), SHORT)]
    inputs += [(small_model(1, False, seed), LONG) for seed in (1, 2)]
    inputs += [(CountsWords(), SAME_ENDS), (CountsWords(), BOTH_WAYS)]
    inputs += [(AddsUp(), NEXT_TO_ZERO), (AddsUp(), LARGE)]
    inputs += [(small_model(1, True), ids) for ids in (BOTH_WAYS, (3, 9), (3,))]
    inputs += [(small_model(n, n == 1), SAME_ENDS) for n in (1, 2)]
    return base.check(
        student,
        right=right_order,
        inputs=[(model, torch.tensor(ids)) for model, ids in inputs],
        mistakes=ORDER_MISTAKES,
        read=_yes_or_no,
    )


def _yes_or_no(value) -> bool:
    value = value.tolist() if hasattr(value, "tolist") else value
    if not isinstance(value, bool):
        raise ValueError("True or False was expected")
    return value
