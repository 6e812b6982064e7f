"""gptlib.checks.base: a tensor, an array and a list are one answer, and rounding is no mistake;
what is not written, or stops nearly everywhere, is called so.
"""

import functools

import numpy as np
import pytest
import torch

from gptlib.checks import base
from gptlib.checks.base import Mistake

ROWS = torch.tensor([[0.0, 1.0, 2.0], [-1.0, 0.0, 3.0]])
INPUTS = [(ROWS,), (ROWS.repeat(10, 10),)]


def right(x):
    return x.softmax(-1)


def wrong_axis(x):
    return x.softmax(0)


def verdict(student, read=base.numbers, inputs=INPUTS):
    mistakes = [Mistake("axis", "the columns sum to one, not the rows", wrong_axis)]
    return base.check(student, right=right, inputs=inputs, mistakes=mistakes, read=read)


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: x.exp() / x.exp().sum(-1, keepdim=True),
        lambda x: x.softmax(-1).numpy(),
        lambda x: x.softmax(-1).tolist(),
        lambda x: [row.softmax(0) for row in x],
        lambda x: (row.softmax(0) for row in x),
        lambda x: x.double().softmax(-1),
        lambda x: x.requires_grad_().softmax(-1),
        lambda x: x.softmax(-1) + 1e-7,
    ],
)
def test_numbers_are_right_in_any_form_and_but_for_rounding(answer, capsys):
    assert verdict(answer), capsys.readouterr().out


def test_a_mistake_in_numbers_is_named_and_shown_on_the_small_input(capsys):
    assert verdict(lambda x: x.numpy() * 0 + x.softmax(0).numpy()).mistake == "axis"
    said = capsys.readouterr().out
    assert "[[0.000, 1.000, 2.000], [-1.000, 0.000, 3.000]] (shape 2, 3)" in said
    assert "the columns sum to one" in said


@pytest.mark.parametrize(
    "answer,said",
    [
        (lambda x: x.softmax(-1) + 0.01, "not right yet"),
        (lambda x: x.softmax(-1)[:, :2], "(shape 2, 2)"),
        (lambda x: x.softmax(-1)[None], "(shape 1, 2, 3)"),
        (lambda x: x * torch.nan, "nan"),
        (lambda x: [[1], [1, 2]], "the same length"),
        (lambda x: [x[0], x], "one tensor (or array, or list of numbers) was expected"),
        (lambda x: {"a": 1}, "a tensor (or array, or list of numbers) was expected"),
        (lambda x: "0.1", "a tensor (or array, or list of numbers) was expected"),
        (lambda x: x.add_(1), "has changed its input"),
        (lambda x: np.negative(x.numpy(), out=x.numpy()), "has changed its input"),
    ],
)
def test_wrong_numbers_are_said_to_be_wrong(answer, said, capsys):
    assert not verdict(answer)
    assert said in capsys.readouterr().out


def test_a_change_deep_in_a_large_input_is_seen():
    def changes(x):
        if len(x) > 9:
            x[7, 11] += 1
        return x.softmax(-1)

    assert verdict(changes).mistake == base.CHANGED


def test_a_change_of_a_modules_weights_is_seen_and_a_module_may_be_called():
    layer = torch.nn.Linear(3, 3)
    inputs = [(layer, ROWS)]

    def through(layer, x):
        return layer(x)

    def changes(layer, x):
        with torch.no_grad():
            layer.bias.zero_()
        return layer(x)

    def check(student):
        return base.check(student, right=through, inputs=inputs, read=base.numbers)

    assert check(through)
    assert check(changes).mistake == base.CHANGED


def test_infinite_numbers_are_equal_to_themselves():
    mask = torch.tensor([[0.0, -torch.inf], [0.0, 0.0]])
    assert base.Numbers(mask) == base.Numbers(mask.numpy())
    assert base.Numbers(mask) != base.Numbers(mask.clamp(min=-1e9))
    assert base.Numbers(torch.tensor([True])) == base.Numbers([1])


def test_many_numbers_are_told_by_their_shape():
    many = repr(base.Numbers(np.zeros((4, 5, 6))))
    assert many == "numbers of shape (4, 5, 6), the first [0.000, 0.000, 0.000, 0.000]"


def test_where_there_are_no_numbers_a_list_has_lost_the_shape():
    none = torch.zeros(0, 4)
    assert base.Numbers(none) == base.Numbers(none.tolist())
    assert base.Numbers(none) != base.Numbers([0.0])
    assert base.Numbers(torch.zeros(1, 4)) != base.Numbers(torch.zeros(4))


# ---- Not written, or it stops ----


def not_written(x):
    raise NotImplementedError


def test_calling_a_function_that_is_not_written_is_not_to_be_unwritten(capsys):
    def mine(x):
        return [not_written(row) for row in x]

    assert verdict(mine).mistake == base.NOT_WRITTEN
    said = capsys.readouterr().out
    assert said == "○ mine calls not_written, which is not written yet: do that one first.\n"


@pytest.mark.parametrize("wrapped", [torch.no_grad()(not_written), functools.partial(not_written)])
def test_a_wrapped_stub_is_a_stub(wrapped, capsys):
    assert verdict(wrapped).mistake == base.NOT_WRITTEN
    assert capsys.readouterr().out.endswith(": not written yet.\n")


def test_what_torch_has_not_implemented_is_an_error_of_torchs(capsys):
    def of_whole_numbers(x):
        return x.long().softmax(-1)

    assert verdict(of_whole_numbers).mistake == base.STOPPED
    assert "stops with NotImplementedError: " in capsys.readouterr().out


def test_no_mistake_is_named_where_most_inputs_gave_no_result():
    inputs = [(ROWS,), (ROWS + 1,), (ROWS[:1],)]  # a row alone: its columns are all 1

    def stops(x, rows):
        if len(x) == rows:
            raise RuntimeError("a truth value was asked for")
        return x.softmax(0)

    assert verdict(lambda x: stops(x, 2), inputs=inputs).mistake == base.STOPPED
    assert verdict(lambda x: stops(x, 1), inputs=inputs).mistake == "axis"
