"""gptlib.scale.kernels: what is measured is remembered, and is what runs then."""

import copy
import json
import os
import subprocess
import sys
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
    monkeypatch.setattr(products, "many_rows_by_onednn", True)
    monkeypatch.setattr(kernels, "_found", {})
    monkeypatch.setattr(kernels, "_read_from", [])
    return tmp_path / "cache" / kernels.FILE


@pytest.fixture
def everything_counts(monkeypatch):
    """Tiny models are worth measuring."""
    for name in ("LONG_RUN", "LARGE_MODEL", "LARGE_MATRICES"):
        monkeypatch.setattr(kernels, name, 0)


@pytest.fixture
def with_bf16(monkeypatch):
    """A processor that has instructions for bfloat16, or seems to."""
    monkeypatch.setattr(products, "CPU_HAS_BF16", True)


@pytest.fixture
def one_thread(two_threads):
    """PyTorch on one thread; as before afterwards."""
    torch.set_num_threads(1)


def mean_logit(model):
    """A loss: all that trying a gradient needs."""
    return lambda x, y, part: model(x).mean()


@pytest.fixture
def winner(monkeypatch):
    """Decides every measurement: `winner("NumPy")`. Gives the list of what was asked."""
    asked = []

    def wins(name):
        def found(ways):
            asked.append(list(ways))
            for way in ways.values():
                way()  # each can be done
            return Found(name if name in ways else next(iter(ways)), dict.fromkeys(ways, 1.0))

        monkeypatch.setattr(kernels, "measured", found)
        return asked

    return wins


def another_start(monkeypatch):
    """As if the program began again."""
    monkeypatch.setattr(kernels, "_found", {})
    monkeypatch.setattr(kernels, "_read_from", [])


# ---- Measuring ----


@pytest.fixture
def takes(monkeypatch):
    """`takes(0.02)` is a way that takes so long, by a clock that nothing else moves."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(kernels, "time", SimpleNamespace(perf_counter=lambda: clock.now))

    def way(*seconds):
        lasts = chain(seconds, repeat(seconds[-1]))
        return lambda: setattr(clock, "now", clock.now + next(lasts))

    return way


def test_the_usual_way_stays_unless_another_is_clearly_faster(takes):
    assert measured({"usual": takes(0.02), "other": takes(0.001)}).way == "other"
    assert measured({"usual": takes(0.001), "other": takes(0.02)}).way == "usual"
    assert measured({"usual": takes(0.02), "other": takes(0.0195)}).way == "usual"


def test_the_first_call_of_each_does_not_count_and_the_best_of_the_others_does(takes):
    found = measured({"usual": takes(0.02), "other": takes(0.2, 0.03, 0.001, 0.03)})
    assert found.way == "other" and found.ms == pytest.approx({"usual": 20, "other": 1})
    assert str(Found("a", {"a": 1.0, "b": 12.345})) == "a (a 1 ms, b 12.3 ms)"


def test_it_is_measured_once_and_the_next_program_remembers(monkeypatch, takes, nothing_known):
    ways = {"usual": takes(0.01), "other": takes(0.001)}
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


@pytest.mark.parametrize("way", ["oneDNN", "PyTorch"])
def test_any_run_multiplies_many_rows_by_what_was_faster(model, monkeypatch, winner, way):
    asked = winner(way)
    short = gptlib.TrainConfig(steps=1, batch_size=32, device="cpu")
    gptlib.Trainer(model, torch.arange(11), short)
    gptlib.Trainer(model, torch.arange(11), short)
    assert asked == [["oneDNN", "PyTorch"]], "once"
    calls, product = [], products._product
    monkeypatch.setattr(products, "_product", lambda *a: calls.append(a) or product(*a))
    layer = model.h[0].mlp.c_fc
    fast_linear(torch.ones(products.MANY_ROWS, 12), layer.weight, layer.bias)
    assert bool(calls) == (way == "oneDNN")


def test_a_new_program_multiplies_many_rows_as_the_last_one_did(nothing_known):
    code = "import gptlib; from gptlib.fast import linear; print(linear.many_rows_by_onednn)"
    nothing_known.parent.mkdir()
    same = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}  # as many as known below
    for way in ("oneDNN", "PyTorch"):
        known = {kernels._computer(): {kernels.MANY: [way, {"oneDNN": 1, "PyTorch": 1}]}}
        nothing_known.write_text(json.dumps(known))
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=same, capture_output=True, text=True)
        assert done.stdout == f"{way == 'oneDNN'}\n", done.stderr


def test_several_processes_choose_nothing(model, monkeypatch):
    monkeypatch.setattr(kernels, "measured", None)
    monkeypatch.setattr(kernels, "started", lambda: 2)
    gptlib.Trainer(model, torch.arange(11), RUN)
    assert products.many_rows_by_onednn


def test_a_long_run_is_measured_and_the_run_of_lesson_00_is_not():
    long = gptlib.TrainConfig(steps=365, batch_size=12)
    small = gptlib.TrainConfig(steps=300)
    shapes = gptlib.GPTConfig(257, 64, 4, 4, 128), gptlib.GPTConfig(512, 64, 2, 4, 96)
    sizes = [
        run.steps * kernels.n_products(SimpleNamespace(config=shape), run)
        for shape, run in zip(shapes, (long, small), strict=True)
    ]
    assert sizes[0] > kernels.LONG_RUN > sizes[1]


def test_what_can_be_done_in_a_new_way_is_measured_again(takes):
    fastest("this", {"usual": takes(0.01), "other": takes(0.001)})
    assert fastest("this", {"usual": takes(0.01)}) == "usual", "the other one is gone"
    three = {"usual": takes(0.01), "other": takes(0.001), "new": takes(0.0001)}
    assert fastest("this", three) == "new"


@pytest.mark.parametrize("way", ["oneDNN", "PyTorch"])
def test_a_run_multiplies_by_what_was_faster(model, monkeypatch, winner, everything_counts, way):
    asked = winner(way)
    monkeypatch.setattr(products, "CPU_HAS_BF16", False)
    kernels.for_training(model, RUN, mean_logit(model))
    assert asked[-5:] == [["PyTorch", "oneDNN"]] * 5  # the usual one first; each shape once
    calls, product = [], products._product
    monkeypatch.setattr(products, "_product", lambda *a: calls.append(a) or product(*a))
    layer = model.h[0].mlp.c_fc
    fast_linear(torch.ones(N_ROWS, 12), layer.weight, layer.bias)
    assert bool(calls) == (way == "oneDNN")
    fast_linear(torch.ones(N_ROWS + 1, 12), layer.weight, layer.bias)
    assert len(calls) <= 1  # other sizes go by the rule


def test_a_run_multiplies_in_bfloat16_what_was_faster_so_and_nothing_else_does(
    winner, everything_counts, with_bf16
):
    asked, types = winner("bfloat16"), []
    model = gptlib.GPT(gptlib.GPTConfig(11, 8, n_layer=1, n_head=2, n_embd=12), seed=0)
    config = gptlib.TrainConfig(steps=1, batch_size=2, device="cpu")
    trainer = gptlib.Trainer(model, torch.arange(11), config, heldout=torch.arange(11))
    assert asked[-1] == ["PyTorch", "oneDNN", "bfloat16"]
    model.h[0].mlp.c_fc.register_forward_hook(lambda layer, x, y: types.append(exact(layer, *x, y)))
    list(trainer)
    model(torch.zeros(2, 8, dtype=torch.long))
    assert types == [False, True, True]  # the update, the held-out loss, and other passes
    assert model.lm_head.weight.grad.dtype == torch.float32


def exact(layer, x, y):
    """Whether y has more digits than bfloat16 gives."""
    assert y.dtype == torch.float32
    return torch.allclose(y, torch.nn.functional.linear(x, layer.weight, layer.bias), rtol=1e-5)


def test_who_wants_float32_has_float32(model, monkeypatch, winner, everything_counts, with_bf16):
    asked = winner("bfloat16")
    kernels.for_training(model, RUN, mean_logit(model))
    config = gptlib.TrainConfig(steps=5, batch_size=2, bf16=False)
    with kernels.for_training(model, config, mean_logit(model))():
        assert products._rounded.get() == frozenset()
    assert asked[-1] == ["PyTorch", "oneDNN"]
    with kernels.for_training(model, RUN, mean_logit(model))():  # which remembers
        assert {rows for rows, _, _ in products._rounded.get()} == {N_ROWS}
    assert products._rounded.get() == frozenset()


def test_a_short_run_one_of_another_type_and_one_of_many_are_not_measured(
    model, monkeypatch, one_thread
):
    monkeypatch.setattr(kernels, "measured", None)
    kernels.for_training(model, RUN, None)
    monkeypatch.setattr(kernels, "LONG_RUN", 0)
    kernels.for_training(copy.deepcopy(model).double(), RUN, None)
    monkeypatch.setattr(kernels, "started", lambda: 2)
    kernels.for_training(model, RUN, None)
    assert products.preferred == {}


def test_a_trainer_asks_for_its_own_rows(winner, everything_counts):
    winner("oneDNN")
    config = gptlib.TrainConfig(steps=1, batch_size=3, device="cpu", optimizer="adamw")
    model = gptlib.GPT(gptlib.GPTConfig(11, 8, n_layer=1, n_head=2, n_embd=12), seed=0)
    list(gptlib.Trainer(model, torch.arange(11), config))
    assert {sizes[0] for sizes in products.preferred} == {24}


@pytest.mark.parametrize("way", [kernels.ALL, kernels.ONE])
def test_a_run_goes_on_as_many_threads_as_was_faster(
    model, monkeypatch, two_threads, winner, everything_counts, way
):
    asked, before = winner(way), copy.deepcopy(model.state_dict())
    config = gptlib.TrainConfig(steps=2, batch_size=2, device="cpu", optimizer="adamw")
    random = torch.get_rng_state()
    with torch.inference_mode():  # as a notebook may be
        trainer = gptlib.Trainer(model, torch.arange(11), config)
    assert asked[1] == [kernels.ALL, kernels.ONE]  # after the library for many rows
    assert torch.equal(torch.get_rng_state(), random)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), "trying changes nothing"
    threads, loss = [], trainer.mean_loss
    monkeypatch.setattr(
        trainer, "mean_loss", lambda *a: threads.append(torch.get_num_threads()) or loss(*a)
    )
    list(trainer)
    assert threads == ([1, 1] if way == kernels.ONE else [2, 2])
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("why", ["short", "long to try", "one of many"])
def test_threads_are_tried_where_a_run_gains_by_it(model, monkeypatch, two_threads, winner, why):
    asked = winner(kernels.ALL)
    monkeypatch.setattr(kernels, "LONG_RUN", float("inf") if why == "short" else 0)
    monkeypatch.setattr(kernels, "LONG_UPDATE", 0 if why == "long to try" else 2**33)
    monkeypatch.setattr(kernels, "started", lambda: 2 if why == "one of many" else 1)
    kernels.for_training(model, RUN, mean_logit(model))
    assert [kernels.ALL, kernels.ONE] not in asked


@pytest.mark.parametrize("wanted", [True, False])
def test_a_run_may_say_whether_it_is_measured(model, monkeypatch, winner, wanted):
    """A short one may be, and a long one need not."""
    asked = winner("PyTorch")
    if not wanted:
        for name in ("LONG_RUN", "LARGE_MATRICES"):
            monkeypatch.setattr(kernels, name, 0)
    config = gptlib.TrainConfig(steps=5, batch_size=2, device="cpu", measure=wanted)
    kernels.for_training(model, config, mean_logit(model))
    optimizers.make_optimizers(model, config)
    whats = {what.partition(",")[0] for what in remembered()}
    assert whats == ({"training", "Muon"} if wanted else set()) and bool(asked) == wanted


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
