"""gptlib.widgets.truth: what a grammar knows of words, as a model's tokens."""

import pytest

import gptlib
from gptlib.corpora import pets as grammar
from gptlib.widgets.truth import true_tokens

TRUE = {"sleeping": 0.60, "on": 0.30, "happy": 0.05, "running": 0.05}


def id_of(pets, word):
    (id,) = pets[1].encode(f" {word}")
    return id


def test_words_of_the_truth_become_the_tokens_that_continue_the_text(pets):
    tokenizer = pets[1]
    found = true_tokens(grammar.next_words, tokenizer, tokenizer.encode("The cat is"))
    assert found == {id_of(pets, word): p for word, p in TRUE.items()}


def test_a_full_stop_and_the_stop_token_stand_without_a_space(pets):
    tokenizer = pets[1]
    ids = tokenizer.encode("The cat is happy")
    assert true_tokens(grammar.next_words, tokenizer, ids) == {tokenizer.encode(".")[0]: 1.0}
    ids = tokenizer.encode("The cat is happy. It purrs.")
    assert true_tokens(grammar.next_words, tokenizer, ids)[tokenizer.eos_id] == pytest.approx(0.5)


def test_the_first_word_of_a_document_has_no_space(pets):
    tokenizer = pets[1]
    found = true_tokens(grammar.next_words, tokenizer, [tokenizer.eos_id])
    assert found[tokenizer.encode("The")[0]] == 0.6


def test_words_that_begin_with_the_same_token_give_it_their_sum():
    found = true_tokens(grammar.next_words, gptlib.Tokenizer(), list(b"The cat is"))
    assert found == {32: pytest.approx(1.0)}
