"""What a CUDA card does sooner when it is asked in another way; a test holds each to the plain way.

Axes: ... any leading axes, I input channels, O output channels, V = vocab_size.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

# Tensor cores read rows of 16 bytes at once, and their kernels come in tiles of 64 columns. GPT-2's
# 50,257 tokens fit neither, and PyTorch then takes a kernel that is much slower.
TILE = 64
LARGE = 2**20  # numbers in a matrix: to make a smaller one fit takes longer than it saves
MANY_ROWS = 128

WITH_BF16 = (8, 0)  # Ampere: older cards imitate bfloat16, and are then slower than in float32
LOGITS = 2**29  # scored at once, 2 GB: ten rows of GPT-2's, where 64 would take 13 GB, and copies


@cache
def has_bf16(device: torch.device) -> bool:
    """Whether the device is a card that multiplies bfloat16 by itself."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= WITH_BF16


def needs_padding(x: Tensor, weight: Tensor) -> bool:
    """Whether a card multiplies these sooner when the matrix has a few more rows."""
    if x.device.type != "cuda" or weight.shape[0] % TILE == 0 or weight.numel() < LARGE:
        return False
    return x.ndim >= 2 and x.shape[-1] == weight.shape[1] and _n_rows(x) >= MANY_ROWS


def padded_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The output of `linear`, same arguments: the matrix has rows of zeros up to a whole tile.

    Only inside the product. The weights stay as they are, and so does what is saved of them.
    """
    n_out = weight.shape[0]
    more = -n_out % TILE
    weight = F.pad(weight, (0, 0, 0, more))  # (O + more, I)
    bias = None if bias is None else F.pad(bias, (0, more))
    return F.linear(x, weight, bias)[..., :n_out]


def fused_nll(logits: Tensor, targets: Tensor) -> Tensor:
    """`nll` as PyTorch's one operation. logits (..., V) of any float type, targets (...) -> ().

    In float32 whatever the logits are. A compiler reads them as they are, so that float32 logits,
    the largest tensor of a training step, are never in memory.
    """
    return F.cross_entropy(logits.flatten(0, -2).float(), targets.flatten())


def in_parts(x: Tensor, y: Tensor, most: int, model: object) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows x, y (N, T) as parts of `most` rows, or of fewer whose logits fit into a card's memory.

    model: any; one that does not say how many tokens it knows is given `most`.
    """
    vocab_size = getattr(getattr(model, "config", None), "vocab_size", 0)
    size = min(most, max(1, LOGITS // max(1, x.shape[1] * vocab_size)))
    yield from zip(x.split(size), y.split(size), strict=True)


@contextmanager
def tensor_cores(device: torch.device) -> Iterator[None]:
    """Inside, a card multiplies float32 by its tensor cores (TF32), to three digits.

    The setting is the process's: of several threads inside, the last one puts it back.
    """
    if device.type != "cuda":
        yield
        return
    with _changing:
        _inside.append(_inside[0] if _inside else _precision())
        if _inside[0] is not None:
            torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        with _changing:
            before = _inside.pop()
            if before is not None and not _inside:
                torch.set_float32_matmul_precision(before)


_changing = threading.Lock()
_inside: list[str | None] = []  # for each thread inside, what was set before the first came


def _precision() -> str | None:
    """What is set; None where it was chosen by PyTorch's newer names, and is to stay.

    Those are `torch.backends.cuda.matmul.fp32_precision` and the like, and PyTorch refuses that
    both kinds are used.
    """
    with suppress(RuntimeError):
        return torch.get_float32_matmul_precision()
    return None


def to_card(tensor: Tensor, device: torch.device) -> Tensor:
    """`tensor` on the device; a card is sent it from memory that stays in place, without a wait."""
    if device.type != "cuda" or tensor.device.type != "cpu":  # only the CPU's memory is pinned
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def _n_rows(x: Tensor) -> int:
    return x.numel() // x.shape[-1]
