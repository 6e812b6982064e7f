"""Every lesson as it comes in a clone, not trusted yet, in a JupyterLab without our settings."""

import sys
from pathlib import Path

import nbformat
import pytest
from browser import Lab, chromium, chromium_page, jupyterlab
from live import shows

NOTEBOOKS = Path(__file__).resolve().parent.parent.parent / "notebooks"
# Ours would leave out views of widgets, and it is JupyterLab that must not show them here.
FILES = "jupyter_server.services.contents.largefilemanager.AsyncLargeFileManager"
PLAIN = (sys.executable, "-m", "jupyterlab", f"--ServerApp.contents_manager_class={FILES}")

# [alt, whether it can be seen, what is written beside it] of each output that has an image
LOOK = """async panel => {
  const found = [];
  for (const output of panel.querySelectorAll(".jp-OutputArea-output")) {
    for (const image of output.querySelectorAll("img")) {
      await image.decode();
      found.push([image.alt, image.naturalWidth > 100, output.textContent.trim()]);
    }
  }
  return found;
}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder, executable = tmp_path_factory.mktemp("clone"), chromium()
    with jupyterlab(folder, PLAIN) as url, chromium_page(executable) as (page, left):
        yield Lab(page, url, folder, left)


NAMES = [*sorted(NOTEBOOKS.glob("*.ipynb")), *sorted(NOTEBOOKS.glob("deeper/*.ipynb"))]
NAMES = [path.relative_to(NOTEBOOKS).with_suffix("").as_posix() for path in NAMES]
OFTEN = "03_masked_attention"
NAMES = [pytest.param(n, marks=() if n == OFTEN else pytest.mark.thorough) for n in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_shows_each_picture_with_its_description_and_no_letters_of_it(lab, name):
    text = (NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8")
    (lab.folder / "lesson.ipynb").write_text(text, encoding="utf-8")
    cells = nbformat.reads(text, 4).cells
    outputs = [output.get("data", {}) for cell in cells for output in cell.get("outputs", ())]
    said = [data["text/plain"] for data in outputs if "<img" in data.get("text/html", "")]
    assert all(said)
    panel = lab.open("lesson.ipynb").panel
    shows(lambda: panel.evaluate(LOOK), [[words, True, ""] for words in said])
    assert panel.locator(".jp-OutputArea-output svg, .jupyter-widgets").count() == 0
