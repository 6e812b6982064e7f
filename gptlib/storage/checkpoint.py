"""Save and load: a folder of config.json, model.safetensors and tokenizer.json.

The folder is laid out as Hugging Face lays out GPT-2, so that other tools open it; no pickle is
read or written. A save replaces all of its files or none (`files.atomic_folder`).
"""

import hashlib
import json
import math
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..formats.hf import read_config
from ..formats.json_files import parse
from ..formats.pretrained import check_tokenizer, resolve, save_model
from ..formats.saves import atomic_folder
from ..formats.tensors import (
    CONFIG,
    TOKENIZER,
    TOKENIZER_CONFIG,  # for transformers' AutoTokenizer; not read here
    WEIGHTS,
    existing,
    open_file,
    open_tensors,
    read_json,
    write_tensors,
)
from ..formats.values import Real, Whole, reason, shown
from ..formats.vocab import VOCAB
from ..formats.weights import OtherSave, model_of, read_model
from ..model import GPT, GPTConfig
from ..tokenizer import Tokenizer
from ..training import Step

TRAINING, HISTORY, LOSSES = "training.safetensors", "history.safetensors", "history.json"
STEPS = "history"  # the tensor of TRAINING in which a row tells of a step
TRIES, PAUSE = 20, 0.05  # of opening a folder into which another program is just saving; seconds
FILES = (WEIGHTS, CONFIG, TOKENIZER, TOKENIZER_CONFIG, TRAINING)  # what `save` may write


# ---- Whole folders ----


def load(name_or_dir, step: int | None = None) -> tuple[GPT, Tokenizer]:
    """A trained model and its tokenizer, in eval mode on the CPU.

    The model may have more ids than the tokenizer (a padded vocabulary): those are never drawn.

    Args:
        name_or_dir: "pets", which is shipped; a folder written by `save`, by `gptlib train` or by
            transformers; or "gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", "distilgpt2" (`hub`:
            downloaded once). A folder of that name in the current one comes before a download.
        step: the model as it was after so many updates; see `history_steps`.

    Raises:
        FileNotFoundError: no such name or folder, a file is missing from it, or no network.
        ImportError: a download, and huggingface_hub is not installed.
        ValueError: a file is truncated, foreign, or does not fit the others; one line naming it.

    >>> model, tokenizer = load("pets")
    >>> model.config.n_layer, tokenizer.vocab_size
    (2, 397)
    """
    for _ in range(TRIES - 1):
        try:
            return _load(name_or_dir, step)
        except (
            OtherSave
        ):  # a save is just being moved into place, or the folder really is a mixture
            time.sleep(PAUSE)
    return _load(name_or_dir, step)


def _load(name_or_dir, step: int | None) -> tuple[GPT, Tokenizer]:
    folder = resolve(name_or_dir)
    model = load_model(folder, step)  # first: of a foreign folder its config says what it is
    tokenizer = _load_tokenizer(folder, model.config)
    if tokenizer.vocab_size < model.config.vocab_size:
        model.first_unused_id = tokenizer.vocab_size
    return model, tokenizer


def _load_tokenizer(folder: Path, config: GPTConfig) -> Tokenizer:
    """The folder's own, once it is known to fit the model."""
    if not (folder / VOCAB).is_file():  # GPT-2's first files, which Tokenizer.load reads too
        existing(folder / TOKENIZER)
    tokenizer = Tokenizer.load(folder)
    if tokenizer.vocab_size > config.vocab_size:
        raise ValueError(
            f"{folder / TOKENIZER}: {tokenizer.vocab_size} tokens, but {CONFIG} has "
            f"vocab_size {config.vocab_size}"
        )
    check_tokenizer(folder, tokenizer)
    return tokenizer


def load_model(name_or_dir, step: int | None = None) -> GPT:
    """The model alone; arguments and errors as `load`."""
    if step is None:
        return GPT.from_pretrained(name_or_dir)
    folder = resolve(name_or_dir)
    config = read_config(folder / CONFIG, GPTConfig)
    if step not in history_steps(folder):
        known = ", ".join(map(str, history_steps(folder))) or "none"
        raise ValueError(f"{name_or_dir} has no snapshot of step {shown(step)}: it has {known}")
    return read_model(GPT, config, folder / HISTORY, f"{step}/")


def load_snapshots(name_or_dir) -> tuple[dict[int, GPT], Tokenizer]:
    """The models of all snapshots, by their steps, and their tokenizer; errors as `load`.

    The file is opened once for all of them: of a small model its header takes most of the time.
    """
    folder = resolve(name_or_dir)
    config = read_config(folder / CONFIG, GPTConfig)
    tokenizer, path = _load_tokenizer(folder, config), folder / HISTORY
    steps = history_steps(folder)
    with open_tensors(path) as tensors:
        return {step: model_of(GPT, config, tensors, path, f"{step}/") for step in steps}, tokenizer


def save(folder, model: GPT, tokenizer: Tokenizer | None = None, training=None) -> None:
    """Write the folder that `load` opens, all of it or nothing.

    Args:
        tokenizer: None leaves the folder's own in place.
        training: a Trainer whose state goes along, for `load_training`.

    Raises:
        ValueError: the tokenizer has more ids than the model; or the files have no word for what
            the model is: a part is taken out (`ablations`) or rounded (`quantization`), it has a
            parameter more, or a head of its own. Nothing is written then.
        InUse: another program, a run perhaps, is writing into the folder.
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
        sums = file.sums()
        try:
            numbers = _checked_numbers(parse(file.metadata["gptlib"]))
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(
                f"{path}: its header holds no training state ({reason(error)})"
            ) from None
        tensors = {name: file.read(name, sums) for name in file.tensors}
    try:
        numbers["history"] = _rows(tensors.pop(STEPS))
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{path}: holds no history of its steps") from error
    if numbers["weights"] != _sha256(existing(path.with_name(WEIGHTS))):
        raise ValueError(f"{path}: belongs to different weights from those in {WEIGHTS}")
    return tensors, numbers


def _checked_numbers(numbers) -> dict:
    """What a Trainer wrote beside its tensors, each of its kind; KeyError, ValueError: it is not.

    Its config is checked by `TrainConfig.from_dict`, and what else a run wrote by the run.
    """
    numbers["step"] = Whole().read("step", numbers["step"])
    numbers["seconds"] = Real().read("seconds", numbers["seconds"])
    if "rows" in numbers:  # early versions did not write them
        numbers["rows"] = Whole(1).read("rows", numbers["rows"])
    if not isinstance(numbers["config"], dict) or not isinstance(numbers["weights"], str):
        raise ValueError("config must be an object, and weights a text")
    return numbers


def _table(history: list[list]) -> Tensor:
    """The rows of a history, (N, 7); float64 holds their numbers exactly, and None as NaN."""
    return torch.from_numpy(np.array(history, np.float64).reshape(-1, len(Step._fields)))


def _rows(table: Tensor) -> list[list]:
    """What `_table` was made from. ValueError: a number in it is none that a step can have."""
    steps = [Step(*row) for row in table.tolist()]
    held = [None if s.val_loss is None or math.isnan(s.val_loss) else s.val_loss for s in steps]
    rows = [
        list(s._replace(step=int(s.step), tokens=int(s.tokens), val_loss=loss))
        for s, loss in zip(steps, held)
    ]
    if not all(number is None or math.isfinite(number) for row in rows for number in row):
        raise ValueError("a number of a step is not finite")
    return rows


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
        steps = {key.partition("/")[0] for key in file.tensors}
    if odd := [step for step in steps if not re.fullmatch("[0-9]{1,18}", step)]:
        raise ValueError(f"{path}: {shown(min(odd))} is not the step of a snapshot")
    return sorted(map(int, steps))


def load_history(name_or_dir) -> History:
    """The losses and snapshots of a run that was saved with `save_history`."""
    path = existing(resolve(name_or_dir) / LOSSES)
    values = read_json(path)
    sum_of_losses = values.pop("sha256", None)
    if sum_of_losses not in (None, _checksum(values)):
        raise ValueError(f"{path}: damaged: its checksum is wrong")
    try:
        history = History(
            steps=history_steps(name_or_dir),
            loss=_points("loss", values["loss"]),
            val_loss=_points("val_loss", values["val_loss"]),
            floor=Real(optional=True).read("floor", values["floor"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a history ({reason(error)})") from error
    _check_snapshots(path.with_name(HISTORY), sum_of_losses)
    return history


def _points(name: str, rows: list) -> list[tuple[int, float]]:
    """[(step, loss), ...] of a list of pairs, each number checked."""
    return [
        (Whole().read(f"a step of {name}", step), Real().read(f"a number of {name}", loss))
        for step, loss in rows
    ]


def _check_snapshots(path: Path, sum_of_losses: str | None) -> None:
    """Refuse snapshots that were saved with other losses; early versions did not say with which."""
    if path.is_file() and sum_of_losses is not None:
        with open_file(path) as file:
            if file.metadata.get(LOSSES) not in (None, sum_of_losses):
                raise OtherSave(f"{path}: is from a different save than the {LOSSES} beside it")


def save_history(folder, snapshots: dict[int, dict[str, Tensor]], losses: dict) -> None:
    """Add to a saved folder: {step: to_hf_tensors(model)} and {"loss", "val_loss", "floor"}."""
    tensors = {f"{step}/{name}": t for step, ts in snapshots.items() for name, t in ts.items()}
    values = losses | {"sha256": _checksum(losses)}
    metadata = {"format": "pt", LOSSES: values["sha256"]}
    with atomic_folder(folder) as staging:
        write_tensors(tensors, staging / HISTORY, metadata)
        (staging / LOSSES).write_text(json.dumps(values) + "\n", encoding="utf-8")


# ---- Checksums ----


def _checksum(losses: dict) -> str:
    return hashlib.sha256(json.dumps(losses, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
