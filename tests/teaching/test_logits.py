"""What the words of lesson 05, in its questions and its notebook, claim."""

import math

import pytest
import torch
from explorers import shown

import gptlib
from gptlib import widgets
from gptlib.corpora import pets as grammar

WORDS = ["sleeping", "on", "happy", "running"]


@pytest.fixture(scope="module")
def last(pets):
    """The logits after "The cat is", of all tokens and of the four words."""
    model, tokenizer = pets
    logits = gptlib.trace(model, tokenizer.encode("The cat is")).logits  # (T, V)
    ids = [tokenizer.encode(" " + word)[0] for word in WORDS]
    return logits, logits[-1, ids]


def test_the_numbers_for_paper_are_those_of_the_grammar():
    vector = torch.tensor([0.693, 1.099, 0.0])
    rows = torch.tensor([[2.0, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, -1]])  # (V, C)
    logits = rows @ vector
    assert logits.tolist() == pytest.approx([2.485, 1.792, 0, 0], abs=1e-6)
    assert logits.exp().tolist() == pytest.approx([12, 6, 1, 1], abs=0.01)
    assert (logits + 0.693).exp().tolist() == pytest.approx([24, 12, 2, 2], abs=0.01)
    truth = [grammar.next_words("The cat is")[word] for word in WORDS]
    assert gptlib.softmax(logits).tolist() == pytest.approx(truth, abs=1e-3)
    in_proportion = (logits / logits.sum()).tolist()
    assert [round(share, 2) for share in in_proportion] == [0.58, 0.42, 0, 0]


def test_each_row_of_logits_predicts_the_token_after_its_own(pets, last):
    _, tokenizer = pets
    assert last[0].shape == (3, 397)
    assert tokenizer.token_str(int(last[0][0].argmax())) == "␣cat"


def test_all_other_words_share_a_thousandth(last):
    four = (last[1].logsumexp(-1) - last[0][-1].logsumexp(-1)).exp().item()
    assert round(1 - four, 3) == 0.001


def test_a_logit_is_no_log_probability_and_lies_far_above_1(last):
    assert last[1].min() > 2 and math.log(0.6) == pytest.approx(-0.51, abs=0.005)


def test_the_lens_shows_first_the_word_itself_then_a_guess_then_the_answer(pets):
    model, tokenizer = pets
    ids = tokenizer.encode("The cat is")
    seen = gptlib.softmax(gptlib.trace(model, ids).logits_by_layer)  # (L + 1, T, V)
    sleeping, on, happy, _ = (tokenizer.encode(" " + word)[0] for word in WORDS)
    assert seen[0].argmax(-1).tolist() == ids and seen[0, -1].max() > 0.95
    best = seen[1, -1].topk(3)
    assert set(best.indices[:2].tolist()) == {on, happy} and best.indices[2] == sleeping
    assert [round(p, 2) for p in best.values[:2].tolist()] == [0.18, 0.18]
    assert seen[2, -1].argmax() == sleeping and 0.57 < seen[2, -1].max() < 0.63


def test_tied_weights_are_one_table(pets):
    assert pets[0].lm_head.weight is pets[0].wte.weight


def test_a_logit_of_9_may_be_next_to_nothing():
    assert gptlib.softmax(torch.tensor([9.0, 19.0]))[0].item() == pytest.approx(5e-5, abs=5e-6)


def test_a_second_softmax_gives_no_word_more_than_0_0068(pets):
    logits = torch.full((pets[0].config.vocab_size,), -1e9)
    logits[0] = 0.0
    most = gptlib.softmax(gptlib.softmax(logits)).max().item()
    assert most == pytest.approx(math.e / (math.e + len(logits) - 1))
    assert round(most, 4) == 0.0068 and round(-math.log(most), 2) == 4.99


def test_the_explorers_three_questions_have_the_answers_that_the_lesson_gives():
    explorer = widgets.softmax_explorer(temperature=False)
    start = explorer.logits
    explorer.c = 3.0
    assert "20.1 times" in explorer.draw()
    assert shown(explorer.draw(), WORDS)["sleeping"][2] == "0.60"
    explorer.c, explorer.values = 0.0, list((start | {"happy": 1.3}).values())
    shares = {word: row[2] for word, row in shown(explorer.draw(), WORDS).items()}
    assert (shares["sleeping"], shares["on"], shares["happy"]) == ("0.48", "0.24", "0.24")
    assert explorer.settings["ranges"][0] == [-5.0, 5.0]  # the slider reaches what is asked for
    explorer.values = list((start | {"sleeping": 5.0}).values())
    assert shown(explorer.draw(), WORDS)["on"][2] == "0.02"
