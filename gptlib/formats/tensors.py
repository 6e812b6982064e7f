"""Files of tensors: one model.safetensors, or the several into which a large model is cut.

The format holds names, shapes and numbers, and no code (github.com/huggingface/safetensors). What
is wrong with a file becomes one line that names it. What the tensors mean is `hf`'s to say.
"""

import json
import re
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

CONFIG, TOKENIZER, TOKENIZER_CONFIG = "config.json", "tokenizer.json", "tokenizer_config.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLE = "pytorch_model.bin"  # never opened
SUMS = "crc32"  # in a file's metadata: JSON, {name of a tensor or of other metadata: checksum}


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
        if not isinstance(name, str) or not re.fullmatch(r"[\w-][\w.-]*\.safetensors", name):
            shown = key if key.isprintable() else repr(key)
            raise ValueError(
                f"{index}: weight_map.{shown} is {name!r}, no safetensors file beside it"
            )
    return {key: index.with_name(name) for key, name in names.items()}


@contextmanager
def open_tensors(path: Path) -> Iterator[dict[str, tuple]]:
    """{name of a tensor: (its file's path, that file open)}, of one file or of an index.json.

    Whatever is wrong with a file is a ValueError that names it.
    """
    with ExitStack() as stack:
        if path.suffix == ".safetensors":
            file = stack.enter_context(open_file(path))
            yield {key: (path, file) for key in file.keys()}  # noqa: SIM118
            return
        where = shards(path)
        files = {part: stack.enter_context(open_file(part)) for part in set(where.values())}
        for key, part in where.items():
            if key not in files[part].keys():  # noqa: SIM118
                raise ValueError(
                    f"{part}: the tensor {key} is missing; {path.name} says it is here"
                )
        yield {key: (part, files[part]) for key, part in where.items()}


@contextmanager
def open_file(path: Path) -> Iterator:
    """The safetensors file, open for reading; whatever is wrong with it is a ValueError."""
    try:
        with safe_open(existing(path), framework="pt") as file:
            for key in file.keys():  # noqa: SIM118
                if not key.isprintable():  # it would break the line of an error about it
                    raise ValueError(f"{path}: {key!r} is not the name of a tensor")
            yield file
    except SafetensorError as error:
        said = " ".join(str(error).split())
        raise ValueError(f"{path}: not a whole safetensors file ({said})") from error


def write_tensors(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    """Write a safetensors file with a checksum of each tensor, which other tools pass over."""
    sums = {name: zlib.crc32(text.encode()) for name, text in metadata.items()}
    sums |= {name: crc32(tensor) for name, tensor in tensors.items()}
    try:
        save_file(tensors, path, metadata=metadata | {SUMS: json.dumps(sums)})
        _sort_metadata(path)
    except SafetensorError as error:  # a full disk, which is an OSError everywhere else
        raise OSError(f"{path}: {error}") from error


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


def read_sums(path: Path, file) -> dict[str, int]:
    """{name: checksum} of an open file; {} of one that another tool wrote.

    Raises:
        ValueError: they are damaged, or other metadata is.
    """
    metadata = file.metadata() or {}
    try:
        sums = json.loads(metadata.get(SUMS, "{}"))
        for name in sums.keys() & metadata.keys():
            if zlib.crc32(metadata[name].encode()) != sums[name]:
                raise ValueError(f"{path}: damaged: the checksum of {name} is another")
    except (json.JSONDecodeError, RecursionError, AttributeError) as error:
        raise ValueError(f"{path}: {SUMS} in its header is damaged") from error
    return sums


def check_sum(path: Path, sums: dict[str, int], name: str, tensor: Tensor) -> None:
    """Hold a tensor against its checksum. ValueError: a byte of it is another than was written."""
    if sums and crc32(tensor) != sums.get(name):
        raise ValueError(f"{path}: damaged: the checksum of {name} is another")


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
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path}: must hold a JSON object, not {type(values).__name__}")
    return values
