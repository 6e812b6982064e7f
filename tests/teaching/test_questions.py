"""gptlib.teaching.questions: no reply shows before an answer, and each student has an own order."""

import importlib
import json

import pytest
from live import COLOURS, Live, grave_in, restart, shows, shut_down

from gptlib.teaching.lesson import PARTS, Lesson
from gptlib.teaching.questions import PREDICTION, Comparison, Question, QuestionBox

HOSTILE = '<img src=x onerror="alert(1)">'
ASKED = Question("Which is `a`?", "a", {"a": "It is.", "b": "Look.", "c": "Look again."})


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    """The file of this test's answers."""
    file = tmp_path / "class" / "me.jsonl"
    monkeypatch.setenv("GPTLIB_ANSWERS", str(file))
    return file


def test_a_question_without_a_choice_or_a_right_answer_is_refused():
    for right, replies in (("a", {"a": ""}), ("c", {"a": "", "b": ""})):
        with pytest.raises(ValueError, match="two or more answers"):
            Question("What?", right, replies)


def records(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_what_was_answered_is_kept_and_a_prediction_only_once(kept):
    box = QuestionBox("01", "guess", ASKED, PREDICTION)
    wrong = next(choice for choice in box.question.choices if choice != box.question.right)
    box.answer_commit(wrong)
    with pytest.raises(ValueError, match="a prediction cannot be changed"):
        box.answer_commit(box.question.right)
    quick = QuestionBox("01", "exit", ASKED)
    for choice in quick.question.choices:
        quick.answer_commit(choice)
    assert [(r["question"], r["kind"], r["right"]) for r in records(kept)] == [
        ("guess", "prediction", False),
        *(("exit", "question", c == quick.question.right) for c in quick.question.choices),
    ]


def test_an_answer_that_is_none_of_those_asked_for_is_not_kept(kept):
    with pytest.raises(ValueError, match="'odd' is none of the answers"):
        QuestionBox("01", "exit", ASKED).answer_commit("odd")
    assert not kept.exists()


def test_a_page_has_the_answers_in_the_students_own_order(kept):
    box = QuestionBox("01", "exit", ASKED)
    assert kept.with_suffix(".seed").exists()
    orders = set()
    for seed in range(1, 30):
        kept.with_suffix(".seed").write_text(str(seed), encoding="ascii")
        shown = [choice for choice, _ in QuestionBox("01", "exit", ASKED).settings["replies"]]
        assert shown == [
            choice for choice, _ in QuestionBox("01", "exit", ASKED).settings["replies"]
        ]
        assert sorted(shown) == sorted(box.question.choices)
        orders.add(tuple(shown))
    assert len(orders) == 6


def test_the_place_of_the_right_answer_is_balanced():
    """For any student, and in what is saved: about as often first as second or third."""
    questions = [
        question
        for part in PARTS
        for question in importlib.import_module(f"gptlib.teaching.{part}").QUESTIONS.values()
    ]
    for seed in ((), (1,), (2**31,)):
        for count in (3, 4):  # so few have two answers that chance could put all in one place
            asked = [q for q in questions if len(q.choices) == count]
            places = [q.shuffled(*seed).index(q.right) for q in asked]
            chance = 3 * (len(asked) * (count - 1)) ** 0.5 / count  # three standard deviations
            assert len(asked) > 4
            assert max(map(places.count, range(count))) <= len(asked) / count + chance


def test_the_fallback_is_the_same_before_and_after_and_folds_the_answers_away():
    box = QuestionBox("01", "exit", ASKED)
    before = box.fallback()
    box.answer_commit(box.question.right)
    assert box.fallback() == before
    plain, html = before["text/plain"], before["text/html"]
    assert "\n" not in plain and "✔" not in plain and plain.startswith("Question. ")
    assert html.index("<details>") < html.index("✔")


def test_a_prediction_is_saved_without_its_replies_which_stand_with_its_comparison():
    box = QuestionBox("01", "guess", ASKED, PREDICTION)
    assert "Look" not in str(box.fallback()) and "<li>" in box.fallback()["text/html"]
    plain, html = Comparison(ASKED, box).fallback().values()
    assert plain == "Compare. Which is `a`?"
    assert "Which is <code>a</code>?" in html and html.index("<details>") < html.index("✔")
    assert html.count("✘") == 2


def test_a_lesson_compares_with_the_box_that_was_shown_last():
    lesson = Lesson("attention")
    early = lesson.compare("spread")
    assert early.prediction is None
    boxes = [lesson.predict("spread") for _ in range(2)]
    lesson.predict("swap")
    assert lesson.compare("spread").prediction is early.prediction is boxes[1]
    with pytest.raises(ValueError, match="lesson 03 has no question 'other'"):
        lesson.compare("other")


def test_words_are_escaped_and_backquotes_are_code():
    question = Question(f"{HOSTILE} `a < b`", HOSTILE, {HOSTILE: HOSTILE, "`no`": ""})
    box = QuestionBox("01", "hostile", question, PREDICTION)
    html = box.fallback()["text/html"] + Comparison(question, box).fallback()["text/html"]
    assert "<img" not in html
    assert "<code>a &lt; b</code>" in html and "<code>no</code>" in html


# ---- The page ----

PAGE = """
from gptlib.teaching.questions import Comparison, Question, QuestionBox
hostile = '<img src=x onerror="alert(1)">'
asked = Question(f"Is {hostile} `a < b`?", hostile, {hostile: f"Yes: {hostile}", "`no`": "Look."})
guess = Question("Which?", "this", {"this": "Right.", "that": f"Look: {hostile}"})
made, first = QuestionBox("01", "hostile", asked), QuestionBox("01", "guess", guess, "prediction")
again = Comparison(guess, first)
display(made, first, first, again, again, Comparison(guess, None))
"""


@pytest.fixture
def asked(lab):
    """A quick question; a prediction and its comparison, twice each; one without a prediction."""
    notebook = lab.new_notebook(
        "asked.ipynb", "import os; os.environ['GPTLIB_ANSWERS'] = 'off'" + PAGE
    )
    notebook.run_all()
    found = notebook.panel.locator(".gptlib-live")
    found.nth(5).get_by_role("button").wait_for()
    return [Live(lab.page, found.nth(k)) for k in range(6)]


FIRST = "First choose an answer in the box of this question, and press Commit."


def reply(live):
    return live.root.locator(".gptlib-reply").inner_text()


def test_a_quick_question_replies_to_the_answer_and_may_be_tried_again(asked, lab):
    quick = asked[0]
    quick.press("button", "Check", "Enter")
    shows(quick.message, "⚠ choose an answer first")
    quick.control("radio", "no").check()
    quick.press("button", "Check", "Enter")
    shows(lambda: reply(quick), "✘ No. Look.")
    quick.press("radio", "no", "ArrowDown")  # to the only other one
    assert quick.control("radio", HOSTILE).is_checked()
    quick.press("button", "Check", "Enter")
    shows(lambda: reply(quick), f"✔ Yes. Yes: {HOSTILE}")
    assert not quick.strange()
    for colours in COLOURS:
        assert not grave_in(lab, colours)


def test_a_prediction_is_committed_first_and_compared_below_in_every_view(asked, lab):
    predictions, comparisons, lonely = asked[1:3], asked[3:5], asked[5]
    for view in (*comparisons, lonely):
        assert view.control("button", "Compare").is_disabled()
    assert reply(lonely).startswith("First run the cell of this question")
    assert reply(comparisons[0]) == (FIRST)
    predictions[0].control("radio", "that").check()
    predictions[0].press("button", "Commit", "Enter")
    for view in predictions:
        shows(lambda view=view: reply(view)[:12], "Noted: that.")
        assert view.control("radio", "this").is_disabled()
        assert view.control("button", "Commit").is_disabled()
    for view in comparisons:
        shows(lambda view=view: reply(view), "You predicted: that.")
    assert not grave_in(lab, "light")
    comparisons[1].press("button", "Compare", "Enter")
    for view in (*predictions, *comparisons):
        shows(lambda view=view: reply(view), f"✘ No. Look: {HOSTILE} The answer is: this. Right.")
        assert not view.strange()
    assert comparisons[0].control("button", "Compare").is_disabled()
    assert not grave_in(lab, "light")


@pytest.mark.parametrize("end", [restart, shut_down])
def test_without_a_kernel_a_question_still_replies_and_says_that_nothing_is_kept(asked, lab, end):
    quick, guess, comparison = asked[0], asked[1], asked[3]
    end(lab)
    for view in (quick, guess):
        shows(lambda view=view: "but is not kept: run this cell again" in view.message(), True)
    quick.control("radio", HOSTILE).check()
    quick.press("button", "Check", "Enter")
    shows(lambda: reply(quick), f"✔ Yes. Yes: {HOSTILE}")
    assert "but is not kept: run this cell again" in quick.message()
    guess.control("radio", "this").check()
    guess.press("button", "Commit", "Enter")
    shows(lambda: reply(comparison), "You predicted: this.")
    comparison.press("button", "Compare", "Enter")
    shows(lambda: reply(comparison), "✔ Yes. Right.")


AGAIN = """
import os; os.environ['GPTLIB_ANSWERS'] = 'off'
from gptlib import teaching
lesson = teaching.Lesson("attention")
lesson.compare("spread")
"""


def test_a_comparison_follows_its_question_when_that_cell_is_run_again(lab):
    notebook = lab.new_notebook("again.ipynb", AGAIN, "lesson.predict('spread')")
    notebook.run_all()
    comparison = Live(lab.page, notebook.panel.locator(".gptlib-live").nth(0))
    shows(lambda: reply(comparison), FIRST)

    def commit(place):
        question = Live(lab.page, notebook.panel.locator(".gptlib-live").nth(1))
        question.root.get_by_role("radio").nth(place).check()
        question.press("button", "Commit", "Enter")
        shows(lambda: reply(comparison)[:15], "You predicted: ")

    commit(0)
    comparison.press("button", "Compare", "Enter")
    shows(lambda: reply(comparison)[:1] in "✔✘", True)
    notebook.panel.locator(".jp-CodeCell").nth(1).locator(".jp-InputPrompt").click()
    lab.command("notebook:run-cell")
    shows(lambda: reply(comparison), FIRST)
    commit(1)
