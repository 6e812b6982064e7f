"""Slides of a lesson, made from its notebook and its teacher's notes: reveal.js by nbconvert.

    python tools/slides.py build/slides                       all lessons
    python tools/slides.py build/slides notebooks/03*.ipynb   some
    python tools/slides.py build/slides --pdf                 and a PDF of each, by Chromium

Explorers are alive where the folder is served (`python -m http.server -d build/slides`), and
pictures where a page is opened as a file. slide_deck.py decides what is on a slide and what the
presenter reads meanwhile: press S. All files are in one folder, which needs no network.
"""

import argparse
import json
import os
import re
import shutil
import sys
from pathlib import Path

import lesson_notes
import nbformat
from lesson_notes import Notes
from nbconvert.exporters import SlidesExporter
from slide_deck import COURSE, Alive, Slide, cut, typed
from website import recording
from website.data import Data, stays_a_picture

from gptlib.teaching.questions import Comparison, QuestionBox

ROOT = Path(__file__).resolve().parent.parent
LOOKS = Path(__file__).resolve().parent / "reveal"
SCRIPTS = (ROOT / "gptlib" / "widgets" / "js", ROOT / "docs" / "js")
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def page(path: Path, notes: Notes, explorers: Alive | None = None) -> str:
    """The slides of a lesson as HTML."""
    cells = []
    for slide in cut(path, notes, explorers):
        first, *rest = _with_kicker(slide)
        said = [nbformat.v4.new_markdown_cell(slide.notes)] if slide.notes else []
        cells += [first, *(typed(cell, "notes") for cell in said), *rest]  # before any fragment
    made = nbformat.v4.new_notebook(cells=cells)
    made.metadata.title = f"{path.stem[:2]} · slides"
    made.metadata.language_info = {"name": "python"}
    exporter = SlidesExporter(
        template_name="template",
        extra_template_basedirs=[str(LOOKS)],
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    html, _ = exporter.from_notebook_node(made)
    return html


def _with_kicker(slide: Slide) -> list[nbformat.NotebookNode]:
    cells = [nbformat.from_dict(cell) for cell in slide.cells]
    if slide.section:
        look = "begins" if slide.begins_section else "kicker"
        top = nbformat.v4.new_markdown_cell(f'<div class="{look}">{slide.section}</div>')
        cells = [top, *cells]
    for place, cell in enumerate(cells):
        kind = cell.metadata.get("slideshow", {}).get("slide_type", "-")
        typed(cell, kind if place else "slide" if slide.begins_section else "subslide")
        cell.source = re.sub(r"(?<!!)\[([^\]]+)\]\((?!https?:)[^)]+\)", r"\1", cell.source)
        if cell.cell_type == "code" and not cell.source:
            cell.metadata.transient = {"remove_source": True}
    return cells


def build(folder: Path, lessons: list[Path]) -> list[Path]:
    """Write the slides of some lessons, and what they need, into a folder."""
    known = lesson_notes.all_notes()
    for name in ("reveal", "js", "data"):
        shutil.rmtree(folder / name, ignore_errors=True)
    shutil.copytree(LOOKS, folder / "reveal", ignore=shutil.ignore_patterns("template"))
    for scripts in SCRIPTS:
        shutil.copytree(scripts, folder / "js", dirs_exist_ok=True)
    data = Data(folder / "data")
    made = []
    for path in lessons:
        if path.stem[:2] in known:
            html = page(path, known[path.stem[:2]], alive(path, data))
            made.append(folder / f"{path.stem}.html")
            made[-1].write_text(html, encoding="utf-8")
    return made


def alive(path: Path, data: Data) -> Alive:
    """{(cell, output): what js/course.js needs to open the explorer there} of a lesson.

    As on the course's site: with no kernel, and only where the page comes from a server, such as
    `python -m http.server`. In a file that is just opened, an explorer is its picture.
    """
    with recording.package_as_it_is():
        found = [one for one in recording.explorers(path) if not stays_a_picture(one.explorer)]
        shown = [one for one in found if not isinstance(one.explorer, QuestionBox | Comparison)]
        return {(one.cell, one.output): json.dumps(data.state(one.explorer)) for one in shown}


def print_pdf(page: Path) -> Path:
    """The slides of a page as a PDF beside it.

    Raises:
        ValueError: there is no Chromium.
    """
    from playwright.sync_api import sync_playwright

    named = os.environ.get("GPTLIB_CHROMIUM")
    browser = next(filter(None, map(shutil.which, [named] if named else CHROMIUMS)), None)
    if browser is None:
        raise ValueError(f"a PDF needs one of {', '.join(CHROMIUMS)}")
    made = page.with_suffix(".pdf")
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        sheet = opened.new_page(viewport={"width": 1280, "height": 720})
        sheet.goto(f"{page.resolve().as_uri()}?print-pdf")
        sheet.wait_for_selector("body[data-ready=yes]", state="attached")
        sheet.pdf(path=made, prefer_css_page_size=True, print_background=True)
        opened.close()
    return made


def main() -> None:
    parser = argparse.ArgumentParser(prog="python tools/slides.py", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("lessons", type=Path, nargs="*")
    parser.add_argument("--pdf", action="store_true", help="a PDF of each, by Chromium")
    given = parser.parse_args()
    lessons = given.lessons or sorted(COURSE.glob("[0-9]*.ipynb"))
    os.environ["GPTLIB_ANSWERS"] = "off"  # what is opened for a page is nobody's answer
    try:
        for made in build(given.folder, lessons):
            print(print_pdf(made) if given.pdf else made)
    except (OSError, ValueError) as error:
        sys.exit(f"The slides were not made: {error}")


if __name__ == "__main__":
    main()
