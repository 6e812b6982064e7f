"""One forward pass with every intermediate kept and named, for pictures and widgets.

Nothing is stored on the model: hooks watch an ordinary pass, so the numbers are the model's own,
with a part taken out (`ablations`) too. What no module hands out (q to head_outputs, mlp_hidden) is
computed again from what it read. The logit lens: nostalgebraist 2020.

Axes: T tokens, nh heads, hs channels of a head, C = n_embd, V = vocab_size, L = n_layer.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from .attention import attention_scores, mask_scores
from .model import GPT, without_dropout
from .sampling import prompt_rows


@dataclass(frozen=True, repr=False)
class _Shapes:
    """Shows a trace by the names and shapes of what it holds: the numbers would fill pages."""

    def __repr__(self) -> str:
        lines = [type(self).__name__]
        for field in fields(self):
            value = getattr(self, field.name)
            shape = tuple(value.shape) if isinstance(value, Tensor) else f"{len(value)} LayerTrace"
            lines.append(f"  {field.name:<16}{shape}")
        return "\n".join(lines)


@dataclass(frozen=True, repr=False)
class LayerTrace(_Shapes):
    """What one block did to one row of tokens.

    Where `ablations` took attention out, `attn` is zero, and the rest shows what would have been.
    """

    x: Tensor  # (T, C) the residual stream as it came in
    ln_1: Tensor  # (T, C)
    q: Tensor  # (nh, T, hs)
    k: Tensor  # (nh, T, hs)
    v: Tensor  # (nh, T, hs)
    scores: Tensor  # (nh, T, T) q k^T, scaled
    masked: Tensor  # (nh, T, T) the same with -inf in the future
    weights: Tensor  # (nh, T, T) softmax of it; rows sum to one
    heads: Tensor  # (nh, T, hs) weights times v
    head_outputs: Tensor  # (nh, T, C) what each head adds, after the output projection, no bias
    attn: Tensor  # (T, C) what attention added
    x_mid: Tensor  # (T, C) the residual stream between the two parts
    ln_2: Tensor  # (T, C)
    mlp_hidden: Tensor  # (T, 4C) after GELU
    mlp: Tensor  # (T, C) what the feedforward part added
    out: Tensor  # (T, C) the residual stream as it went out


@dataclass(frozen=True, repr=False)
class Trace(_Shapes):
    """Every intermediate of one pass over one row of T tokens."""

    ids: Tensor  # (T,)
    wte: Tensor  # (T, C) token embeddings
    wpe: Tensor  # (T, C) position embeddings
    layers: tuple[LayerTrace, ...]
    ln_f: Tensor  # (T, C)
    logits: Tensor  # (T, V)
    logits_by_layer: Tensor  # (L + 1, T, V) the head read after the embeddings and each block

    @property
    def weights(self) -> Tensor:
        """Attention weights of all layers and heads, (L, nh, T, T)."""
        return torch.stack([layer.weights for layer in self.layers])

    @property
    def residual(self) -> Tensor:
        """The residual stream after the embeddings and after each block, (L + 1, T, C)."""
        return torch.stack([self.layers[0].x, *(layer.out for layer in self.layers)])

    @property
    def probs(self) -> Tensor:
        """The model's distribution for the token after each place, (T, V)."""
        return torch.softmax(self.logits, -1)


@torch.no_grad()
def trace(model: GPT, ids: Tensor | Sequence[int]) -> Trace:
    """Run the model over one row of at most block_size ids (T,), keeping every step.

    Raises:
        ValueError: more than one row, or ids that `model` itself would refuse.

    >>> import gptlib
    >>> model, tokenizer = gptlib.load("pets")
    >>> seen = trace(model, tokenizer.encode("The cat is"))
    >>> seen.weights.shape  # 2 layers, 4 heads, 3 tokens looking at 3
    torch.Size([2, 4, 3, 3])
    """
    rows = prompt_rows(model, ids)
    if rows.shape[0] != 1:
        raise ValueError(f"trace takes one row of ids, not {rows.shape[0]}")
    seen = _run_watched(model, rows)
    layers = tuple(_layer(block, seen) for block in model.h)
    by_layer = torch.stack([layers[0].x, *(layer.out for layer in layers)])  # (L + 1, T, C)
    return Trace(
        ids=rows[0],
        wte=seen[model.wte][1][0],
        wpe=seen[model.wpe][1],
        layers=layers,
        ln_f=seen[model.ln_f][1][0],
        logits=seen[model][1][0],
        logits_by_layer=model.lm_head(model.ln_f(by_layer)),
    )


def trace_swapped(
    model: GPT, ids: Tensor | Sequence[int], *, layer: int, head: int, places: Sequence[int]
) -> Trace:
    """`trace` with one head's outputs swapped between two of the T places.

    `heads` and `head_outputs` of that layer are as before the swap; all that follows is as after.

    Raises:
        ValueError: a layer, a head or a place that there is not, or not two places.
    """
    before = trace(model, ids)
    first, second = places
    in_range = [("layer", layer, len(model.h)), ("head", head, model.config.n_head)]
    in_range += [("place", place, len(before.ids)) for place in places]
    for name, value, end in in_range:
        if not 0 <= value < end:
            raise ValueError(f"{name} must be in 0..{end - 1}, not {value}")
    outputs = before.layers[layer].heads[head]  # (T, hs)
    given = {first: outputs[second], second: outputs[first]}
    with head_outputs_set(model, layer, head, given):
        return trace(model, ids)


@contextmanager
def head_outputs_set(model: GPT, layer: int, head: int, given: dict[int, Tensor]) -> Iterator[None]:
    """Meanwhile, at the places in `given`, a head's output is the tensor (hs,) given there."""
    size = model.config.n_embd // model.config.n_head

    def put(module, inputs: tuple) -> tuple:
        heads = inputs[0].clone()  # (B, T, C): the heads side by side
        for place, output in given.items():
            heads[:, place, head * size : (head + 1) * size] = output
        return heads, *inputs[1:]

    projection = model.get_submodule(f"h.{layer}.attn.c_proj")
    hook = projection.register_forward_pre_hook(put)
    try:
        yield
    finally:
        hook.remove()


def mean_weight(seen: Trace, pairs: Iterable[tuple[int, int]]) -> Tensor:
    """How much each head looks from one place to another: the mean weight of `pairs`, (L, nh).

    A number between 0 and 1 for every head, so that a head is found by what it does, by searching.

    Args:
        pairs: (query, key), two places of the T tokens each; the key not after the query.

    Raises:
        ValueError: no pair, or a place that there is not or that the mask hides.
    """
    places = [tuple(pair) for pair in pairs]
    if not places:
        raise ValueError("give at least one pair (query, key)")
    for query, key in places:
        if not 0 <= key <= query < len(seen.ids):
            last = len(seen.ids) - 1
            raise ValueError(f"query {query}, key {key}: it must be 0 <= key <= query <= {last}")
    queries, keys = zip(*places, strict=True)
    return seen.weights[:, :, list(queries), list(keys)].mean(-1)  # (L, nh, pairs) -> (L, nh)


def _run_watched(model: GPT, rows: Tensor) -> dict:
    """One pass in eval mode; {module: (first input, output)} of every module that ran."""
    seen: dict = {}

    def watch(module, inputs, output):
        seen[module] = (inputs[0], output)

    hooks = [module.register_forward_hook(watch) for module in model.modules()]
    try:
        with without_dropout(model):
            model(rows)
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def _layer(block, seen: dict) -> LayerTrace:
    """A block's intermediates, from what its modules were seen to take and give."""
    x, out = (both[0] for both in seen[block])
    ln_1, attn = (both[0] for both in seen[block.attn])
    x_mid, ln_2 = (both[0] for both in seen[block.ln_2])
    mlp = seen[block.mlp][1][0]
    hidden = block.mlp.hidden(ln_2)  # (T, 4C)
    return LayerTrace(
        x=x,
        ln_1=ln_1,
        **_heads(block.attn, ln_1),
        attn=attn,
        x_mid=x_mid,
        ln_2=ln_2,
        mlp_hidden=hidden,
        mlp=mlp,
        out=out,
    )


def _heads(attn, ln_1: Tensor) -> dict[str, Tensor]:
    """What happens inside attention, the open way, from the layer's own q, k and v."""
    q, k, v = attn.qkv(ln_1[None])  # (1, nh, T, hs) each
    scores = attention_scores(q, k, attn.scale)
    masked = mask_scores(scores) if attn.causal else scores
    weights = torch.softmax(masked, -1)  # (1, nh, T, T)
    heads = weights @ v  # (1, nh, T, hs)
    # Each head alone through its columns of c_proj: the sum over heads is attention's output.
    n_head, size = heads.shape[1], heads.shape[-1]
    columns = attn.c_proj.weight.unflatten(1, (n_head, size)).transpose(0, 1)  # (nh, C, hs)
    head_outputs = heads[0] @ columns.transpose(-2, -1)  # (nh, T, hs) @ (nh, hs, C)
    named = {"q": q, "k": k, "v": v, "scores": scores, "masked": masked}
    named |= {"weights": weights, "heads": heads}
    return {name: tensor[0] for name, tensor in named.items()} | {"head_outputs": head_outputs}
