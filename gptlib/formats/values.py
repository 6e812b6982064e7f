"""Values from outside: whole numbers, real numbers and token ids, of whatever type they come.

A number may be Python's, NumPy's or a tensor of one element; ids may be any array or list of whole
numbers. Each is checked and turned into the plain type in this one place, so that every function
and every config takes the same values and refuses the others in the same words.
"""

import math
import operator
import reprlib
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

LARGEST = 2**63 - 1  # what int64 holds
LONGEST_REASON = 500  # characters that an error quotes of another one
# Types of ids that PyTorch cannot compare with the size of every vocabulary.
_NARROW = {torch.int8, torch.int16, torch.uint8, torch.uint16, torch.uint32, torch.uint64}

_shown = reprlib.Repr()
_shown.maxlong = _shown.maxstring = _shown.maxother = 60


def shown(value: object) -> str:
    """`value` on one line, short enough for an error message, whatever it is."""
    try:
        return " ".join(_shown.repr(value).split())
    except Exception:  # its own repr failed
        return f"<{type(value).__name__}>"


def text_of(error: object) -> str:
    """What an error says; "" where its own `__str__` fails."""
    try:
        return str(error)
    except Exception:
        return ""


def reason(error: BaseException) -> str:
    """What an error says, on one short line; its type where it says nothing."""
    words = " ".join(text_of(error).split())
    words = "".join(c if c.isprintable() else "?" for c in words[:LONGEST_REASON])
    return words or type(error).__name__


class Whole(NamedTuple):
    """A whole number from `least` to `most`, of a type for whole numbers: 3.0 is none."""

    least: int = 0
    most: int = LARGEST
    optional: bool = False  # None is a value too

    def read(self, name: str, value: Any) -> Any:
        """The number as an int. ValueError: it is not one, and what it must be."""
        if value is None and self.optional:
            return None
        number = _as_int(value)
        if number is None or not self.least <= number <= self.most:
            up_to = "" if self.most == LARGEST else f" and at most {self.most}"
            raise ValueError(
                f"{name} must be a whole number of {self.least} or more{up_to}, not {shown(value)}"
            )
        return number


class Real(NamedTuple):
    """A real number in [least, below)."""

    least: float = 0.0
    below: float = math.inf
    optional: bool = False

    def read(self, name: str, value: Any) -> Any:
        """The number as a float. ValueError: it is not one, and what it must be."""
        if value is None and self.optional:
            return None
        number = as_float(name, value)
        if not self.least <= number < self.below:
            raise ValueError(
                f"{name} must be in [{self.least:g}, {self.below:g}), not {shown(value)}"
            )
        return number


class Choice(NamedTuple):
    """One of a few values."""

    options: Collection
    optional: bool = False

    def read(self, name: str, value: Any) -> Any:
        """The value as it is. ValueError: it is none of the options, which are named."""
        if value is None and self.optional:
            return None
        if not any(type(value) is type(option) and value == option for option in self.options):
            options = " or ".join(map(repr, self.options))
            raise ValueError(f"{name} must be {options}, not {shown(value)}")
        return value


Rules = Mapping[str, Whole | Real | Choice]  # by the name of a config's field


def read_fields(config: object, rules: Rules) -> None:
    """Check each field of a frozen dataclass by its rule, and keep it as a plain number.

    Raises:
        ValueError: names the first field that breaks its rule, and what it may be.
    """
    for name, rule in rules.items():
        object.__setattr__(config, name, rule.read(name, getattr(config, name)))


def _as_int(value: object) -> int | None:
    """The whole number of any type that is one; None for everything else, True and 2.0 too."""
    if isinstance(value, bool | np.bool_) or _is_no_scalar(value):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except Exception:  # whatever a foreign type raises, it is not a whole number
        return None


def as_float(name: str, value: Any) -> float:
    """The real number of any type that is one: NumPy's, a tensor of one element, a fraction.

    Raises:
        ValueError: it is no number (text and booleans are none), or larger than a float can be.
    """
    not_a_number = f"{name} must be a number, not {shown(value)}"
    if isinstance(value, str | bytes | bool | np.bool_ | complex) or _is_no_scalar(value):
        raise ValueError(not_a_number)
    try:
        return float(value)
    except OverflowError:
        words = f"{name} must be a number that a float can hold, not {shown(value)}"
        raise ValueError(words) from None
    except Exception:  # whatever a foreign type raises
        raise ValueError(not_a_number) from None


def _is_no_scalar(value: object) -> bool:
    """Whether it is an array or a tensor of several numbers, or of True and False."""
    if isinstance(value, Tensor):
        return value.dtype == torch.bool or value.numel() != 1 or value.is_complex()
    return isinstance(value, np.ndarray) and (value.size != 1 or value.dtype.kind not in "iuf")


def as_ids(values: Any, what: str) -> Tensor:
    """Token ids, which errors call `what`, as a tensor: from a tensor, an array or a list.

    Raises:
        TypeError: they are text, or nothing that a tensor can hold.
    """
    if isinstance(values, str):
        raise TypeError(f"{what} must be token ids, not text: tokenizer.encode(text) gives them")
    if isinstance(values, np.ndarray) and values.dtype.kind == "u":
        values = values.astype(np.int64)  # PyTorch has few operations for unsigned numbers
    try:
        ids = torch.as_tensor(values)
    except (RuntimeError, TypeError, ValueError) as error:
        raise TypeError(f"{what} must be token ids: {error}") from error
    return ids.long() if ids.dtype in _NARROW else ids


def check_ids(ids: Tensor, vocab_size: int) -> None:
    """Refuse token ids that are outside the vocabulary.

    Raises:
        ValueError: names the first id outside 0..vocab_size-1.
        TypeError: the ids are not integers.
    """
    if ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool:
        raise TypeError(f"token ids must be whole numbers (int64), not {ids.dtype}")
    wrong = (ids < 0) | (ids >= vocab_size)
    if wrong.any():
        raise ValueError(f"token id {int(ids[wrong][0])} is outside 0..{vocab_size - 1}")
