"""gptlib.checks.feedforward: the right answer passes however it is written, a mistake is named."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import gptlib
from checks.mutants import Case
from checks.rules import CheckRules
from gptlib.checks import feedforward, running

C = math.sqrt(2 / math.pi)


# ---- Right answers, differently written ----


def gelu_by_formula(x):
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return 0.5 * x * (1 + torch.tanh(inner))


def gelu_by_torch(x):
    return F.gelu(x, approximate="tanh")


def gelu_by_numpy(x):
    x = x.numpy()
    return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x * x * x)))


def gelu_by_sigmoid(x):  # 1 + tanh(z) is 2 sigmoid(2z)
    return x * torch.sigmoid(2 * C * (x + 0.044715 * x**3))


def gelu_as_lists(x):
    return gelu_by_formula(x).tolist()


def gelu_by_loop(x):
    flat = [0.5 * v * (1 + math.tanh(C * (v + 0.044715 * v**3))) for v in x.flatten().tolist()]
    return torch.tensor(flat).reshape(x.shape)


def norm_by_torch(x, weight, bias, eps=1e-5):
    return F.layer_norm(x, x.shape[-1:], weight, bias, eps)


def norm_by_mean(x, weight, bias, eps=1e-5):
    mean = x.mean(dim=-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(dim=-1, keepdim=True)
    return (x - mean) / (variance + eps) ** 0.5 * weight + bias


def norm_by_numpy(x, weight, bias, eps=1e-5):
    x = x.numpy()
    off = x - x.mean(-1, keepdims=True)
    return off / np.sqrt(x.var(-1, keepdims=True) + eps) * weight.numpy() + bias.numpy()


def norm_by_loop(x, weight, bias, eps=1e-5):
    out = []
    for sentence in x.tolist():
        out.append([])
        for token in sentence:
            mean = sum(token) / len(token)
            variance = sum((v - mean) ** 2 for v in token) / len(token)
            scaled = [(v - mean) / math.sqrt(variance + eps) for v in token]
            out[-1].append([s * w + b for s, w, b in zip(scaled, weight.tolist(), bias.tolist())])
    return out


def norm_by_module(x, weight, bias, eps=1e-5):
    norm = torch.nn.LayerNorm(x.shape[-1], eps=eps, dtype=x.dtype)
    norm.load_state_dict({"weight": weight, "bias": bias})
    return norm(x)


def block_by_functional(x, attn, weights):
    def ln(x, name):
        return F.layer_norm(x, x.shape[-1:], weights[name + ".weight"], weights[name + ".bias"])

    def linear(x, name):
        return F.linear(x, weights[name + ".weight"], weights[name + ".bias"])

    x = x + attn(ln(x, "ln_1"))
    hidden = F.gelu(linear(ln(x, "ln_2"), "mlp.c_fc"), approximate="tanh")
    return x + linear(hidden, "mlp.c_proj")


def block_by_own_parts(x, attn, weights):
    middle = x + attn(norm_by_mean(x, weights["ln_1.weight"], weights["ln_1.bias"]))
    normed = norm_by_mean(middle, weights["ln_2.weight"], weights["ln_2.bias"])
    wide = gelu_by_formula(normed @ weights["mlp.c_fc.weight"].T + weights["mlp.c_fc.bias"])
    return middle + wide @ weights["mlp.c_proj.weight"].T + weights["mlp.c_proj.bias"]


def block_by_gptlib(x, attn, weights):
    config = gptlib.GPTConfig(5, 8, n_layer=1, n_head=1, n_embd=x.shape[-1])
    its = gptlib.model.Block(config)
    its.load_state_dict(weights, strict=False)
    its.attn.forward = lambda x, cache: attn(x)
    return its(x)


# ---- Mistakes, as beginners write them: {name in the check: the code} ----


def gelu_with(bend, half=0.5, one=1, power=3, root=C):
    return lambda x: half * x * (one + bend(root * (x + 0.044715 * x**power)))


def inner_through_the_gate(x):
    inner = C * (x + 0.044715 * x**3)
    return inner * torch.sigmoid(2 * inner)


GELU = {
    "no half": gelu_with(torch.tanh, half=1),
    "no one": gelu_with(torch.tanh, one=0),
    "tanh as the gate": lambda x: x * torch.tanh(C * (x + 0.044715 * x**3)),
    "tanh alone": lambda x: torch.tanh(C * (x + 0.044715 * x**3)),
    "inner through the gate": inner_through_the_gate,
    "no brackets": lambda x: 0.5 * x * 1 + torch.tanh(C * (x + 0.044715 * x**3)),
    "the gate alone": lambda x: torch.sigmoid(2 * C * (x + 0.044715 * x**3)),
    "one outside": lambda x: 0.5 * (1 + x * torch.tanh(C * (x + 0.044715 * x**3))),
    "sigmoid for tanh": gelu_with(torch.sigmoid),
    "the inside alone": lambda x: math.sqrt(2 / math.pi) * (x + 0.044715 * x**3),
    "relu": lambda x: torch.where(x > 0, x, 0.0),
    "squared": gelu_with(torch.tanh, power=2),
    "no root": gelu_with(torch.tanh, root=2 / math.pi),
    "erf": lambda x: x / 2 * (1 + torch.erf(x / math.sqrt(2))),
    "fast sigmoid": lambda x: x / (1 + torch.exp(-1.702 * x)),
}


def over(*dim):
    def norm(x, weight, bias, eps):
        mean = x.mean(dim=dim, keepdim=True)
        variance = ((x - mean) ** 2).mean(dim=dim, keepdim=True)
        return (x - mean) / torch.sqrt(variance + eps) * weight + bias

    return norm


def parts(x):
    return x.mean(-1, keepdim=True), x.var(-1, keepdim=True, correction=0)


def scaled(x, eps):
    mean, variance = parts(x)
    return (x - mean) / (variance + eps).sqrt()


def torchs_default_std(x, weight, bias, eps):
    return (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + eps) * weight + bias


def torchs_default_var(x, weight, bias, eps):
    return (x - x.mean(-1, True)) / (x.var(-1, keepdim=True) + eps).sqrt() * weight + bias


def eps_outside(x, weight, bias, eps):
    mean, variance = parts(x)
    return (x - mean) / (variance.sqrt() + eps) * weight + bias


def by_the_variance(x, weight, bias, eps):
    mean, variance = parts(x)
    return (x - mean) / (variance + eps) * weight + bias


def without_axis(of_mean, of_variance):
    """LayerNorm whose mean, or variance, or both come without keepdim."""

    def norm(x, weight, bias, eps):
        mean = x.mean(2, keepdim=not of_mean)
        variance = (x - mean).pow(2).mean(2, keepdim=not of_variance)
        return (x - mean) / (variance + eps) ** 0.5 * weight + bias

    return norm


def without_axis_by_var(x, weight, bias, eps):
    return (x - x.mean(-1)) / torch.sqrt(x.var(-1, correction=0) + eps) * weight + bias


def by_mean_square(x, weight, bias, eps):
    return (x - parts(x)[0]) / torch.sqrt((x * x).mean(-1, True) + eps) * weight + bias


def by_sum(x, weight, bias, eps):
    mean = x.mean(-1, keepdim=True)
    return (x - mean) / torch.sqrt(((x - mean) ** 2).sum(-1, keepdim=True) + eps) * weight + bias


def no_brackets(x, weight, bias, eps):
    mean, variance = parts(x)
    return x - mean / torch.sqrt(variance + eps) * weight + bias


LAYER_NORM = {
    "no keepdim": without_axis(of_mean=True, of_variance=True),
    "no keepdim, by var": without_axis_by_var,
    "no keepdim in the mean": without_axis(of_mean=True, of_variance=False),
    "no keepdim in the variance": without_axis(of_mean=False, of_variance=True),
    "gain and bias forgotten": lambda x, weight, bias, eps: scaled(x, eps),
    "bias forgotten": lambda x, weight, bias, eps: weight * scaled(x, eps),
    "gain forgotten": lambda x, weight, bias, eps: scaled(x, eps) + bias,
    "bias before gain": lambda x, weight, bias, eps: weight * (bias + scaled(x, eps)),
    "unbiased": torchs_default_var,
    "unbiased std plus eps": torchs_default_std,
    "eps outside the root": eps_outside,
    "no eps": lambda x, weight, bias, eps: scaled(x, 0) * weight + bias,
    "eps written in": lambda x, weight, bias, eps: scaled(x, 1e-5) * weight + bias,
    "over tokens": over(1),
    "over the batch": over(0),
    "over the whole sentence": over(1, 2),
    "over everything": lambda x, w, b, eps: (
        (x - x.mean()) / (x.var(correction=0) + eps) ** 0.5 * w + b
    ),
    "no root": by_the_variance,
    "mean left in the variance": by_mean_square,
    "sum of squares": by_sum,
    "no brackets": no_brackets,
    "mean not taken off": lambda x, w, b, eps: x / (parts(x)[1] + eps).sqrt() * w + b,
    "root mean square": lambda x, w, b, eps: x * (x.square().mean(-1, True) + eps) ** -0.5 * w + b,
}


def ln(x, weights, k):
    return F.layer_norm(x, x.shape[-1:], weights[f"ln_{k}.weight"], weights[f"ln_{k}.bias"])


def mlp(x, weights, bend=gelu_by_torch, after=lambda x: x):
    x = F.linear(x, weights["mlp.c_fc.weight"], weights["mlp.c_fc.bias"])
    return after(F.linear(bend(x), weights["mlp.c_proj.weight"], weights["mlp.c_proj.bias"]))


def post_norm(x, attn, w):
    x = ln(x + attn(x), w, 1)
    x = ln(x + mlp(x, w), w, 2)
    return x


def replaces(x, attn, w):
    x = attn(ln(x, w, 1))
    x = mlp(ln(x, w, 2), w)
    return x


def attention_replaces(x, attn, w):
    x = attn(ln(x, w, 1))
    x = x + mlp(ln(x, w, 2), w)
    return x


def mlp_replaces(x, attn, w):
    x = x + attn(ln(x, w, 1))
    x = mlp(ln(x, w, 2), w)
    return x


def reads(first, second):
    """A block whose parts read the stream through the norms of these numbers; 0 is none."""

    def block(x, attn, w):
        x = x + attn(ln(x, w, first) if first else x)
        return x + mlp(ln(x, w, second) if second else x, w)

    return block


def stream_is_normalised(x, attn, w):
    x = ln(x, w, 1)
    x = attn(x) + x
    x = ln(x, w, 2)
    return mlp(x, w) + x


def adds_to_what_came_in(x, attn, w):
    a = x + attn(ln(x, w, 1))
    m = mlp(ln(a, w, 2), w)
    return x + m


def mlp_first(x, attn, w):
    x = x + mlp(ln(x, w, 2), w)
    x = x + attn(ln(x, w, 1))
    return x


def feeds(**how):
    def block(x, attn, w):
        x = x + attn(ln(x, w, 1))
        return x + mlp(ln(x, w, 2), w, **how)

    return block


def no_biases(x, attn, w):
    x = x + attn(ln(x, w, 1))
    return x + gelu_by_torch(ln(x, w, 2) @ w["mlp.c_fc.weight"].mT) @ w["mlp.c_proj.weight"].mT


BLOCK = {
    "post-norm": post_norm,
    "no residual": replaces,
    "no residual around attention": attention_replaces,
    "no residual around mlp": mlp_replaces,
    "no norms": reads(0, 0),
    "ln_1 not used": reads(0, 2),
    "ln_2 not used": reads(1, 0),
    "ln_1 twice": reads(1, 1),
    "norms swapped": reads(2, 1),
    "normalised stream": stream_is_normalised,
    "in parallel": lambda x, attn, w: x + attn(ln(x, w, 1)) + mlp(ln(x, w, 2), w),
    "attention lost": adds_to_what_came_in,
    "feedforward first": mlp_first,
    "no bend": feeds(bend=lambda x: x),
    "bent twice": feeds(after=gelu_by_torch),
    "bent late": feeds(bend=lambda x: x, after=gelu_by_torch),
    "relu": feeds(bend=F.relu),
    "erf": feeds(bend=F.gelu),
    "no biases": no_biases,
}


def seeded(dice):
    return torch.Generator().manual_seed(dice.randrange(2**30))


def random_numbers(dice):
    size = [dice.randint(1, 4) for _ in range(dice.randint(0, 3))]
    return (2 * torch.randn(size, generator=seeded(dice), dtype=torch.float64),)


def random_tokens(dice):
    B, T, C = (dice.randint(1, most) for most in (3, 4, 6))
    noise = seeded(dice)
    x, weight, bias = (torch.randn(*size, generator=noise) for size in ((B, T, C), (C,), (C,)))
    return 3 * x + 1, weight, bias, dice.choice((1e-5, 0.1, 1.0))


def random_block(dice):
    B, T, C = (dice.randint(1, most) for most in (3, 4, 6))
    return feedforward._block_input(B, T, C + 1, dice.randrange(2**30))


class TestChecks(CheckRules):
    cases = {
        feedforward.gelu: Case(
            feedforward.gelu,
            right=[
                gelu_by_formula,
                gelu_by_torch,
                gelu_by_numpy,
                gelu_by_sigmoid,
                gelu_by_loop,
                gelu_as_lists,
                gptlib.feedforward.gelu,
            ],
            slips=GELU,
            fuzz=random_numbers,
        ),
        feedforward.layer_norm: Case(
            feedforward.layer_norm,
            right=[
                norm_by_torch,
                norm_by_mean,
                norm_by_numpy,
                norm_by_loop,
                norm_by_module,
                gptlib.feedforward.layer_norm,
            ],
            slips=LAYER_NORM,
            fuzz=random_tokens,
        ),
        feedforward.block: Case(
            feedforward.block,
            right=[block_by_functional, block_by_own_parts, block_by_gptlib],
            slips=BLOCK,
            fuzz=random_block,
        ),
    }


# ---- What a check says ----


def test_the_first_input_of_layer_norm_is_the_one_done_by_hand(capsys):
    assert not feedforward.layer_norm(lambda x, weight, bias, eps: x)
    said = capsys.readouterr().out
    assert "<lambda>([[[7, 1, 1, -1]]], [1, 1, 1, 1], [0, 0, 0, 0], 1.00e-05)" in said
    assert "the mean of row [0, 0] is 2 and should be 0." in said
    assert "should be  [[[1.667, -0.333, -0.333, -1.000]]]" in said


def test_a_lost_axis_is_named_beside_the_error(capsys):
    assert not feedforward.layer_norm(LAYER_NORM["no keepdim in the mean"])
    said = capsys.readouterr().out
    assert "If a mean or a variance has lost its last axis: keepdim=True leaves" in said
    assert "stops with RuntimeError: The size of tensor a" in said


def test_another_error_with_more_than_one_token_is_not_called_a_lost_axis():
    def asks(x, weight, bias, eps):
        mean, variance = parts(x)
        return mean * 0 + bias if variance == 0 else norm_by_mean(x, weight, bias, eps)

    assert feedforward.layer_norm(asks).mistake == running.STOPPED


def test_asking_a_whole_tensor_whether_it_is_above_0_is_not_called_relu(capsys):
    def by_cases(x):
        inner = C * (x + 0.044715 * x**3)
        return x if x > 0 else 0.5 * x * (1 + torch.tanh(inner))

    assert feedforward.gelu(by_cases).mistake == running.STOPPED
    said = capsys.readouterr().out
    assert "ReLU" not in said and "ambiguous, in its line 3" in said


def test_a_block_that_calls_an_unwritten_norm_names_it(capsys):
    def my_layer_norm(x, weight, bias, eps=1e-5):
        raise NotImplementedError

    def my_block(x, attn, w):
        return x + attn(my_layer_norm(x, w["ln_1.weight"], w["ln_1.bias"]))

    assert feedforward.block(my_block).mistake == running.NOT_WRITTEN
    said = capsys.readouterr().out
    assert said.startswith("○ my_block calls my_layer_norm, which is not written yet")


def test_an_input_changed_in_place_is_said(capsys):
    def in_place(x, weight, bias, eps):
        x -= x.mean(-1, keepdim=True)
        return x / torch.sqrt(x.var(-1, keepdim=True, unbiased=False) + eps) * weight + bias

    def cut(x):
        x[x < 0] = 0
        return x

    assert feedforward.layer_norm(in_place).mistake == running.CHANGED
    assert feedforward.gelu(cut).mistake == running.CHANGED
    assert "Work on a copy" in capsys.readouterr().out


def test_a_stream_added_to_in_place_is_said(capsys):
    def block(x, attn, w):
        x += attn(ln(x, w, 1))
        x += mlp(ln(x, w, 2), w)
        return x

    assert feedforward.block(block).mistake == running.CHANGED


def test_weights_not_turned_are_a_shape_error_that_says_its_line(capsys):
    def block(x, attn, w):
        x = x + attn(ln(x, w, 1))
        return x + gelu_by_torch(ln(x, w, 2) @ w["mlp.c_fc.weight"]) @ w["mlp.c_proj.weight"]

    assert feedforward.block(block).mistake == running.STOPPED
    said = capsys.readouterr().out
    assert "cannot be multiplied (2x3 and 12x3), in its line 3" in said
    assert ", attn, weights)" in said
    assert not any(len(line) > 160 for line in said.splitlines())


@pytest.mark.parametrize("seed", range(3))
def test_the_right_block_is_gptlibs_own(seed):
    x, attn, weights = feedforward._block_input(2, 4, 8, seed)
    expected = block_by_gptlib(x, attn, weights)
    torch.testing.assert_close(feedforward._right_block(x, attn, weights), expected)


def test_a_layer_norm_with_the_width_of_the_example_written_in_is_refused(capsys):
    def divides_by_4(x, weight, bias, eps):
        off = x - x.mean(-1, keepdim=True)
        return off / torch.sqrt((off**2).sum(-1, keepdim=True) / 4 + eps) * weight + bias

    verdict = feedforward.layer_norm(divides_by_4)
    assert verdict.observation == (
        "with a gain of 1 and a bias of 0, the variance of row [0, 0] is 1.333 and should be 1"
    )
    assert "makes the variance 1" in verdict.property


def test_every_wrong_block_is_told_what_does_not_hold(capsys):
    told = {name: feedforward.block(answer) for name, answer in BLOCK.items()}
    assert [name for name, verdict in told.items() if not verdict.property] == []
    assert "when attention and feedforward both give 0, row [0, 0] is [0, 0, 0] and should be " in (
        told["no residual"].observation
    )


def test_narrow_numbers_are_right_too():
    assert feedforward.gelu(lambda x: gelu_by_torch(x.bfloat16()))
    assert feedforward.layer_norm(lambda *given: norm_by_torch(*given).bfloat16())
    assert feedforward.block(lambda *given: block_by_functional(*given).half())
    assert feedforward.block(
        lambda x, attn, weights: block_by_functional(x, attn, weights).double()
    )
