"""docs/teach/lessons: the teacher's notes say all there is to a lesson, and nothing that is not."""

import importlib
import re
from pathlib import Path

import lesson_clock
import lesson_notes
import pytest
from lesson_notes import DEEP, DEEPER, START, START_MINUTES, plain, short

from gptlib.checks.exercise import Exercise
from gptlib.teaching.lesson import PARTS

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = {path.stem[:2]: path for path in sorted((ROOT / "notebooks").glob("0*.ipynb"))}
# Lessons whose sections say their minutes: those of the second edition.
TIMED = [number for number, path in NOTEBOOKS.items() if lesson_clock.timed(path)]
NOTES = lesson_notes.all_notes()

each_lesson = pytest.mark.parametrize("number", TIMED)


def questions(number):
    part = PARTS[int(number)]
    return importlib.import_module(f"gptlib.teaching.{part}").QUESTIONS


def exercises(number):
    """The short names of the exercises that have a check."""
    module = importlib.import_module(f"gptlib.checks.{PARTS[int(number)]}")
    found = {value.name for value in vars(module).values() if isinstance(value, Exercise)}
    return {name.partition(".")[2] for name in found if name.startswith(f"{PARTS[int(number)]}.")}


def source(number, deeper=False):
    path = NOTEBOOKS[number]
    path = path.parent / "deeper" / path.name if deeper else path
    cells = lesson_clock.whole(path)
    return "\n\n".join("".join(cell["source"]) for cell in cells)


def test_each_lesson_has_notes():
    assert sorted(NOTES) == sorted(TIMED), "write docs/teach/lessons/NN_name.md"
    for number in NOTES:
        assert (lesson_notes.FOLDER / f"{NOTEBOOKS[number].stem}.md").is_file()


@each_lesson
def test_the_hour_has_the_sections_and_minutes_of_the_notebook(number):
    sections = lesson_clock.sections(NOTEBOOKS[number])
    del sections[lesson_clock.HEADER]
    expected = [(short(title), minutes) for title, (minutes, _) in sections.items()]
    says = [(title, minutes) for title, minutes, _ in NOTES[number].hour]
    assert says == [(START, START_MINUTES), *expected]
    assert all(late for _, _, late in NOTES[number].hour), "say what to do when late"


@each_lesson
def test_the_notes_have_the_sections_of_the_lesson_in_their_order(number):
    notes = NOTES[number]
    titles = [title for title, _, _ in notes.hour]
    assert [title for title in notes.sections if title in titles] == titles
    strange = set(notes.sections) - set(titles) - {lesson_notes.BEFORE, DEEPER}
    assert not strange, f"no such section in the notebook: {strange}"


@each_lesson
def test_what_is_done_in_a_section_fills_its_minutes(number):
    notes = NOTES[number]
    for title, minutes, _ in notes.hour:
        (done,) = re.findall(r"^\*\*Do\.\*\* (.+)$", notes.sections[title], re.MULTILINE)
        parts = [int(part) for part in re.findall(r"\((\d+) min\)", done)]
        assert sum(parts) == minutes and max(parts) <= 6, title


@each_lesson
def test_every_objective_of_the_lesson_is_there_in_its_words(number):
    first = source(number).split("**New ideas:**")[0]
    expected = [plain(line) for line in re.findall(r"^- (.+)$", first, re.MULTILINE)]
    says = [plain(o.words) for o in NOTES[number].objectives if not o.words.startswith(DEEP)]
    assert says == expected


@each_lesson
def test_no_objective_is_without_a_question_and_no_question_without_an_objective(number):
    mapped = [name for o in NOTES[number].objectives for name in o.questions]
    assert sorted(mapped) == sorted(questions(number)), "each question once, in one objective"
    for objective in NOTES[number].objectives:
        deep = objective.words.startswith(DEEP)
        assert objective.questions or (deep and objective.exercises), objective.words


@each_lesson
def test_no_exercise_is_without_an_objective(number):
    mapped = [name for o in NOTES[number].objectives for name in o.exercises]
    assert sorted(mapped) == sorted(exercises(number)), "each exercise once, in one objective"


@each_lesson
def test_what_only_deeper_asks_serves_an_objective_of_deeper(number):
    here, part = source(number), PARTS[int(number)]
    for objective in NOTES[number].objectives:
        asked = [f'("{name}")' in here for name in objective.questions]
        asked += [f"checks.{part}.{name}(" in here for name in objective.exercises]
        deep = objective.words.startswith(DEEP)
        assert asked and all(there is not deep for there in asked), objective.words


@each_lesson
def test_each_question_is_in_the_section_that_asks_it(number):
    notes, now = NOTES[number], DEEPER
    for cell in lesson_clock.whole(NOTEBOOKS[number]):
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and (found := lesson_clock.HEADING.search(text)):
            now = short(found[1])
        for name in re.findall(r'lesson\.(?:ask|predict)\("(\w+)"\)', text):
            assert notes.asked_in.get(name) == now, f"{name} is asked in {now!r}"
    elsewhere = [name for name, title in notes.asked_in.items() if title == DEEPER]
    assert all(f'("{name}")' in source(number, deeper=True) for name in elsewhere)


@each_lesson
def test_every_wrong_option_of_every_question_has_an_answer(number):
    notes = NOTES[number]
    assert sorted(notes.questions) == sorted(questions(number))
    for name, question in questions(number).items():
        says = {plain(option.words): option for option in notes.questions[name]}
        wanted = {plain(choice): choice == question.right for choice in question.choices}
        assert says.keys() == wanted.keys(), f"{name}: the options have changed"
        for words, option in says.items():
            assert option.right == wanted[words], f"{name}: ✔ is at the wrong option"
            assert option.right or len(option.answer) > 20, f"{name}: {words}"


@each_lesson
def test_each_question_is_there_in_its_words(number):
    text = (lesson_notes.FOLDER / f"{NOTEBOOKS[number].stem}.md").read_text(encoding="utf-8")
    for name, question in questions(number).items():
        assert f"### `{name}`\n\n> {question.asks}\n" in text


@each_lesson
def test_moves_for_the_projector_have_a_minute(number):
    for title, said in NOTES[number].sections.items():
        if "**Projector.**" in said:
            (done,) = re.findall(r"^\*\*Do\.\*\* (.+)$", said, re.MULTILINE)
            assert "projector" in done, title


@each_lesson
def test_students_who_are_done_find_every_section_and_exercise_of_deeper_in_the_notes(number):
    says = NOTES[number].sections[DEEPER]
    letters = re.findall(r"^## ([A-Z])\. ", source(number, deeper=True), re.MULTILINE)
    missing = [letter for letter in letters if not re.search(rf"\b{letter}\b", says)]
    assert letters and not missing
    deep = [o for o in NOTES[number].objectives if o.words.startswith(DEEP)]
    assert all(f"`{name}`" in says for o in deep for name in o.exercises)


@each_lesson
def test_the_shares_of_a_class_are_whole_and_nobody_is_forgotten(number):
    for name, options in NOTES[number].questions.items():
        assert sum(option.percent for option in options) == 100, name
        assert min(option.percent for option in options) >= 5, name


# ---- The form ----

PAGE = """# 03 · A title

**In one sentence.** It
is so.

## Objectives

| o | q | e |
|---|---|---|
| do it | `spread` | `one_row` |

## The hour

| section | minutes | late |
|---|---|---|
| Recall | 2 | Skip it. |

## Recall

**Say.** "Hello."

### `spread`

- ✔ **it grows by `2`** (60 %)
- **it stays** (40 %): No. Say:
  "Look."
"""


@pytest.fixture
def page(tmp_path):
    return tmp_path / "03_a.md"


def test_a_page_is_read_as_it_is_written(page):
    page.write_text(PAGE, encoding="utf-8")
    notes = lesson_notes.read(page)
    assert (notes.number, notes.sentence) == ("03", "It is so.")
    assert notes.objectives == [lesson_notes.Objective("do it", ("spread",), ("one_row",))]
    assert notes.hour == [("Recall", 2, "Skip it.")]
    assert notes.sections == {"Recall": '**Say.** "Hello."'}
    right, wrong = notes.questions["spread"]
    assert right == lesson_notes.Option("it grows by `2`", True, 60, "")
    assert wrong == lesson_notes.Option("it stays", False, 40, 'No. Say: "Look."')
    assert notes.asked_in == {"spread": "Recall"}


@pytest.mark.parametrize(
    "old, new, says",
    [
        ("# 03 · ", "# ", "begin with"),
        ("## The hour", "## Time", "no section 'The hour'"),
        ("| Recall | 2 |", "| Recall |", "three cells"),
        (" (40 %)", "", "spread: write"),
        (': No. Say:\n  "Look."', "", "spread: write"),
        ("(60 %)", "(60 %): An answer.", "spread: write"),
        ("## Recall", "## Again\n\n### `spread`\n\n## Recall", "there twice"),
    ],
)
def test_what_is_not_in_the_form_is_named_with_its_file(page, old, new, says):
    page.write_text(PAGE.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=f"^03_a.md: .*{says}"):
        lesson_notes.read(page)


def test_options_are_compared_without_marks_spaces_and_capitals():
    assert plain("`nan`  for\nall") == plain("nan for **All**.")
    assert plain("0") != plain("1")
