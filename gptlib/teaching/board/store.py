"""The board's memory on disk: an answer is in it, whole, before the student's computer is told so.

One SQLite file with a write-ahead log. A kill -9 or a power cut loses nothing that was committed.
"""

import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from .arriving import Answer
from .catalogue import Key

FILE = "board.sqlite"
VERSION = 1
TABLES = """
CREATE TABLE IF NOT EXISTS room (code TEXT PRIMARY KEY, key TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answer (number INTEGER PRIMARY KEY, id TEXT NOT NULL, room TEXT NOT NULL,
    seat INTEGER NOT NULL, lesson TEXT NOT NULL, question TEXT NOT NULL, kind TEXT NOT NULL,
    chosen TEXT NOT NULL, made REAL NOT NULL, vote INTEGER NOT NULL, UNIQUE (room, id));
CREATE TABLE IF NOT EXISTS moment (room TEXT NOT NULL, lesson TEXT NOT NULL, question TEXT NOT NULL,
    vote INTEGER NOT NULL, since REAL NOT NULL, shown INTEGER NOT NULL,
    PRIMARY KEY (room, lesson, question));
"""


class Moment(NamedTuple):
    """Where the class is with a question: the vote that is open, since when, the answer shown."""

    vote: int
    since: float
    shown: bool


class Store:
    """The rooms, and what was answered in them. For one thread at a time."""

    def __init__(self, folder: Path | None) -> None:
        """Open the file in this folder, or make it; None: in memory.

        Raises:
            ValueError: the file is no board's; one line.
            OSError: the folder cannot be made.
        """
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        path = ":memory:" if folder is None else folder / FILE
        try:
            self._open(path)
        except sqlite3.Error as error:
            raise ValueError(f"{path}: cannot be opened as a board's data ({error})") from error

    def _open(self, path: str | Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")  # the disk has it before we say so
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            words = f"it has version {version}, but this gptlib needs {VERSION}"
            raise sqlite3.DatabaseError(words)
        self._db.executescript(f"{TABLES} PRAGMA user_version = {VERSION};")

    def close(self) -> None:
        self._db.close()

    def key(self, room: str) -> str:
        """The teacher's key to a room, made when the room is first opened."""
        made = secrets.token_urlsafe(24)
        self._db.execute("INSERT OR IGNORE INTO room VALUES (?, ?)", (room, made))
        return self._db.execute("SELECT key FROM room WHERE code = ?", (room,)).fetchone()[0]

    def add(self, room: str, answers: Iterable[tuple[Answer, int]]) -> list[bool]:
        """Keep answers, each with its vote, all or none; of each, whether it is new.

        Raises:
            sqlite3.Error: they could not be written; none is kept.
        """
        self._db.execute("BEGIN IMMEDIATE")
        try:
            new = [self._insert(room, *each) for each in answers]
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        return new

    def _insert(self, room: str, answer: Answer, vote: int) -> bool:
        row = (answer.id, room, answer.seat, *answer.key, answer.kind, answer.chosen, answer.made)
        asked = "INSERT INTO answer (id, room, seat, lesson, question, kind, chosen, made, vote) "
        asked += "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (room, id) DO NOTHING"
        return self._db.execute(asked, (*row, vote)).rowcount > 0

    def answers(self, room: str) -> Iterator[tuple[Answer, int]]:
        """All answers of a room with their votes, in the order in which they came."""
        asked = "SELECT id, seat, lesson, question, kind, chosen, made, vote FROM answer "
        for row in self._db.execute(f"{asked}WHERE room = ? ORDER BY number", (room,)):
            id, seat, lesson, question, kind, chosen, made, vote = row
            yield Answer(id, seat, (lesson, question), kind, chosen, made), vote

    def set_moment(self, room: str, key: Key, moment: Moment) -> None:
        """Remember where the class is with a question."""
        row = (room, *key, moment.vote, moment.since, int(moment.shown))
        self._db.execute("INSERT OR REPLACE INTO moment VALUES (?, ?, ?, ?, ?, ?)", row)

    def moments(self, room: str) -> dict[Key, Moment]:
        """Where the class is with each question that the teacher has touched."""
        asked = "SELECT lesson, question, vote, since, shown FROM moment WHERE room = ?"
        rows = self._db.execute(asked, (room,))
        return {(r[0], r[1]): Moment(r[2], r[3], bool(r[4])) for r in rows}
