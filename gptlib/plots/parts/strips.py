"""The rows of large tables that matter, each high enough for its numbers; one table below another.

Axes: R rows, S columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from ..style import SMALL, Picture, Theme, sheet
from .focus import Place, frame, wanted
from .heatmap import NARROW, NUMBER, cross_out, labels_on_top, name_places, write
from .inputs import largest, shown
from .page import POINTS, text_width

WIDE = 10.4  # inches of the widest picture: wider, and a page would shrink its words
HIGH = 0.36  # inches of a row that matters
LOW = 0.1  # and at most of one that does not
THIN = 0.06  # inches at least of a column that does not matter
TITLE = 0.3  # inches for the title of a table
MOST = 16  # tables below each other


@dataclass(frozen=True)
class Strip:
    """One table: values (R, S), what is hidden (R, S), and colours as `cells` takes them."""

    title: str
    values: np.ndarray
    hidden: np.ndarray
    cmap: str = "hue"  # or "signed": a colour map of Theme
    limits: tuple[float, float] = (0.0, 1.0)
    counts: bool = True  # whether columns matter for what is in this table


def strips(
    tables: Sequence[Strip],
    rows: Sequence[str],
    columns: Sequence[str],
    at: Sequence[Place],
    axes: tuple[str, str],
    theme: str | None,
    *,
    others: bool = False,
) -> Picture:
    """The rows of `at` in every table, with numbers in the columns that matter to them.

    A number that would print as 0.00 is left out. `axes` names rows and columns.

    Args:
        others: the other rows too, so low that only their shades are seen.
    """
    if len(tables) > MOST:
        raise ValueError(f"focus: {len(tables)} tables are too many below each other, choose some")
    chosen = sorted({row for row, _ in at})
    kept = list(range(len(rows))) if others else chosen
    low = min(LOW, 1.8 / max(len(rows) - len(chosen), 1))
    heights = np.array([HIGH if row in chosen else low for row in kept])
    names = [rows[row] if row in chosen else "" for row in kept]
    left = max(_inches(axes[0]), *map(_inches, names)) + 0.25
    widths = _widths(tables, at, WIDE - left - 0.3)
    labels = [name if w > NARROW - 1e-6 else "" for name, w in zip(columns, widths, strict=True)]
    head = max(map(_inches, labels)) + 0.45  # the labels of the columns, and the axis' name
    tall = head + len(tables) * (heights.sum() + TITLE) + 0.15
    size = max(left + widths.sum() + 0.2, left + max(_inches(t.title) for t in tables) * 1.3), tall
    edges = np.concatenate([[0], widths.cumsum()]), np.concatenate([[0], heights.cumsum()])
    with sheet(*size, theme, layout=None) as (picture, paint):
        picture.crop = True
        top = tall - head - TITLE
        for k, table in enumerate(tables):
            corner = left / size[0], (top - heights.sum()) / tall
            ax = picture.add_axes((*corner, widths.sum() / size[0], heights.sum() / tall))
            _name(ax, edges, names, labels if k == 0 else None, axes)
            _draw(ax, table, kept, at, edges, paint)
            ax.set_title(table.title, pad=None if k == 0 else 6)
            top -= heights.sum() + TITLE
    return picture


def _inches(text: str) -> float:
    return text_width(text, SMALL, weight="bold") / POINTS


def _widths(tables: Sequence[Strip], at: Sequence[Place], room: float) -> np.ndarray:
    """Inches of each column (S,): wide where there are numbers to read, if not all can be."""
    count = tables[0].values.shape[1]
    number = NUMBER + 0.1 * any(table.values.min() < 0 for table in tables)  # a sign is wide, too
    if count * number <= room:
        return np.full(count, number)
    matters = np.max([_matters(table, at) for table in tables if table.counts], axis=0)
    low = NARROW if count * NARROW + 8 * (number - NARROW) <= room else min(THIN, room / count / 2)
    fit = max(1, int((room - count * low) / (number - low)))
    wide = largest(matters, min(fit, int((matters >= 0.005).sum())))
    widths = np.full(count, min((room - len(wide) * number) / (count - len(wide)), NARROW + 0.02))
    widths[wide] = number
    return widths


def _matters(table: Strip, at: Sequence[Place]) -> np.ndarray:
    """(S,): each column's largest share in the rows of `at`, and more where a cell is named."""
    shares = np.where(table.hidden, 0, np.abs(table.values) / max(map(abs, table.limits)))
    matters = shares[[row for row, _ in at]].max(0)
    matters[[column for _, column in at if column is not None]] += 1
    return matters


def _name(ax: Axes, edges, rows: Sequence[str], columns: Sequence[str] | None, axes) -> None:
    """Rows on the left, columns on top of the first table, and what both are."""
    across, down = ((lines[1:] + lines[:-1]) / 2 for lines in edges)
    ax.set(xlim=(0, edges[0][-1]), ylim=(edges[1][-1], 0))
    labels_on_top(ax, 4)
    name_places(ax.yaxis, down, rows)
    name_places(ax.xaxis, across, columns or [""] * len(across), rotation=90)
    if columns is not None:
        ax.set_xlabel(axes[1])
        corner = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "right"}
        ax.annotate(axes[0], (0, 1), (-4, 5), color=ax.xaxis.label.get_color(), **corner)


def _draw(ax: Axes, table: Strip, kept: list[int], at, edges, paint: Theme) -> None:
    """Shades, numbers and frames of the rows that are kept."""
    values, hidden = table.values[kept], table.hidden[kept]
    low, high = table.limits
    look = {"cmap": getattr(paint, table.cmap), "vmin": low, "vmax": high}
    mesh = ax.pcolormesh(*edges, np.ma.masked_array(values, hidden), **look)
    cross_out(ax, hidden, paint, edges)
    here = [(kept.index(row), column) for row, column in at]
    rows = wanted([(row, None) for row, _ in here], values.shape)
    room = np.diff(edges[0]) >= NUMBER - 1e-6
    numbers = np.vectorize(shown, otypes=[object])(values)
    said = rows & room & ~hidden & ((numbers != "0.00") | _single(here, values.shape))
    middles = tuple((lines[1:] + lines[:-1]) / 2 for lines in edges)
    write(ax, mesh, np.where(said, numbers, ""), paint, middles)
    for lines, ruled in zip(edges, (ax.axvline, ax.axhline), strict=True):
        sizes = np.diff(lines)
        for place, before, after in zip(lines[1:-1], sizes, sizes[1:], strict=False):
            if max(before, after) > NARROW:  # between slim cells, lines would hide the shades
                ruled(place, color=paint.line, linewidth=0.6)
    frame(ax, here, hidden, paint, edges)


def _single(at: Sequence[Place], shape: tuple[int, int]) -> np.ndarray:
    """(R, S) of bool: only the single cells of `at`."""
    return wanted([(row, column) for row, column in at if column is not None], shape)
