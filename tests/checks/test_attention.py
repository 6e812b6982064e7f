"""gptlib.checks.attention: every mistake it claims to know is named, right answers are accepted
however they are written, and nothing that a student writes raises.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

from checks.mutants import Case
from checks.rules import CheckRules
from gptlib import attention as own
from gptlib.checks import attention, running

# ---- Right answers, as different people write them ----


def weights_by_masked_fill(scores):
    future = torch.ones_like(scores).triu(1).bool()
    return scores.masked_fill(future, float("-inf")).softmax(-1)


def weights_by_adding(scores):
    mask = torch.full(scores.shape, -math.inf).triu(1)
    return F.softmax(scores + mask, dim=1)


def weights_by_where(scores):
    return torch.where(torch.ones_like(scores).tril() == 1, scores, -1e9).softmax(1)


def weights_by_loop(scores):
    rows = []
    for t, row in enumerate(scores.tolist()):
        powers = [math.exp(score - max(row[: t + 1])) for score in row[: t + 1]]
        rows.append([p / sum(powers) for p in powers] + [0] * (len(row) - t - 1))
    return rows


def weights_by_numpy(scores):
    masked = np.where(np.tri(len(scores)) > 0, scores.numpy(), -np.inf)
    powers = np.exp(masked - masked.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def weights_by_a_copy(scores):
    scores = scores.clone()
    for i in range(len(scores)):
        scores[i, i + 1 :] = -torch.inf
    return scores.softmax(-1)


def weights_divided_again(scores):
    shares = scores.softmax(-1).tril()
    return shares / shares.sum(-1, keepdim=True)


def weights_without_softmax(scores):
    powers = torch.exp(scores) * torch.ones_like(scores).tril()
    return powers / powers.sum(dim=-1, keepdim=True)


def row_by_matrices(q, k, v, t):
    weights = torch.softmax(q[t] @ k[: t + 1].T / math.sqrt(q.shape[-1]), dim=0)
    return weights @ v[: t + 1]


def row_by_loop(q, k, v, t):
    scores = [sum(a * b for a, b in zip(q[t], k[s])) / math.sqrt(len(q[t])) for s in range(t + 1)]
    powers = [math.exp(score) for score in scores]
    out = torch.zeros(v.shape[1])
    for power, value in zip(powers, v):
        out += power / sum(powers) * value
    return out.tolist()


def row_by_numpy(q, k, v, t):
    q, k, v = q.numpy(), k.numpy(), v.numpy()
    powers = np.exp(k[: t + 1] @ q[t] / np.sqrt(k.shape[1]))
    return (powers[:, None] * v[: t + 1]).sum(0) / powers.sum()


def row_by_all_of_them(q, k, v, t):
    return F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)[0, t]


def heads_by_torch(q, k, v, n_head):
    q, k, v = (x.unflatten(-1, (n_head, -1)).transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)


def heads_by_view(q, k, v, n_head):
    B, T, C = q.shape
    hs = C // n_head
    q, k, v = (x.view(B, T, n_head, hs).transpose(1, 2) for x in (q, k, v))
    scores = q @ k.transpose(-1, -2) / hs**0.5
    scores = scores.masked_fill(torch.ones(T, T).triu(1) == 1, -torch.inf)
    y = scores.softmax(-1) @ v
    return y.transpose(1, 2).contiguous().view(B, T, C)


def heads_by_chunks(q, k, v, n_head):
    heads = zip(*(x.chunk(n_head, dim=-1) for x in (q, k, v)))
    return torch.cat([F.scaled_dot_product_attention(*qkv, is_causal=True) for qkv in heads], -1)


def heads_by_einsum_in_numpy(q, k, v, n_head):
    q, k, v = (x.numpy().reshape(*x.shape[:2], n_head, -1) for x in (q, k, v))
    scores = np.einsum("bthd,bshd->bhts", q, k) / np.sqrt(q.shape[-1])
    weights = np.exp(scores) * np.tri(scores.shape[-1])
    y = np.einsum("bhts,bshd->bthd", weights / weights.sum(-1, keepdims=True), v)
    return y.reshape(*y.shape[:2], -1)


# ---- The mistakes, as beginners write them ----


def scores_in_place(scores):
    for i in range(len(scores)):
        for j in range(i + 1, len(scores)):
            scores[i, j] = -torch.inf
    return scores.softmax(-1)


def triangle(upper, value=-torch.inf, dim=-1, swapped=False):
    def weights(scores):
        hidden = upper(torch.ones(len(scores), len(scores))).bool()
        return scores.masked_fill(~hidden if swapped else hidden, value).softmax(dim)

    return weights


def row_with(scores=lambda q, k, t: k[: t + 1] @ q[t], scale=None, softmax=True, out=None):
    def one_row(q, k, v, t):
        s = scores(q, k, t)
        s = s / (math.sqrt(q.size(1)) if scale is None else scale(q, t))
        w = s.softmax(0) if softmax else s
        return w @ v[: len(w)] if out is None else out(w, k, v, t)

    return one_row


def softmax_of_a_column(q, k, v, t):
    scores = k[: t + 1] @ q[t][:, None] / math.sqrt(q.shape[1])  # (t + 1, 1)
    return (scores.softmax(-1) * v[: t + 1]).sum(0)


def heads_with(cut=None, scale=None, mask=True, dim=-1, join=None, after=False):
    def multi_head(q, k, v, n_head):
        B, T, C = q.shape
        hs = C // n_head
        own_cut = cut or (lambda x: x.view(B, T, n_head, hs).transpose(1, 2))
        q, k, v = (x.view(B, n_head, T, hs) if cut == "view" else own_cut(x) for x in (q, k, v))
        s = q @ k.transpose(-1, -2) / (hs**0.5 if scale is None else scale(C, hs))
        future = torch.ones(T, T).triu(1).bool()
        if mask and not after:
            s = s.masked_fill(future, -torch.inf)
        w = s.softmax(dim)
        if after:
            w = w.masked_fill(future, 0)
        y = w @ v
        if join == "view":
            return y.reshape(B, T, C)
        return join(y) if join else y.transpose(1, 2).reshape(B, T, C)

    return multi_head


def mixed_by_scores_over_their_sum(scores, k, v, t):
    return (scores / scores.sum()) @ v[: t + 1]


def attend(q, k, v):
    """Lesson 03's own."""
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    future = torch.ones(scores.shape[-2:]).triu(1).bool()
    return scores.masked_fill(future, -math.inf).softmax(-1) @ v


def heads_of_one_token(q, k, v, n_head, turned=False):
    B, T, C = q.shape
    y = attend(*(x.view(B, T, n_head, C // n_head) for x in (q, k, v)))
    return (y.transpose(1, 2) if turned else y).reshape(B, T, C)


def heads_with_sizes_swapped(q, k, v, n_head):
    B, T, C = q.shape
    parts = (x.view(B, T, C // n_head, n_head).transpose(1, 2) for x in (q, k, v))
    return attend(*parts).transpose(1, 2).reshape(B, T, C)


def heads_of_every_nth_channel(q, k, v, n_head):
    out = torch.zeros_like(v)
    for h in range(n_head):
        part = slice(h, None, n_head)
        out[..., part] = heads_by_torch(q[..., part], k[..., part], v[..., part], 1)
    return out


def random_scores(dice):
    T, high = dice.randint(1, 6), dice.choice((2.0, 10.0))
    noise = torch.randn(T, T, generator=seeded(dice), dtype=torch.float64)
    return (high * noise,)


def random_row(dice):
    T, hs, vs = dice.randint(1, 6), dice.randint(1, 5), dice.randint(1, 5)
    noise = seeded(dice)
    q, k, v = (torch.randn(T, width, generator=noise) for width in (hs, hs, vs))
    return q, k, v, dice.randrange(T)


def random_heads(dice):
    B, T, hs, n_head = (dice.randint(1, most) for most in (3, 5, 4, 4))
    noise = seeded(dice)
    return *(torch.randn(B, T, hs * n_head, generator=noise) for _ in range(3)), n_head


def seeded(dice):
    return torch.Generator().manual_seed(dice.randrange(2**30))


CAUSAL_WEIGHTS = Case(
    attention.causal_weights,
    right=[
        weights_by_masked_fill,
        weights_by_adding,
        weights_by_where,
        weights_by_loop,
        weights_by_numpy,
        weights_by_a_copy,
        weights_divided_again,
        weights_without_softmax,
        lambda scores: weights_by_adding(scores).double(),
    ],
    slips={
        "no mask": lambda scores: scores.softmax(-1),
        "wrong triangle": triangle(lambda ones: ones.tril(-1)),
        "allowed and hidden swapped": triangle(lambda ones: ones.triu(1), swapped=True),
        "diagonal hidden": triangle(torch.triu),
        "one place of the future": triangle(lambda ones: ones.triu(2)),
        "zero for minus infinity": lambda scores: (scores.tril()).softmax(-1),
        "minus ten": triangle(lambda ones: ones.triu(1), -10),
        "infinity times zero": lambda scores: (
            scores + -torch.inf * torch.ones_like(scores).triu(1)
        ).softmax(-1),
        "plus infinity": triangle(lambda ones: ones.triu(1), torch.inf),
        "mask after softmax": lambda scores: scores.softmax(-1).tril(),
        "minus infinity after softmax": lambda scores: (
            scores.softmax(-1) + torch.full(scores.shape, -torch.inf).triu(1)
        ),
        "softmax over queries": triangle(lambda ones: ones.triu(1), dim=0),
        "no softmax": lambda scores: scores + torch.full(scores.shape, -torch.inf).triu(1),
        "in place": scores_in_place,
    },
    fuzz=random_scores,
)
ONE_ROW = Case(
    attention.one_row,
    right=[
        row_by_matrices,
        row_by_loop,
        row_by_numpy,
        row_by_all_of_them,
        lambda q, k, v, t: row_by_matrices(q.double(), k.double(), v.double(), t),
        lambda q, k, v, t: (number for number in row_by_loop(q, k, v, t)),
    ],
    slips={
        "scaled by d": row_with(scale=lambda q, t: q.size(1)),
        "not scaled": row_with(scale=lambda q, t: 1),
        "multiplied by the root": row_with(scale=lambda q, t: q.size(1) ** -0.5),
        "scaled by the root of 2": row_with(scale=lambda q, t: math.sqrt(2)),
        "scaled by the number of keys": row_with(scale=lambda q, t: math.sqrt(t + 1)),
        "scaled by the length of the text": row_with(scale=lambda q, t: math.sqrt(len(q))),
        "the future is seen": row_with(lambda q, k, t: k @ q[t]),
        "itself not seen": row_with(lambda q, k, t: k[:t] @ q[t]),
        "no softmax": row_with(softmax=False),
        "divided by the sum alone": row_with(softmax=False, out=mixed_by_scores_over_their_sum),
        "not divided by the sum": row_with(
            softmax=False, out=lambda w, k, v, t: w.exp() @ v[: t + 1]
        ),
        "softmax over the wrong axis": softmax_of_a_column,
        "plain mean": lambda q, k, v, t: v[: t + 1].mean(0),
        "keys in place of values": row_with(out=lambda w, k, v, t: w @ k[: t + 1]),
        "the weights": row_with(out=lambda w, k, v, t: w),
        "not added up": row_with(out=lambda w, k, v, t: (w * v[: t + 1].T).T),
        "the last query": row_with(lambda q, k, t: k[: t + 1] @ q[-1]),
        "query and key swapped": row_with(lambda q, k, t: q[: t + 1] @ k[t]),
        "vector first": row_with(lambda q, k, t: q[t] @ k[: t + 1]),
    },
    fuzz=random_row,
)
MULTI_HEAD = Case(
    attention.multi_head,
    right=[
        heads_by_torch,
        heads_by_view,
        heads_by_chunks,
        heads_by_einsum_in_numpy,
        lambda q, k, v, n_head: heads_by_view(q.double(), k.double(), v.double(), n_head),
        lambda q, k, v, n_head: list(heads_by_view(q, k, v, n_head)),
    ],
    slips={
        "one head": lambda q, k, v, n_head: heads_by_torch(q, k, v, 1),
        "scaled by the root of C": heads_with(scale=lambda C, hs: C**0.5),
        "not scaled": heads_with(scale=lambda C, hs: 1),
        "scaled by hs": heads_with(scale=lambda C, hs: hs),
        "no mask": heads_with(mask=False),
        "mask after softmax": heads_with(after=True),
        "cut and merged without transpose": heads_with(cut="view", join="view"),
        "cut without transpose": heads_with(cut="view"),
        "heads meet heads": heads_of_one_token,
        "heads meet heads, and merged": lambda *given: heads_of_one_token(*given, turned=True),
        "sizes swapped": heads_with_sizes_swapped,
        "view for reshape": heads_with(join=lambda y: y.transpose(1, 2).view(*y.shape[::2], -1)),
        "merged without transpose": heads_with(join="view"),
        "every n-th channel": heads_of_every_nth_channel,
        "not merged": heads_with(join=lambda y: y),
        "heads added up": heads_with(join=lambda y: y.sum(1)),
        "heads averaged": heads_with(join=lambda y: y.mean(1)),
        "softmax over queries": heads_with(dim=-2),
        "softmax over heads": heads_with(dim=1),
    },
    fuzz=random_heads,
)


class TestChecks(CheckRules):
    cases = {
        attention.causal_weights: CAUSAL_WEIGHTS,
        attention.one_row: ONE_ROW,
        attention.multi_head: MULTI_HEAD,
    }


# ---- More ----


def test_gptlibs_own_functions_pass():
    assert attention.causal_weights(lambda scores: own.mask_scores(scores).softmax(-1))
    assert attention.multi_head(
        lambda q, k, v, n: own.merge_heads(
            own.fast_attention(*(own.split_heads(x, n) for x in (q, k, v)))
        )
    )


def test_of_a_beginners_two_mistakes_neither_is_told_as_the_only_one():
    def everything(q, k, t):
        return k @ q[t]

    both = attention.one_row(row_with(everything, scale=lambda q, t: 1))
    assert not both and not both.mistake
    seen = attention.one_row(row_with(everything))
    assert seen.property.startswith("What comes after place t does not count")


def test_a_stop_in_the_code_is_shown_with_its_line(capsys):
    def one_row(q, k, v, t):
        scores = q[t] @ k  # forgot the transpose
        return scores

    assert attention.one_row(one_row).mistake == running.STOPPED
    assert "in its line 2" in capsys.readouterr().out


def test_narrow_numbers_are_right_too():
    assert attention.causal_weights(lambda scores: weights_by_masked_fill(scores.bfloat16()))
    assert attention.one_row(lambda q, k, v, t: row_by_matrices(q, k, v, t).bfloat16())
    assert attention.multi_head(lambda q, k, v, n: heads_by_torch(q, k, v, n).half())


def test_a_future_of_minus_100_is_refused(capsys):
    """Where all scores are near -600, that is not low."""
    verdict = attention.causal_weights(triangle(lambda ones: ones.triu(1), -100.0))
    assert verdict.property == "The future is hidden: every weight above the diagonal is 0."
    assert verdict.observation == "row 1 has 1 in column 2"


def test_minus_infinity_times_the_scores_is_told_of_nan_and_of_no_mask_of_plus_infinity(capsys):
    def times_scores(scores):
        future = torch.ones_like(scores).triu(1).bool()
        return torch.where(future, -math.inf * scores, scores).softmax(-1)

    verdict = attention.causal_weights(times_scores)
    assert verdict.observation == "row 1 has nan" and not verdict.mistake
    assert "infinity times 0" in verdict.property
    assert "plus infinity" not in capsys.readouterr().out


def test_a_root_of_two_written_in_is_refused_where_a_query_is_wider(capsys):
    verdict = attention.one_row(row_with(scale=lambda q, t: math.sqrt(2)))
    assert verdict.observation.startswith("the scores at the places 0 to 3 are [")


def test_the_first_input_of_exercise_2_is_the_lessons_sum_by_hand():
    q, k, v, t = attention.one_row.given[0]
    out = row_by_matrices(q, k, v, t)
    assert [round(number, 3) for number in out.tolist()] == [0.424, 0.86]
