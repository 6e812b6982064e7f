"""The `gptlib` command: train, prepare, plot, sample, tokenize, tally, inventory, board, doctor.

Each subcommand is a file here, a few lines over the library. Errors are one line on stderr, and
exit status 2.
"""

import argparse
import signal
import sys

from .. import __version__
from ..formats.values import text_of
from ..scale import starting
from . import board, inventory, plot, prepare, sample, streams, tally, tokenize, train
from . import doctor as doctor_command
from .doctor import checks, doctor
from .messages import note
from .options import Parser

__all__ = ["checks", "doctor", "main"]

COMMANDS = (train, plot, prepare, sample, tokenize, tally, inventory, board, doctor_command)
NO_MEMORY = "out of memory: try a smaller --batch-size, --block-size or model"


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    try:
        with streams.looked_after():
            return _status(argv)
    finally:
        if argv is None and starting.is_command():  # all is done: a Ctrl-C would only be in the way
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def _status(argv: list[str] | None) -> int:
    """The exit status, after one line about what went wrong."""
    try:
        return _run(argv)
    except BrokenPipeError:  # the reader had enough, as in `gptlib tokenize ... | head`
        return 1
    except (ValueError, OSError, FloatingPointError, ImportError) as error:
        note(_described(error))
        return 2
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in text_of(error):
            raise
        note(NO_MEMORY)
        return 2
    except KeyboardInterrupt as error:
        note(": ".join(["interrupted", *map(str, error.args)]))
        return 130


def _described(error: Exception) -> object:
    """An error of the system without its number."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return error


def _run(argv: list[str] | None) -> int:
    """Run the command and write out what it printed."""
    try:
        arguments = parser().parse_args(argv)
        status = arguments.run(arguments)
    except SystemExit as stop:  # --help, an option that means nothing, a run that was stopped
        status = stop.code or 0
    sys.stdout.flush()
    return status


def parser() -> argparse.ArgumentParser:
    """The command with all its subcommands."""
    made = Parser(prog="gptlib", description="A GPT, from text to the next word.")
    made.add_argument("--version", action="version", version=f"gptlib {__version__}")
    commands = made.add_subparsers(required=True, metavar="command")
    for command in COMMANDS:
        command.add(commands)
    return made
