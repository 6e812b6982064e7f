"""A tokenizer's older files: GPT-2's vocab.json and merges.txt, and tiktoken's list of ranks.
Left out: splitting, which none of these files says: it must be GPT-2's. And what merges mean.
The formats are those of github.com/openai/gpt-2 and of github.com/openai/tiktoken.

As in `tokenizer_json`, only plain data passes: the arguments of `Tokenizer`.
"""

import base64
import json
import os
from collections.abc import Iterable
from pathlib import Path

from .byte_text import bytes_to_text, text_to_bytes
from .json_files import errors_that_name, on_one_line, read_strict_json
from .saves import atomic_folder
from .tokenizer_json import read_merges
from .values import shown

VOCAB, MERGES, ADDED = "vocab.json", "merges.txt", "added_tokens.json"
VERSION = "#version: 0.2"  # the first line of merges.txt

# ---- vocab.json and merges.txt ----


def write_vocab(folder, tokens: list[bytes], merges, special_tokens: dict[str, int]) -> None:
    """Write vocab.json, merges.txt and added_tokens.json: a crash leaves all old or all new ones.

    tokens: the bytes of each id, without special tokens; merges: list of (left id, right id).
    """
    spelled = list(map(bytes_to_text, tokens))
    vocab = {token: id for id, token in enumerate(spelled)} | special_tokens
    lines = [VERSION, *(f"{spelled[left]} {spelled[right]}" for left, right in merges), ""]
    with atomic_folder(folder) as staging:
        (staging / VOCAB).write_bytes(json.dumps(vocab, ensure_ascii=False).encode())
        (staging / MERGES).write_bytes("\n".join(lines).encode())  # with "\n" on Windows too
        (staging / ADDED).write_bytes(json.dumps(special_tokens, ensure_ascii=False).encode())


def read_vocab(folder: Path, special_tokens) -> tuple[list[tuple[int, int]], list[str], list[int]]:
    """Return merges, names of special tokens and byte_ids, as `Tokenizer` takes them.

    Ids must be as in GPT-2's own files: the bytes, one id a merge, then the special tokens. Which
    entries of vocab.json are special tokens it does not say: those in added_tokens.json, or in
    special_tokens. (Any without a merge would do; but then merges.txt might be cut off unseen.)
    ValueError names the file, and the token or line that does not fit.
    """
    vocab_path, merges_path, added_path = (folder / name for name in (VOCAB, MERGES, ADDED))
    with errors_that_name(merges_path):
        rows = _read_rows(merges_path.read_bytes().decode())
    with errors_that_name(vocab_path):
        vocab = _read_ids(vocab_path)
    names = set(special_tokens)
    if added_path.is_file():
        with errors_that_name(added_path):
            added = _read_ids(added_path)
            vocab = _joined(vocab, added)
            names.update(added)
    with errors_that_name(vocab_path):
        names = _in_order(names & vocab.keys(), vocab, 256 + len(rows))
    try:
        return read_merges(vocab, rows, names)
    except ValueError as error:  # it speaks of tokenizer.json, where these are two fields
        of_merges = str(error).startswith("model.merges")
        said = str(error).removeprefix("model." if of_merges else "model.vocab: ")
        path = merges_path if of_merges else vocab_path
        raise ValueError(f"{on_one_line(path)}: {said}") from None


def _read_rows(text):
    """Two tokens a line, after the line that names the version, if there is one."""
    lines = text.replace("\r\n", "\n").split("\n")
    if not lines[-1]:
        lines.pop()  # the last line ends as all do
    first = 1 if lines and lines[0].startswith("#version") else 0
    for number, line in enumerate(lines[first:], first + 1):
        if line.count(" ") != 1 or text_to_bytes(line.replace(" ", "")) is None:
            raise ValueError(f"line {number}: {shown(line)} is not two tokens with a space between")
    return lines[first:]


def _read_ids(path):
    ids = read_strict_json(path)
    if not isinstance(ids, dict):
        raise ValueError("must be a JSON object: token -> id")
    for token, id in ids.items():
        if type(id) is not int:
            raise ValueError(f"{shown(token)} has the id {shown(id)}, not an int")
    return ids


def _joined(vocab, added):
    for token, id in added.items():
        if vocab.get(token, id) != id:
            raise ValueError(f"{shown(token)} has the id {id}, but {VOCAB} has {vocab[token]}")
    return vocab | added


def _in_order(names, vocab, first):
    """The names by their ids, which must be first, first + 1, ..."""
    names = sorted(names, key=vocab.get)
    for id, name in enumerate(names, first):
        if vocab[name] != id:
            raise ValueError(
                f"{shown(name)} has the id {shown(vocab[name])}, but special tokens follow the "
                f"{first - 256} merges of {MERGES}, so it must be {id}"
            )
    return names


# ---- tiktoken ----


def read_ranks(path: str | os.PathLike) -> list[bytes]:
    """Return the tokens of a .tiktoken file in the order of their ids.

    Each line is a token in base64, a space and its id (rank). ValueError names the line.
    """
    ids = {}
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            token, id = _read_rank(number, line)
            if token in ids:
                raise ValueError(f"line {number}: the token {shown(token)} appears twice")
            ids[token] = id
    if sorted(ids.values()) != list(range(len(ids))):
        raise ValueError(f"the ranks of its {len(ids)} tokens are not 0, 1, 2, ...")
    return sorted(ids, key=ids.__getitem__)


def _read_rank(number, line):
    try:
        token, id = line.split()
        return base64.b64decode(token, validate=True), int(id)
    except ValueError:
        raise ValueError(
            f"line {number}: {shown(line)} is not base64, a space and a rank"
        ) from None


def tiktoken_encoding(tokens: Iterable[bytes], pattern: str, special_tokens: dict[str, int]):
    """Return a tiktoken.Encoding; tokens: the bytes of each id, without special tokens.

    ImportError: tiktoken is not installed.
    """
    try:
        import tiktoken
    except ImportError:
        raise ImportError("to_tiktoken needs tiktoken: pip install tiktoken") from None
    ranks = {token: id for id, token in enumerate(tokens)}
    return tiktoken.Encoding(
        "gptlib",
        pat_str=pattern,
        mergeable_ranks=ranks,
        special_tokens=special_tokens,
        explicit_n_vocab=len(ranks) + len(special_tokens),
    )
