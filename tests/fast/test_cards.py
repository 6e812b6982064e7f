"""gptlib.fast.cards: what a card does sooner is what the plain way does, tried without one."""

from types import SimpleNamespace

import pytest
import torch

import gptlib
from gptlib import optimizers
from gptlib.fast import cards
from gptlib.fast.cards import fused_nll, needs_padding, padded_linear, tensor_cores, to_card
from gptlib.fast.linear import fast_linear, linear


class OnCard:
    """A tensor as a card's, as far as the choice looks at it."""

    def __init__(self, *shape):
        self.tensor, self.device = torch.empty(shape, device="meta"), torch.device("cuda")

    def __getattr__(self, name):
        return getattr(self.tensor, name)


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("n_out", [1, 63, 64, 65])
def test_a_padded_product_and_its_gradients_are_the_plain_ones(n_out, with_bias):
    generator = torch.Generator().manual_seed(0)
    shapes = [(2, 3, 8), (n_out, 8), *([(n_out,)] if with_bias else [])]
    given = [torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes]
    for tensor in given:
        tensor.requires_grad_()
    plain, padded = linear(*given), padded_linear(*given)
    assert padded.shape == plain.shape
    torch.testing.assert_close(padded, plain)
    upstream = torch.randn(plain.shape, generator=generator, dtype=torch.float64)
    wanted = torch.autograd.grad(plain, given, upstream)
    for one, other in zip(torch.autograd.grad(padded, given, upstream), wanted, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("x", "weight", "wanted"),
    [
        ((16, 1024, 768), (50257, 768), True),
        ((16, 1024, 768), (50304, 768), False),  # whole tiles
        ((1, 1, 768), (50257, 768), False),  # one token reads each weight once: no copy of them
        ((16, 1024, 128), (65, 128), False),  # small
        ((16, 1024, 767), (50257, 768), False),  # to be refused by the product itself
        ((768,), (50257, 768), False),
    ],
)
def test_a_card_is_given_more_rows_where_gpt2s_vocabulary_is_multiplied_by_many(x, weight, wanted):
    assert needs_padding(OnCard(*x), OnCard(*weight)) == wanted
    assert not needs_padding(torch.empty(x, device="meta"), torch.empty(weight, device="meta"))


def test_the_model_keeps_its_shapes_where_its_products_are_padded(lively, monkeypatch):
    ids = torch.tensor([[1, 2, 3]])
    plain = lively(ids)
    shapes = {name: tensor.shape for name, tensor in lively.state_dict().items()}
    monkeypatch.setattr("gptlib.fast.linear.needs_padding", lambda x, weight: True)
    torch.testing.assert_close(lively(ids), plain, rtol=1e-4, atol=1e-4)
    assert {name: tensor.shape for name, tensor in lively.state_dict().items()} == shapes
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        fast_linear(torch.zeros(3, 5), torch.zeros(3, 4))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_fused_loss_and_its_gradient_are_those_of_nll(dtype):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 5, 11, generator=generator).to(dtype).requires_grad_()
    targets = torch.randint(11, (2, 5), generator=generator)
    plain, fused = gptlib.nll(logits.float(), targets), fused_nll(logits, targets)
    assert fused.dtype == torch.float32
    torch.testing.assert_close(fused, plain)
    wanted, got = (torch.autograd.grad(loss, logits)[0] for loss in (plain, fused))
    torch.testing.assert_close(got, wanted)


def test_float32_goes_by_tensor_cores_on_a_card_and_as_before_afterwards():
    before = torch.get_float32_matmul_precision()
    with tensor_cores(torch.device("cpu")):
        assert torch.get_float32_matmul_precision() == before == "highest"
    with pytest.raises(KeyError), tensor_cores(torch.device("cuda")):
        assert torch.get_float32_matmul_precision() == "high"
        raise KeyError
    assert torch.get_float32_matmul_precision() == before


def test_of_several_threads_the_last_one_puts_the_precision_back():
    one, other = (tensor_cores(torch.device("cuda")) for _ in range(2))
    one.__enter__(), other.__enter__()
    one.__exit__(None, None, None)
    assert torch.get_float32_matmul_precision() == "high"
    other.__exit__(None, None, None)
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.skipif(
    not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="an older PyTorch"
)
def test_a_precision_that_was_chosen_by_the_newer_names_stays():
    matmul = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    matmul.fp32_precision = "tf32"
    try:
        with pytest.raises(RuntimeError, match="mix"):
            torch.get_float32_matmul_precision()
        with tensor_cores(torch.device("cuda")):
            assert matmul.fp32_precision == "tf32"
        assert matmul.fp32_precision == "tf32"
    finally:
        matmul.fp32_precision = before


def test_a_tensor_for_the_cpu_is_not_copied():
    x = torch.ones(3)
    assert to_card(x, torch.device("cpu")) is x


def test_what_is_on_a_card_already_is_not_pinned():
    class There:  # PyTorch pins the CPU's memory alone, and refuses a card's
        device = torch.device("cuda", 0)

        def to(self, device, non_blocking=False):
            return self

    there = There()
    assert to_card(there, torch.device("cuda")) is there


@pytest.mark.cuda
def test_a_card_gets_what_it_is_sent_and_multiplies_it_the_same_either_way():
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(4, 64, 256, generator=generator), torch.randn(5003, 256)
    there = [to_card(tensor, torch.device("cuda")) for tensor in (x, weight)]
    assert cards.needs_padding(*there)
    padded = fast_linear(*there)
    assert padded.shape == (4, 64, 5003)
    torch.testing.assert_close(padded.cpu(), linear(x, weight), rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize(
    ("capability", "has_it"), [((7, 5), False), ((8, 0), True), ((9, 0), True)]
)
def test_only_newer_cards_multiply_bfloat16_by_themselves(monkeypatch, capability, has_it):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    cards.has_bf16.cache_clear()
    try:
        assert cards.has_bf16(torch.device("cuda")) == has_it
        wanted = torch.bfloat16 if has_it else torch.float32
        assert optimizers._fast_dtype(torch.device("cuda")) == wanted
        assert not cards.has_bf16(torch.device("cpu"))
    finally:
        cards.has_bf16.cache_clear()


@pytest.mark.parametrize(
    ("model", "sizes"),
    [
        (SimpleNamespace(config=gptlib.GPTConfig()), [10, 10, 10, 10, 10, 10, 4]),
        (SimpleNamespace(config=gptlib.GPTConfig(vocab_size=512)), [64]),
        (SimpleNamespace(), [64]),
    ],
)
def test_rows_are_scored_in_parts_whose_logits_fit(model, sizes):
    ids = torch.zeros(64, 1024)
    assert [len(rows) for rows, _ in cards.in_parts(ids, ids, 64, model)] == sizes
    assert torch.equal(torch.cat([y for _, y in cards.in_parts(ids, ids, 64, model)]), ids)
