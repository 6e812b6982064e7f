"""Lesson 02's explorer: words as points, the nearest neighbours of one, and how both were learned.

Every vector is made one long first, since cosines compare directions only. The map's axes are those
of the last snapshot, and earlier ones are seen through them: what moves is the words.

Axes: V = vocab_size, C = n_embd, N words that are shown.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np
import traitlets
from torch import Tensor

from ..model import GPT
from ..tokenizer import Tokenizer
from . import svg
from .explorer import Explorer
from .heads import quoted
from .tokens import token_name
from .word_map import (
    NEIGHBOURS,
    box_of,
    directions,
    embedding_svg,
    nearest_of_units,
    principal_axes,
)

MOST = 100  # words on the map
ALL = 1000  # words, at most, whose neighbours a page is given: of more the kernel is asked
# Present and past: the pets' verbs whose forms are one token each.
VERBS = (
    ("barks", "barked"),
    ("purrs", "purred"),
    ("helps", "helped"),
    ("likes", "liked"),
    ("chases", "chased"),
    ("rains", "rained"),
)

Table = Tensor | np.ndarray | GPT | Callable[[], Tensor | GPT]


class EmbeddingExplorer(Explorer):
    """See `embedding_explorer`."""

    SCRIPT = "embedding_explorer"

    word = traitlets.Unicode().tag(sync=True)
    step = traitlets.Int().tag(sync=True)  # its place in `steps`
    points = traitlets.Bytes().tag(sync=True)  # (steps, words on the map or all, 2) float32
    near_places = traitlets.Bytes().tag(sync=True)  # (steps, words, neighbours) int32
    near_cosines = traitlets.Bytes().tag(sync=True)  # the same of float32

    def __init__(self, snapshots, tokenizer: Tokenizer, word: str, ids, pairs) -> None:
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
        left, bottom, right, top = box_of(np.stack(points))  # of all steps: the map stays still
        self.corners, self.count = np.array([(left, bottom), (right, top)]), count
        self._near = lru_cache(maxsize=256)(
            lambda step, place: nearest_of_units(self.tables[step], place)
        )
        self.pairs = self._pairs(pairs)
        arrows = [self._arrows(step, tables[step]) for step in self.steps] if self.pairs else []
        settings = {
            "steps": self.steps,
            "box": [left, bottom, right, top],
            "count": count,
            "size": len(self.ids),
            "whole": len(self.ids) <= ALL,
            "note": self._note(),
            "pairs": self.pairs,
            "arrows": arrows,
        }
        super().__init__(
            settings=settings | self._named(), word=word, step=len(self.steps) - 1, **self._sent()
        )

    def _named(self) -> dict:
        known = len(self.ids) if len(self.ids) <= ALL else self.count
        return {"words": self.words[:known]}

    def _sent(self) -> dict[str, bytes]:
        """What a page is given at once: where words lie, and in a small vocabulary what is near."""
        known = len(self._named()["words"])
        points = np.stack([self.projection(table[:known]) for table in self.tables.values()])
        sent = {"points": points.astype("<f4").tobytes()}
        if known == len(self.ids):
            near = np.array(
                [[self._near(step, place) for place in range(known)] for step in self.steps]
            ).reshape(len(self.steps), known, min(NEIGHBOURS, known - 1), 2)
            sent["near_places"] = near[..., 0].astype("<i4").tobytes()
            sent["near_cosines"] = near[..., 1].astype("<f4").tobytes()
        return sent

    def _pairs(self, pairs: Sequence[tuple[str, str]] | None) -> list[tuple[int, int]]:
        """The places of the pairs; of those that nobody asked for, the ones that are here."""
        if pairs is not None:
            return [(self.place(left), self.place(right)) for left, right in pairs]
        found = []
        for pair in VERBS:
            try:
                found.append(tuple(self.place(word) for word in pair))
            except ValueError:
                continue
        return found

    def _arrows(self, step: int, table: np.ndarray) -> dict:
        """How alike the directions from left to right are, and where left words arrive by one.

        sums: for each pair but the first, (the nearest place, its cosine) to
        right[0] - left[0] + left[k], without these three words themselves.
        """
        left, right = (table[[self.ids[pair[k]] for pair in self.pairs]] for k in (0, 1))
        units, moved = directions(right - left), left + (right[:1] - left[:1])
        cosines = units @ units.T
        sums = []
        for k, goal in enumerate(directions(moved)[1:], 1):
            values = self.tables[step] @ goal
            values[[*self.pairs[0], self.pairs[k][0]]] = -np.inf
            best = int(values.argmax())
            sums.append((best, self.words[best], float(values[best])))
        others = cosines[~np.eye(len(cosines), dtype=bool)]
        return {"alike": float(others.mean()) if len(others) else 1.0, "sums": sums}

    def answer_find(self, word: str) -> dict:
        """A word of a vocabulary that the page was not given: its neighbours at every step."""
        place = self.place(word)
        near = [self._near(step, place) for step in self.steps]
        places = sorted({place, *(k for found in near for k, _ in found)})
        points = [self.projection(table[places]).tolist() for table in self.tables.values()]
        names = [self.words[k] for k in places]
        return {"place": place, "near": near, "places": places, "names": names, "points": points}

    def place(self, typed: str | None = None) -> int:
        """Which of `ids` a word is; None: the one that is chosen.

        Raises:
            ValueError: it is no token, or none of those shown.
        """
        typed = self.word if typed is None else typed
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
        return self.steps[self.step]

    def draw(self) -> str:
        step, place, near = self._step(), self.place(), self.near()
        table, earlier = self.tables[step], self.steps[: self.step]
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
            box=box_of(np.concatenate([self.corners, points, *np.reshape(path, (-1, 1, 2))])),
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
    pairs: Sequence[tuple[str, str]] | None = None,
) -> EmbeddingExplorer:
    """Walk among the words: choose one, see its neighbours, and play through training.

        models = {step: gptlib.load("pets", step=step)[0] for step in steps}
        embedding_explorer(models, tokenizer, ids=corpus)

    Args:
        snapshots: {step: table}, or one table. A table is a matrix (V, C), a model, or a function
            without arguments that returns one of these.
        ids: the tokens to show; a whole corpus will do, since each counts once and the commonest
            come first. None: all tokens of two bytes and more. The map has the first 100.
        pairs: (from, to) of the words between which arrows can be shown. None: the present and
            past of the pets' verbs, those of them that are among the tokens.

    Raises:
        ValueError: no snapshots, no tokens, or a word of `pairs` that is none of the tokens.
    """
    return EmbeddingExplorer(snapshots, tokenizer, word, ids, pairs)
