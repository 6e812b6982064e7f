"""gptlib.checks.embeddings: every mistake it claims to know is named, right answers are accepted
however they are written, and nothing that a student writes raises.
"""

import numpy as np
import pytest
import torch
from checks.check_rules import CheckRules

import gptlib
from gptlib.checks import embeddings
from gptlib.embeddings import PositionEmbedding, TokenEmbedding

# ---- Right answers, as different people write them ----


def lookup_by_comparing(ids, table):
    one_hot = (ids[:, None] == torch.arange(len(table))).to(table.dtype)
    return torch.matmul(one_hot, table)


def lookup_by_numpy(ids, table):
    return np.eye(len(table))[ids.numpy()] @ table.numpy()


def lookup_by_sums(ids, table):
    rows = []
    for id in ids:
        row = torch.zeros(table.shape[1])
        for k in range(len(table)):
            row += (1.0 if k == id else 0.0) * table[k]
        rows.append(row)
    return rows


def lookup_to_lists(ids, table):
    return [table[id].tolist() for id in ids]


def embed_by_loop(ids, wte, wpe):
    B, T = ids.shape
    x = torch.zeros(B, T, wte.shape[1], dtype=torch.float64)
    for b in range(B):
        for t in range(T):
            x[b, t] = wte[ids[b, t]] + wpe[t]
    return x


def embed_in_place(ids, wte, wpe):
    x = wte[ids]
    x += wpe[torch.arange(ids.size(1))]
    return x


def embed_by_numpy(ids, wte, wpe):
    ids, wte, wpe = ids.numpy(), wte.numpy(), wpe.numpy()
    return wte[ids] + wpe[None, : ids.shape[-1]]


def embed_by_gptlib(ids, wte, wpe):
    tokens, places = TokenEmbedding(*wte.shape), PositionEmbedding(*wpe.shape)
    tokens.weight.data, places.weight.data = wte, wpe
    return tokens(ids) + places(ids.shape[1])


def count_by_tensors(vocab_size, block_size, n_embd):
    return torch.tensor([vocab_size, block_size]).sum() * n_embd


def count_by_tables(vocab_size, block_size, n_embd):
    return np.int64(vocab_size * n_embd) + np.int64(block_size * n_embd)


def order_by_lists(model, ids):
    turned = torch.tensor(ids.tolist()[:-1][::-1] + ids.tolist()[-1:])
    one, other = model(ids.view(1, -1)), model(turned.view(1, -1))
    return bool((one[0, -1] - other[0, -1]).abs().max() > 1e-3)


def order_to_numpy(model, ids):
    turned = ids.clone()
    turned[:-1] = ids[:-1].flip(0)
    logits = model(torch.stack([ids, turned])).detach().numpy()[:, -1]
    return np.bool_(not np.allclose(logits[0], logits[1], atol=1e-4))


def order_to_tensor(model, ids):
    turned = torch.cat((torch.flip(ids[:-1], (0,)), ids[-1:]))
    probs = [torch.softmax(model(x[None])[:, -1], -1) for x in (ids, turned)]
    return (probs[0] - probs[1]).abs().max() > 1e-5


RIGHT = {
    embeddings.one_hot_lookup: [
        lookup_by_comparing,
        lookup_by_numpy,
        lookup_by_sums,
        lookup_to_lists,
    ],
    embeddings.embed: [embed_by_loop, embed_in_place, embed_by_numpy, embed_by_gptlib],
    embeddings.count_parameters: [count_by_tensors, count_by_tables],
    embeddings.order_matters: [order_by_lists, order_to_numpy, order_to_tensor],
}


# ---- Mistakes, as beginners write them: {name in the check: the code} ----


def hot(ids, table):
    return torch.nn.functional.one_hot(ids, len(table)).float()


def sum_of_rows(ids, table):
    total = torch.zeros(table.shape[1])
    for id in ids:
        total += table[id]
    return total


def last_row(ids, table):
    for id in ids:
        row = hot(id, table) @ table
    return row


def counts_from_one(ids, table):
    return torch.stack([table[id - 1] for id in ids])


def one_place_for_all(ids, wte, wpe, shift=0):
    T = ids.shape[1]
    return wte[ids] + wpe[T - shift]


def places_of_sentences(ids, wte, wpe):
    x = wte[ids]
    for b in range(len(ids)):
        x[b] += wpe[b]
    return x


def goes_on_counting(ids, wte, wpe):
    B, T = ids.shape
    flat = wte[ids.flatten()] + wpe[: B * T]
    return flat.view(B, T, -1)


def pairs_up(ids, wte, wpe):
    places = wpe[: ids.shape[1]].unsqueeze(0).repeat(len(ids), 1, 1)
    return torch.cat((wte[ids], places), dim=2)


def first_only(ids, wte, wpe):
    return torch.stack([wte[id] + wpe[t] for t, id in enumerate(ids[0])])


def one_long_row(ids, wte, wpe):
    return torch.stack([wte[id] + wpe[t] for row in ids for t, id in enumerate(row)])


def both_ways(model, ids):
    turned = ids.clone()
    turned[:-1] = ids[:-1].flip(0)
    return model(ids[None]).detach(), model(turned[None]).detach()  # (1, T, V) each


def compares(where):
    """The exercise, with the comparison at another place."""

    def order_matters(model, ids):
        one, other = both_ways(model, ids)
        return not torch.allclose(one[where], other[where], atol=1e-3)

    return order_matters


def flips_all(model, ids):
    one, other = model(ids[None])[0, -1], model(torch.flip(ids, (0,))[None])[0, -1]
    return not torch.allclose(one, other, atol=1e-3)


def asks_for_equality(model, ids):
    one, other = both_ways(model, ids)
    return bool((one[0, -1] != other[0, -1]).any())


def compares_the_best(model, ids):
    one, other = both_ways(model, ids)
    return int(one[0, -1].argmax()) != int(other[0, -1].argmax())


def says_whether_equal(model, ids):
    one, other = both_ways(model, ids)
    return torch.allclose(one[0, -1], other[0, -1], atol=1e-3)


def allclose_as_it_comes(model, ids):
    one, other = both_ways(model, ids)
    return not np.allclose(one[0, -1].numpy(), other[0, -1].numpy())


def forgets_the_turned(model, ids):
    one, other = model(ids[None])[0, -1], model(ids[None])[0, -1]
    return not torch.allclose(one, other)


WRONG = {
    embeddings.one_hot_lookup: {
        "sides swapped": lambda ids, table: torch.matmul(table, hot(ids, table)),
        "number by number": lambda ids, table: table * hot(ids, table),
        "one-hot turned": lambda ids, table: hot(ids, table).transpose(0, 1) @ table,
        "table turned": lambda ids, table: hot(ids, table) @ table.t(),
        "result turned": lambda ids, table: table.T @ hot(ids, table).T,
        "one-hot itself": hot,
        "added up": sum_of_rows,
        "one token only": last_row,
        "one row too high": counts_from_one,
        "rounded": lambda ids, table: hot(ids, table).int() @ table.int(),
    },
    embeddings.embed: {
        "no places": lambda ids, wte, wpe: wte[ids],
        "whole table": lambda ids, wte, wpe: wte[ids] + wpe[None],
        "places from one": lambda ids, wte, wpe: wte[ids] + wpe[1 : ids.shape[1] + 1],
        "places by id": lambda ids, wte, wpe: wte[ids] + wpe[ids],
        "one row too few": lambda ids, wte, wpe: wte[ids] + wpe[0 : ids.shape[1] - 1],
        "one row too few, from 1": lambda ids, wte, wpe: (
            wte[ids] + wpe[torch.arange(1, ids.shape[1])]
        ),
        "one row, T": one_place_for_all,
        "one row, T - 1": lambda ids, wte, wpe: one_place_for_all(ids, wte, wpe, shift=1),
        "one row, 0": lambda ids, wte, wpe: wte[ids] + wpe[:1],
        "places of sentences": places_of_sentences,
        "B for T": lambda ids, wte, wpe: wte[ids] + wpe[torch.arange(len(ids))],
        "counted on": goes_on_counting,
        "backwards": lambda ids, wte, wpe: (
            wte[ids] + torch.stack([wpe[t] for t in range(ids.shape[1] - 1, -1, -1)])
        ),
        "tables swapped": lambda ids, wte, wpe: wpe[ids] + wte[: ids.size(1)],
        "side by side": pairs_up,
        "multiplied": lambda ids, wte, wpe: wpe[: ids.shape[1]] * wte[ids],
        "first sentence only": first_only,
        "sentences joined": one_long_row,
    },
    embeddings.count_parameters: {
        "tokens only": lambda vocab_size, block_size, n_embd: n_embd * vocab_size,
        "places only": lambda vocab_size, block_size, n_embd: n_embd * block_size,
        "rows": lambda vocab_size, block_size, n_embd: block_size + vocab_size,
        "all three added": lambda *sizes: sum(sizes),
        "all three multiplied": lambda *sizes: int(np.prod(sizes)),
        "places have one number": lambda V, limit, C: V * C + limit,
        "tokens have one number": lambda V, limit, C: V + limit * C,
        "token table twice": lambda V, limit, C: V * C + limit * C + C * V,
        "bytes": lambda V, limit, C: (V + limit) * C * 4,
    },
    embeddings.order_matters: {
        "no rounding": asks_for_equality,
        "small tolerance": allclose_as_it_comes,
        "every place": compares(...),
        "first place": compares((0, 0)),
        "last token turned too": flips_all,
        "top token only": compares_the_best,
        "yes for no": says_whether_equal,
        "yes for no, no rounding": lambda model, ids: not asks_for_equality(model, ids),
        "yes for no, small tolerance": lambda model, ids: not allclose_as_it_comes(model, ids),
        "never": forgets_the_turned,
        "always": lambda model, ids: True,
    },
}
KNOWN = {
    embeddings.one_hot_lookup: embeddings.LOOKUP_MISTAKES,
    embeddings.embed: embeddings.EMBED_MISTAKES,
    embeddings.count_parameters: embeddings.COUNT_MISTAKES,
    embeddings.order_matters: embeddings.ORDER_MISTAKES,
}


class TestChecks(CheckRules):
    right, wrong, known = RIGHT, WRONG, KNOWN


# ---- Whatever a student writes ----


@pytest.mark.parametrize(
    "check,answer,said",
    [
        (embeddings.one_hot_lookup, lambda ids, table: "rows", "a tensor (or array"),
        (embeddings.count_parameters, lambda V, limit, C: [V * C], "a whole number was expected"),
        (embeddings.count_parameters, lambda V, limit, C: 0.5, "a whole number was expected"),
        (embeddings.count_parameters, lambda V, limit, C: np.nan, "a whole number was expected"),
        (embeddings.order_matters, lambda model, ids: "yes", "True or False was expected"),
        (embeddings.order_matters, lambda model, ids: model(ids[None]), "True or False"),
    ],
)
def test_a_result_of_the_wrong_kind_is_said_to_be_so(check, answer, said, capsys):
    assert not check(answer)
    assert said in capsys.readouterr().out


def test_a_table_that_is_changed_is_noticed(capsys):
    def changes(ids, wte, wpe):
        wte += 1
        return wte[ids] + wpe[: ids.shape[1]] - 1

    assert not embeddings.embed(changes)
    said = capsys.readouterr().out
    assert "has changed its input: it is [[1.660, 1.270]," in said and "Work on a copy" in said


def test_an_error_that_no_mistake_makes_has_no_name(capsys):
    def misspelt(ids, table):
        return one_hott @ table  # noqa: F821

    assert embeddings.one_hot_lookup(misspelt).mistake == "stopped"
    assert "NameError" in capsys.readouterr().out


def test_the_one_hot_of_bools_is_told_by_torch(capsys):
    assert not embeddings.one_hot_lookup(lambda ids, t: (hot(ids, t) > 0) @ t)
    assert "stops with RuntimeError" in capsys.readouterr().out


def test_a_model_stands_on_one_line_in_the_verdict(capsys):
    assert not embeddings.order_matters(lambda model, ids: False)
    second = capsys.readouterr().out.splitlines()[1]
    assert second.startswith("  <lambda>(<1 layer, with positions>, [5, 3, 8,")


@pytest.mark.parametrize("atol", (0, 1e-8, 1e-7, 1e-6))
def test_any_tolerance_that_is_too_small_is_called_so(atol, capsys):
    def order_matters(model, ids):
        one, other = both_ways(model, ids)
        return bool((one[0, -1] - other[0, -1]).abs().max() > atol)

    assert not embeddings.order_matters(order_matters)
    assert "your tolerance is too small" in capsys.readouterr().out


def test_v_times_b_plus_c_is_no_mistake_with_a_name():
    """It was once taken for the token table twice: the two agreed on the first shape."""
    assert not embeddings.count_parameters(lambda V, limit, C: V * limit + C).mistake


def test_the_sums_of_the_model_that_adds_up_differ_by_rounding():
    for ids, size in ((embeddings.NEXT_TO_ZERO, 0), (embeddings.LARGE, -80)):
        turned = (*ids[:-1][::-1], ids[-1])
        one, other = embeddings.AddsUp()(torch.tensor([ids, turned]))[:, -1, ids[0]]
        assert 3e-6 < abs(one - other) < 1e-5 and abs(one - size) < 1e-4


# ---- The models of exercise 3 are what they are called ----


def logits_both_ways(model, ids):
    ids = torch.tensor(ids)
    one, other = both_ways(model, ids)
    return one[0, -1], other[0, -1]


def test_one_layer_without_positions_is_blind_to_order_but_for_rounding():
    for seed in range(3):
        one, other = logits_both_ways(embeddings.small_model(1, False, seed), embeddings.LONG)
        assert torch.allclose(one, other, atol=1e-5)
    one, other = logits_both_ways(embeddings.CountsWords(), embeddings.SHORT)
    assert torch.equal(one, other)


def test_two_layers_see_order_without_positions_and_one_layer_with_them():
    for n_layer, positions in ((2, False), (1, True), (2, True)):
        model = embeddings.small_model(n_layer, positions)
        one, other = logits_both_ways(model, embeddings.LONG)
        assert (one - other).abs().max() > 0.05


def test_gptlibs_own_tables_count_as_the_check_counts():
    config = gptlib.GPTConfig(vocab_size=11, block_size=8, n_layer=1, n_head=1, n_embd=4)
    model = gptlib.GPT(config, seed=0)
    assert embeddings.right_count(11, 8, 4) == model.wte.weight.numel() + model.wpe.weight.numel()
