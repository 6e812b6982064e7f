"""gptlib.linear: the fast way against the plain one, for values and gradients."""

import pytest
import torch

from gptlib.fast import linear as module
from gptlib.fast.linear import (
    LARGE,
    MANY_ROWS,
    Linear,
    by_bfloat16,
    fast_linear,
    has_onednn,
    linear,
    rounding,
)

# (leading axes, I, O): many rows; few; one row times a large matrix and times a small one
SHAPES = [((2, MANY_ROWS), 8, 6), ((2, 3), 8, 6), ((1, 1), 512, LARGE // 512), ((1,), 8, 6)]


def inputs(leading, n_in, n_out, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    shapes = (*leading, n_in), (n_out, n_in), (n_out,)
    drawn = [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]
    return [tensor.requires_grad_() for tensor in drawn]


@pytest.fixture
def asked(monkeypatch):
    """How often oneDNN was asked for a product, as on a computer on which nothing was measured."""
    monkeypatch.setattr(module, "many_rows_by_onednn", True)
    calls, product = [], module._product
    monkeypatch.setattr(module, "_product", lambda *a: calls.append(a) or product(*a))
    return calls


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_fast_way_gives_what_the_plain_one_gives_and_its_gradients(shape, with_bias):
    x, weight, bias = inputs(*shape)
    given = (x, weight, bias) if with_bias else (x, weight)
    plain, fast = linear(*given), fast_linear(*given)
    torch.testing.assert_close(fast, plain, rtol=1e-4, atol=1e-4)
    upstream = torch.randn(plain.shape, generator=torch.Generator().manual_seed(1))
    wanted = torch.autograd.grad(plain, given, upstream)
    got = torch.autograd.grad(fast, given, upstream)
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(not has_onednn(), reason="this PyTorch has no oneDNN beside MKL")
def test_onednn_is_asked_where_rows_are_many_or_the_matrix_is_large(asked):
    with torch.no_grad():
        for shape, n in zip(SHAPES, (1, 0, 1, 0), strict=True):
            asked.clear()
            fast_linear(*inputs(*shape))
            assert len(asked) == n, shape


@pytest.mark.skipif(not has_onednn(), reason="this PyTorch has no oneDNN beside MKL")
def test_the_backward_pass_asks_for_no_gradient_that_nobody_needs(asked):
    x, weight, bias = inputs(*SHAPES[0])
    fast_linear(x.detach(), weight, bias).sum().backward()
    assert len(asked) == 2  # forward, and the weight's gradient
    assert x.grad is None and weight.grad is not None


@pytest.mark.parametrize("with_bias", [True, False])
def test_in_bfloat16_it_is_the_same_to_three_digits_gradients_too(with_bias):
    x, weight, bias = inputs((2, 16), 8, 6)
    given = (x, weight, bias) if with_bias else (x, weight)
    plain, rounded = linear(*given), by_bfloat16(*given)
    assert rounded.dtype == torch.float32 and rounded.shape == plain.shape
    assert not torch.equal(rounded, plain)
    torch.testing.assert_close(rounded, plain, rtol=1e-2, atol=5e-2)
    upstream = torch.randn(plain.shape, generator=torch.Generator().manual_seed(1))
    wanted = torch.autograd.grad(plain, given, upstream)
    got = torch.autograd.grad(rounded, given, upstream)
    for one, other in zip(got, wanted, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-1)
    if with_bias:
        assert torch.equal(got[2], wanted[2]), "a sum over rows is not rounded"


def test_only_the_sizes_that_are_named_are_rounded_and_only_inside():
    x, weight, bias = (tensor.detach() for tensor in inputs((2, 3), 8, 6))
    plain = fast_linear(x, weight, bias)
    with rounding(frozenset({(6, 6, 8)})):
        assert torch.equal(fast_linear(x, weight, bias), by_bfloat16(x, weight, bias))
        assert torch.equal(fast_linear(x[:1], weight, bias), plain[:1])  # three rows, not six
        assert fast_linear(x.double(), weight.double()).dtype == torch.float64
    assert torch.equal(fast_linear(x, weight, bias), plain)


def test_other_types_and_autocast_are_left_to_pytorch(asked):
    doubles = inputs(*SHAPES[0], dtype=torch.float64)
    assert torch.equal(fast_linear(*doubles), linear(*doubles))
    with torch.autocast("cpu", torch.bfloat16):
        assert fast_linear(*inputs(*SHAPES[0])).dtype == torch.bfloat16
    assert not asked


@pytest.mark.skipif(not has_onednn(), reason="this PyTorch has no oneDNN beside MKL")
@pytest.mark.parametrize("sizes", [(256, 300), (300, 256)])
def test_the_gradient_of_a_sum_goes_to_onednn_as_numbers_of_its_own(asked, sizes):
    # One number repeated by a stride of 0 takes oneDNN a thousand times as long.
    x, weight, bias = inputs((4, 130), *sizes)
    fast_linear(x, weight, bias).sum().backward()
    assert len(asked) == 3
    assert all(0 not in given.stride() for call in asked for given in call[:2])
    assert weight.grad.is_contiguous()


def test_a_gradient_can_be_differentiated_again():
    x, weight, _ = inputs((MANY_ROWS,), 4, 3)

    def penalty(function):
        grad = torch.autograd.grad(function(x, weight).pow(2).sum(), x, create_graph=True)[0]
        return torch.autograd.grad(grad.pow(2).sum(), weight)[0]

    torch.testing.assert_close(penalty(fast_linear), penalty(linear), rtol=1e-3, atol=1e-2)


def test_without_onednn_the_plain_way_is_taken(monkeypatch, asked):
    monkeypatch.setattr(module, "has_onednn", lambda: False)
    given = inputs(*SHAPES[0])
    assert torch.equal(fast_linear(*given), linear(*given))
    assert not asked


def test_a_pytorch_that_calls_it_otherwise_is_one_without_it(monkeypatch):
    def refuses(*arguments):
        raise AttributeError("no such operation")

    monkeypatch.setattr(module, "_product", refuses)
    module.has_onednn.cache_clear()
    try:
        assert not has_onednn()
    finally:
        module.has_onednn.cache_clear()


def test_channels_that_do_not_fit_are_refused_as_pytorch_does():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        fast_linear(torch.zeros(MANY_ROWS, 5), torch.zeros(3, 4))


def test_a_layer_is_pytorchs_own_with_the_same_weights():
    layer = Linear(4, 3)
    assert isinstance(layer, torch.nn.Linear)
    assert list(layer.state_dict()) == ["weight", "bias"]
    x = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(layer(x), torch.nn.Linear.forward(layer, x))


@pytest.mark.parametrize("n_in", [8, 1024])
def test_a_function_for_few_rows_sees_weights_that_change(n_in):
    layer = Linear(n_in, 512)
    function, row = layer.for_few_rows(), torch.ones(1, n_in)
    with torch.no_grad():
        before = function(row)
        layer.weight.add_(1.0)
    torch.testing.assert_close(function(row), before + n_in, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(function(row), layer(row), rtol=1e-4, atol=1e-4)
