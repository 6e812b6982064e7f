"""`make bench`: everything side by side, into benchmarks/RESULTS.md."""

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

from . import (
    board,
    bpe,
    clock,
    cuda,
    encoding,
    generation,
    growth,
    loading,
    mutation,
    summary,
    training,
    widgets,
)

# Each one measures, prints, and replaces the part of RESULTS.md between its own two marks.
SECTIONS: dict[str, Callable[[argparse.Namespace], None]] = {
    "bpe": lambda given: bpe.main(given.minbpe),
    "encoding": lambda given: encoding.main(),
    "training": lambda given: training.main(given.nanogpt),
    "generation": lambda given: generation.main(given.nanogpt),
    "cuda": lambda given: cuda.main(given.nanogpt, given.minutes),
    "loading": lambda given: loading.main(),
    "growth": lambda given: growth.main(),
    "widgets": lambda given: widgets.main(),
    "clock": lambda given: clock.main(),
    "mutation": lambda given: mutation.main(),
    "board": lambda given: board.main(),
}


def main() -> None:
    given = _parser().parse_args()
    for name in given.only:
        print(f"# {name}", flush=True)
        began = time.perf_counter()
        SECTIONS[name](given)
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
