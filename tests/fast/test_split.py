"""gptlib.fast.split: the pieces are those of the one pattern, for any text and any stretch."""

import doctest
import itertools
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import texts

from gptlib.fast import split as module
from gptlib.fast.split import Splitter
from gptlib.tokenizer import PATTERN, Tokenizer, split


def test_examples_in_the_docstrings_are_true():
    results = doctest.testmod(module)
    assert results.attempted >= 2 and results.failed == 0


@pytest.fixture
def splitter():
    return Splitter(PATTERN)


def test_ascii_text_is_cut_as_any_other_whatever_two_signs_meet(splitter):
    for one, two in itertools.product(map(chr, range(128)), repeat=2):
        text = f"{one}{two} {two}{one}{one}  {one}'ll{two}'"
        assert splitter.split(text) == split(text)


@settings(max_examples=300)
@given(st.text(st.characters(max_codepoint=127)) | st.text("ab 1'st\n\t.\x1c"))
def test_ascii_text_is_cut_as_any_other(text):
    assert Splitter(PATTERN).split(text) == split(text)


def in_stretches(text, length):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "STRETCH", length)
        return list(Splitter(PATTERN).stretches(text))


@settings(max_examples=300, deadline=None)
@given(text=st.text("ab'st1.\n \t\x1c\u00a0\u3000\u2028é日🐈", max_size=120) | texts)
@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_text_that_is_split_in_stretches_has_the_same_pieces(text, length):
    assert sum(in_stretches(text, length), []) == split(text)


@pytest.mark.parametrize("length", range(1, 12))
def test_a_contraction_or_a_run_of_spaces_at_the_end_of_a_stretch_stays_whole(length):
    text = "they're here   and 'tis  they'll 'r 're' ''ve\n\n  x" * 3
    assert sum(in_stretches(text, length), []) == split(text)


@pytest.mark.parametrize("sentence", ["The cat is on the mat. ", '{"a":1,"b":[2]},'])
def test_the_pieces_of_a_long_text_are_not_all_held_at_once(splitter, sentence):
    text = sentence * (1_000_000 // len(sentence))
    assert max(map(len, splitter.stretches(text))) <= module.STRETCH
    tracemalloc.start()
    Tokenizer.train(text, 259)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * len(text)  # a list of its pieces takes over ten times the text


def test_a_piece_far_longer_than_a_stretch_is_one_piece(splitter):
    long = "ACGT" * 100_000
    assert [piece for some in splitter.stretches(f"{long} {long}!") for piece in some] == [
        *(long, f" {long}", "!")
    ]
