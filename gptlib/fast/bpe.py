"""Byte-pair merges, fast: what `tokenizer` shows in the readable way, and runs in this one.
Left out: splitting text, special tokens, files. Pieces go in, and ids or merges come out.
Tests hold each function equal to the readable one that it stands in for.
"""

import heapq
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise, repeat

import numpy as np

GAP = -1  # in linked lists: around each piece, and where a token was joined to its left neighbour
NEVER = sys.maxsize  # in lists of the ids that pairs become: this pair is no merge
LONG = 64  # pieces of more bytes are merged by heap, and are not worth a place in the cache
CACHE_SIZE = 65_536  # pieces


def apply_merges_by_list(ids: Iterable[int], new_ids: dict[tuple[int, int], int]) -> list[int]:
    """Return what `tokenizer.apply_merges` returns, several times as fast for a short piece.

    What each pair of neighbours would become stands in a second list. Ids are in the order learned,
    so the next merge is its minimum, found with no step of Python; and two of its entries change.

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
    list, and a heap holds the merges to be done: earliest learned first, then leftmost.
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
    """Return what `tokenizer.apply_merges` returns, in the way that is the faster one."""
    apply = apply_merges_by_list if len(ids) <= LONG else apply_merges_by_heap
    return apply(ids, new_ids)


class PieceIds(dict):
    """piece of text -> its ids, worked out when a piece is first asked for.

    A dict of its own kind, so that `map` can look up a whole text's pieces without a step of Python
    for each one that is there: of the 300,000 pieces of Shakespeare, 15,000 differ.

    byte_ids: the id of each byte; new_ids: {(left, right): id of the merged token}.

    >>> PieceIds(range(256), {(97, 97): 256, (97, 98): 257})["aaab"]
    [256, 257]
    """

    def __init__(self, byte_ids: Iterable[int], new_ids: dict[tuple[int, int], int]) -> None:
        self.byte_ids = bytes(byte_ids)  # a permutation of the bytes, as bytes.translate takes it
        self.new_ids = new_ids

    def __missing__(self, piece: str) -> list[int]:
        data = piece.encode().translate(self.byte_ids)
        ids = apply_merges_fast(data, self.new_ids)
        if len(data) <= LONG:
            if len(self) >= CACHE_SIZE:
                self.clear()
            self[piece] = ids
        return ids


def learn_merges(pieces: dict[str, int], n_merges: int) -> list[tuple[int, int]]:
    """Return up to n_merges pairs: those that counting afresh before each merge would give.

    pieces: {piece: how often the text has it}.

    A pair's count only falls, once the later of its two tokens is made. So the heap may hold counts
    that were right some merges ago: the first of them is counted again, and is the next merge if
    its count still holds. Else it goes back with its new count, and no other was touched for it.

    >>> learn_merges({"aaab": 2, "ab": 1}, 2)  # (97, 97) stands 4 times, (97, 98) 3 times
    [(97, 97), (97, 98)]
    """
    text, merges = _LinkedText(pieces), []
    heap = [(-count, pair) for pair, count in text.bytes_pairs()]
    heapq.heapify(heap)
    while heap and len(merges) < n_merges:
        earlier, pair = heap[0]
        count = text.count(pair)
        if count == -earlier:
            heapq.heappop(heap)
            merges.append(pair)
            for made, count in text.merge(pair, 255 + len(merges)):
                heapq.heappush(heap, (-count, made))
        elif count:
            heapq.heapreplace(heap, (-count, pair))
        else:
            heapq.heappop(heap)
    return merges


class _LinkedText:
    """All distinct pieces in one linked list, a GAP between them, held in NumPy's arrays: a merge
    is done at all its places at once. Of each pair it is known where it stood when its later token
    was made: it can come to stand nowhere else, so a place is only ever lost.
    """

    def __init__(self, pieces):
        # No character has the byte 255 in it.
        text = b"\xff".join([b"", *map(str.encode, pieces), b""])
        self.ids = np.frombuffer(text, np.uint8).astype(np.int64)
        gaps = np.flatnonzero(self.ids == 255)
        self.ids[gaps] = GAP
        counts = np.fromiter(pieces.values(), np.int64, len(pieces))
        self.weight = np.repeat(counts, np.diff(gaps))  # how often the piece at a place occurs
        self.after = np.arange(1, len(text) + 1)
        self.before = np.arange(-1, len(text) - 1)
        self.places = {}  # pair -> where its left token stands, or stood: from left to right

    def bytes_pairs(self) -> Iterator[tuple[tuple[int, int], int]]:
        """Each pair of bytes and its count."""
        left, right = self.ids[:-1], self.ids[1:]
        at = np.flatnonzero((left != GAP) & (right != GAP))
        for key, count, places in self._by_key((left[at] * 256 + right[at]).astype(np.uint16), at):
            pair = divmod(key, 256)
            self.places[pair] = places
            yield pair, count

    def count(self, pair: tuple[int, int]) -> int:
        """How often the pair stands in the text now."""
        at = self.places[pair]
        still = (self.ids[at] == pair[0]) & (self.ids[self.after[at]] == pair[1])
        self.places[pair] = at = at[still]
        return int(self.weight[at].sum())

    def merge(self, pair: tuple[int, int], new_id: int) -> Iterator[tuple[tuple[int, int], int]]:
        """Merge a pair that was just counted, wherever it stands; give each new pair's count."""
        at, ids = self.places.pop(pair), self.ids
        if pair[0] == pair[1]:
            at = self._without_overlaps(at)
        gone = self.after[at]
        right = self.after[gone]
        ids[at], ids[gone] = new_id, GAP
        self.after[at], self.before[right] = right, at
        left = self.before[at]
        neighbours = np.concatenate((2 * ids[left], 2 * ids[right] + 1))
        for key, count, places in self._by_key(neighbours, np.concatenate((left, at))):
            other, is_right = divmod(key, 2)
            if other == GAP or (other == new_id and not is_right):
                continue  # two new ones in a row: as a right neighbour it is there already
            made = (new_id, other) if is_right else (other, new_id)
            self.places[made] = places
            yield made, count

    def _without_overlaps(self, at):
        """In "aaaa" the pair "aa" stands three times, and is merged at the first and the third."""
        nth = np.arange(len(at))
        goes_on = np.concatenate(([False], self.after[at[:-1]] == at[1:]))
        run = np.maximum.accumulate(np.where(goes_on, 0, nth))  # where the run of each one begins
        return at[(nth - run) % 2 == 0]

    def _by_key(self, keys, at):
        """Sort places by key; give each key, how often the text has it, and its places."""
        order = keys.argsort(kind="stable")
        keys, at = keys[order], at[order]
        starts = np.flatnonzero(np.diff(keys, prepend=keys[:1] - 1))
        counts = np.add.reduceat(self.weight[at], starts) if len(at) else starts
        groups = pairwise([*starts.tolist(), len(at)])
        for key, count, (start, stop) in zip(keys[starts].tolist(), counts.tolist(), groups):
            yield key, count, at[start:stop]
