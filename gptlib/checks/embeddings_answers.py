"""Lesson 02's exercises: the right answers, and the wrong ones that beginners write."""

import torch
from torch.nn.functional import one_hot

from .base import Mistake

# ---- 1. Lookup by one-hot ----


def _one_hot(ids, table):
    return one_hot(ids, len(table)).float()  # (T, V)


def right_lookup(ids, table):
    return _one_hot(ids, table) @ table  # (T, V) @ (V, C) -> (T, C)


LOOKUP_MISTAKES = (
    Mistake(
        "sides swapped",
        "the table stands in front. A row of one_hot chooses among the rows of the table: "
        "one_hot @ table, (T, V) @ (V, C).",
        lambda ids, table: table @ _one_hot(ids, table),
    ),
    Mistake(
        "number by number",
        "* multiplies number by number. A matrix product multiplies and adds up: @.",
        lambda ids, table: _one_hot(ids, table) * table,
    ),
    Mistake(
        "one-hot turned",
        "one_hot is turned on its side (.T). It has the shape (T, V) already, and V must meet V.",
        lambda ids, table: _one_hot(ids, table).T @ table,
    ),
    Mistake(
        "table turned",
        "the table is turned on its side (.T). It has the shape (V, C) already: V meets V.",
        lambda ids, table: _one_hot(ids, table) @ table.T,
    ),
    Mistake(
        "result turned",
        "these are the right numbers, turned on their side: (C, T). Give back one row for each "
        "token, (T, C).",
        lambda ids, table: right_lookup(ids, table).T,
    ),
    Mistake(
        "one-hot itself",
        "that is one_hot. It only says which rows are meant: multiply it with the table.",
        _one_hot,
    ),
    Mistake(
        "added up",
        "all tokens have become one row. Each token keeps a row of its own: no sum over them.",
        lambda ids, table: right_lookup(ids, table).sum(0),
    ),
    Mistake(
        "one token only",
        "only the last token has a row. Give back one for each id.",
        lambda ids, table: table[ids[-1]],
    ),
    Mistake(
        "one row too high",
        "each row is the one above the right one. Row 0 belongs to id 0.",
        lambda ids, table: table[ids - 1],
    ),
    Mistake(
        "rounded",
        "what stood behind the point is lost: the table was made whole numbers. Make one_hot "
        "float, not the table int.",
        lambda ids, table: _one_hot(ids, table).long() @ table.long(),
    ),
)


# ---- 2. Ids and places to vectors, and what the two tables cost ----


def right_embed(ids, wte, wpe):
    return wte[ids] + wpe[: ids.shape[1]]  # (B, T, C) + (T, C) -> (B, T, C)


ONE_ROW = (
    "every token gets the same row of wpe. The first needs row 0, the next row 1, and so on: "
    "wpe[:T] are the first T rows."
)
ONE_TOO_FEW = (
    "one row too few: a slice leaves out its end, so wpe[:T] are the rows 0 to T - 1. "
    "torch.arange leaves it out, too."
)

EMBED_MISTAKES = (
    Mistake(
        "no places",
        "the places are missing: these are the rows of wte alone. Add wpe[:T].",
        lambda ids, wte, wpe: wte[ids],
    ),
    Mistake(
        "whole table",
        "right only where there are as many tokens as rows in wpe. T tokens need its first T rows, "
        "wpe[:T].",
        lambda ids, wte, wpe: wte[ids] + wpe,
    ),
    Mistake(
        "places from one",
        "the first token got row 1 of wpe. Places are counted from 0.",
        lambda ids, wte, wpe: wte[ids] + wpe[torch.arange(ids.shape[1]) + 1],
    ),
    Mistake(
        "places by id",
        "wpe was asked for the tokens' ids. It has a row for each place: 0, 1, 2, ..., whatever "
        "stands there.",
        lambda ids, wte, wpe: wte[ids] + wpe[ids],
    ),
    Mistake(
        "one row too few",
        ONE_TOO_FEW,
        lambda ids, wte, wpe: wte[ids] + wpe[: ids.shape[1] - 1],
    ),
    Mistake(
        "one row too few, from 1",
        ONE_TOO_FEW,
        lambda ids, wte, wpe: wte[ids] + wpe[1 : ids.shape[1]],
    ),
    Mistake("one row, T", ONE_ROW, lambda ids, wte, wpe: wte[ids] + wpe[ids.shape[1]]),
    Mistake("one row, T - 1", ONE_ROW, lambda ids, wte, wpe: wte[ids] + wpe[ids.shape[1] - 1]),
    Mistake("one row, 0", ONE_ROW, lambda ids, wte, wpe: wte[ids] + wpe[0]),
    Mistake(
        "places of sentences",
        "the rows of wpe went to the sentences, not to the tokens in them. B is the first axis of "
        "ids, T the second: T = ids.shape[1].",
        lambda ids, wte, wpe: wte[ids] + wpe[: len(ids), None],
    ),
    Mistake(
        "B for T",
        "len(ids) is B, the number of sentences. The number of tokens in each is T = ids.shape[1].",
        lambda ids, wte, wpe: wte[ids] + wpe[: len(ids)],
    ),
    Mistake(
        "counted on",
        "the second sentence goes on counting where the first stopped. Each sentence begins at "
        "place 0.",
        lambda ids, wte, wpe: wte[ids] + wpe[torch.arange(ids.numel()).view(ids.shape)],
    ),
    Mistake(
        "backwards",
        "the places run backwards. The first token has place 0.",
        lambda ids, wte, wpe: wte[ids] + wpe[: ids.shape[1]].flip(0),
    ),
    Mistake(
        "tables swapped",
        "ids look up rows of wte, places those of wpe. Yours is the other way round.",
        lambda ids, wte, wpe: wpe[ids] + wte[: ids.shape[1]],
    ),
    Mistake(
        "side by side",
        "token and place stand side by side, which makes the vectors twice as long. Add them: C "
        "stays C.",
        lambda ids, wte, wpe: torch.cat(
            [wte[ids], wpe[: ids.shape[1]].expand(len(ids), -1, -1)], -1
        ),
    ),
    Mistake(
        "multiplied",
        "token and place are multiplied. GPT-2 adds them.",
        lambda ids, wte, wpe: wte[ids] * wpe[: ids.shape[1]],
    ),
    Mistake(
        "first sentence only",
        "only the first sentence is there. All B of them go through at once: wte[ids] takes ids of "
        "any shape.",
        lambda ids, wte, wpe: right_embed(ids, wte, wpe)[0],
    ),
    Mistake(
        "sentences joined",
        "the sentences have become one long row. Keep the three axes (B, T, C).",
        lambda ids, wte, wpe: right_embed(ids, wte, wpe).flatten(0, 1),
    ),
)


def right_count(vocab_size, block_size, n_embd):
    return vocab_size * n_embd + block_size * n_embd


COUNT_MISTAKES = (
    Mistake(
        "tokens only",
        "that is the token table alone. The places have a table too: block_size rows.",
        lambda vocab_size, block_size, n_embd: vocab_size * n_embd,
    ),
    Mistake(
        "places only",
        "that is the table of places alone. Add the token table: vocab_size rows.",
        lambda vocab_size, block_size, n_embd: block_size * n_embd,
    ),
    Mistake(
        "rows",
        "you counted rows. Each row has n_embd numbers.",
        lambda vocab_size, block_size, n_embd: vocab_size + block_size,
    ),
    Mistake(
        "all three added",
        "a table has rows times columns numbers, not rows plus columns.",
        lambda vocab_size, block_size, n_embd: vocab_size + block_size + n_embd,
    ),
    Mistake(
        "all three multiplied",
        "there is no row for each pair of token and place. Two tables: count each, then add.",
        lambda vocab_size, block_size, n_embd: vocab_size * block_size * n_embd,
    ),
    Mistake(
        "places have one number",
        "a place has a row of n_embd numbers too, or it could not be added to a token's.",
        lambda vocab_size, block_size, n_embd: vocab_size * n_embd + block_size,
    ),
    Mistake(
        "tokens have one number",
        "a token has a row of n_embd numbers too. Mind the brackets: (vocab_size + block_size) * "
        "n_embd.",
        lambda vocab_size, block_size, n_embd: vocab_size + block_size * n_embd,
    ),
    Mistake(
        "token table twice",
        "the token table is there once. (At station 5 the same numbers are used again, and are "
        "not counted again.)",
        lambda vocab_size, block_size, n_embd: (2 * vocab_size + block_size) * n_embd,
    ),
    Mistake(
        "bytes",
        "that is how many bytes they take, four each. How many numbers are they?",
        lambda vocab_size, block_size, n_embd: 4 * right_count(vocab_size, block_size, n_embd),
    ),
)


# ---- 3. Does order matter? ----


def _both(model, ids):
    """The logits (T, V) of ids as they are, and with all but the last the other way round."""
    turned = torch.cat([ids[:-1].flip(0), ids[-1:]])  # (T,)
    with torch.no_grad():
        return model(ids[None])[0], model(turned[None])[0]  # (T, V) each


def _differ(a, b):
    return not torch.allclose(a, b, rtol=1e-4, atol=1e-4)


def right_order(model, ids):
    one, other = _both(model, ids)
    return _differ(one[-1], other[-1])


def _all_turned(model, ids):
    with torch.no_grad():
        return _differ(model(ids[None])[0, -1], model(ids.flip(0)[None])[0, -1])


def _exactly(model, ids):
    one, other = _both(model, ids)
    return not torch.equal(one[-1], other[-1])


def _nearly_exactly(model, ids):
    one, other = _both(model, ids)
    return not torch.allclose(one[-1], other[-1])  # atol is 1e-8


def _top_token(model, ids):
    one, other = _both(model, ids)
    return (one[-1].argmax() != other[-1].argmax()).item()


TOO_SMALL = (
    "your tolerance is too small, or there is none. Added in another order, numbers are rounded "
    "otherwise: torch.allclose(one, other, atol=1e-4)."
)
OPPOSITE = "your answers are the opposite of the right ones. True is to mean: the logits differ."

# The first two before "every place": that function, too, says True where only rounding differs.
ORDER_MISTAKES = (
    Mistake("no rounding", TOO_SMALL, _exactly),
    Mistake("small tolerance", TOO_SMALL, _nearly_exactly),
    Mistake(
        "every place",
        "you compare the logits of all places. The earlier ones have read other tokens, so they "
        "differ in any model. Only the last has read the same ones: logits[0, -1].",
        lambda model, ids: _differ(*_both(model, ids)),
    ),
    Mistake(
        "first place",
        "you compare the logits at the first place, which has read one token only. Take the last: "
        "logits[0, -1].",
        lambda model, ids: _differ(*(logits[0] for logits in _both(model, ids))),
    ),
    Mistake(
        "last token turned too",
        "the last token is turned round too, so another token asks. Turn ids[:-1] round, and "
        "leave ids[-1] where it is.",
        _all_turned,
    ),
    Mistake(
        "top token only",
        "you compare the most probable token. The answer is a score for every token, and these may "
        "change while the top stays: compare all logits of the last place.",
        _top_token,
    ),
    Mistake("yes for no", OPPOSITE, lambda model, ids: not right_order(model, ids)),
    Mistake(
        "yes for no, no rounding",
        f"{OPPOSITE} And {TOO_SMALL}",
        lambda model, ids: not _exactly(model, ids),
    ),
    Mistake(
        "yes for no, small tolerance",
        f"{OPPOSITE} And {TOO_SMALL}",
        lambda model, ids: not _nearly_exactly(model, ids),
    ),
    Mistake(
        "never",
        "it always says False. Does the model get the turned ids the second time?",
        lambda model, ids: False,
    ),
    Mistake(
        "always",
        "it always says True. Are the two runs compared with each other, with some tolerance?",
        lambda model, ids: True,
    ),
)
