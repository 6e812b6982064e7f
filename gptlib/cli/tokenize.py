"""`gptlib tokenize`: show the tokens of a text and their ids."""

import argparse

from ..formats import hub
from ..formats.files import user_path
from ..formats.pretrained import resolve
from ..tokenizer import Tokenizer
from .options import non_empty, text
from .streams import read_stdin


def add(commands) -> None:
    """Add the subcommand with its options."""
    parser = commands.add_parser("tokenize", help="show the tokens of a text and their ids")
    parser.set_defaults(run=run)
    parser.add_argument(
        "--model", type=non_empty, default="pets", metavar="DIR|NAME", help="(pets)"
    )
    parser.add_argument("text", type=text, metavar="TEXT", help="- reads standard input")


def run(a: argparse.Namespace) -> int:
    tokenizer = open_tokenizer(a.model)
    given = read_stdin() if a.text == "-" else a.text
    for token_id in tokenizer.encode(given):
        print(f"{token_id:>6}  {tokenizer.token_str(token_id)}")
    return 0


def open_tokenizer(name: str) -> Tokenizer:
    if name in hub.REPOSITORIES and not user_path(name).is_dir():
        return Tokenizer.gpt2()  # the one of all sizes; no weights are asked for
    return Tokenizer.load(resolve(name))
