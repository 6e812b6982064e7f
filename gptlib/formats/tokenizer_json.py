"""A tokenizer's file: Hugging Face's tokenizer.json. Older kinds of files are in `vocab`.
Left out: what merges mean (that is `tokenizer`), and every setting that would change an id.
The format is that of github.com/huggingface/tokenizers; its spelling of bytes is GPT-2's.

Only plain data passes here, the arguments of `Tokenizer`: merges, special_tokens and byte_ids.
"""

import json
from bisect import bisect_left
from pathlib import Path

from .byte_text import CHARACTERS, bytes_to_text
from .files import atomic_write
from .json_files import read_strict_json
from .special_tokens import cut_at
from .values import shown

TOKENIZER_JSON = "tokenizer.json"
LONGEST_NAME = 1000  # characters of an added token, where names are searched for in two rounds

BYTE_LEVEL = {
    "type": "ByteLevel",  # split by GPT-2's pattern, then spell the bytes as above
    "add_prefix_space": False,
    "trim_offsets": True,  # these are about positions in the text, not about ids
    "use_regex": True,
}
# Every setting on which ids, or their text, may depend -> its values with which they are ours.
# Where a file lacks the setting, it has the first of them, except for the two with no default.
# (How a batch of texts is padded and cut to one length is no such setting: IGNORED.)
SETTINGS = {
    "version": ["1.0"],
    "normalizer": [None],
    "pre_tokenizer.type": ["ByteLevel"],
    "pre_tokenizer.add_prefix_space": [False],
    "pre_tokenizer.use_regex": [True],
    "decoder.type": ["ByteLevel"],
    "model.type": ["BPE"],
    "model.dropout": [None, 0.0],
    "model.continuing_subword_prefix": [None, ""],
    "model.end_of_word_suffix": [None, ""],
    "model.ignore_merges": [False],
}
IGNORED = "truncation", "padding"
REQUIRED = "pre_tokenizer.type", "pre_tokenizer.add_prefix_space"
# What transformers writes for "add nothing before or after the text".
NOTHING_ADDED = [{"Sequence": {"id": "A", "type_id": 0}}]


def write_tokenizer_json(path, tokens: list[bytes], merges, special_tokens: dict[str, int]) -> None:
    """Write tokenizer.json in one step: a crash leaves the old file or the new one.

    tokens: the bytes of each id, without special tokens; merges: list of (left id, right id).
    """
    spelled = list(map(bytes_to_text, tokens))
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    fields = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": id, "content": name, **flags, "special": True}
            for name, id in special_tokens.items()
        ],
        "normalizer": None,
        "pre_tokenizer": BYTE_LEVEL,
        "post_processor": None,
        "decoder": BYTE_LEVEL,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,  # unknown tokens cannot be: every byte is one
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: id for id, token in enumerate(spelled)} | special_tokens,
            "merges": [[spelled[left], spelled[right]] for left, right in merges],
        },
    }
    with atomic_write(path) as temporary:
        temporary.write_bytes(f"{_layout(fields, levels=3)}\n".encode())


_dumps = json.JSONEncoder(ensure_ascii=False).encode


def _layout(value, levels, indent="\n"):
    """JSON that people can read too: so many levels with a line for each entry, then one line."""
    if not (levels and value and isinstance(value, (dict, list))):
        return _dumps(value)
    inner = indent + " "
    if isinstance(value, list):
        rows = [_layout(row, levels - 1, inner) for row in value]
        return f"[{inner}{f',{inner}'.join(rows)}{indent}]"
    rows = [f"{_dumps(name)}: {_layout(row, levels - 1, inner)}" for name, row in value.items()]
    return f"{{{inner}{f',{inner}'.join(rows)}{indent}}}"


def read_tokenizer_json(path) -> tuple[list[tuple[int, int]], list[str], list[int]]:
    """Return merges, names of special tokens and byte_ids, as `Tokenizer` takes them.

    The file must be one that gives the same ids there and here: byte-level BPE with GPT-2's split,
    where ids 0..255 are the bytes in any order, 256 + k is the token that merges[k] makes, and
    special tokens follow without gaps. ValueError names the field that is otherwise.
    """
    fields = read_strict_json(Path(path))
    _check_settings(fields)
    model = fields.get("model") or {}
    vocab, rows = _typed(model, "model", "vocab", dict), _typed(model, "model", "merges", list)
    names = _added_names(_typed(fields, "", "added_tokens", list, []), 256 + len(rows))
    return read_merges(vocab, rows, names)


def read_merges(vocab, rows, names) -> tuple[list[tuple[int, int]], list[str], list[int]]:
    """Return merges, names and byte_ids, after holding vocab, rows and names against each other.

    vocab: {spelled token: id}; rows: two spelled tokens a merge; names: of the special tokens.
    """
    byte_ids = _byte_ids(vocab)
    ids = dict(zip(CHARACTERS, byte_ids, strict=True))  # token -> id, as far as it is known
    merges = [_read_merge(k, row, ids, vocab) for k, row in enumerate(rows)]
    _check_rest(vocab, ids, names)
    return merges, names, byte_ids


def _byte_ids(vocab):
    for token, id in vocab.items():
        if type(id) is not int:
            raise ValueError(f"model.vocab: {shown(token)} has the id {shown(id)}, not an int")
    byte_ids = [vocab.get(character) for character in CHARACTERS]
    for character, id in zip(CHARACTERS, byte_ids, strict=True):
        if id is None or not 0 <= id < 256 or byte_ids.count(id) > 1:
            raise ValueError(
                f"model.vocab: {character!r} has the id {shown(id)}, but the bytes have 0..255"
            )
    return byte_ids


def _read_merge(k, row, ids, vocab):
    """Check row k, add the token that it makes to ids, and return its pair of ids.

    No merge of a damaged file can eat up the memory: what it makes must be in vocab, letter by
    letter, so that all tokens together are no longer than the file.
    """
    pair = row.split(" ") if isinstance(row, str) else row  # older files have "a b"
    if not isinstance(pair, list) or len(pair) != 2 or not all(type(t) is str for t in pair):
        raise ValueError(f"model.merges[{k}]: {shown(row)} is not two tokens")
    for token in pair:
        if token not in ids:
            raise ValueError(f"model.merges[{k}]: {shown(token)} is not a token made before it")
    token = "".join(pair)
    if token in ids:
        raise ValueError(f"model.merges[{k}]: makes {shown(token)} a second time")
    if vocab.get(token) != 256 + k:
        raise ValueError(
            f"model.vocab: {shown(token)} has the id {shown(vocab.get(token))}, but merges[{k}] "
            f"makes it {256 + k}"
        )
    ids[token] = 256 + k
    return ids[pair[0]], ids[pair[1]]


def _check_rest(vocab, ids, names):
    """Refuse special tokens and entries of vocab that clash; ids: those of bytes and merges."""
    for k, name in enumerate(names):
        if name in ids:
            raise ValueError(
                f"added_tokens[{k}].content: {shown(name)} is also the token {ids[name]}"
            )
        # Hugging Face's library reads the ids of special tokens in vocab, and numbers the rest.
        if k and name in vocab and names[k - 1] not in vocab:
            raise ValueError(
                f"model.vocab: has {shown(name)}, but not {shown(names[k - 1])} before it"
            )
        ids[name] = len(ids)
    for token, id in vocab.items():
        if ids.get(token) != id:
            raise ValueError(
                f"model.vocab: {shown(token)} has the id {shown(id)}, but is not a byte, what a "
                f"merge makes, or a special token with this id"
            )


def _added_names(rows, first_id):
    """Return the names in added_tokens, after checking that they mean there what they mean here.

    Those that `add_tokens` made are not "special" there, but are found in every text as well.
    """
    for k, row in enumerate(rows):
        if not isinstance(row, dict):
            raise ValueError(f"added_tokens[{k}]: {shown(row)} is not an object")
        name = row.get("content")
        if not isinstance(name, str) or not name:
            raise ValueError(f"added_tokens[{k}].content: {shown(name)} is not a name")
        for flag in ("single_word", "lstrip", "rstrip"):
            if row.get(flag, False) is not False:
                raise ValueError(f"added_tokens[{k}].{flag}: must be False for {shown(name)}")
        id = row.get("id")
        if type(id) is not int or id != first_id + k:
            raise ValueError(
                f"added_tokens[{k}].id: {shown(name)} has {shown(id)}, but special tokens come "
                f"after bytes and merges, so it must be {first_id + k}"
            )
    _check_rounds(rows)
    return [row["content"] for row in rows]


def _check_rounds(rows):
    """Refuse names of which other ones would be found there than here.

    There a text is searched twice, the second time for the names that are "normalized" (whether or
    not there is a normalizer). Here it is searched once, and the name that begins first is found.
    The two differ if a name of the first search can begin within a name of the second.
    """
    rounds = {True: [], False: []}
    for row in rows:
        rounds[row.get("normalized", False) is True].append(row["content"])
    first = sorted(rounds[False])
    beginnings = {name[0] for name in first}
    for name in rounds[True] if first else ():
        if len(name) > LONGEST_NAME:
            raise ValueError(f"added_tokens: {shown(name)} has more than {LONGEST_NAME} characters")
        places = (k for k in range(1, len(name)) if name[k] in beginnings)
        if (
            any(_begins_one(first, name[place:]) for place in places)
            or len(cut_at(name, first)) > 1
        ):
            raise ValueError(
                f"added_tokens: {shown(name)} is normalized, and a name that is not normalized can "
                "begin within it: other libraries would find it in different texts"
            )


def _begins_one(names, beginning):
    """Whether one of the sorted names begins so."""
    place = bisect_left(names, beginning)
    return place < len(names) and names[place].startswith(beginning)


def _check_settings(fields):
    if not isinstance(fields, dict):
        raise ValueError("not a tokenizer: the file is JSON, but not an object")
    for name in IGNORED:
        _typed(fields, "", name, dict, None)
    for name, allowed in SETTINGS.items():
        section, _, key = name.rpartition(".")
        holder = (_typed(fields, "", section, dict, None) or {}) if section else fields
        if key not in holder and name in REQUIRED:
            raise ValueError(f"{name}: missing, must be {allowed[0]!r}")
        value = holder.get(key, allowed[0])
        if not any(type(value) is type(good) and value == good for good in allowed):
            raise ValueError(f"{name}: {shown(value)}, must be {allowed[0]!r}")
    processor = _typed(fields, "", "post_processor", dict, None) or BYTE_LEVEL
    if processor.get("type") != "ByteLevel" and processor.get("single") != NOTHING_ADDED:
        raise ValueError(f"post_processor: {shown(processor)} may add tokens, must be null")


def _typed(holder, section, name, kind, *default):
    """Return a field, or its default, after checking that it is of this kind."""
    value = holder.get(name, *default)
    if not isinstance(value, kind) and not (default and value is default[0]):
        where = f"{section}.{name}" if section else name
        raise ValueError(f"{where}: missing, or not a {kind.__name__}")
    return value


def hf_tokenizer_config(eos_token: str | None, block_size: int) -> dict:
    """Return the content of tokenizer_config.json, that transformers reads along.

    eos_token: the name of the special token that ends a text, or None if there is none. Without
    this file, transformers would give "<|endoftext|>" an id of its own where we have no such token.
    """
    return {
        "tokenizer_class": "GPT2Tokenizer",
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,  # True would decode " ." as "."
        "model_max_length": block_size,
        "bos_token": eos_token,
        "eos_token": eos_token,
        "unk_token": eos_token,  # never met, but left out it would be "<|endoftext|>"
    }
