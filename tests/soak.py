"""The soak room: tests marked `soak`, run by `make soak`, and what it writes of them.

Such a test says what it did and what was lost with `record_property("soak", "20 kills, ...")`.
"""

BEGIN, END = "<!-- soak: begin -->", "<!-- soak: end -->"


def write(stats: dict, whole: bool) -> None:
    """Put a row a test into benchmarks/RESULTS.md; `stats` are a terminal reporter's.

    whole: all tests were asked for; else the rows of those that were not stay as they are.
    """
    from benchmarks.side_by_side import RESULTS, machine, replace_section

    outcomes = ("passed", "failed", "error", "skipped")
    rows = [_row(report, o) for o in outcomes for report in stats.get(o, ())]
    if not whole:
        rows = beside(RESULTS.read_text(encoding="utf-8"), rows)
    head = ["| what must hold | what was done, and what was lost | s | |", "|---|---|---|---|"]
    replace_section(BEGIN, END, "\n".join([machine(), "", *head, *rows]))


def beside(page: str, rows: list[str]) -> list[str]:
    """The page's rows with these in place of those of the same test, and new ones at the end."""
    section = page.split(BEGIN)[1].split(END)[0]
    old = [line for line in section.splitlines() if line.startswith("| ")][1:]
    now = {_name(row): row for row in rows}
    kept = [now.pop(_name(row), row) for row in old]
    return [*kept, *now.values()]


def _name(row: str) -> str:
    return row.split("|")[1].strip()


def _row(report, outcome: str) -> str:
    name = report.nodeid.rpartition("::")[2].removeprefix("test_").replace("_", " ")
    if outcome == "skipped":
        done = str(report.longrepr[-1])
    else:
        done = "; ".join(str(value) for key, value in report.user_properties if key == "soak")
    cells = [name, done, f"{report.duration:.0f}", outcome]
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"
