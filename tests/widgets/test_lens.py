"""gptlib.widgets.lens: the words that each layer would say, in a page and in Python."""

import pytest
import torch
from explorers import HOSTILE, elements, image_of, text_of
from hypothesis import given, settings
from hypothesis import strategies as st
from live import grave_in, in_each_colour, open_live, restart, shows

import gptlib
from gptlib.widgets import logit_lens, svg
from gptlib.widgets.lens import MOST_ROWS, Best, lens_svg

LENS = "widgets.logit_lens(model, tokenizer)"


def looked(pets, text):
    """Probabilities of each depth and position, (L + 1, T, V), and the ids."""
    model, tokenizer = pets
    ids = tokenizer.encode(text)
    return gptlib.softmax(gptlib.trace(model, ids).logits_by_layer), ids


def best(pets, text, count):
    """The table, row by row: a token, then the best words of each depth, as they are written."""
    probs, ids = looked(pets, text)
    name = pets[1].token_str
    rows = []
    for place, follows in enumerate([*ids[1:], None]):
        row = [name(ids[place])]
        for depth in probs[:, place]:
            for p, id in zip(*depth.topk(count), strict=True):
                mark = ["✓"] if id == follows else []
                row += [name(int(id)), *mark, svg.chance(p.item())]
        rows.append(row)
    return rows


# ---- The page ----


@pytest.fixture(scope="module")
def both(lab):
    """Two lenses of one notebook, which pick up where the test before left them."""
    _, found = open_live(lab, "lens", f"display({LENS}, {LENS})", count=2)
    return found


@pytest.fixture
def lens(both):
    both[0].type("textbox", "text", "The cat is")
    both[0].type("spinbutton", "words", "3")
    both[0].control("combobox", "depth").select_option("after block 2")
    return both[0]


def table(lens):
    read = """root => [...root.querySelectorAll('tbody tr')].map(row =>
      [...row.querySelectorAll('th, td span span')].filter(n => n.getClientRects().length)
        .map(n => n.textContent).filter(Boolean))"""
    return lens.root.evaluate(read)


def cell(lens, place, depth):
    return lens.root.locator("tbody tr").nth(place).locator("button").nth(depth)


def bar(lens, name, count=1):
    return lens.row(name, count)


def test_every_control_has_a_name(both):
    for lens in both:
        named = {(role, name) for role, name in lens.controls() if role != "button"}
        sliders = {("slider", "words"), ("slider", "depth")}
        boxes = {("textbox", "text"), ("spinbutton", "words"), ("combobox", "depth")}
        assert named == sliders | boxes
        assert ("button", "Play") in lens.controls() and ("button", "") not in lens.controls()


def test_each_cell_has_the_best_words_of_its_layer_and_position(lens, both, pets):
    other = both[1].words()
    shows(lambda: table(lens), best(pets, "The cat is", 3))
    heads = lens.root.locator("thead th").all_inner_texts()
    assert heads == ["token", "embeddings", "after block 1", "after block 2"]
    lens.press("slider", "words", "ArrowRight")
    shows(lambda: table(lens), best(pets, "The cat is", 4))
    lens.type("textbox", "text", "The dog was")
    lens.type("spinbutton", "words", "1")
    shows(lambda: table(lens), best(pets, "The dog was", 1))
    assert both[1].words() == other


def test_more_words_make_no_new_table_and_the_chosen_cell_stays_in_sight(lens):
    lens.type("textbox", "text", "The cat is on the bed")
    first = cell(lens, 0, 0)
    shows(lambda: lens.root.locator("tbody tr").count(), 6)
    first.evaluate("cell => { cell.marked = true }")
    in_sight = """root => {
      const box = root.querySelector(".gptlib-lens-table").getBoundingClientRect();
      const at = root.querySelector("td [aria-pressed=true]").getBoundingClientRect();
      return at.top >= box.top && at.bottom <= box.bottom + 1;
    }"""
    shows(lambda: lens.root.evaluate(in_sight), True)
    lens.press("slider", "words", "ArrowRight", 2)
    shows(lambda: first.get_attribute("aria-label").count(";"), 4)
    shows(lambda: lens.root.evaluate(in_sight), True)
    assert first.evaluate("cell => cell.marked")


def test_a_tick_marks_what_does_come_next_and_the_last_position_has_none(lens):
    shows(lambda: lens.root.locator("tbody .gptlib-comes").count() >= 2, True)
    assert "␣cat" in cell(lens, 0, 2).locator(".gptlib-comes").inner_text()
    assert lens.root.locator("tbody tr").nth(2).locator(".gptlib-comes").count() == 0


def test_the_bars_are_those_of_the_chosen_cell(lens, pets):
    probs, ids = looked(pets, "The cat is")
    [sleeping] = pets[1].encode(" sleeping")
    for depth in (0, 1, 2):
        cell(lens, 2, depth).click()
        now = svg.chance(probs[depth, 2, sleeping].item())
        shows(lambda now=now: bar(lens, "␣sleeping"), [now])
    cell(lens, 0, 2).click()
    shows(lambda: "Read at The, after block 2:" in lens.words(), True)
    shows(lambda: bar(lens, "␣cat ✓"), [svg.chance(probs[2, 0, ids[1]].item())])
    cell(lens, 0, 1).click()
    end = svg.chance(probs[2, 0, ids[1]].item())
    shows(lambda: bar(lens, "␣cat ✓", 2)[1], end)  # dashed, beside the bar of block 1


def test_the_arrows_move_from_cell_to_cell(lens):
    cell(lens, 2, 2).focus()
    lens.page.keyboard.press("ArrowLeft")
    lens.page.keyboard.press("ArrowUp")
    shows(lambda: cell(lens, 1, 1).get_attribute("aria-pressed"), "true")
    assert lens.root.locator("td [aria-pressed=true]").count() == 1
    assert lens.root.locator("td [tabindex='0']").count() == 1
    shows(lambda: "Read at ␣cat, after block 1:" in lens.words(), True)
    for _ in range(3):
        lens.page.keyboard.press("ArrowLeft")  # the first depth is the end of the way
    shows(lambda: "Read at ␣cat, right after the embeddings:" in lens.words(), True)


def test_play_goes_from_the_embeddings_to_the_last_block(lens):
    lens.press("button", "Play", "Enter")
    shows(lambda: "Read at ␣is, right after the embeddings:" in lens.words(), True)
    shows(lambda: "Read at ␣is, after block 1:" in lens.words(), True)
    shows(lambda: "Read at ␣is, after block 2:" in lens.words(), True)
    shows(lambda: lens.control("button", "Play").count(), 1)


def test_pause_stops_where_it_is_and_play_goes_on_from_there(lens):
    lens.press("button", "Play", "Enter")
    shows(lambda: "Read at ␣is, right after the embeddings:" in lens.words(), True)
    lens.press("button", "Pause", "Enter")
    shows(lambda: lens.control("button", "Play").count(), 1)
    shown = lens.words()
    lens.page.wait_for_timeout(1800)
    assert lens.words() == shown


def test_a_text_that_cannot_be_shown_is_said_and_greys_the_picture(lens):
    grey = lens.root.locator(".gptlib-stale")
    for text, said in [("x", "⚠ type some text"), ("a b c " * 30, "too many to show: 32 at most")]:
        lens.type("textbox", "text", text)
        if text == "x":
            lens.page.keyboard.press("Backspace")
        shows(lambda said=said: said in lens.message(), True)
        assert grey.count() == 1
    lens.type("textbox", "text", "The cat is")
    shows(grey.count, 0)
    assert lens.message() == ""


@in_each_colour
def test_no_serious_violation_of_accessibility_is_found(lens, lab, colours):
    for cell in (-1, 0):
        lens.root.locator("td button").nth(cell).click()
        assert not grave_in(lab, colours)


def test_a_model_too_large_for_a_browser_is_read_in_the_kernel(lab, pets):
    code = f"widgets.shared.LARGEST = 0\n{LENS}"
    _, (lens,) = open_live(lab, "large", code)
    shows(lambda: table(lens), best(pets, "The cat is", 3))
    lens.type("textbox", "text", "The dog was")
    shows(lambda: table(lens), best(pets, "The dog was", 3))
    lens.type("textbox", "text", "a b c " * 30)
    shows(lambda: "too many to show: 32 at most" in lens.message(), True)
    restart(lab)
    shows(lambda: "run this cell again" in lens.message(), True)
    assert lens.control("textbox", "text").is_disabled()


def test_the_lens_of_a_small_model_goes_on_when_the_kernel_has_gone(lab, pets):
    _, (lens,) = open_live(lab, "alone", LENS)
    restart(lab)
    lens.type("textbox", "text", "The dog was")
    shows(lambda: table(lens), best(pets, "The dog was", 3))


BAD = """
bad = '</svg><img src=x onerror=alert(1)>" onload="alert(2)" --><script>alert(3)</script>'
tokenizer = gptlib.Tokenizer.train(bad * 3, 300)
model = gptlib.GPT(gptlib.GPTConfig(tokenizer.vocab_size, 64, 1, 2, 8), seed=0)
widgets.logit_lens(model, tokenizer, bad[:40], 5)
"""


def test_hostile_tokens_bring_nothing_into_the_page(lab):
    _, (lens,) = open_live(lab, "hostile", BAD)
    shows(lambda: len(table(lens)) > 3, True)
    assert not lens.strange()


def test_nothing_was_asked_of_another_machine(both, lab):
    assert not lab.left


# ---- The Python side ----


@pytest.fixture
def made(pets):
    return logit_lens(*pets)


def test_the_bars_have_the_best_of_each_depth_and_what_comes_next(made, pets):
    probs, ids = looked(pets, "The cat is")
    rises = made.look("The cat is").rises
    for place, words in enumerate(rises):
        names = [word.name for word in words]
        for depth, count in zip(probs[:, place], (1, 1, 4), strict=True):
            assert {pets[1].token_str(int(id)) for id in depth.topk(count).indices} <= set(names)
        last = [word.ps[-1] for word in words]
        assert last == sorted(last, reverse=True)
    assert [word.name for word in rises[0] if word.comes] == [pets[1].token_str(ids[1])]
    assert not any(word.comes for word in rises[-1])


def test_the_words_are_those_that_the_model_says_at_the_end(made, pets):
    model, tokenizer = pets
    with torch.no_grad():
        logits = model(torch.tensor([tokenizer.encode("The cat is")]))[0, -1]
    p, id = gptlib.softmax(logits).max(-1)
    first = made.look("The cat is").cells[-1][-1][0]
    assert first == (tokenizer.token_str(int(id)), pytest.approx(p.item(), abs=1e-5), False)
    assert f"after block 2 {first.name} {svg.two(first.p)}" in made.describe()


@pytest.mark.parametrize(
    "text, said",
    [("", "type some text"), ("a b c " * 30, "too many to show: 32 at most"), ("\ud800", "lone")],
)
def test_a_text_that_cannot_be_shown_is_said_by_the_kernel(made, text, said):
    with pytest.raises(ValueError, match=said):
        made.answer_lens(text)


def test_a_text_longer_than_a_small_context_is_capped_by_it(pets):
    config = gptlib.GPTConfig(pets[1].vocab_size, 4, 1, 1, 4)
    lens = logit_lens(gptlib.GPT(config, seed=0), pets[1])
    with pytest.raises(ValueError, match="6 tokens are too many to show: 4 at most"):
        lens.look("The cat is sleeping on the")
    assert lens.settings["longest"] == 4


@pytest.mark.parametrize("words", [0, 6])
def test_the_number_of_words_is_from_1_to_5(pets, words):
    with pytest.raises(ValueError, match="words must be from 1 to 5"):
        logit_lens(*pets, words=words)


def test_the_fallback_is_one_image_with_the_same_words_each_time(made, pets, tmp_path):
    assert made.fallback() == logit_lens(*pets).fallback()
    alt, picture = image_of(made.fallback()["text/html"])
    assert "␣sleeping 0.62" in alt and len(list(picture.iter())) > 30
    for name in ("a.svg", "a.html"):
        made.save(tmp_path / name)
        assert "var(--" not in (tmp_path / name).read_text(encoding="utf-8")


def test_the_picture_has_every_cell(made, pets):
    words = text_of(made.draw())
    rows = best(pets, "The cat is", 3)
    for row in rows:
        for word in row:
            assert word == "✓" or word in words or f"{word} ✓" in words


def test_many_tokens_and_layers_are_cut_and_the_picture_says_so():
    cells = [[[Best("x", 0.5, False)]] * 20] * 13
    words = text_of(lens_svg([f"t{k}" for k in range(20)], cells, "x"))
    assert f"(the last {MOST_ROWS} of 20 tokens)" in words[0]
    assert "t8" in words and "t7" not in words
    assert {"embeddings", "after block 3", "after block 6", "after block 12"} <= set(words)


@settings(max_examples=40, deadline=None)
@given(st.lists(HOSTILE, min_size=3, max_size=3))
def test_hostile_words_add_nothing_to_the_picture(names):
    words = [Best(names[0], 0.5, True), Best(names[1], 0.25, False)]
    picture = lens_svg(names[1:], [[words, words]] * 2, names[2])
    tame = [word._replace(name="x") for word in words]
    calm = lens_svg(["x", "y"], [[tame, tame]] * 2, "x")
    assert [tag for tag, _ in elements(picture)] == [tag for tag, _ in elements(calm)]
