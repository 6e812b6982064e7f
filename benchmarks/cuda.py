"""GPT-2's 124M shape on a CUDA card, beside transformers and nanoGPT.

`python -m benchmarks --only cuda --nanogpt PATH`. Where there is no card each row says so. Blocks
of 1,024 tokens, bfloat16. FLOPs of a token: 6 times the parameters, and attention's 12 L C T
(Chowdhery et al. 2022, PaLM, arXiv 2204.02311, appendix B).
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

import gptlib

from .generation import generates, transformers_generates
from .peers import Missing
from .side_by_side import NotMeasured, Row, compare, write_table
from .training import Loss, nanogpts, transformers_gpt2

BEGIN, END = "<!-- cuda: begin -->", "<!-- cuda: end -->"

SHAPE = gptlib.GPTConfig()
N_ROWS, STEPS, N = 16, 10, 200
PEAK = {"H100": 989e12, "H200": 989e12, "A100": 312e12}  # bf16 FLOP/s, dense, by NVIDIA's sheets
NO_CARD = "there is no CUDA card here"
STEP = f"{STEPS} training steps, 124M, {N_ROWS} rows of 1,024, bf16"
WRITE = f"{N} tokens, 124M, bf16, one row"


def rows(nanogpt: Path | None) -> Iterator[Row | NotMeasured]:
    if not torch.cuda.is_available():
        for what in (STEP, WRITE):
            yield NotMeasured(what, "transformers", NO_CARD)
        yield NotMeasured(STEP, "nanoGPT, compiled", NO_CARD)
        yield NotMeasured("FLOP utilisation of a training step, 124M", "the card's peak", NO_CARD)
        return
    model = gptlib.GPT(SHAPE, seed=0).cuda()
    ours = _stepping(model, lambda x, y: gptlib.nll(model(x), y))
    yield compare(STEP, "transformers", ours, _stepping(*_on_card(transformers_gpt2(SHAPE))))
    try:
        peer = torch.compile(nanogpts(SHAPE, nanogpt)[0].cuda())
        yield compare(STEP, "nanoGPT, compiled", ours, _stepping(peer, lambda x, y: peer(x, y)[1]))
    except Missing as missing:
        yield NotMeasured(STEP, "nanoGPT, compiled", missing)
    yield utilisation(ours, model.n_params())
    peer = transformers_gpt2(SHAPE)[0].cuda().bfloat16().eval()
    model = model.bfloat16().eval()
    yield compare(WRITE, "transformers", generates(model, N), transformers_generates(peer, N))


def _on_card(side: tuple[torch.nn.Module, Loss]) -> tuple[torch.nn.Module, Loss]:
    side[0].cuda()
    return side


def _stepping(model: torch.nn.Module, loss_of: Loss) -> Callable[[], None]:
    ids = torch.randint(SHAPE.vocab_size, (N_ROWS, SHAPE.block_size + 1), device="cuda")
    x, y = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)

    def go():
        for _ in range(STEPS):
            optimizer.zero_grad()
            with torch.autocast("cuda", torch.bfloat16):
                loss = loss_of(x, y)
            loss.backward()
            optimizer.step()
        torch.cuda.synchronize()

    return go


def utilisation(steps: Callable[[], None], n_params: int) -> Row | NotMeasured:
    """Seconds of ten steps beside what the card would need at its peak."""
    what = "FLOP utilisation of a training step, 124M (its inverse is the ratio)"
    card = torch.cuda.get_device_name()
    peak = next((flops for name, flops in PEAK.items() if name in card), None)
    if peak is None:
        return NotMeasured(what, "the card's peak", f"its peak is not known here: {card}")
    tokens = STEPS * N_ROWS * SHAPE.block_size
    flops = tokens * (6 * n_params + 12 * SHAPE.n_layer * SHAPE.n_embd * SHAPE.block_size)
    pairs = []
    for _ in range(5):
        began = time.perf_counter()
        steps()
        pairs.append((time.perf_counter() - began, flops / peak))
    return Row.of_pairs(what, "the card's peak", pairs)


def main(nanogpt: Path | None) -> None:
    write_table(rows(nanogpt), BEGIN, END)
