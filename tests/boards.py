"""A tiny course, and a board of it that runs in a thread: what the tests of boards share."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

from gptlib.teaching.board.arriving import Answer
from gptlib.teaching.board.catalogue import Asked, Catalogue, Exercise

WIDE = ("03", "wide")
COURSE = Catalogue(
    questions={
        ("03", "spread"): Asked("How `wide`?", ("2 times", "4 times", "16 times"), "2 times"),
        WIDE: Asked("Which <b>one</b>?", ("<i>this</i>", "that"), "that"),
        ("05", "exit"): Asked("And?", ("yes", "no"), "no"),
    },
    exercises={
        ("05", "softmax"): Exercise("Exercise 1, easy.", frozenset({"wrong axis", "no maximum"})),
        ("00", "surprise"): Exercise("Exercise 1.", frozenset({"sum"})),
    },
)


def an_answer(seat=1, chosen="2 times", key=("03", "spread"), kind="prediction", made=0.0, id=None):
    an_answer.made_so_far += 1
    return Answer(id or f"{an_answer.made_so_far:032x}", seat, key, kind, chosen, made)


an_answer.made_so_far = 0


def message(**different):
    """What a notebook sends, with some fields different."""
    sent = {"id": an_answer().id, "seat": 7, "age": 0.5, "lesson": "03", "question": "spread"}
    sent |= {"kind": "prediction", "chosen": "2 times"}
    return sent | different


class Board:
    """A running board, asked as a student's or a teacher's computer asks."""

    def __init__(self, room, port):
        self.room, self.port = room, port
        self.url = f"http://127.0.0.1:{port}"
        self.cookie = {}

    def ask(self, path, body=None, headers=None, method=None):
        """(status, headers, body as text) of one request; bodies but bytes are sent as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(
            self.url + path, body, headers | self.cookie, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as reply:
                return reply.status, reply.headers, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read().decode()

    def send(self, **different):
        """The status and the reply to an answer."""
        status, _, text = self.ask("/room/ABCDE", message(**different))
        return status, json.loads(text)

    def enter(self):
        """Become the teacher."""
        status, headers, _ = self.ask("/teacher/open", {"key": self.room.key})
        assert status == 200
        self.cookie = {"Cookie": headers["Set-Cookie"].partition(";")[0]}

    def states(self, seconds=10):
        """What the teacher's page is sent, one after the other: (event, data, when)."""
        request = urllib.request.Request(f"{self.url}/teacher/events", headers=self.cookie)
        with urllib.request.urlopen(request, timeout=seconds) as stream:
            for line in stream:
                if line.startswith(b"event: "):
                    event = line[7:].decode().strip()
                elif line.startswith(b"data: "):
                    yield event, json.loads(line[6:]), time.monotonic()


@contextmanager
def running(room, port=0, **options):
    """A board of this room at this port (0: a free one), in a thread of its own."""
    from gptlib.teaching.board.running import run  # noqa: PLC0415  (needs it)

    ready, found = threading.Event(), []
    loop = asyncio.new_event_loop()

    def is_ready(number):
        found.append(number)
        ready.set()

    task = loop.create_task(run(room, "127.0.0.1", port, is_ready, **options))

    def work():
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield Board(room, found[0])
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(20)
        loop.close()
        assert not thread.is_alive()


# ---- A board in a process of its own, as a teacher starts it ----


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def start_board(folder, port, code="ABCDE", *options):
    """`gptlib board` in a process of its own; returned when it listens."""
    command = [sys.executable, "-m", "gptlib", "board", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--data", str(folder), "--room", code, *options]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)
    lines = [process.stdout.readline() for _ in range(3)]
    if not lines[-1]:
        raise RuntimeError(f"the board did not start: {process.communicate()[1]}")
    process.lines = lines
    return process


def kill(process):
    """kill -9, as a power cut would."""
    process.kill()
    process.communicate()
