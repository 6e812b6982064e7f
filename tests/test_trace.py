"""gptlib.trace: every named intermediate computed again from the ones before it."""

import copy
import inspect
import re
from dataclasses import fields

import pytest
import torch
from tiny import random_ids

from gptlib import GPT, GPTConfig, ablate
from gptlib.attention import causal_mask, merge_heads
from gptlib.feedforward import gelu, layer_norm
from gptlib.trace import LayerTrace, Trace, mean_weight, trace, trace_swapped

IDS = [3, 1, 4, 1, 5]
PARTS = ["attention", "mask", "scaling", "feedforward", "layernorm", "residual", "positions"]


def agree(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.fixture
def seen(lively):
    return trace(lively, IDS)


def test_the_logits_are_the_models(lively, seen):
    agree(seen.logits, lively(torch.tensor([IDS]))[0])
    agree(seen.probs, torch.softmax(seen.logits, -1))
    assert seen.ids.tolist() == IDS


def test_the_stream_begins_with_token_plus_position(lively, seen):
    assert torch.equal(seen.wte, lively.wte.weight[IDS])
    assert torch.equal(seen.wpe, lively.wpe.weight[:5])
    agree(seen.layers[0].x, seen.wte + seen.wpe)


def test_each_part_adds_to_the_stream(seen):
    for layer in seen.layers:
        agree(layer.x_mid, layer.x + layer.attn)
        agree(layer.out, layer.x_mid + layer.mlp)
    assert torch.equal(seen.layers[1].x, seen.layers[0].out)


def test_the_last_stream_is_the_sum_of_all_contributions(lively, seen):
    added = [part for layer in seen.layers for part in (layer.attn, layer.mlp)]
    total = seen.wte + seen.wpe + sum(added)
    agree(seen.residual[-1], total)
    agree(seen.ln_f, layer_norm(total, lively.ln_f.weight, lively.ln_f.bias))
    agree(seen.logits, seen.ln_f @ lively.wte.weight.T)


def test_scores_masked_scores_weights_and_heads_follow_from_q_k_and_v(seen):
    allowed = causal_mask(5)
    for layer in seen.layers:
        agree(layer.scores, layer.q @ layer.k.transpose(-2, -1) / 6**0.5)  # hs = 12 / 2
        assert torch.equal(layer.masked[:, allowed], layer.scores[:, allowed])
        assert (layer.masked[:, ~allowed] == -torch.inf).all()
        agree(layer.weights, torch.softmax(layer.masked, -1))
        agree(layer.weights.sum(-1), torch.ones(2, 5))
        agree(layer.heads, layer.weights @ layer.v)


def test_q_k_and_v_come_from_the_normed_stream(lively, seen):
    for block, layer in zip(lively.h, seen.layers, strict=True):
        agree(layer.ln_1, layer_norm(layer.x, block.ln_1.weight, block.ln_1.bias))
        joined = torch.cat([merge_heads(part[None])[0] for part in (layer.q, layer.k, layer.v)], -1)
        agree(joined, layer.ln_1 @ block.attn.c_attn.weight.T + block.attn.c_attn.bias)


def test_head_outputs_and_the_bias_sum_to_what_attention_added(lively, seen):
    for block, layer in zip(lively.h, seen.layers, strict=True):
        agree(layer.head_outputs.sum(0) + block.attn.c_proj.bias, layer.attn)
        first = layer.heads[0] @ block.attn.c_proj.weight[:, :6].T  # the first head alone
        agree(layer.head_outputs[0], first)


def test_the_feedforward_part_follows_from_its_hidden_layer(lively, seen):
    for block, layer in zip(lively.h, seen.layers, strict=True):
        agree(layer.ln_2, layer_norm(layer.x_mid, block.ln_2.weight, block.ln_2.bias))
        agree(layer.mlp_hidden, gelu(layer.ln_2 @ block.mlp.c_fc.weight.T + block.mlp.c_fc.bias))
        agree(layer.mlp, layer.mlp_hidden @ block.mlp.c_proj.weight.T + block.mlp.c_proj.bias)


def test_the_logits_by_layer_end_with_the_models_and_begin_with_the_embeddings(lively, seen):
    agree(seen.logits_by_layer[-1], seen.logits)
    agree(seen.logits_by_layer[0], lively.lm_head(lively.ln_f(seen.wte + seen.wpe)))
    agree(seen.logits_by_layer[1], lively.lm_head(lively.ln_f(seen.layers[0].out)))


def test_every_tensor_has_the_shape_that_its_line_in_the_source_tells(seen):
    sizes = {"T": 5, "C": 12, "4C": 48, "nh": 2, "hs": 6, "V": 11, "L": 2, "L + 1": 3}
    for kind in (LayerTrace, Trace):
        told = re.findall(r"^    (\w+): Tensor  # \((.*?),?\)", inspect.getsource(kind), re.M)
        assert {name for name, _ in told} == {f.name for f in fields(kind)} - {"layers"}
        for name, axes in told:
            tensor = getattr(seen if kind is Trace else seen.layers[1], name)
            assert tensor.shape == tuple(sizes[axis] for axis in axes.split(", ")), name
    assert seen.residual.shape == (3, 5, 12)
    assert seen.weights.shape == (2, 2, 5, 5)


@pytest.mark.parametrize("part", PARTS)
def test_ablated_models_are_traced_as_they_are(lively, part):
    broken = ablate(lively, part)
    seen = trace(broken, IDS)
    agree(seen.logits, broken(torch.tensor([IDS]))[0])
    agree(seen.logits_by_layer[-1], seen.logits)
    for layer, block in zip(seen.layers, broken.h, strict=True):
        agree(layer.weights.sum(-1), torch.ones(2, 5))
        if part == "attention":
            assert (layer.attn == 0).all()
        else:
            agree(layer.head_outputs.sum(0) + block.attn.c_proj.bias, layer.attn)
        if part == "mask":
            assert (layer.weights > 0).all()
        if part == "scaling":
            agree(layer.scores, layer.q @ layer.k.transpose(-2, -1))
        if part == "feedforward":
            assert torch.equal(layer.out, layer.x_mid)
        if part == "residual":
            agree(layer.out, layer.mlp)


def test_it_leaves_no_hooks_no_gradients_and_the_modes_as_they_were(lively):
    lively.train()
    lively.h[0].eval()
    modes = [module.training for module in lively.modules()]
    seen = trace(lively, IDS)
    with pytest.raises(ValueError):
        trace(lively, [1] * 9)
    assert [module.training for module in lively.modules()] == modes
    assert not any(module._forward_hooks for module in lively.modules())
    assert not seen.logits.requires_grad and lively.wte.weight.requires_grad


def test_dropout_is_off_while_tracing():
    model = GPT(GPTConfig(11, 8, 2, 2, 12, dropout=0.5), seed=0).train()
    quiet = copy.deepcopy(model).eval()
    agree(trace(model, IDS).logits, trace(quiet, IDS).logits)


def test_one_row_may_come_as_a_list_a_row_or_a_batch_of_one(lively, seen):
    for ids in (torch.tensor(IDS), torch.tensor([IDS]), [IDS]):
        assert torch.equal(trace(lively, ids).logits, seen.logits)


@pytest.mark.parametrize(
    "ids, said",
    [
        ([], "at least one token id"),
        ([0, 11], r"token id 11 is outside 0\.\.10"),
        ([-1], r"token id -1 is outside 0\.\.10"),
        ([0] * 9, "9 tokens do not fit into the context of 8"),
        ([[1], [2]], "one row of ids, not 2"),
    ],
)
def test_what_cannot_be_traced_is_refused(model, ids, said):
    with pytest.raises(ValueError, match=said):
        trace(model, ids)


def test_models_of_half_precision_are_traced(lively):
    seen = trace(lively.bfloat16(), IDS)
    assert seen.logits.dtype == torch.bfloat16
    torch.testing.assert_close(seen.probs.sum(-1).float(), torch.ones(5), rtol=0, atol=0.05)


@pytest.mark.cuda
def test_cuda_gives_nearly_the_same_trace(lively):
    ids = random_ids(lively, batch=1)
    here, there = trace(lively, ids), trace(lively.cuda(), ids)
    torch.testing.assert_close(there.weights.cpu(), here.weights, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(there.logits.cpu(), here.logits, rtol=1e-3, atol=1e-3)


# ---- What a head does, as a number ----


def test_the_mean_weight_of_pairs_is_that_of_each_head(seen):
    pairs = [(1, 0), (4, 2), (3, 3)]
    found = mean_weight(seen, pairs)
    assert found.shape == (2, 2)
    for layer, head in ((0, 0), (1, 1)):
        weights = seen.layers[layer].weights[head]
        by_hand = (weights[1, 0] + weights[4, 2] + weights[3, 3]) / 3
        agree(found[layer, head], by_hand)


def test_all_keys_of_a_query_together_have_the_whole_weight(seen):
    agree(4 * mean_weight(seen, ((3, key) for key in range(4))), torch.ones(2, 2))


@pytest.mark.parametrize("pairs", [[], [(1, 2)], [(5, 0)], [(2, -1)]])
def test_pairs_that_no_head_has_a_weight_for_are_refused(seen, pairs):
    with pytest.raises(ValueError, match="at least one pair|0 <= key <= query <= 4"):
        mean_weight(seen, pairs)


# ---- Outputs of a head, swapped ----


def test_a_swap_changes_what_attention_adds_at_both_places_by_the_heads_outputs(lively, seen):
    swapped = trace_swapped(lively, seen.ids, layer=0, head=1, places=[1, 3])
    added = seen.layers[0].head_outputs[1]  # (T, C)
    expected = seen.layers[0].attn.clone()
    expected[[1, 3]] += added[[3, 1]] - added[[1, 3]]
    torch.testing.assert_close(swapped.layers[0].attn, expected)
    assert not torch.allclose(swapped.logits[-1], seen.logits[-1], atol=1e-4)


def test_a_swap_is_over_afterwards_and_with_itself_changes_nothing(lively, seen):
    same = trace_swapped(lively, seen.ids, layer=1, head=0, places=[2, 2])
    trace_swapped(lively, seen.ids, layer=1, head=0, places=[1, 2])
    for one in (same, trace(lively, seen.ids)):
        torch.testing.assert_close(one.logits, seen.logits)


@pytest.mark.parametrize(
    ("layer", "head", "places", "said"),
    [
        (9, 0, [0, 1], "layer must be in"),
        (0, 9, [0, 1], "head must be in"),
        (0, -1, [0, 1], "head must be in"),
        (0, 0, [0, 99], "place must be in"),
        (0, 0, [0], "values to unpack"),
    ],
)
def test_a_swap_of_what_there_is_not_is_refused(lively, seen, layer, head, places, said):
    with pytest.raises(ValueError, match=said):
        trace_swapped(lively, seen.ids, layer=layer, head=head, places=places)
