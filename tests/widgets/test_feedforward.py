"""gptlib.widgets.feedforward: with a part unticked the bars are the ablated model's."""

import pytest
import torch
from explorers import HOSTILE, Names, check_names, elements, text_of
from hypothesis import given, settings
from hypothesis import strategies as st

import gptlib
from gptlib.corpora import pets as grammar
from gptlib.widgets import block_explorer, svg
from gptlib.widgets.bars import Bar, bars_svg, spoken
from gptlib.widgets.feedforward import ALL, PARTS, block_svg, next_probs


@pytest.fixture
def explorer(pets):
    return block_explorer(*pets, truth=grammar.next_words)


def numbers(explorer):
    """{token: (as ticked, whole model, truth)} from the picture."""
    words, shown = text_of(explorer.picture.value), {}
    for row in explorer.rows():
        place = words.index(svg.clip(row.name, 162, code=True))
        shown[row.name] = words[place + 1 : place + 1 + (2 if row.truth is None else 3)]
    return shown


def probs_of(model, tokenizer, text="The cat is"):
    with torch.no_grad():
        return gptlib.softmax(model(torch.tensor([tokenizer.encode(text)]))[0, -1])


def test_with_every_part_both_columns_are_the_models(explorer, pets):
    probs = probs_of(*pets)
    for word, p in grammar.next_words("The cat is").items():
        expected = svg.chance(probs[pets[1].encode(f" {word}")[0]].item())
        assert numbers(explorer)[f"␣{word}"] == [expected, expected, svg.chance(p)]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("layer", [ALL, 0, 1])
def test_without_a_part_the_first_column_is_the_ablated_models(explorer, pets, part, layer):
    explorer.layers.value = layer
    explorer.parts[part].value = False
    model, tokenizer = pets
    broken = gptlib.ablate(model, part, layers=None if layer == ALL else [layer])
    probs, whole = probs_of(broken, tokenizer), probs_of(model, tokenizer)
    for word in grammar.next_words("The cat is"):
        id = tokenizer.encode(f" {word}")[0]
        assert numbers(explorer)[f"␣{word}"][:2] == [
            svg.chance(probs[id].item()),
            svg.chance(whole[id].item()),
        ]


def test_parts_go_together(explorer, pets):
    explorer.parts["attention"].value = explorer.parts["residual"].value = False
    broken = gptlib.ablate(pets[0], "attention", "residual")
    torch.testing.assert_close(
        explorer.probs(explorer.off).float(), probs_of(broken, pets[1]), atol=1e-5, rtol=1e-4
    )
    assert "Without attention and residual path in all layers (2)" in explorer.describe()


def test_the_distances_are_kls(explorer, pets):
    explorer.parts["attention"].value = False
    model, tokenizer = pets
    truth = torch.zeros(model.config.vocab_size)
    for word, p in grammar.next_words("The cat is").items():
        truth[tokenizer.encode(f" {word}")[0]] = p
    whole, broken = probs_of(*pets), probs_of(gptlib.ablate(model, "attention"), tokenizer)
    expected = [gptlib.kl(truth, broken), gptlib.kl(truth, whole), gptlib.kl(whole, broken)]
    assert list(explorer.distances()) == pytest.approx([x.item() for x in expected], abs=1e-4)
    assert f"From the truth: KL {svg.two(expected[0].item())} nats" in explorer.describe()


def test_the_rows_sum_to_one_and_the_expected_keep_their_places(explorer):
    before = list(numbers(explorer))[:7]
    for part in PARTS:
        explorer.parts[part].value = False
        assert list(numbers(explorer))[:7] == before
        for column in (1, 2, 3):
            assert sum(row[column] for row in explorer.rows()) == pytest.approx(1, abs=1e-6)


def test_ticking_again_gives_the_first_picture_back_without_a_pass(explorer, monkeypatch):
    first = explorer.picture.value
    explorer.parts["attention"].value = False
    passes = []
    monkeypatch.setattr("gptlib.widgets.feedforward.next_probs", passes.append)
    explorer.parts["attention"].value = True
    assert explorer.picture.value == first
    explorer.parts["attention"].value = False
    assert explorer.picture.value != first and passes == []


def test_the_layer_matters_only_when_a_part_is_out(explorer):
    whole = explorer.rows()
    explorer.layers.value = 1
    assert explorer.rows() == whole
    explorer.parts["attention"].value = False
    second = explorer.rows()
    explorer.layers.value = 0
    assert explorer.rows() != second


def test_the_model_itself_stays_whole(explorer, pets):
    before = {name: tensor.clone() for name, tensor in pets[0].state_dict().items()}
    for part in PARTS:
        explorer.parts[part].value = False
    assert type(pets[0].h[0].attn).__name__ == "CausalSelfAttention"
    assert all(torch.equal(before[name], t) for name, t in pets[0].state_dict().items())


@pytest.mark.parametrize("part, name", [*zip(PARTS[:2], PARTS[:2]), ("layernorm", "layer norm")])
def test_what_is_out_is_said_and_crossed_out_in_the_drawing(part, name):
    crosses = block_svg([part], "").count(svg.ORANGE) - block_svg([], "").count(svg.ORANGE)
    assert crosses == (4 if part == "layernorm" else 2)
    assert f"{name} off" in text_of(block_svg([part], ""))
    assert f"{name} off" not in text_of(block_svg([], ""))


def test_another_prompt_has_another_truth(explorer):
    explorer.prompt.value = "The dog was"
    assert numbers(explorer)["␣hungry"][2] == "0.60"
    assert explorer.message.value == ""


def test_where_the_grammar_has_no_truth_the_rest_is_shown(explorer):
    explorer.prompt.value = "The zebra"
    assert explorer.message.value == "" and explorer.rows()[0].truth is None
    words = " ".join(text_of(explorer.picture.value))
    assert "No truth here: the pets grammar cannot say" in words
    assert "From the truth" not in words and "From the whole model: KL 0.00 nats" in words


def test_without_a_truth_there_are_two_columns(pets):
    explorer = block_explorer(*pets)
    assert "truth" not in text_of(explorer.picture.value)
    assert "whole model" in text_of(explorer.picture.value)


@pytest.mark.parametrize(
    "text, message", [("", "type some text"), ("cat " * 99, "too many to show: 64 at most")]
)
def test_what_cannot_be_shown_is_said_in_the_widget(explorer, text, message):
    before = explorer.picture.value
    explorer.prompt.value = text
    assert message in explorer.message.value and explorer.picture.value == before
    explorer.prompt.value = "The cat is"
    assert explorer.message.value == ""


def test_numbers_that_overflow_are_said(model):
    with torch.no_grad():
        model.ln_f.weight.fill_(float("inf"))
    with pytest.raises(ValueError, match="not finite"):
        next_probs(model, [1, 2])


def test_a_model_of_few_words_has_no_others(model):
    explorer = block_explorer(model, Names([*"abcdefghijk"]), "012")
    assert explorer.message.value == ""
    assert sum(row.now for row in explorer.rows()) == pytest.approx(1)


@settings(max_examples=60, deadline=None)
@given(st.lists(HOSTILE, min_size=1, max_size=8), st.floats(0, 1))
def test_hostile_tokens_stay_words(names, p):
    rows = [Bar(name, p, p / 2, 1 - p) for name in names]
    picture = svg.document(bars_svg(rows, names[:3]), 880, 400, spoken(rows))
    elements(picture)


def test_a_tokenizer_with_hostile_names_makes_no_element(model):
    names = ["</svg><img src=x onerror=alert(1)>", '" onload="x', "\ud83d", "\x00", *"abcdefg"]
    explorer = block_explorer(model, Names(names), "0123")
    assert explorer.message.value == ""
    elements(explorer.picture.value)


def test_two_do_not_interfere_and_both_can_be_named(explorer, pets):
    other = block_explorer(*pets, truth=grammar.next_words)
    assert other.fallback() == explorer.fallback()
    before = other.picture.value
    explorer.parts["residual"].value = False
    assert other.picture.value == before
    check_names(explorer)


def test_it_is_saved(explorer, tmp_path):
    explorer.save(tmp_path / "block.svg")
    explorer.save(tmp_path / "block.html")
    saved = (tmp_path / "block.svg").read_text(encoding="utf-8")
    assert "var(--" not in saved
    elements(saved.strip())
