"""One line on stderr for each message: stdout is for results."""

import sys

from ..formats.values import text_of
from ..scale import distributed


def note(message: object) -> None:
    """One line on stderr: stdout is for results. Of several processes one says it."""
    if distributed.speaks():
        say(message)


def say(message: object) -> None:
    print(
        f"gptlib: {' '.join(text_of(message).split()) or type(message).__name__}", file=sys.stderr
    )
