"""gptlib.widgets.embeddings: neighbours by cosine, and a map that stays still while words move."""

import html
import re

import numpy as np
import pytest
import torch
from explorers import HOSTILE, Names, elements, text_of
from hypothesis import given, settings
from hypothesis import strategies as st
from live import grave, in_each_colour, moving, open_live, press_at_once, restart, shown_in, shows

import gptlib
from gptlib.widgets import embedding_explorer, svg
from gptlib.widgets.embeddings import ALL, MOST, VERBS, shown_ids
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
    words = text_of(explorer.draw())
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
    explorer.word = word
    table = models[max(models)].wte.weight.detach()[explorer.ids].numpy()
    expected = nearest(table, explorer.place())
    assert listed(explorer) == {explorer.words[k]: svg.two(value) for k, value in expected}


def test_animals_are_near_to_animals_after_training_and_not_before(explorer):
    assert {"␣bird", "␣dog"} <= set(list(listed(explorer))[:3])
    explorer.step = 0
    assert not {"␣bird", "␣dog"} <= set(list(listed(explorer))[:3])


def test_scrubbing_changes_the_list_the_map_and_the_title(explorer):
    seen = set()
    for place, step in enumerate(explorer.steps):
        explorer.step = place
        picture = explorer.draw()
        assert f"Embeddings after {step:,} steps" in text_of(picture)
        assert picture not in seen
        seen.add(picture)
    assert len(seen) == 3


def test_the_words_lie_where_the_projection_says_at_every_step(explorer, models):
    axes = principal_axes(directions(models[max(models)].wte.weight.detach()[explorer.ids]))
    for place, step in enumerate(explorer.steps):
        explorer.step = place
        points = axes(directions(models[step].wte.weight.detach()[explorer.ids]))
        drawn = np.array([dots(explorer.draw())[word] for word in explorer.words])
        # From units to pixels by one scale and one shift, the same at every step.
        if place == 0:
            scale = np.polyfit(points[:, 0], drawn[:, 0], 1)
        np.testing.assert_allclose(np.polyval(scale, points[:, 0]), drawn[:, 0], atol=0.1)
        assert np.polyfit(points[:, 1], drawn[:, 1], 1)[0] == pytest.approx(-scale[0], abs=0.5)


def test_the_path_of_the_word_leads_through_the_earlier_steps(explorer):
    def path():
        found = re.findall(r'<polyline points="([^"]*)"', explorer.draw())
        return found[0].split() if found else []

    explorer.step = 0
    start = dots(explorer.draw())["␣cat"]
    assert path() == []
    explorer.step = 2
    assert len(path()) == 3
    assert tuple(map(float, path()[0].split(","))) == start
    assert tuple(map(float, path()[-1].split(","))) == dots(explorer.draw())["␣cat"]


def test_names_never_stand_on_one_another_and_the_important_are_there(explorer):
    picture = explorer.draw()
    names = re.findall(r'<g[^>]*><text x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)<', picture)
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
    explorer.word = typed
    assert f"Nearest to “{token}”" in text_of(explorer.draw())


@pytest.mark.parametrize("typed", ["zebra", "", "the cat", "\ud83d", "</svg>"])
def test_what_is_no_word_is_said(explorer, typed):
    explorer.word = typed
    with pytest.raises(ValueError, match="is not one of the|surrogate"):
        explorer.draw()


def test_one_table_has_no_steps_to_scrub(pets, corpus):
    table = pets[0].wte.weight
    for given_table in (pets[0], table, table.detach().numpy(), lambda: pets[0]):
        explorer = embedding_explorer(given_table, pets[1], ids=corpus)
        assert explorer.steps == [0] and "␣bird" in listed(explorer)


def test_snapshots_may_be_loaded_when_they_are_asked_for(models, pets, corpus, explorer):
    lazy = {step: (lambda model=model: model) for step, model in models.items()}
    assert embedding_explorer(lazy, pets[1], ids=corpus).draw() == explorer.draw()


def test_of_a_large_vocabulary_the_map_has_the_first_and_the_word_and_its_neighbours():
    names = [f"w{k}" for k in range(300)]
    table = np.random.default_rng(0).normal(size=(300, 8))
    tokenizer = Names(names)
    explorer = embedding_explorer(table, tokenizer, "w250", range(300))
    shown = dots(explorer.draw())
    others = {names[k] for k, _ in explorer.near() if k >= MOST}
    assert set(shown) == set(names[:MOST]) | {"w250"} | others
    assert list(listed(explorer)) == [names[k] for k, _ in nearest(table, 250)]
    for x, y in shown.values():
        assert 0 <= x <= 560 and 28 <= y <= 452
    assert "100 of 300 words." in " ".join(text_of(explorer.draw()))


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
    elements(explorer.draw())


def test_the_same_words_lie_at_the_same_place_twice(explorer, models, pets, corpus):
    again = embedding_explorer(models, pets[1], ids=corpus)
    assert again.fallback() == explorer.fallback()
    explorer.step = 0
    assert again.draw() != explorer.draw()


def test_it_is_saved_and_says_in_words_what_it_shows(explorer, tmp_path):
    explorer.save(tmp_path / "map.svg")
    explorer.save(tmp_path / "map.html")
    assert "var(--" not in (tmp_path / "map.svg").read_text(encoding="utf-8")
    assert explorer.describe().startswith("Embedding explorer: nearest to “␣cat” after")


# ---- Arrows ----


def test_the_arrows_are_as_alike_as_torch_says_and_lead_from_verb_to_verb(explorer, models, pets):
    assert [tuple(explorer.words[k] for k in pair) for pair in explorer.pairs] == [
        (f"␣{left}", f"␣{right}") for left, right in VERBS
    ]
    table = models[max(models)].wte.weight.detach()[explorer.ids]
    moves = torch.stack([table[right] - table[left] for left, right in explorer.pairs])
    cosines = torch.cosine_similarity(moves[:, None], moves[None], dim=-1)
    expected = cosines[~torch.eye(len(moves), dtype=torch.bool)].mean().item()
    said = explorer.settings["arrows"][-1]
    assert said["alike"] == pytest.approx(expected, abs=1e-5)
    assert said["sums"][0][1] == "␣purred"
    before = explorer.settings["arrows"][0]
    assert abs(before["alike"]) < 0.2 < said["alike"]


def test_pairs_can_be_chosen_and_a_word_that_is_none_is_refused(models, pets, corpus):
    made = embedding_explorer(models, pets[1], ids=corpus, pairs=[("Tom", "Mia")])
    assert [[made.words[k] for k in pair] for pair in made.pairs] == [["Tom", "Mia"]]
    assert made.settings["arrows"][0] == {"alike": 1.0, "sums": []}
    with pytest.raises(ValueError, match="“zebra” is not one of"):
        embedding_explorer(models, pets[1], ids=corpus, pairs=[("Tom", "zebra")])


# ---- The page ----

STEPS = (0, 100, 5000)
CODE = f"""
models = {{step: gptlib.load('pets', step=step)[0] for step in {STEPS}}}
show = lambda **more: widgets.embedding_explorer(models, tokenizer, **more)
display(show(), show())
"""


@pytest.fixture(scope="module")
def opened(lab):
    return open_live(lab, "words", CODE, count=2)[1]


@pytest.fixture
def live(opened):
    live = opened[0]
    live.press("slider", "step", "End")
    live.type("textbox", "word", "cat")
    live.control("checkbox", "arrows").set_checked(False)
    return live


def neighbours(live):
    """[[word, cosine], ...] of the list."""
    names = live.root.locator(".gptlib-nearest > button").all_inner_texts()
    values = live.root.locator(".gptlib-value").all_inner_texts()
    return list(map(list, zip(names, values, strict=True)))


def nearest_words(pets, word, step, count=8):
    tokenizer = pets[1]
    ids = [id for id in range(pets[0].config.vocab_size) if len(tokenizer.token_bytes(id)) > 1]
    table = gptlib.load("pets", step=step)[0].wte.weight.detach()[ids].numpy()
    (own,) = tokenizer.encode(word)
    found = nearest(table, ids.index(own), count)
    return [[tokenizer.token_str(ids[k]), svg.two(cosine)] for k, cosine in found]


def spot(live, name):
    """Where the middle of a word is on the map."""
    box = live.root.locator(f'.gptlib-spot[aria-label="{name}"]').bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_every_control_has_a_name(opened):
    found = {("textbox", "word"), ("slider", "step"), ("combobox", "step")}
    found |= {("button", "Play"), ("checkbox", "arrows"), ("button", "␣cat")}
    assert found <= opened[0].controls() == opened[1].controls()


def test_the_list_has_the_cosines_at_each_step_and_of_each_word(live, opened, pets):
    other = neighbours(opened[1])
    shows(lambda: neighbours(live), nearest_words(pets, " cat", STEPS[2]))
    live.press("slider", "step", "ArrowLeft")
    shows(lambda: neighbours(live), nearest_words(pets, " cat", STEPS[1]))
    live.press("combobox", "step", "ArrowUp")
    shows(lambda: neighbours(live), nearest_words(pets, " cat", STEPS[0]))
    live.press("slider", "step", "End")
    live.type("textbox", "word", "dog")
    shows(lambda: neighbours(live), nearest_words(pets, " dog", STEPS[2]))
    assert neighbours(opened[1]) == other


def test_a_word_of_the_list_or_the_map_is_chosen_by_a_press(live, pets):
    shows(lambda: neighbours(live), nearest_words(pets, " cat", STEPS[2]))
    first = neighbours(live)[0][0]
    live.root.locator(".gptlib-nearest > button").first.focus()
    live.page.keyboard.press("Enter")
    expected = nearest_words(pets, first.replace("␣", " "), STEPS[2])
    shows(lambda: neighbours(live), expected)
    live.root.locator(".gptlib-word-map [tabindex='0']").focus()
    live.page.keyboard.press("ArrowRight")
    live.page.keyboard.press("Enter")
    chosen = live.root.locator(".gptlib-spot[aria-pressed=true]")
    shows(lambda: chosen.get_attribute("aria-label") == live.value("textbox", "word"), True)
    assert live.value("textbox", "word") != first


def test_play_goes_through_training_and_the_words_slide(live, pets):
    end = spot(live, "␣cat")
    live.press("button", "Play", "Enter")
    shows(lambda: neighbours(live), nearest_words(pets, " cat", STEPS[0]))
    shows(lambda: live.value("combobox", "step"), f"{STEPS[1]:,}")
    shows(lambda: spot(live, "␣cat") == pytest.approx(end, abs=1), False)
    shows(lambda: live.value("combobox", "step"), f"{STEPS[2]:,}")
    shows(lambda: live.control("button", "Play").count(), 1)
    shows(lambda: neighbours(live), nearest_words(pets, " cat", STEPS[2]))
    shows(lambda: spot(live, "␣cat") == pytest.approx(end, abs=1), True)
    trail = live.root.locator(".gptlib-word-map polyline").get_attribute("points")
    assert len(trail.split()) == 3


def test_play_goes_on_with_another_word_and_ends_at_what_is_none(live, lab, pets):
    with moving(lab):
        press_at_once(live, "Play")
        live.type("textbox", "word", "dog")
        shows(lambda: live.value("combobox", "step"), f"{STEPS[2]:,}")
        shows(lambda: neighbours(live), nearest_words(pets, " dog", STEPS[2]))
        shows(lambda: live.control("button", "Play").count(), 1)
        press_at_once(live, "Play")
        live.type("textbox", "word", "zebra")
        shows(lambda: "is not one of" in live.message(), True)
        assert live.control("button", "Play").count() == 1


def test_arrows_join_the_pairs_and_their_cosine_is_said(live):
    live.press("checkbox", "arrows", "Space")
    shows(lambda: live.root.locator(".gptlib-word-map polygon").count(), len(VERBS))
    said = "“␣barked” − “␣barks” + “␣purrs” is nearest to “␣purred”"
    shows(lambda: any(said in words for words in live.words()), True)
    live.press("checkbox", "arrows", "Space")
    shows(lambda: live.root.locator(".gptlib-word-map polygon").count(), 0)


def test_what_is_no_word_greys_the_picture_and_says_why(live):
    live.type("textbox", "word", "zebra")
    shows(lambda: "“zebra” is not one of the 141 tokens, such as “␣b”" in live.message(), True)
    assert live.root.locator(".gptlib-stale").count() == 1
    live.type("textbox", "word", "The")
    shows(live.message, "")
    shows(lambda: live.value("textbox", "word"), "The")


@in_each_colour
def test_no_serious_violation_of_accessibility_is_found(live, lab, colours):
    with shown_in(lab, colours):
        live.control("checkbox", "arrows").set_checked(True)
        shows(lambda: live.root.locator(".gptlib-word-map polygon").count(), len(VERBS))
        found = grave(lab.page)
    lab.theme("JupyterLab Light")
    assert not found


BAD = """
bad = '</svg><img src=x onerror=alert(1)>" onload="alert(2)" --><script>alert(3)</script>'
hostile = gptlib.Tokenizer.train(bad[1:] * 3, 290, [bad])
table = torch.randn(hostile.vocab_size, 8, generator=torch.Generator().manual_seed(0))
display(widgets.embedding_explorer(table, hostile, bad))
"""


def test_hostile_words_bring_nothing_into_the_page(lab):
    _, (live,) = open_live(lab, "hostile", BAD)
    shows(lambda: live.root.locator(".gptlib-spot").count() > 10, True)
    live.type("textbox", "word", "<img src=x onerror=alert(1)>")
    shows(lambda: "is not one of" in live.message(), True)
    assert not live.strange()


# A word is asked for, and before the answer comes another is chosen that the page knows.
ASKED_AND_LEFT = """root => {
  const box = root.querySelector("input[type=text]");
  box.value = "barks";
  box.dispatchEvent(new Event("change"));
  root.querySelector('.gptlib-spot[aria-label="␣cat"]').click();
}"""


def test_a_large_vocabulary_asks_the_kernel_and_says_when_it_has_gone(lab, pets):
    code = f"widgets.embeddings.ALL = 10\n{CODE}"
    _, (live, _) = open_live(lab, "large", code, count=2)
    shows(lambda: neighbours(live), nearest_words(pets, " cat", STEPS[2]))
    live.type("textbox", "word", "rained")
    shows(lambda: neighbours(live), nearest_words(pets, " rained", STEPS[2]))
    live.root.evaluate(ASKED_AND_LEFT)
    live.page.wait_for_timeout(1000)  # in which the kernel answers
    assert neighbours(live) == nearest_words(pets, " cat", STEPS[2])
    restart(lab)
    shows(lambda: "run this cell again" in live.message(), True)
    assert live.control("textbox", "word").is_disabled()


def test_a_small_vocabulary_goes_on_without_a_kernel(lab, pets):
    _, (live, _) = open_live(lab, "alone", CODE, count=2)
    restart(lab)
    live.type("textbox", "word", "dog")
    shows(lambda: neighbours(live), nearest_words(pets, " dog", STEPS[2]))
    assert ALL > 397
