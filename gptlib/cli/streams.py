"""The command's three streams: UTF-8 comes in, one line says what is wrong with one of them."""

import codecs
import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress

from ..scale.shown import Steady, silence

LONGEST = 2**26  # bytes that are read from standard input


class Results:
    """Standard output, whose errors name it; None stands for one that was closed from the start."""

    def __init__(self, stream) -> None:
        self._stream = stream
        self._error: OSError | None = (
            None  # what the first failure was: argparse, for one, says nothing of it
        )

    def write(self, text: str) -> int:
        with self._named():
            if self._stream is None:
                raise OSError(errno.EBADF, "is closed")
            return self._stream.write(text)

    def flush(self) -> None:
        with self._named():
            if self._error is not None:
                raise self._error
            if self._stream is not None:
                self._stream.flush()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            silence(self._stream)
            self._error = OSError(error.errno, error.strerror, "standard output")
            raise self._error from None

    def __getattr__(self, name: str):
        return getattr(self._stream, name)


@contextmanager
def looked_after() -> Iterator[None]:
    """Inside, stderr never fails, an error of stdout says that it is stdout's, both take any text.

    What a stream has no sign for is written as its number; the bytes of a file's name that are not
    of the locale's encoding go out as they came in.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="gptlib")
    with redirect_stderr(Steady(sys.stderr)), redirect_stdout(Results(sys.stdout)):
        try:
            yield
        finally:
            with suppress(OSError):  # what is left to be written after an error, said already
                sys.stdout.flush()
            sys.stderr.flush()


def _as_it_came(error: UnicodeError) -> tuple[str | bytes, int]:
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)


codecs.register_error("gptlib", _as_it_came)


def read_stdin() -> str:
    """All of standard input, which is UTF-8 whatever the locale is.

    Raises:
        ValueError: it is not, and at which byte; or it has more than `LONGEST` bytes.
        OSError: it is closed.
    """
    if sys.stdin is None:
        raise OSError(errno.EBADF, "is closed", "standard input")
    data = sys.stdin.buffer.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise ValueError(
            f"standard input: has more than {LONGEST:,} bytes; gptlib prepare reads larger files"
        )
    try:
        return data.decode("utf-8-sig")  # Windows likes to put a mark in front
    except UnicodeDecodeError as error:
        raise ValueError(f"standard input: not UTF-8 at byte {error.start}") from None
