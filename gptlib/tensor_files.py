"""Files of tensors: one model.safetensors, or the several into which a large model is cut.

The format holds names, shapes and numbers, and no code (github.com/huggingface/safetensors). What
is wrong with a file becomes one line that names it. What the tensors mean is `hf`'s to say.
"""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from safetensors import SafetensorError, safe_open

CONFIG, TOKENIZER, TOKENIZER_CONFIG = "config.json", "tokenizer.json", "tokenizer_config.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLE = "pytorch_model.bin"  # never opened


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
            raise ValueError(
                f"{index}: weight_map.{key} is {name!r}, no safetensors file beside it"
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
            yield file
    except SafetensorError as error:
        raise ValueError(f"{path}: not a whole safetensors file ({error})") from error


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
