"""A sentence that grows token by token, in boxes, with what each token was drawn with."""

from collections.abc import Sequence
from typing import NamedTuple

from . import svg

WIDTH = 880
LINES, LINE = 2, 48  # of the sentence: their place is kept while it grows; pixels for each
SENTENCE_HEIGHT = LINES * LINE
LONGEST = 240  # pixels of one token


class Word(NamedTuple):
    """One token of the sentence."""

    name: str
    p: float | None = None  # what it was drawn with; None in the prompt
    stop: bool = False


def sentence_svg(words: Sequence[Word], top: float = 0) -> str:
    """The sentence in boxes, each drawn token with its probability below; its last LINES lines.

    Beside the line below it stands how many tokens are not shown.
    """
    lines, hidden = _lines(words)
    parts = []
    for place, entries in enumerate(lines):
        y = top + LINE * place
        for x, width, word in entries:
            parts.append(_box(word, x, y, width))
    if hidden:
        words = f"… and {hidden} tokens before"
        y = top + SENTENCE_HEIGHT + 18
        parts.append(svg.text(WIDTH, y, words, anchor="end", fill=svg.FAINT))
    return "".join(parts)


def _lines(words: Sequence[Word]) -> tuple[list[list[tuple[float, float, Word]]], int]:
    """[(x, width, word), ...] for each line that is shown, and how many words are not."""
    lines: list[list[tuple[float, float, Word]]] = [[]]
    x = 0.0
    for word in words:
        width = max(svg.text_width(svg.clip(word.name, LONGEST, code=True), code=True) + 12, 36)
        if x + width > WIDTH:
            lines.append([])
            x = 0.0
        lines[-1].append((x, width, word))
        x += width + 3
    return lines[-LINES:], sum(map(len, lines[:-LINES]))


def _box(word: Word, x: float, y: float, width: float) -> str:
    name = svg.clip(word.name, LONGEST, code=True)
    drawn = word.p is not None
    fill, opacity = (svg.BLUE, 0.16) if drawn else (svg.SERIES[2], 0.14)
    edge = svg.ORANGE if word.stop else svg.BLUE if drawn else svg.GRID
    parts = [svg.rect(x, y, width, 26, fill=fill, opacity=opacity, stroke=edge, radius=4)]
    parts.append(svg.text(x + width / 2, y + 18, name, anchor="middle", code=True))
    if drawn:
        parts.append(svg.text(x + width / 2, y + 42, svg.chance(word.p), anchor="middle"))
    return "".join(parts)
