"""The explorers in Notebook 7, which comes with nbgrader: the same pictures, light and dark."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from browser import chromium, chromium_page, jupyterlab, settled
from live import BEGIN

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = Path(os.environ.get("GPTLIB_NBGRADER", ROOT / ".venv" / "nbgrader" / "bin" / "python"))
TEXT = "Mia has a red ball. Tom has a big blue ball. Eve has a green ball. The ball of Tom is"
EXPLORER = f"widgets.attention_explorer(model, tokenizer, {TEXT!r}, head=3, query=11)"
# Where the first arc begins: over its word, which is never in the corner.
_ARC = """() => document.querySelector(".gptlib-arc-lines path").getAttribute("d").split("C")[0]"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A notebook with one explorer, run in Notebook 7."""
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
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in (BEGIN, EXPLORER)])
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
        command(page, "notebook:run-all-cells")
        page.wait_for_selector(".gptlib-live .gptlib-arc-lines path", state="attached")
        yield page


def command(page, name, **arguments):
    page.evaluate(
        "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => null)",
        [name, arguments],
    )


def test_the_explorer_speaks_as_in_jupyterlab_and_nothing_is_wrong(page):
    label = page.locator(".gptlib-arcs").get_attribute("aria-label")
    assert label.startswith("In layer 0, head 3, “␣ball” looks at “␣Tom” 0.96")
    assert not page.locator("[data-mime-type*=error], .gptlib-explorer [role=alert]").count()


def test_a_change_of_theme_changes_colours_and_moves_no_arc(page):
    colour = "() => getComputedStyle(document.querySelector('.gptlib-live')).color"
    before, light = page.evaluate(_ARC), page.evaluate(colour)
    assert not before.endswith(" 0")
    command(page, "apputils:change-theme", theme="JupyterLab Dark")
    page.wait_for_selector('body[data-jp-theme-light="false"]', state="attached")
    assert settled(lambda: page.evaluate(colour), "rgb(255, 255, 255)") != light
    page.wait_for_timeout(1000)  # what is drawn late is drawn
    assert page.evaluate(_ARC) == before
