"""An explorer in a JupyterLab, read and moved as a person does; for the tests of js/ pages."""

from contextlib import contextmanager

import pytest
from browser import Explorer, settled

BEGIN = """
import torch
import gptlib
from gptlib import widgets
from gptlib.corpora import pets as grammar
torch.set_num_threads(1)
model, tokenizer = gptlib.load("pets")
"""

# All that is written, a line for each stretch of text, but for what is hidden.
_WORDS = """root => {
  const found = [], walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const words = walk.currentNode.textContent, box = walk.currentNode.parentElement;
    if (words && box.getClientRects().length) found.push(words);
  }
  return found;
}"""
# What a student's text could bring in: every element and attribute must be one of ours.
_STRANGE = """root => {
  const tags = new Set(('section div span label input select option button p table thead tbody tr '
    + 'th td caption svg g path line rect circle polygon polyline text title ul ol li '
    + 'details summary output b code').split(' '));
  const attributes = new Set(('class style role title type name value min max step tabindex hidden '
    + 'id spellcheck autocomplete disabled viewBox width height x y x1 x2 y1 y2 cx cy r rx d '
    + 'points fill stroke transform scope for open').split(' '));
  const families = /^(aria-|data-|stroke-|fill-|font-|text-|dominant-|marker-)/;
  const strange = [];
  for (const node of root.querySelectorAll('*')) {
    if (!tags.has(node.localName)) strange.push(node.localName);
    for (const {name} of node.attributes)
      if (!attributes.has(name) && !families.test(name))
        strange.push(`${node.localName} ${name}`);
  }
  return strange;
}"""


class Live(Explorer):
    """The first explorer of the open notebook; `settled` waits for what it shows."""

    def words(self):
        return self.root.evaluate(_WORDS)

    def strange(self):
        """Elements and attributes that no explorer of ours has."""
        return self.root.evaluate(_STRANGE)

    def message(self):
        return self.root.locator(".gptlib-message").inner_text()

    def label(self, selector="[role=img]"):
        """What a screen reader says of a picture."""
        return self.root.locator(selector).first.get_attribute("aria-label")


def open_live(lab, name, *cells, count=1):
    """The live explorers of a new notebook of these cells, with `model` and `tokenizer` at hand."""
    notebook = lab.new_notebook(f"{name}.ipynb", BEGIN, *cells)
    notebook.run_all()
    found = notebook.panel.locator(".gptlib-live")
    found.nth(count - 1).locator("[role=img], [role=group]").first.wait_for()
    return notebook, [Live(lab.page, found.nth(k)) for k in range(count)]


def shows(read, expected):
    """What `read` gives becomes what is expected."""
    assert settled(read, expected) == expected


COLOURS = ("light", "dark", "forced")
_OTHERS = (pytest.param(name, marks=pytest.mark.thorough) for name in COLOURS[1:])
in_each_colour = pytest.mark.parametrize("colours", [COLOURS[0], *_OTHERS])


@contextmanager
def shown_in(lab, colours):
    """The page in one of COLOURS, and afterwards as it was but for the theme."""
    lab.theme("JupyterLab Dark" if colours == "dark" else "JupyterLab Light")
    lab.page.emulate_media(forced_colors="active" if colours == "forced" else "none")
    yield
    lab.page.emulate_media(forced_colors="none")


@contextmanager
def moving(lab):
    """The page of a reader who has not asked for less motion."""
    lab.page.emulate_media(reduced_motion="no-preference")
    yield
    lab.page.emulate_media(reduced_motion="reduce")


def press_at_once(live, *names):
    """Click these buttons, one right after the other, before anything else can happen."""
    live.root.evaluate(
        """(root, names) => names.forEach(name =>
          [...root.querySelectorAll("button")].find(one => one.textContent === name).click())""",
        names,
    )


def grave_in(lab, colours):
    """What axe finds that is serious, in one of COLOURS."""
    with shown_in(lab, colours):
        return grave(lab.page)


def shut_down(lab):
    """End the kernel, as by the menu of the notebook."""
    session = "window.jupyterapp.shell.currentWidget.sessionContext"
    lab.page.evaluate(f"{session}.shutdown().then(() => null)")


def restart(lab):
    """The kernel, as by its menu."""
    session = "window.jupyterapp.shell.currentWidget.sessionContext.session"
    lab.page.evaluate(f"{session}.kernel.restart()")


def grave(page):
    """What axe finds that is serious, in the explorers of the page."""
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415

    found = Axe().run(page, ".gptlib-live").response
    assert {rule["id"] for rule in found["passes"]}
    return [
        (rule["id"], node["html"], node["failureSummary"])
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
