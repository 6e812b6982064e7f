"""gptlib.widgets.attention: the weights in the picture are the model's, whoever looks at whom."""

import re

import numpy as np
import pytest
import torch
from explorers import HOSTILE, JUPYTERLAB, Names, check_names, elements, over, text_of
from hypothesis import given, settings
from hypothesis import strategies as st

import gptlib
from gptlib.plots.style import contrast
from gptlib.widgets import attention_explorer, svg
from gptlib.widgets.attention import attention_weights
from gptlib.widgets.heads import attention_svg, overview_svg, two_digits

SENTENCE = "Mia has a red ball. Tom has a big blue ball. The ball of Mia is"


@pytest.fixture
def explorer(pets):
    return attention_explorer(*pets)


def weights_of(pets, text="The cat is"):
    model, tokenizer = pets
    return gptlib.trace(model, tokenizer.encode(text)).weights


def row_of(explorer):
    """The numbers below the words of the sentence, as text."""
    words = text_of(explorer.picture.value)
    count = len(explorer.look()[1])
    return words[2 : 2 * count + 2 : 2]


def rows_of_table(explorer):
    """The numbers in the cells of a short sentence, and nothing else."""
    picture = explorer.picture.value
    count = len(explorer.look()[1])
    words = text_of(picture)[2 * count + 1 :]
    numbers = [word for word in words if re.fullmatch(r"\d\.\d\d", word)]
    return numbers[: -len(["0.25", "0.75"])]  # the legend's


# ---- What is computed ----


def test_with_mask_and_scale_the_weights_are_those_of_the_pass(pets):
    model, tokenizer = pets
    seen = gptlib.trace(model, tokenizer.encode(SENTENCE))
    torch.testing.assert_close(attention_weights(seen), seen.weights)


@pytest.mark.parametrize("part, change", [("mask", "masked"), ("scaling", "scaled")])
def test_without_mask_or_scale_the_first_layer_is_that_of_the_ablated_model(pets, part, change):
    model, tokenizer = pets
    ids = tokenizer.encode(SENTENCE)
    broken = gptlib.trace(gptlib.ablate(model, part), ids)
    changed = attention_weights(gptlib.trace(model, ids), **{change: False})
    torch.testing.assert_close(changed[0], broken.weights[0])


# ---- What is shown ----


@pytest.mark.parametrize("layer, head", [(0, 0), (0, 3), (1, 2)])
def test_the_row_over_the_sentence_has_the_weights_of_the_query(explorer, pets, layer, head):
    explorer.layer.value, explorer.head.value = layer, head
    expected = weights_of(pets)[layer, head, -1].tolist()
    assert row_of(explorer) == [svg.two(share) for share in expected]


def test_every_cell_of_a_short_sentence_has_its_number(explorer, pets):
    expected = [svg.two(x) for i in range(3) for x in weights_of(pets)[0, 0, i, : i + 1].tolist()]
    assert rows_of_table(explorer) == expected


def test_cells_are_as_dark_as_their_weights(explorer, pets):
    shades = {
        attributes["fill-opacity"]
        for tag, attributes in elements(explorer.picture.value)
        if tag == "rect" and "fill-opacity" in attributes
    }
    for share in two_digits(weights_of(pets)[0, 0]).ravel().tolist():
        assert f"{svg.heat(share)[0]:.3g}" in shades


def test_without_the_mask_the_future_is_seen(explorer, pets):
    explorer.query.value = 0
    assert row_of(explorer) == ["1.00", "hidden", "hidden"]
    explorer.masked.value = False
    model, tokenizer = pets
    broken = gptlib.trace(gptlib.ablate(model, "mask"), tokenizer.encode("The cat is"))
    assert row_of(explorer) == [svg.two(x) for x in broken.weights[0, 0, 0].tolist()]
    assert "No mask: the future is seen." in " ".join(text_of(explorer.picture.value))


def test_without_the_scale_the_softmax_is_sharper(explorer):
    before = explorer.shown().max(-1).mean()
    explorer.scaled.value = False
    assert explorer.shown().max(-1).mean() > before


@pytest.mark.parametrize("place", [0, 7, 16])
def test_the_query_is_picked_by_slider_or_by_name(pets, place):
    one, other = (attention_explorer(*pets, SENTENCE) for _ in range(2))
    one.query.slider.value = place
    other.query.names.index = place
    assert one.picture.value == other.picture.value
    assert one.query.names.index == other.query.slider.value == place
    expected = weights_of(pets, SENTENCE)[0, 0, place, : place + 1].tolist()
    assert row_of(one)[: place + 1] == [svg.two(share) for share in expected]


def test_the_last_word_is_the_query_of_a_new_sentence(explorer):
    explorer.query.value = 0
    explorer.text.value = SENTENCE
    assert explorer.query.names.label == "17: ␣is" and len(explorer.query.names.options) == 18
    assert "“␣is” looks at" in explorer.describe()
    explorer.text.value = "The"  # shorter than the place that was picked
    assert explorer.message.value == "" and explorer.query.value == 0


def test_every_control_redraws(pets):
    explorer = attention_explorer(*pets, SENTENCE)
    seen = {explorer.picture.value}
    for control, value in (
        (explorer.layer, 1),
        (explorer.head, 2),
        (explorer.query.slider, 5),
        (explorer.scaled, False),
        (explorer.masked, False),
        (explorer.text, "The dog was"),
    ):
        control.value = value
        assert explorer.picture.value not in seen
        seen.add(explorer.picture.value)


def test_the_model_runs_once_for_each_text(pets, monkeypatch):
    passes = []
    monkeypatch.setattr(
        "gptlib.widgets.attention.trace",
        lambda model, ids: passes.append(ids) or gptlib.trace(model, ids),
    )
    explorer = attention_explorer(*pets)
    explorer.layer.value = explorer.head.value = 1
    explorer.query.value, explorer.masked.value, explorer.scaled.value = 1, False, False
    explorer.describe(), explorer.fallback()
    assert len(passes) == 1
    explorer.text.value = "The dog"
    assert len(passes) == 2


def test_the_overview_frames_the_chosen_head_and_has_all_of_them(explorer):
    def frame():
        return [
            (float(a["x"]), float(a["y"]))
            for tag, a in elements(explorer.picture.value)
            if tag == "rect" and a.get("stroke-width") == "3"
        ]

    (first,) = frame()
    explorer.head.value = 1
    (second,) = frame()
    explorer.layer.value = 1
    (third,) = frame()
    assert second[0] > first[0] and second[1] == first[1]
    assert third[0] == second[0] and third[1] > second[1]
    outlines = re.findall(r'd="([^"]*)" fill="none" stroke=', explorer.picture.value)
    assert outlines[-1].count("M") == 2 * 4


def test_a_small_table_shows_the_largest_weight_of_each_square():
    weights = np.zeros((1, 1, 40, 40))
    weights[0, 0, :, 0] = 1.0
    picture = overview_svg(weights)
    strokes = re.findall(r'd="([^"]*)" stroke="[^"]*" stroke-opacity="1"', picture)
    assert strokes[0].count("M") == 14  # 40 tokens in squares of 3: the first column is dark


def test_many_heads_and_many_tokens_are_drawn_within_the_page():
    generator = np.random.default_rng(0)
    weights = generator.dirichlet(np.ones(64), (12, 12, 64))
    picture = attention_svg(weights, ["word"] * 64, 11, 11, 40, masked=False)
    tags = elements(picture)
    assert float(tags[0][1]["width"]) <= 900
    right = [float(a["x"]) + float(a["width"]) for tag, a in tags if tag == "rect"]
    assert max(right) <= 884 and len(picture) < 600_000


@pytest.mark.parametrize("theme", JUPYTERLAB)
def test_numbers_read_on_every_shade(theme):
    colours = {"light": ((0x0D, 0x47, 0xA1), 0, 255), "dark": ((0x64, 0xB5, 0xF6), 255, 0)}
    hue, strong, inverse = colours[theme]
    paper = JUPYTERLAB[theme]["--jp-layout-color0"][:3]
    for share in np.linspace(0, 1, 101):
        opacity, ink = svg.heat(share)
        grey = strong if ink == svg.STRONG else inverse
        assert contrast((grey / 255,) * 3, over((*hue, opacity), paper)) >= 4.5, share


# ---- What can go wrong ----


@settings(max_examples=60, deadline=None)
@given(st.lists(HOSTILE, min_size=1, max_size=10), st.booleans())
def test_hostile_tokens_stay_words(tokens, masked):
    count = len(tokens)
    weights = np.full((2, 1, count, count), 1 / count)
    picture = attention_svg(weights, tokens, 1, 0, 0, masked=masked)
    elements(picture)
    cut = [svg.clip(token, 150, code=True) for token in tokens]
    shown = svg.writable(cut[0]).split()
    assert text_of(picture)[1 if shown else 0].split() == shown or not shown


def test_a_tokenizer_with_hostile_names_makes_no_element(model):
    names = ["</svg><img src=x onerror=alert(1)>", '" onload="x', "\ud83d", "\x00", *"abcdefg"]
    explorer = attention_explorer(model, Names(names), "0123")
    assert explorer.message.value == ""
    elements(explorer.picture.value)
    explorer.fallback()["text/plain"].encode()
    for label, _ in explorer.query.names.options:
        label.encode()


def test_an_emoji_split_over_tokens_is_shown_as_its_bytes(explorer):
    explorer.text.value = "The 🐱"
    assert "<F0>" in text_of(explorer.picture.value)


@pytest.mark.parametrize(
    "text, message", [("", "type some text"), ("cat " * 99, "too many to show: 64 at most")]
)
def test_what_cannot_be_shown_is_said_in_the_widget_and_the_picture_stays(explorer, text, message):
    before = explorer.picture.value
    explorer.text.value = text
    assert message in explorer.message.value and explorer.picture.value == before
    explorer.text.value = "The cat is"
    assert explorer.message.value == "" and explorer.picture.value == before


def test_a_model_with_a_short_context_says_how_much_it_reads(model):
    explorer = attention_explorer(model, Names([*"abcdefghijk"]), "012345678")
    assert "9 tokens are too many to show: 8 at most" in explorer.message.value


def test_an_ablated_model_opens_with_its_own_mask_and_scale(model):
    names = Names([*"abcdefghijk"])
    for part, control in (("mask", "masked"), ("scaling", "scaled")):
        broken = gptlib.ablate(model, part)
        explorer = attention_explorer(broken, names, "0123")
        assert not getattr(explorer, control).value
        expected = gptlib.trace(broken, [0, 1, 2, 3]).weights
        np.testing.assert_allclose(explorer.shown(), expected, atol=0.0051)


def test_one_layer_and_one_head_leave_nothing_to_choose():
    config = gptlib.GPTConfig(vocab_size=11, block_size=8, n_layer=1, n_head=1, n_embd=4)
    explorer = attention_explorer(gptlib.GPT(config, seed=0), Names([*"abcdefghijk"]), "0")
    assert explorer.layer.disabled and explorer.head.disabled and explorer.query.slider.disabled
    assert explorer.message.value == "" and row_of(explorer) == ["1.00"]


def test_two_do_not_interfere_and_both_can_be_named(explorer, pets):
    other = attention_explorer(*pets)
    before = other.picture.value
    explorer.head.value = 3
    assert other.picture.value == before
    check_names(explorer)


def test_it_is_saved_and_falls_back_to_the_same_words(explorer, pets, tmp_path):
    assert explorer.fallback() == attention_explorer(*pets).fallback()
    assert explorer.describe().startswith("Attention explorer: in layer 0, head 0, “␣is” looks at")
    explorer.save(tmp_path / "head.svg")
    explorer.save(tmp_path / "head.html")
    saved = (tmp_path / "head.svg").read_text(encoding="utf-8")
    assert "var(--" not in saved and saved.startswith("<svg")
    elements(saved.strip())
