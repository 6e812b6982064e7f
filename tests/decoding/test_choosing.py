"""gptlib.decoding.choosing: the same distribution and the same draw as in lesson 07."""

from itertools import product

import pytest
import torch

import gptlib
from gptlib.decoding.choosing import filtered, first_largest, pick
from gptlib.sampling import draw

SETTINGS = [
    (temperature, top_k, top_p)
    for temperature in (0.0, 0.3, 1.0, 40.0)
    for top_k in (None, 1, 3, 11, 99)
    for top_p in (None, 0.2, 0.9, 1.0)
]
# Every row of six values out of four, most of them once more behind it: (4096, 11).
VALUES = product((-1.0, 0.0, 2.0, float("-inf")), repeat=6)
EQUALS = torch.tensor([[0.5, *row, *row[:4]] for row in VALUES])


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_it_is_the_distribution_of_next_token_probs(settings):
    logits = torch.randn(5, 11, generator=torch.Generator().manual_seed(0)) * 3
    expected = gptlib.next_token_probs(logits, *settings)
    torch.testing.assert_close(filtered(logits, settings), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_of_equal_logits_the_same_ones_stay(settings):
    logits = EQUALS
    expected = gptlib.next_token_probs(logits, *settings)
    torch.testing.assert_close(filtered(logits, settings), expected, rtol=1e-6, atol=0)


def test_of_equal_logits_the_smaller_id_is_the_largest():
    assert first_largest(torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 1.0]])).tolist() == [1, 0]


def test_a_draw_is_that_of_lesson_07_from_the_same_number():
    probs = torch.rand(200, 7, generator=torch.Generator().manual_seed(0))
    probs = (probs / probs.sum(-1, keepdim=True)).masked_fill_(probs < 0.3, 0.0)
    u = torch.rand(200, 1, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    assert torch.equal(pick(probs, u), draw(probs, torch.Generator().manual_seed(5)))


def test_what_is_no_number_leaves_an_id_that_there_is():
    nothing = torch.full((1, 4), torch.nan)
    for settings in ((0.0, None, None), (1.0, 2, 0.5), (1.0, None, None)):
        assert pick(filtered(nothing, settings), torch.tensor([[0.5]])).item() in range(4)
    assert first_largest(nothing).item() in range(4)
