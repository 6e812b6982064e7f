"""gptlib.widgets.attention: the weights in the picture are the model's, whoever looks at whom."""

import math
import re

import calls
import numpy as np
import pytest
import torch
from explorers import HOSTILE, JUPYTERLAB, elements, image_of, over, text_of
from hypothesis import given, settings
from hypothesis import strategies as st
from live import grave, in_each_colour, open_live, restart, shown_in, shows

import gptlib
from gptlib.attention import attention_scores, mask_scores
from gptlib.plots.style import contrast
from gptlib.widgets import attention_explorer, svg
from gptlib.widgets.attention import attention_weights, exchanged
from gptlib.widgets.heads import attention_svg, overview_svg, two_digits

OWNERS = "Mia has a red ball. Tom has a big blue ball. Eve has a green ball. The ball of"
SENTENCE = f"{OWNERS} Tom is"
TOMS, EVES, LAST = 11, 17, 23  # places of balls, and of the last word
OPEN = f"widgets.attention_explorer(model, tokenizer, {SENTENCE!r}, layer=1, head=1)"


def weights_of(pets, text="The cat is"):
    model, tokenizer = pets
    return gptlib.trace(model, tokenizer.encode(text)).weights


# ---- The page ----


@pytest.fixture(scope="module")
def both(lab):
    return open_live(lab, "attention", f"display({OPEN}, {OPEN})", count=2)[1]


@pytest.fixture
def live(both):
    """The first of the two, at layer 0, head 0, its last word, with nothing framed."""
    live = both[0]
    for box in ("mask", "scale by 1/√d"):
        live.control("checkbox", box).set_checked(True)
    live.type("textbox", "sentence", SENTENCE)
    head(live, 0, 0).click()
    live.control("button", "q · k").click()
    return live


def word(live, place):
    return live.root.locator(".gptlib-arc-words button").nth(place)


def head(live, layer, head):
    """The button of a head: its name begins so."""
    return live.root.get_by_role("button", name=f"layer {layer}, head {head};")


def numbers(live):
    """What a screen reader finds below the words."""
    return live.root.locator(".gptlib-below").evaluate_all(
        "all => all.map(below => [...below.querySelectorAll(':not([aria-hidden])')]"
        ".map(part => part.textContent).join(''))"
    )


def row_of(pets, text, layer, head, query, masked=True, scaled=True):
    model, tokenizer = pets
    seen = gptlib.trace(model, tokenizer.encode(text)).layers[layer]
    scores = attention_scores(seen.q[head], seen.k[head], None if scaled else 1.0)
    weights = torch.softmax(mask_scores(scores) if masked else scores, -1)[query]
    said = [svg.two(weight) for weight in weights.tolist()]
    return ["hidden" if masked and place > query else words for place, words in enumerate(said)]


def named_heads(pets, text, query):
    """What the buttons of the heads say: the key on which the word looks most, and its weight."""
    model, tokenizer = pets
    names = [tokenizer.token_str(id) for id in tokenizer.encode(text)]
    most = weights_of(pets, text)[:, :, query].max(-1)
    return [
        f"layer {k // 4}, head {k % 4}; most on {names[key]}, {svg.two(weight)}"
        for k, (weight, key) in enumerate(zip(*(part.flatten().tolist() for part in most)))
    ]


def test_every_control_has_a_name(both, pets):
    found = both[0].controls()
    heads = {("button", name) for name in named_heads(pets, SENTENCE, LAST)}
    steps = {("button", name) for name in ("q · k", "score", "softmax", "values", "exchange")}
    boxes = {("checkbox", "mask"), ("checkbox", "scale by 1/√d"), ("textbox", "sentence")}
    words = {("button", "0: Mia"), ("button", f"{LAST}: ␣is"), ("button", "Frame this row")}
    assert found >= heads | steps | boxes | words
    assert both[1].controls() == found


def test_a_word_that_is_pointed_at_shows_where_it_looks_and_a_click_keeps_it(live, both, pets):
    other = both[1].words()
    word(live, TOMS).hover()
    shows(lambda: numbers(live), row_of(pets, SENTENCE, 0, 0, TOMS))
    live.control("textbox", "sentence").hover()
    shows(lambda: numbers(live), row_of(pets, SENTENCE, 0, 0, LAST))
    word(live, TOMS).click()
    live.control("textbox", "sentence").hover()
    live.control("textbox", "sentence").focus()
    shows(lambda: numbers(live), row_of(pets, SENTENCE, 0, 0, TOMS))
    assert both[1].words() == other


def test_a_screen_reader_hears_whose_weights_are_shown(live):
    group = live.root.locator(".gptlib-arcs")
    heard = group.get_by_role("status")
    shows(lambda: "“␣is” looks" in group.get_attribute("aria-label"), True)
    assert heard.inner_text() == ""
    word(live, TOMS).focus()
    words = "In layer 0, head 0, “␣ball” looks at"
    shows(lambda: group.get_attribute("aria-label").startswith(words), True)
    assert heard.inner_text() == group.get_attribute("aria-label")
    live.control("textbox", "sentence").focus()
    shows(heard.inner_text, "")
    word(live, EVES).hover()
    shows(lambda: heard.inner_text().startswith(words), True)
    word(live, EVES).click()
    shows(heard.inner_text, "")  # the line of the chosen pair says it
    assert group.get_attribute("aria-label").startswith(words)


def test_each_heads_button_says_where_the_chosen_word_looks_most(live, pets):
    word(live, EVES).click()
    buttons = live.root.locator(".gptlib-head-cell")

    def said(attribute):
        return buttons.evaluate_all(f"all => all.map(one => one.getAttribute('{attribute}'))")

    shows(lambda: said("aria-label"), named_heads(pets, SENTENCE, EVES))
    assert said("title") == said("aria-label")
    group = live.root.get_by_role("group", name="All heads: where “␣ball” looks most", exact=True)
    assert group.count() == 1


def test_each_head_has_arcs_of_its_own_stroke_as_wide_as_its_weights(live, pets):
    word(live, EVES).click()
    weights = weights_of(pets, SENTENCE)[0, :, EVES]
    expected = int((weights >= 0.04).sum())
    arcs = live.root.locator(".gptlib-arc-lines path")
    shows(arcs.count, expected)
    strokes = arcs.evaluate_all(
        "all => all.map(a => [a.getAttribute('stroke'), a.hasAttribute('stroke-dasharray'), "
        "Number(a.getAttribute('stroke-width'))])"
    )
    heads = {colour for colour, _, _ in strokes}
    assert len(heads) == int(((weights >= 0.04).any(-1)).sum())
    assert {dashed for colour, dashed, _ in strokes if "brand" not in colour} == {True}
    widest = max(width for _, _, width in strokes)
    assert math.isclose(widest, 1 + 5 * weights.max().item(), abs_tol=0.06)


# How far the first arc begins from the middle of the word that looks, and from its upper edge.
_OFF = """root => {
  const word = root.querySelector(".gptlib-looks");
  const arc = root.querySelector(".gptlib-arc-lines path").getAttribute("d");
  const [x, y] = arc.match(/[-.\\d]+/g).map(Number);
  return [Math.abs(x - word.offsetLeft - word.offsetWidth / 2) < 25, y - word.offsetTop];
}"""


def test_arcs_stay_on_their_words_when_these_move(live):
    word(live, LAST).click()
    shows(lambda: live.root.evaluate(_OFF), [True, 0])
    before = live.root.locator(".gptlib-arc-lines path").first.get_attribute("d")
    for change, back in (("width", "60%"), ("fontSize", "22px")):
        live.root.evaluate(f"root => {{ root.style.{change} = '{back}' }}")
        path = live.root.locator(".gptlib-arc-lines path").first
        shows(lambda path=path: path.get_attribute("d") != before, True)
        shows(lambda: live.root.evaluate(_OFF), [True, 0])
        live.root.evaluate(f"root => {{ root.style.{change} = '' }}")
        shows(lambda path=path: path.get_attribute("d"), before)


# [whether words scroll, how far the chosen one is below the upper edge and above the lower one, how
# far the first arc begins from it: across and down]
_IN_VIEW = """root => {
  const place = root.querySelector(".gptlib-arcs"), box = place.getBoundingClientRect();
  const word = root.querySelector(".gptlib-looks").parentElement.getBoundingClientRect();
  const arc = root.querySelector(".gptlib-arc-lines path");
  const start = arc.getPointAtLength(0).matrixTransform(arc.getScreenCTM());
  return [place.scrollHeight > place.clientHeight, word.top - box.top, box.bottom - word.bottom,
    Math.abs(start.x - word.left - word.width / 2), Math.abs(start.y - word.top)];
}"""


def test_as_many_words_as_can_be_shown_scroll_under_their_arcs_and_the_chosen_one_is_seen(
    live, pets
):
    assert not live.root.evaluate(_IN_VIEW)[0]
    model, tokenizer = pets
    ids = tokenizer.encode(f"{SENTENCE} blue. " * 3)[:64]
    live.type("textbox", "sentence", tokenizer.decode(ids))
    shows(lambda: len(numbers(live)), 64)
    words = live.root.locator(".gptlib-arcs")

    def seen():
        scrolls, above, below, across, down = live.root.evaluate(_IN_VIEW)
        return scrolls and above > 0 and below > 0 and across < 25 and down < 1

    shows(seen, True)
    assert words.evaluate("words => words.scrollTop") > 100
    words.evaluate("words => (words.scrollTop = 0)")
    live.control("checkbox", "mask").set_checked(False)
    live.control("checkbox", "mask").set_checked(True)
    shows(lambda: live.root.evaluate(_IN_VIEW)[2] < 0, True)  # whoever scrolls is left in peace
    click_cell(live, 0, 0, tokens=64)
    shows(seen, True)
    click_cell(live, 63, 63, tokens=64)
    shows(seen, True)


def test_by_keyboard_alone_a_word_a_head_and_a_cell_are_chosen(live, pets):
    live.reach("textbox", "sentence")
    word(live, LAST).focus()
    live.page.keyboard.press("ArrowLeft")
    shows(lambda: numbers(live), row_of(pets, SENTENCE, 0, 0, LAST - 1))
    live.page.keyboard.press("Enter")
    live.press("button", head(live, 0, 0).get_attribute("aria-label"), "ArrowRight", 3)
    live.page.keyboard.press("Enter")
    shows(lambda: numbers(live), row_of(pets, SENTENCE, 0, 3, LAST - 1))
    live.page.keyboard.press("ArrowDown")
    live.page.keyboard.press("Enter")
    shows(lambda: numbers(live), row_of(pets, SENTENCE, 1, 3, LAST - 1))
    table = live.root.locator(".gptlib-weight-table")
    table.focus()
    live.page.keyboard.press("ArrowUp")
    shows(lambda: numbers(live), row_of(pets, SENTENCE, 1, 3, LAST - 2))
    before = cell(live)
    live.page.keyboard.press("ArrowLeft")
    shows(lambda: cell(live) != before, True)
    live.press("button", "q · k", "ArrowRight")
    live.page.keyboard.press("Space")
    shows(lambda: live.control("button", "score").get_attribute("aria-pressed"), "true")


def cell(live):
    """The pair that is chosen, in words."""
    return live.root.locator(".gptlib-head-row [role=status]").inner_text()


def click_cell(live, query, key, tokens=24):
    """Click into the table where this cell is."""
    table = live.root.locator(".gptlib-weight-table")
    paper = table.locator("rect").first
    box = paper.bounding_box()
    size = box["width"] / tokens
    at = (box["x"] + (key + 0.5) * size, box["y"] + (query + 0.5) * size)
    live.page.mouse.click(*at)


def test_a_cell_that_is_clicked_is_worked_out_step_by_step(live, pets):
    head(live, 1, 1).click()
    click_cell(live, LAST, TOMS)
    layer = gptlib.trace(pets[0], pets[1].encode(SENTENCE)).layers[1]
    product = (layer.q[1, LAST] @ layer.k[1, TOMS]).item()
    score, weight = layer.scores[1, LAST, TOMS].item(), layer.weights[1, LAST, TOMS].item()
    shows(lambda: cell(live), f"Head 1 of layer 1: ␣is → ␣ball {svg.two(weight)}")
    panel = live.root.locator(".gptlib-panel-side")
    shows(lambda: f"q · k = {svg.two(product)}." in panel.inner_text(), True)
    q = ", ".join(map(svg.two, layer.q[1, LAST, :6].tolist()))
    assert live.label(".gptlib-strips [role=img]") == f"q of ␣is: {q}, …"
    live.control("button", "score").click()
    said = f"q · k / √16 = {svg.two(product)} / 4.00 = {svg.two(score)}."
    shows(lambda: said in panel.inner_text(), True)
    live.control("button", "softmax").click()
    chosen = panel.locator("tr[aria-current]")
    shows(lambda: chosen.inner_text().split("\t")[-1], svg.two(weight))
    assert panel.locator("tbody tr").last.inner_text().split("\t")[0] == "sum"
    live.control("button", "values").click()
    out = ", ".join(map(svg.two, layer.heads[1, LAST, :6].tolist()))
    shows(lambda: live.label(".gptlib-strips [role=img] >> nth=-1"), f"= output: {out}, …")


def test_a_hidden_cell_says_that_the_mask_hides_it(live):
    live.control("button", "score").click()
    click_cell(live, 3, 10)
    shows(lambda: cell(live), "Head 0 of layer 0: ␣red → ␣blue hidden by the mask")
    panel = live.root.locator(".gptlib-panel-side").inner_text()
    assert "“␣blue” comes after “␣red”: the mask makes the score −∞." in panel


def test_mask_and_scale_change_the_row(live, pets):
    word(live, 9).click()
    live.press("checkbox", "mask", "Space")
    shows(lambda: numbers(live), row_of(pets, SENTENCE, 0, 0, 9, masked=False))
    live.press("checkbox", "scale by 1/√d", "Space")
    shows(lambda: numbers(live), row_of(pets, SENTENCE, 0, 0, 9, masked=False, scaled=False))
    live.press("checkbox", "mask", "Space")
    shows(lambda: numbers(live), row_of(pets, SENTENCE, 0, 0, 9, scaled=False))


def test_rows_are_framed_by_click_and_tell_their_largest_weight(live, pets):
    head(live, 0, 3).click()
    for place in (TOMS, EVES):
        word(live, place).click()
        live.press("button", "Frame this row", "Enter")
    frames = live.root.get_by_role("group", name="framed rows").get_by_role("button")
    weights = weights_of(pets, SENTENCE)[0, 3]
    expected = [
        f"{place} ␣ball → {name} {svg.two(weights[place].max().item())}"
        for place, name in ((TOMS, "␣Tom"), (EVES, "␣Eve"))
    ]
    shows(frames.all_inner_texts, expected)
    frames.first.click()
    shows(lambda: word(live, TOMS).get_attribute("aria-pressed"), "true")
    live.press("button", "Frame this row", "Enter")
    shows(frames.count, 1)


def exchange(live, at, beside, second=""):
    live.control("button", "exchange").click()
    live.type("textbox", "second sentence", second or " ")
    live.control("combobox", "at").select_option(index=at)
    live.control("combobox", "with").select_option(index=beside)
    button = live.control("button", "Exchange")
    if button.get_attribute("aria-pressed") != "true":
        button.click()
    return live.root.locator(".gptlib-exchange [role=status]").first


def test_exchanging_the_owners_that_a_head_found_exchanges_the_answer(live):
    head(live, 0, 3).click()
    answer = exchange(live, TOMS, EVES)
    shows(answer.inner_text, "Next: ␣blue 1.00, now ␣green 1.00.")
    assert live.row("␣green", 2) == ["1.00", "<0.01"]
    head(live, 0, 0).click()
    shows(answer.inner_text, "Next: ␣blue 1.00, now ␣blue 1.00.")
    head(live, 0, 3).click()
    live.press("button", "Exchange", "Space")
    shows(answer.inner_text, "Next: ␣blue 1.00.")


def test_between_two_sentences_both_answers_change(live):
    head(live, 0, 1).click()
    answer = exchange(live, LAST, LAST, f"{OWNERS} Eve is")
    first = "Next in the first (the bars): ␣blue 1.00, now ␣green 1.00."
    shows(answer.inner_text, f"{first} In the second: ␣green 1.00, now ␣blue 1.00.")


def test_a_word_that_is_chosen_while_the_exchange_is_open_is_where_it_happens(live):
    head(live, 0, 3).click()
    word(live, LAST).click()
    answer = exchange(live, LAST, EVES)
    shows(lambda: "now ␣green" in answer.inner_text(), False)
    word(live, TOMS).click()
    shows(answer.inner_text, "Next: ␣blue 1.00, now ␣green 1.00.")
    assert live.value("combobox", "at") == f"{TOMS}: ␣ball"
    assert live.value("combobox", "with") == f"{EVES}: ␣ball"
    live.control("button", "q · k").click()
    word(live, 3).click()
    live.control("button", "exchange").click()
    shows(lambda: live.value("combobox", "at"), f"{TOMS}: ␣ball")


def test_the_exchange_says_that_mask_and_scale_have_no_effect_on_it(live):
    exchange(live, TOMS, EVES)
    note = live.root.locator(".gptlib-exchange [role=status]").last
    shows(note.inner_text, "")
    for box in ("mask", "scale by 1/√d"):
        live.control("checkbox", box).set_checked(False)
        shows(note.inner_text, "The ticks of mask and scale change nothing here.")
        live.control("checkbox", box).set_checked(True)
        shows(note.inner_text, "")


@pytest.mark.parametrize(
    "text, message", [("", "type some text"), ("cat " * 99, "too many to show: 64 at most")]
)
def test_what_cannot_be_shown_is_said_and_greys_the_picture(live, text, message):
    live.type("textbox", "sentence", text or "x")
    if not text:
        live.page.keyboard.press("Backspace")
    shows(lambda: message in live.message(), True)
    assert live.root.locator(".gptlib-stale").count() == 1
    live.type("textbox", "sentence", "The cat is")
    shows(live.message, "")
    shows(lambda: len(numbers(live)), 3)


def test_an_emoji_split_over_tokens_is_shown_as_its_bytes(live):
    live.type("textbox", "sentence", "The 🐱")
    shows(lambda: "<F0>" in live.words(), True)


def test_the_future_is_grey_crossed_out_and_zero_as_in_figures(live):
    live.type("textbox", "sentence", "The cat is")
    table = live.root.locator(".gptlib-weight-table")
    over = table.locator("g").first.locator("path")

    def found():
        texts = table.locator("text").all_text_contents()
        return [texts.count("0"), *(bool(d) for d in over.evaluate_all(DRAWN))]

    shows(found, [3, True, True])
    small = live.root.locator(".gptlib-head-cell svg").first.locator("g path")
    assert all(small.evaluate_all(DRAWN))
    live.control("checkbox", "mask").set_checked(False)
    shows(found, [0, False, False])
    assert not any(small.evaluate_all(DRAWN))


DRAWN = "paths => paths.map(path => path.getAttribute('d'))"


@in_each_colour
def test_no_serious_violation_of_accessibility_is_found(live, lab, colours):
    with shown_in(lab, colours):
        found = []
        for step in ("q · k", "score", "softmax", "values", "exchange"):
            live.control("button", step).click()
            found += grave(lab.page)
        live.control("button", "Exchange").click()
        live.control("button", "Frame this row").click()
        head(live, 1, 2).click()
        found += grave(lab.page)
        live.control("checkbox", "mask").set_checked(False)
        live.control("button", "Exchange").click()
        live.type("textbox", "sentence", "The cat is")
        found += grave(lab.page)
    assert not found


ASKS = """
from gptlib.widgets import shared
shared.LARGEST, kept = 10, shared.LARGEST
made = widgets.attention_explorer(model, tokenizer, layer=1, head=2)
shared.LARGEST = kept
assert made.shared_model is None
made
"""


def test_a_model_too_large_for_a_page_is_asked_in_the_kernel(lab, pets):
    _, (live,) = open_live(lab, "asks", ASKS)
    shows(lambda: numbers(live), row_of(pets, "The cat is", 1, 2, 2))
    live.type("textbox", "sentence", SENTENCE)
    shows(lambda: numbers(live), row_of(pets, SENTENCE, 1, 2, LAST))
    head(live, 0, 3).click()
    shows(exchange(live, TOMS, EVES).inner_text, "Next: ␣blue 1.00, now ␣green 1.00.")
    restart(lab)
    shows(lambda: "run this cell again" in live.message(), True)
    assert live.control("textbox", "sentence").is_disabled()


BAD = """
bad = '</svg><img src=x onerror=alert(1)>" onload="alert(2)" --><script>alert(3)</script>'
tokenizer = gptlib.Tokenizer.train(bad * 3, 300)
model = gptlib.GPT(gptlib.GPTConfig(tokenizer.vocab_size, 64, 3, 2, 8), seed=0)
widgets.attention_explorer(model, tokenizer, bad[:40], focus=[0, 2])
"""


def test_hostile_tokens_bring_nothing_into_the_page(lab):
    _, (live,) = open_live(lab, "hostile_attention", BAD)
    for step in ("q · k", "score", "softmax", "values", "exchange"):
        live.control("button", step).click()
        assert not live.strange()


# Of each word: what is read below it, and how much wider that is than its place.
_BELOW = """root => [...root.querySelectorAll(".gptlib-below")].map(below => {
  const written = document.createRange();
  written.selectNodeContents(below.firstChild);
  const wider = written.getBoundingClientRect().width - below.getBoundingClientRect().width;
  return [below.firstChild.textContent, wider];
})"""


def test_in_the_lesson_nothing_below_a_word_is_wider_than_its_place(lab):
    _, (live,) = open_live(lab, "lesson_attention", calls.explorers()["03 attention_explorer"])
    live.root.locator(".gptlib-below").last.wait_for()
    for window in ("laptop", "phone"):
        with lab.window(window):
            found = live.root.evaluate(_BELOW)
            assert len(found) == LAST + 1 and all(wider <= 0 for _, wider in found), window
    assert {words for words, _ in found[TOMS + 1 :]} == {"0"}
    assert numbers(live)[TOMS + 1 :] == ["hidden"] * (LAST - TOMS)
    crossed = live.root.locator(".gptlib-below").evaluate_all(
        "all => all.map(below => getComputedStyle(below).backgroundImage !== 'none')"
    )
    assert crossed == [place > TOMS for place in range(LAST + 1)]


def test_nothing_was_asked_of_another_machine(both, lab):
    assert not lab.left


# ---- The Python side ----


@pytest.fixture
def explorer(pets):
    return attention_explorer(*pets)


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


@pytest.mark.parametrize("part, change", [("mask", "masked"), ("scaling", "scaled")])
def test_an_ablated_model_opens_with_its_own_mask_and_scale(pets, part, change):
    model, tokenizer = pets
    broken = gptlib.ablate(model, part)
    explorer = attention_explorer(broken, tokenizer)
    assert explorer.shared_model is None and not getattr(explorer, change)
    expected = gptlib.trace(broken, tokenizer.encode("The cat is")).weights
    np.testing.assert_allclose(explorer.shown(), expected, atol=0.0051)


def test_an_exchange_with_itself_changes_nothing_and_leaves_no_hook(pets):
    model, tokenizer = pets
    ids = tokenizer.encode(SENTENCE)
    before, after = exchanged(model, ids, None, layer=1, head=1, at=LAST, beside=LAST)
    torch.testing.assert_close(before, after)
    where = {"layer": 0, "head": 3, "at": TOMS, "beside": EVES}
    before, after = exchanged(model, ids, None, **where)
    said = [tokenizer.token_str(int(row.argmax())) for row in (*before, *after)]
    assert said == ["␣blue", "␣green"]
    torch.testing.assert_close(gptlib.trace(model, ids).logits[-1], before[0])


def test_the_kernel_answers_with_queries_keys_and_values(explorer, pets):
    ids = pets[1].encode(SENTENCE)
    said = explorer.answer_look(ids)
    layers = gptlib.trace(pets[0], ids).layers
    assert said["shape"] == [2, 4, 24, 16]
    for name in "qkv":
        found = torch.frombuffer(bytearray(said[name]), dtype=torch.float32).view(said["shape"])
        torch.testing.assert_close(found, torch.stack([getattr(one, name) for one in layers]))


def test_the_picture_that_is_saved_has_the_row_and_frames_what_is_in_focus(pets, tmp_path):
    made = attention_explorer(*pets, SENTENCE, layer=0, head=3, query=EVES, focus=[TOMS, LAST])
    row = text_of(made.draw())[2:50:2]
    weights = weights_of(pets, SENTENCE)[0, 3, EVES].tolist()
    shown = [svg.two(share) for share in weights]
    assert row == shown[: EVES + 1] + ["hidden"] * (LAST - EVES)
    dashed = [a for tag, a in elements(made.draw()) if "stroke-dasharray" in a]
    assert len(dashed) == 2
    alt, _ = image_of(made.fallback()["text/html"])
    assert alt.startswith("Attention explorer: in layer 0, head 3, “␣ball” looks at “␣Eve” 0.97")
    made.save(tmp_path / "head.svg")
    saved = (tmp_path / "head.svg").read_text(encoding="utf-8")
    assert "var(--" not in saved and saved.startswith("<svg")
    assert made.fallback() == made.fallback()


def test_a_short_context_is_kept_and_a_wrong_choice_refused(model, pets):
    with pytest.raises(ValueError, match=r"layer must be in 0\.\.1, not 2"):
        attention_explorer(*pets, layer=2)
    with pytest.raises(ValueError, match="exchange is two places, not 1"):
        attention_explorer(*pets, exchange=[3])
    tokenizer = gptlib.Tokenizer([])
    tiny = gptlib.GPT(gptlib.GPTConfig(300, 8, 1, 1, 4), seed=0)
    made = attention_explorer(tiny, tokenizer, "012345678")
    assert "9 tokens are too many to show: 8 at most" in made.fallback()["text/plain"]
    made.text = "0"
    assert text_of(made.draw())[1:3] == ["0", "1.00"]


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"query": 3}, r"query must be in -3\.\.2, not 3"),
        ({"query": -9}, r"query must be in -3\.\.2, not -9"),
        ({"focus": [0, 99]}, r"focus must be in 0\.\.2, not 99"),
        ({"focus": [-1]}, r"focus must be in 0\.\.2, not -1"),
        ({"exchange": [0, 90]}, r"exchange must be in 0\.\.2, not 90"),
        ({"exchange": [-1, 0]}, r"exchange must be in 0\.\.2, not -1"),
        ({"exchange": [2, 1], "other": "The"}, r"exchange must be in 0\.\.0, not 1"),
    ],
)
def test_a_place_that_the_sentence_does_not_have_is_refused(pets, wrong, said):
    with pytest.raises(ValueError, match=said):
        attention_explorer(*pets, "The cat is", **wrong)


def test_the_last_places_are_taken_and_a_sentence_that_cannot_be_shown_is_said_in_the_page(pets):
    last = {"query": -3, "focus": [0, 2], "other": SENTENCE, "exchange": [2, LAST]}
    assert attention_explorer(*pets, "The cat is", **last).exchange == [2, LAST]
    for text in ("", "cat " * 99):
        assert attention_explorer(*pets, text, **last).text == text


def test_the_overview_frames_the_chosen_head_and_has_all_of_them(pets):
    def frame(**chosen):
        picture = attention_explorer(*pets, **chosen).draw()
        outlines = re.findall(r'd="([^"]*)" fill="none" stroke=', picture)
        assert outlines[-1].count("M") == 2 * 4
        (found,) = [
            (float(a["x"]), float(a["y"]))
            for tag, a in elements(picture)
            if tag == "rect" and a.get("stroke-width") == "3"
        ]
        return found

    first, second, third = frame(), frame(head=1), frame(head=1, layer=1)
    assert second[0] > first[0] and second[1] == first[1]
    assert third[0] == second[0] and third[1] > second[1]


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


@settings(max_examples=60, deadline=None)
@given(st.lists(HOSTILE, min_size=1, max_size=10), st.booleans())
def test_hostile_tokens_stay_words(tokens, masked):
    count = len(tokens)
    weights = np.full((2, 1, count, count), 1 / count)
    picture = attention_svg(weights, tokens, 1, 0, 0, masked=masked, focus=[count - 1])
    elements(picture)
    cut = [svg.clip(token, 150, code=True) for token in tokens]
    shown = svg.writable(cut[0]).split()
    assert text_of(picture)[1 if shown else 0].split() == shown or not shown


def test_cells_are_as_dark_as_their_weights(explorer, pets):
    shades = {
        attributes["fill-opacity"]
        for tag, attributes in elements(explorer.draw())
        if tag == "rect" and "fill-opacity" in attributes
    }
    for share in two_digits(weights_of(pets)[0, 0]).ravel().tolist():
        assert f"{svg.heat(share)[0]:.3g}" in shades


@pytest.mark.parametrize("masked, zeros", [(True, 3), (False, 0)])
def test_in_the_picture_the_future_is_grey_crossed_out_and_zero(masked, zeros):
    picture = attention_svg(np.full((1, 1, 3, 3), 0.5), list("abc"), 0, 0, 0, masked=masked)
    table = text_of(picture)[: text_of(picture).index("All heads: layers down, heads across")]
    assert table.count("0") == zeros
    grey = [a for _, a in elements(picture) if a.get("fill") == svg.GRID]
    crossed = [
        a for _, a in elements(picture) if a.get("stroke") == svg.GRID and "l" in a.get("d", "")
    ]
    assert (len(grey), len(crossed)) == ((2, 1) if masked else (0, 0))
