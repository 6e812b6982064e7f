"""Merges and the order of the bytes, checked, and the bytes of every token that they make.
Left out: learning and applying merges.
"""

from collections.abc import Iterable

from .values import Whole, shown

MAX_BYTES = 2**26  # all tokens together: in a damaged file each merge may double the last


def checked_merges(merges: Iterable) -> list[tuple[int, int]]:
    """The merges as pairs of Python's ints, from a list of pairs or an array of two columns.

    Raises:
        ValueError: which merge is not a pair of ids that were made before it.
    """
    pairs = []
    for k, pair in enumerate(_entries(merges)):
        ids = tuple(_as_int(f"merges[{k}]", id) for id in _entries(pair))
        if len(ids) != 2 or not all(0 <= id < 256 + k for id in ids):
            raise ValueError(f"merges[{k}]: {shown(pair)} is not two ids in 0..{255 + k}")
        pairs.append(ids)
    return pairs


def checked_byte_ids(byte_ids: Iterable) -> list[int]:
    """The id of each byte as a list of Python's ints, from a list or an array.

    Raises:
        ValueError: they are not the ids from 0 to 255, each of them once.
    """
    ids = [_as_int("byte_ids", id) for id in _entries(byte_ids)]
    if sorted(ids) != list(range(256)):
        raise ValueError("byte_ids: must have each id from 0 to 255 exactly once")
    return ids


def spell(merges: list[tuple[int, int]], byte_ids: list[int]) -> list[bytes]:
    """The bytes of every token, by its id; arguments as the two functions above return them.

    Files tell tokens apart by their bytes, so no two merges may make the same ones. Training never
    makes two that do. For suppose merge j makes the word w, and a later merge m would make w from
    two other tokens that are neighbours somewhere in the text. No merge before m crossed the ends
    of this w, so the same merges were made within it as are made in w alone. But w alone has been
    one token ever since merge j.

    Raises:
        ValueError: which merge makes the bytes of an earlier one, or more than MAX_BYTES.
    """
    tokens = [bytes([byte_ids.index(id)]) for id in range(256)]
    made: dict[bytes, int] = {}
    total = 256
    for k, (left, right) in enumerate(merges):
        total += len(tokens[left]) + len(tokens[right])
        if total > MAX_BYTES:
            raise ValueError(f"merges[{k}]: the tokens together have more than {MAX_BYTES} bytes")
        token = tokens[left] + tokens[right]
        if made.setdefault(token, k) != k:
            same = f"merges[{k}] makes {shown(token)}, as merges[{made[token]}] does"
            raise ValueError(f"{same}: a file could not tell them apart")
        tokens.append(token)
    return tokens


def _entries(values):
    return values.tolist() if hasattr(values, "tolist") else values


def _as_int(name, id):
    return id if type(id) is int else Whole().read(name, id)
