"""`make bench`: everything side by side, into benchmarks/RESULTS.md."""

from tests.browser import NO_CHROMIUM, find_chromium

from . import core, widgets
from .side_by_side import machine, replace_section

BEGIN, END = "<!-- core: begin -->", "<!-- core: end -->"


def main() -> None:
    lines = [machine(), "", "| what | peer | gptlib | peer's | ratio |", "|---|---|---|---|---|"]
    print("\n".join(lines))
    for row in core.rows():
        print(row, flush=True)
        lines.append(str(row))
    replace_section(BEGIN, END, "\n".join(lines))
    if find_chromium():
        widgets.main()
    else:
        print(f"The explorers were not measured: {NO_CHROMIUM}")


if __name__ == "__main__":
    main()
