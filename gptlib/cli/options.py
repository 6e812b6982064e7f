"""The options that commands share, and what an option may be: who reads one also refuses it."""

import argparse
import os
from dataclasses import fields
from pathlib import Path
from typing import NoReturn

from ..formats.files import user_path
from ..scale.prepare import VOCAB_SIZE
from ..scale.settings import DEFAULTS, TrainConfig
from .messages import note

MODEL_DEFAULTS = {"block_size": 128, "n_layer": 4, "n_head": 4, "n_embd": 128, "dropout": 0.0}
TRAIN_OPTIONS = {f.name: f for f in fields(TrainConfig) if f.name not in ("eos_id", "block_size")}
CHOICES = {"optimizer": tuple(DEFAULTS), "schedule": ("cosine", "linear")}
YES_OR_NO = {
    "bf16": "bfloat16 (on CUDA; on a CPU for what gains by it)",
    "compile": "use torch.compile (large models on CUDA)",
    "measure": "try first how this CPU multiplies soonest (before long runs)",
}
TRAIN_HELP = {
    "learning_rate": "(0.003 with AdamW, 0.03 with Muon)",
    "warmup_steps": "(50 with AdamW, 10 with Muon)",
    "final_learning_rate": "(a tenth of the learning rate with AdamW, 0 with Muon)",
    "momentum": "of Muon (0.9)",
    "schedule": "how the rate falls (cosine with AdamW, linear with Muon)",
}

METAVARS = {int: "N", float: "X", str: "NAME"}


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, where argparse would print every option there is."""

    def error(self, message: str) -> NoReturn:
        note(f"{message} (see {self.prog} --help)")
        self.exit(2)


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**63:
        raise argparse.ArgumentTypeError(f"must be in 0..2^63-1, not {value}")
    return value


def non_empty(text: str) -> str:
    """Refuse "", which is what a variable that was never set turns into."""
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def text(given: str) -> str:
    """A text to be read as UTF-8, whatever encoding the locale made Python read it by."""
    try:
        return os.fsencode(given).decode()
    except UnicodeEncodeError:  # it never was bytes
        return given
    except UnicodeDecodeError as error:
        raise argparse.ArgumentTypeError(f"not UTF-8 at byte {error.start}") from None


def folder(text: str) -> Path:
    return user_path(non_empty(text))


def count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be 0 or more, not {value}")
    return value


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {value}")
    return value


def vocab_size(a: argparse.Namespace) -> int:
    """--vocab-size, or what it is where nothing is said."""
    return VOCAB_SIZE if a.vocab_size is None else a.vocab_size


def given(a: argparse.Namespace, names) -> dict:
    """The options of these names that were on the command line."""
    return {name: getattr(a, name) for name in names if getattr(a, name) is not None}


def add_documents(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--documents",
        action="store_true",
        help='FILE has many texts: separated by <|endoftext|>, or .jsonl with a "text" per line',
    )


def add_settings(parser: argparse.ArgumentParser) -> None:
    """One option for each setting of the model and of its training."""
    for name, default in MODEL_DEFAULTS.items():
        kind = type(default)
        parser.add_argument(flag(name), type=kind, metavar=METAVARS[kind], help=f"({default})")
    for name, field in TRAIN_OPTIONS.items():
        shown = TRAIN_HELP.get(name, f"({field.default})")
        if name in YES_OR_NO:
            either = argparse.BooleanOptionalAction
            parser.add_argument(flag(name), action=either, help=YES_OR_NO[name])
        elif name in CHOICES:
            parser.add_argument(flag(name), choices=CHOICES[name], help=shown)
        else:
            by_default = int if name == "warmup_steps" else float  # what is None by default
            kind = by_default if field.default is None else type(field.default)
            parser.add_argument(flag(name), type=kind, metavar=METAVARS[kind], help=shown)
