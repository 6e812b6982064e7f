"""gptlib: a GPT in small tested modules, one for each lesson of the course.

The core needs torch and numpy. `gptlib.plots`, `gptlib.widgets` and `gptlib.checks` are loaded
when they are first used, so that `import gptlib` costs what `import torch` costs.
"""

from importlib import import_module

# First, since torch reads its choices when it is loaded, and Ctrl-C may come before that.
from .fast import waiting  # noqa: F401
from .scale import starting  # noqa: F401

# isort: split
from . import corpora
from .ablations import ablate
from .decoding.quantization import quantize
from .logits import kl, log_softmax, nll, softmax
from .model import GPT, GPTConfig
from .sampling import generate, next_token_probs, stream
from .storage.checkpoint import load, load_history, save
from .tokenizer import Tokenizer
from .trace import Trace, trace
from .training import Step, TrainConfig, Trainer

__version__ = "0.1.0"

__all__ = [
    "GPT",
    "GPTConfig",
    "Step",
    "Tokenizer",
    "Trace",
    "TrainConfig",
    "Trainer",
    "ablate",
    "corpora",
    "generate",
    "kl",
    "load",
    "load_history",
    "log_softmax",
    "next_token_probs",
    "nll",
    "quantize",
    "save",
    "softmax",
    "stream",
    "trace",
]

_LAZY = ("checks", "plots", "widgets")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})


def __getattr__(name: str):
    if name in _LAZY:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module 'gptlib' has no attribute {name!r}")
