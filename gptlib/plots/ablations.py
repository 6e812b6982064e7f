"""Appendix: everything that the course breaks on purpose, as a picture and as a table.

Takes what `gptlib.ablations.measured` gives; nothing is measured here.
"""

import math
from html import escape
from statistics import median

from ..ablations import METRICS, noticed
from .style import Picture, Theme, follows_page, sheet

WHOLE = "nothing"  # the row with nothing missing
NAMES = {
    "teacher_forced": "teacher-forced loss",
    "prefix_only": "loss given the prefix only",
    "kl": 'KL after "The cat is"',
    "sayable": "stories that fit the grammar",
}
LONGEST = 60  # letters of a story that are shown
LEAST, MOST = 5e-3, 16.0  # nats: dots beyond are drawn at the edge


@follows_page
def ablation_losses(measured: dict, *, theme: str | None = None) -> Picture:
    """How far each broken model is from the floor: a dot a seed, both losses.

    Args:
        measured: from `gptlib.ablations.measured`.
    """
    rows, floor = measured["rows"], measured["floor"]
    with sheet(9.2, 1.4 + 0.36 * len(rows), theme) as (figure, paint):
        ax = figure.subplots()
        for place, row in enumerate(rows):
            _dots(ax, place + 0.14, row["teacher_forced"], "o", paint.second, paint)
            _dots(ax, place - 0.14, row["prefix_only"], "D", paint.accent, paint)
        ax.axvline(floor, color=paint.soft, linewidth=1.4, linestyle=(0, (5, 3)), zorder=1)
        ax.annotate(f"floor {floor:.2f}", (floor, -0.9), (4, 0), textcoords="offset points")
        ax.set_yticks(range(len(rows)), [_title(row) for row in rows])
        ax.set_ylim(len(rows) - 0.4, -1.2)
        ax.set_xscale("log")
        ax.set_xticks([0.01, 0.1, 1, 10], ["0.01", "0.1", "1", "10"])
        ax.minorticks_off()
        ax.set_xlim(LEAST, MOST * 1.1)
        ax.grid(axis="x")
        ax.set_xlabel("loss on held-out stories, nats per token (log scale)")
        for marker, colour, text in (
            ("o", "second", "teacher_forced"),
            ("D", "accent", "prefix_only"),
        ):
            ax.plot([], [], marker, color=getattr(paint, colour), label=NAMES[text])
        figure.legend(loc="outside upper right", ncols=2)  # inside, its marks look like results
    figure.description = (
        f"Losses with one thing missing, and the floor at {floor:.2f}. "
        + " ".join(
            f"{row['name']}: {_shown(row['teacher_forced'])} teacher-forced, "
            f"{_shown(row['prefix_only'])} given the prefix only."
            for row in rows
        )
    )
    return figure


def _dots(ax, place: float, values: list, marker: str, colour: str, paint: Theme) -> None:
    found = [MOST if value is None else min(max(value, LEAST), MOST) for value in values]
    style = {"markersize": 6, "markeredgecolor": paint.paper, "markeredgewidth": 0.8}
    ax.plot(found, [place] * len(found), marker, color=colour, **style)


def _title(row: dict) -> str:
    return f"{row['lesson']}  {row['name']}" if row["lesson"] else row["name"]


class AblationTable:
    """The table: what is missing, the median of each metric, which got worse, and a story.

    Shown as HTML in a notebook, and as plain text elsewhere.
    """

    def __init__(self, measured: dict) -> None:
        self.rows = measured["rows"]
        by_name = {row["name"]: row for row in self.rows}
        self.noticed = {
            row["name"]: noticed(row, by_name[row["against"]])
            for row in self.rows
            if row["name"] != row["against"]
        }

    def lines(self) -> list[list[str]]:
        """Each row's cells as text, the heads first."""
        heads = ["lesson", "what is missing", *NAMES.values(), "which metrics got worse"]
        return [[*heads, "a sampled story"], *map(self._cells, self.rows)]

    def _cells(self, row: dict) -> list[str]:
        seen = self.noticed.get(row["name"], ())
        who = ", ".join(NAMES[metric] for metric in seen) or "no metric"
        if row["name"] == row["against"]:
            who = ""
        elif row["against"] != WHOLE:
            who += f" (compared with: {row['against']})"
        numbers = [_shown(row[metric], metric == "sayable") for metric in METRICS]
        story = "".join(c if c.isprintable() else "�" for c in row["sample"][:LONGEST])
        return [row["lesson"], row["name"], *numbers, who, story]

    def __repr__(self) -> str:
        return "\n".join(" | ".join(cells) for cells in self.lines())

    def _repr_html_(self) -> str:
        heads, *rows = self.lines()
        style = "text-align: left; vertical-align: top; white-space: normal; max-width: 22em"
        html = "".join(f'<th scope="col" style="{style}">{escape(head)}</th>' for head in heads)
        html = f"<thead><tr>{html}</tr></thead>"
        for cells in rows:
            html += (
                "<tr>" + "".join(f'<td style="{style}">{escape(c)}</td>' for c in cells) + "</tr>"
            )
        caption = "Everything that the course breaks, measured the same way"
        return f"<table><caption>{caption}</caption>{html}</table>"


def _shown(values: list[float | None], share: bool = False) -> str:
    """The median over the seeds, and from where to where they lie."""
    numbers = [math.inf if value is None else value for value in values]
    if share:
        return f"{median(numbers):.0%} ({min(numbers):.0%} to {max(numbers):.0%})"
    return f"{median(numbers):.2f} ({min(numbers):.2f} to {max(numbers):.2f})"
