"""An answer as it arrives from a student's computer: read with care, or refused in a few words."""

import json
import re
from typing import NamedTuple

from .catalogue import CHECK, VOTES, Catalogue, Key

LARGEST = 4096  # bytes of one answer
LONGEST = 500  # characters of what was chosen
OLDEST = 24 * 3600.0  # seconds that an answer may have waited for the board
NAME = re.compile(r"[0-9a-z]{1,20} \w{1,40}", re.ASCII)  # lesson and question, as in the files
ID = re.compile(r"[0-9a-f]{32}")
FIELDS = {"id": str, "seat": int, "age": float, "lesson": str, "question": str, "kind": str}
FIELDS |= {"chosen": str}


class Answer(NamedTuple):
    """One answer of one seat. `made` is when, in seconds since 1970 by the board's own clock."""

    id: str
    seat: int
    key: Key
    kind: str  # "question", "prediction" or "check"
    chosen: str
    made: float


def read(body: bytes, catalogue: Catalogue, now: float) -> Answer:
    """The answer in the body of a request that came at the time `now`.

    Raises:
        ValueError: it is none, or not to anything that the course asks.
    """
    said = fields(body, FIELDS)
    if not ID.fullmatch(said["id"]) or not NAME.fullmatch(f"{said['lesson']} {said['question']}"):
        raise ValueError("not a valid id or name")
    if not 0 <= said["seat"] < 2**32 or not 0 <= said["age"] <= OLDEST:
        raise ValueError("not a valid seat or age")
    if said["kind"] not in (CHECK, *VOTES) or len(said["chosen"]) > LONGEST:
        raise ValueError("not a valid kind of answer, or too long")
    key = said["lesson"], said["question"]
    chosen = catalogue.known(key, said["kind"], said["chosen"])
    return Answer(said["id"], said["seat"], key, said["kind"], chosen, now - said["age"])


def fields(body: bytes, kinds: dict[str, type]) -> dict:
    """A JSON object of exactly these fields, each of its kind.

    Raises:
        ValueError: it is something else.
    """
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(said, dict) or set(said) != set(kinds):
        raise ValueError("not the expected fields")
    if not all(_is(value, kinds[name]) for name, value in said.items()):
        raise ValueError("a field of the wrong type")
    return said


def _is(value: object, kind: type) -> bool:
    """In JSON 2 is a number with a point too; True is none."""
    if kind is float:
        # NaN is not below anything; True is an int, and no number here.
        return (
            isinstance(value, int | float) and not isinstance(value, bool) and -1e15 < value < 1e15
        )
    return type(value) is kind
