"""Text to train on: the pets grammar with its known truth, real text, or any file.

`load` is the one door. Nothing is downloaded but Shakespeare, once, when it is asked for.
"""

import hashlib
import importlib
import os
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import torch
from torch import Tensor

from ..formats.files import data_dir, fetch, user_path
from ..scale.distributed import started
from ..scale.documents import STOP, divided, from_jsonl, is_jsonl
from ..scale.shards import Prepared, is_prepared, open_shards
from ..tokenizer import Tokenizer
from . import pets

__all__ = ["NAMES", "Corpus", "load", "pets"]

NAMES = ("pets", "python-docs", "shakespeare")
HELDOUT_SHARE = 0.1  # the end of a text is never trained on
SHORTEST = 200  # characters: less leaves nothing to hold out
LONGEST_STREAM = 2**28  # bytes that are read from what is not a file: a pipe, a device

SHAKESPEARE_FILE = "tinyshakespeare.txt"
SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
SHAKESPEARE_URL = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
)


@dataclass(frozen=True)
class Corpus:
    """A text in two parts.

    `documents` says that stop tokens in the text end documents (and are read as stop tokens, not
    as thirteen characters). In any other text they are plain text.
    """

    name: str
    train: str
    heldout: str
    documents: bool = False
    aligned: bool = False  # rows of training begin where documents do, which are shorter than a row

    def encode(self, tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
        """Token ids of the two parts, (N,) and (M,), int64."""
        allowed = "all" if self.documents else ()
        train, heldout = (tokenizer.encode(text, allowed_special=allowed) for text in self)
        return torch.tensor(train, dtype=torch.int64), torch.tensor(heldout, dtype=torch.int64)

    @property
    def fingerprint(self) -> str:
        """The same for the same text, read in the same way."""
        digest = hashlib.sha256()
        for part in self:
            digest.update(part.encode())
        if self.documents and not self.aligned:  # the same text may be read without its documents
            digest.update(b"documents")
        return digest.hexdigest()

    def __iter__(self):
        return iter((self.train, self.heldout))

    def __repr__(self) -> str:
        return f"Corpus({self.name!r}, train={len(self.train):,}, heldout={len(self.heldout):,})"


def load(name_or_path: str | os.PathLike, documents: bool = False) -> Corpus | Prepared:
    """A corpus by name ("pets", "python-docs", "shakespeare") or by the path of a text file.

    A folder that `gptlib prepare` wrote gives a `shards.Prepared`: ids, which stay on disk.

    Args:
        documents: the file holds many texts (`scale.documents`): divided by the stop token, or in
            a file whose name ends in .jsonl, the "text" of each line of JSON.

    Raises:
        FileNotFoundError: neither a name nor a file; or Shakespeare is not in the cache and
            cannot be downloaded, and then it says what to do.
        ValueError: the file is empty, too short, too long to be read at once or not UTF-8, or a
            prepared folder is damaged; documents, and there are not two of them. Says which file
            and where.
    """
    name = str(name_or_path)
    if name == "pets":
        folder = data_dir() / "pets"
        train, heldout = _read(folder / "train.txt"), _read(folder / "heldout.txt")
        return Corpus(name, train, heldout, documents=True, aligned=True)
    if documents and name in NAMES:
        raise ValueError(f"{name}: is one text, not many documents")
    if name == "python-docs":
        return _in_two(name, _python_docs())
    if name == "shakespeare":
        return _in_two(name, _shakespeare())
    path = user_path(name)
    if not path.exists():
        raise FileNotFoundError(
            f"{name}: no such file, and no corpus has that name ({', '.join(NAMES)})"
        )
    if path.is_dir() and is_prepared(path):
        if documents:
            raise ValueError(f"{name}: is prepared already: give --documents to gptlib prepare")
        return open_shards(path)
    if path.is_dir():
        raise ValueError(
            f"{name}: is a folder; name a text file in it, or prepare its files by `gptlib prepare`"
        )
    text = _read(path)
    if len(text) < SHORTEST:
        raise ValueError(
            f"{name}: has {len(text)} characters; a corpus needs {SHORTEST}, a useful one 100,000"
        )
    return _of_documents(path, text) if documents else _in_two(name, text)


def _in_two(name: str, text: str) -> Corpus:
    """Cut after a line near the end, so that no line is half trained on."""
    target = round(len(text) * (1 - HELDOUT_SHARE))
    cut = text.rfind("\n", target // 2, target) + 1 or target  # one enormous line is cut inside
    return Corpus(name, text[:cut], text[cut:])


def _of_documents(path: Path, text: str) -> Corpus:
    """Cut between two documents near the end, so that none is half trained on."""
    text = from_jsonl(text, path) if is_jsonl(path) else divided(text)
    documents = [d + STOP for d in (part.strip("\r\n") for part in text.split(STOP)) if d]
    if len(documents) < 2:
        hint = f"divide them by {STOP}, or write each as a line of a .jsonl file"
        raise ValueError(f"{path}: has fewer than 2 documents: {hint}")
    ends = list(accumulate(map(len, documents)))
    k = bisect_right(ends, ends[-1] * (1 - HELDOUT_SHARE))
    k = min(max(1, k), len(documents) - 1)
    return Corpus(str(path), "".join(documents[:k]), "".join(documents[k:]), documents=True)


def _read(path: Path) -> str:
    data = _read_bytes(path)
    try:
        return data.decode("utf-8-sig")  # Windows likes to put a mark in front
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path}: not UTF-8 at byte {error.start} (line {line}): save it as UTF-8"
        ) from error


def _read_bytes(path: Path) -> bytes:
    """All of a file; of what is none, such as /dev/stdin, as much as may be: it may never end."""
    with open(path, "rb") as file:
        if path.is_file():
            try:
                return file.read()
            except MemoryError:
                hint = "too large for the memory; gptlib prepare takes files of any size"
                raise ValueError(f"{path}: {hint}") from None
        if started() > 1:
            raise ValueError(f"{path}: is not a file, so only one process could read it")
        data = file.read(LONGEST_STREAM + 1)
    if len(data) > LONGEST_STREAM:
        raise ValueError(f"{path}: is not a file, and gives more than {LONGEST_STREAM:,} bytes")
    return data


def _python_docs() -> str:
    """The manual that every Python carries for `help()`; it differs a little by version."""
    try:
        topics = importlib.import_module("pydoc_data.topics").topics
    except ImportError as error:
        raise FileNotFoundError(
            "python-docs: this Python was installed without pydoc_data; name a text file instead"
        ) from error
    return "\n\n".join(topics[name].strip() for name in sorted(topics)) + "\n"


def _shakespeare() -> str:
    hint = "; pets and python-docs need no download"
    path = fetch("shakespeare", SHAKESPEARE_FILE, SHAKESPEARE_URL, SHAKESPEARE_SHA256, hint)
    return path.read_bytes().decode("utf-8")
