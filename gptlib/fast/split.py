"""Cutting text into pieces, fast: what `tokenizer.split` gives, a stretch of the text at a time.
Left out: which pattern. `tokenizer` says it, and this module never reads it from there.
"""

import re
from collections.abc import Iterator

import regex

STRETCH = 2**14  # characters that are split at a time
# The end of a stretch may cut through a piece, and a pattern may look at the two characters after
# a piece before it ends it ("'" alone, or "'re"). So the last pieces are split again.
UNSURE = 2


class Splitter:
    """Cuts text into the pieces of one pattern.

    Text that is all ASCII is split by Python's own `re` with a pattern for ASCII alone, which takes
    half the time of the `regex` library; only `regex` knows the letters of every script.

    >>> Splitter(r" ?\\p{L}+|[^\\s\\p{L}\\p{N}]+").split("The café!")
    ['The', ' café', '!']
    """

    def __init__(self, pattern: str) -> None:
        """pattern: says letter and number as \\p{L} and \\p{N}; its matches cover any text."""
        self._any = regex.compile(pattern).findall
        self._ascii = re.compile(for_ascii(pattern), re.ASCII).findall

    def split(self, text: str) -> list[str]:
        """All pieces of a text."""
        return self._ascii(text) if text.isascii() else self._any(text)

    def stretches(self, text: str) -> Iterator[list[str]]:
        """The pieces of a long text, some at a time, so that they are never all in memory.

        A stretch that has fewer than two sure pieces is part of a long one, and is doubled until it
        holds the whole piece.
        """
        start, size = 0, STRETCH
        while start < len(text):
            pieces = self.split(text[start : start + size])
            if start + size >= len(text):
                yield pieces
                return
            unsure = 0
            while pieces and unsure < UNSURE:
                unsure += len(pieces.pop())
            start += size - unsure
            size = STRETCH if pieces else 2 * size
            yield pieces


def for_ascii(pattern: str) -> str:
    """The pattern in the words of Python's `re`, for text that is ASCII alone.

    >>> for_ascii(r" ?\\p{L}+|[^\\s\\p{L}\\p{N}]+")
    ' ?[A-Za-z]+|[^\\\\sA-Za-z0-9]+'
    """
    pattern = pattern.replace(r"\s\p{L}\p{N}", r"\sA-Za-z0-9")  # within a class
    return pattern.replace(r"\p{L}", "[A-Za-z]").replace(r"\p{N}", "[0-9]")
