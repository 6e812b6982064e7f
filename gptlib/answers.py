"""A student's answers and the verdicts on his exercises, in a file of their own.

One line of JSON an answer. No name and no code is kept and nothing is sent: a teacher collects
the files.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import platformdirs

from .files import user_path

FILE = "answers.jsonl"


def answers_file() -> Path | None:
    """Where answers go: the file that `GPTLIB_ANSWERS` names, or one in the user's data folder.

    "answers.jsonl" is beside the notebook; "off" keeps none, and then this is None.
    """
    named = os.environ.get("GPTLIB_ANSWERS")
    if named == "off":
        return None
    return user_path(named) if named else Path(platformdirs.user_data_dir("gptlib")) / FILE


def record(lesson: str, question: str, kind: str, chosen: str, right: bool) -> None:
    """Add an answer to the file.

    Raises:
        ValueError: the file cannot be written; says which and why.
    """
    path = answers_file()
    if path is None:
        return
    answer = {"lesson": lesson, "question": question, "kind": kind, "chosen": chosen}
    answer |= {"right": right, "time": datetime.now(UTC).isoformat(timespec="seconds")}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(answer, ensure_ascii=False) + "\n")
    except OSError as error:
        raise ValueError(f"your answer could not be saved in {path}: {error.strerror}") from error
