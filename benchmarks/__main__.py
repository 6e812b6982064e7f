"""`make bench`: everything side by side, into benchmarks/RESULTS.md."""

import argparse
import math
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

from . import summary

# Each one measures, prints, and replaces the part of RESULTS.md between its own two marks. It is
# imported when its turn comes: a computer with a card need not have a browser for the others.
SECTIONS: dict[str, Callable[[ModuleType, argparse.Namespace], None]] = {
    "bpe": lambda section, given: section.main(given.minbpe),
    "encoding": lambda section, given: section.main(),
    "training": lambda section, given: section.main(given.nanogpt),
    "generation": lambda section, given: section.main(given.nanogpt),
    "cuda": lambda section, given: section.main(given.nanogpt, given.minutes),
    "loading": lambda section, given: section.main(),
    "growth": lambda section, given: section.main(),
    "widgets": lambda section, given: section.main(),
    "clock": lambda section, given: section.main(),
    "mutation": lambda section, given: section.main(),
    "board": lambda section, given: section.main(),
}


def main() -> None:
    given = _parser().parse_args()
    for name in given.only:
        print(f"# {name}", flush=True)
        began = time.perf_counter()
        SECTIONS[name](import_module(f".{name}", __package__), given)
        print(f"# {name}: {time.perf_counter() - began:.0f} s\n", flush=True)
    summary.main()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--nanogpt", type=Path, metavar="PATH", help="a clone of nanoGPT")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, metavar="N", help="for the rows of cuda"
    )
    parser.add_argument("--minbpe", type=Path, metavar="PATH", help="a clone of minbpe")
    parser.add_argument(
        "--only",
        type=_sections,
        default=list(SECTIONS),
        metavar="A,B",
        help=f"some of: {', '.join(SECTIONS)}",
    )
    return parser


def _sections(names: str) -> list[str]:
    found = names.split(",")
    for name in found:
        if name not in SECTIONS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(SECTIONS)}")
    return found


if __name__ == "__main__":
    main()
