"""A prepared corpus: ids by their places, and folders that are damaged."""

import json
import os
import random
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gptlib
from gptlib.scale import shards
from gptlib.scale.prepare import prepare
from gptlib.scale.shards import INDEX, StoredTokens, open_shards

TEXT = "The cat is sleeping. The dog is on the sofa.\n" * 200


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A prepared folder as {name: bytes}."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "text").write_text(TEXT)
    prepare([folder / "text"], folder / "out", vocab_size=270, jobs=1)
    return {path.name: path.read_bytes() for path in (folder / "out").iterdir()}


@pytest.fixture
def folder(whole, tmp_path):
    for name, data in whole.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def refusal(folder):
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        open_shards(folder)
    line = str(caught.value)
    assert "\n" not in line and str(folder) in line
    return line


# ---- Ids by their places ----


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The numbers 0..999 in files of 1, 300, 2 and 697."""
    folder, files = tmp_path_factory.mktemp("stored"), []
    for k, part in enumerate(np.split(np.arange(1000, dtype="<u2"), [1, 301, 303])):
        files.append(folder / f"{k}")
        files[-1].write_bytes(part.tobytes())
    return StoredTokens(files, "<u2", 999)


@settings(deadline=None)
@given(st.lists(st.integers(0, 999), max_size=40), st.booleans())
def test_ids_come_by_their_places_from_whatever_file(stored, places, as_column):
    places = torch.tensor(places, dtype=torch.int64)
    places = places[:, None] if as_column else places
    assert torch.equal(stored[places], places) and stored[places].dtype == torch.int64


@settings(deadline=None)
@given(st.lists(st.integers(), min_size=1, max_size=5).filter(lambda p: min(p) < 0 or max(p) > 999))
def test_a_place_outside_is_an_index_error(stored, places):
    places = torch.tensor([max(-(2**62), min(2**62, p)) for p in places])
    with pytest.raises(IndexError, match=r"places must be in 0\.\.999"):
        stored[places]


def test_length_slices_and_looks(stored):
    assert len(stored) == 1000 and stored[:].tolist() == list(range(1000))
    assert stored[299:304].tolist() == [299, 300, 301, 302, 303] and stored[-1:].tolist() == [999]
    assert repr(stored) == "StoredTokens(1,000 ids in 4 files)"
    empty = StoredTokens([], "<u2", -1)
    assert len(empty) == 0 and empty[:].tolist() == []


# ---- Damage ----


@pytest.fixture
def in_use(folder):
    """(its ids, of which some were read already; the file where they begin)."""
    tokens = open_shards(folder).train
    assert tokens[:4].tolist() == tokens[torch.arange(4)].tolist()
    return tokens, folder / "00000.ids"


@pytest.mark.parametrize("size", [0, 1, 100, -1])
def test_a_shard_that_is_cut_short_while_in_use_is_an_error_and_no_crash(in_use, size):
    tokens, file = in_use
    with open(file, "r+b") as opened:
        opened.truncate(size if size >= 0 else file.stat().st_size + size)
    for places in (slice(0, 4), slice(None), torch.tensor([len(tokens) - 1])):
        with pytest.raises(ValueError, match=f"{file}: was changed by another program"):
            tokens[places]


def test_a_shard_that_is_replaced_or_removed_while_in_use_is_named(in_use):
    tokens, file = in_use
    data = file.read_bytes()
    file.rename(file.with_suffix(".old"))
    with pytest.raises(FileNotFoundError, match=str(file)):
        tokens[:4]
    file.write_bytes(data[::-1])
    with pytest.raises(ValueError, match=f"{file}: was changed by another program"):
        tokens[:4]
    file.with_suffix(".old").replace(file)
    os.utime(file)  # touched, and no more than that
    assert len(tokens[:4]) == 4


def test_ids_are_read_wherever_the_program_goes(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder.parent)
    tokens = open_shards(folder.name).train
    monkeypatch.chdir("/")
    assert len(tokens[:4]) == 4


def test_a_prepared_folder_opens(folder):
    made = open_shards(folder)
    text = made.tokenizer.decode(made.train[:-1]) + made.tokenizer.decode(made.heldout[:-1])
    assert text == TEXT


@pytest.mark.parametrize("name", ["00000.ids", "00001.ids", INDEX, "tokenizer.json"])
def test_a_file_cut_short_at_any_hundredth_is_refused_in_one_line(folder, whole, name):
    for percent in range(100):
        (folder / name).write_bytes(whole[name][: len(whole[name]) * percent // 100])
        assert name in refusal(folder)


@pytest.mark.parametrize("name", ["00000.ids", "00001.ids", INDEX, "tokenizer.json"])
def test_a_flipped_byte_is_refused_in_one_line_or_loads_the_same(folder, whole, name):
    rng, fingerprint = random.Random(0), open_shards(folder).fingerprint
    refused = 0
    for _ in range(150):
        data = bytearray(whole[name])
        data[rng.randrange(len(data))] ^= rng.randint(1, 255)
        (folder / name).write_bytes(data)
        try:
            assert open_shards(folder).fingerprint == fingerprint
        except ValueError as error:
            refused += 1
            assert "\n" not in str(error) and str(folder) in str(error)
    assert refused > 140 if name != INDEX else refused > 100


@pytest.mark.parametrize("name", ["00000.ids", INDEX, "tokenizer.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    assert f"there is no {name} in it" in refusal(folder)


def test_files_that_are_something_else_are_refused(folder):
    for data in (b"", b"[]", b"null", b"[" * 100_000, b"\xff\xfe", b'{"format": 1}', b'"' * 99):
        (folder / INDEX).write_bytes(data)
        assert INDEX in refusal(folder)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"complete": False}, "was cut off"),
        ({"complete": 1}, "complete is missing, or not a bool"),
        ({"kind": "<f8"}, "kind must be one of"),
        ({"kind": "<u4"}, r"00000.ids: has \d+ bytes"),
        ({"shards": None}, "shards is missing, or not a list"),
        ({"shards": [1]}, r"shards\[0\] is not file, part"),
        ({"file": "../other.ids"}, r"shards\[0\]"),
        ({"file": "/etc/passwd"}, r"shards\[0\]"),
        ({"file": "99999.ids"}, "there is no 99999.ids"),
        ({"part": "test"}, r"shards\[0\]"),
        ({"tokens": 0}, r"shards\[0\]"),
        ({"tokens": 10**30}, "00000.ids: has"),
        ({"tokens": True}, r"shards\[0\]"),
        ({"sha256": "x"}, "its SHA-256 is not"),
    ],
)
def test_an_index_that_says_what_cannot_be_is_refused(folder, changes, text):
    index = shards.read_index(folder)
    for name, value in changes.items():
        if name in index:
            index[name] = value
        else:
            index["shards"][0][name] = value
    shards.write_index(folder, index)
    assert re.search(text, refusal(folder))


def test_ids_that_the_tokenizer_does_not_have_are_refused(folder, whole):
    index = shards.read_index(folder)
    data = bytearray(whole["00000.ids"])
    data[10:12] = (60_000).to_bytes(2, "little")
    (folder / "00000.ids").write_bytes(data)
    index["shards"][0]["sha256"] = shards._sha256([bytes(data)])
    shards.write_index(folder, index)
    assert "a shard has the id 60000, the tokenizer 0..269" in refusal(folder)


def test_an_index_of_absurd_size_is_not_read(folder, monkeypatch):
    monkeypatch.setattr(shards, "LARGEST_INDEX", 100)
    assert "has more than 100 bytes" in refusal(folder)


def test_a_folder_without_shards_is_no_corpus(tmp_path):
    assert "there is no shards.json" in refusal(tmp_path)
    with pytest.raises(ValueError, match="is a folder; name a text file in it, or prepare"):
        gptlib.corpora.load(tmp_path)


def test_examples_in_the_docstrings_are_true():
    assert shards.shard_file(12) == "00012.ids" and shards.shard_number("00012.ids") == "00012"
    assert json.loads("1") and shards.shard_number("x/00012.ids") is None


def test_a_key_twice_or_infinity_in_the_index_is_refused_by_name(folder):
    text = (folder / INDEX).read_text()
    (folder / INDEX).write_text(text.replace('"kind"', '"kind": "<u4", "kind"', 1))
    assert "'kind' appears twice in one object" in refusal(folder)
    (folder / INDEX).write_text(text.replace('"complete": true', '"complete": Infinity'))
    assert "Infinity is not a number in JSON" in refusal(folder)
