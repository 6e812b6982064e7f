"""Lesson 01. Byte-level BPE: learn a vocabulary from text, turn text into token ids, and back.

Leaves out Unicode normalisation, BPE-dropout, and any split pattern but GPT-2's. Source: Sennrich
et al. 2016 (arXiv 1508.07909); bytes and split pattern are those of Radford et al. 2019 (GPT-2).

    text --split--> pieces --UTF-8--> bytes --merges, in the order learned--> tokens

`pair_counts`, `merge`, `apply_merges` and `split` are the whole idea in the readable way.
`Tokenizer` takes faster functions with the same results (`fast`). Its files are in `formats`.
"""

import operator
import warnings
from collections import Counter
from collections.abc import Collection, Iterable
from itertools import pairwise

import regex

from .fast.bpe import PieceIds, apply_merges_fast
from .fast.pairs import learn_merges
from .fast.split import Splitter
from .formats.merges import checked_byte_ids, checked_merges, spell
from .formats.special_tokens import END_OF_TEXT, checked_names, checked_text, cut_at, names_to_find
from .formats.tokenizers import TokenizerFiles
from .formats.values import Whole, shown
from .formats.visible import visible


def pair_counts(ids: Iterable[int]) -> Counter:
    """Count each pair of neighbours, once for every position where it occurs (overlaps too).

    >>> pair_counts([97, 97, 97, 98])
    Counter({(97, 97): 2, (97, 98): 1})
    """
    return Counter(pairwise(ids))


def merge(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """Replace pair by new_id wherever it occurs, from left to right.

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


# A piece is an English contraction, or letters, or digits, or other characters (these three with at
# most one space before them), or white space. Without the split, "dog", "dog." and "dog!" would
# each become a token.
PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def split(text: str) -> list[str]:
    """Cut text into pieces; merges never join tokens of two pieces. Joined, they are the text.

    >>> split("The cat isn't 12.")
    ['The', ' cat', ' isn', "'t", ' 12', '.']
    """
    return regex.findall(PATTERN, text)


in_stretches = Splitter(PATTERN).stretches  # the same pieces sooner, a list of some at a time


class Tokenizer(TokenizerFiles):
    """Text to token ids and back. Make one with `train`, `load` or `gpt2`.

    Ids: the 256 bytes (id == byte, except in GPT-2's own order), then one id for each merge in the
    order learned, then the special tokens.

    merges: list of (left id, right id); merges[k] makes the token 256 + k.
    new_ids: the same as {(left id, right id): 256 + k}. byte_ids: list of each byte's id.
    tokens: list of each token's bytes, by id. special_tokens: dict of name -> id.

    >>> tokenizer = Tokenizer.train("aaabdaaabac", 260)  # Wikipedia's example
    >>> tokenizer.merges  # (a, a) occurs 4 times; then (a, b) and (aa, a) twice: the smaller wins
    [(97, 97), (97, 98), (256, 257)]
    >>> tokenizer.encode("aaabdaaabac")
    [258, 100, 258, 97, 99]
    >>> tokenizer.decode([258, 100, 258, 97, 99]), tokenizer.token_bytes(258)
    ('aaabdaaabac', b'aaab')
    """

    pattern = PATTERN  # this and the next are for TokenizerFiles
    apply_merges = staticmethod(apply_merges_fast)

    def __init__(self, merges=(), special_tokens=(END_OF_TEXT,), byte_ids=range(256)):
        """Make a tokenizer from what was learned; byte_ids[b] is the id of byte b.

        Raises:
            ValueError: naming the argument, and which merge uses an id not made before it, or
                makes the same bytes as an earlier merge.
        """
        self.merges = checked_merges(merges)
        self.new_ids = {pair: 256 + k for k, pair in enumerate(self.merges)}
        self.byte_ids = checked_byte_ids(byte_ids)
        self.tokens = spell(self.merges, self.byte_ids)
        names = checked_names(special_tokens, self.tokens)
        self.special_tokens = {name: len(self.tokens) + k for k, name in enumerate(names)}
        self.tokens += [name.encode() for name in names]
        self._piece_ids = PieceIds(self.byte_ids, self.new_ids)

    @classmethod
    def train(
        cls,
        text: str | Iterable[str],
        vocab_size: int,
        special_tokens: Collection[str] = (END_OF_TEXT,),
    ) -> "Tokenizer":
        """Learn merges from a text, or several, until there are vocab_size ids in all.

        Each merge joins the pair of neighbours that occurs most often; among equal counts, the
        smallest pair of ids. Special tokens in the text are cut out first. Training stops when no
        pair is left; vocab_size is then smaller, and a UserWarning says how many merges there are.

        Raises:
            ValueError: vocab_size has no room for bytes and special tokens, or the text has a lone
                surrogate. TypeError: the text is not str.
        """
        names = checked_names(special_tokens)
        n_merges = Whole().read("vocab_size", vocab_size) - 256 - len(names)
        if n_merges < 0:
            needed = f"256 bytes and {len(names)} special tokens need at least {256 + len(names)}"
            raise ValueError(f"vocab_size is {vocab_size}, but {needed}")
        counts: Counter[str] = Counter()  # a piece is merged once, however often it occurs
        for document in [text] if isinstance(text, str) else text:
            for part in cut_at(checked_text(document), names)[::2]:
                for pieces in in_stretches(part):
                    counts.update(pieces)
        merges = learn_merges(counts, n_merges)
        if len(merges) < n_merges:
            only = f"the text allows only {len(merges)} merges of {n_merges}: vocab_size is "
            only += f"{256 + len(merges) + len(names)} instead of {vocab_size}"
            warnings.warn(only, stacklevel=2)
        return cls(merges, names)

    def encode(
        self,
        text: str,
        allowed_special: str | Collection[str] = (),
        disallowed_special: str | Collection[str] = (),
    ) -> list[int]:
        """Turn text into token ids.

        Plain text never yields a special id: "<|endoftext|>" typed by a student is thirteen
        ordinary characters, unless allowed_special ("all", or a collection of names) has it. What
        is in disallowed_special ("all": the names that are not allowed) must not be in the text.
        These are tiktoken's rules, but there disallowed_special is "all" by default.

        Raises:
            TypeError: text is not str.
            ValueError: a name in allowed_special is unknown; the text has what is in
                disallowed_special, or a lone surrogate, which no valid text has.
        """
        rules = allowed_special, disallowed_special
        names = names_to_find(checked_text(text), self.special_tokens, *rules)
        ids = []
        for k, part in enumerate(cut_at(text, names)):
            if k % 2:  # the name of a special token
                ids.append(self.special_tokens[part])
            else:
                for pieces in in_stretches(part):
                    ids += self._piece_ids.of_all(pieces)
        return ids

    def decode(self, ids: Iterable[int], errors: str = "replace") -> str:
        """Turn ids (a list, a 1-D array or tensor, any iterable of whole numbers) back into text.

        A token may hold only a part of a character. Bytes that are not UTF-8 become U+FFFD, or
        what errors says (as in bytes.decode).

        Raises:
            TypeError: an id is not a whole number.
            ValueError: an unknown id, or with errors="strict" bytes that are not UTF-8.
        """
        return self.decode_bytes(ids).decode("utf-8", errors)

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Return the bytes that the ids stand for. Errors as `decode`."""
        ids = ids.tolist() if hasattr(ids, "tolist") else ids  # one copy from the GPU, not many
        return b"".join(map(self.token_bytes, ids))

    def token_bytes(self, id: int) -> bytes:
        """Return the bytes of one token. Errors as `decode`."""
        number = operator.index(id)
        if not 0 <= number < self.vocab_size:
            raise ValueError(f"unknown token id {shown(number)}: ids are 0..{self.vocab_size - 1}")
        return self.tokens[number]

    def token_str(self, id: int) -> str:
        """Show one token so that all of it can be seen: for pictures, not for decoding.

        Space is ␣, newline ⏎, tab ⇥. Bytes that are not UTF-8 on their own, and characters that
        cannot be seen, are written in hexadecimal. Errors as `decode`.

        >>> Tokenizer().token_bytes(0xE2)
        b'\\xe2'
        >>> [Tokenizer().token_str(id) for id in (65, 32, 10, 0xE2, 0)]
        ['A', '␣', '⏎', '<E2>', '<00>']
        """
        return visible(self.token_bytes(id))

    @property
    def vocab_size(self) -> int:
        """Number of ids: bytes, merges and special tokens together."""
        return len(self.tokens)

    @property
    def eos_id(self) -> int | None:
        """Id of "<|endoftext|>", or None if the tokenizer does not have it."""
        return self.special_tokens.get(END_OF_TEXT)

    def __len__(self):
        return len(self.tokens)

    def __repr__(self):
        names = shown(list(self.special_tokens))
        return f"Tokenizer(vocab_size={self.vocab_size}, special_tokens={names})"

    def __eq__(self, other):
        if not isinstance(other, Tokenizer):
            return NotImplemented
        same = self.merges == other.merges and self.byte_ids == other.byte_ids
        return same and self.special_tokens == other.special_tokens
