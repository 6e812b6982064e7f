"""`gptlib train`: train a model on a text, into a folder that `gptlib.load` opens."""

import argparse
import json
import warnings
from contextlib import ExitStack
from dataclasses import replace

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
from ..scale.unread import settle
from ..storage import checkpoint
from ..storage.going_on import check_writable, resumed_config, saved_run
from ..storage.runs import Run, check_place
from ..tokenizer import Tokenizer
from ..training import Step, TrainConfig, Trainer
from .messages import say
from .options import (
    MODEL_DEFAULTS,
    TRAIN_OPTIONS,
    VOCAB_SIZE,
    add_documents,
    add_settings,
    count,
    flag,
    folder,
    given,
    non_empty,
    positive,
    vocab_size,
)
from .recipes import add_recipe, take_recipe

SAVE_EVERY = 100


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
    add_documents(parser)
    parser.add_argument("--out", required=True, type=folder, metavar="DIR", help="for the model")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--resume", action="store_true", help="continue the run in DIR, if any")
    either.add_argument("--overwrite", action="store_true", help="replace the model in DIR")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument("--save-every", type=positive, metavar="N", help=f"steps ({SAVE_EVERY})")
    parser.add_argument(
        "--keep", type=count, default=0, metavar="N", help="saves to keep in DIR/checkpoints (0)"
    )
    parser.add_argument("--tensorboard", action="store_true", help="its files, in DIR/tensorboard")
    parser.add_argument(
        "--vocab-size", type=int, metavar="N", help=f"at most so many tokens ({VOCAB_SIZE})"
    )
    add_recipe(parser)
    add_settings(parser)


def run(a: argparse.Namespace) -> int:
    take_recipe(a)
    a.save_every = a.save_every or SAVE_EVERY
    device = TrainConfig.device if a.device is None else a.device
    with distributed.join(device) as team, ExitStack() as stack:
        check_writable(a.out)
        if team.first:  # one run a folder, from here to its last save
            stack.enter_context(sole_writer(a.out, wait=1.0))
            finish_save(a.out)
        return _train_in(a, team)


def _train_in(a: argparse.Namespace, team: Team) -> int:
    corpus = corpora.load(a.corpus, a.documents)
    if isinstance(corpus, Prepared):
        _take_vocabulary(a, corpus)
    saved = saved_run(a.out, corpus.fingerprint, a.corpus) if a.resume else None
    if saved is None:
        _refuse_to_replace(a)
        check_place(a.out)
        model, tokenizer, config = _new_run(a, corpus, team)
    else:
        check_place(a.out)
        model, tokenizer = checkpoint.load(a.out)
        said = given(a, (*MODEL_DEFAULTS, *TRAIN_OPTIONS, "vocab_size"))
        config = resumed_config(a.out, said, model, saved[1], team.size, flag)
    tokens, heldout = corpus.encode(tokenizer)
    try:
        with distributed.others_needed():
            trainer = Trainer(model, tokens, config, heldout if len(heldout) > 1 else None, team)
    except ValueError as error:
        raise ValueError(f"{a.corpus}: {error}") from error
    if saved is not None:
        trainer.load_state(*saved)
    start = {"corpus": corpus.fingerprint, "vocab_size": vocab_size(a)}
    run = Run(a.out, trainer, tokenizer, start, a.keep, a.tensorboard) if team.first else None
    with end_as_ctrl_c():
        return _steps(a, trainer, run)


def _refuse_to_replace(a: argparse.Namespace) -> None:
    there = next((name for name in checkpoint.FILES if (a.out / name).exists()), None)
    if there and not a.overwrite:
        hint = "but no run to resume" if a.resume else "(--resume continues a run)"
        raise ValueError(f"{a.out}: holds {there} {hint}: use --overwrite or a different DIR")


def _steps(a: argparse.Namespace, trainer: Trainer, run: Run | None) -> int:
    """Train to the end, or to what ends it; only the first process has a `run` to write."""
    shown = run is not None and not a.quiet
    try:
        with distributed.others_needed():
            for step in trainer.progress() if shown else trainer:
                if run is not None:
                    run.log()
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
        settle(trainer.history)
        run.log()
        run.save()
        why += f" after step {trainer.step} of {trainer.config.steps}, saved in {a.out}"
    if told:
        say(f"{why}: run the same command with --resume to continue")


def _take_vocabulary(a: argparse.Namespace, corpus: Prepared) -> None:
    """The vocabulary of a prepared corpus is settled; the command may say it again."""
    has = corpus.tokenizer.vocab_size
    if a.vocab_size not in (None, has):
        raise ValueError(f"--vocab-size {a.vocab_size}: {a.corpus} was prepared with {has}")
    a.vocab_size = has


def _new_run(
    a: argparse.Namespace, corpus: corpora.Corpus | Prepared, team: Team
) -> tuple[GPT, Tokenizer, TrainConfig]:
    config = TrainConfig(**given(a, TRAIN_OPTIONS))
    on_cpu = resolve_device(config.device).type == "cpu"
    shape = GPTConfig(vocab_size(a), **(MODEL_DEFAULTS | given(a, MODEL_DEFAULTS)))
    copies = 3 if on_cpu else 1  # of the weights: also gradients, and what the optimizer remembers
    check_memory(replace(shape, vocab_size=1), copies)  # the text may allow fewer tokens
    with warnings.catch_warnings(record=True) as caught:  # "stops early" is news, not a warning
        warnings.simplefilter("always", UserWarning)
        if isinstance(corpus, Prepared):
            tokenizer = corpus.tokenizer
        else:
            tokenizer = Tokenizer.train(corpus.train, shape.vocab_size)
    for warning in caught if team.first else ():
        say(warning.message)
    shape = replace(shape, vocab_size=tokenizer.vocab_size)
    check_memory(shape, copies)
    if team.first and (config.warmup_steps or 0) > config.steps:  # --resume may add steps
        words = f"is more than the run's {config.steps} steps: the learning rate never peaks"
        say(f"--warmup-steps {config.warmup_steps} {words}")
    model = GPT(shape, seed=config.seed)
    return model, tokenizer, replace(config, eos_id=tokenizer.eos_id if corpus.aligned else None)


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
