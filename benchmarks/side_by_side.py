"""Timing two ways of doing one thing, in turn, so that a noisy machine is noisy for both."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import torch

from gptlib.formats.files import atomic_write

RESULTS = Path(__file__).resolve().parent / "RESULTS.md"
HEAD = ["| what | peer | gptlib | peer's | ratio |", "|---|---|---|---|---|"]
PEERS = ("torch", "numpy", "transformers", "tokenizers", "tiktoken", "llms-from-scratch")


@dataclass(frozen=True)
class Row:
    """One comparison: medians, and the median of the ratios taken pair by pair."""

    what: str
    peer: str
    ours: float
    peers: float
    ratio: float  # ours / peer: below 1 is faster than the peer, or smaller
    unit: str = "s"  # or "MB"

    @classmethod
    def of_pairs(cls, what: str, peer: str, pairs: list[tuple[float, float]], unit: str = "s"):
        """pairs: (ours, the peer's), measured in turn."""
        ratios = [a / b for a, b in pairs]
        middle = median(a for a, _ in pairs), median(b for _, b in pairs), median(ratios)
        return cls(what, peer, *middle, unit)

    def __str__(self) -> str:
        shown = _seconds if self.unit == "s" else "{:,.0f} MB".format
        ratio = f"{self.ratio:.2f}" if self.ratio >= 0.1 else f"{self.ratio:.2g}"
        cells = self.what, self.peer, shown(self.ours), shown(self.peers), ratio
        return f"| {' | '.join(cells)} |"


@dataclass(frozen=True)
class NotMeasured:
    """A row whose peer is not at hand."""

    what: str
    peer: str
    why: object

    def __str__(self) -> str:
        return f"| {self.what} | {self.peer} | not measured: {self.why} | | |"


def compare(
    what: str,
    peer: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    runs: int = 5,
    warm_up: bool = True,
) -> Row:
    """Run both once to warm up, then in turn `runs` times each."""
    if warm_up:
        ours(), theirs()
    return Row.of_pairs(what, peer, [(_timed(ours), _timed(theirs)) for _ in range(runs)])


def _timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def numbers_of(code: str) -> list[float]:
    """The numbers that a fresh process prints, which runs in the repository's folder."""
    command, folder = [sys.executable, "-c", code], RESULTS.parent.parent
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    return [float(number) for number in done.stdout.split()]


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.1f} ms"


def machine() -> str:
    """What the figures were taken on."""
    cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA"
    versions = ", ".join(f"{name} {found}" for name in PEERS if (found := _version(name)))
    return (
        f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} threads, {cuda}; "
        f"Python {platform.python_version()}, {versions}"
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def load_since(before: float) -> str:
    """How busy the machine was meanwhile; `before` is what os.getloadavg() began with."""
    load = f"{before:.1f} before and {os.getloadavg()[0]:.1f} after"
    return f"load of the last minute {load}, on {os.cpu_count()} cores"


def replace_section(begin: str, end: str, content: str, path: Path = RESULTS) -> None:
    """Put `content` between two marks of a page; the rest of the page is written by hand."""
    page = path.read_text(encoding="utf-8")
    head, rest = page.split(begin)
    tail = rest.split(end)[1]
    with atomic_write(path) as temporary:
        temporary.write_text(f"{head}{begin}\n{content}\n{end}{tail}", encoding="utf-8")


def write_table(
    rows: Iterable[Row | NotMeasured], begin: str, end: str, note: str | None = None
) -> None:
    """Measure the rows one after the other, show each, and put their table into RESULTS.md."""
    before = os.getloadavg()[0]
    lines = [*HEAD]
    for row in rows:
        print(row, flush=True)
        lines.append(str(row))
    head = [machine(), load_since(before), ""]
    replace_section(begin, end, "\n".join(head + lines + (["", note] if note else [])))
