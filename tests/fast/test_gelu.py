"""gptlib.fast.gelu: the fast way against the plain one, for values and gradients."""

import pytest
import torch

from gptlib.fast import gelu as module
from gptlib.fast.gelu import MANY, fast_gelu
from gptlib.feedforward import gelu


@pytest.fixture
def calls(monkeypatch):
    """How often the fast way was taken."""
    made, apply = [], module._GELU.apply
    monkeypatch.setattr(module._GELU, "apply", lambda x: made.append(x) or apply(x))
    return made


def numbers(n=MANY, dtype=torch.float32):
    """From far below 0, where GELU is 0, to far above, with 0 itself among them."""
    return torch.linspace(-30, 30, n + 1, dtype=dtype).requires_grad_()


def test_it_is_the_plain_one_with_its_gradient(calls):
    x = numbers()
    plain, fast = gelu(x), fast_gelu(x)
    assert len(calls) == 1
    torch.testing.assert_close(fast, plain, rtol=1e-5, atol=1e-6)
    upstream = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    (wanted,), (got,) = (torch.autograd.grad(y, x, upstream) for y in (plain, fast))
    torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-5)


def test_its_gradient_can_be_differentiated_again(calls):
    x = numbers()
    seconds = []
    for function in (gelu, fast_gelu):
        (first,) = torch.autograd.grad(function(x).sum(), x, create_graph=True)
        seconds.append(torch.autograd.grad(first.sum(), x)[0])
    assert len(calls) == 1
    torch.testing.assert_close(seconds[1], seconds[0], rtol=1e-4, atol=1e-5)


def test_x_stays_as_it_is(calls):
    x = numbers()
    before = x.detach().clone()
    fast_gelu(x).sum().backward()
    assert calls and torch.equal(x.detach(), before)


def test_without_a_gradient_for_few_numbers_and_for_other_types_it_is_pytorchs(calls):
    asked = [numbers().detach(), numbers(8), numbers(dtype=torch.float64)]
    for x in asked:
        assert torch.equal(fast_gelu(x), torch.nn.functional.gelu(x, approximate="tanh"))
    with torch.no_grad():
        fast_gelu(numbers())
    assert not calls


def test_a_compiler_and_a_transform_see_pytorchs(calls):
    x = numbers().detach()
    slopes = torch.func.grad(lambda x: fast_gelu(x).sum())(x)
    compiled = torch.compile(fast_gelu, backend="eager", fullgraph=True)(numbers())
    torch.testing.assert_close(compiled.detach(), gelu(x), rtol=1e-5, atol=1e-6)
    assert slopes.shape == x.shape and not calls
