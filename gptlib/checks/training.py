"""Lesson 06's exercises: the loss, its gradient at the logits, and a loop that trains.

What is seen of a training loop while it runs is in `training_loop`. Axes: T positions, V tokens.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..logits import log_softmax, softmax
from ..logits import nll as right_nll
from .exercise import Exercise, Mistake, Property
from .properties import SURE, no_infinity, no_nan, shape, sums_to, unlike
from .reading import numbers
from .showing import short
from .training_loop import CLOSE, STEPS, Problem, Watched


def _case(n_tokens: int, vocab_size: int, targets: list[int], seed: int) -> tuple:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(n_tokens, vocab_size, generator=generator), torch.tensor(targets)


# First what fits on paper; then no two sizes alike, one row alone, targets that come twice, and
# as many rows as columns; ids above 256; and where e^logit overflows.
FOUR_WORDS = torch.tensor([[0.6, 0.3, 0.05, 0.05], [0.1, 0.2, 0.3, 0.4]]).log()
CASES = ((FOUR_WORDS, torch.tensor([1, 3])), _case(3, 5, [4, 4, 0], 1), _case(1, 4, [2], 2))
CASES += (_case(4, 4, [0, 2, 1, 2], 3), _case(6, 3, [0, 1, 2, 0, 1, 1], 4))
CASES += (_case(2, 300, [299, 257], 5), (3 + FOUR_WORDS[:1], torch.tensor([0])))
CASES += ((torch.tensor([[1000.0, 0.0, 998.0], [-1000.0, 1000.0, 999.0]]), torch.tensor([1, 2])),)


def _at(table: Tensor, targets: Tensor) -> Tensor:
    """(T, V), (T,) -> (T,): of each row the entry of its target."""
    return table[torch.arange(len(targets)), targets]


# ---- 1. The loss ----


def _mean_of_surprises(given: tuple, value: np.ndarray) -> str | None:
    p = _at(softmax(given[0]), given[1])
    want, mine = float(right_nll(*given)), float(value)
    if np.isclose(mine, want, rtol=SURE, atol=SURE):
        return None
    listed = ", ".join(map(short, p.tolist()))
    mean = f"{unlike(want, mine)}, not {unlike(mine, want)}"
    return f"the targets have the probabilities {listed}, and the mean of -ln p is {mean}"


nll = Exercise(
    "training.nll",
    """Exercise 1 of the lesson, easy: `student(logits, targets)` is the mean of -ln p, in nats.

    logits (T, V), targets (T,) -> one number.
    """,
    right=right_nll,
    inputs=CASES,
    read=numbers,
    properties=(
        shape("The loss is one number.", lambda z, y: ()),
        no_nan(),
        no_infinity("A finite logit has a finite -ln p: gptlib.log_softmax does not overflow."),
        Property(
            "-ln p is never below 0.",
            lambda given, value: None if value > -SURE else f"the loss is {short(float(value))}",
        ),
        Property("The loss is the mean of -ln p at the targets.", _mean_of_surprises),
    ),
    mistakes=(
        Mistake("all pairs", lambda z, y: -log_softmax(z)[:, y].mean()).as_if(
            "each target was looked up in every row",
            "Row t has the target t: log_p[torch.arange(len(targets)), targets].",
        ),
        Mistake("softmax twice", lambda z, y: right_nll(softmax(z), y)).as_if(
            "softmax was taken twice",
            "cross_entropy and gptlib.nll want logits, not probabilities.",
        ),
        Mistake("shifted again", lambda z, y: -_at(log_softmax(z[:-1]), y[1:]).mean()).as_if(
            "the targets were shifted once more", "They come shifted: targets[t] follows token t."
        ),
    ),
)


# ---- 2. Its gradient ----


def right_gradient(logits: Tensor, targets: Tensor) -> Tensor:
    """What autograd finds. logits (T, V), targets (T,) -> (T, V)."""
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(right_nll(logits, targets), logits)[0]


def _hot(z: Tensor, y: Tensor) -> Tensor:
    return F.one_hot(y, z.shape[-1]).to(z.dtype)


def _negative_at_the_target(given: tuple, value: np.ndarray) -> str | None:
    for t, target in enumerate(given[1].tolist()):
        for id, number in enumerate(value[t].tolist()):
            if number < -1e-6 and id != target:
                return f"row {t + 1} has {short(number)} at token {id}, and the target is {target}"
            if number > 1e-6 and id == target:
                return f"row {t + 1} has {short(number)} at its target, token {target}"
    return None


def _p_elsewhere(given: tuple, value: np.ndarray) -> str | None:
    p, T = softmax(given[0]).numpy(), len(given[1])
    for t, target in enumerate(given[1].tolist()):
        for id in range(p.shape[1]):
            want = (p[t, id] - (id == target)) / T
            if not np.isclose(value[t, id], want, rtol=1e-2, atol=SURE):
                less = " - 1" if id == target else ""
                its = f"({short(p[t, id])}{less}) / {T} = {unlike(want, value[t, id])}"
                mine = f"row {t + 1} has {unlike(value[t, id], want)} at token {id}"
                return f"{mine}, where (p{less}) / T is {its}"
    return None


gradient = Exercise(
    "training.gradient",
    """Deeper, hard: `student(logits, targets)` is what autograd finds.

    logits (T, V), targets (T,) -> (T, V): the gradient of the mean loss at the logits.
    """,
    right=right_gradient,
    inputs=CASES,
    read=numbers,
    properties=(
        shape("There is one number for each logit.", lambda z, y: z.shape),
        no_nan(),
        sums_to(0, "Each row sums to 0: what one token gains, the others lose."),
        Property("Only the target has a number below 0: its logit rises.", _negative_at_the_target),
        Property("The gradient is p - onehot, and the loss a mean over T positions.", _p_elsewhere),
    ),
    mistakes=(
        Mistake("not divided", lambda z, y: softmax(z) - _hot(z, y)).as_if(
            "nothing was divided by T",
            "That is the gradient of the sum. The loss is a mean over T positions: divide by T.",
        ),
        Mistake(
            "every target in every row", lambda z, y: (softmax(z) - _hot(z, y).amax(0)) / len(y)
        ).as_if(
            "1 was subtracted at every target in every row",
            "Row t has its own: p[torch.arange(len(targets)), targets] -= 1, not p[:, targets].",
        ),
    ),
)


# ---- 3. A training loop ----

# After tokens 0, 1, 2 come 3, 4, 5 and 6 as often as this.
PROBLEMS = (Problem((0.60, 0.30, 0.05, 0.05), seed=0), Problem((0.05, 0.40, 0.20, 0.35), seed=1))


def _always(words: str, holds, observation: str) -> Property:
    """`holds(v)` of what is seen, a Watch."""
    return Property(words, lambda _, v: None if holds(v) else observation.format(v=v))


def _needed(words: str, holds, observation: str) -> Property:
    """What is asked only of a loop that has not learned: right loops differ in much."""
    return _always(words, lambda v: v.learned or holds(v), observation)


train = Exercise(
    "training.train",
    """Exercise 2 of the lesson, medium: `student(model, tokens, steps)` trains the model in place.

    tokens: (N,). At most `steps` updates and 5 seconds; then, after "The cat is" of a language of
    8 tokens, KL(truth || model) has come below 0.02. What the function gives back does not count.
    """,
    inputs=[(problem,) for problem in PROBLEMS],
    adapt=Watched,
    shown=repr,
    notes={
        r"no attribute 'backward'": "loss.item() is a number without a history: call "
        "loss.backward() on the tensor itself.",
        r"does not require grad": "The loss has lost its history: something before backward() was "
        "under torch.no_grad(), or used .item(), .detach() or .data.",
    },
    properties=(
        _needed(
            "The model that is given is trained.",
            lambda v: v.passes or v.updates,
            "the model never saw a batch",
        ).named("model unused", "Does a line in your function make a second model?"),
        _needed(
            "Each batch gives a gradient.",
            lambda v: v.arrived or v.updates,
            "the model saw {v.passes} batches, and no gradient arrived at its weights",
        ).named("no gradient", "Call loss.backward() on the loss of this model's logits."),
        _needed(
            "Each step changes the weights.",
            lambda v: v.updates,
            "{v.arrived} gradients arrived, and the weights are as they were",
        ).named(
            "no step",
            "After backward() comes optimizer.step(), zero_grad() not between them; rate above 0.",
        ),
        _needed(
            f"The loop runs over all {STEPS} steps.",
            lambda v: v.updates > 1,
            "the weights changed once",
        ).named("one step", "Is there a `return` inside the loop?"),
        _always(
            "Gradients are cleared in every step: optimizer.zero_grad().",
            lambda v: 2 * v.piled <= v.arrived or v.arrived < 3,
            "{v.piled} of {v.arrived} gradients were added to gradients of earlier steps",
        ).named("no zero_grad"),
        _always(
            "One optimizer goes through the whole loop: it remembers the steps before.",
            lambda v: v.optimizers <= 3 or 2 * v.optimizers <= v.updates,
            "{v.optimizers} optimizers made the {v.updates} steps",
        ).named("optimizer made anew", "Make it once, before the loop."),
        _always(
            f"There are no more than {STEPS} updates.",
            lambda v: v.updates <= STEPS,
            f"the weights changed more than {STEPS} times",
        ).named("too many steps"),
        _needed(
            "The target of each position is the next token.",
            lambda v: v.targets != "same",
            "the targets are the inputs themselves",
        ).named("not shifted", "get_batch gives the inputs x and the targets y."),
        _needed(
            "The targets come after the inputs.",
            lambda v: v.targets != "last",
            "the target of each position is the token before it",
        ).named("shifted back", "get_batch gives inputs first, then targets."),
        _needed(
            "The loss is minimised: at the logits its gradient is p - onehot.",
            lambda v: v.sign >= 0,
            "the gradient at the logits is onehot - p",
        ).named("gradient ascent", "Is there a minus too many?"),
        _needed(
            "At the logits the gradient of the loss is p - onehot.",
            lambda v: v.sign or not v.arrived,
            "the gradient at the logits is a different one",
        ).named("softmax twice", "gptlib.nll and cross_entropy take logits: softmax is in them."),
        _needed(
            "A position is compared with the token that comes next, and so are all positions.",
            lambda v: v.targets != "others",
            "the targets are not the tokens that come next, or only a few positions have one",
        ),
        _needed(
            "Every step has a different batch.",
            lambda v: v.batches > 1 or v.updates < 2,
            "all {v.updates} steps had the same batch",
        ).named("same batch", "get_batch(..., step=step) gives a different one at each step."),
        _needed(
            "Training makes the loss smaller.",
            lambda v: v.losses[1] < v.losses[0],
            "the loss was {v.losses[0]:.2f} before and is {v.losses[1]:.2f} after {v.updates} "
            "updates",
        ).named("the loss grows", "The learning rate may be far too high; or is it maximize=True?"),
        _needed(
            f"After training KL is below {CLOSE}.",
            lambda v: v.learned,
            "KL is {v.kl:.3f} after {v.updates} updates, and the loss went from "
            "{v.losses[0]:.2f} to {v.losses[1]:.2f}",
        ).named(
            "not far enough",
            "Are all steps made? Try a learning rate of 1e-2 with AdamW, or more rows in a batch.",
        ),
    ),
)
