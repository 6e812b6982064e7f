"""gptlib.scale.compiling: where a run compiles its step."""

from types import SimpleNamespace

import pytest
import torch

import gptlib
from gptlib.scale import compiling
from gptlib.scale.compiling import compiled, compiles, has_compiler

CPU, CARD = torch.device("cpu"), torch.device("cuda", 0)
SMALL = gptlib.GPTConfig(512, 64, n_layer=2, n_head=4, n_embd=96)  # that of lesson 00


def asked(shape, device, **settings):
    model = SimpleNamespace(config=shape, device=device)
    return compiles(model, gptlib.TrainConfig(**settings))


@pytest.mark.parametrize("there", [True, False])
def test_it_is_done_for_a_large_model_on_a_card_and_where_it_is_asked_for(monkeypatch, there):
    monkeypatch.setattr(compiling, "has_compiler", lambda: there)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 0))
    assert asked(gptlib.GPTConfig(), CARD) == there and not asked(gptlib.GPTConfig(), CPU)
    assert not asked(SMALL, CARD)
    assert asked(SMALL, CPU, compile=True) and not asked(gptlib.GPTConfig(), CARD, compile=False)
    monkeypatch.setattr(compiling, "started", lambda: 2)
    assert asked(gptlib.GPTConfig(), CARD, compile=True) and not asked(gptlib.GPTConfig(), CARD)


def test_a_card_that_is_too_old_for_triton_is_not_asked_to(monkeypatch):
    monkeypatch.setattr(compiling, "has_compiler", lambda: True)
    for capability, wanted in (((6, 1), False), ((8, 0), True)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device, c=capability: c)
        assert asked(gptlib.GPTConfig(), CARD) == wanted


@pytest.mark.parametrize(
    ("triton", "cc", "found", "wanted"),
    [
        (True, None, {"gcc"}, True),
        (True, None, set(), False),
        (False, None, {"gcc"}, False),
        (True, "my-cc", {"my-cc"}, True),
        (True, "my-cc", {"gcc"}, False),
    ],
)
def test_it_takes_triton_and_a_c_compiler(monkeypatch, triton, cc, found, wanted):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if triton else None)
    monkeypatch.setattr("shutil.which", lambda name: name if name in found else None)
    monkeypatch.delenv("CC", raising=False)
    if cc:
        monkeypatch.setenv("CC", cc)
    has_compiler.cache_clear()
    try:
        assert has_compiler() == wanted
    finally:
        has_compiler.cache_clear()


def test_a_compiled_function_gives_what_the_function_gives(monkeypatch):
    monkeypatch.setattr(compiling, "BACKEND", "aot_eager")
    assert compiled(lambda x: 2 * x + 1)(torch.arange(3)).tolist() == [1, 3, 5]
