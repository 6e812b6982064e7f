"""`gptlib inventory`: write a form of the concept inventory."""

import argparse

from .options import folder, seed


def add(commands) -> None:
    """Add the subcommand with its options."""
    parser = commands.add_parser("inventory", help="write the test for before and after the course")
    parser.set_defaults(run=run)
    parser.add_argument("--form", choices=("A", "B"), default="A", help="(A)")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="order of answers (0)")
    parser.add_argument("--key", action="store_true", help="add the answers, for the teacher")
    parser.add_argument(
        "--out", type=folder, metavar="FILE", help=".html, .ipynb or .json (inventory_A0.html)"
    )


def run(a: argparse.Namespace) -> int:
    try:
        from ..teaching import inventory
    except ImportError as error:
        words = "gptlib inventory needs the lessons: pip install 'gptlib[lessons]'"
        raise ImportError(words) from error
    key = "_key" if a.key else ""
    path = a.out or folder(f"inventory_{a.form}{a.seed}{key}.html")
    print(inventory.write(path, a.form, a.seed, a.key))
    return 0
