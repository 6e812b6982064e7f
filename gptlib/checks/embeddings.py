"""Lesson 02's exercises: lookup by one-hot; the most similar words; and in "Deeper": embedding ids
with their positions, what the tables cost, and whether order matters to a model.

Axes as in `gptlib.embeddings`.
"""

from functools import cache
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ..ablations import ablate
from ..model import GPT, GPTConfig
from .exercise import Exercise, Mistake, Property
from .properties import SURE, in_turn, no_nan, shape
from .reading import ids as read_ids
from .reading import numbers, whole_number
from .showing import array_shown, short


def _table(n_rows: int, n_embd: int) -> Tensor:
    """(n_rows, C): row 2 is [2.1, -2.2, 2.3, ...], so that a number says where it was."""
    row, column = torch.arange(n_rows)[:, None], torch.arange(1, n_embd + 1)
    return (row + column / 10) * (-1.0) ** (column + 1)


def _alike(a: object, b: object) -> bool:
    return np.allclose(a, b, rtol=SURE, atol=SURE)


def _row_like(row: np.ndarray, table: Tensor) -> int | None:
    """Which row of a table it is, or None."""
    return next((k for k, its in enumerate(table.numpy()) if _alike(row, its)), None)


# ---- 1. Lookup by one-hot ----

# ids, V, C: T = V = C, where turned matrices still fit; one token; repeats; ids beyond the bytes.
LOOKUPS = (([1, 2], 4, 3), ([2, 0, 0], 3, 3), ([3], 5, 2), ([1, 1, 0, 2], 3, 5), ([0, 4, 1], 6, 1))
LOOKUPS += (([300, 0, 7, 256, 299], 301, 4),)
MIXED = [[0, 0.5, 0.5, 0], [0, 0, 0, 1]]  # only a product mixes rows: an index chooses one
SELECTS = "A one-hot vector times the table is the row that it selects."
MIXES = "A row of numbers times the table is the sum of the table's rows, each times its number."


def _lookup_inputs() -> list[tuple]:
    hot = [(one_hot(torch.tensor(ids), V).float(), _table(V, C)) for ids, V, C in LOOKUPS]
    return [*hot, (torch.tensor(MIXED), _table(4, 3))]


def _of_rows(given: tuple, value: np.ndarray) -> tuple[str, str] | None:
    """Of the first row that is wrong: (the property that does not hold, what is seen)."""
    rows, table = given
    for t, (row, its) in enumerate(zip(rows, rows @ table, strict=True)):
        if _alike(value[t], its):
            continue
        mine = _row_like(value[t], table)
        got = f"row {mine} of the table" if mine is not None else array_shown(value[t])
        should_be = array_shown(its.numpy())
        if row.max() < 1:
            seen = f"row {t} of one_hot is {array_shown(row.numpy())}, and it gets {got}"
            return MIXES, f"{seen}; its product with the table is {should_be}"
        id = int(row.argmax())
        seen = f"row {t} of one_hot has its 1 at {id}, and it gets {got}"
        return SELECTS, f"{seen}; row {id} is {should_be}"
    return None


one_hot_lookup = Exercise(
    "embeddings.one_hot_lookup",
    """Exercise 1, easy, 3 minutes: `student(one_hot, table)`, (T, V) and (V, C), gives (T, C).

    It is their matrix product. One input mixes two rows, so that an index in its place is noticed.
    """,
    right=lambda one_hot, table: one_hot @ table,  # (T, V) @ (V, C) -> (T, C)
    notes={"mat1 and mat2": "one_hot is (T, V) and the table (V, C), and the two V's must meet."},
    inputs=_lookup_inputs,
    read=numbers,
    properties=(
        shape(
            "There is one row for each token, as long as the table's rows: (T, C).",
            lambda one_hot, table: (len(one_hot), table.shape[1]),
        ),
        no_nan(),
        *in_turn(_of_rows, SELECTS, MIXES),
    ),
    mistakes=(
        Mistake("sides swapped", lambda one_hot, table: table @ one_hot).as_if(
            "the table came first in the product",
            "A row of one_hot chooses a row of the table: (T, V) comes first, then (V, C).",
        ),
        Mistake("index", lambda one_hot, table: table[one_hot.argmax(1)]).as_if(
            "you looked up the row of each largest number",
            "Multiply the two matrices instead: then every number of one_hot counts.",
        ),
    ),
)


# ---- 2. The most similar words ----

PAPER = [[-1, -2], [1, 2], [2, 1], [2, -1], [-2, 1]]  # the lesson's: The, cat, dog, is, on
LENGTHS = [[1, 0], [3, 3], [0.5, 0.1], [4, -8], [2, -1.2]]  # where the longest is not the nearest
ALL_BELOW_0 = [[10, 0], [-1.1, 0.1], [-1, -3], [-0.2, 0.3]]  # all cosines with row 0 are negative


def _nearest_inputs() -> list[tuple]:
    large = torch.randn(300, 8, generator=torch.Generator().manual_seed(0))
    given = [(PAPER, 1, 1), (LENGTHS, 0, 2), (LENGTHS, 1, 4), (ALL_BELOW_0, 0, 3)]
    given += [(LENGTHS, 3, 3), ([[1, 2], [2, 2]], 1, 1)]
    small = [(torch.tensor(table, dtype=torch.float32), id, k) for table, id, k in given]
    return [*small, (large, 150, 5), (large, 0, 3)]


def _similarity(table: Tensor, id: int) -> Tensor:
    return torch.cosine_similarity(table, table[id][None])  # (V,)


def _best(similarity: Tensor, k: int, id: int | None = None) -> list[int]:
    """The k best, largest first, without row `id`."""
    similarity = similarity.clone()
    if id is not None:
        similarity[id] = -torch.inf
    return similarity.topk(k).indices.tolist()


def _as_many(given: tuple, value: list[int]) -> str | None:
    k = given[2]
    return None if len(value) == k else f"the list has {len(value)} ids, and k is {k}"


def _each_once(given: tuple, value: list[int]) -> str | None:
    table = given[0]
    for id in value:
        if not 0 <= id < len(table):
            return f"there is no row {id}: the table has the rows 0 to {len(table) - 1}"
        if value.count(id) > 1:
            return f"the id {id} is listed {value.count(id)} times"
    return None


def _not_itself(given: tuple, value: list[int]) -> str | None:
    id = given[1]
    return f"you were asked about row {id}, and {id} is in your list" if id in value else None


def _in_order(given: tuple, value: list[int]) -> str | None:
    table, id, _ = given
    similarity = _similarity(table, id).tolist()
    for one, other in zip(value, value[1:]):
        if similarity[one] < similarity[other] - SURE:
            pair = f"{one} (cosine {short(similarity[one])}) comes before {other}"
            return f"{pair} (cosine {short(similarity[other])})"
    return None


def _none_left_out(given: tuple, value: list[int]) -> str | None:
    table, id, _ = given
    similarity = _similarity(table, id).tolist()
    left_out = max(set(range(len(table))) - {id, *value}, key=lambda k: similarity[k], default=id)
    worst = min(value, key=lambda k: similarity[k])
    if left_out == id or similarity[left_out] < similarity[worst] + SURE:
        return None
    seen = f"{left_out} (cosine {short(similarity[left_out])}) is missing, and {worst}"
    return f"{seen} (cosine {short(similarity[worst])}) is listed"


nearest_words = Exercise(
    "embeddings.nearest_words",
    """Exercise 2, medium: `student(table, id, k)`: the k ids most similar to row id, best first.

    table (V, C). Similarity is the cosine; the word itself is not listed.
    """,
    right=lambda table, id, k: _best(_similarity(table, id), k, id),
    inputs=_nearest_inputs,
    read=read_ids,
    properties=(
        Property("There are k ids.", _as_many),
        Property("A word is not in the list of its own neighbours.", _not_itself),
        Property("Each id is a row of the table, and is listed once.", _each_once),
        Property("The most similar word comes first.", _in_order),
        Property("No missing word is more similar than a listed one.", _none_left_out),
    ),
    mistakes=(
        Mistake("dot product", lambda table, id, k: _best(table @ table[id], k, id)).as_if(
            "you compared dot products",
            "A long vector has large dot products. Divide by the lengths of both vectors.",
        ),
        Mistake("word itself", lambda table, id, k: _best(_similarity(table, id), k)).as_if(
            "the word itself was listed first",
            "Its cosine with itself is 1. Set that to -2 before you choose the largest.",
        ),
        Mistake(
            "distance", lambda table, id, k: _best(-(table - table[id]).norm(dim=1), k, id)
        ).as_if(
            "you compared distances between the tips of the vectors",
            "The cosine compares directions only: lengths do not count.",
        ),
        Mistake("least similar", lambda table, id, k: _best(-_similarity(table, id), k, id)).as_if(
            "you took the smallest cosines", "The most similar words have the largest."
        ),
    ),
)


# ---- Deeper: ids and positions to vectors, and what the two tables cost ----

# ids (B, T), then V, C and the rows of wpe: more than enough, or as many as tokens; B = T, where
# axes mix up; all sizes different; one token; T = 1; ids beyond the bytes.
EMBEDS = (([[2, 0]], 3, 2, 4), ([[0, 1], [2, 1], [0, 2]], 3, 1, 5))
EMBEDS += (([[1, 2, 0], [1, 3, 4]], 5, 4, 6), ([[0, 3, 1], [2, 2, 2]], 4, 2, 3))
EMBEDS += (([[4, 0], [1, 3]], 5, 3, 7), ([[2]], 3, 2, 4), ([[1], [4], [0]], 5, 2, 6))
EMBEDS += (([[300, 1, 299, 256, 0], [7, 7, 301, 2, 2]], 302, 3, 9),)


def _right_embed(ids: Tensor, wte: Tensor, wpe: Tensor) -> Tensor:
    return wte[ids] + wpe[: ids.shape[1]]  # (B, T, C) + (T, C) -> (B, T, C)


PLACES = "The token at position t gets row t of wpe: positions count from 0 in each text."
SUM = "A token's vector is its row of wte plus its position's row of wpe."


def _of_vectors(given: tuple, value: np.ndarray) -> tuple[str, str] | None:
    """Of the first vector that is wrong: (the property that does not hold, what is seen)."""
    ids, wte, wpe = given
    for b, t in np.ndindex(*ids.shape):
        id, mine = int(ids[b, t]), value[b, t]
        if _alike(mine, wte[id] + wpe[t]):
            continue
        token = f"the id {id} at position {t} of text {b}"
        if _alike(mine, wte[id]):
            return PLACES, f"{token} has its row of wte, and no row of wpe"
        if (place := _row_like(mine - wte[id].numpy(), wpe)) is not None:
            return PLACES, f"{token} has its row of wte plus row {place} of wpe"
        parts = f"{array_shown(wte[id].numpy())} and {array_shown(wpe[t].numpy())}"
        return SUM, f"{token} has {array_shown(mine)}, and the two rows are {parts}"
    return None


embed = Exercise(
    "embeddings.embed",
    """Deeper, medium: `student(ids, wte, wpe)`, ids (B, T), gives the vectors (B, T, C).

    wte (V, C) has a row for each token, wpe (block_size, C) one for each position from 0.
    """,
    right=_right_embed,
    inputs=lambda: [
        (torch.tensor(ids), _table(V, C), 10 * _table(n + 1, C)[1:]) for ids, V, C, n in EMBEDS
    ],
    read=numbers,
    properties=(
        shape(
            "There is one vector for each token of each text: (B, T, C).",
            lambda ids, wte, wpe: (*ids.shape, wte.shape[1]),
        ),
        no_nan(),
        *in_turn(_of_vectors, PLACES, SUM),
    ),
    mistakes=(
        Mistake("whole table", lambda ids, wte, wpe: wte[ids] + wpe).as_if(
            "all of wpe was added",
            "It may have more rows than there are tokens. T tokens need the first T: wpe[:T].",
        ),
        Mistake("places by id", lambda ids, wte, wpe: wte[ids] + wpe[ids]).as_if(
            "you looked up the ids of the tokens in wpe",
            "It has a row for each position, 0, 1, 2, ..., whichever token is there.",
        ),
        Mistake("B for T", lambda ids, wte, wpe: wte[ids] + wpe[: len(ids)]).as_if(
            "you added the first B rows of wpe, and B is the number of texts",
            "len(ids) is B. The number of tokens in each text is T = ids.shape[1].",
        ),
    ),
)


SHAPES = ((5, 3, 2), (7, 4, 3), (4, 7, 3), (403, 64, 64), (50257, 1024, 768), (7, 1, 3), (1, 1, 1))


def _right_count(vocab_size: int, block_size: int, n_embd: int) -> int:
    return vocab_size * n_embd + block_size * n_embd


def _grows(what: str, tokens: int, places: int):
    """One row more is n_embd numbers more."""

    def seen(given: tuple, value: int, ask) -> str | None:
        vocab_size, block_size, n_embd = given
        more = ask(vocab_size + tokens, block_size + places, n_embd)
        if more is None or more - value == n_embd:
            return None
        return f"with one more {what} the count grows by {more - value}, and n_embd is {n_embd}"

    return seen


def _two_tables(given: tuple, value: int) -> str | None:
    vocab_size, block_size, n_embd = given
    parts = f"wte has {vocab_size} * {n_embd} numbers and wpe has {block_size} * {n_embd}"
    return None if value == _right_count(*given) else f"you count {value}, and {parts}"


count_parameters = Exercise(
    "embeddings.count_parameters",
    """Deeper, easy: `student(vocab_size, block_size, n_embd)` counts both tables.""",
    right=_right_count,
    inputs=SHAPES,
    read=whole_number,
    properties=(
        Property("Each token has a row of n_embd numbers.", _grows("token", 1, 0), asks=True),
        Property("Each position has a row of n_embd numbers.", _grows("position", 0, 1), asks=True),
        Property("The two tables are counted together, each once.", _two_tables),
    ),
    mistakes=(
        Mistake(
            "tokens have one number",
            lambda vocab_size, block_size, n_embd: vocab_size + block_size * n_embd,
        ).as_if(
            "only block_size was multiplied by n_embd",
            "Python multiplies first. Mind the brackets: (vocab_size + block_size) * n_embd.",
        ),
        Mistake(
            "token table twice",
            lambda vocab_size, block_size, n_embd: (2 * vocab_size + block_size) * n_embd,
        ).as_if(
            "the token table was counted twice",
            "Lesson 05 uses the same numbers a second time, but they are counted only once.",
        ),
    ),
)


# ---- Deeper: does order matter? ----

V, LIMIT = 11, 16


class Named(nn.Module):
    """A model that a verdict can write down on one line."""

    name = ""

    def __repr__(self) -> str:
        return f"<{self.name}>"


class NamedGPT(Named, GPT):
    """A small GPT with a name."""


class Adds(Named):
    """A model whose logits are the sum of a row for each token so far, from left to right.

    rows: (V, V). by_place: the first token's row counts once, the second's twice, and so on.
    """

    def __init__(self, name: str, rows: Tensor, by_place: bool = False) -> None:
        super().__init__()
        self.name, self.by_place = name, by_place
        self.register_buffer("rows", rows)

    def forward(self, ids: Tensor) -> Tensor:
        """ids (B, T) -> (B, T, V)."""
        rows = self.rows[ids]  # (B, T, V)
        if self.by_place:
            rows = rows * torch.arange(1, ids.shape[1] + 1)[:, None]
        return torch.stack(list(accumulate(rows.unbind(1))), 1)


def stirred(model: GPT, seed: int) -> GPT:
    """Untrained, with weights far enough from their start for every part to show."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)
    return model.eval()


@cache
def small_model(n_layer: int, positions: bool, seed: int = 0) -> GPT:
    """One with a name, untrained."""
    config = GPTConfig(V, LIMIT, n_layer, n_head=2, n_embd=32)
    model = stirred(NamedGPT(config, seed=seed), seed)
    model.name = f"{n_layer} layer{'s' * (n_layer > 1)}, with{'' if positions else 'out'} positions"
    return model if positions else ablate(model, "positions")


LONG, SHORT = (5, 3, 8, 1, 6, 2, 9, 4, 7, 0, 10), (1, 2, 3)
# Thirds add up to nearly 0, where only `atol` helps; and to -80, where `rtol` does.
NEXT_TO_ZERO, LARGE = (0, 1, 9, 10), (0, 1, 3, 4)


def order_models() -> dict[str, nn.Module]:
    """Models that are exact, or rounded in the same way on every machine."""
    one, thirds = torch.eye(V), (torch.arange(V) - 5) * 20 / 3
    only = torch.zeros(V, V)
    only[1, 0] = 1
    return {
        "counts": Adds("counts each token", one),
        "places": Adds("adds up the positions of each token", one, by_place=True),
        "one": Adds("adds up the positions of token 1", only, by_place=True),
        "hardly": Adds("adds up 0.03 times the positions", 0.03 * one, by_place=True),
        "rounding": Adds("adds up thirds", thirds[:, None] + 0 * one),
    }


def _order_inputs() -> list[tuple]:
    by_name = order_models()
    inputs = [("one", (2, 3, 4)), ("counts", SHORT), ("places", SHORT), ("one", SHORT)]
    inputs += [("one", (2, 1, 3)), ("hardly", SHORT), ("rounding", NEXT_TO_ZERO)]
    inputs += [("rounding", LARGE), ("counts", (1, 2, 3, 1, 9)), ("places", (4, 6, 4, 10))]
    inputs += [("places", (3, 9)), ("places", (3,)), ("places", (2, 3, 2))]
    made = [(by_name[name], ids) for name, ids in inputs]
    made += [(small_model(1, False), LONG), (small_model(1, True), SHORT)]
    made += [(small_model(2, False), LONG)]
    return [(model, torch.tensor(ids)) for model, ids in made]


def _turned(ids: Tensor) -> Tensor:
    return torch.cat([ids[:-1].flip(0), ids[-1:]])  # (T,)


@torch.no_grad()
def _both(model: nn.Module, ids: Tensor, turned=_turned) -> tuple[Tensor, Tensor]:
    """The logits (T, V) of ids as they are, and with all but the last in reverse order."""
    return model(ids[None])[0], model(turned(ids)[None])[0]


def _differ(one: Tensor, other: Tensor) -> bool:
    return not torch.allclose(one, other, rtol=1e-4, atol=1e-4)


def _right_order(model: nn.Module, ids: Tensor, turned=_turned) -> bool:
    one, other = _both(model, ids, turned)
    return _differ(one[-1], other[-1])


def _read_yes_or_no(value: object) -> bool:
    value = value.tolist() if hasattr(value, "tolist") else value
    if not isinstance(value, bool):
        raise ValueError("True or False was expected")
    return value


def _says(yes: bool):
    def seen(given: tuple, value: bool) -> str | None:
        model, ids = given
        if value == yes or _right_order(*given) != yes:
            return None
        one, other = (logits[-1] for logits in _both(model, ids))
        by, up_to = float((one - other).abs().max()), "up to" if yes else "no more than"
        differ = f"differ by {up_to} {short(by)}" if by else "are equal"
        read = f"after {ids.tolist()} and after {_turned(ids).tolist()}"
        return f"the logits {read} {differ}, and you say {value}"

    return seen


SAME_TOKEN = "Reverse ids[:-1], and put ids[-1:] after it."

order_matters = Exercise(
    "embeddings.order_matters",
    """Deeper, hard, 12 minutes: `student(model, ids)`, ids (T,): True if order matters.

    It does if the logits after the last token differ, by more than rounding, when the tokens
    before it are read in reverse order.
    """,
    right=_right_order,
    inputs=_order_inputs,
    read=_read_yes_or_no,
    properties=(
        Property("Order matters (True) where the logits after the last token differ.", _says(True)),
        Property(
            "Order does not matter (False) where they are equal but for rounding.", _says(False)
        ),
    ),
    mistakes=(
        Mistake(
            "no rounding",
            lambda model, ids: not torch.equal(*(logits[-1] for logits in _both(model, ids))),
        ).as_if(
            "the logits had to be equal in every digit",
            "Sums in a different order round differently: torch.allclose(one, other, atol=1e-4).",
        ),
        Mistake("every place", lambda model, ids: _differ(*_both(model, ids))).as_if(
            "the logits of all positions were compared",
            "Only the last position has read the same tokens both times: compare logits[0, -1].",
        ),
        Mistake(
            "last token turned too",
            lambda model, ids: _right_order(model, ids, lambda ids: ids.flip(0)),
        ).as_if(
            "the last token was moved too",
            f"Then the logits come after a different token. {SAME_TOKEN}",
        ),
        Mistake(
            "first token kept",
            lambda model, ids: _right_order(
                model, ids, lambda ids: torch.cat([ids[:1], ids[1:].flip(0)])
            ),
        ).as_if(
            "the first token stayed where it is, and the last was moved",
            f"Then the logits come after a different token. {SAME_TOKEN}",
        ),
    ),
)
