"""gptlib.logits: softmax, negative log likelihood and KL, by hand and at the edges."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gptlib.logits import kl, log_softmax, nll, softmax, token_nll

LN = math.log
rows = st.lists(st.floats(-1000, 1000, width=32), min_size=2, max_size=8).map(torch.tensor)


def test_softmax_by_hand():
    # e^0, e^ln 2, e^ln 3 are 1, 2, 3; their sum is 6.
    logits = torch.tensor([0, LN(2), LN(3)])
    assert softmax(logits).tolist() == pytest.approx([1 / 6, 2 / 6, 3 / 6])
    assert log_softmax(logits).tolist() == pytest.approx([-LN(6), -LN(3), -LN(2)])


def test_softmax_works_along_any_axis():
    logits = torch.tensor([[0.0, 0.0], [LN(3), 0.0]])
    assert softmax(logits, dim=0).tolist() == [pytest.approx([1 / 4, 1 / 2])] + [
        pytest.approx([3 / 4, 1 / 2])
    ]
    torch.testing.assert_close(log_softmax(logits, dim=0).exp(), softmax(logits, dim=0))


@settings(deadline=None, max_examples=50)
@given(rows, st.floats(-1000, 1000))
def test_both_equal_pytorchs_and_a_shift_changes_nothing(logits, shift):
    torch.testing.assert_close(softmax(logits), torch.softmax(logits, -1))
    torch.testing.assert_close(log_softmax(logits), torch.log_softmax(logits, -1))
    exact = logits.double()
    torch.testing.assert_close(softmax(exact + shift), softmax(exact))


def test_logits_of_a_thousand_neither_overflow_nor_vanish():
    logits = torch.tensor([1000.0, 0.0, -1000.0])
    assert softmax(logits).tolist() == [1, 0, 0]
    assert log_softmax(logits).tolist() == [0, -1000, -2000]
    assert token_nll(logits, torch.tensor(2)).item() == 2000


def test_minus_infinity_is_probability_zero():
    assert softmax(torch.tensor([0.0, -math.inf])).tolist() == [1, 0]


def test_the_loss_of_a_token_given_six_tenths_is_half_a_nat():
    logits = torch.log(torch.tensor([0.60, 0.30, 0.05, 0.05]))
    assert token_nll(logits, torch.tensor(0)).item() == pytest.approx(0.5108, abs=1e-4)  # -ln .6
    assert token_nll(logits, torch.tensor(3)).item() == pytest.approx(2.9957, abs=1e-4)  # -ln .05
    both = nll(logits.expand(2, 4), torch.tensor([0, 3]))  # the mean of the two
    assert both.item() == pytest.approx(1.7533, abs=1e-4)


def test_even_logits_cost_the_logarithm_of_their_number():
    assert nll(torch.zeros(2, 3, 7), torch.ones(2, 3, dtype=torch.int64)).item() == pytest.approx(
        LN(7)
    )


def test_nll_equals_pytorchs_cross_entropy():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 5, generator=generator)
    targets = torch.randint(5, (2, 3), generator=generator)
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    torch.testing.assert_close(nll(logits, targets), expected)
    assert token_nll(logits, targets).shape == (2, 3)


@pytest.mark.parametrize("size", [1.0, 1000.0])
def test_the_gradient_of_the_loss_is_probability_minus_one_hot(size):
    generator = torch.Generator().manual_seed(0)
    logits = (size * torch.randn(2, 3, 5, generator=generator)).requires_grad_()
    targets = torch.tensor([[0, 4, 2], [1, 1, 3]])
    nll(logits, targets).backward()
    one_hot = torch.nn.functional.one_hot(targets, 5)
    expected = (softmax(logits.detach()) - one_hot) / 6  # the mean is over six tokens
    torch.testing.assert_close(logits.grad, expected)


def test_targets_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3, 5\) need targets of shape \(2, 3\), not \(3,\)"):
        nll(torch.zeros(2, 3, 5), torch.zeros(3, dtype=torch.int64))


@pytest.mark.parametrize("wrong", [-1, 5, -100])
def test_a_target_outside_the_vocabulary_is_named_with_the_range(wrong):
    with pytest.raises(ValueError, match=rf"token id {wrong} is outside 0\.\.4"):
        nll(torch.zeros(2, 5), torch.tensor([0, wrong]))


def test_kl_by_hand():
    even, uneven = torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75])
    # 1/2 ln (1/2 / 1/4) + 1/2 ln (1/2 / 3/4) = 1/2 ln (4/3); the other way it is not the same
    assert kl(even, uneven).item() == pytest.approx(LN(4 / 3) / 2)
    assert kl(uneven, even).item() == pytest.approx(0.25 * LN(0.5) + 0.75 * LN(1.5))


def test_kl_is_infinite_where_the_truth_was_thought_impossible_and_only_there():
    sure, even = torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.5])
    assert kl(even, sure).item() == math.inf
    assert kl(sure, even).item() == pytest.approx(LN(2))
    assert kl(sure, sure).item() == 0


@settings(deadline=None, max_examples=50)
@given(rows, st.integers(1, 5))
def test_kl_is_never_negative_and_zero_from_a_row_to_itself(logits, shift):
    p = softmax(logits.double() / 100)
    q = p.roll(shift)
    assert kl(p, p).item() == 0
    assert kl(p, q).item() >= -1e-12
    # Believing q costs the truth's own entropy and the KL on top.
    cost = -(p * q.log()).sum()
    torch.testing.assert_close(kl(p, q), cost - -(p * p.log()).sum(), rtol=1e-6, atol=1e-9)


def test_kl_takes_leading_axes():
    p = softmax(torch.randn(2, 3, 5))
    assert kl(p, p.flip(-1)).shape == (2, 3)
