"""teaching.board.arriving: a good answer is read, and anything else is refused in a few words."""

import json

import pytest
from boards import COURSE, message
from hypothesis import given
from hypothesis import strategies as st

from gptlib.teaching.board.arriving import read


def body(**different):
    return json.dumps(message(**different)).encode()


def test_an_answer_is_read_and_dated_by_the_boards_own_clock():
    answer = read(body(age=30), COURSE, now=1000.0)
    assert (answer.seat, answer.key, answer.kind) == (7, ("03", "spread"), "prediction")
    assert (answer.chosen, answer.made) == ("2 times", 970.0)


WRONG = {
    "an id that is too short": {"id": "ab"},
    "an id that is none": {"id": "../" + "a" * 29},
    "a number for an id": {"id": 12},
    "a seat below 0": {"seat": -1},
    "a seat that is too large": {"seat": 2**32},
    "a seat that is True": {"seat": True},
    "a seat with a point": {"seat": 1.5},
    "an age below 0": {"age": -0.1},
    "an age that is not a number": {"age": float("nan")},
    "an age without end": {"age": float("inf")},
    "an age of 3000 digits": {"age": 10**3000},
    "an age of a year": {"age": 3e7},
    "a lesson that leads elsewhere": {"lesson": "../03"},
    "a lesson with markup": {"lesson": "<b>"},
    "a question with a space": {"question": "a b"},
    "a question with a line break": {"question": "spread\n"},
    "a long question": {"question": "a" * 41},
    "a question of other letters": {"question": "größe"},
    "another kind": {"kind": "code"},
    "a long choice": {"chosen": "a" * 501},
    "a choice of nobody's": {"chosen": "3 times"},
    "half of a pair": {"chosen": "\ud800"},
    "one field more": {"name": "Mia"},
    "a list": {"chosen": ["2 times"]},
    "nothing": {"chosen": None},
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_answer_is_refused(name):
    with pytest.raises(ValueError):
        read(body(**WRONG[name]), COURSE, now=0)


@pytest.mark.parametrize(
    "sent", [b"", b"[]", b"1", b"null", b"\xff\xfe", b"[" * 4000, b'{"id":' * 600, b"9" * 4000]
)
def test_what_is_not_even_an_object_is_refused(sent):
    with pytest.raises(ValueError):
        read(sent, COURSE, now=0)


def test_each_field_must_be_there():
    for name in message():
        short = {key: value for key, value in message().items() if key != name}
        with pytest.raises(ValueError, match="not the expected fields"):
            read(json.dumps(short).encode(), COURSE, now=0)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@given(st.sampled_from(sorted(message())), anything)
def test_whatever_a_field_holds_it_is_read_or_refused(name, value):
    try:
        answer = read(body(**{name: value}), COURSE, now=0)
    except ValueError:
        return
    assert answer.key in COURSE.questions and answer.chosen in COURSE.questions[answer.key].choices


@given(st.binary(max_size=200))
def test_whatever_bytes_come_they_are_read_or_refused(sent):
    with pytest.raises(ValueError):
        read(sent, COURSE, now=0)
