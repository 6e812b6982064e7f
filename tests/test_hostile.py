"""Every kind of file that is read, cut short or with a byte flipped: one line, or no harm.

Never a traceback of another kind, a hang, memory beyond twice the file, or anything run.
Quick here at a few places of each file, and with `make soak` at 500.
"""

import base64
import json
import operator
import random
import shutil
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from tiny import random_ids

import gptlib
from gptlib.formats.hf import to_hf_tensors
from gptlib.scale.prepare import prepare
from gptlib.scale.shards import open_shards
from gptlib.storage import checkpoint
from gptlib.storage.runs import LOG, read_log

TEXT = "The cat is sleeping. The dog is on the sofa.\n" * 300
FORBIDDEN = ("pickle.find_class", "os.system", "os.exec", "subprocess.Popen", "socket.connect")
SLACK = 192 * 2**20  # bytes: what threads and allocators reserve, without using it
SLOWEST = 20.0  # seconds of computing: those of the clock would also count other programs


def model_of(folder):
    model, tokenizer = gptlib.load(folder)
    shape = [model.config.n_layer, model.config.n_head, model.config.block_size]
    return [tokenizer.merges, tokenizer.special_tokens, shape, model(random_ids(model)).tolist()]


def training_of(folder):
    tensors, numbers = checkpoint.load_training(folder)
    return [{name: t.tolist() for name, t in tensors.items()}, numbers]


def history_of(folder):
    steps = checkpoint.history_steps(folder)
    models = [gptlib.load(folder, step=step)[0] for step in steps]
    return [gptlib.load_history(folder), [m(random_ids(m)).tolist() for m in models]]


def vocab_of(folder):
    tokenizer = gptlib.Tokenizer.from_vocab(folder / "vocab")
    return [tokenizer.merges, tokenizer.special_tokens, tokenizer.byte_ids]


def shards_of(folder):
    made = open_shards(folder / "corpus")
    return [made.fingerprint, made.tokenizer.merges, made.heldout.tolist(), made.train[:].tolist()]


def log_of(folder):
    return [list(step) for step in read_log(folder)]


def ranks_of(folder):
    tokenizer = gptlib.Tokenizer.from_tiktoken(folder / "ranks.tiktoken")
    return [tokenizer.token_bytes(id) for id in range(tokenizer.vocab_size - 1)]


READERS = {
    "config.json": model_of,
    "model.safetensors": model_of,
    "tokenizer.json": model_of,
    "training.safetensors": training_of,
    "history.safetensors": history_of,
    "history.json": history_of,
    "vocab/vocab.json": vocab_of,
    "vocab/merges.txt": vocab_of,
    "vocab/added_tokens.json": vocab_of,
    "corpus/00000.ids": shards_of,
    "corpus/00001.ids": shards_of,
    "corpus/shards.json": shards_of,
    "corpus/tokenizer.json": shards_of,
}
LISTS = {"log.jsonl": log_of, "ranks.tiktoken": ranks_of}  # a row a line, and no checksum


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with every kind of file."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "text").write_text(TEXT)
    corpus = prepare([folder / "text"], folder / "corpus", vocab_size=270, jobs=1)
    config = gptlib.GPTConfig(270, 16, 2, 2, 4)
    run = gptlib.Trainer(
        gptlib.GPT(config, seed=0),
        corpus.train,
        gptlib.TrainConfig(steps=4, batch_size=2, device="cpu"),
        corpus.heldout,
    )
    run.update(), run.update()
    gptlib.save(folder, run.model, corpus.tokenizer, training=run)
    snapshots = {k: to_hf_tensors(gptlib.GPT(config, seed=k)) for k in (0, 20)}
    losses = {"loss": [[1, 5.5], [2, 5.25]], "val_loss": [[2, 5.125]], "floor": 1.5}
    checkpoint.save_history(folder, snapshots, losses)
    corpus.tokenizer.save_vocab(folder / "vocab")
    (folder / LOG).write_text("".join(json.dumps(s._asdict()) + "\n" for s in run.history * 20))
    tokens = [corpus.tokenizer.token_bytes(id) for id in range(corpus.tokenizer.vocab_size - 1)]
    ranks = [f"{base64.b64encode(token).decode()} {id}\n" for id, token in enumerate(tokens)]
    (folder / "ranks.tiktoken").write_text("".join(ranks))
    return folder


@pytest.fixture
def folder(made, tmp_path):
    shutil.copytree(made, tmp_path / "f")
    return tmp_path / "f"


watched = {"now": False, "seen": []}


def _watch(event, arguments):
    if watched["now"] and event in FORBIDDEN:
        watched["seen"].append(event)


sys.addaudithook(_watch)  # for good, as all of them


@contextmanager
def bounded(size):
    """Nothing is run meanwhile, and no more memory taken than twice `size` and some slack."""
    watched.update(now=True, seen=[])
    limits = None
    if sys.platform == "linux":
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limits = resource.getrlimit(resource.RLIMIT_AS)
        most = pages * resource.getpagesize() + 2 * size + SLACK
        resource.setrlimit(resource.RLIMIT_AS, (most, limits[1]))
    try:
        yield
    finally:
        watched["now"] = False
        if limits:
            resource.setrlimit(resource.RLIMIT_AS, limits)
        assert not watched["seen"]


def beginning(found, right):
    return found == right[: len(found)]


def but_for_a_row(found, right):
    """As it was, but for the row that was hit; where its end was, the next one is in it too."""
    same = sum(row in right for row in found)
    return len(right) - 2 <= same <= len(found) <= len(right) + 1


def outcome(folder, read, right, size, fits=operator.eq):
    """1 if the folder is refused in one line, 0 if it reads as it should; else it fails."""
    began = time.process_time()
    try:
        with bounded(size):
            found = read(folder)
        assert fits(found, right)
        return 0
    except (ValueError, FileNotFoundError) as error:
        assert "\n" not in str(error) and str(folder) in str(error), error
        return 1
    finally:
        assert time.process_time() - began < SLOWEST


def cut_short(folder, name, places=100):
    read, path = (READERS | LISTS)[name], folder / name
    fits = beginning if name in LISTS else operator.eq
    right, whole = read(folder), path.read_bytes()
    refused = 0
    for k in range(places):
        path.write_bytes(whole[: len(whole) * k // places])
        refused += outcome(folder, read, right, len(whole), fits)
    return refused


def flip(folder, name, places):
    read, path, rng = (READERS | LISTS)[name], folder / name, random.Random(name)
    fits = but_for_a_row if name in LISTS else operator.eq
    right, whole = read(folder), path.read_bytes()
    refused = 0
    for _ in range(places):
        data = bytearray(whole)
        data[rng.randrange(len(data))] ^= rng.randint(1, 255)
        path.write_bytes(data)
        refused += outcome(folder, read, right, len(whole), fits)
    return refused


@pytest.mark.parametrize("name", READERS)
def test_a_file_cut_short_at_any_twentieth_is_refused_in_one_line(folder, name):
    assert cut_short(folder, name, 20) >= 19  # a list may lack just its last newline


@pytest.mark.parametrize("name", READERS)
def test_a_file_with_a_flipped_byte_is_refused_in_one_line_or_reads_the_same(folder, name):
    assert flip(folder, name, 25) > 0


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_is_damaged_gives_its_other_rows_or_is_refused_in_one_line(folder, name):
    whole = (folder / name).read_bytes()
    cut_short(folder, name, 20)
    (folder / name).write_bytes(whole)
    assert flip(folder, name, 100) > 0


@pytest.mark.soak
@pytest.mark.parametrize("name", READERS | LISTS)
def test_100_cuts_and_500_flips_of_each_file(folder, name, record_property):
    whole = (folder / name).read_bytes()
    cuts = cut_short(folder, name)
    (folder / name).write_bytes(whole)
    flips = flip(folder, name, 500)
    text = f"{name}, {len(whole):,} bytes: refused {cuts} of 100 cuts and {flips} of 500 flips"
    rest = "lack the rows that were hit" if name in LISTS else "read as the whole file does"
    record_property("soak", f"{text}; the others {rest}; lost: 0")
    assert flips > 250 and (cuts >= 99 or name in LISTS)


def test_a_number_of_heads_that_was_changed_is_refused(folder):
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace('"n_head": 2', '"n_head": 4'))
    with pytest.raises(ValueError, match="was saved with n_head 2; config.json has 4"):
        gptlib.load(folder)


def test_one_bit_of_one_weight_is_noticed_and_its_tensor_named(folder):
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(ValueError, match=r"damaged: the checksum of transformer\.\S+ is wrong"):
        gptlib.load(folder)


def test_files_without_checksums_open_as_those_of_other_tools_do(folder):
    from safetensors.torch import load_file, save_file

    right = model_of(folder)
    tensors = load_file(folder / "model.safetensors")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    assert model_of(folder) == right
    path = folder / "history.json"
    path.write_text('{"loss": [], "val_loss": [], "floor": null}')
    assert gptlib.load_history(folder).floor is None
    path.write_text('{"loss": [], "val_loss": [], "floor": "low"}')
    with pytest.raises(ValueError, match="history.json: not a history"):
        gptlib.load_history(folder)


@pytest.mark.parametrize("sums", ["[]", "{", "[" * 100_000, '{"n_head": 1}', '{"odd": 1}', "1"])
def test_checksums_that_are_none_are_refused(folder, sums):
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    metadata = {"format": "pt", "n_head": "2", "crc32": sums}
    save_file(tensors, folder / "model.safetensors", metadata=metadata)
    with pytest.raises(ValueError, match=r"model\.safetensors: .*damaged"):
        gptlib.load(folder)


def test_a_tensors_name_that_would_break_the_line_is_refused(folder):
    data = (folder / "model.safetensors").read_bytes()
    before, _, after = data.rpartition(b"ln_f.bias")  # the first one is among the checksums
    (folder / "model.safetensors").write_bytes(before + rb"ln_f\nias" + after)
    with pytest.raises(ValueError, match=r"'transformer.ln_f\\nias' is not the name of a tensor"):
        gptlib.load(folder)


def test_the_watchers_see_what_they_watch_for(folder):
    import pickle

    with pytest.raises(AssertionError):
        with bounded(0):
            pickle.loads(pickle.dumps(print))
    if sys.platform == "linux":
        with pytest.raises((MemoryError, RuntimeError)):
            with bounded(0):
                torch.zeros(2**28)
