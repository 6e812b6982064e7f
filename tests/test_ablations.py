"""gptlib.ablations: each part really goes, nothing else does, and the model stays whole."""

import copy
import re
from pathlib import Path

import pytest
import torch
from tiny import random_ids

from gptlib import ablate, ablations, corpora, generate, nll, trace
from gptlib.ablations import PARTS
from gptlib.attention import attention
from gptlib.corpora import pets

IDS = torch.tensor([[3, 1, 4, 1, 5]])


def agree(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def last_logits(model, *ids):
    return model(torch.tensor([ids]))[0, -1]


@pytest.mark.parametrize("part", PARTS)
def test_a_copy_that_shares_the_weights_says_the_same_and_leaves_the_model_whole(lively, part):
    before = lively(IDS)
    shared, own = ablate(lively, part, share=True), ablate(lively, part)
    assert torch.equal(shared(IDS), own(IDS)) and not torch.allclose(shared(IDS), before)
    assert torch.equal(lively(IDS), before)
    for p, q, r in zip(lively.parameters(), shared.parameters(), own.parameters(), strict=True):
        assert p is q and p.data_ptr() != r.data_ptr()
    assert shared.lm_head.weight is shared.wte.weight


# ---- What each part's absence does ----


def test_without_the_mask_the_future_changes_the_past(lively):
    changed = IDS.clone()
    changed[0, -1] = 9
    agree(lively(IDS)[:, :-1], lively(changed)[:, :-1])
    broken = ablate(lively, "mask")
    assert not torch.isclose(broken(IDS)[:, :-1], broken(changed)[:, :-1]).all(-1).any()


def test_without_the_mask_no_cache_is_taken(lively):
    broken = ablate(lively, "mask", layers=[1]).train()
    with pytest.raises(ValueError, match="use_cache=False"):
        generate(broken, [1], 3)
    assert all(module.training for module in broken.modules())
    assert generate(broken, [1], 3, use_cache=False).shape == (4,)


def test_without_positions_one_layer_sees_a_bag_of_words(lively):
    lively.h = lively.h[:1]
    whole, broken = lively, ablate(lively, "positions")
    assert not torch.allclose(last_logits(whole, 1, 2, 3, 4), last_logits(whole, 3, 1, 2, 4))
    agree(last_logits(broken, 1, 2, 3, 4), last_logits(broken, 3, 1, 2, 4))
    assert not torch.allclose(last_logits(broken, 1, 2, 3, 4), last_logits(broken, 1, 2, 4, 3))


def test_without_positions_the_mask_still_tells_two_layers_of_order(lively):
    broken = ablate(lively, "positions")
    assert not torch.allclose(last_logits(broken, 1, 2, 3, 4), last_logits(broken, 3, 1, 2, 4))
    broken = ablate(lively, "positions", "mask")
    agree(last_logits(broken, 1, 2, 3, 4), last_logits(broken, 3, 1, 2, 4))


def test_without_positions_the_context_still_ends(lively):
    with pytest.raises(ValueError, match="9 tokens do not fit into the context of 8"):
        ablate(lively, "positions")(torch.zeros(1, 9, dtype=torch.int64))


def test_without_scaling_scores_are_plain_dot_products(lively):
    attn, x = ablate(lively, "scaling").h[0].attn, torch.randn(1, 5, 12)
    out, _ = attention(*attn.qkv(x), scale=1.0)
    agree(attn(x), attn.c_proj(out.transpose(1, 2).flatten(2)))
    assert not torch.allclose(attn(x), lively.h[0].attn(x))


def test_without_feedforward_the_stream_passes_by(lively):
    for layer in trace(ablate(lively, "feedforward"), IDS).layers:
        assert torch.equal(layer.out, layer.x_mid)
        assert layer.attn.abs().max() > 0


def test_without_attention_each_token_is_alone(lively):
    broken = ablate(lively, "attention")
    # The same token at the same place, whatever was read before it
    agree(last_logits(broken, 1, 2, 3), last_logits(broken, 7, 8, 3))
    assert not torch.allclose(last_logits(lively, 1, 2, 3), last_logits(lively, 7, 8, 3))


def test_without_layer_norm_each_part_reads_the_stream_itself(lively):
    broken = ablate(lively, "layernorm")
    seen = trace(broken, IDS)
    for layer in seen.layers:
        assert torch.equal(layer.ln_1, layer.x) and torch.equal(layer.ln_2, layer.x_mid)
    agree(seen.logits, seen.residual[-1] @ lively.wte.weight.T)


def test_without_the_residual_each_part_replaces_what_it_read(lively):
    block, x = ablate(lively, "residual").h[0], torch.randn(1, 5, 12)
    agree(block(x), block.mlp(block.ln_2(block.attn(block.ln_1(x)))))


# ---- Where, and several at once ----


def test_only_the_named_layers_change(lively):
    for part in set(PARTS) - {"positions"}:
        broken, x = ablate(lively, part, layers=[1]), torch.randn(1, 5, 12)
        assert torch.equal(broken.h[0](x), lively.h[0](x)), part
        assert not torch.allclose(broken.h[1](x), lively.h[1](x)), part
        assert torch.equal(broken.ln_f(x), lively.ln_f(x)), part
    assert torch.equal(ablate(lively, "attention", layers=[])(IDS), lively(IDS))
    agree(ablate(lively, "layernorm", layers=range(2))(IDS), ablate(lively, "layernorm")(IDS))


def test_parts_go_together_in_any_order(lively):
    parts = ["scaling", "layernorm", "residual", "positions", "feedforward", "mask"]
    broken, same = ablate(lively, *parts), ablate(lively, *reversed(parts))
    agree(broken(IDS), same(IDS))
    one_by_one = lively
    for part in parts:
        one_by_one = ablate(one_by_one, part)
    agree(broken(IDS), one_by_one(IDS))
    # Attention alone is left, unmasked and unscaled, and nothing is added back or normed.
    x = lively.wte(IDS)
    attn = lively.h[0].attn
    out, _ = attention(*attn.qkv(x), scale=1.0, causal=False)
    assert (broken.h[0](x) == 0).all()  # the absent feedforward part replaces it with nothing
    agree(broken.h[0].attn(x), attn.c_proj(out.transpose(1, 2).flatten(2)))


def test_a_part_may_be_named_twice_or_go_again(lively):
    for part in PARTS:
        once = ablate(lively, part)
        agree(once(IDS), ablate(lively, part, part, layers=[0, 1, 1])(IDS))
        agree(once(IDS), ablate(once, part)(IDS))
        agree(once(IDS), ablate(ablate(lively, part, layers=[0]), part)(IDS))


def test_without_a_part_named_nothing_changes(lively):
    twin = ablate(lively)
    assert twin is not lively and torch.equal(twin(IDS), lively(IDS))


# ---- The copy is a model like any other ----


@pytest.mark.parametrize("part", PARTS)
def test_the_original_stays_and_all_names_and_values_are_kept(lively, part):
    before, kinds = lively(IDS), [type(module) for module in lively.modules()]
    broken = ablate(lively, part)
    ours, theirs = lively.state_dict(), broken.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not torch.allclose(broken(IDS), before)
    with torch.no_grad():
        broken.wte.weight.zero_()
    assert torch.equal(lively(IDS), before)
    assert [type(module) for module in lively.modules()] == kinds
    broken.load_state_dict(ours)
    assert broken.lm_head.weight is broken.wte.weight and broken.config == lively.config


@pytest.mark.parametrize("part", PARTS)
def test_an_ablated_model_is_copied_and_trained_as_any(model, part):
    broken = copy.deepcopy(ablate(model, part)).train()
    agree(broken(IDS), ablate(model, part)(IDS))
    optimizer = torch.optim.AdamW(broken.parameters(), lr=0.01)
    losses = []
    for _ in range(20):
        loss = nll(broken(IDS[:, :-1]), IDS[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("layers", [None, [0], [1]])
@pytest.mark.parametrize("part", sorted(set(PARTS) - {"mask"}))
def test_an_ablated_model_generates_the_same_with_and_without_a_cache(lively, part, layers):
    broken, ids = ablate(lively, part, layers=layers), random_ids(lively, length=3)
    cached = generate(broken, ids, 9, temperature=0)
    assert torch.equal(cached, generate(broken, ids, 9, temperature=0, use_cache=False))


# ---- Bad input ----


def test_an_unknown_part_is_named_beside_the_known(model):
    with pytest.raises(ValueError, match="'softmax': choose from attention, mask, .*positions"):
        ablate(model, "mask", "softmax")


@pytest.mark.parametrize("wrong", [-1, 2])
def test_an_unknown_layer_is_named_with_the_range(model, wrong):
    with pytest.raises(ValueError, match=rf"layer {wrong} is outside 0\.\.1"):
        ablate(model, "mask", layers=[0, wrong])


# ---- What was measured ----


def test_every_row_of_the_table_is_measured_over_three_seeds_and_has_its_partner():
    measured = ablations.measured()
    rows = {row["name"]: row for row in measured["rows"]}
    assert len(rows) == len(measured["rows"]) > 15 and len(measured["seeds"]) == 3
    assert {row["lesson"] for row in rows.values()} == {"", *(f"0{n}" for n in range(1, 8))}
    for row in rows.values():
        assert row["against"] in rows and row["sample"]
        for metric in ablations.METRICS:
            assert len(row[metric]) == 3


def test_only_models_that_look_ahead_go_below_the_floor():
    measured = ablations.measured()
    for row in measured["rows"]:
        below = min(v for v in row["teacher_forced"] if v is not None) < measured["floor"]
        assert below == (row["name"] == "the mask"), row["name"]
        for forced, alone in zip(row["teacher_forced"], row["prefix_only"], strict=True):
            assert alone is None or alone > measured["floor"]
            assert row["name"] == "the mask" or forced == pytest.approx(alone, abs=2e-3)


def test_a_metric_notices_what_is_worse_with_every_seed():
    whole = {"kl": [0.1, 0.2, 0.1], "sayable": [0.9, 0.8, 0.9]}
    assert ablations.noticed({"kl": [0.3, 0.4, 0.2], "sayable": [0.9, 0.1, 0.1]}, whole) == []
    assert ablations.noticed({"kl": [0.3, None, 0.3], "sayable": [0.9, 0.1, 0.1]}, whole) == ["kl"]
    assert ablations.noticed({"kl": [0.1, 0.1, 0.1], "sayable": [0, 0.7, 0]}, whole) == ["sayable"]


# ---- What the appendix says ----

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


def test_the_appendix_says_how_many_held_out_stories_are_in_the_training_text():
    corpus = corpora.load("pets")
    known = set(corpus.train.split(pets.STOP))
    stories = [story for story in corpus.heldout.split(pets.STOP) if story]
    again = sum(story in known for story in stories)
    says = f"{again} of the {len(stories):,} held-out stories occur in the training text"
    assert says in (NOTEBOOKS / "appendix_ablations.ipynb").read_text("utf-8")


def test_the_appendix_quotes_what_deeper_07_finds_of_the_fault_that_both_run():
    deeper = (NOTEBOOKS / "deeper" / "07_sampling.ipynb").read_text("utf-8")
    total, fine = re.search(r"not divided +sum ([\d.]+) .+ possible +(\d+) ", deeper).groups()
    appendix = (NOTEBOOKS / "appendix_ablations.ipynb").read_text("utf-8")
    assert f"sum to {total}, and only {fine} of 100 stories are possible" in appendix
    assert "## E. Four broken samplers" in deeper and "Deeper 07, section E" in appendix
    block = (NOTEBOOKS / "deeper" / "04_feedforward.ipynb").read_text("utf-8")
    assert "## D. Without layer normalisation" in block and "Deeper 04, section D" in appendix
