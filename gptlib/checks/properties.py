"""Properties that exercises of several lessons share. Results are arrays, the last axis a row.

Each gives a Property: a sentence of the lesson, and what is seen where it does not hold.
"""

import re
from collections.abc import Callable

import numpy as np

from .exercise import Property
from .reading import Numbers
from .showing import figure, rows_of, short, side_by_side

SURE = 1e-3  # a sum that is off by more is no rounding of float32
FINE = 2e-4  # by which two numbers differ that are computed in the same way, and not only rounded


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


def sums_to(total: float, words: str, of=lambda row: row, what: str = "{} sums to") -> Property:
    """Each row, or what `of(row)` makes of it, has this sum."""

    def seen(given: tuple, value: np.ndarray) -> str | None:
        for name, row in rows_of(value):
            with np.errstate(all="ignore"):
                found = of(row).sum()
            if row.size and not abs(found - total) <= SURE:
                return f"{what.format(name)} {unlike(found, total)}"
        return None

    return Property(words, seen)


def sums_to_one(words: str = "Each row is one distribution: it sums to 1.") -> Property:
    """Each row sums to one."""
    return sums_to(1, words)


def neighbours(
    words: str, got: str, of_result: Callable, of_given: Callable, rows=lambda x, *others: x
) -> Property:
    """Two neighbours in a row of the result go together as they should: their ratio, for example.

    Args:
        got: the observation, of {name}, the given {a} and {b}, what is {mine} and should be {its}.
        of_result: (p, q) -> what is compared.
        of_given: (a, b, *others) -> what it should be, from `rows(*given)`, the first argument, at
            these places, and from all other arguments; nan where nothing is compared.
    """

    def seen(given: tuple, value: np.ndarray) -> str | None:
        for (name, row), (_, its) in zip(rows_of(value), rows_of(rows(*given).numpy())):
            for p, q, a, b in zip(row, row[1:], its, its[1:]):
                with np.errstate(all="ignore"):
                    mine, want = of_result(p, q), of_given(a, b, *given[1:])
                if np.isfinite(want) and not np.isclose(mine, want, rtol=1e-2, atol=SURE):
                    numbers = {"mine": unlike(mine, want), "its": short(want)}
                    return got.format(name=name, a=short(a), b=short(b), **numbers)
        return None

    return Property(words, seen)


def odds(
    words: str, of_given: Callable, what: str = "logits {a} and {b} have probabilities", **rows
) -> Property:
    """Neighbours in a row have this ratio; the arguments are those of `neighbours`."""
    got = f"in {{name}}, the {what} in the ratio {{mine}} to 1, and it should be {{its}} to 1"
    return neighbours(words, got, lambda p, q: p / q, of_given, **rows)


def in_turn(first: Callable[..., tuple[str, str] | None], *words: str) -> tuple[Property, ...]:
    """`first(given, value)` is (the words of the first that fails, what is seen), or None."""

    def of(its: str) -> Property:
        def seen(given: tuple, value: object) -> str | None:
            found = first(given, value)
            return found[1] if found and found[0] == its else None

        return Property(its, seen)

    return tuple(map(of, words))


def unlike(number: float, other: float, digits: int = 2) -> str:
    """A number with so many digits that it does not look like another: 1.0004, and not 1.000."""
    for more in range(digits, 12):
        if float(figure(number, more)) != float(figure(other, more)):
            return figure(number, more)
    return figure(number, 12)


def _place(found: np.ndarray, what: str) -> str | None:
    for name, row in rows_of(found):
        if row.any():
            return f"{name} has {what}"
    return None


def first_unlike(mine: np.ndarray | None, its: np.ndarray) -> tuple[str, str, str] | None:
    """("row 2", what it is, what it is not): the first row in which two results differ.

    None where none does, and where the two cannot be compared: a function failed, or the shapes
    are not the same.
    """
    if mine is None or mine.shape != its.shape:
        return None
    for (name, a), (_, b) in zip(rows_of(mine), rows_of(its)):
        if not np.allclose(a, b, rtol=FINE, atol=FINE, equal_nan=True):
            pair = side_by_side(*((Numbers(row if row.size > 1 else row.sum())) for row in (a, b)))
            return name, *(re.sub(r"\[ +", "[", " ".join(line.split())) for line in pair[:2])
    return None


def on_other_input(
    words: str,
    when: str,
    other: Callable[..., tuple],
    want: Callable[..., np.ndarray] | None = None,
    part: Callable[..., np.ndarray] = lambda result, *given: result,
    what: str = "",
) -> Property:
    """What a function gives on another input follows from what it gives on this one.

    Args:
        when: what is different there: "with all values doubled". other: (*given) -> that input.
        want: (value, *given) -> the result there; if None, the same as here.
        part: (result, *given) -> what is compared of both results. what: "the mean of ", if it
        is not the rows themselves.
    """

    def seen(given: tuple, value: np.ndarray, ask: Callable) -> str | None:
        there = ask(*other(*given))
        if there is None:
            return None
        its = want(value, *given) if want else value
        found = first_unlike(part(there, *given), part(its, *given))
        if found is None:
            return None
        name, mine, its = found
        if want:
            return f"{when}, {what}{name} is {mine} and should be {its}"
        return f"{when}, {what}{name} changes from {its} to {mine}"

    return Property(words, seen, asks=True)
