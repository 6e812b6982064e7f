"""`save`, `load`, `gpt2` and the like: a tokenizer in each kind of file that the world has for it.

The tokenizer's class inherits `TokenizerFiles`, so that this room, which lies below the tokenizer,
can make one. The kinds of files are in `tokenizer_json` and `vocab`.
"""

import hashlib
import os
from collections.abc import Callable, Collection
from typing import Self

from .files import data_dir, user_path
from .json_files import errors_that_name
from .saves import finish_save
from .special_tokens import END_OF_TEXT, checked_names
from .tokenizer_json import TOKENIZER_JSON, read_tokenizer_json, write_tokenizer_json
from .values import shown
from .vocab import VOCAB, read_ranks, read_vocab, tiktoken_encoding, write_vocab

# GPT-2's tokens, as OpenAI offers them for tiktoken; see data/README.md.
GPT2_FILE = "gpt2/gpt2.tiktoken"
GPT2_SHA256 = "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"


class TokenizerFiles:
    """What a tokenizer's class needs to be saved and opened.

    The class has the arguments and attributes of `gptlib.Tokenizer`: merges, new_ids, byte_ids,
    tokens, special_tokens; also its split pattern, and a function that applies merges to bytes.
    """

    merges: list[tuple[int, int]]
    new_ids: dict[tuple[int, int], int]
    byte_ids: list[int]
    tokens: list[bytes]
    special_tokens: dict[str, int]
    pattern: str
    apply_merges: Callable[[bytes, dict[tuple[int, int], int]], list[int]]

    def __init__(self, merges, special_tokens, byte_ids) -> None:
        raise NotImplementedError  # as Tokenizer does it

    def save(self, path: str | os.PathLike) -> None:
        """Write Hugging Face's tokenizer.json, with one token or one merge on each line.

        `tokenizers.Tokenizer.from_file` opens it and gives the same ids, and so does transformers
        with GPT-2's class. (Both find special tokens in any text, as `encode` does with
        allowed_special="all".) The old file is replaced in one step, so that a crash leaves the
        old one or the new one.
        """
        write_tokenizer_json(path, self._ordinary_tokens(), self.merges, self.special_tokens)

    def save_vocab(self, folder: str | os.PathLike) -> None:
        """Write GPT-2's own files into folder: vocab.json, merges.txt; and added_tokens.json.

        The third names the special tokens among the ids of the first, which do not say it.
        """
        write_vocab(folder, self._ordinary_tokens(), self.merges, self.special_tokens)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Read what `save` wrote, or any tokenizer.json that gives these ids: GPT-2's, for example.

        path: the file; or a folder with tokenizer.json, or else with vocab.json and merges.txt.

        Raises:
            FileNotFoundError: no such file, or none of these in the folder.
            ValueError: one line naming the file and the field, if the file is truncated,
                contradicts itself, or has a setting with which ids would differ.
        """
        path = user_path(path)
        if path.is_dir():
            finish_save(path)
            if not (path / TOKENIZER_JSON).is_file() and (path / VOCAB).is_file():
                return cls.from_vocab(path)
            path = path / TOKENIZER_JSON
        with errors_that_name(path):
            return cls(*read_tokenizer_json(path))

    @classmethod
    def from_vocab(
        cls, folder: str | os.PathLike, special_tokens: Collection[str] = (END_OF_TEXT,)
    ) -> Self:
        """Read vocab.json and merges.txt from folder, and added_tokens.json if it is there.

        special_tokens: which entries of vocab.json are special, beside those in added_tokens.json.

        Raises:
            FileNotFoundError: one of the two is not there.
            ValueError: one line naming the file, and the token or line that does not fit.
        """
        names = checked_names(special_tokens)
        return cls(*read_vocab(user_path(folder), names))

    @classmethod
    def gpt2(cls) -> Self:
        """GPT-2's own tokenizer: 50,000 merges, and "<|endoftext|>" with the id 50256.

        Its file comes with gptlib, so that no network is needed.

        Raises:
            FileNotFoundError: the package was not installed whole.
            ValueError: the file is not OpenAI's.
        """
        path = data_dir() / GPT2_FILE
        if hashlib.sha256(path.read_bytes()).hexdigest() != GPT2_SHA256:
            raise ValueError(
                f"{path}: is not OpenAI's file (SHA-256 differs): install gptlib again"
            )
        return cls.from_tiktoken(path)

    @classmethod
    def from_tiktoken(
        cls, path: str | os.PathLike, special_tokens: Collection[str] = (END_OF_TEXT,)
    ) -> Self:
        """Read a file of tiktoken's: on each line a token in base64, a space, and its id (rank).

        It does not say which two tokens each one was merged from. But the bytes of a token, encoded
        with the merges before it, end as exactly these two. Special tokens get the ids after the
        last rank. Nor does the file name its split pattern: only those of GPT-2 are right here.

        Raises:
            ValueError: naming the file, and the line or id that does not fit.
        """
        path = user_path(path)
        with errors_that_name(path):
            tokens = read_ranks(path)
            ids = {token[0]: id for id, token in enumerate(tokens[:256]) if len(token) == 1}
            if len(ids) != 256:
                raise ValueError("the ids 0..255 are not the 256 bytes")
            byte_ids = bytes(ids[byte] for byte in range(256))
            new_ids: dict[tuple[int, int], int] = {}
            for id, token in enumerate(tokens[256:], 256):
                parts = cls.apply_merges(token.translate(byte_ids), new_ids)
                if len(parts) != 2:
                    raise ValueError(f"id {id}, {shown(token)}, is not two earlier tokens joined")
                new_ids[parts[0], parts[1]] = id
            return cls(new_ids, special_tokens, list(byte_ids))

    def to_tiktoken(self):
        """Return a tiktoken.Encoding that gives the same ids, and is faster (written in Rust).

        tiktoken joins any two neighbours that together make a token. Our merges join one pair only.
        That is the same as long as each token's own bytes encode to it: always so after training.

        Raises:
            ValueError: merges written by hand that break this rule.
            ImportError: tiktoken is not installed.
        """
        table = bytes(self.byte_ids)
        for id, token in enumerate(self._ordinary_tokens()[256:], 256):
            if self.apply_merges(token.translate(table), self.new_ids) != [id]:
                raise ValueError(f"merges[{id - 256}]: the bytes of token {id} do not encode to it")
        return tiktoken_encoding(self._ordinary_tokens(), self.pattern, self.special_tokens)

    def _ordinary_tokens(self) -> list[bytes]:
        """The bytes of each token that is not special, by id."""
        return self.tokens[: 256 + len(self.merges)]
