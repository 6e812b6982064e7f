"""Text of any size to a folder of token ids, in a stream over all cores: `gptlib prepare`.

    files --cut where no token can cross--> chunks --a process each--> ids --in order--> shards

Leaves out where the text is cut (`chunks`), who tokenizes it (`workers`), and how the ids are read
again (`shards`).
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial, wraps
from itertools import groupby
from pathlib import Path

import numpy as np

from ..formats.files import atomic_write, user_path
from ..formats.locks import sole_writer
from ..formats.tokenizer_json import TOKENIZER_JSON
from ..tokenizer import Tokenizer
from . import chunks
from .documents import STOP
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
from .workers import encode_in_order

SAMPLE = 2**23  # bytes of text that a tokenizer is learned from
WORTH_A_PROCESS = 2**23  # bytes of text: less is done before another process has begun
SHORTEST = 200  # bytes
VOCAB_SIZE = 1024


def one_at_a_time(function: Callable) -> Callable:
    """`function`(files, out, ...), which refuses to write where another one is just writing."""

    @wraps(function)
    def alone(files, out, *args, **kwargs):
        with sole_writer(user_path(out), wait=1.0):
            return function(files, out, *args, **kwargs)

    return alone


@one_at_a_time
def prepare(
    files: Iterable[str | os.PathLike],
    out: str | os.PathLike,
    tokenizer: Tokenizer | None = None,
    *,
    vocab_size: int = VOCAB_SIZE,
    jobs: int | None = None,
    overwrite: bool = False,
    documents: bool = False,
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
        documents: each file holds many texts, divided by the stop token or (FILE.jsonl) a line of
            JSON each, and each text is ended by the stop token.
        report: called with the number of bytes after each chunk.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: a file is not UTF-8 (and at which byte), is no file, or changed meanwhile; there
            is too little text; `out` holds another corpus; vocab_size is too small; with documents:
            a line is not JSON with a text, or the tokenizer has no stop token.
    """
    paths, out = [_checked_file(path) for path in files], user_path(out)
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs must be 1 or more, not {jobs}")
    if (total := sum(path.stat().st_size for path in paths)) < SHORTEST:
        raise ValueError(f"the files have {total} bytes together; a corpus needs {SHORTEST}")
    source = _source(paths, documents)
    if tokenizer is None:
        tokenizer = learn(paths, vocab_size, documents)
    elif documents and tokenizer.eos_id is None:
        raise ValueError(f"the tokenizer has no {STOP}, which is to end each document")
    out.mkdir(parents=True, exist_ok=True)
    index = _begin(out, tokenizer, source, overwrite)
    if not index["complete"]:
        jobs = jobs or min(n_cores(), 1 + total // WORTH_A_PROCESS)
        _fill(out, index, partial(chunks.plan, paths, documents), jobs, report)
        if _source(paths, documents) != source:
            raise ValueError("a file was changed while it was being read: run the command again")
        write_index(out, index | {"complete": True})
    return open_shards(out)


def learn(paths: list[Path], vocab_size: int = VOCAB_SIZE, documents: bool = False) -> Tokenizer:
    """A tokenizer from chunks evenly spread over what is trained on, 8 MiB or the whole of it."""
    every = -(-sum(path.stat().st_size for path in paths) // SAMPLE)
    train = (chunk for chunk in chunks.plan(paths, documents) if chunk.part == "train")
    return Tokenizer.train((c.read() for k, c in enumerate(train) if k % every == 0), vocab_size)


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


def _source(paths: list[Path], documents: bool) -> list:
    """What must be unchanged for a preparation to go on: the files, and how they are cut."""
    files = [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in paths]
    sizes = [chunks.CHUNK, chunks.WINDOW, chunks.SHARD, chunks.HELDOUT]
    return [files, sizes, *(["documents"] if documents else [])]


def _begin(out: Path, tokenizer: Tokenizer, source: list, overwrite: bool) -> dict:
    """The index to go on with: that of this very preparation, or an empty one."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save(Path(folder) / TOKENIZER_JSON)
        data = (Path(folder) / TOKENIZER_JSON).read_bytes()
    new: dict = {"format": FORMAT, "complete": False, "tokenizer": hashlib.sha256(data).hexdigest()}
    new |= {"kind": KINDS[tokenizer.vocab_size > SHORT], "source": source, "shards": []}
    same = ("format", "tokenizer", "kind", "source")
    old = {} if overwrite else _found(out)
    if old and all(old.get(name) == new[name] for name in same):
        if old["complete"]:
            return old
        new["shards"] = list(_sound(out, old))
    elif old.get("complete"):
        raise ValueError(f"{out}: holds a different corpus: use --overwrite or a different DIR")
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
        raise ValueError(f"{out}: holds {TOKENIZER_JSON} but no {INDEX}: use a different DIR")
    return {}


def _sound(out: Path, index: dict) -> Iterator[dict]:
    """The rows of the shards that are there and whole, up to the first one that is not."""
    for row in index["shards"]:
        try:
            check_shard(out, row, index["kind"])
        except (ValueError, FileNotFoundError):
            return
        yield row


def _fill(out: Path, index: dict, plan: Callable, jobs: int, report) -> None:
    """Write the shards that are missing, each in one step, and after each one the index."""
    done = len(index["shards"])
    report(sum(chunk.end - chunk.start for chunk in plan() if chunk.shard < done))
    missing = (chunk for chunk in plan() if chunk.shard >= done)
    encoded = encode_in_order(missing, out / TOKENIZER_JSON, index["kind"], jobs)
    with closing(encoded):  # after an error, too, its processes end before this one does
        for number, group in groupby(encoded, key=lambda pair: pair[0].shard):
            index["shards"].append(_write_shard(out / shard_file(number), group, index, report))
            write_index(out, index)


def _write_shard(path: Path, group: Iterable, index: dict, report) -> dict:
    """Write the ids of a group of chunks; returns the shard's row of the index."""
    digest, size = hashlib.sha256(), 0
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        for chunk, ids in group:
            file.write(ids)
            digest.update(ids)
            size += len(ids)
            report(chunk.end - chunk.start)
    row = {"file": path.name, "part": chunk.part, "sha256": digest.hexdigest()}
    return row | {"tokens": size // np.dtype(index["kind"]).itemsize}
