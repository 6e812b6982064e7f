"""y = x W^T + b, the multiplication that a GPT spends its time in: the plain way and the fast ones.

PyTorch hands float32 on a CPU to MKL. On some processors MKL leaves the widest instructions alone
and multiplies a matrix by a single vector on one core; oneDNN, which PyTorch has too, does neither.
So `fast_linear` asks oneDNN by name, but where `scale.kernels` has measured that MKL is sooner. A
test holds the two equal, gradients too. A long run may also multiply in bfloat16, which has three
digits: processors that have instructions for it do so at twice the pace.

Axes: ... any leading axes, I input channels, O output channels.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .cards import needs_padding, padded_linear
from .tracing import is_traced

# oneDNN prepares a kernel for each number of rows that it meets, and takes longer to be called. Few
# rows times a small matrix are done sooner than that. Many rows are, where MKL uses all that the
# processor has; that was measured, or else it is oneDNN.
MANY_ROWS = 128
many_rows_by_onednn = True
LARGE = 2**18  # numbers in a matrix

# Whether this processor multiplies bfloat16 by instructions of its own. Asked once: a compiler then
# finds a constant, and no question that it cannot put into a graph.
CPU_HAS_BF16 = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()

Sizes = tuple[int, int, int]  # of a product: rows, O, I
preferred: dict[Sizes, bool] = {}  # what was measured here: whether oneDNN is the faster one
_rounded: ContextVar[frozenset[Sizes]] = ContextVar("rounded", default=frozenset())


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Each row of channels times the matrix, (..., I) -> (..., O). weight (O, I), bias (O,).

    >>> linear(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0], [5.0, 6.0]])).tolist()
    [[11.0, 17.0]]
    """
    return F.linear(x, weight, bias)


def fast_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The output of `linear`, same arguments: padded or by oneDNN, where that is the faster one.

    And rounded, inside `rounding` and for its sizes.
    """
    if needs_padding(x, weight):
        return padded_linear(x, weight, bias)
    if not _for_a_choice(x, weight):
        return linear(x, weight, bias)
    sizes = x.numel() // x.shape[-1], *weight.shape
    if sizes in _rounded.get():
        return by_bfloat16(x, weight, bias)
    return (by_onednn if is_sooner(*sizes) else linear)(x, weight, bias)


def by_onednn(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The output of `linear`, same arguments, by oneDNN."""
    if torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad):
        return _OneDNN.apply(x, weight, bias)
    return _product(x, weight, bias)


def by_bfloat16(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The output of `linear` to three digits, same arguments, float32: products in bfloat16."""
    return _BFloat16.apply(x, weight, bias)


@contextmanager
def rounding(sizes: frozenset[Sizes]) -> Iterator[None]:
    """Inside, products of these sizes are `by_bfloat16` in this thread."""
    token = _rounded.set(sizes)
    try:
        yield
    finally:
        _rounded.reset(token)


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


def _for_a_choice(x: Tensor, weight: Tensor) -> bool:
    """Whether there is one: float32 on a CPU. Under autocast PyTorch chooses by itself."""
    if is_traced() or torch.is_autocast_enabled("cpu"):
        return False
    if x.dtype != torch.float32 or weight.dtype != torch.float32 or not has_onednn():
        return False
    if x.device.type != "cpu" or weight.device.type != "cpu" or x.ndim < 2:
        return False
    return x.numel() > 0 and x.shape[-1] == weight.shape[1]  # what does not fit is PyTorch's error


def is_sooner(rows: int, n_out: int, n_in: int) -> bool:
    """Whether oneDNN is the faster one: as it was measured, or else as it is usual."""
    found = preferred.get((rows, n_out, n_in))
    return is_usual(rows, n_out, n_in) if found is None else found


def is_usual(rows: int, n_out: int, n_in: int) -> bool:
    """Whether oneDNN is asked where these sizes were not measured."""
    return many_rows_by_onednn if rows >= MANY_ROWS else n_out * n_in >= LARGE


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


class _BFloat16(torch.autograd.Function):
    """The same by three products of bfloat16, each rounded once; sums over rows stay float32."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.leading = x.shape[:-1]
        rows, weight = x.flatten(0, -2).bfloat16(), weight.bfloat16()  # (N, I), (O, I)
        ctx.save_for_backward(rows, weight)
        y = linear(rows, weight)
        y = y.float() if bias is None else y + bias  # (N, O), float32
        return y.unflatten(0, ctx.leading)

    @staticmethod
    def backward(ctx, grad: Tensor):
        rows, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        grad = grad.flatten(0, -2)  # (N, O)
        rounded = grad.bfloat16()
        return (
            (rounded @ weight).float().unflatten(0, ctx.leading) if needs_x else None,
            (rounded.t() @ rows).float() if needs_weight else None,  # (O, N) (N, I) -> (O, I)
            grad.sum(0) if needs_bias else None,  # (O,)
        )
