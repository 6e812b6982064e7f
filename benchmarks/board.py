"""The board of a class under load, killed again and again.

300 students vote, each on a connection of its own as their notebooks do, so many votes a second.
The board runs in a process of its own, as a teacher starts it, and is killed (kill -9) and started
again five times. A vote that gets no reply is sent again with the same id. Measured: from sending a
vote to its acknowledgement while the board was there, and from then to the page; lost and doubled
votes. `python -m benchmarks.board --seconds 30` is a short run.
"""

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

from gptlib.storage.sending import FIRST_PAUSE, LONGEST_PAUSE
from gptlib.teaching.asked import catalogue
from gptlib.teaching.board.store import Store

from .side_by_side import load_since, machine, replace_section

BEGIN, END = "<!-- board: begin -->", "<!-- board: end -->"
STUDENTS, A_SECOND, SECONDS, KILLS = 300, 10, 300, 5


@dataclass
class Measured:
    """Seconds of each vote and of each page, and the ids of what was sent and acknowledged."""

    votes: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    acknowledged: dict[str, tuple[float, object]] = field(default_factory=dict)  # when, by which
    down: float = 0.0  # seconds without a board, all kills together

    def lines(self, kept: list[str], given: argparse.Namespace) -> list[str]:
        lost = len(set(self.acknowledged) - set(kept))
        doubled = len(kept) - len(set(kept))
        what = f"{given.students} students, {given.rate} votes a second, {given.seconds} s"
        return [
            "| what | p50 | p95 | largest |",
            "|---|---|---|---|",
            _row("from a vote to its acknowledgement, on disk", self.votes),
            _row("from the acknowledgement to the teacher's page", self.pages),
            "",
            f"{what}: {len(self.acknowledged):,} votes acknowledged; {given.kills} kills -9, "
            f"{self.down:.0f} s without a board in all; lost: {lost}; counted twice: {doubled}.",
        ]


def _row(what: str, seconds: list[float]) -> str:
    if len(seconds) < 2:
        return f"| {what} | not measured | | |"
    figures = median(seconds), quantiles(seconds, n=20, method="inclusive")[-1], max(seconds)
    return f"| {what} | " + " | ".join(f"{1000 * value:.0f} ms" for value in figures) + " |"


class Class:
    """The students, the board, and the teacher's page."""

    def __init__(self, given: argparse.Namespace, folder: Path) -> None:
        from tests.boards import free_port  # noqa: PLC0415  (tests are not installed)

        self.given, self.folder, self.port = given, folder, free_port()
        self.measured, self.up = Measured(), asyncio.Event()
        self.board = None
        self.questions = sorted(catalogue().questions.items())
        self.seen = 0  # answers that the page has shown

    async def start(self) -> None:
        from tests.boards import start_board  # noqa: PLC0415

        self.board = await asyncio.to_thread(start_board, self.folder, self.port)
        self.up.set()

    async def kill(self) -> None:
        """kill -9, and a new board after it."""
        from tests.boards import kill  # noqa: PLC0415

        began = time.monotonic()
        self.up.clear()
        await asyncio.to_thread(kill, self.board)
        await self.start()
        self.measured.down += time.monotonic() - began

    async def vote(self, session, seat: int) -> None:
        """One vote, sent until it is acknowledged; timed where the board was there meanwhile."""
        (lesson, name), asked = random.choice(self.questions)
        id = f"{random.getrandbits(128):032x}"
        said = {"id": id, "seat": seat, "age": 0.0, "lesson": lesson, "question": name}
        said |= {"kind": "prediction", "chosen": random.choice(asked.choices)}
        pause = FIRST_PAUSE
        while True:
            began, board = time.monotonic(), self.board
            if await self._kept(session, said):
                if board is self.board:
                    self.measured.votes.append(time.monotonic() - began)
                self.measured.acknowledged[id] = time.monotonic(), self.board
                return
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # as a notebook does
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _kept(self, session, said: dict) -> bool:
        import aiohttp  # noqa: PLC0415

        try:
            url = f"http://127.0.0.1:{self.port}/room/ABCDE"
            async with session.post(url, json=said, headers={"Connection": "close"}) as reply:
                return reply.status == 200 and (await reply.json()) == {"kept": said["id"]}
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError):
            return False

    async def page(self, session) -> None:
        """The teacher's page: after each state, which votes it was the first to show."""
        import aiohttp  # noqa: PLC0415

        url, key = f"http://127.0.0.1:{self.port}/teacher", self.board.lines[1].strip()
        while True:
            try:
                await session.post(f"{url}/open", json={"key": key.rpartition("#")[2]})
                async with session.get(f"{url}/events", timeout=None) as stream:
                    async for line in stream.content:
                        if line.startswith(b'data: {"seats"'):
                            self._shown(json.loads(line[6:])["answers"])
            except (aiohttp.ClientError, OSError):
                pass
            await asyncio.sleep(0.05)
            await self.up.wait()

    def _shown(self, answers: int) -> None:
        """The page has this many answers now: the n-th acknowledged is shown with n answers."""
        now, times = time.monotonic(), list(self.measured.acknowledged.values())
        fresh = [when for when, board in times[self.seen : answers] if board is self.board]
        self.measured.pages += [max(0.0, now - when) for when in fresh]
        self.seen = max(self.seen, answers)

    async def run(self) -> None:
        import aiohttp  # noqa: PLC0415

        jar = aiohttp.CookieJar(unsafe=True)  # of a host that is a number
        limits = aiohttp.TCPConnector(limit=0, force_close=True)
        timeout = aiohttp.ClientTimeout(total=20)
        await self.start()
        async with aiohttp.ClientSession(
            cookie_jar=jar, connector=limits, timeout=timeout, read_bufsize=2**20
        ) as session:
            showing = asyncio.create_task(self.page(session))
            killing = asyncio.create_task(self._kill_again_and_again())
            votes, began = [], time.monotonic()
            for k in range(self.given.seconds * self.given.rate):
                await asyncio.sleep(max(0.0, began + k / self.given.rate - time.monotonic()))
                votes.append(asyncio.create_task(self.vote(session, k % self.given.students)))
            await killing
            await asyncio.gather(*votes)
            await asyncio.sleep(1)
            showing.cancel()

    async def _kill_again_and_again(self) -> None:
        pause = self.given.seconds / (self.given.kills + 1)
        for _ in range(self.given.kills):
            await asyncio.sleep(pause)
            await self.kill()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.board", description=__doc__)
    for name, value in (("students", STUDENTS), ("rate", A_SECOND), ("seconds", SECONDS)):
        parser.add_argument(f"--{name}", type=int, default=value, metavar="N", help=f"({value})")
    parser.add_argument("--kills", type=int, default=KILLS, metavar="N", help=f"({KILLS})")
    parser.add_argument("--only-show", action="store_true", help="leave RESULTS.md as it is")
    return parser


def main(argv: list[str] | None = ()) -> None:
    given, before = _parser().parse_args(argv), os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        class_ = Class(given, Path(folder))
        try:
            asyncio.run(class_.run())
        finally:
            if class_.board is not None:
                class_.board.kill()
                class_.board.communicate()
        kept = [answer.id for answer, _ in Store(Path(folder)).answers("ABCDE")]
    lines = [f"{machine()}; {load_since(before)}", "", *class_.measured.lines(kept, given)]
    print("\n".join(lines))
    if not given.only_show:
        replace_section(BEGIN, END, "\n".join(lines))


if __name__ == "__main__":
    main(None)
