"""Lesson 04's exercises: GELU by GPT-2's formula; LayerNorm; the block.

Axes: B batch, T tokens, C = n_embd channels.
"""

import math
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..feedforward import EPS
from ..feedforward import gelu as right_gelu
from ..feedforward import layer_norm as right_layer_norm
from .exercise import Exercise, Mistake, Property
from .properties import FINE, first_unlike, no_nan, on_other_input, shape, unlike
from .reading import numbers
from .showing import short, shown

# ---- 1. GELU ----

SURE_OF_A_GATE = 2e-5  # torch's default GELU, with erf, differs by 5e-5 at 2


def _inner(x):
    return math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)


def _gelu_inputs() -> list[tuple[Tensor]]:
    inputs = [torch.tensor(x) for x in ([1.0, 2.0, 0.0, -1.0], [[-2.5, 0.5], [3.0, -0.5]])]
    inputs += [torch.tensor([-30.0, 30.0]), torch.tensor(0.5), torch.zeros(0, 4)]
    return [(x,) for x in (*inputs, torch.linspace(-5, 5, 30, dtype=torch.float64).view(2, 3, 5))]


def _each(words: str, seen) -> Property:
    """seen(x, y) tells what does not hold of a number and its result."""

    def of_all(given: tuple, value: np.ndarray) -> str | None:
        pairs = zip(given[0].numpy().ravel().tolist(), value.ravel().tolist())
        return next((saw for x, y in pairs if (saw := seen(x, y))), None)

    return Property(words, of_all)


def _lets_a_part_through(x: float, y: float) -> str | None:
    if x and not -FINE <= y / x <= 1 + FINE:
        return f"{short(x)} gives {short(y)}, which is {short(y / x)} times {short(x)}"
    return None


def _gate(x: float, y: float) -> str | None:
    gate = 0.5 * (1 + math.tanh(_inner(x)))
    if x and not abs(y / x - gate) < SURE_OF_A_GATE:
        mine, its = unlike(y / x, gate, 3), unlike(gate, y / x, 3)
        return f"{short(x)} gives {mine} times {short(x)}, and it should be {its} times {short(x)}"
    return None


gelu = Exercise(
    "feedforward.gelu",
    """Exercise 1, easy, 3 minutes: `student(x)` is GPT-2's GELU, with tanh, for x of any shape.""",
    right=right_gelu,
    inputs=_gelu_inputs,
    read=numbers,
    properties=(
        shape("There is one result for every number.", lambda x: x.shape),
        no_nan(),
        _each(
            "0 gives 0: there is nothing to let through.",
            lambda x, y: f"0 gives {short(y)}" if x == 0 and not abs(y) < FINE else None,
        ),
        _each("GELU is x times a gate, which is between 0 and 1.", _lets_a_part_through),
        _each("The gate is 0.5 · (1 + tanh(inner)).", _gate),
    ),
    mistakes=(
        Mistake("no brackets", lambda x: 0.5 * x + torch.tanh(_inner(x))).as_if(
            "the sum was 0.5 * x and tanh(inner)",
            "Put 1 + tanh(inner) in brackets: 0.5 * x * (1 + tanh(inner)).",
        ),
        Mistake("erf", lambda x: F.gelu(x.double())).as_if(
            "this was torch's default GELU, with erf",
            "GPT-2 was trained with the formula with tanh, which differs by up to 0.0005.",
        ),
    ),
)


# ---- 2. LayerNorm ----


def _rows_to_normalise() -> list[tuple[Tensor, Tensor, Tensor, float]]:
    """The plainest first: the numbers done by hand, with a gain of 1 and a bias of 0."""
    noise = torch.Generator().manual_seed(4)
    three = torch.tensor([2.0, 1.0, -1.0]), torch.tensor([0.0, 1.0, 3.0])  # gain, bias
    six, five = torch.randn(2, 6, generator=noise), torch.randn(2, 5, generator=noise)
    moved = 3 * torch.randn(2, 4, 6, generator=noise) + torch.arange(4.0)[:, None] + 5
    nearly_constant = torch.tensor([[[0.0, 0.002, -0.002], [1.0, 1.0, 1.0]]])
    square = torch.randn(1, 5, 5, generator=noise)  # (B, T, C), T = C: (B, T) spreads over it
    return [
        (torch.tensor([[[7.0, 1.0, 1.0, -1.0]]]), torch.ones(4), torch.zeros(4), EPS),
        (torch.tensor([[[1.0, 3.0, 5.0], [2.0, 2.0, 8.0]]]), *three, EPS),
        (moved, *six, EPS),
        (nearly_constant, *three, EPS),
        (square, *five, 0.5),
        (moved[:, :1].double() - 1, *six.double(), EPS),
    ]


def _plain(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple:
    return x, torch.ones_like(weight), torch.zeros_like(bias), eps


def _with_gain_1(words: str, what: str, part) -> Property:
    return on_other_input(
        words,
        "with a gain of 1 and a bias of 0",
        _plain,
        want=lambda value, *given: right_layer_norm(*_plain(*given)).numpy(),
        part=lambda result, *given: part(result),
        what=what,
    )


def _gain_and_bias(given: tuple, value: np.ndarray, ask) -> str | None:
    x, weight, bias, eps = given
    plain = ask(*_plain(*given))
    if plain is None or not (found := first_unlike(value, plain * weight.numpy() + bias.numpy())):
        return None
    return (
        f"with the gain {shown(weight)} and the bias {shown(bias)}, {found[0]} is {found[1]} and "
        f"should be {found[2]}"
    )


def _last_changed(x: Tensor) -> Tensor:
    x = x.clone()
    x[-1, -1] += torch.arange(1.0, x.shape[-1] + 1)
    return x


def _norm(x, weight, bias, eps, unbiased=False, root=lambda var, eps: (var + eps).sqrt()) -> Tensor:
    """LayerNorm with one thing or two done differently."""
    divisor = root(x.var(-1, keepdim=True, unbiased=unbiased), eps)
    return (x - x.mean(-1, keepdim=True)) / divisor * weight + bias


def _eps_outside(var: Tensor, eps: float) -> Tensor:
    return var.sqrt() + eps


layer_norm = Exercise(
    "feedforward.layer_norm",
    """Exercise 2, medium, 6 minutes: `student(x, weight, bias, eps)` is torch's layer norm.

    x (B, T, C); weight, bias (C,); over the channels, variance divided by C, eps under the root.
    """,
    right=right_layer_norm,
    inputs=_rows_to_normalise,
    read=numbers,
    properties=(
        shape("The result has the shape of x, (B, T, C).", lambda x, *_: x.shape),
        no_nan("nan is 0 divided by 0: eps makes sure that the divisor is above 0."),
        on_other_input(
            "Each token is normalised alone: other tokens do not change its row.",
            "with other numbers in the last token",
            lambda x, *others: (_last_changed(x), *others),
            part=lambda result, x, *others: result.reshape(-1, x.shape[-1])[:-1],
        ),
        _with_gain_1(
            "x minus the mean has the mean 0.",
            "the mean of ",
            lambda result: result.mean(-1, keepdims=True).round(6),
        ),
        _with_gain_1(
            "Dividing by √(variance + eps) makes the variance 1, or less if it is as small as eps.",
            "the variance of ",
            lambda result: result.var(-1, keepdims=True).round(4),
        ),
        _with_gain_1(
            "A normalised number is (x - mean) / √(variance + eps).", "", lambda result: result
        ),
        Property("At the end: times the gain, and then plus the bias.", _gain_and_bias, asks=True),
    ),
    notes={
        "size of tensor": "If a mean or a variance has lost its last axis: "
        "keepdim=True leaves (B, T, 1)."
    },
    mistakes=(
        Mistake("unbiased", partial(_norm, unbiased=True)).as_if(
            "the variance was divided by C - 1, torch's default",
            "A layer norm describes these C numbers alone: divide by C, unbiased=False.",
        ),
        Mistake("unbiased std plus eps", partial(_norm, unbiased=True, root=_eps_outside)).as_if(
            "the variance was divided by C - 1, torch's default, and eps was added to its root",
            "A layer norm describes these C numbers alone: divide by C, unbiased=False. And eps "
            "belongs under the root: sqrt(variance + eps).",
        ),
        Mistake("eps outside the root", partial(_norm, root=_eps_outside)).as_if(
            "you added eps to the standard deviation",
            "It belongs under the root: sqrt(variance + eps).",
        ),
    ),
)


# ---- 3. The block ----


class Part:
    """Attention as the student is given it, a function (B, T, C) -> (B, T, C).

    It gives each token the mean of itself and those before it, times `strength`, and remembers
    what it was last given.
    """

    def __init__(self, strength: float = 1.0) -> None:
        self.strength, self.given = strength, None

    def __call__(self, x: Tensor) -> Tensor:
        self.given = x.detach().clone()
        counts = torch.arange(1, x.shape[-2] + 1, dtype=x.dtype)[:, None]
        return self.strength * x.cumsum(-2) / counts  # (B, T, C)

    def __repr__(self) -> str:
        return "attn"

    def __deepcopy__(self, memo: dict) -> "Part":
        return self  # so that what it was given can be read


class Weights(dict):
    """A block's tensors under GPT-2's names; shown in a word."""

    def __repr__(self) -> str:
        return "weights"

    def but(self, **others) -> "Weights":
        """A copy with other tensors: c_proj_bias=1.0."""
        new = Weights(self)
        for name, value in others.items():
            name = f"mlp.{'.'.join(name.rsplit('_', 1))}"
            new[name] = torch.as_tensor(value).expand_as(self[name]).clone()
        return new


def _halves(*shape: int, noise: torch.Generator) -> Tensor:
    return (2 * torch.randn(shape, generator=noise)).round() / 2


def _block_input(B: int, T: int, C: int, seed: int) -> tuple[Tensor, Part, Weights]:
    noise = torch.Generator().manual_seed(seed)
    weights = Weights()
    shapes = {"ln_1": (C,), "ln_2": (C,), "mlp.c_fc": (4 * C, C), "mlp.c_proj": (C, 4 * C)}
    for name, size in shapes.items():
        weights[f"{name}.weight"] = 1 + _halves(*size, noise=noise)
        weights[f"{name}.bias"] = _halves(size[0], noise=noise)
    return 2 * _halves(B, T, C, noise=noise) + 1, Part(), weights


BLOCK_SIZES = ((1, 2, 3), (2, 4, 3), (3, 5, 6), (1, 1, 5), (1, 3, 3))  # (B, T, C) each


def _ln(x: Tensor, w: Weights, name: str) -> Tensor:
    return right_layer_norm(x, w[f"{name}.weight"], w[f"{name}.bias"])


def _mlp(x: Tensor, w: Weights) -> Tensor:
    wide = x @ w["mlp.c_fc.weight"].T + w["mlp.c_fc.bias"]  # (B, T, 4C)
    return right_gelu(wide) @ w["mlp.c_proj.weight"].T + w["mlp.c_proj.bias"]  # (B, T, C)


def _right_block(x: Tensor, attn, w: Weights) -> Tensor:
    x = x + attn(_ln(x, w, "ln_1"))
    return x + _mlp(_ln(x, w, "ln_2"), w)


def _post_norm(x: Tensor, attn, w: Weights) -> Tensor:
    x = _ln(x + attn(x), w, "ln_1")
    return _ln(x + _mlp(x, w), w, "ln_2")


def _norm_added(x: Tensor, attn, w: Weights) -> Tensor:
    x = _ln(x, w, "ln_1")
    x = _ln(x + attn(x), w, "ln_2")
    return x + _mlp(x, w)


def _silent(w: Weights, bias: float = 0.0) -> Weights:
    """mlp adds its last bias alone."""
    return w.but(c_proj_weight=0.0, c_proj_bias=bias)


def _passing(w: Weights) -> Weights:
    """mlp gives back what it is given: gelu(100 + x) is 100 + x."""
    eye = torch.eye(*w["mlp.c_fc.weight"].shape)
    return w.but(c_fc_weight=eye, c_fc_bias=100.0, c_proj_weight=eye.T, c_proj_bias=-100.0)


def _bending(w: Weights) -> Weights:
    """mlp adds 10 * gelu(-1)."""
    eye = torch.eye(*w["mlp.c_fc.weight"].shape)
    return w.but(c_fc_weight=0.0, c_fc_bias=-1.0, c_proj_weight=10 * eye.T, c_proj_bias=0.0)


def _attention_reads(given: tuple, value: np.ndarray, ask) -> str | None:
    x, _, w = given
    attn = Part()
    ask(x, attn, w)
    if attn.given is None:
        return "attn is not called"
    if found := first_unlike(attn.given.numpy(), _ln(x, w, "ln_1").numpy()):
        return f"attn is given {found[1]} in {found[0]}, and it should be {found[2]}"
    return None


def _stream(when: str, words: str, weights, want, strength: float = 0.0) -> Property:
    """What the block gives with other weights of mlp, and attention of a strength."""
    return on_other_input(
        words,
        when,
        lambda x, attn, w: (x, Part(strength), weights(w)),
        want=lambda value, x, attn, w: want(x, w).numpy(),
    )


def _after_attention(x: Tensor, w: Weights) -> Tensor:
    return x + Part()(_ln(x, w, "ln_1"))


block = Exercise(
    "feedforward.block",
    """Deeper, hard, 12 minutes: `student(x, attn, weights)` is GPT-2's pre-norm block.

    x (B, T, C). attn: a function (B, T, C) -> (B, T, C). weights: {name: tensor} of ln_1, ln_2,
    mlp.c_fc (4C, C) and mlp.c_proj (C, 4C), each with .weight and .bias.
    """,
    right=_right_block,
    inputs=lambda: [_block_input(*size, seed=k) for k, size in enumerate(BLOCK_SIZES)],
    read=numbers,
    properties=(
        shape("The block gives back the shape that it gets, (B, T, C).", lambda x, *_: x.shape),
        no_nan(),
        _stream(
            "when attention and feedforward both give 0",
            "Each part adds to the stream, and the stream itself is never changed.",
            _silent,
            want=lambda x, w: x,
        ),
        Property("Attention reads ln_1 of the stream.", _attention_reads, asks=True),
        _stream(
            "when feedforward gives 0",
            "After attention the stream is x + attn(ln_1(x)).",
            _silent,
            want=_after_attention,
            strength=1.0,
        ),
        _stream(
            "when attention gives 0 and feedforward only the bias of c_proj, 1 everywhere",
            "The last thing that feedforward does is to add the bias of c_proj.",
            lambda w: _silent(w, 1.0),
            want=lambda x, w: x + 1,
        ),
        _stream(
            "when attention gives 0, c_fc gives only its bias, -1, and c_proj multiplies by 10",
            "Between c_fc and c_proj comes GELU: here 10 · gelu(-1) = -1.588 is added to x.",
            _bending,
            want=lambda x, w: x + 10 * right_gelu(torch.tensor(-1.0)),
        ),
        _stream(
            "when attention gives 0 and feedforward gives back what it reads",
            "Feedforward reads ln_2 of the stream, and adds to the stream.",
            _passing,
            want=lambda x, w: x + _ln(x, w, "ln_2"),
        ),
        _stream(
            "when feedforward gives back what it reads",
            "Feedforward reads the stream after attention, and adds to that.",
            _passing,
            want=lambda x, w: _after_attention(x, w) + _ln(_after_attention(x, w), w, "ln_2"),
            strength=1.0,
        ),
    ),
    mistakes=(
        Mistake("post-norm", _post_norm).as_if(
            "the sum was normalised, after each part",
            "That is the post-norm of 2017. GPT-2 leaves the stream as it is: x + part(ln(x)).",
        ),
        Mistake("normalised stream", _norm_added).as_if(
            "each part added to the normalised x",
            "x = ln(x) forgets the stream itself: keep the two apart, x = x + part(ln(x)).",
        ),
        Mistake(
            "in parallel",
            lambda x, attn, w: x + attn(_ln(x, w, "ln_1")) + _mlp(_ln(x, w, "ln_2"), w),
        ).as_if(
            "both parts read the same x",
            "(Some models do so.) In GPT-2 feedforward reads what attention has already added to.",
        ),
    ),
)
