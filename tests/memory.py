"""What a command and all processes that it starts hold in memory together, on Linux."""

import subprocess
import sys
import time
from pathlib import Path


def held(pid, kind="Pss"):
    """Bytes that a process holds, of what it shares its part ("Rss": all); 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{kind}:"))


def family(pid):
    """The process, its children, and theirs."""
    found = [pid]
    for each in found:
        try:
            for children in Path(f"/proc/{each}/task").glob("*/children"):
                found += map(int, children.read_text().split())
        except OSError:
            pass
    return found


def peak_of(*arguments):
    """(most bytes held at once, standard output) of `python -m gptlib` with these arguments."""
    command = [sys.executable, "-m", "gptlib", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, sum(map(held, family(process.pid))))
            time.sleep(0.2)
        return peak, process.stdout.read()


def baseline():
    """Bytes that a Python holds that has imported gptlib and does nothing."""
    code = "import gptlib.cli, sys; print(flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as process:
        process.stdout.readline()
        idle = held(process.pid)
        process.stdin.close()
        return idle
