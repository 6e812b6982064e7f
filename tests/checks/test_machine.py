"""gptlib.checks.machine: every mistake it claims to know is named, and right answers are accepted
however they are written.
"""

import math
import statistics
from collections import Counter, defaultdict

import numpy as np
import pytest
import torch

from checks.mutants import Case
from checks.rules import CheckRules
from gptlib.checks import machine

# ---- Right answers, as different people write them ----


def surprise_by_loop(probs):
    total = 0.0
    for p in probs:
        total += -math.log(p)
    return total / len(probs)


def surprise_by_statistics(probs):
    return statistics.mean(-math.log(p) for p in probs)


def surprise_in_torch(probs):
    return -torch.tensor(probs).log().mean()


def surprise_in_numpy(probs):
    return np.mean(-np.log(np.array(probs)))


def surprise_of_the_product(probs):
    """The probability of all of them together, and its logarithm: as few numbers as these allow."""
    return -math.log(math.prod(probs)) / len(probs)


def divergence_by_loop(truth, model):
    total = 0.0
    for word in truth:
        total += truth[word] * math.log(truth[word] / model[word])
    return total


def divergence_by_two_sums(truth, model):
    entropy = -sum(p * math.log(p) for p in truth.values())
    cross = -sum(p * math.log(model[word]) for word, p in truth.items())
    return cross - entropy


def divergence_in_torch(truth, model):
    p = torch.tensor([truth[word] for word in truth])
    q = torch.tensor([model[word] for word in truth])
    return (p * (p / q).log()).sum()


def counting_by_tuples(known, new, n):
    pairs, firsts = Counter(), Counter()
    for i in range(len(known) - n):
        pairs[tuple(known[i : i + n + 1])] += 1
        firsts[tuple(known[i : i + n])] += 1
    kinds = len(set(known))
    total = 0.0
    for i in range(len(new) - n):
        p = (pairs[tuple(new[i : i + n + 1])] + 0.1) / (firsts[tuple(new[i : i + n])] + 0.1 * kinds)
        total -= math.log(p)
    return total / (len(new) - n)


def counting_by_tables(known, new, n):
    after = defaultdict(Counter)
    for i in range(n, len(known)):
        after[tuple(known[i - n : i])][known[i]] += 1
    probs = []
    for i in range(n, len(new)):
        counts = after[tuple(new[i - n : i])]
        probs.append((counts[new[i]] + 0.1) / (sum(counts.values()) + 0.1 * len(set(known))))
    return float(np.mean(-np.log(probs)))


# ---- Wrong ones ----


def pairs_whatever_n(known, new, n):
    return counting_by_tuples(known, new, 1)


def the_end_too(known, new, n):
    pairs = Counter(tuple(known[i : i + n + 1]) for i in range(len(known) - n))
    firsts = Counter(tuple(known[i : i + n]) for i in range(len(known) - n + 1))
    kinds, probs = len(set(known)), []
    for i in range(len(new) - n):
        context = tuple(new[i : i + n])
        probs.append((pairs[(*context, new[i + n])] + 0.1) / (firsts[context] + 0.1 * kinds))
    return surprise_by_loop(probs)


def never_smoothed(known, new, n):
    pairs = Counter(tuple(known[i : i + n + 1]) for i in range(len(known) - n))
    firsts = Counter(tuple(known[i : i + n]) for i in range(len(known) - n))
    probs = [
        pairs[tuple(new[i : i + n + 1])] / firsts[tuple(new[i : i + n])]
        for i in range(len(new) - n)
    ]
    return surprise_by_loop(probs)


def random_probs(dice):
    return ([round(dice.uniform(0.01, 1), 3) for _ in range(dice.randint(1, 9))],)


def random_pair(dice):
    words = [f"w{k}" for k in range(dice.randint(1, 6))]
    truth, model = ([dice.uniform(0.05, 1) for _ in words] for _ in range(2))
    shares = ({w: x / sum(xs) for w, x in zip(words, xs)} for xs in (truth, model))
    return tuple(shares)


def random_texts(dice):
    n = dice.randint(0, 3)
    known, new = (
        "".join(dice.choice("abc ") for _ in range(dice.randint(n + 1, most))) for most in (40, 12)
    )
    return known, new, n


SURPRISE = Case(
    machine.mean_surprise,
    right=[
        surprise_by_loop,
        surprise_by_statistics,
        surprise_in_torch,
        surprise_in_numpy,
    ],
    slips={
        "sum": lambda probs: -sum(map(math.log, probs)),
        "log of the mean": lambda probs: -math.log(np.mean(probs)),
        "base 2": lambda probs: -np.log2(probs).mean(),
        "base 10": lambda probs: -np.log10(probs).mean(),
        "the sign": lambda probs: np.log(probs).mean(),
        "the probabilities": np.mean,
        "one minus p": lambda probs: 1 - np.mean(probs),
        "the median": lambda probs: statistics.median(-math.log(p) for p in probs),
        "the first only": lambda probs: -math.log(probs[0]),
        "perplexity": lambda probs: math.exp(-np.log(probs).mean()),
        "one for each": lambda probs: [-math.log(p) for p in probs],
        "divided by one less": lambda probs: -sum(map(math.log, probs)) / max(1, len(probs) - 1),
    },
    fuzz=random_probs,
)
DIVERGENCE = Case(
    machine.divergence,
    right=[divergence_by_loop, divergence_by_two_sums, divergence_in_torch],
    slips={
        "the other way round": lambda t, m: divergence_by_loop({w: m[w] for w in t}, t),
        "not weighted": lambda t, m: sum(math.log(t[w] / m[w]) for w in t),
        "cross-entropy": lambda t, m: -sum(t[w] * math.log(m[w]) for w in t),
        "the sign": lambda t, m: -divergence_by_loop(t, m),
        "the mean": lambda t, m: divergence_by_loop(t, m) / len(t),
        "weighted by the model": lambda t, m: sum(m[w] * math.log(t[w] / m[w]) for w in t),
        "differences": lambda t, m: sum(abs(t[w] - m[w]) for w in t),
        "squares": lambda t, m: sum((t[w] - m[w]) ** 2 for w in t),
        "in order": lambda t, m: sum(
            p * math.log(p / q) for p, q in zip(t.values(), m.values(), strict=False)
        ),
        "base 2": lambda t, m: divergence_by_loop(t, m) / math.log(2),
        "a ratio without ln": lambda t, m: sum(t[w] * t[w] / m[w] for w in t),
    },
    fuzz=random_pair,
)
COUNTING = Case(
    machine.counting_loss,
    right=[counting_by_tuples, counting_by_tables],
    slips={
        "sum": lambda known, new, n: counting_by_tuples(known, new, n) * (len(new) - n),
        "counted in the new text": lambda known, new, n: counting_by_tuples(new, new, n),
        "the end counted too": the_end_too,
        "always pairs": pairs_whatever_n,
        "one less": lambda known, new, n: counting_by_tuples(known, new, max(0, n - 1)),
        "one more": lambda known, new, n: counting_by_tuples(known, new, n + 1),
        "nothing added": never_smoothed,
        "divided by all": lambda known, new, n: (
            counting_by_tuples(known, new, n) * (len(new) - n) / len(new)
        ),
        "the known text scored": lambda known, new, n: counting_by_tuples(known, known, n),
        "both texts counted": lambda known, new, n: counting_by_tuples([*known, *new], new, n),
    },
    fuzz=random_texts,
)


class TestChecks(CheckRules):
    cases = {
        machine.mean_surprise: SURPRISE,
        machine.divergence: DIVERGENCE,
        machine.counting_loss: COUNTING,
    }


def test_a_product_of_many_probabilities_is_accepted_while_it_does_not_underflow(capsys):
    assert machine.mean_surprise(surprise_of_the_product)


@pytest.mark.parametrize("name", ["sleeping", "on"])
def test_the_surprises_of_the_lesson_are_those_of_the_grammar(name):
    want = {"sleeping": 0.51, "on": 1.20}[name]
    assert machine.right_surprise([machine.IS[name]]) == pytest.approx(want, abs=0.005)


def test_what_was_seen_says_which_word_adds_how_much(capsys):
    machine.divergence(DIVERGENCE.slips["not weighted"])
    assert "'on' adds 0.5 * ln(0.5 / 0.25) = 0.347" in capsys.readouterr().out


def test_the_probability_of_the_first_symbol_is_shown_as_the_lesson_computes_it(capsys):
    machine.counting_loss(COUNTING.slips["both texts counted"])
    out = capsys.readouterr().out
    assert "after 'a', 'b' has the probability (2 + 0.1) / (2 + 0.1 * 2) = 0.955" in out
