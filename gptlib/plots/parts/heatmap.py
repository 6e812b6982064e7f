"""A table of numbers as shaded cells: attention weights, cosines, the logit lens.

Axes: R rows, S columns.
"""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.image import AxesImage
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from ..style import SMALL, Picture, Theme, readable_on
from .focus import Place, frame, wanted
from .inputs import shown

FEW = 8  # up to so many rows and columns, each cell has its number printed
CELL = 0.6  # inches of a cell with a number in it
NUMBER = 0.42  # and of the smallest that has room for one
NARROW = 0.22  # inches that a label needs across its line
LETTER = 0.102  # inches of a letter along it, in the mean
SQUARE = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]


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
    focus: Sequence[Place] = (),
) -> AxesImage:
    """Draw values (R, S) into `ax` as shaded cells, and cross out those that are `hidden` (R, S).

    Args:
        cell: inches of one cell, by which labels are thinned and turned.
        cmap: None: the theme's one hue, from 0 to 1.
        texts: (R, S) of strings for the cells; True: their numbers, if there are few; False: none
            but those in focus.
        focus: the rows and cells that are framed, from `places`.
    """
    hidden = np.zeros(values.shape, bool) if hidden is None else hidden
    low, high = limits
    image = ax.imshow(
        np.ma.masked_array(values, hidden), cmap or paint.hue, vmin=low, vmax=high, aspect=aspect
    )
    cross_out(ax, hidden, paint)
    if isinstance(texts, bool):
        numbered = np.full(values.shape, texts and few(values)) | wanted(focus, values.shape)
        texts = np.where(numbered, np.vectorize(shown, otypes=[object])(values), "")
    else:
        numbered = np.ones(values.shape, bool)
    write(ax, image, np.where(hidden & numbered, hidden_text, texts), paint)
    _grid(ax, values.shape, paint)
    _name_cells(ax, thin(rows, cell), thin(columns, cell), cell)
    frame(ax, focus, hidden, paint)
    return image


def _name_cells(ax: Axes, rows: Sequence[str], columns: Sequence[str], cell: float) -> None:
    """Rows on the left and columns on top, upright where they would touch."""
    upright = label_inches(columns) > cell - 0.04
    turned = {"rotation": 90} if upright else {"va": "baseline"}  # one line for all words
    name_places(ax.yaxis, range(len(rows)), rows)
    name_places(ax.xaxis, range(len(columns)), columns, **turned)
    labels_on_top(ax, 4 if upright else 7)


def name_places(axis: Axis, places: Sequence[float], labels: Sequence[str], **style) -> None:
    """A label at each place that has one: ticks are slow to make, and nobody sees an empty one."""
    named = [(place, label) for place, label in zip(places, labels, strict=True) if label]
    axis.set_ticks([place for place, _ in named], [label for _, label in named], **style)


def labels_on_top(ax: Axes, pad: float) -> None:
    """Columns are named above a table, `pad` points from it."""
    ax.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    ax.tick_params(axis="x", pad=pad)
    ax.xaxis.set_label_position("top")
    ax.xaxis.labelpad = pad


def few(values: np.ndarray) -> bool:
    """Whether each cell has room for its number."""
    return max(values.shape) <= FEW


def side_inches(count: int, most: float = 5.4) -> float:
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
    """Lines around the cells, or around the table where they are too many."""
    ax.spines[:].set_visible(True)
    if max(shape) > 2 * FEW:
        return
    for k in range(1, shape[0]):
        ax.axhline(k - 0.5, color=paint.line, linewidth=0.8)
    for k in range(1, shape[1]):
        ax.axvline(k - 0.5, color=paint.line, linewidth=0.8)


def cross_out(ax: Axes, hidden: np.ndarray, paint: Theme, edges=None) -> None:
    """Cover the cells where `hidden` (R, S) is True with grey and strokes.

    Args:
        edges: where columns and rows begin and end, (S + 1,) and (R + 1,); None: as imshow does.
    """
    across, down = edges or (np.arange(size + 1) - 0.5 for size in hidden.shape[::-1])
    row, column = np.nonzero(hidden)
    if not len(row):
        return
    left, right, low, high = across[column], across[column + 1], down[row], down[row + 1]
    corners = [(left, low), (right, low), (right, high), (left, high), (left, low)]
    # One path for all squares, whose strokes are drawn once. Of tens of thousands, a Path for each
    # would take seconds, and so would add_patch, which looks for the limits of the data.
    whole = Path(np.array(corners).transpose(2, 0, 1).reshape(-1, 2), np.tile(SQUARE, len(row)))
    style = {"facecolor": paint.fill, "edgecolor": paint.line, "linewidth": 0}
    ax.add_artist(PathPatch(whole, hatch="//", label="hidden", **style))


def write(ax: Axes, image: ScalarMappable, texts: np.ndarray, paint: Theme, middles=None) -> None:
    """Texts (R, S) into the cells, each in the colour that reads on its cell.

    Args:
        middles: where the cells of a row and of a column are, (S,) and (R,); None: at 0, 1, ...
    """
    values = image.get_array()
    across, down = middles or map(np.arange, texts.shape[::-1])
    for row, column in np.argwhere(texts != ""):
        covered = np.ma.is_masked(values[row, column])
        ink = paint.soft if covered else readable_on(image.to_rgba(values[row, column]))
        under = {"facecolor": paint.fill, "linewidth": 0, "pad": 1.5} if covered else None
        style = {"ha": "center", "va": "center", "fontsize": SMALL, "color": ink}
        ax.text(across[column], down[row], texts[row, column], bbox=under, **style)
