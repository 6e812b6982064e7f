"""Words beside points, moved until they cover neither each other nor a point."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from .page import text_width

GAP = 7.5  # points between a point and its word
# Where a word may stand, best first: right, left, above, below, then the corners; and further out.
PLACES = [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)]
REACH = (1.0, 2.2, 3.6, 5.0)


def place_labels(
    ax: Axes, points: np.ndarray, labels: Sequence[str], *, fontsize: float, color, line
) -> None:
    """Write each label near its point (N, 2); a thin line leads to those that had to move far."""
    ax.figure.draw_without_rendering()  # the layout decides how many points a unit is
    ax.figure.set_layout_engine("none")
    scale = 72 / ax.figure.dpi
    spots = ax.transData.transform(points) * scale  # in points of 1/72 inch
    room = ax.get_window_extent().get_points() * scale
    taken = [box(x, y, 9, 9) for x, y in spots]  # the points themselves
    for place, label in zip(spots, labels, strict=True):
        width, height = text_width(label, fontsize), fontsize * 1.15
        offset, far = _free_offset(place, width, height, taken, room)
        taken.append(box(*(place + offset), width, height))
        style = {"arrowstyle": "-", "color": line, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 4}
        ax.annotate(
            label,
            points[len(taken) - len(spots) - 1],
            offset,
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=fontsize,
            color=color,
            arrowprops=style if far else None,
        )


def _free_offset(place, width: float, height: float, taken: list, room) -> tuple:
    """The first place around a point where the word covers nothing, or the one covering least."""
    best = None
    for reach in REACH:
        for right, up in PLACES:
            offset = np.array(
                (right * (width / 2 + GAP * reach), up * (height / 2 + GAP * reach * 0.8))
            )
            if right and up:
                offset *= (1, 0.8)
            mine = box(*(place + offset), width, height)
            covered = sum(overlap(mine, other) for other in taken)
            outside = width * height - overlap(mine, (*room[0], *room[1]))
            if best is None or covered + outside < best[0] - 1e-6:
                best = (covered + outside, offset, reach > 2)
            if best[0] < 1e-6:
                return best[1:]
    return best[1:]


def box(x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
    """Left, bottom, right and top of a rectangle around (x, y)."""
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def overlap(one, other) -> float:
    """The area that two rectangles share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Move rising numbers apart, as little as needed, until neighbours are `gap` apart.

    None of them comes closer to 0 than half a gap.

    >>> spread([1.0, 2.0, 9.0], gap=2.0)
    [1.0, 3.0, 9.0]
    """
    groups: list[list[float]] = []  # [sum of the wishes, how many]: one block each
    for place in places:
        groups.append([place, 1])
        while len(groups) > 1 and _low(groups[-1], gap) - _high(groups[-2], gap) < gap:
            total, count = groups.pop()
            groups[-1] = [groups[-1][0] + total, groups[-1][1] + count]
    return [_low(group, gap) + gap * k for group in groups for k in range(group[1])]


def _low(group: list[float], gap: float) -> float:
    """Where a block of labels begins: its middle is the mean of what its members wish."""
    total, count = group
    return max(total / count - gap * (count - 1) / 2, gap / 2)


def _high(group: list[float], gap: float) -> float:
    return _low(group, gap) + gap * (group[1] - 1)
