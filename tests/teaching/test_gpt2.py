"""What lesson 08 claims in words: in its questions and replies, its notebook and its Deeper."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import gptlib
from gptlib import teaching
from gptlib.corpora import pets as grammar
from gptlib.decoding.quantization import to_int8
from gptlib.fast import linear as fast_linear
from gptlib.formats import hf
from gptlib.teaching import timing, weights
from gptlib.teaching.gpt2 import QUESTIONS
from gptlib.widgets import size_explorer
from gptlib.widgets.gpt2 import SHAPES, costs, parts

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LESSON, DEEPER = NOTEBOOKS / "08_gpt2.ipynb", NOTEBOOKS / "deeper" / "08_gpt2.ipynb"
GPT2 = SHAPES["gpt2"]


def prose(path=LESSON):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def share(part, name="gpt2"):
    """Of a model's parameters, in percent."""
    found = parts(SHAPES[name])
    return 100 * found[part] / sum(found.values())


def replies(name):
    return " ".join(QUESTIONS[name].replies.values())


# ---- Counts ----


def test_the_tiny_model_has_96_parameters_and_a_cache_of_48_bytes():
    config = gptlib.GPTConfig(6, 3, 1, 1, 2)
    found = {"tokens": 12, "positions": 6, "attention": 24, "feedforward": 42, "norms": 12}
    assert parts(config) == found and sum(found.values()) == 96
    assert costs(config, 3, 4, 1)["cache"] == 48
    sums = "12 for tokens, 6 for positions, 12 + 6 + 4 + 2 = 24 for attention, 16 + 8 + 16 + 2 = 42"
    assert sums in prose() and "so 48 bytes" in prose()
    in_matrices = 12 + (12 + 4) + (16 + 16)
    assert in_matrices == 60 and "Only 60 of 96 parameters" in prose()
    assert "That makes 120 FLOPs; $2N$ is 192" in prose()


def test_two_flops_per_parameter_and_per_number_of_the_cache_is_what_a_model_needs(monkeypatch):
    """PyTorch counts those of matrix products; ours also count the few numbers in no matrix."""
    monkeypatch.setattr(fast_linear, "has_onednn", lambda: False)  # whose product is not counted
    config = gptlib.GPTConfig(vocab_size=301, block_size=64, n_layer=3, n_head=2, n_embd=32)
    model, T = gptlib.GPT(config, seed=0).eval().requires_grad_(False), 40
    ids, cache = torch.arange(T)[None], model.new_cache(1)
    with torch.no_grad():
        model(ids[:, :-1], cache)
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
            model(ids[:, -1:], cache)  # the cache has T tokens then, the newest among them
    in_no_matrix = sum(p.numel() for p in model.parameters() if p.ndim == 1)
    in_no_matrix += model.wpe.weight.numel()  # the row of a position is only added
    expected = costs(config, T, 4, 1)["flops"] - 2 * in_no_matrix
    assert counter.get_total_flops() == expected


def test_the_shares_of_the_replies():
    said = {"attention": 22.8, "tokens": 31.0, "feedforward": 45.5, "positions": 0.6}
    for part, percent in said.items():
        assert round(share(part), 1) == percent and f"{percent}%" in replies("most")


def test_the_formula_is_close_to_every_count():
    assert r"N\approx12LC^2+(V+P)\,C" in prose()
    for config in list(SHAPES.values())[1:]:
        tables = (config.vocab_size + config.block_size) * config.n_embd
        by_formula = 12 * config.n_layer * config.n_embd**2 + tables
        assert by_formula == pytest.approx(sum(parts(config).values()), rel=0.002)


def test_embeddings_have_a_smaller_share_in_each_larger_gpt2_and_feedforward_twice_attentions():
    tables = [share("tokens", name) + share("positions", name) for name in list(SHAPES)[1:]]
    assert tables == sorted(tables, reverse=True)
    for config in SHAPES.values():
        assert parts(config)["feedforward"] / parts(config)["attention"] == pytest.approx(2, 0.02)


def test_after_1000_tokens_1_15_times_as_many_bytes_are_read_as_after_8():
    read = {}
    for T in (8, 1000):
        cost = costs(GPT2, T, 4, 1e9)
        read[T] = cost["weights"] + cost["cache"]
    assert [round(n / 1e6) for n in read.values()] == [498, 571]
    assert round(read[1000] / read[8], 2) == 1.15
    assert round(costs(GPT2, 1000, 4, 1)["cache"] / 1e6) == 74
    assert 1000 / 8 == 125 and 125**2 == 15_625


def test_the_explorers_numbers_are_those_folded_away():
    explorer = size_explorer("gpt2")
    explorer.cached = 1024
    (folded,) = re.findall(r"<details>(?:(?!<details>).)*15\.2%\..*?</details>", prose(), re.DOTALL)
    assert "(15.2% more)" in explorer.describe()
    explorer.take("gpt2-xl")
    explorer.cached = 0
    for stored, speed in ((4, "3.21"), (1, "12.8")):
        explorer.stored = stored
        assert f"at most {speed} tokens per second" in explorer.describe() and speed in folded
    explorer.take("gpt2")
    explorer.width = 1536
    assert "418,748,928 parameters" in explorer.describe() and "418,748,928" in folded
    assert round(418_748_928 / 124_439_808, 2) == 3.37 and "3.37 times" in folded
    wide, usual = parts(gptlib.GPTConfig(n_embd=1536)), parts(GPT2)
    for part, times in (("attention", 4), ("feedforward", 4), ("tokens", 2), ("positions", 2)):
        assert wide[part] / usual[part] == pytest.approx(times, rel=0.002)


# ---- Losses ----


@pytest.fixture(scope="module")
def stories_text():
    return gptlib.corpora.load("pets").heldout


def test_the_truths_loss_per_token_depends_on_the_tokenizer_and_per_byte_it_does_not(
    pets, stories_text
):
    nats = -grammar.log_prob(stories_text)
    per_token = []
    for n in (0, 140):
        tokenizer = gptlib.Tokenizer(pets[1].merges[:n])
        per_token.append(nats / len(tokenizer.encode(stories_text, allowed_special="all")))
    assert [round(loss, 2) for loss in per_token] == [0.13, 0.46]  # models A and B
    assert stories_text.count(grammar.STOP) == 1000


# ---- Deeper ----


def test_a_file_that_transformers_saved_has_the_same_logits_here():
    """Held against the logits that it computed then, and against those of the one installed."""
    folder = teaching.file_by_transformers()
    known = load_file(folder / "logits.safetensors")
    ours = gptlib.GPT.from_pretrained(folder)
    with torch.no_grad():
        torch.testing.assert_close(ours(known["ids"]), known["logits"], atol=1e-4, rtol=0)
    assert known["logits"].std() > 0.5  # or there would be nothing to confuse
    transformers = pytest.importorskip("transformers")
    theirs = transformers.GPT2LMHeadModel.from_pretrained(folder).eval()
    with torch.no_grad():
        torch.testing.assert_close(theirs(known["ids"]).logits, known["logits"], atol=1e-4, rtol=0)


def test_each_number_of_that_file_matters():
    """No bias is 0 and no gain 1, and the square matrix is not its own transpose."""
    state = load_file(teaching.file_by_transformers() / "model.safetensors")
    assert len(state) == 28 and "lm_head.weight" not in state
    for name, tensor in state.items():
        assert tensor.std() > 0.1, name
        if hf.is_linear(name) and tensor.shape[0] == tensor.shape[1]:
            assert (tensor - tensor.T).abs().max() > 0.5


def test_a_square_matrix_that_is_not_transposed_changes_the_logits_without_an_error():
    folder = teaching.file_by_transformers()
    known = load_file(folder / "logits.safetensors")
    wrong = gptlib.GPT.from_pretrained(folder)
    with torch.no_grad():
        for block in wrong.h:
            block.attn.c_proj.weight.copy_(block.attn.c_proj.weight.T.clone())
        assert (wrong(known["ids"]) - known["logits"]).abs().max() > 1


def test_a_prompt_at_once_has_many_flops_for_each_byte():
    N, LC = 124_439_808, 12 * 768
    intensity = {}
    for T in (1, 256):
        mean = sum(range(1, T + 1)) / T  # tokens that a token attends to
        intensity[T] = T * (2 * N + 4 * LC * mean) / (4 * (N + 2 * LC * T))
    assert intensity[1] == 0.5 and 100 < intensity[256] < 130


def test_the_cache_outgrows_the_weights_at_6751_tokens_and_64_readers_share_them():
    N, per_token = sum(parts(GPT2).values()), 2 * 12 * 768
    assert (N, per_token, round(N / per_token)) == (124_439_808, 18_432, 6_751)
    assert 14 < 100_000 * per_token / N < 15
    cache = 1024 * per_token * 4
    in_gb = [round(n / 1e9, 1) for n in (64 * cache, 4 * N, 64 * 4 * N)]
    assert in_gb == [4.8, 0.5, 31.9]
    assert (4 * N + 64 * cache) / 64 / (4 * N + cache) == pytest.approx(1 / 7, rel=0.05)


def predictions(model, tokenizer, texts):
    stop = tokenizer.eos_id
    rows = [torch.tensor([stop, *tokenizer.encode(text), stop]) for text in texts]
    with torch.no_grad():
        logits = torch.cat([model(ids[None, :-1])[0] for ids in rows])
    return logits, torch.cat([ids[1:] for ids in rows])


def rounded(weight, bits):
    step = weight.abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)
    return (weight / step).round() * step


def rounded_model(bits):
    """The pets model with its matrices in so many bits."""
    model, _ = gptlib.load("pets")
    with torch.no_grad():
        for p in (p for p in model.parameters() if p.ndim == 2):
            p.copy_(rounded(p, bits))
    return model


def test_the_row_on_paper_is_rounded_to_50_minus_127_and_2():
    numbers, step = to_int8(torch.tensor([[0.5, -1.27, 0.02]]))
    assert numbers.tolist() == [[50, -127, 2]] and step.item() == pytest.approx(0.01)


def test_the_logits_show_8_bits_the_best_token_4_and_the_loss_3(pets, stories_text):
    stories = stories_text.split(grammar.STOP)[:150]
    exact, targets = predictions(*pets, stories)
    moved, same, more = {}, {}, {}
    for bits in (8, 4, 3):
        logits, _ = predictions(rounded_model(bits), pets[1], stories)
        moved[bits] = (logits - exact).abs().mean().item()
        same[bits] = (logits.argmax(-1) == exact.argmax(-1)).float().mean().item()
        more[bits] = (gptlib.nll(logits, targets) - gptlib.nll(exact, targets)).item()
    assert 0.03 < moved[8] < 0.07 and 0.985 < same[8] < 1 and abs(more[8]) < 0.002
    assert 0.92 < same[4] < 0.97 and more[4] < 0.01
    assert more[3] > 0.03


def test_of_several_calls_the_shortest_counts(monkeypatch):
    clock = iter([0, 5, 10, 12, 20, 23])  # before and after each run
    monkeypatch.setattr(timing, "perf_counter", lambda: next(clock))
    runs = []
    assert teaching.shortest(runs.append, 1, times=3) == 2 and runs == [1, 1, 1]


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
    assert not found.real_weights
    assert found.tokenizer == gpt2_tokenizer
    assert repr(found).startswith("weights: random, since GPT-2's own are not on this computer\n")
    assert found.says("The cat is").startswith("With random weights, GPT-2 writes random tokens.")
    assert not list(tmp_path.iterdir()), "nothing was downloaded"


def test_weights_that_are_in_the_cache_are_taken(monkeypatch, tmp_path, model, pets):
    config = gptlib.GPTConfig(vocab_size=397, block_size=8, n_layer=1, n_head=1, n_embd=4)
    gptlib.storage.checkpoint.save(tmp_path / "gpt2", gptlib.GPT(config, seed=0), pets[1])
    monkeypatch.setenv("GPTLIB_CACHE", str(tmp_path))
    found = teaching.gpt2_or_its_shape()
    assert found.real_weights and found.model.config == config
    assert repr(found).startswith("weights: GPT-2's own\n")


def test_gpt2_with_its_own_weights_says_which_words_it_expects_and_writes_a_text(pets):
    said = weights.GPT2(*pets, real_weights=True).says("The cat is")
    words, text = said.splitlines()
    assert words.startswith("After 'The cat is': ␣sleeping 0.62, ␣on 0.28, ")
    assert text.startswith("A text: The cat is")
    assert said == weights.GPT2(*pets, real_weights=True).says("The cat is")  # one seed


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
