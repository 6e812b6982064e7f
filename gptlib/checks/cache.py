"""Lesson 07's exercise on the KV cache: one head reads one more token.

Axes: S tokens read before, C channels of a token's vector, hs channels of the head.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .exercise import Exercise, Mistake
from .properties import first_unlike, in_turn
from .reading import Numbers, numbers
from .showing import array_shown


def _drawn(*shape: int, seed: int) -> Tensor:
    """Halves, which can be read, the same everywhere."""
    noise = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return (2 * noise).round() / 2


# x, keys, values, Wq, Wk, Wv for paper: the query and the new key are (1, 1), the new value (2, 1).
BY_HAND = ([1.0, 2.0], [[1.0, 0.0]], [[0.0, 1.0]])
BY_HAND += ([[1.0, 0.0], [0.0, 0.5]], [[-1.0, 1.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]])
# S, C, hs: no token read before; more than one; a head as wide as the vector; a long text.
SIZES = ((0, 3, 2), (3, 4, 2), (2, 3, 3), (4, 2, 1), (5, 4, 3), (12, 6, 4))


def _inputs() -> list[tuple]:
    """(x, keys, values, Wq, Wk, Wv) each."""
    drawn = [
        (
            _drawn(C, seed=10 * k),
            *(_drawn(S, hs, seed=10 * k + part) for part in (1, 2)),
            *(_drawn(C, hs, seed=10 * k + part) for part in (3, 4, 5)),
        )
        for k, (S, C, hs) in enumerate(SIZES)
    ]
    return [tuple(map(torch.tensor, BY_HAND)), *drawn]


def _right(x, keys, values, Wq, Wk, Wv, scale: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    """(what the head gives for x, all keys, all values)."""
    keys, values = (torch.cat([old, (x @ W)[None]]) for old, W in ((keys, Wk), (values, Wv)))
    return _mixture(x @ Wq, keys, values, scale), keys, values


def _mixture(q: Tensor, keys: Tensor, values: Tensor, scale: bool = True) -> Tensor:
    """All values by the weights of their keys, (hs,)."""
    scores = keys @ q / (math.sqrt(len(q)) if scale else 1)  # (S + 1,)
    return torch.softmax(scores, 0) @ values


def _put_first(x, keys, values, Wq, Wk, Wv) -> tuple[Tensor, Tensor, Tensor]:
    y = _right(x, keys, values, Wq, Wk, Wv)[0]
    return y, *(torch.cat([(x @ W)[None], old]) for old, W in ((keys, Wk), (values, Wv)))


def _without_itself(x, keys, values, Wq, Wk, Wv) -> tuple[Tensor, Tensor, Tensor]:
    _, *cache = _right(x, keys, values, Wq, Wk, Wv)
    return _mixture(x @ Wq, keys, values), *cache


class Step(NamedTuple):
    """What an answer gives back."""

    y: Numbers
    keys: Numbers
    values: Numbers

    def __repr__(self) -> str:
        return ", ".join(
            f"{name} {array_shown(part.array)}" for name, part in self._asdict().items()
        )


def _read_step(value: object) -> Step:
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise ValueError("three tensors were expected: return y, keys, values")
    return Step(*map(numbers, value))


LONGER = "Keys and values are matrices with one row more than before, (S + 1, hs)."
KEPT = "The rows of the tokens read before are not computed again: they stay as they are."
NEW = "The last row belongs to the new token: its key is x @ Wk, and its value x @ Wv."
VECTOR = "The result for the new token is one vector, as long as a value."
MIXED = "The weights of all S + 1 values are the softmax of q · k / √hs, with the query x @ Wq."


def _of_step(given: tuple, value: Step) -> tuple[str, str] | None:
    """(the first property that does not hold, what is seen)."""
    want = _read_step(_right(*given))
    for name in ("keys", "values"):
        mine, its = getattr(value, name).array, getattr(want, name).array
        if mine.shape != its.shape:
            return LONGER, f"the {name} have shape {mine.shape}, and {its.shape} was expected"
        if found := first_unlike(mine[:-1], its[:-1]):
            row, new, old = found
            return KEPT, f"{row} of the {name} is {new}, and it was {old}"
        if found := first_unlike(mine[-1:], its[-1:]):
            return NEW, f"the last row of the {name} is {found[1]} and should be {found[2]}"
    if value.y.array.shape != want.y.array.shape:
        return VECTOR, f"y has shape {value.y.array.shape}, and {want.y.array.shape} was expected"
    if found := first_unlike(value.y.array, want.y.array):
        return MIXED, f"y is {found[1]} and should be {found[2]}"
    return None


one_more = Exercise(
    "sampling.one_more",
    """Deeper, hard, 10 minutes: `student(x, keys, values, Wq, Wk, Wv)` reads one more token.

    x (C,) is the new token's vector; keys, values (S, hs) are those of the S tokens before it; the
    matrices are (C, hs). Gives y (hs,), keys and values (S + 1, hs); S may be 0.
    """,
    right=_right,
    inputs=_inputs,
    read=_read_step,
    properties=in_turn(_of_step, LONGER, KEPT, NEW, VECTOR, MIXED),
    mistakes=(
        Mistake("put first", _put_first).as_if(
            "the new row was put before the others",
            "Row s belongs to the token at position s, so the newest row is the last.",
        ),
        Mistake("without itself", _without_itself).as_if(
            "the new token did not attend to itself",
            "Append its key and its value first, then compute the scores.",
        ),
        Mistake("not scaled", lambda *given: _right(*given, scale=False)).as_if(
            "the scores were not scaled", "Divide them by the square root of hs."
        ),
    ),
)
