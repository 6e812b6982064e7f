"""gptlib.attention: two tokens by hand, then the open form against the fused one."""

import math
import sys

import pytest
import torch

from gptlib.attention import (
    CausalSelfAttention,
    LayerCache,
    attention,
    attention_scores,
    causal_mask,
    fast_attention,
    mask_scores,
    merge_heads,
    split_heads,
)

# (T, S): no cache; one token; one query after a cache; several queries after a cache
SHAPES = [(5, 5), (1, 1), (1, 6), (3, 7)]


def random_qkv(n_queries, n_keys, device="cpu", seed=0):
    """q (2, 3, T, 4), k and v (2, 3, S, 4), large enough that no row of weights is even."""
    generator = torch.Generator().manual_seed(seed)
    return [
        (2 * torch.randn(2, 3, n, 4, generator=generator)).to(device).requires_grad_()
        for n in (n_queries, n_keys, n_keys)
    ]


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return CausalSelfAttention(n_embd=12, n_head=3)


def test_two_tokens_by_hand():
    # hs = 4, so the scale is 1/2. The second query times its two keys: 0 and 2 ln 3; scaled: 0 and
    # ln 3; e^: 1 and 3; weights 1/4 and 3/4; output 10/4 + 3 * 20/4 = 17.5.
    q = torch.ones(1, 1, 2, 4)
    k = torch.stack([torch.zeros(4), torch.full((4,), math.log(3) / 2)])[None, None]
    v = torch.tensor([10.0, 20.0])[None, None, :, None].expand(1, 1, 2, 4)
    out, weights = attention(q, k, v)
    assert weights[0, 0].tolist() == [pytest.approx([1, 0]), pytest.approx([1 / 4, 3 / 4])]
    assert out[0, 0, :, 0].tolist() == pytest.approx([10, 17.5])
    # Without the mask the first token, whose query is the same, fetches the same.
    out, weights = attention(q, k, v, causal=False)
    assert weights[0, 0].tolist() == [pytest.approx([1 / 4, 3 / 4])] * 2
    assert out[0, 0, :, 0].tolist() == pytest.approx([17.5, 17.5])
    # Unscaled, e^(2 ln 3) is 9: weights 1/10 and 9/10, output 19.
    out, weights = attention(q, k, v, scale=1.0)
    assert weights[0, 0, 1].tolist() == pytest.approx([1 / 10, 9 / 10])
    assert fast_attention(q, k, v, scale=1.0)[0, 0, :, 0].tolist() == pytest.approx([10, 19])


def test_the_mask_lets_queries_see_the_past_and_themselves():
    assert causal_mask(3).int().tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    # With a cache of two, the queries are the last two of four tokens.
    assert causal_mask(2, 4).int().tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert causal_mask(1, 4).all()


def test_masked_scores_are_minus_infinity_in_the_future_and_unchanged_elsewhere():
    masked = mask_scores(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))
    assert masked.tolist() == [[[[1.0, -math.inf], [3.0, 4.0]]]]


@pytest.mark.parametrize("n_queries, n_keys", SHAPES)
def test_rows_of_attention_sum_to_one_and_the_future_gets_exactly_zero(n_queries, n_keys):
    _, weights = attention(*random_qkv(n_queries, n_keys))
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, n_queries))
    assert (weights[..., ~causal_mask(n_queries, n_keys)] == 0).all()
    assert (weights[..., causal_mask(n_queries, n_keys)] > 0).all()


@pytest.mark.parametrize("size", [4, 64, 256])
def test_the_scale_keeps_the_variance_of_scores_near_one(size):
    generator = torch.Generator().manual_seed(0)
    q, k = torch.randn(2, 1, 1, 1000, size, generator=generator)
    assert attention_scores(q, k).var().item() == pytest.approx(1, abs=0.1)
    assert attention_scores(q, k, scale=1.0).var().item() == pytest.approx(size, rel=0.1)


def explicit_and_fast_agree(n_queries, n_keys, causal, scale, device="cpu"):
    results = []
    for function in (lambda *a, **k: attention(*a, **k)[0], fast_attention):
        qkv = random_qkv(n_queries, n_keys, device)
        out = function(*qkv, causal=causal, scale=scale)
        results.append([out, *torch.autograd.grad(out.pow(2).sum(), qkv)])
    for explicit, fast in zip(*results, strict=True):
        torch.testing.assert_close(explicit, fast, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scale", [None, 1.0, 0.1])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("n_queries, n_keys", SHAPES)
def test_explicit_equals_fast_in_values_and_gradients(n_queries, n_keys, causal, scale):
    explicit_and_fast_agree(n_queries, n_keys, causal, scale)


@pytest.mark.cuda
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("n_queries, n_keys", SHAPES)
def test_explicit_equals_fast_on_cuda(n_queries, n_keys, causal):
    explicit_and_fast_agree(n_queries, n_keys, causal, None, "cuda")


def test_heads_take_neighbouring_channels_and_merging_undoes_splitting():
    x = torch.arange(12.0).view(1, 2, 6)  # two tokens of channels 0..5 and 6..11
    heads = split_heads(x, 3)
    assert heads.shape == (1, 3, 2, 2)
    assert heads[0, 1].tolist() == [[2, 3], [8, 9]]
    assert torch.equal(merge_heads(heads), x)


def test_the_layer_equals_attention_head_by_head_from_its_weights(layer):
    x = torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(1))
    thirds = zip(layer.c_attn.weight.chunk(3), layer.c_attn.bias.chunk(3), strict=True)
    q, k, v = (x @ weight.T + bias for weight, bias in thirds)
    heads = []
    for h in (slice(0, 4), slice(4, 8), slice(8, 12)):
        scores = (q[..., h] @ k[..., h].transpose(1, 2) / 2).masked_fill(~causal_mask(5), -1e9)
        heads.append(torch.softmax(scores, -1) @ v[..., h])
    torch.testing.assert_close(layer(x), layer.c_proj(torch.cat(heads, -1)))


def test_future_tokens_do_not_change_past_outputs_of_the_layer(layer):
    x = torch.randn(1, 6, 12)
    changed = x.clone()
    changed[:, 4:] += 1
    torch.testing.assert_close(layer(changed)[:, :4], layer(x)[:, :4])
    assert not torch.allclose(layer(changed)[:, 4:], layer(x)[:, 4:])


@pytest.mark.parametrize("pieces", [[1] * 7, [3, 1, 3], [1, 6], [7]])
def test_the_layer_in_pieces_through_a_cache_equals_the_layer_at_once(layer, pieces):
    x = torch.randn(2, 7, 12)
    cache = LayerCache(torch.empty(2, 2, 3, 7, 4))
    with torch.no_grad():
        parts = [layer(part, cache) for part in x.split(pieces, dim=1)]
        torch.testing.assert_close(torch.cat(parts, dim=1), layer(x))
    assert cache.length == 7


def test_the_cache_returns_what_it_was_given_in_order():
    cache = LayerCache(torch.empty(2, 1, 1, 4, 2))
    k, v = torch.randn(2, 1, 1, 3, 2)
    cache.append(k[:, :, :2], v[:, :, :2])
    all_k, all_v = cache.append(k[:, :, 2:], v[:, :, 2:])
    assert torch.equal(all_k, k) and torch.equal(all_v, v)


def test_dropout_drops_weights_but_returns_them_whole():
    torch.manual_seed(0)
    q, k, _ = random_qkv(50, 50)
    v = torch.ones(2, 3, 50, 4)  # any weighted mean of ones is 1, until weights are dropped
    for function in (lambda *a, **kw: attention(*a, **kw)[0], fast_attention):
        torch.testing.assert_close(function(q, k, v), v)
        dropped = function(q, k, v, dropout_p=0.5)
        assert dropped.std() > 0.1
        assert dropped.mean().item() == pytest.approx(1, abs=0.1)  # what stays is scaled up by 2
    _, weights = attention(q, k, v, dropout_p=0.5)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 50))


def test_dropout_reaches_the_weights_in_training_and_not_in_eval(monkeypatch):
    given = []

    def watched(q, k, v, *, dropout_p, **kw):
        given.append(dropout_p)
        return fast_attention(q, k, v, **kw)

    # `gptlib.attention` is the function of that name, so the module is fetched by its own.
    monkeypatch.setattr(sys.modules["gptlib.attention"], "fast_attention", watched)
    layer, x = CausalSelfAttention(12, 3, dropout=0.5), torch.randn(2, 50, 12)
    outputs = [layer.train()(x), layer.eval()(x)]
    assert given == [0.5, 0.0]
    # The output has dropout of its own: half of its channels are 0 in training, and none in eval.
    shares = [(output == 0).float().mean().item() for output in outputs]
    assert shares == [pytest.approx(0.5, abs=0.1), 0]
