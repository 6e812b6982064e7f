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
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from .json_files import parse
from .tensor_file import SUMS, TensorFile, shown_name
from .values import reason, shown

CONFIG, TOKENIZER, TOKENIZER_CONFIG = "config.json", "tokenizer.json", "tokenizer_config.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLE = "pytorch_model.bin"  # never opened
LARGEST_JSON = 2**26  # bytes of a config, an index, a history


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
                "not a safetensors file beside it"
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
    numbers = tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
    return zlib.crc32(numbers.data)


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
