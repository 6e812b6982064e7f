"""gptlib.checks.sampling: every mistake it claims to know is named, right answers are accepted
however they are written.
"""

import math
from functools import partial

import numpy as np
import pytest
import torch

import gptlib
from checks.mutants import Case
from checks.rules import CheckRules
from gptlib.checks import running, sampling

# ---- Right answers, as different people write them ----


def bend_by_loop(logits, temperature):
    logits = logits.tolist()
    if temperature == 0:
        return [float(x == max(logits)) for x in logits]
    powers = [math.exp(x / temperature) for x in logits]
    return [power / sum(powers) for power in powers]


def bend_by_torch(logits, temperature):
    return torch.softmax(logits.double() / max(temperature, 1e-9), -1)


def bend_by_powers(logits, temperature):
    p = np.exp(logits.numpy() - logits.numpy().max())
    p = p ** (1 / temperature) if temperature else (p == p.max()).astype(float)
    return p / p.sum()


def top_k_by_loop(probs, k):
    left = probs.tolist()
    kept = [0.0] * len(left)
    for _ in range(min(k, len(left))):
        id = left.index(max(left))
        kept[id], left[id] = left[id], -1.0
    return [p / sum(kept) for p in kept]


def top_k_by_numpy(probs, k):
    out = np.argsort(-probs.numpy(), kind="stable")[k:]
    kept = probs.numpy().copy()
    kept[out] = 0
    return kept / kept.sum()


def top_k_by_logits(probs, k):
    ids = torch.argsort(probs, descending=True, stable=True)[:k]
    logits = torch.full_like(probs, -torch.inf)
    logits[ids] = probs[ids].log()
    return torch.softmax(logits, 0)


def best_by_recursion(table, prefix):
    if prefix.endswith("."):
        return prefix, 1.0
    found = []
    for token, p in table[prefix].items():
        text, q = best_by_recursion(table, prefix + token)
        found.append((p * q, text))
    p, text = max(found)
    return text, p


def best_by_stack(table, prefix):
    stack, best = [(prefix, 0.0)], ("", -math.inf)
    while stack:
        text, so_far = stack.pop()
        if text[-1] == ".":
            best = max(best, (text, so_far), key=lambda pair: pair[1])
        else:
            stack += [(text + token, so_far + math.log(p)) for token, p in table[text].items()]
    return [best[0], torch.tensor(best[1]).exp()]


# ---- Mistakes, as beginners write them: {name in the check: the code} ----


def softmax(x):
    return torch.softmax(x, dim=-1)


def anew(p):
    return p / p.sum()


def one_hot(logits):
    return torch.nn.functional.one_hot(logits.argmax(), len(logits)).float()


def divides_floats(logits, t):
    return softmax(torch.tensor([x / t for x in logits.tolist()]))


def at_least(probs, k, strict=False):
    least = sorted(probs.tolist(), reverse=True)[:k][-1]
    kept = torch.where(probs > least if strict else probs >= least, probs, torch.tensor(0.0))
    return anew(kept)


def by_topk(probs, k):
    values, ids = torch.topk(probs, k)
    kept = torch.zeros_like(probs)
    kept[ids] = values / values.sum()
    return kept


def placed(probs, ids):
    kept = torch.zeros_like(probs)
    kept[ids] = probs[ids]
    return kept


def turned_round(probs, k):
    order = sorted(range(len(probs)), key=lambda id: float(probs[id]))[::-1]
    return anew(placed(probs, order[:k]))


def sorted_ids(probs):
    return torch.sort(probs, descending=True, stable=True).indices


def in_sorted_order(probs, k):
    values = torch.sort(probs, descending=True).values
    values[k:] = 0.0
    return anew(values)


def asks_for_the_kth(probs, k):
    ids = sorted_ids(probs)
    last = ids[k - 1]  # there must be one
    return anew(placed(probs, ids[: ids.tolist().index(last) + 1]))


def greedy(table, text):
    p = 1.0
    while text[-1] != ".":
        token, q = max(table[text].items(), key=lambda item: item[1])
        text, p = text + token, p * q
    return text, p


def returns_at_once(table, text):
    for token, p in table[text].items():
        if token == ".":
            return text + token, p
        whole, q = returns_at_once(table, text + token)
        return whole, p * q


def ends_at_a_full_stop(table, text):
    best, most = None, 0
    for token, p in table[text].items():
        if token == ".":
            return text + token, p
        whole, q = ends_at_a_full_stop(table, text + token)
        if p * q > most:
            best, most = whole, p * q
    return best, most


def every(table, text, ps=()):
    if text.endswith("."):
        return [(text, ps)]
    return [one for t, p in table[text].items() for one in every(table, text + t, (*ps, p))]


def chosen(table, text, by=math.prod, says=None, pick=max):
    """The best by one measure, with another measure told, as a beginner may mix them up."""
    whole, ps = pick(every(table, text), key=lambda pair: by(pair[1]))
    return whole, (says or by)(ps)


def keeps_the_last(table, text):
    best = None
    for whole, ps in every(table, text):
        best = whole, math.prod(ps)
    return best


def beam(width):
    def search(table, text):
        ways, done = [(text, 1.0)], []
        while ways:
            longer = [(w + t, p * q) for w, p in ways for t, q in table[w].items()]
            done += [way for way in longer if way[0].endswith(".")]
            ways = [way for way in longer if not way[0].endswith(".")]
            ways = sorted(ways, key=lambda way: -way[1])[:width]
        return max(done, key=lambda way: way[1])

    return search


def by_top_p(probs, k):
    order = sorted_ids(probs)
    p = k / len(probs)
    before = probs[order].cumsum(0) - probs[order]
    return anew(placed(probs, order[before < p]))


def largest_of_rest(table, text):
    """The likeliest first token, then the best of what follows it."""
    token = max(table[text], key=table[text].get)
    if token == ".":
        return text + token, table[text][token]
    whole, q = best_by_recursion(table, text + token)
    return whole, table[text][token] * q


def random_logits(dice):
    size = dice.randint(1, 7)
    logits = dice.sample([k / 16 for k in range(-64, 64)], size)
    return torch.tensor(logits), dice.choice((0, 0.25, 0.5, 1.0, 1.7, 3.0))


def random_probs(dice):
    weights = torch.tensor([float(dice.randint(0, 4)) for _ in range(dice.randint(1, 24))])
    weights[dice.randrange(len(weights))] += 1
    return anew(weights), dice.randint(1, 9)


def random_table(dice):
    table, todo = {}, ["S"]
    while todo:
        text = todo.pop()
        words = [f" {w}" for w in "abc"[: dice.randint(1, 3)]] if text.count(" ") < 3 else []
        tokens = dice.sample([*words, "."], dice.randint(1, len(words) + 1))
        weights = [dice.randint(1, 90) for _ in tokens]
        table[text] = {t: w / sum(weights) for t, w in zip(tokens, weights)}
        todo += [text + t for t in tokens if t != "."]
    return table, "S"


BEND = Case(
    sampling.with_temperature,
    right=[bend_by_loop, bend_by_torch, bend_by_powers],
    slips={
        "multiplied": lambda logits, t: softmax(t * logits),
        "logits handed back": lambda logits, t: logits / t,
        "on the probabilities": lambda logits, t: softmax(logits) / t,
        "powers of the logits": lambda logits, t: softmax(logits ** (1 / t)),
        "never below one": lambda logits, t: softmax(logits / (t if t > 1 else 1)),
        "no temperature": lambda logits, t: softmax(logits),
        "softmax twice": lambda logits, t: softmax(softmax(logits) / t),
        "zero": lambda logits, t: softmax(logits / t),
        "zero, stopped": divides_floats,
        "zero taken as one": lambda logits, t: softmax(logits / (t if t > 0 else 1)),
        "zero taken as nothing": lambda logits, t: softmax(logits * (1 / t if t else 0)),
        "an id at zero": lambda logits, t: softmax(logits / t) if t else logits.argmax(),
        "not divided by the sum": lambda logits, t: torch.exp(logits / t),
        "powers not divided by the sum": lambda logits, t: softmax(logits) ** (1 / t),
        "greedy always": lambda logits, t: one_hot(logits),
        "on the probabilities, divided anew": lambda logits, t: anew(softmax(logits) / t),
        "never below a tenth": lambda logits, t: softmax(logits / max(t, 0.1)),
        "never below a hundredth": lambda logits, t: softmax(logits / max(t, 0.01)),
        "a little added": lambda logits, t: softmax(logits / (t + 0.01)),
        "only above one": lambda logits, t: softmax(logits / t) if t > 1 else softmax(logits),
        "the square": lambda logits, t: softmax(logits / max(t, 1e-6) ** 2),
        "the root": lambda logits, t: softmax(logits / max(t, 1e-6) ** 0.5),
        "subtracted": lambda logits, t: softmax(logits - t),
        "the largest too": lambda logits, t: softmax(logits / max(t, 1e-6)).clamp(max=0.9),
        "log": lambda logits, t: torch.log_softmax(logits / max(t, 1e-6), 0),
    },
    fuzz=random_logits,
)
TOP_K = Case(
    sampling.keep_top_k,
    right=[top_k_by_loop, top_k_by_numpy, top_k_by_logits],
    slips={
        "a threshold": at_least,
        "a strict threshold": partial(at_least, strict=True),
        "the larger of equals": turned_round,
        "topk": by_topk,
        "not stable": lambda probs, k: anew(placed(probs, probs.argsort(descending=True)[:k])),
        "not divided anew": lambda probs, k: placed(probs, sorted_ids(probs)[:k]),
        "softmax of zeros": lambda probs, k: softmax(placed(probs, sorted_ids(probs)[:k])),
        "order lost": in_sorted_order,
        "only k of them": lambda probs, k: anew(probs[sorted_ids(probs)[:k]]),
        "the least likely": lambda probs, k: anew(placed(probs, probs.argsort(stable=True)[:k])),
        "the others stay": lambda probs, k: anew(placed(probs, sorted_ids(probs)[k:])),
        "one too many": lambda probs, k: anew(placed(probs, sorted_ids(probs)[: k + 1])),
        "too few tokens": asks_for_the_kth,
        "all stay": lambda probs, k: anew(probs),
        "top-p": by_top_p,
        "one too few": lambda probs, k: anew(placed(probs, sorted_ids(probs)[: max(k - 1, 1)])),
        "the first k ids": lambda probs, k: anew(placed(probs, torch.arange(len(probs))[:k])),
        "twice": lambda probs, k: anew(placed(probs, sorted_ids(probs)[:k]) ** 2),
        "divided by k": lambda probs, k: placed(probs, sorted_ids(probs)[:k]) / k,
        "evenly": lambda probs, k: anew((placed(probs, sorted_ids(probs)[:k]) > 0).float()),
        "ids": lambda probs, k: sorted_ids(probs)[:k],
    },
    fuzz=random_probs,
)
BEST = Case(
    sampling.best_sentence,
    right=[best_by_recursion, best_by_stack],
    slips={
        "greedy": greedy,
        "first branch only": returns_at_once,
        "back at the first full stop": ends_at_a_full_stop,
        "the last one": keeps_the_last,
        "a sum": partial(chosen, by=sum),
        "the last step alone": partial(chosen, by=lambda ps: ps[-1]),
        "a mean": partial(
            chosen, by=lambda ps: math.log(math.prod(ps)) / len(ps), says=lambda ps: math.prod(ps)
        ),
        "a logarithm": partial(chosen, by=lambda ps: sum(map(math.log, ps))),
        "the least": partial(chosen, pick=min),
        "prefix lost": lambda table, text: (
            best_by_recursion(table, text)[0][len(text) :],
            best_by_recursion(table, text)[1],
        ),
        "full stop lost": lambda table, text: (
            best_by_recursion(table, text)[0].rstrip("."),
            best_by_recursion(table, text)[1],
        ),
        "a beam of three": beam(3),
        "a beam of four": beam(4),
        "the likeliest first": largest_of_rest,
        "the longest": partial(chosen, by=len, says=math.prod),
        "the probability without the last step": lambda table, text: (
            best_by_recursion(table, text)[0],
            max(every(table, text), key=lambda pair: math.prod(pair[1]))[1][0],
        ),
        "one hundred times": lambda table, text: (
            best_by_recursion(table, text)[0],
            100 * best_by_recursion(table, text)[1],
        ),
    },
    fuzz=random_table,
)


# ---- One more token with a cache ----


def one_more_by_loop(x, keys, values, Wq, Wk, Wv):
    q, k, v = x @ Wq, x @ Wk, x @ Wv
    keys, values = [*keys, k], [*values, v]
    powers = [math.exp(float(q @ key) / len(q) ** 0.5) for key in keys]
    y = sum(power / sum(powers) * value for power, value in zip(powers, values))
    return y, torch.stack(keys), torch.stack(values)


def one_more_by_torch(x, keys, values, Wq, Wk, Wv):
    all_keys = torch.vstack((keys, x @ Wk))
    all_values = torch.vstack((values, x @ Wv))
    q = (x @ Wq)[None]
    y = torch.nn.functional.scaled_dot_product_attention(q, all_keys, all_values)
    return [y.squeeze(0), all_keys, all_values]


def one_more_by_numpy(x, keys, values, Wq, Wk, Wv):
    x, keys, values, Wq, Wk, Wv = (a.double().numpy() for a in (x, keys, values, Wq, Wk, Wv))
    keys = np.concatenate([keys, x[None] @ Wk])
    values = np.concatenate([values, x[None] @ Wv])
    scores = keys @ (x @ Wq) / math.sqrt(Wq.shape[1])
    weights = np.exp(scores - scores.max())
    return weights @ values / weights.sum(), keys, values


def longer(x, keys, values, Wk, Wv):
    return torch.cat([keys, (x @ Wk)[None]]), torch.cat([values, (x @ Wv)[None]])


def mixed(q, keys, values, scale=None):
    return torch.softmax(keys @ q / (scale or math.sqrt(len(q))), 0) @ values


def slip(change):
    """An answer of which one part is changed: (x, keys, values, Wq, Wk, Wv, all keys, values)."""

    def answer(x, keys, values, Wq, Wk, Wv):
        more = longer(x, keys, values, Wk, Wv)
        return change(x, keys, values, Wq, Wk, Wv, *more)

    return answer


ONE_MORE = Case(
    sampling.one_more,
    right=[one_more_by_loop, one_more_by_torch, one_more_by_numpy],
    slips={
        "put first": lambda x, keys, values, Wq, Wk, Wv: (
            one_more_by_torch(x, keys, values, Wq, Wk, Wv)[0],
            torch.cat([(x @ Wk)[None], keys]),
            torch.cat([(x @ Wv)[None], values]),
        ),
        "without itself": slip(lambda x, k, v, Wq, Wk, Wv, ks, vs: (mixed(x @ Wq, k, v), ks, vs)),
        "not scaled": slip(lambda x, k, v, Wq, Wk, Wv, ks, vs: (mixed(x @ Wq, ks, vs, 1), ks, vs)),
        "scaled by hs": slip(
            lambda x, k, v, Wq, Wk, Wv, ks, vs: (mixed(x @ Wq, ks, vs, Wq.shape[1]), ks, vs)
        ),
        "scaled by C": slip(
            lambda x, k, v, Wq, Wk, Wv, ks, vs: (mixed(x @ Wq, ks, vs, len(x) ** 0.5), ks, vs)
        ),
        "the cache left as it was": slip(
            lambda x, k, v, Wq, Wk, Wv, ks, vs: (mixed(x @ Wq, ks, vs), k, v)
        ),
        "the new rows alone": slip(
            lambda x, k, v, Wq, Wk, Wv, ks, vs: (mixed(x @ Wq, ks, vs), ks[-1:], vs[-1:])
        ),
        "keys and values exchanged": slip(
            lambda x, k, v, Wq, Wk, Wv, ks, vs: (mixed(x @ Wq, ks, vs), vs, ks)
        ),
        "the key as query": slip(
            lambda x, k, v, Wq, Wk, Wv, ks, vs: (mixed(x @ Wk, ks, vs), ks, vs)
        ),
        "queries kept": lambda x, keys, values, Wq, Wk, Wv: one_more_by_torch(
            x, keys, values, Wq, Wq, Wv
        ),
        "the vector kept as a key": lambda x, keys, values, Wq, Wk, Wv: one_more_by_torch(
            x, keys, values, Wq, torch.eye(*Wk.shape), Wv
        ),
        "y a matrix": slip(
            lambda x, k, v, Wq, Wk, Wv, ks, vs: (mixed(x @ Wq, ks, vs)[None], ks, vs)
        ),
        "the sum of the values": slip(lambda x, k, v, Wq, Wk, Wv, ks, vs: (vs.sum(0), ks, vs)),
        "the mean of the values": slip(lambda x, k, v, Wq, Wk, Wv, ks, vs: (vs.mean(0), ks, vs)),
        "the newest value": slip(lambda x, k, v, Wq, Wk, Wv, ks, vs: (vs[-1], ks, vs)),
        "rows computed again": slip(
            lambda x, k, v, Wq, Wk, Wv, ks, vs: (
                mixed(x @ Wq, ks, vs),
                torch.cat([torch.zeros_like(k), ks[-1:]]),
                vs,
            )
        ),
        "side by side": slip(
            lambda x, k, v, Wq, Wk, Wv, ks, vs: (
                mixed(x @ Wq, ks, vs),
                torch.cat([k.flatten(), x @ Wk]),
                vs,
            )
        ),
    },
    fuzz=lambda dice: random_step(dice),
)


def random_step(dice):
    S, C, hs = dice.randint(0, 4), dice.randint(1, 5), dice.randint(1, 4)
    generator = torch.Generator().manual_seed(dice.randrange(10**6))
    return tuple(
        (4 * torch.randn(*shape, generator=generator)).round() / 4
        for shape in ((C,), (S, hs), (S, hs), (C, hs), (C, hs), (C, hs))
    )


class TestChecks(CheckRules):
    cases = {
        sampling.with_temperature: BEND,
        sampling.keep_top_k: TOP_K,
        sampling.best_sentence: BEST,
        sampling.one_more: ONE_MORE,
    }


# ---- Whatever a student writes ----


def test_an_input_that_is_changed_is_named(capsys):
    def divides_in_place(logits, temperature):
        logits /= max(temperature, 1e-6)
        return softmax(logits)

    def zeroes_in_place(probs, k):
        probs[sorted_ids(probs)[k:]] = 0
        return anew(probs)

    for check, function in (
        (sampling.with_temperature, divides_in_place),
        (sampling.keep_top_k, zeroes_in_place),
    ):
        assert check(function).mistake == running.CHANGED
        assert "Work on a copy" in capsys.readouterr().out


def test_a_sorted_list_turned_round_is_not_taken_for_topk():
    def by_numpy(probs, k):  # of many equals, its sort too keeps no order
        return anew(placed(probs, np.argsort(probs.numpy())[::-1][:k].copy()))

    verdict = sampling.keep_top_k(by_numpy)
    assert verdict.property == "Among equal probabilities, the smaller id stays."
    assert "topk" not in (verdict.mistake, verdict.resembles)


def test_a_sentence_without_its_probability_is_asked_for_it(capsys):
    for answer in (lambda table, text: greedy(table, text)[0], lambda *_: (0.5, "The cat.")):
        assert sampling.best_sentence(answer).mistake == running.ODD
        assert "probability" in capsys.readouterr().out


def test_a_recursion_without_an_end_is_told_where_the_end_is(capsys):
    def endless(table, text):
        return max(endless(table, text + token) for token in table[text])

    assert sampling.best_sentence(endless).mistake == running.STOPPED
    assert capsys.readouterr().out.endswith(
        "\n  Nothing follows a full stop: the sentence ends there.\n"
    )
    assert sampling.best_sentence(lambda table, text: table["The"]).mistake == running.STOPPED
    assert "full stop" not in capsys.readouterr().out


def test_a_step_that_gives_only_the_result_is_asked_for_keys_and_values(capsys):
    verdict = sampling.one_more(lambda *given: one_more_by_torch(*given)[0])
    assert verdict.mistake == running.ODD
    assert "return y, keys, values" in capsys.readouterr().out


def test_the_right_step_is_the_last_row_of_attention_over_the_whole_text():
    dice = torch.Generator().manual_seed(0)
    text, rows = torch.randn(6, 4, generator=dice), []
    Wq, Wk, Wv = torch.randn(3, 4, 2, generator=dice)
    keys = values = torch.zeros(0, 2)
    for token in text:
        y, keys, values = sampling.one_more.right(token, keys, values, Wq, Wk, Wv)
        rows.append(y)
    q, k, v = text @ Wq, text @ Wk, text @ Wv
    whole = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    torch.testing.assert_close(torch.stack(rows), whole)


def test_the_right_answers_are_gptlibs_and_the_grammars():
    logits = torch.log(torch.tensor([0.60, 0.30, 0.05, 0.05]))
    for k in (1, 2, 3, 9):
        expected = gptlib.next_token_probs(logits, top_k=k)
        torch.testing.assert_close(sampling.keep_top_k.right(softmax(logits), k), expected)
    assert sampling.best_sentence.right(sampling.DOG, "The dog is") == ("The dog is running.", 0.35)
    assert greedy(sampling.DOG, "The dog is") == ("The dog is on the bed.", pytest.approx(0.24))


def test_the_probabilities_of_each_table_sum_to_one():
    for table, prefix in sampling.TABLES:
        assert sum(math.prod(ps) for _, ps in every(table, prefix)) == pytest.approx(1)


# ---- What verdicts must not say ----


def test_top_p_is_told_how_many_stay_and_nothing_of_thresholds(capsys):
    assert sampling.keep_top_k(by_top_p).mistake == ""
    said = capsys.readouterr().out
    assert "Exactly k tokens stay" in said and "k-th largest" not in said


def test_the_shortest_sentence_is_not_called_greedy(capsys):
    def shortest(table, text):
        whole, ps = min(every(table, text), key=lambda pair: len(pair[1]))
        return whole, math.prod(ps)

    verdict = sampling.best_sentence(shortest)
    assert (verdict.mistake, verdict.resembles) == ("", "")
    assert "No other sentence with this prefix is more probable." in capsys.readouterr().out


def test_a_temperature_that_is_never_below_a_tenth_is_refused(capsys):
    verdict = sampling.with_temperature(lambda logits, t: softmax(logits / max(t, 0.1)))
    assert "divided by the temperature" in verdict.property
    assert "<lambda>([0.1, 0.05, 0], 0.05)" in capsys.readouterr().out
