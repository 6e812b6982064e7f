"""GELU with tanh, in training on a CPU: `feedforward.gelu` in few passes over the numbers.

PyTorch's own takes longer for its tanh than the layer's product does. x/2 (1 + tanh(u)) is
x sigmoid(2u), and of sigmoid it has a fast version. A test holds the two equal, gradients too.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .tracing import is_traced

MANY = 2**15  # numbers: for fewer, to start more operations takes longer than they save

# 2u = x (A + B x^2). As tensors, so that one operation takes a number as well as x.
A = torch.tensor(2 * math.sqrt(2 / math.pi))
B = 0.044715 * A.item()


def fast_gelu(x: Tensor) -> Tensor:
    """The output of `feedforward.gelu`, any shape."""
    if is_traced() or not _is_sooner(x):  # the first question first: a compiler has no numbers yet
        return F.gelu(x, approximate="tanh")
    return _GELU.apply(x)


def _is_sooner(x: Tensor) -> bool:
    if not (x.requires_grad and torch.is_grad_enabled()):
        return False
    return x.device.type == "cpu" and x.dtype == torch.float32 and x.numel() >= MANY


class _GELU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        s = torch.addcmul(A, x, x, value=B).mul_(x).sigmoid_()
        ctx.save_for_backward(x, s)
        return x * s

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        """Of x s, with s' = s (1 - s) (A + 3 B x^2): grad s (1 + (1 - s) x (A + 3 B x^2))."""
        x, s = ctx.saved_tensors
        if torch.is_grad_enabled():  # it is to be differentiated again
            y = F.gelu(x, approximate="tanh")
            return torch.autograd.grad(y, x, grad, create_graph=True)[0]
        slope = torch.addcmul(A, x, x, value=3 * B).mul_(x)
        slope = slope.addcmul_(slope, s, value=-1).add_(1)
        return slope.mul_(s).mul_(grad)
