"""What a table is to show first: rows or single cells, framed, and with their numbers.

Axes: R rows, S columns.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from ..style import Theme
from .inputs import index

Place = tuple[int, int | None]  # a row and a column; None: all of the row


def places(focus: Sequence | None, rows: Sequence[str], columns: Sequence[str]) -> list[Place]:
    """The rows and cells that `focus` names, in its order.

    Args:
        focus: each a row, or a pair of row and column; by place (a negative one counts from the
            end) or by a label that occurs once, with or without the sign for a space.

    >>> places([-1, ("dog", 0)], ["cat", "dog"], ["cat", "dog"])
    [(1, None), (1, 0)]

    Raises:
        ValueError: no such place, or a label that is not there or occurs twice.
    """
    if focus is None:
        return []
    if isinstance(focus, str) or not isinstance(focus, Sequence | np.ndarray | range):
        raise ValueError(f"focus must be a list of rows or of (row, column) pairs, not {focus!r}")
    found = []
    for one in focus:
        pair = isinstance(one, tuple | list)
        if pair and len(one) != 2:
            raise ValueError(f"focus holds rows or (row, column) pairs, not {one!r}")
        row, column = one if pair else (one, None)
        row = _place(row, rows, "row")
        found.append((row, None if column is None else _place(column, columns, "column")))
    return list(dict.fromkeys(found))


def _place(one, labels: Sequence[str], name: str) -> int:
    if not isinstance(one, str):
        return index(one, len(labels), f"focus: {name}")
    wanted = one.strip().removeprefix("␣")
    found = [k for k, label in enumerate(labels) if label.removeprefix("␣") == wanted]
    if len(found) != 1:
        raise ValueError(f"focus: {one!r} is the label of {len(found)} {name}s, and must be of one")
    return found[0]


def wanted(at: Sequence[Place], shape: tuple[int, int]) -> np.ndarray:
    """(R, S) of bool: the cells that are in focus."""
    cells = np.zeros(shape, bool)
    for row, column in at:
        cells[row, slice(None) if column is None else column] = True
    return cells


def frame(ax: Axes, at: Sequence[Place], hidden: np.ndarray, paint: Theme, edges=None) -> None:
    """Outline rows, as far as they are seen, and cells; and make their labels bold.

    Args:
        hidden: (R, S) of bool. edges: where columns and rows begin and end, (S + 1,) and (R + 1,);
            None: as `imshow` has them.
    """
    across, down = edges or (np.arange(size + 1) - 0.5 for size in hidden.shape[::-1])
    for row, column in at:
        seen = np.flatnonzero(~hidden[row])
        first, last = (column, column) if column is not None else (0, seen.max(initial=0))
        corner = across[first], down[row]
        size = across[last + 1] - corner[0], down[row + 1] - corner[1]
        style = {"fill": False, "clip_on": False, "joinstyle": "miter"}
        halo = {"edgecolor": paint.paper, "linewidth": 4.6, "zorder": 2.7}  # below all the lines
        line = {"edgecolor": paint.second, "linewidth": 2.2, "zorder": 2.8, "label": "focus"}
        for look in (halo, line):
            ax.add_patch(Rectangle(corner, *size, **style, **look))
        _bold(ax.yaxis, (down[row] + down[row + 1]) / 2)
        if column is not None:
            _bold(ax.xaxis, (across[column] + across[column + 1]) / 2)


def _bold(axis, place: float) -> None:
    for where, label in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=False):
        if np.isclose(where, place):
            label.set_fontweight("bold")
