"""What is seen of a student's training loop while it runs.

Loops differ: another optimizer, other batches, another rate, a precision of their own. So not
their numbers are compared but what happens to the weights: do gradients arrive and are they cleared
between updates, does one optimizer make all of them, what gradient has the loss at the logits (it
is p - onehot for the right one, which also tells the targets), and how near does the model come to
the truth. Axes: B rows, T positions, V tokens.
"""

import functools
import math
from collections.abc import Callable
from contextlib import suppress

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from ..logits import kl, nll, softmax
from ..model import GPT, GPTConfig

CLOSE = 0.02  # nats of KL: the exercise is done
STEPS = 120
DOCUMENTS, ROW = 400, 8
WORDS = (3, 4, 5, 6)  # after the tokens 0, 1, 2 ("The cat is"); 7 is the stop token
LOOKS = 10  # updates between two looks at how near the model is
PASSES = 40  # without an update: no micro-batches any more


class Problem:
    """A language of one sentence with four ends: "The cat is ... <stop>", 400 times."""

    def __init__(self, truth: tuple[float, ...], seed: int) -> None:
        self.seed = seed
        self.truth = torch.zeros(8)
        self.truth[list(WORDS)] = torch.tensor(truth)
        ends = [id for id, p in zip(WORDS, truth) for _ in range(round(p * DOCUMENTS))]
        order = torch.randperm(len(ends), generator=torch.Generator().manual_seed(seed))
        rows = torch.tensor([[0, 1, 2, end, 7] for end in ends])  # (400, 5)
        self.tokens = rows[order].flatten()  # (2000,)

    def __repr__(self) -> str:
        return f"model, tokens, {STEPS}"

    def model(self) -> GPT:
        """A new one, the same each time."""
        return GPT(GPTConfig(8, ROW, n_layer=1, n_head=2, n_embd=16), seed=self.seed)

    def kl(self, model: GPT) -> float:
        """KL(truth || model) after "The cat is"; infinite where there are no numbers any more."""
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            logits = model(torch.tensor([[0, 1, 2]]))[0, -1].float()
            found = kl(self.truth, softmax(logits)).item()
        return found if math.isfinite(found) else math.inf

    def loss(self, model: GPT) -> float:
        """The loss on some of the text."""
        x = self.tokens[: 40 * (ROW + 1)].view(40, ROW + 1)
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            return nll(model(x[:, :-1]).float(), x[:, 1:]).item()


class OverBudgetError(BaseException):
    """Raised in the student's loop to end it; no `except Exception` of his keeps it."""


class Watched:
    """A function (model, tokens, steps) as one of a Problem, which gives back what was Seen."""

    def __init__(self, train: Callable) -> None:
        functools.update_wrapper(self, train, updated=())
        self.train = train
        _warm_up()

    def __call__(self, problem: Problem) -> "Watch":
        model = problem.model()
        watch = Watch(model, problem)
        hooks = [
            register_optimizer_step_pre_hook(watch.before_step),
            register_optimizer_step_post_hook(watch.after_step),
        ]
        try:
            self.train(model, problem.tokens.clone(), STEPS)
        except OverBudgetError:
            pass
        finally:
            for hook in hooks:
                hook.remove()
        return watch.finished()


@functools.cache
def _warm_up() -> None:
    """PyTorch loads parts of its optimizers at their first use: not in the student's time."""
    model = Problem((0.25, 0.25, 0.25, 0.25), seed=0).model()
    nll(model(torch.tensor([[0, 1]])), torch.tensor([[1, 2]])).backward()
    torch.optim.AdamW(model.parameters()).step()


class Watch:
    """Hooks on a model that note what its training does.

    They are on its first and its last layer, since `model.forward(ids)` passes by its own.

    kl: the smallest that was seen in the second half of the loop, or at its end. passes: of the
    model, with a gradient to come. updates: of the weights. batches: different ones. arrived:
    gradients; piled: of them, those added to gradients from before the last update. optimizers:
    that made a step and remember something. targets: "next", "same", "last", "others"; "" where
    the loss is another one. sign: of the gradient at the logits: 1 for p - onehot, 0 for another
    loss. losses: before and after.
    """

    def __init__(self, model: GPT, problem: Problem) -> None:
        self.model, self.problem, self.kl = model, problem, math.inf
        self.first_loss = problem.loss(model)
        self.weights, self.updates, self.within_a_step = self._weights(), 0, False
        self._batches: set[bytes] = set()
        self.x: Tensor | None = None
        self.passes = self.since_update = self.arrived = self.piled = 0
        self.begun = self.weights  # with which the gradients that are there began
        self._optimizers: list[Optimizer] = []
        self.targets, self.sign = "", 0  # of the first gradient at the logits
        model.wte.register_forward_hook(self._on_ids)
        model.lm_head.register_forward_hook(self._on_logits)
        model.lm_head.weight.register_hook(self._on_gradient)

    def _weights(self) -> Tensor:
        with torch.no_grad():
            return parameters_to_vector(p.float() for p in self.model.parameters())

    def _count_updates(self) -> None:
        """An update is what lies between two passes with different weights."""
        if self.within_a_step or torch.equal(now := self._weights(), self.weights):
            return
        self.weights, self.updates, self.since_update = now, self.updates + 1, 0
        if self.updates > STEPS:
            raise OverBudgetError
        if self.updates > STEPS // 2 and self.updates % LOOKS == 0:
            self.kl = min(self.kl, self.problem.kl(self.model))

    def before_step(self, optimizer: Optimizer, *_: object) -> None:
        self.within_a_step = True  # some ask the model several times

    def after_step(self, optimizer: Optimizer, *_: object) -> None:
        self.within_a_step = False
        held = [v for state in optimizer.state.values() for v in state.values()]
        if any(isinstance(v, Tensor) for v in held) and optimizer not in self._optimizers:
            self._optimizers.append(optimizer)

    def _on_ids(self, layer: torch.nn.Module, given: tuple, _: Tensor) -> None:
        self.x = given[0].detach().clone() if given else None
        if torch.is_grad_enabled() and self.x is not None:  # looking is no training
            self._count_updates()

    def _on_logits(self, layer: torch.nn.Module, given: tuple, logits: Tensor) -> None:
        if not torch.is_grad_enabled() or self.x is None:
            return
        x, self.passes, self.since_update = self.x, self.passes + 1, self.since_update + 1
        self._batches.add(x.cpu().numpy().tobytes())
        if self.since_update > PASSES * STEPS:
            raise OverBudgetError
        if not self.sign and logits.requires_grad:
            logits.register_hook(lambda g: self._read_loss(x, logits.detach(), g))

    def _on_gradient(self, gradient: Tensor) -> None:
        """Just before it is added to what is there."""
        self.arrived += 1
        there = self.model.lm_head.weight.grad
        if there is None or not there.any():
            self.begun = self._weights()
        else:
            self.piled += not torch.equal(self.begun, self._weights())

    def _read_loss(self, x: Tensor, logits: Tensor, g: Tensor) -> None:
        """A gradient (B, T, V) that is p - onehot, up to a factor, tells its targets."""
        if g.shape[:-1] != x.shape:
            return
        rough = 1e-3 if g.dtype in (torch.float32, torch.float64) else 3e-2
        logits, g = logits.float(), g.float()
        used = g.abs().sum(-1) > 0  # (B, T): positions that have a target
        p, g = softmax(logits)[used], g[used]  # (N, V)
        for sign in (1, -1) if len(p) else ():
            least, targets = (sign * g).min(-1)  # (N,), (N,)
            wanted = p.scatter_add(-1, targets[:, None], -torch.ones(len(p), 1))  # p - onehot
            factor = (p.gather(-1, targets[:, None]) - 1) / least[:, None]
            if torch.allclose(sign * g * factor, wanted, atol=rough):
                self.sign = sign
                self.targets = self._which(x, used, targets)
                return

    @staticmethod
    def _which(x: Tensor, used: Tensor, targets: Tensor) -> str:
        """Which tokens the targets are, seen from the input."""
        hot = torch.full_like(x, -1)
        hot[used] = targets
        pairs = {"same": (hot, x), "next": (hot[:, :-1], x[:, 1:]), "last": (hot[:, 1:], x[:, :-1])}
        for name, (a, b) in pairs.items():
            kept = a >= 0
            if 2 * kept.sum() > kept.numel() and (a == b)[kept].float().mean() > 0.9:
                return name
        return "others"

    def finished(self) -> "Watch":
        """It, with what there is to see when the loop is over."""
        self.within_a_step = False
        with suppress(OverBudgetError):
            self._count_updates()
        self.kl = min(self.kl, self.problem.kl(self.model))
        self.losses = (self.first_loss, self.problem.loss(self.model))
        self.batches, self.optimizers = len(self._batches), len(self._optimizers)
        self.learned = self.kl < CLOSE
        return self
