"""What the words of lesson 07's questions, and the answers folded away in its notebook, claim."""

import json
import math
from pathlib import Path

import pytest
import torch

import gptlib
from gptlib.corpora import pets as grammar
from gptlib.sampling import draw
from gptlib.teaching.sampling import QUESTIONS
from gptlib.widgets import sampling_studio

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "07_sampling.ipynb"
TRUTH = grammar.next_words("The cat is")


def notebook_words():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells)


@pytest.fixture
def logits(pets):
    model, tokenizer = pets
    return gptlib.trace(model, tokenizer.encode("The cat is")).logits[-1]


def test_the_anchor_numbers_of_the_truth():
    exact = torch.tensor(list(TRUTH.values())).log()
    for how, expected in (
        ({"temperature": 0.5}, [0.791, 0.198, 0.005, 0.005]),
        ({"temperature": 2}, [0.438, 0.310, 0.126, 0.126]),
        ({"top_k": 2}, [2 / 3, 1 / 3, 0, 0]),
        ({"temperature": 0.5, "top_k": 2}, [0.8, 0.2, 0, 0]),
    ):
        found = gptlib.next_token_probs(exact, **how).tolist()
        assert found == pytest.approx(expected, abs=0.001)


def test_the_surprise_of_who_knows_the_truth(pets):
    entropy = -sum(p * math.log(p) for p in TRUTH.values())
    assert entropy == pytest.approx(0.967, abs=5e-4)
    assert 0.6 * 0.511 + 0.3 * 1.204 + 2 * 0.05 * 2.996 == pytest.approx(entropy, abs=1e-3)
    assert "0.967 nats" in QUESTIONS["never_zero"].right
    knows_nothing = f"{math.log(pets[1].vocab_size):.2f} nats: ln of {pets[1].vocab_size} tokens"
    assert knows_nothing in QUESTIONS["never_zero"].choices


def test_neither_temperature_nor_a_seed_does_what_the_misconceptions_say(pets, logits):
    [sleeping] = pets[1].encode(" sleeping")
    for temperature in (0.5, 1, 2, 5):
        p = gptlib.next_token_probs(logits, temperature)
        assert p.argmax() == sleeping
        assert torch.equal(p, gptlib.next_token_probs(logits, temperature))
        assert torch.equal(
            p.argsort(descending=True, stable=True)[:50],
            logits.argsort(descending=True, stable=True)[:50],
        )


def test_heat_lifts_what_the_grammar_never_allows(pets, logits):
    four = [pets[1].encode(f" {word}")[0] for word in TRUTH]
    assert gptlib.next_token_probs(logits, 5)[four].sum() < 0.5  # "most of p"
    stay = [(gptlib.next_token_probs(logits, t, top_p=0.85) > 0).sum() for t in (1, 2, 5)]
    assert stay[:2] == [2, 4] and stay[2] > 40


def test_greedy_misses_the_best_sentence(pets):
    sentences = dict(grammar.continuations("The dog is"))
    assert max(sentences, key=sentences.get) == "The dog is running."
    assert sentences["The dog is running."] == pytest.approx(0.35)
    assert sentences["The dog is on the bed."] == pytest.approx(0.24)
    assert grammar.next_words("The dog is")["on"] == 0.40
    assert len(grammar.next_words("The dog is on the")) == 2  # "two places"


def test_the_studios_three_numbers_are_those_folded_away(pets):
    studio = sampling_studio(*pets, truth=grammar.next_words)
    studio.top_k, both = 2, []
    for studio.temperature in (1.0, 0.5):
        both.append(f"{studio.rows()[0].now:.2f}")
    said = f"1: {both[0]} and {both[1]}, since the model has "
    studio.top_k, studio.temperature = 0, 1.0
    has, on = (f"{row.now:.2f}"[1:] for row in studio.rows()[:2])
    said += f"{has} and {on}, not .60 and .30. "
    assert studio.rows()[-1].name.endswith("others")
    studio.temperature, others = 3.0, []
    for studio.top_p in (1.0, 0.85):
        others.append(f"{studio.rows()[-1].now:.2f}")
    said += f"2: {others[0]} and {others[1]}. 3: all."
    studio.temperature, studio.top_p = 0.0, 1.0
    assert studio.rows()[0].name == "␣sleeping" and studio.rows()[0].now == 1
    assert said in notebook_words()


def test_running_stays_in_the_top_three_though_happy_has_the_smaller_id(pets, logits):
    p = gptlib.next_token_probs(logits)
    [running], [happy] = (pets[1].encode(word) for word in (" running", " happy"))
    assert happy < running
    for k, id in ((3, running), (4, happy)):
        kept = gptlib.next_token_probs(logits, top_k=k)
        assert kept[id] > 0 and (k == 4 or kept[happy] == 0)
    assert f"({p[running]:.4f} against {p[happy]:.4f}.".replace("0.", ".") in notebook_words()


def test_the_critical_value_is_passed_once_in_a_thousand():
    beyond = torch.special.gammaincc(torch.tensor(1.5), torch.tensor(16.27 / 2))
    assert beyond.item() == pytest.approx(0.001, abs=1e-5)
    p = torch.tensor(list(TRUTH.values()))
    above = 0
    for seed in range(400):
        ids = draw(p.expand(1000, -1), torch.Generator().manual_seed(seed))
        counts = torch.bincount(ids, minlength=4)
        above += ((counts - 1000 * p) ** 2 / (1000 * p)).sum() > 16.27
    assert above <= 4


def test_what_notices_each_broken_sampler(pets, logits):
    """Break it: a sum for the missing division; the grammar, and the stop token, for the others."""
    model, tokenizer = pets
    cut = torch.where(gptlib.next_token_probs(logits) >= 0.2, gptlib.next_token_probs(logits), 0)
    assert (cut > 0).sum() == 2 and cut.sum().item() == pytest.approx(0.90, abs=0.02)
    two = gptlib.next_token_probs(logits, top_k=2)
    drawn = [draw(p.expand(1000, -1), torch.Generator().manual_seed(0)) for p in (two, cut)]
    assert torch.equal(*drawn)  # gptlib's draw divides by itself: nothing to be seen there
    assert gptlib.next_token_probs(logits, 5).sum().item() == pytest.approx(1)
    rows = torch.tensor([tokenizer.encode("The cat is")]).expand(100, -1)

    def sayable(**how):
        generator = torch.Generator().manual_seed(0)
        how |= {"generator": generator, "eos_id": tokenizer.eos_id}
        told = gptlib.generate(model, rows, 40, **how)
        found = 0
        for story in map(tokenizer.decode, told.tolist()):
            text, stop, _ = story.partition(grammar.STOP)
            try:
                found += grammar.log_prob(text + stop) <= 0
            except ValueError:
                pass
        return found

    assert sayable() > 90 and sayable(top_k=2) > 90 and sayable(temperature=5) < 10
