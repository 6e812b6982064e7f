"""Lesson 05's exercises: the right answers, and the wrong ones that beginners write."""

import torch

from .base import Mistake

# ---- 1. Softmax ----


def right_softmax(logits):
    return torch.softmax(logits, -1)


def _shares(values, dim=-1):
    return values / values.sum(dim, keepdim=True)


SOFTMAX_MISTAKES = (
    Mistake(
        "wrong axis",
        "the columns sum to 1, and the rows should: each row is one distribution. Sum over the "
        "last axis, dim=-1.",
        lambda z: torch.softmax(z, 0),
    ),
    Mistake(
        "over everything",
        "all rows together sum to 1, and each row should. Sum over the last axis, dim=-1.",
        lambda z: z.exp() / z.exp().sum(),
    ),
    Mistake(
        "axis 1",
        "right for two axes, where dim=1 is the last. The last of any number of axes is dim=-1.",
        lambda z: torch.softmax(z, 1),
    ),
    Mistake(
        "sum without keepdim",
        "powers.sum(-1) has lost its axis, so row 1 is not divided by the sum of row 1. With "
        "keepdim=True the sums have shape (..., 1) and go with the rows.",
        lambda z: z.exp() / z.exp().sum(-1),
    ),
    Mistake(
        "not divided",
        "these are the powers e^logit. Divide each by the sum of its row.",
        lambda z: z.exp(),
    ),
    Mistake(
        "divided by the largest",
        "you divide by the largest power, so the largest becomes 1. Divide by the sum. (It is from "
        "the logits that one may take the largest off.)",
        lambda z: z.exp() / z.exp().amax(-1, keepdim=True),
    ),
    Mistake(
        "no exp",
        "you divide the logits themselves by their sum. Logits below 0 then become probabilities "
        "below 0. First e to the power of each, torch.exp.",
        lambda z: _shares(z),
    ),
    Mistake(
        "abs for exp",
        "the size of a logit without its sign: -2 then counts as much as 2. It is e^logit that is "
        "always above 0 and keeps the order.",
        lambda z: _shares(z.abs()),
    ),
    Mistake(
        "square for exp",
        "the square of a logit: -2 then counts as much as 2. It is e^logit that is always above 0 "
        "and keeps the order.",
        lambda z: _shares(z**2),
    ),
    Mistake(
        "base 2",
        "these are powers of 2 and not of e: differences come out too small. Use torch.exp.",
        lambda z: _shares(2.0**z),
    ),
    Mistake(
        "the logarithm",
        "these are logarithms of the probabilities. Here the probabilities are asked for: softmax, "
        "not log_softmax.",
        lambda z: torch.log_softmax(z, -1),
    ),
    Mistake(
        "softmax twice",
        "softmax was applied twice. The second takes probabilities for logits, and between 0 and 1 "
        "all powers of e are nearly alike.",
        lambda z: torch.softmax(torch.softmax(z, -1), -1),
    ),
    Mistake(
        "the largest takes all",
        "the largest has 1 and the others 0. Softmax does not choose: every logit gets its share.",
        lambda z: (z == z.amax(-1, keepdim=True)).double(),
    ),
)


# ---- 2. Log-softmax ----


def right_log_softmax(logits):
    return torch.log_softmax(logits, -1)


def _log_sum(z, dim=-1, keepdim=True):
    return z.exp().sum(dim, keepdim=keepdim).log()


def _top(z, keepdim=True):
    return z.amax(-1, keepdim=keepdim)


def _from_shifted(z, log=torch.log, dim=-1):
    shifted = z - _top(z)
    return shifted - log(shifted.exp().sum(dim, keepdim=True))


LOG_SOFTMAX_MISTAKES = (
    Mistake(
        "nothing taken off",
        "right for small logits, but e^1000 is infinite and e^-1000 is 0. Take the largest of the "
        "row off first.",
        lambda z: z - _log_sum(z),
    ),
    Mistake(
        "log of the naive softmax",
        "right for small logits, but e^1000 is infinite, and infinite by infinite is nan. Take the "
        "largest off first, and do not come out of the logarithm: shifted - log(sum).",
        lambda z: _shares(z.exp()).log(),
    ),
    Mistake(
        "log of a softmax",
        "softmax does not overflow any more, but a probability of e^-1000 is rounded to 0, and ln "
        "0 is minus infinity. Do not come out of the logarithm: shifted - log(sum).",
        lambda z: torch.softmax(z, -1).log(),
    ),
    Mistake(
        "largest of all rows",
        "you take off the largest of the whole tensor. A row far below it becomes e^-1000 = 0 "
        "everywhere. Each row needs its own: amax(dim=-1, keepdim=True).",
        lambda z: z - z.max() - _log_sum(z - z.max()),
    ),
    Mistake(
        "taken off once only",
        "the largest is taken off inside the sum, but not from the logit outside. Write shifted "
        "- log(sum of exp(shifted)), with the same shifted twice.",
        lambda z: z - _log_sum(z - _top(z)),
    ),
    Mistake(
        "mean taken off",
        "you take off the mean. What is far above it still overflows: take the largest off.",
        lambda z: z - z.mean(-1, keepdim=True) - _log_sum(z - z.mean(-1, keepdim=True)),
    ),
    Mistake(
        "smallest taken off",
        "you take off the smallest. Then the largest still overflows: take the largest off, so "
        "that nothing is above e^0.",
        lambda z: z - z.amin(-1, keepdim=True) - _log_sum(z - z.amin(-1, keepdim=True)),
    ),
    Mistake(
        "keepdim forgotten",
        "a largest or a sum has lost its axis, and goes with the wrong row. keepdim=True leaves "
        "its shape (..., 1).",
        lambda z: z - _top(z, False) - _log_sum(z - _top(z, False), keepdim=False),
    ),
    Mistake(
        "largest without keepdim",
        "the largest of each row has lost its axis, and goes with the wrong row. keepdim=True "
        "leaves its shape (..., 1).",
        lambda z: z - _top(z, False) - _log_sum(z - _top(z, False)),
    ),
    Mistake(
        "sum without keepdim",
        "the sum of each row has lost its axis, and goes with the wrong row. keepdim=True leaves "
        "its shape (..., 1).",
        lambda z: z - _top(z) - _log_sum(z - _top(z), keepdim=False),
    ),
    Mistake(
        "wrong axis",
        "your columns are distributions, and the rows should be: dim=-1, for largest and sum.",
        lambda z: torch.log_softmax(z, 0),
    ),
    Mistake(
        "axis 1",
        "right for two axes, where dim=1 is the last. The last of any number of axes is dim=-1.",
        lambda z: torch.log_softmax(z, 1),
    ),
    Mistake(
        "sum over everything",
        "you sum over all rows at once. Each row has its own sum: dim=-1, keepdim=True.",
        lambda z: z - _top(z) - (z - _top(z)).exp().sum().log(),
    ),
    Mistake(
        "everything at once",
        "the largest and the sum are those of the whole tensor. Each row has its own: dim=-1, "
        "keepdim=True.",
        lambda z: z - z.max() - (z - z.max()).exp().sum().log(),
    ),
    Mistake(
        "only shifted",
        "e to these does not sum to 1. Take the logarithm of the sum of e^shifted off, too.",
        lambda z: z - _top(z),
    ),
    Mistake(
        "divided by the logarithm",
        "ln(a / b) is ln a minus ln b, and not ln a divided by ln b.",
        lambda z: (z - _top(z)) / _log_sum(z - _top(z)),
    ),
    Mistake(
        "logarithm added",
        "you add the logarithm of the sum. Divided becomes, in the logarithm, minus.",
        lambda z: z - _top(z) + _log_sum(z - _top(z)),
    ),
    Mistake(
        "logarithm of shifted",
        "you take the logarithm of shifted. But ln(e^shifted) is shifted itself: only the sum "
        "needs a logarithm.",
        lambda z: (z - _top(z)).log() - (z - _top(z)).exp().sum(-1, keepdim=True).log(),
    ),
    Mistake(
        "no logarithm of the sum",
        "you take off the sum. Divided becomes, in the logarithm, minus: minus the *logarithm* of "
        "the sum.",
        lambda z: _from_shifted(z, log=lambda total: total),
    ),
    Mistake(
        "base 2",
        "log2 is not the inverse of exp. Use torch.log, the natural logarithm.",
        lambda z: _from_shifted(z, log=torch.log2),
    ),
    Mistake(
        "base 10",
        "log10 is not the inverse of exp. Use torch.log, the natural logarithm.",
        lambda z: _from_shifted(z, log=torch.log10),
    ),
    Mistake(
        "the probabilities",
        "these are probabilities. Their logarithm is asked for.",
        lambda z: torch.softmax(z, -1),
    ),
)


# ---- 3. Back from probabilities to logits ----


def right_recover(probs, top):
    logs = probs.log()
    return logs - _top(logs) + top


def _with_top(logs, top):
    return logs - _top(logs) + top


def _largest_replaced(probs, top):
    logs = probs.log()
    return torch.where(logs == _top(logs), torch.tensor(top, dtype=logs.dtype), logs)


def _stops_at_zero(probs, top):
    if (probs == 0).any():
        raise ValueError("ln 0")
    return right_recover(probs, top)


def _zero_for_its_log(probs, top):
    return _with_top(torch.where(probs == 0, 0.0, probs.log()), top)


def _zero_for_zero(probs, top):
    return torch.where(probs == 0, 0.0, right_recover(probs, top))


RECOVER_MISTAKES = (
    Mistake(
        "no constant",
        "these logits have the right softmax, but their largest is not `top`. The same number may "
        "be added to a whole row: choose it.",
        lambda p, top: p.log(),
    ),
    Mistake(
        "top forgotten",
        "the largest of each row is 0 now: make it `top`. The same number may be added to all.",
        lambda p, top: _with_top(p.log(), 0),
    ),
    Mistake(
        "keepdim forgotten",
        "the largest of each row has lost its axis, and goes with the wrong row. keepdim=True "
        "leaves its shape (..., 1).",
        lambda p, top: p.log() - _top(p.log(), False) + top,
    ),
    Mistake(
        "top only added",
        "you add `top` to ln p, but the largest ln p is not 0. Take it off first.",
        lambda p, top: p.log() + top,
    ),
    Mistake(
        "largest of all rows",
        "you move all rows by one number, but in *each* row the largest should be `top`: "
        "amax(dim=-1, keepdim=True).",
        lambda p, top: p.log() - p.log().max() + top,
    ),
    Mistake(
        "only the largest moved",
        "you changed the largest logit alone, and so its odds. Add one number to a whole row.",
        _largest_replaced,
    ),
    Mistake(
        "scaled",
        "you multiply to make the largest fit. Only *adding* a number leaves the softmax as it is.",
        lambda p, top: p.log() * (top / _top(p.log())),
    ),
    Mistake(
        "the probabilities moved",
        "you moved the probabilities themselves. The inverse of e to the power is the logarithm: "
        "start from torch.log(probs).",
        lambda p, top: _with_top(p, top),
    ),
    Mistake(
        "log of p / (1 - p)",
        "ln(p / (1 - p)) is the logit of *one* probability against all the rest together (the "
        "inverse of the sigmoid). The inverse of softmax is ln p, and a constant.",
        lambda p, top: _with_top((p / (1 - p)).log(), top),
    ),
    Mistake(
        "sign",
        "-ln p turns the order round: the rarest has the largest logit. Use ln p.",
        lambda p, top: _with_top(-p.log(), top),
    ),
    Mistake(
        "base 2",
        "log2 undoes powers of 2, and softmax takes powers of e: torch.log.",
        lambda p, top: _with_top(p.log2(), top),
    ),
    Mistake(
        "base 10",
        "log10 undoes powers of 10, and softmax takes powers of e: torch.log.",
        lambda p, top: _with_top(p.log10(), top),
    ),
    Mistake(
        "something added to 0",
        "right but for a probability of 0: a small number was put in its place, and now it can "
        "happen. ln 0 is minus infinity (torch.log says so), and e to that is 0 again.",
        lambda p, top: right_recover(p + 1e-9, top),
    ),
    Mistake(
        "0 for 0",
        "right but for a probability of 0: it was given the logit 0, and e^0 is 1. It has to be "
        "minus infinity, and e to that is 0.",
        _zero_for_zero,
    ),
    Mistake(
        "0 for ln 0",
        "right but for a probability of 0: its logarithm was set to 0, which is that of "
        "probability 1. Leave it minus infinity, and e to that is 0.",
        _zero_for_its_log,
    ),
    Mistake(
        "stops at 0",
        "right until a probability is 0. math.log(0) stops; its logit is -float('inf'), as "
        "torch.log gives it.",
        _stops_at_zero,
    ),
)
