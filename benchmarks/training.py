"""Training beside nanoGPT, transformers, llms-from-scratch. `python -m benchmarks --only training`

First a step: the same batch through forward, loss, backward, clipping and AdamW. Then the whole way
to a loss: processes from start to end, evaluation included, on Shakespeare by characters.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F

import gptlib
from gptlib.scale import kernels
from gptlib.training import evaluate, evaluation_rows

from . import as_started_by_hand
from .peers import Missing, from_clone, installed
from .side_by_side import NotMeasured, Row, compare, write_table

BEGIN, END = "<!-- training: begin -->", "<!-- training: end -->"

# The model of nanoGPT's recipe for a CPU (its README), and the same with a larger batch.
SHAPE = gptlib.GPTConfig(vocab_size=65, block_size=64, n_layer=4, n_head=4, n_embd=128)
LONGER = gptlib.GPTConfig(vocab_size=1024, block_size=256, n_layer=4, n_head=4, n_embd=128)
RECIPE = "--device=cpu --compile=False --eval_iters=20 --log_interval=1 --block_size=64 "
RECIPE += "--batch_size=12 --n_layer=4 --n_head=4 --n_embd=128 --max_iters=2000 "
RECIPE += "--lr_decay_iters=2000 --dropout=0.0"
OURS = "--corpus shakespeare --recipe letters --device cpu --quiet"
TARGET = 1.886  # nats per character: what the recipe gave when this was first measured
HEADLINE = 1.4697  # what nanoGPT's README gives for config/train_shakespeare_char.py

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def rows(nanogpt: Path | None) -> Iterator[Row | NotMeasured]:
    for shape, n_rows in ((SHAPE, 12), (LONGER, 16)):
        for peer, loss_of in _peers(shape, nanogpt).items():
            what = (
                f"a training step, {n_rows} rows of {shape.block_size}, {shape.vocab_size} tokens"
            )
            if isinstance(loss_of, Missing):
                yield NotMeasured(what, peer, loss_of)
                continue
            ours, theirs = (
                _stepping(_our_loss(shape), shape, n_rows),
                _stepping(loss_of, shape, n_rows),
            )
            yield compare(what, peer, ours, theirs)
    yield with_muon(nanogpt)
    yield to_a_loss(nanogpt)
    yield to_a_loss(nanogpt, race=IN_THEIR_SIZES)


# ---- A step ----


def _our_loss(shape: gptlib.GPTConfig) -> tuple[torch.nn.Module, Loss]:
    kernels.for_many_rows(torch.device("cpu"))  # as a Trainer does
    model = gptlib.GPT(shape, seed=0)
    return model, lambda x, y: gptlib.nll(model(x), y)


def _peers(shape: gptlib.GPTConfig, nanogpt: Path | None) -> dict:
    """{name: (model, its loss of inputs and targets)}, or Missing where it is not at hand."""
    found = {"transformers": transformers_gpt2(shape)}
    for name, make in (("nanoGPT", nanogpts), ("llms-from-scratch", _from_scratch)):
        try:
            found[name] = make(shape, nanogpt)
        except Missing as missing:
            found[name] = missing
    return found


def transformers_gpt2(shape: gptlib.GPTConfig) -> tuple[torch.nn.Module, Loss]:
    from transformers import GPT2Config, GPT2LMHeadModel

    names = {name: getattr(shape, name) for name in ("vocab_size", "n_layer", "n_head", "n_embd")}
    names |= dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    names |= {"n_positions": shape.block_size, "eos_token_id": None, "bos_token_id": None}
    model = GPT2LMHeadModel(GPT2Config(**names))
    return model, lambda x, y: F.cross_entropy(model(x).logits.flatten(0, 1), y.flatten())


def nanogpts(shape: gptlib.GPTConfig, nanogpt: Path | None) -> tuple[torch.nn.Module, Loss]:
    module = from_clone(nanogpt, "model", "--nanogpt")
    model = module.GPT(module.GPTConfig(**shape.to_dict() | {"bias": False}))
    return model, lambda x, y: model(x, y)[1]


def _from_scratch(shape: gptlib.GPTConfig, nanogpt: Path | None) -> tuple[torch.nn.Module, Loss]:
    module = installed("llms_from_scratch.ch04", "llms-from-scratch")
    names = {"vocab_size": shape.vocab_size, "context_length": shape.block_size, "drop_rate": 0.0}
    names |= {"emb_dim": shape.n_embd, "n_heads": shape.n_head, "n_layers": shape.n_layer}
    model = module.GPTModel(names | {"qkv_bias": True})
    return model, lambda x, y: F.cross_entropy(model(x).flatten(0, 1), y.flatten())


def _stepping(side: tuple[torch.nn.Module, Loss], shape: gptlib.GPTConfig, n_rows: int, steps=10):
    """Ten steps as all of these train: loss, backward, clipping, AdamW on matrices and vectors."""
    model, loss_of = side
    ids = torch.randint(shape.vocab_size, (n_rows, shape.block_size + 1))
    x, y = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
    fused = {"fused": True} if isinstance(model, gptlib.GPT) else {}  # each as it trains by itself
    groups = [[p for p in model.parameters() if (p.ndim < 2) == vectors] for vectors in (0, 1)]
    optimizer = torch.optim.AdamW(
        [{"params": groups[0], "weight_decay": 0.1}, {"params": groups[1], "weight_decay": 0.0}],
        betas=(0.9, 0.99),
        **fused,
    )

    def go():
        for _ in range(steps):
            optimizer.zero_grad()
            loss_of(x, y).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

    return go


def with_muon(nanogpt: Path | None) -> Row | NotMeasured:
    """What Muon's products cost: our Trainer's own step, batch and all, beside nanoGPT's."""
    what = "a training step with Muon, by Trainer, 12 rows of 64, 65 tokens"
    try:
        theirs = _stepping(nanogpts(SHAPE, nanogpt), SHAPE, 12)
    except Missing as missing:
        return NotMeasured(what, "nanoGPT with AdamW", missing)
    config = gptlib.TrainConfig(steps=10**6, batch_size=12, device="cpu")
    trainer = gptlib.Trainer(gptlib.GPT(SHAPE, seed=0), torch.randint(65, (10_000,)), config)
    return compare(
        what, "nanoGPT with AdamW", lambda: [trainer.update() for _ in range(10)], theirs
    )


# ---- To a loss ----


class Race(NamedTuple):
    """Two whole processes to one held-out loss."""

    what: str
    peer: str
    ours: str  # arguments of `gptlib train`
    theirs: str  # of nanoGPT's train.py, after its config
    block_size: int  # of the rows by which both are scored


ON_CPU = Race(
    f"to a held-out loss of {TARGET} on Shakespeare, with 2 layers",
    "nanoGPT's recipe, 2,000 steps",
    OURS,
    RECIPE,
    64,
)
IN_THEIR_SIZES = ON_CPU._replace(
    what=f"to a held-out loss of {TARGET} on Shakespeare, with 4 layers as nanoGPT",
    ours=f"{OURS} --n-layer 4 --batch-size 12 --steps 365 --eval-every 365",
)
ON_CUDA = Race(
    f"to a held-out loss of {HEADLINE} on Shakespeare, 6 layers, 384 wide",
    "nanoGPT's recipe, 5,000 steps",
    "--corpus shakespeare --recipe letters-cuda --device cuda --quiet",
    "",
    256,
)


def to_a_loss(nanogpt: Path | None, runs: int = 3, race: Race = ON_CPU) -> Row | NotMeasured:
    """Seconds of whole processes; the row says which loss each came to, on all held-out text."""
    try:
        from_clone(nanogpt, "model", "--nanogpt")
        text = "".join(gptlib.corpora.load("shakespeare"))
    except (Missing, OSError, ValueError) as missing:
        return NotMeasured(race.what, race.peer, missing)
    with tempfile.TemporaryDirectory() as folder:
        clone, ours = Path(folder) / "nanogpt", Path(folder) / "ours"
        shutil.copytree(nanogpt, clone, ignore=shutil.ignore_patterns(".git"))
        (clone / "data/shakespeare_char/input.txt").write_text(text, encoding="utf-8")
        _process("data/shakespeare_char/prepare.py", cwd=clone)
        pairs, losses = [], []
        for _ in range(runs):
            pairs.append((_ours(ours, race), _theirs(clone, race)))
            losses.append((our_loss(ours, race), their_loss(clone, race)))
            print(f"  {pairs[-1]} seconds, losses {losses[-1]}", flush=True)
    worst, theirs = max(a for a, _ in losses), sorted(b for _, b in losses)[runs // 2]
    what = f"{race.what} (ours {worst:.3f} at worst, theirs {theirs:.3f})"
    return Row.of_pairs(what, race.peer, pairs)


def _ours(folder: Path, race: Race) -> float:
    return _process(
        "-m", "gptlib", "train", *race.ours.split(), "--out", str(folder), "--overwrite"
    )


def _theirs(clone: Path, race: Race) -> float:
    config = "config/train_shakespeare_char.py"
    return _process("train.py", config, *race.theirs.split(), cwd=clone)


def _process(*arguments: str, cwd=None) -> float:
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=as_started_by_hand(),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def our_loss(folder: Path, race: Race) -> float:
    """Of the saved model, on every character of the held-out text."""
    model, tokenizer = gptlib.load(folder)
    heldout = torch.tensor(tokenizer.encode(gptlib.corpora.load("shakespeare").heldout))
    return evaluate(model, *evaluation_rows(heldout, race.block_size))


def their_loss(clone: Path, race: Race) -> float:
    """The same of nanoGPT's checkpoint, in a process of its own: the file is a pickle."""
    code = f"""
import sys, torch, numpy
sys.path.insert(0, {str(clone)!r})
from model import GPT, GPTConfig
saved = torch.load({str(clone / "out-shakespeare-char/ckpt.pt")!r}, weights_only=False)
model = GPT(GPTConfig(**saved["model_args"]))
prefix = "_orig_mod."  # which torch.compile puts before each name
model.load_state_dict({{name.removeprefix(prefix): p for name, p in saved["model"].items()}})
ids = numpy.fromfile({str(clone / "data/shakespeare_char/val.bin")!r}, "uint16")
ids = torch.from_numpy(ids.astype("int64"))
size, losses = {race.block_size}, []
n = (len(ids) - 1) // size * size
rows = zip(ids[:n].view(-1, size).split(64), ids[1 : n + 1].view(-1, size).split(64))
with torch.no_grad():
    for x, y in rows:
        losses += [model.eval()(x, y)[1].item()] * len(x)
print("loss", sum(losses) / len(losses))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(re.search(r"loss ([\d.]+)", done.stdout)[1])


def main(nanogpt: Path | None) -> None:
    write_table(rows(nanogpt), BEGIN, END)
