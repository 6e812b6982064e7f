"""Lesson 06's exercises: the loss, its gradient at the logits, and a loop that trains.

The right answers and the wrong ones are in `training_answers`; what is seen of a training loop
while it runs is in `training_loop`. Axes: T positions, V tokens.
"""

import torch

from ..logits import nll as right_nll
from . import base
from .base import Verdict
from .training_answers import (
    GRADIENT_MISTAKES,
    NLL_MISTAKES,
    TRAIN_MISTAKES,
    right_gradient,
    right_train,
)
from .training_loop import Problem, Seen, Watched


def _case(n_tokens: int, vocab_size: int, targets: list[int], seed: int) -> tuple:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(n_tokens, vocab_size, generator=generator), torch.tensor(targets)


# First what fits on paper; then no two sizes alike, one row alone, targets that come twice, and
# as many rows as columns.
FOUR_WORDS = torch.tensor([[0.6, 0.3, 0.05, 0.05], [0.1, 0.2, 0.3, 0.4]]).log()
CASES = ((FOUR_WORDS, torch.tensor([1, 3])), _case(3, 5, [4, 4, 0], 1), _case(1, 4, [2], 2))
CASES += (_case(4, 4, [0, 2, 1, 2], 3), _case(6, 3, [0, 1, 2, 0, 1, 1], 4))
LARGE = (torch.tensor([[1000.0, 0.0, 998.0], [-1000.0, 1000.0, 999.0]]), torch.tensor([1, 2]))

# ---- 1. The loss ----


def nll(student) -> Verdict:
    """Exercise 1, easy, 3 minutes: `student(logits, targets)` is the mean of -ln p, in nats.

    logits (T, V), targets (T,) -> one number.
    """
    return base.check(
        student,
        right=right_nll,
        inputs=[*CASES, LARGE],
        mistakes=NLL_MISTAKES,
        read=base.numbers,
    )


# ---- 2. Its gradient ----


def gradient(student) -> Verdict:
    """Exercise 2, medium, 6 minutes: `student(logits, targets)` is what autograd finds.

    logits (T, V), targets (T,) -> (T, V): the gradient of the mean loss at the logits.
    """
    return base.check(
        student,
        right=right_gradient,
        inputs=[*CASES, LARGE],
        mistakes=GRADIENT_MISTAKES,
        read=base.numbers,
    )


# ---- 3. A training loop ----

# After tokens 0, 1, 2 come 3, 4, 5 and 6 as often as this.
PROBLEMS = (Problem((0.60, 0.30, 0.05, 0.05), seed=0), Problem((0.05, 0.40, 0.20, 0.35), seed=1))


def train(student) -> Verdict:
    """Exercise 3, hard, 12 minutes: `student(model, tokens, steps)` trains the model in place.

    tokens: (N,). At most `steps` updates and 5 seconds; then, after "The cat is" of a language of
    8 tokens, KL(truth || model) has come below 0.02. What the function gives back does not count.
    """
    # PyTorch loads parts of its optimizers at their first use: not in the student's five seconds.
    right_train(PROBLEMS[0].model(), PROBLEMS[0].tokens, steps=1)
    return base.check(
        Watched(student) if callable(student) else student,
        right=lambda problem: Seen("learned", 0.0),
        inputs=[(problem,) for problem in PROBLEMS],
        mistakes=TRAIN_MISTAKES,
    )
