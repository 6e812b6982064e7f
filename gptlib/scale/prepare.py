"""Text of any size to a folder of token ids, in a stream over all cores: `gptlib prepare`.

    files --cut where no token can cross--> chunks --a process each--> ids --in order--> shards

Leaves out how the ids are read again: that is `shards`. Source for cutting: GPT-2's split pattern
(`tokenizer.PATTERN`), in which no piece that has a visible character goes on over white space.
"""

import hashlib
import multiprocessing
import os
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from ..formats.files import atomic_write, user_path
from ..formats.tokenizer_json import TOKENIZER_JSON
from ..tokenizer import Tokenizer
from .shards import (
    FORMAT,
    INDEX,
    KINDS,
    SHORT,
    Prepared,
    check_shard,
    is_prepared,
    is_temporary,
    open_shards,
    read_index,
    shard_file,
    shard_number,
    write_index,
)

CHUNK = 2**19  # bytes of text that are tokenized at a time
WINDOW = 2**16  # bytes after a chunk in which a place to cut is looked for
SHARD = 2**26  # bytes of text in a shard: what a break may cost
SAMPLE = 2**23  # bytes of text that a tokenizer is learned from
HELDOUT_SHARE, HELDOUT = 0.1, 2**20  # of each file its end; all ends together at most so many bytes
WORTH_A_PROCESS = 2**23  # bytes of text: less is done before another process has begun
SHORTEST = 200  # bytes
VOCAB_SIZE = 1024


class Chunk(NamedTuple):
    """The bytes start..end of a file, and where their ids go."""

    path: str
    start: int
    end: int
    part: str  # "train" or "heldout"
    last: bool  # of this part of its file: a stop token follows
    shard: int


def prepare(
    files: Iterable[str | os.PathLike],
    out: str | os.PathLike,
    tokenizer: Tokenizer | None = None,
    *,
    vocab_size: int = VOCAB_SIZE,
    jobs: int | None = None,
    overwrite: bool = False,
    report: Callable[[int], object] = lambda n_bytes: None,
) -> Prepared:
    """Tokenize files into the folder `out`, and open it.

    The same call again goes on where a break (Ctrl-C, kill -9, a full disk) left it, at most a
    shard behind; where a file or a setting has changed it begins anew. The ids are those of
    `tokenizer.encode` for each file's text, in order, each file ended by the stop token if there
    is one; but 64 KiB without any space or newline may be cut within a word. The end of each file
    (a tenth, or less: a mebibyte of all together) is held out.

    Args:
        tokenizer: None learns one of vocab_size from a sample of 8 MiB, spread over the text.
        jobs: processes; None: one a core, fewer for a short text. 1 works in this process.
        overwrite: replace a folder that was prepared from other files or settings.
        report: called with the number of bytes after each chunk.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: a file is not UTF-8 (and at which byte), is no file, or changed meanwhile; there
            is too little text; `out` holds another corpus; vocab_size is too small.
    """
    paths, out = [_checked_file(path) for path in files], user_path(out)
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs must be 1 or more, not {jobs}")
    if (total := sum(path.stat().st_size for path in paths)) < SHORTEST:
        raise ValueError(f"the files have {total} bytes together; a corpus needs {SHORTEST}")
    source = _source(paths)
    if tokenizer is None:
        tokenizer = learn(paths, vocab_size)
    out.mkdir(parents=True, exist_ok=True)
    index = _begin(out, tokenizer, source, overwrite)
    if not index["complete"]:
        worth = 1 + total // WORTH_A_PROCESS
        _fill(out, index, paths, jobs or min(n_cores(), worth), report)
        if _source(paths) != source:
            raise ValueError("a file was changed while it was read: the same command begins anew")
        write_index(out, index | {"complete": True})
    return open_shards(out)


def learn(paths: list[Path], vocab_size: int = VOCAB_SIZE) -> Tokenizer:
    """A tokenizer from chunks evenly spread over what is trained on, 8 MiB or the whole of it."""
    every = -(-sum(path.stat().st_size for path in paths) // SAMPLE)
    train = (chunk for chunk in plan(paths) if chunk.part == "train")
    return Tokenizer.train((_text(c) for k, c in enumerate(train) if k % every == 0), vocab_size)


def n_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _checked_file(path: str | os.PathLike) -> Path:
    path = user_path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    if not path.is_file():
        raise ValueError(f"{path}: is not a text file")
    return path.absolute()


def _source(paths: list[Path]) -> list:
    """What must be unchanged for a preparation to go on: the files, and how they are cut."""
    files = [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in paths]
    return [files, [CHUNK, WINDOW, SHARD, HELDOUT]]


# ---- Where the text is cut ----


def plan(paths: list[Path]) -> Iterator[Chunk]:
    """All chunks in order, the held-out ones last; reads only the windows where it cuts."""
    total, shard = sum(path.stat().st_size for path in paths), 0
    share = min(HELDOUT_SHARE, HELDOUT / max(total, 1))
    for part in ("train", "heldout"):
        filled = 0
        for path in paths:
            with open(path, "rb") as file:
                for start, end, last in _ranges(file, share, part):
                    if filled >= SHARD:
                        shard, filled = shard + 1, 0
                    filled += end - start
                    yield Chunk(str(path), start, end, part, last, shard)
        shard += bool(filled)


def _ranges(file: BinaryIO, share: float, part: str) -> Iterator[tuple[int, int, bool]]:
    """(start, end, whether the last) of the chunks of one part of a file."""
    size = os.fstat(file.fileno()).st_size
    first = 3 if file.read(3) == b"\xef\xbb\xbf" else 0  # Windows likes to put a mark in front
    border = max(first, cut_after(file, round(size * (1 - share)), size))
    start, stop = (first, border) if part == "train" else (border, size)
    while start < stop:
        end = cut_after(file, start + CHUNK, stop)
        yield start, end, end == stop
        start = end


def cut_after(file: BinaryIO, place: int, stop: int) -> int:
    """The first place from `place` on where text can be cut without changing any token.

    That is between a visible character and a space or newline: what comes before ends there
    whatever follows, and what follows begins there whatever came before. Where the window has
    none, the cut is before its last character.
    """
    if place >= stop:
        return stop
    file.seek(place)
    window = file.read(min(WINDOW, stop - place))
    for k in range(1, len(window)):
        if window[k] in b" \n" and _is_visible(window[max(0, k - 4) : k]):
            return place + k
    if place + len(window) == stop:
        return stop
    end = len(window) - 1
    while window[end] & 0xC0 == 0x80 and end > len(window) - 4:  # within a character
        end -= 1
    return place + end


def _is_visible(before: bytes) -> bool:
    """Whether the last character of these bytes is no white space (by str's wide notion of it)."""
    last = before.decode("utf-8", "replace")[-1:]
    return not last.isspace() and last != "\ufffd"


def _text(chunk: Chunk) -> str:
    with open(chunk.path, "rb") as file:
        file.seek(chunk.start)
        data = file.read(chunk.end - chunk.start)
    if len(data) < chunk.end - chunk.start:
        raise ValueError(f"{chunk.path}: became shorter while it was read")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        at = chunk.start + error.start
        raise ValueError(f"{chunk.path}: not UTF-8 at byte {at}: save it as UTF-8") from None


# ---- Ids into shards ----


def _begin(out: Path, tokenizer: Tokenizer, source: list, overwrite: bool) -> dict:
    """The index to go on with: that of this very preparation, or an empty one."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save(Path(folder) / TOKENIZER_JSON)
        data = (Path(folder) / TOKENIZER_JSON).read_bytes()
    new = {"format": FORMAT, "complete": False, "tokenizer": hashlib.sha256(data).hexdigest()}
    new |= {"kind": KINDS[tokenizer.vocab_size > SHORT], "source": source, "shards": []}
    same = ("format", "tokenizer", "kind", "source")
    old = {} if overwrite else _found(out)
    if old and all(old.get(name) == new[name] for name in same):
        if old["complete"]:
            return old
        new["shards"] = list(_sound(out, old))
    elif old.get("complete"):
        raise ValueError(f"{out}: holds another corpus: use --overwrite or another DIR")
    write_index(out, new)  # first: from now on the folder is known as ours, and as unfinished
    with atomic_write(out / TOKENIZER_JSON) as temporary:
        temporary.write_bytes(data)
    kept = {row["file"] for row in new["shards"]}
    for file in out.iterdir():  # shards of another corpus, and what kill -9 left half written
        if file.name not in kept and (shard_number(file.name) or is_temporary(file.name)):
            file.unlink()
    return new


def _found(out: Path) -> dict:
    """What shards.json says; {} where there is none, and no file of somebody else's either."""
    if is_prepared(out):
        return read_index(out)
    if (out / TOKENIZER_JSON).exists():  # a trained model, perhaps
        raise ValueError(f"{out}: holds {TOKENIZER_JSON}, and no {INDEX}: use another DIR")
    return {}


def _sound(out: Path, index: dict) -> Iterator[dict]:
    """The rows of the shards that are there and whole, up to the first one that is not."""
    for row in index["shards"]:
        try:
            check_shard(out, row, index["kind"])
        except (ValueError, FileNotFoundError):
            return
        yield row


def _fill(out: Path, index: dict, paths: list[Path], jobs: int, report) -> None:
    """Write the shards that are missing, each in one step, and after each one the index."""
    done = len(index["shards"])
    report(sum(chunk.end - chunk.start for chunk in plan(paths) if chunk.shard < done))
    missing = (chunk for chunk in plan(paths) if chunk.shard >= done)
    encoded = encode_in_order(missing, out / TOKENIZER_JSON, index["kind"], jobs)
    for number, group in groupby(encoded, key=lambda pair: pair[0].shard):
        digest, size = hashlib.sha256(), 0
        with atomic_write(out / shard_file(number)) as temporary, open(temporary, "wb") as file:
            for chunk, ids in group:
                file.write(ids)
                digest.update(ids)
                size += len(ids)
                report(chunk.end - chunk.start)
        row = {"file": shard_file(number), "part": chunk.part, "sha256": digest.hexdigest()}
        index["shards"].append(row | {"tokens": size // np.dtype(index["kind"]).itemsize})
        write_index(out, index)


def encode_in_order(
    chunks: Iterable[Chunk], tokenizer: Path, kind: str, jobs: int
) -> Iterator[tuple[Chunk, bytes]]:
    """(chunk, its ids) in the order of the chunks, of which only a few are under way at a time."""
    if jobs == 1:
        encode = _Encoder(tokenizer, kind)
        yield from ((chunk, encode(chunk)) for chunk in chunks)
        return
    # Processes forked from one that has imported gptlib share its memory; Windows has no fork.
    context = multiprocessing.get_context("spawn" if os.name == "nt" else "forkserver")
    if os.name != "nt":
        context.set_forkserver_preload([__name__])
    start = {"initializer": _start_worker, "initargs": (tokenizer, kind)}
    pool, waiting = ProcessPoolExecutor(jobs, context, **start), deque()
    try:
        for chunk in chunks:
            waiting.append((chunk, pool.submit(_encode, chunk)))
            if len(waiting) > 2 * jobs:
                chunk, ids = waiting.popleft()
                yield chunk, ids.result()
        while waiting:
            chunk, ids = waiting.popleft()
            yield chunk, ids.result()
    except BrokenProcessPool as error:
        text = "a process was ended from outside (for want of memory?): the same command goes on"
        raise OSError(text) from error
    finally:
        pool.shutdown(cancel_futures=True)


class _Encoder:
    """Chunk -> the bytes of its ids."""

    def __init__(self, tokenizer: Path, kind: str) -> None:
        self.tokenizer, self.kind = Tokenizer.load(tokenizer), kind

    def __call__(self, chunk: Chunk) -> bytes:
        ids = self.tokenizer.encode(_text(chunk))
        if chunk.last and self.tokenizer.eos_id is not None:
            ids.append(self.tokenizer.eos_id)
        return np.array(ids, self.kind).tobytes()


def _start_worker(tokenizer: Path, kind: str) -> None:
    global _encoder
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C goes to all: the first one sees to it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _encoder = _Encoder(tokenizer, kind)


def _end_with_parent() -> None:
    """After kill -9 of the first process nobody would ever tell the others to stop."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _encode(chunk: Chunk) -> bytes:
    return _encoder(chunk)
