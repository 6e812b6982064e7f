"""gptlib.widgets.logits: the words that each layer would say."""

import re

import pytest
import torch
from explorers import HOSTILE, Names, check_names, elements, text_of
from hypothesis import given, settings
from hypothesis import strategies as st

import gptlib
from gptlib.widgets import logit_lens, svg
from gptlib.widgets.logits import Best, lens_html

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
