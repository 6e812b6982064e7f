"""Lesson 01's explorer: a text as bytes, fused merge by merge into tokens."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from ..tokenizer import Tokenizer, cut_at, merge, split
from . import svg
from .base import Explorer, number, token_name
from .controls import line, row, tick

WIDTH, SLOT, GAP = 880, 40, 8  # of the picture, of one byte in it, and between two pieces
LINE = 92  # from one line to the next
LONGEST = 192  # bytes of a text: eight lines


class Fusion(NamedTuple):
    """One merge that changed the text."""

    merge: int  # its place in the tokenizer's merges
    pieces: list[list[int]]  # ids after it, piece by piece


class Shown(NamedTuple):
    """A token as it is drawn."""

    id: int
    name: str
    data: bytes
    piece: int  # which piece of the text it belongs to: merges never leave it
    special: bool = False
    fresh: bool = False  # the last merge made it


def fusions(tokenizer: Tokenizer, text: str, special: bool = False) -> list[Fusion]:
    """All states that the text goes through, from bytes (merge -1) to its tokens.

    A merge can only bring about pairs that are learned later, so the merges that change the text
    come in the order learned, and a state stands from its merge to the next.

    special: a special token's name is that token, as with `encode(text, allowed_special="all")`.
    """
    new_ids = tokenizer.new_ids  # GPT-2 has 50,000: nothing here goes through them all
    names = tokenizer.special_tokens if special else {}
    pieces = []
    for place, part in enumerate(cut_at(text, names)):
        if place % 2:
            pieces.append([names[part]])
        else:
            spelled = [piece.encode() for piece in split(part)]
            pieces += [[tokenizer.byte_ids[byte] for byte in piece] for piece in spelled]
    states = [Fusion(-1, pieces)]
    while found := {new_ids[pair] for ids in pieces for pair in pairwise(ids) if pair in new_ids}:
        first = min(found)
        pieces = [merge(ids, tokenizer.merges[first - 256], first) for ids in pieces]
        states.append(Fusion(first - 256, pieces))
    return states


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
    edge = svg.ORANGE if token.fresh or token.special else svg.BLUE
    hint = f"{token.name}: id {token.id}, bytes {token.data.hex(' ')}"
    parts = []
    for line_ in dict.fromkeys(line_ for line_, _ in spots):
        xs = [x for at, x in spots if at == line_]
        x, y, width = xs[0] + 1, top + LINE * line_ + 2, len(xs) * SLOT - 2
        look = {"stroke": edge, "radius": 4, "dashed": token.special, "hint": hint}
        parts.append(svg.rect(x, y, width, 48, fill=svg.BLUE, opacity=opacity, **look))
        if token.fresh:  # thicker too
            parts.append(svg.rect(x + 1, y + 1, width - 2, 46, stroke=edge, radius=3))
        name = svg.clip(token.name, width, code=True)
        parts.append(svg.text(x + width / 2, y + 20, name, anchor="middle", bold=True, code=True))
        parts.append(svg.text(x + width / 2, y + 40, token.id, anchor="middle"))
    return "".join(parts)


class TokenizerExplorer(Explorer):
    """See `tokenizer_explorer`."""

    def __init__(self, tokenizer: Tokenizer, text: str) -> None:
        self.tokenizer = tokenizer
        self._states = lru_cache(maxsize=8)(self._read)
        self.text = line("text", text)
        self.text.continuous_update = True  # no model is asked
        self.special = tick("special tokens", False, "read <|endoftext|> as one token")
        count = max(1, len(tokenizer.merges))  # a slider needs some way to go
        first, self.merges = number("merges", count, 0, count)
        self.buttons = {
            "Fuse back": self.button("Fuse back", self.fuse_back, "undo the last merge seen here"),
            "Fuse on": self.button("Fuse on", self.fuse_on, "to the next merge seen here"),
        }
        controls = [self.text, row(first, *self.buttons.values(), self.special)]
        super().__init__(controls, [self.text, self.special, self.merges])

    def _read(self, text: str, special: bool) -> list[Fusion]:
        if not text:
            raise ValueError("type some text")
        self.tokenizer.encode(text)  # says what is wrong with the text
        if len(text.encode()) > LONGEST:
            size = len(text.encode())
            raise ValueError(f"{size} bytes are too many to show: {LONGEST} at most")
        return fusions(self.tokenizer, text, special)

    def _state(self) -> tuple[Fusion, list[Fusion]]:
        """The state after so many merges as the slider says, and all states."""
        states = self._states(self.text.value, self.special.value)
        after = bisect_right([state.merge for state in states], self.merges.value - 1)
        return states[after - 1], states

    def fuse_on(self) -> None:
        """Move the slider to the next merge that changes the text, or to the end."""
        _, states = self._state()
        later = [state.merge + 1 for state in states if state.merge + 1 > self.merges.value]
        self.merges.value = min(later, default=self.merges.max)

    def fuse_back(self) -> None:
        """Move the slider to just before the last merge that changed the text."""
        state, _ = self._state()
        self.merges.value = max(0, state.merge)

    def tokens(self) -> list[Shown]:
        """The tokens after so many merges as the slider says."""
        state, _ = self._state()
        fresh = 256 + state.merge if self.merges.value == state.merge + 1 else None
        specials = self.tokenizer.special_tokens.values()
        return [
            Shown(
                id,
                token_name(self.tokenizer, id),
                self.tokenizer.token_bytes(id),
                piece,
                id in specials,
                id == fresh,
            )
            for piece, ids in enumerate(state.pieces)
            for id in ids
        ]

    def notes(self, count: int) -> list[str]:
        """How many tokens, and what the last merge was."""
        text, (state, states) = self.text.value, self._state()
        size = len(text.encode())
        many = f"{count} token{'s' * (count != 1)} for {len(text)} characters, {size} bytes"
        last = "Bytes: no merge has changed this text yet."
        if state.merge >= 0:
            left, right = self.tokenizer.merges[state.merge]
            names = [token_name(self.tokenizer, id) for id in (left, right, 256 + state.merge)]
            last = f"Merge {state.merge + 1}: {names[0]} + {names[1]} → {names[2]}"
            last += f", the last of {states.index(state)} that changed this text so far."
        return [many, last]

    def draw(self) -> str:
        tokens = self.tokens()
        return tokens_svg(tokens, self.notes(len(tokens)), label=self.describe())

    def describe(self) -> str:
        merges = f"after {self.merges.value} of {len(self.tokenizer.merges)} merges"
        return f"{self.text.value!r} {merges}: {tokens_said(self.tokens())}"


def tokenizer_explorer(
    tokenizer: Tokenizer, text: str = "The cat is sleeping."
) -> TokenizerExplorer:
    """Type a text and slide through the merges: bytes fuse into tokens one pair at a time."""
    return TokenizerExplorer(tokenizer, text)
