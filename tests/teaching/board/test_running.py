"""teaching.board.running: one board a folder, a port that is said to be taken, and no vote lost."""

import json
import random
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections import Counter

import pytest
from boards import COURSE, free_port, kill, message, start_board

from gptlib.teaching.board import running
from gptlib.teaching.board.store import Store

pytestmark = pytest.mark.thorough


def serve(folder, port, **different):
    given = {"folder": folder, "code": "ABCDE", "host": "127.0.0.1", "port": port, "say": print}
    running.serve(COURSE, **(given | different))


def test_a_port_that_is_in_use_is_said_in_one_line(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ValueError, match=f"port {port} of 127.0.0.1 is in use.*--port$"):
            serve(tmp_path / "data", port)
    with pytest.raises(ValueError, match="^--host no.such.host.invalid: "):
        serve(tmp_path / "data", 0, host="no.such.host.invalid")


def test_the_code_has_letters_that_cannot_be_mistaken_and_differs_each_time():
    codes = {running.new_code() for _ in range(200)}
    assert len(codes) > 190 and all(len(code) == 5 for code in codes)
    assert not set("".join(codes)) & set("IO01")


def test_the_address_on_the_wall_is_one_that_others_can_reach():
    assert running.reachable("192.168.1.20") == "192.168.1.20"
    assert running.reachable("0.0.0.0") not in ("0.0.0.0", "", None)
    assert running.reachable("::") not in ("::", "")


# ---- As a teacher starts it ----


def send(port, sent):
    """Whether the board says that it has kept this answer."""
    body, headers = json.dumps(sent).encode(), {"Content-Type": "application/json"}
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/room/ABCDE", body, headers)
    try:
        with urllib.request.urlopen(asked, timeout=10) as reply:
            return json.loads(reply.read()) == {"kept": sent["id"]}
    except (OSError, ValueError, urllib.error.URLError):
        return False


def lesson_vote(seat):
    from gptlib.teaching.asked import catalogue  # noqa: PLC0415

    key, asked = sorted(catalogue().questions.items())[0]
    named = {"lesson": key[0], "question": key[1], "kind": "prediction"}
    return message(seat=seat, chosen=asked.choices[0], **named)


def test_kill_9_loses_no_vote_that_was_acknowledged_and_none_counts_twice(tmp_path):
    """A class votes without a break; the board is killed at random moments and started again."""
    port, chance, over = free_port(), random.Random(0), threading.Event()
    template, acknowledged, sent = lesson_vote(0), [], []

    def student(number):
        k = 0
        while not over.is_set():
            k += 1
            mine = (
                template
                | message(seat=1000 * number + k)
                | {name: template[name] for name in ("lesson", "question", "kind", "chosen")}
            )
            sent.append(mine["id"])
            while not send(port, mine):  # again with the same id
                if over.wait(0.05):
                    return
            acknowledged.append(mine["id"])

    class_ = [threading.Thread(target=student, args=(number,)) for number in range(1, 5)]
    board = start_board(tmp_path, port)
    for thread in class_:
        thread.start()
    for _ in range(3):
        before = len(acknowledged)
        end = time.monotonic() + 30
        while len(acknowledged) < before + 10 and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.1))
        kill(board)
        board = start_board(tmp_path, port)
    over.set()
    for thread in class_:
        thread.join(30)
    kill(board)
    kept = Counter(answer.id for answer, _ in Store(tmp_path).answers("ABCDE"))
    assert len(acknowledged) >= 30
    assert set(acknowledged) <= set(kept) <= set(sent) and set(kept.values()) == {1}


def test_a_second_board_on_the_same_data_is_refused_and_the_first_goes_on(tmp_path):
    port = free_port()
    first = start_board(tmp_path, port)
    try:
        assert first.lines[0] == f"on the wall  http://127.0.0.1:{port}/room/ABCDE\n"
        assert f"http://127.0.0.1:{port}/teacher#" in first.lines[1]
        with pytest.raises(RuntimeError, match="another board is using this data"):
            start_board(tmp_path, free_port(), "OTHER")
        assert send(port, lesson_vote(1))
        first.send_signal(signal.SIGINT)
        out, err = first.communicate(timeout=60)
        assert (first.returncode, out, err) == (0, "closed; all votes are kept\n", "")
    finally:
        kill(first) if first.poll() is None else None
    again = start_board(tmp_path, port)
    assert again.lines[1] == first.lines[1]  # the teacher's page opens as before
    again.terminate()
    assert again.wait(60) == 0
