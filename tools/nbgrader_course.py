"""An nbgrader course of the lessons: `make nbgrader` writes it into build/nbgrader.

    python tools/nbgrader_course.py build/nbgrader

Each lesson is an assignment. What a teacher has changed there is left alone, as are submissions. An
exercise is three cells: the function to write, with the solution between nbgrader's marks; the
lesson's own check and hints; and a locked cell that gives points, in parts by property
(gptlib.checks.grading). Cells that no exercise needs are not run for grades.
"""

import argparse
import ast
import difflib
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import nbformat
from cell_names import names_of
from nbformat import NotebookNode
from student import COURSE, clean, keep_up

import gptlib.checks

POINTS = {"easy": 2, "medium": 4, "hard": 6}
SKIP = "not-for-grades"  # the tag of a cell that no exercise needs, as in nbgrader_config.py
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
BLANK = re.compile(r"(?P<before>.*?)(?P<what>raise NotImplementedError|\.\.\.)\s*(?P<note>#.*)?$")
CONFIG = Path(__file__).with_name("nbgrader_config.py")


class Exercise(NamedTuple):
    """An exercise of a lesson: its cell, taken apart."""

    name: str  # "mean_surprise", as in gptlib.checks
    check: str  # "checks.machine.mean_surprise"
    function: str  # what the student's function is called
    stub: str  # the cell up to the check
    after: str  # the check, and the hint


def assignment(lesson: NotebookNode, solutions: NotebookNode) -> NotebookNode:
    """The teacher's version of a lesson, as nbgrader wants it.

    Raises:
        ValueError: an exercise has no solution, or the two have drifted apart.
    """
    cells, graded = [], []
    known = set().union(*(names_of(cell.source)[0] for cell in code_of(lesson)))
    for cell in clean(lesson).cells:
        exercise = exercise_of(cell)
        if exercise is None:
            cells.append(cell)
        else:
            solution = solution_of(exercise, solutions)
            imports = imports_for(solution, known, solutions)
            whole = with_solution(exercise.stub, solution, imports)
            made = exercise_cells(cell, exercise, whole)
            cells += made
            graded += made
    skip_what_is_not_needed(cells, graded)
    return nbformat.from_dict({**lesson, "cells": cells})


def code_of(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def exercise_of(cell: NotebookNode) -> Exercise | None:
    """What a cell asks a student to write, or None: it is something else."""
    source = cell.source
    if cell.cell_type != "code" or "raise NotImplementedError" not in source:
        return None
    for node in ast.parse(source).body:
        match node:
            case ast.Expr(ast.Call(func=check, args=[ast.Name(function)])):
                lines = source.splitlines()
                before, after = lines[: node.lineno - 1], lines[node.lineno - 1 :]
                name = ast.unparse(check)
                texts = ("\n".join(part).strip("\n") for part in (before, after))
                return Exercise(name.rpartition(".")[2], name, function, *texts)
    return None


def solution_of(exercise: Exercise, solutions: NotebookNode) -> str:
    """The function in the notebook of solutions that the same check finds right.

    Raises:
        ValueError: there is none.
    """
    for cell in code_of(solutions):
        if f"{exercise.check}({exercise.function})" in cell.source:
            for node in ast.parse(cell.source).body:
                if isinstance(node, ast.FunctionDef) and node.name == exercise.function:
                    lines = cell.source.splitlines()
                    return "\n".join(lines[node.lineno - 1 : node.end_lineno])
    raise ValueError(f"no solution calls {exercise.check}({exercise.function})")


def imports_for(solution: str, known: set[str], solutions: NotebookNode) -> list[str]:
    """What a solution takes from the imports of its notebook, and the lesson does not have."""
    _, taken, later = names_of(solution)
    found = []
    for node in (node for cell in code_of(solutions) for node in ast.parse(cell.source).body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                name = alias.asname or alias.name
                if name in (taken | later) - known:
                    one = ast.Import([alias])
                    if isinstance(node, ast.ImportFrom):
                        one = ast.ImportFrom(node.module, [alias], node.level)
                    found.append(ast.unparse(one))
    return list(dict.fromkeys(found))


def with_solution(stub: str, solution: str, imports: Sequence[str] = ()) -> str:
    """The exercise with its solution between nbgrader's marks, and what both have around them.

    The imports come first in the solution, where a student's copy does not have them. A blank's
    note stays as a comment, so that the student's copy says what is to be written.

    Raises:
        ValueError: the solution leaves out something that the exercise has.
    """
    mine, its = stub.splitlines(), solution.splitlines()
    keys = [[line.partition("  #")[0] for line in lines] for lines in (mine, its)]
    steps = difflib.SequenceMatcher(None, *keys, autojunk=False).get_opcodes()
    made: list[str] = []
    for what, a, b, c, d in steps:
        if what == "equal":
            made += mine[a:b]
            continue
        made += [kept for line in mine[a:b] for kept in note(line)]
        answer = [line for line in its[c:d] if line.strip()]
        if answer:
            indent = " " * min(len(line) - len(line.lstrip()) for line in answer)
            made += [indent + BEGIN, *(indent + line for line in imports), *answer, indent + END]
            imports = ()
        elif any(BLANK.fullmatch(line) for line in mine[a:b]):
            raise ValueError(f"no line of the solution is for {mine[a:b]}")
    return "\n".join(made)


def note(line: str) -> list[str]:
    """What stays of a line of the stub, where the solution has something else."""
    blank = BLANK.fullmatch(line)
    if blank is None:
        return [line]
    indent = re.match(" *", line)[0]
    if blank["before"].strip():  # `similarity = ...  # 1: the cosine similarity`
        return [f"{indent}# {line.strip()}"]
    return [indent + blank["note"]] if blank["note"] else []


def exercise_cells(cell: NotebookNode, exercise: Exercise, whole: str) -> list[NotebookNode]:
    """The function, the lesson's check, and the cell that gives points."""
    doc = getattr(getattr(gptlib.checks, exercise.check.split(".")[1]), exercise.name).doc
    most = next(points for word, points in POINTS.items() if f", {word}" in doc)
    answer = nbformat.v4.new_code_cell(whole, id=cell.id)
    check = nbformat.v4.new_code_cell(exercise.after, id=f"{cell.id}-check")
    grade = nbformat.v4.new_code_cell(
        f"# {most} points for a right answer, and a share for each property that holds.\n"
        "from gptlib.checks.grading import points\n\n"
        f"points({exercise.check}, {exercise.function}, most={most})",
        id=f"{cell.id}-points",
    )
    mark(answer, exercise.name, solution=True, locked=False)
    mark(check, f"{exercise.name}_check", locked=True)
    mark(grade, f"{exercise.name}_points", grade=True, locked=True, points=most)
    return [answer, check, grade]


def mark(cell: NotebookNode, name: str, **what: bool | int) -> None:
    """nbgrader's metadata, of its schema 3."""
    common = {"grade": False, "locked": False, "solution": False, "task": False}
    cell.metadata["nbgrader"] = common | {"grade_id": name, "schema_version": 3} | what


def skip_what_is_not_needed(cells: list[NotebookNode], graded: list[NotebookNode]) -> None:
    """Tag the code that no exercise takes anything from: it is not run for grades."""
    code = [cell for cell in cells if cell.cell_type == "code"]
    named = {id(cell): names_of(cell.source) for cell in code}
    needed, wanted = {id(cell) for cell in graded}, set()
    for cell in reversed(code):
        bound, taken, later = named[id(cell)]
        if id(cell) in needed or bound & wanted:
            needed.add(id(cell))
            wanted |= taken | later
    for cell in code:
        if id(cell) not in needed:
            cell.metadata["tags"] = sorted({*cell.metadata.get("tags", ()), SKIP})


def course() -> dict[str, bytes]:
    """{name: content} of the course's files.

    Raises:
        ValueError: an exercise and its solution do not agree; says which.
    """
    made = {CONFIG.name: CONFIG.read_bytes()}
    for path in sorted(COURSE.glob("[0-9]*.ipynb")):
        both = path, COURSE / "solutions" / path.name
        pair = (nbformat.read(each, as_version=4) for each in both)
        try:
            notebook = nbformat.writes(assignment(*pair))
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from error
        made[f"source/{path.stem}/{path.name}"] = notebook.encode() + b"\n"
    return made


def main() -> None:
    parser = argparse.ArgumentParser(prog="python tools/nbgrader_course.py", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    try:
        made = course()
        said = keep_up(folder, made, "make nbgrader")
        print(*said, f"{folder} has {len(made) - 1} assignments.", sep="\n")
    except (OSError, ValueError) as error:
        sys.exit(f"No course was made: {error}")


if __name__ == "__main__":
    main()
