"""Ctrl-C and what ends a program: held back until an update is done, heard once, heard as one."""

import os
import signal
import threading
import time

import pytest

from gptlib.scale import signals
from gptlib.scale.signals import breakable, end_as_ctrl_c, undisturbed, uninterrupted

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to receive")
ENDING = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


@pytest.fixture
def sigint():
    """sigint(handler): what receives Ctrl-C at first; put back afterwards."""
    before = signal.getsignal(signal.SIGINT)
    yield lambda handler: signal.signal(signal.SIGINT, handler)
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", ENDING)
def test_being_told_to_end_is_heard_as_ctrl_c_and_not_during_the_last_save(number):
    with pytest.raises(KeyboardInterrupt), end_as_ctrl_c():
        signal.raise_signal(number)
    with end_as_ctrl_c(), undisturbed():
        signal.raise_signal(number)
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(number) == signal.SIG_DFL


def test_a_job_in_the_background_which_hears_no_ctrl_c_is_ended_by_sigterm(sigint):
    sigint(signal.SIG_IGN)
    with pytest.raises(KeyboardInterrupt), end_as_ctrl_c():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_what_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with end_as_ctrl_c(), uninterrupted():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_ctrl_c_within_a_moment_is_the_same_wish_and_a_later_one_is_another(monkeypatch):
    with breakable():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        monkeypatch.setattr(signals, "MOMENT", 0.01)
        time.sleep(0.02)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGINT, *ENDING])
def test_what_is_held_back_comes_when_the_block_is_done(number):
    done = []
    with pytest.raises(KeyboardInterrupt), end_as_ctrl_c(), uninterrupted():
        signal.raise_signal(number)
        done.append(True)
    assert done


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
