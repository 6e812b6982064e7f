"""Lesson 01's exercises: the most frequent pair, and merging it; and those of its Deeper: ids back
to text, text to ids, training.

Ids as in `gptlib.Tokenizer`: 0 to 255 are the bytes, 256 + k is what merge k makes.
"""

from collections import Counter
from functools import partial
from itertools import pairwise

from ..tokenizer import Tokenizer, apply_merges, merge, pair_counts, split
from . import reading
from .exercise import Exercise, Mistake, Property
from .properties import in_turn
from .showing import LONGEST, cut, shown

# ---- Ids back to text ----

# Spaces in front and at both ends; letters across tokens; half letters, which no other byte
# completes; a token twice; nothing at all; and ids in an order of their own, as GPT-2 has it.
BYTES = {k: bytes([k]) for k in range(256)}
BYTES |= {256: b" c", 257: b"at", 258: b" cat", 259: b"\xf0\x9f", 260: b"The", 261: b"\n "}
IDS = ([260, 258], [32, 257, 261], [78, 97, 195, 175, 118, 101], [259, 144, 177], [195, 40])
IDS += ([65, 259, 66], [258, 258, 32, 105, 115, 115], [])
DECODED = [(list(ids), {id: BYTES[id] for id in sorted(set(ids))}) for ids in IDS]
DECODED.append(([1, 300, 65], {1: b"Hi", 65: b"!", 300: b" A"}))


def _bytes(ids: list, token_bytes: dict) -> bytes:
    return b"".join(token_bytes[id] for id in ids)


def _right_decode(ids: list, token_bytes: dict) -> str:
    return _bytes(ids, token_bytes).decode("utf-8", "replace")


def _each(ids: list, token_bytes: dict) -> str:
    return "".join(_right_decode([id], token_bytes) for id in ids)


def _bytes_again(given: tuple, value: str) -> str | None:
    mine, its = (text.encode("utf-8", "replace") for text in (value, _right_decode(*given)))
    seen = f"your text has the bytes {cut(repr(mine), LONGEST)}, and not {its!r}"
    return None if mine == its else seen


def _replaced(given: tuple, value: str) -> str | None:
    mine, its = value.count("\ufffd"), _right_decode(*given).count("\ufffd")
    if mine == its:
        return None
    return f"your text has {mine} �, and the text of the bytes {_bytes(*given)!r} has {its}"


decode = Exercise(
    "tokenizer.decode",
    """Deeper, easy, 3 minutes: `student(ids, token_bytes)` gives back the text.

    token_bytes: {id: its bytes}. Bytes that are not UTF-8 become U+FFFD, with "replace".
    """,
    right=_right_decode,
    inputs=DECODED,
    read=reading.text,
    notes={
        "UnicodeDecodeError": "Join the bytes of all tokens first. A model may write bytes that "
        "are not UTF-8: look up what the argument errors of bytes.decode does."
    },
    properties=(
        Property("Where all bytes joined are not UTF-8 there is a �, and nowhere else.", _replaced),
        Property(
            "The bytes of all tokens follow each other: none is added, none is lost.", _bytes_again
        ),
    ),
    mistakes=(
        Mistake("each token alone", _each).as_if(
            "each token was decoded on its own",
            "Half a letter is not UTF-8. Join the bytes of all tokens first, then decode once.",
        ),
        Mistake("str of bytes", lambda *given: str(_bytes(*given))).as_if(
            "you took str of the bytes",
            "That is how Python writes bytes down. Their method decode gives the text.",
        ),
    ),
)


# ---- The most frequent pair, and merging it ----

A, B, C = 97, 98, 99
# Equals, seen in either order, told apart by the second id, and by number where text says
# otherwise; overlaps that decide; ids beyond the bytes; the rarest first; no pair at all.
PAIRS = ([A, B, C, A, B], [C, A, B, C, A, B], [A, C, A, B, A, C, A, B], [B, C, B, C, A, A, A])
PAIRS += ([A, A, A, A, B, B], [B, A, C, B], [A, B], [10, 9, 10, 9, 10], [300, 2, 300, 2, 1, 1, 1])
PAIRS += ([B, C, A, C, B, C, A, C, A], [C, B, A, B, C, B, A], [1, 9, 4, 2, 3, 5, 1, 9, 6, 2, 3])
PAIRS += ([C, C, C, B, A, B, A, B], [50256, 700, 50256, 700, 50256], [5], [])


def _smallest(counts: Counter) -> tuple | None:
    return min(counts, key=lambda pair: (-counts[pair], pair), default=None)


def _times(n: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(n, f"{n} times")


def _read_pair(value: object) -> tuple[int, int]:
    inner = value[0] if isinstance(value, list) and len(value) == 1 else value
    if isinstance(inner, tuple) and len(inner) == 2 and isinstance(inner[0], tuple):
        raise ValueError("the pair alone was expected, without how often it occurs")
    if isinstance(value, int):
        raise ValueError("the pair itself was expected, two ids")
    pair = reading.ids(value)
    if len(pair) != 2:
        raise ValueError("a pair of two ids was expected")
    return tuple(pair)


NO_PAIR = "With fewer than two ids there is no pair: give back None."
NEIGHBOURS = "A pair is two neighbours, the left one first."
MOST_OFTEN = "No other pair occurs more often; overlaps count."
TIE = "Of equally frequent pairs, the smallest wins: the left ids decide, then the right ids."


def _of_pairs(given: tuple, pair: tuple | None) -> tuple[str, str] | None:
    ids, counts = given[0], pair_counts(given[0])
    best = _smallest(counts)
    if pair is None or pair == best:
        return None
    if best is None:
        return NO_PAIR, f"you give back {pair} where {'there is 1 id' if ids else 'no id is'}"
    if pair not in counts:
        return NEIGHBOURS, f"{pair[1]} never comes right after {pair[0]}"
    mine, its = _times(counts[pair]), _times(counts[best])
    if mine != its:
        return MOST_OFTEN, f"{pair} occurs {mine}, and {best} {its}"
    return TIE, f"{pair} and {best} both occur {its}"


most_frequent_pair = Exercise(
    "tokenizer.most_frequent_pair",
    """Exercise 1, easy: `student(ids)` gives back the pair of neighbours that occurs most often.

    Overlapping pairs count; of equally frequent ones the smallest pair wins; None if there is none.
    """,
    right=lambda ids: _smallest(pair_counts(ids)),
    inputs=[(list(ids),) for ids in PAIRS],
    read=_read_pair,
    notes={
        "gives back nothing": "None is right only where there are fewer than two ids.",
        "empty|IndexError": "Fewer than two ids have no pair, so there is no choice: return None.",
    },
    properties=in_turn(_of_pairs, NO_PAIR, NEIGHBOURS, MOST_OFTEN, TIE),
    mistakes=(
        Mistake("every other pair", lambda ids: _smallest(Counter(zip(ids[::2], ids[1::2])))).as_if(
            "only the pairs (1st, 2nd), (3rd, 4th), ... were counted",
            "Every id but the last begins a pair with the next one.",
        ),
    ),
)


# Twice, with a rest; equals in a row, odd and even; at the end, in the middle, at odd places;
# none; ids that merges made; a first half alone at the end; one id, none.
MERGES = (([A, B, C, A, B], (A, B), 256), ([A, A, A], (A, A), 300), ([C, A, B], (A, B), 257))
MERGES += (([B, A, B, A], (A, B), 256), ([A, A, A, A, A], (A, A), 256), ([A, C, B], (A, B), 999))
MERGES += (([256, C, C, 256, C], (256, C), 257), ([A, B], (A, B), 258), ([B, B, A], (A, B), 256))
MERGES += (([300, 300, 300, 300, A, 300], (300, 300), 301), ([0, 0, 1, 0], (0, 1), 259))
MERGES += (([197, 98, 97, 98], (97, 98), 256), ([A, A, B, B], (A, B), 5000))
MERGES += (([A], (A, B), 256), ([], (A, B), 260))

KNOWN = "Each id of the result is one that was there, or new_id."
KEPT = "new_id replaces the pair, and no other id is added or lost."
EVERYWHERE = "The pair is merged wherever it occurs."
FROM_THE_LEFT = "Merging goes from left to right."


def _of_merged(given: tuple, merged: list[int]) -> tuple[str, str] | None:
    ids, (left, right), new_id = given
    for id in merged:
        if id not in (*ids, new_id):
            return KNOWN, f"{id} is not among the ids, and new_id is {new_id}"
    back = [old for id in merged for old in ((left, right) if id == new_id else (id,))]
    if back != ids:
        seen = f"with {left}, {right} put back for {new_id}, your result is {shown(back)}"
        return KEPT, f"{seen}, and not the ids that came in"
    if (left, right) in pairwise(merged):
        return EVERYWHERE, f"{right} still follows {left}"
    if left == right and (left, new_id) in pairwise(merged):
        return FROM_THE_LEFT, f"a {left} is left over before {new_id}, and not after it"
    return None


merge_pair = Exercise(
    "tokenizer.merge_pair",
    """Exercise 2, medium: `student(ids, pair, new_id)` replaces the pair wherever it occurs.

    From left to right: of three equal ids the first two become one. The input stays as it is.
    """,
    right=merge,
    inputs=[(list(ids), pair, new_id) for ids, pair, new_id in MERGES],
    read=reading.ids,
    notes={"IndexError": "The last id has no neighbour on its right: there, i + 1 is too far."},
    properties=in_turn(_of_merged, KNOWN, KEPT, EVERYWHERE, FROM_THE_LEFT),
    mistakes=(
        Mistake(
            "second id kept",
            lambda ids, pair, new_id: [
                new_id if tuple(ids[k : k + 2]) == pair else id for k, id in enumerate(ids)
            ],
        ).as_if("the right half of the pair was kept", "How many ids does a merge use up?"),
        Mistake("unmerged", lambda ids, pair, new_id: list(ids)).as_if(
            "nothing was merged",
            "A list never equals a tuple: is each side of your comparison a tuple?",
        ),
    ),
)


# ---- Text to ids, with given merges ----

# As in the lesson; merges that compete, where the order decides; a longer token that the order
# forbids; more than one byte a character; a merge that would join two pieces; one that goes on
# with what it made; equals in a row; no merges; no text.
BY_HAND = [(97, 116), (32, 99), (84, 104), (257, 256), (258, 101)]
ENCODED = [(" cat", BY_HAND), ("The cat is", BY_HAND), ("abc", [(98, 99), (97, 98)])]
ENCODED += [("abab cd", [(97, 98), (98, 97), (256, 256), (32, 99)]), ("aaaaa", [(97, 97)])]
ENCODED += [("abcd", [(97, 98), (99, 100), (98, 99), (97, 258), (259, 100)])]
ENCODED += [("naïve ï", [(195, 175), (32, 256)]), ("猫 é", [(231, 140), (256, 171), (195, 169)])]
ENCODED += [("a a. a", [(97, 32), (97, 46), (32, 97)]), ("it's 10", [(116, 39), (49, 48)])]
ENCODED += [("hi", [(104, 104)]), ("a cat", []), ("", BY_HAND)]


def right_encode(text: str, merges: list) -> list[int]:
    """The ids that gptlib's tokenizer gives."""
    return Tokenizer(merges, ()).encode(text)


def _encode(text: str, merges: list, cut=split, order=apply_merges) -> list[int]:
    """Encoding with one part of it changeable, to make each mistake once."""
    new_ids = {pair: 256 + k for k, pair in enumerate(merges)}
    return [id for piece in cut(text) for id in order(list(piece.encode()), new_ids)]


def _last_first(ids: list[int], new_ids: dict) -> list[int]:
    while known := [pair for pair in pairwise(ids) if pair in new_ids]:
        pair = max(known, key=new_ids.__getitem__)
        ids = merge(ids, pair, new_ids[pair])
    return ids


def _longest_first(ids: list[int], new_ids: dict) -> list[int]:
    by_bytes = {data: id for id, data in enumerate(Tokenizer(new_ids, ()).tokens)}
    data, out = bytes(ids), []
    while data:
        longest = max((t for t in by_bytes if data.startswith(t)), key=len)
        out.append(by_bytes[longest])
        data = data[len(longest) :]
    return out


BYTES_AND_MERGES = "Ids 0 to 255 are the bytes, and the merges make 256, 257, and so on."
SPELLED = "The bytes of all tokens, joined, are the bytes of the text."
INSIDE = "No token reaches from one piece of split(text) into the next."
IN_ORDER = "Each piece goes through all merges, in the order in which they were learned."


def _of_encoded(given: tuple, ids: list[int]) -> tuple[str, str] | None:
    text, merges = given
    tokens, most = Tokenizer(merges, ()).tokens, 255 + len(merges)
    for id in ids:
        if not 0 <= id <= most:
            return BYTES_AND_MERGES, f"{id} is not an id: here they are 0 to {most}"
    mine, rest = b"".join(tokens[id] for id in ids), list(ids)
    if mine != text.encode():
        said = cut(repr(mine), LONGEST)
        return SPELLED, f"the bytes of your tokens are {said}, and not {text.encode()!r}"
    for piece in split(text):
        its, left = [], len(piece.encode())
        while left > 0:
            its.append(rest.pop(0))
            left -= len(tokens[its[-1]])
        if left:
            over = tokens[its[-1]].decode("utf-8", "replace")
            return INSIDE, f"the token {over!r} goes on after the end of the piece {piece!r}"
        if its != (right := right_encode(piece, merges)):
            return IN_ORDER, f"the piece {piece!r} is {its}, and it should be {right}"
    return None


encode = Exercise(
    "tokenizer.encode",
    """Deeper, medium, 6 minutes: `student(text, merges)` gives the ids of a text.

    merges: a list of pairs of ids, in the order learned; merge k makes the id 256 + k. Merges stay
    within the pieces of `gptlib.tokenizer.split`.
    """,
    right=right_encode,
    inputs=[(text, list(merges)) for text, merges in ENCODED],
    read=reading.ids,
    properties=in_turn(_of_encoded, BYTES_AND_MERGES, SPELLED, INSIDE, IN_ORDER),
    mistakes=(
        Mistake("not split", partial(_encode, cut=lambda text: [text])).as_if(
            "merges crossed from one word into the next",
            "Cut the text with split(text), and merge within the pieces.",
        ),
        Mistake("last merge first", partial(_encode, order=_last_first)).as_if(
            "the merge that was learned last was applied first",
            "Go through the merges from the first to the last.",
        ),
        Mistake("longest token first", partial(_encode, order=_longest_first)).as_if(
            "the longest token that fits was taken, from left to right",
            "Begin with the bytes, and apply one merge after the other.",
        ),
    ),
)


# ---- Train BPE ----

TEXTS = (("aaabdaaabac", 3), ("The cat is. The cat sat.", 5), ("banana bandana", 4), ("ab ab", 9))
TEXTS += (("the hat the mat the cat", 6), ("naïve Zoë, naïve Chloë", 6), ("aaaa bc bc", 4))
TEXTS += (("low low low lower lowest newest newest", 0), ("dog. dog! dog? dog", 4), ("", 2))
TEXTS += (("it's 10, it's 10\n\nit's\n\n", 8), ("x", 3))


def right_train(text: str, n_merges: int) -> list[tuple[int, int]]:
    """The merges that gptlib learns."""
    return Tokenizer.train(text, 256 + n_merges, special_tokens=()).merges


def _learn(text: str, n_merges: int, cut=split, spell=str.encode) -> list[tuple]:
    """Training with one part of it changeable, to make each mistake once."""
    pieces, merges = [list(spell(piece)) for piece in cut(text)], []
    while len(merges) < n_merges and (counts := sum(map(pair_counts, pieces), Counter())):
        merges.append(_smallest(counts))
        pieces = [merge(ids, merges[-1], 255 + len(merges)) for ids in pieces]
    return merges


def _read_merges(value: object) -> list[tuple]:
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, dict):  # {pair: id}, as gptlib keeps them for encoding
        value = sorted(value, key=value.get)
    if not isinstance(value, list | tuple):
        raise ValueError("a list of merges was expected")
    try:
        return [_read_pair(pair) for pair in value]
    except (TypeError, ValueError):
        raise ValueError("each merge must be a pair of ids, such as (97, 116)") from None


NUMBERED = "Ids 0 to 255 are the bytes. The first merge makes 256, the second 257, and so on."
SIDE_BY_SIDE = "A merge joins two tokens that are side by side within a piece of split(text)."
MOST = "Each merge takes the most frequent pair, counted anew in all pieces together."
AS_MANY = "There are n_merges merges, or fewer where no pair is left."


def _of_merges(given: tuple, merges: list[tuple]) -> tuple[str, str] | None:
    """Of the first merge that is wrong: (the property that does not hold, what is seen)."""
    text, tokens = given[0], {k: bytes([k]) for k in range(256)}
    pieces = [list(piece.encode()) for piece in split(text)]
    for k, pair in enumerate(merges):
        counts = sum(map(pair_counts, pieces), Counter())
        best, mine = _smallest(counts), f"merge {k + 1} is {pair}"
        for id in pair:
            if id not in tokens:
                return NUMBERED, f"{mine}, and there is no id {id} yet"
        mine += f", {_spelled(pair, tokens)}"
        if pair not in counts:
            return SIDE_BY_SIDE, f"{mine}, and by then no piece has these two side by side"
        its = f"{best}, {_spelled(best, tokens)},"
        if counts[pair] < counts[best]:
            n, most = _times(counts[pair]), _times(counts[best])
            return MOST, f"{mine}, which occurs {n} by then, and {its} occurs {most}"
        if pair != best:
            return TIE, f"{mine}, and by then {its} occurs {_times(counts[best])} too"
        pieces = [merge(ids, pair, 256 + k) for ids in pieces]
        tokens[256 + k] = tokens[pair[0]] + tokens[pair[1]]
    want = len(right_train(*given))
    seen = f"you give back {len(merges)} merges, and there should be {want}"
    return (AS_MANY, seen) if len(merges) != want else None


def _spelled(pair: tuple, tokens: dict[int, bytes]) -> str:
    """Half letters as bytes: 'na' + b'\\xc3'."""
    parts = [(tokens[id], tokens[id].decode("utf-8", "replace")) for id in pair]
    return " + ".join(repr(data if "\ufffd" in text else text) for data, text in parts)


train = Exercise(
    "tokenizer.train",
    """Deeper, hard, 12 minutes: `student(text, n_merges)` learns the merges that gptlib learns.

    A list of pairs of ids, in the order learned; merge k makes the id 256 + k. Merges stay within
    the pieces of `gptlib.tokenizer.split`, and stop early when no pair is left.
    """,
    right=right_train,
    inputs=TEXTS,
    read=_read_merges,
    notes={
        r"(min|max)\(\) .*empty|IndexError": "Where no pair is left, training ends: leave the "
        "loop, and give back the merges that there are."
    },
    properties=in_turn(_of_merges, NUMBERED, SIDE_BY_SIDE, MOST, TIE, AS_MANY),
    mistakes=(
        Mistake("not split", partial(_learn, cut=lambda text: [text])).as_if(
            "merges crossed from one word into the next",
            "Cut the text with split(text), and count and merge within the pieces.",
        ),
        Mistake(
            "each word once",
            partial(_learn, cut=lambda text: dict.fromkeys(split(text))),
        ).as_if(
            "repeated pieces were counted once",
            "A word that occurs often must count often. Is there a set?",
        ),
        Mistake(
            "letters, not bytes",
            partial(_learn, spell=lambda piece: map(ord, piece)),
        ).as_if(
            "you began with the numbers of letters",
            "An ï is two bytes. Begin with the bytes of each piece, not with its characters.",
        ),
    ),
)
