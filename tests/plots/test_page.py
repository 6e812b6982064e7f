"""A picture in a page: its description is the image's alt, and it is light or dark as the page is.

Tried in a JupyterLab and in a web page made by nbconvert, both in a real browser.
"""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys

import kernels
import live
import nbformat
import numpy as np
import pytest
from browser import Lab, chromium, chromium_page, jupyterlab, settled
from explorers import EXPLORERS, NEEDED, WITHOUT_DRAWING
from matplotlib.colors import to_rgb
from nbconvert import HTMLExporter
from PIL import Image

from gptlib import plots
from gptlib.plots.parts.image import html, size_of, small_png
from gptlib.plots.style import THEMES

WORDS = "Probabilities. on: model 0.30. <b>: model 0.20."
PAPER = {name: tuple(round(255 * c) for c in to_rgb(theme.paper)) for name, theme in THEMES.items()}
LIGHT, DARK = PAPER["light"], PAPER["dark"]


def picture():
    return plots.compare({"model": {"on": 0.3, "<b>": 0.2}})


def notebook_with(*bundles):
    """A notebook as it comes in a fresh clone: nobody here has run it, so nobody trusts it."""
    cells = []
    for data, metadata in bundles:
        pictures = {kind: value for kind, value in data.items() if isinstance(value, bytes)}
        data = data | {kind: base64.b64encode(png).decode() for kind, png in pictures.items()}
        output = nbformat.v4.new_output("display_data", data, metadata=metadata)
        code = "from gptlib import plots\nplots.compare({'model': {'on': 0.3, '<b>': 0.2}})"
        cells.append(nbformat.v4.new_code_cell(code, outputs=[output]))
    made = nbformat.v4.new_notebook(cells=cells)
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    return made


def corner(image):
    """The colour of an image's paper, as the browser shows it."""
    shot = Image.open(io.BytesIO(image.screenshot())).convert("RGB")
    return shot.getpixel((4, 4))


def paper(image):
    """The colour that most of an image has, as the browser shows it."""
    shot = Image.open(io.BytesIO(image.screenshot())).convert("RGB")
    return max(shot.getcolors(shot.width * shot.height))[1]


# ---- What a picture gives ----


def test_the_html_of_a_picture_is_one_image_whose_alt_is_the_description():
    data, _ = picture()._repr_mimebundle_()
    assert data["text/html"].count("<img") == 1 and "<svg" not in data["text/html"]
    assert 'alt="Probabilities. on: model 0.30. &lt;b&gt;: model 0.20."' in data["text/html"]
    assert data["text/plain"] == WORDS


def test_a_picture_holds_both_drawings_and_they_differ_in_colour_alone():
    drawn = picture()
    pixels = [np.asarray(Image.open(io.BytesIO(one.png()))) for one in (drawn, drawn.dark)]
    assert pixels[0].shape == pixels[1].shape
    assert drawn.paint.name == "light" and drawn.dark.paint.name == "dark"
    assert drawn.description == drawn.dark.description


@pytest.mark.parametrize("name", list(THEMES))
def test_a_theme_that_is_asked_for_holds_on_every_page(name):
    with plots.theme(name):
        drawn = picture()
    assert drawn.paint.name == name and drawn.dark is None
    assert plots.compare({"model": {"on": 0.3}}, theme=name).dark is None
    assert "svg" not in drawn._repr_mimebundle_()[0]["text/html"]
    with plots.theme(name), plots.theme("page"):
        assert picture().dark is not None


def test_words_from_an_iterator_are_in_both_drawings():
    drawn = plots.sentence_tree(iter([("The cat.", 0.75), ("The dog.", 0.25)]))
    assert drawn.dark.description == drawn.description


def test_small_pictures_have_the_size_and_nearly_the_colours_of_large_ones():
    file = io.BytesIO()
    plots.machine().savefig(file, format="png", dpi=144)
    before, after = file.getvalue(), small_png(file.getvalue())
    assert len(after) < 0.5 * len(before) and size_of(after) == size_of(before)
    one, other = (np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) for png in (before, after))
    assert np.abs(one.astype(int) - other).mean() < 0.1


# ---- In a browser ----


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder, executable = tmp_path_factory.mktemp("lab"), chromium()
    with jupyterlab(folder) as url, chromium_page(executable) as (page, left):
        yield Lab(page, url, folder, left)


def test_in_a_notebook_that_nobody_trusts_the_alt_is_read_and_the_theme_is_followed(lab):
    nbformat.write(notebook_with(picture()._repr_mimebundle_()), lab.folder / "fresh.ipynb")
    opened = lab.open("fresh.ipynb")
    shown = opened.panel.locator(".jp-OutputArea-output")
    image = shown.get_by_role("img", name=WORDS, exact=True)
    image.wait_for()
    assert shown.locator("style, svg").count() == 0  # JupyterLab has taken out what it does
    for theme, paper in (("JupyterLab Dark", DARK), ("JupyterLab Light", LIGHT)):
        lab.theme(theme)
        assert settled(lambda: corner(image), paper) == paper


def test_in_a_notebook_that_was_run_it_is_the_same(lab):
    nbformat.write(notebook_with(picture()._repr_mimebundle_()), lab.folder / "run.ipynb")
    opened = lab.open("run.ipynb")
    opened.run_all()
    image = opened.panel.get_by_role("img", name=WORDS, exact=True)
    opened.panel.locator(".jp-OutputArea-output style").first.wait_for(state="attached")
    for theme, paper in (("JupyterLab Dark", DARK), ("JupyterLab Light", LIGHT)):
        lab.theme(theme)
        assert settled(lambda: corner(image), paper) == paper


@pytest.fixture
def exported(lab, tmp_path):
    """exported(bundles, theme, system): the page that nbconvert makes of them in a theme.

    It is open on a system that has a theme of its own.
    """
    page = lab.page.context.new_page()

    def export(bundles, theme, system):
        written, _ = HTMLExporter(theme=theme).from_notebook_node(notebook_with(*bundles))
        assert "No description has been provided" not in written
        (tmp_path / "page.html").write_text(written, encoding="utf-8")
        page.emulate_media(color_scheme=system)
        page.goto((tmp_path / "page.html").as_uri())
        return page

    yield export
    page.close()


@pytest.mark.parametrize("system", ["light", "dark"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_page_of_nbconvert_has_the_alt_and_its_pictures_follow_its_own_theme(
    exported, theme, system
):
    page = exported([picture()._repr_mimebundle_()], theme, system)
    image = page.get_by_role("img", name=WORDS, exact=True)
    assert settled(lambda: corner(image), PAPER[theme]) == PAPER[theme]


@pytest.fixture(scope="module")
def explorers():
    """{name: what a notebook is given of each explorer that has a picture}."""
    names = {}
    exec(live.BEGIN + NEEDED, names)
    calls = {name: call for name, call in EXPLORERS.items() if name not in WITHOUT_DRAWING}
    return {name: eval(call, names)._repr_mimebundle_() for name, call in calls.items()}


@pytest.mark.parametrize(("theme", "system"), [("light", "dark"), ("dark", "light")])
def test_there_each_explorer_is_an_image_with_its_description_and_follows_the_theme_too(
    explorers, exported, theme, system
):
    """It has no kernel there: its picture, as it opens, stands in its place."""
    page = exported(explorers.values(), theme, system)
    images = page.locator(".jp-OutputArea-output img")
    alts = images.evaluate_all("images => images.map(image => image.alt)")
    assert alts == [data["text/plain"] for data, _ in explorers.values()] and all(alts)
    expected = {"light": (255, 255, 255), "dark": (17, 17, 17)}[theme]
    for image in images.all():
        assert settled(lambda image=image: paper(image), expected) == expected
    assert not page.locator(".jp-OutputArea-output").get_by_text(re.compile(r"\S")).count()


@pytest.mark.parametrize("system", ["light", "dark"])
def test_on_a_page_that_says_nothing_of_themes_the_readers_system_decides(lab, system):
    data, _ = picture()._repr_mimebundle_()
    page = lab.page.context.new_page()
    page.emulate_media(color_scheme=system)
    page.set_content(data["text/html"])
    image = page.get_by_role("img", name=WORDS, exact=True)
    assert settled(lambda: corner(image), PAPER[system]) == PAPER[system]
    page.close()


def test_a_picture_grows_with_the_text_and_shrinks_with_the_room_while_it_can_be_read(lab):
    png = picture().png()
    page = lab.page.context.new_page()
    wide = []
    for size, room in ((14, 2000), (28, 2000), (14, 400), (14, 200), (28, 200)):
        box = f'<div style="font-size: {size}px; width: {room}px">{html(WORDS, 500, png)}</div>'
        page.set_content(box)
        wide.append(page.locator("img").bounding_box()["width"])
    page.close()
    assert wide == pytest.approx([500, 1000, 400, 312.5, 625], abs=1)


# ---- nbval ----


def nbval_of(tmp_path, pictures):
    """What nbval says of cells that show a picture, where these alts and PNGs were saved."""
    made = notebook_with(picture()._repr_mimebundle_())
    made.cells = []
    for count, (words, png) in enumerate(pictures, 1):
        data = {"text/html": html(words, 300, png, png), "text/plain": WORDS}
        metadata = {"image/png": {"width": 300, "alt": words}}
        made.cells += notebook_with(({**data, "image/png": png}, metadata)).cells
        made.cells[-1].execution_count = made.cells[-1].outputs[0]["execution_count"] = count
        made.cells[-1].outputs[0]["output_type"] = "execute_result"
    (tmp_path / "it.ipynb").write_text(json.dumps(made), encoding="utf-8")
    shutil.copy(kernels.TESTS.parent / "notebooks" / "conftest.py", tmp_path)
    paths = [str(kernels.TESTS), str(kernels.TESTS.parent), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-rA", "it.ipynb"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    return done.stdout


def test_nbval_compares_a_pictures_description_and_not_its_pixels(tmp_path):
    other = plots.compare({"model": {"off": 1.0}}).png()
    said = nbval_of(tmp_path, [(WORDS, other), (WORDS.replace("0.30", "0.31"), other)])
    assert "PASSED it.ipynb::Cell 0\n" in said and "FAILED it.ipynb::Cell 1" in said
    assert "1 failed, 1 passed" in said
