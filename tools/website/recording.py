"""What each explorer of a notebook begins with, so that a page can begin with the same.

Only those statements are run that an explorer depends on, so that nothing is trained for a page.
What a cell makes then is compared with what the committed notebook shows, so that a page never
begins with anything else.
"""

import ast
import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import nbformat
import torch

from gptlib.widgets import svg
from gptlib.widgets.explorer import Explorer

VIEW = "application/vnd.jupyter.widget-view+json"
WHOLE = (ast.Assign, ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)  # not: added to
DIFFERS = "nbval-ignore-output"  # the tag of cells that show something else at each run
# But for a question at their end, and the check that says what is installed.
STEADY = re.compile(r"^(lesson\.(ask|predict|compare)|widgets\.set_up_check)\(.*\)\Z", re.MULTILINE)


@dataclass(frozen=True)
class Recorded:
    """An explorer as a notebook opens it, and where."""

    cell: int
    output: int  # its place among the outputs of the cell
    explorer: Explorer


def explorers(path: Path) -> list[Recorded]:
    """All explorers of a notebook, but for those that show something else at each run.

    Raises:
        ValueError: a cell makes something else than the notebook shows.
    """
    cells = nbformat.read(path, as_version=4).cells
    found = []
    for place, cell in enumerate(cells):
        if cell.cell_type != "code" or not _is_steady(cell):
            continue
        views = [k for k, output in enumerate(cell.outputs) if VIEW in output.get("data", {})]
        if not views:
            continue
        differs = DIFFERS in cell.metadata.get("tags", ())
        if differs:
            views = views[-1:]
        with redirect_stdout(io.StringIO()):
            made = _made(cells[: place + 1], last_alone=differs)
        said = [svg.writable(explorer.fallback()["text/plain"]) for explorer in made]
        shown = ["".join(cell.outputs[k].data["text/plain"]) for k in views]
        if said != shown:
            raise ValueError(f"{path.name}, cell {place}: shows {shown}, and makes {said}")
        found += [Recorded(place, k, one) for k, one in zip(views, made, strict=True)]
    return found


@contextmanager
def package_as_it_is() -> Iterator[None]:
    """Inside, a notebook may change what gptlib's modules hold, as lesson 06 does."""
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == "gptlib"]
    before = [(module, dict(vars(module))) for module in modules]
    gradients = torch.is_grad_enabled()
    try:
        yield
    finally:
        for module, held in before:
            vars(module).update(held)
        torch.set_grad_enabled(gradients)


def _is_steady(cell: dict) -> bool:
    """Whether a cell shows the same explorers at each run, whatever else it prints."""
    return DIFFERS not in cell.metadata.get("tags", ()) or bool(STEADY.search(cell.source))


def _made(cells: list, last_alone: bool = False) -> list[Explorer]:
    """The explorers that the last of these cells shows, or its last line alone."""
    trees = [ast.parse(cell.source) for cell in cells if cell.cell_type == "code"]
    statements = [statement for tree in trees for statement in tree.body]
    *body, end = trees[-1].body
    if not isinstance(end, ast.Expr):
        return []
    shows = [*(s for s in body if _calls(s) == "display" and not last_alone), end]
    before = [s for s in statements if s not in shows]
    shown: list[object] = []
    names = {"display": lambda *values, **_: shown.extend(values)}
    for statement in needed(before, ast.Module(shows, [])):
        exec(compile(ast.Module([statement], []), "<notebook>", "exec"), names)
    shown.clear()
    for statement in shows:
        value = ast.Expression(statement.value)
        shown.append(eval(compile(value, "<notebook>", "eval"), names))
    return [value for value in shown if isinstance(value, Explorer)]


def _calls(statement: ast.stmt) -> str | None:
    """The name of the function that a statement of its own calls."""
    called = statement.value if isinstance(statement, ast.Expr) else None
    return getattr(called.func, "id", None) if isinstance(called, ast.Call) else None


def needed(statements: list[ast.stmt], cell: ast.AST) -> list[ast.stmt]:
    """Those statements, in order, that bind or change what the cell reads."""
    wanted, kept = set(_reads(cell)), []
    imported = {name for s in statements if _imports(s) for name in _binds(s)}
    for statement in reversed(statements):
        if not wanted & {*_binds(statement), *(_changes(statement) - imported)}:
            continue
        if isinstance(statement, WHOLE):
            wanted -= set(_binds(statement)) - set(_reads(statement))
        wanted |= set(_reads(statement))
        kept.append(statement)
    return kept[::-1]


def _imports(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Import | ast.ImportFrom)


def _reads(tree: ast.AST) -> Iterator[str]:
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return (node.id for node in names if isinstance(node.ctx, ast.Load))


def _binds(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement gives a value to, or changes, as `x[0] = 1` does."""
    for node in ast.walk(statement):
        if isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield from _reads(node.value)


def _changes(statement: ast.stmt) -> set[str]:
    """What a call as a statement of its own may change: `words` in `words.append(word)`."""
    called = statement.value if isinstance(statement, ast.Expr) else None
    method = called.func if isinstance(called, ast.Call) else None
    return set(_reads(method)) if isinstance(method, ast.Attribute) else set()
