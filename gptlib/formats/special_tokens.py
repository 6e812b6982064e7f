"""Special tokens: which names may be one, which of them a text may have, and where it has them.
Left out: their ids. The rules for what is allowed in a text are those of tiktoken.
"""

import os
import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from itertools import groupby

from .byte_text import text_to_bytes
from .values import shown

END_OF_TEXT = "<|endoftext|>"  # GPT-2's only special token


def checked_text(text: str, what: str = "text") -> str:
    """The text, if it is one; `what` is the name that errors give it.

    Raises:
        TypeError: it is not a str.
        ValueError: it has a lone surrogate: half of a pair that UTF-16 uses for one character.
    """
    if not isinstance(text, str):
        raise TypeError(f"{what}: must be str, not {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        at, bad = error.start, text[error.start]
        raise ValueError(f"{what}: lone surrogate {bad!r} at position {at}") from None
    return text


def checked_names(special_tokens: Iterable[str], tokens: Iterable[bytes] = ()) -> list[str]:
    """The names of special tokens, each there once.

    tokens: the bytes of the other tokens. A file calls each token by its bytes in GPT-2's spelling,
    so no special token may have a name that is also the spelling of one of them.

    Raises:
        TypeError: a single str, which would be read as many names of one letter, or no str at all.
        ValueError: a name that is empty, there twice, or what files call another token, or that
            has a lone surrogate.
    """
    if isinstance(special_tokens, str):
        given = shown(special_tokens)
        raise TypeError(f"special_tokens must be a collection of names, not a str: {given}")
    names: dict[str, None] = {}
    others = set(tokens)
    for name in special_tokens:
        if not checked_text(name, "special_tokens") or name in names:
            raise ValueError(f"special_tokens: {shown(name)} is empty or appears twice")
        if (token := text_to_bytes(name)) in others:
            called = f"{shown(name)} is what files call the token {shown(token)}"
            raise ValueError(f"special_tokens: {called}")
        names[name] = None
    return list(names)


def names_to_find(
    text: str,
    special_tokens: Collection[str],
    allowed_special: str | Iterable[str],
    disallowed_special: str | Iterable[str],
) -> list[str]:
    """The names that are allowed, for a text that has none of those that are not.

    Raises:
        ValueError: a name in allowed_special that is no special token; or the text has one that is
            in disallowed_special ("all": of those that are not allowed), and where.
    """
    allowed = _all_or_names("allowed_special", allowed_special, special_tokens)
    for name in allowed:
        if name not in special_tokens:
            known = shown(list(special_tokens))
            raise ValueError(f"allowed_special: {shown(name)} is not one of the names {known}")
    others = set(special_tokens) - set(allowed) if isinstance(disallowed_special, str) else ()
    disallowed = _all_or_names("disallowed_special", disallowed_special, others)
    before, *found = cut_at(text, disallowed)
    if found:
        raise ValueError(
            f"text: has {shown(found[0])} at position {len(before)}, which is disallowed_special: "
            "name it in allowed_special to get its id, or in neither to get plain text"
        )
    return allowed


def _all_or_names(argument, names, all_names):
    """The names that an argument means: "all" of them, or a collection."""
    if isinstance(names, str) and names != "all":
        raise ValueError(f"{argument}: {shown(names)} is not 'all' or a collection")
    names = list(all_names if isinstance(names, str) else names)
    for name in names:
        if not isinstance(name, str) or not name:
            raise ValueError(f"{argument}: {shown(name)} is not a name")
    return names


def cut_at(text: str, names: Collection[str]) -> list[str]:
    """Cut text at the names: [text, name, text, ..., name, text], a name at each odd index.

    >>> cut_at("a<x>b<x>+", ["<x>", "<x>+"])  # of two names at one place the longer one is found
    ['a', '<x>', 'b', '<x>+', '']
    """
    if not names:
        return [text]
    if len(names) > 1:
        return _finder(tuple(names)).cut(text)
    [name] = names
    texts = text.split(name)
    parts = [name] * (2 * len(texts) - 1)
    parts[::2] = texts
    return parts


@lru_cache(maxsize=16)
def _finder(names: tuple[str, ...]) -> "_NameFinder":
    return _NameFinder(names)


class _NameFinder:
    """Finds any of many names, in a time that hardly depends on how many they are.

    A pattern of all names would try them one by one at each place. This one finds the beginnings
    that they share, one for each first letter; and there a set is asked, once for each length.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = set(names)
        self.lengths = sorted(set(map(len, names)), reverse=True)
        groups = groupby(sorted(names), key=lambda name: name[:1])
        shared = [os.path.commonprefix(list(group)) for _, group in groups]
        self.next_beginning = re.compile("|".join(map(re.escape, shared))).search

    def cut(self, text: str) -> list[str]:
        parts, start, place = [], 0, 0
        while found := self.next_beginning(text, place):
            place = found.start()
            for length in self.lengths:
                name = text[place : place + length]
                if name in self.names:
                    parts += [text[start:place], name]
                    start = place = place + length
                    break
            else:
                place += 1
        return [*parts, text[start:]]
