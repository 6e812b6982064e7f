"""`gptlib train`: train a model on a text, into a folder that `gptlib.load` opens."""

import argparse
import hashlib
import json
import os
import warnings
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path

from .. import corpora
from ..formats.locks import sole_writer
from ..formats.memory import check_memory
from ..formats.saves import finish_save
from ..model import GPT, GPTConfig
from ..scale import distributed
from ..scale.devices import resolve_device
from ..scale.distributed import LostProcess, Team
from ..scale.shards import Prepared
from ..scale.signals import end_as_ctrl_c, undisturbed
from ..storage import checkpoint
from ..storage.runs import Run, check_place
from ..tokenizer import Tokenizer
from ..training import Step, TrainConfig, Trainer
from .messages import say
from .options import (
    METAVARS,
    VOCAB_SIZE,
    count,
    flag,
    folder,
    non_empty,
    positive,
    vocab_size,
)

MODEL_DEFAULTS = {"block_size": 128, "n_layer": 4, "n_head": 4, "n_embd": 128, "dropout": 0.0}
TRAIN_OPTIONS = {f.name: f for f in fields(TrainConfig) if f.name not in ("eos_id", "block_size")}
CHOICES = {"optimizer": ("adamw", "muon"), "schedule": ("cosine", "linear")}
TRAIN_HELP = {
    "learning_rate": "(0.003 with AdamW, 0.03 with Muon)",
    "warmup_steps": "(50 with AdamW, 10 with Muon)",
    "final_learning_rate": "(a tenth of that with AdamW, 0 with Muon)",
    "schedule": "from one to the other (cosine with AdamW, linear with Muon)",
}


def add(commands) -> None:
    """Add the subcommand with its options."""
    parser = commands.add_parser("train", help="train a model on a text")
    parser.set_defaults(run=run)
    names = ", ".join(corpora.NAMES)
    parser.add_argument(
        "--corpus",
        required=True,
        type=non_empty,
        metavar="FILE|DIR|NAME",
        help=f"a text, a folder made by gptlib prepare, or {names}",
    )
    parser.add_argument("--out", required=True, type=folder, metavar="DIR", help="for the model")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--resume", action="store_true", help="go on from what DIR holds, if any")
    either.add_argument("--overwrite", action="store_true", help="replace the model in DIR")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument("--save-every", type=positive, default=100, metavar="N", help="steps (100)")
    parser.add_argument(
        "--keep", type=count, default=0, metavar="N", help="saves kept in DIR/checkpoints (0)"
    )
    parser.add_argument("--tensorboard", action="store_true", help="its files, in DIR/tensorboard")
    parser.add_argument(
        "--vocab-size", type=int, metavar="N", help=f"tokens at most ({VOCAB_SIZE})"
    )
    for name, default in MODEL_DEFAULTS.items():
        kind = type(default)
        parser.add_argument(flag(name), type=kind, metavar=METAVARS[kind], help=f"({default})")
    for name, field in TRAIN_OPTIONS.items():
        if name == "bf16":
            parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, help="(on CUDA)")
            continue
        shown = TRAIN_HELP.get(name, f"({field.default})")
        if name in CHOICES:
            parser.add_argument(flag(name), choices=CHOICES[name], help=shown)
            continue
        kind = {"warmup_steps": int}.get(
            name, float if field.default is None else type(field.default)
        )
        parser.add_argument(flag(name), type=kind, metavar=METAVARS[kind], help=shown)


def run(a: argparse.Namespace) -> int:
    device = TrainConfig.device if a.device is None else a.device
    with end_as_ctrl_c(), distributed.join(device) as team, ExitStack() as stack:
        _check_out(a.out)
        if team.first:  # one run a folder, from here to its last save
            stack.enter_context(sole_writer(a.out, wait=1.0))
            finish_save(a.out)
        return _train_in(a, team)


def _train_in(a: argparse.Namespace, team: Team) -> int:
    corpus = corpora.load(a.corpus)
    if isinstance(corpus, Prepared):
        _take_vocabulary(a, corpus)
    saved = _saved_run(a, corpus) if a.resume else None
    if saved is None:
        there = next((name for name in checkpoint.FILES if (a.out / name).exists()), None)
        if there and not a.overwrite:
            hint = "but no run to resume" if a.resume else "(a run goes on with --resume)"
            raise ValueError(f"{a.out}: holds {there} {hint}: use --overwrite or another DIR")
        check_place(a.out)
        model, tokenizer, config = _new_run(a, corpus, team)
    else:
        check_place(a.out)
        model, tokenizer = checkpoint.load(a.out)
        config = _resumed_config(a, model, saved[1], team)
    tokens, heldout = corpus.encode(tokenizer)
    try:
        with distributed.others_needed():
            trainer = Trainer(model, tokens, config, heldout if len(heldout) > 1 else None, team)
    except ValueError as error:
        raise ValueError(f"{a.corpus}: {error}") from error
    if saved is not None:
        trainer.load_state(*saved)
    start = {"corpus": _fingerprint(corpus), "vocab_size": vocab_size(a)}
    run = Run(a.out, trainer, tokenizer, start, a.keep, a.tensorboard) if team.first else None
    return _steps(a, trainer, run)


def _steps(a: argparse.Namespace, trainer: Trainer, run: Run | None) -> int:
    """Train to the end, or to what ends it; only the first process has a `run` to write."""
    shown = run is not None and not a.quiet
    try:
        with distributed.others_needed():
            for step in trainer.progress() if shown else trainer:
                if run is not None:
                    run.log(step)
                    if step.step % a.save_every == 0 and step.step < trainer.config.steps:
                        run.save()
        if run is not None:
            run.save()
            print(json.dumps(_summary(trainer)))
        return 0
    except (KeyboardInterrupt, LostProcess) as error:
        if not trainer.step:
            raise
        with undisturbed():
            _stopped(a, trainer, run, error)
        raise SystemExit(1 if isinstance(error, LostProcess) else 130) from None
    finally:
        if run is not None:
            run.close()


def _stopped(a: argparse.Namespace, trainer: Trainer, run: Run | None, error) -> None:
    """Save what there is, and say how the run goes on."""
    why = f"{error}: stopped" if isinstance(error, LostProcess) else "interrupted"
    told = distributed.speaks()  # asked before the save, which may take its time
    if run is not None:
        run.save()
        why += f" after step {trainer.step} of {trainer.config.steps}, saved in {a.out}"
    if told:
        say(f"{why}: the same command with --resume goes on")


def _check_out(folder: Path) -> None:
    """Refuse a folder that cannot be written to now, and not after an hour of training."""
    there = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if not there.is_dir():
        raise ValueError(f"{there}: is a file, where a folder is needed")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"{there}: no permission to write there")


def _take_vocabulary(a: argparse.Namespace, corpus: Prepared) -> None:
    """The vocabulary of a prepared corpus is settled; the command may say it again."""
    has = corpus.tokenizer.vocab_size
    if a.vocab_size not in (None, has):
        raise ValueError(f"--vocab-size {a.vocab_size}: {a.corpus} was prepared with {has}")
    a.vocab_size = has


def _given(a: argparse.Namespace, names) -> dict:
    """The options that were on the command line."""
    return {name: getattr(a, name) for name in names if getattr(a, name) is not None}


def _new_run(
    a: argparse.Namespace, corpus: corpora.Corpus, team: Team
) -> tuple[GPT, Tokenizer, TrainConfig]:
    config = TrainConfig(**_given(a, TRAIN_OPTIONS))
    on_cpu = resolve_device(config.device).type == "cpu"
    shape = GPTConfig(vocab_size(a), **(MODEL_DEFAULTS | _given(a, MODEL_DEFAULTS)))
    copies = 3 if on_cpu else 1  # of the weights: also gradients, and what the optimizer remembers
    check_memory(replace(shape, vocab_size=1), copies)  # the text may allow fewer tokens
    with warnings.catch_warnings(record=True) as caught:  # "stops early" is news, not a warning
        warnings.simplefilter("always", UserWarning)
        prepared = isinstance(corpus, Prepared)
        tokenizer = (
            corpus.tokenizer if prepared else Tokenizer.train(corpus.train, shape.vocab_size)
        )
    for warning in caught if team.first else ():
        say(warning.message)
    shape = replace(shape, vocab_size=tokenizer.vocab_size)
    check_memory(shape, copies)
    model = GPT(shape, seed=config.seed)
    return model, tokenizer, replace(config, eos_id=tokenizer.eos_id if corpus.documents else None)


def _saved_run(a: argparse.Namespace, corpus: corpora.Corpus) -> tuple[dict, dict] | None:
    """The state to go on from; None where DIR holds no run yet: --resume may always stand."""
    if not (a.out / checkpoint.TRAINING).exists():
        return None
    tensors, numbers = checkpoint.load_training(a.out)
    if numbers.get("corpus") != _fingerprint(corpus):
        raise ValueError(f"{a.out}: was trained on another corpus than {a.corpus}")
    return tensors, numbers


def _resumed_config(a: argparse.Namespace, model: GPT, saved: dict, team: Team) -> TrainConfig:
    """The settings of the run that goes on; the command may say them again, not otherwise.

    Only the device and the number of steps may change, and over how many processes and parts the
    rows of a batch are spread. With more steps the learning rate goes on
    along the longer cosine: where the first had come down it jumps up, as in a warm restart.
    """
    config = TrainConfig.from_dict(saved["config"])
    had = config.to_dict() | model.config.to_dict() | {"vocab_size": saved.get("vocab_size")}
    had |= {"learning_rate": config.peak, "final_learning_rate": config.final}
    had["warmup_steps"] = config.warmup
    free = _given(a, ("steps", "device"))
    spread = _given(a, ("batch_size", "accumulate"))
    new = replace(config, **spread)
    rows = new.batch_size * new.accumulate * team.size
    had_rows = saved.get("rows", config.batch_size)
    if rows == had_rows:
        free |= spread
    elif not spread:
        raise ValueError(
            f"{a.out}: its updates have {had_rows} rows, these {rows} on {team.size} processes: "
            f"choose --batch-size and --accumulate for {had_rows}"
        )
    for name, value in _given(a, (*MODEL_DEFAULTS, *TRAIN_OPTIONS, "vocab_size")).items():
        if name not in free and value != had[name]:
            raise ValueError(f"{flag(name)} {value}: the run in {a.out} has {had[name]}")
    if free.get("steps", config.steps) < saved["step"]:
        raise ValueError(f"--steps {a.steps}: the run in {a.out} has done {saved['step']} already")
    return replace(config, **free)


def _fingerprint(corpus: corpora.Corpus | Prepared) -> str:
    if isinstance(corpus, Prepared):
        return corpus.fingerprint
    digest = hashlib.sha256()
    for part in corpus:
        digest.update(part.encode())
    return digest.hexdigest()


def _summary(trainer: Trainer) -> dict:
    """The line of JSON that a run ends with."""
    last: Step = trainer.history[-1]
    tail = [step.loss for step in trainer.history[-20:]]
    return {
        "steps": last.step,
        "train_loss": round(sum(tail) / len(tail), 4),
        "val_loss": None if trainer.val_loss is None else round(trainer.val_loss, 4),
        "seconds": round(last.seconds, 2),
        "tokens_per_second": round(last.tokens / max(last.seconds, 1e-9)),
        "device": str(trainer.device),
        "parameters": trainer.model.n_params(),
        "vocab_size": trainer.model.config.vocab_size,
    }
