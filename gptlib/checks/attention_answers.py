"""Lesson 03's exercises: the right answers, and the wrong ones that beginners write."""

import math

import torch

from ..attention import attention, causal_mask, mask_scores, merge_heads, split_heads
from .base import Mistake

# ---- 1. Causal weights ----


def right_weights(scores):
    return torch.softmax(mask_scores(scores), -1)


def _future(scores):
    return ~causal_mask(len(scores))


def _with_mask(hidden, value=-math.inf, dim=-1):
    """The function that puts `value` where `hidden(scores)` says, and takes the softmax."""
    return lambda scores: torch.softmax(scores.masked_fill(hidden(scores), value), dim)


def _in_place(scores):
    scores[_future(scores)] = -math.inf
    return torch.softmax(scores, -1)


def _zeroed_after(scores):
    return torch.softmax(scores, -1) * causal_mask(len(scores))


def _times_infinity(scores):
    return torch.softmax(scores - math.inf * _future(scores), -1)


def _infinite_after(scores):
    return torch.softmax(scores, -1).masked_fill(_future(scores), -math.inf)


WEIGHTS_MISTAKES = (
    Mistake(
        "no mask",
        "the future is not hidden: weights above the diagonal are more than 0. Put minus infinity "
        "there, before the softmax.",
        lambda scores: torch.softmax(scores, -1),
    ),
    Mistake(
        "wrong triangle",
        "you hide the past and show the future. Row t is the query: hide the columns after t, "
        "those above the diagonal.",
        _with_mask(lambda scores: _future(scores).T),
    ),
    Mistake(
        "allowed and hidden swapped",
        "what may be seen is hidden, and the future is shown. masked_fill fills where the mask is "
        "True: it has to be True in the future.",
        _with_mask(lambda scores: ~_future(scores)),
    ),
    Mistake(
        "diagonal hidden",
        "each token is hidden from itself, and the first has nothing left to look at (nan). The "
        "diagonal may be seen: triu(diagonal=1) begins one above it.",
        _with_mask(lambda scores: torch.ones_like(scores).triu().bool()),
    ),
    Mistake(
        "one place of the future",
        "the token right after the query can still be seen. Only the diagonal and what is below "
        "it may be: triu(diagonal=1).",
        _with_mask(lambda scores: torch.ones_like(scores).triu(2).bool()),
    ),
    Mistake(
        "zero for minus infinity",
        "the future has the score 0, and e^0 is 1: it still gets a share. Only minus infinity "
        "becomes 0.",
        _with_mask(_future, 0.0),
    ),
    Mistake(
        "minus ten",
        "−10 leaves the future a small share: −math.inf leaves none.",
        _with_mask(_future, -10.0),
    ),
    Mistake(
        "infinity times zero",
        "inf · 0 is nan, so the places that may be seen are lost as well: use masked_fill.",
        _times_infinity,
    ),
    Mistake(
        "plus infinity",
        "the future has the score plus infinity. Minus: e^-inf is 0.",
        _with_mask(_future, math.inf),
    ),
    Mistake(
        "mask after softmax",
        "the future is set to 0 after the softmax: the rows do not sum to one any more. Mask the "
        "scores first.",
        _zeroed_after,
    ),
    Mistake(
        "minus infinity after softmax",
        "minus infinity came after the softmax, where weights belong. Mask the scores first, then "
        "take the softmax.",
        _infinite_after,
    ),
    Mistake(
        "softmax over queries",
        "each column sums to one, and not each row. The shares of one query are in one row: "
        "softmax over the last axis, dim=-1.",
        _with_mask(_future, dim=0),
    ),
    Mistake(
        "no softmax",
        "these are the masked scores. The softmax over each row is missing.",
        mask_scores,
    ),
    Mistake(
        "in place",
        "right numbers, but the scores that you were given are changed: others may still need "
        "them. masked_fill (with no _ at its end) makes a copy.",
        _in_place,
    ),
)

# ---- 2. One row ----


def right_row(q, k, v, t):
    return attention(q[: t + 1], k[: t + 1], v[: t + 1])[0][t]


def _row(scale=None, seen=1, weigh=lambda scores: torch.softmax(scores, -1), mix=None):
    """The function that computes one row with one thing done otherwise.

    Args:
        scale: (q, k, t) -> what scores are divided by. seen: places seen after t. weigh: scores
        to weights. mix: (weights, k, v) -> output.
    """
    scale = scale or (lambda q, k, t: math.sqrt(q.shape[-1]))
    mix = mix or (lambda weights, k, v: weights @ v)

    def row(q, k, v, t):
        keys, values = k[: t + seen], v[: t + seen]
        return mix(weigh(keys @ q[t] / scale(q, k, t)), keys, values)

    return row


def _query_and_key_swapped(q, k, v, t):
    return torch.softmax(q[: t + 1] @ k[t] / math.sqrt(q.shape[-1]), -1) @ v[: t + 1]


def _vector_first(q, k, v, t):
    return torch.softmax(q[t] @ k[: t + 1] / math.sqrt(q.shape[-1]), -1) @ v[: t + 1]


def _last_query(q, k, v, t):
    return torch.softmax(k[: t + 1] @ q[-1] / math.sqrt(q.shape[-1]), -1) @ v[: t + 1]


ROW_MISTAKES = (
    Mistake(
        "scaled by d",
        "the scores are divided by the width d. Divide by its square root.",
        _row(lambda q, k, t: q.shape[-1]),
    ),
    Mistake(
        "not scaled",
        "the scores are not scaled: divide them by the square root of the width of a query.",
        _row(lambda q, k, t: 1),
    ),
    Mistake(
        "multiplied by the root",
        "the scores are multiplied by the root of d, which makes them larger still. Divide.",
        _row(lambda q, k, t: 1 / math.sqrt(q.shape[-1])),
    ),
    Mistake(
        "scaled by the root of 2",
        "√2 is right for two numbers a query. Here they may be more: q.shape[-1].",
        _row(lambda q, k, t: math.sqrt(2)),
    ),
    Mistake(
        "scaled by the number of keys",
        "the scores are divided by the root of how many keys there are (len of a 2-D tensor is "
        "its number of rows). The root of the width it is: q.shape[-1].",
        _row(lambda q, k, t: math.sqrt(t + 1)),
    ),
    Mistake(
        "scaled by the length of the text",
        "the scores are divided by the root of T (len(q) is the number of tokens). The root of "
        "the width it is: q.shape[-1].",
        _row(lambda q, k, t: math.sqrt(len(q))),
    ),
    Mistake(
        "the future is seen",
        "all keys are used, those after place t too. The query at t sees places 0 to t: "
        "k[: t + 1].",
        _row(seen=10**6),
    ),
    Mistake(
        "itself not seen",
        "the query does not see its own place. k[:t] ends before t; k[: t + 1] has t in it.",
        _row(seen=0),
    ),
    Mistake(
        "no softmax",
        "the values are mixed by raw scores. Let softmax make weights of them first.",
        _row(weigh=lambda scores: scores),
    ),
    Mistake(
        "divided by the sum alone",
        "the scores are divided by their sum. Softmax takes e to each first.",
        _row(weigh=lambda scores: scores / scores.sum()),
    ),
    Mistake(
        "not divided by the sum",
        "e to each score, but the weights do not sum to one: divide by their sum, as softmax does.",
        _row(weigh=torch.exp),
    ),
    Mistake(
        "softmax over the wrong axis",
        "every weight is 1: the softmax went over an axis that has one entry. It has to go over "
        "the keys.",
        _row(weigh=torch.ones_like),
    ),
    Mistake(
        "plain mean",
        "all values count alike. Each has its own weight.",
        _row(weigh=lambda scores: torch.full_like(scores, 1 / len(scores))),
    ),
    Mistake(
        "keys in place of values",
        "you mix the keys. They decide how much is taken; what is taken are the values.",
        _row(mix=lambda weights, k, v: weights @ k),
    ),
    Mistake(
        "the weights",
        "these are the weights. Multiply each value with its weight, and add them up.",
        _row(mix=lambda weights, k, v: weights),
    ),
    Mistake(
        "not added up",
        "each value is multiplied with its weight, but they are not added up to one vector.",
        _row(mix=lambda weights, k, v: weights[:, None] * v),
    ),
    Mistake(
        "the last query",
        "you take the last query, q[-1]. Asked for is the one at place t, q[t].",
        _last_query,
    ),
    Mistake(
        "query and key swapped",
        "query and key are swapped: q[t] meets k[: t + 1].",
        _query_and_key_swapped,
    ),
    Mistake(
        "vector first",
        "q[t] @ k[: t + 1] goes down the columns of the keys. A dot product with each key, a row, "
        "is k[: t + 1] @ q[t].",
        _vector_first,
    ),
)

# ---- 3. Heads ----


def right_heads(q, k, v, n_head):
    return merge_heads(attention(*(split_heads(part, n_head) for part in (q, k, v)))[0])


def view_heads(x, n_head):
    """(B, T, C) -> (B, nh, T, hs) by a view alone: rows of other tokens get mixed up."""
    return x.reshape(x.shape[0], n_head, x.shape[1], -1)


def _every_nth(x, n_head):
    """Head h gets every nh-th channel, from h."""
    return x.unflatten(-1, (-1, n_head)).permute(0, 3, 1, 2)


def _tokens_in_front(x, n_head):
    """(B, T, C) -> (B, T, nh, hs), with no transpose after the view."""
    return x.unflatten(-1, (n_head, -1))


def _merged_as_is(y):
    """(B, nh, T, hs) -> (B, T, C) with no transpose."""
    return y.reshape(y.shape[0], y.shape[2], -1)


def _heads(split=split_heads, merge=merge_heads, **how):
    """The function that cuts, attends and merges, with one thing done otherwise."""

    def multi_head(q, k, v, n_head):
        parts = [split(part, n_head) for part in (q, k, v)]
        options = {name: make(q, n_head) for name, make in how.items()}
        return merge(attention(*parts, **options)[0])

    return multi_head


def _viewed_at_the_end(q, k, v, n_head):
    return _heads(merge=lambda y: y.transpose(1, 2).view(q.shape))(q, k, v, n_head)


def _softmax_over(dim):
    def multi_head(q, k, v, n_head):
        q, k, v = (split_heads(part, n_head) for part in (q, k, v))
        scores = mask_scores(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]))
        return merge_heads(torch.softmax(scores, dim) @ v)

    return multi_head


def _heads_masked_after(q, k, v, n_head):
    q, k, v = (split_heads(part, n_head) for part in (q, k, v))
    weights = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]), -1)
    return merge_heads(weights * causal_mask(q.shape[-2]) @ v)


HEADS_MISTAKES = (
    Mistake(
        "one head",
        "that is a single head as wide as all of them: n_head is not used. Cut the channels into "
        "n_head parts, and let each part attend alone.",
        lambda q, k, v, n_head: right_heads(q, k, v, 1),
    ),
    Mistake(
        "scaled by the root of C",
        "the scores are divided by the root of C. A head's dot product has hs = C / n_head terms: "
        "divide by the root of hs.",
        _heads(scale=lambda q, n_head: 1 / math.sqrt(q.shape[-1])),
    ),
    Mistake(
        "not scaled",
        "the scores are not divided by the root of hs.",
        _heads(scale=lambda q, n_head: 1.0),
    ),
    Mistake(
        "scaled by hs",
        "the scores are divided by hs. Divide by its square root.",
        _heads(scale=lambda q, n_head: n_head / q.shape[-1]),
    ),
    Mistake(
        "no mask",
        "the future can be seen. Hide it before the softmax, or give "
        "F.scaled_dot_product_attention is_causal=True.",
        _heads(causal=lambda q, n_head: False),
    ),
    Mistake(
        "mask after softmax",
        "the future is set to 0 after the softmax: the rows do not sum to one any more. Mask the "
        "scores first.",
        _heads_masked_after,
    ),
    Mistake(
        "cut and merged without transpose",
        "view(B, n_head, T, hs) cuts the table in the wrong places: a head gets whole tokens, not "
        "channels of each. First view(B, T, n_head, hs), then transpose(1, 2); and back likewise.",
        _heads(split=view_heads, merge=_merged_as_is),
    ),
    Mistake(
        "cut without transpose",
        "view(B, n_head, T, hs) cuts the table in the wrong places: a head gets whole tokens, not "
        "channels of each. First view(B, T, n_head, hs), then transpose(1, 2).",
        _heads(split=view_heads),
    ),
    Mistake(
        "heads meet heads",
        "the heads of one token attend to each other. transpose(1, 2) before you attend.",
        _heads(split=_tokens_in_front, merge=lambda y: y.flatten(-2)),
    ),
    Mistake(
        "heads meet heads, and merged",
        "the heads of one token attend to each other. transpose(1, 2) is needed before you attend, "
        "too, and not only after.",
        _heads(split=_tokens_in_front, merge=lambda y: _merged_as_is(y.transpose(1, 2))),
    ),
    Mistake(
        "sizes swapped",
        "n_head and hs are swapped: view(B, T, n_head, hs), where hs = C // n_head.",
        lambda q, k, v, n_head: right_heads(q, k, v, q.shape[-1] // n_head),
    ),
    Mistake(
        "view for reshape",
        "after a transpose the numbers do not lie in the order that .view needs. "
        "Use .reshape(B, T, C).",
        _viewed_at_the_end,
    ),
    Mistake(
        "merged without transpose",
        "the heads attend rightly, but they are put together in the wrong order: "
        "transpose(1, 2) brings T before n_head, then flatten the last two axes.",
        _heads(merge=_merged_as_is),
    ),
    Mistake(
        "every n-th channel",
        "a head gets every n_head-th channel. It is to get neighbours: head 0 the first hs of "
        "them. view(B, T, n_head, hs), with n_head before hs.",
        _heads(split=_every_nth, merge=lambda y: y.permute(0, 2, 3, 1).flatten(-2)),
    ),
    Mistake(
        "not merged",
        "the heads are still apart, (B, nh, T, hs). Put them side by side again: (B, T, C).",
        _heads(merge=lambda y: y),
    ),
    Mistake(
        "heads added up",
        "the heads' outputs are added up. They stand side by side: each fills its own hs of the "
        "C channels.",
        _heads(merge=lambda y: y.sum(1)),
    ),
    Mistake(
        "heads averaged",
        "the heads' outputs are averaged. They stand side by side: each fills its own hs of the "
        "C channels.",
        _heads(merge=lambda y: y.mean(1)),
    ),
    Mistake(
        "softmax over queries",
        "the softmax goes over the queries: columns sum to one. It has to go over the keys, "
        "dim=-1.",
        _softmax_over(-2),
    ),
    Mistake(
        "softmax over heads",
        "the softmax goes over the heads. It has to go over the keys, dim=-1.",
        _softmax_over(1),
    ),
)
