"""The engine of the checks: whatever a student's function does, there is one true verdict."""

import functools
import itertools
import json
import signal
import sys
import threading
import time
import warnings

import numpy as np
import pytest
import torch

from gptlib.checks import exercise as engine
from gptlib.checks import limits, properties, running
from gptlib.checks.exercise import Exercise, Mistake, Property
from gptlib.checks.reading import Numbers, numbers

ROWS = torch.tensor([[0.0, 1.0, 2.0], [-1.0, 0.0, 3.0]])


def right(x):
    return x.softmax(-1)


ROWS_OF_THREE = Exercise(
    "logits.rows",
    right=right,
    inputs=[(ROWS,), (ROWS + 1,), (ROWS[:1],), (ROWS.repeat(10, 10),)],
    read=numbers,
    properties=(
        properties.shape("There is one number for each.", lambda x: x.shape),
        properties.sums_to_one(),
    ),
    mistakes=(Mistake("axis", lambda x: x.softmax(0)).as_if("you summed columns", "Sum rows."),),
)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(running, "PATIENCE", 0.3)


@pytest.fixture
def said(capsys):
    def said(student, exercise=ROWS_OF_THREE):
        verdict = exercise(student)
        return verdict, capsys.readouterr().out

    return said


# ---- Right is right ----


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: x.exp() / x.exp().sum(-1, keepdim=True),
        lambda x: x.softmax(-1).numpy(),
        lambda x: x.softmax(-1).tolist(),
        lambda x: [row.softmax(0) for row in x],
        lambda x: (row.softmax(0) for row in x),
        lambda x: map(list, x.softmax(-1)),
        lambda x: [[p.item() for p in row] for row in x.softmax(-1)],
        lambda x: x.double().softmax(-1),
        lambda x: x.softmax(-1).bfloat16(),
        lambda x: x.softmax(-1).half(),
        lambda x: x.softmax(-1).numpy().astype(np.float16),
        lambda x: x.softmax(-1).to_sparse(),
        lambda x: x.requires_grad_().softmax(-1),
        lambda x: x.softmax(-1) + 1e-7,
        lambda x: x.clone().exp_().div_(x.exp().sum(-1, keepdim=True)),
        lambda x: torch.nested.nested_tensor(list(x.softmax(-1))),
        functools.partial(torch.softmax, dim=-1),
        torch.nn.Softmax(dim=-1),
    ],
)
def test_numbers_are_right_in_any_form_and_but_for_rounding(answer, said):
    verdict, words = said(answer)
    assert verdict, words


def test_under_autocast_a_matrix_product_in_bfloat16_is_right(said):
    eye = torch.eye(3)
    exercise = Exercise("logits.rows", right=lambda x: x @ eye, inputs=[(ROWS,)], read=numbers)

    def mine(x):
        with torch.autocast("cpu", torch.bfloat16):
            return x @ eye

    assert said(mine, exercise)[0]


def test_settings_of_torch_that_a_function_changes_end_with_it(said):
    def mine(x):
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        torch.manual_seed(7)
        return right(x)

    before = torch.get_rng_state()
    assert said(mine)[0]
    assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled()
    assert torch.equal(before, torch.get_rng_state())


# ---- Wrong is told as it is ----


def test_a_verdict_begins_with_the_first_property_that_fails_on_the_plainest_input(said):
    verdict, words = said(lambda x: 0.95 * x.softmax(-1))
    assert words.startswith("✘ <lambda>: row 1 sums to 0.95. Each row is one distribution")
    assert verdict.property == properties.sums_to_one().words and verdict.mistake == ""
    assert verdict.call == "<lambda>([[0, 1, 2], [-1, 0, 3]])"


def test_a_mistake_is_named_only_if_it_explains_every_input(said):
    assert said(lambda x: x.softmax(0))[0].mistake == "axis"
    verdict, words = said(lambda x: x.softmax(0) if len(x) < 3 else x)
    assert verdict.mistake == "" and verdict.resembles == "axis"
    assert "On this input it behaves as if you summed columns." in words
    verdict, words = said(lambda x: x.softmax(0) if len(x) == 1 else 0 * x)
    assert (verdict.mistake, verdict.resembles) == ("", "") and "columns" not in words


def test_where_gives_and_should_be_differ_late_there_are_digits_enough_and_a_mark(said):
    exercise = Exercise(
        "logits.rows", right=lambda x: x, inputs=[(torch.tensor([0.5, 2.0]),)], read=numbers
    )
    verdict, words = said(lambda x: x + torch.tensor([0.0, 0.0004]), exercise)
    assert verdict.gives == "[0.5000, 2.0004]" and verdict.should_be == "[0.5000,      2]"
    assert verdict.marks == "         ^^^^^^"
    assert words.startswith("✘ <lambda> is not right yet.\n")


def test_a_property_may_ask_the_student_for_another_input(said):
    def seen(given, value, ask):
        return None if np.allclose(ask(given[0] + 1), value) else "it changes with a shift"

    shift = Property("A shift of all logits changes nothing.", seen, asks=True)
    exercise = Exercise("logits.rows", inputs=[(ROWS,)], read=numbers, properties=(shift,))
    assert said(right, exercise)[0]
    assert "it changes with a shift. A shift of all" in said(torch.exp, exercise)[1]


def test_an_input_that_is_changed_is_said_even_deep_in_a_large_one(said):
    def changes(x):
        if len(x) > 9:
            x[7, 11] += 1
        return right(x)

    verdict, words = said(changes)
    assert verdict.mistake == running.CHANGED and "Work on a copy." in words


@pytest.mark.parametrize(
    "answer,words",
    [
        (lambda x: [[1], [1, 2]], "the rows do not all have the same length"),
        (lambda x: {"a": 1}, "a tensor (or array, or list of numbers) was expected"),
        (lambda x: "0.1", "a tensor (or array, or list of numbers) was expected"),
        (lambda x: x.to("meta"), "where tensors have no numbers"),
        (lambda x: x + 1j, "complex numbers"),
        (lambda x: None, "Is there a `return`?"),
    ],
)
def test_what_is_no_such_thing_is_said_to_be_none(answer, words, said):
    assert words in said(answer)[1]


def test_numbers_without_a_number_have_no_shape_in_a_list():
    none = torch.zeros(0, 4)
    assert Numbers(none) == Numbers(none.tolist())
    assert Numbers(torch.zeros(1, 4)) != Numbers(torch.zeros(4))
    assert Numbers([2**70, 1]) == Numbers([float(2**70), 1.0])


# ---- Unfinished ----


def test_a_blank_that_is_left_is_told_with_its_line(said):
    def mine(x):
        a, b = x[..., 0], x[0, ...]
        top = ...
        return x - top + 0 * (a.sum() + b.sum())

    verdict, words = said(mine)
    assert words == "○ mine: there is still a `...` in line 3. Put your answer there.\n"
    assert verdict.mistake == running.NOT_WRITTEN


def test_a_raise_left_below_a_finished_answer_is_told_with_its_line(said):
    def mine(x):
        powers = x.exp()
        shares = powers / powers.sum(-1, keepdim=True)
        raise NotImplementedError
        return shares

    verdict, words = said(mine)
    assert words.startswith("○ mine: the answer is there, but line 4 still says `raise NotImpl")
    assert verdict.mistake == running.NOT_WRITTEN


def not_written(x):
    raise NotImplementedError


@pytest.mark.parametrize("stub", [torch.no_grad()(not_written), functools.partial(not_written)])
def test_a_wrapped_stub_is_a_stub(stub, said):
    assert said(stub)[1].endswith(": not written yet.\n")


def test_calling_a_function_that_is_not_written_is_told_apart(said):
    def mine(x):
        return [not_written(row) for row in x]

    words = said(mine)[1]
    assert words == "○ mine calls not_written, which is not written yet: do that one first.\n"


def test_what_torch_has_not_implemented_is_an_error_of_torchs(said):
    verdict, words = said(lambda x: x.to_sparse().cumsum(-1))
    assert verdict.mistake == running.STOPPED and "stops with NotImplementedError: " in words


# ---- What does not end ----


def catches_all(x):
    while True:
        try:
            x = x + 1
        except:  # noqa: E722
            pass


def catches_all_twice(x):
    while True:
        try:
            while True:
                try:
                    x = abs(len(str(x)))
                except:  # noqa: E722
                    continue
        except:  # noqa: E722
            pass


def sleeps(x):
    time.sleep(60)


def catches_and_returns(x):
    try:
        while True:
            pass
    except BaseException:
        return right(x)


def counts_in_c(x):
    return x + sum(itertools.count())


def collects_in_c(x):
    return x + len(list(itertools.repeat(x)))


def generates(x):
    while True:
        yield x


ENDLESS = [catches_all, catches_all_twice, sleeps, catches_and_returns, counts_in_c, collects_in_c]


@pytest.fixture
def unheard(monkeypatch):
    """The alarm may ring while an object is freed; pytest's hook for that must not be rung too."""
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)


@pytest.mark.parametrize("student", ENDLESS)
def test_what_does_not_end_is_ended(student, said, unheard):
    began = time.monotonic()
    verdict, words = said(student)
    assert verdict.mistake == running.ENDLESS, words
    assert "Does the loop come to an end?" in words
    assert time.monotonic() - began < 8
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize("student", [catches_all, catches_and_returns])
def test_outside_the_main_thread_as_on_windows_python_loops_are_ended_too(student):
    found = []
    thread = threading.Thread(target=lambda: found.append(ROWS_OF_THREE.judge(student)))
    thread.start()
    thread.join(5)
    assert found and found[0].mistake == running.ENDLESS


def test_a_generator_without_an_end_is_read_only_so_far(said, monkeypatch):
    monkeypatch.setattr(running, "MOST_ITEMS", 100)
    assert not said(generates)[0]


def test_a_function_that_names_count_and_ends_is_tried_and_then_judged(said):
    def mine(x):
        return [row.softmax(0) for _, row in zip(itertools.count(), x)]

    assert limits._may_loop(mine)
    assert said(mine)[0]


def test_ctrl_c_ends_the_check_with_a_verdict(said):
    def interrupted(x):
        raise KeyboardInterrupt

    verdict, words = said(interrupted)
    assert verdict.mistake == running.INTERRUPTED and words.startswith("○ interrupted was inter")


# ---- Nothing leaks, and everything is kept ----


def test_no_warning_comes_of_the_checks_own_work(said):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        said(lambda x: (x / 0).tolist())
        said(lambda x: -x / 0)


def test_every_verdict_is_kept_without_name_or_code(said, tmp_path, monkeypatch):
    file = tmp_path / "answers.jsonl"
    monkeypatch.setenv("GPTLIB_ANSWERS", str(file))
    for student in (not_written, lambda x: x.softmax(0), lambda x: 0.9 * right(x), right):
        said(student)
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [(line["chosen"], line["right"]) for line in lines] == [
        ("not written", False),
        ("axis", False),
        (properties.sums_to_one().words, False),
        ("right", True),
    ]
    assert {line["lesson"] for line in lines} == {"05"}
    assert {line["question"] for line in lines} == {"rows"}
    assert set(lines[0]) == {"lesson", "question", "kind", "chosen", "right", "time"}


def test_off_keeps_no_verdict(said, tmp_path, monkeypatch):
    monkeypatch.setenv("GPTLIB_ANSWERS", "off")
    said(right)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_does_not_stop_a_check(said, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GPTLIB_ANSWERS", str(tmp_path / "file" / "answers.jsonl"))
    verdict, words = said(right)
    assert verdict and "could not be saved" in words


def test_a_note_helps_with_pythons_own_words(said):
    words = said(lambda x: x - x.max(-1))[1]
    assert engine.NOTES[r"torch\.return_types\.m"] in words
