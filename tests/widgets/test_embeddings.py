"""gptlib.widgets.embeddings: neighbours by cosine, and a map that stays still while words move."""

import html
import re

import numpy as np
import pytest
import torch
from explorers import HOSTILE, Names, check_names, elements, text_of
from hypothesis import given, settings
from hypothesis import strategies as st

import gptlib
from gptlib.widgets import embedding_explorer, svg
from gptlib.widgets.embeddings import MOST, shown_ids
from gptlib.widgets.word_map import directions, embedding_svg, nearest, principal_axes


@pytest.fixture(scope="module")
def corpus(pets):
    return gptlib.corpora.load("pets").encode(pets[1])[1]


@pytest.fixture(scope="module")
def models(pets):
    steps = gptlib.load_history("pets").steps
    return {step: gptlib.load("pets", step=step)[0] for step in (0, 200, steps[-1])}


@pytest.fixture
def explorer(models, pets, corpus):
    return embedding_explorer(models, pets[1], ids=corpus)


def listed(explorer):
    """{neighbour: cosine} of the list beside the map."""
    words = text_of(explorer.picture.value)
    words = words[words.index("cosine") + 1 : -1]
    return dict(zip(words[::2], words[1::2], strict=True))


def dots(picture):
    """{word: (x, y)} of the map."""
    found = re.findall(
        r'<circle cx="([\d.-]+)" cy="([\d.-]+)" [^>]*><title>([^<]*)</title>', picture
    )
    return {html.unescape(name): (float(x), float(y)) for x, y, name in found}


# ---- What is computed ----


def test_the_neighbours_are_those_of_torchs_cosine(pets):
    table = pets[0].wte.weight.detach()
    word = pets[1].encode(" cat")[0]
    cosines = torch.cosine_similarity(table, table[word][None])
    cosines[word] = -2
    values, places = cosines.topk(5)
    found = nearest(table.numpy(), word, 5)
    assert [place for place, _ in found] == places.tolist()
    assert [value for _, value in found] == pytest.approx(values.tolist(), abs=1e-5)


def test_a_vector_of_zeros_is_near_to_nothing():
    assert nearest(np.array([[0.0, 0.0], [1.0, 0.0]]), 0) == [(1, 0.0)]


@given(st.integers(0, 1000), st.integers(1, 6), st.integers(1, 6))
def test_the_axes_are_at_right_angles_and_their_sign_does_not_depend_on_the_order(seed, n, c):
    table = np.random.default_rng(seed).normal(size=(n, c))
    found = principal_axes(table)
    products = found.axes.T @ found.axes
    assert np.allclose(products, np.diag(np.diag(products)), atol=1e-9)
    assert 0 <= found.share <= 1 + 1e-9 and found.axes.shape == (c, 2)
    largest = np.abs(found.axes).argmax(0)
    assert (found.axes[largest, [0, 1]] >= 0).all()
    if n > 3 and c > 2:
        again = principal_axes(table[::-1])
        np.testing.assert_allclose(np.abs(again.axes), np.abs(found.axes), atol=1e-6)


def test_the_map_shows_more_of_the_spread_than_any_two_channels():
    table = np.random.default_rng(0).normal(size=(30, 5)) * (5, 1, 3, 1, 1)
    spread = (table - table.mean(0)).var(0)
    assert principal_axes(table).share >= np.sort(spread)[-2:].sum() / spread.sum()


def test_a_corpus_gives_its_tokens_once_and_the_commonest_first():
    tokenizer = gptlib.Tokenizer()
    assert shown_ids(tokenizer, 256, [7, 5, 5, 9, 7, 5]) == [5, 7, 9]
    assert shown_ids(tokenizer, 256, torch.tensor([3])) == [3]
    merged = gptlib.Tokenizer([(97, 97), (256, 97)])
    assert shown_ids(merged, 259, None) == [256, 257, 258]


# ---- What is shown ----


@pytest.mark.parametrize("word", ["cat", "red", "Mia", "sofa"])
def test_the_list_has_the_cosines_of_the_shown_words(explorer, models, pets, word):
    explorer.word.value = word
    table = models[max(models)].wte.weight.detach()[explorer.ids].numpy()
    expected = nearest(table, explorer.place())
    assert listed(explorer) == {explorer.words[k]: svg.two(value) for k, value in expected}


def test_animals_are_near_to_animals_after_training_and_not_before(explorer):
    assert {"␣bird", "␣dog"} <= set(list(listed(explorer))[:3])
    explorer.step.value = 0
    assert not {"␣bird", "␣dog"} <= set(list(listed(explorer))[:3])


def test_scrubbing_changes_the_list_the_map_and_the_title(explorer):
    seen = set()
    for place, step in enumerate(explorer.steps):
        explorer.step.value = place
        picture = explorer.picture.value
        assert f"Embeddings after {step:,} steps" in text_of(picture)
        assert picture not in seen
        seen.add(picture)
    assert len(seen) == 3


def test_the_words_lie_where_the_projection_says_at_every_step(explorer, models):
    axes = principal_axes(directions(models[max(models)].wte.weight.detach()[explorer.ids]))
    for place, step in enumerate(explorer.steps):
        explorer.step.value = place
        points = axes(directions(models[step].wte.weight.detach()[explorer.ids]))
        drawn = np.array([dots(explorer.picture.value)[word] for word in explorer.words])
        # From units to pixels by one scale and one shift, the same at every step.
        if place == 0:
            scale = np.polyfit(points[:, 0], drawn[:, 0], 1)
        np.testing.assert_allclose(np.polyval(scale, points[:, 0]), drawn[:, 0], atol=0.1)
        assert np.polyfit(points[:, 1], drawn[:, 1], 1)[0] == pytest.approx(-scale[0], abs=0.5)


def test_the_path_of_the_word_leads_through_the_earlier_steps(explorer):
    def path():
        found = re.findall(r'<polyline points="([^"]*)"', explorer.picture.value)
        return found[0].split() if found else []

    explorer.step.value = 0
    start = dots(explorer.picture.value)["␣cat"]
    assert path() == []
    explorer.step.value = 2
    assert len(path()) == 3
    assert tuple(map(float, path()[0].split(","))) == start
    assert tuple(map(float, path()[-1].split(","))) == dots(explorer.picture.value)["␣cat"]


def test_names_never_stand_on_one_another_and_the_important_are_there(explorer):
    picture = explorer.picture.value
    names = re.findall(
        r'<g style="font-size: 13px[^"]*"><text x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)<', picture
    )
    boxes = [
        (float(x), float(y) - 10, float(x) + 7.8 * len(word), float(y) + 3)
        for x, y, word in names
        if word in explorer.words
    ]
    for place, one in enumerate(boxes):
        for other in boxes[:place]:
            apart = one[0] > other[2] or other[0] > one[2] or one[1] > other[3] or other[1] > one[3]
            assert apart
    assert "␣cat" in {word for _, _, word in names}


@pytest.mark.parametrize("typed, token", [("cat", "␣cat"), ("␣cat", "␣cat"), ("The", "The")])
def test_a_word_is_found_with_or_without_its_space(explorer, typed, token):
    explorer.word.value = typed
    assert f"Nearest to “{token}”" in text_of(explorer.picture.value)


@pytest.mark.parametrize("typed", ["zebra", "", "the cat", "\ud83d", "</svg>"])
def test_what_is_no_word_is_said_in_the_widget(explorer, typed):
    before = explorer.picture.value
    explorer.word.value = typed
    assert explorer.message.value and explorer.picture.value == before
    elements(explorer.message.value)
    explorer.word.value = "dog"
    assert explorer.message.value == "" and "␣cats" in listed(explorer)


def test_one_table_has_no_steps_to_scrub(pets, corpus):
    table = pets[0].wte.weight
    for given_table in (pets[0], table, table.detach().numpy(), lambda: pets[0]):
        explorer = embedding_explorer(given_table, pets[1], ids=corpus)
        assert explorer.step not in explorer.children[1].children
        assert "␣bird" in listed(explorer) and explorer.message.value == ""


def test_snapshots_may_be_loaded_when_they_are_asked_for(models, pets, corpus, explorer):
    lazy = {step: (lambda model=model: model) for step, model in models.items()}
    assert embedding_explorer(lazy, pets[1], ids=corpus).picture.value == explorer.picture.value


def test_of_a_large_vocabulary_the_map_has_the_first_and_the_word_and_its_neighbours():
    names = [f"w{k}" for k in range(300)]
    table = np.random.default_rng(0).normal(size=(300, 8))
    tokenizer = Names(names)
    explorer = embedding_explorer(table, tokenizer, "w250", range(300))
    assert explorer.message.value == ""
    shown = dots(explorer.picture.value)
    others = {names[k] for k, _ in explorer.near() if k >= MOST}
    assert set(shown) == set(names[:MOST]) | {"w250"} | others
    assert list(listed(explorer)) == [names[k] for k, _ in nearest(table, 250)]
    for x, y in shown.values():
        assert 0 <= x <= 560 and 28 <= y <= 452
    assert "100 of 300 words." in " ".join(text_of(explorer.picture.value))


# ---- What can go wrong ----


@pytest.mark.parametrize(
    "snapshots, ids, message",
    [
        ({}, None, "no snapshots"),
        (np.zeros(3), [0], r"\(V, C\)"),
        (np.zeros((3, 2)), [5], "outside 0..2"),
        (np.zeros((3, 2)), [], "no tokens"),
    ],
)
def test_what_is_no_table_is_refused(snapshots, ids, message):
    with pytest.raises(ValueError, match=message):
        embedding_explorer(snapshots, Names([*"abc"]), "a", ids)


@settings(max_examples=60, deadline=None)
@given(st.lists(HOSTILE, min_size=2, max_size=8), st.integers(0, 99))
def test_hostile_words_stay_words(words, seed):
    points = np.random.default_rng(seed).normal(size=(len(words), 2))
    near = [(k, 0.5) for k in range(1, len(words))]
    picture = embedding_svg(points, words, 0, near, path=[(0, 0)], title=words[0], note=words[1])
    elements(picture)


def test_a_tokenizer_with_hostile_names_makes_no_element():
    names = ["</svg><img src=x onerror=alert(1)>", '" onload="x', "\ud83d", "a"]
    explorer = embedding_explorer(np.eye(4), Names(names), "a", range(4))
    assert explorer.message.value == ""
    elements(explorer.picture.value)
    for option in explorer.word.options:
        option.encode()


def test_the_same_words_lie_at_the_same_place_twice(explorer, models, pets, corpus):
    again = embedding_explorer(models, pets[1], ids=corpus)
    assert again.fallback() == explorer.fallback()
    explorer.step.value = 0
    assert again.picture.value != explorer.picture.value
    check_names(explorer)


def test_it_is_saved_and_says_in_words_what_it_shows(explorer, tmp_path):
    explorer.save(tmp_path / "map.svg")
    explorer.save(tmp_path / "map.html")
    assert "var(--" not in (tmp_path / "map.svg").read_text(encoding="utf-8")
    assert explorer.describe().startswith("Embedding explorer: nearest to “␣cat” after")
