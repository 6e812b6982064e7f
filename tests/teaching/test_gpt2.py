"""What lesson 08 claims in words: in its questions, its replies and its folded-away numbers."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import gptlib
from gptlib import teaching
from gptlib.corpora import pets as grammar
from gptlib.teaching import weights
from gptlib.widgets import size_explorer
from gptlib.widgets.gpt2 import SHAPES, costs, parts

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "08_gpt2.ipynb"
GPT2 = SHAPES["gpt2"]


def prose():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def share(part, name="gpt2"):
    """Of a model's parameters, in percent."""
    found = parts(SHAPES[name])
    return 100 * found[part] / sum(found.values())


# ---- Counts ----


def test_the_model_on_paper_has_96_numbers_and_a_cache_of_48_bytes():
    config = gptlib.GPTConfig(6, 3, 1, 1, 2)
    found = {"tokens": 12, "places": 6, "attention": 24, "feedforward": 42, "norms": 12}
    assert parts(config) == found and sum(found.values()) == 96
    assert costs(config, 3, 4, 1)["cache"] == 48


def test_the_shares_of_the_replies():
    assert (round(share("attention")), round(share("tokens"))) == (23, 31)
    assert (round(share("feedforward")), round(share("places"), 1)) == (46, 0.6)


def test_tables_have_a_smaller_share_in_each_larger_model_and_feedforward_twice_attentions():
    tables = [share("tokens", name) + share("places", name) for name in list(SHAPES)[1:]]
    assert tables == sorted(tables, reverse=True)
    for config in SHAPES.values():
        assert parts(config)["feedforward"] / parts(config)["attention"] == pytest.approx(2, 0.02)


def test_memory_and_arithmetic_are_as_told():
    cost = costs(GPT2, 256, 4, 1e9)
    assert (round(cost["weights"] / 1e6), round(cost["cache"] / 1e6)) == (498, 19)
    assert round(cost["flop"] / 1e9, 2) == 0.25


def test_the_explorers_numbers_are_those_folded_away():
    explorer = size_explorer("gpt2")
    explorer.cached = 1024
    folded = re.search(r"<details>.*?</details>", prose(), re.DOTALL)[0]
    assert "(15.2% more)" in explorer.describe() and "Question 1: 15.2." in folded
    explorer.take("gpt2-xl")
    explorer.cached = 0
    for stored, gb, speed in ((4, "6.23", "3.21"), (1, "1.56", "12.8")):
        explorer.stored = stored
        assert f"weights {gb} GB" in explorer.describe() and gb in folded
        assert f"at most {speed} tokens" in explorer.describe() and speed in folded
    explorer.take("gpt2")
    explorer.width = 1536
    assert "418,748,928 parameters" in explorer.describe() and "418,748,928" in folded
    assert round(418_748_928 / 124_439_808, 2) == 3.37 and "3.37 times" in folded


# ---- Losses, and rounding ----


@pytest.fixture(scope="module")
def heldout():
    return gptlib.corpora.load("pets").heldout


def test_the_floor_is_another_with_another_tokenizer_and_the_same_per_byte(pets, heldout):
    nats = -grammar.log_prob(heldout)
    per_token = []
    for n in (0, 140):
        tokenizer = gptlib.Tokenizer(pets[1].merges[:n])
        per_token.append(nats / len(tokenizer.encode(heldout, allowed_special="all")))
    assert [round(loss, 2) for loss in per_token] == [0.13, 0.46]  # models A and B


def test_the_truth_has_0_136_a_byte_on_the_six_stories_and_0_135_on_all(heldout):
    stories = heldout.split("<|endoftext|>")
    for n, said in ((6, 0.136), (len(stories) - 1, 0.135)):
        text = "<|endoftext|>".join(stories[:n]) + "<|endoftext|>"
        size = len("".join(stories[:n]).encode())  # the end mark is no text
        assert round(-grammar.log_prob(text) / size, 3) == said
    assert "0.136 on these six" in prose()


def says(model, tokenizer, stories):
    stop = tokenizer.eos_id
    rows = [torch.tensor([stop, *tokenizer.encode(story), stop]) for story in stories]
    with torch.no_grad():
        logits = torch.cat([model(ids[None, :-1])[0] for ids in rows])
    return logits, torch.cat([ids[1:] for ids in rows])


def rounded(bits):
    """The pets model with its matrices on so many bits."""
    model, _ = gptlib.load("pets")
    with torch.no_grad():
        for p in (p for p in model.parameters() if p.ndim == 2):
            step = p.abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)
            p.copy_((p / step).round() * step)
    return model


def test_the_logits_notice_8_bits_the_best_token_4_and_the_loss_3(pets, heldout):
    stories = heldout.split("<|endoftext|>")[:150]
    exact, came = says(*pets, stories)
    moved, same, more = {}, {}, {}
    for bits in (8, 4, 3):
        logits, _ = says(rounded(bits), pets[1], stories)
        moved[bits] = (logits - exact).abs().mean().item()
        same[bits] = (logits.argmax(-1) == exact.argmax(-1)).float().mean().item()
        more[bits] = (gptlib.nll(logits, came) - gptlib.nll(exact, came)).item()
    assert 0.03 < moved[8] < 0.07 and 0.985 < same[8] < 1 and abs(more[8]) < 0.002
    assert 0.92 < same[4] < 0.97 and more[4] < 0.01
    assert more[3] > 0.03


# ---- GPT-2 or its shape, here a small one ----


@pytest.fixture
def small_shape(monkeypatch):
    monkeypatch.setattr(weights, "GPTConfig", lambda: gptlib.GPTConfig(400, 8, 1, 1, 4))


def test_with_an_empty_cache_the_shape_comes_with_gpt2s_tokenizer_and_says_so(
    small_shape, monkeypatch, tmp_path, gpt2_tokenizer
):
    monkeypatch.setenv("GPTLIB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(weights.hub, "cached", lambda name: None)
    found = teaching.gpt2_or_its_shape()
    assert not found.real_weights and found.said == "random weights"
    assert found.tokenizer == gpt2_tokenizer
    assert repr(found) == ("weights: random (GPT-2's own are not here)\ntokenizer: GPT-2's own")
    assert not list(tmp_path.iterdir()), "nothing was fetched"


def test_weights_that_are_in_the_cache_are_taken(monkeypatch, tmp_path, model, pets):
    config = gptlib.GPTConfig(vocab_size=397, block_size=8, n_layer=1, n_head=1, n_embd=4)
    gptlib.storage.checkpoint.save(tmp_path / "gpt2", gptlib.GPT(config, seed=0), pets[1])
    monkeypatch.setenv("GPTLIB_CACHE", str(tmp_path))
    found = teaching.gpt2_or_its_shape()
    assert found.real_weights and found.said == "GPT-2's own weights"
    assert found.model.config == config
    assert repr(found).startswith("weights: GPT-2's own\n")


def test_a_download_is_asked_of_load_and_only_when_it_was_asked_for(small_shape, monkeypatch, pets):
    asked = []
    monkeypatch.setattr(weights, "load", lambda name: asked.append(name) or pets)
    monkeypatch.setattr(weights.hub, "cached", lambda name: None)
    teaching.gpt2_or_its_shape()
    assert asked == []
    teaching.gpt2_or_its_shape(download=True)
    assert asked == ["gpt2"]


def test_random_weights_have_every_count_of_the_shape_and_repeat_two_layers():
    config = gptlib.GPTConfig(10, 8, n_layer=5, n_head=2, n_embd=4)
    model, whole = weights.random_gpt(config), gptlib.GPT(config)
    assert model.n_params() == whole.n_params() and not model.training
    assert list(model.state_dict()) == list(whole.state_dict())
    assert model.lm_head.weight is model.wte.weight
    held = [layer.mlp.c_fc.weight for layer in model.h]
    assert len({id(p) for p in held}) == 5 and len({p.data_ptr() for p in held}) == 2
    assert torch.equal(held[4], held[0]) and not torch.equal(held[0], held[1])
    assert torch.equal(held[1], weights.random_gpt(config).h[1].mlp.c_fc.weight)  # one seed


def test_random_weights_are_those_of_a_fresh_model_where_no_layer_repeats():
    config = gptlib.GPTConfig(10, 8, n_layer=2, n_head=2, n_embd=4)
    found, fresh = weights.random_gpt(config).state_dict(), gptlib.GPT(config, seed=0).state_dict()
    assert all(torch.equal(found[name], fresh[name]) for name in fresh)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted from /proc")
def test_gpt2s_shape_takes_half_of_the_memory_that_its_numbers_would():
    code = """
from gptlib.model import GPTConfig
from gptlib.teaching.weights import random_gpt
def held():
    return sum(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if "VmRSS" in line)
before = held()
model = random_gpt(GPTConfig())
print(held() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 200e6 < int(done.stdout) < 300e6  # its numbers alone would be 498 MB
