"""Byte-level BPE: learn a vocabulary from text, turn text into token ids and ids back into text.
Left out: Unicode normalisation, BPE-dropout, and any split pattern but GPT-2's.
After Sennrich et al. 2016 (arXiv 1508.07909); bytes and split pattern of Radford et al. 2019.

    text --split--> pieces --UTF-8--> bytes --merges, in the order learned--> tokens

`split`, `pair_counts`, `merge` and `apply_merges` are the whole idea. The rest makes it fast. What
it looks like on disk is in `tokenizer_files`.
"""

import heapq
import operator
import os
import reprlib
import warnings
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from itertools import pairwise

import regex

from . import tokenizer_files

# Merges never cross from one piece to the next: English contractions, letters, digits, other signs
# (these three with at most one space in front), and white space. Without the split, "dog", "dog."
# and "dog!" would each become a token.
PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
END_OF_TEXT = "<|endoftext|>"

GAP = -1  # in linked lists: around each piece, and where a token was joined to its left neighbour
LONG = 64  # pieces of more bytes are merged by heap, and are not worth a place in the cache
CACHE_SIZE = 65_536  # pieces
MAX_BYTES = 2**26  # all tokens together: in a damaged file each merge may double the last

# What prints as nothing, or disturbs the line it is printed on. A fixed list, not a Unicode
# category, so that a token looks the same under every version of Unicode.
_UNSEEN = regex.compile(r"[\x00-\x1f\x7f-\xa0\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_split = regex.compile(PATTERN).findall


def split(text: str) -> list[str]:
    """Cut text into the pieces that merges never cross. Joined, the pieces are the text again.

    >>> split("The cat isn't 12.")
    ['The', ' cat', ' isn', "'t", ' 12', '.']
    """
    return _split(text)


def pair_counts(ids: Iterable[int]) -> Counter:
    """Count each pair of neighbours, once for every position where it stands (overlaps too).

    >>> pair_counts([97, 97, 97, 98])
    Counter({(97, 97): 2, (97, 98): 1})
    """
    return Counter(pairwise(ids))


def merge(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """Replace pair by new_id wherever it stands, from left to right.

    >>> merge([97, 97, 97, 98], (97, 97), 256)
    [256, 97, 98]
    """
    out, i = [], 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == pair:
            out.append(new_id)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out


def apply_merges(ids: list[int], new_ids: dict[tuple[int, int], int]) -> list[int]:
    """Merge the pair that was learned first, as long as there is one. Quadratic in len(ids).

    new_ids: {(left, right): id of the merged token}; a lower id was learned earlier.

    >>> apply_merges([97, 97, 97, 98], {(97, 97): 256, (97, 98): 257})
    [256, 257]
    """
    while len(ids) > 1:
        pair = min(pairwise(ids), key=lambda pair: new_ids.get(pair, float("inf")))
        if pair not in new_ids:
            break
        ids = merge(ids, pair, new_ids[pair])
    return ids


def apply_merges_by_heap(ids: list[int], new_ids: dict[tuple[int, int], int]) -> list[int]:
    """Return what `apply_merges` returns in n log n steps, for a long piece without a space.

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


class Tokenizer:
    """Text to token ids and back. Make one with `train`, `load` or `from_tiktoken`.

    Ids: the 256 bytes (id == byte, except in GPT-2's own order), then one id per merge in the order
    learned, then the special tokens.

    merges: list of (left id, right id); merges[k] makes the token 256 + k.
    special_tokens: dict of name -> id.

    The text is the example of Wikipedia's page on byte-pair encoding.

    >>> tokenizer = Tokenizer.train("aaabdaaabac", 260)
    >>> tokenizer.merges  # (a, a) stands 4 times; then (a, b) and (aa, a) twice: the smaller wins
    [(97, 97), (97, 98), (256, 257)]
    >>> tokenizer.encode("aaabdaaabac")
    [258, 100, 258, 97, 99]
    >>> tokenizer.decode([258, 100, 258, 97, 99])
    'aaabdaaabac'
    """

    def __init__(self, merges=(), special_tokens=(END_OF_TEXT,), byte_ids=range(256)):
        """Make a tokenizer from what was learned; byte_ids[b] is the id of byte b.

        Raises:
            ValueError: naming the argument, and which merge uses an id not made before it, or
                spells a token that an earlier merge makes already.
        """
        self.merges = [tuple(pair) for pair in merges]
        self._byte_ids = list(byte_ids)
        self._bytes = _spell(self.merges, self._byte_ids)  # id -> bytes
        self._new_ids = {pair: 256 + k for k, pair in enumerate(self.merges)}
        names = _checked_names(special_tokens)
        for name in names:  # the file has all tokens by name, so no two may have the same
            if (token := tokenizer_files.text_to_bytes(name)) in self._bytes:
                raise ValueError(f"special_tokens: {name!r} is what files call the token {token}")
        self.special_tokens = {name: len(self._bytes) + k for k, name in enumerate(names)}
        self._bytes += [name.encode() for name in names]
        self._cache = {}  # piece -> ids

    @classmethod
    def train(
        cls,
        text: str | Iterable[str],
        vocab_size: int,
        special_tokens: Collection[str] = (END_OF_TEXT,),
    ) -> "Tokenizer":
        """Learn merges until bytes, merges and special tokens together are vocab_size ids.

        Each merge joins the pair of neighbours that stands at most positions; among equal counts,
        the smallest pair of ids. Special tokens in the text are cut out first. When no pair is left
        training stops: vocab_size is then smaller, and a UserWarning says how many merges it made.

        Raises:
            ValueError: vocab_size has no room for bytes and special tokens, or the text has a lone
                surrogate. TypeError: the text is not str.
        """
        names = _checked_names(special_tokens)
        n_merges = operator.index(vocab_size) - 256 - len(names)
        if n_merges < 0:
            raise ValueError(
                f"vocab_size is {vocab_size}, but 256 bytes and {len(names)} special tokens need "
                f"at least {256 + len(names)}"
            )
        pieces = Counter()  # a piece is merged once, however often it occurs
        for document in [text] if isinstance(text, str) else text:
            for part in cut_at(_checked_text(document), names)[::2]:
                pieces.update(split(part))
        merges = _learn_merges(pieces, n_merges)
        if len(merges) < n_merges:
            message = f"the text allows only {len(merges)} merges of {n_merges}: vocab_size is "
            message += f"{256 + len(merges) + len(names)} instead of {vocab_size}"
            warnings.warn(message, stacklevel=2)
        return cls(merges, names)

    def encode(self, text: str, allowed_special: str | Collection[str] = ()) -> list[int]:
        """Turn text into token ids.

        Plain text never yields a special id: "<|endoftext|>" typed by a student is thirteen
        ordinary characters, unless allowed_special ("all", or a collection of names) has it.

        Raises:
            TypeError: text is not str.
            ValueError: a name in allowed_special is unknown, or text has a lone surrogate (half of
                a pair that UTF-16 uses for one character; no text holds it alone).
        """
        if isinstance(allowed_special, str) and allowed_special != "all":
            raise ValueError(f"allowed_special: {allowed_special!r} is not 'all' or a collection")
        allowed = list(self.special_tokens if allowed_special == "all" else allowed_special)
        for name in allowed:
            if name not in self.special_tokens:
                known = list(self.special_tokens)
                raise ValueError(f"allowed_special: {name!r} is not one of the names {known}")
        ids = []
        for k, part in enumerate(cut_at(_checked_text(text), allowed)):
            if k % 2:
                ids.append(self.special_tokens[part])
            else:
                for piece in split(part):
                    ids += self._encode_piece(piece)
        return ids

    def _encode_piece(self, piece):
        ids = self._cache.get(piece)
        if ids is None:
            ids = [self._byte_ids[byte] for byte in piece.encode()]
            if len(ids) > LONG:
                return apply_merges_by_heap(ids, self._new_ids)
            if len(self._cache) >= CACHE_SIZE:
                self._cache.clear()
            ids = self._cache[piece] = apply_merges(ids, self._new_ids)
        return ids

    def decode(self, ids: Iterable[int], errors: str = "replace") -> str:
        """Turn ids (a list, a 1-D array or tensor, any iterable of ints) back into text.

        A token may hold only a part of a character. Bytes that are not UTF-8 become U+FFFD, or
        what errors says (as in bytes.decode).

        Raises:
            ValueError: an unknown id, or with errors="strict" bytes that are not UTF-8.
        """
        return self.decode_bytes(ids).decode("utf-8", errors)

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Return the bytes that the ids stand for. Raises ValueError for an unknown id."""
        ids = ids.tolist() if hasattr(ids, "tolist") else ids  # one copy from the GPU, not many
        return b"".join(map(self.token_bytes, ids))

    def token_bytes(self, id: int) -> bytes:
        """Return the bytes of one token. Raises ValueError for an unknown id.

        >>> Tokenizer().token_bytes(65)
        b'A'
        """
        id = operator.index(id)
        if not 0 <= id < self.vocab_size:
            raise ValueError(f"unknown token id {id}: ids are 0..{self.vocab_size - 1}")
        return self._bytes[id]

    def token_str(self, id: int) -> str:
        """Show one token so that all of it can be seen: for pictures, not for decoding.

        Space is ␣, newline ⏎, tab ⇥. Bytes that are not UTF-8 on their own, and characters that
        print as nothing, are written in hexadecimal. Raises ValueError for an unknown id.

        >>> [Tokenizer().token_str(id) for id in (65, 32, 10, 0xE2, 0)]
        ['A', '␣', '⏎', '<E2>', '<00>']
        """
        text = self.token_bytes(id).decode("utf-8", "surrogateescape")  # bad byte -> U+DC00 + byte
        text = text.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥")
        text = regex.sub("[\udc80-\udcff]", lambda bad: f"<{ord(bad[0]) - 0xDC00:02X}>", text)
        return _UNSEEN.sub(lambda found: "".join(f"<{b:02X}>" for b in found[0].encode()), text)

    @property
    def vocab_size(self) -> int:
        """Number of ids: bytes, merges and special tokens together."""
        return len(self._bytes)

    @property
    def eos_id(self) -> int | None:
        """Id of "<|endoftext|>", or None if the tokenizer does not have it."""
        return self.special_tokens.get(END_OF_TEXT)

    def __len__(self):
        return self.vocab_size

    def __repr__(self):
        names = list(self.special_tokens)
        return f"Tokenizer(vocab_size={self.vocab_size}, special_tokens={names})"

    def __eq__(self, other):
        if not isinstance(other, Tokenizer):
            return NotImplemented
        names = "merges", "special_tokens", "_byte_ids"
        return all(getattr(self, name) == getattr(other, name) for name in names)

    def save(self, path: str | os.PathLike) -> None:
        """Write Hugging Face's tokenizer.json, one token and one merge a line.

        `tokenizers.Tokenizer.from_file` opens it and gives the same ids, and so does transformers
        with GPT-2's class. (Both find special tokens in any text, as `encode` does with
        allowed_special="all".) The old file is replaced in one step, so that a crash leaves the
        old one or the new one.
        """
        tokens = self._bytes[: 256 + len(self.merges)]
        tokenizer_files.write_tokenizer_json(path, tokens, self.merges, self.special_tokens)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Tokenizer":
        """Read what `save` wrote, or another tokenizer.json that gives these ids: GPT-2's, say.

        Raises:
            ValueError: one line naming the file and the field, if the file is truncated,
                contradicts itself, or has a setting with which ids would differ.
        """
        with tokenizer_files.errors_that_name(path):
            return cls(*tokenizer_files.read_tokenizer_json(path))

    @classmethod
    def from_tiktoken(
        cls, path: str | os.PathLike, special_tokens: Collection[str] = (END_OF_TEXT,)
    ) -> "Tokenizer":
        """Read a file of tiktoken's: per line a token in base64, a space, and its id (rank).

        It does not say which two tokens each one was merged from. But the bytes of a token, encoded
        with the merges before it, end as exactly these two. Special tokens get the ids after the
        last rank. Nor does the file name its split pattern: only those of GPT-2 are right here.

        Raises:
            ValueError: naming the file, and the line or id that does not fit.
        """
        with tokenizer_files.errors_that_name(path):
            tokens = tokenizer_files.read_ranks(path)
            byte_ids = {token[0]: id for id, token in enumerate(tokens[:256]) if len(token) == 1}
            if len(byte_ids) != 256:
                raise ValueError("the ids 0..255 are not the 256 bytes")
            new_ids = {}
            for id, token in enumerate(tokens[256:], 256):
                parts = apply_merges([byte_ids[byte] for byte in token], new_ids)
                if len(parts) != 2:
                    raise ValueError(f"id {id}, {token!r}, is not two earlier tokens joined")
                new_ids[tuple(parts)] = id
            return cls(new_ids, special_tokens, [byte_ids[byte] for byte in range(256)])

    def to_tiktoken(self):
        """Return a tiktoken.Encoding that gives the same ids, and is faster (written in Rust).

        tiktoken joins any two neighbours that spell a token. Our merges join one pair only. That
        is the same as long as each token's own bytes encode to it: always so after training.

        Raises:
            ValueError: merges written by hand that break this rule.
            ImportError: tiktoken is not installed.
        """
        for k in range(len(self.merges)):
            ids = [self._byte_ids[byte] for byte in self._bytes[256 + k]]
            if apply_merges_by_heap(ids, self._new_ids) != [256 + k]:
                raise ValueError(f"merges[{k}]: the bytes of token {256 + k} do not encode to it")
        tokens = self._bytes[: 256 + len(self.merges)]
        return tokenizer_files.tiktoken_encoding(tokens, PATTERN, self.special_tokens)


def _learn_merges(pieces, n_merges):
    """Return up to n_merges pairs: those that counting afresh before each merge would give."""
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


def _spell(merges, byte_ids):
    """Return every token's bytes, by id, after checking that merges and byte_ids make sense.

    Files tell tokens apart by their bytes, so no two merges may spell the same. Training never
    makes two that do. For suppose merge j makes w, and some later merge m would make w of two other
    tokens, neighbours somewhere in the text. No merge before m crossed the ends of this w, so what
    happened within it is what happens to w alone. But w alone is one token ever since merge j.
    """
    if not all(type(id) is int for id in byte_ids) or sorted(byte_ids) != list(range(256)):
        raise ValueError("byte_ids: must have each id from 0 to 255 exactly once")
    spelled = [bytes([byte_ids.index(id)]) for id in range(256)]
    made, total = {}, 256
    for k, pair in enumerate(merges):
        if len(pair) != 2 or not all(type(id) is int and 0 <= id < 256 + k for id in pair):
            raise ValueError(f"merges[{k}]: {reprlib.repr(pair)} is not two ids in 0..{255 + k}")
        total += sum(len(spelled[id]) for id in pair)
        if total > MAX_BYTES:
            raise ValueError(f"merges[{k}]: the tokens together have more than {MAX_BYTES} bytes")
        token = spelled[pair[0]] + spelled[pair[1]]
        if made.setdefault(token, k) != k:
            same = f"merges[{k}] makes {reprlib.repr(token)}, as merges[{made[token]}] does"
            raise ValueError(f"{same}: a file could not tell them apart")
        spelled.append(token)
    return spelled


def _checked_names(special_tokens):
    if isinstance(special_tokens, str):
        raise TypeError(f"special_tokens is a collection of names, not a str: {special_tokens!r}")
    names = {}
    for name in special_tokens:
        if not _checked_text(name, "special_tokens") or name in names:
            raise ValueError(f"special_tokens: {name!r} is empty or there twice")
        names[name] = None
    return list(names)


def _checked_text(text, what="text"):
    if not isinstance(text, str):
        raise TypeError(f"{what}: must be str, not {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        at, bad = error.start, text[error.start]
        raise ValueError(f"{what}: lone surrogate {bad!r} at position {at}") from None
    return text


def cut_at(text, names):
    """Cut text at the names: [text, name, text, ..., name, text], a name at each odd index."""
    if not names:
        return [text]
    longest_first = sorted(names, key=len, reverse=True)  # of "<a>" and "<a>b", find "<a>b"
    return regex.split("(" + "|".join(map(regex.escape, longest_first)) + ")", text)
