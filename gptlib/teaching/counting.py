"""The tally of a class: how many chose what, from the files that its students handed in.

A file may hold anything, since it comes from somebody else's computer. What is not an answer is
left out and counted, and what is shown is on one line and in visible characters.
"""

import json
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..formats.files import user_path
from ..formats.values import reason
from ..storage.answers import answers_file

FIELDS = {"lesson": str, "question": str, "kind": str, "chosen": str, "right": bool}
LARGEST = 2**20  # bytes of a student's file, of which more is not read: all lessons take 20,000
MOST_QUESTIONS = 500  # in a student's file: all lessons together have 80
NAMED = 5  # files that were left out, by name; of the others only their number
LONGEST = 160  # characters of an answer, or of a file's name, that are shown


class Tally:
    """How a class answered: `counts[lesson, question][(chosen, right)]` is a number of files.

    Printed, it is a table for the teacher. `left_out` says why a file is not in it: {path: reason}.
    """

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], Counter] = {}
        self.files, self.damaged = 0, 0
        self.left_out: dict[Path, str] = {}

    def add(self, answers: Iterable[dict]) -> None:
        """One student's answers, in order. Only the first to each question counts."""
        self.files += 1
        seen = set()
        for answer in answers:
            key = answer["lesson"], answer["question"]
            if key not in seen and len(seen) < MOST_QUESTIONS:
                seen.add(key)
                chosen = answer["chosen"], answer["right"]
                self.counts.setdefault(key, Counter())[chosen] += 1

    def add_file(self, path: Path) -> None:
        """One student's file. What cannot be read, and what has no answer, is left out.

        Raises:
            FileNotFoundError: there is no such file.
        """
        try:
            answers, damaged = answers_in(path)
        except ValueError as error:
            self.left_out[path] = str(error)
            return
        self.damaged += damaged
        self.add(answers)

    def share_right(self, lesson: str, question: str) -> float:
        """The share of first answers that were right."""
        counts = self.counts[lesson, question]
        return sum(n for (_, right), n in counts.items() if right) / counts.total()

    def __repr__(self) -> str:
        damaged = f", {self.damaged} lines unreadable" if self.damaged else ""
        lines = [f"{self.files} file{'s' * (self.files != 1)}, first answers{damaged}"]
        lines += said_of(self.left_out)
        for key, counts in sorted(self.counts.items()):
            share = f"{self.share_right(*key):.0%} right of {counts.total()}"
            lines.append(f"{key[0]} {key[1]}: {share}")
            for (chosen, right), n in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
                lines.append(f"  {n:4d}  {'✔' if right else ' '} {shown(chosen)}")
        return "\n".join(lines)


def tally(
    paths: str | os.PathLike | Iterable[str | os.PathLike] | None = None,
    found: Tally | None = None,
) -> Tally:
    """Count the answers of a class: a folder of .jsonl files, or files; None is your own.

    `found` is what they are added to, a new Tally by default.

    One file is one student. Of a folder, what programs put there is not looked at: hidden files
    and folders, such as Jupyter's copies, and the `__MACOSX` of an archive. Lines that are no
    answers are left out and counted, and files without any answer are left out and named.

    Raises:
        FileNotFoundError: there is no such file, or the folder has none.
    """
    paths = answers_file() if paths is None else paths
    if paths is None:
        raise FileNotFoundError("GPTLIB_ANSWERS is off: no answers are kept")
    if isinstance(paths, str | os.PathLike):
        folder = user_path(paths)
        paths = sorted(handed_in(folder)) if folder.is_dir() else [folder]
        if not paths:
            raise FileNotFoundError(f"{folder}: no .jsonl file in this folder")
    found = Tally() if found is None else found
    for path in paths:
        found.add_file(user_path(path))
    return found


def handed_in(folder: Path) -> Iterator[Path]:
    """The files of a folder that students may have handed in, in no order."""
    for path in folder.rglob("*.jsonl"):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
        if not hidden and not path.is_dir():
            yield path


def said_of(left_out: dict[Path, str]) -> list[str]:
    """A line for each of a few files that are not in a tally, and one for all others."""
    lines = [f"left out: {shown(path)} ({why})" for path, why in list(left_out.items())[:NAMED]]
    if len(left_out) > NAMED:
        lines.append(f"left out: {len(left_out) - NAMED} more files")
    return lines


def answers_in(path: Path) -> tuple[list[dict], int]:
    """(a student's answers, in order, how many lines were damaged).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read, or has no answer; says which.
    """
    try:
        found = list(_answers(_read(path)))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise ValueError(getattr(error, "strerror", None) or reason(error)) from error
    whole = [answer for answer in found if answer]
    if not whole:
        raise ValueError("no answers in it")
    return whole, len(found) - len(whole)


def _read(path: Path) -> str:
    """The text of a file, in UTF-8 or as Windows may have it saved again.

    Raises:
        OSError, ValueError: it cannot be read; a pipe, which might never end, is not opened.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("no ordinary file")
    with path.open("rb") as file:
        data = file.read(LARGEST)
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    return data.decode("utf-16" if wide else "utf-8-sig", "replace")


def _answers(text: str) -> Iterator[dict | None]:
    """Each answer, and None for each line, or part of one, that is cut off or something else.

    After a line that was cut off the next answer may be on the same line. No string in JSON can
    hold the beginning of an answer, since quotation marks in it are escaped.
    """
    for line in text.split("\n"):  # JSON leaves other line breaks inside a string as they are
        for part in re.split(r'(?=\{"lesson")', line):
            if part.strip():
                yield _answer(part)


def _answer(line: str) -> dict | None:
    """An answer, or None where it is cut off or something else."""
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    whole = all(isinstance(answer.get(field), kind) for field, kind in FIELDS.items())
    return answer if whole and _is_name(answer["lesson"], answer["question"]) else None


def _is_name(lesson: str, question: str) -> bool:
    """A number such as 01, and a word such as row_of_a_table: nothing that looks like a result."""
    return bool(re.fullmatch(r"[0-9a-z]{1,20} \w{1,40}", f"{lesson} {question}", re.ASCII))


def shown(text: object) -> str:
    """On one line, and each character that could not be seen by its number: a file of a class may
    hold line breaks, a terminal's codes, and marks that turn the direction of writing round."""
    text = str(text)
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return "".join(c if c.isprintable() else f"<U+{ord(c):04X}>" for c in text)
