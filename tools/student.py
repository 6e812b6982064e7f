"""Clean copies of the notebooks: no outputs, exercises open, no solutions.

    python tools/student.py build/student       all of them anew: what a teacher hands out
    python tools/student.py my_course --keep    a student's own: what is there is left alone

With `--keep` a copy that nobody has changed follows the course; one that a student has worked in is
never written to, and if the course has a newer version, that is said.
"""

import argparse
import hashlib
import json
import shutil
import sys
from pathlib import Path

import nbformat

COURSE = Path(__file__).resolve().parent.parent / "notebooks"
FOR_HELPERS = Path(__file__).resolve().parent / "student_agents.md"  # a student's AGENTS.md
HANDED_OUT = ".handed-out"  # in a folder that this program made whole, and may make anew
COPIED = ".copied.json"  # in a student's own: {file: SHA-256 of the copy as it was made}


def clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook as it is before anything was run."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def copies() -> dict[str, bytes]:
    """{name: content} of what a student gets: the notebooks, the glossary, rules for AI helpers."""
    found = {}
    for path in sorted((*COURSE.glob("*.ipynb"), *COURSE.glob("deeper/*.ipynb"))):
        made = nbformat.writes(clean(nbformat.read(path, as_version=4)))
        found[path.relative_to(COURSE).as_posix()] = made.encode() + b"\n"
    found["glossary.md"] = (COURSE / "glossary.md").read_bytes()
    found["AGENTS.md"] = FOR_HELPERS.read_bytes()
    return found


def hand_out(folder: Path) -> list[str]:
    """Write all copies into a folder, anew. Returns what to say; raises as `write_anew`."""
    made = copies()
    write_anew(folder, made)
    return [f"{folder} has {len(made)} files for students."]


def write_anew(folder: Path, made: dict[str, bytes]) -> None:
    """Write files into an empty folder; what was made there before goes.

    Raises:
        ValueError: the folder holds something that `make` did not put there.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / HANDED_OUT).is_file():
        raise ValueError(f"{folder} was not made by this command: give an empty folder")
    shutil.rmtree(folder, ignore_errors=True)
    _write(folder, made | {HANDED_OUT: b"Made by `make`, which makes all of it anew.\n"})


def keep_up(
    folder: Path, made: dict[str, bytes] | None = None, again: str = "make lab"
) -> list[str]:
    """Add to somebody's own folder what is not there, and renew what nobody has changed.

    Args:
        made: {name: content} of what belongs there; if None, a student's copies.
        again: the command that does this once more.
    """
    made = copies() if made is None else made
    before = _remembered(folder)
    new, said = {}, []
    for name, content in made.items():
        path = folder / name
        there = _digest(path.read_bytes()) if path.is_file() else None
        if there is None or there == before.get(name):
            new[name] = content
        elif before.get(name) != _digest(content):
            said.append(
                f"{path}: the course has a newer version. Yours is kept; to have the new one, "
                f"rename yours and run `{again}` again."
            )
    _write(folder, new)
    known = before | {name: _digest(content) for name, content in new.items()}
    (folder / COPIED).write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    return said


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _remembered(folder: Path) -> dict[str, str]:
    try:
        known = json.loads((folder / COPIED).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # a new folder, or a file that somebody has edited
        known = {}
    return known if isinstance(known, dict) else {}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python tools/student.py", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", action="store_true", help="leave alone what a student changed")
    given = parser.parse_args()
    try:
        for line in (keep_up if given.keep else hand_out)(given.folder):
            print(line)
    except (OSError, ValueError) as error:
        sys.exit(f"No copies were made: {error}")


if __name__ == "__main__":
    main()
