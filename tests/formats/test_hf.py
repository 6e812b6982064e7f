"""gptlib.hf: the same model as transformers', number by number, at the shape of GPT-2 too."""

import math
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import random_ids

import gptlib
from gptlib.formats import hf

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


def test_the_shapes_worked_out_are_those_of_the_model(config):
    model = gptlib.GPT(config)
    expected = [(name, tuple(p.shape)) for name, p in model.named_parameters()]
    assert list(hf.expected_shapes(config)) == expected
