"""What the `gptlib` command sees to before PyTorch is loaded: streams, Ctrl-C, and threads.

`import gptlib` imports this first. In any other program it changes nothing.
"""

import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

from .signals import leave, not_ignored

# How many threads OpenMP, the BLAS of NumPy and that of PyTorch start, one for each core.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def is_command() -> bool:
    """Whether this process was started as `gptlib ...` or as `python -m gptlib ...`.

    Python says how it was started, with all that it was given: the program's name comes before
    the program's own arguments.
    """
    name = sys.orig_argv[-len(sys.argv)] if 0 < len(sys.argv) <= len(sys.orig_argv) else ""
    return Path(name).stem.removeprefix("-m") == "gptlib"


def open_streams() -> None:
    """Give a closed stream's number to /dev/null, or the next file to be opened would have it.

    Then what is written to the stream, by a library in C say, would end up in that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            os.set_inheritable(opened, True)


def one_thread_where_there_are_no_more() -> None:
    """Ask for one thread where the system refuses more, and say so.

    OpenMP ends a program that gets no thread, and no message of ours would be shown.
    """
    asked = os.environ.get(THREADS[0], "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    wanted = int(asked) if asked.isdecimal() else cores or 1
    if not can_start(2 * (wanted - 1)):  # OpenMP's and the BLAS's
        os.environ.update(dict.fromkeys(THREADS, "1"))
        with suppress(OSError):
            os.write(2, b"gptlib: the system allows no more threads: working with one\n")


def can_start(count: int) -> bool:
    """Whether so many threads can be there at once."""
    end, threads = threading.Event(), []
    try:
        for _ in range(count):
            threads.append(threading.Thread(target=end.wait, daemon=True))
            threads[-1].start()
        return True
    except RuntimeError:
        threads.pop()  # which was not started
        return False
    finally:
        end.set()
        for thread in threads:
            thread.join()


if is_command() and threading.current_thread() is threading.main_thread():
    for number in not_ignored([signal.SIGINT]):
        signal.signal(number, leave)
    open_streams()
    one_thread_where_there_are_no_more()
