"""The teacher's kit: the student's copies, the teacher's notebooks and the slides of one source."""

import hashlib
import json
import re
from contextlib import contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import exercises
import lesson_clock
import lesson_notes
import nbformat
import pytest
import slide_deck
import slides
import student
import teacher
from browser import FLAGS, chromium
from playwright.sync_api import sync_playwright

from gptlib import widgets

ROOT = Path(__file__).resolve().parent.parent
NOTES = lesson_notes.all_notes()
LESSONS = [
    path for path in sorted(slide_deck.COURSE.glob("[0-9]*.ipynb")) if path.stem[:2] in NOTES
]
SOLVED = exercises.solutions()
STUBS = {f"{stub.notebook} {stub.name}": stub for stub in exercises.stubs()}
VENDORED = json.loads((slides.LOOKS / "vendor" / "VENDORED.json").read_text(encoding="utf-8"))


@cache
def deck_of(path):
    """The slides of a lesson; not to be changed."""
    return slide_deck.cut(path, NOTES[path.stem[:2]])


each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


# ---- Exercises and their solutions ----


@pytest.mark.parametrize("stub", STUBS.values(), ids=STUBS)
def test_each_exercise_is_solved_by_a_function_of_the_same_name_and_arguments(stub):
    solved = exercises.solution(stub, SOLVED)
    assert solved is not None and solved.notebook == stub.notebook
    assert solved.signature == stub.signature
    assert not solved.open


@pytest.mark.parametrize("stub", STUBS.values(), ids=STUBS)
def test_each_solution_is_held_to_by_the_check_of_its_exercise(stub):
    assert stub.checks, "an exercise calls its check"
    text = (slide_deck.COURSE / "solutions" / stub.notebook).read_text(encoding="utf-8")
    for check in stub.checks:
        assert f"assert checks.{check}({stub.name}" in text


def test_a_stub_and_a_solution_that_drift_apart_are_seen(tmp_path):
    write(tmp_path / "01_a.ipynb", "def f(x):\n    raise NotImplementedError\n\nchecks.a.f(f)")
    write(tmp_path / "solutions" / "01_a.ipynb", "def f(x, y):\n    return x\n\nchecks.a.f(f)")
    (stub,) = exercises.stubs(tmp_path)
    solved = exercises.solution(stub, exercises.solutions(tmp_path))
    assert (stub.signature, solved.signature) == ("x", "x, y")
    assert stub.checks == solved.checks == ("a.f",)


def test_a_solution_comes_with_the_functions_that_it_calls(tmp_path):
    write(
        tmp_path / "solutions" / "01_a.ipynb", "def g():\n    return 1", "def f():\n    return g()"
    )
    solved = exercises.solutions(tmp_path)["01_a.ipynb", "f"]
    assert exercises.with_helpers(solved, tmp_path).startswith("def g():")


def write(path, *sources):
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(made, path)


# ---- The student's copies ----


def test_nothing_of_the_teachers_is_in_what_students_get(tmp_path):
    student.hand_out(tmp_path / "student")
    for path in (tmp_path / "student").rglob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        assert not any(teacher.TAG in cell.metadata.get("tags", ()) for cell in cells)
        text = "\n".join(cell.source for cell in cells)
        for stub in STUBS.values():
            assert exercises.solution(stub, SOLVED).source not in text


# ---- The teacher's notebooks ----


@pytest.fixture(scope="module")
def for_teachers(tmp_path_factory):
    """All that `make teacher` writes."""
    folder = tmp_path_factory.mktemp("kit") / "teacher"
    student.write_anew(folder, teacher.copies())
    return folder


@each_lesson
def test_a_teachers_lesson_has_the_clock_every_answer_and_every_solution(path, for_teachers):
    notebook = nbformat.read(for_teachers / path.name, as_version=4)
    nbformat.validate(notebook)
    added = [cell.source for cell in notebook.cells if teacher.TAG in cell.metadata.get("tags", ())]
    text, notes = "\n".join(added), NOTES[path.stem[:2]]
    for title, minutes, late in notes.hour:
        assert f"| {title} | {minutes} | {late} |" in text
    asked = [name for name, where in notes.asked_in.items() if where != lesson_notes.DEEPER]
    for name in asked:
        assert f"**Question `{name}`.**" in text
        assert all(option.answer in text for option in notes.questions[name])
    for stub in exercises.functions(path):
        if stub.open:
            body = exercises.solution(stub, SOLVED).source.splitlines()
            assert all(f"> {line}".rstrip() in text for line in body)


@each_lesson
def test_a_teachers_lesson_is_the_lesson_when_the_notes_are_taken_out(path, for_teachers):
    made = nbformat.read(for_teachers / path.name, as_version=4).cells
    kept = [cell for cell in made if teacher.TAG not in cell.metadata.get("tags", ())]
    before = nbformat.read(path, as_version=4).cells
    assert [(cell.source, cell.get("outputs")) for cell in kept] == [
        (cell.source, cell.get("outputs")) for cell in before
    ]


def test_teachers_get_deeper_with_answers_and_the_solutions_too(for_teachers):
    names = {path.relative_to(for_teachers).as_posix() for path in for_teachers.rglob("*.ipynb")}
    found = [*slide_deck.COURSE.glob("0*.ipynb"), *slide_deck.COURSE.glob("[a-z]*/0*.ipynb")]
    course = {path.relative_to(slide_deck.COURSE).as_posix() for path in found}
    assert course <= names
    for number, notes in NOTES.items():
        (deeper,) = (for_teachers / "deeper").glob(f"{number}*.ipynb")
        text = "\n".join(cell.source for cell in nbformat.read(deeper, as_version=4).cells)
        for name, where in notes.asked_in.items():
            assert (f"**Question `{name}`.**" in text) == (where == lesson_notes.DEEPER)


# ---- Slides ----


@each_lesson
def test_slides_have_every_section_question_and_exercise_of_the_lesson(path):
    deck = deck_of(path)
    titles = [short for short in lesson_clock.sections(path)][1:]
    begun = [slide.section for slide in deck if slide.begins_section]
    assert begun == ["", *titles]
    text = "\n".join(cell.source for slide in deck for cell in slide.cells)
    for name, where in NOTES[path.stem[:2]].asked_in.items():
        if where != lesson_notes.DEEPER:
            words = slide_deck.marked(slide_deck.question_of(path, name).asks)
            assert text.count(f"<p>{words}</p>") == 2, "the question, and again above its answer"
    for stub in exercises.functions(path):
        if stub.open:
            (shown,) = [s for s in deck if any(f"def {stub.name}(" in c.source for c in s.cells)]
            assert exercises.solution(stub, SOLVED).source in shown.notes
            assert exercises.solution(stub, SOLVED).source not in text


@each_lesson
def test_an_answer_is_on_no_slide_before_the_one_that_asks(path):
    deck = deck_of(path)
    pages = ["\n".join(cell.source for cell in slide.cells) for slide in deck]
    for place, words in enumerate(pages):
        if "<h2>Answer</h2>" in words:
            asks = re.search(r"<p>.*?</p>", words)[0]
            assert any(asks in earlier for earlier in pages[:place])


@each_lesson
def test_no_slide_holds_more_than_one_can_read_from_the_last_row(path):
    for slide in deck_of(path):
        prose = [c.source for c in slide.cells if c.cell_type == "markdown" and "<" not in c.source]
        assert sum(len(words.split()) for words in prose) <= 110
        assert sum(c.source.count("\n") for c in slide.cells if c.cell_type == "code") <= 20


def test_what_a_section_says_is_in_the_notes_of_its_first_slide():
    (path,) = [path for path in LESSONS if path.stem[:2] == "03"]
    notes = NOTES["03"]
    (build,) = [s for s in deck_of(path) if s.begins_section and s.section == "Build"]
    assert notes.sections["Build"] in build.notes and "**Minute " in build.notes


def test_an_explorers_picture_is_as_large_as_its_slide_allows():
    cell = nbformat.v4.new_code_cell()
    data = widgets.softmax_explorer().fallback()
    cell.outputs = [nbformat.v4.new_output("display_data", data)]
    (slide,) = slide_deck.pictures(cell)
    assert "<img" in slide.source and "em;" in data["text/html"]
    assert not re.search(r"<img[^>]* style=", slide.source)


@each_lesson
def test_the_first_cell_and_the_map_are_on_slides_near_the_start(path):
    begins = deck_of(path)[:4]
    (first,) = [slide for slide in begins if any("Lesson(" in c.source for c in slide.cells)]
    (the_map,) = [s for s in begins if s.cells[0].source.startswith("### The map")]
    assert slide_deck.FIRST_CELL in first.notes and "data:image/png" in the_map.cells[1].source
    assert the_map.notes.startswith("The whole machine")


@each_lesson
def test_what_a_question_is_about_is_made_on_a_slide_before_it(path):
    shown = "\n".join(c.source for s in deck_of(path) for c in s.cells)
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and "lesson.predict(" in cell.source:
            lines = [line for line in cell.source.splitlines() if "lesson.predict(" not in line]
            assert "\n".join(lines).strip() in shown


@each_lesson
def test_what_a_cell_prints_comes_with_a_click_and_the_notes_are_there_before(path):
    deck = deck_of(path)
    printing = [s for s in deck if any(c.get("outputs") for c in s.cells) and s.cells[0].source]
    for slide in printing:
        assert not any(c.get("outputs") for c in slide.cells if c.source)
    html = slides.page(path, NOTES[path.stem[:2]])
    assert html.count('<div class="fragment">') == len(printing) > 2
    for slide in re.findall(r'<div class="fragment">.*?</section>', html, re.DOTALL):
        assert 'class="notes"' not in slide


@each_lesson
def test_the_moves_for_the_projector_are_in_the_notes_of_the_explorers_slide(path):
    deck = deck_of(path)
    shown = [s for s in deck if "**Projector.**" in s.notes and not s.begins_section]
    assert any('<div class="picture"' in slide.cells[0].source for slide in shown)


def test_paragraphs_are_kept_whole_and_what_is_folded_away_has_its_own_slide():
    text = (
        f"{'word ' * 40}\n\n{'more ' * 40}\n\n<details><summary>Why?</summary>\n\nSo.\n</details>"
    )
    first, second, folded = slide_deck.pieces(text)
    assert (len(first.split()), len(second.split()), folded) == (40, 40, ("Why?", "So."))
    (one,) = slide_deck.pieces(f"{'word ' * 60}\n\n- a list\n- of two")
    assert one.endswith("- of two")


@pytest.fixture(scope="module")
def deck(tmp_path_factory):
    """The slides of lesson 03, as `make slides` writes them."""
    folder = tmp_path_factory.mktemp("slides")
    (made,) = slides.build(folder, [path for path in LESSONS if path.stem[:2] == "03"])
    return made


def test_a_page_of_slides_needs_nothing_but_the_files_beside_it(deck):
    html = deck.read_text(encoding="utf-8")
    links = re.findall(r'<(?:script|link|img)[^>]*? (?:src|href)="([^"]*)"', html)
    assert len(links) > 8
    for link in links:
        assert link.startswith("data:") or (deck.parent / link).is_file(), link
    assert 'aside class="notes"' in html and "widget-view" not in html


MEASURE = """() => {
  document.body.classList.add('measuring');
  const found = [...document.querySelectorAll('.slides > section > section')].map(slide => [
    slide.scrollWidth, slide.scrollHeight, parseFloat(slide.style.fontSize),
    slide.innerText.trim().length + slide.querySelectorAll('img').length,
    Math.max(0, ...[...slide.querySelectorAll('pre')].map(p => p.scrollWidth - p.clientWidth))]);
  document.body.classList.remove('measuring');
  return found;
}"""


@pytest.mark.parametrize("size", [(1920, 1080), (1366, 768)])
def test_on_a_projector_nothing_is_cut_off_and_nothing_is_asked_of_the_network(deck, size):
    executable, asked, wrong = chromium(), [], []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=executable, args=list(FLAGS))
        page = browser.new_page(viewport=dict(zip(("width", "height"), size)))
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
        page.goto(deck.as_uri())
        page.wait_for_selector("body[data-ready=yes]")
        found = page.evaluate(MEASURE)
        assert page.locator(".katex").count() > 10
        browser.close()
    assert wrong == [] and len(found) > 30
    assert all(url.startswith(("file:", "data:")) for url in asked)
    for place, (width, height, type_size, content, cut_off) in enumerate(found, 1):
        assert width <= 1280 and height <= 720 and cut_off == 0, f"slide {place} is too full"
        assert type_size >= 0.6 and content, f"slide {place}"


def test_a_pdf_has_a_page_for_each_slide(deck):
    chromium()  # or this is skipped, or fails where a browser is required
    pages = len(re.findall(rb"/Type\s*/Page\b", slides.print_pdf(deck).read_bytes()))
    html = deck.read_text(encoding="utf-8")
    stacks = len(re.findall(r"<section[^>]*>\s*<section", html))
    assert pages == html.count("</section>") - stacks > 30


def test_explorers_are_alive_where_the_slides_come_from_a_server(deck):
    executable, wrong = chromium(), []
    with served(deck.parent) as url, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=executable, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"{url}/{deck.name}")
        page.wait_for_selector("body[data-ready=yes]")
        place = page.locator("[data-explorer]").first
        at = place.evaluate("e => Reveal.getIndices(e.closest('section'))")
        page.evaluate("({h, v}) => Reveal.slide(h, v)", at)
        explorer = place.locator(".gptlib-explorer")
        explorer.wait_for()
        explorer.get_by_role("button").first.focus()
        page.keyboard.press("ArrowDown")  # moves the explorer, and not to the next slide
        assert page.evaluate("Reveal.getIndices()")["v"] == at["v"]
        browser.close()
    assert wrong == []


def test_the_presenters_window_shows_the_slide_the_next_one_and_the_notes(deck):
    executable = chromium()
    with served(deck.parent) as url, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=executable, args=list(FLAGS))
        context = browser.new_context(viewport={"width": 1366, "height": 768})
        page = context.new_page()
        page.goto(f"{url}/{deck.name}#/2/0")
        page.wait_for_selector("body[data-ready=yes]")
        with context.expect_page() as opened:
            page.keyboard.press("s")
        window = opened.value
        window.get_by_text("Minute 4 to 13.").wait_for()
        window.wait_for_function("document.querySelectorAll('iframe').length === 2")
        for frame in window.frames[1:]:
            frame.wait_for_selector("body[data-ready=yes]")
            frame.wait_for_function("Reveal.getIndices().h === 2")
            assert frame.evaluate("Reveal.getCurrentSlide().getBoundingClientRect().top") >= 0
        browser.close()


@contextmanager
def served(folder):
    """The address of a web server over a folder, on this machine alone."""
    handler = partial(QuietHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files, and says nothing of it."""

    def log_message(self, *_):
        pass


# ---- What the slides stand on, and the guide ----


@pytest.mark.parametrize("name", VENDORED)
def test_vendored_files_are_as_their_authors_published_them(name):
    folder = slides.LOOKS / "vendor" / name
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == set(VENDORED[name]["files"]) and "LICENSE" in there
    for path, expected in VENDORED[name]["files"].items():
        assert hashlib.sha256((folder / path).read_bytes()).hexdigest() == expected, path


GUIDE = sorted((ROOT / "docs" / "teach").rglob("*.md"))


@pytest.mark.parametrize("page", GUIDE, ids=lambda page: page.stem)
def test_links_of_the_guide_point_at_something(page):
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    for link in links:
        if not re.match(r"[a-z]+:|#", link):
            assert (page.parent / link.split("#")[0]).exists(), link


def test_the_guide_says_its_commands_as_make_has_them():
    text = (ROOT / "docs" / "teach" / "index.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:.*## ", makefile, re.MULTILINE)
