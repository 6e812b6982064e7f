"""gptlib.tensor_files: weights in one file or in several, and one line for each damage."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny import random_ids

import gptlib
from gptlib.formats.tensors import write_tensors

WEIGHTS, INDEX, PICKLE = "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"
PARTS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


@pytest.fixture
def folder(model, tmp_path):
    gptlib.save(tmp_path, model)
    return tmp_path


@pytest.fixture
def cut(folder):
    """The same model, its tensors dealt out over two files."""
    found = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    where = {name: PARTS[i % 2] for i, name in enumerate(sorted(found))}
    for part in PARTS:
        save_file({k: t for k, t in found.items() if where[k] == part}, folder / part)
    index = {"metadata": {"total_size": 1}, "weight_map": where}
    (folder / INDEX).write_text(json.dumps(index))
    return folder


def refusal(folder):
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        gptlib.GPT.from_pretrained(folder)
    line = str(caught.value)
    assert "\n" not in line and str(folder) in line
    return line


def map_to(folder, name, part):
    values = json.loads((folder / INDEX).read_text())
    values["weight_map"][name] = part
    (folder / INDEX).write_text(json.dumps(values))


# ---- Several files ----


def test_a_model_in_several_files_is_the_same_model(cut, model):
    ids = random_ids(model)
    assert torch.equal(gptlib.GPT.from_pretrained(cut)(ids), model(ids))


def test_what_transformers_cuts_into_several_files_opens(tmp_path, config):
    transformers = pytest.importorskip("transformers")
    shape = dict(vocab_size=11, n_positions=8, n_layer=2, n_head=2, n_embd=12)
    torch.manual_seed(0)
    theirs = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(**shape, bos_token_id=0, eos_token_id=0)
    ).eval()
    theirs.save_pretrained(tmp_path, max_shard_size="5KB")
    assert not (tmp_path / WEIGHTS).exists() and len(list(tmp_path.glob("*.safetensors"))) > 2
    ours = gptlib.GPT.from_pretrained(tmp_path)
    ids = random_ids(ours)
    torch.testing.assert_close(ours(ids), theirs(ids).logits, atol=1e-5, rtol=0)


def test_a_save_over_several_files_is_what_opens_next(cut, config):
    other = gptlib.GPT(config, seed=5)
    other.save_pretrained(cut)
    assert torch.equal(gptlib.GPT.from_pretrained(cut).wte.weight, other.wte.weight)


def test_a_part_that_is_missing_or_cut_short_is_named(cut):
    whole = (cut / PARTS[1]).read_bytes()
    for size in range(0, len(whole), len(whole) // 20):
        (cut / PARTS[1]).write_bytes(whole[:size])
        assert f"{PARTS[1]}: not a whole safetensors file" in refusal(cut)
    (cut / PARTS[1]).unlink()
    assert f"there is no {PARTS[1]} in it" in refusal(cut)


def test_an_index_that_names_the_wrong_file_is_refused_by_tensor_and_file(cut):
    map_to(cut, "transformer.ln_f.bias", PARTS[1])
    line = refusal(cut)
    assert f"{PARTS[1]}: the tensor transformer.ln_f.bias is missing" in line
    map_to(cut, "transformer.ln_f.bias", PARTS[0])
    map_to(cut, "transformer.odd", PARTS[0])
    assert f"{PARTS[0]}: the tensor transformer.odd is missing; {INDEX} says" in refusal(cut)


@pytest.mark.parametrize(
    "name", ["../other.safetensors", "/x.safetensors", PICKLE, 1, None, ".safetensors", "a\\b"]
)
def test_an_index_reaches_no_file_but_safetensors_beside_it(cut, name):
    map_to(cut, "transformer.ln_f.bias", name)
    assert "weight_map.transformer.ln_f.bias is" in refusal(cut)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": {}}', '{"weight_map": [1]}'])
def test_an_index_that_is_none_is_refused(cut, text):
    (cut / INDEX).write_text(text)
    assert INDEX in refusal(cut)


def test_a_tensor_that_no_file_holds_is_missing_from_the_index(cut):
    values = json.loads((cut / INDEX).read_text())
    del values["weight_map"]["transformer.ln_f.bias"]
    (cut / INDEX).write_text(json.dumps(values))
    assert f"{INDEX}: the tensor ln_f.bias is missing; config.json asks for (12,)" in refusal(cut)


def write(path, header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def row(shape, start, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize("name", ["n" * 5 * 2**20, "a\nb", "a\u202eb"])
def test_a_name_that_would_spoil_a_line_is_shown_in_short(cut, name):
    write(cut / PARTS[0], {name: row([1], 0, 4)}, b"\0" * 4)
    line = refusal(cut)
    assert "is not the name of a tensor" in line and len(line) < 400 and line.isprintable()
    map_to(cut, name, PARTS[1])
    line = refusal(cut)
    assert len(line) < 600 and line.isprintable()


def test_an_index_with_a_name_twice_is_refused(cut):
    text = (cut / INDEX).read_text()
    (cut / INDEX).write_text(text.replace('"metadata"', '"weight_map": {}, "metadata"'))
    assert f"{INDEX}: not JSON ('weight_map' appears twice in one object)" in refusal(cut)


# ---- Never a pickle ----


class Trap:
    """Unpickled, it leaves a file behind: proof that somebody opened the pickle."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("name", [PICKLE, WEIGHTS])
def test_a_pickle_is_never_opened_whatever_its_name(folder, name, tmp_path):
    (folder / WEIGHTS).unlink()
    torch.save({"a": Trap(str(tmp_path / "sprung"))}, folder / name)
    line = refusal(folder)
    assert name in line and not (tmp_path / "sprung").exists()
    if name == PICKLE:
        assert f"there is no {WEIGHTS} in it, and {PICKLE} is never opened" in line


def test_a_pickle_beside_the_weights_is_no_matter(folder, model):
    (folder / PICKLE).write_bytes(b"anything")
    assert torch.equal(gptlib.GPT.from_pretrained(folder).wte.weight, model.wte.weight)


def test_the_same_tensors_are_the_same_file_byte_by_byte(tmp_path):
    metadata = {name: name * 3 for name in "zebra cat dog ünì".split()}
    for k in range(8):
        write_tensors({"a": torch.zeros(2), "b": torch.ones(())}, tmp_path / f"{k}", metadata)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    with safe_open(tmp_path / "0", "pt") as file:
        assert file.metadata().keys() == {*metadata, "crc32"} and file.get_tensor("b") == 1
