"""A table of numbers as shaded cells: attention weights, cosines, the logit lens.

Axes: R rows, S columns.
"""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from ..style import SMALL, Picture, Theme, readable_on
from .inputs import shown

FEW = 8  # up to so many rows and columns, each cell has its number printed
CELL = 0.6  # inches of a cell with a number in it
NARROW = 0.22  # inches that a label needs across its line
LETTER = 0.102  # inches of a letter along it, in the mean


def cells(
    ax: Axes,
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    paint: Theme,
    *,
    cell: float = CELL,
    cmap=None,
    limits: tuple[float, float] = (0.0, 1.0),
    hidden: np.ndarray | None = None,
    hidden_text: str = "",
    texts: np.ndarray | bool = True,
    aspect: str = "equal",
) -> AxesImage:
    """Draw values (R, S) into `ax` as shaded cells, and hatch those that are `hidden` (R, S).

    Args:
        cell: inches of one cell, by which labels are thinned and turned.
        cmap: None: the theme's one hue, from 0 to 1.
        texts: (R, S) of strings for the cells; True: their numbers, if there are few.
    """
    hidden = np.zeros(values.shape, bool) if hidden is None else hidden
    low, high = limits
    image = ax.imshow(
        np.ma.masked_array(values, hidden), cmap or paint.hue, vmin=low, vmax=high, aspect=aspect
    )
    _hatch(ax, hidden, paint)
    if texts is True:
        texts = np.vectorize(shown, otypes=[object])(values) if few(values) else False
    if texts is not False:
        _write(ax, image, np.where(hidden, hidden_text, texts), paint)
    _grid(ax, values.shape, paint)
    _name_cells(ax, thin(rows, cell), thin(columns, cell), cell)
    return image


def _name_cells(ax: Axes, rows: Sequence[str], columns: Sequence[str], cell: float) -> None:
    """Rows on the left and columns on top, upright where they would touch."""
    ax.set_yticks(range(len(rows)), rows)
    upright = label_inches(columns) > cell - 0.04
    turned = {"rotation": 90} if upright else {"va": "baseline"}  # one line for all words
    ax.set_xticks(range(len(columns)), columns, **turned)
    ax.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    ax.tick_params(axis="x", pad=4 if upright else 7)
    ax.xaxis.set_label_position("top")
    ax.xaxis.labelpad = 4 if upright else 7


def few(values: np.ndarray) -> bool:
    """Whether each cell has room for its number."""
    return max(values.shape) <= FEW


def side_inches(count: int, most: float = 6.4) -> float:
    """Inches of a square table of `count` rows."""
    return CELL * count if count <= FEW else max(CELL * FEW, min(0.4 * count, most))


def label_inches(labels: Sequence[str]) -> float:
    """About how wide the widest of the labels is."""
    return LETTER * max(map(len, labels), default=0)


def thin(labels: Sequence[str], cell: float) -> list[str]:
    """Every second, third ... label, so that those left have room; `cell` in inches."""
    every = max(1, math.ceil(NARROW / cell - 1e-9))
    return [label if k % every == 0 else "" for k, label in enumerate(labels)]


def colour_bar(picture: Picture, image: AxesImage, ax, label: str, ticks) -> None:
    """What the shades stand for, beside the table."""
    bar = picture.colorbar(image, ax=ax, label=label, ticks=ticks, aspect=30, pad=0.02)
    bar.outline.set_visible(False)


def _grid(ax: Axes, shape: tuple[int, int], paint: Theme) -> None:
    """Paper between the cells, unless they are too many."""
    ax.spines[:].set_visible(False)
    if max(shape) > 2 * FEW:
        return
    for k in range(1, shape[0]):
        ax.axhline(k - 0.5, color=paint.paper, linewidth=1.5)
    for k in range(1, shape[1]):
        ax.axvline(k - 0.5, color=paint.paper, linewidth=1.5)


def _hatch(ax: Axes, hidden: np.ndarray, paint: Theme) -> None:
    """Cross out the cells where `hidden` (R, S) is True."""
    unit = Path.unit_rectangle()
    squares = [Path(unit.vertices + (x - 0.5, y - 0.5), unit.codes) for y, x in np.argwhere(hidden)]
    if squares:
        whole = Path.make_compound_path(*squares)  # one path: its hatch is drawn once
        style = {"facecolor": paint.paper, "edgecolor": paint.line, "linewidth": 0}
        ax.add_patch(PathPatch(whole, hatch="///", label="hidden", **style))


def _write(ax: Axes, image: AxesImage, texts: np.ndarray, paint: Theme) -> None:
    """Texts (R, S) into the cells, each in the colour that reads on its cell."""
    values = image.get_array()
    for (row, column), text in np.ndenumerate(texts):
        covered = np.ma.is_masked(values[row, column])
        ink = paint.soft if covered else readable_on(image.to_rgba(values[row, column]))
        under = {"facecolor": paint.paper, "linewidth": 0, "pad": 1.5} if covered else None
        if text:
            style = {"ha": "center", "va": "center", "fontsize": SMALL, "color": ink}
            ax.text(column, row, text, bbox=under, **style)
