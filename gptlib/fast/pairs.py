"""A whole text as one array of ids, in which a pair is merged at all its places at once.

Merges are learned on it (`learn_merges`), and applied to pieces so long that a heap of all their
pairs would not fit into memory (`apply_merges_at_once`). Left out: splitting and special tokens.
"""

import heapq
from collections.abc import Iterator
from itertools import chain

import numpy as np

Pair = tuple[int, int]

GAP = -1  # in cells between pieces, and in the inner cells of a token
SHORT = 2**19  # cells
MANY = 2**10  # numbers of two bytes are sorted in less time, if there are as many as this
BLOCK = 2**18  # cells whose pairs are sorted at a time, so that what sorting needs stays small


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
    text, merges = PairsInText(*_cells(pieces)), []
    heap = [(-count, pair) for pair, count in text.pairs_of_bytes()]
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
    if cells.itemsize == 4 and counts.max(initial=0) < 2**31:
        counts = counts.astype(np.int32)
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
    text = PairsInText(cells, np.broadcast_to(np.int32(1), len(cells)))
    pairs, heap = {}, []

    def note(found: Iterator[tuple[Pair, int]]) -> None:
        for pair, _ in found:
            if pair in new_ids:
                pairs[new_ids[pair]] = pair
                heapq.heappush(heap, new_ids[pair])
            else:
                text.forget(pair)

    note(text.pairs_of_bytes())
    while heap:
        new_id = heapq.heappop(heap)
        if text.count(pairs[new_id]):
            note(text.merge(pairs[new_id], new_id).items())
    return text.ids()


class PairsInText:
    """Cells that hold the ids of a text, one cell a byte, and the places of every pair.

    A token covers as many cells as it has bytes. Its first cell has its id, its last cell ~id (that
    is -id - 1), and the cells between them GAP; so both neighbours of a token can be found from it.
    A token of one byte has only a first cell.

    places[pair] says where the pair was when its later token was made. It can come to be nowhere
    else, so places are only ever lost. They are kept as arrays from left to right, one for each
    block of cells, and the cells of the pair's first token are meant.
    """

    def __init__(self, cells: np.ndarray, weight: np.ndarray) -> None:
        """cells (N,): bytes, with a GAP around each piece. weight (N - 1,): the count of each."""
        self.cells, self.weight = cells, weight
        self.sizes = dict.fromkeys(range(256), 1)  # id -> how many cells its token covers
        self.places: dict[Pair, list[np.ndarray]] = {}

    def pairs_of_bytes(self) -> Iterator[tuple[Pair, int]]:
        """Give each pair of bytes and its count; the first step, before any merge."""
        found: dict[int, int] = {}
        for start in range(0, len(self.cells) - 1, BLOCK):
            block = self.cells[start : start + BLOCK + 1]
            left, right = block[:-1], block[1:]
            at = np.flatnonzero((left != GAP) & (right != GAP))
            keys = (left[at] * 256 + right[at]).astype(np.uint16)
            at = (at + start).astype(self.cells.dtype)
            for key, count, places in self._by_key(keys, at):
                self.places.setdefault(divmod(key, 256), []).append(places)
                found[key] = found.get(key, 0) + count
        for key, count in found.items():
            yield divmod(key, 256), count

    def count(self, pair: Pair) -> int:
        """How often the pair is in the text now."""
        count, blocks = 0, []
        for at in self.places[pair]:
            at = self._still_there(pair, at)
            if len(at):
                blocks.append(at)
                count += int(np.add.reduce(self.weight[at]))
        self.places[pair] = blocks
        return count

    def merge(self, pair: Pair, new_id: int) -> Iterator[tuple[Pair, int]]:
        """Merge a pair that was just counted, wherever it is; give each new pair and its count."""
        size, cells = self.sizes[pair[0]], self.cells
        whole = self.sizes[new_id] = size + self.sizes[pair[1]]
        blocks = self.places.pop(pair)
        for n, at in enumerate(blocks):
            if pair[0] == pair[1]:
                blocks[n] = at = self._without_overlaps(self._still_there(pair, at), size)
            cells[at + size] = GAP
            cells[at + (whole - 1)] = -whole
            cells[at] = new_id
        found: dict[Pair, int] = {}
        for at in blocks:
            left = at + np.minimum(cells[at - 1], -1)
            neighbours = np.concatenate((2 * cells[left], 2 * cells[at + whole] + 1))
            if len(at) > MANY and new_id < 2**14:
                neighbours = neighbours.astype(np.int16)
            for key, count, places in self._by_key(neighbours, np.concatenate((left, at))):
                other, is_right = divmod(key, 2)
                if other == GAP or (other == new_id and not is_right):
                    continue  # two new ones in a row: as a right neighbour it is there already
                made = (new_id, other) if is_right else (other, new_id)
                if made in found:
                    self.places[made].append(places)
                    found[made] += count
                else:
                    self.places[made], found[made] = [places], count
        return found

    def forget(self, pair: Pair) -> None:
        """Keep no places of a pair that will not be merged."""
        del self.places[pair]

    def ids(self) -> list[int]:
        """The ids of all pieces, one after the other; equal ids are one object of Python's."""
        ids = self.cells[self.cells >= 0]
        same = range(256)
        same = [*same, *range(256, int(ids.max(initial=0)) + 1)]
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
        differs = np.ones(len(at), bool)  # from the key before it; the first one does
        np.not_equal(keys[1:], keys[:-1], out=differs[1:])
        starts = differs.nonzero()[0]
        counts = np.add.reduceat(self.weight[at], starts) if len(at) else starts
        ends = [*starts[1:].tolist(), len(at)]
        return zip(
            keys[starts].tolist(),
            counts.tolist(),
            map(at.__getitem__, map(slice, starts.tolist(), ends)),
        )
