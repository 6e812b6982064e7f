"""gptlib.fast.bpe: each fast function gives what the readable one in gptlib.tokenizer gives."""

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from texts import DIFFICULT, PETS, train_quietly

from gptlib.fast import bpe
from gptlib.fast.bpe import (
    HUGE,
    LONG,
    apply_merges_at_once,
    apply_merges_by_heap,
    apply_merges_by_list,
    apply_merges_fast,
)
from gptlib.tokenizer import Tokenizer, apply_merges, split

WAYS = [apply_merges_by_list, apply_merges_by_heap, apply_merges_at_once, apply_merges_fast]


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
def test_a_long_piece_costs_a_few_look_ups_a_byte(letters):
    text = "".join(random.Random(0).choices(letters, k=HUGE // len(letters[0].encode())))
    assert len(split(text)) == 1 and LONG < len(text.encode()) <= HUGE
    tokenizer = train_quietly(text, 400)

    class Counting(dict):
        looked_up = 0

        def get(self, key):
            Counting.looked_up += 1
            return super().get(key)

    pieces = bpe.PieceIds(range(256), Counting(tokenizer.new_ids))
    assert tokenizer.decode(pieces[text]) == text
    assert 0 < Counting.looked_up < 4 * len(text.encode())  # and not its square


@pytest.mark.parametrize("letters", ["ACGT", "a", "abcdefgh", "日本"])
def test_a_huge_piece_has_the_ids_of_a_heap(letters):
    text = "".join(random.Random(0).choices(letters, k=3 * HUGE))
    tokenizer = train_quietly(text[:20_000], 500)
    data = text.encode()
    assert apply_merges_at_once(data, tokenizer.new_ids) == apply_merges_by_heap(
        data, tokenizer.new_ids
    )


def test_a_piece_is_worked_out_once_and_the_cache_is_bounded(pets, monkeypatch):
    pieces = bpe.PieceIds(pets.byte_ids, pets.new_ids)
    assert pieces["cat"] is pieces["cat"]
    monkeypatch.setattr(bpe, "CACHE_SIZE", 3)
    tokenizer = Tokenizer(pets.merges)
    for _ in range(2):
        assert tokenizer.encode(PETS) == pets.encode(PETS)
        assert len(tokenizer._piece_ids) <= 3
    pieces["b" * (LONG + 1)]
    assert "b" * LONG not in pieces and "b" * (LONG + 1) not in pieces
    pieces["b" * LONG]
    assert "b" * LONG in pieces
