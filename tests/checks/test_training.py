"""gptlib.checks.training: mistakes in a loss, a gradient and a training loop are named, and right
loops are accepted with whatever optimizer and batches.
"""

import copy
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import gptlib
from checks.mutants import Case
from checks.rules import CheckRules
from gptlib.checks import running, training
from gptlib.training import get_batch

# ---- Right answers, as different people write them ----


def nll_by_loop(logits, targets):
    total = 0.0
    for t in range(len(targets)):
        total -= F.log_softmax(logits[t], -1)[targets[t]].item()
    return total / len(targets)


def nll_by_numpy(logits, targets):
    z = logits.double().numpy()
    z = z - z.max(1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    return -log_p[np.arange(len(z)), targets.numpy()].mean()


def nll_by_masking(logits, targets):
    hot = F.one_hot(targets, logits.shape[1]).bool()
    return -gptlib.log_softmax(logits)[hot].sum() / len(targets)


def gradient_by_autograd(logits, targets):
    z = logits.clone().requires_grad_()
    F.cross_entropy(z, targets).backward()
    return z.grad


def gradient_by_loop(logits, targets):
    rows = []
    for row, target in zip(logits.tolist(), targets.tolist()):
        powers = np.exp(np.array(row) - max(row))
        p = powers / powers.sum()
        p[target] -= 1
        rows.append((p / len(targets)).tolist())
    return rows


def gradient_by_one_hot(logits, targets):
    return (logits.softmax(1) - F.one_hot(targets, logits.shape[1])) / targets.numel()


def plain(model, tokens, steps, *, kind=torch.optim.AdamW, rate=1e-2, rows=64, shift=1):
    optimizer = kind(model.parameters(), lr=rate)
    for _ in range(steps):
        at = torch.randint(len(tokens) - 9, (rows, 1)) + torch.arange(9)
        row = tokens[at]
        loss = F.cross_entropy(model(row[:, :-1]).flatten(0, 1), row[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def by_hand(model, tokens, steps):
    """Plain SGD without an optimizer, with a momentum."""
    speed = [torch.zeros_like(p) for p in model.parameters()]
    for step in range(steps):
        x, y = get_batch(tokens, 8, 64, seed=3, step=step)
        grads = torch.autograd.grad(gptlib.nll(model(x), y), list(model.parameters()))
        with torch.no_grad():
            for p, v, g in zip(model.parameters(), speed, grads):
                v.mul_(0.9).add_(g)
                p -= 0.1 * v


def by_trainer(model, tokens, steps):
    how = gptlib.TrainConfig(steps, 64, device="cpu")
    return [step.loss for step in gptlib.Trainer(model, tokens, how)]


def by_trainer_with_adamw(model, tokens, steps):
    how = gptlib.TrainConfig(steps, 64, learning_rate=1e-2, device="cpu", optimizer="adamw")
    return [step.loss for step in gptlib.Trainer(model, tokens, how)]


def with_a_schedule(model, tokens, steps):
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 2e-2 * (1 - step / steps)
        x, y = get_batch(tokens, 8, 32, seed=0, step=step)
        optimizer.zero_grad(set_to_none=False)
        gptlib.nll(model(x), y).backward()
        optimizer.step()


def micro_batches(model, tokens, steps):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(steps):
        optimizer.zero_grad()
        for part in range(4):
            x, y = get_batch(tokens, 8, 16, seed=part, step=step)
            (gptlib.nll(model(x), y) / 4).backward()
        optimizer.step()


def under_autocast(model, tokens, steps):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(steps):
        x, y = get_batch(tokens, 8, 64, seed=0, step=step)
        with torch.autocast("cpu", torch.bfloat16):
            loss = gptlib.nll(model(x).float(), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def by_keyword(model, tokens, steps):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(steps):
        x, y = get_batch(tokens, 8, 64, seed=0, step=step)
        optimizer.zero_grad()
        gptlib.nll(model(ids=x), y).backward()
        optimizer.step()


def by_forward_in_double(model, tokens, steps):
    model.double()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(steps):
        x, y = get_batch(tokens, 8, 64, seed=0, step=step)
        optimizer.zero_grad()
        gptlib.nll(model.forward(x), y).backward()
        optimizer.step()


def with_hooks(model, tokens, steps):
    """Each parameter has an optimizer of its own, which a hook calls."""
    own = {p: torch.optim.AdamW([p], lr=1e-2) for p in model.parameters()}

    def update(parameter):
        own[parameter].step()
        own[parameter].zero_grad()

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(update)
    for step in range(steps):
        x, y = get_batch(tokens, 8, 64, seed=0, step=step)
        gptlib.nll(model(x), y).backward()


def with_a_copy_as_average(model, tokens, steps):
    average = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(steps):
        x, y = get_batch(tokens, 8, 64, seed=0, step=step)
        loss = gptlib.nll(model(x), y)
        for p in model.parameters():
            p.grad = None
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        for a, p in zip(average.parameters(), model.parameters()):
            a.data.lerp_(p.data, 0.1)


def by_data(model, tokens, steps):
    """Signs of the gradient, put in through .data."""
    for step in range(steps):
        x, y = get_batch(tokens, 8, 64, seed=0, step=step)
        gptlib.nll(model(x), y).backward()
        for p in model.parameters():
            p.data = p.data - 0.01 * (1 - step / steps) * p.grad.sign()
            p.grad = None


def random_case(dice):
    T, V = dice.randint(1, 5), dice.randint(2, 7)
    generator = torch.Generator().manual_seed(dice.randrange(2**30))
    targets = torch.randint(V, (T,), generator=generator)
    return dice.choice((1.0, 300.0)) * torch.randn(T, V, generator=generator), targets


# ---- Mistakes, as beginners write them ----


def loses_the_graph(model, tokens, steps):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(steps):
        x, y = get_batch(tokens, 8, 64, seed=0, step=step)
        loss = gptlib.nll(model(x), y).item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def loop(**change):
    """A loop with one thing else; few steps, since what is wrong shows at once."""

    def train(model, tokens, steps):
        kind = change.get("kind", torch.optim.AdamW)
        optimizer = kind(model.parameters(), lr=change.get("rate", 5e-3))
        for step in range(30):
            x, y = get_batch(tokens, 8, 16, seed=1, step=change.get("step", step))
            x, y = change.get("xy", lambda x, y: (x, y))(x, y)
            if change.get("zero", True):
                optimizer.zero_grad()
            loss = change.get("loss", gptlib.nll)(model(x), y)
            loss.backward()
            if change.get("update", True):
                optimizer.step()
            if change.get("leave"):
                return loss.item()

    return train


def never_ends(model, tokens, steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    while True:
        x, y = get_batch(tokens, 8, 2, seed=0, step=0)
        optimizer.zero_grad()
        gptlib.nll(model(x), y).backward()
        optimizer.step()


def trains_another(model, tokens, steps):
    model = gptlib.GPT(model.config)
    plain(model, tokens, 3)


def clears_before_the_step(model, tokens, steps):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(20):
        x, y = get_batch(tokens, 8, 64, seed=0, step=step)
        gptlib.nll(model(x), y).backward()
        optimizer.zero_grad()
        optimizer.step()


def sign_at_the_target(logits, targets):
    p = gptlib.softmax(logits)
    p[rows(targets), targets] = 1 - p[rows(targets), targets]
    return p / len(targets)


def rows_of_targets(logits, targets):
    p = gptlib.softmax(logits)
    p[targets] -= 1
    return p / len(targets)


def rows(y):
    return torch.arange(len(y))


def anew_each_step(model, tokens, steps):
    for step in range(steps):
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        x, y = get_batch(tokens, 8, 64, seed=0, step=step)
        gptlib.nll(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()


def on_a_copy(model, tokens, steps):
    plain(copy.deepcopy(model), tokens, 20)


def frozen(model, tokens, steps):
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.0)
    for step in range(10):
        x, y = get_batch(tokens, 8, 16, seed=0, step=step)
        optimizer.zero_grad()
        gptlib.nll(model(x), y).backward()
        optimizer.step()


NLL = Case(
    training.nll,
    right=[nll_by_loop, nll_by_numpy, nll_by_masking, F.cross_entropy, gptlib.nll],
    slips={
        "sign": lambda z, y: F.log_softmax(z, -1)[rows(y), y].mean(),
        "sum": lambda z, y: F.cross_entropy(z, y, reduction="sum"),
        "every position": lambda z, y: F.cross_entropy(z, y, reduction="none"),
        "all pairs": lambda z, y: -F.log_softmax(z, -1)[:, y].mean(),
        "every token": lambda z, y: -F.log_softmax(z, -1).mean(),
        "the likeliest": lambda z, y: -F.log_softmax(z, -1).max(-1).values.mean(),
        "no logarithm": lambda z, y: -z.softmax(-1)[rows(y), y].mean(),
        "1 - p": lambda z, y: 1 - z.softmax(-1)[rows(y), y].mean(),
        "logarithm last": lambda z, y: -torch.log(z.softmax(-1)[rows(y), y].mean()),
        "no softmax": lambda z, y: -z.gather(1, y[:, None]).mean(),
        "wrong axis": lambda z, y: -F.log_softmax(z, 0)[rows(y), y].mean(),
        "softmax twice": lambda z, y: F.cross_entropy(z.softmax(-1), y),
        "base 2": lambda z, y: -(F.log_softmax(z, -1)[rows(y), y] / np.log(2)).mean(),
        "shifted again": lambda z, y: F.cross_entropy(z[:-1], y[1:]),
        "overflow": lambda z, y: (
            (z.exp().sum(-1).log() - z[rows(y), y]).mean() * z.exp().sum() / (z.exp().sum())
        ),
        "underflow": lambda z, y: -z.softmax(-1)[rows(y), y].log().mean(),
        "a half": lambda z, y: F.cross_entropy(z, y) / 2,
        "the worst": lambda z, y: F.cross_entropy(z, y, reduction="none").max(),
        "the first": lambda z, y: F.cross_entropy(z[:1], y[:1]),
        "clamped": lambda z, y: F.cross_entropy(z, y).clamp(max=10),
        "over the vocabulary": lambda z, y: F.cross_entropy(z, y, reduction="sum") / z.shape[1],
    },
    fuzz=random_case,
)
GRADIENT = Case(
    training.gradient,
    right=[gradient_by_autograd, gradient_by_loop, gradient_by_one_hot],
    slips={
        "not divided": lambda z, y: z.softmax(-1) - F.one_hot(y, z.shape[1]),
        "sign": lambda z, y: (F.one_hot(y, z.shape[1]) - z.softmax(-1)) / len(y),
        "sign, not divided": lambda z, y: F.one_hot(y, z.shape[1]) - z.softmax(-1),
        "no one-hot": lambda z, y: z.softmax(-1) / len(z),
        "no one-hot, not divided": lambda z, y: z.softmax(-1),
        "only the target": lambda z, y: torch.zeros_like(z).scatter(
            1, y[:, None], (z.softmax(-1).gather(1, y[:, None]) - 1) / len(y)
        ),
        "sign at the target": sign_at_the_target,
        "rows of targets": rows_of_targets,
        "every target in every row": lambda z, y: (
            (z.softmax(-1) - F.one_hot(y, z.shape[1]).amax(0)) / len(y)
        ),
        "no softmax": lambda z, y: (z - F.one_hot(y, z.shape[1])) / len(y),
        "log-probabilities": lambda z, y: (
            (F.log_softmax(z, -1) - F.one_hot(y, z.shape[1])) / len(y)
        ),
        "wrong axis": lambda z, y: (z.softmax(0) - F.one_hot(y, z.shape[1])) / len(y),
        "divided by V": lambda z, y: (z.softmax(-1) - F.one_hot(y, z.shape[1])) / z.shape[1],
        "divided by both": lambda z, y: (z.softmax(-1) - F.one_hot(y, z.shape[1])) / z.numel(),
        "the likeliest": lambda z, y: (
            (z.softmax(-1) - F.one_hot(z.argmax(-1), z.shape[1])) / len(y)
        ),
        "one row": lambda z, y: gradient_by_one_hot(z, y)[0],
        "twice": lambda z, y: 2 * gradient_by_one_hot(z, y),
        "half taken off": lambda z, y: (z.softmax(-1) - 0.5 * F.one_hot(y, z.shape[1])) / len(y),
    },
    fuzz=random_case,
)
TRAIN = Case(
    training.train,
    right=[
        plain,
        by_hand,
        by_trainer,
        by_trainer_with_adamw,
        with_a_schedule,
        micro_batches,
        under_autocast,
        by_keyword,
        by_forward_in_double,
        with_hooks,
        with_a_copy_as_average,
        by_data,
    ],
    slips={
        "trains another model": trains_another,
        "no history": loses_the_graph,
        "no step": loop(update=False),
        "one step": loop(leave=True),
        "no zero_grad": loop(zero=False),
        "not shifted": loop(xy=lambda x, y: (x, x)),
        "shifted back": loop(xy=lambda x, y: (y, x)),
        "gradient ascent": loop(loss=lambda z, y: -gptlib.nll(z, y)),
        "softmax twice": loop(
            loss=lambda z, y: F.cross_entropy(z.softmax(-1).flatten(0, 1), y.flatten())
        ),
        "same batch": loop(step=0),
        "not far enough": loop(rate=1e-5, kind=torch.optim.SGD),
        "too many steps": never_ends,
        "optimizer made anew": anew_each_step,
        "trains a copy": on_a_copy,
        "a rate of 0": frozen,
        "the loss grows": loop(kind=partial(torch.optim.AdamW, maximize=True)),
        "a rate far too high": loop(rate=1.0),
        "few steps": loop(rate=1e-3),
        "only the last logits": loop(loss=lambda z, y: gptlib.nll(z[:, -1:], y[:, :1])),
    },
    fuzz=lambda dice: (training.Problem((0.3, 0.3, 0.2, 0.2), dice.randrange(99)),),
    mutated=[by_keyword],
    patience=30.0,
    every=30,
)


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """More of it: where tests run side by side, five seconds on the clock are few of computing."""
    monkeypatch.setattr(running, "PATIENCE", 60)


class TestChecks(CheckRules):
    cases = {training.nll: NLL, training.gradient: GRADIENT, training.train: TRAIN}


def test_gradients_cleared_before_the_step_are_no_step_and_the_words_say_so(capsys):
    assert training.train(clears_before_the_step).mistake == "no step"
    assert "zero_grad() not between them" in capsys.readouterr().out


# ---- What a training loop may do ----


def test_an_error_in_a_loop_is_shown_with_its_line(capsys):
    def forgets(model, tokens, steps):
        for _ in range(steps):
            unknown()  # noqa: F821

    assert training.train(forgets).mistake == running.STOPPED
    said = capsys.readouterr().out
    assert "forgets(model, tokens, 120)" in said and "in its line 3" in said


@pytest.mark.parametrize("change", ["detached", "no_grad"])
def test_a_loss_without_a_history_is_no_gradient(change, capsys):
    def detached(model, tokens, steps):
        for step in range(steps):
            x, y = get_batch(tokens, 8, 16, seed=0, step=step)
            with torch.set_grad_enabled(change != "no_grad"):
                loss = gptlib.nll(model(x), y)
            (loss.detach() if change == "detached" else loss).backward()

    assert training.train(detached).mistake == running.STOPPED
    assert "The loss has lost its history" in capsys.readouterr().out


def test_a_model_left_in_eval_mode_is_no_mistake():
    def train(model, tokens, steps):
        model.eval()
        plain(model, tokens, steps)

    assert training.train(train)


def test_looking_at_the_model_is_no_training():
    def train(model, tokens, steps):
        for _ in range(3):
            with torch.no_grad():
                model(tokens[None, :8])
        plain(model, tokens, steps)
        with torch.no_grad():
            model(tokens[None, :8])

    assert training.train(train)


def test_targets_of_part_of_the_row_are_read_rightly():
    def train(model, tokens, steps):
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        for step in range(steps):
            x, _ = get_batch(tokens, 8, 64, seed=0, step=step)
            loss = gptlib.nll(model(x)[:, :-1], x[:, 1:])  # the last logits have no target
            optimizer.zero_grad()
            (loss * 3).backward()
            optimizer.step()

    assert training.train(train)


def test_a_mean_of_gradients_over_two_half_batches_does_not_count_as_piled_up():
    def train(model, tokens, steps):
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        for step in range(steps):
            optimizer.zero_grad()
            for half in range(2):
                x, y = get_batch(tokens, 8, 32, seed=half, step=step)
                gptlib.nll(model(x), y).backward()
            optimizer.step()

    assert training.train(train)


def test_a_rate_far_too_high_is_not_told_to_take_a_larger_one(capsys):
    verdict = training.train(partial(plain, rate=1.0))
    assert verdict.mistake in ("the loss grows", "not far enough")
    assert "larger learning rate" not in capsys.readouterr().out
