"""Lesson 05's explorers: logits to probabilities, and what each layer would already say."""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
import traitlets
from torch import Tensor

from ..logits import softmax
from ..model import GPT
from ..tokenizer import Tokenizer
from ..trace import trace
from . import explorer, svg
from .base import Explorer, capped, number, token_name
from .controls import line

WIDTH = 880
MOST_WORDS = 8  # of softmax_explorer: more sliders than that are not looked at
LONGEST = 32  # tokens of logit_lens
MOST_BEST = 5  # words of one cell of it

# ln of 0.60, 0.30, 0.05, 0.05 and 2.5 more: what a model may say after "The cat is".
CAT = {"sleeping": 2.0, "on": 1.3, "happy": -0.5, "running": -0.5}


# ---- Softmax ----


def softmax_svg(logits: Mapping[str, float], c: float = 0.0, temperature: float = 1.0) -> str:
    """Three columns side by side: (logit + c) / temperature, e to that, and its share of the sum.

    Args:
        logits: name -> logit. c: added to all of them. temperature: above 0.
    """
    shown = softmax_columns(logits, c, temperature)
    scaled, powers, shares = zip(*shown.values(), strict=True)
    reach = max(5.0, *map(abs, scaled))
    parts = _titles(c, temperature)
    for place, (name, z, power, share) in enumerate(
        zip(logits, scaled, powers, shares, strict=True)
    ):
        y = 62 + 40 * place
        parts.append(svg.text(110, y + 19, svg.clip(name, 104, code=True), anchor="end", code=True))
        start = 220 + 90 * min(z, 0) / reach
        parts.append(svg.rect(start, y + 4, 90 * abs(z) / reach, 20, fill=svg.SERIES[2]))
        parts.append(svg.text(372, y + 19, svg.two(z), anchor="end"))
        parts.append(svg.rect(410, y + 4, 140 * share / max(shares), 20, fill=svg.ORANGE))
        parts.append(svg.text(626, y + 19, _short(power), anchor="end"))
        parts.append(svg.rect(660, y + 4, 160 * svg.rounded(share), 20, fill=svg.BLUE))
        parts.append(svg.text(876, y + 19, svg.chance(share), anchor="end", bold=True))
    foot = 62 + 40 * len(shown)
    parts += [svg.line(x, 58, x, foot) for x in (220, 410, 660, 820)]
    sums = (626, f"sum {_short(sum(powers))}"), (876, "sum 1")
    parts += [svg.text(x, foot + 20, words, anchor="end", fill=svg.FAINT) for x, words in sums]
    parts.append(svg.text(0, foot + 50, _what_c_does(c / temperature)))
    return svg.document("".join(parts), WIDTH, foot + 58, _softmax_said(shown))


def _what_c_does(shift: float) -> str:
    if not shift:
        return "Before you move + c: which of the three columns will change?"
    factor = _short(math.exp(shift))
    return f"Each exp is {factor} times what it was, and so is their sum: no share of it changes."


def softmax_columns(
    logits: Mapping[str, float], c: float, temperature: float
) -> dict[str, tuple[float, float, float]]:
    """name -> (logit + c) / temperature, e to that, softmax."""
    z = (torch.tensor(list(logits.values()), dtype=torch.float64) + c) / temperature
    columns = z.tolist(), z.exp().tolist(), softmax(z).tolist()
    return dict(zip(logits, zip(*columns, strict=True), strict=True))


def _titles(c: float, temperature: float) -> list[str]:
    top = "logit" + (f" {'+' if c > 0 else '−'} {abs(c):g}" if c else "")
    if temperature != 1:
        top = f"({top}) / {temperature:g}" if c else f"{top} / {temperature:g}"
    heads = [(220, top, "below or above 0"), (480, "exp", "e to that, always above 0")]
    heads.append((740, "normalised", "exp / sum, from 0 to 1"))
    parts = [svg.text(x, 20, head, anchor="middle", bold=True) for x, head, _ in heads]
    parts += [svg.text(x, 42, below, anchor="middle", fill=svg.FAINT) for x, _, below in heads]
    return parts + [svg.text(x, 20, "→", anchor="middle") for x in (352, 606)]


def _short(number: float) -> str:
    """A power of e in three digits, with a power of ten where it is far from 1."""
    if number in (0, math.inf):  # beyond what a computer's numbers reach
        return "∞" if number else "0"
    if 0.01 <= number < 10_000:
        return f"{number:.3g}" if number < 999.5 else f"{number:.0f}"
    digits, _, power = f"{number:.1e}".partition("e")
    return f"{digits}·10" + str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _softmax_said(shown: Mapping[str, tuple[float, float, float]]) -> str:
    listed = (
        f"{name}: logit {svg.two(z)}, e to that {_short(power)}, probability {svg.chance(share)}"
        for name, (z, power, share) in shown.items()
    )
    return "; ".join(listed) + "."


class SoftmaxExplorer(explorer.Explorer):
    """See `softmax_explorer`."""

    SCRIPT = "softmax_explorer"

    values = traitlets.List(traitlets.Float()).tag(sync=True)  # the logits, in the order of names
    c = traitlets.Float(0.0).tag(sync=True)
    temperature = traitlets.Float(1.0).tag(sync=True)

    def __init__(self, logits: Mapping[str, float], temperature: bool = True) -> None:
        if not 1 <= len(logits) <= MOST_WORDS:
            raise ValueError(f"1 to {MOST_WORDS} logits can be shown, not {len(logits)}")
        self.names = [*logits]
        values = [float(value) for value in logits.values()]
        for name, value in zip(self.names, values, strict=True):
            if not math.isfinite(value):
                raise ValueError(f"the logit of {name!r} is {value}: it must be a finite number")
        settings = {
            "names": [svg.writable(name) for name in self.names],
            "ranges": [[min(-5.0, math.floor(v)), max(5.0, math.ceil(v))] for v in values],
            "start": values,
            "temperature": temperature,
        }
        super().__init__(settings=settings, values=values)

    @property
    def logits(self) -> dict[str, float]:
        """The logits as the sliders are."""
        return dict(zip(self.names, self.values, strict=True))

    def draw(self) -> str:
        return softmax_svg(self.logits, self.c, self.temperature)

    def describe(self) -> str:
        return _softmax_said(softmax_columns(self.logits, self.c, self.temperature))


def softmax_explorer(
    logits: Mapping[str, float] | None = None, *, temperature: bool = True
) -> SoftmaxExplorer:
    """Move a handful of logits and see them become probabilities; add c to all; divide by T.

    Args:
        logits: name -> logit, 8 at most; None: four words after "The cat is".
        temperature: show its slider (lesson 05 does without: temperature comes in 07).
    """
    return SoftmaxExplorer(CAT if logits is None else logits, temperature)


# ---- The logit lens ----


class Best(NamedTuple):
    """One of the likeliest words of a cell."""

    name: str
    p: float
    comes: bool  # it is the token that comes next in the text


def lens_html(
    tokens: Sequence[str], cells: Sequence[Sequence[Sequence[Best]]], *, label: str
) -> str:
    """A table: a row for each token, a column for each depth, in it the words it would say next.

    Args:
        cells: [depth][position] -> its best words; depth 0 is the embeddings, then the blocks.
    """
    depths = ["embeddings", *(f"after block {place}" for place in range(1, len(cells)))]
    head = f'<th scope="col" style="{_CELL}; width: 104px">token</th>'
    head += "".join(f'<th scope="col" style="{_CELL}">{name}</th>' for name in depths)
    wide = min(220, max(150, (WIDTH - 120) // len(cells)))  # more than fit are scrolled to
    rows = []
    for place, token in enumerate(tokens):
        words = "".join(
            f'<td style="{_CELL}">{_cell(depth[place], wide - 74)}</td>' for depth in cells
        )
        rows.append(f'<tr><th scope="row" style="{_SIDE}">{svg.escape(token)}</th>{words}</tr>')
    width = 120 + wide * len(cells)
    return (
        f'<div role="region" tabindex="0" aria-label="{svg.escape(label)}" style="{_FRAME}">'
        f'<table style="border-collapse: collapse; table-layout: fixed; width: {width}px">'
        f'<caption style="{_CAPTION}">What each depth would say next; ✓ is what does come next'
        f"</caption><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


_CELL = f"border: 1px solid {svg.GRID}; padding: 3px 8px; text-align: left; vertical-align: top"
_SIDE = f"{_CELL}; font-family: {svg.CODE}; font-weight: normal; position: sticky; left: 0; "
_SIDE += f"background: {svg.PAPER}; overflow-wrap: anywhere; unicode-bidi: isolate"
_FRAME = f"overflow: auto; max-width: 880px; color: {svg.INK}; background: {svg.PAPER}; {svg.FONT}"
_CAPTION = f"caption-side: top; text-align: left; padding: 0 0 6px; color: {svg.INK}"
_LINE = "display: flex; justify-content: space-between; position: relative; margin: 2px 0"
_BAR = f"position: absolute; top: 0; bottom: 0; left: 0; opacity: 0.25; background: {svg.BLUE}"
_OVER = "position: relative"  # in front of the bar
_WORD = f"{_OVER}; font-family: {svg.CODE}; white-space: pre; unicode-bidi: isolate"


def _cell(words: Sequence[Best], room: float) -> str:
    """The words one below the other, each with its probability, on a bar of that length."""
    parts = []
    for word in words:
        name = svg.escape(svg.clip(word.name, room, code=True)) + " ✓" * word.comes
        bar = f"{_BAR}; width: {100 * svg.rounded(word.p):g}%"
        p = f'<span style="{_OVER}">{svg.escape(svg.chance(word.p))}</span>'
        parts.append(
            f'<div style="{_LINE}{"; font-weight: bold" * word.comes}"><div style="{bar}"></div>'
            f'<span style="{_WORD}">{name}</span>{p}</div>'
        )
    return "".join(parts)


class LogitLens(Explorer):
    """See `logit_lens`."""

    def __init__(self, model: GPT, tokenizer: Tokenizer, text: str, words: int) -> None:
        self.model, self.tokenizer = model, tokenizer
        self._look = lru_cache(maxsize=8)(self._read)
        self.text = line("text", text)
        most = min(MOST_BEST, model.config.vocab_size)
        first, self.words = number("words", words, 1, most)
        super().__init__([self.text, first], [self.text, self.words])

    def _read(self, text: str) -> tuple[list[str], list[list[list[Best]]]]:
        """The tokens, and [depth][position] -> as many best words as can be asked for."""
        limit = min(LONGEST, self.model.config.block_size)
        ids = capped(self.tokenizer.encode(text, allowed_special="all"), limit)
        logits = trace(self.model, ids).logits_by_layer.float().cpu()  # (L + 1, T, V)
        best = _best(logits, self.words.max)
        follows = [*ids[1:], None]
        cells = [
            [
                [Best(token_name(self.tokenizer, id), p, id == after) for id, p in cell]
                for cell, after in zip(depth, follows, strict=True)
            ]
            for depth in best
        ]
        return [token_name(self.tokenizer, id) for id in ids], cells

    def draw(self) -> str:
        tokens, cells = self._look(self.text.value)
        few = [[cell[: self.words.value] for cell in depth] for depth in cells]
        return lens_html(tokens, few, label=f"Table of the logit lens. {self.describe()}")

    def describe(self) -> str:
        tokens, cells = self._look(self.text.value)
        depths = ["the embeddings", *(f"block {place}" for place in range(1, len(cells)))]
        listed = "; ".join(
            f"after {name} {', '.join(f'{w.name} {svg.chance(w.p)}' for w in depth[-1][:words])}"
            for name, depth in zip(depths, cells, strict=True)
            for words in [self.words.value]
        )
        return f"Best next words at {tokens[-1]}, the last of {len(tokens)} tokens: {listed}."


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
