"""The soak room: tests marked `soak`, run by `make soak`, and what it writes of them.

Such a test says what it did and what was lost with `record_property("soak", "20 kills, ...")`.
"""

BEGIN, END = "<!-- soak: begin -->", "<!-- soak: end -->"


def write(stats: dict) -> None:
    """Put a row a test into benchmarks/RESULTS.md; `stats` are a terminal reporter's."""
    from benchmarks.side_by_side import machine, replace_section

    lines = [machine(), "", "| what must hold | what was done, and what was lost | s | |"]
    lines.append("|---|---|---|---|")
    outcomes = ("passed", "failed", "error", "skipped")
    lines += [_row(report, o) for o in outcomes for report in stats.get(o, ())]
    replace_section(BEGIN, END, "\n".join(lines))


def _row(report, outcome: str) -> str:
    name = report.nodeid.rpartition("::")[2].removeprefix("test_").replace("_", " ")
    if outcome == "skipped":
        done = str(report.longrepr[-1])
    else:
        done = "; ".join(str(value) for key, value in report.user_properties if key == "soak")
    cells = [name, done, f"{report.duration:.0f}", outcome]
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"
