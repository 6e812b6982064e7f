"""gptlib.widgets.gpt2: what the explorer counts is what models have, and its controls reach it."""

import pytest
import torch
from explorers import elements, image_of
from live import grave_in, in_each_colour, open_live, shows

import gptlib
from gptlib.widgets import size_explorer
from gptlib.widgets.gpt2 import SHAPES, costs, in_units, parts, said

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
    """96 numbers: 384 bytes; 3 tokens, a key and a value of 2 numbers each: 48 bytes."""
    config = gptlib.GPTConfig(6, 3, 1, 1, 2)
    expected = {"weights": 384, "cache": 48, "flops": 216, "seconds": 4.32}
    assert costs(config, 3, 4, 100) == expected


@pytest.mark.parametrize(
    "value, words", [(999, "999 B"), (999.6, "1 kB"), (1e6, "1 MB"), (6.23e9, "6.23 GB")]
)
def test_units(value, words):
    assert in_units(value, "B") == words


def test_the_python_side_takes_shapes_and_shortens_the_cache():
    explorer = size_explorer("gpt2-xl")
    explorer.cached = 1024
    explorer.take("pets")
    assert explorer.cached == explorer.block == 64
    assert explorer.describe().startswith("Size explorer: 129,600 parameters.")
    assert explorer.fallback() != size_explorer("gpt2").fallback()


def test_the_fallback_is_a_picture_with_words_the_same_each_time():
    alt, _ = image_of(size_explorer().fallback()["text/html"])
    assert alt.startswith("Size explorer: 124,439,808 parameters. Memory: weights 498 MB")
    elements(size_explorer().draw())
    assert size_explorer().fallback() == size_explorer().fallback()


def test_a_shape_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="one of pets, gpt2"):
        size_explorer("gpt5")


# ---- The page ----


@pytest.fixture(scope="module")
def both(lab):
    code = "display(widgets.size_explorer(), widgets.size_explorer())"
    return open_live(lab, "sizes", code, count=2)[1]


def test_every_control_has_a_name(both):
    numbers = ("layers", "width", "vocabulary", "cached", "GB per second")
    expected = {(role, name) for name in numbers for role in ("slider", "spinbutton")}
    expected |= {("button", name) for name in SHAPES} | {("combobox", "each number in")}
    assert both[0].controls() == both[1].controls() == expected


def test_each_control_moves_the_numbers_that_python_counts(both):
    live, other = both[0], both[1].words()
    shape = {"vocab_size": 50257, "block_size": 1024, "n_layer": 12, "n_head": 1, "n_embd": 768}
    rest = {"n_tokens": 256, "stored": 4, "bandwidth": 20e9}

    def counted():
        config = gptlib.GPTConfig(**shape)
        expected = [f"{count:,}" for count in parts(config).values()]
        shows(lambda: [live.row(name, 1)[0] for name in parts(config)], expected)
        shows(lambda: live.words()[-3:], said(config, **rest))

    counted()
    live.press("button", "gpt2-medium", "Enter")
    shape |= {"n_layer": 24, "n_embd": 1024}
    counted()
    live.press("slider", "layers", "ArrowRight", 3)
    shape["n_layer"] = 27
    counted()
    live.type("spinbutton", "width", "512")
    shape["n_embd"] = 512
    live.type("spinbutton", "vocabulary", "397")
    shape["vocab_size"] = 397
    live.type("spinbutton", "cached", "1000")
    rest["n_tokens"] = 1000
    live.type("spinbutton", "GB per second", "100")
    rest["bandwidth"] = 100e9
    counted()
    live.press("combobox", "each number in", "ArrowDown", 2)
    rest["stored"] = 1
    counted()
    live.press("button", "pets", "Space")
    shape |= {"n_layer": 2, "n_embd": 64, "block_size": 64}
    rest["n_tokens"] = 64
    counted()
    assert live.control("button", "pets").get_attribute("aria-pressed") == "true"
    assert not live.strange()
    assert both[1].words() == other


def test_a_wrong_number_is_said_and_greys_the_picture(both):
    live = both[0]
    live.type("spinbutton", "layers", "0")
    shows(lambda: live.message(), "⚠ layers: type a whole number from 1 to 96")
    assert live.root.locator(".gptlib-stale").count() == 1
    live.type("spinbutton", "layers", "2")
    shows(lambda: live.message(), "")


@in_each_colour
def test_no_serious_violation_of_accessibility_is_found(both, lab, colours):
    for preset in ("pets", "gpt2-medium"):
        both[0].control("button", preset).click()
        assert not grave_in(lab, colours)
