"""A student's answers, and the verdicts on their exercises, in a file of their own.

One line of JSON an answer. No name and no code is kept. A teacher collects the files; only where a
student has joined a class's board (`sending`), an answer goes there too.
"""

import json
import os
import random
from datetime import UTC, datetime
from pathlib import Path

import platformdirs

from ..formats.files import atomic_write, user_path
from . import sending

FILE = "answers.jsonl"
THIS_SESSION = random.SystemRandom().randrange(1, 2**32)


def answers_file() -> Path | None:
    """Where answers go: the file that `GPTLIB_ANSWERS` names, or one in the user's data folder.

    "answers.jsonl" is beside the notebook; "off" keeps none, and then this is None.
    """
    named = os.environ.get("GPTLIB_ANSWERS")
    if named == "off":
        return None
    return user_path(named) if named else Path(platformdirs.user_data_dir("gptlib")) / FILE


def seed() -> int:
    """The student's own number, by which the options of questions are shuffled.

    It is kept beside the answers; 0 where none are kept. Where it cannot be written, it is this
    session's.
    """
    path = answers_file()
    if path is None:
        return 0
    file = path.with_suffix(".seed")
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):  # not there yet, or not a number any more
        return _new_seed(file)


def own_number() -> int:
    """The student's own number, or this session's where none is kept: never the same for all."""
    return seed() or THIS_SESSION


def _new_seed(file: Path) -> int:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(file) as temporary:
            temporary.write_text(f"{THIS_SESSION}\n", encoding="ascii")
    except OSError:
        pass  # a question is asked all the same
    return THIS_SESSION


def record(lesson: str, question: str, kind: str, chosen: str, right: bool) -> None:
    """Add an answer to the file, and send it to the class's board where one was joined.

    Raises:
        ValueError: the file cannot be written; says which and why.
    """
    answer = {"lesson": lesson, "question": question, "kind": kind, "chosen": chosen}
    sending.send(answer, own_number)
    path = answers_file()
    if path is None:
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    kept = {**answer, "right": right, "time": now}
    line = json.dumps(kept, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            file.write(b"\n" * _is_cut(file) + line)
    except OSError as error:
        raise ValueError(f"your answer could not be saved in {path}: {error.strerror}") from error


def _is_cut(file) -> bool:
    """The last line has no end: a full disk or a crash cut it off."""
    if file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"
