"""gptlib.formats.locks: one writer a folder, in this program and in others."""

import threading

import pytest

from gptlib.formats import locks
from gptlib.formats.locks import LOCK, InUse, sole_writer


def in_a_thread(work):
    """What `work` returns or raises in a thread of its own."""
    found = []

    def run():
        try:
            found.append(work())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    return found[0]


def ask(folder, wait=0.0):
    with sole_writer(folder, wait):
        return "mine"


def test_a_second_thread_is_refused_in_one_line_and_the_first_may_ask_again(tmp_path):
    with sole_writer(tmp_path):
        assert ask(tmp_path) == ask(tmp_path / ".") == "mine"
        refused = in_a_thread(lambda: ask(tmp_path))
        assert isinstance(refused, InUse) and str(tmp_path) in str(refused)
        assert "\n" not in str(refused)
        assert (tmp_path / LOCK).exists()
    assert in_a_thread(lambda: ask(tmp_path)) == "mine"
    assert list(tmp_path.iterdir()) == []


def test_a_second_that_waits_gets_its_turn(tmp_path):
    found = []
    with sole_writer(tmp_path):
        thread = threading.Thread(target=lambda: found.append(ask(tmp_path, 20)))
        thread.start()
        thread.join(0.1)
        assert not found
    thread.join(20)
    assert found == ["mine"]


def test_two_folders_do_not_wait_for_each_other(tmp_path):
    with sole_writer(tmp_path / "a"):
        assert in_a_thread(lambda: ask(tmp_path / "b")) == "mine"


def test_a_block_that_raises_gives_the_lock_back(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        with sole_writer(tmp_path / "new"):
            raise KeyboardInterrupt
    assert in_a_thread(lambda: ask(tmp_path)) == "mine"
    assert not (tmp_path / "new").exists()  # it was made for this, and nothing was written


def test_a_lock_file_that_a_crash_left_is_no_lock(tmp_path):
    (tmp_path / LOCK).touch()
    assert ask(tmp_path) == "mine"


@pytest.mark.skipif(locks.os.name == "nt", reason="Windows lets few users make links")
def test_a_link_by_the_name_of_the_lock_is_not_followed(tmp_path):
    (tmp_path / LOCK).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        ask(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_where_the_file_system_has_no_locks_everybody_writes(tmp_path, monkeypatch):
    def none(file):
        raise OSError(locks.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "_lock", none)
    assert ask(tmp_path) == "mine"


def test_many_threads_take_turns_and_none_is_left_out(tmp_path):
    inside, most, done = [0], [0], []

    def work(k):
        for _ in range(10):
            with sole_writer(tmp_path, 60):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1
        done.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(done) == list(range(8)) and most == [1]
