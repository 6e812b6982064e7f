"""gptlib.scale.compiling: where a run compiles its step."""

import pytest
import torch

from gptlib.scale import compiling
from gptlib.scale.compiling import compiled, compiles, has_compiler

CPU, CARD = torch.device("cpu"), torch.device("cuda", 0)


@pytest.mark.parametrize("there", [True, False])
def test_it_is_done_on_a_card_that_can_and_where_it_is_asked_for(monkeypatch, there):
    monkeypatch.setattr(compiling, "has_compiler", lambda: there)
    assert compiles(None, CARD) == there and not compiles(None, CPU)
    assert compiles(True, CPU) and not compiles(False, CARD)
    monkeypatch.setattr(compiling, "started", lambda: 2)
    assert compiles(True, CARD) and not compiles(None, CARD)


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
