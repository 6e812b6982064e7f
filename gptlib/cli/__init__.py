"""The `gptlib` command: train, prepare, plot, sample, tokenize, doctor.

Each subcommand is a file here, a few lines over the library. Errors are one line on stderr, and
exit status 2.
"""

import argparse
import os
import sys

from .. import __version__
from ..formats.values import text_of
from . import doctor as doctor_command
from . import plot, prepare, sample, tokenize, train
from .doctor import checks, doctor
from .messages import note
from .options import Parser

__all__ = ["checks", "doctor", "main"]

COMMANDS = (train, plot, prepare, sample, tokenize, doctor_command)


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a sign that the terminal has not is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    arguments = parser().parse_args(argv)
    try:
        status = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader had enough, as in `gptlib tokenize ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError, FloatingPointError, ImportError) as error:
        named = isinstance(error, OSError) and error.filename and error.strerror
        note(f"{error.filename}: {error.strerror}" if named else error)
        return 2
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in text_of(error):
            raise
        note("out of memory: try a smaller --batch-size, --block-size or model")
        return 2
    except KeyboardInterrupt:
        note("interrupted")
        return 130


def parser() -> argparse.ArgumentParser:
    """The command with all its subcommands."""
    made = Parser(prog="gptlib", description="A GPT, from text to the next word.")
    made.add_argument("--version", action="version", version=f"gptlib {__version__}")
    commands = made.add_subparsers(required=True, metavar="command")
    for command in COMMANDS:
        command.add(commands)
    return made
