"""The one style of all pictures: two themes, one font, and what every picture carries.

Nothing here touches pyplot, and matplotlib's rcParams are as before after every call: a picture
puts its own on while it is made and while it is drawn, whatever the user has set.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import wraps

import matplotlib.style
import numpy as np
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure

from .parts.image import html, size_of, small_png

SIZE = 13.0  # points: the size of running text
SMALL = 12.0  # and the smallest: 24 pixels of a projector of 1080 lines at 150 %
DPI = 144  # of the stored image
CSS_DPI = 96  # of the page it is shown on, so that 12 points there are 12 points


@dataclass(frozen=True)
class Theme:
    """The colours of one theme; text in `ink`, `soft`, `accent` or `second` reads on `paper`."""

    name: str
    paper: str
    ink: str
    soft: str  # what is beside the point
    line: str  # frames and grids
    fill: str  # a surface just off the paper
    accent: str  # what is looked at
    tint: str  # a surface that belongs to it
    second: str  # what it is compared with
    second_tint: str  # a surface that belongs to that
    shades: tuple[str, str]  # of the accent's hue: some, and all
    second_shades: tuple[str, str]  # of the other hue, as strong

    @property
    def hue(self) -> Colormap:
        """For quantities from 0 up: 0 is the page's colour, and more is stronger."""
        return LinearSegmentedColormap.from_list(f"gptlib-{self.name}", [self.paper, *self.shades])

    @property
    def signed(self) -> Colormap:
        """For quantities on both sides of 0: 0 is the page's colour, and further is stronger."""
        colours = [*self.second_shades[::-1], self.paper, *self.shades]
        name = f"gptlib-{self.name}-signed"
        return LinearSegmentedColormap.from_list(name, colours, N=257)  # odd: one of them is 0


THEMES = {
    "light": Theme(
        name="light",
        paper="#ffffff",
        ink="#1c2128",
        soft="#57606a",
        line="#c9d1d9",
        fill="#f4f6f8",
        accent="#0b5cad",
        tint="#dbeafb",
        second="#a84a00",
        second_tint="#fdead2",
        shades=("#5b9bd0", "#08326b"),
        second_shades=("#d98a3d", "#6b2a00"),
    ),
    "dark": Theme(
        name="dark",
        paper="#111111",  # of JupyterLab's dark theme
        ink="#e8edf2",
        soft="#a2acb8",
        line="#414a55",
        fill="#1b2027",
        accent="#7dbbff",
        tint="#17365a",
        second="#f2b45c",
        second_tint="#4a300f",
        shades=("#3474b4", "#c3e1ff"),
        second_shades=("#a8651a", "#ffdcae"),
    ),
}
PAGE = "page"  # light on a light page and dark on a dark one
_current = [PAGE]


class ThemeSwitch(AbstractContextManager):
    """What `theme` returns; leaving it as a context puts the theme of before back."""

    def __init__(self, name: str) -> None:
        self.before, self.name = _current[0], _known(name)
        _current[0] = self.name

    def __exit__(self, *_) -> None:
        _current[0] = self.before

    def __repr__(self) -> str:  # the last line of a notebook cell is shown
        return f"<theme {self.name}>"


def theme(name: str) -> ThemeSwitch:
    """Draw every later picture in "light" or "dark"; in a `with`, only those inside it.

    Where nothing is said, and after `theme("page")`, a picture follows the page that it is on.

    >>> with theme("dark"):
    ...     picture_theme().name
    'dark'

    Raises:
        ValueError: no theme has that name.
    """
    return ThemeSwitch(name)


def picture_theme(name: str | None = None) -> Theme:
    """The theme of that name; None: the one that `theme` has set; of a page's two, the light one.

    Raises:
        ValueError: no theme has that name.
    """
    name = _known(_current[0] if name is None else name)
    return THEMES["light" if name == PAGE else name]


def _known(name: str) -> str:
    if name not in (PAGE, *THEMES):
        raise ValueError(f"theme must be 'page', 'light' or 'dark', not {name!r}")
    return name


def follows_page(draw: Callable[..., "Picture"]) -> Callable[..., "Picture"]:
    """A drawing function, but its picture is light on a light page and dark on a dark one.

    It is drawn twice, unless `theme` names one of the two.
    """

    @wraps(draw)
    def drawn(*given, theme: str | None = None, **options) -> "Picture":
        name = _known(_current[0] if theme is None else theme)
        if name != PAGE:
            return draw(*given, theme=name, **options)
        given = [list(one) if isinstance(one, Iterator) else one for one in given]
        picture = draw(*given, theme="light", **options)
        picture.dark = draw(*given, theme="dark", **options)
        return picture

    return drawn


def rc(paint: Theme) -> AbstractContextManager:
    """matplotlib's defaults and, on top of them, ours; the user's own are back afterwards."""
    ours = {
        "font.family": ["DejaVu Sans"],
        "font.monospace": ["DejaVu Sans Mono"],
        "font.size": SIZE,
        "text.parse_math": False,  # a token may be a dollar sign
        "text.color": paint.ink,
        "axes.facecolor": paint.paper,
        "axes.edgecolor": paint.line,
        "axes.labelcolor": paint.soft,
        "axes.titlecolor": paint.ink,
        "axes.labelsize": SIZE,
        "axes.titlesize": SIZE,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlepad": 8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "grid.color": paint.line,
        "grid.linewidth": 0.6,
        "xtick.color": paint.line,
        "ytick.color": paint.line,
        "xtick.labelcolor": paint.ink,
        "ytick.labelcolor": paint.ink,
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "legend.fontsize": SMALL,
        "legend.frameon": False,
        "hatch.linewidth": 0.7,
        "svg.hashsalt": "gptlib",  # the same file for the same picture
        "savefig.facecolor": paint.paper,
    }
    return matplotlib.style.context(ours, after_reset=True)


class Picture(Figure):
    """A matplotlib Figure that shows itself in any notebook, and says what is to be seen.

    `description` is the text alternative, made from the same numbers as the picture; `dark` is the
    same picture for a dark page, or None if this one is for every page.
    """

    def __init__(self, *args, paint: Theme, **kwargs) -> None:
        super().__init__(*args, facecolor=paint.paper, **kwargs)
        self.paint = paint
        self.crop = self.get_layout_engine() is not None  # a drawing keeps its own margins
        self.description = ""
        self.dark: Picture | None = None

    def draw(self, renderer) -> None:
        with rc(self.paint):  # ticks are made when they are first drawn
            super().draw(renderer)
        if self.get_layout_engine() is not None:  # laid out once: else each draw moves it a hair
            self.set_layout_engine("none")

    def png(self) -> bytes:
        """The image, the same bytes each time."""
        file = io.BytesIO()
        crop = {"bbox_inches": "tight", "pad_inches": 0.15} if self.crop else {}
        self.savefig(file, format="png", dpi=DPI, pil_kwargs={"compress_level": 1}, **crop)
        return small_png(file.getvalue())

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        png, words = self.png(), self.description
        dark = None if self.dark is None else self.dark.png()
        width = round(size_of(png)[0] * CSS_DPI / DPI)
        data = {"image/png": png, "text/html": html(words, width, png, dark), "text/plain": words}
        return data, {"image/png": {"width": width, "alt": words}}


@contextmanager
def sheet(
    width: float, height: float, name: str | None = None, layout: str | None = "constrained"
) -> Iterator[tuple[Picture, Theme]]:
    """An empty picture of width x height inches in a theme, and the theme, to be drawn on."""
    paint = picture_theme(name)
    with rc(paint):
        yield Picture(figsize=(width, height), paint=paint, layout=layout), paint


def describe(figure: Figure) -> str:
    """The text alternative of a picture: what a screen reader should say, with its numbers.

    >>> from gptlib.plots import compare
    >>> describe(compare({"model": {"sleeping": 0.61, "on": 0.39}}))
    'Probabilities. sleeping: model 0.61. on: model 0.39.'

    Raises:
        TypeError: the figure was not made by gptlib.plots.
    """
    if not isinstance(figure, Picture):
        raise TypeError(f"describe takes a figure made by gptlib.plots, not {figure!r}")
    return figure.description


# ---- Contrast, by WCAG 2.1 ----


def luminance(colour) -> float:
    """Relative luminance of a colour, from 0 (black) to 1 (white)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def contrast(one, other) -> float:
    """Contrast of two colours, from 1 (none) to 21; text needs 4.5."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def readable_on(colour) -> str:
    """Black or white, whichever reads better on the colour: one of the two always has 4.5."""
    return max(("#000000", "#ffffff"), key=lambda ink: contrast(ink, colour))
