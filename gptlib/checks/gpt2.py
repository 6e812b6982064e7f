"""Lesson 08's exercises: parameters by part; what the next token costs; a layer of Hugging Face's.

The right answers and the wrong ones are in `gpt2_answers`. Axes as in `gptlib.model`.
"""

from functools import cache

import torch
from torch import Tensor

from ..formats.hf import to_hf_tensors
from ..model import GPT, GPTConfig
from . import base
from .base import Numbers, Verdict
from .gpt2_answers import (
    COST_MISTAKES,
    COUNT_MISTAKES,
    READ_MISTAKES,
    right_cost,
    right_count,
    right_read,
)

# ---- 1. Parameters by part ----

# The lesson's own on paper; the pets; GPT-2; no two sizes alike.
SHAPES = ((6, 3, 1, 2), (397, 64, 2, 64), (50257, 1024, 12, 768), (11, 5, 3, 7))


def count(student) -> Verdict:
    """Exercise 1, easy: `student(vocab_size, block_size, n_layer, n_embd)` gives {part: numbers}.

    The parts are "tokens", "places", "attention", "feedforward", "norms".
    """
    return base.check(
        student, right=right_count, inputs=SHAPES, mistakes=COUNT_MISTAKES, read=_counts
    )


def _counts(value) -> dict[str, int]:
    if not isinstance(value, dict):
        raise ValueError("a dict of the five parts was expected")
    for name, held in value.items():
        held = held.item() if hasattr(held, "item") else held
        whole = isinstance(held, int) or (isinstance(held, float) and held.is_integer())
        if isinstance(held, bool) or not whole:
            raise ValueError(f"{name!r} must be a whole number")
    return {str(name): int(held) for name, held in value.items()}


# ---- 2. What the next token costs ----

# n_params, n_layer, n_embd, n_tokens, bytes a second: small; GPT-2; one token; an empty cache.
COSTS = ((96, 1, 2, 3, 1000.0), (124_439_808, 12, 768, 256, 20e9), (129_600, 2, 64, 1, 1e6))
COSTS += ((1000, 3, 5, 0, 100.0), (1000, 3, 5, 40, 500.0))


def token_cost(student) -> Verdict:
    """Exercise 2, medium: `student(n_params, n_layer, n_embd, n_tokens, bandwidth)`.

    Gives the cache's bytes, the seconds to read weights and cache once, and the FLOP, in float32.
    """
    return base.check(student, right=right_cost, inputs=COSTS, mistakes=COST_MISTAKES, read=_three)


def _three(value) -> Numbers:
    for k, part in enumerate(value if isinstance(value, list | tuple) else ()):
        if part is ...:
            raise ValueError(f"there is still a `...`: blank {k + 1} is empty")
    found = base.numbers(value)
    if found.array.shape != (3,):
        raise ValueError("three numbers were expected: cache, seconds, flop")
    return found


# ---- 3. A layer of Hugging Face's GPT-2 ----

N_LAYER, C, LIMIT = 12, 4, 3


class Stored(dict):
    """A state dict that stands on one line in a verdict."""

    def __repr__(self) -> str:
        return f"<{len(self)} tensors: {', '.join(list(self)[:3])}, ...>"


class Layer:
    """Tensors by name, equal when names, shapes and values are, whatever holds them."""

    def __init__(self, tensors: dict[str, Numbers]) -> None:
        self.tensors = tensors

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Layer) and self.tensors == other.tensors

    __hash__ = None

    def __repr__(self) -> str:
        """The square matrix first: only its numbers show whether it is turned."""
        square, first = "attn.c_proj.weight", ""
        if square in self.tensors:
            numbers = self.tensors[square].array.ravel()[:2].tolist()
            first = f" {square} begins {', '.join(f'{n:.2f}' for n in numbers)};"
        held = (f"{name} {found.array.shape}" for name, found in sorted(self.tensors.items()))
        return f"{len(self.tensors)} tensors:{first} {', '.join(held)}"


@cache
def stored_model(prefix: str, buffers: bool) -> dict[str, Tensor]:
    """A small GPT-2 as a file holds it: matrices (in, out), and the mask that old files have."""
    model = GPT(GPTConfig(7, LIMIT, N_LAYER, n_head=2, n_embd=C), seed=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():  # so that no two numbers are alike, biases too
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)
    state = {}
    for name, tensor in to_hf_tensors(model).items():
        name = name.removeprefix("transformer.")
        if buffers and name.endswith(".attn.c_attn.weight"):
            attn = prefix + name.removesuffix("c_attn.weight")
            state[attn + "bias"] = torch.ones(LIMIT, LIMIT).tril()[None, None]  # (1, 1, T, T)
            state[attn + "masked_bias"] = torch.tensor(-1e4)
        state[prefix + name] = tensor
    return Stored(state | {"lm_head.weight": state[prefix + "wte.weight"]})


def read_layer(student) -> Verdict:
    """Exercise 3, hard: `student(state, i)` gives {our name: tensor} for `GPT.h[i]`.

    `state` is a Hugging Face state dict of GPT-2: names begin with "transformer." or do not, linear
    matrices are (in, out), and old files hold the mask as attn.bias and attn.masked_bias.
    """
    kinds = ((0, "transformer.", False), (0, "transformer.", True), (1, "transformer.", True))
    kinds += ((11, "", True), (1, "", False))
    inputs = [(stored_model(prefix, buffers), i) for i, prefix, buffers in kinds]
    return base.check(student, right=right_read, inputs=inputs, mistakes=READ_MISTAKES, read=_layer)


def _layer(value) -> Layer:
    if not isinstance(value, dict):
        raise ValueError("a dict of names and tensors was expected")
    try:
        return Layer({str(name): base.numbers(tensor) for name, tensor in value.items()})
    except ValueError as error:
        raise ValueError("each value of the dict must be a tensor") from error
