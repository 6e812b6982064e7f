"""What an option may be: each function reads one from the command line or refuses it."""

import argparse
from pathlib import Path

from ..formats.files import user_path
from .messages import note

METAVARS = {int: "N", float: "X", str: "NAME"}
VOCAB_SIZE = 1024


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, where argparse would print every option there is."""

    def error(self, message: str) -> None:
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
