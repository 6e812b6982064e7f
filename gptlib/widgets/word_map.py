"""Words as points: neighbours by cosine, the two directions that tell most apart, and the map.

The map is a principal component analysis (Pearson 1901). Leaves out t-SNE and UMAP, whose pictures
differ from run to run. Axes: N words, C channels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from . import svg
from .heads import quoted

NEIGHBOURS = 8
WIDTH, HEIGHT, ASIDE = 880, 480, 590  # pixels; where the neighbours begin
MAP_WIDTH, MAP_TOP, MAP_HEIGHT = 560, 28, 424
EDGE = 36  # pixels around the points


def directions(table) -> np.ndarray:
    """Each row of `table` (N, C) made one long; a row of zeros stays."""
    table = np.asarray(table)
    lengths = np.linalg.norm(table, axis=1, keepdims=True)
    return table / np.where(lengths > 0, lengths, 1.0)


def nearest(table, word: int, count: int = NEIGHBOURS) -> list[tuple[int, float]]:
    """The rows of `table` (N, C) with the largest cosine to row `word`, without itself.

    The cosine of two vectors is the product of their directions.

    >>> nearest([[1.0, 0.0], [0.0, 1.0], [3.0, 4.0]], 0, 2)
    [(2, 0.6), (1, 0.0)]
    """
    return nearest_of_units(directions(table), word, count)


def nearest_of_units(units, word: int, count: int = NEIGHBOURS) -> list[tuple[int, float]]:
    """The same, of rows (N, C) that are one long already."""
    values = units @ units[word]
    order = [k for k in np.argsort(-values, kind="stable").tolist() if k != word]
    return [(k, float(values[k])) for k in order[:count]]


@dataclass(frozen=True)
class Projection:
    """Where a vector lies on the map: (vector - mean) @ axes."""

    mean: np.ndarray  # (C,)
    axes: np.ndarray  # (C, 2)
    share: float  # of the spread (variance) that the map shows

    def __call__(self, table) -> np.ndarray:
        """(N, C) -> (N, 2)."""
        return (np.asarray(table, dtype=np.float64) - self.mean) @ self.axes


def principal_axes(table) -> Projection:
    """The two directions along which the rows of `table` (N, C) differ most.

    A direction has no sign of its own: the largest number in it is made positive.

    >>> principal_axes([[0, 0, 1], [0, -4, 1], [2, -2, 1]]).axes.T.round(2).tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    table = np.asarray(table, dtype=np.float64)
    mean = table.mean(0)
    _, spread, axes = np.linalg.svd(table - mean, full_matrices=False)
    axes, spread = axes[:2], spread**2
    axes = np.pad(axes, [(0, 2 - len(axes)), (0, 0)])  # a single word, or a single channel
    axes = axes * np.where(axes[[0, 1], np.abs(axes).argmax(1)] < 0, -1.0, 1.0)[:, None]
    return Projection(mean, axes.T, float(spread[:2].sum() / (spread.sum() or 1.0)))


def embedding_svg(
    points,
    words: Sequence[str],
    chosen: int,
    neighbours: Sequence[tuple[int, float]],
    *,
    path: Sequence[tuple[float, float]] = (),
    box: tuple[float, float, float, float] | None = None,
    title: str = "",
    note: str = "",
) -> str:
    """SVG of the map, and beside it the neighbours of one word with their cosines.

    Args:
        points: (N, 2), where the words lie. words: N strings.
        chosen: the word looked at. neighbours: (place, cosine) of the nearest, nearest first.
        path: where the chosen word came from, (x, y) of each earlier snapshot.
        box: (left, bottom, right, top) of what the map holds; None: just the points.
    """
    points = np.asarray(points, dtype=np.float64)
    place = _placing(box_of(points) if box is None else box)
    spots, trail = place(points), place(np.asarray(path, dtype=np.float64).reshape(-1, 2))
    near = [k for k, _ in neighbours]
    values = [value for _, value in neighbours]
    body = (
        svg.group(svg.text(0, 16, title), bold=True)
        + svg.rect(0.5, MAP_TOP + 0.5, MAP_WIDTH - 1, MAP_HEIGHT - 1, stroke=svg.GRID)
        + _trail(trail, spots[chosen])
        + _dots(spots, words, chosen, near)
        + _labels(spots, words, chosen, near)
        + _neighbours(words[chosen], [words[k] for k in near], values)
        + svg.text(0, HEIGHT - 6, note)
    )
    label = f"{title}. Nearest to {quoted(words[chosen])} by cosine: "
    label += ", ".join(f"{quoted(words[k])} {svg.two(value)}" for k, value in neighbours)
    return svg.document(body, WIDTH, HEIGHT, f"{label}.")


def box_of(points) -> tuple[float, float, float, float]:
    """(left, bottom, right, top) of points (..., 2)."""
    points = np.asarray(points).reshape(-1, 2)
    return (*points.min(0).tolist(), *points.max(0).tolist())


def _placing(box: tuple[float, float, float, float]) -> Callable[[np.ndarray], np.ndarray]:
    """From points (N, 2) to pixels, both axes to the same scale and the box in the middle."""
    left, bottom, right, top = box
    scale = min(
        (MAP_WIDTH - 2 * EDGE) / max(right - left, 1e-9),
        (MAP_HEIGHT - 2 * EDGE) / max(top - bottom, 1e-9),
    )
    middle = np.array([(left + right) / 2, (bottom + top) / 2])
    centre = np.array([MAP_WIDTH / 2, MAP_TOP + MAP_HEIGHT / 2])
    return lambda points: centre + (points - middle) * scale * (1, -1)


def _trail(trail, end) -> str:
    if not len(trail):
        return ""
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*trail.tolist(), end.tolist()])
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2"/>' for x, y in trail.tolist())
    return (
        f'<polyline points="{points}" fill="none" stroke="{svg.ORANGE}" stroke-width="1.5"/>'
        f'<g fill="{svg.ORANGE}">{dots}</g>'
    )


def _dots(spots, words: Sequence[str], chosen: int, near: Sequence[int]) -> str:
    """The chosen word is a ring, its neighbours large, the others small."""
    parts = []
    for place, (x, y) in enumerate(spots.tolist()):
        if place == chosen:
            style = f'r="6" fill="{svg.PAPER}" stroke="{svg.ORANGE}" stroke-width="3"'
        else:
            style = f'r="{4.5 if place in near else 2.5}" fill="{svg.BLUE}"'
        title = f"<title>{svg.escape(words[place])}</title>"
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" {style}>{title}</circle>')
    return "".join(parts)


def _labels(spots, words: Sequence[str], chosen: int, near: Sequence[int]) -> str:
    """Names beside the points, the important first; what would cover something is left out."""
    important = [chosen, *near]
    order = important + [k for k in range(len(words)) if k not in important]
    taken = np.empty((len(words), 4))  # left, top, right, bottom
    parts: list[str] = []
    for k in order:
        label = svg.clip(words[k], 130, code=True)
        width = svg.text_width(label, code=True)
        for x, y in _beside(*spots[k].tolist(), width):
            box = (x - 2, y - 12, x + width + 2, y + 5)
            covered = _inside(spots, box).any() and k not in important
            if _on_map(box) and not covered and not _touched(taken[: len(parts)], box):
                taken[len(parts)] = box
                words_svg = svg.text(x, y, label, code=True)
                parts.append(svg.group(words_svg, bold=k in important))
                break
    return "".join(parts)


def _on_map(box: tuple[float, ...]) -> bool:
    left, top, right, bottom = box
    return left > 0 and right < MAP_WIDTH and top > MAP_TOP and bottom < MAP_TOP + MAP_HEIGHT


def _inside(spots, box: tuple[float, ...]) -> np.ndarray:
    """(N,) of bool: the points (N, 2) that lie in the box."""
    return ((spots > box[:2]) & (spots < box[2:])).all(1)


def _touched(boxes: np.ndarray, box: tuple[float, ...]) -> bool:
    """Whether one of the boxes (n, 4) and this one overlap."""
    apart = (boxes[:, :2] > box[2:]) | (boxes[:, 2:] < box[:2])
    return bool((~apart.any(1)).any())


def _beside(x: float, y: float, width: float) -> tuple[tuple[float, float], ...]:
    """Places for a name by the point (x, y): right, left, above, below."""
    return (
        (x + 9, y + 4),
        (x - 9 - width, y + 4),
        (x - width / 2, y - 10),
        (x - width / 2, y + 20),
    )


def _neighbours(word: str, names: Sequence[str], values: Sequence[float]) -> str:
    """The list with a bar and a number each; its room is the same for every word."""
    width = WIDTH - ASIDE
    parts = [
        svg.group(svg.text(ASIDE, 42, f"Nearest to {svg.clip(quoted(word), 120)}"), bold=True),
        svg.text(WIDTH, 42, "cosine", anchor="end"),
    ]
    for k, (name, value) in enumerate(zip(names, values, strict=True)):
        y = 58 + 40 * k
        label = svg.clip(name, width - 60, code=True)
        parts.append(svg.text(ASIDE, y + 14, label, code=True))
        parts.append(svg.text(WIDTH, y + 14, svg.two(value), anchor="end"))
        share = max(0.0, min(1.0, float(svg.two(value).replace("−", "-"))))
        parts.append(svg.rect(ASIDE, y + 20, width, 8, stroke=svg.GRID))
        parts.append(svg.rect(ASIDE, y + 20, width * share, 8, fill=svg.BLUE))
    return "".join(parts)
