"""gptlib.quantization: whole numbers by hand, the fast product, and models of eight bits."""

import copy

import pytest
import torch
from tiny import random_ids

import gptlib
from gptlib.decoding.decoders import FastDecoder, decoder_for
from gptlib.decoding.quantization import (
    FEW_ROWS,
    fast_int8_linear,
    int8_linear,
    quantize,
    to_int8,
)


def test_a_row_by_hand():
    # The largest of the row, 2.54, is 127 steps, so a step is 0.02; 0.049 is 2.45 steps: 2.
    numbers, scale = to_int8(torch.tensor([[2.54, -1.0, 0.049], [0.0, 0.0, 0.0]]))
    assert numbers.tolist() == [[127, -50, 2], [0, 0, 0]]
    assert scale[0].item() == pytest.approx(0.02)


def test_no_weight_is_off_by_more_than_half_a_step_of_its_row():
    weight = torch.randn(7, 33, generator=torch.Generator().manual_seed(0))
    numbers, scale = to_int8(weight)
    off = (numbers * scale[:, None] - weight).abs()
    assert (off <= scale[:, None] * 0.5001).all()


@pytest.mark.parametrize("n_rows", [1, FEW_ROWS, FEW_ROWS + 1])
@pytest.mark.parametrize("with_bias", [True, False])
def test_the_fast_product_is_the_plain_one_to_three_digits(n_rows, with_bias):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n_rows, 64, generator=generator)
    bias = torch.randn(32, generator=generator) if with_bias else None
    numbers, scale = to_int8(torch.randn(32, 64, generator=generator))
    plain = int8_linear(x, numbers, scale, bias)
    fast = fast_int8_linear(x, numbers, scale, bias)
    torch.testing.assert_close(fast, plain, rtol=1e-2, atol=1e-2 * plain.abs().max().item())


def test_the_pets_model_says_the_same_in_eight_bits(pets):
    model, tokenizer = pets
    small = quantize(model)
    ids = torch.tensor([tokenizer.encode("The ball of Mia is red. The cat is")])
    with torch.no_grad():
        truth, rounded = model(ids).softmax(-1), small(ids).softmax(-1)
    assert 0 < gptlib.kl(truth, rounded).max() < 0.01
    said = gptlib.generate(small, tokenizer.encode("The cat is"), 1, temperature=0).tolist()
    assert tokenizer.decode(said) == "The cat is sleeping"


def test_a_quantized_model_is_read_fast_and_as_it_is(lively):
    small, ids = quantize(lively), random_ids(lively, 2)
    decoder = decoder_for(small, 2)
    assert type(decoder) is FastDecoder
    with torch.no_grad():
        read = [decoder.read(column[:, None]) for column in ids.T]
        whole = small(ids)
    torch.testing.assert_close(torch.stack(read, 1), whole, rtol=0.05, atol=0.1)


def test_the_model_it_was_made_from_stays_as_it_was(lively):
    before = copy.deepcopy(lively.state_dict())
    quantize(lively)
    assert lively.training is False and all(p.requires_grad for p in lively.parameters())
    assert all(torch.equal(before[name], t) for name, t in lively.state_dict().items())


def test_the_table_of_tokens_is_there_once_and_the_whole_is_a_quarter(lively):
    model = gptlib.GPT(gptlib.GPTConfig(512, 8, 2, 2, 64), seed=0)
    small = quantize(model)
    assert small.lm_head.int8 is small.wte.int8
    held = {t.data_ptr(): t.nbytes for t in (*small.parameters(), *small.buffers())}
    assert sum(held.values()) < 0.3 * 4 * model.n_params()


def test_a_model_from_a_file_may_lie_the_other_way_round_in_memory(lively, tmp_path):
    lively.save_pretrained(tmp_path / "model")
    opened = gptlib.GPT.from_pretrained(tmp_path / "model")
    turned = opened.h[0].mlp.c_fc
    turned.weight = torch.nn.Parameter(turned.weight.detach().t().contiguous().t())
    ids = random_ids(lively, 1)
    assert quantize(opened).h[0].mlp.c_fc.int8.is_contiguous()
    torch.testing.assert_close(quantize(opened)(ids), quantize(lively)(ids))


def test_a_trace_of_it_can_be_taken(lively):
    small, ids = quantize(lively), random_ids(lively, 1)[0]
    seen = gptlib.trace(small, ids)
    torch.testing.assert_close(seen.logits, small(ids[None])[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_model_of_another_number_type_is_rounded_too(lively, dtype):
    small = quantize(copy.deepcopy(lively).to(dtype))
    ids = random_ids(lively)
    spread = lively(ids).std()
    assert (small(ids) - lively(ids)).abs().max() < 0.1 * spread
    assert gptlib.generate(small, [1, 2], 4, temperature=0).shape == (6,)


def test_it_cannot_be_saved_or_trained(lively, tmp_path):
    small = quantize(lively)
    with pytest.raises(ValueError, match="eight bits"):
        gptlib.save(tmp_path / "model", small)
    with pytest.raises(ValueError, match="nothing to train"):
        gptlib.Trainer(small, torch.arange(11), gptlib.TrainConfig(steps=1, device="cpu"))


def test_a_matrix_without_numbers_is_refused_by_name(lively):
    with torch.no_grad():
        lively.h[1].mlp.c_fc.weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"h\.1\.mlp\.c_fc"):
        quantize(lively)
