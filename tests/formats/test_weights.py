"""gptlib.formats.weights: read by place, and held against config and checksums."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file, save_model
from tiny import random_ids

import gptlib
from gptlib.formats import weights
from gptlib.formats.tensor_file import TensorFile


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A folder with a model of the 124M shape; 500 MB, all of them 1.0, which is soon written."""
    folder = tmp_path_factory.mktemp("small")
    model = weights.without_numbers(gptlib.GPT, gptlib.GPTConfig()).to_empty(device="cpu")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
    model.save_pretrained(folder)
    yield folder
    shutil.rmtree(folder)


# ---- Files are read by place ----


@pytest.fixture
def loaded(tmp_path, config):
    """(a model of a folder, its weights' file)."""
    gptlib.save(tmp_path, gptlib.GPT(config, seed=0))
    return gptlib.GPT.from_pretrained(tmp_path), tmp_path / "model.safetensors"


def test_a_model_outlives_whatever_happens_to_its_file(loaded, config):
    model, path = loaded
    before = model(random_ids(model)).clone()
    other = gptlib.GPT(config, seed=1)
    gptlib.save(path.parent / "other", other)
    with open(path, "r+b") as file:  # as `cp other.safetensors model.safetensors` does
        file.write((path.parent / "other" / "model.safetensors").read_bytes())
    assert torch.equal(model(random_ids(model)), before)
    os.truncate(path, 100)
    assert torch.equal(model(random_ids(model)), before)


def test_no_file_of_weights_is_mapped_into_memory(small):
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("only Linux says what is mapped")
    model = gptlib.GPT.from_pretrained(small)  # 500 MB
    assert str(small) not in maps.read_text()
    assert model.h[0].attn.c_attn.weight.is_contiguous()


def change_last_byte(path):
    """The same again makes it what it was."""
    with open(path, "r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)[0]
        file.seek(-1, 2)
        file.write(bytes([last ^ 1]))


def test_a_large_file_with_a_changed_byte_is_refused_too(small):
    change_last_byte(small / "model.safetensors")
    try:
        with pytest.raises(ValueError, match=r"model\.safetensors: damaged: the checksum of"):
            gptlib.GPT.from_pretrained(small)
    finally:
        change_last_byte(small / "model.safetensors")


def test_several_threads_read_what_one_thread_reads(loaded, two_threads, monkeypatch):
    model, path = loaded
    monkeypatch.setattr(weights, "LARGE", 0)
    readers, real = set(), TensorFile.read

    def read(*args):
        readers.add(threading.current_thread().name)
        return real(*args)

    monkeypatch.setattr(TensorFile, "read", read)
    again = gptlib.GPT.from_pretrained(path.parent)
    assert threading.current_thread().name not in readers
    for name, weight in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight), name


LOAD = """
import sys, gptlib
def peak():
    return 1024 * next(int(l.split()[1]) for l in open("/proc/self/status") if "VmHWM" in l)
before = peak()
model = gptlib.GPT.from_pretrained(sys.argv[1])
print((peak() - before) / (4 * model.n_params()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux says what a process held at most")
def test_opening_takes_the_memory_of_the_model_about_once(small):
    command = [sys.executable, "-c", LOAD, str(small)]
    times = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert 0.9 < times < 1.1


def test_a_file_that_changes_while_it_is_read_is_refused(loaded, monkeypatch):
    _, path = loaded
    real = TensorFile.read

    def read(*args):
        with open(path, "ab") as file:
            file.write(b"more")
        return real(*args)

    monkeypatch.setattr(TensorFile, "read", read)
    with pytest.raises(ValueError, match="was changed by another program while it was being read"):
        gptlib.GPT.from_pretrained(path.parent)
    monkeypatch.setattr(TensorFile, "read", lambda *a: os.truncate(path, 3000) or real(*a))
    with pytest.raises(ValueError, match="model.safetensors: .*(not a whole|became shorter)"):
        gptlib.GPT.from_pretrained(path.parent)


# ---- The tied head under its other name ----


def test_a_file_that_keeps_the_tied_matrix_as_the_head_alone_is_the_same_model(tmp_path):
    transformers = pytest.importorskip("transformers")
    shape = dict(vocab_size=97, n_positions=40, n_layer=2, n_head=2, n_embd=16)
    config = transformers.GPT2Config(**shape, bos_token_id=0, eos_token_id=0)
    theirs = transformers.GPT2LMHeadModel(config)
    theirs.save_pretrained(tmp_path)
    expected = gptlib.GPT.from_pretrained(tmp_path)
    save_model(theirs, str(tmp_path / "model.safetensors"))
    names = load_file(tmp_path / "model.safetensors")
    assert "lm_head.weight" in names and "transformer.wte.weight" not in names
    found = gptlib.GPT.from_pretrained(tmp_path)
    for name, tensor in expected.state_dict().items():
        assert torch.equal(found.state_dict()[name], tensor), name
    assert found.lm_head.weight is found.wte.weight


def test_a_head_beside_the_embedding_is_the_same_or_is_refused(tmp_path, config):
    gptlib.save(tmp_path, gptlib.GPT(config, seed=0))
    weights = load_file(tmp_path / "model.safetensors")
    head = weights["transformer.wte.weight"].clone()
    save_file(weights | {"lm_head.weight": head}, tmp_path / "model.safetensors")
    assert torch.equal(gptlib.GPT.from_pretrained(tmp_path).wte.weight, head)
    save_file(weights | {"lm_head.weight": head + 1}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="lm_head.weight is not wte.weight"):
        gptlib.GPT.from_pretrained(tmp_path)


# ---- Shapes ----


def test_200_000_layers_named_in_a_file_are_refused_at_once(tmp_path):
    """The file has 12 MB and an empty tensor of each layer."""
    gptlib.save(tmp_path, gptlib.GPT(gptlib.GPTConfig(11, 8, 1, 1, 2)))
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace('"n_layer": 1', '"n_layer": 200000'))
    empty = json.dumps({"dtype": "F32", "shape": [0], "data_offsets": [0, 0]})
    rows = (f'"h.{i}.ln_1.bias": {empty}' for i in range(200_000))
    text = f"{{{', '.join(rows)}}}".encode()
    assert len(text) > 12e6
    (tmp_path / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    began = time.process_time()
    with pytest.raises(ValueError) as caught:
        gptlib.GPT.from_pretrained(tmp_path)
    assert time.process_time() - began < 10
    assert "the tensor wte.weight is missing" in str(caught.value)


def test_a_subclass_with_a_parameter_that_no_file_has_is_refused_in_one_line(tmp_path, config):
    class More(gptlib.GPT):
        def __init__(self, config):
            super().__init__(config)
            self.more = torch.nn.Parameter(torch.zeros(2))

    gptlib.save(tmp_path, gptlib.GPT(config))
    with pytest.raises(ValueError, match="the tensor more of a More is missing"):
        More.from_pretrained(tmp_path)
