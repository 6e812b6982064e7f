"""Pictures as SVG text, drawn by pure functions: what a widget shows, it can also test and save.

Draws without a library: a string of SVG reaches the page in a few milliseconds, a figure in a
hundred. Colours follow JupyterLab's theme variables, and text is escaped here and nowhere else.
"""

import html
import math
import re
import unicodedata
from collections.abc import Sequence

from ..formats.images import LETTERS, as_page, data_url, wide

PAPER = "var(--jp-layout-color0, #ffffff)"
INK = "var(--jp-content-font-color1, #1f1f1f)"
FAINT = "var(--jp-content-font-color2, #666666)"  # on PAPER alone: on a tint it is too faint
GRID = "var(--jp-border-color2, #d0d0d0)"
ALARM = "var(--jp-error-color1, #d32f2f)"
# Marks, at least 3:1 on the paper of either theme. Words beside them are in INK, and shape, dashes
# or labels tell the marks apart for whom colour does not.
BLUE = "var(--jp-brand-color1, #1976d2)"
ORANGE = "var(--jp-warn-color0, #e65100)"
SERIES = (BLUE, ORANGE, "#7a7a7a")
SIZE = 14  # pixels of all letters, as they are drawn
FONT = f"font-family: var(--jp-ui-font-family, sans-serif); font-size: {SIZE}px"
CODE = "var(--jp-code-font-family, monospace)"


# What XML has no way to write: most control characters, and half of a surrogate pair.
_UNWRITABLE = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escape(text: object) -> str:
    """Text that is safe between tags and inside attributes.

    >>> escape('<img src="x">')
    '&lt;img src=&quot;x&quot;&gt;'

    """
    return html.escape(writable(text), quote=True)


def writable(text: object) -> str:
    """Plain text in which what no document can hold has become the replacement sign."""
    return _UNWRITABLE.sub("\ufffd", str(text))


def document(body: str, width: float, height: float, label: str) -> str:
    """An SVG element around `body`, which a screen reader announces as `label`."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" style="max-width: 100%; height: auto; background: {PAPER}; {FONT}" '
        f'role="img" aria-label="{escape(label)}">{body}</svg>'
    )


def standalone(picture: str) -> str:
    """An SVG for a file of its own: outside JupyterLab the theme's variables have no values."""
    return _fixed(picture) + "\n"


# What the theme's variables are on a page that is not JupyterLab's: JupyterLab 4's own values.
DARK = {
    "--jp-layout-color0": "#111111",
    "--jp-content-font-color0": "#ffffff",
    "--jp-content-font-color1": "#ffffff",
    "--jp-content-font-color2": "#bdbdbd",
    "--jp-content-link-color": "#64b5f6",
    "--jp-ui-inverse-font-color0": "#000000",
    "--jp-border-color2": "#616161",
    "--jp-error-color1": "#f44336",
    "--jp-brand-color1": "#2196f3",
    "--jp-warn-color0": "#f57c00",
}


def image(picture: str, words: str) -> str:
    """An HTML image of a picture, which a screen reader announces as `words`.

    JupyterLab takes <svg> out of the outputs of a notebook that is not trusted and leaves its
    words behind, but shows this. The picture, one SVG, is light, or dark where the page is.
    Its class is not that of figures: nbval compares all of it.
    """
    rules = "; ".join(f"{name}: {value}" for name, value in DARK.items())
    style = f"<style>@media (prefers-color-scheme: dark) {{ svg {{ {rules} }} }}</style>"
    start, sign, rest = picture.partition(">")
    source = data_url("image/svg+xml", f"{start}{sign}{style}{rest}".encode())
    width = float(re.search(r' width="([\d.]+)"', start)[1])
    style = wide(width * LETTERS / SIZE)
    image = f'<img class="gptlib-drawing" alt="{escape(words)}" style="{style}"'
    return f'{as_page("gptlib-drawing")}{image} src="{source}">'


def page(picture: str, title: str) -> str:
    """A whole HTML page around a picture."""
    body = _fixed(f'<body style="{FONT}">{picture}</body>')
    head = f'<head><meta charset="utf-8"><title>{escape(title)}</title></head>'
    return f'<!doctype html>\n<html lang="en">{head}{body}</html>\n'


def _fixed(markup: str) -> str:
    """`var(--name, value)` becomes `value` in our attributes; a token that says so stays as it is.

    Tokens hold no quotes, being escaped, so none of them can look like an attribute.
    """
    return re.sub(
        r' (?:style|fill|stroke)="[^"]*"',
        lambda attribute: re.sub(r"var\(--[\w-]+,\s*([^()]*)\)", r"\1", attribute[0]),
        markup,
    )


def text(
    x: float,
    y: float,
    words: object,
    *,
    anchor: str = "start",
    fill: str = INK,
    bold: bool = False,
    code: bool = False,
) -> str:
    """One line of text on the base line y; `anchor` is start, middle or end, `code` fixed-width."""
    style = "font-weight: bold; " * bold + f"font-family: {CODE}; " * code
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" '
        f'style="{style}white-space: pre">{escape(words)}</text>'
    )


def rect(
    x: float,
    y: float,
    width: float,
    height: float,
    *,
    fill: str = "none",
    stroke: str = "none",
    opacity: float = 1.0,
    radius: float = 0,
    dashed: bool = False,
    hint: str = "",
) -> str:
    """A rectangle. `opacity` is that of the fill; a mouse at rest is shown `hint`."""
    more = f' fill-opacity="{opacity:g}"' if opacity < 1 else ""
    more += f' rx="{radius:g}"' if radius else ""
    more += ' stroke-dasharray="5 4"' if dashed else ""
    inside = f"<title>{escape(hint)}</title>" if hint else ""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}" '
        f'stroke="{stroke}"{more}>{inside}</rect>'
    )


def line(
    x1: float, y1: float, x2: float, y2: float, stroke: str = GRID, *, dashed: bool = False, thick=1
) -> str:
    """A straight line."""
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" '
        f'stroke-width="{thick:g}"{dashes}/>'
    )


def two(number: float) -> str:
    """A number to two digits, the same on every machine: a tie, and a hair beside it, go up.

    >>> two(0.604), two(0.125), two(-0.001), two(-math.inf)
    ('0.60', '0.13', '0.00', '−∞')
    """
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "−∞" if number < 0 else "∞"
    shown = f"{number + math.copysign(1e-6, number):.2f}"
    return "0.00" if shown == "-0.00" else shown.replace("-", "−")


def rounded(p: float) -> float:
    """A probability as the number that `two` prints: a bar of this length says the same.

    >>> rounded(0.604), rounded(0.125)
    (0.6, 0.13)
    """
    return round(p + 1e-6, 2)


def chance(p: float) -> str:
    """A probability to two digits; 0 is nothing at all, and what only rounds to it is not.

    >>> chance(0.3), chance(0.001), chance(0)
    ('0.30', '<0.01', '0')
    """
    return "0" if p == 0 else "<0.01" if two(p) == "0.00" else two(p)


def line_chart(
    series: dict[str, Sequence[tuple[float, float]]],
    levels: dict[str, float] | None = None,
    *,
    x_max: float,
    label: str,
    x_name: str = "step",
    width: int = 640,
    height: int = 280,
) -> str:
    """Curves over steps, with level lines that are named at their ends.

    Args:
        series: name -> points (x, y). levels: name -> y, drawn dashed across.
        x_max: the right end of the axis, so that a growing curve does not rescale it.
        label: what the picture says, in words.
    """
    body = curves(series, levels, x_max=x_max, x_name=x_name, width=width, height=height)
    return document(body, width, height, label)


def curves(
    series: dict[str, Sequence[tuple[float, float]]],
    levels: dict[str, float] | None = None,
    *,
    x_max: float,
    x_name: str,
    width: int,
    height: int,
    mark: float | None = None,
    log: bool = False,
) -> str:
    """What `line_chart` draws, as a part of a larger picture.

    Args:
        mark: an x at which a line stands upright. log: the x axis is logarithmic, from 0.
    """
    levels = levels or {}
    left, right, top, bottom = 48, width - 170, 14, height - 36
    values = [y for points in series.values() for _, y in points if math.isfinite(y)]
    values += list(levels.values())
    high = max(values, default=1.0) * 1.05 or 1.0
    low = min(0.0, min(values, default=0.0))

    def place(x: float, y: float) -> tuple[float, float]:
        share = (y - low) / (high - low or 1.0)
        along = math.log1p(x) / math.log1p(x_max or 1) if log else x / (x_max or 1)
        return left + (right - left) * along, bottom - (bottom - top) * share

    parts, names = [], []
    for tick in _ticks(low, high):
        y = place(0, tick)[1]
        parts.append(line(left, y, right, y))
        parts.append(text(left - 8, y + 5, f"{tick:g}", anchor="end", fill=FAINT))
    for tick in [0, *(10**k for k in range(1, 8) if 10**k <= x_max)] if log else _ticks(0, x_max):
        parts.append(text(place(tick, 0)[0], bottom + 18, f"{tick:g}", anchor="middle", fill=FAINT))
    parts.append(text((left + right) / 2, height - 2, x_name, anchor="middle", fill=FAINT))
    for name, level in levels.items():
        y = place(0, level)[1]
        parts.append(line(left, y, right, y, FAINT, dashed=True))
        names.append((y, f"{name} {two(level)}", FAINT, True))
    for (colour, dots), (name, points) in zip(LOOKS, series.items(), strict=False):
        placed = [place(x, y) for x, y in points if math.isfinite(y)]
        if not placed:
            continue
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if dots:
            parts += [
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in placed
            ]
        names.append((placed[-1][1], f"{name} {two(points[-1][1])}", colour, False))
    if mark is not None:
        x = place(mark, 0)[0]
        parts.append(line(x, top - 6, x, bottom, STRONG, thick=2))
        parts.append(f'<path d="M{x - 6:.1f} {top - 8}h12l-6 9z" fill="{STRONG}"/>')
    heights = spread([y for y, *_ in names], gap=18, low=top, high=bottom)
    for y, (_, name, colour, dashed) in zip(heights, names, strict=True):
        parts.append(line(right + 6, y, right + 22, y, colour, dashed=dashed, thick=2))
        parts.append(text(right + 28, y + 5, name))
    return "".join(parts)


LOOKS = ((SERIES[0], False), (SERIES[1], True), (SERIES[2], False))  # colour, and dots or none


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """The places moved as little as it takes for them to be `gap` apart, in the same order.

    >>> spread([10, 12, 50], gap=10, low=0, high=100)
    [10, 20, 50]
    """
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = list(places)
    for before, i in zip([None, *order], order, strict=False):
        moved[i] = max(moved[i], low if before is None else moved[before] + gap)
    for after, i in zip([None, *order[::-1]], order[::-1], strict=False):
        moved[i] = min(moved[i], high if after is None else moved[after] - gap)
    return moved


def _ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers between low and high, about so many."""
    rough = (high - low) / about or 1.0
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * m for m in (1, 2, 5, 10) if unit * m >= rough)
    first = math.ceil(low / step)
    return [round(i * step, 10) for i in range(first, math.floor(high / step) + 1)]


# ---- Numbers as shaded cells, and labels that have little room ----

# A link is dark on white paper and light on black, so a share of its colour is a tint of one hue
# in either theme.
HEAT = "var(--jp-content-link-color, #0d47a1)"
STRONG = "var(--jp-content-font-color0, #000000)"
ON_HEAT = "var(--jp-ui-inverse-font-color0, #ffffff)"


def heat(share: float) -> tuple[float, str]:
    """For a share in 0..1: the opacity of HEAT, and the colour of words that stand on it.

    There is a step at one half: no ink reads on what is left out, in both themes.
    """
    return (1.2 * share, STRONG) if share < 0.5 else (0.5 + share / 2, ON_HEAT)


def cell(x: float, y: float, width: float, height: float, share: float, title: str = "") -> str:
    """A rectangle as dark as `share` in 0..1; `title` is what a mouse at rest is shown."""
    box = f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{HEAT}" '
    box += f'fill-opacity="{heat(share)[0]:.3g}"'
    return f"{box}><title>{escape(title)}</title></rect>" if title else f"{box}/>"


def frame(x: float, y: float, width: float, height: float, thick: float = 2) -> str:
    """An outline in the strongest ink: what is chosen."""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="none" '
        f'stroke="{STRONG}" stroke-width="{thick:g}"/>'
    )


def group(body: str, x: float = 0, y: float = 0, turn: float = 0, *, bold: bool = False) -> str:
    """A group of text, moved to (x, y) and turned by degrees."""
    style = ' style="font-weight: 600"' if bold else ""
    move = f' transform="translate({x:g} {y:g}) rotate({turn:g})"' if x or y or turn else ""
    return f"<g{style}{move}>{body}</g>"


def text_width(words: str, size: float = SIZE, code: bool = False) -> float:
    """About how many pixels wide a line of text is: never much less than it is.

    `code`: in the fixed-width font, where signs of East Asia and emoji take two places.
    """
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in words)
    if code:
        return size * 0.603 * (len(words) + wide)
    wide += sum(char in "mwMW@%" for char in words) * 0.7
    narrow = sum(char in "iljtfrI.,:;'|!()[]" for char in words)
    return size * (0.6 * len(words) + 0.5 * wide - 0.24 * narrow)


def clip(words: str, width: float, size: float = SIZE, code: bool = False) -> str:
    """Words cut to fit into `width` pixels, ended by "…" where they were cut."""
    fitting = max(0, int(width / (NARROWEST * size)) + 1)  # no more signs than that can fit
    if len(words) <= fitting and text_width(words, size, code) <= width:
        return words
    words = words[:fitting]
    while words and text_width(words, size, code) + size > width:
        words = words[:-1]
    return f"{words}…"


NARROWEST = 0.36  # of the size: a letter such as "i" in `text_width`
