"""gptlib.decoding.arguments: settings and prompts of any type, as plain numbers."""

import numpy as np
import pytest
import torch

import gptlib
from gptlib.decoding.arguments import are_unequal, check_settings, prompt_rows
from gptlib.sampling import generate


@pytest.mark.parametrize("top_k", [3, np.int64(3), np.uint16(3), torch.tensor(3)])
def test_settings_of_any_type_are_plain_numbers(top_k):
    found = check_settings(np.float32(0.5), top_k, np.float64(0.25))
    assert found == (0.5, 3, 0.25) and [type(value) for value in found] == [float, int, float]


def test_settings_that_are_left_out_stay_left_out():
    assert check_settings(1, None, None) == (1.0, None, None)


@pytest.mark.parametrize("value", [0.5, 3.0, np.float32(3), -1, float("inf"), True, "3", 10**30])
def test_what_is_not_whole_is_refused_in_the_same_words_everywhere(model, value):
    calls = {
        "top_k": lambda: check_settings(1, value, None),
        "max_new_tokens": lambda: generate(model, [1], value),
        "eos_id": lambda: generate(model, [1], 3, eos_id=value),
        "vocab_size": lambda: gptlib.GPTConfig(vocab_size=value),
        "steps": lambda: gptlib.TrainConfig(steps=value),
    }
    for name, call in calls.items():
        with pytest.raises(ValueError, match=f"^{name} must be a whole number of [01] or more"):
            call()


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.int64])
def test_a_prompt_may_be_an_array_or_a_list_of_numpys_numbers(model, kind):
    ids = np.array([1, 2], kind)
    assert prompt_rows(model, ids).tolist() == prompt_rows(model, list(ids)).tolist() == [[1, 2]]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.uint16, torch.uint32])
def test_a_prompt_may_be_a_tensor_of_any_whole_numbers(model, dtype):
    rows = prompt_rows(model, torch.tensor([1, 2]).to(dtype))
    assert rows.tolist() == [[1, 2]] and rows.dtype == torch.int64


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
