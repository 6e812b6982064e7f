"""Tiny runs and preparations by the command."""

import pytest
from command import TINY, run


@pytest.fixture
def train(corpus, tmp_path, capsys):
    """train(out, ...): (exit status, stdout, stderr) of a tiny run."""

    def start(out="run", *options, corpus=corpus):
        argv = ["train", "--corpus", str(corpus), "--out", str(tmp_path / out), *TINY, *options]
        return run(capsys, *argv)

    return start


@pytest.fixture
def prepare(corpus, tmp_path, capsys):
    """prepare(...): (exit status, stdout, stderr) of `gptlib prepare` into tmp_path / "shards"."""

    def start(*options, corpus=corpus, out="shards"):
        argv = ["prepare", str(corpus), "--out", str(tmp_path / out), "--quiet", *options]
        return run(capsys, *argv)

    return start
