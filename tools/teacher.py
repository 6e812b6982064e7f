"""The teacher's notebooks: each lesson with its notes, expected answers, solutions and the clock.

    python tools/teacher.py build/teacher

The notes are in cells tagged "teacher", beside what they are about. Their one source is
docs/teach/lessons/, and that of the answers notebooks/solutions/. Outputs are the committed ones.
"""

import argparse
import re
import sys
from pathlib import Path

import exercises
import lesson_clock
import lesson_notes
import nbformat
import student
from lesson_notes import BEFORE, DEEPER, START, Notes, short

COURSE = student.COURSE
TAG = "teacher"
_ASKED = re.compile(r'lesson\.(?:ask|predict)\("(\w+)"\)')


def annotated(path: Path, notes: Notes) -> nbformat.NotebookNode:
    """A notebook, a lesson or its Deeper, with the notes to it."""
    notebook = nbformat.read(path, as_version=4)
    solved = exercises.solutions(COURSE)
    open_here = [found for found in exercises.functions(path) if found.open]
    first, *rest = notebook.cells
    cells = [first, note(_deeper(notes) if path.parent != COURSE else _opening(notes))]
    for cell in rest:
        cells.append(cell)
        if cell.cell_type == "markdown" and (found := lesson_clock.HEADING.search(cell.source)):
            cells += _at_section(notes, short(found[1]))
            continue
        for name in _ASKED.findall(cell.source):
            words = lesson_notes.split_in_words(notes.questions[name])
            cells.append(note(f"**Question `{name}`.** {words}"))
        for stub in open_here:
            if f"def {stub.name}(" in cell.source:
                cells.append(note(_answer(exercises.solution(stub, solved))))
    notebook.cells = cells
    return notebook


def note(text: str) -> nbformat.NotebookNode:
    """A cell for the teacher's eyes: a quotation, so that it differs from the lesson's own text."""
    body = "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())
    return nbformat.v4.new_markdown_cell(body, metadata={"tags": [TAG]})


def copies() -> dict[str, bytes]:
    """{name: content} of what a teacher gets: annotated lessons and Deeper, all else as it is."""
    known = lesson_notes.all_notes()
    found = {"glossary.md": (COURSE / "glossary.md").read_bytes()}
    for path in sorted(COURSE.rglob("*.ipynb")):
        name = path.relative_to(COURSE)
        if any(part.startswith(".") for part in name.parts):
            continue
        notes = known.get(path.stem[:2]) if name.parts[0] != "solutions" else None
        notebook = annotated(path, notes) if notes else nbformat.read(path, as_version=4)
        found[name.as_posix()] = nbformat.writes(notebook).encode() + b"\n"
    return found


def _opening(notes: Notes) -> str:
    before = f"**{BEFORE}.** {notes.sections.get(BEFORE, '')}"
    start = notes.sections.get(START, "")
    lines = [f"**For the teacher.** {notes.sentence}", "", before, "", start, ""]
    lines += ["| minute | section | minutes | if you are late |", "|---|---|---|---|"]
    for title, (begins, ends, late) in lesson_notes.by_the_clock(notes).items():
        lines.append(f"| {begins} | {title} | {ends - begins} | {late} |")
    lines += ["", "| objective | questions | exercises |", "|---|---|---|"]
    for o in notes.objectives:
        lines.append(f"| {o.words} | {', '.join(o.questions)} | {', '.join(o.exercises)} |")
    return "\n".join(lines)


def _deeper(notes: Notes) -> str:
    words = notes.sections.get(DEEPER, "")
    return "**For the teacher.** " + (words or "Each question below has what to answer to it.")


def _at_section(notes: Notes, title: str) -> list[nbformat.NotebookNode]:
    hour = lesson_notes.by_the_clock(notes)
    if title not in hour or title == START:
        return []
    begins, ends, late = hour[title]
    words = f"**Minute {begins} to {ends}.** *If you are late:* {late}"
    return [note(f"{words}\n\n{notes.sections.get(title, '')}")]


def _answer(solved: exercises.Written | None) -> str:
    """The solution as text, so that running the notebook leaves the exercise open.

    Raises:
        ValueError: there is none.
    """
    if solved is None:
        raise ValueError("an exercise has no solution")
    code = exercises.with_helpers(solved, COURSE)
    return f"**A solution** (notebooks/solutions/{solved.notebook}):\n\n```python\n{code}\n```"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python tools/teacher.py", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    try:
        made = copies()
        student.write_anew(folder, made)
    except (OSError, ValueError) as error:
        sys.exit(f"The teacher's notebooks were not made: {error}")
    print(f"{folder} has {len(made)} files for teachers.")


if __name__ == "__main__":
    main()
