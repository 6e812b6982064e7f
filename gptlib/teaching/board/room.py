"""One room: answers are written to disk by a thread, several at a time, and then counted."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from .arriving import Answer
from .catalogue import CHECK, Catalogue, Key
from .counts import AFTER, BEFORE, Counts
from .store import Moment, Store

MOST_AT_ONCE = 200  # answers in one transaction
MOST_PENDING = 2000  # answers that wait for the disk


class Full(Exception):
    """The room takes no more answers of this seat, or none at all for the moment."""


class Room:
    """The state of a room, in memory and on disk. All but the writing is done by one event loop."""

    def __init__(
        self, store: Store, code: str, catalogue: Catalogue, clock: Callable[[], float] = time.time
    ) -> None:
        self.code, self.catalogue, self.clock = code, catalogue, clock
        self.key = store.key(code)
        self.counts = Counts(catalogue)
        self.moments = store.moments(code)
        for answer, vote in store.answers(code):
            if _asked(answer, catalogue):
                self.counts.add(answer, vote)
        self.version = 0
        self.closing = False
        self._store = store
        self._disk = ThreadPoolExecutor(1, "gptlib-board-disk")
        self._pending: asyncio.Queue = asyncio.Queue(MOST_PENDING)
        self._changed = asyncio.Condition()

    # ---- Answers ----

    async def add(self, answer: Answer) -> None:
        """Returns when the answer is on disk, and counted unless it was there before.

        Raises:
            Full: there is no place for it.
            sqlite3.Error: it could not be written.
        """
        if not self.counts.has_room(answer.seat):
            raise Full
        kept = asyncio.get_running_loop().create_future()
        try:
            self._pending.put_nowait((answer, self._vote(answer), kept))
        except asyncio.QueueFull:
            raise Full from None
        await kept

    def _vote(self, answer: Answer) -> int:
        """Which vote an answer belongs to: the one that was open when it was given."""
        moment = self.moments.get(answer.key)
        if moment is None or answer.kind == CHECK or answer.made < moment.since:
            return BEFORE
        return moment.vote

    async def write_all(self) -> None:
        """Write what comes in, as long as the board runs."""
        while True:
            batch = [await self._pending.get()]
            while not self._pending.empty() and len(batch) < MOST_AT_ONCE:
                batch.append(self._pending.get_nowait())
            await self._write(batch)

    async def _write(self, batch: list) -> None:
        pairs = [(answer, vote) for answer, vote, _ in batch]
        try:
            new = await self._on_disk(self._store.add, self.code, pairs)
        except sqlite3.Error as error:
            for *_, kept in batch:
                if not kept.done():  # its student has not gone
                    kept.set_exception(error)
            return
        for (answer, vote, kept), is_new in zip(batch, new, strict=True):
            if is_new:
                self.counts.add(answer, vote)
            if not kept.done():
                kept.set_result(None)
        await self._tell()

    async def _on_disk(self, function: Callable, *given):
        return await asyncio.get_running_loop().run_in_executor(self._disk, function, *given)

    # ---- What the teacher does ----

    async def set_vote(self, key: Key, vote: int) -> None:
        """Open the vote after the discussion, or go back to the one before.

        Raises:
            ValueError: there is no such question or vote.
        """
        if key not in self.catalogue.questions or vote not in (BEFORE, AFTER):
            raise ValueError("no such question, or no such vote")
        await self._set(key, Moment(vote, self.clock(), self._moment(key).shown))

    async def show(self, key: Key, shown: bool) -> None:
        """Show the right answer of a question, or hide it again.

        Raises:
            ValueError: there is no such question.
        """
        if key not in self.catalogue.questions:
            raise ValueError("no such question")
        await self._set(key, self._moment(key)._replace(shown=shown))

    def _moment(self, key: Key) -> Moment:
        return self.moments.get(key, Moment(BEFORE, 0.0, False))

    async def _set(self, key: Key, moment: Moment) -> None:
        await self._on_disk(self._store.set_moment, self.code, key, moment)
        self.moments[key] = moment
        await self._tell()

    # ---- What the page shows ----

    def shown(self) -> dict:
        """All that changes, for the page: the right answer only of a question that shows it."""
        keys = sorted({*self.counts.questions(), *self.moments})
        return {
            "seats": len(self.counts.seats),
            "answers": self.counts.seats.total(),
            "last": self.counts.last,
            "questions": [self._question(key) for key in keys if key in self.catalogue.questions],
            "exercises": self.counts.exercises(),
        }

    def _question(self, key: Key) -> dict:
        moment = self._moment(key)
        return {
            "lesson": key[0],
            "name": key[1],
            "before": self.counts.votes(key, BEFORE),
            "after": self.counts.votes(key, AFTER),
            "vote": moment.vote,
            "right": self.catalogue.questions[key].right if moment.shown else None,
        }

    async def _tell(self) -> None:
        self.version += 1
        async with self._changed:
            self._changed.notify_all()

    async def changed(self, since: int, seconds: float) -> None:
        """Wait until something is new since that version, or for so many seconds."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: self.version != since)
        except TimeoutError:
            pass

    async def say_that_it_closes(self) -> None:
        """Wake up all that wait for news, so that they can end."""
        self.closing = True
        await self._tell()

    def close(self) -> None:
        """Write no more."""
        self._disk.shutdown()
        self._store.close()


def _asked(answer: Answer, catalogue: Catalogue) -> bool:
    """Whether the course still asks what was answered: an older edition may have."""
    known = catalogue.exercises if answer.kind == CHECK else catalogue.questions
    return answer.key in known
