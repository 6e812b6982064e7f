"""JSON as the standard has it: one value a key, and no NaN or Infinity.

Python's own reader accepts both and says nothing. Leaves out what the values mean.
"""

import json
from collections import Counter
from typing import Any

from .values import shown


def parse(text: str) -> Any:
    """The value that a JSON text holds.

    Raises:
        ValueError: it is not JSON, or too deeply nested; or a key is there twice in one object,
            or a number is none. One short line, which names no file.
    """
    try:
        return json.loads(text, object_pairs_hook=no_name_twice, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def no_name_twice(pairs: list[tuple[str, object]]) -> dict:
    """The object of these pairs, as an `object_pairs_hook`; ValueError names a repeated key."""
    fields = dict(pairs)
    if len(fields) < len(pairs):  # Python's reader would keep the last one and say nothing
        [(name, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{shown(name)} is there twice in one object")
    return fields


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not a number in JSON")
