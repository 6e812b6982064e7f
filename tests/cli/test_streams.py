"""The command's streams: UTF-8 whatever the locale, and one line where a stream is of no use."""

import io
import json
import os
import subprocess
import sys

import pytest
from command import TINY, refused, run, weights

import gptlib
from gptlib import cli
from gptlib.cli import streams

CAFE = [99, 97, 102, 195, 169, 10]  # the ids of "café\n" by the pets tokenizer: its bytes
shell = pytest.mark.skipif(not os.path.exists("/bin/sh"), reason="there is no sh")


def by_shell(redirection, *argv, stdin=subprocess.DEVNULL, **environment):
    """Run `gptlib` with a shell's redirection of its streams."""
    command = ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-m", "gptlib"]
    environment = os.environ | environment
    options = {"capture_output": True, "env": environment, "timeout": 120}
    if isinstance(stdin, bytes):
        return subprocess.run([*command, *argv], input=stdin, **options)
    return subprocess.run([*command, *argv], stdin=stdin, **options)


def ids(result):
    return [int(line.split()[0]) for line in result.stdout.splitlines()]


@shell
@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "cp1252"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}],
    ids=["cp1252", "C"],
)
def test_standard_input_and_arguments_are_utf_8_whatever_the_locale_is(environment):
    text = "caf\u00e9\n".encode()
    assert ids(by_shell("", "tokenize", "-", stdin=text, **environment)) == CAFE
    assert ids(by_shell("", "tokenize", text, **environment)) == CAFE


@shell
def test_a_file_is_found_by_a_name_that_the_locale_cannot_read(tmp_path):
    name = os.fsencode(tmp_path / "caf\u00e9-") + b"\xe9"
    gptlib.load("pets")[1].save(os.fsdecode(name) + "/tokenizer.json")
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0"}
    assert ids(by_shell("", "tokenize", "--model", name, "a", **plain)) == [97]
    found = by_shell("", "train", "--corpus", name + b"-absent", "--out", name, **plain)
    assert found.returncode == 2 and found.stderr.startswith(b"gptlib: " + name + b"-absent: no ")


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


@shell
@pytest.mark.parametrize(
    ("redirection", "argv", "status", "said"),
    [
        ("<&-", ["tokenize", "-"], 2, b"gptlib: standard input: is closed\n"),
        (">&-", ["tokenize", "a"], 2, b"gptlib: standard output: is closed\n"),
        (">/dev/full", ["doctor"], 2, b"gptlib: standard output: No space left on device\n"),
        (">/dev/full", ["train", "--help"], 2, b"gptlib: standard output: No space left on"),
        (">/dev/full 2>&1", ["tokenize", "a"], 2, b""),
        ("2>&-", ["tokenize"], 2, b""),
        ("<&- >&- 2>&-", ["tokenize", "a"], 2, b""),
    ],
)
def test_a_stream_that_cannot_be_used_is_one_line_where_there_is_one(
    redirection, argv, status, said
):
    if "/dev/full" in redirection and not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    result = by_shell(redirection, *argv)
    assert result.returncode == status and result.stdout == b""
    assert result.stderr.startswith(said) and result.stderr.count(b"\n") == (said != b"")


@shell
@pytest.mark.skipif(not os.path.exists("/dev/stdin"), reason="there is no /dev/stdin")
def test_a_run_on_a_text_that_comes_through_a_pipe_is_that_on_its_file(corpus, tmp_path):
    for name, text in (("/dev/stdin", corpus.read_bytes()), (str(corpus), b"")):
        out = tmp_path / name.replace("/", "_")
        result = by_shell("", "train", "--corpus", name, "--out", str(out), *TINY, stdin=text)
        assert (result.returncode, result.stderr) == (0, b"")
    piped, filed = (weights(folder) for folder in sorted(tmp_path.glob("_*")))
    assert piped == filed
    argv = ["train", "--corpus", "/dev/stdin", "--out", str(tmp_path / "no")]
    short = by_shell("", *argv, stdin=b"a")
    assert short.returncode == 2 and short.stderr.count(b"\n") == 1
    assert short.stderr.startswith(b"gptlib: /dev/stdin: has 1 characters")


@shell
@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "2>&1 >/dev/full", ">&-"])
def test_a_run_ends_well_and_is_saved_whatever_becomes_of_its_streams(
    corpus, tmp_path, redirection
):
    if "/dev/full" in redirection and not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    options = [option for option in TINY if option != "--quiet"]
    argv = ["train", "--corpus", str(corpus), "--out", str(tmp_path / "run"), *options]
    result = by_shell(redirection, *argv)
    assert gptlib.storage.checkpoint.load_training(tmp_path / "run")[1]["step"] == 12
    if redirection.startswith("2>") and "&1" not in redirection:
        assert result.returncode == 0 and json.loads(result.stdout)["steps"] == 12
    else:  # the line of JSON was asked for and is missing
        assert result.returncode == 2 and b"Traceback" not in result.stderr


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
