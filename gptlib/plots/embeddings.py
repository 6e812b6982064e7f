"""Lesson 02. Embeddings: which words are alike, where they lie, and how positions relate.

Axes: N words or positions, C channels.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from .parts.focus import places
from .parts.heatmap import FEW, cells, colour_bar, label_inches, side_inches
from .parts.inputs import array, counted, few, finite, largest, shown, spoken, two, words
from .parts.labels import place_labels
from .parts.strips import Strip, strips
from .style import SMALL, Picture, Theme, follows_page, sheet

WIDE = 9.6  # inches of all tables together
MOST = 500  # vectors of one picture
MARKS = "osD^vP*X"  # one shape a group, so that colour is not the only sign


def cosines(vectors) -> np.ndarray:
    """Cosine of the angle between each two of the vectors: (N, C) -> (N, N), from -1 to 1.

    >>> cosines([[1.0, 0.0], [3.0, 3.0]]).round(3).tolist()
    [[1.0, 0.707], [0.707, 1.0]]

    A vector of zeros has no direction: its cosines are 0.
    """
    vectors = finite(array(vectors, "vectors", "N", "C"), "vectors")
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = vectors / np.where(length == 0, 1, length)
    return np.clip(units @ units.T, -1, 1)


def project_2d(vectors) -> tuple[np.ndarray, np.ndarray]:
    """Where vectors lie along the two directions in which they differ most (PCA).

    (N, C) -> (N, 2), and (2,): the share of all variance along each. In each direction the
    channel that counts most counts positive, so that no picture is mirrored by chance.

    >>> points, shares = project_2d([[0.0, 0.0], [2.0, 0.0], [4.0, 0.0]])
    >>> points.round(2).tolist(), shares.tolist()
    ([[-2.0, 0.0], [0.0, 0.0], [2.0, 0.0]], [1.0, 0.0])
    """
    vectors = finite(array(vectors, "vectors", "N", "C"), "vectors")
    centred = vectors - vectors.mean(0)
    sizes, directions = np.linalg.svd(centred, full_matrices=False)[1:]
    points, shares = np.zeros((len(vectors), 2)), np.zeros(2)
    for k, direction in enumerate(directions[:2]):
        sign = -1 if direction[np.abs(direction).argmax()] < 0 else 1
        points[:, k] = centred @ direction * sign + 0.0  # no minus zero
        shares[k] = sizes[k] ** 2 / max((sizes**2).sum(), 1e-300)
    return points, shares


@follows_page
def cosine_heatmap(
    vectors, labels: Sequence[str], *, focus: Sequence | None = None, theme: str | None = None
) -> Picture:
    """How alike the directions of word vectors are: one table, or several side by side.

    Cosines above 0 are blue, below 0 orange, and 0 is the colour of the page.

    Args:
        vectors: (N, C), or {title: (N, C)} such as {"before training": ..., "after": ...}; N is
            500 at most.
        labels: N strings.
        focus: rows, or (row, column) pairs, by place or by a label that occurs once: framed, with
            their numbers; of more than 8 words only these rows are drawn.

    >>> cosine_heatmap([[1.0, 0.0], [3.0, 3.0]], ["cat", "dog"]).description
    'Cosines. Most alike: cat and dog (0.71).'
    >>> cosine_heatmap([[1.0, 0.0], [3.0, 3.0]], ["cat", "dog"], focus=["dog"]).description
    'Cosines. Most like dog: cat (0.71).'
    """
    panels = vectors if isinstance(vectors, Mapping) else {"Cosines": vectors}
    for one in panels.values():
        few(len(array(one, "vectors", "N", "C")), MOST, "vectors")
    tables = {str(title): cosines(one) for title, one in panels.items()}
    shared = [words(labels, len(table), "labels") for table in tables.values()]
    if not shared:
        raise ValueError("vectors is empty: there is no table to draw")
    labels = shared[0]
    at = places(focus, labels, labels)
    if at and len(labels) > FEW:
        hidden = np.zeros((len(labels), len(labels)), bool)
        look = {"hidden": hidden, "cmap": "signed", "limits": (-1, 1)}
        panels = [Strip(title, table, **look) for title, table in tables.items()]
        picture = strips(panels, labels, labels, at, ("", ""), theme)
    else:
        picture = _side_by_side(tables, labels, at, theme)
    said = (f"{title}. {_most_alike(table, labels, at)}" for title, table in tables.items())
    picture.description = " ".join(said)
    return picture


def _side_by_side(tables: Mapping[str, np.ndarray], labels: list[str], at, theme) -> Picture:
    """Whole tables (N, N), with numbers where there are few."""
    count = len(tables)
    room = label_inches(labels) + 0.4
    side = min(side_inches(len(labels)), (WIDE - room) / count)
    size = max(count * side + room, 4.6), side + room + 0.3
    with sheet(*size, theme, "compressed") as (picture, paint):
        axes = picture.subplots(1, count, sharey=True, squeeze=False)[0]
        look = {"cmap": paint.signed, "limits": (-1, 1), "cell": side / len(labels), "focus": at}
        for ax, (title, table) in zip(axes, tables.items(), strict=True):
            image = cells(ax, table, labels, labels, paint, **look)
            ax.set_title(title)
            ax.tick_params(labelleft=ax is axes[0])
        colour_bar(picture, image, axes, "cosine", [-1, 0, 1])
    return picture


@follows_page
def embedding_map(
    vectors,
    labels: Sequence[str],
    groups: Sequence[str] | None = None,
    *,
    title: str = "",
    theme: str | None = None,
) -> Picture:
    """Word vectors on a plane: the two directions in which they differ most.

    Args:
        vectors: (N, C), N is 500 at most. labels: N strings.
        groups: N names, such as each word's part of speech; each name gets its own shape.

    >>> embedding_map([[1.0, 0.0], [2.0, 0.0]], ["a", "b"]).description
    'Map of 2 words; its axes hold 1.00 and 0.00 of the variance. Most alike: a and b (1.00).'
    """
    few(len(array(vectors, "vectors", "N", "C")), MOST, "vectors")
    points, shares = project_2d(vectors)
    alike = cosines(vectors)
    labels = words(labels, len(points), "labels")
    if groups is not None:
        groups = words(groups, len(points), "groups", space=" ")
    with sheet(9, 6.2, theme) as (picture, paint):
        ax = picture.add_subplot(title=title)
        _scatter(ax, points, groups or [""] * len(points), paint)
        first, second = (shown(share) for share in shares)
        ax.set_xlabel(f"first direction: {first} of the variance")
        ax.set_ylabel(f"second direction: {second} of the variance")
        ax.tick_params(length=0, labelbottom=False, labelleft=False)
        ax.spines[:].set_visible(False)
        ax.axhline(0, color=paint.line, linewidth=0.8, zorder=0)
        ax.axvline(0, color=paint.line, linewidth=0.8, zorder=0)
        ax.margins(0.1)
        ax.set_aspect("equal", adjustable="datalim")  # distances count the same both ways
        if groups is not None:
            style = {"handlelength": 1, "handletextpad": 0.4, "columnspacing": 1.5}
            picture.legend(loc="outside upper left", ncols=7, **style)
        place_labels(ax, points, labels, fontsize=SMALL, color=paint.ink, line=paint.soft)
    first, second = (two(share) for share in shares)
    picture.description = (
        f"Map of {counted(len(labels), 'word')}; its axes hold {first} and {second} of the "
        f"variance. {_most_alike(alike, labels)}"
    )
    return picture


def _scatter(ax: Axes, points: np.ndarray, groups: list[str], paint: Theme) -> None:
    """A mark at each point (N, 2), each group's with a shape and a colour of its own."""
    colours = [paint.accent, paint.second, paint.soft, paint.ink]
    for k, name in enumerate(dict.fromkeys(groups)):
        own = points[[group == name for group in groups]]
        marker, colour = MARKS[k % len(MARKS)], colours[k % len(colours)]
        ax.scatter(*own.T, s=46, marker=marker, color=colour, label=name, zorder=3)


@follows_page
def arrows(vectors, labels: Sequence[str], *, theme: str | None = None) -> Picture:
    """Vectors of two numbers as arrows from (0, 0), as one draws them on squared paper.

    Args:
        vectors: (N, 2), N is 20 at most. labels: N strings.

    >>> arrows([[1.0, 2.0], [2.0, 1.0]], ["cat", "dog"]).description
    'Arrows from (0, 0) to: cat (1.00, 2.00), dog (2.00, 1.00).'
    """
    vectors = finite(array(vectors, "vectors", "N", "C"), "vectors")
    few(len(vectors), 20, "vectors")
    if vectors.shape[1] != 2:
        raise ValueError(f"vectors must have two numbers each, not {vectors.shape[1]}")
    labels = words(labels, len(vectors), "labels")
    with sheet(5.4, 4.6, theme) as (picture, paint):
        ax = picture.add_subplot(xlabel="first number", ylabel="second number")
        reach = 1.35 * np.abs(vectors).max() or 1.0
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        ax.locator_params(nbins=7)  # the numbers of more would touch
        ticks = [tick for tick in ax.get_xticks() if abs(tick) <= reach]
        ax.set(xticks=ticks, yticks=ticks)
        ax.grid(color=paint.line, linewidth=0.6)
        ax.axhline(0, color=paint.soft, linewidth=0.8)
        ax.axvline(0, color=paint.soft, linewidth=0.8)
        style = {"arrowstyle": "-|>", "color": paint.accent, "linewidth": 2, "shrinkA": 0}
        for tip, label in zip(vectors, labels, strict=True):
            ax.annotate("", tip, (0, 0), arrowprops=style | {"shrinkB": 0})
            outward = tip / (np.linalg.norm(tip) or 1) * (18, 13)  # points: words are wide
            place = {"textcoords": "offset points", "ha": "center", "va": "center"}
            ax.annotate(label, tip, outward, color=paint.ink, fontsize=SMALL, **place)
    tips = (f"{spoken(n)} ({two(x)}, {two(y)})" for n, (x, y) in zip(labels, vectors, strict=True))
    picture.description = f"Arrows from (0, 0) to: {', '.join(tips)}."
    return picture


@follows_page
def position_similarity(vectors, *, theme: str | None = None) -> Picture:
    """How alike the vectors of positions are: neighbours alike, far ones not, after training.

    Args:
        vectors: (N, C), as `model.wpe.weight`.

    >>> position_similarity([[1.0, 0.0], [3.0, 3.0]]).description
    'Cosines of 2 positions. In the mean, neighbours 0.71, the first and the last 0.71.'
    """
    table = cosines(vectors)
    count = len(table)
    every = max(1, count // 8)
    names = [str(k) if k % every == 0 else "" for k in range(count)]
    with sheet(6.4, 5.6, theme, "compressed") as (picture, paint):
        ax = picture.add_subplot(xlabel="position", ylabel="position")
        look = {"cmap": paint.signed, "limits": (-1, 1)}
        image = cells(ax, table, names, names, paint, **look)
        ax.set_title("Cosines of the position vectors")
        colour_bar(picture, image, ax, "cosine", [-1, 0, 1])
    near = table.diagonal(1).mean() if count > 1 else 1.0
    picture.description = (
        f"Cosines of {counted(count, 'position')}. In the mean, neighbours {two(near)}, "
        f"the first and the last {two(table[0, -1])}."
    )
    return picture


def _most_alike(table: np.ndarray, labels: list[str], at=()) -> str:
    """The three pairs with the largest cosines; or what is in focus, with the three of each row."""
    if at:
        return " ".join(_alike(table, labels, *place) for place in at)
    pairs = [(i, j) for i in range(len(labels)) for j in range(i + 1, len(labels))]
    if not pairs:
        return f"Only {spoken(labels[0])}."
    best = (pairs[k] for k in largest([table[pair] for pair in pairs], 3))
    said = (f"{spoken(labels[i])} and {spoken(labels[j])} ({two(table[i, j])})" for i, j in best)
    return f"Most alike: {', '.join(said)}."


def _alike(table: np.ndarray, labels: list[str], row: int, column: int | None) -> str:
    name = spoken(labels[row])
    if column is not None:
        return f"{name} and {spoken(labels[column])}: {two(table[row, column])}."
    others = [k for k in range(len(labels)) if k != row]
    best = (others[k] for k in largest(table[row, others], 3))
    said = ", ".join(f"{spoken(labels[k])} ({two(table[row, k])})" for k in best)
    return f"Most like {name}: {said or 'none'}."
