"""gptlib.teaching.board.catalogue: only words of the course come through."""

import json

import pytest
from boards import COURSE

SPREAD, SOFTMAX = ("03", "spread"), ("05", "softmax")


def test_an_answer_of_the_course_is_taken_as_it_is():
    assert COURSE.known(SPREAD, "prediction", "4 times") == "4 times"
    assert COURSE.known(SOFTMAX, "check", "wrong axis") == "wrong axis"
    assert COURSE.known(SOFTMAX, "check", "right") == "right"


def test_a_mistake_without_a_known_name_is_not_right_yet_whatever_it_says():
    assert COURSE.known(SOFTMAX, "check", "my code was x = 1") == "not right yet"


@pytest.mark.parametrize(
    ("key", "kind", "chosen", "why"),
    [
        (SPREAD, "question", "a rude word", "no such answer"),
        (("03", "odd"), "question", "4 times", "no such question"),
        (("04", "spread"), "prediction", "4 times", "no such question"),
        (SPREAD, "check", "right", "no such exercise"),
        (SOFTMAX, "question", "right", "no such question"),
    ],
)
def test_what_the_course_does_not_ask_is_refused(key, kind, chosen, why):
    with pytest.raises(ValueError, match=why):
        COURSE.known(key, kind, chosen)


def test_the_page_is_told_all_but_the_right_answers():
    shown = COURSE.shown()
    assert [(q["lesson"], q["name"]) for q in shown["questions"]] == list(COURSE.questions)
    assert shown["questions"][0]["choices"] == ("2 times", "4 times", "16 times")
    assert '"right"' not in json.dumps(shown)
