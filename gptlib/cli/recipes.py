"""Settings that go together: `gptlib train --recipe NAME`. What is said beside it counts more."""

import argparse

RECIPES = {
    # A GPT that learns Shakespeare letter by letter in a quarter of a minute on a laptop, to the
    # loss of nanoGPT's recipe for a CPU. 257 tokens are the bytes and a stop token, so that nothing
    # is merged and a token is a character. There are two layers, since two more would save a few
    # steps and make each nearly twice as long. With so few steps each counts: there is no warm-up,
    # and the rate is higher and the momentum shorter than by default.
    "letters": {
        "vocab_size": 257,
        "block_size": 64,
        "n_layer": 2,
        "n_head": 4,
        "n_embd": 128,
        "batch_size": 16,
        "steps": 350,
        "warmup_steps": 0,
        "learning_rate": 0.04,
        "momentum": 0.85,
        "eval_every": 350,
        "save_every": 350,
        "measure": True,
    },
    # The same on a CUDA card, in the sizes of nanoGPT's config/train_shakespeare_char.py: 5,000
    # steps of AdamW there, a fifth of them with Muon here. A model of ten million weights would
    # learn a text of one million characters by heart, hence the dropout. Nothing is compiled: that
    # takes longer than it would save of so few steps.
    "letters-cuda": {
        "vocab_size": 257,
        "block_size": 256,
        "n_layer": 6,
        "n_head": 6,
        "n_embd": 384,
        "dropout": 0.2,
        "batch_size": 64,
        "steps": 1000,
        "learning_rate": 0.02,
        "eval_every": 250,
        "save_every": 500,
        "compile": False,
    },
}


def add_recipe(parser: argparse.ArgumentParser) -> None:
    names = ", ".join(RECIPES)
    parser.add_argument(
        "--recipe", choices=RECIPES, help=f"settings in place of the defaults: {names}"
    )


def take_recipe(a: argparse.Namespace) -> None:
    """Fill in what the recipe says and the command line does not."""
    for name, value in RECIPES[a.recipe].items() if a.recipe else ():
        if getattr(a, name) is None:
            setattr(a, name, value)
