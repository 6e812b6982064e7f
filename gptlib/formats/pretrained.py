"""`save_pretrained` and `from_pretrained`: a model as a folder in Hugging Face's GPT-2 layout.

A model's class inherits `Pretrained` and names the class of its config, so that this room, which
lies below the model, can build one. What else a folder may hold is for `storage` to say.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self, cast

from torch import nn

from . import hub
from .files import data_dir, user_path
from .hf import STAMP, Shape, plain, read_config, stamp, to_hf_config, to_hf_tensors
from .json_files import errors_that_name
from .locks import sole_writer
from .saves import WAIT, atomic_folder, finish_save
from .special_tokens import END_OF_TEXT
from .tensors import (
    CONFIG,
    TOKENIZER,
    TOKENIZER_CONFIG,
    WEIGHTS,
    crc32,
    open_file,
    weights_file,
    write_tensors,
)
from .tokenizer_json import hf_tokenizer_config, read_tokenizer_json
from .values import shown
from .weights import OtherSave, read_model

SHIPPED = ("pets",)
LONGEST_PATH = 4096  # characters: more than any system opens
TOKENIZER_SUM = "tokenizer"  # in the weights' metadata: the fingerprint of the one saved with them


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
        config: Shape = read_config(folder / CONFIG, cls.config_class)
        model = read_model(cast(type[nn.Module], cls), config, weights_file(folder))
        return cast(Self, model)


def resolve(name_or_dir) -> Path:
    """The folder of a name or of a path; finishes a save that a crash cut off.

    Raises:
        FileNotFoundError: there is no such folder, and no model has this name.
    """
    if str(name_or_dir) in SHIPPED:
        return data_dir() / str(name_or_dir)
    if len(str(name_or_dir)) > LONGEST_PATH:
        text = shown(str(name_or_dir))
        raise FileNotFoundError(f"{text}: no such folder, and not the name of a model")
    folder = user_path(name_or_dir)
    if folder.is_dir():
        finish_save(folder)
    if str(name_or_dir) in hub.REPOSITORIES and not (folder / CONFIG).is_file():
        return hub.folder(str(name_or_dir))
    if not folder.is_dir():
        names = ", ".join((*SHIPPED, *hub.REPOSITORIES))
        text = str(name_or_dir)
        text = text if text.isprintable() else shown(text)  # a line break would make two lines
        raise FileNotFoundError(f"{text}: no such folder, and not the name of a model ({names})")
    return folder


class Vocabulary(NamedTuple):
    """What a model's files say of a tokenizer."""

    vocab_size: int
    eos_id: int | None
    fingerprint: str


def save_model(
    folder, model, tokenizer=None, also: Callable[[Path], None] = lambda staging: None
) -> None:
    """Write a model, and its tokenizer if one is given: all files or none.

    Config and weights carry one stamp, and the weights a fingerprint of the tokenizer, so that
    files of two saves in one folder are noticed.

    Args:
        tokenizer: a `gptlib.Tokenizer`; None leaves the folder's own in place.
        also: writes more files into the folder that it is given, as a part of the same save.

    Raises:
        ValueError: as `gptlib.save`.
    """
    model = plain(model)
    if not hasattr(model, "config_class"):
        raise ValueError(f"a {type(model).__name__} is not a GPT: gptlib.save writes nothing else")
    for module in model.modules():
        if hasattr(module, "not_saved"):
            raise ValueError(module.not_saved)
    tensors = to_hf_tensors(model)
    with sole_writer(user_path(folder), WAIT):  # a tokenizer that stays must not change meanwhile
        tokens = _vocabulary(tokenizer) if tokenizer else _kept_vocabulary(folder)
        if tokens is not None and tokens.vocab_size > model.config.vocab_size:
            raise ValueError(
                f"{folder}: the tokenizer has {tokens.vocab_size} ids, the model's vocab_size is "
                f"{model.config.vocab_size}: they do not belong together"
            )
        with atomic_folder(folder) as staging:
            _write_model(staging, model, tensors, tokens)
            if tokenizer is not None:
                tokenizer.save(staging / TOKENIZER)
                stop = None if tokenizer.eos_id is None else END_OF_TEXT
                settings = hf_tokenizer_config(stop, model.config.block_size)
                _write_json(staging / TOKENIZER_CONFIG, settings)
            also(staging)


def _write_model(staging: Path, model, tensors, tokens: Vocabulary | None) -> None:
    """config.json and the weights, with one stamp; the weights name the tokenizer too."""
    config = to_hf_config(model.config, tokens and tokens.eos_id)
    sums = {name: crc32(tensor) for name, tensor in tensors.items()}
    fingerprint = {TOKENIZER_SUM: tokens.fingerprint} if tokens else {}
    config[STAMP] = stamp(config, sums, json.dumps(fingerprint))
    _write_json(staging / CONFIG, config)
    metadata = {"format": "pt", "n_head": str(model.config.n_head), STAMP: config[STAMP]}
    write_tensors(tensors, staging / WEIGHTS, metadata | fingerprint, sums)


def check_tokenizer(folder: Path, tokenizer) -> None:
    """Refuse a tokenizer that is another one than the folder's weights were saved with.

    Weights that another tool wrote, or an earlier version, do not say with which.
    """
    if not (folder / WEIGHTS).is_file():
        return
    with open_file(folder / WEIGHTS) as file:
        wanted = file.metadata.get(TOKENIZER_SUM)
    if wanted not in (None, _vocabulary(tokenizer).fingerprint):
        raise OtherSave(f"{folder / TOKENIZER}: is not the tokenizer that {WEIGHTS} was saved with")


def _vocabulary(tokenizer) -> Vocabulary:
    names = list(tokenizer.special_tokens)
    fingerprint = _fingerprint(tokenizer.merges, names, tokenizer.byte_ids)
    return Vocabulary(tokenizer.vocab_size, tokenizer.eos_id, fingerprint)


def _kept_vocabulary(folder) -> Vocabulary | None:
    """That of the tokenizer which a save without one leaves in place, if there is one."""
    path = user_path(folder) / TOKENIZER
    if not path.is_file():
        return None
    with errors_that_name(path):
        merges, names, byte_ids = read_tokenizer_json(path)
    first = len(byte_ids) + len(merges)
    eos_id = first + names.index(END_OF_TEXT) if END_OF_TEXT in names else None
    return Vocabulary(first + len(names), eos_id, _fingerprint(merges, names, byte_ids))


def _fingerprint(merges, names, byte_ids) -> str:
    """A hash of all on which ids depend, and of nothing else that a file may say."""
    text = json.dumps([list(map(list, merges)), list(names), list(byte_ids)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _write_json(path: Path, values: dict) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
