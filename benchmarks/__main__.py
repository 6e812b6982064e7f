"""`make bench`: everything side by side, into benchmarks/RESULTS.md."""

from pathlib import Path

from gptlib.files import atomic_write

from . import core
from .side_by_side import machine

RESULTS = Path(__file__).resolve().parent / "RESULTS.md"
BEGIN, END = "<!-- core: begin -->", "<!-- core: end -->"


def main() -> None:
    lines = [machine(), "", "| what | peer | gptlib | peer's | ratio |", "|---|---|---|---|---|"]
    print("\n".join(lines))
    for row in core.rows():
        print(row, flush=True)
        lines.append(str(row))
    replace_section(BEGIN, END, "\n".join(lines))


def replace_section(begin: str, end: str, content: str) -> None:
    """Put `content` between two marks of RESULTS.md; the rest of the page is written by hand."""
    page = RESULTS.read_text(encoding="utf-8")
    head, rest = page.split(begin)
    tail = rest.split(end)[1]
    with atomic_write(RESULTS) as temporary:
        temporary.write_text(f"{head}{begin}\n{content}\n{end}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
