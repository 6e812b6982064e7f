"""JSON from outside, read strictly; what is wrong with a file becomes one line that names it."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .values import shown


@contextmanager
def errors_that_name(path: str | os.PathLike) -> Iterator[None]:
    """Turn what reading a file raises into a ValueError of one line that begins with its path."""
    try:
        yield
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{on_one_line(path)}: truncated, or not JSON in UTF-8: {error}") from None
    except ValueError as error:
        raise ValueError(f"{on_one_line(path)}: {error}") from None


def on_one_line(path: str | os.PathLike) -> str:
    """The path; in quotes if a character in it would break the line of an error."""
    text = os.fspath(path)
    return text if text.isprintable() else repr(text)


def read_strict_json(path: Path) -> Any:
    """What the file holds; errors as `parse`, and ValueError where it is not UTF-8."""
    return parse(path.read_bytes().decode())


def parse(text: str) -> Any:
    """The value that a JSON text holds, as the standard has it: Python's reader takes more.

    Raises:
        ValueError: it is not JSON, or too deeply nested; or a name is there twice in one object,
            or a number is NaN or Infinity. One short line, which names no file.
    """
    try:
        return json.loads(text, object_pairs_hook=_no_name_twice, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("it is not JSON that can be read: it is nested too deeply") from None


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not a number in JSON")


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):  # Python's reader would keep the last one and say nothing
        [(name, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{shown(name)} appears twice in one object")
    return fields
