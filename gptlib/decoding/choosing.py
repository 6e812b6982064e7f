"""`sampling.next_token_probs` and `sampling.draw` again, without a look at any number on the way.

A CUDA graph repeats the same operations whatever the numbers are, so nothing here may depend on
them: no check, no branch on equal logits, no result whose size is not known before. A test holds
these to the readable ones.

Axes: B batch, V = vocab_size, k tokens that stay.
"""

import torch
from torch import Tensor

Settings = tuple[float, int | None, float | None]  # temperature, top_k, top_p, as checked


def filtered(logits: Tensor, settings: Settings) -> Tensor:
    """The distribution that the next token is drawn from, float32 logits (B, V) -> (B, V)."""
    temperature, top_k, top_p = settings
    if temperature == 0:
        return torch.zeros_like(logits).scatter_(-1, first_largest(logits)[:, None], 1.0)
    if top_k is None or top_k >= logits.shape[-1]:
        probs = torch.softmax(divided(logits, temperature), -1)
    else:
        probs = _largest(logits, temperature, top_k)
    return probs if top_p is None or top_p == 1 else _nucleus(probs, logits, top_p)


def first_largest(logits: Tensor) -> Tensor:
    """The smallest id among the largest logits, (B, V) -> (B,)."""
    is_largest = logits == logits.amax(-1, keepdim=True)
    return is_largest.int().cumsum(-1).eq(0).sum(-1).clamp(max=logits.shape[-1] - 1)  # NaN: none is


def pick(probs: Tensor, u: Tensor) -> Tensor:
    """The first id at which the running sum passes u, (B, V) and (B, 1) in [0, 1) -> (B,)."""
    sums = probs.cumsum(-1, dtype=torch.float64)  # (B, V)
    ids = torch.searchsorted(sums, u * sums[:, -1:], right=True).squeeze(-1)
    return ids.clamp(max=probs.shape[-1] - 1)  # beyond the end only where there are no numbers


def divided(logits: Tensor, temperature: float) -> Tensor:
    """logits / temperature, but for a shift of the whole row, which changes no probability.

    The largest is subtracted before the division, so that a tiny temperature cannot overflow. One
    that float32 cannot hold would be 0 or infinite there, and 0/0 is not a number.
    """
    if temperature == 1:
        return logits
    limits = torch.finfo(torch.float32)
    divisor = min(max(temperature, limits.tiny), limits.max)
    return (logits - logits.amax(-1, keepdim=True)) / divisor


def _largest(logits: Tensor, temperature: float, k: int) -> Tensor:
    """The probabilities of the k < V largest, and 0 elsewhere; the smaller id among equals."""
    values, ids = logits.topk(k)  # (B, k); of equals at the edge it takes any
    kept = torch.softmax(divided(values, temperature), -1)
    probs = torch.zeros_like(logits).scatter_(-1, ids, kept)
    edge = values[:, -1:]
    equal, room = logits == edge, k - (logits > edge).sum(-1, keepdim=True)
    of_equals = torch.where(equal.cumsum(-1) <= room, kept[:, -1:], 0.0)
    return torch.where(equal, of_equals, probs)


def _nucleus(probs: Tensor, logits: Tensor, top_p: float) -> Tensor:
    ids = logits.sort(dim=-1, descending=True, stable=True).indices
    ordered = probs.gather(-1, ids)  # (B, V), largest first, ties by id
    reached = ordered.cumsum(-1) >= top_p * (1 - 1e-6)
    ordered[:, 1:] = ordered[:, 1:].masked_fill(reached[:, :-1], 0.0)  # the first stays
    kept = torch.zeros_like(probs).scatter_(-1, ids, ordered)
    return kept / kept.sum(-1, keepdim=True)
