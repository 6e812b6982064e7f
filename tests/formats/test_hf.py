"""gptlib.hf: the same model as transformers', number by number, at the shape of GPT-2 too."""

import json
import math
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file, save_model
from tiny import random_ids

import gptlib
from gptlib.formats import hf, tensors

transformers = pytest.importorskip("transformers", reason="the peer `transformers` is missing")

SHAPES = {
    "narrow": (11, 8, 1, 1, 4),
    "odd": (301, 17, 3, 3, 21),
    "GPT-2's vocabulary": (50257, 64, 2, 4, 32),
    "deep": (97, 40, 12, 2, 16),
    "wide": (512, 32, 2, 12, 768),
}


def their_config(vocab_size, n_positions, n_layer, n_head, n_embd):
    shape = dict(vocab_size=vocab_size, n_layer=n_layer, n_head=n_head, n_embd=n_embd)
    return transformers.GPT2Config(n_positions=n_positions, bos_token_id=0, eos_token_id=0, **shape)


def their_model(config, seed=0):
    """With attention that is far from even, and with logits as large as a trained model's."""
    torch.manual_seed(seed)
    model = transformers.GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.ndim == 1:  # biases, and the gains of layer norms: not 0 and 1 any more
                p.add_(torch.randn(p.shape), alpha=0.3)
            elif "wte" not in name and "wpe" not in name:
                p.mul_(2.0 / (0.02 * math.sqrt(p.shape[0])) / (config.n_layer**0.5))
            else:
                p.mul_(8.0)
    return model


@pytest.fixture(params=SHAPES.values(), ids=SHAPES)
def theirs(request):
    return their_model(their_config(*request.param))


@pytest.fixture
def ours(theirs, tmp_path):
    theirs.save_pretrained(tmp_path / "theirs")
    return gptlib.GPT.from_pretrained(tmp_path / "theirs")


def agree(found, expected):
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


# ---- Logits, gradients, generation ----


def test_logits_agree_at_every_length_and_batch(theirs, ours):
    with torch.no_grad():
        for batch, length in (
            (1, 1),
            (3, ours.config.block_size // 2),
            (2, ours.config.block_size),
        ):
            ids = random_ids(ours, batch, length)
            expected = theirs(ids).logits
            assert expected.std() > 0.25  # or there would be nothing to confuse
            agree(ours(ids), expected)


def test_gradients_agree_in_every_parameter(theirs, ours):
    ids = random_ids(ours, 2, ours.config.block_size)
    gptlib.nll(ours(ids[:, :-1]), ids[:, 1:]).backward()
    theirs(ids, labels=ids).loss.backward()
    expected = dict(theirs.transformer.named_parameters())
    for name, p in ours.named_parameters():
        grad = expected.pop(name).grad
        assert grad.abs().max() > 0, name
        agree(p.grad, grad.T if hf.is_linear(name) else grad)
    assert not expected


@pytest.mark.parametrize("use_cache", [True, False])
def test_greedy_generation_gives_the_same_200_ids(tmp_path, use_cache):
    theirs = their_model(their_config(97, 240, 3, 4, 32))
    theirs.transformer.wpe.weight.data.mul_(8)  # or it would say one thing again and again
    theirs.save_pretrained(tmp_path)
    ours = gptlib.GPT.from_pretrained(tmp_path)
    prompt = random_ids(ours, 1, 5)
    settings = dict(do_sample=False, max_new_tokens=200, use_cache=use_cache, pad_token_id=0)
    theirs.generation_config.eos_token_id = None
    expected = theirs.generate(prompt, attention_mask=torch.ones_like(prompt), **settings)
    found = gptlib.generate(ours, prompt, 200, temperature=0, use_cache=use_cache)
    assert found.shape == (1, 205) and found.unique().numel() > 10
    assert torch.equal(found, expected)


# ---- The shape of GPT-2 small ----


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A folder that transformers wrote, of the 124M shape with random weights; 500 MB."""
    folder = tmp_path_factory.mktemp("gpt2")
    their_model(transformers.GPT2Config()).save_pretrained(folder)
    yield folder
    shutil.rmtree(folder)


def test_gpt2_small_as_transformers_wrote_it_has_the_same_logits_here(small):
    theirs = transformers.AutoModelForCausalLM.from_pretrained(small).eval()
    ours = gptlib.GPT.from_pretrained(small)
    assert ours.config == gptlib.GPTConfig(dropout=0.1) and ours.n_params() == 124_439_808
    with torch.no_grad():
        for batch, length in ((1, 1), (2, 50), (1, 200)):
            ids = random_ids(ours, batch, length)
            expected = theirs(ids).logits
            assert expected.std() > 0.5
            agree(ours(ids), expected)


def test_gpt2_small_as_we_wrote_it_has_the_same_logits_there(small, tmp_path):
    ours = gptlib.GPT.from_pretrained(small)
    ours.save_pretrained(tmp_path / "again")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "again").eval()
    ids = random_ids(ours, 2, 50)
    with torch.no_grad():
        agree(theirs(ids).logits, ours(ids))
    shutil.rmtree(tmp_path / "again")


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


def test_a_large_file_with_a_changed_byte_is_refused_too(small, tmp_path):
    gptlib.GPT.from_pretrained(small).save_pretrained(tmp_path)
    with open(tmp_path / "model.safetensors", "r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)[0]
        file.seek(-1, 2)
        file.write(bytes([last ^ 1]))
    with pytest.raises(ValueError, match=r"model\.safetensors: damaged: the checksum of"):
        gptlib.GPT.from_pretrained(tmp_path)


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
    real = tensors.TensorFile.read

    def read(*args):
        with open(path, "ab") as file:
            file.write(b"more")
        return real(*args)

    monkeypatch.setattr(tensors.TensorFile, "read", read)
    with pytest.raises(ValueError, match="was changed by another program while it was read"):
        gptlib.GPT.from_pretrained(path.parent)
    monkeypatch.setattr(tensors.TensorFile, "read", lambda *a: os.truncate(path, 3000) or real(*a))
    with pytest.raises(ValueError, match="model.safetensors: .*(not a whole|became shorter)"):
        gptlib.GPT.from_pretrained(path.parent)


# ---- The tied head under its other name ----


def test_a_file_that_keeps_the_tied_matrix_as_the_head_alone_is_the_same_model(tmp_path, theirs):
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


def test_the_shapes_worked_out_are_those_of_the_model(config):
    model = gptlib.GPT(config)
    expected = [(name, tuple(p.shape)) for name, p in model.named_parameters()]
    assert list(hf.expected_shapes(config)) == expected


def test_200_000_layers_named_in_a_file_are_refused_at_once(tmp_path):
    """The file has 12 MB and an empty tensor of each layer."""
    gptlib.save(tmp_path, gptlib.GPT(gptlib.GPTConfig(11, 8, 1, 1, 2)))
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace('"n_layer": 1', '"n_layer": 200000'))
    rows = {
        f"h.{i}.ln_1.bias": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
        for i in range(200_000)
    }
    text = json.dumps(rows).encode()
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


# ---- Foreign folders ----


TINY = dict(vocab_size=11, hidden_size=8, intermediate_size=16, num_hidden_layers=1)
TINY |= {"num_attention_heads": 2}


@pytest.mark.parametrize(
    "name, build",
    [
        ("llama", lambda: transformers.LlamaModel(transformers.LlamaConfig(**TINY))),
        ("bert", lambda: transformers.BertModel(transformers.BertConfig(**TINY))),
    ],
)
def test_another_architecture_is_refused_by_its_name_and_by_its_tensors(name, build, tmp_path):
    torch.manual_seed(0)
    build().save_pretrained(tmp_path)
    for load in (gptlib.load, gptlib.GPT.from_pretrained):
        with pytest.raises(ValueError) as caught:
            load(tmp_path)
        assert (
            str(caught.value) == f"{tmp_path / 'config.json'}: model_type is '{name}', not 'gpt2'"
        )
    weights = tmp_path / "model.safetensors"
    other = tmp_path / "gpt2"
    gptlib.save(other, gptlib.GPT(gptlib.GPTConfig(11, 8, 1, 2, 8)))
    weights.replace(other / "model.safetensors")  # under a config of GPT-2
    with pytest.raises(ValueError, match="gpt2.model.safetensors: 0 layers; .* asks for n_layer 1"):
        gptlib.GPT.from_pretrained(other)


def test_a_missing_tensor_is_named_with_the_shape_that_it_should_have(tmp_path, model):
    gptlib.save(tmp_path, model)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["transformer.h.1.mlp.c_fc.weight"]
    path = tmp_path / "model.safetensors"
    save_file(tensors, path)
    with pytest.raises(ValueError) as caught:
        gptlib.GPT.from_pretrained(tmp_path)
    assert str(caught.value) == (
        f"{path}: the tensor h.1.mlp.c_fc.weight is missing; config.json asks for (12, 48)"
    )
