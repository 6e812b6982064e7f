"""gptlib.checks.tokenizer: wrong answers are told what is so of them, right answers are accepted
however they are written, and nothing that a student writes raises.
"""

import re
import time
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch

import gptlib
from checks.mutants import Case
from checks.rules import CheckRules
from gptlib.checks import running, tokenizer
from gptlib.tokenizer import apply_merges, merge, pair_counts, split

# ---- Right answers, as different people write them ----


def decode_by_loop(ids, token_bytes):
    data = b""
    for id in ids:
        data += token_bytes[id]
    return data.decode(errors="replace")


def decode_by_bytearray(ids, token_bytes):
    return str(bytearray(byte for id in ids for byte in token_bytes[id]), "utf-8", "replace")


def decode_by_list(ids, token_bytes):
    data = [token_bytes[id] for id in ids]
    return b"".join(data).decode("utf-8", errors="replace")


def pair_by_loop(ids):
    best, most = None, 0
    for pair in zip(ids, ids[1:]):
        count = sum(other == pair for other in zip(ids, ids[1:]))
        if count > most or (count == most and pair < best):
            best, most = pair, count
    return best


def pair_by_sorting(ids):
    counts = Counter(pairwise(ids))
    return sorted(counts, key=lambda pair: (-counts[pair], pair))[0] if counts else None


def pair_by_lesson(ids):
    counts = pair_counts(ids)
    return min(counts, key=lambda pair: (-counts[pair], pair), default=None)


def pair_by_numpy(ids):
    if len(ids) < 2:
        return None
    pairs, counts = np.unique(np.stack([ids[:-1], ids[1:]], 1), axis=0, return_counts=True)
    return pairs[counts.argmax()]  # sorted, and argmax takes the first: the smallest


def pair_by_torch(ids):
    if len(ids) < 2:
        return None
    ids = torch.tensor(ids)
    pairs, counts = torch.stack([ids[:-1], ids[1:]], 1).unique(dim=0, return_counts=True)
    return pairs[counts == counts.max()][0]


def merge_by_recursion(ids, pair, new_id):
    if tuple(ids[:2]) == tuple(pair):
        return [new_id, *merge_by_recursion(ids[2:], pair, new_id)]
    return [ids[0], *merge_by_recursion(ids[1:], pair, new_id)] if ids else []


def merge_by_lesson(ids, pair, new_id):
    out, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            out.append(new_id)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out


def merge_by_generator(ids, pair, new_id):
    rest = iter([*ids, None])
    left = next(rest)
    while left is not None:
        right = next(rest)
        if (left, right) == pair:
            yield new_id
            left = next(rest)
        else:
            yield left
            left = right


def merge_to_tensor(ids, pair, new_id):
    return torch.tensor(merge(ids, pair, new_id), dtype=torch.int64)


def train_by_hand(text, n_merges, *, keep=list):
    pieces, merges = [list(piece.encode()) for piece in split(text)], []
    while len(merges) < n_merges:
        counts = Counter(pair for ids in pieces for pair in pairwise(ids))
        pair = min(counts, key=lambda pair: (-counts[pair], pair), default=None)
        if pair is None:
            break
        pieces = [merge(ids, pair, 256 + len(merges)) for ids in pieces]
        merges.append(pair)
    return keep(merges)


def weighted(pieces):
    counts = Counter()
    for ids, n in pieces.items():
        for pair in pairwise(ids):
            counts[pair] += n
    return counts


def train_by_weights(text, n_merges):
    pieces, merges = Counter(tuple(piece.encode()) for piece in split(text)), {}
    for new_id in range(256, 256 + n_merges):
        counts = weighted(pieces)
        if not counts:
            return merges
        merges[pair_by_count(counts)] = new_id
        pieces = Counter({tuple(apply_merges(list(ids), merges)): n for ids, n in pieces.items()})
    return merges


def pair_by_count(counts):
    return min((-n, pair) for pair, n in counts.items())[1]


def train_to_array(text, n_merges):
    return np.array(train_by_hand(text, n_merges)).reshape(-1, 2)


def train_to_lists(text, n_merges):
    return train_by_hand(text, n_merges, keep=lambda merges: [list(pair) for pair in merges])


def encode_by_lesson(text, merges):
    ids = []
    for piece in split(text):
        raw = list(piece.encode("utf-8"))
        for k, pair in enumerate(merges):
            raw = merge(raw, pair, 256 + k)
        ids += raw
    return ids


def encode_by_rank(text, merges):
    ranks = {pair: 256 + k for k, pair in enumerate(merges)}
    return [id for piece in split(text) for id in apply_merges(list(piece.encode()), ranks)]


def encode_by_bytes(text, merges):
    names, ids = {k: bytes([k]) for k in range(256)}, []
    for piece in split(text):
        parts = [bytes([byte]) for byte in piece.encode()]
        for k, (left, right) in enumerate(merges):
            names[256 + k], i = names[left] + names[right], 0
            while i + 1 < len(parts):
                if (parts[i], parts[i + 1]) == (names[left], names[right]):
                    parts[i : i + 2] = [names[256 + k]]
                i += 1
        ids += [next(id for id, name in names.items() if name == part) for part in parts]
    return ids


# ---- Mistakes, as beginners write them: {name in the check: the code} ----


def each_alone(ids, token_bytes):
    text = ""
    for id in ids:
        text += token_bytes[id].decode("utf-8", errors="replace")
    return text


def spaces_between_texts(ids, token_bytes):
    return " ".join([token_bytes[id].decode("utf-8", "replace") for id in ids])


def loses_second(ids, pair, new_id):
    out = []
    for i in range(len(ids)):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            out.append(new_id)
        else:
            out.append(ids[i])
    return out


def stops_before_the_last(ids, pair, new_id):
    out, i = [], 0
    while i < len(ids) - 1:
        if (ids[i], ids[i + 1]) == pair:
            out.append(new_id)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out


def one_place(ids, pair, new_id):
    for i in range(len(ids) - 1):
        if (ids[i], ids[i + 1]) == pair:
            return ids[:i] + [new_id] + ids[i + 2 :]
    return ids


def overlapping(ids, pair, new_id):
    out, used = [], False
    for i in range(len(ids)):
        if tuple(ids[i : i + 2]) == pair:
            out.append(new_id)
            used = True
        elif used:
            used = False
        else:
            out.append(ids[i])
    return out


def from_the_right(ids, pair, new_id):
    ids, i = list(ids), len(ids) - 2
    while i >= 0:
        if (ids[i], ids[i + 1]) == pair:
            ids[i : i + 2] = [new_id]
            i -= 1
        i -= 1
    return ids


def in_twos(ids, pair, new_id):
    out = []
    for i in range(0, len(ids), 2):
        if ids[i : i + 2] == list(pair):
            out.append(new_id)
        else:
            out.extend(ids[i : i + 2])
    return out


def looks_too_far(ids, pair, new_id):
    out, i = [], 0
    while i < len(ids):
        if ids[i] == pair[0] and ids[i + 1] == pair[1]:
            out.append(new_id)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out


def always_looks_too_far(ids, pair, new_id):
    out, i = [], 0
    while i < len(ids):
        left, right = ids[i], ids[i + 1]
        out.append(new_id if (left, right) == pair else left)
        i += 2 if (left, right) == pair else 1
    return out


def as_text(ids, pair, new_id):
    text = " ".join(map(str, ids)).replace(f"{pair[0]} {pair[1]}", str(new_id))
    return [int(word) for word in text.split()]


def every_other(ids):
    counts = Counter((ids[i], ids[i + 1]) for i in range(0, len(ids) - 1, 2))
    return pair_by_count(counts) if counts else None


def unordered(ids):
    counts = Counter((min(a, b), max(a, b)) for a, b in zip(ids, ids[1:]))
    return pair_by_count(counts) if counts else None


def trained(
    text,
    n_merges,
    *,
    cut=split,
    pick=pair_by_count,
    first=256,
    spell=str.encode,
    n=0,
    least=1,
    new_id=None,
):
    """Training as a beginner writes it, with one thing else."""
    pieces, merges = [list(spell(piece)) for piece in cut(text)], []
    for k in range(n_merges + n):
        counts = Counter()
        for ids in pieces:
            counts.update(zip(ids, ids[1:]))
        if len(counts) == 0 or max(counts.values()) < least:
            break
        merges.append(pick(counts))
        id = new_id(k) if new_id else first + k
        pieces = [merge(ids, merges[-1], id) for ids in pieces]
    return merges


def never_merges(text, n_merges):
    counts = sum((pair_counts(list(piece.encode())) for piece in split(text)), Counter())
    return [pair_by_count(counts) for _ in range(n_merges) if counts]


def counts_once(text, n_merges):
    counts = sum((pair_counts(list(piece.encode())) for piece in split(text)), Counter())
    return [pair for _, pair in sorted((-n, pair) for pair, n in counts.items())][:n_merges]


def no_stop(text, n_merges):
    pieces, merges = [list(piece.encode()) for piece in split(text)], []
    for k in range(n_merges):
        counts = Counter(pair for ids in pieces for pair in pairwise(ids))
        merges.append(pair_by_count(counts))
        pieces = [merge(ids, merges[-1], 256 + k) for ids in pieces]
    return merges


def encoded(text, merges, *, cut=split, spell=str.encode, first=256, order=list):
    """Encoding as a beginner writes it, with one thing else."""
    ids = []
    for piece in cut(text):
        raw = list(spell(piece))
        for k, pair in order(enumerate(merges)):
            raw = merge(raw, pair, first + k)
        ids += raw
    return ids


def by_rank(pick):
    def order(text, merges):
        new_ids, ids = {pair: 256 + k for k, pair in enumerate(merges)}, []
        for piece in split(text):
            raw = list(piece.encode())
            while known := [pair for pair in pairwise(raw) if pair in new_ids]:
                pair = pick(known, key=new_ids.get)
                raw = merge(raw, pair, new_ids[pair])
            ids += raw
        return ids

    return order


def longest(text, merges):
    tokens = gptlib.Tokenizer(merges, ()).tokens
    ids = []
    for piece in split(text):
        data = piece.encode()
        while data:
            best = max((t for t in tokens if data.startswith(t)), key=len)
            ids.append(tokens.index(best))
            data = data[len(best) :]
    return ids


def merged_once(text, merges):
    ids = []
    for piece in split(text):
        raw = list(piece.encode())
        for k, pair in enumerate(merges):
            raw = one_place(raw, pair, 256 + k)
        ids += raw
    return ids


def each_word_once(text):
    return sorted(set(split(text)), key=split(text).index)


def largest(counts):
    return max((n, pair) for pair, n in counts.items())[1]


def seen_first(counts):
    return counts.most_common(1)[0][0]


# ---- Random inputs that the exercises allow ----


def random_ids(dice):
    few = [dice.choice((97, 98, 255, 256, 300, 50256)) + k for k in range(dice.randint(1, 3))]
    return [dice.choice(few) for _ in range(dice.randint(0, 12))], few


def random_tokens(dice):
    parts = [b" cat", b"a", b" ", b"\n", "ï".encode(), b"\xc3", b"\x9f\x90", b"The", b"\xf0\x9f"]
    table = {k * dice.choice((1, 40)): dice.choice(parts) for k in range(12)}
    return [dice.choice(list(table)) for _ in range(dice.randint(0, 6))], table


def random_merge(dice):
    ids, few = random_ids(dice)
    pair = dice.choice(few), dice.choice(few)
    return ids, pair, max(256, *few) + dice.randint(1, 50)


def random_text(dice):
    words = [
        "the",
        " the",
        " cat",
        " hat.",
        "aaa",
        " ë",
        "ïa",
        "\n",
        "  ",
        "10",
        " 10",
        "it's",
        "!",
    ]
    words = dice.sample(words, 5)
    return "".join(dice.choice(words) for _ in range(dice.randint(0, 9))), dice.randint(0, 8)


def random_encoding(dice):
    merges = trained("".join(random_text(dice)[0] for _ in range(3)), dice.randint(0, 8))
    return random_text(dice)[0], merges


DECODE = Case(
    tokenizer.decode,
    right=[decode_by_loop, decode_by_bytearray, decode_by_list],
    slips={
        "each token alone": each_alone,
        "each token alone, strictly": lambda ids, b: "".join(b[id].decode() for id in ids),
        "spaces between": lambda ids, b: b" ".join([b[i] for i in ids]).decode(errors="replace"),
        "spaces between texts": spaces_between_texts,
        "white space lost": lambda ids, b: decode_by_loop(ids, b).strip(),
        "strict": lambda ids, b: b"".join(b[id] for id in ids).decode("utf-8"),
        "bad bytes ignored": lambda ids, b: b"".join(b[id] for id in ids).decode(errors="ignore"),
        "str of bytes": lambda ids, b: str(b"".join([b[id] for id in ids])),
        "ids as characters": lambda ids, b: "".join(map(chr, ids)),
        "latin-1": lambda ids, b: "".join(chr(byte) for id in ids for byte in b[id]),
        "in the order of the table": lambda ids, b: b"".join(b.values()).decode(errors="replace"),
        "each token once": lambda ids, b: decode_by_loop(dict.fromkeys(ids), b),
        "ids below 256 are bytes": lambda ids, b: decode_by_loop(
            ids, {id: bytes([id]) if id < 256 else b[id] for id in ids}
        ),
        "backslashes": lambda ids, b: b"".join(b[id] for id in ids).decode(
            errors="backslashreplace"
        ),
        "the last one": lambda ids, b: [b[id] for id in ids][-1].decode(errors="replace"),
    },
    fuzz=random_tokens,
)
PAIR = Case(
    tokenizer.most_frequent_pair,
    right=[pair_by_loop, pair_by_sorting, pair_by_numpy, pair_by_torch, pair_by_lesson],
    slips={
        "nothing at all": lambda ids: None,
        "first of equals": lambda ids: seen_first(Counter(zip(ids, ids[1:]))),
        "last of equals": lambda ids: largest(Counter(zip(ids, ids[1:]))),
        "empty": lambda ids: pair_by_count(Counter(zip(ids, ids[1:]))),
        "every other pair": every_other,
        "rarest": lambda ids: min(((n, p) for p, n in pair_counts(ids).items()), default=[0, None])[
            1
        ],
        "order ignored": unordered,
        "the count": lambda ids: max(Counter(zip(ids, ids[1:])).values()),
        "the pair and its count": lambda ids: Counter(zip(ids, ids[1:])).most_common(1)[0],
        "most_common's list": lambda ids: Counter(zip(ids, ids[1:])).most_common(1),
        "all the most frequent": lambda ids: Counter(zip(ids, ids[1:])).most_common(),
        "with the first": lambda ids: pair_by_loop([*ids, ids[0]]) if ids else None,
        "two apart": lambda ids: pair_by_count(Counter(zip(ids, ids[2:]))),
        "equals as text": lambda ids: min(
            (c := pair_counts(ids)), key=lambda pair: (-c[pair], str(pair)), default=None
        ),
        "equals by their sum": lambda ids: min(
            (c := pair_counts(ids)), key=lambda pair: (-c[pair], sum(pair)), default=None
        ),
        "no overlaps": lambda ids: min(
            pairwise(ids),
            key=lambda pair: (-len(ids) + len(merge(ids, pair, -1)), pair),
            default=None,
        ),
        "None for two ids": lambda ids: pair_by_loop(ids) if len(ids) > 2 else None,
    },
    fuzz=lambda dice: (random_ids(dice)[0],),
)
MERGE = Case(
    tokenizer.merge_pair,
    right=[merge_by_recursion, merge_by_generator, merge_to_tensor, merge_by_lesson],
    slips={
        "second id kept": loses_second,
        "last id lost": stops_before_the_last,
        "only once": one_place,
        "overlapping": overlapping,
        "right to left": from_the_right,
        "in groups of two": in_twos,
        "unmerged": lambda ids, pair, new: [
            new if ids[i : i + 2] == pair else id for i, id in enumerate(ids)
        ],
        "too far": looks_too_far,
        "too far, each time": always_looks_too_far,
        "always 256": lambda ids, pair, new_id: merge(ids, pair, 256),
        "always 256 and more": lambda ids, pair, new_id: merge(ids, pair, max(256, *ids, 0) + 1),
        "the pair in either order": lambda ids, pair, new_id: merge(
            merge(ids, pair, new_id), pair[::-1], new_id
        ),
        "each first half": lambda ids, pair, new_id: [new_id if i == pair[0] else i for i in ids],
        "the pair taken out": lambda ids, pair, new_id: [
            id for id in merge(ids, pair, new_id) if id != new_id
        ],
        "as text": as_text,
        "again and again": lambda ids, pair, new_id: merge(
            merge(ids, pair, new_id), (new_id, new_id), new_id
        ),
    },
    fuzz=random_merge,
    mutated=[merge_by_recursion, merge_by_lesson],
    patience=0.05,
)
ENCODE = Case(
    tokenizer.encode,
    right=[encode_by_lesson, encode_by_rank, encode_by_bytes],
    slips={
        "not split": lambda text, merges: encoded(text, merges, cut=lambda whole: [whole]),
        "last merge first": by_rank(max),
        "whichever comes first": by_rank(lambda known, key: known[0]),
        "longest token first": longest,
        "once from last to first": lambda text, merges: encoded(
            text, merges, order=lambda pairs: list(pairs)[::-1]
        ),
        "letters, not bytes": lambda text, merges: encoded(
            text, merges, spell=lambda piece: map(ord, piece)
        ),
        "bytes alone": lambda text, merges: list(text.encode()),
        "cut at spaces": lambda text, merges: encoded(text, merges, cut=str.split),
        "cut into words": lambda text, merges: encoded(
            text, merges, cut=lambda whole: re.findall(r"\w+", whole)
        ),
        "ids one too high": lambda text, merges: encoded(text, merges, first=257),
        "ids from 0": lambda text, merges: encoded(text, merges, first=0),
        "one place a merge": merged_once,
        "the first merge": lambda text, merges: encoded(text, merges[:1]),
        "one merge too few": lambda text, merges: encoded(text, merges[:-1]),
        "only the first piece": lambda text, merges: encoded(
            text, merges, cut=lambda whole: split(whole)[:1]
        ),
        "a list for each piece": lambda text, merges: [
            encode_by_lesson(piece, merges) for piece in split(text)
        ],
    },
    fuzz=random_encoding,
    mutated=[encode_by_lesson, encode_by_rank],
)
TRAIN = Case(
    tokenizer.train,
    right=[train_by_hand, train_by_weights, train_to_array, train_to_lists],
    slips={
        "not split": lambda text, n: trained(text, n, cut=lambda whole: [whole]),
        "cut at spaces": lambda text, n: trained(text, n, cut=str.split),
        "first of equals": lambda text, n: trained(text, n, pick=seen_first),
        "last of equals": lambda text, n: trained(text, n, pick=largest),
        "ids one too high": lambda text, n: trained(text, n, first=257),
        "ids one too low": lambda text, n: trained(text, n, first=255),
        "never merged": never_merges,
        "counted once": counts_once,
        "each word once": lambda text, n: trained(text, n, cut=each_word_once),
        "letters, not bytes": lambda text, n: trained(text, n, spell=lambda p: map(ord, p)),
        "does not stop": no_stop,
        "one too many": lambda text, n: trained(text, n, n=1),
        "one too few": lambda text, n: trained(text, n, n=-1),
        "the rarest": lambda text, n: trained(text, n, pick=lambda c: min(c, key=c.get)),
        "cut into words": lambda text, n: trained(text, n, cut=lambda t: re.findall(r"\w+", t)),
        "every new id is 256": lambda text, n: trained(text, n, new_id=lambda k: 256),
        "only the first piece": lambda text, n: trained(text, n, cut=lambda t: split(t)[:1]),
        "stops at pairs that occur once": lambda text, n: trained(text, n, least=2),
    },
    fuzz=random_text,
)


class TestChecks(CheckRules):
    cases = {
        tokenizer.decode: DECODE,
        tokenizer.most_frequent_pair: PAIR,
        tokenizer.merge_pair: MERGE,
        tokenizer.encode: ENCODE,
        tokenizer.train: TRAIN,
    }


# ---- Whatever a student writes ----


def test_an_error_is_shown_with_the_input_and_the_line_that_caused_it(capsys):
    def divides(ids):
        half = 1
        return half / (len(ids) - 7)

    assert not tokenizer.most_frequent_pair(divides)
    said = capsys.readouterr().out
    assert "divides([99, 98, 97, 98, 99, 98, 97])" not in said  # the first input is wrong too
    assert "gives back -0.5" in said

    def fails(ids):
        unknown = {}
        return unknown[ids[0]]

    assert tokenizer.most_frequent_pair(fails).mistake == running.STOPPED
    said = capsys.readouterr().out
    assert "fails([97, 98, 99, 97, 98])" in said and "KeyError: 97, in its line 3" in said


def test_a_forgotten_return_and_a_changed_input_are_named(capsys):
    def forgets(ids, pair, new_id):
        merge(ids, pair, new_id)

    def changes(ids, pair, new_id):
        ids[:] = merge(ids, pair, new_id)
        return ids

    assert tokenizer.merge_pair(forgets).mistake == running.NOTHING
    assert "Is there a `return`?" in capsys.readouterr().out
    assert tokenizer.merge_pair(changes).mistake == running.CHANGED
    assert "Work on a copy" in capsys.readouterr().out


@pytest.mark.parametrize(
    "check,answer,said",
    [
        (tokenizer.decode, lambda ids, b: b"".join(b[i] for i in ids), "text (a str) was expected"),
        (tokenizer.merge_pair, lambda ids, pair, new: "[256, 99]", "a list of ids was expected"),
        (tokenizer.merge_pair, lambda ids, pair, new: [2.5], "must be a whole number"),
        (tokenizer.most_frequent_pair, lambda ids: ids, "a pair of two ids was expected"),
        (tokenizer.train, lambda text, n: [(b"a", b"b")], "such as (97, 116)"),
        (tokenizer.train, lambda text, n: 3, "a list of merges was expected"),
    ],
)
def test_a_result_of_the_wrong_kind_is_said_to_be_so(check, answer, said, capsys):
    assert not check(answer)
    assert said in capsys.readouterr().out


def test_tokens_decoded_alone_with_spaces_between_have_a_space_too_many(capsys):
    verdict = tokenizer.decode(spaces_between_texts)
    assert verdict.observation == "your text has the bytes b'The  cat', and not b'The cat'"
    assert (
        verdict.property
        == "The bytes of all tokens follow each other: none is added, none is lost."
    )


def test_equals_are_told_even_if_the_empty_list_is_another_problem(capsys):
    def largest_pair(ids):
        return max(pair_counts(ids), key=lambda pair: (pair_counts(ids)[pair], pair))

    verdict = tokenizer.most_frequent_pair(largest_pair)
    assert verdict.observation == "(99, 97) and (97, 98) both occur twice"


def test_a_merge_that_always_writes_256_is_told_where_new_id_differs(capsys):
    verdict = tokenizer.merge_pair(lambda ids, pair, new_id: merge(ids, pair, 256))
    assert verdict.observation == "256 is not among the ids, and new_id is 300"
    assert verdict.call == "<lambda>([97, 97, 97], (97, 97), 300)"
    assert (verdict.gives, verdict.should_be) == ("[256, 97]", "[300, 97]")


@pytest.mark.parametrize("merged", [looks_too_far, always_looks_too_far])
def test_of_the_last_id_that_has_no_neighbour_a_line_is_added(merged, capsys):
    assert tokenizer.merge_pair(merged).mistake == running.STOPPED
    assert "The last id has no neighbour on its right" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer",
    [
        lambda ids: Counter(pairwise(ids)).most_common(1)[0],
        lambda ids: Counter(pairwise(ids)).most_common(1),
    ],
)
def test_a_pair_with_its_count_is_said_to_be_so(answer, capsys):
    assert tokenizer.most_frequent_pair(answer).mistake == running.ODD
    assert "the pair alone was expected, without how often it occurs" in capsys.readouterr().out


def test_a_token_over_two_pieces_and_a_wrong_order_are_told_with_the_piece(capsys):
    verdict = tokenizer.encode(ENCODE.slips["not split"])
    assert verdict.observation == "the token 'a ' goes on after the end of the piece 'a'"
    verdict = tokenizer.encode(ENCODE.slips["last merge first"])
    assert verdict.observation == "the piece 'abc' is [257, 99], and it should be [97, 256]"


def test_a_merge_across_words_is_spelled_out(capsys):
    verdict = tokenizer.train(TRAIN.slips["not split"])
    assert verdict.property.endswith("side by side within a piece of split(text).")
    seen = "merge 4 is (101, 257), 'e' + ' c', and by then no piece has these two side by side"
    assert verdict.observation == seen


def test_of_two_mistakes_at_once_the_first_merge_that_is_wrong_is_told(capsys):
    def neither_splits_nor_merges(text, n_merges):
        counts = pair_counts(list(text.encode()))
        return [max(counts, key=counts.get) for _ in range(n_merges)]

    verdict = tokenizer.train(neither_splits_nor_merges)
    assert verdict.observation.startswith("merge 2 is (97, 97), 'a' + 'a', and ")


def test_a_loop_without_end_is_ended(monkeypatch, capsys):
    monkeypatch.setattr(running, "PATIENCE", 0.2)

    def endless(ids):
        while True:
            try:
                time.sleep(0.01)
            except Exception:
                pass

    assert tokenizer.most_frequent_pair(endless).mistake == running.ENDLESS
    assert "Does the loop come to an end?" in capsys.readouterr().out


def test_an_unknown_mistake_is_shown_by_example(capsys):
    assert not tokenizer.decode(lambda ids, token_bytes: "cat")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("✘ <lambda>: your text has the bytes b'cat', and not b'The cat'.")
    assert lines[1] == "  <lambda>([260, 258], {258: b' cat', 260: b'The'})"
    assert lines[2:] == ["  gives      'cat'", "  should be  'The cat'", "              ^"]


def test_a_verdict_is_printed_once():
    verdict = gptlib.checks.Verdict(True, "✔ right")
    assert verdict and verdict._ipython_display_() is None


def test_gptlibs_own_functions_pass():
    pair = tokenizer.most_frequent_pair(
        lambda ids: pair_by_count(c) if (c := pair_counts(ids)) else None
    )
    assert pair and tokenizer.merge_pair(gptlib.tokenizer.merge)
