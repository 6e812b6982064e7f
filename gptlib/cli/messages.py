"""One line on stderr for each message: stdout is for results."""

import sys

from ..formats.values import text_of
from ..scale import distributed

LONGEST = 4000  # characters of a message


def note(message: object) -> None:
    """One line on stderr: stdout is for results. Of several processes one says it."""
    if distributed.speaks():
        say(message)


def say(message: object) -> None:
    print(f"gptlib: {one_line(text_of(message)) or type(message).__name__}", file=sys.stderr)


def one_line(text: str) -> str:
    """The text on one line, without what would move the cursor or change the colour of a terminal.

    >>> one_line("two\\nlines of \\x1b[31mred")
    'two lines of \\\\x1b[31mred'
    """
    text = " ".join(text.split())
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} [...] {text[-LONGEST // 2 :]}"
    return "".join(sign if _harmless(sign) else ascii(sign)[1:-1] for sign in text)


def _harmless(sign: str) -> bool:
    return sign.isprintable() or "\udc80" <= sign <= "\udcff"  # a byte of a file's name
