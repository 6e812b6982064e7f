"""A limit on time that holds for loops which catch everything, and for those inside C.

Python code is ended by an exception that is raised again and again, so that a bare `except:`
catches one and not the next. `sum(itertools.count())` runs no Python code at all: where a function
names such things, a copy of the process tries it first, and can be killed.
"""

import ctypes
import io
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import CodeType, FrameType

import torch

from .blanks import code_of

AGAIN = 0.002  # seconds until the next try to end what does not end
AT_ONCE = 5e-5  # the same, by the alarm clock
LOOPS_IN_C = {"count", "cycle", "repeat", "iter", "product", "permutations", "combinations"}
MEMORY = 2**30  # bytes that the trial may take
FULL = 3  # its exit status where they did not suffice


class TooLongError(BaseException):
    """Not an Exception, so that no `except Exception` of the student's keeps it."""


@contextmanager
def quiet() -> Iterator[None]:
    """No warning of what the check itself does reaches the student."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def within(seconds: float, action: Callable[[], object]) -> object:
    """What an action gives, or TooLongError after some seconds; a debugger's user has all of them.

    It is raised wherever Python next looks for a signal, so that not even a loop in a loop goes on
    which catches everything.
    """
    if sys.gettrace():
        return action()
    main = threading.current_thread() is threading.main_thread()
    start = _alarm if main and hasattr(signal, "setitimer") else _watchdog
    rung: list[bool] = []
    stop = start(seconds, rung)
    try:
        try:
            result = _watched(action)
        finally:
            stop()
    finally:
        stop()
    if rung:  # the student's function has caught it
        raise TooLongError
    return result


def _watched(action: Callable[[], object]) -> object:
    return action()


def _alarm(seconds: float, rung: list[bool]) -> Callable[[], None]:
    """By the system's clock: it also wakes what sleeps."""

    ringing: list[bool] = []

    def ring(_: int, frame: FrameType | None) -> None:
        if ringing:  # a busy machine: the next alarm came before this function was done
            return
        ringing.append(True)
        try:
            while frame is not None and frame.f_code is not _watched.__code__:
                frame = frame.f_back
            if frame is not None:  # not while this module puts its things in order
                signal.setitimer(signal.ITIMER_REAL, AT_ONCE, AT_ONCE)
                rung.append(True)
                raise TooLongError
        finally:
            ringing.clear()

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)

    def stop() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    return stop


def _watchdog(seconds: float, rung: list[bool]) -> Callable[[], None]:
    """By a thread, where there is no alarm: on Windows, and outside the main thread."""
    done, watched = threading.Event(), ctypes.c_ulong(threading.get_ident())
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc

    def watch() -> None:
        pause = seconds
        while not done.wait(pause):
            rung.append(True)
            raise_in(watched, ctypes.py_object(TooLongError))
            pause = AGAIN

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()

    def stop() -> None:
        done.set()
        thread.join()
        raise_in(watched, None)  # one that was still to come

    return stop


# ---- Loops in C ----


def never_ends_in_c(function: Callable, given: tuple, seconds: float) -> bool:
    """Try a function in a copy of this process, if it names what may loop without an end in C."""
    main = threading.current_thread() is threading.main_thread()
    if not hasattr(os, "fork") or not main or sys.gettrace() or not _may_loop(function):
        return False
    with quiet():  # Python warns of threads, which the copy does not have and does not need
        child = os.fork()
    if child == 0:
        _try(function, given, seconds)
    try:
        return _killed(child, seconds + 1)
    except BaseException:  # Ctrl-C while waiting
        os.kill(child, signal.SIGKILL)
        raise


def _may_loop(function: Callable) -> bool:
    code = code_of(function)
    seen, todo = set(), [code] if code else []
    while todo:
        code = todo.pop()
        seen.add(code)
        if LOOPS_IN_C & {*code.co_names, *code.co_freevars}:
            return True
        called = getattr(function, "__globals__", {})
        inner = [c for c in code.co_consts if isinstance(c, CodeType)]
        own = [code_of(called.get(name)) for name in code.co_names if name in called]
        todo += [c for c in (*inner, *own) if c and c not in seen and len(seen) < 100]
    return False


def _try(function: Callable, given: tuple, seconds: float) -> None:
    """In the copy: run it with nothing to be seen, and go. Never returns."""
    status = 0
    try:
        sys.stdout = sys.stderr = io.StringIO()
        torch.set_num_threads(1)  # the threads of this process are not in its copy
        _limit_memory()
        result = within(seconds, lambda: function(*given))
        if isinstance(result, Iterator):
            within(seconds, lambda: sum(1 for _ in result))
    except MemoryError:
        status = FULL
    except BaseException:
        pass  # it will happen again where it is told
    finally:
        os._exit(status)


def _limit_memory() -> None:
    with suppress(ImportError, OSError, ValueError):
        import resource

        with open("/proc/self/statm") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))


def _killed(child: int, seconds: float) -> bool:
    """Wait for the copy. True: it was busy to the end, or its memory was full."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pid, status, _ = os.wait4(child, os.WNOHANG)
        if pid:
            return os.WIFEXITED(status) and os.WEXITSTATUS(status) == FULL
        time.sleep(AGAIN)
    os.kill(child, signal.SIGKILL)
    _, _, used = os.wait4(child, 0)
    return used.ru_utime + used.ru_stime > seconds / 30  # one that only waits proves nothing
