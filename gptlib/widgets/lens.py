"""Lesson 05's second explorer: what each layer would already say, the head read too early.

Small models are read in the page (js/logit_lens.js), larger ones here.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import traitlets
from torch import Tensor

from ..logits import softmax
from ..model import GPT
from ..tokenizer import Tokenizer
from ..trace import trace
from . import svg
from .explorer import Explorer
from .shared import share_model, share_tokenizer
from .tokens import capped, token_name

WIDTH = 880
LONGEST = 32  # tokens
MOST_BEST = 5  # words of one cell
MOST_BARS, LAST = 6, 4  # words that have bars, and those of the last depth; as in the page
SIDE, MOST_COLUMNS, MOST_ROWS = 104, 5, 12  # of the saved picture


class Best(NamedTuple):
    """One of the likeliest words of a cell."""

    name: str
    p: float
    comes: bool  # it is the token that comes next in the text


class Rise(NamedTuple):
    """A word of one position, with its probability at each depth."""

    name: str
    comes: bool
    ps: list[float]


class Lens(NamedTuple):
    """What each depth would say next: cells[depth][position], and rises[position] for its bars."""

    tokens: list[str]
    cells: list[list[list[Best]]]
    rises: list[list[Rise]]


def lens_svg(tokens: Sequence[str], cells: Sequence[Sequence[Sequence[Best]]], label: str) -> str:
    """A table: a row for each token, a column for each depth, in it the words it would say next.

    Args:
        cells: [depth][position] -> its best words; depth 0 is the embeddings, then the blocks.
    """
    depths = _some(len(cells), MOST_COLUMNS)
    first = max(0, len(tokens) - MOST_ROWS)
    wide = (WIDTH - SIDE) / len(depths)
    high = 24 * len(cells[0][0]) + 10
    caption = "What each depth would say next; ✓ is what does come next"
    caption += f" (the last {MOST_ROWS} of {len(tokens)} tokens)" if first else ""
    parts = [svg.text(0, 18, caption), svg.text(6, 46, "token", fill=svg.FAINT)]
    for column, depth in enumerate(depths):
        name = f"after block {depth}" if depth else "embeddings"
        parts.append(svg.text(SIDE + wide * column + 8, 46, name, fill=svg.FAINT))
    for row, place in enumerate(range(first, len(tokens))):
        y = 56 + high * row
        parts.append(svg.line(0, y, WIDTH, y))
        parts.append(svg.text(6, y + 22, svg.clip(tokens[place], SIDE - 12, code=True), code=True))
        for column, depth in enumerate(depths):
            parts.append(_cell(cells[depth][place], SIDE + wide * column, y, wide))
    return svg.document("".join(parts), WIDTH, 60 + high * (len(tokens) - first), label)


def _some(count: int, most: int) -> list[int]:
    """Places from first to last, evenly, at most so many."""
    if count <= most:
        return list(range(count))
    return [round(k * (count - 1) / (most - 1)) for k in range(most)]


def _cell(words: Sequence[Best], x: float, y: float, wide: float) -> str:
    """The words one below the other, each with its probability, on a bar of that length."""
    parts = [svg.line(x, y, x, y + 24 * len(words) + 10)]
    for place, word in enumerate(words):
        top, room = y + 5 + 24 * place, wide - 12
        length = room * svg.rounded(word.p)
        parts.append(svg.rect(x + 6, top + 1, length, 22, fill=svg.BLUE, opacity=0.25))
        name = svg.clip(word.name, room - 74, code=True) + " ✓" * word.comes
        parts.append(svg.text(x + 10, top + 17, name, code=True, bold=word.comes))
        parts.append(svg.text(x + wide - 10, top + 17, svg.chance(word.p), anchor="end"))
    return "".join(parts)


class LogitLens(Explorer):
    """See `logit_lens`."""

    SCRIPT = "logit_lens"

    text = traitlets.Unicode().tag(sync=True)
    words = traitlets.Int(3).tag(sync=True)

    def __init__(self, model: GPT, tokenizer: Tokenizer, text: str, words: int) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.most = min(MOST_BEST, model.config.vocab_size)
        self.longest = min(LONGEST, model.config.block_size)
        if not 1 <= words <= self.most:
            raise ValueError(f"words must be from 1 to {self.most}, not {words}")
        super().__init__(
            settings={
                "most": self.most,
                "longest": self.longest,
                "layers": model.config.n_layer,
            },
            text=text,
            words=words,
            shared_model=share_model(model),
            shared_tokenizer=share_tokenizer(tokenizer),
        )

    def look(self, text: str) -> Lens:
        """What each depth would say next, with as many best words as can be asked for."""
        ids = capped(self.tokenizer.encode(text, allowed_special="all"), self.longest)
        logits = trace(self.model, ids).logits_by_layer.float().cpu()  # (L + 1, T, V)
        return read(logits, ids, self.most, partial(token_name, self.tokenizer))

    def answer_lens(self, text: str) -> dict:
        """The same for a page whose model is too large for it."""
        seen = self.look(text)
        return {
            "tokens": seen.tokens,
            "cells": [[[w._asdict() for w in cell] for cell in depth] for depth in seen.cells],
            "rises": [[rise._asdict() for rise in place] for place in seen.rises],
        }

    def draw(self) -> str:
        tokens, cells, _ = self.look(self.text)
        few = [[cell[: self.words] for cell in depth] for depth in cells]
        return lens_svg(tokens, few, self.describe())

    def describe(self) -> str:
        tokens, cells, _ = self.look(self.text)
        depths = ["the embeddings", *(f"block {place}" for place in range(1, len(cells)))]
        listed = "; ".join(
            f"after {name} {', '.join(f'{w.name} {svg.chance(w.p)}' for w in depth[-1][:words])}"
            for name, depth in zip(depths, cells, strict=True)
            for words in [self.words]
        )
        return f"Best next words at {tokens[-1]}, the last of {len(tokens)} tokens: {listed}."


def read(logits: Tensor, ids: Sequence[int], most: int, name: Callable[[int], str]) -> Lens:
    """The lens over logits (L + 1, T, V); name(id): a token in words."""
    best = _best(logits, most)
    follows = [*ids[1:], None]
    cells = [
        [
            [Best(name(id), p, id == after) for id, p in cell]
            for cell, after in zip(depth, follows, strict=True)
        ]
        for depth in best
    ]
    rises = []
    for place, after in enumerate(follows):
        shown = _shown([depth[place] for depth in best], after)
        ps = softmax(logits[:, place])[:, shown]  # (L + 1, words)
        order = sorted(range(len(shown)), key=lambda k: (-ps[-1, k].item(), shown[k]))  # noqa: B023
        rises.append([Rise(name(shown[k]), shown[k] == after, ps[:, k].tolist()) for k in order])
    return Lens([name(id) for id in ids], cells, rises)


def _shown(depths: Sequence[Sequence[tuple[int, float]]], after: int | None) -> list[int]:
    """The ids that have bars: the best of the last depth, two of each other, what comes next."""
    shown: list[int] = []
    for before, depth in enumerate(reversed(depths)):
        shown += [id for id, _ in depth[: 2 if before else LAST] if id not in shown]
    shown = shown[:MOST_BARS]
    return shown if after is None or after in shown else [*shown, after]


def _best(logits: Tensor, count: int) -> list[list[list[tuple[int, float]]]]:
    """(L + 1, T, V) -> [depth][position] -> [(id, p), ...], largest first."""
    best = []
    for depth in logits:  # one at a time: over GPT-2's vocabulary each is a heavy table
        top = softmax(depth).topk(count, dim=-1)  # (T, count)
        rows = zip(top.indices.tolist(), top.values.tolist(), strict=True)
        best.append([list(zip(ids, ps, strict=True)) for ids, ps in rows])
    return best


def logit_lens(
    model: GPT, tokenizer: Tokenizer, text: str = "The cat is", words: int = 3
) -> LogitLens:
    """The best next words after each layer, at each position: the head read too early.

    Args:
        words: how many for each cell, 5 at most.

    Source: nostalgebraist 2020.
    """
    return LogitLens(model, tokenizer, text, words)
