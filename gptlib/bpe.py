"""Byte-pair merges, fast: what `tokenizer` shows in the readable way, and runs in this one.
Left out: splitting text, special tokens, files. Pieces go in, and ids or merges come out.
Tests hold each function equal to the readable one that it stands in for.
"""

import heapq
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise, repeat

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

    >>> learn_merges({"aaab": 2, "ab": 1}, 2)  # (97, 97) stands 4 times, (97, 98) 3 times
    [(97, 97), (97, 98)]
    """
    text, merges = _LinkedText(pieces), []
    heap = [(-count, pair) for pair, count in text.counts.items()]
    heapq.heapify(heap)
    while heap and len(merges) < n_merges:
        count, pair = heapq.heappop(heap)
        if text.counts[pair] != -count:
            continue  # the count has changed since; the heap has the pair with its new count too
        merges.append(pair)
        for changed in text.merge(pair, 255 + len(merges)):
            if text.counts[changed]:
                heapq.heappush(heap, (-text.counts[changed], changed))
    return merges


class _LinkedText:
    """All distinct pieces in one linked list, a GAP between them; and of each pair how often it
    is in the text, and where in the list. A merge then costs as much as it changes, and no more.
    """

    def __init__(self, pieces):
        self.ids, self.weight = [GAP], [0]  # weight: how often the piece at this position occurs
        for piece, count in pieces.items():
            self.ids += [*piece.encode(), GAP]
            self.weight += [count] * (len(self.ids) - len(self.weight))
        self.after = list(range(1, len(self.ids) + 1))
        self.before = list(range(-1, len(self.ids) - 1))
        self.counts, self.places = Counter(), defaultdict(list)
        for i, pair in enumerate(pairwise(self.ids)):
            self._count(pair, self.weight[i], i)

    def _count(self, pair, change, place=None):
        if GAP not in pair:
            self.counts[pair] += change
            if place is not None:
                self.places[pair].append(place)

    def merge(self, pair, new_id):
        """Merge pair wherever it stands, and return the pairs whose counts have changed."""
        ids, changed = self.ids, set()
        for i in sorted(self.places.pop(pair)):  # from left to right, for runs such as "aaaa"
            j = self.after[i]
            if (ids[i], ids[j]) != pair:
                continue  # merged with another neighbour: in "aaa" the first "aa" takes the middle
            h, k, weight = self.before[i], self.after[j], self.weight[i]
            old = (ids[h], ids[i]), pair, (ids[j], ids[k])
            ids[i], ids[j] = new_id, GAP
            self.after[i], self.before[k] = k, i
            new = (ids[h], new_id), (new_id, ids[k])
            for gone in old:
                self._count(gone, -weight)
            for place, made in zip((h, i), new, strict=True):
                self._count(made, weight, place)
            changed.update(old, new)
        return changed
