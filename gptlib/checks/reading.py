"""Reading results: the same answer in another form is the same answer.

A reader brings a result into one form, or raises a ValueError that says what was expected.
"""

import numbers as kinds
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
import torch

A_TENSOR = "a tensor (or array, or list of numbers) was expected"
MOST = 1_000_000  # numbers of one result
ROUNDING = 1e-4  # of each number, by which right answers may differ; more in narrower kinds:
NARROW = {torch.bfloat16: 2e-2, torch.float16: 4e-3}
NEAR_ZERO = 0.1  # of that, for numbers whose right value is nearly 0


class Numbers:
    """An array that equals another of the same shape when the values agree but for rounding.

    Where there are no numbers, the shape does not count: a list loses it.
    """

    def __init__(self, value: object) -> None:
        self.array, self.rounding = _array(value)

    def near(self, other: "Numbers") -> np.ndarray:
        """Where the numbers agree; both of the same shape."""
        a, b = self.array.astype(float), other.array.astype(float)
        rounding = max(self.rounding, other.rounding)
        return np.isclose(a, b, rtol=rounding, atol=NEAR_ZERO * rounding, equal_nan=True)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Numbers):
            return False
        if self.array.size == other.array.size == 0:
            return True
        return self.array.shape == other.array.shape and bool(self.near(other).all())

    __hash__ = None

    def __repr__(self) -> str:
        return f"Numbers({self.array.tolist()})"


def numbers(value: object) -> Numbers:
    """Numbers from a list, a tuple, an array, a tensor, a generator or one number; also bools."""
    return Numbers(value)


def one_number(value: object) -> Numbers:
    """One number, in whatever it comes: 0.5, tensor(0.5), tensor([0.5])."""
    found = Numbers(value)
    if found.array.size != 1:
        raise ValueError(f"one number was expected, not shape {found.array.shape}")
    found.array = found.array.reshape(())
    return found


def whole_number(value: object) -> int:
    """One whole number: 3, 3.0, tensor(3)."""
    value = value.tolist() if hasattr(value, "tolist") else value
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole:
        raise ValueError("a whole number was expected")
    return int(value)


def ids(value: object) -> list[int]:
    """Whole numbers, of any size, from a list, a tuple, an array, a tensor."""
    if isinstance(value, torch.Tensor | np.ndarray):
        value = Numbers(value).array.tolist()
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise ValueError("a list of ids was expected")
    found = [item.item() if isinstance(item, torch.Tensor | np.generic) else item for item in value]
    if not all(isinstance(item, int) and not isinstance(item, bool) for item in found):
        raise ValueError("each id must be a whole number")
    return [int(item) for item in found]


def text(value: object) -> str:
    """Text."""
    if not isinstance(value, str):
        raise ValueError("text (a str) was expected")
    return str.__str__(value)


def _array(value: object, depth: int = 0) -> tuple[np.ndarray, float]:
    """(the numbers, by how much they may be rounded)."""
    if isinstance(value, torch.Tensor):
        return _of_tensor(value), NARROW.get(value.dtype, _rounding(value))
    if isinstance(value, kinds.Number) and not isinstance(value, np.generic):
        return np.asarray(_real(value)), ROUNDING
    if isinstance(value, str | bytes | Mapping) or value is None or depth > 16:
        raise ValueError(A_TENSOR)
    if isinstance(value, np.ndarray | np.generic) or hasattr(value, "__array__"):
        found = np.asarray(value)
        narrow = NARROW[torch.float16] if found.dtype == np.float16 else ROUNDING
        return _of_array(found), narrow
    if not isinstance(value, Iterable):
        raise ValueError(A_TENSOR)
    items = list(islice(value, MOST)) if isinstance(value, Iterator) else list(value)
    if items and all(type(item) in (int, float, bool) for item in items):
        return np.asarray([_real(item) for item in items]), ROUNDING
    parts = [_array(item, depth + 1) for item in items]
    if len({part.shape for part, _ in parts}) > 1:
        raise ValueError("the rows do not all have the same length")
    arrays = [part for part, _ in parts]
    return np.stack(arrays) if arrays else np.zeros(0), max((r for _, r in parts), default=ROUNDING)


def _rounding(value: torch.Tensor) -> float:
    if value.is_quantized:
        return 0.1
    eps = torch.finfo(value.dtype).eps if value.is_floating_point() else 0
    return max(ROUNDING, 2 * eps)


def _of_tensor(value: torch.Tensor) -> np.ndarray:
    if value.is_meta:
        raise ValueError("it is on the device 'meta', where tensors have no numbers")
    if value.is_complex():
        raise ValueError("it holds complex numbers; real ones were expected")
    value = value.detach()
    try:
        if value.is_nested:
            value = torch.stack([part.detach() for part in value.unbind()])
        if value.layout != torch.strided:
            value = value.to_dense()
        if value.is_quantized:
            value = value.dequantize()
        value = value.cpu()
        return (value.double() if value.is_floating_point() else value).numpy()
    except RuntimeError:
        raise ValueError("the rows do not all have the same length") from None


def _of_array(value: np.ndarray) -> np.ndarray:
    if value.dtype == object:
        parts = [_real(item) for item in value.ravel().tolist()]
        return np.asarray(parts, dtype=float).reshape(value.shape)
    if value.dtype.kind not in "bifu":
        raise ValueError(A_TENSOR)
    return value.astype(float) if value.dtype.kind == "f" else value


def _real(value: object) -> int | float:
    """A number as NumPy holds it: one too large for a float is infinite."""
    if isinstance(value, bool | int) and -(2**63) <= value < 2**63:
        return value
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
    except TypeError:
        raise ValueError(A_TENSOR) from None
