"""A prepared corpus: token ids in files, of which only what a batch needs is read.

The folder holds tokenizer.json, shards of ids (00000.ids, ...: whole numbers of two or four bytes
and nothing else) and shards.json, which names them in order, each with its length and SHA-256.
Leaves out how text gets there (that is `prepare`), and mapping the files into memory: who reads a
mapped file that another program cuts short is ended by the system, with no word why.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..formats.files import atomic_write, user_path
from ..formats.json_files import parse
from ..formats.tokenizer_json import TOKENIZER_JSON
from ..formats.values import reason
from ..tokenizer import Tokenizer

INDEX = "shards.json"
FORMAT = "gptlib shards 1"
KINDS = ("<u2", "<u4")  # of the ids: two bytes where the vocabulary allows it
SHORT = 2**16  # ids that two bytes can tell apart
PARTS = ("train", "heldout")
BLOCK = 2**20  # bytes read at a time, to be checked
LARGEST_INDEX = 2**26  # bytes: of half a million shards


class StoredTokens:
    """Token ids in several files, as if they stood in one row; nothing is read before it is used.

    It has the two things that `training.get_batch` needs: `len`, and ids by their places.

    Args:
        files: shards in order, none of them empty. kind: "<u2" or "<u4".
        largest: the largest id in them, known from checking them.
    """

    def __init__(self, files: list[Path], kind: str, largest: int) -> None:
        self.files = [file.absolute() for file in files]  # wherever the program goes meanwhile
        self.kind, self.largest = np.dtype(kind), largest
        self._seals = [_seal(os.stat(file)) for file in self.files]
        sizes = [size // self.kind.itemsize for size, _ in self._seals]
        self._ends = np.cumsum(sizes, dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, places: Tensor | slice) -> Tensor:
        """The ids at these places, int64, in their shape; a slice is taken as `range` would.

        Raises:
            IndexError: a place outside 0..len - 1.
            FileNotFoundError, ValueError: a file is gone, or no longer the one it was; names it.
        """
        if isinstance(places, slice):
            places = torch.arange(*places.indices(len(self)))
        wanted = places.numpy().ravel()
        if len(wanted) and not 0 <= wanted.min() <= wanted.max() < len(self):
            raise IndexError(f"places must be in 0..{len(self) - 1}")
        out = np.empty(len(wanted), np.int64)
        shard = np.searchsorted(self._ends, wanted, side="right")
        for k in np.unique(shard):
            here = shard == k
            first = self._ends[k - 1] if k else 0
            out[here] = self._read(k, wanted[here] - first)
        return torch.from_numpy(out).view(places.shape)

    def _read(self, k: int, places: np.ndarray) -> np.ndarray:
        """The ids at these places of a file: a read for each stretch of neighbours, as a row is."""
        parts = []
        with open(self.files[k], "rb") as file:
            for part in np.split(places, np.flatnonzero(np.diff(places) != 1) + 1):
                file.seek(int(part[0]) * self.kind.itemsize)
                parts.append(file.read(len(part) * self.kind.itemsize))
            if _seal(os.fstat(file.fileno())) != self._seals[k]:
                raise ValueError(f"{self.files[k]}: was changed by another program in the meantime")
        return np.frombuffer(b"".join(parts), self.kind)

    def __repr__(self) -> str:
        return f"StoredTokens({len(self):,} ids in {len(self.files)} files)"


def _seal(stat: os.stat_result) -> tuple[int, int]:
    """What is another after a file was cut short or replaced."""
    return stat.st_size, stat.st_ino


@dataclass(frozen=True)
class Prepared:
    """What `open_shards` gives; used as a `corpora.Corpus` is, but of ids."""

    folder: Path
    tokenizer: Tokenizer
    train: StoredTokens
    heldout: Tensor  # (M,), int64
    fingerprint: str  # the same for the same ids
    aligned: bool = False  # rows begin anywhere

    def encode(self, tokenizer: Tokenizer) -> tuple[StoredTokens, Tensor]:
        """Token ids of the two parts. ValueError: they were made with another tokenizer."""
        if tokenizer != self.tokenizer:
            raise ValueError(f"{self.folder}: was prepared with a different tokenizer")
        return self.train, self.heldout

    def __repr__(self) -> str:
        sizes = f"train={len(self.train):,}, heldout={len(self.heldout):,}"
        return f"Prepared({str(self.folder)!r}, {sizes})"


def open_shards(folder: str | os.PathLike) -> Prepared:
    """Open what `prepare` wrote, after reading it all once to hold it against its checksums.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: one line naming the file: it is damaged, or preparation did not end.
    """
    folder = user_path(folder)
    index = read_index(folder)
    if not index["complete"]:
        hint = "run the same command again to continue"
        raise ValueError(f"{folder}: its preparation was cut off: {hint}")
    if _sha256(_whole(folder / TOKENIZER_JSON)) != index["tokenizer"]:
        raise ValueError(f"{folder / TOKENIZER_JSON}: is not the one the shards were made with")
    tokenizer = Tokenizer.load(folder / TOKENIZER_JSON)
    parts = {}
    for part in PARTS:
        rows = [row for row in index["shards"] if row["part"] == part]
        largest = max((check_shard(folder, row, index["kind"]) for row in rows), default=-1)
        if largest >= tokenizer.vocab_size:
            known = f"0..{tokenizer.vocab_size - 1}"
            raise ValueError(f"{folder}: a shard has the id {largest}, the tokenizer {known}")
        files = [folder / row["file"] for row in rows]
        parts[part] = StoredTokens(files, index["kind"], largest)
    sums = [row["sha256"] for row in index["shards"]]
    fingerprint = hashlib.sha256(" ".join([index["tokenizer"], *sums]).encode()).hexdigest()
    return Prepared(folder, tokenizer, parts["train"], parts["heldout"][:], fingerprint)


def is_prepared(folder: Path) -> bool:
    """Whether this is a folder of shards, whole or not."""
    return (folder / INDEX).is_file()


# ---- shards.json ----


def write_index(folder: Path, index: dict) -> None:
    """Replace shards.json in one step; its last field is a checksum of all others."""
    text = json.dumps(index | {"checksum": _checksum(index)}, indent=1)
    with atomic_write(folder / INDEX) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_index(folder: Path) -> dict:
    """What `write_index` wrote. ValueError: it is damaged, and one line says where."""
    path = folder / INDEX
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: there is no {INDEX} in it")
    if path.stat().st_size > LARGEST_INDEX:
        raise ValueError(f"{path}: has more than {LARGEST_INDEX} bytes")
    try:
        index = parse(path.read_bytes().decode())
    except ValueError as error:
        raise ValueError(f"{path}: truncated, or not JSON in UTF-8: {reason(error)}") from None
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise ValueError(f"{path}: format must be {FORMAT!r}")
    if index.pop("checksum", None) != _checksum(index):
        raise ValueError(f"{path}: damaged: its checksum is wrong: prepare the corpus again")
    for name, kind in {"complete": bool, "tokenizer": str, "kind": str, "shards": list}.items():
        if not isinstance(index.get(name), kind):
            raise ValueError(f"{path}: {name} is missing, or not a {kind.__name__}")
    if index["kind"] not in KINDS:
        raise ValueError(f"{path}: kind must be one of {KINDS}, not {index['kind']!r}")
    for k, row in enumerate(index["shards"]):
        if not _is_row(row):
            raise ValueError(f"{path}: shards[{k}] is not file, part, tokens and sha256")
    return index


def _is_row(row) -> bool:
    """A name without a folder in it, so that no index leads to files elsewhere."""
    if not isinstance(row, dict) or row.keys() != {"file", "part", "tokens", "sha256"}:
        return False
    texts = all(isinstance(row[name], str) for name in ("file", "part", "sha256"))
    tokens = type(row["tokens"]) is int and row["tokens"] >= 1
    return texts and tokens and row["part"] in PARTS and bool(shard_number(row["file"]))


def shard_file(number: int) -> str:
    """
    >>> shard_file(3)
    '00003.ids'
    """
    return f"{number:05}.ids"


def shard_number(name: str) -> str | None:
    """The digits of a shard's name; None for any other."""
    found = re.fullmatch(r"([0-9]{5,9})\.ids", name)
    return found and found[1]


def is_temporary(name: str) -> bool:
    """Whether `files.atomic_write` left this half-written file, when it was killed.

    >>> is_temporary(".00003.ids.k2j4"), is_temporary("00003.ids"), is_temporary(".bashrc")
    (True, False, False)
    """
    parts = name.split(".")
    target = ".".join(parts[1:-1])
    known = target in (INDEX, TOKENIZER_JSON) or bool(shard_number(target))
    return not parts[0] and known


def check_shard(folder: Path, row: dict, kind: str) -> int:
    """Return the largest id of the shard in this row of shards.json.

    ValueError: its length or its SHA-256 is another than the row says.
    """
    path, size = folder / row["file"], np.dtype(kind).itemsize
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: there is no {row['file']} in it")
    if path.stat().st_size != row["tokens"] * size:
        has, wanted = path.stat().st_size, row["tokens"] * size
        raise ValueError(f"{path}: has {has} bytes, {INDEX} says {wanted}")
    digest, largest = hashlib.sha256(), 0
    for block in _whole(path):
        digest.update(block)
        if len(block) % size == 0:  # else it shrank meanwhile, and the digest will tell
            largest = max(largest, int(np.frombuffer(block, kind).max()))
    if digest.hexdigest() != row["sha256"]:
        raise ValueError(f"{path}: damaged: its SHA-256 is not that in {INDEX}")
    return largest


def _whole(path: Path) -> Iterator[bytes]:
    """The file block by block, so that little of it is in memory at a time."""
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent}: there is no {path.name} in it")
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            yield block


def _sha256(blocks: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def _checksum(index: dict) -> str:
    return hashlib.sha256(json.dumps(index, sort_keys=True).encode()).hexdigest()
