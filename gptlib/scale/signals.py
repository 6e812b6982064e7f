"""Ctrl-C and the signals that end a program: held back, heard as Ctrl-C, or the end at once.

Loads nothing, since `gptlib.scale.starting` needs it before PyTorch is there.
"""

import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# What ends a run that should save first: torchrun, SLURM or a shutdown send SIGTERM, and a terminal
# that is closed sends SIGHUP, which Windows does not have.
ENDING = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
MOMENT = 1.0  # seconds: a Ctrl-C so soon after another is the same wish

_last = [-math.inf]  # when a signal was last acted on


@contextmanager
def handled(signals, handler) -> Iterator[None]:
    """Inside, `handler` receives these signals; afterwards what received them before does.

    Only the main thread may say so. In any other this changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before or signal.SIG_DFL)


def not_ignored(signals) -> list:
    """A signal that is ignored stays so: `nohup`, or a shell that put us aside, asked for that."""
    return [number for number in signals if signal.getsignal(number) != signal.SIG_IGN]


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C and `ENDING` back until the block is done, so that it is done whole."""
    received = []
    try:
        signals = not_ignored([*ENDING, signal.SIGINT])
        with handled(signals, lambda number, _: received.append(number)):
            yield
    finally:
        if received:
            signal.raise_signal(received[0])


def breakable():
    """Inside, Ctrl-C is a KeyboardInterrupt, and a second one within a moment is not heard.

    So what the first one set off, a save or the end of other processes, is not broken off.
    """
    return _broken_off_by(signal.SIGINT)


def end_as_ctrl_c():
    """Inside, being told to end (`ENDING`) is what Ctrl-C is, and that is as in `breakable`."""
    return _broken_off_by(*ENDING, signal.SIGINT)


def undisturbed():
    """Inside, neither Ctrl-C nor being told to end is heard: for the save that ends a run."""
    return handled([*ENDING, signal.SIGINT], signal.SIG_IGN)


def leave(*_) -> None:
    """A handler that ends the process at once, with one line and status 130.

    For a time in which nothing would be lost. While modules are loaded, an exception that comes out
    of nowhere may be swallowed, or end as an error of the module's own.
    """
    if _is_new():
        if os.environ.get("RANK", "0") == "0":  # of several processes one says it
            with suppress(OSError):
                os.write(2, b"gptlib: interrupted\n")
        os._exit(130)


@contextmanager
def _broken_off_by(*signals) -> Iterator[None]:
    _last[0] = -math.inf
    with handled(not_ignored(signals), _break_off):
        yield


def _break_off(*_) -> None:
    if _is_new():
        raise KeyboardInterrupt


def _is_new() -> bool:
    now = time.monotonic()
    new = now - _last[0] >= MOMENT
    if new:
        _last[0] = now
    return new
