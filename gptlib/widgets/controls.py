"""Controls that several explorers share: picking one of a few named things, a line of text.

Kept apart from `base`, which knows no particular control but the number.
"""

from collections.abc import Sequence

import ipywidgets
from ipywidgets import Checkbox, Dropdown, HBox, IntSlider, Text

from . import svg
from .base import LABEL


class Picker(HBox):
    """One of several: a slider to run through them, and beside it a list of their names.

    Watch `slider`; its value is the place of what is picked, and the list always agrees.
    """

    def __init__(self, name: str, labels: Sequence[str], value: int = 0, width: str = "22em"):
        self.slider = IntSlider(
            min=0, max=1, description=name, readout=False, layout={"width": width}, style=LABEL
        )
        self.names = Dropdown(description=name, layout={"width": "11em"}).add_class("gptlib-box")
        self._relabelling = False
        super().__init__([self.slider, self.names])
        self.relabel(labels, value)
        self.slider.observe(self._to_names, names="value")
        self.names.observe(self._to_slider, names="index")

    def relabel(self, labels: Sequence[str], value: int = 0) -> None:
        """Other things to pick from, and which of them is picked."""
        self._relabelling = True
        try:
            shown = [svg.writable(label) for label in labels]
            self.names.options = [(label, place) for place, label in enumerate(shown)]
            self.names.index = value
            self.slider.max = max(1, len(labels) - 1)  # a slider needs some way to go
            self.slider.disabled = self.names.disabled = len(labels) < 2
        finally:
            self._relabelling = False
        self.slider.value = value

    @property
    def value(self) -> int:
        return min(self.slider.value, len(self.names.options) - 1)

    @value.setter
    def value(self, place: int) -> None:
        self.slider.value = place

    def _to_names(self, change: object) -> None:
        if not self._relabelling:
            self.names.index = self.value

    def _to_slider(self, change: object) -> None:
        if not self._relabelling and self.names.index is not None:
            self.slider.value = self.names.index


def choice(name: str, options: Sequence, width: str = "13em") -> Dropdown:
    """A list of a few things; `options` may be pairs (words, value)."""
    return Dropdown(
        options=options,
        description=name,
        layout={"width": width},
        style={"description_width": "initial"},
        disabled=len(options) < 2,
    )


def few(name: str, count: int) -> Dropdown:
    """A short list of the numbers 0 .. count - 1, such as layers or heads."""
    return choice(name, range(count), "10em")


def tick(name: str, value: bool, hint: str = "") -> Checkbox:
    """A box to tick."""
    return Checkbox(
        value=value, description=name, tooltip=hint or name, indent=False, layout={"width": "auto"}
    )


def line(name: str, value: str) -> Text:
    """A line of text; it counts when Enter is pressed or the line is left."""
    return Text(
        value=value,
        description=name,
        continuous_update=False,
        layout={"width": "auto", "max_width": "880px"},
        style=LABEL,
    )


def row(*controls: ipywidgets.Widget) -> HBox:
    """Controls side by side, or one below the other where the page is narrow."""
    return HBox(
        controls, layout={"flex_flow": "row wrap", "align_items": "center", "grid_gap": "4px 16px"}
    )
