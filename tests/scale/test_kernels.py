"""gptlib.scale.kernels: what is measured is remembered, and is what runs then."""

import copy
import json
import time
from itertools import chain, repeat
from types import SimpleNamespace

import pytest
import torch

import gptlib
from gptlib import optimizers
from gptlib.decoding.decoders import FastDecoder, OneRowDecoder, decoder_for
from gptlib.fast import linear as products
from gptlib.fast.linear import fast_linear, has_onednn
from gptlib.scale import kernels
from gptlib.scale.kernels import Found, fastest, measured, remembered

pytestmark = pytest.mark.skipif(not has_onednn(), reason="this PyTorch has no choice of libraries")
N_ROWS = 16
RUN = gptlib.TrainConfig(steps=5, batch_size=2)  # of 8 tokens


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch, tmp_path):
    """A computer on which nothing was measured, with a cache of its own."""
    monkeypatch.setenv("GPTLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(products, "preferred", {})
    monkeypatch.setattr(kernels, "_found", {})
    monkeypatch.setattr(kernels, "_read_from", [])
    return tmp_path / "cache" / kernels.FILE


@pytest.fixture
def everything_counts(monkeypatch):
    """Tiny models are worth measuring."""
    for name in ("LONG_RUN", "LARGE_MODEL", "LARGE_MATRICES"):
        monkeypatch.setattr(kernels, name, 0)


@pytest.fixture
def winner(monkeypatch):
    """Decides every measurement: `winner("NumPy")`. Gives the list of what was asked."""
    asked = []

    def wins(name):
        def found(ways):
            asked.append(list(ways))
            for way in ways.values():
                way()  # each can be done
            return Found(name if name in ways else next(iter(ways)), {})

        monkeypatch.setattr(kernels, "measured", found)
        return asked

    return wins


def another_start(monkeypatch):
    """As if the program began again."""
    monkeypatch.setattr(kernels, "_found", {})
    monkeypatch.setattr(kernels, "_read_from", [])


# ---- Measuring ----


def sleeping(seconds):
    return lambda: time.sleep(seconds)


def test_the_usual_way_stays_unless_another_is_clearly_faster():
    assert measured({"usual": sleeping(0.02), "other": sleeping(0.001)}).way == "other"
    assert measured({"usual": sleeping(0.001), "other": sleeping(0.02)}).way == "usual"
    assert measured({"usual": sleeping(0.02), "other": sleeping(0.0195)}).way == "usual"


def test_the_first_call_of_each_does_not_count():
    waits = chain([0.2], repeat(0.001))
    found = measured({"usual": sleeping(0.02), "other": lambda: time.sleep(next(waits))})
    assert found.way == "other" and found.ms["other"] < 20 < found.ms["usual"] + 1
    assert str(Found("a", {"a": 1.0, "b": 12.345})) == "a (a 1 ms, b 12.3 ms)"


def test_it_is_measured_once_and_the_next_program_remembers(monkeypatch, nothing_known):
    ways = {"usual": sleeping(0.01), "other": lambda: None}
    assert fastest("this", ways) == "other"
    monkeypatch.setattr(kernels, "measured", None)
    assert fastest("this", ways) == "other"
    another_start(monkeypatch)
    assert fastest("this", ways) == "other" and list(remembered()) == ["this"]


def test_what_another_computer_measured_does_not_count(monkeypatch, nothing_known):
    fastest("this", {"usual": lambda: None})
    monkeypatch.setattr(kernels, "_computer", lambda: "another one")
    another_start(monkeypatch)
    assert remembered() == {}
    fastest("that", {"usual": lambda: None})
    assert len(json.loads(nothing_known.read_text())) == 2  # neither forgets the other


@pytest.mark.parametrize("content", ["", "[]", '{"x": 1}', "no json", None])
def test_a_damaged_file_says_nothing_and_is_replaced(monkeypatch, nothing_known, content):
    nothing_known.parent.mkdir()
    text = json.dumps({kernels._computer(): {"this": [1]}}) if content is None else content
    nothing_known.write_text(text)
    assert remembered() == {} and fastest("this", {"usual": lambda: None}) == "usual"
    another_start(monkeypatch)
    assert list(remembered()) == ["this"]


def test_where_nothing_can_be_written_it_is_remembered_as_long_as_the_program_runs(
    monkeypatch, tmp_path
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GPTLIB_CACHE", str(tmp_path / "file" / "cache"))
    assert fastest("this", {"usual": lambda: None}) == "usual" and list(remembered()) == ["this"]


# ---- Training ----


def test_the_recipe_for_a_laptop_is_measured_and_the_run_of_lesson_00_is_not():
    recipe = gptlib.TrainConfig(steps=360, batch_size=12)
    small = gptlib.TrainConfig(steps=300)
    shapes = gptlib.GPTConfig(257, 64, 4, 4, 128), gptlib.GPTConfig(512, 64, 2, 4, 96)
    sizes = [
        run.steps * kernels.n_products(SimpleNamespace(config=shape), run)
        for shape, run in zip(shapes, (recipe, small), strict=True)
    ]
    assert sizes[0] > kernels.LONG_RUN > sizes[1]


@pytest.mark.parametrize("way", ["oneDNN", "PyTorch"])
def test_a_run_multiplies_by_what_was_faster(model, monkeypatch, winner, everything_counts, way):
    asked = winner(way)
    kernels.for_training(model, RUN)
    assert asked == [["PyTorch", "oneDNN"]] * 5  # the usual one first; each shape once
    calls, product = [], products._product
    monkeypatch.setattr(products, "_product", lambda *a: calls.append(a) or product(*a))
    layer = model.h[0].mlp.c_fc
    fast_linear(torch.ones(N_ROWS, 12), layer.weight, layer.bias)
    assert bool(calls) == (way == "oneDNN")
    fast_linear(torch.ones(N_ROWS + 1, 12), layer.weight, layer.bias)
    assert len(calls) <= 1  # other sizes go by the rule


def test_a_short_run_one_of_another_type_and_one_of_many_are_not_measured(model, monkeypatch):
    monkeypatch.setattr(kernels, "measured", None)
    kernels.for_training(model, RUN)
    monkeypatch.setattr(kernels, "LONG_RUN", 0)
    kernels.for_training(copy.deepcopy(model).double(), RUN)
    monkeypatch.setattr(kernels, "started", lambda: 2)
    kernels.for_training(model, RUN)
    assert products.preferred == {}


def test_a_trainer_asks_for_its_own_rows(winner, everything_counts):
    winner("oneDNN")
    config = gptlib.TrainConfig(steps=1, batch_size=3, device="cpu", optimizer="adamw")
    model = gptlib.GPT(gptlib.GPTConfig(11, 8, n_layer=1, n_head=2, n_embd=12), seed=0)
    list(gptlib.Trainer(model, torch.arange(11), config))
    assert {sizes[0] for sizes in products.preferred} == {24}


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_muon_takes_the_faster_type(model, winner, everything_counts, name):
    asked, types = winner(name), []
    muon, _ = optimizers.make_optimizers(model, gptlib.TrainConfig(device="cpu"))
    usual = str(optimizers._fast_dtype(model.device)).removeprefix("torch.")
    assert asked[0][0] == usual and sorted(asked[0]) == ["bfloat16", "float32"]
    assert muon.products.keywords == {"dtype": getattr(torch, name)}
    turned = muon.products(torch.eye(12)[None])
    types.append(turned.dtype)
    assert types == [torch.float32] and turned.diagonal(dim1=-2, dim2=-1).min() > 0.8


def test_muon_is_not_measured_for_small_matrices(model, monkeypatch):
    monkeypatch.setattr(kernels, "measured", None)
    assert optimizers.make_optimizers(model, gptlib.TrainConfig(device="cpu"))[0].products is None


# ---- Writing ----


@pytest.mark.parametrize(
    ("way", "kind"), [("NumPy", OneRowDecoder), ("oneDNN", FastDecoder), ("PyTorch", FastDecoder)]
)
def test_a_row_of_text_is_written_by_what_was_faster(lively, winner, everything_counts, way, kind):
    asked = winner(way)
    decoder = decoder_for(lively, 1)
    assert type(decoder) is kind and asked == [["NumPy", "oneDNN", "PyTorch"]]
    ids = torch.tensor([[1, 2, 3]])
    torch.testing.assert_close(decoder.read(ids), lively(ids)[:, -1], rtol=1e-4, atol=1e-4)


def test_a_small_model_is_not_measured(lively, monkeypatch):
    monkeypatch.setattr(kernels, "measured", None)
    assert type(decoder_for(lively, 1)) is OneRowDecoder
