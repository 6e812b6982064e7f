"""Lesson 02's explorer: words as points, the nearest neighbours of one, and how both were learned.

The map is a principal component analysis (Pearson 1901) of the last snapshot, every vector made one
long, since cosines compare directions only. Earlier snapshots are seen through the same axes: what
moves is the words. Leaves out t-SNE and UMAP, whose pictures differ from run to run.

Axes: V = vocab_size, C = n_embd, N words on the map.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from ipywidgets import Combobox
from torch import Tensor

from ..model import GPT
from ..tokenizer import Tokenizer
from . import svg
from .attention import quoted
from .base import LABEL, Explorer, token_name
from .controls import Picker, row

MOST = 100  # words on the map
NEIGHBOURS = 8
WIDTH, HEIGHT, ASIDE = 880, 480, 590  # pixels; where the neighbours begin
MAP_WIDTH, MAP_TOP, MAP_HEIGHT = 560, 28, 424
EDGE = 36  # pixels around the points

Table = Tensor | np.ndarray | GPT | Callable[[], Tensor | GPT]


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
    return _nearest(directions(table), word, count)


def _nearest(units, word: int, count: int = NEIGHBOURS) -> list[tuple[int, float]]:
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
    place = _placing(_box(points) if box is None else box)
    spots, trail = place(points), place(np.asarray(path, dtype=np.float64).reshape(-1, 2))
    near = [k for k, _ in neighbours]
    values = [value for _, value in neighbours]
    body = (
        svg.small(svg.text(0, 16, title), bold=True)
        + svg.rect(0.5, MAP_TOP + 0.5, MAP_WIDTH - 1, MAP_HEIGHT - 1, stroke=svg.GRID)
        + _trail(trail, spots[chosen])
        + _dots(spots, words, chosen, near)
        + _labels(spots, words, chosen, near)
        + _neighbours(words[chosen], [words[k] for k in near], values)
        + svg.small(svg.text(0, HEIGHT - 6, note))
    )
    label = f"{title}. Nearest to {quoted(words[chosen])} by cosine: "
    label += ", ".join(f"{quoted(words[k])} {svg.two(value)}" for k, value in neighbours)
    return svg.document(body, WIDTH, HEIGHT, f"{label}.")


def _box(points) -> tuple[float, float, float, float]:
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
        label = svg.clip(words[k], 130, 13, code=True)
        width = svg.text_width(label, 13, code=True)
        for x, y in _beside(*spots[k].tolist(), width):
            box = (x - 2, y - 12, x + width + 2, y + 5)
            covered = _inside(spots, box).any() and k not in important
            if _on_map(box) and not covered and not _touched(taken[: len(parts)], box):
                taken[len(parts)] = box
                words_svg = svg.text(x, y, label, code=True)
                parts.append(svg.small(words_svg, bold=k in important))
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
        svg.small(svg.text(ASIDE, 42, f"Nearest to {svg.clip(quoted(word), 120, 13)}"), bold=True),
        svg.small(svg.text(WIDTH, 42, "cosine", anchor="end")),
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


class EmbeddingExplorer(Explorer):
    """See `embedding_explorer`."""

    def __init__(
        self, snapshots: Mapping[int, Table] | Table, tokenizer: Tokenizer, word: str, ids
    ) -> None:
        history = snapshots if isinstance(snapshots, Mapping) else {0: snapshots}
        if not history:
            raise ValueError("there are no snapshots to show")
        self.tokenizer = tokenizer
        self.steps = sorted(history)
        tables = {step: _rows(history[step]) for step in self.steps}
        self.ids = shown_ids(tokenizer, len(tables[self.steps[-1]]), ids)
        self.tables = {step: directions(table[self.ids]) for step, table in tables.items()}
        self.words = [svg.writable(token_name(tokenizer, id)) for id in self.ids]
        count = min(MOST, len(self.ids))
        self.projection = principal_axes(self.tables[self.steps[-1]][:count])
        points = [self.projection(table[:count]) for table in self.tables.values()]
        left, bottom, right, top = _box(np.stack(points))  # of all steps: the map stays still
        self.corners, self.count = np.array([(left, bottom), (right, top)]), count
        self._near = lru_cache(maxsize=256)(lambda step, place: _nearest(self.tables[step], place))
        self.word = Combobox(
            value=word,
            options=self.words[:count],
            description="word",
            continuous_update=False,
            layout={"width": "20em"},
            style=LABEL,
        )
        self.step = Picker("step", [f"{step:,}" for step in self.steps], len(self.steps) - 1)
        scrub = [self.step] if len(self.steps) > 1 else []
        super().__init__([row(self.word, *scrub)], [self.word, self.step.slider])

    def place(self) -> int:
        """Which of `ids` the typed word is.

        Raises:
            ValueError: it is no token, or none of those shown.
        """
        typed = self.word.value
        if typed in self.words:
            return self.words.index(typed)
        plain = typed.replace("␣", " ")
        for text in (plain, f" {plain.strip()}", plain.strip()):
            found = self.tokenizer.encode(text, allowed_special="all")
            if len(found) == 1 and found[0] in self.ids:
                return self.ids.index(found[0])
        examples = ", ".join(quoted(word) for word in self.words[:5])
        raise ValueError(
            f"{quoted(typed)} is not one of the {len(self.ids)} tokens, such as {examples}"
        )

    def near(self) -> list[tuple[int, float]]:
        """(place in `ids`, cosine) of the nearest at the step as it stands."""
        return self._near(self._step(), self.place())

    def _step(self) -> int:
        return self.steps[self.step.value]

    def draw(self) -> str:
        step, place, near = self._step(), self.place(), self.near()
        table, earlier = self.tables[step], self.steps[: self.step.value]
        # In a large vocabulary the word and its neighbours may not be among the first.
        others = [k for k in (place, *(k for k, _ in near)) if k >= self.count]
        shown = [*range(self.count), *others]
        points = self.projection(table[shown])
        path = [self.projection(self.tables[s][place : place + 1])[0] for s in earlier]
        title = f"Embeddings after {step:,} steps" if len(self.steps) > 1 else "Embeddings"
        return embedding_svg(
            points,
            [self.words[k] for k in shown],
            shown.index(place),
            [(shown.index(k), value) for k, value in near],
            path=path,
            box=_box(np.concatenate([self.corners, points, *np.reshape(path, (-1, 1, 2))])),
            title=title,
            note=self._note(),
        )

    def _note(self) -> str:
        share = svg.two(self.projection.share)
        note = f"{self.count:,} of {len(self.ids):,} words. " if self.count < len(self.ids) else ""
        note += f"Directions of the vectors; the map holds {share} of their spread"
        return note + (" at the last step." if len(self.steps) > 1 else ".")

    def describe(self) -> str:
        said = ", ".join(f"{quoted(self.words[k])} {svg.two(value)}" for k, value in self.near())
        at = f" after {self._step():,} steps" if len(self.steps) > 1 else ""
        return f"Embedding explorer: nearest to {quoted(self.words[self.place()])}{at}: {said}."


def shown_ids(tokenizer: Tokenizer, count: int, ids: Sequence[int] | None) -> list[int]:
    """The token ids to show, each once, the commonest of `ids` first; None: the merged tokens.

    Raises:
        ValueError: an id that the table of `count` rows lacks, or nothing to show.
    """
    if ids is None:
        order = [id for id in range(count) if _is_merged(tokenizer, id)]
    else:
        found, first, times = np.unique(np.asarray(ids), return_index=True, return_counts=True)
        order = found[np.lexsort((first, -times))].tolist()
    for id in order:
        if not 0 <= id < count:
            raise ValueError(f"token id {id} is outside 0..{count - 1}")
    if not order:
        raise ValueError("there are no tokens to show")
    return order


def _is_merged(tokenizer: Tokenizer, id: int) -> bool:
    return id < tokenizer.vocab_size and len(tokenizer.token_bytes(id)) > 1


def _rows(table: Table) -> np.ndarray:
    """(V, C) of a matrix, a model, or a function that returns one of them."""
    if not isinstance(table, GPT | Tensor | np.ndarray) and callable(table):
        table = table()
    table = table.wte.weight if isinstance(table, GPT) else table
    table = table.detach().cpu().float().numpy() if isinstance(table, Tensor) else np.asarray(table)
    if table.ndim != 2 or not table.size:
        raise ValueError(f"embeddings must have shape (V, C), not {table.shape}")
    return table


def embedding_explorer(
    snapshots: Mapping[int, Table] | Table,
    tokenizer: Tokenizer,
    word: str = "cat",
    ids: Sequence[int] | None = None,
) -> EmbeddingExplorer:
    """Walk among the words: type one, see its neighbours, and scrub through training.

        models = {step: gptlib.load("pets", step=step)[0] for step in steps}
        embedding_explorer(models, tokenizer, ids=corpus)

    Args:
        snapshots: {step: table}, or one table. A table is a matrix (V, C), a model, or a function
            without arguments that returns one of these.
        ids: the tokens to show; a whole corpus will do, since each counts once and the commonest
            come first. None: all tokens of two bytes and more. The map has the first 100.
    """
    return EmbeddingExplorer(snapshots, tokenizer, word, ids)
