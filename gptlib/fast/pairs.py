"""A whole text as one array of ids, in which a pair is merged at all its places at once.

Merges are learned on it (`learn_merges`), and applied to pieces so long that a heap of all their
pairs would not fit into memory (`apply_merges_at_once`). Left out: splitting and special tokens.
"""

import heapq
from collections.abc import Iterable
from itertools import chain

import numpy as np

Pair = tuple[int, int]

GAP = -1  # in the cells between pieces, and where a merged token's right half began
SHORT = 2**19  # cells: with fewer of them, memory is no matter
MANY = 2**10  # numbers of two bytes are sorted in less time, if there are as many as this
BLOCK = 2**17  # cells whose pairs are sorted at a time, so that what sorting needs stays small


def learn_merges(pieces: dict[str, int], n_merges: int) -> list[Pair]:
    """Return up to n_merges pairs: the ones that counting afresh before each merge would give.

    pieces: {piece: how often the text has it}.

    A pair's count can only fall once the later of its two tokens has been made. So the heap may
    hold counts that are out of date. The pair at its top is counted again: if the count is still
    right, this pair is the next merge; if not, it goes back with its new count, and no other pair
    has to be counted.

    >>> learn_merges({"aaab": 2, "ab": 1}, 2)  # (97, 97) occurs 4 times, (97, 98) 3 times
    [(97, 97), (97, 98)]
    """
    text = PairsInText(*_cells(pieces))
    merges: list[Pair] = []
    heap = [(-count, pair) for pair, count in text.pairs_of_bytes().items()]
    heapq.heapify(heap)
    while heap and len(merges) < n_merges:
        earlier, pair = heap[0]
        count = text.count(pair)
        if count == -earlier:
            heapq.heappop(heap)
            merges.append(pair)
            for made, count in text.merge(pair, 255 + len(merges)).items():
                heapq.heappush(heap, (-count, made))
        elif count:
            heapq.heapreplace(heap, (-count, pair))
        else:
            heapq.heappop(heap)
    return merges


def _cells(pieces: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """The bytes of all pieces, with gaps around them, and how often the piece of each occurs."""
    text = b"\xff".join([b"", *map(str.encode, pieces), b""])  # no UTF-8 has the byte 255 in it
    cells = np.frombuffer(text, np.uint8).astype(_cell_type(len(text)))
    gaps = np.flatnonzero(cells == 255)
    cells[gaps] = GAP
    counts = np.fromiter(pieces.values(), np.int64, len(pieces))
    if len(text) > SHORT:  # then in the smallest type that holds them
        counts = counts.astype(np.min_scalar_type(-1 - int(counts.max(initial=0))))
    return cells, np.repeat(counts, np.diff(gaps))


def _cell_type(n_cells: int) -> np.dtype:
    """Numbers of eight bytes are the faster ones in NumPy; those of four need half the memory."""
    return np.dtype(np.int32 if SHORT < n_cells < 2**31 else np.int64)


def apply_merges_at_once(ids: bytes | list[int], new_ids: dict[Pair, int]) -> list[int]:
    """Return what `tokenizer.apply_merges` returns, in a few steps for each merge that occurs.

    ids: of bytes. A merge can only bring about pairs that are learned later. So the merges are
    taken in the order learned, and each is made wherever its pair is at that time.

    >>> apply_merges_at_once(b"aaab", {(97, 97): 256, (97, 98): 257})
    [256, 257]
    """
    cells = np.full(len(ids) + 2, GAP, _cell_type(len(ids)))
    cells[1:-1] = np.frombuffer(ids, np.uint8) if isinstance(ids, bytes) else ids
    text = PairsInText(cells, np.broadcast_to(np.int8(1), len(cells)))
    pairs: dict[int, Pair] = {}
    heap: list[int] = []  # the ids of merges that are still to be made, the earliest first

    def note(found: Iterable[Pair]) -> None:
        for pair in found:
            if pair in new_ids:
                pairs[new_ids[pair]] = pair
                heapq.heappush(heap, new_ids[pair])
            else:
                text.forget(pair)

    note(text.pairs_of_bytes())
    while heap:
        new_id = heapq.heappop(heap)
        if text.count(pairs[new_id]):
            note(text.merge(pairs[new_id], new_id))
    return text.ids()


def _blocks(at: np.ndarray) -> list[np.ndarray]:
    if len(at) <= BLOCK:
        return [at]
    return [at[start : start + BLOCK] for start in range(0, len(at), BLOCK)]


class PairsInText:
    """Cells that hold the ids of a text, one cell a byte, and the places of every pair.

    A token covers as many cells as it has bytes. Its first cell holds its id, and its last one
    minus the number of its cells, so that a token can be found from the one to its right. (A token
    of one byte has only a first cell.) What is in the cells between is never read.

    places[pair] are the first cells of the pair's left token, in order, where the pair was when its
    later token was made. It can come to be nowhere else, so places are only ever lost.
    """

    def __init__(self, cells: np.ndarray, weight: np.ndarray) -> None:
        """cells (N,): bytes, with a GAP around each piece. weight (N - 1,): the count of each."""
        self.cells, self.weight = cells, weight
        self.sizes = dict.fromkeys(range(256), 1)  # id -> how many cells its token covers
        self.places: dict[Pair, np.ndarray] = {}

    def pairs_of_bytes(self) -> dict[Pair, int]:
        """Each pair of bytes and its count; the first step, before any merge."""
        starts = range(0, len(self.cells) - 1, BLOCK)
        return self._note(chain.from_iterable(map(self._bytes_from, starts)))

    def _bytes_from(self, start):
        """Give each pair of bytes in a block of cells, its count, and its places."""
        block = self.cells[start : start + BLOCK + 1]
        left, right = block[:-1], block[1:]
        at = np.flatnonzero((left != GAP) & (right != GAP))
        keys = (left[at] * 256 + right[at]).astype(np.uint16)
        at = (at + start).astype(self.cells.dtype)
        return ((divmod(key, 256), count, places) for key, count, places in self._by_key(keys, at))

    def count(self, pair: Pair) -> int:
        """How often the pair is in the text now."""
        blocks = [self._still_there(pair, at) for at in _blocks(self.places[pair])]
        at = self.places[pair] = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        return int(np.add.reduce(self.weight[at]))

    def merge(self, pair: Pair, new_id: int) -> dict[Pair, int]:
        """Merge a pair that was just counted, wherever it is; return each new pair's count."""
        size, cells = self.sizes[pair[0]], self.cells
        whole = self.sizes[new_id] = size + self.sizes[pair[1]]
        blocks = _blocks(self.places.pop(pair))
        for n, at in enumerate(blocks):
            if pair[0] == pair[1]:
                blocks[n] = at = self._without_overlaps(self._still_there(pair, at), size)
            cells[at + size] = GAP
            cells[at + (whole - 1)] = -whole
            cells[at] = new_id
        return self._note(chain.from_iterable(self._pairs_with(new_id, at) for at in blocks))

    def _pairs_with(self, new_id, at):
        """Give each pair that a token just made is in, its count, and its places in this block."""
        left = at + np.minimum(self.cells[at - 1], -1)  # an id there is a token of one cell
        keys = 2 * self.cells[np.concatenate((left, at + self.sizes[new_id]))]
        keys[len(at) :] += 1  # twice the neighbour's id, and 1 more if it is the one on the right
        if len(at) > MANY and new_id < 2**14:
            keys = keys.astype(np.int16)
        for key, count, places in self._by_key(keys, np.concatenate((left, at))):
            other, is_right = divmod(key, 2)
            if is_right and other != GAP:  # two new ones in a row are found once, as this
                yield (new_id, other), count, places
            elif not is_right and other != GAP and other != new_id:
                yield (other, new_id), count, places

    def _note(self, found: Iterable[tuple[Pair, int, np.ndarray]]) -> dict[Pair, int]:
        """Keep the places of new pairs, and return their counts. found: (pair, count, places)."""
        counts: dict[Pair, int] = {}
        parts: dict[Pair, list[np.ndarray]] = {}  # of pairs that are in several blocks
        for pair, count, places in found:
            if pair not in counts:
                counts[pair], self.places[pair] = count, places
            else:
                counts[pair] += count
                parts.setdefault(pair, [self.places[pair]]).append(places)
        for pair, some in parts.items():
            self.places[pair] = np.concatenate(some)
        return counts

    def forget(self, pair: Pair) -> None:
        """Keep no places of a pair that will not be merged."""
        del self.places[pair]

    def ids(self) -> list[int]:
        """The ids of all pieces, one after the other; equal ids are one object of Python's."""
        ids = self.cells[self.cells >= 0]
        same = list(range(int(ids.max(initial=0)) + 1))
        blocks = (ids[start : start + BLOCK].tolist() for start in range(0, len(ids), BLOCK))
        return list(chain.from_iterable(map(same.__getitem__, block) for block in blocks))

    def _still_there(self, pair, at):
        """Those of the places where neither token has been merged with another neighbour."""
        still = (self.cells[at] == pair[0]) & (self.cells[at + self.sizes[pair[0]]] == pair[1])
        return at[still]

    def _without_overlaps(self, at, size):
        """In "aaaa" the pair "aa" occurs three times, and is merged at the first and the third."""
        nth = np.arange(len(at))
        goes_on = np.concatenate(([False], np.diff(at) == size))
        run = np.maximum.accumulate(np.where(goes_on, 0, nth))  # where the run of each one begins
        return at[(nth - run) % 2 == 0]

    def _by_key(self, keys, at):
        """Sort places by key; give each key, how often the text has it, and its places."""
        order = keys.argsort(kind="stable")
        keys, at = keys[order], at[order]
        differs = np.empty(len(at), bool)  # from the key before it
        differs[:1] = True
        np.not_equal(keys[1:], keys[:-1], out=differs[1:])
        starts = differs.nonzero()[0]
        counts = np.add.reduceat(self.weight[at], starts) if len(at) else starts
        ends = [*starts[1:].tolist(), len(at)]
        return zip(
            keys[starts].tolist(),
            counts.tolist(),
            map(at.__getitem__, map(slice, starts.tolist(), ends)),
        )
