"""What the pictures are given, checked and made printable: arrays, words, numbers.

Arrays may be torch tensors on any device, with or without gradients, numpy arrays or lists.
"""

import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.ft2font import FT2Font

LONGEST = 18  # characters of a token that are shown
SIGNS = {" ": "␣", "\n": "⏎", "\t": "⇥"}  # as Tokenizer.token_str shows them


def array(values, name: str, *axes: str) -> np.ndarray:
    """`values` as float64 with these axes; axes of the same letter must have the same size.

    >>> array(torch.ones(2, 2, requires_grad=True), "weights", "T", "T").shape
    (2, 2)

    Raises:
        ValueError: not numbers, NaN among them, nothing in it, or another shape.
    """
    if isinstance(values, torch.Tensor):
        values = values.detach().to("cpu", torch.float64).numpy()
    try:
        values = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers in {_shape(axes)}: {error}") from None
    sizes = dict(zip(axes, values.shape, strict=False))
    if values.ndim != len(axes) or values.shape != tuple(sizes[axis] for axis in axes):
        raise ValueError(f"{name} must have shape {_shape(axes)}, not {values.shape}")
    if values.size == 0:
        raise ValueError(f"{name} is empty: shape {values.shape}")
    if np.isnan(values).any():
        raise ValueError(f"{name} holds NaN")
    return values


def _shape(axes: Sequence[str]) -> str:
    return f"({', '.join(axes)}{',' if len(axes) == 1 else ''})"


def finite(values: np.ndarray, name: str) -> np.ndarray:
    """The same, with no infinity in it.

    Raises:
        ValueError: there is one.
    """
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite: found an infinity")
    return values


def words(
    tokens: Sequence[str], count: int, name: str = "tokens", *, space: str = "␣"
) -> list[str]:
    """`count` strings, made printable; in names that are no tokens a space stays a space.

    Raises:
        ValueError: another count, or not strings.
    """
    if isinstance(tokens, str) or not all(isinstance(token, str) for token in tokens):
        raise ValueError(f"{name} must be a list of strings, not {tokens!r:.60}")
    if len(tokens) != count:
        raise ValueError(f"{count} {name} are needed, one for each row, not {len(tokens)}")
    return [visible(token, space=space) for token in tokens]


def few(count: int, most: int, name: str) -> None:
    """Refuse a picture that nobody could read, before it takes minutes to draw.

    Raises:
        ValueError: more than `most`; says how many there are.
    """
    if count > most:
        raise ValueError(f"{name} has {count:,} rows, where {most} can be shown: choose some")


def index(value: int, count: int, name: str) -> int:
    """A place in 0..count-1; a negative one counts from the end, as in Python.

    Raises:
        ValueError: it is outside.
    """
    if isinstance(value, bool) or value != int(value) or not -count <= value < count:
        raise ValueError(f"{name} must be in 0..{count - 1}, not {value}")
    return int(value) % count


def distribution(probs: Mapping[str, float], name: str) -> dict[str, float]:
    """{word: probability}, made printable.

    Raises:
        ValueError: not a mapping, empty, a value outside 0..1, or a sum above 1.
    """
    if not isinstance(probs, Mapping) or not probs:
        raise ValueError(f"{name} must be {{word: probability}}, not {probs!r:.60}")
    values = array(list(probs.values()), name, "words")
    if (values < 0).any() or (values > 1 + 1e-6).any() or values.sum() > 1 + 1e-3:
        raise ValueError(f"{name} must hold probabilities in 0..1 with a sum of at most 1")
    return dict(zip(words(list(probs), len(values), name), values.tolist(), strict=True))


def visible(text: str, longest: int = LONGEST, space: str = "␣") -> str:
    """Text that prints as what it is: white space shown, what the font lacks in hexadecimal.

    >>> visible(" cat"), visible("a\\x00b"), visible("")
    ('␣cat', 'a<U+0000>b', '∅')
    """
    signs = SIGNS | {" ": space}
    shown = "".join(signs.get(c, c if _printable(c) else f"<U+{ord(c):04X}>") for c in text)
    if len(shown) > longest:
        return shown[: longest - 1] + "…"
    return shown or "∅"


def _printable(character: str) -> bool:
    # Marks are drawn on what stands before them, which may be another token's.
    drawn = unicodedata.category(character)[0] not in "CZM"
    return drawn and all(ord(character) in font for font in _fonts())


@lru_cache
def _fonts() -> list[dict]:
    """What matplotlib's own fonts have a glyph for; these two come with it."""
    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    names = ("DejaVuSans.ttf", "DejaVuSansMono.ttf")
    return [FT2Font(str(folder / name)).get_charmap() for name in names]


def two(number: float) -> str:
    """A number to two digits, as descriptions say it.

    >>> two(0.604), two(-0.001), two(-math.inf)
    ('0.60', '0.00', '-inf')

    A tie goes away from zero, and a hair beside a tie too: so another CPU prints the same.
    """
    if math.isinf(number):
        return "-inf" if number < 0 else "inf"
    shown = f"{number + math.copysign(1e-6, number):.2f}"
    return "0.00" if shown == "-0.00" else shown


def shown(number: float) -> str:
    """A number to two digits, as pictures show it, with a true minus sign."""
    return two(number).replace("-", "−").replace("inf", "∞")


def largest(values: Iterable[float], count: int = 1) -> list[int]:
    """Places of the largest values, largest first; the first of those that print the same."""
    rounded = [float(two(value)) for value in values]
    return sorted(range(len(rounded)), key=lambda place: -rounded[place])[:count]


def bare(token: str) -> str:
    """A token without the sign for the space before a word."""
    return token.removeprefix("␣") or token


def quoted(token: str) -> str:
    """The same in quotation marks, for sentences that a word such as `is` would confuse."""
    return f'"{spoken(token)}"'


def counted(number: int, thing: str) -> str:
    """How many there are.

    >>> counted(1, "token"), counted(3, "token")
    ('1 token', '3 tokens')
    """
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def spoken(token: str) -> str:
    """A token as a description names it: a screen reader has no good word for the sign."""
    return "space" if token == "␣" else bare(token)
