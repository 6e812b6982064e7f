"""`gptlib train --recipe`: settings by one name."""

import argparse

import pytest

import gptlib
from gptlib.cli.options import MODEL_DEFAULTS, TRAIN_OPTIONS, given
from gptlib.cli.recipes import RECIPES, take_recipe
from gptlib.storage import checkpoint


@pytest.fixture
def small(monkeypatch):
    """A recipe that is cooked at once."""
    recipe = {"vocab_size": 261, "n_embd": 8, "steps": 3, "batch_size": 5, "warmup_steps": 0}
    recipe["save_every"] = 2
    monkeypatch.setitem(RECIPES, "small", recipe)


def test_a_recipe_is_what_the_command_line_leaves_open(train, tmp_path, corpus, small):
    from gptlib import cli

    argv = ["train", "--corpus", str(corpus), "--out", str(tmp_path / "run"), "--quiet"]
    argv += "--keep 5 --device cpu --n-layer 1 --n-head 2 --block-size 8".split()
    assert cli.main([*argv, "--recipe", "small", "--batch-size", "2"]) == 0
    shape = gptlib.load(tmp_path / "run")[0].config
    assert len(list((tmp_path / "run" / "checkpoints").iterdir())) == 2  # at steps 2 and 3
    config = checkpoint.load_training(tmp_path / "run")[1]["config"]
    assert (shape.vocab_size, shape.n_embd, shape.n_layer) == (261, 8, 1)
    assert (config["steps"], config["batch_size"], config["warmup_steps"]) == (3, 2, 0)
    assert cli.main([*argv, "--recipe", "small", "--batch-size", "2", "--resume"]) == 0


def test_an_unknown_recipe_names_those_there_are(train):
    status, _, err = train("run", "--recipe", "soup")
    assert status == 2 and "letters" in err and err.count("\n") == 1


@pytest.mark.parametrize("name", RECIPES)
def test_each_recipe_is_a_model_and_a_run(name):
    names = (*MODEL_DEFAULTS, *TRAIN_OPTIONS, "vocab_size")
    a = argparse.Namespace(recipe=name, **dict.fromkeys((*names, "save_every")))
    take_recipe(a)
    shape = gptlib.GPTConfig(a.vocab_size, **(MODEL_DEFAULTS | given(a, MODEL_DEFAULTS)))
    assert shape.vocab_size == 257  # a token is a character
    assert gptlib.TrainConfig(**given(a, TRAIN_OPTIONS)).steps == RECIPES[name]["steps"]
