"""GPT-2 for lesson 08: its own weights where they are on this computer, else only its shape.

A class must not wait for a download of half a gigabyte, so nothing is fetched without being asked.
"""

from typing import NamedTuple

from .. import hub
from ..checkpoint import load
from ..files import cache_dir
from ..model import GPT, GPTConfig
from ..tokenizer import GPT2_FILE, Tokenizer


class GPT2(NamedTuple):
    """What was found. Its shape, and so every count, is GPT-2's in either case."""

    model: GPT
    tokenizer: Tokenizer
    real_weights: bool  # or random ones
    real_tokens: bool  # or those of the pets

    def __repr__(self) -> str:
        weights = "GPT-2's own" if self.real_weights else "random (GPT-2's own are not here)"
        tokens = "GPT-2's own" if self.real_tokens else "the pets' (GPT-2's are not here)"
        return f"weights: {weights}\ntokenizer: {tokens}"

    @property
    def said(self) -> str:
        """Which weights these are, in two words."""
        return "GPT-2's own weights" if self.real_weights else "random weights"


def gpt2_or_its_shape(download: bool = False) -> GPT2:
    """GPT-2 with 124 million weights in float32, 0.5 GB: its own, or random ones of seed 0.

    Args:
        download: fetch what is missing, as `gptlib.load("gpt2")` does; False never does.

    Raises:
        As `gptlib.load`, where a download was asked for and failed.
    """
    folder = "gpt2" if download else hub.cached("gpt2")
    if folder is not None:
        return GPT2(*load(folder), real_weights=True, real_tokens=True)
    here = (cache_dir() / GPT2_FILE).is_file()
    tokenizer = Tokenizer.gpt2() if here else load("pets")[1]
    return GPT2(GPT(GPTConfig(), seed=0).eval(), tokenizer, False, here)
