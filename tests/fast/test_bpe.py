"""gptlib.bpe: each fast function gives what the readable one in gptlib.tokenizer gives."""

import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from texts import DIFFICULT, PETS, naive_merges, train_quietly

import gptlib
from gptlib.fast import bpe
from gptlib.fast.bpe import LONG, apply_merges_by_heap, apply_merges_by_list, apply_merges_fast
from gptlib.tokenizer import Tokenizer, apply_merges, merge, split

WAYS = [apply_merges_by_list, apply_merges_by_heap, apply_merges_fast]


@pytest.fixture(scope="module")
def pets():
    return Tokenizer.train(PETS, 300)


@pytest.mark.parametrize("apply", WAYS)
def test_a_merge_goes_from_left_to_right_and_the_first_learned_goes_first(apply):
    assert apply([1, 1, 1, 1, 1], {(1, 1): 9, (9, 9): 10}) == [10, 1]
    assert apply([97, 98, 99], {(98, 99): 256, (97, 98): 257}) == [97, 256]
    assert apply([97, 97, 97, 98], {(97, 97): 256, (97, 98): 257}) == [256, 257]


@pytest.mark.parametrize("apply", WAYS)
@pytest.mark.parametrize("ids", [[], [97], [97, 98]])
def test_where_there_is_nothing_to_merge_the_ids_stay(apply, ids):
    assert apply(ids, {}) == ids
    assert apply(bytes(ids), {(98, 97): 256}) == ids


@pytest.mark.parametrize("apply", WAYS)
def test_the_ids_that_were_given_are_not_changed(apply):
    ids = [97, 98]
    assert apply(ids, {(97, 98): 256}) == [256] and ids == [97, 98]


@settings(max_examples=200, deadline=None)
@given(text=st.text("ab", max_size=200) | st.text(" aé日", max_size=100))
@example(text="")
@example(text="a" * 200)
def test_every_way_merges_as_the_simple_loop_does(text):
    new_ids = train_quietly(text + "aaaa abab baab", 300).new_ids
    ids = list(text.encode())
    expected = apply_merges(ids, new_ids)
    assert [apply(ids, new_ids) for apply in WAYS] == [expected] * len(WAYS)


@settings(max_examples=200, deadline=None)
@given(
    ids=st.lists(st.integers(97, 99), max_size=40),
    choices=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=12),
)
def test_merges_made_by_hand_are_applied_as_the_simple_loop_does(ids, choices):
    pool, new_ids = [97, 98, 99], {}
    for left, right in choices:  # any two ids made so far, in an order that no training gives
        pair = pool[left % len(pool)], pool[right % len(pool)]
        if pair not in new_ids:
            new_ids[pair] = 256 + len(new_ids)
            pool.append(new_ids[pair])
    expected = apply_merges(ids, new_ids)
    assert [apply(ids, new_ids) for apply in WAYS] == [expected] * len(WAYS)


@pytest.mark.parametrize("text", [PETS, *DIFFICULT])
def test_a_piece_has_the_ids_of_the_simple_loop(pets, text):
    pieces = bpe.PieceIds(pets.byte_ids, pets.new_ids)
    for piece in split(text):
        assert pieces[piece] == apply_merges(list(piece.encode()), pets.new_ids)


def test_a_piece_has_its_ids_in_another_order_of_bytes_too():
    order = [(byte + 7) % 256 for byte in range(256)]
    pieces = bpe.PieceIds(order, {(104, 105): 256})
    assert pieces["abc"] == [256, 106]


@pytest.mark.parametrize("letters", ["a", "abcdefgh", " ", "日"])
def test_a_huge_piece_costs_a_few_look_ups_a_byte(letters):
    text = "".join(random.Random(0).choices(letters, k=200_000 // len(letters[0].encode())))
    assert len(split(text)) == 1
    tokenizer = train_quietly(text[:20_000], 400)

    class Counting(dict):
        looked_up = 0

        def get(self, key):
            Counting.looked_up += 1
            return super().get(key)

    pieces = bpe.PieceIds(range(256), Counting(tokenizer.new_ids))
    assert tokenizer.decode(pieces[text]) == text
    assert 0 < Counting.looked_up < 4 * len(text.encode())  # and not its square


def test_a_piece_is_worked_out_once_and_the_cache_is_bounded(pets, monkeypatch):
    pieces = bpe.PieceIds(pets.byte_ids, pets.new_ids)
    assert pieces["cat"] is pieces["cat"]
    monkeypatch.setattr(bpe, "CACHE_SIZE", 3)
    tokenizer = Tokenizer(pets.merges)
    for _ in range(2):
        assert tokenizer.encode(PETS) == pets.encode(PETS)
        assert len(tokenizer._cache) <= 3
    pieces["b" * (LONG + 1)]
    assert "b" * LONG not in pieces and "b" * (LONG + 1) not in pieces
    pieces["b" * LONG]
    assert "b" * LONG in pieces


@settings(max_examples=300, deadline=None)
@given(
    st.text("ab", max_size=60)
    | st.text("abc .", max_size=60)
    | st.text("aé日🐈 ", max_size=40)
    | st.lists(st.sampled_from(["aaaa", "aaaaa", "abab", " aa", "日日日", "x"])).map(" ".join)
)
@example("a" * 50)
def test_merges_are_learned_as_by_counting_afresh(text):
    assert bpe.learn_merges(Counter(split(text)), 20) == naive_merges(text, 20)


def test_merges_of_real_text_are_learned_as_by_counting_afresh():
    text = gptlib.corpora.load("python-docs").train[:5_000]
    assert bpe.learn_merges(Counter(split(text)), 40) == naive_merges(text, 40)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text("ab", max_size=9), st.integers(1, 2**40), max_size=6))
def test_a_piece_counts_as_often_as_it_occurs(pieces):
    left, merges = {tuple(piece.encode()): count for piece, count in pieces.items()}, []
    while len(merges) < 9:
        counts = Counter()
        for ids, count in left.items():
            for pair in pairwise(ids):
                counts[pair] += count
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        left = {tuple(merge(ids, best, 255 + len(merges))): n for ids, n in left.items()}
    assert bpe.learn_merges(pieces, 9) == merges


def test_learning_all_that_there_is_ends_where_no_pair_is_left():
    assert bpe.learn_merges({}, 5) == bpe.learn_merges({"a": 3, "": 2}, 5) == []
    assert bpe.learn_merges({"abc": 1, "ab": 1}, 5) == [(97, 98), (256, 99)]
