"""gptlib.model: GPT-2 to the parameter, causal, with a cache that changes nothing."""

import copy
import math
import threading
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import random_ids

import gptlib
from gptlib import GPT, GPTConfig, nll
from gptlib.model import without_dropout


def agree(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


# ---- Causality, and what else a logit depends on ----


@pytest.mark.parametrize("place", range(6))
def test_future_tokens_do_not_change_past_logits(lively, place):
    ids = random_ids(lively)
    changed = ids.clone()
    changed[:, place] = (ids[:, place] + 1) % 11
    before, after = lively(ids), lively(changed)
    agree(before[:, :place], after[:, :place])
    assert not torch.isclose(before[:, place:], after[:, place:]).all(-1).any()


def test_a_loss_at_one_place_sends_no_gradient_to_later_positions(lively):
    lively(random_ids(lively))[:, 3].sum().backward()
    moved = lively.wpe.weight.grad.abs().sum(-1) > 0
    assert moved.tolist() == [True] * 4 + [False] * 4


def test_rows_of_a_batch_do_not_see_each_other(lively):
    ids = random_ids(lively, batch=3)
    agree(lively(ids)[1:2], lively(ids[1:2]))


def test_word_order_matters(lively):
    a, b = lively(torch.tensor([[1, 2, 3], [2, 1, 3]]))
    assert not torch.allclose(a[-1], b[-1])


# ---- Exactly GPT-2 ----


def test_it_agrees_with_hugging_faces_gpt2_in_names_and_logits(lively):
    from transformers import GPT2Config, GPT2LMHeadModel

    shape = dict(vocab_size=11, n_positions=8, n_layer=2, n_head=2, n_embd=12)
    theirs = GPT2LMHeadModel(GPT2Config(**shape, bos_token_id=0, eos_token_id=0)).eval()
    ours = dict(lively.named_parameters())
    named = {n.removeprefix("transformer."): p for n, p in theirs.named_parameters()}
    assert list(named) == list(ours)
    with torch.no_grad():
        for name, parameter in named.items():
            linear = name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight"))
            parameter.copy_(ours[name].T if linear else ours[name])  # theirs are (in, out)
        ids = random_ids(lively, length=8)
        torch.testing.assert_close(lively(ids), theirs(ids).logits, rtol=1e-5, atol=1e-5)


def test_gpt2_small_has_124439808_parameters():
    with torch.device("meta"):  # shapes alone, no memory
        assert GPT(GPTConfig()).n_params() == 124_439_808


def test_parameters_counted_by_hand(model):
    # wte 11*12, wpe 8*12; a block: 2 norms 4*12, attn 12*36+36 + 12*12+12, mlp 8*144+5*12; ln_f
    block = 48 + 468 + 156 + 1212
    assert model.n_params() == 132 + 96 + 2 * block + 24 == 4020


def test_the_block_adds_each_part_to_the_stream_after_norming_its_input(lively):
    block, x = lively.h[0], torch.randn(2, 5, 12)
    middle = x + block.attn(block.ln_1(x))
    agree(block(x), middle + block.mlp(block.ln_2(middle)))


# ---- The tied head ----


def test_the_head_is_the_token_table(model):
    assert model.lm_head.weight is model.wte.weight
    assert "lm_head.weight" not in dict(model.named_parameters())  # counted and trained once
    for twin in (copy.deepcopy(model), copy.deepcopy(model).double()):
        assert twin.lm_head.weight is twin.wte.weight
        assert twin.lm_head.weight.data_ptr() != model.lm_head.weight.data_ptr()


# ---- The start ----


def test_the_start_is_gpt2s():
    model = GPT(GPTConfig(vocab_size=300, block_size=100, n_layer=8, n_head=2, n_embd=64), seed=0)
    for name, p in model.named_parameters():
        if name.endswith("bias"):
            assert (p == 0).all(), name
        elif p.ndim == 1:
            assert (p == 1).all(), name
        else:  # what adds to the stream starts sqrt(2 * 8) = 4 times smaller
            std = 0.005 if name.endswith("c_proj.weight") else 0.02
            assert p.std().item() == pytest.approx(std, rel=0.05), name
            assert abs(p.mean().item()) < std / 10, name


def test_at_the_start_the_loss_is_that_of_knowing_nothing():
    model = GPT(GPTConfig(vocab_size=500, block_size=32, n_layer=2, n_head=2, n_embd=64), seed=0)
    ids = random_ids(model, batch=16, length=33)
    assert nll(model(ids[:, :-1]), ids[:, 1:]).item() == pytest.approx(math.log(500), abs=0.05)


def test_a_seed_gives_the_same_weights_and_leaves_nothing_to_chance(config):
    torch.manual_seed(1)
    a = GPT(config, seed=3)
    torch.manual_seed(2)
    b = GPT(config, seed=3)
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    assert not torch.equal(a.wte.weight, GPT(config, seed=4).wte.weight)
    assert not torch.equal(GPT(config).wte.weight, GPT(config).wte.weight)
    torch.manual_seed(5)
    c = GPT(config)
    torch.manual_seed(5)
    assert torch.equal(c.wte.weight, GPT(config).wte.weight)
    a.init_weights(4)
    assert torch.equal(a.wte.weight, GPT(config, seed=4).wte.weight)


# ---- The cache ----


@pytest.mark.parametrize("pieces", [[1] * 8, [8], [5, 1, 2], [1, 7], [3, 4, 1]])
def test_logits_through_a_cache_equal_logits_without(lively, pieces):
    ids = random_ids(lively, batch=3, length=8)
    cache = lively.new_cache(3)
    with torch.no_grad():
        agree(torch.cat([lively(part, cache) for part in ids.split(pieces, 1)], 1), lively(ids))
    assert [layer.length for layer in cache] == [8, 8]


def test_a_full_cache_is_a_clear_error_and_stays_whole(lively):
    cache = lively.new_cache(1)
    with torch.no_grad():
        lively(torch.tensor([[1, 2, 3, 4, 5, 6]]), cache)
        with pytest.raises(ValueError, match="9 tokens do not fit into the context of 8"):
            lively(torch.tensor([[7, 8, 9]]), cache)
        last = lively(torch.tensor([[7, 8]]), cache)[:, -1]
        agree(last, lively(torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8]]))[:, -1])


# ---- Dropout ----


@pytest.mark.parametrize("place", ["embeddings", "attention", "feedforward"])
def test_dropout_is_on_in_training_and_off_in_eval_in_every_place(place):
    shape = dict(vocab_size=11, block_size=8, n_layer=1, n_head=2, n_embd=12)
    model, plain = GPT(GPTConfig(**shape, dropout=0.5), seed=0), GPT(GPTConfig(**shape), seed=0)
    ids = random_ids(model)
    agree(model.eval()(ids), plain(ids))
    block = model.h[0]
    assert model.drop.p == block.attn.dropout == block.mlp.dropout.p == 0.5
    model.drop.p = 0.5 if place == "embeddings" else 0.0
    block.attn.dropout = 0.5 if place == "attention" else 0.0
    block.mlp.dropout.p = 0.5 if place == "feedforward" else 0.0
    assert not torch.equal(model.train()(ids), model(ids))
    assert torch.equal(model.eval()(ids), model(ids))


# ---- Bad input ----


@pytest.mark.parametrize("shape", [(3,), (1, 0), (1, 2, 3)])
def test_ids_of_another_shape_are_refused(model, shape):
    with pytest.raises(ValueError, match=r"must have shape \(B, T\).*" + str(shape[-1])):
        model(torch.zeros(shape, dtype=torch.int64))


def test_too_many_tokens_and_unknown_ids_are_refused(model):
    with pytest.raises(ValueError, match="9 tokens do not fit into the context of 8"):
        model(torch.zeros(1, 9, dtype=torch.int64))
    for wrong in (-1, 11):
        with pytest.raises(ValueError, match=rf"token id {wrong} is outside 0\.\.10"):
            model(torch.tensor([[0, wrong]]))


WHOLE = ["vocab_size", "block_size", "n_layer", "n_head", "n_embd"]


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(WHOLE),
    st.one_of(st.integers(max_value=0), st.floats(), st.none(), st.booleans(), st.text()),
)
def test_a_size_that_no_model_can_have_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be a whole number of 1 or more"):
        GPTConfig(**{name: value})


@pytest.mark.parametrize("kind", [np.int64, np.uint16, torch.tensor])
def test_a_size_may_be_of_any_type_of_whole_numbers(kind):
    config = GPTConfig(vocab_size=kind(50))
    assert config == GPTConfig(vocab_size=50) and type(config.vocab_size) is int


@pytest.mark.parametrize("value", [-0.1, 1.0, 1, math.nan, math.inf, None, "0.1", True])
def test_a_dropout_that_is_no_share_is_refused(value):
    with pytest.raises(ValueError, match="^dropout must be"):
        GPTConfig(dropout=value)


def test_a_width_that_the_heads_cannot_share_is_refused_at_the_config():
    with pytest.raises(ValueError, match=r"n_embd \(12\) must be divisible by n_head \(5\)"):
        GPTConfig(n_embd=12, n_head=5)


def test_a_config_is_frozen_and_goes_through_a_dict(config):
    assert GPTConfig(**config.to_dict()) == config
    with pytest.raises(AttributeError):
        config.n_layer = 3


# ---- Other number types, other devices ----


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_number_types_give_nearly_the_same_logits(lively, dtype):
    ids = random_ids(lively)
    other = copy.deepcopy(lively).to(dtype)
    assert other(ids).dtype == dtype
    spread = lively(ids).std()
    assert (other(ids).float() - lively(ids)).abs().max() < 0.1 * spread


@pytest.mark.cuda
def test_cuda_gives_the_same_start_and_nearly_the_same_logits(config):
    with torch.device("cuda"):
        there = GPT(config, seed=0)
    here, ids = GPT(config, seed=0), torch.tensor([[1, 2, 3, 4]])
    assert there.device.type == "cuda"
    assert torch.equal(there.wte.weight.cpu(), here.wte.weight)
    torch.testing.assert_close(there(ids.cuda()).cpu(), here(ids), rtol=1e-3, atol=1e-4)


# ---- Dropout, switched off by context ----


def test_without_dropout_nothing_is_dropped_and_no_module_is_touched(config):
    model = GPT(replace(config, dropout=0.5), seed=0).train()
    ids = random_ids(model)
    with without_dropout(model):
        agree(model(ids), copy.deepcopy(model).eval()(ids))
        assert all(module.training for module in model.modules())
    assert not torch.equal(model(ids), model(ids))


def test_a_model_that_others_begin_to_train_drops_nothing_here(config):
    model = GPT(replace(config, dropout=0.5), seed=0).eval()
    ids = random_ids(model)
    expected = model(ids)
    with without_dropout(model):
        model.train()
        agree(model(ids), expected)


def test_nothing_is_switched_off_where_there_is_no_dropout(model, config):
    assert isinstance(without_dropout(model), nullcontext)
    model = GPT(replace(config, dropout=0.5), seed=0).eval()
    for part in (model.drop, model.h[0].attn, model.h[0].mlp):  # each drops something itself
        assert not isinstance(without_dropout(part), nullcontext)


def beside_threads(config, texts, training=True):
    """(texts that are not as when written alone, passes that dropped nothing, passes made).

    Four threads write from one model in training mode, while this one passes rows through it.
    Or from a model in eval mode (training=False), which this one trains for a moment at each pass.
    """
    model = GPT(replace(config, dropout=0.5), seed=0).train(training)
    ids = random_ids(model)

    def text(seed):
        generator = torch.Generator().manual_seed(seed)
        use_cache = seed % 2 == 0
        return gptlib.generate(model, [1], 5, generator=generator, use_cache=use_cache).tolist()

    alone, other, dropped = [text(seed) for seed in range(10)], [], []

    def write():
        other.extend(text(k % 10) != alone[k % 10] for k in range(texts // 4))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        model.train()
        dropped.append(not torch.equal(model(ids), model(ids)))
        model.train(training)
    assert len(other) == texts
    return sum(other), dropped.count(False), len(dropped)


@pytest.mark.parametrize("training", [True, False])
def test_texts_are_the_same_beside_threads_that_write_and_one_that_trains_with_dropout(
    config, training
):
    other, without, passes = beside_threads(config, texts=200, training=training)
    assert (other, without) == (0, 0) and passes > 0


@pytest.mark.soak
def test_threads(config, record_property):
    other, without, passes = beside_threads(config, texts=1000)
    assert (other, without) == (0, 0)
    record_property(
        "soak",
        f"1,000 texts by 4 threads from one model with dropout; other: {other}; of {passes} passes "
        f"in training mode beside them, without dropout: {without}",
    )
