"""gptlib.teaching: no answer shows before one is given, and a class's answers can be counted."""

import importlib.util
import json
import re

import pytest
from explorers import check_names

from gptlib import teaching
from gptlib.storage import answers
from gptlib.teaching import counting
from gptlib.teaching import tokenizer as words
from gptlib.teaching.lesson import PARTS
from gptlib.teaching.questions import PREDICTION, Question, QuestionBox

# The lessons whose words are written.
WRITTEN = [part for part in PARTS if importlib.util.find_spec(f"gptlib.teaching.{part}")]
POINTERS = "output|table|column|row|picture|Look|Compare|Run|Count|Change|lesson 0"
HOSTILE = '<img src=x onerror="alert(1)">'


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    """The file of this test's answers."""
    file = tmp_path / "class" / "me.jsonl"
    monkeypatch.setenv("GPTLIB_ANSWERS", str(file))
    return file


@pytest.fixture
def lesson():
    return teaching.Lesson("tokenizer")


def choose(box, choice, button):
    box.choices.value = choice
    box.buttons[button].click()


def shown(box):
    """All that the live widget says, as text."""
    html = "".join(child.value for child in box.children if isinstance(child.value, str))
    return re.sub("<[^>]*>", "", html)


def boxes(lesson):
    return [getattr(lesson, kind)(name) for name in words.QUESTIONS for kind in ("ask", "predict")]


@pytest.fixture(autouse=True)
def with_values(monkeypatch):
    monkeypatch.setattr("ipywidgets.HBox.value", None, raising=False)


def test_no_reply_shows_before_an_answer(lesson):
    for box in boxes(lesson):
        for reply in box.question.replies.values():
            assert reply.replace("`", "") not in shown(box)
        assert box.choices.value is None


def test_a_quick_question_replies_to_the_answer_and_may_be_tried_again(lesson):
    box = lesson.ask("exit")
    wrong = next(choice for choice in box.question.choices if choice != box.question.right)
    choose(box, wrong, "Check")
    assert "✘ No." in shown(box) and "slee" in shown(box)
    choose(box, box.question.right, "Check")
    assert "✔ Yes." in shown(box)


def test_a_prediction_is_committed_first_and_compared_later(lesson):
    box = lesson.predict("unseen_word")
    assert box.buttons["Compare"].disabled
    wrong = box.question.choices[0]
    choose(box, wrong, "Commit")
    assert "Noted: 5" in shown(box) and "✘" not in shown(box)
    assert box.choices.disabled and box.buttons["Commit"].disabled
    box.buttons["Compare"].click()
    assert "✘ No." in shown(box) and "It is: 10" in shown(box)


def test_nothing_chosen_is_nothing_committed(lesson, kept):
    for box in (lesson.predict("permute"), lesson.ask("exit")):
        next(iter(box.buttons.values())).click()
        assert "choose an answer first" in shown(box)
    assert not kept.exists()
    box = lesson.predict("permute")
    box.buttons["Compare"].click()
    assert "commit to an answer first" in shown(box)


@pytest.mark.parametrize("part", WRITTEN)
def test_each_wrong_answer_has_a_reply_and_points_at_what_refutes_it(part):
    for question in importlib.import_module(f"gptlib.teaching.{part}").QUESTIONS.values():
        for choice, reply in question.replies.items():
            if choice != question.right:
                assert re.search(POINTERS, reply), choice


@pytest.mark.parametrize("part", WRITTEN)
def test_a_lesson_has_its_recall_its_predictions_its_exit_and_its_hints(part):
    words = importlib.import_module(f"gptlib.teaching.{part}")
    assert "exit" in words.QUESTIONS and len(words.QUESTIONS) >= 6
    assert len(words.QUESTIONS["exit"].choices) == 2
    assert len(words.HINTS) >= 3 and all(len(steps) >= 2 for steps in words.HINTS.values())


@pytest.mark.parametrize("part", WRITTEN)
def test_the_right_answer_is_not_always_at_the_same_place_nor_the_longest(part):
    questions = importlib.import_module(f"gptlib.teaching.{part}").QUESTIONS.values()
    places = [question.choices.index(question.right) for question in questions]
    longest = [max(question.choices, key=len) == question.right for question in questions]
    assert max(map(places.count, places)) <= 0.7 * len(places)
    assert sum(longest) <= 0.7 * len(longest)


def test_the_fallback_is_the_same_before_and_after_and_folds_the_answers_away(lesson):
    box = lesson.ask("exit")
    before = box.fallback()
    choose(box, box.question.right, "Check")
    assert box.fallback() == before
    plain, html = before["text/plain"], before["text/html"]
    assert "\n" not in plain and "✔" not in plain and plain.startswith("Question. Who decides")
    assert html.index("<details>") < html.index("✔")


def test_words_are_escaped_and_backquotes_are_code():
    question = Question(f"{HOSTILE} `a < b`", HOSTILE, {HOSTILE: HOSTILE, "`no`": ""})
    box = QuestionBox("01", "hostile", question, PREDICTION)
    choose(box, HOSTILE, "Commit")
    box.compare()
    pages = [box.picture.value, box.children[1].value, box.fallback()["text/html"]]
    assert not any("<img" in page for page in pages)
    assert "<code>a &lt; b</code>" in pages[1]
    assert [label for label, _ in box.choices.options] == [HOSTILE, "no"]


def test_every_control_has_a_name(lesson):
    check_names(lesson.predict("permute"))


def test_a_question_without_a_choice_or_a_right_answer_is_refused():
    for right, replies in (("a", {"a": ""}), ("c", {"a": "", "b": ""})):
        with pytest.raises(ValueError, match="two or more answers"):
            Question("What?", right, replies)


def test_names_that_are_not_there_are_listed(lesson):
    with pytest.raises(ValueError, match="no question 'odd': what_comes_out"):
        lesson.ask("odd")
    with pytest.raises(ValueError, match="no hint 'odd': decode"):
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


def test_hints_lie_inside_each_other(lesson):
    hint = lesson.hint("train")
    html = hint._repr_html_()
    assert repr(hint) == "3 hints, folded away"
    assert html.count("<details>") == 3 and html.endswith("</details></div></details>")
    assert html.index("Hint 1 of 3") < html.index("Hint 2 of 3") < html.index("Hint 3 of 3")


# ---- Answers ----


def test_answers_are_kept_a_line_each(lesson, kept):
    choose(lesson.predict("permute"), words.QUESTIONS["permute"].right, "Commit")
    choose(lesson.ask("exit"), words.QUESTIONS["exit"].choices[0], "Check")
    lines = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    assert [(a["lesson"], a["question"], a["kind"], a["right"]) for a in lines] == [
        ("01", "permute", "prediction", True),
        ("01", "exit", "question", False),
    ]
    assert set(lines[0]) == {*counting.FIELDS, "time"}  # no name of anybody


def test_answers_can_be_switched_off(lesson, monkeypatch):
    monkeypatch.setenv("GPTLIB_ANSWERS", "off")
    choose(lesson.ask("exit"), words.QUESTIONS["exit"].right, "Check")
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
    choose(box, box.question.right, "Check")
    assert "could not be saved" in shown(box) and "✔ Yes." in shown(box)


def test_an_answer_after_one_that_was_cut_off_begins_a_line_of_its_own(lesson, kept):
    choose(lesson.ask("exit"), words.QUESTIONS["exit"].right, "Check")
    kept.write_bytes(kept.read_bytes()[:-20])  # a full disk
    choose(lesson.ask("permute"), words.QUESTIONS["permute"].right, "Check")
    choose(lesson.ask("exit"), words.QUESTIONS["exit"].right, "Check")
    lines = kept.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3 and lines[0].startswith('{"lesson": "01", "question": "exit"')
    assert [json.loads(line)["question"] for line in lines[1:]] == ["permute", "exit"]


def test_half_of_a_surrogate_pair_in_an_answer_is_kept(kept):
    answers.record("01", "exit", "question", "\ud800", True)
    assert json.loads(kept.read_text(encoding="utf-8"))["chosen"] == "\ud800"


def test_ones_own_answers_are_tallied_and_an_empty_folder_is_named(lesson, kept, tmp_path):
    choose(lesson.ask("exit"), words.QUESTIONS["exit"].right, "Check")
    assert teaching.tally().share_right("01", "exit") == 1
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no .jsonl file"):
        teaching.tally(tmp_path / "empty")
