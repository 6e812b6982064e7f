"""`gptlib tally`: how a class answered, from the files that its students handed in."""

import argparse

from .options import folder


def add(commands) -> None:
    """Add the subcommand with its options."""
    parser = commands.add_parser("tally", help="count the answers of a class")
    parser.set_defaults(run=run)
    parser.add_argument("folder", type=folder, nargs="?", metavar="DIR", help="(your own answers)")
    parser.add_argument(
        "--inventory",
        type=folder,
        nargs="+",
        metavar="DIR",
        help="the concept inventory: the folder from before the course, then the one from after it",
    )


def run(a: argparse.Namespace) -> int:
    if a.inventory and (a.folder or len(a.inventory) > 2):
        raise ValueError("--inventory takes one folder, or two: before the course, and after it")
    try:
        from ..teaching import gains, tally
    except ImportError as error:
        words = "gptlib tally needs the lessons: pip install 'gptlib[lessons]'"
        raise ImportError(words) from error
    print(gains.Gains(*a.inventory) if a.inventory else tally(a.folder))
    return 0
