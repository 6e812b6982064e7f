"""gptlib.decoding.arguments: settings and prompts of any type, as plain numbers."""

import numpy as np
import pytest
import torch

from gptlib.decoding.arguments import are_unequal, check_settings, prompt_rows, whole_number
from gptlib.sampling import generate


@pytest.mark.parametrize("top_k", [3, 3.0, np.int64(3), np.float32(3), torch.tensor(3)])
def test_settings_of_any_type_are_plain_numbers(top_k):
    found = check_settings(np.float32(0.5), top_k, np.float64(0.25))
    assert found == (0.5, 3, 0.25) and [type(value) for value in found] == [float, int, float]


def test_settings_that_are_left_out_stay_left_out():
    assert check_settings(1, None, None) == (1.0, None, None)


@pytest.mark.parametrize("value", [0.5, -1, float("nan"), float("inf"), True])
def test_what_is_not_whole_is_refused(value):
    with pytest.raises(ValueError, match="n must be a whole number of 0 or more"):
        whole_number("n", value, least=0)


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.int64])
def test_a_prompt_may_be_an_array(model, kind):
    assert prompt_rows(model, np.array([1, 2], kind)).tolist() == [[1, 2]]


def test_prompts_of_unequal_length_are_told_from_all_others():
    assert are_unequal([[1, 2], [3]]) and are_unequal((torch.tensor([1, 2]), np.array([3])))
    for ids in ([1, 2], [[1, 2], [3, 4]], torch.ones(2, 2), [torch.tensor(1), torch.tensor(2)], []):
        assert not are_unequal(ids)


@pytest.mark.parametrize("use_cache", [True, False])
def test_a_prompt_among_longer_ones_goes_on_as_it_would_alone(lively, use_cache):
    prompts = [[1, 2, 3], [4], [5, 6]]
    how = {"temperature": 0, "use_cache": use_cache}
    together = generate(lively, prompts, 6, **how)
    assert [row.tolist() for row in together] == [
        generate(lively, prompt, 6, **how).tolist() for prompt in prompts
    ]


def test_unequal_prompts_are_refused_as_others_are(model):
    with pytest.raises(ValueError, match=r"token id 11 is outside 0\.\.10"):
        generate(model, [[1, 2], [11]], 1)
    with pytest.raises(ValueError, match="at least one token id"):
        generate(model, [[1, 2], []], 1)
