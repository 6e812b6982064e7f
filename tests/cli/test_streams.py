"""The command's streams: UTF-8 whatever the locale, and one line where a stream is of no use."""

import io
import json
import os
import subprocess
import sys

import pytest
from command import TINY, refused, run, weights
from processes import forked

import gptlib
from gptlib import cli
from gptlib.cli import streams

CAFE = [99, 97, 102, 195, 169, 10]  # the ids of "café\n" by the pets tokenizer: its bytes
shell = pytest.mark.skipif(not os.path.exists("/bin/sh"), reason="there is no sh")


# Calls `main` with each of the lists of arguments that a comma divides, after one start of Python;
# the exit status has the digits of theirs. Called gptlib, the file is known as the command.
SEVERAL = """
import sys
from gptlib.cli import main
calls = [[]]
for word in sys.argv[1:]:
    calls.append([]) if word == "," else calls[-1].append(word)
sys.exit(int("".join(str(main(call)) for call in calls)))
"""


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    program = tmp_path_factory.mktemp("bin") / "gptlib"
    program.write_text(SEVERAL)
    return [program]


def by_shell(redirection, *argv, program=("-m", "gptlib"), stdin=b"", **environment):
    """Run `gptlib` with a shell's redirection of its streams."""
    command = ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, *program, *argv]
    environment = os.environ | environment
    return subprocess.run(command, input=stdin, capture_output=True, env=environment, timeout=120)


def ids(result):
    return [int(line.split()[0]) for line in result.stdout.splitlines()]


@shell
@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "cp1252"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}],
    ids=["cp1252", "C"],
)
def test_standard_input_and_arguments_are_utf_8_whatever_the_locale_is(several, environment):
    text = "caf\u00e9\n".encode()
    argv = ["tokenize", "-", ",", "tokenize", text]
    result = by_shell("", *argv, program=several, stdin=text, **environment)
    assert result.returncode == 0 and ids(result) == CAFE + CAFE


@shell
def test_a_file_is_found_by_a_name_that_the_locale_cannot_read(several, tmp_path):
    name = os.fsencode(tmp_path / "caf\u00e9-") + b"\xe9"
    gptlib.load("pets")[1].save(os.fsdecode(name) + "/tokenizer.json")
    argv = ["tokenize", "--model", name, "a", ","]
    argv += ["train", "--corpus", name + b"-absent", "--out", name]
    found = by_shell("", *argv, program=several, LC_ALL="C", PYTHONUTF8="0")
    assert found.returncode == 2 and ids(found) == [97]
    assert found.stderr.startswith(b"gptlib: " + name + b"-absent: no ")


def stdin(monkeypatch, data):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data), "cp1252"))


def test_what_is_not_utf_8_is_said_with_its_place(capsys, monkeypatch):
    refused(run(capsys, "tokenize", "caf\udce9"), "TEXT: not UTF-8 at byte 3")
    refused(run(capsys, "sample", "--prompt", "a\udcff"), "--prompt: not UTF-8 at byte 1")
    refused(run(capsys, "tokenize", "\ud800"), "lone surrogate")
    stdin(monkeypatch, b"caf\xe9")
    refused(run(capsys, "tokenize", "-"), "standard input: not UTF-8 at byte 3")


def test_standard_input_is_taken_as_it_is_but_for_the_mark_and_to_a_limit(capsys, monkeypatch):
    stdin(monkeypatch, b"\xef\xbb\xbfa\r\n")
    _, out, _ = run(capsys, "tokenize", "-")
    assert [int(line.split()[0]) for line in out.splitlines()] == [97, 13, 10]
    monkeypatch.setattr(streams, "LONGEST", 5)
    stdin(monkeypatch, b"12345")
    assert run(capsys, "tokenize", "-")[0] == 0
    stdin(monkeypatch, b"123456")
    refused(run(capsys, "tokenize", "-"), "standard input: has more than 5 bytes")


# ---- Streams that are closed from the start ----


def shown_run(corpus, folder):
    options = [option for option in TINY if option != "--quiet"]
    return ["train", "--corpus", str(corpus), "--out", str(folder / "run"), *options]


def check_saved(folder, of_use, status, out, err):
    """All of the run is saved; without its line of JSON, which was asked for, it failed."""
    assert gptlib.storage.checkpoint.load_training(folder / "run")[1]["step"] == 12
    assert b"Traceback" not in err
    assert json.loads(out)["steps"] == 12 if of_use == "stdout" else out == b""
    assert status == (0 if of_use == "stdout" else 2)


@shell
def test_standard_input_or_output_that_is_closed_is_one_line_and_a_run_is_saved(
    several, corpus, tmp_path
):
    argv = ["tokenize", "-", ",", "tokenize", "a", ",", *shown_run(corpus, tmp_path)]
    result = by_shell("<&- >&-", *argv, program=several)
    unread, unsaid, run = map(int, str(result.returncode))
    out_is_closed = b"gptlib: standard output: is closed\n"
    lines = b"gptlib: standard input: is closed\n" + out_is_closed
    assert (unread, unsaid) == (2, 2) and result.stderr.startswith(lines)
    said = result.stderr.removeprefix(lines)
    assert said.count(b"gptlib: ") == 1 and said.endswith(out_is_closed)
    check_saved(tmp_path, "stderr", run, result.stdout, said)


@shell
def test_where_standard_error_is_closed_nothing_is_said_and_a_run_ends_well(
    several, corpus, tmp_path
):
    argv = ["tokenize", ",", *shown_run(corpus, tmp_path)]
    result = by_shell("2>&-", *argv, program=several)
    misused, run = map(int, str(result.returncode))
    assert misused == 2 and result.stderr == b""
    check_saved(tmp_path, "stdout", run, result.stdout, b"")


@shell
def test_where_all_streams_are_closed_the_status_says_it():
    result = by_shell("<&- >&- 2>&-", "tokenize", "a")
    assert (result.returncode, result.stdout, result.stderr) == (2, b"", b"")


# ---- Streams that take nothing ----

FULL = "/dev/full"
NO_SPACE = b"gptlib: standard output: No space left on device\n"
full = pytest.mark.skipif(not os.path.exists(FULL), reason=f"there is no {FULL}")


@full
@pytest.mark.parametrize(
    ("argv", "streams", "said"),
    [
        (["doctor"], {"stdout": FULL}, NO_SPACE),
        (["train", "--help"], {"stdout": FULL}, NO_SPACE),
        (["tokenize", "a"], {"stdout": FULL, "stderr": FULL}, b""),
    ],
)
def test_standard_output_that_is_full_is_one_line_where_there_is_one(tmp_path, argv, streams, said):
    assert forked(tmp_path, argv, **streams) == (2, b"", said)


@full
@pytest.mark.parametrize(("broken", "of_use"), [("stderr", "stdout"), ("stdout", "stderr")])
def test_a_run_ends_well_and_is_saved_where_a_stream_takes_nothing(
    corpus, tmp_path, broken, of_use
):
    argv = shown_run(corpus, tmp_path)
    check_saved(tmp_path, of_use, *forked(tmp_path, argv, **{broken: FULL}))


# ---- Pipes ----


@pytest.fixture
def pipe():
    """pipe(data): standard input is a pipe that has it."""
    before = os.dup(0)

    def hold(data):
        read, write = os.pipe()
        os.write(write, data)
        os.dup2(read, 0)
        os.close(read), os.close(write)

    yield hold
    os.dup2(before, 0)
    os.close(before)


@pytest.mark.skipif(not os.path.exists("/dev/stdin"), reason="there is no /dev/stdin")
def test_a_run_on_a_text_that_comes_through_a_pipe_is_that_on_its_file(
    train, pipe, corpus, tmp_path
):
    pipe(corpus.read_bytes())
    for out, place in (("piped", "/dev/stdin"), ("filed", corpus)):
        status, _, err = train(out, corpus=place)
        assert (status, err) == (0, "")
    assert weights(tmp_path / "piped") == weights(tmp_path / "filed")
    pipe(b"a")
    refused(train("no", corpus="/dev/stdin"), "gptlib: /dev/stdin: has 1 characters")


@pytest.mark.skipif(os.name == "nt", reason="Windows says it with another error")
@pytest.mark.parametrize("argv", [["--help"], ["train", "--help"], ["tokenize", "The cat is"]])
def test_a_reader_that_had_enough_is_no_error(capsys, monkeypatch, argv):
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        assert cli.main(argv) == 1
    assert capsys.readouterr().err == ""


def test_a_stream_that_cannot_show_a_sign_gets_its_number_and_bytes_go_out_as_they_came():
    assert "\u20ac caf\udce9".encode("ascii", "gptlib") == b"\\u20ac caf\xe9"
    assert "\ud800".encode("utf-8", "gptlib") == b"\\ud800"
