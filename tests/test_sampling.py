"""gptlib.sampling: filters by hand, draws counted, and generation with and without a cache."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import random_ids

from gptlib import GPT, GPTConfig, generate, next_token_probs, stream
from gptlib.sampling import draw

PETS = torch.log(torch.tensor([0.60, 0.30, 0.05, 0.05]))  # sleeping, on, happy, running
INF = math.inf


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def probs(*args, **how):
    return pytest.approx(next_token_probs(*args, **how).tolist(), abs=1e-4)


# ---- next_token_probs, by hand ----


@pytest.mark.parametrize(
    "how, expected",
    [
        ({}, [0.6, 0.3, 0.05, 0.05]),
        ({"temperature": 0.5}, [0.7912, 0.1978, 0.0055, 0.0055]),  # .36, .09, .0025 x2 of .455
        ({"temperature": 2}, [0.4378, 0.3095, 0.1264, 0.1264]),  # .7746, .5477, .2236 x2 of 1.7695
        ({"temperature": 0}, [1, 0, 0, 0]),
        ({"top_k": 1}, [1, 0, 0, 0]),
        ({"top_k": 2}, [2 / 3, 1 / 3, 0, 0]),
        ({"top_k": 2, "temperature": 0.5}, [0.8, 0.2, 0, 0]),  # .36, .09 of .45
        ({"top_k": 3}, [0.6316, 0.3158, 0.0526, 0]),  # a tie: the smaller id stays; x / .95
        ({"top_k": 99}, [0.6, 0.3, 0.05, 0.05]),
        ({"top_p": 1}, [0.6, 0.3, 0.05, 0.05]),
        ({"top_p": 1e-300}, [1, 0, 0, 0]),
        ({"top_p": 0.6}, [1, 0, 0, 0]),
        ({"top_p": 0.61}, [2 / 3, 1 / 3, 0, 0]),
        ({"top_p": 0.9}, [2 / 3, 1 / 3, 0, 0]),  # in float32, 0.6 + 0.3 is not quite 0.9
        ({"top_p": 0.95}, [0.6316, 0.3158, 0.0526, 0]),
        ({"top_p": 0.96}, [0.6, 0.3, 0.05, 0.05]),
        # top_p acts on what top_k left, divided anew: 2/3 alone reaches 0.65, and 0.6 would not
        ({"top_k": 2, "top_p": 0.65}, [1, 0, 0, 0]),
        # and on what temperature made of it: at 0.5 the first alone has 0.79
        ({"temperature": 0.5, "top_p": 0.75}, [1, 0, 0, 0]),
    ],
)
def test_filters_by_hand(how, expected):
    assert expected == probs(PETS, **how)


def test_each_row_is_filtered_alone_and_every_id_keeps_its_place():
    logits = torch.stack([PETS, PETS[[2, 0, 3, 1]]])[:, None]  # (2, 1, V)
    kept = next_token_probs(logits, top_k=2)
    assert kept.shape == (2, 1, 4)
    assert kept[0, 0].tolist() == pytest.approx([2 / 3, 1 / 3, 0, 0])
    assert kept[1, 0].tolist() == pytest.approx([0, 2 / 3, 0, 1 / 3])


def test_among_equals_exactly_the_smallest_ids_stay():
    even = torch.zeros(1000)
    for how in ({"top_k": 10}, {"top_p": 0.01}):
        assert next_token_probs(even, **how).nonzero().flatten().tolist() == [*range(10)]
    assert next_token_probs(even, temperature=0).nonzero().flatten().tolist() == [0]
    later = torch.tensor([0.0, 5.0, 1.0, 5.0])
    assert next_token_probs(later, temperature=0).tolist() == [0, 1, 0, 0]


def test_a_temperature_that_makes_probabilities_equal_does_not_change_their_order():
    kept = next_token_probs(torch.tensor([0.0, 1e-6]), temperature=1e6, top_k=1)
    assert kept.tolist() == [0, 1]


@pytest.mark.parametrize("temperature", [1e-3, 1e-30, 1e-46, 5e-324])
def test_a_tiny_temperature_is_greedy_and_does_not_overflow(temperature):
    logits = torch.tensor([-1000.0, 1000.0, 999.0, -INF])
    assert next_token_probs(logits, temperature).tolist() == [0, 1, 0, 0]


def test_a_huge_temperature_is_even_but_never_revives_minus_infinity():
    assert probs(torch.tensor([0.0, 9.0, -INF]), temperature=1e300) == [0.5, 0.5, 0]


logit_rows = st.lists(st.floats(-1000, 1000, width=32), min_size=1, max_size=12)


@settings(deadline=None, max_examples=200)
@given(
    logit_rows.map(torch.tensor),
    st.floats(0, 1e4),
    st.none() | st.integers(1, 15),
    st.none() | st.floats(0, 1, exclude_min=True),
)
def test_any_settings_leave_a_distribution_of_the_largest(logits, temperature, top_k, top_p):
    kept = next_token_probs(logits, temperature, top_k, top_p)
    assert kept.sum().item() == pytest.approx(1, abs=1e-5)
    assert (kept >= 0).all() and kept[logits.argmax()] == kept.max()
    stay = kept > 0
    assert stay.sum() <= (top_k or len(logits))
    if stay.any() and not stay.all() and temperature > 0 and (top_k or top_p):
        assert logits[stay].min() >= logits[~stay].max()
    if top_p and temperature > 0:  # the fewest that reach top_p
        before = next_token_probs(logits, temperature, top_k)
        assert before[stay].sum() >= top_p - 1e-5
        assert before[stay].sum() - before[stay].min() < top_p + 1e-5


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_number_types_give_float32_probabilities(dtype):
    found = next_token_probs(PETS.to(dtype), top_k=2, top_p=0.99)
    assert found.dtype == torch.float32
    assert found.tolist() == pytest.approx([2 / 3, 1 / 3, 0, 0], abs=0.01)


# ---- draw ----


def test_draws_come_as_often_as_their_probabilities_say():
    p = torch.tensor([0.6, 0.3, 0.0, 0.05, 0.05])
    counts = torch.bincount(draw(p.expand(10_000, 5), seeded()), minlength=5)
    assert counts[2] == 0
    expected = 10_000 * p[p > 0]
    chi_square = ((counts[p > 0] - expected) ** 2 / expected).sum()
    assert chi_square < 11.34  # three degrees of freedom: one seed in a hundred is above


def test_a_draw_takes_one_uniform_number_a_row_and_the_first_sum_beyond_it():
    p = torch.tensor([[0.5, 0.25, 0.25]]).expand(200, 3)
    a, b = seeded(3), seeded(3)
    ids, u = draw(p, a), torch.rand(200, 1, generator=b, dtype=torch.float64)
    assert torch.equal(a.get_state(), b.get_state())
    assert torch.equal(ids, (u >= 0.5).long().squeeze(1) + (u >= 0.75).long().squeeze(1))


@pytest.mark.parametrize("u, expected", [(0.0, 1), (0.4, 1), (0.5, 3), (1 - 2**-53, 3)])
def test_a_token_of_probability_zero_is_never_drawn(monkeypatch, u, expected):
    monkeypatch.setattr(torch, "rand", lambda *a, **kw: torch.full((1, 1), u, dtype=torch.float64))
    assert draw(torch.tensor([[0.0, 0.5, 0.0, 0.5, 0.0]])).item() == expected
    short = torch.tensor([[0.0, 0.3, 0.0, 0.3, 0.0]])  # as rounding would leave it, but more so
    assert draw(short).item() == expected


def test_the_running_sum_is_exact_to_a_billionth(monkeypatch):
    u = (torch.arange(1000, dtype=torch.float64) + 1e-6)[:, None] / 1000
    monkeypatch.setattr(torch, "rand", lambda *a, **kw: u)
    even = torch.full((1000, 1000), 1 / 1000)
    assert draw(even).tolist() == [*range(1000)]


def test_float32_and_float64_draw_the_same():
    p = torch.softmax(torch.randn(500, 50, generator=seeded()), -1)
    assert torch.equal(draw(p, seeded(1)), draw(p.double(), seeded(1)))


# ---- generate and stream ----

WAYS = [{"temperature": 0}, {}, {"temperature": 0.8, "top_k": 5}, {"top_p": 0.7}]


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("length", [1, 5, 8, 11])  # block_size is 8: the window slides in each
def test_the_ids_with_a_cache_are_those_without(lively, how, length):
    ids = random_ids(lively, batch=3, length=length)
    cached, plain = (
        generate(lively, ids, 14, **how, generator=seeded(), use_cache=use_cache)
        for use_cache in (True, False)
    )
    assert torch.equal(cached, plain)
    assert cached.shape == (3, length + 14)
    assert torch.equal(cached[:, :length], ids)


@pytest.mark.parametrize("use_cache", [True, False])
def test_each_step_of_a_stream_is_what_the_window_says_and_generate_says_the_same(
    lively, use_cache
):
    ids, how = random_ids(lively, length=3), {"temperature": 2, "top_k": 4, "top_p": 0.8}
    row = ids
    for step in stream(lively, ids, 9, **how, generator=seeded(), use_cache=use_cache):
        logits = lively(row[:, -8:])[:, -1]
        torch.testing.assert_close(step.logits, logits, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(step.probs, next_token_probs(step.logits, **how))
        assert (step.probs.gather(1, step.ids[:, None]) > 0).all()
        assert not step.stopped.any() and not step.logits.requires_grad
        row = torch.cat([row, step.ids[:, None]], 1)
    assert torch.equal(row, generate(lively, ids, 9, **how, generator=seeded()))


def test_a_seed_gives_the_same_ids_and_another_gives_others(lively):
    a, b, c = (generate(lively, [1], 20, generator=seeded(s)) for s in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_greedy_takes_the_largest_logit_each_time(lively):
    generator = seeded()
    out = generate(lively, [3, 1], 5, temperature=0, generator=generator)
    assert torch.equal(generator.get_state(), seeded().get_state())  # and leaves nothing to chance
    for t in range(2, 7):
        assert out[t] == lively(out[None, :t])[0, -1].argmax()


def test_a_row_or_a_list_comes_back_as_a_row_and_a_batch_as_a_batch(lively):
    row = torch.tensor([1, 2])
    assert generate(lively, row, 3).shape == generate(lively, [1, 2], 3).shape == (5,)
    assert generate(lively, [[1, 2]], 3).shape == generate(lively, row[None], 3).shape == (1, 5)
    assert torch.equal(generate(lively, row, 0), row)
    assert row.tolist() == [1, 2]


def test_generation_ends_after_the_stop_token(lively):
    free = generate(lively, [1], 20, generator=seeded())
    eos = int(free[4])
    out = generate(lively, [1], 20, generator=seeded(), eos_id=eos)
    end = free[1:].tolist().index(eos) + 2
    assert out.tolist() == free[:end].tolist()


def test_rows_that_stopped_repeat_the_stop_token_until_all_have(lively):
    ids = random_ids(lively, batch=4, length=2)
    free = generate(lively, ids, 40, generator=seeded(), temperature=2)[:, 2:].tolist()
    eos = free[0][3]
    ends = [row.index(eos) for row in free]
    assert len(set(ends)) > 1 and max(ends) < 39  # they stop at different times, and all stop
    steps = list(stream(lively, ids, 40, generator=seeded(), temperature=2, eos_id=eos))
    assert len(steps) == max(ends) + 1
    for row, (said, end) in enumerate(zip(free, ends, strict=True)):
        found = [int(step.ids[row]) for step in steps]
        assert found == said[: end + 1] + [eos] * (max(ends) - end)
        assert [bool(step.stopped[row]) for step in steps] == [t >= end for t in range(len(steps))]


# ---- The model is left as it was ----


def test_modes_come_back_at_each_step_also_when_a_stream_is_left(lively):
    lively.train()
    lively.h[1].eval()
    modes = [module.training for module in lively.modules()]
    steps = stream(lively, [1], 5)
    next(steps)
    assert [module.training for module in lively.modules()] == modes
    lively.eval()  # a caller may change them between steps
    next(steps)
    assert not any(module.training for module in lively.modules())
    steps.close()
    assert not any(module.training for module in lively.modules())


def test_modes_come_back_after_an_error(lively):
    def fail(*_):
        raise RuntimeError("out of memory")

    lively.train()
    lively.h[1].mlp.register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        generate(lively, [1], 5)
    assert all(module.training for module in lively.modules())


def test_dropout_is_off_while_generating():
    model = GPT(GPTConfig(11, 8, 2, 2, 12, dropout=0.5), seed=0).train()
    quiet = copy.deepcopy(model).eval()
    a, b = (next(stream(m, [1, 2, 3], 1, generator=seeded())) for m in (model, quiet))
    assert torch.equal(a.logits, b.logits)


# ---- Bad input ----


@pytest.mark.parametrize("call", [next_token_probs, "generate", "stream"])
@pytest.mark.parametrize(
    "name, value, said",
    [
        *(("temperature", v, "0 or more, and finite, not") for v in (-0.1, math.nan, INF, -INF)),
        *(
            ("top_k", v, "whole number of 1 or more, not")
            for v in (0, -1, 2.5, INF, math.nan, True)
        ),
        *(("top_p", v, "above 0 and at most 1, not") for v in (0, -0.1, 1.1, math.nan, INF)),
    ],
)
def test_settings_out_of_range_are_named_with_the_range(model, call, name, value, said):
    with pytest.raises(ValueError, match=f"^{name} must be .*{said} {value}"):
        if call is next_token_probs:
            call(PETS, **{name: value})
        else:  # at the call, not at the first step of the stream
            {"generate": generate, "stream": stream}[call](model, [1], 3, **{name: value})


@pytest.mark.parametrize("row", [[0, math.nan], [0, INF], [-INF, -INF], [math.nan, INF]])
@pytest.mark.parametrize("temperature", [0, 1])
def test_logits_that_are_no_numbers_are_refused(row, temperature):
    with pytest.raises(ValueError, match="^logits must hold numbers"):
        next_token_probs(torch.tensor([[1.0, 2.0], row]), temperature)


@pytest.mark.parametrize("odd", [math.nan, INF])
@pytest.mark.parametrize("top_k", [1, 2, 3, 4])
def test_they_are_refused_beside_equals_at_the_edge_of_top_k_too(odd, top_k):
    with pytest.raises(ValueError, match="^logits must hold numbers"):
        next_token_probs(torch.tensor([[3.0, 2.0, 1.0, 0.0], [1.0, odd, 1.0, 1.0]]), top_k=top_k)


def test_no_rows_have_no_probabilities():
    assert next_token_probs(torch.zeros(0, 4), top_k=2).shape == (0, 4)


@pytest.mark.parametrize("ids", [[], [[]], torch.zeros(1, 1, 1, dtype=torch.int64)])
def test_a_prompt_without_a_token_is_refused(model, ids):
    for call in (generate, stream):
        with pytest.raises(ValueError, match="prompt must hold at least one token id"):
            call(model, ids, 3)


@pytest.mark.parametrize("wrong", [-1, 11])
def test_ids_outside_the_vocabulary_are_refused(model, wrong):
    with pytest.raises(ValueError, match=rf"token id {wrong} is outside 0\.\.10"):
        stream(model, [1, wrong], 3)
    with pytest.raises(TypeError, match="float32"):
        generate(model, [1.5], 3)


@pytest.mark.parametrize("wrong", ["x", [3], 2.5, 3.0, True, -1, 11, 10**30])
def test_a_stop_token_that_is_no_id_is_refused_in_one_line(model, wrong):
    for call in (generate, stream):
        with pytest.raises(ValueError, match="^eos_id must be a whole number .* at most 10") as no:
            call(model, [1], 3, eos_id=wrong)
        assert "\n" not in str(no.value)


@pytest.mark.parametrize("kind", [np.int64, np.uint16, torch.tensor])
@pytest.mark.parametrize("use_cache", [True, False])
def test_a_stop_token_may_be_of_any_type_of_whole_numbers(lively, kind, use_cache):
    how = {"temperature": 0, "use_cache": use_cache}
    stop = generate(lively, [1, 2], 9, **how)[4].item()
    found = generate(lively, [1, 2], 9, eos_id=kind(stop), **how)
    assert torch.equal(found, generate(lively, [1, 2], 9, eos_id=stop, **how))
    assert found[-1] == stop and len(found) <= 5


@pytest.mark.parametrize("number", [-1, 2.5, math.nan, INF])
def test_a_number_of_tokens_that_is_none_is_refused(model, number):
    with pytest.raises(ValueError, match="max_new_tokens must be a whole number of 0 or more"):
        stream(model, [1], number)


# ---- Other number types, other devices ----


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("use_cache", [True, False])
def test_models_of_half_precision_generate(lively, dtype, use_cache):
    out = generate(lively.to(dtype), [1, 2], 12, generator=seeded(), use_cache=use_cache)
    assert out.shape == (14,)


@pytest.mark.cuda
@pytest.mark.parametrize("how", WAYS)
def test_cuda_gives_the_same_ids_as_the_cpu_from_the_same_generator(lively, how):
    ids = random_ids(lively, batch=3, length=3)
    here = generate(lively, ids, 14, **how, generator=seeded())
    there = generate(lively.cuda(), ids, 14, **how, generator=seeded())
    assert there.device.type == "cuda" and torch.equal(there.cpu(), here)


def test_text_in_place_of_ids_is_refused_with_what_to_do(model):
    with pytest.raises(TypeError, match=r"tokenizer.encode\(text\) gives them"):
        generate(model, "The cat is", 1)


@pytest.mark.parametrize("bad", [{"temperature": None}, {"top_k": "3"}, {"top_p": "0.5"}])
def test_a_setting_that_is_no_number_is_named(model, bad):
    name = next(iter(bad))
    with pytest.raises(ValueError, match=f"{name} must be a (whole )?number"):
        generate(model, [1], 1, **bad)


# ---- Beside transformers ----


def their_probs(logits, temperature=1.0, top_k=None, top_p=None):
    """(B, V) -> (B, V): what transformers would draw from, by its own processors in its order."""
    from transformers import generation

    kinds = [
        generation.TemperatureLogitsWarper(float(temperature)),
        *([generation.TopKLogitsWarper(top_k)] if top_k else []),
        *([generation.TopPLogitsWarper(top_p)] if top_p and top_p < 1 else []),
    ]
    return generation.LogitsProcessorList(kinds)(None, logits).softmax(-1)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 1.7])
@pytest.mark.parametrize("top_k", [None, 1, 7, 40])
@pytest.mark.parametrize("top_p", [None, 0.1, 0.5, 0.9, 0.99])
def test_the_filtered_distribution_is_that_of_transformers(temperature, top_k, top_p):
    pytest.importorskip("transformers")
    logits = torch.randn(20, 60, generator=seeded()) * 3
    ours = next_token_probs(logits, temperature, top_k, top_p)
    theirs = their_probs(logits, temperature, top_k, top_p)
    assert torch.equal(ours > 0, theirs > 0)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("how", [{"top_k": 50}, {"top_p": 0.95}, {"top_k": 5000, "top_p": 0.9}])
def test_over_gpt2s_vocabulary_the_distributions_differ_by_rounding_at_most(how):
    pytest.importorskip("transformers")
    logits = torch.randn(4, 50257, generator=seeded()) * 3
    ours, theirs = next_token_probs(logits, 0.8, **how), their_probs(logits, 0.8, **how)
    # 50,257 numbers are added in float32, ours from the largest and theirs from the smallest: the
    # last token to come in, of a millionth or so, may be another.
    assert ((ours > 0) != (theirs > 0)).sum(-1).max() <= 20
    assert (ours - theirs).abs().sum(-1).max() < 1e-4


def test_generate_draws_from_what_transformers_generate_draws_from(tmp_path):
    transformers = pytest.importorskip("transformers")
    shape = dict(vocab_size=60, n_positions=16, n_layer=2, n_head=2, n_embd=12)
    torch.manual_seed(0)
    theirs = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(**shape, bos_token_id=0, eos_token_id=0)
    ).eval()
    theirs.generation_config.eos_token_id = None
    for p in theirs.parameters():
        p.data.mul_(20.0)  # far from even
    theirs.save_pretrained(tmp_path)
    ours = GPT.from_pretrained(tmp_path)
    prompt = random_ids(ours, batch=3, length=5)
    how = {"temperature": 0.7, "top_k": 12, "top_p": 0.8}
    found = theirs.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=1,
        do_sample=True,
        pad_token_id=0,
        output_scores=True,
        return_dict_in_generate=True,
        **how,
    )
    (step,) = stream(ours, prompt, 1, **how)
    assert 1 < (step.probs[0] > 0).sum() < 12
    torch.testing.assert_close(step.probs, found.scores[0].softmax(-1), atol=1e-5, rtol=1e-4)


def test_of_equal_logits_at_the_edge_we_keep_as_many_as_asked_and_transformers_keeps_them_all():
    pytest.importorskip("transformers")
    logits = torch.tensor([[2.0, 1.0, 1.0, 1.0, 0.0]])
    ours, theirs = next_token_probs(logits, top_k=2), their_probs(logits, top_k=2)
    assert (ours > 0).tolist() == [[True, True, False, False, False]]
    assert (theirs > 0).tolist() == [[True, True, True, True, False]]
    # Top-p cuts through equals on both sides. Ours keeps the smaller id; theirs, what sort left.
    logits = torch.log(torch.tensor([[0.4, 0.2, 0.2, 0.2]]))
    ours, theirs = next_token_probs(logits, top_p=0.7), their_probs(logits, top_p=0.7)
    assert (ours > 0).tolist() == [[True, True, True, False]]
    assert (ours > 0).sum() == (theirs > 0).sum() == 3
