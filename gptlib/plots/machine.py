"""The map of the whole machine, one part of it lit: the picture that opens every lesson.

Three tokens run through it from left to right, a row each; the chosen word runs back over the top.
All lengths are in points.
"""

from dataclasses import dataclass

from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, Polygon, Rectangle, Wedge

from .parts.page import POINTS, Page, text_width
from .style import SIZE, SMALL, Picture, Theme, follows_page, sheet

CARDS = ("text", "tokenizer", "embeddings", "attention", "feedforward", "logits", "sampling")
LESSONS = ("tokenizer", "embeddings", "attention", "feedforward", "logits", "training", "sampling")
PARTS = ("text", *LESSONS)
TOKENS = ("The", "␣cat", "␣is")
WORDS = {"sleeping": 0.60, "on": 0.30, "happy": 0.05, "running": 0.05}
CHOSEN = "sleeping"
VECTORS = ((0.2, 0.9, 0.4, 0.1, 0.6), (0.8, 0.3, 0.6, 1.0, 0.2), (0.5, 0.1, 0.9, 0.3, 0.7))
ARCS = ((0, 1, 2.0), (1, 2, 4.0), (0, 2, 1.2))  # earlier row, later row, width of the line

WIDTH, HEIGHT = 770.0, 290.0
CARD, STEP, LEFT = 92.0, 108.0, 15.0  # a card's width, from one to the next, the first
LOW, HIGH = 72.0, 220.0  # of the cards
ROWS = (164.0, 133.0, 102.0)  # of the three tokens
LOOP = 264.0  # the way back


@dataclass(frozen=True)
class Tone:
    """How one part is drawn: lit, out of the light, or as one of the whole."""

    strong: str | tuple
    ground: str  # of the card
    tint: str  # of what is drawn on it
    edge: str
    text: str
    width: float
    weight: str = "normal"


@follows_page
def machine(lit: str | None = None, *, theme: str | None = None) -> Picture:
    """The map: text, tokenizer, embeddings, attention, feedforward, logits, sampling, and again.

    Args:
        lit: the part in the light, one of those or "training"; None: all of them alike.

    >>> machine("logits").description.split(". ")[0]
    'The whole machine, with logits lit'

    Raises:
        ValueError: there is no such part.
    """
    if lit is not None and lit not in PARTS:
        raise ValueError(f"lit must be one of {', '.join(PARTS)}, or None, not {lit!r}")
    with sheet(WIDTH / POINTS, HEIGHT / POINTS, theme, layout=None) as (picture, paint):
        page = Page(picture)
        tones = {part: _tone(paint, part, lit) for part in PARTS}
        _loop(page, _way_tone(paint, lit))
        _layer_bracket(page)
        _training(page, tones["training"])
        _arrows_between(page)
        for k, part in enumerate(CARDS):
            x, tone = LEFT + k * STEP, tones[part]
            _card(page, x, part, tone)
            DRAW[part](page, x, tone)
    picture.description = (
        f"The whole machine{f', with {lit} lit' if lit else ''}. From left to right: the text "
        '"The cat is"; the tokenizer cuts it into three tokens; embeddings make each a vector; '
        "attention and feedforward, repeated in every layer, work on the vectors; logits become "
        "probabilities by softmax: sleeping has the longest bar, then on, then happy and running; "
        "sampling draws sleeping, which joins the text, and it all begins again. Training adjusts "
        "the numbers from embeddings to logits."
    )
    return picture


def _tone(paint: Theme, part: str, lit: str | None) -> Tone:
    if lit is None:
        return Tone(paint.accent, paint.fill, paint.tint, paint.soft, paint.ink, 1.0, "bold")
    if part == lit:
        return Tone(paint.accent, paint.tint, paint.paper, paint.accent, paint.ink, 2.6, "bold")
    faint = _mix(paint.paper, paint.soft, 0.6)
    return Tone(faint, paint.paper, paint.fill, paint.line, paint.soft, 1.0)


def _way_tone(paint: Theme, lit: str | None) -> Tone:
    """The way back belongs to sampling: that is where a word is appended."""
    return _tone(paint, "sampling", lit)


# ---- The frame: cards, arrows, the layer's bracket, training, the way back ----


def _card(page: Page, x: float, part: str, tone: Tone) -> None:
    style = {"facecolor": tone.ground, "edgecolor": tone.edge, "linewidth": tone.width}
    page.box(x, LOW, CARD, HIGH - LOW, radius=7, zorder=2, label=part, **style)
    page.text(x + CARD / 2, HIGH - 19, part, color=tone.text, weight=tone.weight, fontsize=SMALL)
    if part in LESSONS:
        _number(page, x + 3, HIGH - 1, part, tone)


def _number(page: Page, x: float, y: float, part: str, tone: Tone) -> None:
    """The number of the lesson, in a disk on the corner of its part."""
    lit = tone.weight == "bold"
    look = {"facecolor": tone.strong if lit else page.paint.paper, "edgecolor": tone.edge}
    page.ax.add_patch(Circle((x, y), 9.5, linewidth=1, zorder=3, **look))
    ink = page.paint.paper if lit else tone.text
    page.text(x, y - 0.5, str(LESSONS.index(part) + 1), color=ink, weight="bold", zorder=4)


def _arrows_between(page: Page) -> None:
    """Three rows of arrows while there are three tokens, one before and after."""
    middle, last = ROWS[1:2], ROWS[2:]
    for k, rows in enumerate([middle, ROWS, ROWS, ROWS, last, middle]):
        x = LEFT + k * STEP + CARD
        for y in rows:
            page.arrow((x + 2, y), (x + STEP - CARD - 2, y), page.paint.soft, 1.3)


def _layer_bracket(page: Page) -> None:
    left, right = LEFT + 3 * STEP + 14, LEFT + 4 * STEP + CARD
    y, soft = HIGH + 16, page.paint.soft
    page.line([left, left, right, right], [y - 7, y, y, y - 7], soft, 1.2)
    under = {"facecolor": page.paint.paper, "linewidth": 0, "pad": 3}
    page.text((left + right) / 2, y, "a layer, repeated", color=soft, bbox=under)


def _training(page: Page, tone: Tone) -> None:
    """The bar under the parts that hold numbers to be learned."""
    left, right = LEFT + 2 * STEP, LEFT + 5 * STEP + CARD
    for k in range(2, 6):
        x = LEFT + k * STEP + CARD / 2
        page.arrow((x, 44), (x, LOW - 3), tone.strong, tone.width if tone.width > 1 else 1.3)
    style = {"facecolor": tone.ground, "edgecolor": tone.edge, "linewidth": tone.width}
    page.box(left, 14, right - left, 30, radius=7, label="training", zorder=2, **style)
    says = "adjusts the numbers in these four"
    first, second = text_width("training", weight=tone.weight), text_width(says)
    x = (left + right - first - 8 - second) / 2
    page.text(x, 29, "training", ha="left", color=tone.text, weight=tone.weight, zorder=3)
    page.text(x + first + 8, 29, says, ha="left", color=tone.text, zorder=3)
    _number(page, left + 3, 43, "training", tone)


def _loop(page: Page, tone: Tone) -> None:
    """The chosen word's way from sampling back to the text."""
    start, end = LEFT + 6 * STEP + CARD / 2, LEFT + CARD / 2
    colour, width = tone.strong, max(tone.width, 1.6)
    way = [(start, HIGH), (start, LOOP), (end, LOOP), (end, HIGH + 10)]
    page.route(way, 14, colour, width)
    page.arrow((end, HIGH + 16), (end, HIGH + 2), colour, width, head=11)
    half = text_width(CHOSEN, SIZE, weight="bold") / 2 + 10
    middle = (start + end) / 2 + 70
    look = {"facecolor": tone.tint, "edgecolor": colour, "linewidth": 1.4}
    page.box(middle - half, LOOP - 12, 2 * half, 24, radius=12, zorder=3, **look)
    page.text(middle, LOOP, CHOSEN, fontsize=SIZE, weight="bold", color=tone.text, zorder=4)
    under = {"facecolor": page.paint.paper, "linewidth": 0, "pad": 4}
    x = middle - half - 14
    page.text(x, LOOP, "joins the text, and round again", ha="right", color=tone.text, bbox=under)


# ---- What each part does, drawn on its card ----


def _text(page: Page, x: float, tone: Tone) -> None:
    middle = x + CARD / 2
    page.text(middle, ROWS[0] - 8, "The cat is", color=tone.text, fontsize=SIZE, zorder=3)
    style = {"facecolor": "none", "edgecolor": tone.strong, "linestyle": (0, (3, 2))}
    page.box(middle - 33, ROWS[1] - 18, 66, 22, radius=4, zorder=3, linewidth=1.2, **style)


def _tokenizer(page: Page, x: float, tone: Tone) -> None:
    for y, token in zip(ROWS, TOKENS, strict=True):
        half = text_width(token) / 2 + 7
        style = {"facecolor": tone.tint, "edgecolor": tone.strong, "linewidth": 1.1}
        page.box(x + CARD / 2 - half, y - 11, 2 * half, 22, radius=4, zorder=3, **style)
        page.text(x + CARD / 2, y - 0.5, token, color=tone.text, zorder=4)


def _embeddings(page: Page, x: float, tone: Tone) -> None:
    side = 13.0
    for y, vector in zip(ROWS, VECTORS, strict=True):
        for k, value in enumerate(vector):
            corner = (x + CARD / 2 + (k - 2.5) * side, y - side / 2)
            look = {"facecolor": _mix(tone.ground, tone.strong, value), "edgecolor": tone.strong}
            page.ax.add_patch(Rectangle(corner, side, side, linewidth=0.8, zorder=3, **look))


def _attention(page: Page, x: float, tone: Tone) -> None:
    at = x + CARD / 2 - 12
    for early, late, width in ARCS:
        reach = at + 32 * (late - early)
        start, end = (at, ROWS[early]), (at, ROWS[late])
        page.curve(start, (reach, start[1]), (reach, end[1]), end, tone.strong, width, zorder=3)
    for y in ROWS:
        look = {"facecolor": tone.tint, "edgecolor": tone.strong, "linewidth": 1.3}
        page.ax.add_patch(Circle((at, y), 8, zorder=4, **look))


def _feedforward(page: Page, x: float, tone: Tone) -> None:
    """Each token by itself: narrow, four times as wide, narrow again."""
    at, look = x + CARD / 2, {"facecolor": tone.tint, "edgecolor": "none", "zorder": 3}
    for y in ROWS:
        ends = [(-28, 3.2), (0, 12.8), (28, 3.2)]
        upper, lower = ([(at + dx, y + k * dy) for dx, dy in ends] for k in (1, -1))
        page.ax.add_patch(Polygon([*upper, *lower[::-1]], closed=True, **look))
        for dx, dy in ends:
            style = {"solid_capstyle": "butt", "zorder": 4}
            page.line([at + dx] * 2, [y - dy, y + dy], tone.strong, 3.2, **style)


def _logits(page: Page, x: float, tone: Tone) -> None:
    for k, (word, p) in enumerate(WORDS.items()):
        y = ROWS[0] + 9 - 21.5 * k
        page.text(x + 60, y, word, ha="right", color=tone.text, zorder=3)
        page.ax.add_patch(Rectangle((x + 64, y - 6), 36 * p, 11, color=tone.strong, zorder=3))
    page.text(x + CARD / 2, LOW + 13, "(by softmax)", color=page.paint.soft, zorder=3)


def _sampling(page: Page, x: float, tone: Tone) -> None:
    """A wheel of fortune, the word in the way of its pointer, and a slice for each word."""
    centre, angle, radius = (x + CARD / 2, ROWS[0] - 22), 90 + 360 * 0.3, 26.0
    for k, p in enumerate(WORDS.values()):
        ground = _mix(tone.ground, tone.strong, (1, 0.45, 0.2, 0.05)[k])
        look = {"facecolor": ground, "edgecolor": tone.strong, "linewidth": 0.9}
        page.ax.add_patch(Wedge(centre, radius, angle - 360 * p, angle, zorder=3, **look))
        angle -= 360 * p
    tip = (centre[0], centre[1] + radius - 4)
    corners = [tip, (tip[0] - 5, tip[1] + 11), (tip[0] + 5, tip[1] + 11)]
    look = {"facecolor": tone.text, "edgecolor": page.paint.paper, "linewidth": 1}
    page.ax.add_patch(Polygon(corners, closed=True, zorder=4, **look))
    page.text(centre[0], LOW + 20, CHOSEN, weight=tone.weight, color=tone.text, zorder=3)


def _mix(one, other, share: float) -> tuple:
    """The colour `share` of the way from one to the other."""
    return tuple(a + (b - a) * share for a, b in zip(to_rgb(one), to_rgb(other), strict=True))


DRAW = {
    "text": _text,
    "tokenizer": _tokenizer,
    "embeddings": _embeddings,
    "attention": _attention,
    "feedforward": _feedforward,
    "logits": _logits,
    "sampling": _sampling,
}
