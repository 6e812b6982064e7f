"""gptlib.scale.signals: Ctrl-C held back, and signals to end heard as Ctrl-C."""

import os
import signal
import threading

import pytest

from gptlib.scale.signals import ENDING, end_as_ctrl_c, undisturbed, uninterrupted

not_on_windows = pytest.mark.skipif(os.name == "nt", reason="Windows sends no such signals")


def test_a_ctrl_c_inside_waits_for_the_end_of_the_block():
    done = []
    with pytest.raises(KeyboardInterrupt):
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            done.append(True)
    assert done == [True]


@not_on_windows
@pytest.mark.parametrize("number", ENDING)
def test_a_signal_to_end_is_heard_as_ctrl_c_and_not_during_the_last_save(number):
    with pytest.raises(KeyboardInterrupt), end_as_ctrl_c():
        signal.raise_signal(number)
    with end_as_ctrl_c(), undisturbed():
        signal.raise_signal(number)


@not_on_windows
def test_a_signal_that_is_ignored_stays_ignored_as_nohup_wants_it():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with end_as_ctrl_c():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_handlers_of_before_are_back_afterwards_and_other_threads_change_none():
    before = [signal.getsignal(number) for number in (signal.SIGINT, *ENDING)]
    with end_as_ctrl_c(), undisturbed(), uninterrupted():
        pass
    inside = []

    def elsewhere():
        with end_as_ctrl_c(), undisturbed(), uninterrupted():
            inside.append([signal.getsignal(number) for number in (signal.SIGINT, *ENDING)])

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert [signal.getsignal(number) for number in (signal.SIGINT, *ENDING)] == before
    assert inside == [before]
