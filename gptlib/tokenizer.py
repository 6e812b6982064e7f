"""Byte-level BPE: learn a vocabulary from text, turn text into token ids and ids back into text.
Left out: Unicode normalisation, BPE-dropout, and any split pattern but GPT-2's.
After Sennrich et al. 2016 (arXiv 1508.07909); bytes and split pattern of Radford et al. 2019.

    text --split--> pieces --UTF-8--> bytes --merges, in the order learned--> tokens

`split`, `pair_counts`, `merge` and `apply_merges` are the whole idea, in the readable way. The fast
way, that `Tokenizer` takes, is in `bpe`; what it is on disk in `tokenizer_files`, `vocab_files`.
"""

import operator
import os
import re
import reprlib
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from itertools import chain, pairwise

import regex

from .fast.bpe import PieceIds, apply_merges_fast, learn_merges
from .formats import tokenizer_json as tokenizer_files
from .formats import vocab as vocab_files
from .formats.files import fetch, user_path
from .formats.saves import finish_save
from .formats.tokenizer_json import END_OF_TEXT

# Merges never cross from one piece to the next: English contractions, letters, digits, other signs
# (these three with at most one space in front), and white space. Without the split, "dog", "dog."
# and "dog!" would each become a token.
PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
# The same pieces for text that is all ASCII, by Python's own `re`: in half the time.
ASCII_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+"
TOKENIZER_JSON = "tokenizer.json"

STRETCH = 2**14  # characters that are split at a time
MAX_BYTES = 2**26  # all tokens together: in a damaged file each merge may double the last

# What prints as nothing, or disturbs the line it is printed on. A fixed list, not a Unicode
# category, so that a token looks the same under every version of Unicode.
_UNSEEN = regex.compile(r"[\x00-\x1f\x7f-\xa0\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_split = regex.compile(PATTERN).findall
_split_ascii = re.compile(ASCII_PATTERN, re.ASCII).findall
_end_of_word = re.compile(r"\S(?=[ \n])").search

# GPT-2's vocabulary, as OpenAI offers it to tiktoken.
GPT2_FILE = "gpt2.tiktoken"
GPT2_SHA256 = "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"
GPT2_URL = "https://openaipublic.blob.core.windows.net/encodings/r50k_base.tiktoken"


def split(text: str) -> list[str]:
    """Cut text into the pieces that merges never cross. Joined, the pieces are the text again.

    >>> split("The cat isn't 12.")
    ['The', ' cat', ' isn', "'t", ' 12', '.']
    """
    return _split_ascii(text) if text.isascii() else _split(text)


def stretches(text: str) -> Iterator[str]:
    """Cut a long text into parts that are split as the whole is: its pieces need not all be there
    at once, and what is ASCII in other text is split by the faster pattern.

    A cut is between what can be seen and a space or newline. What comes before ends there, whatever
    follows; and what follows begins there, whatever came before.
    """
    start = 0
    while found := _end_of_word(text, start + STRETCH):
        yield text[start : found.end()]
        start = found.end()
    yield text[start:]


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


class Tokenizer:
    """Text to token ids and back. Make one with `train`, `load` or `gpt2`.

    Ids: the 256 bytes (id == byte, except in GPT-2's own order), then one id per merge in the order
    learned, then the special tokens.

    merges: list of (left id, right id); merges[k] makes the token 256 + k.
    new_ids: the same as {(left id, right id): 256 + k}. byte_ids: list of each byte's id.
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
        self.byte_ids = list(byte_ids)
        self._bytes = _spell(self.merges, self.byte_ids)  # id -> bytes
        self.new_ids = {pair: 256 + k for k, pair in enumerate(self.merges)}
        names = _checked_names(special_tokens)
        for name in names:  # the file has all tokens by name, so no two may have the same
            if (token := tokenizer_files.text_to_bytes(name)) in self._bytes:
                raise ValueError(f"special_tokens: {name!r} is what files call the token {token}")
        self.special_tokens = {name: len(self._bytes) + k for k, name in enumerate(names)}
        self._bytes += [name.encode() for name in names]
        self._cache = PieceIds(self.byte_ids, self.new_ids)

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
                for stretch in stretches(part):
                    pieces.update(split(stretch))
        merges = learn_merges(pieces, n_merges)
        if len(merges) < n_merges:
            message = f"the text allows only {len(merges)} merges of {n_merges}: vocab_size is "
            message += f"{256 + len(merges) + len(names)} instead of {vocab_size}"
            warnings.warn(message, stacklevel=2)
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
        These are tiktoken's rules; but there "all" are disallowed where nothing is said.

        Raises:
            TypeError: text is not str.
            ValueError: a name in allowed_special is unknown; the text has what is in
                disallowed_special, or a lone surrogate (half of a pair that UTF-16 uses for one
                character; no text holds it alone).
        """
        text = _checked_text(text)
        allowed = self._allowed(allowed_special)
        others = [name for name in self.special_tokens if name not in allowed]
        disallowed = _all_or_names("disallowed_special", disallowed_special, others)
        if any(name in text for name in disallowed):
            before, name, *_ = cut_at(text, disallowed)
            raise ValueError(
                f"text: has {name!r} at position {len(before)}, which is disallowed_special: name "
                f"it in allowed_special for its id, or in neither for plain text"
            )
        ids = []
        for k, part in enumerate(cut_at(text, allowed)):
            if k % 2:
                ids.append(self.special_tokens[part])
            else:
                for stretch in stretches(part):
                    ids += chain.from_iterable(map(self._cache.__getitem__, split(stretch)))
        return ids

    def _allowed(self, names):
        names = _all_or_names("allowed_special", names, self.special_tokens)
        for name in names:
            if name not in self.special_tokens:
                known = list(self.special_tokens)
                raise ValueError(f"allowed_special: {name!r} is not one of the names {known}")
        return names

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
        names = "merges", "special_tokens", "byte_ids"
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

    def save_vocab(self, folder: str | os.PathLike) -> None:
        """Write GPT-2's own files into folder: vocab.json, merges.txt; and added_tokens.json.

        The third names the special tokens among the ids of the first, which do not say it.
        """
        tokens = self._bytes[: 256 + len(self.merges)]
        vocab_files.write_vocab(folder, tokens, self.merges, self.special_tokens)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Tokenizer":
        """Read what `save` wrote, or another tokenizer.json that gives these ids: GPT-2's, say.

        path: the file; or a folder with tokenizer.json, or else with vocab.json and merges.txt.

        Raises:
            FileNotFoundError: no such file, or none of these in the folder.
            ValueError: one line naming the file and the field, if the file is truncated,
                contradicts itself, or has a setting with which ids would differ.
        """
        path = user_path(path)
        if path.is_dir():
            finish_save(path)
            if not (path / TOKENIZER_JSON).is_file() and (path / vocab_files.VOCAB).is_file():
                return cls.from_vocab(path)
            path = path / TOKENIZER_JSON
        with tokenizer_files.errors_that_name(path):
            return cls(*tokenizer_files.read_tokenizer_json(path))

    @classmethod
    def from_vocab(
        cls, folder: str | os.PathLike, special_tokens: Collection[str] = (END_OF_TEXT,)
    ) -> "Tokenizer":
        """Read vocab.json and merges.txt from folder, and added_tokens.json if it is there.

        special_tokens: which entries of vocab.json are special, beside those in added_tokens.json.

        Raises:
            FileNotFoundError: one of the two is not there.
            ValueError: one line naming the file, and the token or line that does not fit.
        """
        names = _checked_names(special_tokens)
        return cls(*vocab_files.read_vocab(user_path(folder), names))

    @classmethod
    def gpt2(cls) -> "Tokenizer":
        """GPT-2's own: 50,000 merges, and "<|endoftext|>" with the id 50256.

        The file gpt2.tiktoken is in the cache folder (`GPTLIB_CACHE`, or else the user's), or is
        downloaded into it once, and checked.

        Raises:
            FileNotFoundError: it is not there and cannot be downloaded; says what to do.
            ValueError: another file has its name.
        """
        path = fetch("GPT-2's vocabulary", GPT2_FILE, GPT2_URL, GPT2_SHA256)
        return cls.from_tiktoken(path)

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
            tokens = vocab_files.read_ranks(path)
            ids = {token[0]: id for id, token in enumerate(tokens[:256]) if len(token) == 1}
            if len(ids) != 256:
                raise ValueError("the ids 0..255 are not the 256 bytes")
            byte_ids, new_ids = bytes(ids[byte] for byte in range(256)), {}
            for id, token in enumerate(tokens[256:], 256):
                parts = apply_merges_fast(token.translate(byte_ids), new_ids)
                if len(parts) != 2:
                    raise ValueError(f"id {id}, {token!r}, is not two earlier tokens joined")
                new_ids[tuple(parts)] = id
            return cls(new_ids, special_tokens, byte_ids)

    def to_tiktoken(self):
        """Return a tiktoken.Encoding that gives the same ids, and is faster (written in Rust).

        tiktoken joins any two neighbours that spell a token. Our merges join one pair only. That
        is the same as long as each token's own bytes encode to it: always so after training.

        Raises:
            ValueError: merges written by hand that break this rule.
            ImportError: tiktoken is not installed.
        """
        table = bytes(self.byte_ids)
        for k in range(len(self.merges)):
            token = self._bytes[256 + k].translate(table)
            if apply_merges_fast(token, self.new_ids) != [256 + k]:
                raise ValueError(f"merges[{k}]: the bytes of token {256 + k} do not encode to it")
        tokens = self._bytes[: 256 + len(self.merges)]
        return vocab_files.tiktoken_encoding(tokens, PATTERN, self.special_tokens)


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


def _all_or_names(argument, names, all_names):
    if isinstance(names, str) and names != "all":
        raise ValueError(f"{argument}: {names!r} is not 'all' or a collection")
    return list(all_names if names == "all" else names)


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
