"""Many tables of attention weights as one picture: small ones side by side, or all in one image.

Axes: L layers, nh heads, T tokens, K tables.
"""

from collections.abc import Sequence

import numpy as np

from ..style import SIZE, Picture, sheet
from .focus import Place
from .heatmap import cells, colour_bar, label_inches
from .strips import WIDE


def future(weights: np.ndarray) -> np.ndarray:
    """(T, T) of bool: what the mask hid, if there was one."""
    later = np.triu(np.ones(weights.shape, bool), 1)
    return later & False if weights[later].any() else later


def rim_inches(tokens: Sequence[str]) -> float:
    """What is beside the small tables: the tokens, the axis' name and the bar of colours."""
    return label_inches(tokens) + 1.2


def small_tables(
    weights: np.ndarray,
    titles: Sequence[str],
    tokens: Sequence[str],
    axes: tuple[str, str],
    theme: str | None,
    *,
    across: int,
    side: float,
    row_names: Sequence[str] = (),
    at: Sequence[Place] = (),
) -> Picture:
    """Tables (K, T, T), `across` in a row and `side` inches each, with the tokens at the rim.

    Args:
        titles: K strings. axes: the names of rows and columns inside a table.
        row_names: a name for each row of tables. at: what is framed in every table.
    """
    room, down = rim_inches(tokens), -(-len(weights) // across)
    titled = 0.25 * (down - 1) * any(titles[across:])
    size = across * side + room, down * side + room + titled
    with sheet(*size, theme, "compressed") as (picture, paint):
        grid = picture.subplots(down, across, squeeze=False)
        for ax in grid.flat[len(weights) :]:
            ax.remove()
        for k, one in enumerate(weights):
            ax, (row, column) = grid.flat[k], divmod(k, across)
            look = {"cell": side / len(tokens), "hidden": future(one), "texts": False}
            image = cells(ax, one, tokens, tokens, paint, hidden_text="0", focus=at, **look)
            ax.set_title(titles[k], loc="center")
            if row_names and column == 0:
                ax.set_ylabel(row_names[row], weight="bold", color=paint.ink)
            ax.tick_params(labeltop=row == 0, labelleft=column == 0)
        shown = list(grid.flat[: len(weights)])
        colour_bar(picture, image, shown, "weight", [0, 0.5, 1])
        picture.suptitle(axes[1], color=paint.soft, fontsize=SIZE)
        picture.supylabel(axes[0], color=paint.soft, fontsize=SIZE)
    return picture


def mosaic(weights: np.ndarray, axes: tuple[str, str], theme: str | None) -> Picture:
    """Tables (L, nh, T, T) in one image, where there are too many for a chart each."""
    n_layer, n_head, count = weights.shape[:3]
    gap = max(1, count // 8)
    size = count + gap
    framed = np.ma.masked_array(np.zeros((n_layer, n_head, size, size)), mask=True)
    for place in np.ndindex(n_layer, n_head):
        one = np.ma.masked_array(weights[place], future(weights[place]))
        framed[place][:count, :count] = one
    table = framed.transpose(0, 2, 1, 3).reshape(n_layer * size, n_head * size)[:-gap, :-gap]
    side = min(0.8, (WIDE - 1.5) / n_head)
    with sheet(n_head * side + 1.5, n_layer * side + 1.2, theme, "compressed") as (picture, paint):
        names = {"xlabel": f"head, inside it {axes[1]}", "ylabel": f"layer, inside it {axes[0]}"}
        ax = picture.add_subplot(facecolor=paint.fill, **names)
        # As squares: an image would be enlarged as numbers first, which takes 60 MB.
        borders = (np.arange(size + 1) - 0.5 for size in table.shape[::-1])
        image = ax.pcolormesh(*borders, table, cmap=paint.hue, vmin=0, vmax=1)
        ax.set_aspect("equal")
        ax.invert_yaxis()
        ax.set_xticks(np.arange(n_head) * size + (count - 1) / 2, range(n_head))
        ax.set_yticks(np.arange(n_layer) * size + (count - 1) / 2, range(n_layer))
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
        ax.xaxis.set_label_position("top")
        colour_bar(picture, image, ax, "weight", [0, 0.5, 1])
    return picture
