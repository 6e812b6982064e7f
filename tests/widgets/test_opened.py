"""A notebook that is opened again: one that was run yesterday, and one whose kernel still runs."""

import nbformat
import pytest
from browser import Notebook
from live import open_live, shows, shut_down

CELLS = [
    "display(widgets.softmax_explorer())",
    "from gptlib.teaching import progress_bar\nfor k in progress_bar(range(3)):\n    pass",
    "for k in progress_bar(range(3), leave=False):\n    pass",
    "import ipywidgets\nipywidgets.Button()",
]
NOT_FOUND = "Error displaying widget"


@pytest.fixture
def ran(lab):
    """A notebook that was run here, which is why JupyterLab trusts it, and saved."""
    notebook, _ = open_live(lab, "ran", *CELLS)
    notebook.panel.locator(".jp-OutputArea .jupyter-button").wait_for()
    lab.command("docmanager:save")
    return notebook


def saved(lab):
    """{kind: text} of each output of the file."""
    cells = nbformat.read(lab.folder / "ran.ipynb", 4).cells
    return [dict(output.data) for cell in cells for output in cell.get("outputs", ())]


def views(lab):
    return sum("application/vnd.jupyter.widget-view+json" in data for data in saved(lab))


def test_without_its_kernel_a_notebook_shows_pictures_and_words_and_keeps_them(lab, ran):
    before = saved(lab)
    assert views(lab) == 3
    shut_down(lab)
    opened = lab.open("ran.ipynb")
    image = opened.panel.locator(".jp-OutputArea-output img.gptlib-drawing")
    image.wait_for()
    assert image.get_attribute("alt") == before[0]["text/plain"]
    assert opened.panel.locator(".jp-OutputArea-output style").count()  # it is trusted
    assert "100%|██████████| 3/3" in opened.panel.inner_text()
    assert NOT_FOUND not in opened.panel.inner_text() and not opened.errors()
    lab.command("docmanager:save")
    shows(lambda: views(lab), 0)
    rest = [{k: v for k, v in data.items() if "widget-view" not in k} for data in before]
    assert saved(lab) == rest
    opened.run_all()
    opened.panel.locator(".gptlib-live [role=img]").first.wait_for()


def test_a_page_that_is_loaded_again_while_its_kernel_runs_keeps_its_live_explorers(lab, ran):
    lab.page.reload()
    lab.page.wait_for_function("window.jupyterapp?.restored")
    lab.page.evaluate("window.jupyterapp.restored.then(() => null)")
    lab.command("docmanager:open", path="ran.ipynb", factory="Notebook")
    opened = Notebook(lab)
    opened.panel.locator(".gptlib-live [role=img]").first.wait_for()
    assert views(lab) == 3
    assert NOT_FOUND not in opened.panel.inner_text() and not opened.errors()
