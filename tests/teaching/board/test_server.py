"""teaching.board.server: the code lets in, the key opens the teacher's page, nothing else does."""

import json
import socket
import sqlite3
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from boards import COURSE, message, running

from gptlib.teaching.board import counts, server
from gptlib.teaching.board.limits import Allowance
from gptlib.teaching.board.room import Room
from gptlib.teaching.board.store import Store

TEACHERS = [
    ("GET", "/teacher/events", None),
    ("POST", "/teacher/vote", {"lesson": "03", "name": "spread", "vote": 2}),
    ("POST", "/teacher/show", {"lesson": "03", "name": "spread", "shown": True}),
]


# ---- Students ----


def test_an_answer_is_kept_and_its_id_says_which(board):
    sent = message()
    status, said = board.send(**sent)
    assert (status, said) == (200, {"kept": sent["id"]})
    assert board.send(**sent) == (200, {"kept": sent["id"]})
    assert board.room.shown()["answers"] == 1


def test_a_class_of_300_may_send_at_the_same_moment(board):
    together = Barrier(300)

    def send(seat):
        together.wait()
        return board.send(seat=seat)[0]

    with ThreadPoolExecutor(300) as pool:
        found = list(pool.map(send, range(300)))
    assert found == [200] * 300
    assert board.room.shown()["answers"] == 300


def test_the_code_may_be_written_in_small_letters(board):
    assert board.ask("/room/abcde", message())[0] == 200


@pytest.mark.parametrize(
    "code", ["ABCDF", "", "A", "ABCDE1", "*", "%00", "ABCD%C3%89", "..%2f..%2f"]
)
def test_without_the_code_there_is_no_room(board, code):
    assert board.ask(f"/room/{code}", message())[0] == 404
    assert board.ask(f"/room/{code}")[0] == 404
    assert board.room.shown()["answers"] == 0


def test_guessing_codes_ends_soon_and_the_class_does_not_notice(board):
    tried = [board.ask(f"/room/AAAA{k}")[0] for k in range(25)]
    assert tried[:20] == [404] * 20 and set(tried[20:]) == {429}
    assert board.send()[0] == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{}", 422),
        (b"\xff" * 100, 422),
        (b"[" * 4000, 422),
        (json.dumps(message(chosen="a rude word")).encode(), 422),
        (json.dumps(message(seat="Mia")).encode(), 422),
        (json.dumps(message(chosen="a" * 5000)).encode(), 413),
        (b"x" * 100_000, 413),
    ],
)
def test_a_body_that_is_no_answer_is_refused(board, body, status):
    headers = {"Content-Type": "application/json"}
    got, _, text = board.ask("/room/ABCDE", body, headers)
    assert got == status and set(json.loads(text)) == {"error"}
    assert board.room.shown()["answers"] == 0


def test_a_page_of_another_site_can_neither_send_nor_read(board):
    """What a form can send without asking first is not JSON, and nobody is asked."""
    body = json.dumps(message()).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert board.ask("/room/ABCDE", body, {"Content-Type": kind})[0] == 415
    asking = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    status, headers, _ = board.ask("/room/ABCDE", headers=asking, method="OPTIONS")
    assert status == 405
    assert not [name for name in headers if name.lower().startswith("access-control")]


def test_a_seat_may_send_only_so_much_and_then_is_told_to_wait(board):
    tried = [board.ask("/room/ABCDE", message(seat=3)) for _ in range(32)]
    assert [status for status, *_ in tried[:30]] == [200] * 30
    status, headers, _ = tried[-1]
    assert status == 429 and int(headers["Retry-After"]) >= 1
    assert board.send(seat=4)[0] == 200


def test_an_address_may_send_only_so_much(board, monkeypatch):
    monkeypatch.setattr(server, "Allowance", lambda *_: Allowance(2, 0.001))
    with running(Room(Store(None), "ABCDE", COURSE)) as other:
        tried = [other.send(seat=seat)[0] for seat in range(4)]
    assert tried == [200, 200, 429, 429]


def test_a_full_room_asks_to_come_again(board, monkeypatch):
    monkeypatch.setattr(counts, "MOST_SEATS", 1)
    assert board.send(seat=1)[0] == 200
    assert board.send(seat=2)[0] == 503


def test_a_full_disk_is_said_to_students_and_teacher_and_nothing_counts(board, monkeypatch):
    def refuse(*_):
        raise sqlite3.OperationalError("database or disk is full")

    board.enter()
    with monkeypatch.context() as full:
        full.setattr(board.room._store, "add", refuse)
        full.setattr(board.room._store, "set_moment", refuse)
        assert board.send() == (503, {"error": "it could not be written"})
        vote = {"lesson": "03", "name": "spread", "vote": 2}
        assert board.ask("/teacher/vote", vote)[0] == 503
        assert board.room.shown()["answers"] == 0 and board.room.moments == {}
    assert board.send()[0] == 200


def test_a_browser_gets_a_page_that_says_how_to_join_and_a_notebook_a_word(board):
    status, headers, text = board.ask("/room/ABCDE", headers={"Accept": "text/html,*/*"})
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    assert f'teaching.join("{board.url}/room/ABCDE")' in text
    assert json.loads(board.ask("/room/ABCDE")[2]) == {"kept": ""}


def test_the_name_by_which_the_board_was_called_is_shown_as_text(board):
    headers = {"Accept": "text/html", "Host": 'x"><script>alert(1)</script>'}
    status, _, text = board.ask("/room/ABCDE", headers=headers)
    assert "<script>alert" not in text and status in (200, 400, 422)


# ---- The teacher ----


@pytest.mark.parametrize(("method", "path", "body"), TEACHERS)
@pytest.mark.parametrize("cookie", ["", "0" * 64, "é", "gptlib_board"])
def test_without_the_key_nothing_of_the_teachers_is_open(board, method, path, body, cookie):
    headers = {"Cookie": f"gptlib_board={cookie}".encode("latin-1").decode("latin-1")}
    status, _, text = board.ask(path, body, headers, method)
    assert status == 403 and "spread" not in text
    assert board.room.moments == {}


def test_the_key_is_guessed_only_so_often_and_the_code_is_not_the_key(board):
    tried = [board.ask("/teacher/open", {"key": "ABCDE"})[0] for _ in range(22)]
    assert tried[:20] == [403] * 20 and tried[-1] == 429
    assert board.ask("/teacher/open", {"key": ["x"]})[0] == 422
    board.enter()


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(board):
    _, headers, _ = board.ask("/teacher/open", {"key": board.room.key})
    cookie = headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Strict", "Path=/teacher"):
        assert part in cookie
    assert board.room.key not in cookie


def test_the_page_hears_of_a_vote_within_a_second_and_of_what_the_teacher_does(board):
    board.enter()
    states = board.states()
    event, course, _ = next(states)
    assert event == "course" and course["room"] == "ABCDE"
    assert course["wall"] == f"{board.url}/room/ABCDE"
    assert next(states)[1]["answers"] == 0
    for k in range(1, 4):
        sent = time.monotonic()
        board.send(seat=k)
        _, state, when = next(states)
        assert state["answers"] == k and when - sent < 1
    assert board.ask("/teacher/vote", {"lesson": "03", "name": "spread", "vote": 2})[0] == 200
    assert next(states)[1]["questions"][0]["vote"] == 2
    board.ask("/teacher/show", {"lesson": "03", "name": "spread", "shown": True})
    assert next(states)[1]["questions"][0]["right"] == "2 times"
    assert board.ask("/teacher/show", {"lesson": "03", "name": "odd", "shown": True})[0] == 422


def test_a_page_that_was_closed_leaves_nothing_behind_and_too_many_are_refused(board, monkeypatch):
    monkeypatch.setattr(server, "MOST_PAGES", 2)
    board.enter()
    first, second = board.states(), board.states()
    next(first), next(second)
    assert board.ask("/teacher/events")[0] == 503
    first.close()
    end = time.monotonic() + 20
    while time.monotonic() < end:
        board.send(
            seat=int(time.monotonic() * 1000) % 10_000
        )  # what it writes to the closed page fails
        try:
            assert next(board.states())[0] == "course"
            break
        except urllib.error.HTTPError:
            time.sleep(0.05)
    else:
        raise AssertionError("the closed page still counts")
    second.close()


# ---- Both ----


@pytest.mark.parametrize("path", ["/room/ABCDE", "/teacher", "/page/board.js", "/odd", "/"])
def test_every_reply_has_its_headers(board, path):
    _, headers, _ = board.ask(path)
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer" and headers["Cache-Control"] == "no-store"
    assert "aiohttp" not in headers["Server"] and "Python" not in headers["Server"]


@pytest.mark.parametrize(
    "path", ["/page/../server.py", "/page/%2e%2e/server.py", "/page/x", "/odd"]
)
def test_no_other_file_is_given_out(board, path):
    assert board.ask(path)[0] in (400, 404)


def test_what_is_not_even_http_disturbs_neither_class_nor_terminal(board, capfd, caplog):
    for junk in (
        b"\x16\x03\x01\x02\x00",
        b"GET " + b"a" * 100_000,
        b"POST /room/ABCDE HTTP/1.1\r\n",
    ):
        with socket.create_connection(("127.0.0.1", board.port), timeout=5) as connection:
            connection.sendall(junk)
    assert board.send()[0] == 200
    assert capfd.readouterr().err == "" and caplog.text == ""


def test_collected_files_take_no_answers():
    with running(Room(Store(None), "FILES", COURSE), open_to_students=False) as board:
        assert board.ask("/room/FILES", message())[0] == 404
        board.enter()
        assert next(board.states())[1]["open"] is False
