"""How the lessons open their explorers and questions: each call, with the lines that it needs."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

from gptlib.teaching import Lesson
from gptlib.teaching.lesson import PARTS

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
ASKED = ("ask", "predict")


def explorers() -> dict[str, str]:
    """{"03 attention_explorer": a cell that opens it, ...}, of the lessons and of their Deeper."""
    return {f"{number} {name}": cell for number, name, _, cell in _calls() if name not in ASKED}


def longest_questions() -> dict[str, str]:
    """{"ask": a cell, "predict": a cell, "compare": the next one}: of each those that say most."""
    found = {}
    for number, name, call, cell in _calls():
        if name in ASKED:
            [asked] = map(ast.literal_eval, call.args)
            box = getattr(Lesson(PARTS[int(number)]), name)(asked)
            found.setdefault(name, {})[len(str(box.settings))] = cell, f"lesson.compare({asked!r})"
    (ask, _), (predict, compare) = (max(found[name].items())[1] for name in ASKED)
    return {"ask": ask, "predict": predict, "compare": compare}


def _calls() -> Iterator[tuple[str, str, ast.Call, str]]:
    """(lesson's number, name of what is called, the call, a cell that it can be run in)."""
    for path in sorted([*NOTEBOOKS.glob("0*.ipynb"), *NOTEBOOKS.glob("deeper/0*.ipynb")]):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        before = []
        for statement in (statement for source in code for statement in ast.parse(source).body):
            for call in (node for node in ast.walk(statement) if isinstance(node, ast.Call)):
                whose, _, name = ast.unparse(call.func).rpartition(".")
                if whose == "widgets" or (whose == "lesson" and name in ("machine", *ASKED)):
                    shown = statement if isinstance(statement, ast.For) else call
                    yield path.name[:2], name, call, _whole(shown, before)
            before.append(statement)


def _whole(shown: ast.AST, before: list[ast.stmt]) -> str:
    """A cell that shows it, after those of the lines before that it depends on."""
    needed, lines = _names(shown), [shown]
    for statement in reversed(before):
        if _given(statement) & needed:
            needed |= _names(statement)
            lines.insert(0, statement)
    return "\n".join(map(ast.unparse, lines))


def _names(node: ast.AST) -> set[str]:
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}


def _given(statement: ast.stmt) -> set[str]:
    """The names to which a statement gives a value, or to a part of which."""
    found = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)):
            if isinstance(node.ctx, ast.Store):
                while not isinstance(node, ast.Name):
                    node = node.value
                found.add(node.id)
    return found
