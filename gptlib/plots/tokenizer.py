"""Lesson 01. Tokenization: a text as a strip of tokens, and the strip after each merge."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

from .parts.inputs import counted, quoted, visible, words
from .parts.page import POINTS, Page, text_width
from .style import SIZE, Picture, follows_page, sheet

WIDTH = 660.0  # points of a line
TALL = 24.0  # points of a token
MARGIN = 14.0
LETTER = 12.5  # points of a letter in `merge_strips`, where letters stand below each other
Span = tuple[int, int]  # where a token begins in the text, and where it has ended


@follows_page
def token_strip(
    tokens: Sequence[str], ids: Sequence[int] | None = None, *, theme: str | None = None
) -> Picture:
    """A text cut into tokens, in alternating shades, with the ids below them.

    Args:
        tokens: T strings, as from `tokenizer.token_str`. ids: T numbers.

    >>> token_strip(["The", " cat", " is"], [10, 11, 12]).description
    '3 tokens: The (10), ␣cat (11), ␣is (12).'
    """
    tokens = words(tokens, len(tokens))
    ids = [""] * len(tokens) if ids is None else [str(int(id)) for id in ids]
    if not tokens or len(ids) != len(tokens):
        raise ValueError(f"an id for each token is needed: {len(tokens)} tokens, {len(ids)} ids")
    pairs = list(zip(tokens, ids, strict=True))
    widths = [max(text_width(token, SIZE), text_width(id)) + 13 for token, id in pairs]
    lines = _wrapped(widths, WIDTH)
    step = TALL + (30 if any(ids) else 10)
    width = max(sum(widths[a:b]) for a, b in lines) + 2 * MARGIN
    height = step * len(lines) + 2 * MARGIN - 10
    with sheet(width / POINTS, height / POINTS, theme, layout=None) as (picture, _):
        page = Page(picture)
        for row, (a, b) in enumerate(lines):
            x, y = MARGIN, height - MARGIN - TALL - row * step
            for k in range(a, b):
                _box(page, x, y, widths[k], tokens[k], odd=k % 2 == 1)
                page.text(x + widths[k] / 2, y + TALL / 2 - 1, tokens[k], fontsize=SIZE)
                page.text(x + widths[k] / 2, y - 11, ids[k], color=page.paint.soft)
                x += widths[k]
    said = (token + (f" ({id})" if id else "") for token, id in pairs)
    picture.description = f"{counted(len(tokens), 'token')}: {', '.join(said)}."
    return picture


@follows_page
def merge_strips(
    steps: Sequence[Sequence[str]],
    labels: Sequence[str] | None = None,
    *,
    theme: str | None = None,
) -> Picture:
    """The same text after each merge: every letter keeps its place, and pieces fuse.

    Args:
        steps: the tokens of each step, from fine to coarse; each step spells the same text.
        labels: a name for each step, such as "t + h"; None: its number.

    >>> merge_strips([["t", "h", "e"], ["th", "e"]], ["letters", "t + h"]).description
    'The text "the" after more and more merges. letters: 3 tokens. t + h: 2 tokens, new: th.'
    """
    rows = [[visible(token, 1000) for token in step] for step in steps]
    texts = {"".join(row) for row in rows}
    if len(texts) != 1:
        raise ValueError(f"every step must spell the same text; these spell {len(texts)}")
    labels = [str(k) for k in range(len(rows))] if labels is None else labels
    labels = words(labels, len(rows), "labels", space=" ")
    lines = _text_lines(rows[-1])
    left = max(map(text_width, labels)) + 2 * MARGIN
    width = left + max(b - a for a, b in lines) * LETTER + 90
    tall = TALL * len(lines) + 14
    height = tall * len(rows) - 14 + 2 * MARGIN
    said, before = [], set(_spans(rows[0]))
    with sheet(width / POINTS, height / POINTS, theme, layout=None) as (picture, _):
        page = Page(picture)
        for k, (label, row) in enumerate(zip(labels, rows, strict=True)):
            top, spans = height - MARGIN - k * tall, _spans(row)
            page.text(left - MARGIN, top - TALL / 2, label, ha="right", color=page.paint.soft)
            _strip(page, row, lines, (left, top), new=set(spans) - before)
            count = counted(len(row), "token")
            page.text(width - MARGIN, top - TALL / 2, count, ha="right", color=page.paint.soft)
            fused = dict.fromkeys(row[j] for j, s in enumerate(spans) if s not in before)
            new = f", new: {', '.join(fused)}" if fused else ""
            said.append(f"{label}: {count}{new}.")
            before = set(spans)
    text = texts.pop().replace("␣", " ").strip()
    picture.description = f"The text {quoted(text)} after more and more merges. {' '.join(said)}"
    return picture


def _strip(page: Page, row: list[str], lines: list[Span], corner, new: set[Span]) -> None:
    """One step: its tokens on their lines, letter by letter, and the new ones framed."""
    left, top = corner
    for j, (token, (a, b)) in enumerate(zip(row, _spans(row), strict=True)):
        line = next(k for k, (_, end) in enumerate(lines) if a < end)
        x, y = left + (a - lines[line][0]) * LETTER, top - TALL * (line + 1)
        _box(page, x, y, (b - a) * LETTER, token, odd=j % 2 == 1, framed=(a, b) in new)
        for k, letter in enumerate(token):
            style = {"family": "DejaVu Sans Mono", "weight": "bold" if (a, b) in new else "normal"}
            page.text(x + (k + 0.5) * LETTER, y + TALL / 2 - 1, letter, fontsize=SIZE, **style)


def _box(page: Page, x, y, width, token: str, *, odd: bool, framed: bool = False) -> None:
    """The ground of one token. Its label is the token, for whoever asks the picture."""
    paint = page.paint
    page.box(
        x + 1,
        y + 1.5,
        width - 2,
        TALL - 3,
        radius=3,
        facecolor=paint.tint if odd else paint.fill,
        edgecolor=paint.accent if framed else paint.line,
        linewidth=2 if framed else 1,
        label=token,
    )


def _spans(row: Sequence[str]) -> list[Span]:
    """Where each token stands in the text, counted in letters."""
    return list(pairwise([0, *accumulate(map(len, row))]))


def _wrapped(widths: Sequence[float], most: float) -> list[Span]:
    """Items on as few lines as `most` has room for, and these about equally long."""
    lines = _filled(widths, most)
    while most > 20 and len(_filled(widths, most - 20)) == len(lines):
        most -= 20
    return _filled(widths, most)


def _filled(widths: Sequence[float], most: float) -> list[Span]:
    """First and last+1 of the items on each line, each line as full as can be."""
    starts, used = [0], 0.0
    for k, width in enumerate(widths):
        if used and used + width > most:
            starts.append(k)
            used = 0.0
        used += width
    return list(pairwise([*starts, len(widths)]))


def _text_lines(row: Sequence[str]) -> list[Span]:
    """Lines of whole words, as spans of letters; the coarsest step decides what a word is."""
    spans = _spans(row)
    starts = [k for k, token in enumerate(row) if k == 0 or token[0] in "␣⏎⇥"]
    groups = [(spans[a][0], spans[b - 1][1]) for a, b in pairwise([*starts, len(row)])]
    lines = _wrapped([(b - a) * LETTER for a, b in groups], WIDTH - 120)
    return [(groups[a][0], groups[b - 1][1]) for a, b in lines]
