"""Weights of eight bits: a quarter of the memory, and of the time that reading it takes.

A model that writes one token at a time reads every weight once for each, so it is as fast as memory
is. Each row of a matrix is stored as whole numbers from -127 to 127 and one scale, the largest
weight of the row over 127 (row-wise absmax, Dettmers et al. 2022, arXiv 2208.07339). Leaves out
quantised activations, and training.

Axes: ... any leading axes, I input channels, O output channels, V = vocab_size, C = n_embd.
"""

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..fast.linear import Linear
from ..formats.values import check_ids
from ..model import GPT

FEW_ROWS = 16  # up to here the int8 product is faster than the float one, weights made anew for it
AT_ONCE = 16  # channels that PyTorch's kernel reads at once; of fewer it would read beyond the end


def to_int8(weight: Tensor) -> tuple[Tensor, Tensor]:
    """A matrix (O, I) as int8 of the same shape and a scale for each row, (O,).

    >>> numbers, scale = to_int8(torch.tensor([[0.5, -1.27]]))
    >>> numbers.tolist(), round(scale.item(), 4)
    ([[50, -127]], 0.01)
    """
    scale = weight.abs().amax(1).clamp(min=torch.finfo(torch.float32).tiny) / 127  # (O,)
    return torch.round(weight / scale[:, None]).to(torch.int8).contiguous(), scale


def int8_linear(x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
    """`linear` with the weights that the whole numbers stand for: (..., I) -> (..., O)."""
    return F.linear(x, weight.to(x.dtype) * scale[:, None].to(x.dtype), bias)


def fast_int8_linear(
    x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor | None = None
) -> Tensor:
    """The output of `int8_linear`, same arguments, to the precision of bfloat16 (3 digits).

    The numbers are multiplied as they are read, on processors that have bfloat16; the weights as
    floats are never in memory. With many rows that would save nothing.
    """
    rows = x.numel() // max(x.shape[-1], 1)
    fits = x.device.type == "cpu" and rows <= FEW_ROWS and weight.shape[1] % AT_ONCE == 0
    if not fits or not hasattr(torch, "_weight_int8pack_mm"):  # not a public name, it may go
        return int8_linear(x, weight, scale, bias)
    y = torch._weight_int8pack_mm(x.reshape(rows, -1).bfloat16(), weight, scale.bfloat16())
    y = y.to(x.dtype).view(*x.shape[:-1], -1)
    return y if bias is None else y + bias


class Int8Linear(nn.Module):
    """A `Linear` with weights of eight bits."""

    int8: Tensor
    scale: Tensor
    bias: Tensor | None
    not_saved = "a model of eight bits cannot be saved: save the one that it was made from"

    def __init__(self, weight: Tensor, scale: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.register_buffer("int8", weight)  # (O, I)
        self.register_buffer("scale", scale)  # (O,)
        self.register_buffer("bias", bias)

    @property
    def weight(self) -> Tensor:
        """The weights that the numbers stand for, (O, I), worked out at each call."""
        return self.int8 * self.scale[:, None]

    def forward(self, x: Tensor) -> Tensor:
        """x (..., I) -> (..., O)."""
        return fast_int8_linear(x, self.int8, self.scale, self.bias)

    def for_few_rows(self) -> Callable[[Tensor], Tensor]:
        return self.forward


class Int8Embedding(nn.Module):
    """A `TokenEmbedding` with weights of eight bits."""

    int8: Tensor
    scale: Tensor

    def __init__(self, weight: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("int8", weight)  # (V, C)
        self.register_buffer("scale", scale)  # (V,)

    weight = Int8Linear.weight

    def forward(self, ids: Tensor) -> Tensor:
        """ids (B, T) -> vectors (B, T, C)."""
        check_ids(ids, self.int8.shape[0])
        return self.rows(ids.long())

    def rows(self, ids: Tensor) -> Tensor:
        """The rows of ids (...) that are known to be in the table, (..., C)."""
        return self.int8[ids] * self.scale[ids].unsqueeze(-1)


def quantize(model: GPT) -> GPT:
    """A copy of `model` for writing text, its matrices in eight bits; `model` stays as it is.

    Biases, layer norms and positions stay, in float32. `trace`, `generate` and `ablate` take such a
    model; it cannot be trained or saved: save the one that it was made from.

    Raises:
        ValueError: a matrix with NaN or infinity in it; names it.
    """
    table = _quantized(model.wte.weight, "wte")
    ready: dict[int, object] = {id(model.wte): Int8Embedding(*table)}
    for name, module in model.named_modules():
        if isinstance(module, Linear):
            numbers = (
                table if module.weight is model.wte.weight else _quantized(module.weight, name)
            )
            bias = None if module.bias is None else module.bias.detach().clone()
            ready[id(module)] = Int8Linear(*numbers, bias)
    small = copy.deepcopy(model, ready)  # takes what is ready, and copies only the rest
    return small.float().requires_grad_(False).eval()


def _quantized(weight: Tensor, name: str) -> tuple[Tensor, Tensor]:
    if not torch.isfinite(weight).all():
        raise ValueError(f"{name} has NaN or infinity among its weights")
    return to_int8(weight.detach().float())
