"""gptlib.widgets.gpt2: what the explorer counts is what models have, and its controls reach it."""

import pytest
import torch
from explorers import check_names, elements, text_of

import gptlib
from gptlib.widgets import size_explorer
from gptlib.widgets.gpt2 import SHAPES, costs, in_units, parts

# What is known of these models (Radford et al. 2019, and the counts of their published weights).
TOTALS = {"gpt2": 124_439_808, "gpt2-medium": 354_823_168, "gpt2-large": 774_030_080}
TOTALS |= {"gpt2-xl": 1_557_611_200}


@pytest.mark.parametrize("name", SHAPES)
def test_the_parts_are_those_of_a_model_of_this_shape(name):
    with torch.device("meta"):  # no room is taken for the numbers
        model = gptlib.GPT(SHAPES[name])
    assert sum(parts(SHAPES[name]).values()) == model.n_params() == TOTALS.get(name, 129_600)
    attention = sum(p.numel() for n, p in model.named_parameters() if ".attn." in n)
    feedforward = sum(p.numel() for n, p in model.named_parameters() if ".mlp." in n)
    assert parts(SHAPES[name])["attention"] == attention
    assert parts(SHAPES[name])["feedforward"] == feedforward


def test_the_shape_of_the_pets_is_that_of_the_shipped_model(pets):
    assert SHAPES["pets"] == pets[0].config


def test_the_cache_is_as_large_as_a_models_own(model, config):
    held = sum(layer.k.nbytes + layer.v.nbytes for layer in model.new_cache(1))
    assert costs(config, config.block_size, 4, 1e9)["cache"] == held


def test_costs_by_hand():
    """96 numbers: 384 bytes; 3 tokens of 2 numbers, key and value: 48 bytes; 100 bytes a second."""
    config = gptlib.GPTConfig(6, 3, 1, 1, 2)
    expected = {"weights": 384, "cache": 48, "flop": 192, "seconds": 4.32}
    assert costs(config, 3, 4, 100) == expected


@pytest.mark.parametrize(
    "value,said", [(999, "999 B"), (999.6, "1 kB"), (1e6, "1 MB"), (6.23e9, "6.23 GB")]
)
def test_units(value, said):
    assert in_units(value, "B") == said


def test_a_button_takes_a_models_shape():
    explorer = size_explorer()
    for name, button in explorer.buttons.items():
        button.click()
        total = sum(parts(SHAPES[name]).values())
        assert text_of(explorer.picture.value)[0].startswith(f"{total:,} parameters")
    assert "1,557,611,200 parameters" in explorer.describe()


def test_each_control_moves_the_numbers():
    explorer = size_explorer("pets")
    assert explorer.boxes["cached"].value == explorer.boxes["cached"].max == 64
    changes = {"layers": 3, "width": 96, "vocabulary": 500, "cached": 10, "GB a second": 7}
    for name, value in changes.items():
        before = explorer.picture.value
        explorer.boxes[name].value = value
        assert explorer.picture.value != before
    before = explorer.picture.value
    explorer.stored.value = 1
    assert explorer.picture.value != before
    config, n_tokens, stored, bandwidth = explorer.settings
    assert (config.n_layer, config.n_embd, config.vocab_size) == (3, 96, 500)
    assert (n_tokens, stored, bandwidth) == (10, 1, 7e9)


def test_going_from_a_large_model_to_a_small_one_shortens_the_text():
    explorer = size_explorer("gpt2-xl")
    explorer.boxes["cached"].value = 1024
    explorer.buttons["pets"].click()
    assert explorer.boxes["cached"].value == 64
    explorer.buttons["gpt2"].click()
    assert explorer.boxes["cached"].max == 1024


def test_the_picture_is_well_formed_and_every_control_has_a_name():
    explorer = size_explorer()
    check_names(explorer)
    elements(explorer.picture.value)
    explorer.boxes["layers"].value = 96
    explorer.boxes["width"].value = 12_288
    elements(explorer.picture.value)
    assert "GB" in explorer.describe()


def test_a_shape_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="one of pets, gpt2"):
        size_explorer("gpt5")
