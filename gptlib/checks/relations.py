"""How a wrong result is related to the right one, where no property says more.

What is said is so of these two results; it says nothing about the cause.
"""

import numpy as np

from .reading import Numbers
from .showing import short


def relation(got: object, want: object) -> str:
    """A clause such as "every number is 2 times what it should be"; "" if none is known."""
    if isinstance(got, Numbers) and isinstance(want, Numbers):
        return _of_numbers(got, want)
    if isinstance(got, list) and isinstance(want, list):
        if len(got) != len(want):
            return f"it has {len(got)} items, and {len(want)} were expected"
        place = next((k for k, (x, y) in enumerate(zip(got, want)) if x != y), 0)
        return f"item {place + 1} is the first that differs"
    if isinstance(got, str) and isinstance(want, str):
        return "only spaces differ" if got.split() == want.split() else ""
    return ""


def _of_numbers(got: Numbers, want: Numbers) -> str:
    a, b = got.array.astype(float), want.array.astype(float)
    if a.shape != b.shape:
        return f"its shape is {a.shape}, and {b.shape} was expected"
    odd = ~np.isfinite(a) & np.isfinite(b)
    if odd.any():
        return f"{int(odd.sum())} of {a.size} numbers are not finite"
    finite = np.isfinite(a) & np.isfinite(b)
    one_rule = _one_rule(a[finite], b[finite]) if finite.any() else ""
    return one_rule or _moved(a, b) or _which(np.asarray(got.near(want)))


def _one_rule(a: np.ndarray, b: np.ndarray) -> str:
    """One rule for all numbers, by which they come from the right ones."""
    them = "every number is" if a.size > 1 else "it is"
    if np.allclose(a, 0) and not np.allclose(b, 0):
        return f"{them} 0"
    if np.allclose(a, -b):
        return f"{them} minus what it should be"
    big = np.abs(b) > 1e-6
    if a.size > 1 and big.any() and np.allclose(a[~big], 0, atol=1e-5):
        factors = a[big] / b[big]
        if abs(factors[0] - 1) > 0.01 and np.allclose(factors, factors[0], rtol=1e-3):
            return f"every number is {short(factors[0])} times what it should be"
    off = (a - b)[0]
    if a.size > 1 and abs(off) > 1e-3 and np.allclose(a - b, off, rtol=1e-3, atol=1e-5):
        return f"every number is {short(abs(off))} too {'large' if off > 0 else 'small'}"
    return ""


def _moved(a: np.ndarray, b: np.ndarray) -> str:
    """The right numbers at other places."""
    if a.ndim >= 2 and a.shape[-1] == a.shape[-2] and np.allclose(a.swapaxes(-1, -2), b):
        return "rows and columns are exchanged"
    if a.size > 1 and np.allclose(np.sort(a, axis=None), np.sort(b, axis=None)):
        return "the numbers are right, but not all are at their places"
    return ""


def _which(near: np.ndarray) -> str:
    """Which rows are wrong, if some are right."""
    rows = near.all(axis=-1).reshape(-1) if near.ndim > 1 else near.reshape(-1)
    what, wrong = "row" if near.ndim > 1 else "number", np.flatnonzero(~rows) + 1
    if len(wrong) == len(rows):
        return ""
    if len(wrong) == 1:
        return f"only {what} {wrong[0]} of {len(rows)} is wrong"
    return f"{len(wrong)} of {len(rows)} {what}s are wrong, {what} {wrong[0]} first"
