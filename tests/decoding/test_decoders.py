"""gptlib.decoding: one token at a time, by one function and by NumPy, against the model."""

import pytest
import torch
from tiny import random_ids

import gptlib
from gptlib.decoding.decoders import (
    Decoder,
    FastDecoder,
    OneRowDecoder,
    decoder_for,
    without_unused_ids,
)


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


@pytest.mark.parametrize("whole", [False, True], ids=["in place", "replaced"])
@pytest.mark.parametrize("kind", [FastDecoder, OneRowDecoder])
def test_it_sees_what_training_does_between_two_tokens(lively, kind, whole):
    decoder, ids = kind(lively, 1), random_ids(lively, 1)
    with torch.no_grad():
        decoder.read(ids[:, :1])
        for parameter in lively.parameters():
            new = parameter + torch.randn_like(parameter) / 10
            parameter.data = new if whole else parameter.data.copy_(new)
        for layer in decoder.cache:
            layer.length = 0
        after = decoder.read(ids[:, :1])
    torch.testing.assert_close(after, lively(ids[:, :1])[:, 0], rtol=1e-4, atol=1e-4)


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


def test_pytorch_has_one_core_for_a_token_and_its_threads_back_afterwards(
    lively, two_threads, monkeypatch
):
    inside, logits_of = [], OneRowDecoder._logits_of
    monkeypatch.setattr(
        OneRowDecoder,
        "_logits_of",
        lambda self, token: inside.append(torch.get_num_threads()) or logits_of(self, token),
    )
    for _ in gptlib.stream(lively, [1], 3):
        assert torch.get_num_threads() == 2
    assert inside == [1, 1, 1]
    with pytest.raises(ValueError, match="must hold numbers"), torch.no_grad():
        lively.ln_f.bias.fill_(torch.nan)
        gptlib.generate(lively, [1], 3)
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(("small", "wanted"), [(0, 2), (10**8, 1)])
def test_a_small_prompt_is_read_on_one_core(lively, two_threads, monkeypatch, small, wanted):
    monkeypatch.setattr("gptlib.decoding.decoders.LARGE_PROMPT", small)
    seen = []
    monkeypatch.setattr(Decoder, "_read_all", lambda *_: seen.append(torch.get_num_threads()))
    OneRowDecoder(lively).read(torch.tensor([[1, 2]]))
    assert seen == [wanted]


def test_autocast_is_left_to_pytorch(lively):
    with torch.autocast("cpu", torch.bfloat16):
        assert len(gptlib.generate(lively, [1, 2], 4)) == 6


@pytest.mark.filterwarnings("error")
def test_weights_without_bounds_end_in_one_line_and_no_warning(lively):
    with torch.no_grad():
        lively.h[0].mlp.c_proj.weight.fill_(torch.inf)
    with pytest.raises(ValueError, match="must hold numbers"):
        gptlib.generate(lively, [1], 3)


@pytest.mark.parametrize("token", [-1, 10**6])
def test_an_id_that_no_row_stands_for_is_refused(lively, token):
    with pytest.raises(ValueError, match=f"token id {token} is outside"):
        OneRowDecoder(lively).read(torch.tensor([[token]]))


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


def test_ids_without_a_token_get_no_probability_and_the_others_keep_their_logits(model):
    logits = torch.randn(2, 11)
    assert without_unused_ids(model, logits) is logits
    model.first_unused_id = 8
    masked = without_unused_ids(model, logits)
    assert torch.equal(masked[:, :8], logits[:, :8]) and (masked[:, 8:] == -torch.inf).all()
    assert torch.isfinite(logits).all()
