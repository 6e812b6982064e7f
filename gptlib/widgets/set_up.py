"""Lesson 00's one widget: does a slider move what it should move?"""

from . import svg
from .base import Explorer, number


class SetUpCheck(Explorer):
    """A slider and a bar. If the bar follows, every other widget will work."""

    def __init__(self) -> None:
        row, self.slider = number("move me", 0, 0, 100)
        super().__init__([row], [self.slider])

    def draw(self) -> str:
        share = self.slider.value
        verdict = "The widgets answer." if share else "Nothing has moved yet."
        bar = (
            f'<rect x="0" y="4" width="400" height="22" fill="none" stroke="{svg.GRID}"/>'
            f'<rect x="0" y="4" width="{4 * share}" height="22" fill="{svg.SERIES[0]}"/>'
        )
        return svg.document(bar + svg.text(412, 21, verdict), 640, 30, f"{share} of 100. {verdict}")

    def describe(self) -> str:
        return "Set-up check: a slider and a bar that follows it."


def set_up_check() -> SetUpCheck:
    """Show the check; it works when the bar follows the slider."""
    return SetUpCheck()
