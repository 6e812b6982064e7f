"""gptlib.widgets.feedforward: with a part unticked the bars are the ablated model's."""

import pytest
import torch
import traitlets
from explorers import HOSTILE, elements, image_of, text_of
from hypothesis import given, settings
from hypothesis import strategies as st
from live import grave, in_each_colour, open_live, restart, shown_in, shows

import gptlib
from gptlib.corpora import pets as grammar
from gptlib.widgets import block_explorer, svg
from gptlib.widgets.bars import Bar, bars_svg, spoken
from gptlib.widgets.feedforward import ALL, NAMES, PARTS, block_svg, next_logits

BLOCK = "widgets.block_explorer(model, tokenizer, truth=grammar.next_words)"
WORDS = [*grammar.next_words("The cat is")]


def probs_of(model, tokenizer, text="The cat is"):
    with torch.no_grad():
        return gptlib.softmax(model(torch.tensor([tokenizer.encode(text)]))[0, -1])


def chances(probs, tokenizer, words=WORDS):
    return [svg.chance(probs[tokenizer.encode(f" {word}")[0]].item()) for word in words]


# ---- The page ----


@pytest.fixture(scope="module")
def both(lab):
    """Two explorers of one notebook, which pick up where the test before left them."""
    _, found = open_live(lab, "block", f"display({BLOCK}, {BLOCK})", count=2)
    return found


@pytest.fixture
def explorer(both):
    for part in PARTS:
        both[0].control("checkbox", NAMES.get(part, part)).check()
    both[0].control("combobox", "out").select_option("in all layers")
    both[0].type("textbox", "prompt", "The cat is")
    return both[0]


def first_numbers(explorer, words=WORDS):
    return [explorer.row(f"␣{word}", 1)[0] for word in words]


def test_every_control_has_a_name(both):
    expected = {("textbox", "prompt"), ("combobox", "out")}
    expected |= {("checkbox", NAMES.get(part, part)) for part in PARTS}
    expected |= {("checkbox", "layer norm before feedforward")}
    expected |= {("checkbox", "residual path around feedforward")}
    assert both[0].controls() == both[1].controls() == expected


def test_with_every_part_the_columns_are_the_models_and_the_truth(explorer, pets):
    said = chances(probs_of(*pets), pets[1])
    true = [svg.chance(p) for p in grammar.next_words("The cat is").values()]
    expected = list(map(list, zip(said, said, true, strict=True)))
    shows(lambda: [explorer.row(f"␣{word}", 3) for word in WORDS], expected)
    shows(lambda: "From the whole model: KL 0.00 nats." in " ".join(explorer.words()), True)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("layer", [ALL, 0, 1])
def test_without_a_part_the_bars_are_the_ablated_models(explorer, pets, part, layer):
    model, tokenizer = pets
    explorer.control("combobox", "out").select_option(index=layer + 1)
    explorer.press("checkbox", NAMES.get(part, part), "Space")
    broken = gptlib.ablate(model, part, layers=None if layer == ALL else [layer])
    probs = probs_of(broken, tokenizer)
    shows(lambda: first_numbers(explorer), chances(probs, tokenizer))
    whole = probs_of(model, tokenizer)
    apart = svg.two(gptlib.kl(whole.double(), probs.double()).item())
    shows(lambda: f"From the whole model: KL {apart} nats." in " ".join(explorer.words()), True)


def test_parts_go_together_and_the_other_explorer_stays_whole(explorer, both, pets):
    other = both[1].words()
    explorer.press("checkbox", "attention", "Space")
    explorer.press("checkbox", "residual path around feedforward", "Space")
    broken = gptlib.ablate(pets[0], "attention", "residual")
    shows(lambda: first_numbers(explorer), chances(probs_of(broken, pets[1]), pets[1]))
    assert both[1].words() == other


def test_what_is_out_says_so_in_the_drawing_in_both_places(explorer):
    explorer.press("checkbox", "layer norm before feedforward", "Space")
    shows(lambda: explorer.words().count("layer norm off"), 2)
    assert explorer.root.locator(".gptlib-out").count() == 2
    assert not explorer.control("checkbox", "layer norm").is_checked()
    assert explorer.label(".gptlib-block") == "The block in all layers (2), without layer norm"
    said = explorer.label(".gptlib-bars")
    assert said.startswith("Without layer norm in all layers (2), after “The cat is”: ")
    explorer.press("checkbox", "layer norm", "Space")
    shows(lambda: explorer.words().count("layer norm off"), 0)


def test_the_distance_from_the_truth_is_a_kl(explorer, pets):
    explorer.press("checkbox", "attention", "Space")
    truth = torch.zeros(pets[0].config.vocab_size)
    for word, p in grammar.next_words("The cat is").items():
        truth[pets[1].encode(f" {word}")[0]] = p
    broken, whole = probs_of(gptlib.ablate(pets[0], "attention"), pets[1]), probs_of(*pets)
    mine, other = (svg.two(gptlib.kl(truth, probs).item()) for probs in (broken, whole))
    said = f"From the truth: KL {mine} nats (the whole model {other})."
    shows(lambda: said in " ".join(explorer.words()), True)


def test_the_expected_words_keep_their_places_whatever_is_out(explorer):
    def names():
        read = "root => [...root.querySelectorAll('.gptlib-name')].map(n => n.textContent)"
        return explorer.root.evaluate(read)[:7]

    shows(lambda: names()[:2], ["␣sleeping", "␣on"])
    before = names()
    for part in PARTS:
        explorer.press("checkbox", NAMES.get(part, part), "Space")
        shows(lambda part=part: f"{NAMES.get(part, part)} off" in explorer.words(), True)
        assert names() == before


def test_another_prompt_has_another_truth_and_some_have_none(explorer, pets):
    explorer.type("textbox", "prompt", "The dog was")
    words = [*grammar.next_words("The dog was")]
    said = chances(probs_of(*pets, "The dog was"), pets[1], words)
    shows(lambda: first_numbers(explorer, words), said)
    shows(lambda: explorer.row("␣hungry", 3)[2], "0.60")
    explorer.type("textbox", "prompt", "The zebra")
    shows(lambda: "No truth here: the pets grammar" in " ".join(explorer.words()), True)
    assert "From the truth" not in " ".join(explorer.words())


def test_a_prompt_that_cannot_be_shown_is_said_and_greys_the_picture(explorer):
    grey = explorer.root.locator(".gptlib-stale")
    explorer.type("textbox", "prompt", "cat " * 70)
    shows(lambda: "are too many to show: 64 at most" in explorer.message(), True)
    assert grey.count() == 1
    explorer.type("textbox", "prompt", "x")
    explorer.page.keyboard.press("Backspace")
    shows(explorer.message, "⚠ type some text")
    explorer.type("textbox", "prompt", "The cat is")
    shows(grey.count, 0)


@in_each_colour
def test_no_serious_violation_of_accessibility_is_found(explorer, lab, colours):
    with shown_in(lab, colours):
        explorer.press("checkbox", "attention", "Space")
        shows(lambda: explorer.words().count("attention off"), 1)
        found = grave(lab.page)
        explorer.press("checkbox", "attention", "Space")
        found += grave(lab.page)
    assert not found


def test_a_model_too_large_for_a_browser_answers_from_the_kernel(lab, pets):
    _, (explorer,) = open_live(lab, "large", f"widgets.shared.LARGEST = 0\n{BLOCK}")
    shows(lambda: first_numbers(explorer), chances(probs_of(*pets), pets[1]))
    explorer.press("checkbox", "attention", "Space")
    broken = gptlib.ablate(pets[0], "attention")
    shows(lambda: first_numbers(explorer), chances(probs_of(broken, pets[1]), pets[1]))
    restart(lab)
    shows(lambda: "run this cell again" in explorer.message(), True)
    assert explorer.control("checkbox", "attention").is_disabled()


def test_the_block_of_a_small_model_goes_on_when_the_kernel_has_gone(lab, pets):
    _, (explorer,) = open_live(lab, "alone", BLOCK)
    shows(lambda: explorer.row("␣sleeping", 3)[2], "0.60")
    restart(lab)
    explorer.press("checkbox", "feedforward", "Space")
    broken = gptlib.ablate(pets[0], "feedforward")
    shows(lambda: first_numbers(explorer), chances(probs_of(broken, pets[1]), pets[1]))
    explorer.type("textbox", "prompt", "The dog was")
    shows(lambda: "No truth here: the kernel has stopped" in " ".join(explorer.words()), True)


BAD = """
bad = '</svg><img src=x onerror=alert(1)>" onload="alert(2)" --><script>alert(3)</script>'
tokenizer = gptlib.Tokenizer.train(bad * 3, 300)
model = gptlib.GPT(gptlib.GPTConfig(tokenizer.vocab_size, 64, 1, 2, 8), seed=0)
widgets.block_explorer(model, tokenizer, bad[:40], truth=lambda prefix: {bad: 1.0})
"""


def test_hostile_tokens_bring_nothing_into_the_page(lab):
    _, (explorer,) = open_live(lab, "hostile", BAD)
    explorer.press("checkbox", "attention", "Space")
    shows(lambda: "attention off" in explorer.words(), True)
    assert not explorer.strange()


def test_nothing_was_asked_of_another_machine(both, lab):
    assert not lab.left


# ---- The Python side ----


@pytest.fixture
def made(pets):
    return block_explorer(*pets, truth=grammar.next_words)


def numbers(explorer):
    """{token: (as ticked, whole model, truth)} from the picture."""
    words, shown = text_of(explorer.draw()), {}
    for row in explorer.rows():
        place = words.index(svg.clip(row.name, 162, code=True))
        shown[row.name] = words[place + 1 : place + 1 + (2 if row.truth is None else 3)]
    return shown


@pytest.mark.parametrize("part", PARTS)
def test_the_fallback_shows_what_code_has_taken_out(made, pets, part):
    made.off, made.layer = [part], 1
    model, tokenizer = pets
    said = chances(probs_of(gptlib.ablate(model, part, layers=[1]), tokenizer), tokenizer)
    whole = chances(probs_of(model, tokenizer), tokenizer)
    for word, *both in zip(WORDS, said, whole, strict=True):
        assert numbers(made)[f"␣{word}"][:2] == both
    assert f"Without {NAMES.get(part, part)} in layer 1" in made.describe()


def test_the_distances_are_kls(made, pets):
    made.off = ["attention"]
    model, tokenizer = pets
    truth = torch.zeros(model.config.vocab_size)
    for word, p in grammar.next_words("The cat is").items():
        truth[tokenizer.encode(f" {word}")[0]] = p
    whole, broken = probs_of(*pets), probs_of(gptlib.ablate(model, "attention"), tokenizer)
    expected = [gptlib.kl(truth, broken), gptlib.kl(truth, whole), gptlib.kl(whole, broken)]
    assert list(made.distances()) == pytest.approx([x.item() for x in expected], abs=1e-4)
    assert f"From the truth: KL {svg.two(expected[0].item())} nats" in made.describe()


def test_the_rows_sum_to_one_and_the_expected_keep_their_places(made):
    before = list(numbers(made))[:7]
    for part in PARTS:
        made.off = [*made.off, part]
        assert list(numbers(made))[:7] == before
        for column in (1, 2, 3):
            assert sum(row[column] for row in made.rows()) == pytest.approx(1, abs=1e-6)


def test_a_part_that_there_is_not_is_refused(made):
    with pytest.raises(traitlets.TraitError, match="heads"):
        made.off = ["heads"]


def test_the_model_itself_stays_whole(made, pets):
    before = {name: tensor.clone() for name, tensor in pets[0].state_dict().items()}
    made.off = list(PARTS)
    made.describe()
    assert type(pets[0].h[0].attn).__name__ == "CausalSelfAttention"
    assert all(torch.equal(before[name], t) for name, t in pets[0].state_dict().items())


@pytest.mark.parametrize("part, name", [*zip(PARTS[:2], PARTS[:2]), ("layernorm", "layer norm")])
def test_what_is_out_is_said_and_crossed_out_in_the_drawing(part, name):
    crosses = block_svg([part], "").count(svg.ORANGE) - block_svg([], "").count(svg.ORANGE)
    assert crosses == (4 if part == "layernorm" else 2)
    assert f"{name} off" in text_of(block_svg([part], ""))
    assert f"{name} off" not in text_of(block_svg([], ""))


def test_where_the_grammar_has_no_truth_the_rest_is_shown(made):
    made.prompt = "The zebra"
    assert made.rows()[0].truth is None
    words = " ".join(text_of(made.draw()))
    assert "No truth here: the pets grammar cannot say" in words
    assert "From the truth" not in words and "From the whole model: KL 0.00 nats" in words


def test_without_a_truth_there_are_two_columns(pets):
    words = text_of(block_explorer(*pets).draw())
    assert "truth" not in words and "whole model" in words


def test_numbers_that_overflow_are_said(model):
    with torch.no_grad():
        model.ln_f.weight.fill_(float("inf"))
    with pytest.raises(ValueError, match="not finite"):
        next_logits(model, [1, 2])


@settings(max_examples=60, deadline=None)
@given(st.lists(HOSTILE, min_size=1, max_size=8), st.floats(0, 1))
def test_hostile_tokens_stay_words(names, p):
    rows = [Bar(name, p, p / 2, 1 - p) for name in names]
    picture = svg.document(bars_svg(rows, names[:3]), 880, 400, spoken(rows))
    elements(picture)


def test_the_fallback_is_one_image_with_the_same_words_each_time(made, pets, tmp_path):
    assert made.fallback() == block_explorer(*pets, truth=grammar.next_words).fallback()
    alt, picture = image_of(made.fallback()["text/html"])
    assert alt.startswith("With every part, after 'The cat is': ␣sleeping 0.62 (truth 0.60)")
    assert len(list(picture.iter())) > 30
    made.save(tmp_path / "block.svg")
    made.save(tmp_path / "block.html")
    saved = (tmp_path / "block.svg").read_text(encoding="utf-8")
    assert "var(--" not in saved
    elements(saved.strip())
