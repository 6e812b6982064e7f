"""`gptlib prepare`: a corpus to train on, from files of any size."""

import json
import os

import pytest
from command import refused, start

import gptlib
from gptlib import corpora


def test_a_prepared_corpus_is_trained_on_and_a_run_on_it_taken_up_again(prepare, train, tmp_path):
    status, out, err = prepare("--vocab-size", "260")
    made = json.loads(out)
    assert (status, err) == (0, "") and made["vocab_size"] == 260 and made["train_tokens"] > 1000
    shards = tmp_path / "shards"
    status, out, err = train("whole", corpus=shards)
    assert status == 0 and json.loads(out)["vocab_size"] == 260, err
    assert gptlib.load(tmp_path / "whole")[1] == corpora.load(shards).tokenizer
    for steps in ("5", "12"):
        status, out, err = train("again", "--steps", steps, "--resume", corpus=shards)
        assert status == 0 and json.loads(out)["steps"] == int(steps), err
    prepare("--vocab-size", "262", out="others")
    others = tmp_path / "others"
    refused(train("whole", "--resume", "--vocab-size", "262", corpus=others), "a different corpus")
    refused(train("new", corpus=others), "--vocab-size 260")
    assert not (tmp_path / "new").exists()


def test_prepare_takes_the_tokenizer_of_a_model_and_refuses_in_one_line(prepare, pets, tmp_path):
    status, out, err = prepare("--tokenizer", "pets", "--jobs", "1")
    assert status == 0 and json.loads(out)["vocab_size"] == pets[1].vocab_size, err
    refused(prepare("--tokenizer", "pets", "--vocab-size", "300"), "leave out one of them")
    refused(prepare("--vocab-size", "300"), "holds a different corpus: use --overwrite")
    refused(prepare("--jobs", "0"), "must be 1 or more")
    refused(prepare(corpus=tmp_path / "absent"), "absent: no such file")
    status, out, err = prepare("--vocab-size", "300", "--overwrite")
    assert status == 0 and json.loads(out)["vocab_size"] == 300
    (tmp_path / "shards" / "00000.ids").write_bytes(b"x")
    refused(prepare("--vocab-size", "300"), "00000.ids: has 1 bytes")


@pytest.mark.skipif(os.name == "nt", reason="Windows counts the whole path")
def test_a_long_name_of_the_folder_for_temporary_files_does_not_matter(corpus, tmp_path):
    """The sockets by which processes are started must have names of about 100 letters."""
    long = tmp_path / ("x" * 230)
    long.mkdir()
    options = [corpus, "--vocab-size", "260", "--quiet", "--jobs"]
    for jobs, place in (("1", tmp_path), ("2", long)):
        environment = os.environ | {"TMPDIR": str(place)}
        process = start("prepare", *options, jobs, "--out", tmp_path / jobs, env=environment)
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
        if said:
            assert b"this one works alone" in said and said.count(b"\n") == 1
    for file in (tmp_path / "1").iterdir():
        assert file.read_bytes() == (tmp_path / "2" / file.name).read_bytes()
    assert not list(long.iterdir())
