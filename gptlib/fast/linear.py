"""y = x W^T + b, the multiplication that a GPT spends its time in: the plain way and the fast one.

PyTorch hands float32 on a CPU to MKL. On some processors MKL leaves the widest instructions alone
and multiplies a matrix by a single vector on one core; oneDNN, which PyTorch has too, does neither.
So `fast_linear` asks oneDNN by name, but where `scale.kernels` has measured that MKL is sooner. A
test holds the two equal, gradients too.

Axes: ... any leading axes, I input channels, O output channels.
"""

from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .cards import needs_padding, padded_linear
from .tracing import is_traced

# oneDNN prepares a kernel for each number of rows that it meets, and takes longer to be called. Few
# rows times a small matrix are done sooner than that.
MANY_ROWS = 128
LARGE = 2**18  # numbers in a matrix

# What was measured here: whether oneDNN is the faster one for (rows, O, I).
preferred: dict[tuple[int, int, int], bool] = {}


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Each row of channels times the matrix, (..., I) -> (..., O). weight (O, I), bias (O,).

    >>> linear(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0], [5.0, 6.0]])).tolist()
    [[11.0, 17.0]]
    """
    return F.linear(x, weight, bias)


def fast_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The output of `linear`, same arguments: padded or by oneDNN, where that is the faster one."""
    if needs_padding(x, weight):
        return padded_linear(x, weight, bias)
    if not _for_onednn(x, weight):
        return linear(x, weight, bias)
    return by_onednn(x, weight, bias)


def by_onednn(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The output of `linear`, same arguments, by oneDNN."""
    if torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad):
        return _OneDNN.apply(x, weight, bias)
    return _product(x, weight, bias)


class Linear(nn.Linear):
    """`nn.Linear` by `fast_linear`: the same weights under the same names."""

    def forward(self, x: Tensor) -> Tensor:
        """x (..., I) -> (..., O)."""
        return fast_linear(x, self.weight, self.bias)

    def for_few_rows(self) -> Callable[[Tensor], Tensor]:
        """A function of a few rows, (B, I) -> (B, O), that need not choose at each call.

        It reads the layer's own weights, so that it sees what training does to them.
        """
        weight, bias = self.weight, self.bias
        if weight.device.type == "cpu" and is_sooner(1, *weight.shape) and has_onednn():
            return self.forward
        return lambda x: F.linear(x, weight, bias)


def _for_onednn(x: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN can do it and does it faster. Under autocast PyTorch chooses by itself."""
    if is_traced() or torch.is_autocast_enabled("cpu"):
        return False
    if x.dtype != torch.float32 or weight.dtype != torch.float32 or not has_onednn():
        return False
    if x.device.type != "cpu" or weight.device.type != "cpu" or x.ndim < 2:
        return False
    rows = x.numel() // x.shape[-1] if x.shape[-1] == weight.shape[1] else 0  # 0: let it be refused
    return rows > 0 and is_sooner(rows, *weight.shape)


def is_sooner(rows: int, n_out: int, n_in: int) -> bool:
    """Whether oneDNN is the faster one: as it was measured, or else as it is usual."""
    found = preferred.get((rows, n_out, n_in))
    return is_usual(rows, n_out, n_in) if found is None else found


def is_usual(rows: int, n_out: int, n_in: int) -> bool:
    """Whether oneDNN is asked where nothing was measured."""
    return rows >= MANY_ROWS or n_out * n_in >= LARGE


@cache
def has_onednn() -> bool:
    """Whether this PyTorch has oneDNN beside MKL, and the operation by which to ask for it."""
    if not (torch.backends.mkldnn.is_available() and torch.backends.mkl.is_available()):
        return False
    try:  # not a public name: another PyTorch may call it otherwise, or want other arguments
        one = torch.ones(1)
        return _product(one[None], one[None], one).item() == 2
    except (AttributeError, RuntimeError, TypeError):
        return False


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


class _OneDNN(torch.autograd.Function):
    """Forward and backward of a linear layer, three products, all by oneDNN."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    def backward(ctx, grad: Tensor):
        x, weight = ctx.saved_tensors
        # A gradient that is to be differentiated again needs an operation that can be.
        product = linear if torch.is_grad_enabled() else _product
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        # Of a sum the gradient is one number in the place of many, which oneDNN reads very slowly.
        grad = grad.contiguous()
        rows, grad_rows = x.flatten(0, -2), grad.flatten(0, -2)  # (N, I), (N, O)
        grad_weight = None
        if needs_weight and len(weight) < weight.shape[1]:
            grad_weight = product(grad_rows.t(), rows.t(), None)  # (O, N) (N, I) -> (O, I)
        elif needs_weight:  # turned, since oneDNN first copies what stands first: the narrower one
            grad_weight = product(rows.t(), grad_rows.t(), None).t().contiguous()  # of (I, O)
        return (
            product(grad, weight.t(), None) if needs_x else None,  # (..., O) (O, I) -> (..., I)
            grad_weight,
            grad_rows.sum(0) if needs_bias else None,  # (O,)
        )
