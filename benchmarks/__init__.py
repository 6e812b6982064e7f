"""Side by side with peers, and measurements behind the course's claims. `make bench`."""

import os

# Peers and gptlib are timed with threads that wait as PyTorch's do where nothing is set. gptlib
# would choose otherwise for its own processes, unless something is: these are the defaults of GNU's
# OpenMP and of LLVM's and Intel's.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "300000")
    os.environ.setdefault("KMP_BLOCKTIME", "200")
