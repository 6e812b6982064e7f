"""gptlib.checks.logits: every mistake it claims to know is named, right answers are accepted
however they are written, and the inputs are as awkward as they claim to be.
"""

import math

import numpy as np
import pytest
import torch

import gptlib
from checks.mutants import Case
from checks.rules import CheckRules
from gptlib.checks import logits, running

# ---- Right answers, as different people write them ----


def softmax_by_torch(z):
    powers = torch.exp(z)
    return powers / powers.sum(dim=-1, keepdim=True)


def softmax_less_the_largest(z):
    powers = torch.exp(z - z.max())  # of the whole tensor: right too, while the logits are small
    return powers / powers.sum(-1)[..., None]


def softmax_in_numpy(z):
    powers = np.exp(z.numpy().astype(np.float32))
    return powers / powers.sum(axis=-1, keepdims=True)


def softmax_by_loop(z):
    def one(row):
        if isinstance(row[0], list):
            return [one(inner) for inner in row]
        total = sum(math.exp(number) for number in row)
        return [math.exp(number) / total for number in row]

    return one(z.tolist())


def log_softmax_by_torch(z):
    shifted = z - z.amax(dim=-1, keepdim=True)
    return shifted - torch.log(torch.exp(shifted).sum(dim=-1, keepdim=True))


def log_softmax_by_logsumexp(z):
    return z.float() - torch.logsumexp(z.float(), -1, keepdim=True)


def log_softmax_in_numpy(z):
    z = z.numpy()
    top = z.max(axis=-1, keepdims=True)
    return z - (top + np.log(np.exp(z - top).sum(axis=-1, keepdims=True)))


def recover_by_torch(probs, top):
    logs = torch.log(probs)
    return logs - logs.amax(dim=-1, keepdim=True) + top


def recover_by_odds(probs, top):
    """The odds against the likeliest word; float32."""
    return top + (probs / probs.amax(-1, keepdim=True)).float().log()


def recover_in_numpy(probs, top):
    probs = probs.numpy()
    with np.errstate(divide="ignore"):
        logs = np.log(probs)
    return logs - logs.max(axis=-1, keepdims=True) + top


def recover_by_loop(probs, top):
    if probs.ndim > 1:
        return [recover_by_loop(row, top) for row in probs]
    most = math.log(max(probs))
    return [math.log(p) - most + top if p > 0 else -math.inf for p in probs.tolist()]


def recover_with_a_very_low_number(probs, top):
    return torch.nan_to_num(recover_by_torch(probs, top), neginf=-1000)


# ---- Mistakes, as beginners write them: {name in the check: the code} ----


def divided(top, bottom):
    return torch.div(top, bottom)


def no_keepdim(z):
    powers = torch.exp(z)
    return powers / powers.sum(dim=-1)


def twice(z):
    return torch.nn.functional.softmax(softmax_by_torch(z), dim=-1)


def takes_all(z):
    largest = z.max(dim=-1, keepdim=True).values
    return torch.where(z == largest, 1.0, 0.0)


def log_softmax_less(z, what):
    shifted = z - what
    return shifted - torch.log(torch.exp(shifted).sum(dim=-1, keepdim=True))


def forgets_keepdim(z):
    shifted = z - z.max(dim=-1).values
    return shifted - torch.log(torch.exp(shifted).sum(dim=-1))


def sum_loses_its_axis(z):
    shifted = z - z.amax(dim=-1, keepdim=True)
    return shifted - torch.log(torch.exp(shifted).sum(dim=-1))


def divides_logarithms(z):
    shifted = z - z.amax(dim=-1, keepdim=True)
    return shifted / torch.log(torch.exp(shifted).sum(dim=-1, keepdim=True))


def forgets_outside(z):
    top = z.max(dim=-1, keepdim=True).values
    return z - torch.log(torch.exp(z - top).sum(dim=-1, keepdim=True))


def one_sum(z):
    shifted = z - z.amax(dim=-1, keepdim=True)
    return shifted - torch.log(torch.sum(torch.exp(shifted)))


def in_base(z, log):
    shifted = z - z.amax(dim=-1, keepdim=True)
    return shifted - log(torch.exp(shifted).sum(dim=-1, keepdim=True))


def all_at_once(z):
    shifted = z - torch.max(z)
    return shifted - torch.log(torch.sum(torch.exp(shifted)))


def logs_too_much(z):
    shifted = z - z.amax(dim=-1, keepdim=True)
    return torch.log(shifted) - torch.log(torch.exp(shifted).sum(dim=-1, keepdim=True))


def highest(values):
    return values.max(dim=-1, keepdim=True).values


def moves_the_largest(probs, top):
    z = torch.log(probs)
    z[z == highest(z)] = top
    return z


def by_math_log(probs, top):
    if probs.ndim > 1:
        return [by_math_log(row, top) for row in probs]
    logs = [math.log(p) for p in probs]
    return [log - max(logs) + top for log in logs]


def zero_stays_zero(probs, top):
    z = torch.zeros_like(probs)
    found = probs > 0
    z[found] = (torch.log(probs) - highest(torch.log(probs)) + top)[found]
    return z


def infinity_taken_out(probs, top):
    z = torch.log(probs)
    z[z == -math.inf] = 0
    return shifted_to(z, top)


def odds_of_one(probs, top):
    z = torch.log(probs) - torch.log(1 - probs)
    return z - highest(z) + top


def shifted_to(z, top):
    return z - highest(z) + top


def random_rows(dice, of=3.0):
    shape = [dice.randint(1, 4) for _ in range(dice.randint(0, 2))] + [dice.randint(1, 6)]
    generator = torch.Generator().manual_seed(dice.randrange(2**30))
    rows = of * torch.randn(shape, generator=generator, dtype=torch.float64)
    return (64 * rows).round() / 64  # which float32 holds exactly


def random_probs(dice):
    found = torch.softmax(random_rows(dice), -1)
    zero = torch.zeros_like(found).bernoulli_(0.2).bool() & (found < found.amax(-1, keepdim=True))
    return found.masked_fill(zero, 0.0), round(dice.uniform(-5, 5), 2)


SOFTMAX = Case(
    logits.softmax,
    right=[
        gptlib.softmax,
        softmax_by_torch,
        softmax_less_the_largest,
        softmax_in_numpy,
        softmax_by_loop,
    ],
    slips={
        "wrong axis": lambda z: torch.exp(z) / torch.exp(z).sum(dim=0, keepdim=True),
        "over everything": lambda z: divided(torch.exp(z), torch.exp(z).sum()),
        "axis 1": lambda z: torch.exp(z) / torch.exp(z).sum(dim=1, keepdim=True),
        "sum without keepdim": no_keepdim,
        "not divided": torch.exp,
        "divided by the largest": lambda z: torch.exp(z - z.amax(-1, keepdim=True)),
        "no exp": lambda z: z / z.sum(dim=-1, keepdim=True),
        "abs for exp": lambda z: torch.abs(z) / torch.abs(z).sum(dim=-1, keepdim=True),
        "square for exp": lambda z: (z * z) / (z * z).sum(dim=-1, keepdim=True),
        "base 2": lambda z: torch.exp2(z) / torch.exp2(z).sum(dim=-1, keepdim=True),
        "the logarithm": gptlib.logits.log_softmax,
        "softmax twice": twice,
        "the largest takes all": takes_all,
        "sum over everything but keepdim": lambda z: z.exp() / z.exp().sum((-2, -1), keepdim=True),
        "minus the exponent": lambda z: torch.softmax(-z, dim=-1),
        "a sigmoid": torch.sigmoid,
        "the mean": lambda z: torch.exp(z) / torch.exp(z).mean(-1, keepdim=True),
        "rounded": lambda z: torch.softmax(z, -1).round(decimals=2),
        "eps in the sum": lambda z: torch.exp(z) / (torch.exp(z).sum(-1, keepdim=True) + 0.01),
        "first row only": lambda z: torch.softmax(z.reshape(-1, z.shape[-1])[0], -1),
        "clamped": lambda z: torch.softmax(z.clamp(min=0), -1),
    },
    fuzz=lambda dice: (random_rows(dice),),
)
LOG_SOFTMAX = Case(
    logits.log_softmax,
    right=[
        gptlib.logits.log_softmax,
        log_softmax_by_torch,
        log_softmax_by_logsumexp,
        log_softmax_in_numpy,
    ],
    slips={
        "nothing subtracted": lambda z: z - torch.log(torch.exp(z).sum(-1, keepdim=True)),
        "log of the naive softmax": lambda z: torch.log(softmax_by_torch(z)),
        "log of a softmax": lambda z: torch.log(gptlib.softmax(z)),
        "largest of all rows": lambda z: log_softmax_less(z, torch.max(z)),
        "taken off once only": forgets_outside,
        "mean taken off": lambda z: log_softmax_less(z, z.mean(dim=-1, keepdim=True)),
        "smallest taken off": lambda z: log_softmax_less(z, z.amin(dim=-1, keepdim=True)),
        "keepdim forgotten": forgets_keepdim,
        "largest without keepdim": lambda z: log_softmax_less(z, z.amax(dim=-1)),
        "sum without keepdim": sum_loses_its_axis,
        "wrong axis": lambda z: gptlib.logits.log_softmax(z, dim=0),
        "axis 1": lambda z: gptlib.logits.log_softmax(z, dim=1),
        "sum over everything": one_sum,
        "everything at once": all_at_once,
        "only shifted": lambda z: z - z.amax(dim=-1, keepdim=True),
        "divided by the logarithm": divides_logarithms,
        "logarithm added": lambda z: in_base(z, lambda total: -torch.log(total)),
        "logarithm of shifted": logs_too_much,
        "no logarithm of the sum": lambda z: in_base(z, lambda total: total),
        "base 2": lambda z: in_base(z, torch.log2),
        "base 10": lambda z: in_base(z, torch.log10),
        "the probabilities": gptlib.softmax,
        "clamped at 50": lambda z: torch.log_softmax(z.clamp(max=50), -1),
        "an eps in the logarithm": lambda z: torch.log(torch.softmax(z, -1) + 1e-9),
        "the largest absolute": lambda z: log_softmax_less(z, z.abs().max(-1, keepdim=True).values),
    },
    fuzz=lambda dice: (random_rows(dice, of=dice.choice((1.0, 800.0))),),
)
RECOVER = Case(
    logits.recover,
    right=[
        recover_by_torch,
        recover_by_odds,
        recover_in_numpy,
        recover_by_loop,
        recover_with_a_very_low_number,
    ],
    slips={
        "no constant": lambda p, top: torch.log(p),
        "top forgotten": lambda p, top: torch.log(p) - highest(torch.log(p)),
        "keepdim forgotten": lambda p, top: torch.log(p) - torch.log(p).amax(dim=-1) + top,
        "top only added": lambda p, top: top + torch.log(p),
        "largest of all rows": lambda p, top: torch.log(p) - torch.log(p).max() + top,
        "only the largest moved": moves_the_largest,
        "scaled": lambda p, top: torch.log(p) / highest(torch.log(p)) * top,
        "the probabilities moved": shifted_to,
        "log of p / (1 - p)": odds_of_one,
        "sign": lambda p, top: shifted_to(-1 * torch.log(p), top),
        "base 2": lambda p, top: shifted_to(torch.log2(p), top),
        "base 10": lambda p, top: shifted_to(torch.log10(p), top),
        "something added to 0": lambda p, top: shifted_to(torch.log(p + 1e-12), top),
        "0 for 0": zero_stays_zero,
        "0 for ln 0": infinity_taken_out,
        "stops at 0": by_math_log,
        "top of the first row": lambda p, top: torch.log(p) + top - torch.log(p).reshape(-1)[0],
        "the mean at top": lambda p, top: torch.log(p) - torch.log(p).mean(-1, keepdim=True) + top,
        "minus top": lambda p, top: shifted_to(torch.log(p), -top),
    },
    fuzz=random_probs,
)


class TestChecks(CheckRules):
    cases = {
        logits.softmax: SOFTMAX,
        logits.log_softmax: LOG_SOFTMAX,
        logits.recover: RECOVER,
    }


# ---- What else students write ----


def in_place(z):
    z -= z.amax(dim=-1, keepdim=True)
    z.exp_()
    return z / z.sum(dim=-1, keepdim=True)


@pytest.mark.parametrize("check", [logits.softmax, logits.log_softmax])
def test_a_changed_input_is_named(check, capsys):
    assert check(in_place).mistake == running.CHANGED
    assert "Work on a copy" in capsys.readouterr().out


@pytest.mark.parametrize(
    "check, student",
    [
        (logits.softmax, lambda z: torch.exp(z - z.max(dim=-1, keepdim=True))),
        (logits.log_softmax, lambda z: log_softmax_less(z, torch.max(z, -1, keepdim=True))),
        (logits.recover, lambda p, top: torch.log(p) - torch.log(p).max(-1) + top),
    ],
)
def test_that_max_gives_two_things_is_said(check, student, capsys):
    assert not check(student)
    assert "values and places: take `.values`, or use amax and amin" in capsys.readouterr().out


@pytest.mark.parametrize("eps", [1e-6, 1e-8, 1e-9, 1e-12, 1e-30, 1e-300])
def test_whatever_small_number_is_put_for_zero_is_named(eps, capsys):
    verdict = logits.recover(lambda p, top: shifted_to(torch.log(p.clamp(min=eps)), top))
    assert verdict.mistake == "something added to 0"


def test_a_softmax_less_the_largest_of_all_is_right_where_rows_are_near_and_wrong_where_not(capsys):
    """Exercise 1 lets it pass, exercise 2 shows where it breaks."""
    assert logits.softmax(softmax_less_the_largest)
    wrong = logits.log_softmax(lambda z: torch.log(softmax_less_the_largest(z)))
    assert not wrong


def test_ragged_rows_and_words_are_no_probabilities(capsys):
    assert not logits.softmax(lambda z: [[0.5, 0.5], [1.0]])
    assert "same length" in capsys.readouterr().out
    assert not logits.recover(lambda p, top: "0.5")
    assert "list of numbers) was expected" in capsys.readouterr().out


# ---- The inputs are what they are said to be ----


def test_the_large_inputs_break_the_naive_softmax_in_both_directions():
    naive = [softmax_by_torch(z) for (z,) in logits._rows(*logits.LARGE)]
    assert any(p.isnan().any() for p in naive)
    assert all(
        torch.isfinite(gptlib.logits.log_softmax(z)).all() for (z,) in logits._rows(*logits.LARGE)
    )


def test_a_right_answer_has_the_asked_for_largest_and_softmax():
    for (probs,), top in zip(logits._rows(*logits.PROBS), logits.TOPS, strict=True):
        found = logits.recover.right(probs, top)
        assert torch.allclose(gptlib.softmax(found), probs)
        assert torch.allclose(found.amax(-1), torch.tensor(top, dtype=torch.float64))
    assert any((torch.tensor(row) == 0).any() for row in logits.PROBS)


def test_a_largest_absolute_value_is_not_told_to_subtract_the_largest_first(capsys):
    largest = LOG_SOFTMAX.slips["the largest absolute"]
    verdict = logits.log_softmax(largest)
    assert (verdict.mistake, verdict.resembles) == ("", "")
    assert "the logit -1000 gives inf" in capsys.readouterr().out
    assert "Subtract the largest" not in verdict.words
