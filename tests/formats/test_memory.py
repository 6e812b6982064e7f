"""gptlib.formats.memory: shapes that nobody can hold are refused before anything is made."""

import time

import pytest

import gptlib
from gptlib import cli
from gptlib.formats import memory
from gptlib.formats.memory import check_memory, n_numbers


@pytest.mark.parametrize("shape", [(11, 8, 2, 2, 12), (5, 4, 1, 1, 2), (97, 40, 5, 3, 21)])
def test_the_number_of_weights_is_known_without_the_model(shape):
    config = gptlib.GPTConfig(*shape)
    assert n_numbers(config) == gptlib.GPT(config).n_params()


def test_gpt2_small_has_124_million_weights_and_needs_half_a_gigabyte(monkeypatch):
    config = gptlib.GPTConfig()
    assert n_numbers(config) == 124_439_808
    monkeypatch.setattr(memory, "total_memory", lambda: 10**9)
    check_memory(config)
    with pytest.raises(ValueError, match=r"needs 1\.5 GB of memory to train, .* has 1\.0 GB"):
        check_memory(config, copies=3)


@pytest.mark.parametrize("name", ["n_layer", "n_embd", "vocab_size", "block_size"])
@pytest.mark.parametrize("value", [10**12, 2**63 - 1])
def test_each_size_that_is_too_large_is_refused_in_one_short_line(name, value):
    shape = {"vocab_size": 11, "block_size": 8, "n_layer": 1, "n_head": 1, "n_embd": 4}
    began = time.monotonic()
    with pytest.raises(ValueError, match=f"{name} {value}.* GB of memory, and this computer has"):
        check_memory(gptlib.GPTConfig(**(shape | {name: value})))
    assert time.monotonic() - began < 1


def test_a_container_may_have_less_than_its_computer(tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text("4096000\n")
    monkeypatch.setattr(memory, "LIMITS", (str(tmp_path / "memory.max"),))
    assert memory.total_memory() == 4_096_000
    for text in ("max\n", "9223372036854771712\n", ""):
        (tmp_path / "memory.max").write_text(text)
        assert memory.total_memory() == memory._physical() > 10**8


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--n-layer", "1000000"], "n_layer 1000000"),
        (["--n-layer", "10000000", "--n-embd", "4", "--n-head", "1"], "n_layer 10000000"),
        (["--n-embd", "1" + "0" * 18], "n_embd 1000000000000000000"),
        (["--block-size", "1" + "0" * 15], "block_size 1000000000000000"),
    ],
)
def test_the_command_line_refuses_what_no_computer_holds_at_once(
    options, text, corpus, tmp_path, capsys
):
    began = time.monotonic()
    command = ["train", "--corpus", str(corpus), "--out", str(tmp_path / "run"), *options]
    assert cli.main([*command, "--device", "cpu"]) == 2
    assert time.monotonic() - began < 10
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and text in line and "of memory to train" in line
    assert not (tmp_path / "run").exists()


def test_a_vocabulary_larger_than_the_text_allows_is_still_no_error(corpus, tmp_path, capsys):
    command = ["train", "--corpus", str(corpus), "--out", str(tmp_path / "run"), "--steps", "1"]
    command += ["--vocab-size", "1" + "0" * 12, "--n-layer", "1", "--n-embd", "4", "--n-head", "1"]
    assert cli.main([*command, "--device", "cpu", "--quiet", "--batch-size", "2"]) == 0
    capsys.readouterr()
