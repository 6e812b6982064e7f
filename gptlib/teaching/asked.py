"""All that the lessons ask, as the class's board knows it; and a board of collected files."""

import importlib
import secrets
from collections.abc import Iterable
from pathlib import Path

from .. import checks
from ..checks import exercise, running, verdict
from .board.arriving import Answer
from .board.catalogue import CHECK, VOTES, Asked, Catalogue, Exercise
from .board.counts import BEFORE
from .board.room import Room
from .board.store import Store
from .counting import Tally, tally
from .lesson import PARTS, Lesson

TROUBLE = (running.NOT_WRITTEN, running.STOPPED, running.ENDLESS, running.INTERRUPTED)
TROUBLE += (running.CHANGED, running.NOTHING, running.ODD)
CAPSTONE = {"text": "A text of your own.", "capstone": "A folder with a GPT that you trained."}


def catalogue() -> Catalogue:
    """The questions of all lessons, and their exercises with the names of mistakes."""
    made = Catalogue()
    for part in PARTS:
        number = Lesson(part).number
        for name, asked in importlib.import_module(f"{__package__}.{part}").QUESTIONS.items():
            known = Asked(asked.asks, tuple(asked.shuffled()), asked.right)
            made.questions[number, name] = known
        for found in vars(getattr(checks, part)).values():
            if isinstance(found, exercise.Exercise) and found.name.startswith(f"{part}."):
                made.exercises[verdict.key(found.name)] = _exercise(found)
    for name, words in CAPSTONE.items():
        made.exercises[verdict.key(f"capstone.{name}")] = Exercise(words, frozenset(TROUBLE))
    return made


def _exercise(found: exercise.Exercise) -> Exercise:
    names = [*TROUBLE, *(mistake.name for mistake in found.mistakes)]
    names += [words for prop in found.properties for words in (prop.name, prop.words) if words]
    first = found.doc.partition("\n")[0]
    return Exercise(first, frozenset(names))


class _Collected(Tally):
    """Files, each of which becomes a seat of a room."""

    def __init__(self, room: Room) -> None:
        super().__init__()
        self.room, self.unknown = room, 0

    def add(self, answers: Iterable[dict]) -> None:
        self.files += 1
        for given in answers:
            key, kind = (given["lesson"], given["question"]), given["kind"]
            try:
                if kind not in (CHECK, *VOTES):
                    raise ValueError("no such kind")
                chosen = self.room.catalogue.known(key, kind, given["chosen"])
            except ValueError:
                self.unknown += 1
                continue
            answer = Answer(secrets.token_hex(16), self.files, key, kind, chosen, 0.0)
            if self.room.counts.has_room(answer.seat):
                self.room.counts.add(answer, BEFORE)


def collected(folder: Path) -> tuple[Room, str]:
    """A room with the answers of a folder's files, and what was left out of it ("": nothing).

    Raises:
        FileNotFoundError: there is no such folder, or no file in it.
    """
    found = _Collected(Room(Store(None), "FILES", catalogue()))
    tally(folder, found)
    counts = {"files": len(found.left_out), "lines": found.damaged, "answers": found.unknown}
    left_out = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return found.room, f"left out as unreadable or unknown: {left_out}" if left_out else ""
