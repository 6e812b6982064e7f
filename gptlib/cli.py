"""The `gptlib` command: train, prepare, plot, sample, tokenize, doctor.

Everything it does is a few lines over the library; errors are one line and exit status 2.
"""

import argparse
import hashlib
import json
import os
import platform
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import fields, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from tqdm.auto import tqdm

from . import __version__, checkpoint, corpora, distributed, hub
from .distributed import LostProcess, Team
from .files import atomic_write, cache_dir, data_dir, finish_save, user_path
from .model import GPT, GPTConfig
from .prepare import prepare
from .quantization import quantize
from .runs import LOG, Run, read_log
from .sampling import generate
from .shards import Prepared
from .tokenizer import Tokenizer
from .training import Step, TrainConfig, Trainer, resolve_device

MODEL_DEFAULTS = {"block_size": 128, "n_layer": 4, "n_head": 4, "n_embd": 128, "dropout": 0.0}
TRAIN_OPTIONS = {f.name: f for f in fields(TrainConfig) if f.name not in ("eos_id", "block_size")}
VOCAB_SIZE = 1024
CHOICES = {"optimizer": ("adamw", "muon"), "schedule": ("cosine", "linear")}
TRAIN_HELP = {
    "learning_rate": "(0.003 with AdamW, 0.03 with Muon)",
    "warmup_steps": "(50 with AdamW, 10 with Muon)",
    "final_learning_rate": "(a tenth of that with AdamW, 0 with Muon)",
    "schedule": "from one to the other (cosine with AdamW, linear with Muon)",
}
METAVARS = {int: "N", float: "X", str: "NAME"}


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a sign that the terminal has not is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    arguments = _parser().parse_args(argv)
    try:
        status = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader had enough, as in `gptlib tokenize ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError, FloatingPointError, ImportError) as error:
        named = isinstance(error, OSError) and error.filename and error.strerror
        _note(f"{error.filename}: {error.strerror}" if named else error)
        return 2
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        _note("out of memory: try a smaller --batch-size, --block-size or model")
        return 2
    except KeyboardInterrupt:
        _note("interrupted")
        return 130


def _note(message: object) -> None:
    """One line on stderr: stdout is for results. Of several processes one says it."""
    if distributed.speaks():
        _say(message)


def _say(message: object) -> None:
    print(f"gptlib: {' '.join(str(message).split())}", file=sys.stderr)


# ---- train ----


def _train(a: argparse.Namespace) -> int:
    device = TrainConfig.device if a.device is None else a.device
    with distributed.terminate_as_ctrl_c(), distributed.join(device) as team:
        return _train_in(a, team)


def _train_in(a: argparse.Namespace, team: Team) -> int:
    _check_out(a.out)
    corpus = corpora.load(a.corpus)
    if isinstance(corpus, Prepared):
        _take_vocabulary(a, corpus)
    saved = _saved_run(a, corpus) if a.resume else None
    if saved is None:
        there = next((name for name in checkpoint.FILES if (a.out / name).exists()), None)
        if there and not a.overwrite:
            hint = "but no run to resume" if a.resume else "(a run goes on with --resume)"
            raise ValueError(f"{a.out}: holds {there} {hint}: use --overwrite or another DIR")
        model, tokenizer, config = _new_run(a, corpus, team)
    else:
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
    start = {"corpus": _fingerprint(corpus), "vocab_size": _vocab_size(a)}
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
        with distributed.undisturbed():
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
        _say(f"{why}: the same command with --resume goes on")


def _check_out(folder: Path) -> None:
    """Refuse a folder that cannot be written to now, and not after an hour of training."""
    finish_save(folder)
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


def _vocab_size(a: argparse.Namespace) -> int:
    return VOCAB_SIZE if a.vocab_size is None else a.vocab_size


def _given(a: argparse.Namespace, names) -> dict:
    """The options that were on the command line."""
    return {name: getattr(a, name) for name in names if getattr(a, name) is not None}


def _new_run(
    a: argparse.Namespace, corpus: corpora.Corpus, team: Team
) -> tuple[GPT, Tokenizer, TrainConfig]:
    config = TrainConfig(**_given(a, TRAIN_OPTIONS))
    resolve_device(config.device)
    shape = GPTConfig(_vocab_size(a), **(MODEL_DEFAULTS | _given(a, MODEL_DEFAULTS)))
    with warnings.catch_warnings(record=True) as caught:  # "stops early" is news, not a warning
        warnings.simplefilter("always", UserWarning)
        prepared = isinstance(corpus, Prepared)
        tokenizer = (
            corpus.tokenizer if prepared else Tokenizer.train(corpus.train, shape.vocab_size)
        )
    for warning in caught if team.first else ():
        _say(warning.message)
    model = GPT(replace(shape, vocab_size=tokenizer.vocab_size), seed=config.seed)
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
            raise ValueError(f"{_option(name)} {value}: the run in {a.out} has {had[name]}")
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


# ---- plot ----


def _plot(a: argparse.Namespace) -> int:
    folder, path = a.run_folder, a.out or a.run_folder / "loss.png"
    if path.suffix not in (".png", ".svg"):
        raise ValueError(f"--out {path}: must end in .png or .svg")
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    logged = (folder / LOG).is_file() or not (folder / checkpoint.LOSSES).is_file()
    history = read_log(folder) if logged else checkpoint.load_history(folder)
    if not history:
        raise ValueError(f"{folder / LOG}: there is no step in it yet")
    config = folder / checkpoint.CONFIG
    vocab_size = checkpoint.read_config(config).vocab_size if config.is_file() else None
    try:
        from .plots.training import loss_curve
    except ImportError as error:
        raise ImportError("gptlib plot needs matplotlib: pip install matplotlib") from error

    picture = loss_curve(history, vocab_size=vocab_size, theme="light")
    with atomic_write(path) as temporary:
        picture.savefig(temporary, format=path.suffix[1:])
    print(path)
    return 0


# ---- prepare ----


def _prepare(a: argparse.Namespace) -> int:
    began = time.perf_counter()
    tokenizer = None if a.tokenizer is None else _tokenizer(a.tokenizer)
    if tokenizer is not None and a.vocab_size is not None:
        raise ValueError("--vocab-size is of a tokenizer that is learned: leave out one of the two")
    settings = {"vocab_size": _vocab_size(a), "jobs": a.jobs, "overwrite": a.overwrite}
    total = sum(file.stat().st_size for file in a.files if file.is_file())
    with (
        tqdm(total=total, unit="B", unit_scale=True, disable=a.quiet) as bar,
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always", UserWarning)
        made = prepare(a.files, a.out, tokenizer, report=bar.update, **settings)
    for warning in caught:
        _say(warning.message)
    summary = {"files": len(a.files), "bytes": total, "train_tokens": len(made.train)}
    summary |= {"heldout_tokens": len(made.heldout), "vocab_size": made.tokenizer.vocab_size}
    print(json.dumps(summary | {"seconds": round(time.perf_counter() - began, 2)}))
    return 0


# ---- sample, tokenize ----


def _sample(a: argparse.Namespace) -> int:
    device = resolve_device(a.device)
    model, tokenizer = checkpoint.load(a.model)
    if a.int8:
        model = quantize(model)
    ids = tokenizer.encode(a.prompt)
    if not ids:
        raise ValueError("--prompt is empty: the model needs at least one token to go on from")
    generator = None if a.seed is None else torch.Generator().manual_seed(a.seed)
    out = generate(
        model.to(device),
        ids,
        a.max_new_tokens,
        temperature=a.temperature,
        top_k=a.top_k,
        top_p=a.top_p,
        eos_id=tokenizer.eos_id,
        generator=generator,
    ).tolist()
    if out[-1] == tokenizer.eos_id:  # the token that says "the end" is not a part of the text
        out.pop()
    print(tokenizer.decode(out))
    return 0


def _tokenize(a: argparse.Namespace) -> int:
    tokenizer = _tokenizer(a.model)
    text = sys.stdin.read() if a.text == "-" else a.text
    for token_id in tokenizer.encode(text):
        print(f"{token_id:>6}  {tokenizer.token_str(token_id)}")
    return 0


def _tokenizer(name: str) -> Tokenizer:
    if name in hub.REPOSITORIES and not user_path(name).is_dir():
        return Tokenizer.gpt2()  # the one of all sizes; no weights are asked for
    return Tokenizer.load(checkpoint.resolve(name))


# ---- doctor ----


def _doctor(a: argparse.Namespace) -> int:
    well = doctor()
    print(f"    {'data':<14}{data_dir()}\n    {'cache':<14}{cache_dir()}")
    return 0 if well else 1


def doctor() -> bool:
    """Print what was found here, a line each; True where the course can run."""
    found = list(checks())
    for name, value, good in found:
        print(f"{'ok' if good else '!!':<4}{name:<14}{value}")
    return all(good for _, _, good in found)


def checks() -> Iterator[tuple[str, str, bool]]:
    """(what, what was found, whether the course can run with it), for people and for lesson 00."""
    yield "gptlib", __version__, True
    python = platform.python_version_tuple()
    yield "python", ".".join(python), (3, 11) <= (int(python[0]), int(python[1])) < (3, 14)
    yield "torch", f"{torch.__version__}, {torch.get_num_threads()} threads", True
    for name in ("numpy", "matplotlib", "ipywidgets", "jupyterlab"):
        try:
            yield name, version(name), True
        except PackageNotFoundError:
            yield name, "missing: install gptlib[lessons]", False
    cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else "none; the CPU will do"
    yield "CUDA", cuda, True
    try:
        model, tokenizer = checkpoint.load("pets")
        ids = tokenizer.encode("The cat is")
        said = tokenizer.decode(generate(model, ids, 1, temperature=0).tolist())
        yield "pets model", said, said == "The cat is sleeping"
    except (ValueError, OSError) as error:
        yield "pets model", str(error), False


# ---- options ----


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="gptlib", description="A GPT, from text to the next word.")
    parser.add_argument("--version", action="version", version=f"gptlib {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")

    train = commands.add_parser("train", help="train a model on a text")
    train.set_defaults(run=_train)
    names = ", ".join(corpora.NAMES)
    train.add_argument(
        "--corpus",
        required=True,
        type=_named,
        metavar="FILE|DIR|NAME",
        help=f"a text, a folder made by gptlib prepare, or {names}",
    )
    train.add_argument("--out", required=True, type=_folder, metavar="DIR", help="for the model")
    either = train.add_mutually_exclusive_group()
    either.add_argument("--resume", action="store_true", help="go on from what DIR holds, if any")
    either.add_argument("--overwrite", action="store_true", help="replace the model in DIR")
    train.add_argument("--quiet", action="store_true", help="no progress bar")
    train.add_argument("--save-every", type=_positive, default=100, metavar="N", help="steps (100)")
    train.add_argument(
        "--keep", type=_count, default=0, metavar="N", help="saves kept in DIR/checkpoints (0)"
    )
    train.add_argument("--tensorboard", action="store_true", help="its files, in DIR/tensorboard")
    train.add_argument("--vocab-size", type=int, metavar="N", help=f"tokens at most ({VOCAB_SIZE})")
    for name, default in MODEL_DEFAULTS.items():
        kind = type(default)
        train.add_argument(_option(name), type=kind, metavar=METAVARS[kind], help=f"({default})")
    for name, field in TRAIN_OPTIONS.items():
        if name == "bf16":
            train.add_argument("--bf16", action=argparse.BooleanOptionalAction, help="(on CUDA)")
            continue
        shown = TRAIN_HELP.get(name, f"({field.default})")
        if name in CHOICES:
            train.add_argument(_option(name), choices=CHOICES[name], help=shown)
            continue
        kind = {"warmup_steps": int}.get(
            name, float if field.default is None else type(field.default)
        )
        train.add_argument(_option(name), type=kind, metavar=METAVARS[kind], help=shown)

    plot = commands.add_parser("plot", help="draw the losses of a run, which may still be going on")
    plot.set_defaults(run=_plot)
    plot.add_argument("run_folder", type=_folder, metavar="DIR")
    plot.add_argument("--out", type=_folder, metavar="FILE", help=".png or .svg (DIR/loss.png)")
    prepare = commands.add_parser("prepare", help="tokenize texts, of any size, into a folder")
    prepare.set_defaults(run=_prepare)
    prepare.add_argument("files", nargs="+", type=_folder, metavar="FILE")
    prepare.add_argument("--out", required=True, type=_folder, metavar="DIR", help="for the shards")
    prepare.add_argument("--tokenizer", type=_named, metavar="DIR|NAME", help="(learned from FILE)")
    prepare.add_argument("--vocab-size", type=int, metavar="N", help=f"to learn ({VOCAB_SIZE})")
    prepare.add_argument("--jobs", type=_positive, metavar="N", help="processes (one a core)")
    prepare.add_argument("--overwrite", action="store_true", help="replace the corpus in DIR")
    prepare.add_argument("--quiet", action="store_true", help="no progress bar")

    sample = commands.add_parser("sample", help="let a model go on from a prompt")
    sample.set_defaults(run=_sample)
    sample.add_argument("--model", type=_named, default="pets", metavar="DIR|NAME", help="(pets)")
    sample.add_argument("--prompt", required=True)
    sample.add_argument("--max-new-tokens", type=int, default=100, metavar="N", help="(100)")
    sample.add_argument("--temperature", type=float, default=1.0, metavar="T", help="0: greedy (1)")
    sample.add_argument("--top-k", type=int, metavar="K")
    sample.add_argument("--top-p", type=float, metavar="P")
    sample.add_argument("--seed", type=_seed, metavar="S", help="for the same text again")
    sample.add_argument(
        "--int8", action="store_true", help="weights of eight bits: sooner, rounded"
    )
    sample.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")

    tokenize = commands.add_parser("tokenize", help="show the tokens of a text and their ids")
    tokenize.set_defaults(run=_tokenize)
    tokenize.add_argument("--model", type=_named, default="pets", metavar="DIR|NAME", help="(pets)")
    tokenize.add_argument("text", metavar="TEXT", help="- reads standard input")

    doctor = commands.add_parser("doctor", help="check that the course can run here")
    doctor.set_defaults(run=_doctor)
    return parser


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, where argparse would print every option there is."""

    def error(self, message: str) -> None:
        _note(f"{message} (see {self.prog} --help)")
        self.exit(2)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**63:
        raise argparse.ArgumentTypeError(f"must be in 0..2^63-1, not {value}")
    return value


def _named(text: str) -> str:
    """Refuse "", which is what a variable that was never set turns into."""
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def _folder(text: str) -> Path:
    return user_path(_named(text))


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be 0 or more, not {value}")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {value}")
    return value
