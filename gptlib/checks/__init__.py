"""Checks for the exercises: each runs the student's function and says what does not hold, and why.

One file a lesson: `checks.tokenizer.decode(my_decode)` prints a verdict and returns it. Where only
a right answer will do, as in the solutions: `assert checks.tokenizer.decode(my_decode)`.
"""

from . import (
    attention,
    capstone,
    embeddings,
    feedforward,
    gpt2,
    logits,
    machine,
    sampling,
    tokenizer,
    training,
)
from .verdict import Verdict

__all__ = ["Verdict", "attention", "capstone", "embeddings", "feedforward", "gpt2", "logits"]
__all__ += ["machine", "sampling", "tokenizer", "training"]
