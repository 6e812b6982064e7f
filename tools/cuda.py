"""Everything that needs a CUDA card, one part after the other, and one table of how it went.

    python tools/cuda.py [--nanogpt PATH]       or: make cuda CUDA_ARGS="--nanogpt PATH"

With the PyTorch that is installed, whichever it is. What cannot be done here, or not in the time
that there is, is said in the table.
"""

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
MINUTES = 8.0
LEFT = "MINUTES"  # in a part's arguments: what is left for it
SPARE = 0.75  # minutes less than that: a row may take longer than is thought, and the table is last
FAILED = "not measured: it failed:"  # in a row of a table
MARK = "@pytest.mark.cuda"
KERNELS = 4  # notebooks at once: each kernel takes memory of the card
NO_CARD = "there is no CUDA card here, or this PyTorch cannot use it"


class Part(NamedTuple):
    """A command, and the packages without which it cannot run."""

    name: str
    arguments: list[str]
    needs: tuple[str, ...]
    share: float  # of the time that is left when it begins


class Outcome(NamedTuple):
    name: str
    said: str
    seconds: float
    good: bool

    def __str__(self) -> str:
        return f"| {'ok' if self.good else '!!'} | {self.name} | {self.said} | {self.seconds:.0f} |"


def parts(nanogpt: str | None) -> list[Part]:
    course = ROOT / "notebooks"  # without what Jupyter keeps in folders of its own, with a dot
    paths = [*course.glob("*.ipynb"), *course.glob("[a-z]*/*.ipynb")]
    notebooks = sorted(map(str, paths))
    # Only those, since the others ask for packages (a browser's) that a computer with a card lacks.
    tests = sorted(
        str(p) for p in (ROOT / "tests").rglob("test_*.py") if MARK in p.read_text("utf-8")
    )
    at_once = ["-n", str(KERNELS), "--dist", "loadfile"] if _is_here("xdist") else []
    compare = ["-m", "pytest", "-q", *at_once, "--nbval", "--nbval-current-env", *notebooks]
    clone = ["--nanogpt", nanogpt] if nanogpt else []
    return [
        Part(
            "the CUDA tests",
            ["-m", "pytest", "-q", "-m", "cuda", *tests],
            ("pytest", "hypothesis"),
            0.4,
        ),
        Part("every notebook", compare, ("pytest", "nbval", "ipykernel"), 0.5),
        Part(
            "benchmarks",
            ["-m", "benchmarks", "--only", "cuda", "--minutes", LEFT, *clone],
            ("transformers",),
            1.0,
        ),
    ]


def outcomes(what: list[Part], minutes: float, card: bool) -> Iterator[Outcome]:
    """Run the parts in turn; each says how it went."""
    end = time.monotonic() + 60 * minutes
    for part in what:
        missing = [name for name in part.needs if not _is_here(name)]
        if not card:
            yield Outcome(part.name, f"skipped: {NO_CARD}", 0, True)
        elif missing:
            yield Outcome(part.name, f"skipped: {', '.join(missing)} not installed", 0, True)
        else:
            yield _run(part, (end - time.monotonic()) * part.share)


def _run(part: Part, seconds: float) -> Outcome:
    """One part, in a process group of its own so that it ends with all that it started."""
    print(f"# {part.name}, at most {seconds:.0f} s", flush=True)
    began, lines = time.monotonic(), []
    left = f"{seconds / 60 - SPARE:.1f}"
    command = [sys.executable, *(left if a == LEFT else a for a in part.arguments)]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
        "GPTLIB_ANSWERS": "off",
        "JUPYTER_PREFER_ENV_PATH": "1",
        "PYTHONUNBUFFERED": "1",
    }
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    stopped = _Alarm(seconds, process)
    with process, stopped:
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip())
    took = time.monotonic() - began
    said = f"{_summary(lines)}{', stopped: the time was up' if stopped.rang else ''}"
    well = process.returncode == 0 and not any(FAILED in line for line in lines)
    return Outcome(part.name, said, took, well)


class _Alarm:
    """Ends a process, and what it started, when its time is up."""

    def __init__(self, seconds: float, process: subprocess.Popen) -> None:
        self.rang, self.process = False, process
        self.timer = threading.Timer(max(seconds, 0.0), self._ring)

    def __enter__(self) -> None:
        self.timer.start()

    def __exit__(self, *error) -> None:
        self.timer.cancel()

    def _ring(self) -> None:
        self.rang = True
        if hasattr(os, "killpg"):
            os.killpg(self.process.pid, 9)
        else:
            self.process.kill()


def _summary(lines: list[str]) -> str:
    """pytest's last line, or how many rows of a table were measured."""
    counts = [line for line in lines if re.search(r"\d+ (passed|failed|error|skipped)", line)]
    if counts:
        return counts[-1].strip("= ")
    rows = [line for line in lines if line.startswith("| ")]
    missing = sum("not measured" in row for row in rows)
    return f"{len(rows) - missing} rows measured, {missing} not"


def _is_here(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _card() -> bool:
    if not _is_here("torch"):
        return False
    import torch

    return torch.cuda.is_available()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nanogpt", metavar="PATH", help="a clone of nanoGPT, to be measured by")
    parser.add_argument("--minutes", type=float, default=MINUTES, metavar="N", help=f"({MINUTES})")
    given = parser.parse_args()
    done = list(outcomes(parts(given.nanogpt), given.minutes, _card()))
    print("\n|   | what | how it went | seconds |\n|---|---|---|---|")
    print(*done, sep="\n")
    return 0 if all(outcome.good for outcome in done) else 1


if __name__ == "__main__":
    sys.exit(main())
