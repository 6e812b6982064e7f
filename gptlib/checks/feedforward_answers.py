"""Lesson 04's exercises: the right block, and the wrong answers that beginners write."""

import math

import torch
import torch.nn.functional as F

from ..feedforward import gelu, layer_norm
from .base import Mistake

# ---- 1. GELU ----

ROOT = math.sqrt(2 / math.pi)


def _inner(x):
    return ROOT * (x + 0.044715 * x**3)


GELU_MISTAKES = (
    Mistake(
        "no half",
        "every value is twice what it should be: large x come out as 2x. The formula begins with "
        "a half: 0.5 * x * (1 + tanh(...)).",
        lambda x: x * (1 + torch.tanh(_inner(x))),
    ),
    Mistake(
        "no one",
        "the 1 + before tanh is missing: tanh runs from -1 to 1, and the gate has to run from 0 "
        "to 1, so 0.5 * (1 + tanh(...)).",
        lambda x: 0.5 * x * torch.tanh(_inner(x)),
    ),
    Mistake(
        "tanh as the gate",
        "tanh runs from -1 to 1, and a gate from 0 to 1: it is 0.5 * (1 + tanh(inner)).",
        lambda x: x * torch.tanh(_inner(x)),
    ),
    Mistake(
        "tanh alone",
        "you give back tanh(inner). Still to come: 0.5 * x * (1 + tanh(inner)).",
        lambda x: torch.tanh(_inner(x)),
    ),
    Mistake(
        "inner through the gate",
        "what goes through the gate is inner. It is x: x * 0.5 * (1 + tanh(inner)).",
        lambda x: _inner(x) * 0.5 * (1 + torch.tanh(_inner(x))),
    ),
    Mistake(
        "no brackets",
        "you give back 0.5 * x * 1, plus tanh(inner): brackets are missing, (1 + tanh(inner)).",
        lambda x: 0.5 * x + torch.tanh(_inner(x)),
    ),
    Mistake(
        "the gate alone",
        "that is the gate, between 0 and 1: how much is let through. Multiply it by x.",
        lambda x: 0.5 * (1 + torch.tanh(_inner(x))),
    ),
    Mistake(
        "one outside",
        "the 1 is added outside: x * tanh(...) + 1. Put 1 + tanh(...) in brackets before you "
        "multiply by x.",
        lambda x: 0.5 * (x * torch.tanh(_inner(x)) + 1),
    ),
    Mistake(
        "sigmoid for tanh",
        "you took a sigmoid where tanh stands. A sigmoid runs from 0 to 1 already: with 1 + in "
        "front it never closes.",
        lambda x: 0.5 * x * (1 + torch.sigmoid(_inner(x))),
    ),
    Mistake(
        "the inside alone",
        "you give back what goes into tanh. Still to come: 0.5 * x * (1 + tanh(inner)).",
        _inner,
    ),
    Mistake(
        "relu",
        "that is ReLU: nothing gets through below 0. GELU lets a little through, gelu(-1) is "
        "-0.159.",
        torch.relu,
    ),
    Mistake(
        "squared",
        "x is squared where it should be cubed: 0.044715 * x**3.",
        lambda x: 0.5 * x * (1 + torch.tanh(ROOT * (x + 0.044715 * x**2))),
    ),
    Mistake(
        "no root",
        "2 / pi is missing its square root: math.sqrt(2 / math.pi) is 0.798.",
        lambda x: 0.5 * x * (1 + torch.tanh(2 / math.pi * (x + 0.044715 * x**3))),
    ),
    Mistake(
        "erf",
        "very near: that is GELU by its definition, with erf, torch's default. GPT-2 was trained "
        "with the formula with tanh, which differs by up to 0.0005; its weights want that one.",
        lambda x: F.gelu(x.double()),
    ),
    Mistake(
        "fast sigmoid",
        "near, but that is x * sigmoid(1.702 x), another approximation. GPT-2's is the one with "
        "tanh.",
        lambda x: x * torch.sigmoid(1.702 * x),
    ),
)


# ---- 2. LayerNorm ----


def _norm(x, weight, bias, eps, dim=-1, unbiased=False):
    mean, variance = x.mean(dim, keepdim=True), x.var(dim, keepdim=True, unbiased=unbiased)
    return (x - mean) / torch.sqrt(variance + eps) * weight + bias


def _by_std(x, weight, bias, eps, unbiased):
    mean, std = x.mean(-1, keepdim=True), x.std(-1, keepdim=True, unbiased=unbiased)
    return (x - mean) / (std + eps) * weight + bias


def _axis_lost(x, weight, bias, eps, mean_keeps=False, variance_keeps=False):
    mean = x.mean(-1, keepdim=mean_keeps)
    variance = ((x - mean) ** 2).mean(-1, keepdim=variance_keeps)
    return (x - mean) / torch.sqrt(variance + eps) * weight + bias


def _axis_lost_by_var(x, weight, bias, eps):
    mean, variance = x.mean(-1), x.var(-1, unbiased=False)
    return (x - mean) / torch.sqrt(variance + eps) * weight + bias


def _mean_in_variance(x, weight, bias, eps):
    mean, square = x.mean(-1, keepdim=True), (x**2).mean(-1, keepdim=True)
    return (x - mean) / torch.sqrt(square + eps) * weight + bias


def _sum_of_squares(x, weight, bias, eps):
    off = x - x.mean(-1, keepdim=True)
    return off / torch.sqrt((off**2).sum(-1, keepdim=True) + eps) * weight + bias


def _mean_alone_divided(x, weight, bias, eps):
    mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, unbiased=False)
    return x - mean / torch.sqrt(variance + eps) * weight + bias


BOTH_LOST = "mean and variance have lost an axis, and (B, T) does not spread over (B, T, C)"
KEEPDIM = "keepdim=True leaves (B, T, 1)."
UNBIASED = (
    "the variance is divided by C - 1, torch's default. A layer norm describes these C numbers "
    "and no larger population: divide by C, unbiased=False."
)

LAYER_NORM_MISTAKES = (
    Mistake("no keepdim", f"{BOTH_LOST}: {KEEPDIM}", _axis_lost),
    Mistake("no keepdim, by var", f"{BOTH_LOST}: {KEEPDIM}", _axis_lost_by_var),
    Mistake(
        "no keepdim in the mean",
        f"the mean has lost an axis: {KEEPDIM}",
        lambda x, w, b, eps: _axis_lost(x, w, b, eps, variance_keeps=True),
    ),
    Mistake(
        "no keepdim in the variance",
        f"the variance has lost an axis: {KEEPDIM}",
        lambda x, w, b, eps: _axis_lost(x, w, b, eps, mean_keeps=True),
    ),
    Mistake(
        "gain and bias forgotten",
        "each token is normalised, but weight and bias are not used: ... * weight + bias at the "
        "end.",
        lambda x, w, b, eps: _norm(x, 1, 0, eps),
    ),
    Mistake(
        "bias forgotten",
        "the bias is not added: ... * weight + bias.",
        lambda x, w, b, eps: _norm(x, w, 0, eps),
    ),
    Mistake(
        "gain forgotten",
        "the result is not multiplied by weight: ... * weight + bias.",
        lambda x, w, b, eps: _norm(x, 1, b, eps),
    ),
    Mistake(
        "bias before gain",
        "bias is added before multiplying, so weight scales it too. First * weight, then + bias.",
        lambda x, w, b, eps: (_norm(x, 1, 0, eps) + b) * w,
    ),
    Mistake(
        "unbiased",
        UNBIASED,
        lambda x, w, b, eps: _norm(x, w, b, eps, unbiased=True),
    ),
    Mistake(
        "unbiased std plus eps",
        f"{UNBIASED} Then look at eps: it belongs under the root, sqrt(variance + eps).",
        lambda x, w, b, eps: _by_std(x, w, b, eps, unbiased=True),
    ),
    Mistake(
        "eps outside the root",
        "eps is added to the standard deviation. It belongs to the variance, under the root: "
        "sqrt(variance + eps). With a nearly constant row you see the difference.",
        lambda x, w, b, eps: _by_std(x, w, b, eps, unbiased=False),
    ),
    Mistake(
        "no eps",
        "right until all numbers of a token are (nearly) the same: then you divide by 0. "
        "sqrt(variance + eps).",
        lambda x, w, b, eps: _norm(x, w, b, 0.0),
    ),
    Mistake(
        "eps written in",
        "you wrote 1e-5 where eps should stand: with another eps the result is wrong.",
        lambda x, w, b, eps: _norm(x, w, b, 1e-5),
    ),
    Mistake(
        "over tokens",
        "the mean runs over the tokens (dim 1), so a token depends on its neighbours. Take each "
        "token's own channels: dim=-1.",
        lambda x, w, b, eps: _norm(x, w, b, eps, dim=1),
    ),
    Mistake(
        "over the batch",
        "the mean runs over the batch (dim 0): that is a batch norm. Take each token's own "
        "channels: dim=-1.",
        lambda x, w, b, eps: _norm(x, w, b, eps, dim=0),
    ),
    Mistake(
        "over the whole sentence",
        "one mean for all tokens of a sentence together. Each token has its own: dim=-1.",
        lambda x, w, b, eps: _norm(x, w, b, eps, dim=(1, 2)),
    ),
    Mistake(
        "over everything",
        "one mean for all numbers together. Each token has its own: mean(dim=-1, keepdim=True).",
        lambda x, w, b, eps: _norm(x, w, b, eps, dim=(0, 1, 2)),
    ),
    Mistake(
        "no root",
        "you divide by the variance. Divide by its square root, the standard deviation.",
        lambda x, w, b, eps: (
            (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, unbiased=False) + eps) * w + b
        ),
    ),
    Mistake(
        "mean left in the variance",
        "you divide by the root of the mean square of x. The variance is the mean of the squared "
        "distances from the mean: (x - mean) ** 2.",
        _mean_in_variance,
    ),
    Mistake(
        "sum of squares",
        "you add the squared distances up. The variance is their mean: .mean, not .sum.",
        _sum_of_squares,
    ),
    Mistake(
        "no brackets",
        "only the mean is divided by the root. Brackets: (x - mean) / sqrt(variance + eps).",
        _mean_alone_divided,
    ),
    Mistake(
        "mean not taken off",
        "the mean is still in: (x - mean) / sqrt(variance + eps).",
        lambda x, w, b, eps: x / torch.sqrt(x.var(-1, keepdim=True, unbiased=False) + eps) * w + b,
    ),
    Mistake(
        "root mean square",
        "you divide by the root of the mean square, mean not taken off: that is RMSNorm, which "
        "newer models use. GPT-2 takes the mean off first.",
        lambda x, w, b, eps: x / torch.sqrt((x**2).mean(-1, keepdim=True) + eps) * w + b,
    ),
)


# ---- 3. The block ----


def _ln(x, w, name):
    return layer_norm(x, w[f"{name}.weight"], w[f"{name}.bias"])


def _mlp(x, w, bend=gelu, biases=True):
    hidden = x @ w["mlp.c_fc.weight"].T + (w["mlp.c_fc.bias"] if biases else 0)  # (B, T, 4C)
    out = bend(hidden) @ w["mlp.c_proj.weight"].T  # (B, T, C)
    return out + (w["mlp.c_proj.bias"] if biases else 0)


def right_block(x, attn, w, mlp=_mlp):
    x = x + attn(_ln(x, w, "ln_1"))
    return x + mlp(_ln(x, w, "ln_2"), w)


def _post_norm(x, attn, w):
    x = _ln(x + attn(x), w, "ln_1")
    return _ln(x + _mlp(x, w), w, "ln_2")


def _no_residual(x, attn, w):
    return _mlp(_ln(attn(_ln(x, w, "ln_1")), w, "ln_2"), w)


def _no_attention_residual(x, attn, w):
    x = attn(_ln(x, w, "ln_1"))
    return x + _mlp(_ln(x, w, "ln_2"), w)


def _no_mlp_residual(x, attn, w):
    x = x + attn(_ln(x, w, "ln_1"))
    return _mlp(_ln(x, w, "ln_2"), w)


def _no_norms(x, attn, w):
    x = x + attn(x)
    return x + _mlp(x, w)


def _no_ln_1(x, attn, w):
    x = x + attn(x)
    return x + _mlp(_ln(x, w, "ln_2"), w)


def _no_ln_2(x, attn, w):
    x = x + attn(_ln(x, w, "ln_1"))
    return x + _mlp(x, w)


def _ln_1_twice(x, attn, w):
    x = x + attn(_ln(x, w, "ln_1"))
    return x + _mlp(_ln(x, w, "ln_1"), w)


def _norms_swapped(x, attn, w):
    x = x + attn(_ln(x, w, "ln_2"))
    return x + _mlp(_ln(x, w, "ln_1"), w)


def _norm_added(x, attn, w):
    x = _ln(x, w, "ln_1")
    x = x + attn(x)
    x = _ln(x, w, "ln_2")
    return x + _mlp(x, w)


def _parallel(x, attn, w):
    return x + attn(_ln(x, w, "ln_1")) + _mlp(_ln(x, w, "ln_2"), w)


def _input_lost(x, attn, w):
    middle = x + attn(_ln(x, w, "ln_1"))
    return x + _mlp(_ln(middle, w, "ln_2"), w)


def _mlp_first(x, attn, w):
    x = x + _mlp(_ln(x, w, "ln_2"), w)
    return x + attn(_ln(x, w, "ln_1"))


def _with(**how):
    """The right block with its feedforward part done in another way."""
    return lambda x, attn, w: right_block(x, attn, w, lambda x, w: _mlp(x, w, **how))


BLOCK_MISTAKES = (
    Mistake(
        "post-norm",
        "you normalise the sum, after each part: that is the post-norm of 2017. GPT-2 normalises "
        "what a part reads, and leaves the stream as it is: x + part(ln(x)).",
        _post_norm,
    ),
    Mistake(
        "no residual",
        "each part replaces what it read. It has to add to it: x = x + part(ln(x)).",
        _no_residual,
    ),
    Mistake(
        "no residual around attention",
        "attention replaces the stream: the token itself is lost. x = x + attn(...).",
        _no_attention_residual,
    ),
    Mistake(
        "no residual around mlp",
        "the feedforward part replaces the stream. Add what it says: x + ....",
        _no_mlp_residual,
    ),
    Mistake(
        "no norms",
        "ln_1 and ln_2 are not used. Each part reads a normalised copy: x + part(ln(x)).",
        _no_norms,
    ),
    Mistake(
        "ln_1 not used",
        "attention reads the stream as it is. It reads ln_1 of it.",
        _no_ln_1,
    ),
    Mistake(
        "ln_2 not used",
        "the feedforward part reads the stream as it is. It reads ln_2 of it.",
        _no_ln_2,
    ),
    Mistake(
        "ln_1 twice",
        "both parts read through ln_1. The feedforward part has a norm of its own, ln_2.",
        _ln_1_twice,
    ),
    Mistake(
        "norms swapped",
        "ln_1 and ln_2 are swapped: ln_1 stands before attention, ln_2 before feedforward.",
        _norms_swapped,
    ),
    Mistake(
        "normalised stream",
        "you add to the normalised x, since x = ln(x) forgets the stream itself. Give the norm's "
        "result another name: x = x + part(ln(x)).",
        _norm_added,
    ),
    Mistake(
        "in parallel",
        "both parts read the same x. (Some models do so; GPT-2 does not.) The feedforward part "
        "has to read what attention has already added to.",
        _parallel,
    ),
    Mistake(
        "attention lost",
        "what attention added is not in the result: the last line adds to the x that came in. "
        "Add to the stream after attention.",
        _input_lost,
    ),
    Mistake(
        "feedforward first",
        "feedforward comes before attention. It is the other way round.",
        _mlp_first,
    ),
    Mistake(
        "no bend",
        "between the two matrices nothing is bent: two linear layers are one. Put gelu around the "
        "wide layer.",
        _with(bend=lambda x: x),
    ),
    Mistake(
        "bent twice",
        "gelu is used after the second matrix too. It stands on the wide layer alone.",
        lambda x, attn, w: right_block(x, attn, w, lambda x, w: gelu(_mlp(x, w))),
    ),
    Mistake(
        "bent late",
        "gelu comes after the second matrix. It stands between the two, on the wide layer.",
        lambda x, attn, w: right_block(
            x, attn, w, lambda x, w: gelu(_mlp(x, w, bend=lambda wide: wide))
        ),
    ),
    Mistake(
        "relu",
        "you bend with ReLU. GPT-2's weights want GELU.",
        _with(bend=torch.relu),
    ),
    Mistake(
        "erf",
        "very near: you bend with torch's default GELU. GPT-2's is "
        'F.gelu(..., approximate="tanh").',
        _with(bend=F.gelu),
    ),
    Mistake(
        "no biases",
        "the biases of c_fc and c_proj are not added.",
        _with(biases=False),
    ),
)
