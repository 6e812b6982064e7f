"""The exercises of the course as its notebooks have them: each stub, and its solution.

A stub is a function with `raise NotImplementedError` in it. It is solved where a notebook of
solutions defines a function of the same name.
"""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COURSE = Path(__file__).resolve().parent.parent / "notebooks"
_CHECK = r"checks\.(\w+\.\w+)\({}\b"


@dataclass(frozen=True)
class Written:
    """A function as a cell has it."""

    notebook: str  # the file's name, without its folder
    name: str
    signature: str  # its arguments, as Python writes them
    checks: tuple[str, ...]  # the checks that its notebook calls with it: ("logits.softmax",)
    source: str
    open: bool  # whether there is still a stub in it


def stubs(course: Path = COURSE) -> list[Written]:
    """Every function that a lesson, a Deeper or the capstone asks a student to write."""
    paths = sorted((*course.glob("*.ipynb"), *course.glob("deeper/*.ipynb")))
    return [found for path in paths for found in functions(path) if found.open]


def solutions(course: Path = COURSE) -> dict[tuple[str, str], Written]:
    """{(notebook, name): the last function of that name} of the notebooks of solutions."""
    found = [one for path in sorted(course.glob("solutions/*.ipynb")) for one in functions(path)]
    return {(one.notebook, one.name): one for one in found}


def solution(stub: Written, solved: dict[tuple[str, str], Written]) -> Written | None:
    """The solution of a stub, in the notebook of its own name or else in any."""
    own = solved.get((stub.notebook, stub.name))
    others = [one for (_, name), one in solved.items() if name == stub.name]
    return own or next(iter(others), None)


def with_helpers(one: Written, course: Path = COURSE) -> str:
    """The code of a solution, after the functions of its notebook that it calls."""
    notebook = course / "solutions" / one.notebook
    others = {found.name: found for found in functions(notebook) if found.name != one.name}
    called = [name for name in others if re.search(rf"\b{name}\(", one.source)]
    return "\n\n".join([*(others[name].source for name in called), one.source])


def functions(path: Path) -> Iterator[Written]:
    """The functions that the cells of a notebook define at their top."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    whole = "\n".join(sources)
    for source in sources:
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef):
                yield Written(
                    path.name,
                    node.name,
                    ast.unparse(node.args),
                    tuple(dict.fromkeys(re.findall(_CHECK.format(node.name), whole))),
                    ast.get_source_segment(source, node),
                    any(map(_is_stub, ast.walk(node))),
                )


def _is_stub(node: ast.AST) -> bool:
    """Is it `raise NotImplementedError`?"""
    return isinstance(node, ast.Raise) and "NotImplementedError" in ast.unparse(node)
