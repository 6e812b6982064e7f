"""Ctrl-C and the signals that end a program: held back, or heard as Ctrl-C, for a while."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# What ends a run that should save first: torchrun, SLURM or a shutdown send SIGTERM, and a terminal
# that is closed sends SIGHUP, which Windows does not have.
ENDING = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


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


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold a Ctrl-C back until the block is done, so that it is done whole."""
    pressed = []
    try:
        with handled([signal.SIGINT], lambda *_: pressed.append(True)):
            yield
    finally:
        if pressed:
            signal.raise_signal(signal.SIGINT)


def end_as_ctrl_c():
    """Inside, being told to end (`ENDING`) is what Ctrl-C is.

    A signal that is ignored stays ignored: `nohup` has asked for that.
    """
    heard = [number for number in ENDING if signal.getsignal(number) != signal.SIG_IGN]
    return handled(heard, lambda *_: signal.raise_signal(signal.SIGINT))


def undisturbed():
    """Inside, neither Ctrl-C nor being told to end is heard: for the save that ends a run."""
    return handled([signal.SIGINT, *ENDING], signal.SIG_IGN)
