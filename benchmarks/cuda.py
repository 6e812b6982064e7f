"""GPT-2's 124M shape on a CUDA card, beside transformers and nanoGPT, both compiled.

`python -m benchmarks --only cuda --nanogpt PATH`. Where there is no card each row says so. Blocks
of 1,024 tokens, bfloat16, fused AdamW. FLOPs of a token: 6 times the parameters, and attention's
12 L C T (Chowdhery et al. 2022, PaLM, arXiv 2204.02311, appendix B).
"""

import gc
import math
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch

import gptlib
from gptlib.fast.cards import fused_nll
from gptlib.formats.values import reason

from .generation import generates, transformers_generates
from .peers import Missing
from .side_by_side import NotMeasured, Row, compare, write_table
from .training import ON_CUDA, Loss, nanogpts, to_a_loss, transformers_gpt2

BEGIN, END = "<!-- cuda: begin -->", "<!-- cuda: end -->"

SHAPE = gptlib.GPTConfig()
PADDED = 50304  # GPT-2's vocabulary, rounded up as nanoGPT does by itself
N_ROWS, STEPS, N, MANY = 16, 10, 200, 32
PEAK = {"H100": 989e12, "H200": 989e12, "A100": 312e12}  # bf16 FLOP/s, dense, by NVIDIA's sheets
NO_CARD, FAILED = "there is no CUDA card here", "it failed:"
STEP = f"{STEPS} training steps, 124M, {N_ROWS} rows of 1,024, bf16"
WRITE = f"{N} tokens, 124M"
A_ROW, SECONDS = 45, {ON_CUDA.what: 240}  # what a row takes, compiling included; about
UTILISATION = "FLOP utilisation of a training step, 124M"

Measure = Callable[[str, str, Path | None], Row | NotMeasured]


def rows(nanogpt: Path | None, minutes: float = math.inf) -> Iterator[Row | NotMeasured]:
    """One after the other, each with the card for itself, as long as there is time."""
    end = time.monotonic() + 60 * minutes
    for what, peer, measure in ROWS:
        if not torch.cuda.is_available():
            yield NotMeasured(what, peer, NO_CARD)
            continue
        if time.monotonic() + SECONDS.get(what, A_ROW) > end:
            yield NotMeasured(
                what, peer, f"it takes longer than what was left of {minutes:.1f} min"
            )
            continue
        try:
            yield measure(what, peer, nanogpt)
        except (Missing, torch.cuda.OutOfMemoryError) as missing:
            yield NotMeasured(what, peer, _in_a_cell(missing))
        except Exception as error:  # a compiler's, say: what was measured before is not to be lost
            traceback.print_exc()
            yield NotMeasured(what, peer, f"{FAILED} {_in_a_cell(error)}")
        gc.collect()
        torch.compiler.reset()
        torch.cuda.empty_cache()


def _in_a_cell(error: Exception) -> str:
    return reason(error).replace("|", "/")


# ---- Training ----


def bare_steps(n_rows: int = N_ROWS, shape: gptlib.GPTConfig = SHAPE) -> Callable[[], None]:
    """Our step as `Trainer` compiles it, with nothing around it."""
    model = gptlib.GPT(shape, seed=0).cuda()
    return stepping(model, lambda x, y: fused_nll(model(x), y), shape, n_rows)


def stepping(
    model: torch.nn.Module, loss_of: Loss, shape: gptlib.GPTConfig = SHAPE, n_rows: int = N_ROWS
) -> Callable[[], None]:
    ids = torch.randint(SHAPE.vocab_size, (n_rows, shape.block_size + 1), device="cuda")
    x, y = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    compiled = torch.compile(loss_of)

    def go():
        for _ in range(STEPS):
            optimizer.zero_grad()
            with torch.autocast("cuda", torch.bfloat16):
                loss = compiled(x, y)
            loss.backward()
            optimizer.step()
        torch.cuda.synchronize()

    return go


def by_trainer(optimizer: str) -> Callable[[], None]:
    """The same by `Trainer.update`: batches, clipping and the loss of each step on top."""
    tokens = torch.randint(SHAPE.vocab_size, (1_000_000,))
    config = gptlib.TrainConfig(10**6, N_ROWS, device="cuda", optimizer=optimizer)
    trainer = gptlib.Trainer(gptlib.GPT(SHAPE, seed=0), tokens, config)

    def go():
        for _ in range(STEPS):
            trainer.update()
        torch.cuda.synchronize()

    return go


def beside_transformers(what: str, peer: str, nanogpt: Path | None) -> Row:
    model, loss_of = transformers_gpt2(SHAPE)
    return compare(what, peer, bare_steps(), stepping(model.cuda(), loss_of))


def beside_nanogpt(what: str, peer: str, nanogpt: Path | None, vocab_size=SHAPE.vocab_size) -> Row:
    shape = replace(SHAPE, vocab_size=vocab_size)
    model, loss_of = nanogpts(shape, nanogpt)
    return compare(what, peer, bare_steps(shape=shape), stepping(model.cuda(), loss_of, shape))


def beside_padded_nanogpt(what: str, peer: str, nanogpt: Path | None) -> Row:
    return beside_nanogpt(what, peer, nanogpt, PADDED)


def trainer_beside_bare_steps(what: str, peer: str, nanogpt: Path | None) -> Row:
    return compare(what, peer, by_trainer("adamw"), bare_steps())


def muon_beside_adamw(what: str, peer: str, nanogpt: Path | None) -> Row:
    return compare(what, peer, by_trainer("muon"), by_trainer("adamw"))


def utilisation(what: str, peer: str, nanogpt: Path | None, n_rows=N_ROWS) -> Row | NotMeasured:
    """Seconds of ten steps beside what the card would need at its peak."""
    card = torch.cuda.get_device_name()
    peak = next((flops for name, flops in PEAK.items() if name in card), None)
    if peak is None:
        return NotMeasured(what, peer, f"its peak is not known here: {card}")
    steps, tokens = bare_steps(n_rows), STEPS * n_rows * SHAPE.block_size
    per_token = 12 * SHAPE.n_layer * SHAPE.n_embd * SHAPE.block_size
    per_token += 6 * gptlib.GPT(SHAPE, seed=0).n_params()
    return compare(what, peer, steps, lambda: time.sleep(tokens * per_token / peak))


def utilisation_of_many(what: str, peer: str, nanogpt: Path | None) -> Row | NotMeasured:
    return utilisation(what, peer, nanogpt, n_rows=4 * N_ROWS)


# ---- Writing ----


def writes(dtype: torch.dtype, n_rows: int = 1) -> Callable[[], object]:
    return generates(gptlib.GPT(SHAPE, seed=0).cuda().to(dtype).eval(), N, n_rows)


def beside_a_cache(what: str, peer: str, nanogpt: Path | None, **how) -> Row:
    model = transformers_gpt2(SHAPE)[0].cuda().bfloat16().eval()
    return compare(what, peer, writes(torch.bfloat16), transformers_generates(model, N, **how))


def beside_a_static_cache(what: str, peer: str, nanogpt: Path | None) -> Row:
    return beside_a_cache(what, peer, nanogpt, cache_implementation="static")


def bf16_beside_float32(what: str, peer: str, nanogpt: Path | None) -> Row:
    return compare(what, peer, writes(torch.bfloat16), writes(torch.float32))


def many_beside_one(what: str, peer: str, nanogpt: Path | None) -> Row:
    return compare(what, peer, writes(torch.bfloat16, MANY), writes(torch.bfloat16))


def headline(what: str, peer: str, nanogpt: Path | None) -> Row | NotMeasured:
    return to_a_loss(nanogpt, runs=1, race=ON_CUDA)


# What is asked most comes first: the last ones may find no time.
ROWS: list[tuple[str, str, Measure]] = [
    (STEP, "nanoGPT, compiled", beside_nanogpt),
    (f"{WRITE}, bf16, one row", "transformers, static cache", beside_a_static_cache),
    (f"{WRITE}, bf16, one row", "gptlib, float32", bf16_beside_float32),
    (f"{WRITE}, bf16, {MANY} rows", "gptlib, one row", many_beside_one),
    (f"{WRITE}, bf16, one row", "transformers", beside_a_cache),
    (f"{STEP}, by Trainer", "the bare step", trainer_beside_bare_steps),
    (f"{STEP}, by Trainer with Muon", "with AdamW", muon_beside_adamw),
    (f"{UTILISATION}, {N_ROWS} rows (its inverse is the ratio)", "the card's peak", utilisation),
    (STEP, "transformers, compiled", beside_transformers),
    (f"{STEP}, {PADDED:,} tokens", "nanoGPT, compiled", beside_padded_nanogpt),
    (f"{UTILISATION}, {4 * N_ROWS} rows", "the card's peak", utilisation_of_many),
    (ON_CUDA.what, ON_CUDA.peer, headline),
]


def main(nanogpt: Path | None, minutes: float = math.inf) -> None:
    write_table(rows(nanogpt, minutes), BEGIN, END)
