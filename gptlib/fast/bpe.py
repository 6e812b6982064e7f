"""Byte-pair merges applied to one piece of text, fast: what `tokenizer.apply_merges` does plainly.
Left out: splitting text, special tokens, files. Pieces go in and ids come out.
Tests hold each function equal to the readable one that it stands in for.
"""

import heapq
import sys
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise, repeat

from .pairs import GAP, apply_merges_at_once

NEVER = sys.maxsize  # in lists of the ids that pairs become: this pair is no merge
LONG = 64  # pieces of more bytes are merged by heap, and are not worth a place in the cache
HUGE = 2**14  # pieces of more bytes are merged at all places at once: a heap takes 200 bytes a byte
CACHE_SIZE = 65_536  # pieces


def apply_merges_by_list(ids: Iterable[int], new_ids: dict[tuple[int, int], int]) -> list[int]:
    """Return what `tokenizer.apply_merges` returns, several times as fast for a short piece.

    A second list says what each pair of neighbours would become. Ids are in the order learned, so
    the next merge is the minimum of this list, which Python finds in C; then two entries change.

    >>> apply_merges_by_list([97, 97, 97, 98], {(97, 97): 256, (97, 98): 257})
    [256, 257]
    """
    ids, get = list(ids), new_ids.get
    made = list(map(get, pairwise(ids), repeat(NEVER)))
    while made and (new_id := min(made)) != NEVER:
        i = made.index(new_id)  # the leftmost one
        ids[i] = new_id
        del ids[i + 1], made[i]
        if i:
            made[i - 1] = get((ids[i - 1], new_id), NEVER)
        if i < len(made):
            made[i] = get((new_id, ids[i + 1]), NEVER)
    return ids


def apply_merges_by_heap(ids: Iterable[int], new_ids: dict[tuple[int, int], int]) -> list[int]:
    """Return what `tokenizer.apply_merges` returns in n log n steps, for a long piece.

    A merge changes nothing beyond its two neighbours. So the ids stay where they are, in a linked
    list, and a heap holds the merges to be made: the earliest learned first, then the leftmost.
    """
    ids = [GAP, *ids, GAP]  # so that every id has a neighbour on either side
    after, before = list(range(1, len(ids) + 1)), list(range(-1, len(ids) - 1))
    heap = [(new_ids[pair], i) for i, pair in enumerate(pairwise(ids)) if pair in new_ids]
    heapq.heapify(heap)
    while heap:
        new_id, i = heapq.heappop(heap)
        j = after[i]
        if new_ids.get((ids[i], ids[j])) != new_id:
            continue  # one of the two has been merged with its other neighbour meanwhile
        ids[i], ids[j] = new_id, GAP
        after[i], before[after[j]] = after[j], i
        for k in (before[i], i):
            pair = (ids[k], ids[after[k]])
            if pair in new_ids:
                heapq.heappush(heap, (new_ids[pair], k))
    return [id for id in ids if id != GAP]


def apply_merges_fast(ids: bytes | list[int], new_ids: dict[tuple[int, int], int]) -> list[int]:
    """Return what `tokenizer.apply_merges` returns, in the way that is fastest for so many ids."""
    if len(ids) <= LONG:
        return apply_merges_by_list(ids, new_ids)
    return (apply_merges_by_heap if len(ids) <= HUGE else apply_merges_at_once)(ids, new_ids)


class PieceIds(dict):
    """{piece of text: its ids}, worked out when a piece is first asked for.

    It is a dict, so that `map` can look up pieces without a step of Python for each one that is
    already there: of the 300,000 pieces of Shakespeare, 15,000 are different.

    byte_ids: the id of each byte; new_ids: {(left, right): id of the merged token}.

    >>> PieceIds(range(256), {(97, 97): 256, (97, 98): 257})["aaab"]
    [256, 257]
    """

    def __init__(self, byte_ids: Iterable[int], new_ids: dict[tuple[int, int], int]) -> None:
        self.byte_ids = bytes(byte_ids)  # a permutation of the bytes, as bytes.translate takes it
        self.new_ids = new_ids

    def of_all(self, pieces: Iterable[str]) -> Iterator[int]:
        """The ids of many pieces, one after the other."""
        return chain.from_iterable(map(self.__getitem__, pieces))

    def __missing__(self, piece: str) -> list[int]:
        data = piece.encode().translate(self.byte_ids)
        ids = apply_merges_fast(data, self.new_ids)
        if len(data) <= LONG:
            if len(self) >= CACHE_SIZE:
                self.clear()
            self[piece] = ids
        return ids
