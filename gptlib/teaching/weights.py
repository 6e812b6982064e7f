"""GPT-2 for lesson 08: its own weights where they are on this computer, else only its shape.

A class must not wait for a download of half a gigabyte, so nothing is fetched without being asked.
"""

import re
from dataclasses import replace
from typing import NamedTuple

import torch

from ..formats import hub
from ..formats.weights import without_numbers
from ..model import GPT, GPTConfig
from ..storage.checkpoint import load
from ..tokenizer import Tokenizer


class GPT2(NamedTuple):
    """What was found. Its shape, and so every count, is GPT-2's in either case."""

    model: GPT
    tokenizer: Tokenizer
    real_weights: bool  # or random ones

    def __repr__(self) -> str:
        weights = "GPT-2's own" if self.real_weights else "random (GPT-2's own are not here)"
        return f"weights: {weights}\ntokenizer: GPT-2's own"

    @property
    def said(self) -> str:
        """Which weights these are, in two words."""
        return "GPT-2's own weights" if self.real_weights else "random weights"


def gpt2_or_its_shape(download: bool = False) -> GPT2:
    """GPT-2 with 124 million weights in float32: its own, 0.5 GB, or those of `random_gpt`.

    Args:
        download: fetch what is missing, as `gptlib.load("gpt2")` does; False never does.

    Raises:
        As `gptlib.load`, where a download was asked for and failed.
    """
    folder = "gpt2" if download else hub.cached("gpt2")
    if folder is not None:
        return GPT2(*load(folder), real_weights=True)
    return GPT2(random_gpt(GPTConfig()), Tokenizer.gpt2(), real_weights=False)


def random_gpt(config: GPTConfig, distinct: int = 2, seed: int = 0) -> GPT:
    """Random weights in less memory: only `distinct` layers have numbers of their own.

    Layer i has those of layer i % distinct. For GPT-2's shape that is 0.21 GB instead of 0.5. No
    count is another; nor is a time, as long as the processor's own memory has no room for all of
    the distinct layers, 57 MB: each is then read anew when its turn comes.
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
