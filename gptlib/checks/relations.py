"""How a wrong result is related to the right one, where no property says more.

What is said is so of these two results; it says nothing about the cause.
"""

import numpy as np

from .reading import Numbers
from .showing import short


def relation(got: object, want: object) -> str:
    """A clause such as "every number is twice what it should be"; "" if none is known."""
    if isinstance(got, Numbers) and isinstance(want, Numbers):
        return _of_numbers(got, want)
    if isinstance(got, list) and isinstance(want, list):
        return _of_lists(got, want)
    if isinstance(got, dict) and isinstance(want, dict):
        return _of_dicts(got, want)
    if isinstance(got, str) and isinstance(want, str):
        return _of_texts(got, want)
    if type(got) is not type(want):
        return f"it is a {type(got).__name__} and should be a {type(want).__name__}"
    return ""


def _of_numbers(got: Numbers, want: Numbers) -> str:
    a, b = got.array.astype(float), want.array.astype(float)
    if a.shape != b.shape:
        return f"its shape is {_shape(a)}, and {_shape(b)} was expected"
    for kind, test in (("nan", np.isnan), ("infinite", np.isinf)):
        if (test(a) & ~test(b)).any():
            return f"{_share(test(a) & ~test(b))} {kind}"
    finite = np.isfinite(a) & np.isfinite(b)
    if not finite.any():
        return ""
    return _one_rule(a[finite], b[finite]) or _moved(a, b) or _which(got.near(want))


def _shape(array: np.ndarray) -> str:
    return "that of one number" if array.ndim == 0 else str(array.shape)


def _share(found: np.ndarray) -> str:
    n = int(found.sum())
    return f"{n} of {found.size} numbers {'is' if n == 1 else 'are'}" if found.size > 1 else "it is"


def _one_rule(a: np.ndarray, b: np.ndarray) -> str:
    """One rule for all numbers, by which they come from the right ones."""
    them = "every number is" if a.size > 1 else "it is"
    if np.allclose(a, 0) and not np.allclose(b, 0):
        return f"{them} 0"
    if np.allclose(a, -b):
        return f"the sign of {them.removesuffix(' is')} is turned round"
    if a.size > 1 and np.allclose(a, a.flat[0]) and not np.allclose(b, b.flat[0]):
        return f"all numbers are the same, {short(a.flat[0])}"
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
    if a.ndim >= 1 and len(a) > 1 and np.allclose(a[::-1], b):
        return "the order is turned round"
    if a.ndim >= 1 and np.allclose(np.sort(a, axis=None), np.sort(b, axis=None)):
        return "the numbers are right, but not all are at their places"
    return ""


def _which(near: np.ndarray) -> str:
    """Which rows are right, if some are."""
    if near.ndim == 0 or near.all(axis=-1).ndim == 0:
        right, what = near.reshape(-1), "number"
    else:
        right, what = near.all(axis=-1).reshape(-1), "row"
    if not right.any():
        return ""
    first = int(np.argmin(right)) + 1
    wrong = int((~right).sum())
    if wrong == 1:
        return f"only {what} {first} of {right.size} is wrong"
    return f"{wrong} of {right.size} {what}s are wrong, {what} {first} first"


def _of_lists(got: list, want: list) -> str:
    if len(got) != len(want):
        more = abs(len(got) - len(want))
        which = "too many" if len(got) > len(want) else "missing"
        return (
            f"{more} of its items {'is' if more == 1 else 'are'} {which}" if got else "it is empty"
        )
    if got == want[::-1]:
        return "the order is turned round"
    place = next((k for k, (x, y) in enumerate(zip(got, want)) if x != y), 0)
    return f"item {place + 1} is the first that differs"


def _of_dicts(got: dict, want: dict) -> str:
    missing = [key for key in want if key not in got]
    extra = [key for key in got if key not in want]
    if missing:
        return f"{missing[0]!r} is missing"
    if extra:
        return f"{extra[0]!r} does not belong there"
    wrong = [key for key in want if got[key] != want[key]]
    inner = relation(got[wrong[0]], want[wrong[0]])
    return f"{wrong[0]!r} is not right" + (f": {inner}" if inner else "")


def _of_texts(got: str, want: str) -> str:
    if not got:
        return "the text is empty"
    if got.strip() == want.strip():
        return "only spaces differ"
    if want.startswith(got):
        return "its end is missing"
    if want.endswith(got):
        return "its beginning is missing"
    if got.startswith(want):
        return "it goes on too long"
    return ""
