"""Files of tensors: one model.safetensors, or the several into which a large model is cut.

The format holds names, shapes and numbers, and no code (github.com/huggingface/safetensors). What
is wrong with a file becomes one line that names it. What the tensors mean is `hf`'s to say.

Files are read by place and never mapped into memory, as the format's own library does: a mapped
file that another program cuts short ends this one with no word why, and one that is written over
changes a model that is loaded already.
"""

import json
import math
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from .strict_json import parse
from .values import reason, shown

CONFIG, TOKENIZER, TOKENIZER_CONFIG = "config.json", "tokenizer.json", "tokenizer_config.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLE = "pytorch_model.bin"  # never opened
SUMS = "crc32"  # in a file's metadata: JSON, {name of a tensor or of other metadata: checksum}
LARGEST_HEADER = 100_000_000  # bytes, as the format says
LARGEST_JSON = 2**26  # bytes of a config, an index, a history
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

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self._file = path, file
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
            raise ValueError(f"{self.path}: {name} holds {stored.kind}, which is not read here")
        size = stored.end - stored.start
        data = torch.empty(size, dtype=torch.uint8) if scratch is None else scratch[:size]
        view, done = memoryview(data.numpy()), 0
        self._file.seek(stored.start)
        while done < len(view):
            n_bytes = self._file.readinto(view[done:])
            if not n_bytes:
                raise ValueError(f"{self.path}: became shorter while it was read")
            done += n_bytes
        if _seal(self._file) != self._seal:
            raise ValueError(f"{self.path}: was changed by another program while it was read")
        if sums and zlib.crc32(view) != sums.get(name):
            raise ValueError(f"{self.path}: damaged: the checksum of {name} is another")
        return data.view(KINDS[stored.kind]).view(stored.shape)

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
            raise ValueError(f"{self.path}: damaged: the checksum of {shown(wrong[0])} is another")
        return sums


def _seal(file: BinaryIO) -> tuple[int, int]:
    """What is another after the file was cut short or written into."""
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns


def _read_header(file: BinaryIO, size: int) -> tuple[dict, int]:
    """The header, and the place where the tensors begin."""
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(LARGEST_HEADER, size - 8):
        raise ValueError(f"a header of {length} bytes in a file of {size}")
    data = file.read(length)
    if len(data) < length:
        raise ValueError("its header is cut short")
    header = parse(data.decode())
    if not isinstance(header, dict):
        raise ValueError("its header is no object")
    return header, 8 + length


def _texts(metadata: object) -> dict[str, str]:
    if not isinstance(metadata, dict) or not all(type(v) is str for v in metadata.values()):
        raise ValueError("its metadata are not all text")
    return metadata


def _stored(name: str, row: object, begin: int) -> Stored:
    """A row of the header, checked on its own."""
    try:
        kind, shape, (start, end) = row["dtype"], row["shape"], row["data_offsets"]
        whole = all(type(n) is int and n >= 0 for n in (start, end, *shape))
        known = KINDS.get(kind)
        n_bytes = math.prod(shape) * known.itemsize if known and whole else end - start
    except (TypeError, KeyError, ValueError):
        whole = False
    if not whole or type(kind) is not str or type(shape) is not list or n_bytes != end - start:
        raise ValueError(f"what it says of {shown(name)} is no tensor")
    return Stored(kind if kind.isalnum() else shown(kind), tuple(shape), begin + start, begin + end)


def _check_places(tensors, begin: int, size: int) -> None:
    """All bytes of the file belong to one tensor each."""
    for stored in sorted(tensors, key=lambda stored: (stored.start, stored.end)):
        if stored.start != begin or stored.end < begin:
            raise ValueError("its tensors overlap, or bytes lie between them")
        begin = stored.end
    if begin != size:
        raise ValueError(f"its header tells of {begin} bytes, and it has {size}")


def weights_file(folder: Path) -> Path:
    """model.safetensors, or the index of the files into which a large model is cut."""
    single, index = folder / WEIGHTS, folder / INDEX
    if not single.is_file() and not index.is_file() and (folder / PICKLE).is_file():
        raise FileNotFoundError(
            f"{folder}: there is no {WEIGHTS} in it, and {PICKLE} is never opened: it is a "
            "pickle, which can run any code (transformers' save_pretrained writes safetensors)"
        )
    return index if index.is_file() and not single.is_file() else existing(single)


def shards(index: Path) -> dict[str, Path]:
    """{tensor's name: its file}, as an index.json says; the files lie beside it."""
    names = read_json(existing(index)).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise ValueError(f"{index}: weight_map must say which file holds which tensor")
    for key, name in names.items():
        if not isinstance(name, str) or not re.fullmatch(r"[\w-][\w.-]{0,240}\.safetensors", name):
            raise ValueError(
                f"{index}: weight_map.{shown_name(key)} is {shown(name)}, "
                "no safetensors file beside it"
            )
    return {key: index.with_name(name) for key, name in names.items()}


@contextmanager
def open_tensors(path: Path) -> Iterator[dict[str, TensorFile]]:
    """{name of a tensor: the open file that holds it}, of one file or of an index.json.

    Whatever is wrong with a file is a ValueError that names it.
    """
    with ExitStack() as stack:
        if path.suffix == ".safetensors":
            file = stack.enter_context(open_file(path))
            yield dict.fromkeys(file.tensors, file)
            return
        where = shards(path)
        files = {part: stack.enter_context(open_file(part)) for part in set(where.values())}
        for key, part in where.items():
            if key not in files[part].tensors:
                raise ValueError(
                    f"{part}: the tensor {shown_name(key)} is missing; {path.name} says it is here"
                )
        yield {key: files[part] for key, part in where.items()}


@contextmanager
def open_file(path: Path) -> Iterator[TensorFile]:
    """The safetensors file, open for reading; whatever is wrong with it is a ValueError."""
    with open(existing(path), "rb", buffering=0) as file:
        yield TensorFile(path, file)


def shown_name(name: str) -> str:
    """A tensor's name as errors have it: as it is, unless it would break their line."""
    return name if name.isprintable() and len(name) <= LONGEST_NAME else shown(name)


def write_tensors(
    tensors: dict[str, Tensor],
    path: Path,
    metadata: dict[str, str],
    sums: dict[str, int] | None = None,
) -> None:
    """Write a safetensors file with a checksum of each tensor, which other tools pass over.

    sums: the tensors' checksums, where they are known already.
    """
    sums = sums or {name: crc32(tensor) for name, tensor in tensors.items()}
    sums = {name: zlib.crc32(text.encode()) for name, text in metadata.items()} | sums
    try:
        save_file(tensors, path, metadata=metadata | {SUMS: json.dumps(sums)})
        _sort_metadata(path)
    except SafetensorError as error:  # a full disk, which is an OSError everywhere else
        raise OSError(f"{path}: {reason(error)}") from error


def _sort_metadata(path: Path) -> None:
    """Put the header's metadata into one order: safetensors' own is another each time.

    With it the same model is the same file, byte by byte.
    """
    with open(path, "rb+") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        if len(text) <= length:  # else it spells a sign otherwise: any order is right
            file.seek(8)
            file.write(text.ljust(length))


def crc32(tensor: Tensor) -> int:
    """
    >>> crc32(torch.tensor([1.0])) == zlib.crc32(bytes([0, 0, 0x80, 0x3F]))
    True
    """
    return zlib.crc32(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())


def existing(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent}: there is no {path.name} in it")
    return path


def read_json(path: Path) -> dict:
    """The object in a file of JSON. ValueError: it holds none; one line that names the file."""
    if path.stat().st_size > LARGEST_JSON:
        raise ValueError(f"{path}: has more than {LARGEST_JSON} bytes")
    try:
        values = parse(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not JSON ({reason(error)})") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path}: must hold a JSON object, not {type(values).__name__}")
    return values
