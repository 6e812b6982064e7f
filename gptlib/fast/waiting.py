"""How PyTorch's threads wait for each other: chosen when gptlib is imported, before torch is.

By default a thread that waits keeps its core busy. On a machine that many kernels share, those
cores are what the others need: 19 processes on 2 cores made 28 training steps in 8 seconds, and 300
with threads that sleep while they wait. OpenMP reads the environment once, when torch is loaded.

To wake a thread takes time, too. So a program that has its machine to itself, which is what we take
one for that is no kernel, has threads that look out for a moment before they sleep: on two cores a
small training step took a tenth less time, and of eight such programs at once a third more.
"""

import os
import sys

# What says how threads wait: for every OpenMP, for GNU's alone, and for LLVM's and Intel's alone.
NAMES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
SLEEP = {"OMP_WAIT_POLICY": "PASSIVE"}
BRIEFLY = {"GOMP_SPINCOUNT": "3000"}  # looks, 0.1 ms or so; other OpenMPs sleep at once

TORCH_CAME_FIRST = "torch" in sys.modules
IN_A_KERNEL = "ipykernel" in sys.modules
if not TORCH_CAME_FIRST and not any(name in os.environ for name in NAMES):
    os.environ.update(SLEEP if IN_A_KERNEL else SLEEP | BRIEFLY)


def described() -> str:
    """What the threads do while they wait, and how to change it where kernels share a machine."""
    chosen, set_here = _shown(SLEEP), _shown(SLEEP | BRIEFLY)
    said = _shown({name: os.environ[name] for name in NAMES if name in os.environ})
    if said.upper() == chosen:
        return "they sleep while they wait for each other"
    if said.upper() == set_here:
        return "they look out for each other for a moment, then sleep"
    if said:
        return f"they wait as {said} says; where kernels share a machine, set only {chosen}"
    return (
        "they keep their cores busy while they wait, since torch was loaded before gptlib. Where "
        f"kernels share a machine, import gptlib first or set {chosen}"
    )


def _shown(settings: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in settings.items())
