"""The first page of RESULTS.md: one row for each promise, taken from the tables below it.

`python -m benchmarks.summary`, and at the end of every `make bench`. Nothing is measured here, so
this page cannot say anything else than the tables do.
"""

import re
from dataclasses import dataclass

from .side_by_side import RESULTS, replace_section

BEGIN, END = "<!-- summary: begin -->", "<!-- summary: end -->"
HEAD = ["| what | ours | theirs | ratio | goal |", "|---|---|---|---|---|"]


@dataclass(frozen=True)
class Promise:
    """A row of a table further down, found by its first cell, or how its first two begin.

    `columns` are the places of ours, theirs and the ratio in that row; None: there is none.
    """

    section: str
    what: str
    peer: str
    goal: str
    columns: tuple[int | None, int | None, int | None] = (2, 3, 4)
    name: str = ""  # in place of the row's own
    unit: str = ""

    def line(self, page: str) -> str:
        """This promise as a row of the first page.

        Raises:
            ValueError: no row, or more than one, begins so.
        """
        found = [cells for cells in _rows(page, self.section) if self._begins(cells)]
        found = [cells for cells in found if cells[0] == self.what] or found
        if len(found) != 1:
            raise ValueError(f"{self.section}: {len(found)} rows begin with {self.what!r}")
        cells = found[0]
        shown = self.name or f"{cells[0]} (beside {cells[1]})"
        if cells[2].startswith("not measured"):
            return f"| {shown} | not measured | | | {self.goal} |"
        values = [self._value(cells, place) for place in self.columns]
        return f"| {shown} | {' | '.join(values)} | {self.goal} |"

    def _begins(self, cells: list[str]) -> bool:
        return len(cells) > 2 and cells[0].startswith(self.what) and cells[1].startswith(self.peer)

    def _value(self, cells: list[str], place: int | None) -> str:
        return "" if place is None else cells[place] + self.unit


@dataclass(frozen=True)
class Worst:
    """The largest number of a table's column: what is promised of every row."""

    section: str
    column: int
    what: str
    goal: str
    unit: str = " ms"

    def line(self, page: str) -> str:
        """This promise as a row of the first page, with the name of the row that it is from.

        Raises:
            ValueError: there is no number in the column.
        """
        wide = [cells for cells in _rows(page, self.section) if len(cells) > self.column]
        found = [cells for cells in wide if _is_number(cells[self.column])]
        if not found:
            raise ValueError(f"{self.section}: no number in column {self.column}")
        cells = max(found, key=lambda cells: float(cells[self.column]))
        shown = f"{cells[self.column]}{self.unit} ({cells[0]})"
        return f"| {self.what} | {shown} | | | {self.goal} |"


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"[0-9]+(\.[0-9]+)?", cell) is not None


ALONE = (2, None, None)
PROMISES = (
    Promise("bpe", "BPE training, 1.1 MB, 4,096", "tokenizers", "at most 1"),
    Promise("bpe", "BPE training, 50 MB", "tokenizers", "at most 1"),
    Promise("encoding", "encoding shakespeare, 1.1 MB, ASCII, 50,257", "tiktoken", "none: Rust"),
    Promise("training", "a training step, 12 rows", "transformers", "at most 1"),
    Promise("training", "a training step, 12 rows", "nanoGPT", "at most 1"),
    Promise(
        "training", "to a held-out loss of 1.886 on Shakespeare, with 2", "nanoGPT", "at most 0.20"
    ),
    Promise("generation", "200 tokens, 4 layers, width 128", "transformers", "at most 0.33"),
    Promise("generation", "40 tokens, 124M, float32", "transformers", "at most 0.5"),
    Promise("cuda", "10 training steps, 124M, 16 rows of 1,024, bf16", "nanoGPT", "at most 0.87"),
    Promise(
        "cuda", "10 training steps, 124M, 16 rows of 1,024, bf16, 50,304", "nanoGPT", "at most 0.87"
    ),
    Promise("cuda", "10 training steps, 124M, 16 rows", "transformers", "at most 0.6"),
    Promise("cuda", "200 tokens, 124M, bf16, one row", "transformers, static", "at most 0.33"),
    Promise("loading", "GPT-2 124M: opening and", "transformers", "at most 1"),
    Promise("clock", "import gptlib", "import torch", "at most 1.03"),
    Worst(
        "widgets",
        5,
        "the slowest explorer, slider to picture, kernel busy, 9 of 10",
        "at most 20 ms",
    ),
    Worst(
        "widgets",
        7,
        "the slowest explorer, slider to picture, 200 ms of delay, 9 of 10",
        "at most 20 ms",
    ),
    Worst(
        "widgets",
        8,
        "the slowest explorer, from running the cell to its picture",
        "at most 300 ms",
    ),
    Promise(
        "clock",
        "JupyterLab from its start",
        "10 s",
        "at most 10 s",
        ALONE,
        "from `make lab` to the first cell's output",
    ),
)


def _rows(page: str, section: str) -> list[list[str]]:
    """The rows of a section's tables, each as its cells."""
    body = page.split(f"<!-- {section}: begin -->")[1].split(f"<!-- {section}: end -->")[0]
    lines = [line.strip() for line in body.splitlines()]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line[:1] == "|"
    ]


def summary(page: str) -> str:
    """The table of promises, and what a crash and a wrong answer cost, of RESULTS.md's text."""
    lines = [*HEAD, *(promise.line(page) for promise in PROMISES)]
    found = re.search(r"Of ([\d,]+) wrong answers to (\d+) exercises (\d+) were accepted", page)
    tried, exercises, accepted = found.groups()
    what = f"wrong answers accepted by a check, of {tried} to {exercises} exercises"
    lines.append(f"| {what} | {accepted} | | | 0 |")
    rows = [cells for cells in _rows(page, "soak") if cells[-1] in ("passed", "failed")]
    failed = sum(cells[-1] == "failed" for cells in rows)
    what = f"long tests (kills, cuts, full disks, ...) that failed, of {len(rows)}"
    lines.append(f"| {what} | {failed} | | | 0 |")
    return "\n".join(lines)


def main() -> None:
    replace_section(BEGIN, END, summary(RESULTS.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
