"""Beginning or going on with a run: what its folder has, and what may be different this time.

Leaves out the files themselves, which are `checkpoint`'s.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..model import GPT
from ..training import TrainConfig
from . import checkpoint


def check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be written to now, and not after an hour of training."""
    there = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if not there.is_dir():
        raise ValueError(f"{there}: is a file, but a folder is needed")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"{there}: no permission to write there")


def saved_run(folder: Path, fingerprint: str, corpus: str) -> tuple[dict, dict] | None:
    """The state to go on from, or None where the folder holds no run yet.

    Args:
        fingerprint: of the text that is given now, which the user calls `corpus`.

    Raises:
        ValueError: the run was trained on a different text, or a file is damaged.
    """
    if not (folder / checkpoint.TRAINING).exists():
        return None
    tensors, numbers = checkpoint.load_training(folder)
    if numbers.get("corpus") != fingerprint:
        raise ValueError(f"{folder}: was trained on a different corpus from {corpus}")
    return tensors, numbers


def resumed_config(
    folder: Path, given: dict, model: GPT, saved: dict, size: int, option: Callable = str
) -> TrainConfig:
    """The settings of the run that goes on. They may be given again, as they were.

    Only the device and the number of steps may change, and over how many processes and parts the
    rows of a batch are spread. With more steps the learning rate goes on along the longer schedule:
    where the first had come down it jumps up, as in a warm restart.

    Args:
        given: {setting: value} of what was said now, of TrainConfig, GPTConfig and vocab_size.
        saved: the numbers that `saved_run` found. size: how many processes there are now.
        option: what the user calls a setting, "--n-layer" say.

    Raises:
        ValueError: a setting is given that the run has differently; names both values.
    """
    config = TrainConfig.from_dict(saved["config"])
    free = {name: given[name] for name in ("steps", "device") if name in given}
    free |= _spread(folder, given, config, saved.get("rows", config.batch_size), size)
    had = config.to_dict() | model.config.to_dict() | {"vocab_size": saved.get("vocab_size")}
    had |= {"learning_rate": config.peak, "final_learning_rate": config.final}
    had["warmup_steps"] = config.warmup
    for name, value in given.items():
        if name not in free and value != had[name]:
            raise ValueError(f"{option(name)} {value}: the run in {folder} has {had[name]}")
    if (steps := free.get("steps", config.steps)) < saved["step"]:
        raise ValueError(
            f"{option('steps')} {steps}: the run in {folder} has already done {saved['step']}"
        )
    return replace(config, **free)


def _spread(folder: Path, given: dict, config: TrainConfig, had_rows: int, size: int) -> dict:
    """batch_size and accumulate as given, if an update then has as many rows as it had."""
    spread = {name: given[name] for name in ("batch_size", "accumulate") if name in given}
    new = replace(config, **spread)
    rows = new.batch_size * new.accumulate * size
    if rows == had_rows:
        return spread
    if not spread:
        raise ValueError(
            f"{folder}: its updates have {had_rows} rows; these have {rows}, on {size} processes: "
            f"choose --batch-size and --accumulate for {had_rows}"
        )
    return {}
