"""Texts of any size to shards: where text is cut, what a break costs, how much memory it takes."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import memory
import numpy as np
import pytest
import torch
from chunked import GREEK, TEXT, prepare_in_small_chunks
from processes import CONTEXT, forked

import gptlib
from gptlib import corpora
from gptlib.scale import chunks, prepare, shards, workers
from gptlib.scale.shards import INDEX


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ---- A folder of shards ----


def test_the_ids_are_those_of_the_text_each_file_ended_by_the_stop_token(
    small, files, tokenizer, tmp_path
):
    made = prepare.prepare(files, tmp_path / "out", tokenizer, jobs=1)
    train = tokenizer.decode(made.train[:]).split(gptlib.tokenizer.END_OF_TEXT)
    heldout = tokenizer.decode(made.heldout).split(gptlib.tokenizer.END_OF_TEXT)
    assert [a + b for a, b in zip(train, heldout, strict=True)] == [TEXT, GREEK, ""]
    plain = tokenizer.encode(train[0]) + [tokenizer.eos_id] + tokenizer.encode(train[1])
    assert made.train[:].tolist() == [*plain, tokenizer.eos_id]
    assert len(list((tmp_path / "out").glob("*.ids"))) > 4


def test_several_processes_write_the_very_files_that_one_does(files, tokenizer, tmp_path):
    prepare.prepare(files, tmp_path / "one", tokenizer, jobs=1)
    prepare.prepare(files, tmp_path / "two", tokenizer, jobs=2)
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_a_tokenizer_is_learned_from_what_is_trained_on(small, files, tmp_path):
    made = prepare.prepare(files[:1], tmp_path / "out", vocab_size=280, jobs=1)
    train = made.tokenizer.decode(made.train[:-1])
    assert made.tokenizer == gptlib.Tokenizer.train(train, 280)


def test_a_sample_is_spread_over_a_long_text(small, files, monkeypatch):
    monkeypatch.setattr(prepare, "SAMPLE", 3000)
    seen = []
    monkeypatch.setattr(chunks.Chunk, "read", lambda chunk: seen.append(chunk) or "the cat")
    with pytest.warns(UserWarning):
        prepare.learn(files, 300)
    assert 5 < len(seen) < 15 and {c.path for c in seen} == set(map(str, files))


def test_a_large_vocabulary_has_ids_of_four_bytes(files, tmp_path, monkeypatch):
    assert prepare.SHORT == 1 + np.iinfo("<u2").max
    monkeypatch.setattr(prepare, "SHORT", 256)
    made = prepare.prepare(files, tmp_path / "out", gptlib.Tokenizer(), jobs=1)
    assert made.train[:20].tolist() == list(TEXT[:20].encode())
    assert shards.read_index(tmp_path / "out")["kind"] == "<u4"


# ---- Breaks ----


class Break(Exception):
    pass


@pytest.mark.parametrize("after", [0, 1, 3, 7, 17])
def test_the_same_call_goes_on_after_a_break_to_the_same_files(
    small, files, tokenizer, tmp_path, after, monkeypatch
):
    calls = []

    def report(n_bytes):
        calls.append(n_bytes)
        if len(calls) > after + 1:
            raise Break

    whole = prepare.prepare(files, tmp_path / "whole", tokenizer, jobs=1)
    with pytest.raises(Break):
        prepare.prepare(files, tmp_path / "out", tokenizer, jobs=1, report=report)
    with pytest.raises(ValueError, match="was cut off: run the same command again"):
        shards.open_shards(tmp_path / "out")
    (tmp_path / "out" / ".00001.ids.abc").write_text("half")  # what kill -9 leaves
    written, write = [], workers.Encoder.__call__
    monkeypatch.setattr(
        workers.Encoder, "__call__", lambda self, c: written.append(c) or write(self, c)
    )
    again = prepare.prepare(files, tmp_path / "out", tokenizer, jobs=1)
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert again.fingerprint == whole.fingerprint
    if after > 7:
        assert written[0].shard > 0  # and not all over again


def test_a_preparation_killed_at_random_moments_ends_with_the_same_files(files, tmp_path):
    files[0].write_text(TEXT * 400)

    def start(out):
        process = CONTEXT.Process(target=prepare_in_small_chunks, args=(files, tmp_path / out))
        process.start()
        return process

    for wait in (0.0, 0.1, 0.3):
        process, limit = start("out"), time.monotonic() + 60
        while not (tmp_path / "out" / INDEX).exists() and time.monotonic() < limit:
            time.sleep(0.01)
        time.sleep(wait)
        process.kill()
        process.join()
    for out in ("out", "whole"):
        process = start(out)
        process.join()
        assert process.exitcode == 0
    assert content(tmp_path / "out") == content(tmp_path / "whole")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_when_the_first_process_is_killed_the_others_end_too(files, tokenizer, tmp_path):
    files[0].write_text(TEXT * 2000)
    tokenizer.save(tmp_path / "tokenizer.json")
    command = [sys.executable, "-m", "gptlib", "prepare", files[0], "--out", tmp_path / "out"]
    command += ["--tokenizer", tmp_path, "--jobs", "2", "--quiet"]
    with subprocess.Popen(list(map(str, command))) as process:
        limit = time.monotonic() + 60
        while len(memory.family(process.pid)) < 4 and time.monotonic() < limit:
            time.sleep(0.05)
        family = memory.family(process.pid)
        process.send_signal(signal.SIGKILL)
    while any(map(memory.held, family)) and time.monotonic() < limit:
        time.sleep(0.05)
    assert len(family) > 3 and not any(map(memory.held, family))


def test_a_process_that_is_ended_from_outside_is_one_error_and_nothing_is_lost(
    files, tokenizer, tmp_path, monkeypatch
):
    class Future:
        def result(self):
            pass

    class Pool:
        def __init__(self, *args, **kwargs):
            pass

        def submit(self, function, *args):
            if args:
                raise workers.BrokenProcessPool("ended")
            return Future()

        def shutdown(self, **kwargs):
            pass

    with monkeypatch.context() as patch:
        patch.setattr(workers, "ProcessPoolExecutor", Pool)
        with pytest.raises(OSError, match="ended from outside.*run the same command again"):
            prepare.prepare(files, tmp_path / "out", tokenizer, jobs=2)
    prepare.prepare(files, tmp_path / "out", tokenizer, jobs=1)


def test_a_full_disk_leaves_the_shards_that_there_are(small, files, tokenizer, tmp_path):
    resource = pytest.importorskip("resource", reason="Windows sets no limit on a file's size")
    seen, limits = [], resource.getrlimit(resource.RLIMIT_FSIZE)

    def report(n_bytes):
        if len(list((tmp_path / "out").glob("0*.ids"))) == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))

    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(OSError, match="too large"):
            prepare.prepare(files, tmp_path / "out", tokenizer, jobs=1, report=report)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    left = shards.read_index(tmp_path / "out")
    assert len(left["shards"]) in (1, 2) and not left["complete"]
    prepare.prepare(files, tmp_path / "out", tokenizer, jobs=1, report=seen.append)
    assert seen[0] > 1000  # skipped: it was there


def test_what_changed_meanwhile_begins_anew_and_a_finished_corpus_is_not_replaced_unasked(
    small, files, tokenizer, tmp_path
):
    def broken(n_bytes):
        if n_bytes:
            raise Break

    out = tmp_path / "out"
    with pytest.raises(Break):
        prepare.prepare(files, out, tokenizer, jobs=1, report=broken)
    made = prepare.prepare(files[:1], out, tokenizer, jobs=1)  # other files
    assert len(made.train) == len(tokenizer.encode(TEXT)) + 2 - len(made.heldout)
    times = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    prepare.prepare(files[:1], out, tokenizer, jobs=1)  # done already
    assert times == {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    with pytest.raises(ValueError, match="holds a different corpus: use --overwrite"):
        prepare.prepare(files, out, tokenizer, jobs=1)
    prepare.prepare(files, out, tokenizer, jobs=1, overwrite=True)
    prepare.prepare(files[:1], out, tokenizer, jobs=1, overwrite=True)
    prepare.prepare(files[:1], tmp_path / "new", tokenizer, jobs=1)
    assert content(out) == content(tmp_path / "new")


def test_a_shard_that_was_damaged_during_the_break_is_made_again(small, files, tokenizer, tmp_path):
    prepare.prepare(files, tmp_path / "out", tokenizer, jobs=1)
    whole = content(tmp_path / "out")
    index = shards.read_index(tmp_path / "out")
    shards.write_index(tmp_path / "out", index | {"complete": False})
    (tmp_path / "out" / "00001.ids").write_bytes(b"damaged")
    prepare.prepare(files, tmp_path / "out", tokenizer, jobs=1)
    assert content(tmp_path / "out") == whole


def test_a_file_that_changes_while_it_is_read_is_refused(small, files, tokenizer, tmp_path):
    def report(n_bytes):
        os.utime(files[0], (1, 1))

    with pytest.raises(ValueError, match="changed while it was being read"):
        prepare.prepare(files, tmp_path / "out", tokenizer, jobs=1, report=report)


# ---- Bad input ----


@pytest.mark.parametrize("jobs", [1, 2])
def test_bytes_that_are_not_utf_8_are_named_by_file_and_place(files, tokenizer, tmp_path, jobs):
    files[0].write_bytes(TEXT.encode() + b"caf\xe9 " * 5)
    at = len(TEXT.encode()) + 3
    with pytest.raises(ValueError, match=f"one.txt: not UTF-8 at byte {at}: save it as UTF-8"):
        prepare.prepare(files, tmp_path / "out", tokenizer, jobs=jobs)


def test_what_is_no_text_is_refused_before_anything_is_written(tmp_path, tokenizer):
    out = tmp_path / "out"
    (tmp_path / "short").write_text("short")
    for files, text in (
        ([tmp_path / "absent"], "absent: no such file"),
        ([tmp_path], "is not a text file"),
        (["/dev/null"], "is not a text file"),
        ([tmp_path / "short"], "5 bytes together; a corpus needs 200"),
        ([], "0 bytes together"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=text):
            prepare.prepare(files, out, tokenizer)
    assert not out.exists()


def test_absurd_settings_are_refused(files, tmp_path):
    with pytest.raises(ValueError, match="jobs must be 1 or more, not 0"):
        prepare.prepare(files, tmp_path / "out", jobs=0)
    with pytest.raises(ValueError, match="vocab_size is 5"):
        prepare.prepare(files, tmp_path / "out", vocab_size=5)


def test_the_tokenizer_of_a_trained_model_is_not_written_over(pets, files, tmp_path):
    gptlib.save(tmp_path / "model", *pets)
    before = content(tmp_path / "model")
    with pytest.raises(ValueError, match="holds tokenizer.json but no shards.json"):
        prepare.prepare(files, tmp_path / "model", vocab_size=260)
    assert content(tmp_path / "model") == before


# ---- Training on it ----


def test_a_prepared_corpus_gives_the_losses_of_the_same_ids_in_memory(
    small, files, tokenizer, tmp_path
):
    made = prepare.prepare(files, tmp_path / "out", tokenizer, jobs=1)
    corpus = corpora.load(tmp_path / "out")
    assert corpus.fingerprint == made.fingerprint and "train=" in repr(corpus)
    config = gptlib.TrainConfig(steps=3, batch_size=4, eval_rows=2, device="cpu")
    shape = gptlib.GPTConfig(tokenizer.vocab_size, 8, 1, 1, 4)
    tokens, heldout = corpus.encode(tokenizer)
    stored = gptlib.Trainer(gptlib.GPT(shape, seed=0), tokens, config, heldout)
    whole = gptlib.Trainer(gptlib.GPT(shape, seed=0), tokens[:], config, heldout)
    assert [s.loss for s in stored] == [s.loss for s in whole] and stored.val_loss == whole.val_loss
    assert isinstance(whole.tokens, torch.Tensor) and not isinstance(stored.tokens, torch.Tensor)
    with pytest.raises(ValueError, match="was prepared with a different tokenizer"):
        corpus.encode(gptlib.Tokenizer())
    with pytest.raises(ValueError, match="is outside 0..99"):
        gptlib.Trainer(gptlib.GPT(gptlib.GPTConfig(100, 8, 1, 1, 4)), tokens)
    with pytest.raises(ValueError, match=re.escape(f"has {len(tokens)} tokens; block_size")):
        gptlib.Trainer(gptlib.GPT(gptlib.GPTConfig(300, len(tokens), 1, 1, 4)), tokens)


# ---- A gigabyte ----


def made_text(path, n_bytes, seed=0):
    """A text of 200,000 made words, of which a few are frequent and most are rare."""
    rng = np.random.default_rng(seed)
    letters = rng.integers(97, 123, (200_000, 12)).astype(np.uint8)
    lengths = rng.integers(1, 13, len(letters))
    words = [bytes(row[:n]).decode() for row, n in zip(letters, lengths, strict=True)]
    with open(path, "w", encoding="utf-8") as file:
        while file.tell() < n_bytes:
            ranks = np.minimum(rng.zipf(1.2, 200_000), len(words)) - 1
            chosen = [words[rank] for rank in ranks]
            file.writelines(" ".join(chosen[k : k + 15]) + ".\n" for k in range(0, 200_000, 15))


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted from /proc")
def test_a_gigabyte_is_prepared_and_trained_on_in_600_mb_above_the_baseline(
    tmp_path, record_property
):
    made_text(tmp_path / "large.txt", 10**9)
    held = memory.baseline()
    options = ["--out", tmp_path / "corpus", "--quiet"]
    preparing, out = memory.peak_of("prepare", tmp_path / "large.txt", *options)
    made = json.loads(out)
    options = "--steps 300 --n-layer 1 --n-embd 32 --batch-size 64 --device cpu --quiet".split()
    options = ["--corpus", tmp_path / "corpus", "--out", tmp_path / "run", *options]
    training, out = memory.peak_of("train", *options)
    above = f"prepare {(preparing - held) / 1e6:+.0f} MB, train {(training - held) / 1e6:+.0f} MB"
    done = f"{made['bytes']:,} bytes, {made['train_tokens']:,} tokens, {made['seconds']:.0f} s"
    record_property("soak", f"{done}; memory of all processes above {held / 1e6:.0f} MB: {above}")
    assert json.loads(out)["steps"] == 300 and made["train_tokens"] > 10**8
    assert preparing - held < 600e6 and training - held < 600e6


def test_a_second_preparation_of_one_folder_is_refused_in_one_line(files, tmp_path):
    out, refused = tmp_path / "out", []

    def second(n_bytes):
        if not refused:
            refused.append(forked(tmp_path, ["prepare", *files, "--out", out]))

    made = prepare.prepare(files, out, vocab_size=260, jobs=1, report=second)
    [(status, _, err)] = refused
    assert status == 2 and err.count(b"gptlib: ") == 1
    assert f"{out}: another program is writing into it".encode() in err
    assert shards.open_shards(out).fingerprint == made.fingerprint
