"""Lesson 03's exercises: causal weights from scores; one row of attention; attention in heads.

Axes: B batch, T tokens, nh heads, hs channels of a head, C = nh * hs, vs channels of a value.
"""

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ..attention import attention, causal_mask, mask_scores, merge_heads, split_heads
from .exercise import Exercise, Mistake, Property
from .properties import (
    first_unlike,
    no_nan,
    not_below_zero,
    odds,
    on_other_input,
    shape,
    sums_to_one,
)
from .reading import numbers
from .showing import short, shown


def _drawn(*shape: int, seed: int, dtype=torch.float32) -> Tensor:
    """Halves, which can be read and which bfloat16 holds exactly, the same everywhere."""
    noise = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    return (4 * noise).round() / 2


# ---- 1. Causal weights ----

# One score alone; equal ones; all below 0; far apart; and so low that -100 is not low.
SCORES = [torch.tensor([[0.0, 2.0, 1.0], [1.0, 0.0, 2.0], [0.0, 2.0, 1.0]]), torch.tensor([[3.0]])]
SCORES += [torch.zeros(4, 4), torch.tensor([[-1.0, -5.0], [-2.0, -3.0]]), _drawn(5, 5, seed=0)]
SCORES += [8 * _drawn(3, 3, seed=1), _drawn(2, 2, seed=2, dtype=torch.float64)]
SCORES += [torch.tensor([[-600.0, -604.0], [-604.0, -600.0]], dtype=torch.float64)]


def _future(scores: Tensor) -> Tensor:
    return ~causal_mask(len(scores))


def _with_mask(scores: Tensor, hidden: Tensor, value: float = -math.inf) -> Tensor:
    return torch.softmax(scores.masked_fill(hidden, value), -1)


def _future_has_no_weight(given: tuple, value: np.ndarray) -> str | None:
    for t, row in enumerate(value):
        for s in range(t + 1, len(row)):
            if not abs(row[s]) < 1e-6:  # -100 leaves a share that is hardly more
                return f"row {t + 1} has {short(row[s])} in column {s + 1}"
    return None


causal_weights = Exercise(
    "attention.causal_weights",
    """Exercise 1, easy, 3 minutes: `student(scores)` hides the future and takes the softmax.

    scores (T, T), a row for each query; the weights have the same shape, and rows that sum to one.
    """,
    right=lambda scores: torch.softmax(mask_scores(scores), -1),
    inputs=lambda: [(scores,) for scores in SCORES],
    read=numbers,
    properties=(
        shape("There is one weight for every score.", lambda scores: scores.shape),
        no_nan(
            'nan is "not a number". It comes from infinity times 0, from infinity minus '
            "infinity, and from a row in which every score is minus infinity."
        ),
        Property(
            "The future is hidden: every weight above the diagonal is 0.", _future_has_no_weight
        ),
        not_below_zero("A weight is never below 0."),
        sums_to_one("The weights of one query are shares: each row sums to 1."),
        odds(
            "The ratio of two weights is e to the difference of their scores.",
            lambda a, b: np.exp(a - b) if abs(a - b) < 7 else np.nan,  # less is hardly a share
            "scores {a} and {b} have weights",
            rows=mask_scores,
        ),
    ),
    mistakes=(
        Mistake("wrong triangle", lambda x: _with_mask(x, _future(x).T)).as_if(
            "the past was hidden and the future shown",
            "Row t is the query: hide the columns after t, those above the diagonal.",
        ),
        Mistake("zero for minus infinity", lambda x: _with_mask(x, _future(x), 0.0)).as_if(
            "the scores of the future were set to 0",
            "e^0 is 1, so the future still gets a share. Only minus infinity becomes 0.",
        ),
        Mistake(
            "mask after softmax",
            lambda scores: torch.softmax(scores, -1) * causal_mask(len(scores)),
        ).as_if(
            "the weights of the future were set to 0 after the softmax",
            "What is left does not sum to 1. Mask the scores first.",
        ),
    ),
)


# ---- What holds of every mixture of values: of one row, and of all in heads ----


def _moved(x: Tensor, where) -> Tensor:
    """A copy with other numbers at some places."""
    x = x.clone()
    x[where] += 5
    return x


def _all_moved(where):
    """(q, k, v, last) with other numbers in q, k and v, at `where(x, last)`."""
    return lambda *given: (*(_moved(x, where(x, given[3])) for x in given[:3]), given[3])


MIXTURE = (
    on_other_input(
        "The values are what is mixed: twice the values give twice the result.",
        "with all values doubled",
        lambda q, k, v, last: (q, k, 2 * v, last),
        want=lambda value, *given: 2 * value,
    ),
    on_other_input(
        "The weights sum to 1, so where all values are 1, the result is 1.",
        "with the value 1 everywhere",
        lambda q, k, v, last: (q, k, torch.ones_like(v), last),
        want=lambda value, *given: np.ones_like(value),
    ),
)

# ---- 2. One row ----

BY_HAND = (torch.tensor([[1.0, 1.0], [0.0, 2.0], [1.0, 0.0]]),)  # lesson 03's numbers
BY_HAND += (torch.tensor([[0.0, 1.0], [2.0, 0.0], [1.0, -1.0]]),)
BY_HAND += (torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),)
ROW_SIZES = ((5, 3, 2, 3), (4, 4, 3, 1), (6, 3, 5, 5), (5, 1, 4, 0), (1, 3, 2, 0))  # T, hs, vs, t


def _rows() -> list[tuple]:
    drawn = [
        (_drawn(T, hs, seed=k), _drawn(T, hs, seed=20 + k), _drawn(T, vs, seed=40 + k), t)
        for k, (T, hs, vs, t) in enumerate(ROW_SIZES)
    ]
    return [(*BY_HAND, 2), (*BY_HAND, 1), (*BY_HAND, 0), *drawn]


def _right_row(q: Tensor, k: Tensor, v: Tensor, t: int) -> Tensor:
    return attention(q[: t + 1], k[: t + 1], v[: t + 1])[0][t]


def _scaled(scale):
    """The function that divides the scores of one row by scale(q, t)."""
    return lambda q, k, v, t: torch.softmax(k[: t + 1] @ q[t] / scale(q, t), 0) @ v[: t + 1]


def _row_weights(given: tuple, value: np.ndarray, ask) -> str | None:
    """Values that are rows of the identity matrix give back the weights."""
    q, k, v, t = given
    scores = k[: t + 1] @ q[t] / math.sqrt(q.shape[-1])
    found = ask(q, k, torch.eye(len(v), dtype=v.dtype), t)
    if found is None or found.shape != (len(v),):
        return None
    if unlike_ones := first_unlike(found[: t + 1], torch.softmax(scores, 0).numpy()):
        _, mine, its = unlike_ones
        return (
            f"the scores at the places 0 to {t} are {shown(scores)}, so the weights of the values "
            f"should be {its}, and yours are {mine}"
        )
    return None


one_row = Exercise(
    "attention.one_row",
    """Exercise 2, medium, 6 minutes: `student(q, k, v, t)` gives what the token at place t gets.

    q, k: (T, hs) each; v: (T, vs), of the same width or another. The result is one vector, as
    wide as a value.
    """,
    right=_right_row,
    inputs=_rows,
    read=numbers,
    properties=(
        shape("The result is one vector, as long as a value.", lambda q, k, v, t: v.shape[1:]),
        no_nan(),
        on_other_input(
            "What comes after place t does not count: the query there sees the places 0 to t.",
            "with other numbers after place t",
            _all_moved(lambda x, t: np.s_[t + 1 :]),
        ),
        on_other_input(
            "Of the queries, only the one at place t is used.",
            "with other numbers in all queries but the one at place t",
            lambda q, k, v, t: (_moved(q, np.arange(len(q)) != t), k, v, t),
        ),
        *MIXTURE,
        Property(
            "The scores are q · k / √hs, and the weights are their softmax.",
            _row_weights,
            asks=True,
        ),
    ),
    mistakes=(
        Mistake("scaled by d", _scaled(lambda q, t: q.shape[-1])).as_if(
            "the scores were divided by the width of a query",
            "Divide by its square root: math.sqrt(q.shape[-1]).",
        ),
        Mistake("scaled by the length of the text", _scaled(lambda q, t: math.sqrt(len(q)))).as_if(
            "the scores were divided by the root of T",
            "len(q) is the number of tokens. Take the root of the width, q.shape[-1].",
        ),
        Mistake("not scaled", _scaled(lambda q, t: 1)).as_if(
            "the scores were not scaled", "Divide them by the square root of the width of a query."
        ),
    ),
)


# ---- 3. Heads ----

TWO = (torch.tensor([[[1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 0.0, 2.0]]]),)  # two tokens, two heads
TWO += (torch.tensor([[[1.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 0.0]]]),)
TWO += (torch.tensor([[[1.0, 0.0, 2.0, 3.0], [0.0, 2.0, 4.0, 1.0]]]), 2)
SHAPES = ((1, 4, 6, 2), (2, 5, 12, 3), (3, 4, 10, 5), (2, 1, 4, 2), (1, 3, 4, 1), (1, 2, 4, 4))
SHAPES += ((2, 3, 3, 3),)  # (B, T, C, nh) each


def _heads_inputs() -> list[tuple]:
    drawn = [
        (*(_drawn(B, T, C, seed=100 * k + part) for part in range(3)), n_head)
        for k, (B, T, C, n_head) in enumerate(SHAPES)
    ]
    return [TWO, *drawn]


def _right_heads(q, k, v, n_head, split=split_heads, scale=None) -> Tensor:
    """Cut, attend and merge; or with one thing done differently."""
    return merge_heads(attention(*(split(x, n_head) for x in (q, k, v)), scale=scale)[0])


def _view_heads(x: Tensor, n_head: int) -> Tensor:
    """(B, T, C) -> (B, nh, T, hs) by a view alone: rows of other tokens get mixed up."""
    return x.reshape(x.shape[0], n_head, x.shape[1], -1)


def _heads_of_a_token(q: Tensor, k: Tensor, v: Tensor, n_head: int) -> Tensor:
    """With no transpose the heads of one token, (B, T, nh, hs), attend to each other."""
    parts = [x.unflatten(-1, (n_head, -1)) for x in (q, k, v)]
    return attention(*parts)[0].flatten(-2)


def _first_gets_its_value(given: tuple, value: np.ndarray) -> str | None:
    if found := first_unlike(value[:, :1], given[2][:, :1].numpy()):
        return "{} is {}, and its value is {}".format(*found)
    return None


def _head_weights(given: tuple, value: np.ndarray, ask) -> str | None:
    """Values that are 1 at one token and 0 at all others give back the weights of that token."""
    q, k, v, n_head = given
    B, T, C = v.shape
    ones = torch.eye(T)[:, None, :, None].expand(T, B, T, C)  # for each token: (B, T, C)
    found = [ask(q, k, one.clone(), n_head) for one in ones]
    if any(part is None or part.shape != value.shape for part in found):
        return None
    mine = np.stack(found, -1)[:, :, :: C // n_head].swapaxes(1, 2)  # (B, nh, T, T)
    its = attention(*(split_heads(x, n_head) for x in (q, k, v)))[1].numpy()
    for b, h, t in np.ndindex(B, n_head, T):
        if unlike_ones := first_unlike(mine[b, h, t, : t + 1], its[b, h, t, : t + 1]):
            where = f"in head {h}, the weights of row [{b}, {t}]"
            return f"{where} are {unlike_ones[1]} and should be {unlike_ones[2]}"
    return None


multi_head = Exercise(
    "attention.multi_head",
    """Deeper, hard, 12 minutes: `student(q, k, v, n_head)` is causal attention in heads.

    q, k, v: (B, T, C) each, the heads' channels side by side. The result is (B, T, C) again.
    """,
    right=_right_heads,
    inputs=_heads_inputs,
    read=numbers,
    properties=(
        shape(
            "The heads are side by side again at the end: (B, T, C).",
            lambda q, k, v, n_head: v.shape,
        ),
        no_nan(),
        Property(
            "The first token sees only itself, so its result is its own value.",
            _first_gets_its_value,
        ),
        on_other_input(
            "The sentences of a batch do not affect each other.",
            "with sentence 0 alone",
            lambda *given: (*(x[:1] for x in given[:3]), given[3]),
            part=lambda result, *given: result[:1],
        ),
        on_other_input(
            "What comes after a token does not change the token's result.",
            "with other numbers in the last token",
            _all_moved(lambda x, n_head: np.s_[:, -1]),
            part=lambda result, *given: result[:, :-1],
        ),
        on_other_input(
            "Each head works with its own hs channels.",
            "with other numbers in the channels of head 0",
            _all_moved(lambda x, n_head: np.s_[..., : x.shape[-1] // n_head]),
            part=lambda result, q, k, v, n_head: result[..., q.shape[-1] // n_head :],
        ),
        *MIXTURE,
        Property(
            "In each head, the weights are the softmax of q · k / √hs.", _head_weights, asks=True
        ),
    ),
    mistakes=(
        Mistake(
            "scaled by the root of C",
            lambda q, k, v, n_head: _right_heads(q, k, v, n_head, scale=q.shape[-1] ** -0.5),
        ).as_if(
            "the scores were divided by the root of C",
            "A head's dot product has hs = C / n_head terms: divide by the root of hs.",
        ),
        Mistake("cut without transpose", partial(_right_heads, split=_view_heads)).as_if(
            "a head got whole tokens, and not its channels of each token",
            "view(B, n_head, T, hs) does so. First view(B, T, n_head, hs), then transpose(1, 2).",
        ),
        Mistake("heads meet heads", _heads_of_a_token).as_if(
            "the heads of one token attended to each other",
            "After view(B, T, n_head, hs) comes transpose(1, 2): tokens attend to tokens.",
        ),
    ),
)
