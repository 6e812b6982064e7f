"""A blank page measured in points, for pictures that are drawings more than charts."""

import math

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, PathPatch
from matplotlib.path import Path as Curve
from matplotlib.text import Text
from matplotlib.textpath import text_to_path

from ..style import SMALL, Picture

POINTS = 72  # in an inch


class Page:
    """Axes that fill the whole picture, with (0, 0) at the lower left and one unit a point."""

    def __init__(self, picture: Picture) -> None:
        width, height = (side * POINTS for side in picture.get_size_inches())
        self.ax: Axes = picture.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
        self.ax.axis("off")
        self.paint = picture.paint

    def text(self, x: float, y: float, text: str, **style) -> Text:
        """Words around (x, y), centred unless `ha` or `va` says otherwise."""
        style = {"ha": "center", "va": "center", "fontsize": SMALL, "color": self.paint.ink} | style
        return self.ax.text(x, y, text, **style)

    def box(self, x: float, y: float, width: float, height: float, radius=6.0, **style):
        """A rectangle with round corners; (x, y) is its lower left corner."""
        style = {"boxstyle": f"round,pad=0,rounding_size={radius}"} | style
        return self.ax.add_patch(FancyBboxPatch((x, y), width, height, **style))

    def arrow(self, start, end, color, width=1.4, head=7.0, **style):
        """An arrow from one point to another; `connectionstyle` bends it."""
        style = {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0, "capstyle": "butt"} | style
        return self.ax.add_patch(
            FancyArrowPatch(start, end, mutation_scale=head, linewidth=width, color=color, **style)
        )

    def line(self, xs, ys, color, width=1.4, **style):
        """A line through the points."""
        style = {"solid_capstyle": "round", "solid_joinstyle": "round"} | style
        return self.ax.plot(xs, ys, color=color, linewidth=width, **style)[0]

    def route(self, points, radius, color, width=1.4, **style):
        """A way through the points with round corners."""
        vertices, codes = [points[0]], [Curve.MOVETO]
        for before, corner, after in zip(points, points[1:], points[2:], strict=False):
            vertices += [_towards(corner, before, radius), corner, _towards(corner, after, radius)]
            codes += [Curve.LINETO, Curve.CURVE3, Curve.CURVE3]
        path = Curve([*vertices, points[-1]], [*codes, Curve.LINETO])
        style = {"facecolor": "none", "capstyle": "butt"} | style
        return self.ax.add_patch(PathPatch(path, edgecolor=color, linewidth=width, **style))

    def curve(self, start, bend, other_bend, end, color, width=1.4, **style):
        """A smooth line from start to end, drawn towards the two bends on its way."""
        codes = [Curve.MOVETO, *[Curve.CURVE4] * 3]
        path = Curve([start, bend, other_bend, end], codes)
        style = {"facecolor": "none", "capstyle": "round"} | style
        return self.ax.add_patch(PathPatch(path, edgecolor=color, linewidth=width, **style))


def _towards(start, end, length: float) -> tuple[float, float]:
    """The point `length` away from start, on the straight way to end."""
    share = length / math.dist(start, end)
    return tuple(a + (b - a) * share for a, b in zip(start, end, strict=True))


def text_width(text: str, size: float = SMALL, family="DejaVu Sans", weight="normal") -> float:
    """How wide the text will be, in points."""
    font = FontProperties(family=family, size=size, weight=weight)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]
