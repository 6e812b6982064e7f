"""Peers that no package registry has: clones, whose paths are given on the command line."""

import importlib
import sys
from pathlib import Path
from types import ModuleType


class Missing(Exception):
    """A peer is not at hand; says why. Its rows are then "not measured"."""


def from_clone(folder: Path | None, module: str, option: str) -> ModuleType:
    """A module of a clone: `from_clone(path, "model", "--nanogpt")` is nanoGPT's model.py."""
    if folder is None:
        raise Missing(f"no clone was given ({option} PATH)")
    if not any((folder / name).exists() for name in (f"{module}.py", module)):
        raise Missing(f"{option}: there is no {module} in the folder that was given")
    sys.path.insert(0, str(folder.resolve()))
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Missing(f"{option}: {error}") from error
    finally:
        sys.path.pop(0)


def installed(module: str, name: str) -> ModuleType:
    """A module of a package that is not among the course's requirements."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise Missing(f"{name} is not installed") from None
