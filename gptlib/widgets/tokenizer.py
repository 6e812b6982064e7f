"""Lesson 01's explorer: a text as bytes, fused merge by merge into tokens."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import traitlets

from ..tokenizer import Tokenizer, apply_merges, cut_at, split
from . import svg
from .explorer import Explorer
from .shared import reference, share_tokenizer
from .tokens import token_name

WIDTH, SLOT, GAP = 880, 40, 8  # of the picture, of one byte in it, and between two pieces
LINE = 92  # from one line to the next
LONGEST = 192  # bytes of a text, as in js/tokenizer_explorer.js


class Shown(NamedTuple):
    """A token as it is drawn."""

    id: int
    name: str
    data: bytes
    piece: int  # which piece of the text it belongs to: merges never leave it
    special: bool = False


def tokens_of(tokenizer: Tokenizer, text: str, merges: int, special: bool = False) -> list[Shown]:
    """The tokens of a text for a tokenizer that knows its first so many merges only.

    special: a special token's name is that token, as with `encode(text, allowed_special="all")`.
    """
    known = {pair: id for pair, id in tokenizer.new_ids.items() if id < 256 + merges}
    names = tokenizer.special_tokens if special else {}
    pieces = []
    for place, part in enumerate(cut_at(text, names)):
        if place % 2:
            pieces.append([names[part]])
        else:
            spelled = [[tokenizer.byte_ids[byte] for byte in p.encode()] for p in split(part)]
            pieces += [apply_merges(ids, known) for ids in spelled]
    specials = tokenizer.special_tokens.values()
    return [
        Shown(id, token_name(tokenizer, id), tokenizer.token_bytes(id), piece, id in specials)
        for piece, ids in enumerate(pieces)
        for id in ids
    ]


def tokens_svg(tokens: Sequence[Shown], notes: Sequence[str] = (), *, label: str = "") -> str:
    """Tokens over their bytes. A byte keeps its place, so that tokens fuse and nothing moves.

    Args:
        notes: lines above, the first in bold.
        label: what the picture says, in words; "" takes the tokens.
    """
    top = 28 * len(notes)
    parts = [
        svg.text(0, 18 + 26 * place, svg.clip(note, WIDTH), bold=not place)
        for place, note in enumerate(notes)
    ]
    places = _places([(token.piece, len(token.data)) for token in tokens])
    for token, spots, dark in zip(tokens, places, _shades(tokens), strict=True):
        parts.append(_boxes(token, spots, top, 0.3 if dark else 0.1))
        for byte, (line_, x) in zip(token.data, spots, strict=True):
            if not token.special:  # it stands for itself, and not for these bytes
                x, y = x + SLOT / 2, top + LINE * line_ + 70
                parts.append(
                    svg.text(x, y, f"{byte:02X}", anchor="middle", fill=svg.FAINT, code=True)
                )
    lines = 1 + max((line_ for spots in places for line_, _ in spots), default=0)
    return svg.document("".join(parts), WIDTH, top + lines * LINE, label or tokens_said(tokens))


def tokens_said(tokens: Sequence[Shown]) -> str:
    """The tokens in words: how many, and each with its id."""
    listed = ", ".join(f"{token.name} {token.id}" for token in tokens)
    return f"{len(tokens)} token{'s' * (len(tokens) != 1)}: {listed}."


def _shades(tokens: Sequence[Shown]) -> list[bool]:
    """Every other one dark, counted anew in each piece, so that a fusion repaints its own only."""
    shades: list[bool] = []
    for place, token in enumerate(tokens):
        first = not place or tokens[place - 1].piece != token.piece
        shades.append(token.piece % 2 == 1 if first else not shades[-1])
    return shades


def _places(lengths: Sequence[tuple[int, int]]) -> list[list[tuple[int, float]]]:
    """[(piece, bytes), ...] -> for each token the (line, x) of each of its bytes.

    They depend on the pieces alone: where a token ends makes no difference.
    """
    sizes: dict[int, int] = {}
    for piece, size in lengths:
        sizes[piece] = sizes.get(piece, 0) + size
    places, x, line_, before = [], 0.0, 0, None
    for piece, size in lengths:
        if piece != before and before is not None:
            x += GAP
            if x + sizes[piece] * SLOT > WIDTH:  # a new line, for a piece that fits into one
                x, line_ = 0.0, line_ + 1
        before, spots = piece, []
        for _ in range(size):
            if x + SLOT > WIDTH:
                x, line_ = 0.0, line_ + 1
            spots.append((line_, x))
            x += SLOT
        places.append(spots)
    return places


def _boxes(token: Shown, spots: Sequence[tuple[int, float]], top: float, opacity: float) -> str:
    """The box of a token with its name and id; one on each line that it reaches into."""
    edge = svg.ORANGE if token.special else svg.BLUE
    hint = f"{token.name}: id {token.id}, bytes {token.data.hex(' ')}"
    parts = []
    for line_ in dict.fromkeys(line_ for line_, _ in spots):
        xs = [x for at, x in spots if at == line_]
        x, y, width = xs[0] + 1, top + LINE * line_ + 2, len(xs) * SLOT - 2
        look = {"stroke": edge, "radius": 4, "dashed": token.special, "hint": hint}
        parts.append(svg.rect(x, y, width, 48, fill=svg.BLUE, opacity=opacity, **look))
        name = svg.clip(token.name, width, code=True)
        parts.append(svg.text(x + width / 2, y + 20, name, anchor="middle", bold=True, code=True))
        parts.append(svg.text(x + width / 2, y + 40, token.id, anchor="middle"))
    return "".join(parts)


@lru_cache(maxsize=1)
def _gpt2() -> Tokenizer:
    """GPT-2's own tokenizer: reading it takes a second, so it is read when it is asked for."""
    return Tokenizer.gpt2()


class TokenizerExplorer(Explorer):
    """See `tokenizer_explorer`."""

    SCRIPT = "tokenizer_explorer"

    text = traitlets.Unicode().tag(sync=True)
    merges = traitlets.Int().tag(sync=True)  # how many of them are known
    special = traitlets.Bool(False).tag(sync=True)  # read the names of special tokens as tokens
    shared_beside = reference()  # once it is asked for

    def __init__(self, tokenizer: Tokenizer, text: str, beside: Tokenizer | None) -> None:
        self.tokenizer, self.beside = tokenizer, beside
        super().__init__(
            settings={"beside": "GPT-2" if beside is None else "the other"},
            text=text,
            merges=len(tokenizer.merges),
            shared_tokenizer=share_tokenizer(tokenizer),
        )

    def answer_beside(self) -> dict:
        """Send the tokenizer to compare with, through `shared_beside`."""
        self.shared_beside = share_tokenizer(_gpt2() if self.beside is None else self.beside)
        return {}

    # ---- What is shown where no widget runs ----

    def tokens(self) -> list[Shown]:
        """The tokens after so many merges as the slider says."""
        size = len(self.tokenizer.encode(self.text) and self.text.encode())  # says what is wrong
        if not size:
            raise ValueError("type some text")
        if size > LONGEST:
            raise ValueError(f"{size} bytes are too many to show: {LONGEST} at most")
        return tokens_of(self.tokenizer, self.text, self.merges, self.special)

    def draw(self) -> str:
        tokens, size = self.tokens(), len(self.text.encode())
        many = f"{len(tokens)} token{'s' * (len(tokens) != 1)} for {len(self.text)} characters"
        notes = [f"{many}, {size} bytes", f"After {self.merges} of {self._all} merges"]
        return tokens_svg(tokens, notes, label=self.describe())

    @property
    def _all(self) -> int:
        return len(self.tokenizer.merges)

    def describe(self) -> str:
        after = f"after {self.merges} of {self._all} merges"
        return f"{self.text!r} {after}: {tokens_said(self.tokens())}"


def tokenizer_explorer(
    tokenizer: Tokenizer, text: str = "The cat is sleeping.", beside: Tokenizer | None = None
) -> TokenizerExplorer:
    """Type a text and slide through the merges: bytes fuse into tokens one pair at a time.

    Args:
        beside: a second tokenizer, whose tokens of the same text can be shown beneath; None:
            GPT-2's own.
    """
    return TokenizerExplorer(tokenizer, text, beside)
