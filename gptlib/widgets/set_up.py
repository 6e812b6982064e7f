"""Lesson 00's one widget: does a slider move what it should move, and does the kernel answer?"""

from . import svg
from .explorer import Explorer


class SetUpCheck(Explorer):
    """A slider and a bar. If the bar follows, every other widget will work."""

    SCRIPT = "set_up_check"

    def answer_hello(self) -> dict:
        """The page asks this once, as it opens."""
        return {"said": "The kernel answers."}

    def draw(self) -> str:
        track = svg.rect(0, 4, 400, 22, stroke=svg.GRID)
        return svg.document(track + svg.text(412, 21, "Move the slider."), 640, 30, self.describe())

    def describe(self) -> str:
        return "Set-up check: a slider and a bar that follows it."


def set_up_check() -> SetUpCheck:
    """Show the check; it works when the bar follows the slider."""
    return SetUpCheck()
