"""What lesson 02 claims in words: in its questions, its replies and its folded-away numbers."""

import copy
import json
import re
from itertools import combinations
from pathlib import Path

import pytest
import torch

import gptlib
from gptlib import plots, widgets
from gptlib.training import evaluate, evaluation_rows

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "02_embeddings.ipynb"
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
    assert found[0][0] > 0.3 and f"at step 30 it is {found[30][0]:.2f}".replace("-", "−") in prose()
    assert found[5000].argmax() == 0 and found[5000][0] > 0.4


def test_grey_is_like_bed_too_and_what_the_stories_say_of_both(pets):
    model, tokenizer = pets
    assert f"`bed`, {cosines(model, tokenizer, ('grey', 'bed'))[0]:.2f}," in prose()
    text = gptlib.corpora.load("pets").train[:300_000]
    for word in ("grey", "bed"):
        assert set(re.findall(rf" {word}\b(.)", text)) == {"."}
    assert set(re.findall(r"The sky (?:is|was) (\w+)", text)) == {"blue", "grey"}


def test_colours_are_told_apart_and_are_still_well_above_0(pets):
    found = cosines(*pets, COLOURS)
    assert found.min() > 0.25 and found.max() < 0.6


def test_before_training_cosines_are_seldom_beyond_3_tenths(start):
    table = torch.tensor(plots.cosines(start.wte.weight))
    each_two = table[*torch.triu_indices(*table.shape, 1)]
    assert abs(each_two.mean()) < 0.01 and (abs(each_two) > 0.3).double().mean() < 0.02


def test_a_probe_reads_token_and_place_before_training_too(pets, start):
    _, tokenizer = pets
    text = gptlib.corpora.load("pets").train[:300_000]
    used = torch.tensor(tokenizer.encode(text, allowed_special="all")).unique()  # (N,)
    x = (start.wte.weight[used, None] + start.wpe(32)).flatten(0, 1).double().detach()
    x = torch.cat([x, torch.ones(len(x), 1)], 1)  # (N * 32, C + 1)
    mixed = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    fit, ask = mixed.split([len(x) * 4 // 5, len(x) - len(x) * 4 // 5])
    places = torch.arange(len(x)) % 32
    for truth in (places, (torch.arange(len(x)) - places) // 32):
        wanted = torch.nn.functional.one_hot(truth).double()
        probe = torch.linalg.lstsq(x[fit], wanted[fit]).solution
        assert ((x[ask] @ probe).argmax(1) == truth[ask]).double().mean() > 0.99


def test_the_explorers_numbers_are_those_folded_away(pets):
    _, tokenizer = pets
    text = gptlib.corpora.load("pets").train[:300_000]
    used = torch.tensor(tokenizer.encode(text, allowed_special="all")).unique()
    steps = gptlib.load_history("pets").steps
    models = {step: gptlib.load("pets", step=step)[0] for step in steps}
    explorer = widgets.embedding_explorer(models, tokenizer, "red", ids=used)

    def near(word, step):
        explorer.word, explorer.step = word, steps.index(step)
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


def test_the_model_does_notice_a_rotation(pets):
    model, tokenizer = pets
    turned = copy.deepcopy(model)
    turn, _ = torch.linalg.qr(torch.randn(64, 64, generator=torch.Generator().manual_seed(0)))
    with torch.no_grad():
        for table in (turned.wte.weight, turned.wpe.weight):
            table.copy_(table @ turn)
    held = gptlib.corpora.load("pets").heldout[:20_000]
    stories = torch.tensor(tokenizer.encode(held, allowed_special="all"))
    rows = evaluation_rows(stories, 64, tokenizer.eos_id)
    assert evaluate(model, *rows) < 0.6 and evaluate(turned, *rows) > 5


def test_without_places_the_boxes_are_mixed_up(pets):
    model, tokenizer = pets
    boxes = tokenizer.encode("Tom has a big blue box. Ben has a red box. The box of Tom is")
    blue, mia = (tokenizer.encode(word)[0] for word in (" blue", " Mia"))
    bare = gptlib.ablate(model, "positions")
    assert gptlib.trace(model, boxes).probs[-1, blue] > 0.95
    assert gptlib.trace(bare, boxes).probs[-1, mia] > 0.45
    assert gptlib.trace(bare, boxes).probs[-1, blue] < 0.05


def test_without_positions_one_layer_cannot_do_better_than_ln_2():
    """For any weights: (a, b, ?) and (b, a, ?) get the same logits, so one of two is wrong."""
    config = gptlib.GPTConfig(5, 3, n_layer=1, n_head=1, n_embd=16)
    model = gptlib.ablate(gptlib.GPT(config, seed=0), "positions")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(20)
        one, other = model(torch.tensor([[0, 1, 4], [1, 0, 4]]))[:, -1]
    assert torch.allclose(one, other, atol=1e-3)
