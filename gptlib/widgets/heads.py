"""Pictures of attention: one head as a sentence and as a table, and all heads side by side.

Rows are the tokens that look (queries), columns the tokens looked at (keys). All of them take plain
arrays. Axes: L layers, nh heads, T tokens.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from torch import Tensor

from . import svg

WIDTH, ASIDE = 880, 560  # pixels; where the small tables begin
PRINTED, TITLED = 8, 32  # tokens: up to so many, a cell has its number in it; shows it to a mouse
ROOM = 104  # pixels for a token beside the table
HEADS_LEFT, HEADS_TOP = 28, 40  # the numbers of layers and heads
BINS = 16  # a small table has at most so many rows


def attention_svg(
    weights,
    tokens: Sequence[str],
    layer: int = 0,
    head: int = 0,
    query: int = -1,
    *,
    masked: bool = True,
    focus: Sequence[int] = (),
) -> str:
    """SVG of one head: the sentence as one query sees it, the whole table, and all heads small.

    Args:
        weights: (L, nh, T, T), rows sum to one. tokens: T strings.
        query: the place whose row is shown over the sentence; -1 is the last.
        masked: the future is hidden. focus: places whose rows are framed.
    """
    weights = two_digits(weights)
    query %= len(tokens)
    hidden = np.triu(np.ones(weights.shape[-2:], bool), 1) & masked
    title = f"Layer {layer}, head {head}: where {quoted(tokens[query])} looks"
    sentence, top = _sentence(weights[layer, head, query], tokens, hidden[query], query)
    table, bottom = table_svg(weights[layer, head], tokens, hidden, query, y=top + 12, focus=focus)
    mini, pitch = _mini(weights.shape)
    x, y = ASIDE + HEADS_LEFT + pitch * head, top + 12 + HEADS_TOP + pitch * layer
    body = (
        svg.group(svg.text(0, 16, title), bold=True)
        + sentence
        + table
        + f'<g transform="translate({ASIDE} {top + 12:g})">{overview_svg(weights, masked)}</g>'
        + svg.frame(x - 2, y - 2, mini + 4, mini + 4, 3)
    )
    height = max(bottom, top + 12 + HEADS_TOP + pitch * len(weights)) + 34
    body += _legend(height - 22, masked)
    words = looks(weights[layer, head, query], tokens, query)
    return svg.document(body, WIDTH, height, f"Attention in layer {layer}, head {head}. {words}.")


def _sentence(shares, tokens: Sequence[str], hidden, query: int) -> tuple[str, float]:
    """The words, each as dark as its share, with the number below; and where the last line ends."""
    parts, x, y = [], 0.0, 28.0
    for place, token in enumerate(tokens):
        label = svg.clip(token, 150, code=True)
        width = round(max(50, svg.text_width(label, code=True) + 14))
        if x + width > WIDTH:
            x, y = 0.0, y + 54
        share = 0.0 if hidden[place] else float(shares[place])
        ink = svg.heat(share)[1]
        parts.append(svg.cell(x, y, width, 26, share))
        parts.append(svg.text(x + width / 2, y + 18, label, anchor="middle", fill=ink, code=True))
        number = "hidden" if hidden[place] else svg.two(share)
        below = svg.text(x + width / 2, y + 42, number, anchor="middle")
        parts.append(svg.group(below, bold=place == query))
        if place == query:
            parts.append(svg.frame(x, y, width, 26))
        else:
            parts.append(svg.rect(x, y, width, 26, stroke=svg.GRID))
        x += width + 6
    return "".join(parts), y + 54


def table_svg(
    shares,
    tokens: Sequence[str],
    hidden,
    query: int | None = None,
    *,
    x=0.0,
    y=0.0,
    side=440.0,
    focus: Sequence[int] = (),
) -> tuple[str, float]:
    """One head as a table, rows look and columns are looked at; and the y where it ends.

    Args:
        shares: (T, T) in 0..1, to two digits. hidden: (T, T) of bool, crossed out.
        query: the row to frame. side: the most pixels that the cells may take.
        focus: further rows to frame, dashed.
    """
    count = len(tokens)
    size = min(92.0, max(6.0, side // count))
    labels = [svg.clip(token, ROOM - 8, code=True) for token in tokens]
    longest = max(svg.text_width(label, code=True) for label in labels)
    upright = longest <= size - 4
    left, top = x + longest + 8, y + (22 if upright else longest + 10)
    parts = []
    every = math.ceil(16 / size)  # labels, so that each has its 16 pixels
    for place, label in enumerate(labels):
        middle = (place + 0.5) * size
        chosen = place == query or place in focus
        near = any(abs(place - other) < every for other in (query, *focus) if other is not None)
        if chosen or (place % every == 0 and not near):
            words = svg.text(left - 7, top + middle + 5, label, anchor="end", code=True)
            parts.append(svg.group(words, bold=chosen))
        if place % every:
            continue
        if upright:
            words = svg.text(left + middle, top - 8, label, anchor="middle", code=True)
            parts.append(words)
        else:
            parts.append(
                svg.group(svg.text(0, 0, label, code=True), left + middle + 5, top - 6, -90)
            )
    parts.append(_cells(shares, tokens, hidden, left, top, size))
    for row in focus:
        edge = {"stroke": svg.ORANGE, "dashed": True}
        parts.append(svg.rect(left - 1, top + row * size - 1, count * size + 2, size + 2, **edge))
    if query is not None:
        parts.append(svg.frame(left - 1, top + query * size - 1, count * size + 2, size + 2))
    return "".join(parts), top + count * size


def _cells(shares, tokens: Sequence[str], hidden, left: float, top: float, size: float) -> str:
    """The squares of the table; what is hidden is grey and crossed out, as in figures."""
    count, seen = len(tokens), np.where(hidden, 0.0, shares)
    parts = [svg.rect(left, top, count * size, count * size, stroke=svg.GRID)]
    if count > TITLED:
        for share in np.unique(seen[seen > 0]).tolist():
            places = np.argwhere(seen == share).tolist()
            corners = ((left + j * size, top + i * size) for i, j in places)
            parts.append(_squares(corners, size, share))
    else:
        parts += [
            _cell(seen[i, j], f"{tokens[i]} to {tokens[j]}", left + j * size, top + i * size, size)
            for i, j in np.argwhere(~hidden).tolist()
        ]
    off = [(left + j * size, top + i * size) for i, j in np.argwhere(hidden).tolist()]
    if off:
        grey = "".join(f"M{x:.1f} {y:.1f}h{size:.1f}v{size:.1f}h{-size:.1f}z" for x, y in off)
        parts.append(f'<path d="{grey}" fill="{svg.GRID}" fill-opacity="0.45"/>')
        slants = "".join(
            f"M{x + 0.2 * size:.1f} {y + 0.8 * size:.1f}l{0.6 * size:.1f} {-0.6 * size:.1f}"
            for x, y in off
        )
        parts.append(f'<path d="{slants}" stroke="{svg.GRID}" fill="none"/>')
    if count <= PRINTED:
        for i, j in np.ndindex(count, count):
            x, y, ink = left + (j + 0.5) * size, top + (i + 0.5) * size + 5, svg.heat(seen[i, j])[1]
            number = "0" if hidden[i, j] else svg.two(seen[i, j])
            parts.append(svg.text(x, y, number, anchor="middle", fill=ink))
    return "".join(parts)


def _cell(share: float, pair: str, x: float, y: float, size: float) -> str:
    side = size - 1 if size >= 12 else size
    return svg.cell(x, y, side, side, float(share), f"{pair}: {svg.two(share)}")


def overview_svg(weights, masked: bool = True) -> str:
    """All heads as small tables, a row for each layer: a part of an SVG, for `attention_svg`.

    A table of more than 16 tokens shows the largest weight of each square of cells.
    """
    weights = two_digits(weights)
    mini, pitch = _mini(weights.shape)
    pooled = _pooled(weights)
    size = mini / pooled.shape[-1]
    names = svg.text(0, 12, "All heads: layers down, heads across")
    parts = [svg.group(names, bold=True)]
    every = math.ceil(18 / pitch)  # numbers, so that they do not touch
    for head in range(0, weights.shape[1], every):
        middle = HEADS_LEFT + pitch * head + mini / 2
        parts.append(svg.text(middle, HEADS_TOP - 8, head, anchor="middle"))
    for layer in range(0, weights.shape[0], every):
        middle = HEADS_TOP + pitch * layer + mini / 2 + 5
        parts.append(svg.text(HEADS_LEFT - 10, middle, layer, anchor="end"))
    shades = np.round(pooled * 10).astype(int)  # what rounds to nothing is left white
    x, y = HEADS_LEFT, HEADS_TOP
    later = pooled.shape[-1] - 1  # squares right of the first, which hold nothing but the future
    if masked and later:
        steps = f"h{later * size:g}v{later * size:g}" + f"h{-size:g}v{-size:g}" * later + "z"
        corners = (
            f"M{x + pitch * head + size:g} {y + pitch * layer:g}"
            for layer, head in np.ndindex(weights.shape[:2])
        )
        grey = steps.join([*corners, ""])
        parts.append(f'<path d="{grey}" fill="{svg.GRID}" fill-opacity="0.45"/>')
    for shade in range(1, 11):
        corners = (
            (x + pitch * head + size * j, y + pitch * layer + size * i)
            for layer, head, i, j in np.argwhere(shades == shade).tolist()
        )
        parts.append(_squares(corners, size, shade / 10))
    outlines = (
        f"M{x + pitch * head:g} {y + pitch * layer:g}h{mini}v{mini}h-{mini}z"
        for layer, head in np.ndindex(weights.shape[:2])
    )
    parts.append(f'<path d="{"".join(outlines)}" fill="none" stroke="{svg.GRID}"/>')
    return "".join(parts)


def _squares(corners: Iterable[tuple[float, float]], size: float, share: float) -> str:
    """Many squares of one shade in one element: strokes as wide as they are long."""
    strokes = "".join(f"M{x:.1f} {y + size / 2:.1f}h{size:.1f}" for x, y in corners)
    opacity = f"{svg.heat(share)[0]:.3g}"
    look = f'stroke="{svg.HEAT}" stroke-opacity="{opacity}" stroke-width="{size:.1f}"'
    return f'<path d="{strokes}" {look}/>' if strokes else ""


def _mini(shape: tuple[int, ...]) -> tuple[int, int]:
    """The side of a small table, and from one to the next, in pixels."""
    pitch = (WIDTH - ASIDE - HEADS_LEFT) // shape[1]
    gap = 8 if pitch > 40 else 3
    return min(72, max(4, pitch - gap)), min(80, max(5, pitch))


def _pooled(weights: np.ndarray) -> np.ndarray:
    """(L, nh, T, T) -> (L, nh, b, b), b at most BINS: the largest weight of each square."""
    each = math.ceil(weights.shape[-1] / BINS)
    bins = math.ceil(weights.shape[-1] / each)
    spare = bins * each - weights.shape[-1]
    padded = np.pad(weights, [(0, 0), (0, 0), (0, spare), (0, spare)])
    return padded.reshape(*weights.shape[:2], bins, each, bins, each).max((3, 5))


def _legend(y: float, masked: bool) -> str:
    """What the shades mean."""
    parts = []
    for place, share in enumerate((0, 0.25, 0.5, 0.75, 1)):
        ink = svg.heat(share)[1]
        parts.append(svg.cell(44 * place, y, 44, 20, share))
        words = svg.text(44 * place + 22, y + 15, f"{share:g}", anchor="middle", fill=ink)
        parts.append(words)
    parts.append(svg.rect(0, y, 220, 20, stroke=svg.GRID))
    note = "A row looks (query), a column is looked at (key). "
    note += "Crossed out: hidden by the mask." if masked else "No mask: the future is seen."
    parts.append(svg.text(232, y + 15, note))
    return "".join(parts)


def two_digits(values) -> np.ndarray:
    """Numbers as they are shown: rounded first, so that shades and digits agree on every CPU."""
    if isinstance(values, Tensor):
        values = values.detach().cpu().numpy()
    return np.round(np.asarray(values, dtype=np.float64) + 1e-6, 2) + 0.0


def looks(shares, tokens: Sequence[str], query: int, most: int = 5) -> str:
    """One row in words, the largest shares first."""
    order = sorted(range(len(tokens)), key=lambda place: -shares[place])[:most]
    said = ", ".join(f"at {quoted(tokens[k])} {svg.two(shares[k])}" for k in order if shares[k] > 0)
    return f"{quoted(tokens[query])} looks {said}"


def quoted(token: str) -> str:
    return f"“{token}”"
