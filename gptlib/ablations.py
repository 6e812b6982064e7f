"""The same model with one part taken out, for "break it": train it so, or break a trained one.

The model's own code knows nothing of this: a module gets a class in front of its own that leaves
the part out. All weights keep their names and values, so a checkpoint fits either.
"""

import copy
import json
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from .attention import CausalSelfAttention
from .embeddings import PositionEmbedding
from .formats.files import data_dir
from .model import GPT, Block

NOT_SAVED = "a model with a part taken out cannot be saved: it would load whole"  # by `checkpoint`
FILE = "ablations.json"  # in data/, made by `make ablations`
# What each broken model is measured by, and whether more is worse.
METRICS = {"teacher_forced": True, "prefix_only": True, "kl": True, "sayable": False}


class AddsNothing:
    """Before attention or feedforward: adds zero to the residual stream."""

    def forward(self, x: Tensor, cache=None) -> Tensor:
        if cache is not None:
            cache.length += x.shape[1]  # positions go on counting
        return torch.zeros_like(x)


class SeesFuture(CausalSelfAttention):
    """Before attention: no mask."""

    causal = False

    def forward(self, x: Tensor, cache=None) -> Tensor:
        if cache is not None:
            raise ValueError("without a mask each new token changes the past: use_cache=False")
        return super().forward(x)


class Unscaled:
    """Before attention: plain dot products."""

    scale = property(lambda self: 1.0)


class NoPosition(PositionEmbedding):
    """Before the position embedding: every position gets the zero vector."""

    def forward(self, n_tokens: int, start: int = 0) -> Tensor:
        return torch.zeros_like(super().forward(n_tokens, start))


class PassesThrough:
    """Before a layer norm: hands on what it is given."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class Replaces(Block):
    """Before a block: each part replaces what it read where it should add to it."""

    def forward(self, x: Tensor, cache=None) -> Tensor:
        x = self.attn(self.ln_1(x), cache)
        return self.mlp(self.ln_2(x))


# part -> (the modules of a block that it touches, "" for the block itself; what goes in front)
PARTS: dict[str, tuple[tuple[str, ...], type]] = {
    "attention": (("attn",), AddsNothing),
    "mask": (("attn",), SeesFuture),
    "scaling": (("attn",), Unscaled),
    "feedforward": (("mlp",), AddsNothing),
    "layernorm": (("ln_1", "ln_2"), PassesThrough),
    "residual": (("",), Replaces),
    "positions": ((), NoPosition),
}


def ablate(
    model: GPT, *parts: str, layers: Iterable[int] | None = None, share: bool = False
) -> GPT:
    """A copy of `model` without `parts`; `model` stays as it is.

    Args:
        parts: of "attention", "mask", "scaling", "feedforward", "layernorm", "residual",
            "positions".
        layers: in which blocks (all of them). Positions belong to no block, and the final layer
            norm goes with the others only when all go.
        share: the copy has `model`'s own weights, to be looked at and not trained: no second
            half a gigabyte for GPT-2.

    Raises:
        ValueError: a part or a layer that there is not.
    """
    own = {id(p): p for p in model.parameters()} if share else {}
    broken = copy.deepcopy(model, own)
    chosen = list(range(len(broken.h))) if layers is None else list(layers)
    for i in chosen:
        if not 0 <= i < len(broken.h):
            raise ValueError(f"layer {i} is outside 0..{len(broken.h) - 1}")
    for part in parts:
        if part not in PARTS:
            raise ValueError(f"no part is called {part!r}: choose from {', '.join(PARTS)}")
        names, front = PARTS[part]
        for i in chosen:
            for name in names:
                _put_in_front(broken.h[i].get_submodule(name), front)
    if "positions" in parts:
        _put_in_front(broken.wpe, NoPosition)
    if "layernorm" in parts and len(set(chosen)) == len(broken.h):
        _put_in_front(broken.ln_f, PassesThrough)
    return broken


def _put_in_front(module: nn.Module, front: type) -> None:
    if isinstance(module, front):  # out already, by a call before or a layer named twice
        return
    old = type(module)
    name = f"{front.__name__}{old.__name__}"
    module.__class__ = type(name, (front, old), {"not_saved": NOT_SAVED})


# ---- What was measured ----


def measured() -> dict:
    """Every "break it" of the course, measured over three seeds: data/ablations.json.

    Returns:
        {"command", "seeds", "stories", "recipe", "floor" (nats per token), "rows"}. A row has
        "name" (what is missing), "lesson", "against" (the name of the row that it is compared
        with), a "sample", and a list over the seeds for each of METRICS: "teacher_forced" (the
        loss as in training, nats per token), "prefix_only" (the loss where the model is given the
        words before and no others), "kl" (nats, to the truth after "The cat is") and "sayable"
        (which share of its sampled stories the grammar can say). None: the loss blew up.
    """
    return json.loads((data_dir() / FILE).read_text(encoding="utf-8"))


def noticed(row: dict, whole: dict) -> list[str]:
    """The metrics of a row that noticed: worse with every seed than the whole model with any.

    >>> noticed({"kl": [0.3, 0.2, None]}, {"kl": [0.1, 0.1, 0.2]})
    []
    >>> noticed({"kl": [0.3, 0.4, None]}, {"kl": [0.1, 0.1, 0.2]})
    ['kl']
    """
    found = []
    for metric, more_is_worse in METRICS.items():
        if metric in row:
            sign = 1 if more_is_worse else -1
            broken, intact = (_filled(r[metric], sign) for r in (row, whole))
            if min(broken) > max(intact):
                found.append(metric)
    return found


def _filled(values: list[float | None], sign: int) -> list[float]:
    return [float("inf") if value is None else sign * value for value in values]
