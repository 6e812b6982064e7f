"""The `gptlib` command as a whole: help, versions, and what all subcommands do alike."""

import io

from command import refused, run

import gptlib
from gptlib import cli


def test_a_stream_that_cannot_show_a_sign_gets_its_number(pets, monkeypatch):
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", narrow)
    assert cli.main(["sample", "--prompt", "caf\u00e9", "--max-new-tokens", "0"]) == 0
    assert narrow.buffer.getvalue().decode() == "caf\\xe9\n"


def test_no_command_and_help_and_version(capsys):
    refused(run(capsys), "required: command")
    assert run(capsys, "--version") == (0, f"gptlib {gptlib.__version__}\n", "")
    assert "--n-layer" in run(capsys, "train", "--help")[1]
