"""What lesson 02 claims in words: in its questions, its replies and its folded-away numbers."""

import json
import re
from itertools import combinations
from pathlib import Path

import pytest
import torch

import gptlib
from gptlib import plots, widgets

NOTEBOOK = Path(__file__).resolve().parent.parent / "notebooks" / "02_embeddings.ipynb"
COLOURS = ("red", "blue", "green", "yellow")


def prose():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


@pytest.fixture(scope="module")
def start():
    """The pets model before its first step."""
    return gptlib.load("pets", step=0)[0]


def cosines(model, tokenizer, words):
    """Of each two of the words."""
    ids = [id for word in words for id in tokenizer.encode(" " + word)]
    assert len(ids) == len(words), "one token each"
    table = plots.cosines(model.wte.weight[ids])
    return torch.tensor([table[a, b] for a, b in combinations(range(len(ids)), 2)])


def test_the_ids_are_those_that_lesson_01_leaves(pets):
    _, tokenizer = pets
    assert tokenizer.encode("The cat is") == [260, 283, 268]
    assert 283 - 268 == 15 and len(b"The cat is") == 10


def test_words_that_can_stand_for_each_other_come_together_in_training(pets, start):
    model, tokenizer = pets
    for words in (COLOURS, ("cat", "dog", "bird"), ("sofa", "roof", "bed")):
        before, after = (cosines(m, tokenizer, words).mean() for m in (start, model))
        assert abs(before) < 0.25 and after > before + 0.2


def test_blue_and_grey_are_alike_by_luck_first_and_by_training_last(pets):
    _, tokenizer = pets
    found = {}
    for step in (0, 30, 5000):
        model, _ = gptlib.load("pets", step=step)
        found[step] = cosines(model, tokenizer, ("grey", "blue", *COLOURS[2:], "red"))[:4]
    assert found[0][0] > 0.3 and found[30][0] < 0
    assert found[5000].argmax() == 0 and found[5000][0] > 0.4


def test_before_training_cosines_are_0_give_or_take_an_eighth(start):
    table = torch.tensor(plots.cosines(start.wte.weight))
    each_two = table[*torch.triu_indices(*table.shape, 1)]
    assert abs(each_two.mean()) < 0.01 and round(each_two.std().item(), 2) == 0.13


def test_the_explorers_numbers_are_those_folded_away(pets):
    _, tokenizer = pets
    text = gptlib.corpora.load("pets").train[:300_000]
    used = torch.tensor(tokenizer.encode(text, allowed_special="all")).unique()
    steps = gptlib.load_history("pets").steps
    models = {step: gptlib.load("pets", step=step)[0] for step in steps}
    explorer = widgets.embedding_explorer(models, tokenizer, "red", ids=used)

    def near(word, step):
        explorer.word.value, explorer.step.value = word, steps.index(step)
        return [(explorer.words[place], f"{cosine:.2f}") for place, cosine in explorer.near()]

    others = {f"␣{word}" for word in COLOURS[1:]}
    first = next(s for s in steps if {name for name, _ in near("red", s)[:3]} == others)
    then, last = near("red", first)[0][1], near("red", steps[-1])[0][1]
    name, cosine = near("blue", steps[-1])[0]
    folded = re.search(r"<details>.*?</details>", prose(), re.DOTALL)[0]
    assert f"1: step {first}. 2: {then}, and {last}:" in folded
    assert f"3: {cosine}, to `{name}`." in folded


def test_places_that_are_neighbours_are_alike_after_training_only(pets, start):
    model, _ = pets
    assert plots.cosines(model.wpe.weight).diagonal(1).mean() > 0.8
    assert abs(plots.cosines(start.wpe.weight).diagonal(1).mean()) < 0.1


def test_a_rotation_changes_no_cosine(pets):
    model, _ = pets
    table = model.wte.weight.detach()
    turn, _ = torch.linalg.qr(torch.randn(64, 64, generator=torch.Generator().manual_seed(0)))
    assert abs(plots.cosines(table @ turn) - plots.cosines(table)).max() < 1e-4


def test_without_positions_one_layer_cannot_do_better_than_ln_2():
    """For any weights: (a, b, ?) and (b, a, ?) get the same logits, so one of two is wrong."""
    config = gptlib.GPTConfig(5, 3, n_layer=1, n_head=1, n_embd=16)
    model = gptlib.ablate(gptlib.GPT(config, seed=0), "positions")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(20)
        one, other = model(torch.tensor([[0, 1, 4], [1, 0, 4]]))[:, -1]
    assert torch.allclose(one, other, atol=1e-3)
