"""Lesson 07's exercises: the right answers, and the wrong ones that beginners write."""

import math
from functools import partial

import torch

from ..logits import softmax
from ..sampling import next_token_probs
from .base import Mistake

# ---- 1. Temperature ----


def right_bend(logits, temperature):
    return next_token_probs(logits, temperature)


def _stops_at_zero(logits, temperature):
    if temperature == 0:
        raise ZeroDivisionError("division by zero")
    return right_bend(logits, temperature)


ZERO = (
    "right until temperature is 0: nothing can be divided by 0. Greedy is what a tiny temperature "
    "gives: divide by max(temperature, 1e-6)."
)
BEND_MISTAKES = (
    Mistake(
        "multiplied",
        "the logits are multiplied by the temperature, so that hot is cold. Divide: a high "
        "temperature brings the logits together.",
        lambda logits, t: softmax(logits * t),
    ),
    Mistake(
        "logits handed back",
        "these are scaled logits, not yet probabilities: softmax comes after the division.",
        lambda logits, t: logits / t,
    ),
    Mistake(
        "on the probabilities",
        "you divide the probabilities by the temperature, and they no longer sum to 1. Divide the "
        "logits, before the softmax.",
        lambda logits, t: softmax(logits) / t,
    ),
    Mistake(
        "powers of the logits",
        "you take powers of the logits; powers of p are logits divided by the temperature.",
        lambda logits, t: softmax(logits ** (1 / t)),
    ),
    Mistake(
        "never below one",
        "temperatures below 1 have no effect. Is it max(temperature, 1)? That limit is for 0 alone "
        "and must be tiny: max(temperature, 1e-6).",
        lambda logits, t: softmax(logits / max(t, 1)),
    ),
    Mistake(
        "no temperature",
        "the temperature has no effect. Divide the logits by it, before the softmax.",
        lambda logits, t: softmax(logits),
    ),
    Mistake(
        "on the probabilities, divided anew",
        "you divide all probabilities by the same number, and dividing by their sum undoes it: "
        "the temperature has no effect. Divide the logits, before the softmax.",
        lambda logits, t: softmax(logits) / t / (softmax(logits) / t).sum(),
    ),
    Mistake(
        "softmax twice",
        "the softmax is taken twice: of probabilities, which are all between 0 and 1 and so come "
        "out nearly even. Divide the logits, and take one softmax.",
        lambda logits, t: softmax(softmax(logits) / t),
    ),
    Mistake("zero", ZERO, lambda logits, t: softmax(logits / t)),
    Mistake("zero, stopped", ZERO, _stops_at_zero),
    Mistake(
        "zero taken as one",
        "right until temperature is 0, which you take as 1. It is greedy: all on the largest.",
        lambda logits, t: right_bend(logits, t or 1),
    ),
    Mistake(
        "zero taken as nothing",
        "right until temperature is 0, where everything comes out even. It is greedy: all of the "
        "probability on the largest logit.",
        lambda logits, t: right_bend(logits, t) if t else torch.ones(len(logits)) / len(logits),
    ),
    Mistake(
        "an id at zero",
        "right until temperature is 0, where you give back an id. Still one probability for every "
        "token: 1 for the largest logit, 0 for the others.",
        lambda logits, t: right_bend(logits, t) if t else logits.argmax(),
    ),
    Mistake(
        "not divided by the sum",
        "e^(logit / T) is not yet a probability: divide by the sum of all of them, or let softmax "
        "do it.",
        lambda logits, t: torch.exp(logits / t),
    ),
    Mistake(
        "powers not divided by the sum",
        "the powers p^(1/T) are right, but no longer sum to 1: divide by their sum. (And at "
        "temperature 0 all goes to the largest.)",
        lambda logits, t: softmax(logits) ** (1 / t),
    ),
    Mistake(
        "greedy always",
        "all of it lies on the largest, whatever the temperature. Only temperature 0 does that.",
        lambda logits, t: right_bend(logits, 0),
    ),
)


# ---- 2. Top-k, where some are equal ----


def right_top_k(probs, k):
    kept = _first(probs, k)
    return kept / kept.sum()


def _first(probs, k, *, descending=True):
    """probs with only the first k of the order left."""
    ids = probs.sort(descending=descending, stable=True).indices[:k]
    return torch.zeros_like(probs).scatter_(0, ids, probs[ids])


def _last_of_equals(probs, k):
    return right_top_k(probs.flip(0), k).flip(0)


def _unstable(probs, k):
    ids = probs.sort(descending=True).indices[:k]
    kept = torch.zeros_like(probs).scatter_(0, ids, probs[ids])
    return kept / kept.sum()


def _topk(probs, k):
    ids = probs.topk(min(k, len(probs))).indices
    kept = torch.zeros_like(probs).scatter_(0, ids, probs[ids])
    return kept / kept.sum()


def _threshold(probs, k, above=torch.ge):
    least = probs.sort(descending=True).values[min(k, len(probs)) - 1]
    kept = torch.where(above(probs, least), probs, 0)
    return kept / kept.sum()


def _order_lost(probs, k):
    ordered = probs.sort(descending=True).values
    ordered[k:] = 0
    return ordered / ordered.sum()


def _stops_beyond(probs, k):
    if k > len(probs):
        raise IndexError("out of range")
    return right_top_k(probs, k)


def _only_k(probs, k):
    kept = probs.sort(descending=True).values[:k]
    return kept / kept.sum()


def _others(probs, k):
    kept = probs - _first(probs, k)
    return kept / kept.sum()


TOP_K_MISTAKES = (
    Mistake(
        "a threshold",
        "more than k stay where some are equal: a threshold (p >= the k-th largest) cannot tell "
        "them apart. Choose places, not values: the first k of the sorted ids.",
        _threshold,
    ),
    Mistake(
        "a strict threshold",
        "fewer than k stay: p > the k-th largest throws out the k-th itself. Choose places, not "
        "values: the first k of the sorted ids.",
        partial(_threshold, above=torch.gt),
    ),
    Mistake(
        "the larger of equals",
        "among equals you keep the larger id; the rule is the smaller. Turning a sorted list round "
        "turns the equals round too: sort(descending=True, stable=True) does not.",
        _last_of_equals,
    ),
    Mistake(
        "topk",
        "exactly k stay, but among equals topk promises no order. The rule here: the smaller id "
        "stays. sort(descending=True, stable=True) keeps equals in the order of their ids.",
        _topk,
    ),
    Mistake(
        "not stable",
        "right where few tokens are equal; but a sort without stable=True promises no order among "
        "equals. The rule here: the smaller id stays.",
        _unstable,
    ),
    Mistake(
        "not divided anew",
        "the right ones stay, but the sum is no longer 1. Divide by the sum of what stayed.",
        _first,
    ),
    Mistake(
        "softmax of zeros",
        "what you had set to 0 is back: softmax makes e^0 = 1 of it. These are probabilities "
        "already: divide by the sum.",
        lambda probs, k: softmax(_first(probs, k)),
    ),
    Mistake(
        "order lost",
        "the probabilities are in sorted order, so each now stands at another token's place. Put "
        "them back: kept[ids[:k]] = probs[ids[:k]].",
        _order_lost,
    ),
    Mistake(
        "only k of them",
        "you give back only the k largest. There must be one probability for every token: 0 for "
        "those that are out.",
        _only_k,
    ),
    Mistake(
        "the least likely",
        "the k least likely stay. Sort with descending=True.",
        lambda probs, k: (
            _first(probs, k, descending=False) / _first(probs, k, descending=False).sum()
        ),
    ),
    Mistake(
        "the others stay",
        "ids[k:] are those behind the first k. They are the ones to become 0; ids[:k] keep what "
        "they have.",
        _others,
    ),
    Mistake(
        "one too many",
        "one too many stays: ids[:k] are the first k, ids[: k + 1] are not.",
        lambda probs, k: right_top_k(probs, k + 1),
    ),
    Mistake(
        "too few tokens",
        "right until k is more than there are tokens: then all of them stay. A slice ids[:k] takes "
        "what there is; topk and ids[k] do not.",
        _stops_beyond,
    ),
    Mistake(
        "all stay",
        "all stay. Those beyond the first k must become 0.",
        lambda probs, k: probs,
    ),
)


# ---- 3. The best sentence ----


def right_best(table, prefix):
    return max(_sentences(table, prefix), key=lambda pair: pair[1])


def _sentences(table, prefix, join=lambda p, q: p * q, start=1.0):
    """Every way on to a full stop, with its probability (or what `join` makes of the steps)."""
    for token, q in table[prefix].items():
        if token == ".":
            yield prefix + token, join(start, q)
        else:
            yield from _sentences(table, prefix + token, join, join(start, q))


def _greedy(table, prefix):
    p = 1.0
    while not prefix.endswith("."):
        token = max(table[prefix], key=table[prefix].get)
        prefix, p = prefix + token, p * table[prefix][token]
    return prefix, p


def _by(join, start=0.0):
    return lambda *given: max(_sentences(*given, join, start), key=lambda pair: pair[1])


def _first_full_stop(table, prefix):
    """The best of its branches, but a full stop among them ends the search."""
    best = "", 0.0
    for token, p in table[prefix].items():
        if token == ".":
            return prefix + token, p
        text, q = _first_full_stop(table, prefix + token)
        best = max(best, (text, p * q), key=lambda pair: pair[1])
    return best


def _mean(table, prefix):
    """The best mean of the logarithms: long sentences of sure tokens."""
    steps = _sentences(table, prefix, lambda so_far, q: (*so_far, q), ())
    text, qs = max(steps, key=lambda pair: sum(map(math.log, pair[1])) / len(pair[1]))
    return text, math.prod(qs)


BEST_MISTAKES = (
    Mistake(
        "greedy",
        "that is the greedy sentence: at each place the likeliest token. A less likely beginning "
        "may end better: go through all of them.",
        _greedy,
    ),
    Mistake(
        "first branch only",
        "you come back with the first sentence found. Is there a `return` inside the loop? Look at "
        "all of them, and keep the best.",
        lambda *given: next(_sentences(*given)),
    ),
    Mistake(
        "back at the first full stop",
        "you come back at the first full stop. It is one of the ways on: compare it too.",
        _first_full_stop,
    ),
    Mistake(
        "the last one",
        "you come back with the last sentence found. Replace the best so far only where the new "
        "one has a higher probability.",
        lambda *given: list(_sentences(*given))[-1],
    ),
    Mistake(
        "a sum",
        "you add the probabilities of the steps. Multiply: half of a half is a quarter.",
        _by(lambda p, q: p + q),
    ),
    Mistake(
        "the last step alone",
        "that is the probability of the last step alone. The whole sentence has the product of all "
        "its steps.",
        _by(lambda p, q: q),
    ),
    Mistake(
        "a mean",
        "you compare means over the steps, which favours long sentences of sure tokens. The "
        "probability of a sentence is the product.",
        _mean,
    ),
    Mistake(
        "a logarithm",
        "that is the logarithm of the probability. It finds the right sentence; give back p = "
        "exp(sum).",
        lambda *given: (right_best(*given)[0], math.log(right_best(*given)[1])),
    ),
    Mistake(
        "the least",
        "that is the least probable sentence: max, not min.",
        lambda *given: min(_sentences(*given), key=lambda pair: pair[1]),
    ),
    Mistake(
        "prefix lost",
        "the sentence is to be whole, with the prefix it began with.",
        lambda table, prefix: (
            right_best(table, prefix)[0].removeprefix(prefix),
            right_best(table, prefix)[1],
        ),
    ),
    Mistake(
        "full stop lost",
        "the full stop belongs to the sentence: append it too.",
        lambda *given: (right_best(*given)[0][:-1], right_best(*given)[1]),
    ),
)
