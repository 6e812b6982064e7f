"""Lesson 08's exercises: parameters by part; what the next token costs; a layer of GPT-2's file.

Axes as in `gptlib.model`.
"""

from functools import cache, partial

import numpy as np
import torch
from torch import Tensor

from ..formats.hf import to_hf_tensors
from ..model import GPT, GPTConfig
from .embeddings import stirred
from .exercise import Exercise, Mistake, Property
from .properties import in_turn
from .reading import Numbers, numbers, whole_number
from .showing import short

# ---- 1. Parameters by part ----

# The one on paper; no two sizes alike; one of everything; the pets; GPT-2.
SHAPES = ((6, 3, 1, 2), (11, 5, 3, 7), (1, 1, 1, 1), (397, 64, 2, 64), (50257, 1024, 12, 768))
PARTS = ("tokens", "positions", "attention", "feedforward", "norms")


def right_count(vocab_size, block_size, n_layer, n_embd, biases=5) -> dict[str, int]:
    """{part: how many parameters it has}; or with other biases in the feedforward part."""
    c, norms = n_embd, 2 * n_layer + 1
    counts = (vocab_size * c, block_size * c, n_layer * (4 * c * c + 4 * c))
    counts += (n_layer * (8 * c * c + biases * c), norms * 2 * c)
    return dict(zip(PARTS, counts))


def _five_parts(given: tuple, value: dict) -> str | None:
    for part in PARTS:
        if part not in value:
            return f"{part!r} is missing"
    extra = [name for name in value if name not in PARTS]
    return f"{extra[0]!r} is none of them" if extra else None


def _entry(right, key, words: str, what: str) -> Property:
    """One of several numbers, at a key or a place, is as in right(*given)."""

    def seen(given: tuple, value: dict | np.ndarray) -> str | None:
        mine, its = value[key], right(*given)[key]
        if isinstance(mine, int):
            return None if mine == its else f"{what} {mine:,}, and should be {its:,}"
        if np.isclose(mine, its, rtol=1e-4, atol=1e-12):
            return None
        return f"{what} {short(mine)}, and should be {short(its)}"

    return Property(words, seen)


def _part(part: str, words: str) -> Property:
    return _entry(right_count, part, words, f"{part!r} is")


def _read_counts(value: object) -> dict[str, int]:
    if not isinstance(value, dict):
        raise ValueError("a dict of the five parts was expected")
    found = {}
    for name, held in value.items():
        try:
            found[str(name)] = whole_number(held)
        except ValueError:
            raise ValueError(f"{str(name)!r} must be a whole number") from None
    return found


count = Exercise(
    "gpt2.count",
    """Exercise 1, easy: `student(vocab_size, block_size, n_layer, n_embd)` gives {part: count}.

    The parts are "tokens", "positions", "attention", "feedforward", "norms".
    """,
    right=right_count,
    inputs=SHAPES,
    read=_read_counts,
    properties=(
        Property(f"The parts are {', '.join(PARTS)}.", _five_parts),
        _part(
            "tokens",
            "The embedding matrix has vocab_size rows of n_embd numbers, and it serves as the "
            "linear layer to the vocabulary too.",
        ),
        _part("positions", "There is one row of n_embd numbers for each of block_size positions."),
        _part(
            "attention",
            "In each layer, attention has two matrices, C to 3C and C to C, each with a bias.",
        ),
        _part(
            "norms",
            "Each LayerNorm has a gain and a bias of C numbers; there are two in each layer, and "
            "one after the last.",
        ),
        _part(
            "feedforward",
            "In each layer, feedforward has two matrices, C to 4C and 4C to C, each with a bias.",
        ),
    ),
    mistakes=(
        Mistake("biases of C", partial(right_count, biases=2)).as_if(
            "both biases had C numbers",
            "The first bias is added to the hidden vector, which has 4C numbers.",
        ),
    ),
)


# ---- 2. What the next token costs ----

# n_params, n_layer, n_embd, n_tokens, bytes per second: small; an empty cache; one token; two that
# differ in the tokens alone; GPT-2.
COSTS = ((96, 1, 2, 3, 1000.0), (1000, 3, 5, 0, 100.0), (129_600, 2, 64, 1, 1e6))
COSTS += ((1000, 3, 5, 40, 500.0), (1000, 3, 5, 80, 500.0), (124_439_808, 12, 768, 256, 20e9))


def right_cost(n_params, n_layer, n_embd, n_tokens, bandwidth) -> tuple[int, float, int]:
    """(bytes of the cache, seconds to read weights and cache, FLOPs)."""
    held = 2 * n_layer * n_embd * n_tokens
    return 4 * held, 4 * (n_params + held) / bandwidth, 2 * (n_params + held)


_cost = partial(_entry, right_cost)


def _read_three(value: object) -> Numbers:
    for k, part in enumerate(value if isinstance(value, list | tuple) else ()):
        if part is ...:
            raise ValueError(f"there is still a `...`: blank {k + 1} is empty")
    found = numbers(value)
    if found.array.shape != (3,):
        raise ValueError("three numbers were expected: cache, seconds, flops")
    return found


token_cost = Exercise(
    "gpt2.token_cost",
    """Exercise 2, medium: `student(n_params, n_layer, n_embd, n_tokens, bandwidth)`.

    Gives the cache's bytes, the seconds to read weights and cache once, and the FLOPs, in float32.
    """,
    right=right_cost,
    inputs=COSTS,
    read=_read_three,
    properties=(
        _cost(
            0,
            "In each layer, the cache has a key and a value of n_embd numbers for each token, and "
            "a number takes 4 bytes.",
            "the cache's bytes are",
        ),
        _cost(
            1,
            "All weights and the cache are read once, and the time is their bytes divided by the "
            "bytes per second.",
            "the seconds are",
        ),
        _cost(
            2,
            "Each number of the weights and of the cache is used in one multiplication and one "
            "addition: 2 FLOPs.",
            "the FLOPs are",
        ),
    ),
    mistakes=(
        Mistake(
            "no cache used",
            lambda N, L, C, T, rate: (
                8 * L * C * T,
                (4 * N * T + 8 * L * C * T) / rate,
                2 * N + 4 * L * C * T,
            ),
        ).as_if(
            "the weights were read once for each token of the text",
            "With a cache, only the new token goes through the layers, so they are read once.",
        ),
        Mistake(
            "arithmetic of the cache left out",
            lambda N, L, C, T, rate: (8 * L * C * T, (4 * N + 8 * L * C * T) / rate, 2 * N),
        ).as_if(
            "the FLOPs of the weights were counted alone",
            "The new query is multiplied by every key, and every value by its attention weight.",
        ),
    ),
)


# ---- Deeper: a layer of GPT-2's file ----

N_LAYER, C, LIMIT = 12, 4, 3
LINEAR = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
BUFFERS = ("attn.bias", "attn.masked_bias")
KINDS = ((0, "transformer.", False), (0, "transformer.", True), (1, "transformer.", True))
KINDS += ((11, "", True), (1, "", False))  # layer, prefix, with the mask that old files keep


class Tensors(dict):
    """{name: tensor or Numbers}, on one line in a verdict."""

    def __repr__(self) -> str:
        more = ", ..." if len(self) > 3 else ""
        return f"<{len(self)} tensors{': ' * bool(self)}{', '.join(list(self)[:3])}{more}>"


@cache
def stored_model(prefix: str, buffers: bool, seed: int = 0) -> dict[str, Tensor]:
    """A small GPT-2 as its file has it: matrices (in, out), and the mask that old files have."""
    model = GPT(GPTConfig(7, LIMIT, N_LAYER, n_head=2, n_embd=C), seed=seed)
    model, state = stirred(model, seed), {}  # no two numbers are alike, biases too
    for name, tensor in to_hf_tensors(model).items():
        name = name.removeprefix("transformer.")
        if buffers and name.endswith(".attn.c_attn.weight"):
            attn = prefix + name.removesuffix("c_attn.weight")
            state[attn + "bias"] = torch.ones(LIMIT, LIMIT).tril()[None, None]  # (1, 1, T, T)
            state[attn + "masked_bias"] = torch.tensor(-1e4)
        state[prefix + name] = tensor
    return Tensors(state | {"lm_head.weight": state[prefix + "wte.weight"]})


def right_read(
    state, i, start="h.{}.", turned=lambda name, t: name in LINEAR, skip=BUFFERS
) -> dict[str, Tensor]:
    """{name in GPT.h[i]: tensor}; or with a part of it changed, to make a mistake."""
    found = {}
    for name, tensor in state.items():
        name = name.removeprefix("transformer.")
        if name.startswith(start.format(i)):
            name = name.split(".", 2)[2]
            if name not in skip:
                found[name] = tensor.T if turned(name, tensor) else tensor
    return found


NAMES = "The names are those of GPT.h[i]: `ln_1.weight` and eleven more."
OUT_IN = "The file has its linear matrices as (in, out), and ours are (out, in)."
COUNTED = "Layers are counted from 0, in the file as in GPT.h."
ALL_FOUR = "All four linear matrices are transposed, the square one too."
AS_THEY_ARE = "The numbers stay as they are."


def _of_layer(given: tuple, value: Tensors) -> tuple[str, str] | None:
    """(the first property that does not hold, what is seen)."""
    want = right_read(*given)
    for name in value:
        if name not in want:
            return NAMES, f"{name!r} is there, and GPT.h[{given[1]}] has no such tensor"
    for name in want:
        if name not in value:
            return NAMES, f"{name!r} is missing"
    pairs = [(name, value[name], tensor) for name, tensor in want.items()]
    for name, mine, its in pairs:
        if mine.array.shape != its.shape:
            return OUT_IN, f"{name!r} has shape {mine.array.shape}, and ours has {tuple(its.shape)}"
    if whose := _of_another_layer(given, value):
        return COUNTED, whose
    wrong = [(name, mine, its) for name, mine, its in pairs if mine != Numbers(its)]
    for name, mine, its in wrong:
        if mine == Numbers(its.T):
            return ALL_FOUR, f"{name!r} is (in, out), as in the file"
    return (AS_THEY_ARE, f"{wrong[0][0]!r} has other numbers than the file") if wrong else None


def _of_another_layer(given: tuple, value: Tensors) -> str | None:
    state, i = given
    for k in (k for k in range(N_LAYER) if k != i):
        its = right_read(state, k)
        for name, found in value.items():
            if found == Numbers(its[name]) or found == Numbers(its[name].T):
                return f"{name!r} is that of layer {k}, and layer {i} was asked for"
    return None


def _read_layer(value: object) -> Tensors:
    if not isinstance(value, dict):
        raise ValueError("a dict of names and tensors was expected")
    try:
        return Tensors({str(name): numbers(tensor) for name, tensor in value.items()})
    except ValueError as error:
        raise ValueError("each value of the dict must be a tensor") from error


read_layer = Exercise(
    "gpt2.read_layer",
    """Deeper, hard: `student(state, i)` gives {our name: tensor} for `GPT.h[i]`.

    `state` is a Hugging Face state dict of GPT-2: names begin with "transformer." or do not, linear
    matrices are (in, out), and old files hold the mask as attn.bias and attn.masked_bias.
    """,
    right=right_read,
    inputs=lambda: [(stored_model(prefix, buffers), i) for i, prefix, buffers in KINDS],
    read=_read_layer,
    properties=in_turn(_of_layer, NAMES, OUT_IN, COUNTED, ALL_FOUR, AS_THEY_ARE),
    mistakes=(
        Mistake(
            "square not transposed",
            partial(right_read, turned=lambda name, t: name in LINEAR and t.shape[0] != t.shape[1]),
        ).as_if(
            "a matrix was transposed only if its shape did not fit",
            "attn.c_proj.weight is square, so it fits either way and no error is raised. Transpose "
            "it like the other three.",
        ),
        Mistake("mask kept", partial(right_read, skip=())).as_if(
            "the mask was kept",
            "attn.bias is the mask in old files, and attn.masked_bias its minus infinity. Leave "
            "out both.",
        ),
        Mistake("layers 10 and 11 too", partial(right_read, start="h.{}")).as_if(
            "layers 10 and 11 were taken for layer 1",
            'Their names begin with "h.1" as well. Look for "h.1.", with the second dot.',
        ),
    ),
)
