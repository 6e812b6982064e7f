"""Bars of one distribution beside others: the next token as it is, as it was, as it should be.

A shape for each, so that colour is not needed: a filled bar, a dashed outline, a diamond; and the
numbers of all of them in columns.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from . import svg

TRACK, BAR = 176, 380  # where bars begin, and how long 1 is
COLUMNS = (628, 764, 872)  # where the numbers of each kind end
STEP = 28  # pixels from a row to the next


class Bar(NamedTuple):
    """One token, or all others together."""

    name: str
    now: float  # filled
    beside: float | None = None  # dashed
    truth: float | None = None  # a diamond


def bars_svg(rows: Sequence[Bar], names: Sequence[str], top: float = 0) -> str:
    """A part of a picture 880 wide and `bars_height(len(rows))` high, from `top` down.

    Args:
        names: of the filled, the dashed and the true values; "" where there are none.
    """
    parts = [_heading(names, top + 14)]
    low, foot = top + 26, top + 26 + STEP * len(rows)
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = TRACK + BAR * share
        parts.append(svg.line(x, low, x, foot))
        words = svg.text(x, foot + 16, f"{share:g}", anchor="middle", fill=svg.FAINT)
        parts.append(words)
    for place, bar in enumerate(rows):
        y = low + STEP * place
        name = svg.clip(bar.name, TRACK - 14, code=True)
        parts.append(svg.text(TRACK - 10, y + 19, name, anchor="end", code=True))
        parts.append(_marks(bar, y))
        shown = [svg.chance(bar.now), *map(_shown, (bar.beside, bar.truth))]
        for kind, (x, words) in enumerate(zip(COLUMNS, shown, strict=True)):
            if words:
                parts.append(svg.text(x, y + 19, words, anchor="end", bold=not kind))
    return "".join(parts)


def _shown(p: float | None) -> str:
    return "" if p is None else svg.chance(p)


def _marks(bar: Bar, y: float) -> str:
    hint = f"{bar.name}: {svg.chance(bar.now)}"
    parts = [svg.rect(TRACK, y + 6, _length(bar.now), 15, fill=svg.BLUE, hint=hint)]
    if bar.beside and svg.two(bar.beside) != svg.two(bar.now):  # else it would lie on the edge
        parts.append(svg.rect(TRACK, y + 6, _length(bar.beside), 15, stroke=svg.INK, dashed=True))
    if bar.truth:
        parts.append(_diamond(TRACK + _length(bar.truth), y + 13.5))
    return "".join(parts)


def bars_height(count: int) -> float:
    return 26 + STEP * count + 24


def _heading(names: Sequence[str], y: float) -> str:
    """The names of the columns, each with its mark."""
    parts = []
    for kind, (x, name) in enumerate(zip(COLUMNS, names, strict=False)):
        if not name:
            continue
        parts.append(svg.text(x, y, name, anchor="end"))
        left = x - svg.text_width(name) - 22
        if kind == 0:
            parts.append(svg.rect(left, y - 11, 14, 12, fill=svg.BLUE))
        elif kind == 1:
            parts.append(svg.rect(left, y - 11, 14, 12, stroke=svg.INK, dashed=True))
        else:
            parts.append(_diamond(left + 7, y - 5))
    return "".join(parts)


def _length(p: float) -> float:
    """As long as the number that is printed; what is not nothing can be seen."""
    return BAR * max(svg.rounded(p), 0.004 if p > 0 else 0.0)


def _diamond(x: float, y: float) -> str:
    points = f"{x:.1f},{y - 7:.1f} {x + 6:.1f},{y:.1f} {x:.1f},{y + 7:.1f} {x - 6:.1f},{y:.1f}"
    return f'<polygon points="{points}" fill="{svg.ORANGE}" stroke="{svg.PAPER}"/>'


def expected(probs: Tensor, truth: dict[int, float], count: int) -> list[int]:
    """The ids of at most `count` tokens that the truth, then `probs` (V,) hold for likeliest.

    In the order of `probs`, the likeliest first.
    """
    best = probs.argsort(descending=True, stable=True)[: 2 * count].tolist()
    shown = sorted(truth, key=truth.get, reverse=True)[:count]
    shown += [id for id in best if id not in shown]
    return sorted(shown[:count], key=lambda id: -probs[id].item())


def rows_of(
    shown: Sequence[int],
    name: Callable[[int], str],
    now: Tensor,
    beside: Tensor,
    truth: dict[int, float],
) -> list[Bar]:
    """A row for each id of `shown` and one for all others together; now, beside (V,)."""
    rows = [
        Bar(name(id), now[id].item(), beside[id].item(), truth.get(id, 0.0) if truth else None)
        for id in shown
    ]
    if len(now) == len(shown):
        return rows
    rest = torch.ones(len(now), dtype=torch.bool)
    rest[list(shown)] = False
    left = sum(p for id, p in truth.items() if id not in shown) if truth else None
    others = Bar(
        f"{len(now) - len(shown):,} others", now[rest].sum().item(), beside[rest].sum().item(), left
    )
    return [*rows, others]


def spoken(rows: Sequence[Bar]) -> str:
    """The rows in words, for those who hear the picture."""
    return ", ".join(map(_row_in_words, rows))


def _row_in_words(bar: Bar) -> str:
    beside = "" if bar.truth is None else f" (truth {svg.chance(bar.truth)})"
    return f"{bar.name} {svg.chance(bar.now)}{beside}"
