"""Ctrl-C at any moment, and a terminal that is closed: one line, status 130, and nothing lost."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import memory
import pytest
from command import TINY, start
from processes import Forked

from gptlib.storage import checkpoint
from gptlib.storage.runs import LOG, read_log

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]

# Windows, where these tests are skipped, has no SIGHUP.
ENDING = [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None)]
# What pip makes of the entry point in pyproject.toml.
SCRIPT = (
    "import sys\nfrom gptlib.cli import main\nif __name__ == '__main__':\n    sys.exit(main())\n"
)
ENDLESS = [word for word in TINY if word != "--quiet"] + ["--steps", "1000000"]
ENDLESS += ["--save-every", "1000000"]


def wait_until(true, process, seconds=60):
    end = time.monotonic() + seconds
    while not true() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    assert process.poll() is None and true(), "nothing to interrupt"


def loads_torch(process):
    return lambda: b"libtorch" in Path(f"/proc/{process.pid}/maps").read_bytes()


def twice(process):
    """Two presses, as of a hand that is in a hurry."""
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.03)


# Two commands stand for all: PyTorch is loaded before anyone reads which one it is.
@pytest.mark.parametrize("argv", ["doctor", "train --corpus pets --out absent"])
@pytest.mark.parametrize("script", [False, True])
def test_ctrl_c_while_modules_are_loaded_is_one_line(tmp_path, argv, script):
    argv = argv.split()
    if script:
        (tmp_path / "gptlib").write_text(SCRIPT)
        command = [sys.executable, str(tmp_path / "gptlib"), *argv]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, **pipes, process_group=0)
    else:
        process = start(*argv, process_group=0)
    wait_until(loads_torch(process), process)
    twice(process)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"gptlib: interrupted\n")


@pytest.mark.parametrize("processes", [2, 4])  # the first of them, and all at work
def test_ctrl_c_while_others_tokenize_is_one_line_and_nobody_is_left(tmp_path, corpus, processes):
    large = tmp_path / "large.txt"
    large.write_text(corpus.read_text() * 3000)
    options = ["--out", tmp_path / "shards", "--jobs", "2", "--tokenizer", "pets", "--quiet"]
    process = start("prepare", large, *options, process_group=0)
    wait_until(lambda: len(memory.family(process.pid)) >= processes, process)
    family = memory.family(process.pid)
    twice(process)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == b"gptlib: interrupted: run the same command again to continue\n"
    assert not any(map(memory.held, family))


@pytest.mark.parametrize("number", ENDING)
def test_a_run_that_is_told_to_end_saves_every_step(tmp_path, corpus, number):
    folder, out, err = tmp_path / "run", tmp_path / "out", tmp_path / "err"
    argv = ["train", "--corpus", corpus, "--out", folder, *ENDLESS, "--quiet"]
    process = Forked(argv, stdout=out, stderr=err)
    wait_until(lambda: (folder / LOG).exists(), process)
    os.kill(process.pid, number)
    assert process.wait() == 130 and out.read_bytes() == b""
    said = err.read_bytes()
    assert said.startswith(b"gptlib: interrupted after step ") and said.count(b"\n") == 1
    assert saved(folder) == len(read_log(folder))


def saved(folder):
    return checkpoint.load_training(folder)[1]["step"]


def test_a_terminal_that_is_closed_costs_no_step(tmp_path, corpus):
    folder, (ours, theirs) = tmp_path / "run", os.openpty()
    code = "import os, fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    code += f"os.execv({sys.executable!r}, {[sys.executable, '-m', 'gptlib']!r} + sys.argv[1:])"
    command = [sys.executable, "-c", "import sys; " + code, "train", "--corpus", str(corpus)]
    command += ["--out", str(folder), *ENDLESS]
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
    process = subprocess.Popen(command, **streams, start_new_session=True)
    os.close(theirs)
    wait_until(lambda: (folder / LOG).exists(), process)
    os.close(ours)  # the window is closed: SIGHUP, and whatever is shown is an error from now on
    assert process.wait(60) == 130
    assert saved(folder) == len(read_log(folder)) > 0


def ctrl_c_with_tee(folder, corpus, log, pause):
    """`gptlib train ... 2>&1 | tee log`, which goes on, until a Ctrl-C: (logged, saved) steps."""
    argv = ["train", "--corpus", corpus, "--out", folder, *ENDLESS, "--resume"]
    pipe = folder.with_name("pipe")
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    train = Forked(argv, stdout=pipe, stderr=pipe)
    # Opening waits for the other end, which `train` opens when it leads its group.
    with open(pipe, "rb") as shown, open(log, "wb") as kept:
        team = {"stdin": shown, "stdout": kept, "process_group": train.pid}
        tee = subprocess.Popen(["tee", "-a", log], **team)
    before = (folder / LOG).stat().st_mtime_ns if (folder / LOG).exists() else 0
    wait_until(
        lambda: (folder / LOG).exists() and (folder / LOG).stat().st_mtime_ns != before, train
    )
    time.sleep(pause)
    os.killpg(train.pid, signal.SIGINT)
    assert train.wait() == 130
    tee.wait(60)
    return len(read_log(folder)), saved(folder)


def test_ctrl_c_that_ends_tee_first_loses_no_step(tmp_path, corpus):
    for pause in (0.0, 0.1):
        logged, kept = ctrl_c_with_tee(tmp_path / "run", corpus, tmp_path / "log", pause)
        assert logged == kept > 0


@pytest.mark.soak
def test_tee_and_ctrl_c(tmp_path, corpus, record_property):
    moments, trials, lost, last = random.Random(0), 50, 0, 0
    for _ in range(trials):
        pause = moments.uniform(0, 0.3)
        logged, kept = ctrl_c_with_tee(tmp_path / "run", corpus, tmp_path / "log", pause)
        lost += logged != kept or kept <= last
        last = kept
    record_property(
        "soak", f"{trials} runs under `2>&1 | tee log`, each ended by Ctrl-C: lost {lost}"
    )
    assert lost == 0
