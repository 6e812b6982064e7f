"""The most memory that this process has held. It imports nothing large, so that a child can ask."""

import resource
import sys


def peak_bytes() -> int:
    """On Linux and macOS; in whose unit the answer comes differs."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
