"""`gptlib tokenize`: the tokens of a text, one a line."""

import io

import pytest
from command import refused, run


def test_tokenize_prints_an_id_and_a_token_a_line(pets, capsys, monkeypatch):
    tokenizer = pets[1]
    status, out, _ = run(capsys, "tokenize", "The cat is")
    rows = [line.split() for line in out.splitlines()]
    assert status == 0 and [int(row[0]) for row in rows] == tokenizer.encode("The cat is")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"The cat is")))
    assert run(capsys, "tokenize", "-")[1] == out
    refused(run(capsys, "tokenize", "--model", "absent", "a"), "absent: no such folder")


@pytest.mark.parametrize("name", ["gpt2", "gpt2-xl"])
def test_tokenize_takes_gpt2s_tokenizer_by_name(gpt2_tokenizer, capsys, name):
    status, out, _ = run(capsys, "tokenize", "--model", name, "The cat is")
    assert status == 0
    assert [line.split() for line in out.splitlines()] == [
        *(["464", "The"], ["3797", "␣cat"], ["318", "␣is"])
    ]


def test_tokenize_takes_gpt2s_tokenizer_from_a_folder_of_its_files(
    gpt2_tokenizer, capsys, tmp_path
):
    gpt2_tokenizer.save_vocab(tmp_path)
    status, out, _ = run(capsys, "tokenize", "--model", str(tmp_path), "The cat is")
    assert status == 0 and out.split()[::2] == ["464", "3797", "318"]


def test_tokenize_needs_neither_network_nor_cache_for_gpt2s_tokenizer(
    capsys, tmp_path, monkeypatch
):
    monkeypatch.setenv("GPTLIB_CACHE", str(tmp_path / "nowhere"))
    status, out, _ = run(capsys, "tokenize", "--model", "gpt2", "a")
    assert status == 0 and out.split() == ["64", "a"] and not list(tmp_path.iterdir())
