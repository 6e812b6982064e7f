"""`gptlib prepare`: tokenize texts of any size into a folder."""

import argparse
import json
import time
import warnings

from ..scale.prepare import prepare
from ..scale.shards import Prepared
from ..scale.shown import progress_bar
from ..scale.signals import breakable
from .messages import say
from .options import VOCAB_SIZE, add_documents, folder, non_empty, positive, vocab_size
from .tokenize import open_tokenizer


def add(commands) -> None:
    """Add the subcommand with its options."""
    parser = commands.add_parser("prepare", help="tokenize texts of any size into a folder")
    parser.set_defaults(run=run)
    parser.add_argument("files", nargs="+", type=folder, metavar="FILE")
    add_documents(parser)
    parser.add_argument("--out", required=True, type=folder, metavar="DIR", help="for the shards")
    parser.add_argument(
        "--tokenizer", type=non_empty, metavar="DIR|NAME", help="(learned from FILE)"
    )
    parser.add_argument("--vocab-size", type=int, metavar="N", help=f"to learn ({VOCAB_SIZE})")
    parser.add_argument("--jobs", type=positive, metavar="N", help="processes (one per core)")
    parser.add_argument("--overwrite", action="store_true", help="replace the corpus in DIR")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(a: argparse.Namespace) -> int:
    began = time.perf_counter()
    total = sum(file.stat().st_size for file in a.files if file.is_file())
    try:
        with breakable():
            made = _prepare(a, total)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("run the same command again to continue") from None
    summary = {"files": len(a.files), "bytes": total, "train_tokens": len(made.train)}
    summary |= {"heldout_tokens": len(made.heldout), "vocab_size": made.tokenizer.vocab_size}
    print(json.dumps(summary | {"seconds": round(time.perf_counter() - began, 2)}))
    return 0


def _prepare(a: argparse.Namespace, total: int) -> Prepared:
    """Prepare with a progress bar of `total` bytes; what is worth a warning is said afterwards."""
    tokenizer = None if a.tokenizer is None else open_tokenizer(a.tokenizer)
    if tokenizer is not None and a.vocab_size is not None:
        raise ValueError(
            "--vocab-size is for learning a tokenizer, --tokenizer opens one: leave out one of them"
        )
    settings = {"vocab_size": vocab_size(a), "jobs": a.jobs, "overwrite": a.overwrite}
    with (
        progress_bar(total=total, unit="B", unit_scale=True, disable=a.quiet) as bar,
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always", UserWarning)
        made = prepare(
            a.files, a.out, tokenizer, documents=a.documents, report=bar.update, **settings
        )
    for warning in caught:
        say(warning.message)
    return made
