"""gptlib.checks.embeddings: wrong answers are told what is so of them, right answers are accepted
however they are written, and nothing that a student writes raises.
"""

import numpy as np
import pytest
import torch

import gptlib
from checks.mutants import Case
from checks.rules import CheckRules
from gptlib.checks import embeddings
from gptlib.embeddings import PositionEmbedding, TokenEmbedding

# ---- Right answers, as different people write them ----


def lookup_by_lesson(one_hot, table):
    return one_hot @ table


def lookup_by_sums(one_hot, table):
    rows = []
    for numbers in one_hot:
        row = torch.zeros(table.shape[1])
        for k in range(len(table)):
            row += numbers[k] * table[k]
        rows.append(row)
    return rows


def lookup_by_numpy(one_hot, table):
    return np.matmul(one_hot.numpy(), table.numpy())


def lookup_to_lists(one_hot, table):
    return torch.einsum("tv,vc->tc", one_hot, table).tolist()


def lookup_by_broadcasting(one_hot, table):
    return (one_hot[:, :, None] * table).sum(dim=1)


def nearest_by_lesson(table, id, k):
    word = table[id]
    similarity = table @ word / (table.norm(dim=1) * word.norm())
    similarity[id] = -2
    return similarity.topk(k).indices


def nearest_by_loop(table, id, k):
    cosines = {}
    for other in range(len(table)):
        if other != id:
            lengths = table[other].norm() * table[id].norm()
            cosines[other] = (table[other] @ table[id] / lengths).item()
    return sorted(cosines, key=cosines.get, reverse=True)[:k]


def nearest_by_units(table, id, k):
    units = torch.nn.functional.normalize(table, dim=1)
    order = (units @ units[id]).argsort(descending=True).tolist()
    order.remove(id)
    return order[:k]


def nearest_by_numpy(table, id, k):
    table = table.numpy()
    similarity = table @ table[id] / np.linalg.norm(table, axis=1)
    similarity[id] = -np.inf
    return np.argsort(-similarity)[:k]


def embed_by_lesson(ids, wte, wpe):
    what = wte[ids]
    where = wpe[: ids.shape[1]]
    return what + where


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


def count_by_lesson(vocab_size, block_size, n_embd):
    return (vocab_size + block_size) * n_embd


def count_by_tensors(vocab_size, block_size, n_embd):
    return torch.tensor([vocab_size, block_size]).sum() * n_embd


def count_by_tables(vocab_size, block_size, n_embd):
    return np.int64(vocab_size * n_embd) + np.int64(block_size * n_embd)


def order_by_lesson(model, ids):
    turned = torch.cat([ids[:-1].flip(0), ids[-1:]])
    with torch.no_grad():
        one, other = model(torch.stack([ids, turned]))[:, -1]
    return not torch.allclose(one, other, atol=1e-4)


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


# ---- Mistakes, as beginners write them: {name in the check: the code} ----


def ids_of(one_hot):
    return one_hot.argmax(dim=1)


def last_row(one_hot, table):
    for numbers in one_hot:
        row = numbers @ table
    return row


def removes_the_row(table, id, k):
    others = torch.cat([table[:id], table[id + 1 :]])
    return torch.cosine_similarity(others, table[id][None]).topk(k).indices


def of_cosines(choose):
    """The exercise, with another choice from the cosines (V,), of which the word's own is -2."""

    def nearest_words(table, id, k):
        similarity = torch.cosine_similarity(table, table[id][None])
        similarity[id] = -2
        return choose(similarity, id, k)

    return nearest_words


def zeroed(similarity, id, k):
    similarity[id] = 0
    return similarity.topk(k).indices


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


def keeps_the_first(model, ids):
    turned = torch.cat((ids[:1], torch.flip(ids[1:], (0,))))
    return not torch.allclose(model(ids[None])[0, -1], model(turned[None])[0, -1], atol=1e-4)


def of_both(reduced, tolerance=1e-4):
    """The exercise, comparing what `reduced` makes of the logits (V,) at the last place."""

    def order_matters(model, ids):
        one, other = (reduced(logits[0, -1].double()) for logits in both_ways(model, ids))
        return not torch.allclose(one, other, atol=tolerance)

    return order_matters


# ---- Random inputs that the exercises allow ----


def table(dice, n_rows, n_embd):
    generator = torch.Generator().manual_seed(dice.randrange(2**30))
    return torch.randn(n_rows, n_embd, generator=generator)


def random_lookup(dice):
    n = dice.choice((1, 2, 5, 9, 300))
    given = table(dice, n, dice.randint(1, 5))
    if dice.random() < 0.3:
        return table(dice, dice.randint(1, 6), n).softmax(dim=1), given
    ids = [dice.randrange(n) for _ in range(dice.randint(1, 6))]
    return torch.nn.functional.one_hot(torch.tensor(ids), n).float(), given


def random_nearest(dice):
    n = dice.choice((2, 3, 6, 40))
    return table(dice, n, dice.randint(2, 5)), dice.randrange(n), dice.randint(1, min(4, n - 1))


def random_embed(dice):
    B, T, n, C = (dice.randint(1, 5) for _ in range(4))
    ids = [[dice.randrange(n) for _ in range(T)] for _ in range(B)]
    return torch.tensor(ids), table(dice, n, C), table(dice, T + dice.randint(0, 4), C)


def random_order(dice):
    models = [*embeddings.order_models().values()]
    models += [embeddings.small_model(1, dice.random() < 0.5, seed) for seed in (1, 2)]
    ids = [dice.randrange(embeddings.V) for _ in range(dice.randint(1, 9))]
    return dice.choice(models), torch.tensor(ids)


LOOKUP = Case(
    embeddings.one_hot_lookup,
    right=[
        lookup_by_lesson,
        lookup_by_sums,
        lookup_by_numpy,
        lookup_to_lists,
        lookup_by_broadcasting,
    ],
    slips={
        "sides swapped": lambda one_hot, table: torch.matmul(table, one_hot),
        "index": lambda one_hot, table: table[ids_of(one_hot)],
        "index of what is not 0": lambda one_hot, table: table[one_hot.nonzero()[:, 1]],
        "number by number": lambda one_hot, table: table * one_hot,
        "one-hot turned": lambda one_hot, table: one_hot.transpose(0, 1) @ table,
        "table turned": lambda one_hot, table: one_hot @ table.t(),
        "result turned": lambda one_hot, table: table.T @ one_hot.T,
        "one-hot itself": lambda one_hot, table: one_hot,
        "added up": lambda one_hot, table: (one_hot @ table).sum(0),
        "one token only": last_row,
        "one row too high": lambda one_hot, table: table[ids_of(one_hot) - 1],
        "rounded": lambda one_hot, table: one_hot.int() @ table.int(),
        "sorted": lambda one_hot, table: table[ids_of(one_hot).sort().values],
        "each id once": lambda one_hot, table: table[ids_of(one_hot).unique()],
        "the first rows": lambda one_hot, table: table[: len(one_hot)],
        "columns": lambda one_hot, table: table[:, ids_of(one_hot) % table.shape[1]].T,
        "mean of the row": lambda one_hot, table: (one_hot @ table).mean(1),
    },
    fuzz=random_lookup,
)
NEAREST = Case(
    embeddings.nearest_words,
    right=[nearest_by_lesson, nearest_by_loop, nearest_by_units, nearest_by_numpy],
    slips={
        "dot product": lambda table, id, k: [
            other for other in (table @ table[id]).argsort(descending=True).tolist() if other != id
        ][:k],
        "word itself": lambda table, id, k: torch.cosine_similarity(table, table[id][None]).argsort(
            descending=True
        )[:k],
        "distance": lambda table, id, k: torch.cdist(table[id][None], table)[0].argsort()[1:][:k],
        "least similar": lambda table, id, k: (
            torch.cosine_similarity(table, table[id][None]).topk(k, largest=False).indices
        ),
        "row removed": removes_the_row,
        "its own set to 0": of_cosines(zeroed),
        "not by size": of_cosines(lambda cosines, id, k: cosines.abs().topk(k).indices),
        "the best only": of_cosines(lambda cosines, id, k: [cosines.argmax()]),
        "one too many": of_cosines(lambda cosines, id, k: cosines.topk(k + 1).indices),
        "smallest of the best first": of_cosines(
            lambda cosines, id, k: cosines.topk(k).indices.flip(0)
        ),
        "sorted ids": of_cosines(lambda cosines, id, k: cosines.topk(k).indices.sort().values),
        "the first k": of_cosines(lambda cosines, id, k: range(k)),
        "the cosines": of_cosines(lambda cosines, id, k: cosines.topk(k).values),
        "the words next in the table": lambda table, id, k: [
            (id + n) % len(table) for n in range(1, k + 1)
        ],
        "the best k times": of_cosines(lambda cosines, id, k: [cosines.argmax()] * k),
        "one length too many": lambda table, id, k: (
            table @ table[id] / (table.norm(dim=1) ** 2)
        ).argsort(descending=True)[:k],
    },
    fuzz=random_nearest,
)
EMBED = Case(
    embeddings.embed,
    right=[embed_by_lesson, embed_by_loop, embed_in_place, embed_by_numpy, embed_by_gptlib],
    slips={
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
        "places only": lambda ids, wte, wpe: wpe[: ids.shape[1]].expand(len(ids), -1, -1),
        "the place's number": lambda ids, wte, wpe: wte[ids] + torch.arange(ids.shape[1])[:, None],
        "the mean of the two": lambda ids, wte, wpe: (wte[ids] + wpe[: ids.shape[1]]) / 2,
    },
    fuzz=random_embed,
)
COUNT = Case(
    embeddings.count_parameters,
    right=[count_by_lesson, count_by_tensors, count_by_tables],
    slips={
        "tokens only": lambda vocab_size, block_size, n_embd: n_embd * vocab_size,
        "places only": lambda vocab_size, block_size, n_embd: n_embd * block_size,
        "rows": lambda vocab_size, block_size, n_embd: block_size + vocab_size,
        "all three added": lambda *sizes: sum(sizes),
        "all three multiplied": lambda *sizes: int(np.prod(sizes)),
        "places have one number": lambda V, limit, C: V * C + limit,
        "tokens have one number": lambda V, limit, C: V + limit * C,
        "token table twice": lambda V, limit, C: V * C + limit * C + C * V,
        "bytes": lambda V, limit, C: (V + limit) * C * 4,
        "V for C": lambda V, limit, C: V * limit + C,
        "a bias": lambda V, limit, C: (V + limit) * C + C,
        "gpt2's": lambda V, limit, C: 39_383_808,
        "one row more": lambda V, limit, C: (V + limit + 1) * C,
        "in millions": lambda V, limit, C: (V + limit) * C // 10**6,
    },
    fuzz=lambda dice: tuple(dice.randint(1, 2000) for _ in range(3)),
)
ORDER = Case(
    embeddings.order_matters,
    right=[order_by_lesson, order_by_lists, order_to_numpy, order_to_tensor],
    slips={
        "no rounding": asks_for_equality,
        "small tolerance": allclose_as_it_comes,
        "every place": compares(...),
        "first place": compares((0, 0)),
        "last token turned too": flips_all,
        "first token kept": keeps_the_first,
        "top token only": compares_the_best,
        "means": of_both(torch.mean),
        "sums": of_both(torch.sum),
        "norms": of_both(torch.norm),
        "largest": of_both(torch.max),
        "sorted": of_both(lambda logits: logits.sort().values),
        "the first logit": of_both(lambda logits: logits[0]),
        "large tolerance": of_both(lambda logits: logits, tolerance=0.1),
        "without abs": lambda model, ids: bool(
            (torch.sub(*both_ways(model, ids))[0, -1] > 1e-4).any()
        ),
        "without abs, turned": lambda model, ids: bool(
            (torch.sub(*both_ways(model, ids))[0, -1] < -1e-4).any()
        ),
        "all of them": lambda model, ids: bool(
            (torch.sub(*both_ways(model, ids))[0, -1].abs() > 1e-4).all()
        ),
        "the ids": lambda model, ids: ids[:-1].tolist() != ids[:-1].flip(0).tolist(),
        "yes for no": says_whether_equal,
        "yes for no, no rounding": lambda model, ids: not asks_for_equality(model, ids),
        "yes for no, small tolerance": lambda model, ids: not allclose_as_it_comes(model, ids),
        "never": forgets_the_turned,
        "always": lambda model, ids: True,
    },
    fuzz=random_order,
    mutated=[order_by_lesson, order_by_lists],
)


class TestChecks(CheckRules):
    cases = {
        embeddings.one_hot_lookup: LOOKUP,
        embeddings.nearest_words: NEAREST,
        embeddings.embed: EMBED,
        embeddings.count_parameters: COUNT,
        embeddings.order_matters: ORDER,
    }


# ---- Whatever a student writes ----


@pytest.mark.parametrize("kind", (torch.bfloat16, torch.float16, torch.float64))
def test_rows_of_any_kind_of_number_are_right(kind):
    assert embeddings.one_hot_lookup(lambda one_hot, table: one_hot.to(kind) @ table.to(kind))
    assert embeddings.embed(lambda ids, wte, wpe: wte.to(kind)[ids] + wpe.to(kind)[: ids.shape[1]])


@pytest.mark.parametrize(
    "check,answer,said",
    [
        (embeddings.one_hot_lookup, lambda one_hot, table: "rows", "a tensor (or array"),
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
    assert "changes its input: it is [[1.1, 0.8], [2.1, -0.2]," in said and "Work on a copy" in said


def test_an_index_where_a_product_was_asked_for_is_told_what_it_leaves_out(capsys):
    verdict = embeddings.one_hot_lookup(lambda one_hot, table: table[one_hot.argmax(dim=1)])
    assert verdict.mistake == "index" and verdict.property == embeddings.MIXES
    seen = "row 0 of one_hot is [0, 0.5, 0.5, 0], and it gets row 1 of the table; its product with "
    assert verdict.observation == seen + "the table is [1.6, -1.7, 1.8]"


def test_no_two_cosines_of_an_input_are_so_close_that_rounding_decides():
    for table, id, k in embeddings.nearest_words.given:
        cosines = torch.cosine_similarity(table.double(), table[id][None].double())
        cosines[id] = -2
        best = cosines.topk(min(k + 1, len(table))).values
        assert (best[:-1] - best[1:]).min() > 1e-3


def test_a_missing_neighbour_is_named_with_its_cosine():
    verdict = embeddings.nearest_words(lambda table, id, k: [3])
    assert verdict.observation == "2 (cosine 0.8) is missing, and 3 (cosine 0) is listed"


def test_an_error_that_no_mistake_makes_has_no_name(capsys):
    def misspelt(one_hot, table):
        return one_hott @ table  # noqa: F821

    assert embeddings.one_hot_lookup(misspelt).mistake == "stopped"
    assert "NameError" in capsys.readouterr().out


def test_the_one_hot_of_bools_is_told_by_torch(capsys):
    assert not embeddings.one_hot_lookup(lambda one_hot, table: (one_hot > 0) @ table)
    assert "stops with RuntimeError" in capsys.readouterr().out


def test_a_model_is_one_line_in_the_verdict(capsys):
    assert not embeddings.order_matters(lambda model, ids: False)
    said = capsys.readouterr().out.splitlines()
    assert said[1] == "  <lambda>(<adds up the positions of each token>, [1, 2, 3])"


@pytest.mark.parametrize("atol", (0, 1e-8, 1e-7, 1e-6))
def test_any_tolerance_that_is_too_small_is_told_the_rounding(atol, capsys):
    def order_matters(model, ids):
        one, other = both_ways(model, ids)
        return bool((one[0, -1] - other[0, -1]).abs().max() > atol)

    verdict = embeddings.order_matters(order_matters)
    assert verdict.property.endswith("(False) where they are equal but for rounding.")
    assert "differ by no more than 3.81e-06, and you say True" in verdict.observation


@pytest.mark.parametrize("tolerance", (1e-2, 1e-3, 1e-5))
def test_any_sensible_tolerance_is_right(tolerance, capsys):
    assert embeddings.order_matters(of_both(lambda logits: logits, tolerance))


@pytest.mark.parametrize("reduced", (torch.mean, torch.sum, torch.norm))
def test_means_sums_and_norms_may_stay_where_logits_change(reduced, capsys):
    verdict = embeddings.order_matters(of_both(reduced))
    seen = "the logits after [1, 2, 3] and after [2, 1, 3] differ by up to 1, and you say False"
    assert verdict.observation == seen and not verdict.mistake


def test_who_keeps_the_first_token_is_told_that_and_not_the_opposite(capsys):
    verdict = embeddings.order_matters(keeps_the_first)
    assert verdict.mistake == "first token kept"
    assert "put ids[-1:] after it" in capsys.readouterr().out


def test_v_times_b_plus_c_is_no_mistake_with_a_name():
    """It was once taken for the token table twice: the two agreed on the first shape."""
    assert not embeddings.count_parameters(lambda V, limit, C: V * limit + C).mistake


def test_a_vector_with_the_place_of_a_different_token_is_told_so():
    verdict = embeddings.embed(lambda ids, wte, wpe: wte[ids] + wpe[0])
    seen = "the id 0 at position 1 of text 0 has its row of wte plus row 0 of wpe"
    assert verdict.observation == seen


def test_the_sums_of_the_model_that_adds_up_differ_by_rounding():
    model = embeddings.order_models()["rounding"]
    for ids, size in ((embeddings.NEXT_TO_ZERO, 0), (embeddings.LARGE, -80)):
        turned = (*ids[:-1][::-1], ids[-1])
        one, other = model(torch.tensor([ids, turned]))[:, -1, 0]
        assert 3e-6 < abs(one - other) < 1e-5 and abs(one - size) < 1e-4


# ---- The models of `order_matters` are what they are called ----


def logits_both_ways(model, ids):
    ids = torch.tensor(ids)
    one, other = both_ways(model, ids)
    return one[0, -1], other[0, -1]


def test_one_layer_without_positions_is_blind_to_order_but_for_rounding():
    for seed in range(3):
        one, other = logits_both_ways(embeddings.small_model(1, False, seed), embeddings.LONG)
        assert torch.allclose(one, other, atol=1e-5)
    one, other = logits_both_ways(embeddings.order_models()["counts"], embeddings.SHORT)
    assert torch.equal(one, other)


def test_two_layers_see_order_without_positions_and_one_layer_with_them():
    for n_layer, positions in ((2, False), (1, True), (2, True)):
        model = embeddings.small_model(n_layer, positions)
        one, other = logits_both_ways(model, embeddings.LONG)
        assert (one - other).abs().max() > 0.05


def test_gptlibs_own_tables_count_as_the_check_counts():
    config = gptlib.GPTConfig(vocab_size=11, block_size=8, n_layer=1, n_head=1, n_embd=4)
    model = gptlib.GPT(config, seed=0)
    assert (
        embeddings.count_parameters.right(11, 8, 4)
        == model.wte.weight.numel() + model.wpe.weight.numel()
    )
