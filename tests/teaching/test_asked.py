"""gptlib.teaching.asked: the board knows all that the lessons ask, and every name of a mistake."""

import importlib
import json

import pytest

from gptlib import checks
from gptlib.checks import running, verdict
from gptlib.checks.exercise import Exercise
from gptlib.storage import answers
from gptlib.teaching.asked import CAPSTONE, catalogue, collected
from gptlib.teaching.board.catalogue import NO_TRY, OTHER
from gptlib.teaching.lesson import PARTS, Lesson
from gptlib.teaching.questions import QuestionBox

EXERCISES = [
    found
    for part in PARTS
    for found in vars(getattr(checks, part)).values()
    if isinstance(found, Exercise)
]


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    """The file of this test's answers."""
    file = tmp_path / "class" / "me.jsonl"
    monkeypatch.setenv("GPTLIB_ANSWERS", str(file))
    return file


def records(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("part", PARTS)
def test_every_answer_to_a_question_is_known_as_a_notebook_records_it(part, kept):
    known, lesson = catalogue(), Lesson(part)
    for name, asked in importlib.import_module(f"gptlib.teaching.{part}").QUESTIONS.items():
        for box in (lesson.ask(name), lesson.predict(name)):
            assert isinstance(box, QuestionBox)
            box.answer_commit(asked.right)
        assert set(known.questions[lesson.number, name].choices) == set(asked.choices)
    for r in records(kept):
        key = r["lesson"], r["question"]
        assert known.known(key, r["kind"], r["chosen"]) == r["chosen"] == known.questions[key].right


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_a_verdict_is_known_as_a_notebook_records_it(exercise, kept, capsys):
    known = catalogue()
    exercise(lambda *given: None)  # gives nothing
    exercise(lambda: None)  # stops
    (nothing, stopped) = records(kept)
    for r in (nothing, stopped):
        assert known.known((r["lesson"], r["question"]), "check", r["chosen"]) == r["chosen"]
    for mistake in exercise.mistakes:
        assert mistake.name in known.exercises[r["lesson"], r["question"]].mistakes
    for prop in exercise.properties:
        assert prop.words in known.exercises[r["lesson"], r["question"]].mistakes


def test_what_is_no_try_goes_by_the_names_that_the_checks_give_it():
    assert NO_TRY == (running.NOT_WRITTEN, running.INTERRUPTED)


def test_the_capstone_is_an_exercise_too():
    known = catalogue()
    assert set(vars(checks.capstone)) >= set(CAPSTONE)
    for name in CAPSTONE:
        key = verdict.key(checks.capstone.capstone("no such folder").exercise)[0], name
        assert known.known(key, "check", "too small") == OTHER


def test_every_text_fits_what_the_board_takes():
    from gptlib.teaching.board.arriving import LONGEST, NAME  # noqa: PLC0415

    known = catalogue()
    for lesson, name in [*known.questions, *known.exercises]:
        assert NAME.fullmatch(f"{lesson} {name}")
    texts = [choice for asked in known.questions.values() for choice in asked.choices]
    texts += [name for exercise in known.exercises.values() for name in exercise.mistakes]
    assert max(map(len, texts)) <= LONGEST


# ---- Collected files ----


def test_a_folder_of_collected_files_is_a_room_and_says_what_it_left_out(tmp_path, monkeypatch):
    folder = tmp_path / "collected"
    (name, asked), *_ = importlib.import_module("gptlib.teaching.attention").QUESTIONS.items()
    wrong = next(choice for choice in asked.choices if choice != asked.right)
    for student, chosen in (("a", asked.right), ("b", wrong), ("c", wrong)):
        monkeypatch.setenv("GPTLIB_ANSWERS", str(folder / f"{student}.jsonl"))
        answers.record("03", name, "prediction", chosen, chosen == asked.right)
        answers.record("03", name, "prediction", asked.right, True)  # again, after a restart
        answers.record("03", "one_row", "check", "not scaled", False)
    answers.record("03", name, "prediction", "a rude word", False)
    answers.record("03", name, "other", wrong, False)
    (folder / "empty.jsonl").write_text("")
    room, left_out = collected(folder)
    assert left_out == "left out as unreadable or unknown: 1 files, 2 answers"
    shown = room.shown()
    assert shown["seats"] == 3
    votes = dict(zip(room.catalogue.questions["03", name].choices, shown["questions"][0]["before"]))
    assert votes[asked.right] == 1 and votes[wrong] == 2
    assert shown["exercises"][0]["mistakes"] == [("not scaled", 3)]


def test_a_folder_that_is_not_there_or_has_no_file_is_an_error(tmp_path):
    for folder in (tmp_path / "absent", tmp_path):
        with pytest.raises(FileNotFoundError):
            collected(folder)
