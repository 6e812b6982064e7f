"""Which device a name means: "auto", "cpu", "cuda", "cuda:1" or "mps"."""

import torch


def resolve_device(device: str = "auto") -> torch.device:
    """The device of that name; "auto" is CUDA where there is one and the CPU elsewhere.

    Raises:
        ValueError: it is not there, or no device is called that; says what to do.
    """
    if str(device) == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"no device is called {device!r}: use auto, cpu, cuda or mps") from error
    if resolved.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (resolved.index or 0) >= count:
            raise ValueError(f"device {device!r} is not here ({count} CUDA devices): use auto")
    elif resolved.type == "mps" and not torch.backends.mps.is_available():
        raise ValueError("device 'mps' is not here: use auto")
    elif resolved.type not in ("cpu", "cuda", "mps"):
        raise ValueError(f"device {device!r} is not supported: use auto, cpu, cuda or mps")
    return resolved
