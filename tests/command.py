"""Calling the `gptlib` command in this process, or in one of its own: what several tests share."""

import subprocess
import sys

from gptlib import cli

TINY = (
    "--steps 12 --batch-size 2 --block-size 8 --n-layer 1 --n-head 2 --n-embd 4 --vocab-size 260 "
    "--warmup-steps 2 --eval-every 5 --eval-rows 2 --device cpu --quiet"
).split()


def run(capsys, *argv):
    """(exit status, stdout, stderr) of `gptlib` with these arguments."""
    capsys.readouterr()
    status = cli.main(list(argv))
    return status, *capsys.readouterr()


def start(*argv, **options):
    """`python -m gptlib` with these arguments, in a process of its own."""
    pipes = {name: subprocess.PIPE for name in ("stdout", "stderr")}
    command = [sys.executable, "-m", "gptlib", *map(str, argv)]
    return subprocess.Popen(command, **(pipes | options))


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def refused(result, text):
    """One line on stderr with `text` in it, nothing on stdout, and a status that is not 0."""
    status, out, err = result
    assert status not in (0, None) and out == ""
    assert err.startswith("gptlib: ") and err.count("\n") == 1 and text in err, err
