"""gptlib.teaching: no answer shows before one is given, and a class's answers can be counted."""

import importlib.util
import json
import re
from pathlib import Path

import nbformat
import pytest

from gptlib import teaching
from gptlib.storage import answers
from gptlib.teaching import counting
from gptlib.teaching.lesson import PARTS

# The lessons whose words are written.
WRITTEN = [part for part in PARTS if importlib.util.find_spec(f"gptlib.teaching.{part}")]
POINTERS = "output|table|column|row|picture|Look|Compare|Run|Count|Change|lesson 0"


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    """The file of this test's answers."""
    file = tmp_path / "class" / "me.jsonl"
    monkeypatch.setenv("GPTLIB_ANSWERS", str(file))
    return file


@pytest.fixture
def lesson():
    return teaching.Lesson("tokenizer")


@pytest.mark.parametrize("part", WRITTEN)
def test_each_wrong_answer_has_a_reply_and_points_at_what_refutes_it(part):
    for question in importlib.import_module(f"gptlib.teaching.{part}").QUESTIONS.values():
        for choice, reply in question.replies.items():
            if choice != question.right:
                assert re.search(POINTERS, reply), choice


@pytest.mark.parametrize("part", [part for part in WRITTEN if part != "capstone"])
def test_a_lesson_has_its_recall_its_predictions_its_exit_and_its_hints(part):
    words = importlib.import_module(f"gptlib.teaching.{part}")
    assert "exit" in words.QUESTIONS and len(words.QUESTIONS) >= 6
    assert 2 <= len(words.QUESTIONS["exit"].choices) <= 4
    assert len(words.HINTS) >= 3 and all(len(steps) >= 2 for steps in words.HINTS.values())


@pytest.mark.parametrize("part", WRITTEN)
def test_the_right_answer_cannot_be_told_by_its_length(part):
    questions = importlib.import_module(f"gptlib.teaching.{part}").QUESTIONS.values()
    longest = [max(question.choices, key=len) == question.right for question in questions]
    assert sum(longest) <= 0.5 * len(longest)
    longer_than_all = 0
    for question in questions:
        wrong = [len(choice) for choice in question.choices if choice != question.right]
        longer_than_all += len(question.right) > max(wrong)
        mean = sum(wrong) / len(wrong)
        assert abs(len(question.right) - mean) <= 0.4 * mean, question.asks
    assert longer_than_all <= len(questions) / 3


NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
WITH_PREDICTIONS = sorted([*NOTEBOOKS.glob("0*.ipynb"), *NOTEBOOKS.glob("deeper/*.ipynb")])


@pytest.mark.parametrize(
    "path", WITH_PREDICTIONS, ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_each_prediction_is_compared_once_in_the_cell_of_its_result_before_the_next(path):
    cells = nbformat.read(path, as_version=4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    found = [call for source in code for call in re.findall(r'lesson\.(\w+)\("(\w+)"\)', source)]
    calls = [call for call in found if call[0] in ("predict", "compare")]
    assert len(calls) >= 4
    assert calls[0::2] == [("predict", name) for _, name in calls[1::2]]
    assert calls[1::2] == [("compare", name) for _, name in calls[0::2]]
    for source in code:
        if "lesson.compare(" in source:
            assert source.splitlines()[-1].startswith("lesson.compare("), "it is shown last"


def test_names_that_are_not_there_are_listed(lesson):
    with pytest.raises(ValueError, match="no question 'odd': what_comes_out"):
        lesson.ask("odd")
    with pytest.raises(ValueError, match="no hint 'odd': pair"):
        lesson.hint("odd")
    with pytest.raises(ValueError, match="part must be one of machine, tokenizer"):
        teaching.Lesson("odd")


def test_a_lesson_shows_the_map_with_its_part_lit(lesson):
    data, _ = lesson._repr_mimebundle_()
    assert data["text/plain"].startswith("The whole machine, with tokenizer lit")
    assert data["image/png"]


def test_the_lesson_on_gpt2_is_no_station_and_shows_the_whole_map():
    lesson = teaching.Lesson("gpt2")
    data, _ = lesson._repr_mimebundle_()
    assert lesson.number == "08"
    assert data["text/plain"].startswith("The whole machine. From left to right")


@pytest.mark.parametrize("part", WRITTEN)
def test_a_lesson_opens_the_machine_at_its_station_with_its_text(part):
    made = teaching.Lesson(part).machine("The dog is")
    elsewhere = {"machine": "text", "gpt2": "training", "capstone": "text"}
    assert made.station == elsewhere.get(part, part) and made.prompt == "The dog is"
    assert made.describe().startswith(f"The whole machine, open at {made.station}. 'The dog is'")


def test_hints_lie_inside_each_other(lesson):
    hint = lesson.hint("train")
    html = hint._repr_html_()
    assert repr(hint) == "3 hints, folded away"
    assert html.count("<details>") == 3 and html.endswith("</details></div></details></div>")
    assert html.index("Hint 1 of 3") < html.index("Hint 2 of 3") < html.index("Hint 3 of 3")


# ---- Answers ----


def answer(box, right):
    """As the page does: the right answer, or the first that is wrong."""
    choices = [c for c in box.question.choices if (c == box.question.right) == right]
    box.answer_commit(choices[0])


def test_answers_are_kept_a_line_each(lesson, kept):
    answer(lesson.predict("permute"), True)
    answer(lesson.ask("exit"), False)
    lines = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    assert [(a["lesson"], a["question"], a["kind"], a["right"]) for a in lines] == [
        ("01", "permute", "prediction", True),
        ("01", "exit", "question", False),
    ]
    assert set(lines[0]) == {*counting.FIELDS, "time"}  # no name of anybody


def test_answers_can_be_switched_off(lesson, monkeypatch):
    monkeypatch.setenv("GPTLIB_ANSWERS", "off")
    answer(lesson.ask("exit"), True)
    assert teaching.answers_file() is None
    with pytest.raises(FileNotFoundError, match="off"):
        teaching.tally()


def test_without_a_setting_answers_are_in_the_users_folder(monkeypatch):
    monkeypatch.delenv("GPTLIB_ANSWERS")
    assert teaching.answers_file().name == "answers.jsonl"
    assert "gptlib" in teaching.answers_file().parts


def test_a_file_that_cannot_be_written_is_said_and_the_reply_comes_all_the_same(
    lesson, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GPTLIB_ANSWERS", str(tmp_path / "file" / "answers.jsonl"))
    box = lesson.ask("exit")
    with pytest.raises(ValueError, match="could not be saved"):
        answer(box, True)
    assert box.chosen == box.question.right


def test_an_answer_after_one_that_was_cut_off_begins_a_line_of_its_own(lesson, kept):
    answer(lesson.ask("exit"), True)
    kept.write_bytes(kept.read_bytes()[:-20])  # a full disk
    answer(lesson.ask("permute"), True)
    answer(lesson.ask("exit"), True)
    lines = kept.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3 and lines[0].startswith('{"lesson": "01", "question": "exit"')
    assert [json.loads(line)["question"] for line in lines[1:]] == ["permute", "exit"]


def test_half_of_a_surrogate_pair_in_an_answer_is_kept(kept):
    answers.record("01", "exit", "question", "\ud800", True)
    assert json.loads(kept.read_text(encoding="utf-8"))["chosen"] == "\ud800"


def test_ones_own_answers_are_tallied_and_an_empty_folder_is_named(lesson, kept, tmp_path):
    answer(lesson.ask("exit"), True)
    assert teaching.tally().share_right("01", "exit") == 1
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no .jsonl file"):
        teaching.tally(tmp_path / "empty")
