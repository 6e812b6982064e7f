"""Lesson 06's exercises: the right answers, and the wrong ones that beginners write."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from ..logits import log_softmax, nll, softmax
from ..training import get_batch
from .base import Mistake
from .training_loop import ROW, STEPS, Watched

# ---- 1. The loss ----


def _at(table: Tensor, targets: Tensor) -> Tensor:
    """(T, V), (T,) -> (T,): of each row the entry of its target."""
    return table[torch.arange(len(targets)), targets]


NLL_MISTAKES = (
    Mistake(
        "sign",
        "a minus is missing. ln p is below 0 for every p below 1, and a loss is above it.",
        lambda z, y: _at(log_softmax(z), y).mean(),
    ),
    Mistake(
        "sum",
        "that is the sum over the positions. Take the mean, so that long texts compare with short.",
        lambda z, y: -_at(log_softmax(z), y).sum(),
    ),
    Mistake(
        "every position",
        "there is one number for each position. The loss is their mean: one number.",
        lambda z, y: -_at(log_softmax(z), y),
    ),
    Mistake(
        "all pairs",
        "log_p[:, targets] takes each target from every row. Row t has the target t: "
        "log_p[torch.arange(len(targets)), targets].",
        lambda z, y: -log_softmax(z)[:, y].mean(),
    ),
    Mistake(
        "every token",
        "you average over all tokens. Only the token that really came counts: the target.",
        lambda z, y: -log_softmax(z).mean(),
    ),
    Mistake(
        "the likeliest",
        "you take the likeliest token of each row. The loss asks for the one that came.",
        lambda z, y: -log_softmax(z).amax(-1).mean(),
    ),
    Mistake(
        "no logarithm",
        "you average p itself. The loss is the mean of -ln p.",
        lambda z, y: -_at(softmax(z), y).mean(),
    ),
    Mistake(
        "1 - p",
        "1 - p is no surprise in nats. That is -ln p.",
        lambda z, y: (1 - _at(softmax(z), y)).mean(),
    ),
    Mistake(
        "logarithm last",
        "you average p first and take the logarithm then. First -ln p for each position, then the "
        "mean.",
        lambda z, y: -_at(softmax(z), y).mean().log(),
    ),
    Mistake(
        "no softmax",
        "you take the logits for log-probabilities. gptlib.log_softmax makes them so.",
        lambda z, y: -_at(z, y).mean(),
    ),
    Mistake(
        "wrong axis",
        "softmax went over the positions. Each position has its own distribution over the tokens: "
        "dim=-1.",
        lambda z, y: -_at(log_softmax(z, dim=0), y).mean(),
    ),
    Mistake(
        "softmax twice",
        "softmax came twice: cross_entropy (and gptlib.nll) wants logits, not probabilities.",
        lambda z, y: nll(softmax(z), y),
    ),
    Mistake(
        "base 2",
        "that is in bits. With the natural logarithm it is in nats.",
        lambda z, y: nll(z, y) / torch.tensor(2.0).log(),
    ),
    Mistake(
        "shifted again",
        "you shifted the targets once more. They come shifted: targets[t] follows token t.",
        lambda z, y: -_at(log_softmax(z[:-1]), y[1:]).mean(),
    ),
    Mistake(
        "overflow",
        "right until logits are large: e^1000 is infinite. Use gptlib.log_softmax.",
        lambda z, y: -(_at(z.exp() / z.exp().sum(-1, keepdim=True), y)).log().mean(),
    ),
    Mistake(
        "underflow",
        "right until a probability is too small for a float, and ln 0 is infinite. Use "
        "gptlib.log_softmax.",
        lambda z, y: -_at(softmax(z), y).log().mean(),
    ),
)


# ---- 2. Its gradient ----


def right_gradient(logits: Tensor, targets: Tensor) -> Tensor:
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(nll(logits, targets), logits)[0]


def _hot(z: Tensor, y: Tensor) -> Tensor:
    return F.one_hot(y, z.shape[-1]).to(z.dtype)


def _turned_at_the_target(z: Tensor, y: Tensor) -> Tensor:
    p, hot = softmax(z), _hot(z, y)
    return torch.where(hot > 0, 1 - p, p) / len(y)


def _rows_of_targets(z: Tensor, y: Tensor) -> Tensor:
    p = softmax(z)
    p[y] -= 1  # an IndexError, but where there are as many rows
    return p / len(y)


def _every_target(z: Tensor, y: Tensor) -> Tensor:
    p = softmax(z)
    p[:, y] -= 1
    return p / len(y)


GRADIENT_MISTAKES = (
    Mistake(
        "not divided",
        "that is the gradient of the sum. The loss is a mean over T positions: divide by T.",
        lambda z, y: softmax(z) - _hot(z, y),
    ),
    Mistake(
        "sign",
        "the sign is turned round. The gradient points to where the loss grows: p - onehot.",
        lambda z, y: (_hot(z, y) - softmax(z)) / len(y),
    ),
    Mistake(
        "sign, not divided",
        "the sign is turned round (it is p - onehot), and a division by T is missing.",
        lambda z, y: _hot(z, y) - softmax(z),
    ),
    Mistake(
        "no one-hot",
        "these are the probabilities. At the target of each row, 1 has to be taken off.",
        lambda z, y: softmax(z) / len(y),
    ),
    Mistake(
        "no one-hot, not divided",
        "these are the probabilities. At the target of each row, 1 has to be taken off; then "
        "divide by T.",
        lambda z, y: softmax(z),
    ),
    Mistake(
        "only the target",
        "the other tokens have a gradient too: their p. What one token gains, the others lose.",
        lambda z, y: (softmax(z) - 1) * _hot(z, y) / len(y),
    ),
    Mistake(
        "sign at the target",
        "at the target the sign is turned: p - 1, not 1 - p.",
        _turned_at_the_target,
    ),
    Mistake(
        "rows of targets",
        "p[targets] picks rows. Row t has its own target: "
        "p[torch.arange(len(targets)), targets] -= 1.",
        _rows_of_targets,
    ),
    Mistake(
        "every target in every row",
        "p[:, targets] takes 1 off at every target in every row. Row t has its own: "
        "p[torch.arange(len(targets)), targets] -= 1.",
        _every_target,
    ),
    Mistake(
        "no softmax",
        "the softmax is missing: p - onehot, not logits - onehot.",
        lambda z, y: (z - _hot(z, y)) / len(y),
    ),
    Mistake(
        "log-probabilities",
        "these are log-probabilities minus onehot. It is p itself: softmax, without the logarithm.",
        lambda z, y: (log_softmax(z) - _hot(z, y)) / len(y),
    ),
    Mistake(
        "wrong axis",
        "softmax went over the positions. Each row is a distribution over the tokens: dim=-1.",
        lambda z, y: (softmax(z, dim=0) - _hot(z, y)) / len(y),
    ),
    Mistake(
        "divided by V",
        "you divide by the number of tokens in the vocabulary. The mean is over positions: by T.",
        lambda z, y: (softmax(z) - _hot(z, y)) / z.shape[-1],
    ),
    Mistake(
        "divided by both",
        "you divide by T times V, as .mean() over the table would. The mean is over T alone.",
        lambda z, y: (softmax(z) - _hot(z, y)) / z.numel(),
    ),
    Mistake(
        "the likeliest",
        "you take 1 off at the likeliest token. It belongs off at the target, likely or not.",
        lambda z, y: (softmax(z) - _hot(z, z.argmax(-1))) / len(y),
    ),
)


# ---- 3. A training loop ----

FEW = 8  # updates in which a mistake shows


def right_train(model, tokens: Tensor, steps: int, *, wrong: str = "") -> None:
    """A plain loop, with one thing else where `wrong` says so."""
    rate = 1e-5 if wrong == "rate" else 1e-2
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, maximize=wrong == "ascent")
    for step in range({"": steps, "one step": 1}.get(wrong, FEW)):
        x, y = get_batch(tokens, ROW, 64, seed=0, step=0 if wrong == "same batch" else step)
        x, y = {"not shifted": (x, x), "shifted back": (y, x)}.get(wrong, (x, y))
        logits = softmax(model(x)) if wrong == "softmax" else model(x)
        loss = nll(logits.detach().requires_grad_() if wrong == "graph" else logits, y)
        if wrong != "zero_grad":
            optimizer.zero_grad()
        loss.backward()
        if wrong != "step":
            optimizer.step()


def _endless(model, tokens: Tensor, steps: int) -> None:
    while True:
        model(tokens[None, :1])


def _trains(name: str, words: str, wrong: str) -> Mistake:
    return Mistake(name, words, Watched(partial(right_train, wrong=wrong)))


TRAIN_MISTAKES = (
    Mistake(
        "model unused",
        "the model that was given never saw a batch. Does a line in your function make another?",
        Watched(lambda model, tokens, steps: None),
    ),
    _trains(
        "no gradient",
        "no gradient reaches the model. loss.item() is a number without a history: call "
        "loss.backward() on the tensor itself.",
        "graph",
    ),
    _trains(
        "no step",
        "gradients arrive, but the model stays as it was. After backward(): optimizer.step(), and "
        "zero_grad() not between them.",
        "step",
    ),
    _trains(
        "one step",
        "it trained on one batch and stopped. Does the loop run over all steps? (Is a `return` "
        "inside it?)",
        "one step",
    ),
    _trains(
        "no zero_grad",
        "gradients pile up: each backward() adds to those of the steps before. "
        "optimizer.zero_grad() in every step.",
        "zero_grad",
    ),
    _trains(
        "not shifted",
        "the targets are the inputs, so it learns to repeat each token. The target is the token "
        "after it.",
        "not shifted",
    ),
    _trains(
        "shifted back",
        "the targets are shifted the wrong way: it learns the token before. get_batch gives "
        "inputs first, then targets.",
        "shifted back",
    ),
    _trains(
        "gradient ascent",
        "the loss grows. Is there a minus too many, or maximize=True? (A rate far too high does "
        "it too.)",
        "ascent",
    ),
    _trains(
        "softmax twice",
        "the gradient at the logits is not p - onehot: this is another loss. Give gptlib.nll (or "
        "cross_entropy) the logits; softmax is in it.",
        "softmax",
    ),
    _trains(
        "same batch",
        "every step has the same batch, and the model learns that one by heart. Another one each "
        "step: get_batch(..., step=step).",
        "same batch",
    ),
    _trains(
        "not far enough",
        "the loss goes down, but not far enough in these steps. Try a larger learning rate, such "
        "as 1e-2 for AdamW, or larger batches.",
        "rate",
    ),
    Mistake(
        "too many steps",
        f"it goes on after the {STEPS} steps that it was given.",
        Watched(_endless),
    ),
)
