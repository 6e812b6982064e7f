"""gptlib.decoding: one token at a time, by one function and by NumPy, against the model."""

import pytest
import torch
from conftest import random_ids

import gptlib
from gptlib.decoding import Decoder, FastDecoder, OneRowDecoder, decoder_for


def read_all(decoder, ids):
    """Logits (B, T, V) of ids (B, T), read a token at a time but for the first two."""
    with torch.no_grad():
        first = decoder.read(ids[:, :2])
        return torch.stack([first, *(decoder.read(column[:, None]) for column in ids.T[2:])], 1)


@pytest.mark.parametrize(
    ("kind", "n_rows"),
    [(Decoder, 1), (Decoder, 3), (FastDecoder, 1), (FastDecoder, 3), (OneRowDecoder, 1)],
)
def test_reading_a_token_at_a_time_gives_the_models_logits(lively, kind, n_rows):
    ids = random_ids(lively, n_rows)
    read = read_all(kind(lively, n_rows), ids)
    torch.testing.assert_close(read, lively(ids)[:, 1:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("kind", "n_rows"), [(FastDecoder, 2), (OneRowDecoder, 1)])
def test_all_decoders_fill_the_same_cache(lively, kind, n_rows):
    ids = random_ids(lively, n_rows)
    plain, fast = Decoder(lively, n_rows), kind(lively, n_rows)
    read_all(plain, ids), read_all(fast, ids)
    assert plain.length == fast.length == ids.shape[1]
    filled = [decoder.room[..., : decoder.length, :] for decoder in (fast, plain)]
    torch.testing.assert_close(*filled, rtol=1e-4, atol=1e-4)


def test_bfloat16_weights_are_read_too(lively):
    model = lively.to(torch.bfloat16)
    ids = random_ids(model, 2)
    fast = read_all(FastDecoder(model, 2), ids)
    torch.testing.assert_close(fast, read_all(Decoder(model, 2), ids), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("kind", [FastDecoder, OneRowDecoder])
def test_it_sees_what_training_does_between_two_tokens(lively, kind):
    decoder, ids = kind(lively, 1), random_ids(lively, 1)
    with torch.no_grad():
        before = decoder.read(ids[:, :1])
        lively.ln_f.bias.add_(1.0)
        decoder.cache[0].length = decoder.cache[1].length = 0
        after = decoder.read(ids[:, :1])
    torch.testing.assert_close(after, before + lively.wte.weight.sum(1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [FastDecoder, OneRowDecoder])
def test_what_it_gives_can_be_trained_on(lively, kind):
    logits = kind(lively, 1).read(torch.tensor([[1]]))
    head = torch.nn.Linear(logits.shape[-1], 1)
    head(logits).sum().backward()
    assert head.weight.grad is not None


def test_a_model_of_known_parts_is_read_fast(lively):
    assert type(decoder_for(lively, 1)) is OneRowDecoder
    assert type(decoder_for(lively, 2)) is FastDecoder
    assert type(decoder_for(gptlib.quantize(lively), 1)) is FastDecoder
    assert type(decoder_for(lively.to(torch.bfloat16), 1)) is FastDecoder


def test_a_head_of_its_own_and_layers_without_a_bias_are_read(lively):
    lively.lm_head.weight = torch.nn.Parameter(torch.randn_like(lively.wte.weight))
    lively.lm_head.bias = torch.nn.Parameter(torch.randn(lively.config.vocab_size))
    lively.h[0].mlp.c_fc.bias = None
    ids = random_ids(lively, 1)
    read = read_all(decoder_for(lively, 1), ids)
    torch.testing.assert_close(read, lively(ids)[:, 1:], rtol=1e-4, atol=1e-4)


def test_pytorch_has_its_threads_back_after_each_token(lively):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for _ in gptlib.stream(lively, [1], 3):
            assert torch.get_num_threads() == 2
        with pytest.raises(ValueError, match="must hold numbers"), torch.no_grad():
            lively.ln_f.bias.fill_(torch.nan)
            gptlib.generate(lively, [1], 3)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("part", list(gptlib.ablations.PARTS))
def test_an_ablated_model_is_read_as_it_is(lively, part):
    assert type(decoder_for(gptlib.ablate(lively, part), 1)) is Decoder


def test_a_watched_or_wrapped_model_is_read_as_it_is(lively):
    handle = lively.h[0].attn.register_forward_hook(lambda *_: None)
    assert type(decoder_for(lively, 1)) is Decoder
    handle.remove()
    assert type(decoder_for(lively, 1)) is OneRowDecoder
    lively.h[0].mlp.forward = lambda x: torch.zeros_like(x)
    assert type(decoder_for(lively, 1)) is Decoder


def test_the_room_holds_block_size_tokens_and_says_when_it_is_full(lively):
    for kind in (Decoder, FastDecoder, OneRowDecoder):
        decoder = kind(lively, 1)
        read_all(decoder, random_ids(lively, 1, length=lively.config.block_size))
        with pytest.raises(ValueError, match="do not fit into the context of 8"):
            decoder.read(torch.tensor([[1]]))
