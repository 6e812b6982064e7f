"""Lesson 01's exercises: the right answers, and the wrong ones that beginners write."""

import warnings
from collections import Counter
from itertools import pairwise

from ..tokenizer import Tokenizer, merge, pair_counts, split
from .base import Mistake

# ---- 1. Ids back to text ----


def right_decode(ids, token_bytes):
    return b"".join(token_bytes[i] for i in ids).decode("utf-8", "replace")


def _each(ids, table, errors="replace"):
    return [table[i].decode("utf-8", errors) for i in ids]


DECODE_MISTAKES = (
    Mistake(
        "each token alone",
        "each token is decoded on its own, but a letter may lie across two tokens. Join the bytes "
        "of all tokens first, then decode once.",
        lambda ids, table: "".join(_each(ids, table)),
    ),
    Mistake(
        "each token alone, strictly",
        "each token is decoded on its own, but a letter may lie across two tokens: half of it is "
        "no UTF-8. Join the bytes of all tokens first, then decode once.",
        lambda ids, table: "".join(_each(ids, table, "strict")),
    ),
    Mistake(
        "spaces between",
        "you put a space between tokens. A token brings its own space, in front: join with "
        'nothing, b"".join(...).',
        lambda ids, table: b" ".join(table[i] for i in ids).decode("utf-8", "replace"),
    ),
    Mistake(
        "white space lost",
        "white space at the ends is lost. It is part of the text: no strip().",
        lambda ids, table: right_decode(ids, table).strip(),
    ),
    Mistake(
        "strict",
        "right until bytes come that are no UTF-8, and a model may well write those. Let "
        'decode("utf-8", errors="replace") put � there.',
        lambda ids, table: b"".join(table[i] for i in ids).decode(),
    ),
    Mistake(
        "bad bytes ignored",
        'errors="ignore" hides bytes that are no UTF-8. Show that something was there: '
        'errors="replace".',
        lambda ids, table: b"".join(table[i] for i in ids).decode("utf-8", "ignore"),
    ),
    Mistake(
        "str of bytes",
        "str(b'...') is how Python writes bytes down, b and quotes and all. Their text is "
        '.decode("utf-8", errors="replace").',
        lambda ids, table: str(b"".join(table[i] for i in ids)),
    ),
    Mistake(
        "ids as characters",
        "chr(id) treats an id as the number of a letter. It is the number of a token: look its "
        "bytes up, token_bytes[id].",
        lambda ids, table: "".join(chr(i) for i in ids),
    ),
    Mistake(
        "latin-1",
        "each byte became a letter of its own (latin-1). The bytes are UTF-8.",
        lambda ids, table: b"".join(table[i] for i in ids).decode("latin-1"),
    ),
)


# ---- 2. The most frequent pair, and merging it ----


def right_pair(ids):
    counts = pair_counts(ids)
    return min(counts, key=lambda pair: (-counts[pair], pair), default=None)


def _best(counts, **how):
    return max(counts, key=counts.get, **how)


def _without_overlap(ids):
    counts = Counter(zip(ids[::2], ids[1::2]))
    return min(counts, key=lambda pair: (-counts[pair], pair), default=None)


def _rarest(ids):
    counts = pair_counts(ids)
    return min(counts, key=lambda pair: (counts[pair], pair), default=None)


PAIR_MISTAKES = (
    Mistake(
        "nothing at all",
        "it always gives back None. Is there a `return`?",
        lambda ids: None,
    ),
    Mistake(
        "first of equals",
        "among equally frequent pairs you take the one seen first. The rule is: the smallest pair, "
        "so that everybody learns the same merges. Compare (-count, pair).",
        lambda ids: _best(pair_counts(ids), default=None),
    ),
    Mistake(
        "last of equals",
        "among equally frequent pairs you take the largest. The rule is: the smallest. Compare "
        "(-count, pair) with min, not (count, pair) with max.",
        lambda ids: max((c, p) for p, c in pair_counts(ids).items())[1] if ids[1:] else None,
    ),
    Mistake(
        "empty",
        "right until there is no pair at all. With fewer than two ids, give back None.",
        lambda ids: min((-c, p) for p, c in pair_counts(ids).items())[1],
    ),
    Mistake(
        "every other pair",
        "you count (1st, 2nd), (3rd, 4th), ... Every id begins a pair with the next: "
        "(1st, 2nd), (2nd, 3rd), ..., as zip(ids, ids[1:]) gives.",
        _without_overlap,
    ),
    Mistake(
        "rarest",
        "that is the rarest pair. The most frequent has the largest count.",
        _rarest,
    ),
    Mistake(
        "order ignored",
        "you count (a, b) and (b, a) as the same pair. 'at' is not 'ta': keep the order.",
        lambda ids: _most_by(Counter(tuple(sorted(pair)) for pair in pairwise(ids))),
    ),
    Mistake(
        "the count",
        "that is how often the pair stands there. Give back the pair itself.",
        lambda ids: max(pair_counts(ids).values(), default=None),
    ),
    Mistake(
        "the pair and its count",
        "you give back the pair with its count, as most_common does. Give back the pair alone.",
        lambda ids: next(iter(pair_counts(ids).most_common(1)), None),
    ),
    Mistake(
        "most_common's list",
        "most_common(1) gives back a list with one pair and its count, and knows no rule for equal "
        "counts. Give back the pair alone: min with a key finds it.",
        lambda ids: pair_counts(ids).most_common(1),
    ),
)


def _most_by(counts):
    return min(counts, key=lambda pair: (-counts[pair], pair), default=None)


def _step_of_one(ids, pair, new_id):
    """Forgets that two ids have been used up."""
    out = []
    for k, left in enumerate(ids):
        out.append(new_id if tuple(ids[k : k + 2]) == tuple(pair) else left)
    return out


def _loses_the_last(ids, pair, new_id):
    """Looks at pairs as long as there are two ids, and forgets what then is left."""
    whole = merge([*ids, None], pair, new_id)[:-1]
    merged = sum(new == new_id for new in whole)
    ends_merged = merge(ids[:-1], pair, new_id).count(new_id) < merged
    return whole if ends_merged else whole[:-1]


def _only_first(ids, pair, new_id):
    for k, found in enumerate(pairwise(ids)):
        if found == pair:
            return [*ids[:k], new_id, *ids[k + 2 :]]
    return list(ids)


def _overlapping(ids, pair, new_id):
    """A new token at each place where the pair stands, and what no pair has touched."""
    starts = {k for k, found in enumerate(pairwise(ids)) if found == pair}
    kept = [k for k in range(len(ids)) if k in starts or k - 1 not in starts]
    return [new_id if k in starts else ids[k] for k in kept]


def _in_groups(ids, pair, new_id):
    out = []
    for k in range(0, len(ids), 2):
        out += [new_id] if tuple(ids[k : k + 2]) == pair else ids[k : k + 2]
    return out


def _looks_too_far(ids, pair, new_id, always):
    """Asks the last id for its right neighbour: always, or only if it may begin a pair."""
    ends_alone = ids and merge(ids, pair, new_id)[-1] != new_id
    if ends_alone and (always or ids[-1] == pair[0]):
        raise IndexError
    return merge(ids, pair, new_id)


TOO_FAR = (
    "right until the last id, which has no right neighbour. Look at ids[i + 1] only if "
    "i + 1 < len(ids)."
)


MERGE_MISTAKES = (
    Mistake(
        "second id kept",
        "the right half of the pair is still there. After a merge, go on two places further, not "
        "one.",
        _step_of_one,
    ),
    Mistake(
        "last id lost",
        "the last id is lost when no pair ends there. Let the loop run to the end of ids, and look "
        "at ids[i + 1] only if there is one.",
        _loses_the_last,
    ),
    Mistake(
        "only once",
        "only the first place is merged. Go on to the end.",
        _only_first,
    ),
    Mistake(
        "overlapping",
        "of three equal ids you made two tokens. The first merge uses up the middle one: go on "
        "behind it.",
        _overlapping,
    ),
    Mistake(
        "right to left",
        "you merge from the right. Of three equal ids the first two must become one.",
        lambda ids, pair, new_id: merge(ids[::-1], pair[::-1], new_id)[::-1],
    ),
    Mistake(
        "in groups of two",
        "you look at places (0, 1), (2, 3), ... only. A pair may begin anywhere: go on by one "
        "where there is none.",
        _in_groups,
    ),
    Mistake(
        "unmerged",
        "nothing is merged. Compare pairs with pairs: (ids[i], ids[i + 1]) == pair; a list never "
        "equals a tuple.",
        lambda ids, pair, new_id: list(ids),
    ),
    Mistake("too far", TOO_FAR, lambda *given: _looks_too_far(*given, always=False)),
    Mistake("too far, each time", TOO_FAR, lambda *given: _looks_too_far(*given, always=True)),
)


# ---- 3. Train BPE ----


def right_train(text, n_merges):
    with warnings.catch_warnings():  # that so many merges are not to be had
        warnings.simplefilter("ignore")
        return Tokenizer.train(text, 256 + n_merges, special_tokens=()).merges


def _learn(
    text, n_merges, *, cut=split, pick=_most_by, first=256, spell=None, again=True, unique=0
):
    """Training with one part of it changeable, to make each mistake once."""
    spell = spell or (lambda piece: list(piece.encode()))
    pieces = [spell(piece) for piece in cut(text)]
    pieces = [list(p) for p in dict.fromkeys(map(tuple, pieces))] if unique else pieces
    merges = []
    for k in range(n_merges):
        counts = sum((pair_counts(ids) for ids in pieces), Counter())
        if not counts:
            break
        merges.append(pick(counts))
        if again:
            pieces = [merge(ids, merges[-1], first + k) for ids in pieces]
    return merges


def _top_at_once(text, n_merges):
    counts = sum((pair_counts(list(piece.encode())) for piece in split(text)), Counter())
    return sorted(counts, key=lambda pair: (-counts[pair], pair))[:n_merges]


def _never_stops(text, n_merges):
    merges = right_train(text, n_merges)
    if len(merges) < n_merges:
        raise ValueError("max() of nothing")
    return merges


TRAIN_MISTAKES = (
    Mistake(
        "not split",
        "your merges cross from one word into the next. Cut the text with split(text), and count "
        "and merge within the pieces.",
        lambda text, n: _learn(text, n, cut=lambda text: [text] if text else []),
    ),
    Mistake(
        "cut at spaces",
        "text.split() throws the spaces away, and keeps 'dog.' whole. Cut with gptlib's "
        "split(text): a space belongs to the word behind it.",
        lambda text, n: _learn(text, n, cut=str.split),
    ),
    Mistake(
        "first of equals",
        "among equally frequent pairs take the smallest, not the one seen first. (Your "
        "most_frequent_pair from exercise 2 has that rule.)",
        lambda text, n: _learn(text, n, pick=_best),
    ),
    Mistake(
        "last of equals",
        "among equally frequent pairs take the smallest, not the largest.",
        lambda text, n: _learn(text, n, pick=lambda c: max(c, key=lambda p: (c[p], p))),
    ),
    Mistake(
        "ids one too high",
        "the first merge makes the id 256, not 257: ids 0 to 255 are the bytes.",
        lambda text, n: _learn(text, n, first=257),
    ),
    Mistake(
        "ids one too low",
        "the first merge must make the id 256. Yours makes 255, which is a byte already.",
        lambda text, n: _learn(text, n, first=255),
    ),
    Mistake(
        "never merged",
        "you find the same pair each time: after choosing a pair, merge it in every piece, and "
        "count again.",
        lambda text, n: _learn(text, n, again=False),
    ),
    Mistake(
        "counted once",
        "you took the most frequent pairs of the first count. Each merge changes the counts: "
        "merge, then count again.",
        _top_at_once,
    ),
    Mistake(
        "each word once",
        "a word that stands often must count often. You have dropped repeated pieces (a set?).",
        lambda text, n: _learn(text, n, unique=1),
    ),
    Mistake(
        "letters, not bytes",
        "right until a letter that is more than one byte. Begin with list(piece.encode()), not "
        "with ord(letter).",
        lambda text, n: _learn(text, n, spell=lambda piece: [ord(char) for char in piece]),
    ),
    Mistake(
        "does not stop",
        "right until no pair is left: then stop early and give back what there is.",
        _never_stops,
    ),
    Mistake(
        "one too many",
        "there is one merge too many. n_merges says how many.",
        lambda text, n: right_train(text, n + 1),
    ),
)
