"""`gptlib board`: its options, and what goes wrong in one line; more is in tests/teaching/board."""

import json
import signal
import socket
import subprocess
import sys

import pytest
from command import refused, run, start


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--port", "70000"], "must be in 0..65535, not 70000"),
        (["--room", "ab"], "must be 4 to 12 letters (A to Z) or digits"),
        (["--room", "AB/../CD"], "must be 4 to 12 letters (A to Z) or digits"),
        (["--host", ""], "must not be empty"),
    ],
)
def test_an_option_that_means_nothing_is_refused(capsys, options, words):
    refused(run(capsys, "board", *options), words)


def test_without_its_packages_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    monkeypatch.delitem(sys.modules, "gptlib.teaching.board.running", raising=False)
    monkeypatch.delitem(sys.modules, "gptlib.teaching.board.server", raising=False)
    monkeypatch.delattr("gptlib.teaching.board.running", raising=False)
    refused(run(capsys, "board"), "pip install 'gptlib[teach,lessons]'")


def test_a_port_in_use_and_other_peoples_data_are_one_line(capsys, tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        where = ["--host", "127.0.0.1", "--port", str(other.getsockname()[1])]
        refused(run(capsys, "board", *where, "--data", str(tmp_path / "a")), "is in use")
    (tmp_path / "file").write_text("")
    refused(run(capsys, "board", "--data", str(tmp_path / "file")), "file")
    refused(run(capsys, "board", "--from", str(tmp_path / "absent")), "absent")
    refused(run(capsys, "board", "--from", str(tmp_path / "a")), "no .jsonl file")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_collected_files_are_shown_until_ctrl_c(tmp_path):
    answer = {"lesson": "03", "question": "odd", "kind": "question", "chosen": "a", "right": True}
    (tmp_path / "mia.jsonl").write_text(json.dumps(answer) + "\n")
    process = start("board", "--from", tmp_path, "--port", "0", text=True)
    assert process.stdout.readline().startswith("your page    http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert (process.returncode, out) == (0, "")
    assert err == "gptlib: left out as unreadable or unknown: 1 answers\n"
