"""`gptlib doctor`: can the course run here?"""

import argparse
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import torch

from .. import __version__
from ..fast import waiting
from ..formats.files import cache_dir, data_dir
from ..sampling import generate
from ..scale import kernels
from ..scale.compiling import has_compiler
from ..storage import checkpoint


def add(commands) -> None:
    """Add the subcommand with its options."""
    parser = commands.add_parser("doctor", help="check that the course can run here")
    parser.set_defaults(run=run)


def run(a: argparse.Namespace) -> int:
    well = doctor()
    print(f"    {'data':<14}{data_dir()}\n    {'cache':<14}{cache_dir()}")
    for what, found in kernels.remembered().items() or [("nothing yet", "a large run does this")]:
        print(f"    {'measured':<14}{what}: {found}")
    return 0 if well else 1


def doctor() -> bool:
    """Print what was found here, a line each; True where the course can run."""
    found = list(checks())
    for name, value, good in found:
        print(f"{'ok' if good else '!!':<4}{name:<14}{value}")
    return all(good for _, _, good in found)


def checks() -> Iterator[tuple[str, str, bool]]:
    """(what, what was found, whether the course can run with it), for people and for lesson 00."""
    yield "gptlib", __version__, True
    python = platform.python_version_tuple()
    yield "python", ".".join(python), (3, 11) <= (int(python[0]), int(python[1])) < (3, 14)
    yield "torch", torch.__version__, True
    yield "threads", f"{torch.get_num_threads()}; {waiting.described()}", True
    for name in ("numpy", "matplotlib", "ipywidgets", "jupyterlab"):
        try:
            yield name, version(name), True
        except PackageNotFoundError:
            yield name, "missing: install gptlib[lessons]", False
    cuda = "none; the CPU will do"
    if torch.cuda.is_available():
        compiles = (
            "" if has_compiler() else "; Triton or a C compiler is missing: nothing is compiled"
        )
        cuda = torch.cuda.get_device_name() + compiles
    yield "CUDA", cuda, True
    try:
        model, tokenizer = checkpoint.load("pets")
        ids = tokenizer.encode("The cat is")
        said = tokenizer.decode(generate(model, ids, 1, temperature=0).tolist())
        yield "pets model", said, said == "The cat is sleeping"
    except (ValueError, OSError) as error:
        yield "pets model", str(error), False
