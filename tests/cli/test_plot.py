"""`gptlib plot`: the losses of a run as a picture; more of it is in tests/storage/test_runs.py."""

import os
import subprocess
import sys

import pytest
from command import refused, run


def test_what_is_no_run_is_refused_in_one_line(capsys, tmp_path):
    refused(run(capsys, "plot", str(tmp_path / "absent")), "absent: no such folder")
    refused(run(capsys, "plot", str(tmp_path)), "there is no log.jsonl")
    refused(run(capsys, "plot", str(tmp_path), "--out", "a.gif"), "must end in .png or .svg")


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="there is no /dev/null")
def test_a_home_that_cannot_be_written_to_is_no_matter(train, tmp_path):
    train("run", "--steps", "2")
    home = {"HOME": "/dev/null/home", "XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": ""}
    command = [sys.executable, "-m", "gptlib", "plot", str(tmp_path / "run")]
    environment = {k: v for k, v in os.environ.items() if k != "MPLCONFIGDIR"} | home
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    picture = tmp_path / "run" / "loss.png"
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{picture}\n", "")
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(os.name == "nt", reason="Windows counts the whole path")
def test_a_name_as_long_as_a_name_may_be_is_written(train, capsys, tmp_path):
    folder = "n" * 254
    train(folder, "--steps", "2")
    for name in ("p" * 250 + ".svg", "\u00e9" * 125 + ".svg"):
        assert run(capsys, "plot", str(tmp_path / folder), "--out", str(tmp_path / name))[0] == 0
        assert (tmp_path / name).is_file()
    refused(run(capsys, "sample", "--prompt", "a", "--model", "m" * 260), "File name too long")
