"""What is seen of a student's training loop while it runs.

Loops differ: another optimizer, other batches, another rate. So not their numbers are compared but
what the model sees: which batches come in, whether gradients arrive and pile up, what gradient
the loss has at the logits (it is p - onehot for the right one, which also tells the targets), and
how near it comes to the truth. Axes: B rows, T positions, V tokens.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..logits import kl, nll, softmax
from ..model import GPT, GPTConfig

CLOSE = 0.02  # nats of KL: the exercise is done
STEPS = 120
DOCUMENTS, ROW = 400, 8
WORDS = (3, 4, 5, 6)  # after the tokens 0, 1, 2 ("The cat is"); 7 is the stop token
LOST = ("has no attribute 'backward'", "does not require grad", "element 0 of tensors")


class Problem:
    """A language of one sentence with four ends: "The cat is ... <stop>", 400 times."""

    def __init__(self, truth: tuple[float, ...], seed: int) -> None:
        self.seed = seed
        self.truth = torch.zeros(8)
        self.truth[list(WORDS)] = torch.tensor(truth)
        ends = [id for id, p in zip(WORDS, truth) for _ in range(round(p * DOCUMENTS))]
        order = torch.randperm(DOCUMENTS, generator=torch.Generator().manual_seed(seed))
        rows = torch.tensor([[0, 1, 2, end, 7] for end in ends])  # (400, 5)
        self.tokens = rows[order].flatten()  # (2000,)

    def __repr__(self) -> str:
        return f"model, tokens, {STEPS}"

    def model(self) -> GPT:
        """A new one, the same each time."""
        return GPT(GPTConfig(8, ROW, n_layer=1, n_head=2, n_embd=16), seed=self.seed)

    def kl(self, model: GPT) -> float:
        """KL(truth || model) after "The cat is"; infinite where there are no numbers any more."""
        with torch.no_grad():
            found = kl(self.truth, softmax(model(torch.tensor([[0, 1, 2]]))[0, -1])).item()
        return found if math.isfinite(found) else math.inf

    def loss(self, model: GPT) -> float:
        """The loss on some of the text."""
        x = self.tokens[: 40 * (ROW + 1)].view(40, ROW + 1)
        with torch.no_grad():
            return nll(model(x[:, :-1]), x[:, 1:]).item()


@dataclass(frozen=True)
class Seen:
    """What a loop came to: the same for all loops that do the same thing right or wrong."""

    what: str
    kl: float = field(compare=False)

    def __repr__(self) -> str:
        return f"KL below {CLOSE}" if self.what == "learned" else f"KL {self.kl:.3f} at the end"


class _OverBudgetError(Exception):
    """Raised in the student's loop to end it."""


class Watched:
    """A function (model, tokens, steps) as one of a Problem, which gives back what was Seen."""

    def __init__(self, train: Callable) -> None:
        self.train = train
        self.__name__ = getattr(train, "__name__", type(train).__name__)
        self.__code__ = getattr(train, "__code__", None)  # so that an error's line is found

    def __call__(self, problem: Problem) -> Seen:
        model = problem.model()
        watch = Watch(model, problem)
        try:
            self.train(model, problem.tokens.clone(), STEPS)
        except (AttributeError, RuntimeError) as error:
            if not any(words in str(error) for words in LOST):
                raise
            return Seen("no gradient", problem.kl(model))
        except _OverBudgetError:
            return Seen("too many steps", problem.kl(model))
        return Seen(watch.verdict(), problem.kl(model))


class Watch:
    """Hooks on a model that note what its training does."""

    def __init__(self, model: GPT, problem: Problem) -> None:
        self.model, self.problem, self.kl = model, problem, math.inf
        self.before, self.first_loss = model.lm_head.weight.detach().clone(), problem.loss(model)
        self.batches: set[bytes] = set()
        self.passes = self.arrived = self.piled = 0
        self.targets, self.sign = "", 0  # of the first gradient at the logits
        model.register_forward_hook(self._on_forward)
        model.lm_head.weight.register_hook(self._on_gradient)

    def _on_forward(self, model: GPT, given: tuple, logits: Tensor) -> None:
        if not torch.is_grad_enabled() or not given:  # looking is no training
            return
        x = given[0]
        self.batches.add(x.numpy().tobytes())
        self.passes += 1
        if self.passes > 2 * STEPS + 10:  # as if each step asked the model twice
            raise _OverBudgetError
        if self.passes == 1:
            logits.register_hook(lambda g: self._read_loss(x, logits.detach(), g))
        if self.passes > STEPS // 2 and self.passes % 10 == 0:
            self.kl = min(self.kl, self.problem.kl(model))

    def _on_gradient(self, gradient: Tensor) -> None:
        """Just before it is added to what is there."""
        there = self.model.lm_head.weight.grad
        self.arrived += 1
        self.piled += there is not None and bool(there.any())

    def _read_loss(self, x: Tensor, logits: Tensor, g: Tensor) -> None:
        """A gradient (B, T, V) that is p - onehot, up to a factor, tells its targets."""
        used = g.abs().sum(-1) > 0  # (B, T): positions that have a target
        p, g = softmax(logits)[used], g[used]  # (N, V)
        for sign in (1, -1):
            least, targets = (sign * g).min(-1)  # (N,), (N,)
            wanted = p.scatter_add(-1, targets[:, None], -torch.ones(len(p), 1))  # p - onehot
            factor = (p.gather(-1, targets[:, None]) - 1) / (sign * least[:, None])
            if torch.allclose(sign * g * factor, wanted, atol=1e-3):
                self.sign = sign
                self.targets = self._which(x, used, targets)
                return

    @staticmethod
    def _which(x: Tensor, used: Tensor, targets: Tensor) -> str:
        """Which tokens the targets are, seen from the input: "next", "same", "last" or others."""
        hot = torch.full_like(x, -1)
        hot[used] = targets
        pairs = {"same": (hot, x), "next": (hot[:, :-1], x[:, 1:]), "last": (hot[:, 1:], x[:, :-1])}
        for name, (a, b) in pairs.items():
            kept = a >= 0
            if kept.any() and (a == b)[kept].float().mean() > 0.9:
                return name
        return "others"

    def verdict(self) -> str:
        """The first that holds."""
        if not self.arrived:
            return "no gradient" if self.passes else "model unused"
        if torch.equal(self.before, self.model.lm_head.weight):
            return "no step"
        if self.passes < 3:
            return "one step"
        if self.piled > 0.8 * self.arrived:
            return "piled"
        if min(self.kl, self.problem.kl(self.model)) < CLOSE:
            return "learned"
        if self.targets in ("same", "last", "others"):
            return {"same": "not shifted", "last": "shifted back"}.get(self.targets, "odd targets")
        loss = self.problem.loss(self.model)
        if self.sign < 0 or not loss < self.first_loss:
            return "climbs"
        if not self.sign:
            return "another loss"
        return "same batch" if len(self.batches) == 1 else "not yet"
