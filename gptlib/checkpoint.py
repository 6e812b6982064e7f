"""Save and load: a folder of config.json, model.safetensors and tokenizer.json.

The folder is laid out as Hugging Face lays out GPT-2, so that other tools open it; no pickle is
read or written. A save replaces all of its files or none (`files.atomic_folder`).
"""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import hub
from .files import atomic_folder, data_dir, finish_save, user_path
from .hf import read_config, read_model, to_hf_config, to_hf_tensors
from .model import GPT
from .tensor_files import (
    CONFIG,
    TOKENIZER,
    TOKENIZER_CONFIG,  # for transformers' AutoTokenizer; not read here
    WEIGHTS,
    check_sum,
    existing,
    open_file,
    read_json,
    read_sums,
    weights_file,
    write_tensors,
)
from .tokenizer import END_OF_TEXT, Tokenizer
from .tokenizer_files import hf_tokenizer_config
from .training import Step
from .vocab_files import VOCAB

TRAINING, HISTORY, LOSSES = "training.safetensors", "history.safetensors", "history.json"
STEPS = "history"  # the tensor of TRAINING in which a row tells of a step
FILES = (WEIGHTS, CONFIG, TOKENIZER, TOKENIZER_CONFIG, TRAINING)  # what `save` may write
SHIPPED = ("pets",)


# ---- Whole folders ----


def load(name_or_dir, step: int | None = None) -> tuple[GPT, Tokenizer]:
    """A trained model and its tokenizer, in eval mode on the CPU.

    Args:
        name_or_dir: "pets", which is shipped; a folder written by `save`, by `gptlib train` or by
            transformers; or "gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", "distilgpt2" (`hub`:
            downloaded once). A folder of that name in the current one comes before a download.
        step: the model as it was after so many updates; see `history_steps`.

    Raises:
        FileNotFoundError: no such name or folder, a file is missing from it, or no network.
        ImportError: a download, and huggingface_hub is not installed.
        ValueError: a file is truncated, foreign, or does not fit the others; one line naming it.
    """
    folder = resolve(name_or_dir)
    model = load_model(folder, step)  # first: of a foreign folder its config says what it is
    if not (folder / VOCAB).is_file():  # GPT-2's first files, which Tokenizer.load reads too
        existing(folder / TOKENIZER)
    tokenizer = Tokenizer.load(folder)
    if tokenizer.vocab_size > model.config.vocab_size:
        raise ValueError(
            f"{folder / TOKENIZER}: {tokenizer.vocab_size} tokens, but {CONFIG} has "
            f"vocab_size {model.config.vocab_size}"
        )
    return model, tokenizer


def load_model(name_or_dir, step: int | None = None) -> GPT:
    """The model alone; arguments and errors as `load`."""
    folder = resolve(name_or_dir)
    config = read_config(folder / CONFIG)
    if step is None:
        return read_model(config, weights_file(folder))
    if step not in history_steps(folder):
        known = ", ".join(map(str, history_steps(folder))) or "none"
        raise ValueError(f"{name_or_dir} has no snapshot of step {step!r}: it has {known}")
    return read_model(config, folder / HISTORY, f"{step}/")


def save(folder, model: GPT, tokenizer: Tokenizer | None = None, training=None) -> None:
    """Write the folder that `load` opens, all of it or nothing.

    Args:
        tokenizer: None leaves the folder's own in place.
        training: a Trainer whose state goes along, for `load_training`.

    Raises:
        ValueError: the tokenizer has more ids than the model, or the model has a part taken out
            (`ablations`) or rounded (`quantization`), which the files have no word for; nothing is
            written then.
    """
    for module in model.modules():
        if hasattr(module, "not_saved"):
            raise ValueError(module.not_saved)
    tokens = tokenizer or _kept_tokenizer(folder)
    if tokens is not None and tokens.vocab_size > model.config.vocab_size:
        raise ValueError(
            f"{folder}: the tokenizer has {tokens.vocab_size} ids, the model's vocab_size is "
            f"{model.config.vocab_size}: they do not belong together"
        )
    with atomic_folder(folder) as staging:
        config = to_hf_config(model.config, tokens)
        (staging / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        n_head = str(model.config.n_head)
        write_tensors(to_hf_tensors(model), staging / WEIGHTS, {"format": "pt", "n_head": n_head})
        if tokenizer is not None:
            tokenizer.save(staging / TOKENIZER)
            stop = None if tokenizer.eos_id is None else END_OF_TEXT
            settings = hf_tokenizer_config(stop, model.config.block_size)
            path = staging / TOKENIZER_CONFIG
            path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        if training is not None:
            tensors, numbers = training.state()
            tensors = {name: t.detach().contiguous().cpu() for name, t in tensors.items()}
            numbers = numbers | {"weights": _sha256(staging / WEIGHTS)}
            # A header may not hold more than 100 MB: a million steps as text would not fit.
            tensors[STEPS] = _table(numbers.pop("history"))
            write_tensors(tensors, staging / TRAINING, {"gptlib": json.dumps(numbers)})


def _kept_tokenizer(folder) -> Tokenizer | None:
    """The one that a save without a tokenizer leaves in place, if there is one."""
    path = user_path(folder) / TOKENIZER
    return Tokenizer.load(path) if path.is_file() else None


def load_training(folder) -> tuple[dict[str, Tensor], dict]:
    """What `Trainer.load_state` takes, from a folder saved with `training`.

    Raises:
        ValueError: the file is damaged, or was saved with other weights than the folder has now.
    """
    path = resolve(folder) / TRAINING
    with open_file(path) as file:
        try:
            numbers = json.loads((file.metadata() or {})["gptlib"])
            numbers["step"], numbers["seconds"], numbers["config"]
            weights = numbers["weights"]
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            raise ValueError(f"{path}: its header holds no training state") from error
        sums = read_sums(path, file)
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        for name, tensor in tensors.items():
            check_sum(path, sums, name, tensor)
    try:
        numbers["history"] = _rows(tensors.pop(STEPS))
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{path}: holds no history of its steps") from error
    if weights != _sha256(existing(path.with_name(WEIGHTS))):
        raise ValueError(f"{path}: belongs to other weights than those of {WEIGHTS}")
    return tensors, numbers


def _table(history: list[list]) -> Tensor:
    """The rows of a history, (N, 7); float64 holds their numbers exactly, and None as NaN."""
    return torch.from_numpy(np.array(history, np.float64).reshape(-1, len(Step._fields)))


def _rows(table: Tensor) -> list[list]:
    """What `_table` was made from."""
    steps = [Step(*row) for row in table.tolist()]
    held = [None if math.isnan(s.val_loss) else s.val_loss for s in steps]
    return [
        list(s._replace(step=int(s.step), tokens=int(s.tokens), val_loss=loss))
        for s, loss in zip(steps, held)
    ]


def resolve(name_or_dir) -> Path:
    """The folder of a name or of a path; finishes a save that a crash cut off."""
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


# ---- A history: snapshots of one run ----


@dataclass(frozen=True)
class History:
    """The losses of a run and the steps of which there are snapshots."""

    steps: list[int]  # snapshots: load(name, step=...)
    loss: list[tuple[int, float]]  # (step, training loss), nats per token
    val_loss: list[tuple[int, float]]  # (step, held-out loss), nats per token
    floor: float | None  # the held-out loss of the true distribution, if it is known


def history_steps(name_or_dir) -> list[int]:
    """The steps of which the folder has a snapshot, in order."""
    path = resolve(name_or_dir) / HISTORY
    if not path.is_file():
        return []
    with open_file(path) as file:
        steps = {key.partition("/")[0] for key in file.keys()}  # noqa: SIM118
    if odd := [step for step in steps if not step.isdecimal()]:
        raise ValueError(f"{path}: {min(odd)!r} is not the step of a snapshot")
    return sorted(map(int, steps))


def load_history(name_or_dir) -> History:
    """The losses and snapshots of a run that was saved with `save_history`."""
    path = existing(resolve(name_or_dir) / LOSSES)
    values = read_json(path)
    if values.pop("sha256", None) not in (None, _checksum(values)):
        raise ValueError(f"{path}: damaged: its checksum is another")
    try:
        return History(
            steps=history_steps(name_or_dir),
            loss=[(int(step), float(loss)) for step, loss in values["loss"]],
            val_loss=[(int(step), float(loss)) for step, loss in values["val_loss"]],
            floor=None if values["floor"] is None else float(values["floor"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a history ({error})") from error


def save_history(folder, snapshots: dict[int, dict[str, Tensor]], losses: dict) -> None:
    """Add to a saved folder: {step: to_hf_tensors(model)} and {"loss", "val_loss", "floor"}."""
    tensors = {f"{step}/{name}": t for step, ts in snapshots.items() for name, t in ts.items()}
    with atomic_folder(folder) as staging:
        write_tensors(tensors, staging / HISTORY, {"format": "pt"})
        values = losses | {"sha256": _checksum(losses)}
        (staging / LOSSES).write_text(json.dumps(values) + "\n", encoding="utf-8")


# ---- Checksums ----


def _checksum(losses: dict) -> str:
    return hashlib.sha256(json.dumps(losses, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
