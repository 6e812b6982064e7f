"""Chunks of text to ids over several processes, in order.

Leaves out what the chunks are cut from (`chunks`) and where the ids go (`prepare`).
"""

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from types import ModuleType

import numpy as np

from ..formats.values import reason
from ..tokenizer import Tokenizer
from .chunks import Chunk
from .documents import STOP
from .signals import uninterrupted
from .starting import can_start


def encode_in_order(
    chunks: Iterable[Chunk], tokenizer: Path, kind: str, jobs: int
) -> Generator[tuple[Chunk, bytes], None, None]:
    """(chunk, its ids) in the order of the chunks, of which only a few are under way at a time.

    Where the system starts no other process this one does the work, and a UserWarning says so.
    """
    pool = _pool(jobs, tokenizer, kind) if jobs > 1 else None
    try:
        if pool is not None and _begins(pool):
            yield from _spread(chunks, pool, jobs)
        else:
            encode = Encoder(tokenizer, kind)
            yield from ((chunk, encode(chunk)) for chunk in chunks)
    except BrokenProcessPool as error:
        why = "a process was ended from outside (out of memory?)"
        raise OSError(f"{why}: run the same command again to continue") from error
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)


def _spread(
    chunks: Iterable[Chunk], pool: ProcessPoolExecutor, jobs: int
) -> Iterator[tuple[Chunk, bytes]]:
    waiting: deque[tuple[Chunk, Future[bytes]]] = deque()
    for chunk in chunks:
        with _alone():
            waiting.append((chunk, pool.submit(_encode, chunk)))
        if len(waiting) > 2 * jobs:
            chunk, ids = waiting.popleft()
            yield chunk, ids.result()
    while waiting:
        chunk, ids = waiting.popleft()
        yield chunk, ids.result()


class Encoder:
    """Chunk -> the bytes of its ids."""

    def __init__(self, tokenizer: Path, kind: str) -> None:
        self.tokenizer, self.kind = Tokenizer.load(tokenizer), kind

    def __call__(self, chunk: Chunk) -> bytes:
        text, eos_id = chunk.read(), self.tokenizer.eos_id
        if chunk.documents and chunk.last:
            text = text.rstrip("\r\n")
        ids = self.tokenizer.encode(text, (STOP,) if chunk.documents else ())
        if chunk.last and eos_id is not None and ids[-1:] != [eos_id]:
            ids.append(eos_id)
        return np.array(ids, self.kind).tobytes()


def _pool(jobs: int, tokenizer: Path, kind: str) -> ProcessPoolExecutor | None:
    """A pool that has not begun; None where the system allows no more processes."""
    # Processes forked from one that has imported gptlib share its memory; Windows has no fork.
    context = multiprocessing.get_context("spawn" if os.name == "nt" else "forkserver")
    try:
        if not can_start(3 * jobs + 2):  # as many as the pool has processes and threads
            raise OSError("a limit of the system")
        if os.name != "nt":
            context.set_forkserver_preload([__name__])
            resource_tracker.ensure_running()  # before `_alone`, whose mask it would undo
    except OSError as error:
        _warn(error)
        return None
    return ProcessPoolExecutor(jobs, context, _start_worker, (tokenizer, kind))


def _begins(pool: ProcessPoolExecutor) -> bool:
    """Whether a process of the pool has begun its work."""
    try:
        with _alone():
            begun = pool.submit(os.getpid)
        begun.result()
        return True
    except (OSError, EOFError, BrokenProcessPool) as error:
        _warn(error)
        return False


def _warn(error: Exception) -> None:
    why = f"no other process could be started ({reason(error)}): this one works alone"
    warnings.warn(why, stacklevel=4)


@contextmanager
def _alone() -> Iterator[None]:
    """Processes that are started inside hear no Ctrl-C, and do not run the user's program again.

    A terminal sends Ctrl-C to all: the first process sees to the others. And multiprocessing has
    each new process import the main program, for functions that it may have to call. Ours are
    here, and a program that is no more than a call of `prepare` would begin another preparation.
    """
    main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    masks = hasattr(signal, "pthread_sigmask")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT]) if masks else set()
    try:
        with uninterrupted():  # a process that is half started would wait for the rest
            yield
    finally:
        sys.modules["__main__"] = main
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


_encode_here: Encoder  # of a process of the pool


def _start_worker(tokenizer: Path, kind: str) -> None:
    global _encode_here
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it could not be held back from the start
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _encode_here = Encoder(tokenizer, kind)


def _end_with_parent() -> None:
    """After kill -9 of the first process nobody would ever tell the others to stop."""
    if parent := multiprocessing.parent_process():
        parent.join()
    os._exit(1)


def _encode(chunk: Chunk) -> bytes:
    return _encode_here(chunk)
