"""`gptlib plot`: draw the losses of a run."""

import argparse
import logging

from ..formats.files import atomic_write
from ..formats.hf import read_config
from ..formats.tensors import CONFIG
from ..model import GPTConfig
from ..scale.signals import breakable
from ..storage import checkpoint
from ..storage.runs import LOG, read_log
from .options import folder


def add(commands) -> None:
    """Add the subcommand with its options."""
    parser = commands.add_parser(
        "plot", help="draw the losses of a run, even while it is still training"
    )
    parser.set_defaults(run=run)
    parser.add_argument("run_folder", type=folder, metavar="DIR")
    parser.add_argument("--out", type=folder, metavar="FILE", help=".png or .svg (DIR/loss.png)")


def run(a: argparse.Namespace) -> int:
    folder, path = a.run_folder, a.out or a.run_folder / "loss.png"
    if path.suffix not in (".png", ".svg"):
        raise ValueError(f"--out {path}: must end in .png or .svg")
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    logged = (folder / LOG).is_file() or not (folder / checkpoint.LOSSES).is_file()
    history = read_log(folder) if logged else checkpoint.load_history(folder)
    if not history:
        raise ValueError(f"{folder / LOG}: has no steps yet")
    config = folder / CONFIG
    vocab_size = read_config(config, GPTConfig).vocab_size if config.is_file() else None
    # Where home cannot be written to, matplotlib keeps its files elsewhere, and says so at length.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        from ..plots.training import loss_curve
    except ImportError as error:
        raise ImportError("gptlib plot needs matplotlib: pip install matplotlib") from error

    picture = loss_curve(history, vocab_size=vocab_size, theme="light")
    with breakable(), atomic_write(path) as temporary:
        picture.savefig(temporary, format=path.suffix[1:])
    print(path)
    return 0
