"""Horizontal bars with their numbers: a word a row, one bar for each series."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from ..style import SMALL, Theme
from .inputs import shown

ROW = 0.36  # inches of a row with one bar
SERIES = 0.25  # inches of each further bar


def looks(paint: Theme, count: int) -> list[dict]:
    """How the bars of each series are filled: by colour, and by pattern too for who sees none."""
    kinds = [
        {"facecolor": paint.accent, "edgecolor": paint.accent, "hatch": ""},
        {"facecolor": paint.second_tint, "edgecolor": paint.second, "hatch": "//"},
        {"facecolor": paint.line, "edgecolor": paint.soft, "hatch": ".."},
        {"facecolor": paint.second, "edgecolor": paint.second, "hatch": ""},
        {"facecolor": paint.tint, "edgecolor": paint.accent, "hatch": "xx"},
    ]
    return [kinds[k % len(kinds)] for k in range(count)]


def bars(
    ax: Axes,
    names: Sequence[str],
    series: Mapping[str, Sequence[float]],
    paint: Theme,
    *,
    limits: tuple[float, float] | None = None,
    texts: Sequence[str] | None = None,
    room: float = 0.2,
) -> None:
    """Draw {series: values (N,)} for N names, first name on top, first series on top in each row.

    texts: (N,) in place of the numbers, where there is one series. room: beside the bars for
    the numbers, as a share of the longest.
    """
    height = 0.8 / len(series)
    for k, ((label, values), look) in enumerate(
        zip(series.items(), looks(paint, len(series)), strict=True)
    ):
        at = np.arange(len(names)) - 0.4 + height * (k + 0.5)
        drawn = ax.barh(at, values, height * 0.86, label=label, linewidth=1.2, **look)
        numbers = [shown(value) for value in values] if texts is None else list(texts)
        ax.bar_label(drawn, numbers, padding=4, fontsize=SMALL, color=paint.ink)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.45, -0.55)
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelbottom=False, length=0)
    ax.spines["bottom"].set_visible(False)
    low, high = limits or (min(0, *map(min, series.values())), max(0, *map(max, series.values())))
    span = high - low or 1.0
    ax.set_xlim(low - (room * span if low < 0 else 0), high + room * span)
    if low < 0:
        ax.axvline(0, color=paint.soft, linewidth=0.8)
        ax.spines["left"].set_visible(False)


def bars_height(n_names: int, n_series: int = 1) -> float:
    """Inches that so many rows need."""
    return n_names * (ROW + SERIES * (n_series - 1))
