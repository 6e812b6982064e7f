"""One safetensors file that is open for reading: its header, and its tensors one by one.

The file is read by place and never mapped into memory, as the format's own library does: a mapped
file that another program cuts short ends this one with no word why, and one that is written over
changes a model that is loaded already. Leaves out writing, and what the tensors mean.
"""

import math
import os
import zlib
from io import FileIO
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .json_files import parse
from .values import reason, shown

SUMS = "crc32"  # in a file's metadata: JSON, {name of a tensor or of other metadata: checksum}
LARGEST_HEADER = 100_000_000  # bytes, as the format says
LONGEST_NAME = 300  # characters of a tensor's name: it is named in errors
KINDS = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


class Stored(NamedTuple):
    """What a file's header says of a tensor; `start` and `end` are places in the file."""

    kind: str
    shape: tuple[int, ...]
    start: int
    end: int


class TensorFile:
    """A safetensors file that is open for reading, with its header read and checked.

    Raises:
        ValueError: the file is not whole, or not of this format; one line that names it.
    """

    def __init__(self, path: Path, file: FileIO) -> None:
        self.path, self._file = path, file
        self._one_at_a_time = Lock()  # a file has one place, and several threads may read
        self._seal = _seal(file)
        try:
            header, begin = _read_header(file, self._seal[0])
            self.metadata = _texts(header.pop("__metadata__", {}))
            self.tensors = {name: _stored(name, row, begin) for name, row in header.items()}
            _check_places(self.tensors.values(), begin, self._seal[0])
        except ValueError as error:
            raise ValueError(f"{path}: not a whole safetensors file ({reason(error)})") from None
        for name in self.tensors:
            if not name.isprintable() or len(name) > LONGEST_NAME:  # in the line of an error
                raise ValueError(f"{path}: {shown(name)} is not the name of a tensor")

    def read(self, name: str, sums: dict[str, int], scratch: Tensor | None = None) -> Tensor:
        """A tensor of the file, in memory of its own, held against its checksum if it has one.

        scratch: bytes to put it into instead, for who copies it at once.

        Raises:
            ValueError: it was cut short or changed meanwhile, or its checksum is another.
        """
        stored = self.tensors[name]
        if stored.kind not in KINDS:
            raise ValueError(f"{self.path}: {name} holds {stored.kind}, which gptlib does not read")
        size = stored.end - stored.start
        data = torch.empty(size, dtype=torch.uint8) if scratch is None else scratch[:size]
        view = data.numpy().data
        with self._one_at_a_time:
            self._fill(view, stored.start)
        if _seal(self._file) != self._seal:
            raise ValueError(f"{self.path}: was changed by another program while it was being read")
        if sums and zlib.crc32(view) != sums.get(name):
            raise ValueError(f"{self.path}: damaged: the checksum of {name} is wrong")
        return data.view(KINDS[stored.kind]).view(stored.shape)

    def _fill(self, view: memoryview, start: int) -> None:
        self._file.seek(start)
        done = 0
        while done < len(view):
            n_bytes = self._file.readinto(view[done:])
            if not n_bytes:
                raise ValueError(f"{self.path}: became shorter while it was being read")
            done += n_bytes

    def sums(self) -> dict[str, int]:
        """{name: checksum}; {} of a file that another tool wrote.

        Raises:
            ValueError: they are damaged, or other metadata is.
        """
        try:
            sums = parse(self.metadata.get(SUMS, "{}"))
            wrong = [
                name
                for name in sums.keys() & self.metadata.keys()
                if zlib.crc32(self.metadata[name].encode()) != sums[name]
            ]
        except (ValueError, AttributeError) as error:
            raise ValueError(f"{self.path}: {SUMS} in its header is damaged") from error
        if wrong:
            raise ValueError(f"{self.path}: damaged: the checksum of {shown(wrong[0])} is wrong")
        return sums


def _seal(file: FileIO) -> tuple[int, int]:
    """What is another after the file was cut short or written into."""
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns


def _read_header(file: FileIO, size: int) -> tuple[dict, int]:
    """The header, and the place where the tensors begin."""
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(LARGEST_HEADER, size - 8):
        raise ValueError(f"a header of {length} bytes in a file of {size}")
    data = file.read(length)
    if len(data) < length:
        raise ValueError("its header is cut short")
    header = parse(data.decode())
    if not isinstance(header, dict):
        raise ValueError("its header is not an object")
    return header, 8 + length


def _texts(metadata: object) -> dict[str, str]:
    if not isinstance(metadata, dict) or not all(type(v) is str for v in metadata.values()):
        raise ValueError("not all of its metadata is text")
    return metadata


def _stored(name: str, row: Any, begin: int) -> Stored:
    """A row of the header, checked on its own."""
    try:
        kind, shape, (start, end) = row["dtype"], row["shape"], row["data_offsets"]
        whole = all(type(n) is int and n >= 0 for n in (start, end, *shape))
        known = KINDS.get(kind)
        n_bytes = math.prod(shape) * known.itemsize if known and whole else end - start
    except (TypeError, KeyError, ValueError):
        whole = False
    if not whole or type(kind) is not str or type(shape) is not list or n_bytes != end - start:
        raise ValueError(f"its entry for {shown(name)} is not a tensor")
    return Stored(kind if kind.isalnum() else shown(kind), tuple(shape), begin + start, begin + end)


def _check_places(tensors, begin: int, size: int) -> None:
    """All bytes of the file belong to one tensor each."""
    for stored in sorted(tensors, key=lambda stored: (stored.start, stored.end)):
        if stored.start != begin or stored.end < begin:
            raise ValueError("its tensors overlap, or bytes lie between them")
        begin = stored.end
    if begin != size:
        raise ValueError(f"its header describes {begin} bytes, but it has {size}")


def shown_name(name: str) -> str:
    """A tensor's name as errors have it: as it is, unless it would break their line."""
    return name if name.isprintable() and len(name) <= LONGEST_NAME else shown(name)
