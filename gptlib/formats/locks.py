"""One writer a folder: the lock that a save, a run and a preparation hold while they write.

The operating system keeps the lock and releases it when its holder ends, however it ends. Leaves
out readers, who need no lock: files are replaced whole, and those of one save know each other.
"""

import errno
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK = ".gptlib.lock"  # empty; removed by its holder, and worth nothing where a crash left it
PAUSE = 0.02  # seconds between two tries
HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)

_mine: dict[tuple, list] = {}  # a folder's identity -> [thread, how often it holds it, the file]
_guard = threading.Lock()


class InUse(OSError):
    """Another program, or another thread of this one, is writing into the folder."""


@contextmanager
def sole_writer(folder: Path, wait: float = 0.0) -> Iterator[None]:
    """Inside, nobody else who asks for this lock writes into the folder, which is made if need be.

    A thread that holds the lock may ask for it again. Where the file system has no locks (some
    network drives) everybody gets it.

    Args:
        wait: seconds to wait for another writer to end.

    Raises:
        InUse: another one is still writing; one line.
        OSError: the folder cannot be made or written.
    """
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    key = _identity(folder)
    end = time.monotonic() + wait
    while not _take(key, folder):
        if time.monotonic() >= end:
            raise InUse(
                f"{folder}: another program is writing into it: wait until that has ended, or "
                "choose another folder"
            )
        time.sleep(PAUSE)
    try:
        yield
    finally:
        _give_back(key, folder)
        with suppress(OSError):  # something was written into it
            for place in new:
                place.rmdir()


def _identity(folder: Path) -> tuple:
    """The same for every spelling of a folder's path, and in this process alone."""
    return (os.getpid(), os.path.realpath(folder))


def _take(key: tuple, folder: Path) -> bool:
    with _guard:
        if key in _mine:
            thread, times, file = _mine[key]
            if thread != threading.get_ident():
                return False
            _mine[key] = [thread, times + 1, file]
            return True
        file = _open_locked(folder / LOCK)
        if file is not None:
            _mine[key] = [threading.get_ident(), 1, file]
        return file is not None


def _give_back(key: tuple, folder: Path) -> None:
    with _guard:
        _mine[key][1] -= 1
        if _mine[key][1]:
            return
        file = _mine.pop(key)[2]
        if os.name == "nt":
            os.close(file)
        with suppress(OSError):  # Windows: another process has it open
            (folder / LOCK).unlink()  # while it is still locked: who gets it next sees it gone
        if os.name != "nt":
            os.close(file)


def _open_locked(path: Path) -> int | None:
    """The lock's file, open and locked; None where somebody else has it."""
    no_link = getattr(os, "O_NOFOLLOW", 0)
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | no_link, 0o666)
    except PermissionError:
        if not path.exists():
            raise
        if os.name == "nt":  # it is just being removed
            return None
        file = os.open(path, os.O_RDONLY | no_link)  # a crash of another user's program left it
    try:
        _lock(file)
        if _is_at(file, path):  # else its last holder has removed it meanwhile
            return file
    except OSError as error:
        if error.errno not in HELD:
            return file  # this file system has no locks
    os.close(file)
    return None


def _lock(file: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False
