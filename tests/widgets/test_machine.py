"""gptlib.widgets.machine: the machine in a page does what the model does, station by station."""

import re
import xml.etree.ElementTree as ET

import calls
import pytest
import torch
from explorers import Names, elements, image_of
from live import grave, in_each_colour, moving, open_live, press_at_once, shown_in, shows

import gptlib
from gptlib.widgets import machine, svg
from gptlib.widgets.machine import OPENED, STATIONS, machine_svg

MACHINE = "widgets.machine(model, tokenizer)"
# On the way round: attention and feedforward once for each of the two layers.
WAY = ["text", "tokenizer", "embeddings", "attention, layer 0", "feedforward, layer 0"]
WAY += ["attention, layer 1", "feedforward, layer 1", "logits", "sampling"]


@pytest.fixture(scope="module")
def opened(lab):
    return open_live(lab, "machine", f"display({MACHINE}, {MACHINE})", count=2)[1]


@pytest.fixture
def live(opened):
    live = opened[0]
    live.type("textbox", "text", "The cat is")
    live.control("button", "Reset").click()
    return live


def lit(live):
    return live.root.locator("[aria-current=step]").get_attribute("aria-label")


def detail(live):
    return live.root.locator(".gptlib-detail").inner_text()


def title(live):
    return live.root.locator(".gptlib-detail-title").inner_text()


# Of what is open, where it is not the station's name.
TITLES = {"attention": "attention, layer 0", "feedforward": "feedforward, layer 0"}


def generated(pets, count, seed=0):
    model, tokenizer = pets
    generator = torch.Generator().manual_seed(seed)
    ids = tokenizer.encode("The cat is")
    return gptlib.generate(model, ids, count, eos_id=tokenizer.eos_id, generator=generator).tolist()


def test_every_control_and_station_has_a_name(opened):
    names = ["Step", "Play", "Next token", "Reset", *STATIONS, "training"]
    found = opened[0].controls()
    assert {("button", name) for name in names} <= found
    assert {("textbox", "text"), ("combobox", "speed")} <= found
    assert opened[1].controls() == found


def test_step_goes_from_station_to_station_through_both_layers_and_round_again(live, pets):
    for station in WAY:
        live.press("button", "Step", "Enter")
        shows(lambda: lit(live), station)
        assert title(live) == station
    ids = generated(pets, 1)
    name = pets[1].token_str(ids[-1])
    assert f"fell on “{name}”" in detail(live)
    live.press("button", "Step", "Enter")
    shows(lambda: lit(live), "text")
    assert f"“{pets[1].decode(ids)}”" in detail(live)


def test_a_step_leaves_alone_what_stays_as_it_was(live):
    """Of the small pictures; each is drawn anew once the text has grown."""
    live.press("button", "Step", "Enter", 4)
    shows(lambda: lit(live), "attention, layer 0")
    marked = "all => all.map(inside => Boolean(inside.firstChild?.marked))"
    insides = live.root.locator(".gptlib-inside")
    insides.evaluate_all(
        "all => { for (const {firstChild} of all) if (firstChild) firstChild.marked = true }"
    )
    live.press("button", "Step", "Enter")
    shows(lambda: lit(live), "feedforward, layer 0")
    assert insides.evaluate_all(marked) == [True] * 4 + [False] * 3
    live.press("button", "Next token", "Enter")
    shows(lambda: any(insides.evaluate_all(marked)), False)


def test_what_the_text_has_not_reached_is_not_shown(live):
    live.press("button", "Step", "Enter", 2)
    shows(lambda: lit(live), "tokenizer")
    insides = live.root.locator(".gptlib-inside")
    filled = [insides.nth(k).inner_text() != "" for k in range(len(STATIONS))]
    assert filled == [True, True, False, False, False, False, False]


def test_next_token_goes_round_once_and_leaves_open_what_is_open(live, pets):
    live.press("button", "logits", "Enter")
    for count in (1, 2):
        live.press("button", "Next token", "Enter")
        said = pets[1].decode(generated(pets, count))
        shows(lambda said=said: live.root.locator(".gptlib-text").inner_text(), said)
        assert title(live) == "logits"


def test_play_writes_to_the_stop_token_what_generate_writes(live, pets):
    live.control("combobox", "speed").select_option("fast")
    live.press("button", "Play", "Enter")
    whole = pets[1].decode(generated(pets, 40))
    text = live.root.locator(".gptlib-text")
    live.page.wait_for_function(
        "() => [...document.querySelectorAll('.gptlib-loop')].some(l => "
        "l.textContent.includes('the text has ended'))"
    )
    assert whole.endswith(text.inner_text().removeprefix("…")[-30:])
    shows(lambda: live.control("button", "Play").count(), 1)
    live.press("button", "Step", "Enter")
    shows(lambda: "Reset begins again" in live.message(), True)


def test_a_screen_reader_says_whole_sentences_with_the_token_and_each_once(live, pets):
    token = pets[1].token_str(generated(pets, 1)[-1])
    loop = live.root.locator(".gptlib-loop")

    def heard():
        return loop.aria_snapshot().removeprefix('- button "training"').split("status: ")

    live.press("button", "attention", "Enter")
    opening = (
        "Training adjusts the numbers from embeddings to logits. Press Step to follow the text."
    )
    shows(heard, ["\n- ", opening])
    live.press("button", "Step", "Enter", len(WAY) - 1)
    shows(heard, ["\n- ", '"Now: logits."'])
    live.press("button", "Step", "Enter")
    shows(heard, ["\n- ", f"“{token}” was drawn, and will join the text."])
    loop.evaluate("""loop => {
      loop.said = 0;
      new MutationObserver(() => loop.said++).observe(
        loop.querySelector("[role=status]"), {childList: true, characterData: true, subtree: true});
    }""")
    live.press("button", "embeddings", "Enter")
    live.press("button", "␣cat", "Enter")
    assert loop.evaluate("loop => loop.said") == 0
    live.press("button", "Step", "Enter")
    shows(heard, ["\n- ", f"“{token}” has joined the text, and round it goes again."])
    assert loop.evaluate("loop => loop.said") == 1
    words = "has joined the text, and round it goes again."
    assert loop.locator("[aria-hidden]").all_inner_texts() == [token, words]


def test_after_the_stop_token_the_bars_are_said_to_be_of_another_story(live):
    another = "The text ended with the stop token: this would begin another story."
    for station in ("logits", "sampling"):
        live.type("textbox", "text", "The cat is")
        live.press("button", station, "Enter")
        assert another not in detail(live)
        live.type("textbox", "text", "The cat is sleeping.<|endoftext|>")
        shows(lambda: another in detail(live), True)
    live.type("textbox", "text", "The cat is")
    live.control("combobox", "speed").select_option("fast")
    live.press("button", "Play", "Enter")
    status = live.root.locator(".gptlib-loop [role=status]")
    shows(status.inner_text, "“<|endoftext|>” is the stop token: the text has ended.")
    live.press("button", "logits", "Enter")
    shows(lambda: another in detail(live), True)


@pytest.mark.parametrize("station", OPENED)
def test_a_click_opens_a_station(live, station):
    live.press("button", station, "Space")
    shows(lambda: title(live), TITLES.get(station, station))
    assert live.control("button", station).get_attribute("aria-pressed") == "true"


def test_the_tokenizer_shows_the_ids(live, pets):
    live.press("button", "tokenizer", "Enter")
    for id in pets[1].encode("The cat is"):
        assert live.row(pets[1].token_str(id), 1) == [str(id)]


def test_attention_shows_the_weights_of_the_chosen_layer_and_token(live, pets):
    seen = gptlib.trace(pets[0], pets[1].encode("The cat is"))
    live.press("button", "attention", "Enter")
    live.press("button", "layer 1", "Enter")
    live.press("button", "␣cat", "Enter")

    def rows():
        return live.root.locator("tbody tr").all_inner_texts()

    expected = [
        "\t".join([str(h), *map(svg.two, seen.weights[1, h, 1, :2].tolist())]) for h in range(4)
    ]
    shows(rows, expected)
    assert live.page.evaluate("document.activeElement.textContent") == "␣cat"


def test_embeddings_and_feedforward_say_the_models_numbers(live, pets):
    seen = gptlib.trace(pets[0], pets[1].encode("The cat is"))
    live.press("button", "embeddings", "Enter")
    first = ", ".join(map(svg.two, seen.layers[0].x[-1, :6].tolist()))
    shows(lambda: f"The sum begins {first}, …" in detail(live), True)
    live.press("button", "feedforward", "Enter")
    live.press("button", "layer 0", "Enter")
    hidden = seen.layers[0].mlp_hidden[-1]
    said = f"makes {int((hidden > 0.1).sum())} of 256 hidden numbers larger than 0.1; the largest "
    said += f"is number {int(hidden.argmax())}, {svg.two(hidden.max().item())}."
    shows(lambda: said in detail(live), True)


def test_logits_show_the_probabilities_and_training_the_surprise(live, pets):
    model, tokenizer = pets
    ids = tokenizer.encode("The cat is")
    seen = gptlib.trace(model, ids)
    live.press("button", "logits", "Enter")
    shows(lambda: live.row("␣sleeping", 1), ["0.62"])
    live.press("button", "training", "Enter")
    losses = gptlib.logits.token_nll(seen.logits[:-1], torch.tensor(ids[1:])).tolist()
    for id, loss in zip(ids[1:], losses, strict=True):
        assert svg.two(loss) in live.row(tokenizer.token_str(id), 2)
    assert f"on average {svg.two(sum(losses) / 2)} nats" in detail(live)


def test_a_wrong_text_is_said_and_greys_the_picture(live):
    live.type("textbox", "text", "x")
    live.page.keyboard.press("Backspace")
    shows(live.message, "⚠ type some text")
    assert live.root.locator(".gptlib-stale").count() == 1
    live.type("textbox", "text", "cat " * 60)
    shows(lambda: "are too many to show: 48 at most" in live.message(), True)
    for press in ("Step", "Next token"):
        live.press("button", press, "Enter")
        assert "are too many to show: 48 at most" in live.message()
    live.type("textbox", "text", "The cat is")
    shows(live.message, "")
    assert live.root.locator(".gptlib-lit").count() == 0  # no step was made meanwhile


def text_so_far(live):
    return live.root.locator(".gptlib-text").inner_text()


def test_each_token_that_is_drawn_is_seen_to_go_back_to_the_text(live, lab, pets):
    chip = live.root.locator(".gptlib-chip")
    times = "chip => chip.getAnimations().map(({currentTime}) => currentTime)"
    with moving(lab):
        for count in (1, 2):
            press_at_once(live, "Next token")
            shows(lambda count=count: text_so_far(live), pets[1].decode(generated(pets, count)))
            assert len(chip.evaluate(times)) == 1
            shows(lambda: chip.evaluate(times), [])
        press_at_once(live, "Next token")
        live.page.wait_for_timeout(300)
        (late,) = chip.evaluate(times)
        press_at_once(live, "Next token")
        (early,) = chip.evaluate(times)
        assert early < late  # it began anew
        press_at_once(live, "Reset")
        assert not chip.is_visible()


# What is done while it plays on; and the text that is there afterwards, with nothing drawn.
MEANWHILE = {
    "Reset": (lambda live: press_at_once(live, "Reset"), "The cat is"),
    "edit": (lambda live: live.control("textbox", "text").fill("The dog"), "The dog"),
    "Step and Play": (
        lambda live: press_at_once(live, "Step", "Play", "Step", "Play", "Pause", "Reset"),
        "The cat is",
    ),
}


@pytest.mark.parametrize("name", MEANWHILE)
def test_no_token_joins_a_text_that_was_changed_while_it_played(live, lab, name):
    do, text = MEANWHILE[name]
    live.control("combobox", "speed").select_option("fast")
    with moving(lab):
        press_at_once(live, "Step", "Play", "Pause", "Play")
        shows(lambda: len(text_so_far(live)) > len("The cat is"), True)
        do(live)
        assert text_so_far(live) == text
        live.page.wait_for_timeout(1500)  # in which it would have gone round
        assert text_so_far(live) == text
        assert live.root.locator(".gptlib-lit, .gptlib-chip:visible").count() == 0
        assert live.control("button", "Play").count() == 1


@pytest.mark.parametrize(
    "text, said", [("", "type some text"), ("cat " * 60, "are too many to show: 48 at most")]
)
def test_a_text_that_cannot_be_read_ends_play_and_draws_nothing(live, lab, text, said):
    with moving(lab):
        press_at_once(live, "Play")
        live.control("textbox", "text").fill(text)
        shows(lambda: said in live.message(), True)
        press_at_once(live, "Play", "Step", "Next token")
        shows(lambda: live.control("button", "Play").count(), 1)
        assert said in live.message()
        live.control("textbox", "text").fill("The")
        shows(lambda: text_so_far(live), "The")
        assert live.root.locator(".gptlib-lit").count() == 0 and live.message() == ""


def test_a_stop_token_within_the_text_and_a_text_of_one_token_are_followed(live, pets):
    for text in ("The cat.<|endoftext|>Mia", "a"):
        live.type("textbox", "text", text)
        for station in OPENED:
            live.control("button", station).click()
            assert live.message() == ""
        live.press("button", "Next token", "Enter")
        generator = torch.Generator().manual_seed(0)
        ids = pets[1].encode(text, allowed_special="all")
        ids = gptlib.generate(pets[0], ids, 1, generator=generator).tolist()
        shows(lambda ids=ids: text_so_far(live), pets[1].decode(ids))


@in_each_colour
def test_no_serious_violation_of_accessibility_is_found_at_any_station(live, lab, colours):
    with shown_in(lab, colours):
        found = {}
        for station in OPENED:
            live.control("button", station).click()
            shows(lambda: title(live), TITLES.get(station, station))
            found[station] = grave(lab.page)
        for _ in WAY:  # to the last, where a token is drawn
            live.control("button", "Step").click()
        assert lit(live) == "sampling"
        found["on the way"] = grave(lab.page)
    assert not any(found.values()), found


def test_the_arcs_of_attention_are_as_high_as_the_rows_beside_them(live, lab):
    heights = """root => [".gptlib-inside > svg", ".gptlib-inside > .gptlib-small"].map(
      what => root.querySelector(what).getBoundingClientRect().height)"""
    style = "document.documentElement.style"
    for size in (14, 21):
        lab.page.evaluate(f"{style}.setProperty('--jp-content-font-size1', '{size}px')")
        row = 1.5 * size * 8 / 7
        shows(lambda row=row: live.root.evaluate(heights), [4 * row, row])
    lab.page.evaluate(f"{style}.removeProperty('--jp-content-font-size1')")


@pytest.mark.parametrize("width", [1000, 920, 848, 780, 720, 700, 380])
def test_the_title_of_a_station_stays_in_its_card(live, width):
    over = """(root, width) => {
      root.style.width = `${width}px`;
      const found = [...root.querySelectorAll(".gptlib-card")].map(card => {
        const words = document.createRange();
        words.selectNodeContents(card.firstChild);
        const [inner, outer] = [words, card].map(node => node.getBoundingClientRect());
        return Math.max(outer.left - inner.left, inner.right - outer.right);
      });
      root.style.width = null;
      return Math.max(...found);
    }"""
    assert live.root.evaluate(over, width) <= 0


HOSTILE = """
bad = '</svg><img src=x onerror=alert(1)>" onload="alert(2)" --><script>alert(3)</script>'
tokenizer = gptlib.Tokenizer.train(bad * 3, 300)
model = gptlib.GPT(gptlib.GPTConfig(tokenizer.vocab_size, 64, 3, 2, 8), seed=0)
widgets.machine(model, tokenizer, bad[:40])
"""


def test_hostile_tokens_bring_nothing_into_the_page(lab):
    _, (live,) = open_live(lab, "hostile_machine", HOSTILE)
    for station in OPENED:
        live.press("button", station, "Enter")
        assert not live.strange()


def test_nothing_was_asked_of_another_machine(opened, lab):
    assert not lab.left


# ---- The Python side ----


@pytest.mark.parametrize("station", OPENED)
def test_the_fallback_is_a_picture_with_words_the_same_each_time(pets, station):
    made = machine(*pets, station=station)
    elements(made.draw())
    alt, _ = image_of(made.fallback()["text/html"])
    assert alt.startswith(f"The whole machine, open at {station}. 'The cat is' becomes 3 tokens")
    assert "␣sleeping 0.62" in alt
    assert made.fallback() == machine(*pets, station=station).fallback()


def cards(picture):
    """{title: [rows of words, ...]} of a drawing, and the titles of the cards that are lit."""
    texts, found, lit = [e for e in picture.iter() if e.tag.endswith("}text")], {}, []
    for box in (e for e in picture.iter() if e.tag.endswith("}rect")):
        x, y, width, height = (float(box.get(name)) for name in ("x", "y", "width", "height"))
        inside = []
        for text in texts:
            at = float(text.get("x")), float(text.get("y"))
            if x < at[0] < x + width and y < at[1] < y + height:
                share = {"start": 0, "middle": 0.5, "end": 1}[text.get("text-anchor")]
                left = at[0] - share * svg.text_width(text.text)
                assert x < left and left + svg.text_width(text.text) < x + width, text.text
                inside.append(text.text)
        found[inside[0]] = inside[1:]
        lit += [inside[0]] if box.get("stroke") == svg.ORANGE else []
    return found, lit


LESSONS = {name: cell for name, cell in calls.explorers().items() if name.endswith(" machine")}


@pytest.mark.parametrize("lesson", LESSONS)
def test_all_that_the_fallback_of_a_lesson_says_has_room_in_its_card(lesson):
    *lines, last = LESSONS[lesson].splitlines()
    exec("\n".join([*lines, f"made = {last}"]), given := {})
    made = given["made"]
    found, lit = cards(image_of(made.fallback()["text/html"])[1])
    assert [*found] == [*OPENED] and lit == [made.station]
    assert not any("…" in words for rows in found.values() for words in rows)
    assert " ".join(found["text"]) == made.prompt
    probs = made.look().probs[-1]
    best = probs.argsort(descending=True, stable=True)[:4].tolist()
    named = ([made.tokenizer.token_str(id), svg.chance(probs[id].item())] for id in best)
    assert found["logits"] == [words for row in named for words in row]


def test_in_the_fallback_a_long_name_is_cut_and_the_number_after_it_is_not(pets):
    names, long = Names([f"{id:,} has a very long name" for id in range(397)]), "many words " * 20
    seen = gptlib.trace(pets[0], [1, 2, 3])
    found, _ = cards(ET.fromstring(machine_svg(seen, names, long, "text", "")))
    assert all(name.endswith("…") for name in found["tokenizer"] + found["logits"][::2])
    assert all(re.fullmatch(r"<?[01]\.\d\d", number) for number in found["logits"][1::2])
    assert found["embeddings"][1::2] == ["→ 64"] * 3
    assert found["text"][0] == "…" and long.strip().endswith(" ".join(found["text"][1:]))


def test_an_unknown_station_and_a_model_too_large_are_refused(pets, monkeypatch):
    with pytest.raises(ValueError, match="station must be one of text, tokenizer"):
        machine(*pets, station="softmax")
    monkeypatch.setattr("gptlib.widgets.shared.LARGEST", 10)
    with pytest.raises(ValueError, match="the machine runs in the page"):
        machine(*pets)
