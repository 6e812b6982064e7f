"""What every explorer is made of: controls, one picture, and a place where errors can be seen.

An explorer's `draw` is a pure function of its controls that returns SVG or HTML; everything else
(redrawing, errors, saving, the fallback where widgets cannot run) is here, once.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import ipywidgets
from ipywidgets import (
    HTML,
    BoundedFloatText,
    BoundedIntText,
    Button,
    FloatSlider,
    HBox,
    IntSlider,
    VBox,
)

from ..formats.files import atomic_write
from ..formats.values import text_of
from . import svg

LONGEST = 64  # tokens: a picture of more is not read by anyone

# What ipywidgets leaves out, put in by one style element a widget. It has no global ids, and twice
# the same rules do no harm. The handle of a slider is a div that nothing names, so when the style
# is loaded, and whenever a control comes later, each handle is given its slider's description.
# And the arrow keys of a list are kept from JupyterLab, which would go to another cell with them.
NAME_SLIDERS = """
const root = this.closest('.gptlib-explorer');
if (root && !root.gptlibNamed) {
  const name = () => {
    root.querySelectorAll('.noUi-handle').forEach(handle => {
      const label = handle.closest('.widget-slider')?.querySelector('label');
      if (label && label.textContent) handle.setAttribute('aria-label', label.textContent);
    });
    root.querySelectorAll('select').forEach(list =>
      list.setAttribute('data-lm-suppress-shortcuts', 'true'));
  };
  root.gptlibNamed = new MutationObserver(name);
  root.gptlibNamed.observe(root, {childList: true, subtree: true});
  name();
}
"""
FOCUS = "outline: 2px solid var(--jp-focus-outline-color, #1976d2) !important; outline-offset: 2px"
# ipywidgets' own arrow is black, also on a dark page; this grey shows on both.
ARROW = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 18 18'%3E"
    "%3Cpath d='M5 7l4 4 4-4' fill='none' stroke='%23888' stroke-width='2'/%3E%3C/svg%3E"
)
CSS = f"""
.gptlib-explorer {{ max-width: 900px; }}
{".gptlib-explorer" * 4} :focus-visible {{ {FOCUS}; }}
.gptlib-explorer .noUi-handle:focus {{ {FOCUS}; }}
.gptlib-explorer .widget-hbox {{ overflow: visible; }}
.gptlib-explorer {{ --jp-widgets-dropdown-arrow: url("{ARROW}"); }}
.gptlib-explorer .widget-html-content {{ line-height: 1.45; font-size: 14px; }}
.gptlib-explorer .gptlib-box > label {{ position: absolute; width: 1px; height: 1px;
  overflow: hidden; clip-path: inset(50%); }}
"""


class Explorer(VBox):
    """Controls above, one picture below. Subclasses give `draw` and `describe`.

    Args:
        controls: widgets; a change of the `value` of any of them in `watched` redraws.
        watched: those that the picture depends on.
    """

    def __init__(self, controls: list[ipywidgets.Widget], watched: list[ipywidgets.Widget]) -> None:
        self.picture = HTML()
        self.message = HTML(layout={"min_height": "24px"})  # its place is kept: nothing jumps
        self._lock = threading.RLock()  # JupyterLab has messages handled in more than one thread
        self._running, self._trouble = False, ""
        style = HTML(f'<style onload="{svg.escape(NAME_SLIDERS)}">{CSS}</style>')
        style.layout.display = "none"
        super().__init__([style, *controls, self.message, self.picture])
        self.add_class("gptlib-explorer")
        _no_null_hints(self)
        for control in watched:
            control.observe(self.refresh, names="value")
        self.refresh()

    def draw(self) -> str:
        """The picture for the controls as they stand, SVG or HTML; a ValueError holds advice."""
        raise NotImplementedError

    def describe(self) -> str:
        """The same in one line of text."""
        raise NotImplementedError

    def refresh(self, change: object = None) -> None:
        """Draw again, and show what goes wrong: nobody sees an exception in a callback."""
        self.guard(self._redraw)

    def _redraw(self) -> None:
        self.picture.value = self.draw()

    def guard(self, action: Callable[[], None]) -> None:
        """Run `action`, or show its error inside the widget and leave the picture as it is.

        An action that moves a control runs `refresh` inside this one: the outermost decides, so
        that an error within is not wiped away by the success around it.
        """
        with self._lock:  # or a picture of an earlier moment could come last, and stay
            outermost = not self._running
            if outermost:
                self._running, self._trouble = True, ""
            try:
                action()
            except Exception as error:  # whatever it is, the class must see it
                kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
                self._trouble = f"{kind}{text_of(error)}" or type(error).__name__
            finally:
                if outermost:
                    self._running = False
                    self.say(self._trouble)

    def say(self, words: str) -> None:
        """Show a line of plain text between the controls and the picture; "" clears it."""
        line = f"border-left: 4px solid {svg.ALARM}; padding: 2px 8px; color: {svg.INK}"
        alert = f'<div role="alert" style="{line}">\N{WARNING SIGN} {svg.escape(words)}</div>'
        self.message.value = alert if words else ""

    def button(self, name: str, action: Callable[[], None], hint: str = "") -> Button:
        """A button that runs `action` under `guard`; `hint` is what a mouse at rest is shown."""
        made = Button(description=name, tooltip=hint or name, layout={"width": "auto"})
        made.on_click(lambda _: self.guard(action))
        return made

    def save(self, path: str | os.PathLike) -> None:
        """Write what is shown to a file: `.svg` where the picture is one SVG, or `.html`.

        Raises:
            ValueError: another ending, or a picture that is not one SVG.
        """
        path, picture = Path(path), self.draw()
        if path.suffix == ".html":
            content = svg.page(picture, title=self.describe())
        elif path.suffix == ".svg":
            if not (picture.startswith("<svg") and picture.count("<svg") == 1):
                raise ValueError("this picture is not one SVG: save it as .html")
            content = svg.standalone(picture)
        else:
            raise ValueError(f"{path.name}: the name must end in .svg or .html")
        with atomic_write(path) as temporary:
            temporary.write_text(content, encoding="utf-8")

    def fallback(self) -> dict[str, str]:
        """For where no widget can run (the web, print): the picture as an image, and its words."""
        try:
            words = svg.writable(self.describe())
        except Exception as error:  # the message says so too
            words = svg.writable(f"{type(self).__name__}: {text_of(error)}")
        picture = self.picture.value
        html = svg.image(picture, words) if picture else f"<p>{svg.escape(words)}</p>"
        return {"text/plain": words, "text/html": html}

    def _repr_mimebundle_(self, **kwargs) -> dict:
        return super()._repr_mimebundle_(**kwargs) | self.fallback()


def _no_null_hints(widget: ipywidgets.Widget) -> None:
    """ipywidgets writes a hint that is None into the page as the word "null"."""
    for child in getattr(widget, "children", ()):
        if getattr(child, "tooltip", "") is None:
            child.tooltip = ""
        _no_null_hints(child)


def number(
    name: str, value: float, low: float, high: float, step: float = 1, width: str = "22em"
) -> tuple[HBox, BoundedIntText | BoundedFloatText]:
    """A slider with a number box beside it, always equal; returns (the row, the box).

    Whole numbers where `step` and `value` are whole. The box is the one to watch: a slider in a
    page says 1.2999999999999998 where the box says 1.3. It has the slider's name too, for a
    screen reader: its label is there and takes no room.
    """
    name = svg.writable(name)
    whole = isinstance(value, int) and isinstance(step, int)
    slider_class, box_class = (
        (IntSlider, BoundedIntText) if whole else (FloatSlider, BoundedFloatText)
    )
    limits = {"value": value, "min": low, "max": high, "step": step, "description": name}
    slider = slider_class(**limits, readout=False, layout={"width": width}, style=LABEL)
    box = box_class(**limits, layout={"width": "5.5em"}).add_class("gptlib-box")
    rounded = (lambda shown: round(shown, 9)), (lambda typed: typed)
    ipywidgets.link((slider, "value"), (box, "value"), transform=rounded)
    for limit in ("min", "max"):
        ipywidgets.link((box, limit), (slider, limit))
    return HBox([slider, box]), box


LABEL = {"description_width": "6.5em"}  # so that the controls of a column line up


def capped(ids: list[int], most: int = LONGEST) -> list[int]:
    """`ids`, or a ValueError that says how long a text may be."""
    if not ids:
        raise ValueError("type some text")
    if len(ids) > most:
        raise ValueError(f"{len(ids)} tokens are too many to show: {most} at most")
    return ids


def token_name(tokenizer, id: int) -> str:
    """A token with all of it visible; an id that the tokenizer lacks (a padded table) as <id>."""
    return tokenizer.token_str(id) if id < tokenizer.vocab_size else f"<{id}>"
