"""How much memory a model takes, worked out from its shape before any of it is made.

A shape comes from a file or a command line, where one digit too many asks for more than there is:
then the computer would stand still, or the program end, long after the mistake. Leaves out
activations, which depend on the batch.
"""

import os
import sys
from pathlib import Path

NUMBER = 4  # bytes of a weight in float32
BLOCK = 32_000  # bytes that Python and PyTorch need for the objects of one block, measured
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # containers


def n_numbers(config) -> int:
    """How many weights a model of this shape has; the tied head counts once.

    Per block: attention 4C² + 4C, feedforward 8C² + 5C, two layer norms 4C.
    """
    C = config.n_embd
    return (config.vocab_size + config.block_size + 2) * C + config.n_layer * (12 * C * C + 13 * C)


def check_memory(config, copies: int = 1) -> None:
    """Refuse a shape that this computer cannot hold.

    Args:
        copies: how often the weights are held; 3 while training (also gradients, and what the
            optimizer remembers).

    Raises:
        ValueError: says how much is needed, and how much there is.
    """
    needed = n_numbers(config) * NUMBER * copies + config.n_layer * BLOCK
    there = total_memory()
    if there is not None and needed > there:
        shape = ", ".join(
            f"{name} {getattr(config, name)}"
            for name in ("n_layer", "n_embd", "vocab_size", "block_size")
        )
        purpose = " to train" if copies > 1 else ""
        raise ValueError(
            f"a model with {shape} needs {_gigabytes(needed)} of memory{purpose}, and this "
            f"computer has {_gigabytes(there)}"
        )


def _gigabytes(n_bytes: int) -> str:
    """
    >>> _gigabytes(15 * 10**8), _gigabytes(10**40)
    ('1.5 GB', '1e+31 GB')
    """
    return f"{n_bytes / 1e9:,.1f} GB" if n_bytes < 10**15 else f"{n_bytes / 1e9:.0e} GB"


def total_memory() -> int | None:
    """Bytes of memory that this program may have at most; None where nothing says it."""
    found = [_physical(), *map(_limit, LIMITS)]
    return min((n for n in found if n), default=None)


def _physical() -> int | None:
    if sys.platform == "win32":
        import ctypes

        kilobytes = ctypes.c_ulonglong()
        found = ctypes.windll.kernel32.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes))
        return kilobytes.value * 1024 if found else None
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def _limit(file: str) -> int | None:
    """What a container is allowed; "max", or a number of 19 digits, is no limit."""
    try:
        return int(Path(file).read_text())
    except (OSError, ValueError):
        return None
