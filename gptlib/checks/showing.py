"""Values as a student reads them: on paper's scale, and with the differing place marked."""

import reprlib
from collections.abc import Sequence
from itertools import islice

import numpy as np
import torch

from .reading import Numbers

LONGEST = 100  # letters on a line
MOST_NUMBERS = 24  # of a larger result only the row is shown that differs first
MOST_IN_A_ROW = 10
DIGITS = range(3, 13)  # after the point: as few as tell two numbers apart


class _Repr(reprlib.Repr):
    """Values on one line: what is long loses its middle, and no repr of a student's fails."""

    def repr1(self, value: object, level: int) -> str:
        if isinstance(value, Numbers):
            return array_shown(value.array)
        return super().repr1(value, level)

    def repr_dict(self, value: dict, level: int) -> str:
        """In the order it has, where reprlib sorts."""
        if level <= 0 and value:
            return "{...}"
        pairs = islice(value.items(), self.maxdict)
        held = [f"{self.repr1(k, level - 1)}: {self.repr1(v, level - 1)}" for k, v in pairs]
        return f"{{{', '.join(held + ['...'] * (len(value) > self.maxdict))}}}"

    def repr_float(self, value: float, level: int) -> str:
        return short(value)

    def repr_Tensor(self, value: torch.Tensor, level: int) -> str:
        try:
            return array_shown(Numbers(value).array)
        except ValueError:
            return f"<a tensor of shape {tuple(value.shape)}>"

    def repr_ndarray(self, value: np.ndarray, level: int) -> str:
        return self.repr_Tensor(torch.from_numpy(value), level)

    def repr_instance(self, value: object, level: int) -> str:
        try:
            return cut(" ".join(repr(value).split()), self.maxother)
        except Exception:  # its own repr fails
            return f"<{type(value).__name__}>"


def shown(value: object, longest: int = LONGEST) -> str:
    """A value as Python writes it, on one line, with its middle left out where it is long."""
    found = _Repr()
    found.maxlist = found.maxtuple = found.maxdict = found.maxset = max(14, longest // 8)
    found.maxstring = found.maxother = found.maxlong = max(longest, 40)
    found.maxlevel = 8
    try:
        return found.repr(value)
    except Exception:  # a list or a dict with a method that fails
        return f"<{type(value).__name__}>"


def cut(text: str, longest: int) -> str:
    """A text without its middle where it is longer."""
    half = (longest - 3) // 2
    return text if len(text) <= longest else f"{text[:half]}...{text[-half:]}"


def figure(value: float, digits: int = 3) -> str:
    """A number with few digits: 2, -0.511, 1.5e-07, -inf; whole ones without a point."""
    if not np.isfinite(value):
        return str(float(value))
    if value == round(value) and abs(value) < 1e6:
        return str(int(value))
    if abs(value) >= 1e6 or abs(value) < 0.5 * 10**-digits:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{digits}f}"


def short(value: float, digits: int = 3) -> str:
    """A number alone, without zeros at its end: 0.5, 1.001."""
    found = figure(value, digits)
    return found.rstrip("0").rstrip(".") if "." in found and "e" not in found else found


def array_shown(array: np.ndarray) -> str:
    """All numbers of a small array, or the shape and the first few of a large one."""
    if array.size > MOST_NUMBERS:
        first = ", ".join(short(x) for x in array.ravel()[:4].tolist())
        return f"<shape {tuple(array.shape)}: {first}, ...>"
    if array.size == 0:
        return "[]" if array.ndim < 2 else f"<empty, shape {tuple(array.shape)}>"
    return nested(array, short)


def nested(array: np.ndarray, write) -> str:
    """An array in brackets, as nested lists."""
    if array.ndim == 0:
        item = array.item()
        return str(item) if isinstance(item, bool) else write(item)
    return f"[{', '.join(nested(part, write) for part in array)}]"


# ---- Two values under each other ----


def side_by_side(got: object, want: object) -> tuple[str, str, str]:
    """(what came, what should have come, marks under the places that differ)."""
    if isinstance(got, list) and isinstance(want, list) and len(got) == len(want) > 0:
        if all(isinstance(x, int) and abs(x) < 2**53 for x in (*got, *want)):
            got, want = Numbers(got), Numbers(want)
    if isinstance(got, Numbers) and isinstance(want, Numbers):
        if got.array.shape == want.array.shape:
            return _numbers(got, want)
        a, b = array_shown(got.array), array_shown(want.array)
        if a == b:
            a, b = f"{a}, shape {got.array.shape}", f"{b}, shape {want.array.shape}"
        return a, b, ""
    return _texts(shown(got), shown(want))


def _numbers(got: Numbers, want: Numbers) -> tuple[str, str, str]:
    a, b, wrong = got.array, want.array, ~np.asarray(got.near(want))
    if not wrong.any():
        return array_shown(a), array_shown(b), ""
    digits = next((d for d in DIGITS if _differ(a, b, wrong, d)), DIGITS[-1])
    place = ""
    if a.size > MOST_NUMBERS and a.ndim > 0:
        first = tuple(int(axis[0]) for axis in np.nonzero(wrong))
        start = max(0, min(first[-1] - 2, a.shape[-1] - MOST_IN_A_ROW))
        end = min(start + MOST_IN_A_ROW, a.shape[-1])
        place = f"[{', '.join(map(str, first[:-1]))}{', ' if a.ndim > 1 else ''}{start}:{end}] = "
        a, b, wrong = (x[first[:-1]][start:end] for x in (a, b, wrong))
    written = [(figure(x, digits), figure(y, digits)) for x, y in zip(a.flat, b.flat)]
    widths = [max(map(len, pair)) for pair in written]
    lines = [iter([pair[k].rjust(w) for pair, w in zip(written, widths)]) for k in (0, 1)]
    top, below = (
        place + nested(x, lambda _, line=line: next(line)) for x, line in zip((a, b), lines)
    )
    marks = iter(["^" * w if bad else " " * w for bad, w in zip(wrong.flat, widths)])
    under = nested(wrong.astype(int), lambda _: next(marks))
    under = "".join(c if c == "^" else " " for c in under)
    return top, below, (" " * len(place) + under).rstrip()


def _differ(a: np.ndarray, b: np.ndarray, wrong: np.ndarray, digits: int) -> bool:
    pairs = list(zip(a[wrong].flat, b[wrong].flat))[:MOST_NUMBERS]
    return all(float(figure(x, digits)) != float(figure(y, digits)) for x, y in pairs)


def _texts(got: str, want: str) -> tuple[str, str, str]:
    if got == want:
        return got, want, ""
    pairs = enumerate(zip(got, want))
    place = next((k for k, (a, b) in pairs if a != b), min(len(got), len(want)))
    start = max(0, place - LONGEST // 2) if max(len(got), len(want)) > LONGEST else 0
    got, want = (_window(text, start) for text in (got, want))
    return got, want, " " * (place - start + 3 * (start > 0)) + "^"


def _window(text: str, start: int) -> str:
    """LONGEST letters from a place on, with dots where something is left out."""
    more = "..." if len(text) > start + LONGEST else ""
    return f"{'...' if start else ''}{text[start : start + LONGEST]}{more}"


def rows_of(array: np.ndarray) -> Sequence[tuple[str, np.ndarray]]:
    """("row 2", its numbers) of an array (..., V): rows counted from 1 as one reads them."""
    if array.ndim < 2:
        return [("the result", array)]
    if array.ndim == 2:
        return [(f"row {k + 1}", row) for k, row in enumerate(array)]
    places = np.ndindex(array.shape[:-1])
    return [(f"row [{', '.join(map(str, place))}]", array[place]) for place in places]
