"""What the tests of chunks, workers and prepared corpora share."""

import os
from multiprocessing import forkserver

import pytest
from chunked import GREEK, TEXT

import gptlib
from gptlib.scale import chunks


@pytest.fixture(scope="session", autouse=True)
def imported_for_all():
    """The first process that is started decides what all later ones find imported already."""
    if os.name != "nt":
        import processes  # noqa: F401  says what that is

        forkserver.ensure_running()


@pytest.fixture
def small(monkeypatch):
    """Chunks and shards so small that a text of a few kilobytes has many of them."""
    for name, size in {"CHUNK": 300, "WINDOW": 64, "SHARD": 1500, "HELDOUT": 500}.items():
        monkeypatch.setattr(chunks, name, size)


@pytest.fixture
def files(tmp_path):
    found = [tmp_path / "one.txt", tmp_path / "two.txt"]
    for path, text in zip(found, (TEXT, GREEK), strict=True):
        path.write_bytes(text.encode())
    return found


@pytest.fixture(scope="module")
def tokenizer():
    return gptlib.Tokenizer.train(TEXT + GREEK, 300)
