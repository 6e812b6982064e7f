"""Many texts in one file: divided by the stop token, as TinyStories is, or a line of JSON each.

Either way what comes out is one text in which a stop token ends each document. Newlines beside a
stop token only set the file out, and empty documents are nothing: both are left out.
"""

import json
from pathlib import Path

from ..formats.special_tokens import END_OF_TEXT as STOP

FIELD = "text"  # of a line of JSON


def is_jsonl(path: Path) -> bool:
    """Whether a file of this name holds a line of JSON for each text."""
    return path.suffix.lower() in (".jsonl", ".ndjson")


def divided(text: str) -> str:
    """The text with nothing beside a stop token, and no two of them together.

    >>> divided("One.\\n<|endoftext|>\\nTwo.\\n")
    'One.<|endoftext|>Two.\\n'
    """
    first, *others = text.split(STOP)
    if not others:
        return text
    middle, last = [d.strip("\r\n") for d in others[:-1]], others[-1].lstrip("\r\n")
    return first.rstrip("\r\n") + STOP + "".join(d + STOP for d in middle if d) + last


def from_jsonl(lines: str, path: Path, start: int = 0) -> str:
    """The texts in lines of JSON, each ended by a stop token; one within a text divides it.

    Args:
        path, start: of the file, and at which of its bytes the lines begin, for errors.

    Raises:
        ValueError: a line is no JSON, or has no text; says which line.
    """
    texts = []
    for number, line in enumerate(lines.split("\n"), 1):
        if not line.strip():
            continue
        try:
            texts.append(json.loads(line)[FIELD])  # other fields may be anything, NaN say
            texts[-1].encode()  # refuses halves of a surrogate pair, and what is no text
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            at = start + len("\n".join(lines.split("\n", number)[: number - 1]).encode())
            where = f"line {number}" if start <= 3 else f"the line at byte {at + (number > 1)}"
            raise ValueError(f'{path}: {where} is not JSON with a "{FIELD}"') from None
    return divided("".join(text.strip("\r\n") + STOP for text in texts if text.strip("\r\n")))
