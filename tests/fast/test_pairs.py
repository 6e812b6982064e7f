"""gptlib.fast.pairs: merges are those of counting afresh, in little memory for any text."""

import doctest
import random
import string
import time
import tracemalloc
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from texts import naive_merges, train_quietly

import gptlib
from gptlib.fast import pairs
from gptlib.fast.pairs import learn_merges
from gptlib.tokenizer import apply_merges, merge, split


def test_examples_in_the_docstrings_are_true():
    results = doctest.testmod(pairs)
    assert results.attempted >= 2 and results.failed == 0


@settings(max_examples=300, deadline=None)
@given(
    st.text("ab", max_size=60)
    | st.text("abc .", max_size=60)
    | st.text("aé日🐈 ", max_size=40)
    | st.lists(st.sampled_from(["aaaa", "aaaaa", "abab", " aa", "日日日", "x"])).map(" ".join)
)
@example("a" * 50)
def test_merges_are_learned_as_by_counting_afresh(text):
    assert learn_merges(Counter(split(text)), 20) == naive_merges(text, 20)


def test_merges_of_real_text_are_learned_as_by_counting_afresh():
    text = gptlib.corpora.load("python-docs").train[:5_000]
    assert learn_merges(Counter(split(text)), 40) == naive_merges(text, 40)


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
    assert learn_merges(pieces, 9) == merges


def test_learning_all_that_there_is_ends_where_no_pair_is_left():
    assert learn_merges({}, 5) == learn_merges({"a": 3, "": 2}, 5) == []
    assert learn_merges({"abc": 1, "ab": 1}, 5) == [(97, 98), (256, 99)]


# --- texts without spaces ----------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(text=st.text("ab", min_size=1, max_size=200) | st.text("aé日 ", max_size=80))
@example(text="a" * 200)
@pytest.mark.parametrize("block", [1, 2, 7])
def test_merges_are_the_same_in_small_blocks_and_in_numbers_of_four_bytes(text, block):
    expected = naive_merges(text, 12)
    new_ids = {pair: 256 + k for k, pair in enumerate(expected)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "BLOCK", block)
        patch.setattr(pairs, "SHORT", 0)
        patch.setattr(pairs, "MANY", 0)
        assert learn_merges(Counter(split(text)), 12) == expected
        found = pairs.apply_merges_at_once(text.encode(), new_ids)
    assert found == apply_merges(list(text.encode()), new_ids)


LETTERS = {"DNA": "ACGT", "one letter": "a", "two bytes": "éè", "letters": string.ascii_letters}


@pytest.fixture(scope="module", params=LETTERS)
def without_spaces(request):
    """A text of a megabyte, or of two, that is one piece."""
    return "".join(random.Random(0).choices(LETTERS[request.param], k=2**20))


def peak_of(run):
    """What it returns, and the most memory that it took meanwhile."""
    tracemalloc.start()
    result = run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return result, peak


def test_training_on_a_text_without_spaces_takes_less_than_30_bytes_a_byte(without_spaces):
    n_bytes = len(without_spaces.encode())
    tokenizer, peak = peak_of(lambda: train_quietly(without_spaces, 300))
    assert peak < 30 * n_bytes
    assert tokenizer.decode(tokenizer.encode(without_spaces[:1000])) == without_spaces[:1000]


def test_encoding_a_text_without_spaces_takes_less_than_30_bytes_a_byte(without_spaces):
    n_bytes = len(without_spaces.encode())
    tokenizer = train_quietly(without_spaces[:50_000], 300)
    ids, peak = peak_of(lambda: tokenizer.encode(without_spaces))
    assert peak < 30 * n_bytes
    assert tokenizer.decode(ids) == without_spaces
    assert not any(len(piece) > 64 for piece in tokenizer._piece_ids)


@pytest.mark.parametrize("work", ["train", "encode"])
def test_the_time_for_a_text_without_spaces_grows_as_its_length(work):
    tokenizer = train_quietly("ACGT" * 50, 280)
    small, large = ("".join(random.Random(0).choices("ACGT", k=n)) for n in (2**19, 2**21))

    def seconds(text):
        began = time.process_time()
        train_quietly(text, 300) if work == "train" else tokenizer.encode(text)
        return time.process_time() - began

    small_took, large_took = (min(seconds(text) for _ in range(2)) for text in (small, large))
    assert large_took < 10 * small_took  # four times the text; its square would take 16 times
