"""Lesson 03's second explorer: attention in the plane, with queries and keys to be set by hand.

A few tokens, whose queries and keys are two numbers each: small enough to be drawn as arrows and
to be worked out on paper. Leaves out where they come from. Axes: T tokens, hs = 2.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import traitlets
from torch import Tensor

from ..attention import attention_scores, mask_scores
from . import svg
from .explorer import Explorer
from .heads import looks, quoted, table_svg, two_digits

WIDTH, PLANE, REACH = 880, 300, 4.0  # pixels; and how far a coordinate goes
MOST = 5  # tokens
TOKENS = ("The", "␣cat", "␣is")
# Lesson 03's numbers by hand: its three vectors times its Wq, Wk and Wv.
QUERIES = ((1.0, 1.0), (0.0, 2.0), (1.0, 0.0))
KEYS = ((0.0, 1.0), (2.0, 0.0), (1.0, -1.0))
VALUES = ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0))


class Steps(NamedTuple):
    """Every step from queries and keys to weights, (T, T) each."""

    products: Tensor  # q . k
    scores: Tensor  # the same, scaled or not
    masked: Tensor  # with minus infinity in the future, or not
    weights: Tensor  # rows sum to one


def attention_in_steps(q, k, masked: bool = True, scaled: bool = True) -> Steps:
    """Dot products, scores, masked scores and weights of queries and keys (T, 2)."""
    q, k = (torch.as_tensor(part, dtype=torch.float64) for part in (q, k))
    products = attention_scores(q, k, 1.0)
    scores = attention_scores(q, k) if scaled else products
    hidden = mask_scores(scores) if masked else scores
    return Steps(products, scores, hidden, torch.softmax(hidden, -1))


def by_hand_svg(
    q, k, tokens: Sequence[str] = TOKENS, query: int = -1, *, masked=True, scaled=True
) -> str:
    """SVG of attention by hand: the arrows, one query's sum line by line, and all weights.

    Args:
        q, k: (T, 2). tokens: T strings. query: the place whose row is worked out; -1 is the last.
    """
    query %= len(tokens)
    steps = attention_in_steps(q, k, masked, scaled)
    weights = two_digits(steps.weights)
    hidden = torch.isneginf(steps.masked).numpy()
    body = _plane(q[query], k, tokens, hidden[query], query)
    body += f'<g transform="translate({PLANE + 40} 0)">{_sums(q, k, tokens, query, steps)}</g>'
    top = 76 + 30 * len(tokens)
    body += svg.text(PLANE + 40, top, "All weights: query down, key across", bold=True)
    table, bottom = table_svg(weights, tokens, hidden, query, x=PLANE + 40, y=top + 10, side=150)
    words = looks(weights[query], tokens, query)
    return svg.document(body + table, WIDTH, max(bottom, PLANE + 40) + 8, f"By hand: {words}.")


def _plane(q, k, tokens: Sequence[str], hidden, query: int) -> str:
    """The query as a thick arrow, the keys as thin ones; a hidden key is dashed."""
    name = svg.text(0, 14, f"The query of {quoted(tokens[query])}, thick, and the keys")
    parts = [svg.group(name, bold=True)]
    for at in range(-int(REACH), int(REACH) + 1):
        low, high, here = *(_at(v, v) for v in (-REACH, REACH)), _at(at, at)
        ink = svg.FAINT if at == 0 else svg.GRID
        parts.append(svg.line(here[0], low[1], here[0], high[1], ink))
        parts.append(svg.line(low[0], here[1], high[0], here[1], ink))
    for key, unseen in zip(k, hidden, strict=True):
        parts.append(_arrow(key, svg.BLUE, 2, dashed=bool(unseen)))
    parts.append(_arrow(q, svg.ORANGE, 4))
    ends = [_at(*key) for key in k]
    heights = svg.spread([y for _, y in ends], gap=16, low=40, high=PLANE + 16)
    for (x, _), y, token in zip(ends, heights, tokens, strict=True):
        label = svg.clip(token, 80, code=True)
        room = svg.text_width(label, code=True) + 8
        start = x + 8 if x + 8 + room < PLANE + 16 else x - room - 4
        parts.append(svg.rect(start - 2, y - 12, room, 16, fill=svg.PAPER, opacity=0.85))
        parts.append(svg.text(start, y, label, code=True))
    return "".join(parts)


def _at(x: float, y: float) -> tuple[float, float]:
    """A point of the plane in pixels."""
    scale = (PLANE - 10) / (2 * REACH)
    return 8 + (x + REACH) * scale, 30 + (REACH - y) * scale


def _arrow(vector, ink: str, thick: float, dashed: bool = False) -> str:
    """From the origin to `vector`; the zero vector is a dot."""
    (x0, y0), (x, y) = _at(0, 0), _at(*vector)
    length = math.hypot(x - x0, y - y0)
    if length < 1:
        return f'<circle cx="{x0:.1f}" cy="{y0:.1f}" r="{2 * thick:g}" fill="{ink}"/>'
    along, size = ((x - x0) / length, (y - y0) / length), 5 + 2 * thick
    back = x - size * along[0], y - size * along[1]
    side = size * 0.45
    corners = [(x, y)]
    corners += [(back[0] + s * along[1] * side, back[1] - s * along[0] * side) for s in (1, -1)]
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in corners)
    shaft = svg.line(x0, y0, *back, ink, dashed=dashed, thick=thick)
    return f'{shaft}<polygon points="{points}" fill="{ink}"/>'


def _sums(q, k, tokens: Sequence[str], query: int, steps: Steps) -> str:
    """One query's row: dot product, score, and weight as a bar and as a number."""
    scaled = not torch.equal(steps.products, steps.scores)
    third = "/ √2" if scaled else "score"
    heads = [(0, "key of", "start"), (280, "q · k", "end"), (345, third, "end")]
    heads.append((400, "weight", "start"))
    parts = [svg.text(x, 16, name, anchor=anchor, bold=True) for x, name, anchor in heads]
    for place, token in enumerate(tokens):
        y = 44 + 30 * place
        off = bool(torch.isneginf(steps.masked[query, place]))
        terms = " + ".join(f"{_term(a)}·{_term(b)}" for a, b in zip(q[query], k[place]))
        share = svg.rounded(steps.weights[query, place].item())
        parts.append(svg.text(0, y, svg.clip(token, 70, code=True), code=True))
        parts.append(svg.text(76, y, f"{terms} ="))
        parts.append(svg.text(280, y, svg.two(steps.products[query, place].item()), anchor="end"))
        parts.append(svg.text(345, y, svg.two(steps.masked[query, place].item()), anchor="end"))
        parts.append(svg.rect(400, y - 14, 90 * share, 18, fill=svg.BLUE))
        parts.append(svg.text(498, y, "hidden" if off else svg.two(share)))
    return "".join(parts) + svg.line(400, 28, 400, 30 + 30 * len(tokens))


def _term(value: float) -> str:
    """A factor as one writes it: a negative one in brackets.

    >>> _term(2.0), _term(-0.5)
    ('2', '(−0.5)')
    """
    shown = f"{round(value, 2) + 0.0:g}"
    return f"(−{shown[1:]})" if shown.startswith("-") else shown


class AttentionByHand(Explorer):
    """See `attention_by_hand`."""

    SCRIPT = "attention_by_hand"

    q = traitlets.List().tag(sync=True)  # [[x, y], ...], one for each token
    k = traitlets.List().tag(sync=True)
    query = traitlets.Int(0).tag(sync=True)  # the token whose row is worked out
    masked = traitlets.Bool(True).tag(sync=True)
    scaled = traitlets.Bool(True).tag(sync=True)

    def __init__(self, q, k, tokens: Sequence[str], v) -> None:
        given = [vectors for vectors in (q, k, v) if vectors is not None]
        if not 1 <= len(tokens) <= MOST or {len(vectors) for vectors in given} != {len(tokens)}:
            raise ValueError(f"give 1 to {MOST} tokens, and a query and a key for each")
        if any(len(vector) != 2 for vectors in given for vector in vectors):
            raise ValueError("a query, key or value by hand is two numbers")
        self.tokens, self.start = list(tokens), (_plain(q), _plain(k))
        names = [svg.writable(token) for token in tokens]
        super().__init__(
            settings={"tokens": names, "v": None if v is None else _plain(v)},
            q=_plain(q),
            k=_plain(k),
            query=len(tokens) - 1,
        )

    def reset(self) -> None:
        """All numbers, mask and scale as they were at first."""
        self.q, self.k = self.start
        self.masked = self.scaled = True

    def steps(self) -> Steps:
        """What the picture shows, as numbers."""
        return attention_in_steps(self.q, self.k, self.masked, self.scaled)

    def draw(self) -> str:
        look = {"masked": self.masked, "scaled": self.scaled}
        return by_hand_svg(self.q, self.k, self.tokens, self.query, **look)

    def describe(self) -> str:
        words = looks(two_digits(self.steps().weights)[self.query], self.tokens, self.query)
        return f"Attention by hand: {words}."


def _plain(vectors) -> list[list[float]]:
    return [[float(number) for number in vector] for vector in vectors]


def attention_by_hand(
    q: Sequence[Sequence[float]] = QUERIES,
    k: Sequence[Sequence[float]] = KEYS,
    tokens: Sequence[str] = TOKENS,
    v: Sequence[Sequence[float]] | None = None,
) -> AttentionByHand:
    """Set queries and keys of two numbers each, and see scores and weights follow.

    Args:
        q, k: (T, 2), within -4 .. 4. tokens: T strings, 5 at most.
        v: values (T, 2), whose mixture is shown; None is the lesson's own with its own queries
            and keys, and else none.

    Raises:
        ValueError: too many tokens, or not two numbers for each query, key and value.
    """
    if v is None and q is QUERIES and k is KEYS:
        v = VALUES
    return AttentionByHand(q, k, tokens, v)
