"""Files cut into chunks that are tokenized one by one, where no token can cross the cut.

Source: GPT-2's split pattern (`tokenizer.PATTERN`), in which no piece that has a visible character
goes on over white space. Where a file holds many texts, a cut comes between two of them.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from .documents import STOP, divided, from_jsonl, is_jsonl

CHUNK = 2**19  # bytes of text that are tokenized at a time
WINDOW = 2**16  # bytes after a chunk in which a place to cut is looked for
SHARD = 2**26  # bytes of text in a shard: what a break may cost
HELDOUT_SHARE, HELDOUT = 0.1, 2**20  # of each file its end; all ends together at most so many bytes
LONGEST_LINE = 2**26  # bytes of a line of JSON
DIVIDER = STOP.encode()


class Chunk(NamedTuple):
    """The bytes start..end of a file, and where their ids go."""

    path: str
    start: int
    end: int
    part: str  # "train" or "heldout"
    last: bool  # of this part of its file: a stop token follows
    shard: int
    documents: bool = False  # the file holds many texts

    def read(self) -> str:
        """Its text, in which a stop token ends each document if there are many.

        Raises:
            ValueError: it is not UTF-8, and at which byte, or no line of JSON where one belongs.
        """
        with open(self.path, "rb") as file:
            file.seek(self.start)
            data = file.read(self.end - self.start)
        if len(data) < self.end - self.start:
            raise ValueError(f"{self.path}: became shorter while it was being read")
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            at = self.start + error.start
            raise ValueError(f"{self.path}: not UTF-8 at byte {at}: save it as UTF-8") from None
        if not self.documents:
            return text
        path = Path(self.path)
        return from_jsonl(text, path, self.start) if is_jsonl(path) else divided(text)


def plan(paths: list[Path], documents: bool = False) -> Iterator[Chunk]:
    """All chunks in order, the held-out ones last; reads only the windows where it cuts."""
    total, shard = sum(path.stat().st_size for path in paths), 0
    share = min(HELDOUT_SHARE, HELDOUT / max(total, 1))
    for part in ("train", "heldout"):
        filled = 0
        for path in paths:
            cut = cut_after if not documents else cut_line if is_jsonl(path) else cut_document
            with open(path, "rb") as file:
                for start, end, last in _ranges(file, share, part, cut):
                    if filled >= SHARD:
                        shard, filled = shard + 1, 0
                    filled += end - start
                    yield Chunk(str(path), start, end, part, last, shard, documents)
        shard += bool(filled)


def _ranges(file: BinaryIO, share: float, part: str, cut) -> Iterator[tuple[int, int, bool]]:
    """(start, end, whether the last) of the chunks of one part of a file."""
    size = os.fstat(file.fileno()).st_size
    first = 3 if file.read(3) == b"\xef\xbb\xbf" else 0  # Windows likes to put a mark in front
    border = max(first, cut(file, round(size * (1 - share)), size))
    start, stop = (first, border) if part == "train" else (border, size)
    while start < stop:
        end = cut(file, start + CHUNK, stop)
        yield start, end, end == stop
        start = end


# ---- Where to cut: the first good place from `place` on, or the end ----


def cut_after(file: BinaryIO, place: int, stop: int) -> int:
    """The first place from `place` on where text can be cut without changing any token.

    That is between a visible character and a space or newline: what comes before ends there
    whatever follows, and what follows begins there whatever came before. Where the window has
    none, the cut is before its last character.
    """
    if place >= stop:
        return stop
    file.seek(place)
    window = file.read(min(WINDOW, stop - place))
    for k in range(1, len(window)):
        if window[k] in b" \n" and _is_visible(window[max(0, k - 4) : k]):
            return place + k
    if place + len(window) == stop:
        return stop
    end = len(window) - 1
    while window[end] & 0xC0 == 0x80 and end > len(window) - 4:  # within a character
        end -= 1
    return place + end


def cut_document(file: BinaryIO, place: int, stop: int) -> int:
    """The place after the first stop token in the window and the newlines after it.

    Where the window has none, the text is cut as any other is, but not within a stop token.
    """
    if place >= stop:
        return stop
    file.seek(max(0, place - len(DIVIDER) + 1))
    before = place - file.tell()
    window = file.read(min(WINDOW + before, stop - place + before))
    if (found := window.find(DIVIDER)) >= 0:
        return _after_newlines(file, place - before + found + len(DIVIDER), stop)
    cut = cut_after(file, place, stop)
    end = cut - place + before
    at_space = window[end : end + 1] in (b"", b" ", b"\n")
    return cut if at_space else cut - _begun(window[:end])


def cut_line(file: BinaryIO, place: int, stop: int) -> int:
    """The place after the first newline from just before `place` on.

    Raises:
        ValueError: there is none for longer than a line may be.
    """
    if place >= stop:
        return stop
    file.seek(place - 1)
    line = file.readline(LONGEST_LINE)
    if len(line) == LONGEST_LINE:
        raise ValueError(f"{file.name}: the line around byte {place} has {LONGEST_LINE:,} bytes")
    return min(file.tell(), stop)


def _is_visible(before: bytes) -> bool:
    """Whether the last character of these bytes is no white space (by str's wide notion of it)."""
    last = before.decode("utf-8", "replace")[-1:]
    return not last.isspace() and last != "\ufffd"


def _after_newlines(file: BinaryIO, place: int, stop: int) -> int:
    file.seek(place)
    while place < stop and file.read(1) in (b"\r", b"\n"):
        place += 1
    return place


def _begun(window: bytes) -> int:
    """How many bytes of a stop token the window ends with."""
    for length in range(len(DIVIDER) - 1, 0, -1):
        if window.endswith(DIVIDER[:length]):
            return length
    return 0
