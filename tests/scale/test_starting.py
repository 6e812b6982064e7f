"""What the command sees to before PyTorch is loaded; what it does is in tests/cli."""

import os
import shutil
import subprocess
import sys
import threading

import pytest

from gptlib.scale import starting


@pytest.mark.parametrize(
    ("orig_argv", "argv", "expected"),
    [
        (["python", "/bin/gptlib", "train", "x"], ["/bin/gptlib", "train", "x"], True),
        (["python", "C:/Scripts/gptlib.exe"], ["C:/Scripts/gptlib.exe"], True),
        (["python", "-u", "-m", "gptlib", "doctor"], ["-m", "doctor"], True),
        (["python", "-mgptlib"], ["-m"], True),
        (["python", "-m", "pytest", "gptlib"], ["pytest/__main__.py", "gptlib"], False),
        (["python", "-c", "import gptlib", "gptlib"], ["-c", "gptlib"], False),
        (["python", "train.py", "gptlib"], ["train.py", "gptlib"], False),
        (["python"], [""], False),
        (["python"], [], False),
        (["python"], ["more", "than", "there", "was"], False),
    ],
)
def test_the_command_is_known_by_how_the_process_was_started(
    monkeypatch, orig_argv, argv, expected
):
    monkeypatch.setattr(sys, "orig_argv", orig_argv)
    monkeypatch.setattr(sys, "argv", argv)
    assert starting.is_command() is expected


def allow(monkeypatch, count):
    """Let the system start only so many threads."""
    real, started = threading.Thread.start, []

    def start(self):
        if len(started) == count:
            raise RuntimeError("can't start new thread")
        started.append(self)
        real(self)

    monkeypatch.setattr(threading.Thread, "start", start)


def test_threads_are_counted_by_starting_them_and_none_is_left(monkeypatch):
    before = threading.active_count()
    allow(monkeypatch, 3)
    assert not starting.can_start(4)
    monkeypatch.undo()
    allow(monkeypatch, 4)
    assert starting.can_start(4) and starting.can_start(0)
    assert threading.active_count() == before


@pytest.mark.parametrize(("allowed", "asked"), [(1, "2"), (2, "2"), (0, "1")])
def test_where_there_are_no_more_threads_one_is_asked_for_and_a_line_says_so(
    monkeypatch, capfd, allowed, asked
):
    monkeypatch.setattr(os, "environ", {"OMP_NUM_THREADS": asked})
    allow(monkeypatch, allowed)
    starting.one_thread_where_there_are_no_more()
    enough = allowed >= 2 * (int(asked) - 1)
    assert os.environ["OMP_NUM_THREADS"] == (asked if enough else "1")
    assert os.environ.get("OPENBLAS_NUM_THREADS") == (None if enough else "1")
    said = capfd.readouterr().err
    assert said.count("\n") == (not enough) and ("allows no more threads" in said) is not enough


@pytest.mark.skipif(not shutil.which("prlimit"), reason="needs Linux's prlimit")
def test_a_limit_of_processes_is_one_line_and_the_command_works_with_one_thread():
    command = ["prlimit", "--nproc=1", sys.executable, "-m", "gptlib"]
    if os.getuid() == 0:  # whom the limit does not bind: as somebody else, who may read all files
        if not shutil.which("setpriv"):
            pytest.skip("needs setpriv, to be somebody else than root")
        caps = "+dac_override,+dac_read_search"
        other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        command = [*other, f"--inh-caps=-all,{caps}", f"--ambient-caps=-all,{caps}", *command]
    command += ["sample", "--prompt", "The cat is", "--temperature", "0"]
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert result.returncode == 0 and result.stdout.startswith("The cat is sleeping.")
    assert result.stderr == "gptlib: the system allows no more threads: working with one\n"
