"""How many minutes a class needs for a lesson, estimated from the notebook alone.

    python tools/lesson_clock.py notebooks/03_*.ipynb ...

Prints a row for each notebook, of what comes before its "Stop here", then one for each section. The
rates were set on nine lessons that had been timed part by part in cold reads, at 52 to 68 minutes;
seven of eight come out within 12 % of that. It is an estimate to plan with; a class is the measure.
"""

import json
import re
import sys
from collections import Counter
from pathlib import Path

MINUTES = {  # of each
    "word of prose": 1 / 100,
    "line of code": 1 / 7,
    "cell to run": 0.2,
    "question or prediction": 1.2,
    "figure": 0.6,
    "explorer": 2,
    "exercise in class": 4.5,
}
EXPLORER = re.compile(r"widgets\.(?!watch|set_up)\w+\(|lesson\.machine\(")
HEADING = re.compile(r"^## (.+?)(?: \((\d+) min\))?$", re.MULTILINE)
FOLDED = re.compile(r"<details>.*?</details>|```.*?```", re.DOTALL)
HEADER = "header"


def whole(path: Path) -> list[dict]:
    """All cells of a notebook."""
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def timed(path: Path) -> bool:
    """Whether the sections of a lesson say their minutes."""
    return any(says for says, _ in sections(path).values())


def cells(path: Path) -> list[dict]:
    """The cells of a notebook up to its "Stop here"."""
    found = []
    for cell in whole(path):
        if re.search("[Ss]top here", _source(cell)):
            break
        found.append(cell)
    return found


def code_lines(cell: dict) -> list[str]:
    """The lines of a code cell that a class reads: no comments, no prediction's *Compare*."""
    lines = [line for line in _source(cell).splitlines() if line.strip()]
    return [line for line in lines if not line.lstrip().startswith(("#", "lesson.compare("))]


def counts(cell: dict) -> Counter:
    """What there is in a cell of all that takes time."""
    source = _source(cell)
    if cell["cell_type"] == "markdown":
        return Counter({"word of prose": len(FOLDED.sub("", source).split())})
    lines = code_lines(cell)
    if not lines:
        return Counter()
    shown = [output.get("data", {}) for output in cell["outputs"]]
    return Counter(
        {
            "line of code": len(lines),
            "cell to run": 1,
            "question or prediction": len(re.findall(r"lesson\.(?:ask|predict)\(", source)),
            "explorer": len(EXPLORER.findall(source)),
            "exercise in class": int("NotImplementedError" in source),
            "figure": sum("image/png" in data for data in shown),
        }
    )


def minutes(count: Counter) -> float:
    return sum(MINUTES[what] * n for what, n in count.items())


def sections(path: Path) -> dict[str, tuple[int | None, float]]:
    """{title: (the minutes that its heading says, those of the clock)}, the header first."""
    found: dict[str, tuple[int | None, float]] = {HEADER: (None, 0.0)}
    now = HEADER
    for cell in cells(path):
        heading = HEADING.search(_source(cell)) if cell["cell_type"] == "markdown" else None
        if heading:
            now = heading[1]
            found[now] = (int(heading[2]) if heading[2] else None, 0.0)
        says, estimate = found[now]
        found[now] = (says, estimate + minutes(counts(cell)))
    return found


def _source(cell: dict) -> str:
    return "".join(cell["source"])


def main(paths: list[str]) -> None:
    for path in map(Path, paths):
        total = sum(map(counts, cells(path)), Counter())
        listed = ", ".join(f"{total[what]} {what}" for what in MINUTES)
        print(f"{minutes(total):4.0f} min  {path.name:34s} {listed}")
        for title, (says, estimate) in sections(path).items():
            print(f"     {estimate:5.1f}  {'' if says is None else says:>3}  {title}")


if __name__ == "__main__":
    main(sys.argv[1:])
