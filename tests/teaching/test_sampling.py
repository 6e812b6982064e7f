"""What the words of lesson 07 claim: in its questions, in its notebook, and in its Deeper."""

import json
import math
import re
from pathlib import Path

import pytest
import torch

import gptlib
from gptlib.corpora import pets as grammar
from gptlib.sampling import draw
from gptlib.teaching.sampling import HINTS, QUESTIONS
from gptlib.widgets import sampling_studio

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LESSON, DEEPER = "07_sampling.ipynb", "deeper/07_sampling.ipynb"
PROMPT = "The cat is"
TRUTH = grammar.next_words(PROMPT)


def cells(name):
    return json.loads((NOTEBOOKS / name).read_text(encoding="utf-8"))["cells"]


def prose(name=LESSON):
    found = "\n".join("".join(c["source"]) for c in cells(name) if c["cell_type"] == "markdown")
    return found.replace("\n", " ")


def printed(name, begins=""):
    """What the code cells printed whose source has these words."""
    outputs = [c["outputs"] for c in cells(name) if begins in "".join(c["source"]) and c.get("outputs")]
    return "".join(
        "".join(o["text"]) for found in outputs for o in found if o["output_type"] == "stream"
    )


@pytest.fixture
def logits(pets):
    model, tokenizer = pets
    return gptlib.trace(model, tokenizer.encode(PROMPT)).logits[-1]


@pytest.fixture
def four(pets):
    return [pets[1].encode(f" {word}")[0] for word in TRUTH]


def seeded(seed):
    return torch.Generator().manual_seed(seed)


# ---- The lesson ----


def test_the_draws_by_hand():
    sums = torch.tensor(list(TRUTH.values())).cumsum(0)
    drawn = [list(TRUTH)[int((sums <= u).sum())] for u in (0.42, 0.93)]
    assert drawn == ["sleeping", "happy"]
    assert "0.60, 0.90, 0.95, 1.00" in prose()


def test_the_numbers_by_hand_are_those_of_gptlib():
    exact = torch.tensor(list(TRUTH.values())).log()
    for how, expected in (
        ({"temperature": 0.5}, [144 / 182, 36 / 182, 1 / 182, 1 / 182]),
        ({"temperature": 2}, [0.438, 0.310, 0.126, 0.126]),
        ({"top_k": 2}, [2 / 3, 1 / 3, 0, 0]),
        ({"top_p": 0.85}, [2 / 3, 1 / 3, 0, 0]),
        ({"top_p": 0.5}, [1, 0, 0, 0]),
    ):
        found = gptlib.next_token_probs(exact, **how).tolist()
        assert found == pytest.approx(expected, abs=0.001)
    assert "they become 0.667 and 0.333" in prose()


def test_a_high_temperature_keeps_the_order_and_gives_most_to_the_other_tokens(
    logits, four
):
    for temperature in (0.5, 1, 2, 5):
        p = gptlib.next_token_probs(logits, temperature)
        assert p.argsort(descending=True, stable=True)[:2].tolist() == four[:2]
        assert set(p.topk(4).indices.tolist()) == set(four)  # so top-k 4 keeps our words
    shares = {t: 1 - gptlib.next_token_probs(logits, t)[four].sum().item() for t in (1, 5)}
    assert shares[1] == pytest.approx(0.001, abs=5e-4)
    assert shares[5] == pytest.approx(0.76, abs=0.005)
    assert QUESTIONS["others"].right == "about 0.75"
    assert shares[5] / shares[1] > 200  # "hundreds of times"


def test_top_p_keeps_two_tokens_at_temperature_1_and_over_100_at_5(logits, four):
    stay = [(gptlib.next_token_probs(logits, t, top_p=0.85) > 0).sum() for t in (1, 2, 5)]
    assert stay[:2] == [2, 4] and stay[2] > 100
    hot = gptlib.next_token_probs(logits, 5)
    assert hot[four].sum().item() == pytest.approx(0.24, abs=0.005)
    assert hot[four[:2]].sum().item() == pytest.approx(0.15, abs=0.005)
    for number in ("only 0.24", "only 0.15"):
        assert any(number in reply for reply in QUESTIONS["how_many_stay"].replies.values())


def test_temperature_is_no_chance(logits):
    first, second = (gptlib.next_token_probs(logits, 2) for _ in range(2))
    assert torch.equal(first, second)


def test_the_lessons_loop_gave_what_gptlib_generates():
    assert "as gptlib.generate: True" in printed(LESSON, "gptlib.generate")
    lines = printed(LESSON, "gptlib.generate").splitlines()
    assert lines[1] == lines[2] != lines[0].replace("seed 2", "seed 3")  # "may lead to"
    assert lines[3].partition(":")[2] == lines[4].partition(":")[2]


def test_the_studios_answers_are_those_folded_away(pets):
    studio = sampling_studio(*pets, truth=grammar.next_words)
    has, on = (f"{row.now:.2f}" for row in studio.rows()[:2])
    studio.top_k = 2
    said = f"1. {studio.rows()[0].now:.2f}: the model gives the two words {has} and {on}, not"
    assert said in prose()
    studio.top_k, studio.temperature, others = 0, 3.0, []
    for studio.top_p in (1.0, 0.85):
        assert studio.rows()[-1].name == "393 others"
        others.append(f"{studio.rows()[-1].now:.2f}")
    assert f"2. {others[0]}, and {others[1]} with top-p 0.85." in prose()
    studio.top_p, studio.temperature = 1.0, 0.0
    assert studio.rows()[0].name == "␣sleeping" and studio.rows()[0].now == 1


def test_the_example_of_a_stable_sort_and_of_picking():
    probs = torch.tensor([0.1, 0.4, 0.1, 0.4])
    assert probs.sort(descending=True, stable=True).indices.tolist() == [1, 3, 0, 2]
    assert "`.indices` is 1, 3, 0, 2" in prose() or "indices` is 1, 3, 0, 2" in prose()


# ---- Deeper ----


def test_greedy_misses_the_best_sentence():
    sentences = dict(grammar.continuations("The dog is"))
    assert max(sentences, key=sentences.get) == "The dog is running."
    assert sentences["The dog is running."] == pytest.approx(0.35)
    assert sentences["The dog is on the bed."] == pytest.approx(0.24)
    assert len(sentences) == 7 and len(grammar.next_words("The dog is on the")) == 2
    assert r"0.40\cdot1\cdot0.60=0.24" in prose(DEEPER)
