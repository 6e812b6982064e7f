"""Writing text beside transformers and nanoGPT. `python -m benchmarks --only generation`

One row of text, a token at a time, drawn from the 50 likeliest; once more while every core is busy
with something else, as in a class. The 124M shape is opened from a folder, as people open GPT-2. A
token needs each weight once, so memory sets a limit: the roofline is all of the model's matrices
times one vector, by torch.mv, which PyTorch does by itself, and by NumPy, which is faster here.
"""

import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

import gptlib

from .peers import Missing
from .side_by_side import NotMeasured, Row, compare, write_table
from .training import nanogpts, transformers_gpt2

BEGIN, END = "<!-- generation: begin -->", "<!-- generation: end -->"

SMALL = gptlib.GPTConfig(vocab_size=1024, block_size=256, n_layer=4, n_head=4, n_embd=128)
PROMPT = torch.tensor([[1, 2, 3]])
SMALL_N, LARGE_N = 200, 40  # tokens


def rows(nanogpt: Path | None) -> Iterator[Row | NotMeasured]:
    model = gptlib.GPT(SMALL, seed=0).eval()
    what = f"{SMALL_N} tokens, 4 layers, width 128"
    peer = transformers_gpt2(SMALL)[0].eval()
    ours, theirs = generates(model, SMALL_N), transformers_generates(peer, SMALL_N)
    yield compare(what, "transformers", ours, theirs)
    yield beside_nanogpt(what, model, SMALL, SMALL_N, nanogpt)
    with busy_cores():
        row = compare(f"{what}, every core busy", "transformers", ours, theirs)
    yield row
    with tempfile.TemporaryDirectory() as folder:
        gptlib.GPT(gptlib.GPTConfig(), seed=0).save_pretrained(folder)
        yield from large(folder, nanogpt)


def large(folder: str, nanogpt: Path | None) -> Iterator[Row | NotMeasured]:
    from transformers import GPT2LMHeadModel

    model = gptlib.GPT.from_pretrained(folder).eval()
    peer = GPT2LMHeadModel.from_pretrained(folder).eval()
    theirs, what = transformers_generates(peer, LARGE_N), f"{LARGE_N} tokens, 124M"
    in_bf16 = gptlib.GPT.from_pretrained(folder).to(torch.bfloat16).eval()
    kinds = {"float32": model, "int8 weights": gptlib.quantize(model), "bfloat16": in_bf16}
    for name, kind in kinds.items():
        yield compare(f"{what}, {name}", "transformers, float32", generates(kind, LARGE_N), theirs)
    yield beside_nanogpt(f"{what}, float32", model, gptlib.GPTConfig(), LARGE_N, nanogpt)
    yield from rooflines(model)


def beside_nanogpt(what, model, shape, n: int, nanogpt: Path | None) -> Row | NotMeasured:
    """nanoGPT keeps no cache."""
    try:
        peer = nanogpts(shape, nanogpt)[0].eval()
    except Missing as missing:
        return NotMeasured(what, "nanoGPT", missing)
    theirs = torch.no_grad()(lambda: peer.generate(PROMPT, n, top_k=50))
    return compare(what, "nanoGPT", generates(model, n), theirs)


def rooflines(model: gptlib.GPT) -> Iterator[Row]:
    """A token of the model's own step beside the least that its matrices need, each once."""
    from gptlib.decoding.decoders import decoder_for, one_torch_thread

    matrices = [
        p.detach().contiguous()
        for p in model.parameters()
        if p.ndim == 2 and p is not model.wpe.weight
    ]
    vectors = {size: torch.randn(size) for size in {m.shape[1] for m in matrices}}
    token, decoder = PROMPT[:, :1], decoder_for(model, 1)

    def by_torch():
        for matrix in matrices:
            torch.mv(matrix, vectors[matrix.shape[1]])

    def by_numpy():
        with one_torch_thread:
            for matrix in matrices:
                matrix.numpy().dot(vectors[matrix.shape[1]].numpy())

    for name, least in (("torch.mv", by_torch), ("NumPy", by_numpy)):
        yield compare(
            "a token, 124M, float32",
            f"its matrices by {name}",
            lambda: decoder.read(token),
            least,
            runs=25,
        )


@contextmanager
def busy_cores() -> Iterator[None]:
    """A process a core that does nothing, without a pause."""
    idle = [sys.executable, "-c", "while True: pass"]
    processes = []
    try:
        for _ in range(os.cpu_count() or 1):
            processes.append(subprocess.Popen(idle))
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


# ---- The two sides ----


def generates(model: gptlib.GPT, n: int, n_rows: int = 1) -> Callable[[], object]:
    prompts = PROMPT.repeat(n_rows, 1)
    return lambda: gptlib.generate(model, prompts, n, top_k=50)


def transformers_generates(peer, n: int, **more) -> Callable[[], object]:
    settings = {"do_sample": True, "top_k": 50, "pad_token_id": 0, "use_cache": True} | more
    prompt = PROMPT.to(peer.device)
    mask = torch.ones_like(prompt)

    def go():
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peer.generate(prompt, attention_mask=mask, max_new_tokens=n, **settings)

    return go


def effect_of_rounding() -> str:
    """What int8 and bfloat16 weights do to the logits of the trained pets model."""
    model, tokenizer = gptlib.load("pets")
    ids = torch.tensor([tokenizer.encode("The ball of Mia is red. The cat is sleeping. It purrs.")])
    lines = []
    with torch.no_grad():
        exact = model(ids)
        kinds = {"int8": gptlib.quantize(model), "bfloat16": gptlib.load("pets")[0].bfloat16()}
        for name, kind in kinds.items():
            logits = kind(ids).float()
            off = (logits - exact).abs().max()
            kl = gptlib.kl(exact.softmax(-1), logits.softmax(-1)).mean()
            lines.append(f"{name}: logits off by at most {off:.2f}, KL {kl:.1g} nats a token.")
    return " ".join(lines)


def main(nanogpt: Path | None) -> None:
    write_table(
        rows(nanogpt), BEGIN, END, note=f"Pets model, exact beside rounded: {effect_of_rounding()}"
    )
