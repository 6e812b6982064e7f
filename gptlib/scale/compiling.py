"""`torch.compile`: whether a run compiles its step, and the step compiled.

A compiled step fuses what lies between the matrix products. The first call waits for the compiler,
20 seconds to a minute, so it is worth it for large models on a card; on a CPU it gains little.
"""

import importlib.util
import os
import shutil
from collections.abc import Callable
from functools import cache

import torch

from .distributed import started
from .kernels import n_products
from .settings import TrainConfig

LARGE_UPDATE = 10**11  # multiplications; those of the lessons have a thirtieth of that
BACKEND = "inductor"  # a test takes one that needs no C compiler
C_COMPILERS = ("cc", "gcc", "clang")
TRITONS = (7, 0)  # the oldest cards that Triton makes kernels for: for others the step would fail


def compiles(model, config: TrainConfig) -> bool:
    """Whether a run of this model is compiled: as `config.compile` says, or where it is worth it.

    That is on CUDA, for a model that is large enough to gain the compiler's minute back, and for
    one process: several were never tried.
    """
    if config.compile is not None:
        return config.compile
    if model.device.type != "cuda" or started() > 1:
        return False
    worth_it = n_products(model, config) >= LARGE_UPDATE
    return worth_it and has_compiler() and torch.cuda.get_device_capability(model.device) >= TRITONS


@cache
def has_compiler() -> bool:
    """Whether Triton is here, which makes a card's kernels, and the C compiler that it needs."""
    by_name = os.environ.get("CC")
    compilers = (by_name,) if by_name else C_COMPILERS
    return importlib.util.find_spec("triton") is not None and any(map(shutil.which, compilers))


def compiled(function: Callable) -> Callable:
    """The same function, compiled at the first call for each of a few sizes.

    What cannot be in one graph, such as the averaging of gradients, runs between several.
    """
    return torch.compile(function, backend=BACKEND, dynamic=False)
