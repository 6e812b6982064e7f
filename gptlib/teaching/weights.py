"""GPT-2 for lesson 08: its own weights where they are on this computer, or else only its shape.

A class must not wait for a download of half a gigabyte, so nothing is downloaded unasked.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from ..formats import hub
from ..formats.files import data_dir
from ..formats.weights import without_numbers
from ..model import GPT, GPTConfig
from ..sampling import generate
from ..storage.checkpoint import load
from ..tokenizer import Tokenizer


class GPT2(NamedTuple):
    """What was found. Its shape, and so every count, is that of GPT-2 small in either case."""

    model: GPT
    tokenizer: Tokenizer
    real_weights: bool  # or random ones

    def __repr__(self) -> str:
        weights = "GPT-2's own"
        if not self.real_weights:
            weights = "random, since GPT-2's own are not on this computer"
        return f"weights: {weights}\ntokenizer: GPT-2's own"

    def says(self, text: str) -> str:
        """The most probable words after a text, and how GPT-2 continues it; needs its own weights.

        With random ones, a sentence that says what a network would add.
        """
        if not self.real_weights:
            return (
                "With random weights, GPT-2 writes random tokens. With a network, "
                "teaching.gpt2_or_its_shape(download=True) downloads its own weights once (0.5 GB)."
            )
        ids, dice = self.tokenizer.encode(text), torch.Generator().manual_seed(1)
        with torch.no_grad():
            probs = self.model(torch.tensor([ids]))[0, -1].softmax(-1)  # (V,)
        best = probs.topk(4).indices.tolist()
        words = ", ".join(f"{self.tokenizer.token_str(id)} {probs[id]:.2f}" for id in best)
        longer = generate(self.model, ids, 30, top_k=40, generator=dice).tolist()
        return f"After {text!r}: {words}.\nA text: {self.tokenizer.decode(longer)}"


def gpt2_or_its_shape(download: bool = False) -> GPT2:
    """GPT-2 with 124 million weights in float32: its own, 0.5 GB, or those of `random_gpt`.

    Args:
        download: download what is missing, as `gptlib.load("gpt2")` does; False never does.

    Raises:
        As `gptlib.load`, where a download was asked for and failed.
    """
    folder = "gpt2" if download else hub.cached("gpt2")
    if folder is not None:
        return GPT2(*load(folder), real_weights=True)
    return GPT2(random_gpt(GPTConfig()), Tokenizer.gpt2(), real_weights=False)


def random_gpt(config: GPTConfig, distinct: int = 2, seed: int = 0) -> GPT:
    """Random weights in less memory: only `distinct` layers have numbers of their own.

    Layer i has those of layer i % distinct. For GPT-2's shape that takes 0.21 GB instead of 0.5.
    Every count stays the same. So does every time, unless the processor's cache has room for all
    of the distinct layers, 57 MB: without that room, each is read again when its turn comes.
    """
    few = without_numbers(GPT, replace(config, n_layer=min(distinct, config.n_layer)))
    _take(few, {name: torch.empty(p.shape) for name, p in few.named_parameters()})
    few.init_weights(seed)
    numbers, model = few.state_dict(), without_numbers(GPT, config)

    def source(name: str) -> str:
        return re.sub(r"(?<=^h\.)\d+", lambda i: str(int(i[0]) % distinct), name)

    _take(model, {name: numbers[source(name)] for name, _ in model.named_parameters()})
    return model.eval()


def _take(model: GPT, state: dict[str, torch.Tensor]) -> None:
    model.load_state_dict(state, strict=False, assign=True)
    model.lm_head.weight = model.wte.weight


def file_by_transformers() -> Path:
    """A folder that Hugging Face's transformers saved: a small GPT-2 with random numbers.

    In it are config.json and model.safetensors, and in logits.safetensors some ids (1, T) and the
    logits (1, T, V) that transformers computes for them. `data/make_transformers.py` made it.
    """
    return data_dir() / "transformers"
