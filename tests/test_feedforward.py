"""gptlib.feedforward: GELU and layer norm by hand and against PyTorch's, and the MLP of both."""

import math

import pytest
import torch
import torch.nn.functional as F

from gptlib.feedforward import EPS, MLP, gelu, layer_norm


def test_gelu_by_hand():
    # sqrt(2/pi) (1 + 0.044715) = 0.83356; tanh of it is 0.68238; (1 + 0.68238) / 2 = 0.84119
    x = torch.tensor([-10.0, -1.0, 0.0, 1.0, 10.0])
    assert gelu(x).tolist() == pytest.approx([0, -0.15881, 0, 0.84119, 10], abs=1e-5)


def test_gelu_equals_pytorchs_tanh_form_and_nearly_the_exact_one():
    x = torch.linspace(-6, 6, 1001)
    torch.testing.assert_close(gelu(x), F.gelu(x, approximate="tanh"))
    exact = x * (1 + torch.erf(x / math.sqrt(2))) / 2
    assert 1e-4 < (gelu(x) - exact).abs().max() < 1e-3


def test_layer_norm_of_one_two_three_four():
    # mean 2.5, variance (2.25 + 0.25 + 0.25 + 2.25) / 4 = 1.25, and sqrt(1.25) = 1.1180
    x, ones = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]]), torch.ones(4)
    expected = [-1.3416, -0.4472, 0.4472, 1.3416]
    assert layer_norm(x, ones, 0 * ones)[0, 0].tolist() == pytest.approx(expected, abs=1e-4)
    scaled = layer_norm(x, 2 * ones, torch.tensor([0.0, 0.0, 0.0, 1.0]))[0, 0]
    assert scaled.tolist() == pytest.approx([-2.6833, -0.8944, 0.8944, 3.6833], abs=1e-4)


@pytest.mark.parametrize("size", [5, 1e-3])  # beside a variance of 1e-6, the epsilon counts
def test_layer_norm_equals_pytorchs(size):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 12, generator=generator) * size + size
    weight, bias = torch.randn(2, 12, generator=generator)
    expected = F.layer_norm(x, (12,), weight, bias, EPS)
    torch.testing.assert_close(layer_norm(x, weight, bias), expected)


def test_layer_norm_of_equal_channels_is_zero_and_not_a_division_by_zero():
    assert layer_norm(torch.full((1, 1, 4), 7.0), torch.ones(4), torch.zeros(4)).tolist() == [
        [[0.0, 0.0, 0.0, 0.0]]
    ]


def test_the_mlp_by_hand():
    # One channel: 1 -> (1, -1, 0, 0 + bias 10) -> GELU -> 2 * .84119 + 3 * -.15881 + 10 + 5
    mlp = MLP(n_embd=1)
    with torch.no_grad():
        mlp.c_fc.weight.copy_(torch.tensor([[1.0], [-1.0], [0.0], [0.0]]))
        mlp.c_fc.bias.copy_(torch.tensor([0.0, 0.0, 0.0, 10.0]))
        mlp.c_proj.weight.copy_(torch.tensor([[2.0, 3.0, 4.0, 1.0]]))
        mlp.c_proj.bias.fill_(5.0)
    x = torch.ones(1, 1, 1)
    assert mlp.hidden(x)[0, 0].tolist() == pytest.approx([0.84119, -0.15881, 0, 10], abs=1e-5)
    assert mlp(x).item() == pytest.approx(16.20595, abs=1e-4)


def test_the_fused_activation_is_the_gelu_shown_here():
    mlp, x = MLP(12), torch.randn(2, 3, 12)
    torch.testing.assert_close(mlp.hidden(x), gelu(mlp.c_fc(x)))


def test_the_mlp_is_four_times_as_wide_inside():
    mlp = MLP(12)
    assert mlp.hidden(torch.zeros(2, 3, 12)).shape == (2, 3, 48)
    assert sum(p.numel() for p in mlp.parameters()) == 8 * 12 * 12 + 5 * 12


def test_tokens_do_not_see_each_other():
    mlp, x = MLP(12), torch.randn(2, 5, 12)
    one_by_one = torch.cat([mlp(x[:, t : t + 1]) for t in range(5)], dim=1)
    torch.testing.assert_close(mlp(x), one_by_one)
    ones, zeros = torch.ones(12), torch.zeros(12)
    normed = layer_norm(x, ones, zeros)
    torch.testing.assert_close(normed[:1, 2:3], layer_norm(x[:1, 2:3], ones, zeros))


def test_dropout_is_on_in_training_and_off_in_eval():
    mlp, x = MLP(12, dropout=0.5), torch.randn(2, 50, 12)
    assert (mlp.train()(x) == 0).float().mean().item() == pytest.approx(0.5, abs=0.1)
    torch.testing.assert_close(mlp.eval()(x), mlp.c_proj(mlp.hidden(x)))
