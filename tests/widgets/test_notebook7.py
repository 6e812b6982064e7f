"""Every explorer in Notebook 7, which comes with nbgrader, as in JupyterLab, light and dark."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from browser import chromium, chromium_page, jupyterlab, settled
from explorers import EXPLORERS, NEEDED
from live import BEGIN

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = Path(os.environ.get("GPTLIB_NBGRADER", ROOT / ".venv" / "nbgrader" / "bin" / "python"))
ARCS = "widgets.attention_explorer(model, tokenizer, LONG, head=3, query=11)"
CELLS = [BEGIN, NEEDED, ARCS, *EXPLORERS.values()]
# How far it is wider inside than it is, and how far it goes beyond its output.
_WIDER = """root => {
  const output = root.closest(".jp-OutputArea-output").getBoundingClientRect();
  const beyond = root.getBoundingClientRect().right - output.right;
  return [root.scrollWidth - root.clientWidth, beyond];
}"""
# Where the first arc begins: over its word, which is never in the corner.
_ARC = """() => document.querySelector(".gptlib-arc-lines path").getAttribute("d").split("C")[0]"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A notebook with every explorer, run in Notebook 7; `said` are errors of its console since."""
    if not PYTHON.is_file():
        pytest.skip("no nbgrader, with which Notebook 7 comes: make .venv/nbgrader/installed")
    executable, folder = chromium(), tmp_path_factory.mktemp("notebook7")
    prefix = "import sys; print(sys.prefix)"
    inner = subprocess.run([PYTHON, "-c", prefix], capture_output=True, text=True, check=True)
    shared = folder / ".share"  # of both environments: the inner one has Notebook 7's part alone
    for outer in (Path(sys.prefix), Path(inner.stdout.strip())):
        for part in ("schemas", "themes"):
            if (found := outer / "share" / "jupyter" / "lab" / part).is_dir():
                shutil.copytree(found, shared / part, dirs_exist_ok=True)
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS])
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(made, folder / "a.ipynb")
    where = {"JUPYTERLAB_DIR": str(shared)}
    where["JUPYTER_PATH"] = str(Path(sys.prefix) / "share" / "jupyter")
    with (
        jupyterlab(folder, (PYTHON, "-m", "notebook"), **where) as url,
        chromium_page(executable) as (page, _),
    ):
        page.goto(f"{url}/notebooks/a.ipynb")
        page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
        page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.ready")
        page.said = []
        page.on("console", lambda said: said.type == "error" and page.said.append(said.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        command(page, "notebook:run-all-cells")
        page.wait_for_selector(".gptlib-live .gptlib-arc-lines path", state="attached")
        page.locator(".gptlib-live").nth(len(EXPLORERS)).wait_for(state="attached")
        yield page


def command(page, name, **arguments):
    page.evaluate(
        "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => null)",
        [name, arguments],
    )


def test_the_explorer_speaks_as_in_jupyterlab_and_nothing_is_wrong(page):
    label = page.locator(".gptlib-arcs").first.get_attribute("aria-label")
    assert label.startswith("In layer 0, head 3, “␣ball” looks at “␣Tom” 0.96")
    assert not page.locator("[data-mime-type*=error], .gptlib-explorer [role=alert]").count()


@pytest.mark.parametrize("place", range(1, 1 + len(EXPLORERS)), ids=list(EXPLORERS))
def test_an_explorer_is_live_and_no_wider_than_its_place(page, place):
    root = page.locator(".gptlib-live").nth(place)
    root.scroll_into_view_if_needed()
    root.locator("[role=img], [role=group], [role=region], button").first.wait_for()
    assert root.locator("button, input, select, [tabindex]").count()
    inside, beyond = root.evaluate(_WIDER)
    assert inside <= 1 and beyond <= 1
    assert not page.said


def test_a_change_of_theme_changes_colours_and_moves_no_arc(page):
    colour = "() => getComputedStyle(document.querySelector('.gptlib-live')).color"
    before, light = page.evaluate(_ARC), page.evaluate(colour)
    assert not before.endswith(" 0")
    command(page, "apputils:change-theme", theme="JupyterLab Dark")
    page.wait_for_selector('body[data-jp-theme-light="false"]', state="attached")
    assert settled(lambda: page.evaluate(colour), "rgb(255, 255, 255)") != light
    page.wait_for_timeout(1000)  # what is drawn late is drawn
    assert page.evaluate(_ARC) == before
