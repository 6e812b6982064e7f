"""Side by side with peers, and measurements behind the course's claims. `make bench`."""

import os

# Peers and gptlib are timed with threads that wait as PyTorch's do where nothing is set. gptlib
# would choose otherwise for its own process, unless something is: these are the defaults of GNU's
# OpenMP and of LLVM's and Intel's.
WAITING = {"GOMP_SPINCOUNT": "300000", "KMP_BLOCKTIME": "200"}
if "OMP_WAIT_POLICY" not in os.environ:
    for name, value in WAITING.items():
        os.environ.setdefault(name, value)


def as_started_by_hand() -> dict[str, str]:
    """The environment of a process that is timed as a whole, each with the threads it chooses."""
    return {name: value for name, value in os.environ.items() if WAITING.get(name) != value}
