"""`save_pretrained` and `from_pretrained`: a model as a folder in Hugging Face's GPT-2 layout.

A model's class inherits `Pretrained` and names the class of its config, so that this room, which
lies below the model, can build one. What else a folder may hold is for `storage` to say.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self

from . import hub
from .files import atomic_folder, data_dir, finish_save, user_path
from .hf import read_config, read_model, to_hf_config, to_hf_tensors
from .json_files import errors_that_name
from .special_tokens import END_OF_TEXT
from .tensors import CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS, weights_file, write_tensors
from .tokenizer_json import hf_tokenizer_config, read_tokenizer_json

SHIPPED = ("pets",)


class Pretrained:
    """What a model's class needs to be saved and opened; `config_class` is the class of its shape.

    The model has `config`, whose fields are GPT-2's, and parameters under GPT-2's names.
    """

    config_class: type

    def save_pretrained(self, folder) -> None:
        """Write config.json and model.safetensors in Hugging Face's GPT-2 layout.

        Raises:
            ValueError: as `gptlib.save`.
        """
        save_model(folder, self)

    @classmethod
    def from_pretrained(cls, name_or_dir) -> Self:
        """The model of a folder in that layout, or of a name; see `gptlib.load`."""
        folder = resolve(name_or_dir)
        config = read_config(folder / CONFIG, cls.config_class)
        return read_model(cls, config, weights_file(folder))


def resolve(name_or_dir) -> Path:
    """The folder of a name or of a path; finishes a save that a crash cut off.

    Raises:
        FileNotFoundError: there is no such folder, and no model has this name.
    """
    if str(name_or_dir) in SHIPPED:
        return data_dir() / str(name_or_dir)
    folder = user_path(name_or_dir)
    if folder.is_dir():
        finish_save(folder)
    if str(name_or_dir) in hub.REPOSITORIES and not (folder / CONFIG).is_file():
        return hub.folder(str(name_or_dir))
    if not folder.is_dir():
        names = ", ".join((*SHIPPED, *hub.REPOSITORIES))
        text = str(name_or_dir)
        text = text if text.isprintable() else repr(text)  # a line break in it would make two lines
        raise FileNotFoundError(f"{text}: no such folder, and no model's name ({names})")
    return folder


class Vocabulary(NamedTuple):
    """What a model's files say of a tokenizer."""

    vocab_size: int
    eos_id: int | None


def save_model(
    folder, model, tokenizer=None, also: Callable[[Path], None] = lambda staging: None
) -> None:
    """Write a model, and its tokenizer if one is given: all files or none.

    Args:
        tokenizer: a `gptlib.Tokenizer`; None leaves the folder's own in place.
        also: writes more files into the folder that it is given, as a part of the same save.

    Raises:
        ValueError: as `gptlib.save`.
    """
    for module in model.modules():
        if hasattr(module, "not_saved"):
            raise ValueError(module.not_saved)
    tokens = tokenizer or _kept_vocabulary(folder)
    if tokens is not None and tokens.vocab_size > model.config.vocab_size:
        raise ValueError(
            f"{folder}: the tokenizer has {tokens.vocab_size} ids, the model's vocab_size is "
            f"{model.config.vocab_size}: they do not belong together"
        )
    with atomic_folder(folder) as staging:
        _write_json(staging / CONFIG, to_hf_config(model.config, tokens and tokens.eos_id))
        n_head = str(model.config.n_head)
        write_tensors(to_hf_tensors(model), staging / WEIGHTS, {"format": "pt", "n_head": n_head})
        if tokenizer is not None:
            tokenizer.save(staging / TOKENIZER)
            stop = None if tokenizer.eos_id is None else END_OF_TEXT
            settings = hf_tokenizer_config(stop, model.config.block_size)
            _write_json(staging / TOKENIZER_CONFIG, settings)
        also(staging)


def _kept_vocabulary(folder) -> Vocabulary | None:
    """That of the tokenizer which a save without one leaves in place, if there is one."""
    path = user_path(folder) / TOKENIZER
    if not path.is_file():
        return None
    with errors_that_name(path):
        merges, names, byte_ids = read_tokenizer_json(path)
    first = len(byte_ids) + len(merges)
    eos_id = first + names.index(END_OF_TEXT) if END_OF_TEXT in names else None
    return Vocabulary(first + len(names), eos_id)


def _write_json(path: Path, values: dict) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
