"""A student's answers on their way to the class's board, where there is one.

`join` gives its address, or `GPTLIB_BOARD` where answers are kept at all. A thread sends what
`answers` keeps of an answer, with a random seat number: never code, never a name. Whatever the
board does (it is away, slow, or sends something odd), a cell runs as it would without one.
"""

import hashlib
import json
import os
import random
import re
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable

ROOM = re.compile(r"https?://[^\s/?#@]+/room/[A-Za-z0-9]{4,12}")  # on the wall of the classroom
MOST_WAITING = 500  # answers; of more, the oldest are given up
PATIENCE = 5.0  # seconds for the board to reply
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0  # seconds before an answer is sent again
LONGEST_REPLY = 2000  # bytes, of which more is not read
NEVER = (400, 413, 415, 422)  # what the board says of an answer that it will never take
KINDS = ("question", "prediction", "check")  # of answers; a test, say, is not for the class to see
KEPT, REFUSED, LATER = "kept", "refused", "later"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """An answer goes to the address on the wall, and nowhere else."""

    def redirect_request(self, *_):
        return None


# Nor through a proxy: answers stay in the network of the room.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects).open


class Seat:
    """A place in a room: its answers wait here until the board says that it has kept them."""

    def __init__(self, address: str, seed: int) -> None:
        self.address = address
        drawn = hashlib.sha256(f"{seed} {address.rpartition('/')[2].upper()}".encode()).digest()
        self.number = int.from_bytes(drawn[:4], "big")  # another one in each room
        self.state = "has not replied yet"
        self._waiting: deque[tuple[str, float, dict]] = deque(maxlen=MOST_WAITING)
        self._news, self._replied = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return (
            f"Seat {self.number} in the room {self.address}: the board {self.state}. What is sent: "
            "this random number, your answers to questions, and whether a check passed or which "
            "known mistake it found. Never your code or your name. teaching.leave() stops it."
        )

    @property
    def waiting(self) -> int:
        """How many answers the board has not kept yet."""
        return len(self._waiting)

    def add(self, answer: dict) -> None:
        """Put an answer into the queue. Neither waits nor raises."""
        self._waiting.append((secrets.token_hex(16), time.monotonic(), answer))
        self.start()
        self._news.set()

    def start(self) -> None:
        """Start the thread that sends, if it does not run."""
        if self._thread is None or not self._thread.is_alive():
            thread = threading.Thread(target=self._send_all, name="gptlib-board", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no more threads: the next answer tries again
                return
            self._thread = thread

    def greet(self, seconds: float) -> None:
        """Ask whether the board is there; wait for its reply, but not longer than that."""
        self.start()
        self._news.set()
        self._replied.wait(seconds)

    def _send_all(self) -> None:
        """Send one after the other, each until it is kept or refused, as long as we are here."""
        pause = FIRST_PAUSE
        self._exchange(None)
        self._replied.set()
        while _current is self:
            if not self._waiting:
                self._news.clear()
                if not self._waiting:  # none came in between
                    self._news.wait()
                continue
            entry = self._waiting[0]
            if self._exchange(entry) == LATER:
                time.sleep(pause * random.uniform(0.5, 1.5))  # a class does not come all at once
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            if self._waiting and self._waiting[0] is entry:  # else it was given up meanwhile
                self._waiting.popleft()

    def _exchange(self, entry: tuple[str, float, dict] | None) -> str:
        """Send one answer, or none to say hello; what became of it. Never raises."""
        try:
            outcome, self.state = self._asked(entry)
        except urllib.error.HTTPError as error:
            error.close()
            refused = error.code in NEVER
            words = {404: "has no such room", 429: "is busy and will be asked again"}
            self.state = words.get(error.code, f"replied with the error {error.code}")
            return REFUSED if refused else LATER
        except Exception:  # a thread's error would be shown in some cell
            outcome, self.state = LATER, "does not reply; your answers are sent when it does"
        return outcome

    def _asked(self, entry: tuple[str, float, dict] | None) -> tuple[str, str]:
        """(what became of it, what the board did). Raises whatever the network gives cause for."""
        headers, data, id = {"Accept": "application/json"}, None, ""
        if entry is not None:
            id, made, answer = entry
            about = {"id": id, "seat": self.number, "age": round(time.monotonic() - made, 3)}
            data = json.dumps(about | answer).encode()
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self.address, data, headers)
        with _open(request, timeout=PATIENCE) as reply:
            said = json.loads(reply.read(LONGEST_REPLY))
        if said["kept"] != id:  # some other server, such as the log-in page of a network
            raise ValueError("not a board")
        return KEPT, "is there"


_current: Seat | None = None  # the one that sends
_joined: str | None = None  # the address that `join` gave, "" after `leave`; None: GPTLIB_BOARD's


def join(address: str, seed: int, seconds: float = 3.0) -> Seat:
    """Send answers to the room at this address from now on; waits a moment for its reply.

    Raises:
        ValueError: it is not the address of a room.
    """
    global _joined
    if not ROOM.fullmatch(_trimmed(address)):
        raise ValueError(
            f"{address!r} is not the address of a room, such as http://192.168.1.20:8765/room/ABCDE"
        )
    _joined = _trimmed(address)
    seat = _seat(_joined, lambda: seed)
    seat.greet(seconds)
    return seat


def leave() -> None:
    """Send nothing any more, whatever `GPTLIB_BOARD` says."""
    global _joined, _current
    _joined, last, _current = "", _current, None
    if last is not None:
        last._news.set()  # so that its thread sees it, and ends


def send(answer: dict, seed: Callable[[], int]) -> None:
    """Hand an answer to the thread that sends it, where there is a board. Never waits or raises.

    answer: what may be seen by the class. seed: gives the student's own number, if it is needed.
    """
    address = _joined
    if address is None:  # a build of the course, say, runs its checks with "off": nobody's answers
        kept = os.environ.get("GPTLIB_ANSWERS") != "off"
        address = os.environ.get("GPTLIB_BOARD", "") if kept else ""
    if answer["kind"] in KINDS and ROOM.fullmatch(_trimmed(address)):
        _seat(_trimmed(address), seed).add(answer)


def _trimmed(address: str) -> str:
    return address.strip().rstrip("/")


def _seat(address: str, seed: Callable[[], int]) -> Seat:
    """The seat in this room: the one that sends already, if it is in the same."""
    global _current
    if _current is None or _current.address != address:
        last, _current = _current, Seat(address, seed())
        if last is not None:
            last._news.set()
    return _current
