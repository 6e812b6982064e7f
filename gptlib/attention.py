"""Lesson 03. Masked self-attention: each token gathers information from itself and earlier ones.

The explicit functions return every step for pictures; the layer takes PyTorch's fused one, and a
test holds the two equal. Sources: Vaswani et al. 2017 (arXiv 1706.03762), Radford et al. 2019.

Axes: B batch, T query tokens, S key tokens (S >= T with a cache), nh heads, hs = C / nh channels
of a head, C = n_embd channels.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .fast.linear import Linear
from .fast.tracing import is_transformed


def causal_mask(n_queries: int, n_keys: int | None = None, device=None) -> Tensor:
    """(T, S) of bool, True where a query may look: at its own place and before it.

    The queries are the last T of the S places, so with a cache one query sees all keys.

    >>> causal_mask(3).int().tolist()
    [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    """
    n_keys = n_queries if n_keys is None else n_keys
    allowed = torch.ones(n_queries, n_keys, dtype=torch.bool, device=device)
    return allowed.tril(diagonal=n_keys - n_queries)  # (T, S)


def attention_scores(q: Tensor, k: Tensor, scale: float | None = None) -> Tensor:
    """Dot product of each query with each key, (B, nh, T, S), times `scale`.

    The default scale 1/sqrt(hs) keeps the variance of the scores near 1 at any head size.
    """
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    return q @ k.transpose(-2, -1) * scale  # (B, nh, T, hs) @ (B, nh, hs, S) -> (B, nh, T, S)


def mask_scores(scores: Tensor) -> Tensor:
    """The scores with minus infinity where the key lies in the query's future.

    It must come before the softmax: e^-inf is 0, and each row still sums to one.
    """
    n_queries, n_keys = scores.shape[-2:]
    allowed = causal_mask(n_queries, n_keys, device=scores.device)  # (T, S)
    return scores.masked_fill(~allowed, -math.inf)


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    causal: bool = True,
    scale: float | None = None,
    dropout_p: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention in the open: softmax(q k^T / sqrt(hs)) v.

    Args:
        q: queries (B, nh, T, hs). k, v: keys and values (B, nh, S, hs).
        causal: hide the future. scale: in place of 1/sqrt(hs).
        dropout_p: share of weights dropped; the caller passes 0 outside training.

    Returns:
        the output (B, nh, T, hs) and the weights (B, nh, T, S), whose rows sum to one.
    """
    scores = attention_scores(q, k, scale)  # (B, nh, T, S)
    if causal:
        scores = mask_scores(scores)
    weights = F.softmax(scores, dim=-1)
    return F.dropout(weights, dropout_p) @ v, weights  # (B, nh, T, S) @ (B, nh, S, hs)


def fast_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    causal: bool = True,
    scale: float | None = None,
    dropout_p: float = 0.0,
) -> Tensor:
    """The output of `attention`, same arguments, without ever holding the (T, S) weights.

    PyTorch's fused kernel (FlashAttention, Dao et al. 2022, where the device has it).
    """
    if is_transformed():  # the fused kernel has no rule for some of them
        return attention(q, k, v, causal=causal, scale=scale, dropout_p=dropout_p)[0]
    n_queries, n_keys = q.shape[-2], k.shape[-2]
    mask, is_causal = None, False
    if n_queries == n_keys:  # a branch: a trace and a compiler have sizes that are no numbers
        is_causal = causal
    elif causal and n_queries > 1:  # one query after a cache sees every key
        mask = causal_mask(n_queries, n_keys, device=q.device)
    return F.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, is_causal=is_causal, scale=scale, dropout_p=dropout_p
    )


def split_heads(x: Tensor, n_head: int) -> Tensor:
    """(B, T, C) -> (B, nh, T, hs): head h gets channels h*hs to (h+1)*hs of every token."""
    b, t, c = x.shape
    return x.view(b, t, n_head, c // n_head).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """(B, nh, T, hs) -> (B, T, C): the heads side by side again."""
    return x.transpose(1, 2).flatten(-2)


class LayerCache:
    """The keys and values of one layer for the tokens read so far, in room set aside once.

    room: (2, B, nh, block_size, hs), keys and values; what it holds does not matter.
    """

    def __init__(self, room: Tensor) -> None:
        self.k, self.v = room.unbind(0)  # (B, nh, block_size, hs)
        self.length = 0

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Add k, v (B, nh, T, hs) of T new tokens; return those of all S tokens."""
        start, self.length = self.length, self.length + k.shape[-2]
        self.k[:, :, start : self.length] = k
        self.v[:, :, start : self.length] = v
        return self.k[:, :, : self.length], self.v[:, :, : self.length]  # (B, nh, S, hs)


class CausalSelfAttention(nn.Module):
    """`attn`: queries, keys and values from one matrix, attention in heads, output projection."""

    causal = True

    def __init__(self, n_embd: int, n_head: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.n_head = n_head
        self.scale = 1 / math.sqrt(n_embd // n_head)
        self.dropout = dropout
        self.c_attn = Linear(n_embd, 3 * n_embd)
        self.c_proj = Linear(n_embd, n_embd)

    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x (B, T, C) -> queries, keys, values, (B, nh, T, hs) each."""
        q, k, v = self.c_attn(x).chunk(3, dim=-1)  # (B, T, C) each
        return split_heads(q, self.n_head), split_heads(k, self.n_head), split_heads(v, self.n_head)

    def forward(self, x: Tensor, cache: LayerCache | None = None) -> Tensor:
        """x (B, T, C) -> (B, T, C). With a cache, x holds only the new tokens."""
        q, k, v = self.qkv(x)
        if cache is not None:
            k, v = cache.append(k, v)  # (B, nh, S, hs)
        dropout_p = self.dropout if self.training else 0.0  # the function itself cannot know
        y = fast_attention(q, k, v, causal=self.causal, scale=self.scale, dropout_p=dropout_p)
        return F.dropout(self.c_proj(merge_heads(y)), dropout_p)  # (B, T, C)
