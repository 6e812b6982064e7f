"""gptlib.widgets.logits: the columns of softmax, and the words that each layer would say."""

import math
import re

import pytest
import torch
from explorers import HOSTILE, Names, check_names, elements, shown, text_of
from hypothesis import given, settings
from hypothesis import strategies as st

import gptlib
from gptlib.widgets import logit_lens, softmax_explorer, svg
from gptlib.widgets.logits import Best, lens_html, softmax_columns, softmax_svg

FOUR = {"sleeping": 2.0, "on": 1.3, "happy": -0.5, "running": -0.5}


# ---- Softmax ----


def test_the_three_columns_are_logit_power_and_share():
    rows = shown(softmax_explorer().picture.value, FOUR)
    probs = gptlib.softmax(torch.tensor(list(FOUR.values())))
    for (name, logit), p in zip(FOUR.items(), probs.tolist(), strict=True):
        assert rows[name] == [svg.two(logit), f"{math.exp(logit):.3g}", svg.two(p)]


def test_the_default_gives_the_probabilities_of_the_course():
    rows = shown(softmax_explorer().picture.value, FOUR)
    assert [row[2] for row in rows.values()] == ["0.60", "0.30", "0.05", "0.05"]


def test_adding_c_changes_the_first_two_columns_and_not_the_third():
    explorer = softmax_explorer()
    before = shown(explorer.picture.value, FOUR)
    explorer.c.value = 7.0
    after = shown(explorer.picture.value, FOUR)
    for name in FOUR:
        assert after[name][2] == before[name][2]
        assert after[name][0] == svg.two(FOUR[name] + 7) and after[name][1] != before[name][1]
    assert "logit + 7" in text_of(explorer.picture.value)


def test_the_button_adds_1_to_all_and_says_where_it_ends():
    explorer = softmax_explorer()
    before = shown(explorer.picture.value, FOUR)
    for _ in range(3):
        explorer.buttons["Add"].click()
    after = shown(explorer.picture.value, FOUR)
    assert explorer.c.value == 3.0 and "logit + 3" in text_of(explorer.picture.value)
    assert [row[0] for row in after.values()] == [svg.two(z + 3) for z in FOUR.values()]
    assert [row[2] for row in after.values()] == [row[2] for row in before.values()]
    explorer.c.value = 9.5
    explorer.buttons["Add"].click()
    assert explorer.c.value == 9.5 and "c is 10 at most" in explorer.message.value
    explorer.buttons["Reset"].click()
    assert explorer.message.value == "" and shown(explorer.picture.value, FOUR) == before


def test_temperature_divides_the_logits():
    explorer = softmax_explorer()
    explorer.temperature.value = 0.5
    expected = gptlib.next_token_probs(torch.tensor(list(FOUR.values())), temperature=0.5)
    rows = shown(explorer.picture.value, FOUR)
    assert [row[2] for row in rows.values()] == [svg.two(p) for p in expected.tolist()]
    assert "logit / 0.5" in text_of(explorer.picture.value)


def test_the_temperature_may_be_left_out():
    def named(explorer):
        found = [explorer]
        for one in found:
            found += getattr(one, "children", ())
        return {getattr(one, "description", "") for one in found}

    assert "temperature" in named(softmax_explorer())
    without = softmax_explorer(temperature=False)
    assert named(without) == named(softmax_explorer()) - {"temperature"}
    assert without.picture.value == softmax_explorer().picture.value
    check_names(without)


def test_powers_in_the_thousands_are_whole_numbers():
    explorer = softmax_explorer()
    explorer.c.value = 7.0
    assert "Each exp is 1097 times" in text_of(explorer.picture.value)[-1]


def test_each_slider_moves_its_own_logit():
    explorer = softmax_explorer({"a": 0.0, "b": 0.0})
    explorer.sliders["b"].value = 2.0
    rows = shown(explorer.picture.value, ["a", "b"])
    assert rows["a"][0] == "0.00" and rows["b"][0] == "2.00"
    assert rows["b"][2] == svg.two(1 / (1 + math.exp(-2)))


def test_reset_puts_everything_back():
    explorer = softmax_explorer()
    before = explorer.picture.value
    explorer.sliders["on"].value, explorer.c.value, explorer.temperature.value = -2.0, 3.0, 2.0
    assert explorer.picture.value != before
    explorer.buttons["Reset"].click()
    assert explorer.picture.value == before


@settings(deadline=None)
@given(
    st.lists(st.floats(-50, 50), min_size=1, max_size=8),
    st.floats(-10, 10),
    st.floats(0.1, 5),
)
def test_c_never_changes_a_probability_and_they_sum_to_one(logits, c, temperature):
    named = {str(place): logit for place, logit in enumerate(logits)}
    plain = [share for *_, share in softmax_columns(named, 0.0, temperature).values()]
    moved = [share for *_, share in softmax_columns(named, c, temperature).values()]
    assert plain == pytest.approx(moved, abs=1e-9) and sum(plain) == pytest.approx(1)


def test_the_ends_of_the_sliders_are_drawn_without_overflow():
    explorer = softmax_explorer({"a": 90.0, "b": -90.0})
    explorer.c.value, explorer.temperature.value = 10.0, 0.1
    assert explorer.message.value == ""
    elements(explorer.picture.value)
    assert shown(explorer.picture.value, "ab")["a"][2] == "1.00"


@pytest.mark.parametrize("count", [0, 9])
def test_a_handful_of_logits_is_asked_for(count):
    with pytest.raises(ValueError, match="1 to 8 logits"):
        softmax_explorer({str(k): 0.0 for k in range(count)})


def test_softmax_controls_have_names_and_two_do_not_interfere():
    one, other = softmax_explorer(), softmax_explorer()
    check_names(one)
    before = other.picture.value
    one.c.value = 5.0
    assert other.picture.value == before


def test_softmax_is_saved_and_falls_back_to_the_same_words(tmp_path):
    explorer = softmax_explorer()
    assert explorer.fallback() == softmax_explorer().fallback()
    assert "sleeping: logit 2.00, e to that 7.39, probability 0.60" in explorer.describe()
    explorer.save(tmp_path / "a.svg")
    explorer.save(tmp_path / "a.html")


@settings(max_examples=40, deadline=None)
@given(st.lists(HOSTILE, min_size=1, max_size=8, unique=True))
def test_hostile_names_of_logits_add_nothing(names):
    picture = softmax_svg(dict.fromkeys(names, 1.0))
    tame = softmax_svg({str(k): 1.0 for k in range(len(names))})
    assert [tag for tag, _ in elements(picture)] == [tag for tag, _ in elements(tame)]
    softmax_explorer(dict.fromkeys(names, 1.0)).fallback()["text/plain"].encode()


# ---- The logit lens ----


@pytest.fixture
def lens(pets):
    return logit_lens(*pets)


def cells(picture):
    """The texts of the table's cells, row by row, the heads too."""
    rows = re.findall(r"<tr>(.*?)</tr>", picture)
    return [[text_of(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row)] for row in rows]


def test_each_cell_has_the_best_words_of_its_layer_and_position(lens, pets):
    model, tokenizer = pets
    ids = tokenizer.encode("The cat is")
    probs = gptlib.softmax(gptlib.trace(model, ids).logits_by_layer)
    top = probs.topk(3)
    table = cells(lens.picture.value)[1:]
    for position in range(3):
        for depth in range(model.config.n_layer + 1):
            words = table[position][depth + 1]
            names = [tokenizer.token_str(id) for id in top.indices[depth, position].tolist()]
            shares = [svg.chance(p) for p in top.values[depth, position].tolist()]
            assert [word.removesuffix(" ✓") for word in words[::2]] == names
            assert words[1::2] == shares


def test_the_last_column_is_what_the_model_says(lens, pets):
    model, tokenizer = pets
    with torch.no_grad():
        logits = model(torch.tensor([tokenizer.encode("The cat is")]))[0, -1]
    p, id = gptlib.softmax(logits).max(-1)
    assert cells(lens.picture.value)[3][-1][:2] == [tokenizer.token_str(int(id)), svg.two(p.item())]


def test_there_is_a_row_for_each_token_and_a_column_for_each_depth(lens, pets):
    lens.text.value = "The dog was"
    table = cells(lens.picture.value)
    assert [row[0] for row in table] == [["token"], ["The"], ["␣dog"], ["␣was"]]
    depths = ["embeddings", *(f"after block {k + 1}" for k in range(pets[0].config.n_layer))]
    assert [cell[0] for cell in table[0][1:]] == depths


@pytest.mark.parametrize("count", [1, 5])
def test_one_chooses_how_many_words_are_shown(lens, count):
    lens.words.value = count
    assert all(len(cell) == 2 * count for row in cells(lens.picture.value)[1:] for cell in row[1:])


def test_a_tick_marks_what_does_come_next_and_the_last_position_has_none(lens):
    table = cells(lens.picture.value)[1:]
    assert "␣cat ✓" in table[0][-1] and "␣is ✓" in table[1][-1]
    assert not any("✓" in word for cell in table[2] for word in cell)


def test_the_model_is_asked_once_for_each_text(lens, pets, monkeypatch):
    calls = []
    forward = pets[0].forward
    monkeypatch.setattr(pets[0], "forward", lambda *a: calls.append(1) or forward(*a))
    lens.words.value = 1
    assert not calls
    lens.text.value = "The dog"
    lens.words.value = 2
    assert len(calls) == 1


@pytest.mark.parametrize(
    "text, said",
    [("", "type some text"), ("a b c " * 30, "too many to show: 32 at most"), ("\ud800", "lone")],
)
def test_a_text_that_cannot_be_shown_is_said(lens, text, said):
    before = lens.picture.value
    lens.text.value = text
    assert said in "".join(text_of(lens.message.value)) and lens.picture.value == before
    lens.text.value = "The cat is"
    assert lens.message.value == ""


def test_a_text_longer_than_a_small_context_is_capped_by_it(model):
    lens = logit_lens(model, Names([f"w{k}" for k in range(11)]), "123456789")
    assert "9 tokens are too many to show: 8 at most" in "".join(text_of(lens.message.value))


def test_the_lens_has_names_and_two_do_not_interfere(lens, pets):
    check_names(lens)
    other = logit_lens(*pets)
    before = other.picture.value
    lens.words.value = 1
    assert other.picture.value == before


def test_the_lens_can_be_scrolled_by_keyboard_and_announced(lens):
    tag, attributes = elements(lens.picture.value)[0]
    assert (tag, attributes["role"], attributes["tabindex"]) == ("div", "region", "0")
    assert "␣sleeping 0.62" in attributes["aria-label"]
    heads = [a["scope"] for t, a in elements(lens.picture.value) if t == "th"]
    assert set(heads) == {"col", "row"}


def test_the_lens_is_saved_as_a_page_and_falls_back_to_the_same_words(lens, pets, tmp_path):
    assert lens.fallback() == logit_lens(*pets).fallback()
    lens.save(tmp_path / "a.html")
    assert "var(" not in (tmp_path / "a.html").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="not one SVG"):
        lens.save(tmp_path / "a.svg")


@settings(max_examples=40, deadline=None)
@given(st.lists(HOSTILE, min_size=3, max_size=3))
def test_hostile_words_add_nothing_to_the_table(names):
    words = [Best(names[0], 0.5, True), Best(names[1], 0.25, False)]
    picture = lens_html(names[1:], [[words, words]] * 2, label=names[2])
    tame = [word._replace(name="x") for word in words]
    calm = lens_html(["x", "y"], [[tame, tame]] * 2, label="x")
    assert [tag for tag, _ in elements(picture)] == [tag for tag, _ in elements(calm)]
