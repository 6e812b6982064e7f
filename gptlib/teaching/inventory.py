"""A test of concepts in two parallel forms, to be taken before the course and after it.

24 questions with four answers each, the wrong ones by misconceptions that teachers meet. No class
has taken it yet: it is not validated, and whatever is printed of it says so.
"""

import json
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..formats.files import atomic_write, user_path
from ..storage import answers
from ..widgets import svg
from .concepts import ITEMS, MISCONCEPTIONS
from .questions import marked

FORMS = ("A", "B")
LETTERS = "abcd"
NOT_VALIDATED = "not validated: no class has taken this inventory yet"
KIND = "inventory"  # in a file of answers, where the lesson is "inventorya" or "inventoryb"
HOW = """Choose one answer to each question. If you do not know, leave the question out: that helps
your teacher more than a guess. Nothing here is graded."""


class Item(NamedTuple):
    """A question as it is asked."""

    name: str  # the same in both forms
    asks: str
    options: tuple[str, ...]  # in the order that they are shown
    right: str
    misconceptions: dict[str, str]  # {wrong option: what those who choose it may believe, or ""}


def inventory(form: str = "A", seed: int = 0) -> list[Item]:
    """The 24 questions of a form. `seed` gives the order of the answers, and of nothing else.

    In each order every place has the right answer six times.

    Raises:
        ValueError: there is no such form.
    """
    if form not in FORMS:
        raise ValueError(f"form must be A or B, not {form!r}")
    rng = random.Random(f"inventory {form} {seed}")
    places = list(range(len(LETTERS))) * (len(ITEMS) // len(LETTERS))
    rng.shuffle(places)
    found = []
    for place, (name, (make, *arguments)) in zip(places, ITEMS.items()):
        posed = make(*arguments[FORMS.index(form)])
        options = rng.sample(list(posed.wrong), len(posed.wrong))
        options.insert(place, posed.right)
        found.append(Item(name, posed.asks, tuple(options), posed.right, posed.wrong))
    return found


def hand_in(chosen: dict[int, str], form: str, seed: int = 0) -> str:
    """Keep what a student has chosen, {1: "b", 2: "", ...}, in their file of answers.

    A question that was left out counts as not answered, which the tally takes for not known.

    Raises:
        ValueError: a letter is none of a to d, a number none of the questions', or the answers
            cannot be saved.
    """
    items = inventory(form, seed)
    letters = {number: str(letter).strip().lower() for number, letter in chosen.items()}
    for number, letter in letters.items():
        if number not in range(1, len(items) + 1) or letter not in ("", *LETTERS):
            raise ValueError(f"question {number}: {letter!r} is none of {', '.join(LETTERS)}")
    for number, item in enumerate(items, 1):
        letter = letters.get(number, "")
        option = item.options[LETTERS.index(letter)] if letter else ""
        answers.record(f"{KIND}{form.lower()}", item.name, KIND, option, option == item.right)
    given = sum(map(bool, letters.values()))
    return f"Thank you: {given} of {len(items)} answers are kept. Do not run this cell again."


# ---- To hand out ----


def write(path: str | os.PathLike, form: str = "A", seed: int = 0, key: bool = False) -> Path:
    """Write a form to a file: `.html` to print, `.ipynb` to fill in, `.json` for other programs.

    Args:
        key: with the right answers, for the teacher. JSON for a class should not have them.

    Raises:
        ValueError: another ending, or a key in a notebook, which is for students.
    """
    path, items = user_path(path), inventory(form, seed)
    makers = {".html": as_html, ".ipynb": as_notebook, ".json": as_json}
    if path.suffix not in makers:
        raise ValueError(f"{path.name}: the name must end in {', '.join(makers)}")
    if key and path.suffix == ".ipynb":
        raise ValueError("a notebook is for students: print the key, as .html")
    content = makers[path.suffix](items, form, seed, key)
    with atomic_write(path) as temporary:
        temporary.write_text(content, encoding="utf-8")
    return path


def as_json(items: Sequence[Item], form: str, seed: int, key: bool) -> str:
    """The questions, their options, and with a key what each option tells."""
    listed = []
    for number, item in enumerate(items, 1):
        entry = {"number": number, "name": item.name, "asks": item.asks, "options": item.options}
        if key:
            entry |= {"right": item.right, "misconceptions": item.misconceptions}
        listed.append(entry)
    whole = {"form": form, "seed": seed, "status": NOT_VALIDATED, "items": listed}
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def as_html(items: Sequence[Item], form: str, seed: int, key: bool) -> str:
    """A page to print; the key comes on a page of its own."""
    title = f"What do you know about language models? Form {form}.{seed}"
    body = f"<h1>{title}</h1><p>{svg.escape(HOW)}</p><ol>"
    for item in items:
        options = "".join(f"<li>{marked(option)}</li>" for option in item.options)
        body += f'<li class="item"><p>{marked(item.asks)}</p><ol type="a">{options}</ol></li>'
    body += "</ol>"
    if key:
        rows = "".join(f"<li>{_letter(item)}: {marked(item.right)}</li>" for item in items)
        body += f'<h1 class="key">Key to form {form}.{seed} ({NOT_VALIDATED})</h1><ol>{rows}</ol>'
    head = f'<meta charset="utf-8"><title>{title}</title>{STYLE}'
    return f'<!doctype html><html lang="en">{head}{body}</html>\n'


STYLE = """<style>
body { font: 11pt/1.4 sans-serif; max-width: 45em; margin: 2em auto; padding: 0 1em }
.item { break-inside: avoid; margin-bottom: 1em }
.item p { margin: 0 0 .3em }
.key { break-before: page }
code { background: #eee; padding: 0 .2em }
</style>"""


def _letter(item: Item) -> str:
    return LETTERS[item.options.index(item.right)]


def as_notebook(items: Sequence[Item], form: str, seed: int, key: bool = False) -> str:
    """A notebook in which a student writes letters, and one cell that keeps them."""
    title = f"# What do you know about language models?\n\nForm {form}. {HOW}\n\nWrite the "
    title += "letter of your answer between the quotation marks, `a`, `b`, `c` or `d`, and run the "
    title += "cell at the end once."
    cells = [_cell("markdown", 0, title)]
    for number, item in enumerate(items, 1):
        options = "\n".join(f"- ({a}) {option}" for a, option in zip(LETTERS, item.options))
        cells.append(_cell("markdown", number, f"**{number}.** {item.asks}\n\n{options}"))
    blanks = [f'{number}: "", ' for number in range(1, len(items) + 1)]
    rows = "\n".join("    " + "".join(blanks[k : k + 6]).rstrip() for k in range(0, len(blanks), 6))
    code = "from gptlib.teaching.inventory import hand_in\n\nanswers = {\n" + rows + "\n}\n"
    code += f'hand_in(answers, form="{form}", seed={seed})'
    cells.append(_cell("code", len(items) + 1, code))
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    whole = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def _cell(kind: str, number: int, source: str) -> dict:
    cell = {"cell_type": kind, "id": f"cell-{number:02d}", "metadata": {}, "source": source}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def misconceptions_table() -> str:
    """The misconceptions and the questions on them, as docs/teach/inventory.md has them."""
    rows = ["| lesson | what is believed | questions |", "|---|---|---|"]
    for name, (lesson, belief) in MISCONCEPTIONS.items():
        asked = [item.name for item in inventory() if name in item.misconceptions.values()]
        rows.append(f"| {lesson} | {belief} | {', '.join(f'`{word}`' for word in asked)} |")
    return "\n".join(rows)
