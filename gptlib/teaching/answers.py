"""The tally of a class's files of answers, each as `gptlib.storage.answers` keeps it."""

import json
import os
from collections import Counter
from collections.abc import Iterable

from ..formats.files import user_path
from ..storage.answers import answers_file, record

__all__ = ["Tally", "answers_file", "record", "tally"]

FIELDS = {"lesson": str, "question": str, "kind": str, "chosen": str, "right": bool}


class Tally:
    """How a class answered: `counts[lesson, question][(chosen, right)]` is a number of files.

    Printed, it is a table for the teacher.
    """

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], Counter] = {}
        self.files, self.damaged = 0, 0

    def add(self, answers: Iterable[dict]) -> None:
        """One student's answers, in order. Only the first to each question counts."""
        self.files += 1
        seen = set()
        for answer in answers:
            key = answer["lesson"], answer["question"]
            if key not in seen:
                seen.add(key)
                chosen = answer["chosen"], answer["right"]
                self.counts.setdefault(key, Counter())[chosen] += 1

    def share_right(self, lesson: str, question: str) -> float:
        """The share of first answers that were right."""
        counts = self.counts[lesson, question]
        return sum(n for (_, right), n in counts.items() if right) / counts.total()

    def __repr__(self) -> str:
        damaged = f", {self.damaged} lines unreadable" if self.damaged else ""
        lines = [f"{self.files} file{'s' * (self.files != 1)}, first answers{damaged}"]
        for key, counts in sorted(self.counts.items()):
            share = f"{self.share_right(*key):.0%} right of {counts.total()}"
            lines.append(f"{key[0]} {key[1]}: {share}")
            for (chosen, right), n in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
                lines.append(f"  {n:4d}  {'✔' if right else ' '} {chosen}")
        return "\n".join(lines)


def tally(paths: str | os.PathLike | Iterable[str | os.PathLike] | None = None) -> Tally:
    """Count the answers of a class: a folder of .jsonl files, or files; None is your own.

    One file is one student. Lines that are no answers are left out and counted.

    Raises:
        FileNotFoundError: there is no such file, or the folder has none.
    """
    paths = answers_file() if paths is None else paths
    if paths is None:
        raise FileNotFoundError("GPTLIB_ANSWERS is off: no answers are kept")
    if isinstance(paths, str | os.PathLike):
        folder = user_path(paths)
        paths = sorted(folder.rglob("*.jsonl")) if folder.is_dir() else [folder]
        if not paths:
            raise FileNotFoundError(f"{folder}: no .jsonl file in this folder")
    found = Tally()
    for path in paths:
        lines = user_path(path).read_bytes().decode("utf-8", "replace").splitlines()
        answers = [_answer(line) for line in lines if line.strip()]
        found.damaged += answers.count(None)
        found.add(answer for answer in answers if answer)
    return found


def _answer(line: str) -> dict | None:
    """An answer, or None where a line is cut off or something else."""
    try:
        answer = json.loads(line)
    except ValueError:
        return None
    whole = isinstance(answer, dict) and all(
        isinstance(answer.get(field), kind) for field, kind in FIELDS.items()
    )
    return answer if whole else None
