"""gptlib.formats.values: numbers and ids of any type, and one short line for what is none."""

from fractions import Fraction

import numpy as np
import pytest
import torch

import gptlib
from gptlib import cli
from gptlib.formats.values import (
    Choice,
    Real,
    Whole,
    as_float,
    as_ids,
    check_ids,
    reason,
    shown,
    text_of,
)

HUGE = 10**400


class Unshowable:
    """An object whose repr fails."""

    def __repr__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize("three", [3, np.int64(3), np.uint8(3), torch.tensor(3), np.array(3)])
def test_a_whole_number_of_any_type_is_pythons_int(three):
    number = Whole(1).read("k", three)
    assert number == 3 and type(number) is int


@pytest.mark.parametrize(
    "value",
    [True, np.bool_(True), 3.0, np.float64(3), "3", None, [3], HUGE, -1, 0, Unshowable()]
    + [torch.tensor([1, 2]), torch.tensor(True), torch.tensor(3.0), np.array([1, 2])],
)
def test_what_is_no_whole_number_in_the_range_is_refused_in_one_short_line(value):
    with pytest.raises(ValueError, match="^k must be a whole number of 1 or more, not ") as caught:
        Whole(1).read("k", value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


def test_a_largest_number_is_named_where_there_is_one():
    with pytest.raises(ValueError, match="of 0 or more and at most 5, not 6"):
        Whole(0, 5).read("k", 6)


@pytest.mark.parametrize(
    "half", [0.5, np.float32(0.5), np.float64(0.5), Fraction(1, 2), torch.tensor([0.5])]
)
def test_a_real_number_of_any_type_is_pythons_float(half):
    number = Real(below=1).read("x", half)
    assert number == 0.5 and type(number) is float


@pytest.mark.parametrize("value", ["0.5", b"1", True, None, [0.5], 1j, Unshowable(), np.ones(2)])
def test_what_is_no_number_is_refused_by_name(value):
    with pytest.raises(ValueError, match="^x must be a number, not "):
        as_float("x", value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 1, HUGE])
def test_a_real_number_outside_its_range_is_refused(value):
    with pytest.raises(ValueError, match="^x must be "):
        Real(below=1).read("x", value)


def test_none_is_a_value_only_where_it_may_be():
    assert Whole(optional=True).read("k", None) is None is Real(optional=True).read("x", None)
    assert Choice(("a",), optional=True).read("c", None) is None
    with pytest.raises(ValueError, match="c must be 'a' or 'b', not None"):
        Choice(("a", "b")).read("c", None)


def test_a_choice_is_of_the_same_type_too():
    assert Choice((True, False)).read("c", True) is True
    with pytest.raises(ValueError, match="c must be True or False, not 1"):
        Choice((True, False)).read("c", 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.int32, np.int64])
def test_ids_of_any_array_of_whole_numbers_are_a_tensor(dtype):
    ids = as_ids(np.array([1, 2], dtype), "a prompt")
    check_ids(ids, 3)
    assert ids.tolist() == [1, 2]


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int16, torch.uint16])
def test_ids_of_a_narrow_type_are_compared_with_any_vocabulary(dtype):
    ids = as_ids(torch.tensor([1, 2]).to(dtype), "a prompt")
    for size in (200, 300, 100_000):
        check_ids(ids, size)
    with pytest.raises(ValueError, match=r"token id 2 is outside 0\.\.1"):
        check_ids(ids, 2)


def test_ids_may_be_a_list_of_numpys_numbers():
    for kind in (np.uint8, np.uint16, np.int64):
        assert as_ids([kind(1), kind(2)], "a prompt").tolist() == [1, 2]


@pytest.mark.parametrize("values", ["text", [1, "2"], [[1], [2, 3]], object(), {"a": 1}])
def test_what_are_no_ids_is_a_type_error_that_names_them(values):
    with pytest.raises(TypeError, match="^a prompt must be token ids"):
        as_ids(values, "a prompt")


def test_what_is_shown_is_one_short_line_whatever_it_is():
    assert shown("a\nb") == repr("a\nb") and "Unshowable" in shown(Unshowable())
    assert len(shown("x" * 10**6)) < 100 and "\n" not in shown(np.zeros((9, 9)))


# ---- What errors say ----


class SpeechlessError(ValueError):
    def __str__(self):
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("one\n  two\t"), "one two"),
        (ValueError(), "ValueError"),
        (SpeechlessError(), "SpeechlessError"),
        (ValueError("\x1b[31mred\u202e"), "?[31mred?"),
        (ValueError("x" * 5 * 2**20), "x" * 500),
    ],
)
def test_an_error_is_quoted_on_one_short_line_whatever_its_own_text_does(error, said):
    assert reason(error) == said


def test_an_error_without_words_of_its_own_has_an_empty_text():
    assert text_of(SpeechlessError()) == "" and text_of(ValueError("a\nb")) == "a\nb"


def test_the_command_names_an_error_that_cannot_say_anything(monkeypatch, capsys, tmp_path):
    def fail(*args, **kwargs):
        raise SpeechlessError

    monkeypatch.setattr(gptlib.corpora, "load", fail)
    command = ["train", "--corpus", "pets", "--out", str(tmp_path / "run"), "--device", "cpu"]
    assert cli.main(command) == 2
    assert capsys.readouterr().err == "gptlib: SpeechlessError\n"
