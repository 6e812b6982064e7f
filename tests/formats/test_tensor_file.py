"""gptlib.formats.tensor_file: every kind of number, and headers that lie."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

import gptlib
from gptlib.formats import tensor_file
from gptlib.formats.tensors import open_file

WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(model, tmp_path):
    gptlib.save(tmp_path, model)
    return tmp_path


def refusal(folder):
    with pytest.raises(ValueError) as caught:
        gptlib.GPT.from_pretrained(folder)
    line = str(caught.value)
    assert "\n" not in line and str(folder) in line
    return line


def write(path, header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def row(shape, start, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    ("header", "n_bytes"),
    [
        ({"a": row([2], 0, 8), "b": row([2], 4, 12)}, 12),  # they overlap
        ({"a": row([1], 0, 4), "b": row([1], 8, 12)}, 12),  # a gap
        ({"a": row([2], 0, 8)}, 12),  # more than it tells of
        ({"a": row([2], 0, 8)}, 4),
        ({"a": row([3], 0, 8)}, 8),
        ({"a": row([-2, -1], 0, 8)}, 8),
        ({"a": row([2.0], 0, 8)}, 8),
        ({"a": row([True, 2], 0, 8)}, 8),
        ({"a": row(2, 0, 8)}, 8),
        ({"a": row([2], 8, 0)}, 8),
        ({"a": row([10**18, 10**18], 0, 8)}, 8),
        ({"a": {"dtype": "F32", "shape": [2]}}, 8),
        ({"a": row([2], 0, 8, dtype=[])}, 8),
        ({"a": 1}, 0),
        ([], 0),
        ({"__metadata__": {"a": 1}}, 0),
        ({"__metadata__": []}, 0),
        (b'{"a": {}, "a": {}}', 0),
        (b"[" * 100_000, 0),
        (b"\xff\xfe", 0),
        (b"{}" + b" " * 10 + b"x", 0),
    ],
)
def test_a_header_that_is_none_is_refused_in_one_line(folder, header, n_bytes):
    write(folder / WEIGHTS, header, b"\0" * n_bytes)
    line = refusal(folder)
    assert f"{WEIGHTS}: not a whole safetensors file (" in line and len(line) < 400


@pytest.mark.parametrize("length", [0, 1, 10**8 + 1, 2**63, 2**64 - 1])
def test_a_header_of_an_odd_length_is_refused_without_room_for_it(folder, length):
    (folder / WEIGHTS).write_bytes(length.to_bytes(8, "little") + b"{}")
    assert "not a whole safetensors file (a header of" in refusal(folder)


def test_every_kind_of_number_is_read_as_the_library_reads_it(tmp_path):
    kinds = tensor_file.KINDS.values()
    made = {f"{k}": torch.arange(6).view(2, 3).to(k) for k in kinds}
    made |= {"empty": torch.zeros(0, 3), "one": torch.tensor(2.5), "odd": torch.ones(3).bool()}
    save_file(made, tmp_path / "t.safetensors")
    with open_file(tmp_path / "t.safetensors") as file:
        found = {name: file.read(name, {}) for name in file.tensors}
    expected = load_file(tmp_path / "t.safetensors")
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor)
