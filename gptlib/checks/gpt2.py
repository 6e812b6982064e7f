"""Lesson 08's exercises: parameters by part; what the next token costs; a layer of Hugging Face's.

Axes as in `gptlib.model`.
"""

from functools import cache, partial

import numpy as np
import torch
from torch import Tensor

from ..formats.hf import to_hf_tensors
from ..model import GPT, GPTConfig
from .exercise import Exercise, Mistake, Property
from .reading import Numbers, numbers
from .showing import short

# ---- 1. Parameters by part ----

# The lesson's own on paper; no two sizes alike; one of everything; the pets; GPT-2.
SHAPES = ((6, 3, 1, 2), (11, 5, 3, 7), (1, 1, 1, 1), (397, 64, 2, 64), (50257, 1024, 12, 768))
PARTS = ("tokens", "places", "attention", "feedforward", "norms")


def _count(vocab_size, block_size, n_layer, n_embd, *, layers=None, biases=5, tied=1) -> dict:
    """The count, with a part of it changeable to make each mistake once."""
    c, layers = n_embd, n_layer if layers is None else layers
    counts = (vocab_size * c * tied, block_size * c, n_layer * (4 * c * c + 4 * c))
    counts += (layers * (8 * c * c + biases * c), (2 * n_layer + 1) * 2 * c)
    return dict(zip(PARTS, counts))


def right_count(vocab_size, block_size, n_layer, n_embd) -> dict[str, int]:
    """{part: how many numbers it has}."""
    return _count(vocab_size, block_size, n_layer, n_embd)


def _five_parts(given: tuple, value: dict) -> str | None:
    for part in PARTS:
        if part not in value:
            return f"{part!r} is missing"
    extra = [name for name in value if name not in PARTS]
    return f"{extra[0]!r} is none of them" if extra else None


def _part(part: str, words: str) -> Property:
    def seen(given: tuple, value: dict) -> str | None:
        want = right_count(*given)[part]
        if value[part] == want:
            return None
        return f"{part!r} is {value[part]:,}, and should be {want:,}"

    return Property(words, seen)


def _grows_with_layers(given: tuple, value: dict, ask) -> str | None:
    vocab_size, block_size, n_layer, n_embd = given
    other = ask(vocab_size, block_size, 2 * n_layer, n_embd)
    if not other or other["feedforward"] == 2 * value["feedforward"]:
        return None
    return (
        f"'feedforward' is {value['feedforward']:,} with n_layer = {n_layer} and "
        f"{other['feedforward']:,} with n_layer = {2 * n_layer}"
    )


def _read_counts(value: object) -> dict[str, int]:
    if not isinstance(value, dict):
        raise ValueError("a dict of the five parts was expected")
    found = {}
    for name, held in value.items():
        held = held.item() if isinstance(held, Tensor | np.generic | np.ndarray) else held
        whole = isinstance(held, int) or (isinstance(held, float) and held.is_integer())
        if isinstance(held, bool) or not whole:
            raise ValueError(f"{str(name)!r} must be a whole number")
        found[str(name)] = int(held)
    return found


count = Exercise(
    "gpt2.count",
    """Exercise 1, easy: `student(vocab_size, block_size, n_layer, n_embd)` gives {part: numbers}.

    The parts are "tokens", "places", "attention", "feedforward", "norms".
    """,
    right=right_count,
    inputs=SHAPES,
    read=_read_counts,
    properties=(
        Property(f"The parts are {', '.join(PARTS)}.", _five_parts),
        _part(
            "tokens", "The token table has vocab_size rows of n_embd numbers, and the head is it."
        ),
        _part("places", "The table of places has block_size rows of n_embd numbers."),
        _part("attention", "Attention has matrices C to 3C and C to C, each with a bias."),
        _part("norms", "Each norm has a gain and a bias; two in each layer, and one at the end."),
        Property("Twice as many layers have twice as many numbers.", _grows_with_layers, asks=True),
        _part("feedforward", "It has two matrices, C to 4C and back, and a bias after each."),
    ),
    mistakes=(
        Mistake("no biases", partial(_count, biases=0)).as_if(
            "the feedforward part had no biases",
            "It has 4C after the first matrix and C after the second.",
        ),
        Mistake("biases of C", partial(_count, biases=2)).as_if(
            "both biases had C numbers", "The first is added in the middle, which has 4C."
        ),
    ),
)


# ---- 2. What the next token costs ----

# n_params, n_layer, n_embd, n_tokens, bytes a second: small; an empty cache; one token; two that
# differ in the tokens alone; GPT-2.
COSTS = ((96, 1, 2, 3, 1000.0), (1000, 3, 5, 0, 100.0), (129_600, 2, 64, 1, 1e6))
COSTS += ((1000, 3, 5, 40, 500.0), (1000, 3, 5, 80, 500.0), (124_439_808, 12, 768, 256, 20e9))


def right_cost(n_params, n_layer, n_embd, n_tokens, bandwidth) -> tuple[int, float, int]:
    """(bytes of the cache, seconds to read weights and cache, FLOP)."""
    held = 2 * n_layer * n_embd * 4 * n_tokens
    return held, (4 * n_params + held) / bandwidth, 2 * n_params


def _one_of_three(k: int, what: str, words: str) -> Property:
    def seen(given: tuple, value: np.ndarray) -> str | None:
        want = right_cost(*given)[k]
        if np.isclose(value[k], want, rtol=1e-4, atol=1e-12):
            return None
        return f"{what} {short(value[k])}, and should be {short(want)}"

    return Property(words, seen)


def _read_three(value: object) -> Numbers:
    for k, part in enumerate(value if isinstance(value, list | tuple) else ()):
        if part is ...:
            raise ValueError(f"there is still a `...`: blank {k + 1} is empty")
    found = numbers(value)
    if found.array.shape != (3,):
        raise ValueError("three numbers were expected: cache, seconds, flop")
    return found


token_cost = Exercise(
    "gpt2.token_cost",
    """Exercise 2, medium: `student(n_params, n_layer, n_embd, n_tokens, bandwidth)`.

    Gives the cache's bytes, the seconds to read weights and cache once, and the FLOP, in float32.
    """,
    right=right_cost,
    inputs=COSTS,
    read=_read_three,
    properties=(
        _one_of_three(
            0,
            "the bytes of the cache are",
            "The cache keeps a key and a value of n_embd numbers for each token in each layer, and "
            "a number takes 4 bytes.",
        ),
        _one_of_three(
            1,
            "the seconds are",
            "All weights and the cache are read once, and seconds are bytes divided by bytes a "
            "second.",
        ),
        _one_of_three(
            2,
            "the FLOP are",
            "For the new token each parameter is multiplied once, and the product added: 2 FLOP.",
        ),
    ),
    mistakes=(
        Mistake(
            "no cache used",
            lambda N, L, C, T, rate: (8 * L * C * T, (4 * N * T + 8 * L * C * T) / rate, 2 * N),
        ).as_if(
            "the weights were read once for each token before",
            "They are read once for the new token. That is what the cache saves.",
        ),
        Mistake(
            "FLOP of the whole text",
            lambda N, L, C, T, rate: (8 * L * C * T, (4 * N + 8 * L * C * T) / rate, 2 * N * T),
        ).as_if("the whole text went through the layers", "With a cache only the new token does."),
    ),
)


# ---- 3. A layer of Hugging Face's GPT-2 ----

N_LAYER, C, LIMIT = 12, 4, 3
LINEAR = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
BUFFERS = ("attn.bias", "attn.masked_bias")
KINDS = ((0, "transformer.", False), (0, "transformer.", True), (1, "transformer.", True))
KINDS += ((11, "", True), (1, "", False))  # layer, prefix, with the mask that old files keep


class Stored(dict):
    """A state dict that takes one line in a verdict."""

    def __repr__(self) -> str:
        return f"<{len(self)} tensors: {', '.join(list(self)[:3])}, ...>"


class Layer(dict):
    """{name: Numbers}, whatever holds them, on one line in a verdict."""

    def __repr__(self) -> str:
        more = ", ..." if len(self) > 3 else ""
        return f"<{len(self)} tensors{': ' * bool(self)}{', '.join(list(self)[:3])}{more}>"


@cache
def stored_model(prefix: str, buffers: bool, seed: int = 0) -> dict[str, Tensor]:
    """A small GPT-2 as a file holds it: matrices (in, out), and the mask that old files have."""
    model = GPT(GPTConfig(7, LIMIT, N_LAYER, n_head=2, n_embd=C), seed=seed)
    generator = torch.Generator().manual_seed(seed)
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


def _read(state, i, *, turned=lambda name, t: name in LINEAR, skip=BUFFERS):
    """Reading with one part of it changeable, to make each mistake once."""
    start, found = f"h.{i}.", {}
    for name, tensor in state.items():
        name = name.removeprefix("transformer.")
        if name.startswith(start):
            name = name.removeprefix(start)
            if name not in skip:
                found[name] = tensor.T if turned(name, tensor) else tensor
    return found


def right_read(state, i) -> dict[str, Tensor]:
    """{name in GPT.h[i]: tensor}."""
    return _read(state, i)


def _ending(*endings: str):
    """Reading that leaves out every name with one of these endings."""

    def student(state, i):
        return {name: t for name, t in _read(state, i).items() if not name.endswith(endings)}

    return student


def _layers_too(state, i):
    """Asked for "h.1", and the rest of the name taken from after its second dot."""
    found = {}
    for name, tensor in state.items():
        name = name.removeprefix("transformer.")
        if name.startswith(f"h.{i}"):
            name = name.split(".", 2)[2]
            if name not in BUFFERS:
                found[name] = tensor.T if name in LINEAR else tensor
    return found


def _names(given: tuple, value: Layer) -> str | None:
    want = right_read(*given)
    extra = [name for name in value if name not in want]
    if extra:
        return f"{extra[0]!r} is there, and GPT.h[{given[1]}] has no such tensor"
    missing = [name for name in want if name not in value]
    return f"{missing[0]!r} is missing" if missing else None


def _shapes(given: tuple, value: Layer) -> str | None:
    for name, tensor in right_read(*given).items():
        if value[name].array.shape != tensor.shape:
            return (
                f"{name!r} has shape {value[name].array.shape}, and ours has {tuple(tensor.shape)}"
            )
    return None


def _whose(given: tuple, value: Layer) -> str | None:
    state, i = given
    for k in (k for k in range(N_LAYER) if k != i):
        its = right_read(state, k)
        for name, found in value.items():
            if found == Numbers(its[name]) or found == Numbers(its[name].T):
                return f"{name!r} is that of layer {k}, and layer {i} was asked for"
    return None


def _turned(given: tuple, value: Layer) -> str | None:
    for name, tensor in right_read(*given).items():
        if value[name] != Numbers(tensor) and value[name] == Numbers(tensor.T):
            return f"{name!r} is (in, out), as in the file"
    return None


def _values(given: tuple, value: Layer) -> str | None:
    for name, tensor in right_read(*given).items():
        if value[name] != Numbers(tensor):
            return f"{name!r} has other numbers than the file"
    return None


def _read_layer(value: object) -> Layer:
    if not isinstance(value, dict):
        raise ValueError("a dict of names and tensors was expected")
    try:
        return Layer({str(name): numbers(tensor) for name, tensor in value.items()})
    except ValueError as error:
        raise ValueError("each value of the dict must be a tensor") from error


read_layer = Exercise(
    "gpt2.read_layer",
    """Exercise 3, hard: `student(state, i)` gives {our name: tensor} for `GPT.h[i]`.

    `state` is a Hugging Face state dict of GPT-2: names begin with "transformer." or do not, linear
    matrices are (in, out), and old files hold the mask as attn.bias and attn.masked_bias.
    """,
    right=right_read,
    inputs=lambda: [(stored_model(prefix, buffers), i) for i, prefix, buffers in KINDS],
    read=_read_layer,
    properties=(
        Property("The names are those of GPT.h[i]: `ln_1.weight` and eleven more.", _names),
        Property("The file's linear matrices are (in, out), and ours (out, in): .T.", _shapes),
        Property("Layers are counted from 0, in the file as in GPT.h.", _whose),
        Property("All four linear matrices are turned, a square one too.", _turned),
        Property("The numbers stay as they are.", _values),
    ),
    mistakes=(
        Mistake(
            "square not turned",
            partial(_read, turned=lambda name, t: name in LINEAR and t.shape[0] != t.shape[1]),
        ).as_if(
            "a matrix was turned only if its shape did not fit",
            "attn.c_proj.weight is square, so it fits either way and nothing complains. Turn it "
            "like the other three.",
        ),
        Mistake("mask kept", partial(_read, skip=())).as_if(
            "the mask was kept",
            "attn.bias is no bias but the mask, which old files keep, and attn.masked_bias is its "
            "minus infinity. Leave both out.",
        ),
        Mistake("layers 10 and 11 too", _layers_too).as_if(
            "layers 10 and 11 were taken for layer 1",
            'Their names begin with "h.1" as well. Ask for "h.1.", with the dot.',
        ),
    ),
)
