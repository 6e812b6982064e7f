"""gptlib.widgets.set_up: lesson 00's check in a page; and what a page that is not trusted has."""

from pathlib import Path

import nbformat
from explorers import elements, image_of
from live import COLOURS, Live, grave_in, open_live, shows

from gptlib.widgets import sampling_studio, set_up_check

LESSON = Path(__file__).resolve().parents[2] / "notebooks" / "00_the_whole_machine.ipynb"


def test_the_bar_follows_the_slider_and_the_kernel_answers(lab):
    _, (check,) = open_live(lab, "check", "widgets.set_up_check()")
    assert check.controls() == {("slider", "move me"), ("spinbutton", "move me")}
    assert check.label() == "0 of 100. Nothing has moved yet."
    shows(lambda: "The kernel answers." in check.words(), True)
    check.press("slider", "move me", "ArrowRight", 3)
    shows(check.label, "3 of 100. The widgets answer.")
    check.type("spinbutton", "move me", "40")
    shows(check.label, "40 of 100. The widgets answer.")
    for colours in COLOURS:
        assert not grave_in(lab, colours)
    assert not check.strange()


def test_lesson_00_opens_with_the_check(lab):
    lesson = nbformat.read(LESSON, as_version=4)
    places = [i for i, cell in enumerate(lesson.cells) if "set_up_check()" in cell.source]
    del lesson.cells[places[0] + 1 :]
    nbformat.write(lesson, lab.folder / "lesson.ipynb")
    notebook = lab.open("lesson.ipynb")
    notebook.run_all()
    check = Live(lab.page, notebook.panel.locator(".gptlib-live").first)
    check.press("slider", "move me", "ArrowRight", 3)
    shows(check.label, "3 of 100. The widgets answer.")
    assert not notebook.errors() and not lab.left


def test_a_page_that_is_not_trusted_shows_the_picture_and_says_its_words(lab, pets):
    studio = sampling_studio(*pets)
    data = studio._repr_mimebundle_()[0]
    output = nbformat.v4.new_output("display_data", data=data)
    cell = nbformat.v4.new_code_cell("studio", outputs=[output], execution_count=1)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), lab.folder / "clone.ipynb")
    notebook = lab.open("clone.ipynb")
    image = notebook.panel.locator(".jp-OutputArea-output img")
    image.wait_for()
    assert image.get_attribute("alt") == data["text/plain"]
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 500
    assert notebook.panel.locator(".jp-OutputArea-output").first.inner_text().strip() == ""


def test_the_fallback_is_a_picture_with_words():
    check = set_up_check()
    elements(check.draw())
    alt, _ = image_of(check.fallback()["text/html"])
    assert (
        alt == check.fallback()["text/plain"] == "Set-up check: a slider and a bar that follows it."
    )
