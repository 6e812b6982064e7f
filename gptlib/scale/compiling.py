"""`torch.compile`: whether a run compiles its step, and the step compiled.

A compiled step fuses what lies between the matrix products. The first call waits for the compiler,
20 seconds to a minute, so it is worth it for long runs on a card; on a CPU it gains little.
"""

import importlib.util
import os
import shutil
from collections.abc import Callable
from functools import cache

import torch

from .distributed import started

BACKEND = "inductor"  # a test takes one that needs no C compiler
C_COMPILERS = ("cc", "gcc", "clang")


def compiles(wanted: bool | None, device: torch.device) -> bool:
    """What the setting means on this device; None: on CUDA, where there is what it takes.

    Several processes are compiled only if they are told to: that was never tried.
    """
    if wanted is not None:
        return wanted
    return device.type == "cuda" and started() == 1 and has_compiler()


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
