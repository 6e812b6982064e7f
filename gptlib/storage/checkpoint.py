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

from ..formats.files import atomic_folder
from ..formats.hf import read_config, read_model
from ..formats.pretrained import resolve, save_model
from ..formats.tensors import (
    CONFIG,
    TOKENIZER,
    TOKENIZER_CONFIG,  # for transformers' AutoTokenizer; not read here
    WEIGHTS,
    check_sum,
    existing,
    open_file,
    read_json,
    read_sums,
    write_tensors,
)
from ..formats.vocab import VOCAB
from ..model import GPT, GPTConfig
from ..tokenizer import Tokenizer
from ..training import Step

TRAINING, HISTORY, LOSSES = "training.safetensors", "history.safetensors", "history.json"
STEPS = "history"  # the tensor of TRAINING in which a row tells of a step
FILES = (WEIGHTS, CONFIG, TOKENIZER, TOKENIZER_CONFIG, TRAINING)  # what `save` may write


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
    if step is None:
        return GPT.from_pretrained(name_or_dir)
    folder = resolve(name_or_dir)
    config = read_config(folder / CONFIG, GPTConfig)
    if step not in history_steps(folder):
        known = ", ".join(map(str, history_steps(folder))) or "none"
        raise ValueError(f"{name_or_dir} has no snapshot of step {step!r}: it has {known}")
    return read_model(GPT, config, folder / HISTORY, f"{step}/")


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
    save_model(folder, model, tokenizer, lambda staging: _write_training(staging, training))


def _write_training(staging: Path, training) -> None:
    """The state of a Trainer, beside weights that are already written."""
    if training is None:
        return
    tensors, numbers = training.state()
    tensors = {name: t.detach().contiguous().cpu() for name, t in tensors.items()}
    numbers = numbers | {"weights": _sha256(staging / WEIGHTS)}
    # A header may not hold more than 100 MB: a million steps as text would not fit.
    tensors[STEPS] = _table(numbers.pop("history"))
    write_tensors(tensors, staging / TRAINING, {"gptlib": json.dumps(numbers)})


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
