"""Properties that exercises of several lessons share. Results are arrays, the last axis a row.

Each gives a Property: a sentence of the lesson, and what is seen where it does not hold.
"""

from collections.abc import Callable

import numpy as np

from .exercise import Property
from .showing import figure, rows_of, short

NEAR = 2e-2  # what two roundings may differ by where a result comes in bfloat16
SURE = 1e-3  # a sum that is off by more is no rounding of float32


def shape(words: str, of: Callable[..., tuple]) -> Property:
    """`of(*given)` is the shape that a result has."""

    def seen(given: tuple, value: np.ndarray) -> str | None:
        want = tuple(of(*given))
        if value.size == 0 and 0 in want or value.shape == want:
            return None
        if value.ndim == 0:
            return f"you give back one number, and shape {want} was expected"
        return f"the shape is {value.shape}, and {want} was expected"

    return Property(words, seen)


NAN = 'nan is "not a number": 0 by 0, infinity by infinity, infinity minus infinity.'


def no_nan(words: str = NAN) -> Property:
    """No number is nan."""
    return Property(words, lambda given, value: _place(np.isnan(value), "nan"))


def no_infinity(words: str) -> Property:
    """No number is infinite."""
    return Property(words, lambda given, value: _place(np.isinf(value), "an infinite number"))


def not_below_zero(words: str = "A probability is never below 0.") -> Property:
    """No number is below 0, but for rounding."""

    def seen(given: tuple, value: np.ndarray) -> str | None:
        for name, row in rows_of(value):
            if row.size and row.min() < -SURE:
                return f"{name} has {short(row.min())}"
        return None

    return Property(words, seen)


def sums_to_one(words: str = "Each row is one distribution: it sums to 1.") -> Property:
    """Each row sums to one."""

    def seen(given: tuple, value: np.ndarray) -> str | None:
        for name, row in rows_of(value):
            if row.size and abs(row.sum() - 1) > SURE:
                return f"{name} sums to {unlike(row.sum(), 1)}"
        return None

    return Property(words, seen)


def in_turn(first: Callable[..., tuple[str, str] | None], *words: str) -> tuple[Property, ...]:
    """`first(given, value)` is (the words of the first that fails, what is seen), or None."""

    def of(its: str) -> Property:
        def seen(given: tuple, value: object) -> str | None:
            found = first(given, value)
            return found[1] if found and found[0] == its else None

        return Property(its, seen)

    return tuple(map(of, words))


def unlike(number: float, other: float) -> str:
    """A number with so many digits that it does not look like another: 1.0004, and not 1.000."""
    for digits in range(2, 12):
        if float(figure(number, digits)) != float(figure(other, digits)):
            return figure(number, digits)
    return figure(number, 12)


def _place(found: np.ndarray, what: str) -> str | None:
    for name, row in rows_of(found):
        if row.any():
            return f"{name} has {what}"
    return None
