"""A verdict as a page shows it: a coloured edge, small tables, and the wrong numbers framed."""

import re
from html import escape

from ..formats.images import AS_EXPLORERS

NUMBER = re.compile(r"\s*[-+−]?(\d[\d.e+-]*|inf|nan)\s*")
INNERMOST = re.compile(r"\[([^\[\]]*)\]")
EDGES = {
    "✔": "var(--jp-success-color1, #2e7d32)",
    "✘": "var(--jp-error-color1, #d32f2f)",
    "○": "var(--jp-border-color1, #757575)",
}
CODE = "font-family: var(--jp-code-font-family, monospace)"
TABLE = "font-size: 1em; margin: 2px 0; border-collapse: collapse"
CELL = f"{CODE}; text-align: right; padding: 1px 8px; border: 1px solid var(--jp-border-color2)"


def verdict_html(words: str, gives: str, should_be: str, marks: str) -> str:
    """The HTML of a verdict that is printed as `words`; the last three are lines of it."""
    first, *lines = words.split("\n")
    beside = {f"  gives      {gives}", f"  should be  {should_be}", f"             {marks}"}
    text = [line.strip() for line in lines if line not in beside]
    body = f"<b>{escape(first)}</b>" + "".join(f"<div>{_line(line)}</div>" for line in text)
    values = [("gives", gives, marks), ("should be", should_be, "")]
    tables = "".join(_value(name, value, under) for name, value, under in values if value)
    if tables:
        body += f'<div style="display: flex; flex-wrap: wrap; gap: 4px 24px">{tables}</div>'
    edge = f"border-left: 4px solid {EDGES.get(first[:1], EDGES['○'])}; padding: 2px 10px"
    return f'<div role="status" style="{AS_EXPLORERS}; {edge}">{body}</div>'


def _line(line: str) -> str:
    """A call is code; everything else is a sentence."""
    is_call = re.fullmatch(r"[\w<>]+\(.*\)", line)
    return f'<code style="{CODE}">{escape(line)}</code>' if is_call else escape(line)


def _value(name: str, value: str, marks: str) -> str:
    rows = _rows(value, marks)
    shown = f'<code style="{CODE}">{_marked(value, marks)}</code>' if rows is None else _table(rows)
    return f"<div><div>{name}</div>{shown}</div>"


def _rows(value: str, marks: str) -> list[list[tuple[str, bool]]] | None:
    """[[(number, whether it is marked), ...], ...], or None where it is no table of numbers."""
    found = []
    for row in INNERMOST.finditer(value):
        place, cells = row.start(1), []
        for part in row[1].split(", "):
            if not NUMBER.fullmatch(part):
                return None
            cells.append((part.strip(), "^" in marks[place : place + len(part)]))
            place += len(part) + 2
        found.append(cells)
    return found or None


def _table(rows: list[list[tuple[str, bool]]]) -> str:
    made = "".join(f"<tr>{''.join(_cell(*cell) for cell in row)}</tr>" for row in rows)
    return f'<table style="{TABLE}">{made}</table>'


def _cell(number: str, wrong: bool) -> str:
    """A wrong one is framed and bold: colour is not the only sign."""
    frame = f"; outline: 2px solid {EDGES['✘']}; outline-offset: -2px" if wrong else ""
    words = f"<b>{escape(number)}</b>" if wrong else escape(number)
    return f'<td style="{CELL}{frame}">{words}</td>'


def _marked(value: str, marks: str) -> str:
    """Text whose marked stretches are framed."""
    parts, end = [], 0
    for stretch in re.finditer(r"\^+", marks):
        wrong = value[stretch.start() : stretch.end()]
        parts += [escape(value[end : stretch.start()]), f"<mark>{escape(wrong)}</mark>"]
        end = stretch.end()
    return "".join(parts) + escape(value[end:])
