"""What the words of lesson 06's questions and of its explorer claim."""

from unittest.mock import patch

import pytest
import torch

import gptlib
from gptlib.corpora import pets as grammar
from gptlib.teaching.training import QUESTIONS
from gptlib.widgets import training_explorer

PROMPT = "The cat is"


def test_the_numbers_in_lesson_06s_questions_are_true(pets):
    _, tokenizer = pets
    assert tokenizer.vocab_size == 397
    assert len(tokenizer.encode("The cat is sleeping.")) == 5
    truth = torch.tensor(list(grammar.next_words(PROMPT).values()))
    assert -(truth * truth.log()).sum().item() == pytest.approx(0.967, abs=5e-4)
    assert grammar.next_words(PROMPT)["sleeping"] == 0.60


def test_the_floor_of_stories_that_begin_with_the_is_a_little_above_047(pets):
    _, tokenizer = pets
    with patch.dict(grammar.FIRST, {"The": 1.0}, clear=True):
        text = grammar.sample(1_000, seed=2)
        floor = grammar.floor(text, len(tokenizer.encode(text, allowed_special="all")))
    assert 0.47 < floor < 0.48 and "0.47" in QUESTIONS["floor"].right


def test_the_answers_to_the_explorers_questions_are_true():
    first, at_step = None, {}
    for step in gptlib.load_history("pets").steps:
        model, tokenizer = gptlib.load("pets", step=step)
        seen = gptlib.trace(model, tokenizer.encode(PROMPT))
        if first is None and seen.probs[-1, tokenizer.encode(" sleeping")[0]] > 0.5:
            first = step
        at_step[step] = seen.weights[1, 0, 2, 1].item()
    assert first == 400
    assert f"{at_step[0]:.2f}" == "0.32" and f"{at_step[100]:.2f}" == "0.87"


@pytest.mark.parametrize("rate,low,high", [(0.003, 0.6, 1.2), (1.0, 10, 1e9)])
def test_a_live_run_learns_at_one_rate_and_not_at_another(pets, rate, low, high):
    _, tokenizer = pets
    with patch.dict(grammar.FIRST, {"The": 1.0}, clear=True):
        ids = tokenizer.encode(grammar.sample(3_000, seed=1), allowed_special="all")
    run = training_explorer("pets", tokens=torch.tensor(ids)).new_run()
    run.set_rate(rate)
    losses = [run.trainer.update().loss for _ in range(100)]
    assert low < sum(losses[-10:]) / 10 < high
