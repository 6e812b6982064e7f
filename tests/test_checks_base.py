"""gptlib.checks.base with numbers: a tensor, an array and a list are one answer, and rounding is
no mistake.
"""

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
