"""gptlib.storage.sending: whatever the board does, no cell waits or fails, no answer is lost."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gptlib.storage import answers, sending

LINES = ("05", "softmax", "check", "wrong axis", False)


@pytest.fixture(autouse=True)
def nobody_joined(monkeypatch, tmp_path):
    """No board yet, and no pauses of seconds; afterwards none again."""
    monkeypatch.setenv("GPTLIB_ANSWERS", str(tmp_path / "me.jsonl"))
    monkeypatch.delenv("GPTLIB_BOARD", raising=False)
    monkeypatch.setattr(sending, "_joined", None)
    monkeypatch.setattr(sending, "_current", None)
    monkeypatch.setattr(sending, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(sending, "LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(sending, "PATIENCE", 0.5)
    yield
    sending.leave()


class Handler(BaseHTTPRequestHandler):
    """Does what `server.act` says, with the object that was sent."""

    def do_POST(self):
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.append(said)
        self.server.act(self, said)

    def do_GET(self):
        self.server.asked.append(self.path)
        self.server.act(self, {"id": ""})

    def reply(self, status=200, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def keep(handler, said):
    handler.reply(body=json.dumps({"kept": said["id"]}).encode())


@contextmanager
def listening(act=keep, port=0):
    class Quiet(ThreadingHTTPServer):
        daemon_threads, allow_reuse_address = True, True

        def handle_error(self, *_):
            """A student's computer may have hung up."""

    with Quiet(("127.0.0.1", port), Handler) as server:
        server.got, server.asked, server.act = [], [], act
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        server.url = f"http://127.0.0.1:{server.server_port}/room/ABCDE"
        yield server
        server.shutdown()


@pytest.fixture
def teacher():
    with listening() as server:
        yield server


def soon(true, seconds=20):
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    assert true()


def record():
    """Seconds that it took to record an answer."""
    began = time.perf_counter()
    answers.record(*LINES)
    return time.perf_counter() - began


# ---- With a board ----


def test_what_is_sent_is_a_seat_and_the_answer_and_nothing_else(teacher, monkeypatch):
    monkeypatch.setenv("GPTLIB_BOARD", teacher.url)
    monkeypatch.setenv("USER", "mia")
    record()
    soon(lambda: teacher.got)
    (said,) = teacher.got
    assert set(said) == {"id", "seat", "age", "lesson", "question", "kind", "chosen"}
    assert (said["lesson"], said["question"]) == ("05", "softmax")
    assert (said["kind"], said["chosen"]) == ("check", "wrong axis")
    assert 0 <= said["age"] < 20 and 0 <= said["seat"] < 2**32 and len(said["id"]) == 32


def test_the_answers_of_a_test_are_not_for_the_class(teacher):
    sending.join(teacher.url, 5)
    answers.record("inventorya", "softmax", "inventory", "B", True)
    record()
    soon(lambda: teacher.got)
    assert [said["kind"] for said in teacher.got] == ["check"]


def test_a_seat_stays_the_same_in_a_room_and_is_another_in_each_room(tmp_path, monkeypatch):
    monkeypatch.setenv("GPTLIB_ANSWERS", str(tmp_path / "me.jsonl"))
    seed = answers.own_number()
    seats = [sending.Seat(f"http://a/room/{code}", seed).number for code in ("ABCDE", "abcde", "X")]
    assert seats[0] == seats[1] != seats[2] and seed not in seats
    monkeypatch.setenv("GPTLIB_ANSWERS", "off")
    assert answers.own_number() == answers.THIS_SESSION  # not the same for all who keep none


def test_answers_arrive_in_order_each_with_an_id_of_its_own(teacher):
    sending.join(teacher.url, 5)
    for k in range(30):
        answers.record("05", "softmax", "check", str(k), False)
    soon(lambda: len(teacher.got) == 30)
    assert [said["chosen"] for said in teacher.got] == [str(k) for k in range(30)]
    assert len({said["id"] for said in teacher.got}) == 30


def test_joining_says_what_is_sent_and_whether_the_board_is_there(teacher):
    seat = sending.join(f" {teacher.url}/ ", 5)
    assert f"Seat {seat.number} in the room {teacher.url}: the board is there." in repr(seat)
    assert "Never your code or your name" in repr(seat)
    teacher.act = lambda handler, said: handler.reply(404)
    assert "the board has no such room" in repr(sending.join(f"{teacher.url}F", 5))


def test_where_no_answers_are_kept_the_environment_sends_none_and_joining_does(
    teacher, monkeypatch
):
    monkeypatch.setenv("GPTLIB_ANSWERS", "off")
    monkeypatch.setenv("GPTLIB_BOARD", teacher.url)
    record()
    assert sending._current is None
    sending.join(teacher.url, 5)
    record()
    soon(lambda: len(teacher.got) == 1)


def test_who_leaves_sends_nothing_whatever_the_environment_says(teacher, monkeypatch):
    monkeypatch.setenv("GPTLIB_BOARD", teacher.url)
    sending.leave()
    record()
    time.sleep(0.2)
    assert not teacher.got and not teacher.asked
    sending.join(teacher.url, 5)
    record()
    soon(lambda: teacher.got)


@pytest.mark.parametrize(
    "address",
    ["", "teacher", "http://a/", "http://a/room/", "http://a/room/AB", "ftp://a/room/ABCDE"]
    + [
        "file:///room/ABCDE",
        "http://me:pw@a/room/ABCDE",
        "http://a/room/ABCDE?x=1",
        "http:// /room/ABCD",
    ],
)
def test_what_is_not_the_address_of_a_room_is_refused_or_as_good_as_none(address, monkeypatch):
    with pytest.raises(ValueError, match="is not the address of a room"):
        sending.join(address, 5)
    monkeypatch.setenv("GPTLIB_BOARD", address)
    record()
    assert sending._current is None


# ---- A board that is away, slow, or something else ----


def test_with_no_board_no_thread_is_started():
    before = threading.active_count()
    record()
    assert sending._current is None and threading.active_count() == before


def test_answers_wait_for_a_board_that_is_away_and_arrive_once_each(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    seat = sending.join(f"http://127.0.0.1:{port}/room/ABCDE", 5)
    assert "does not reply; your answers are sent when it does" in repr(seat)
    for k in range(5):
        answers.record("05", "softmax", "check", str(k), False)
    time.sleep(0.2)
    with listening(port=port) as server:
        soon(lambda: seat.waiting == 0)
        assert [said["chosen"] for said in server.got] == list("01234")
        assert server.got[0]["age"] >= 0.2  # so the board knows to which vote it belongs


def test_an_answer_whose_reply_was_lost_is_sent_again_with_the_same_id(teacher):
    seat = sending.join(teacher.url, 5)
    teacher.act = lambda handler, said: None if len(teacher.got) < 3 else keep(handler, said)
    record()
    soon(lambda: seat.waiting == 0)
    assert len(teacher.got) >= 3 and len({said["id"] for said in teacher.got}) == 1


ODD = {
    "another page": lambda h, said: h.reply(body=b"<html>Please log in</html>"),
    "another id": lambda h, said: h.reply(body=b'{"kept": "0"}'),
    "a list": lambda h, said: h.reply(body=b"[]"),
    "deep": lambda h, said: h.reply(body=b"[" * 2000),
    "no text": lambda h, said: h.reply(body=b"\xff\xfe\x00"),
    "a gigabyte": lambda h, said: (
        [h.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")]
        + [h.wfile.write(b"x" * 2**20) for _ in range(1000)]
    ),
    "no http": lambda h, said: h.wfile.write(b"\x00\x01\x02 hello\r\n\r\n"),
    "a header without end": lambda h, said: h.wfile.write(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10**6),
    "a length that is none": lambda h, said: h.wfile.write(
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}"
    ),
    "an error": lambda h, said: h.reply(500, b"x" * 10**6),
    "too many": lambda h, said: h.reply(429),
    "asks for a password": lambda h, said: h.reply(401, **{"WWW-Authenticate": "Basic"}),
    "says nothing": lambda h, said: time.sleep(3),
    "hangs up": lambda h, said: None,
}


@pytest.mark.parametrize("name", ODD)
def test_whatever_a_board_replies_no_cell_waits_and_the_answer_is_kept_for_later(
    teacher, name, capfd
):
    seat = sending.join(teacher.url, 5)
    teacher.act = ODD[name]
    assert max(record() for _ in range(3)) < 0.5
    soon(lambda: teacher.got)
    time.sleep(0.1)
    assert seat.waiting == 3
    teacher.act = keep
    soon(lambda: seat.waiting == 0)
    assert capfd.readouterr().err == ""  # of a thread, a cell would show it


def test_a_redirect_is_not_followed(teacher):
    with listening() as elsewhere:
        seat = sending.join(teacher.url, 5)
        teacher.act = lambda h, said: h.reply(307, Location=elsewhere.url)
        record()
        soon(lambda: len(teacher.got) >= 2)
        assert not elsewhere.got and not elsewhere.asked and seat.waiting == 1


def test_no_proxy_sees_an_answer(teacher, monkeypatch):
    with listening() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        sending.join(teacher.url, 5)
        record()
        soon(lambda: teacher.got)
        assert not proxy.got and not proxy.asked


def test_an_answer_that_the_board_never_takes_does_not_hold_up_the_others(teacher):
    def act(handler, said):
        handler.reply(422) if said.get("chosen") == "odd" else keep(handler, said)

    teacher.act = act
    seat = sending.join(teacher.url, 5)
    for chosen in ("odd", "wrong axis"):
        answers.record("05", "softmax", "check", chosen, False)
    soon(lambda: seat.waiting == 0)
    assert [said["chosen"] for said in teacher.got] == ["odd", "wrong axis"]


def test_of_very_many_answers_the_last_are_kept(monkeypatch):
    monkeypatch.setattr(sending.Seat, "start", lambda self: None)
    seat = sending.Seat("http://a/room/ABCDE", 5)
    for k in range(sending.MOST_WAITING + 10):
        seat.add({"k": k})
    assert seat.waiting == sending.MOST_WAITING and seat._waiting[0][2] == {"k": 10}


def test_a_file_that_cannot_be_written_does_not_keep_an_answer_from_the_board(
    teacher, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GPTLIB_ANSWERS", str(tmp_path / "file" / "me.jsonl"))
    sending.join(teacher.url, 5)
    with pytest.raises(ValueError, match="could not be saved"):
        record()
    soon(lambda: teacher.got)


def test_where_no_thread_can_be_started_an_answer_is_recorded_all_the_same(teacher, monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setenv("GPTLIB_BOARD", teacher.url)
    with monkeypatch.context() as now:
        now.setattr(threading.Thread, "start", refuse)
        record()
    record()
    soon(lambda: len(teacher.got) == 2)


def test_a_program_that_has_answered_ends_though_the_board_is_silent():
    code = f"from gptlib.storage import answers; answers.record(*{LINES!r})"
    with listening(act=lambda handler, said: time.sleep(200)) as server:
        environment = os.environ | {"GPTLIB_BOARD": server.url}
        given = {"env": environment, "capture_output": True, "text": True, "timeout": 120}
        ended = subprocess.run([sys.executable, "-c", code], **given)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
