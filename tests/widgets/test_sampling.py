"""gptlib.widgets.sampling: the studio in a page shows and draws what gptlib computes."""

import numpy as np
import pytest
import torch
from explorers import image_of
from live import grave, in_each_colour, moving, open_live, restart, shown_in, shows, shut_down

import gptlib
from gptlib.corpora import pets as grammar
from gptlib.widgets import sampling_studio, svg
from gptlib.widgets.sampling import _checked, rows_that_matter

WORDS = [*grammar.next_words("The cat is")]
STUDIO = "widgets.sampling_studio(model, tokenizer, truth=grammar.next_words)"


def logits_of(pets, text):
    model, tokenizer = pets
    return gptlib.trace(model, tokenizer.encode(text)).logits[-1]


def chances(pets, probs, words=WORDS):
    return [svg.chance(probs[pets[1].encode(f" {word}")[0]].item()) for word in words]


# ---- The page ----


@pytest.fixture(scope="module")
def both(lab):
    """Two studios of one notebook, that pick up where the test before left them."""
    _, found = open_live(lab, "studio", f"display({STUDIO}, {STUDIO})", count=2)
    return found


@pytest.fixture
def studio(both):
    """The first of the two, as it opens."""
    studio = both[0]
    for name, value in {
        "temperature": 1,
        "top-k, 0: all": 0,
        "top-p, 1: all": 1,
        "seed": 0,
    }.items():
        if studio.value("spinbutton", name) != str(value):
            studio.type("spinbutton", name, str(value))
    studio.type("textbox", "prompt", "The cat is")
    studio.control("button", "Reset").click()
    studio.control("combobox", "pace").select_option("at once")
    return studio


def first_numbers(studio, words=WORDS):
    return [studio.row(f"␣{word}", 1)[0] for word in words]


def test_every_control_has_a_name(both):
    numbers = ("temperature", "top-k, 0: all", "top-p, 1: all")
    expected = {(role, name) for name in numbers for role in ("slider", "spinbutton")}
    expected |= {("button", name) for name in ("Step", "Run", "Undo", "Reset", "Draw 1,000")}
    expected |= {("textbox", "prompt"), ("spinbutton", "seed"), ("combobox", "pace")}
    assert both[0].controls() == both[1].controls() == expected


def test_each_row_has_the_models_probability_and_the_truth(studio, pets):
    probs = gptlib.softmax(logits_of(pets, "The cat is"))
    said = chances(pets, probs)
    true = [svg.chance(p) for p in grammar.next_words("The cat is").values()]
    shows(
        lambda: [studio.row(f"␣{word}", 3) for word in WORDS],
        list(map(list, zip(said, said, true))),
    )
    shows(lambda: studio.row("393 others", 3), ["<0.01", "<0.01", "0"])


def test_each_slider_bends_the_bars_and_leaves_the_other_studio_alone(studio, both, pets):
    logits, other = logits_of(pets, "The cat is"), both[1].words()

    def bends(temperature=1.0, **filters):
        probs = gptlib.next_token_probs(logits, temperature, **filters)
        said = chances(pets, probs)
        if filters:
            said = ["cut" if words == "0" else words for words in said]
        shows(lambda: first_numbers(studio), said)

    studio.press("slider", "temperature", "ArrowLeft", 10)
    bends(0.5)
    studio.press("slider", "top-k, 0: all", "ArrowRight", 2)
    bends(0.5, top_k=2)
    studio.type("spinbutton", "top-k, 0: all", "0")
    studio.press("slider", "top-p, 1: all", "ArrowLeft", 6)
    bends(0.5, top_p=0.7)
    studio.type("spinbutton", "top-p, 1: all", "1")
    studio.type("spinbutton", "temperature", "0")
    bends(0.0)
    assert both[1].words() == other


def sentence(studio):
    return studio.root.locator(".gptlib-sentence").get_attribute("aria-label")


@pytest.mark.parametrize("seed, temperature", [(0, 1.0), (3, 1.0), (7, 2.0), (0, 0.0)])
def test_run_draws_what_generate_draws_with_the_same_seed(studio, pets, seed, temperature):
    model, tokenizer = pets
    studio.type("spinbutton", "seed", str(seed))
    studio.type("spinbutton", "temperature", str(temperature))
    studio.press("button", "Run", "Enter")
    generator = torch.Generator().manual_seed(seed)
    ids = tokenizer.encode("The cat is")
    stop = {"eos_id": tokenizer.eos_id, "temperature": temperature}
    whole = gptlib.generate(model, ids, 40, generator=generator, **stop)
    shows(lambda: sentence(studio), f"The text so far: {tokenizer.decode(whole)}")


def test_step_says_where_the_number_fell_and_undo_and_reset_go_back(studio, pets):
    model, tokenizer = pets
    generator = torch.Generator().manual_seed(0)
    u = torch.rand(1, dtype=torch.float64, generator=generator).item()
    ids = tokenizer.encode("The cat is")
    drawn = gptlib.generate(model, ids, 1, generator=torch.Generator().manual_seed(0))[-1]
    studio.press("button", "Step", "Enter")
    name = tokenizer.token_str(int(drawn))
    shows(lambda: f"1 drawn. {u:.3f} fell on “{name}”." in " ".join(studio.words()), True)
    p = gptlib.softmax(logits_of(pets, "The cat is"))[drawn].item()
    assert studio.row(name, 1) or svg.chance(p) in studio.words()
    studio.press("button", "Undo", "Enter")
    shows(lambda: sentence(studio), "The text so far: The cat is")
    studio.press("button", "Step", "Space", 3)
    shows(lambda: len(studio.root.locator(".gptlib-made").all()), 3)
    studio.press("button", "Reset", "Enter")
    shows(lambda: sentence(studio), "The text so far: The cat is")


def test_after_the_stop_token_step_says_why_it_waits(studio):
    studio.press("button", "Run", "Enter")
    shows(lambda: studio.root.locator(".gptlib-stop").count(), 1)
    before = sentence(studio)
    studio.press("button", "Step", "Enter")
    shows(lambda: studio.message()[:18], "The text has ended")
    assert sentence(studio) == before


def test_at_a_pace_the_number_is_seen_to_fall_and_run_can_pause(studio, lab):
    with moving(lab):
        studio.control("combobox", "pace").select_option("slow")
        studio.press("button", "Step", "Enter")
        shows(lambda: studio.root.locator(".gptlib-hit").count(), 1)
        said = studio.label(".gptlib-strip")
        assert said.startswith("The random number 0.") and "falls on" in said
        shows(lambda: studio.root.locator(".gptlib-made").count(), 1)
        studio.control("combobox", "pace").select_option("fast")
        studio.press("button", "Run", "Enter")
        shows(lambda: studio.root.locator(".gptlib-made").count() > 1, True)
        if studio.control("button", "Pause").count():  # it has not come to the stop token
            studio.press("button", "Pause", "Enter")
        shows(lambda: studio.control("button", "Run").count(), 1)


@pytest.fixture
def slow(studio, lab):
    """The studio at its slowest pace, with motion."""
    studio.control("combobox", "pace").select_option("slow")
    with moving(lab):
        yield studio


def falls(studio):
    shows(lambda: studio.root.locator(".gptlib-hit").count(), 1)


LANDED = 1200  # milliseconds after which a number that falls has landed


@pytest.mark.parametrize("button", ["Step", "Run"])
@pytest.mark.parametrize("change", ["Reset", "Undo", "prompt"])
def test_what_is_falling_when_the_text_is_changed_never_joins_it(slow, button, change):
    slow.press("button", button, "Enter")
    falls(slow)
    if change == "prompt":
        slow.type("textbox", "prompt", "The dog was")
    else:
        slow.press("button", change, "Enter")
    slow.page.wait_for_timeout(LANDED)
    text = "The dog was" if change == "prompt" else "The cat is"
    shows(lambda: sentence(slow), f"The text so far: {text}")
    assert slow.root.locator(".gptlib-made").count() == 0
    assert slow.control("button", "Run").count() == 1


def test_undo_takes_back_what_falls_and_leaves_what_has_landed(slow):
    slow.press("button", "Step", "Enter")
    falls(slow)
    slow.press("button", "Step", "Enter")  # pressed again: it lands at once
    shows(lambda: slow.root.locator(".gptlib-made").count(), 1)
    before = sentence(slow)
    slow.press("button", "Step", "Enter")
    falls(slow)
    slow.press("button", "Undo", "Enter")
    slow.page.wait_for_timeout(LANDED)
    assert sentence(slow) == before


def test_a_thousand_draws_are_counted_beside_the_bars(studio, pets):
    studio.press("button", "Draw 1,000", "Enter")
    shows(lambda: "of 1,000" in studio.words(), True)
    u = torch.rand(1000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    sums = gptlib.softmax(logits_of(pets, "The cat is")).double().cumsum(-1)
    counts = np.bincount(torch.searchsorted(sums, u * sums[-1], right=True), minlength=397)
    ids = [pets[1].encode(f" {word}")[0] for word in WORDS]
    found = [int(studio.row(f"␣{word}", 4)[3].replace(",", "")) for word in WORDS]
    assert np.abs(np.array(found) - counts[ids]).max() <= 1  # a draw on an edge may fall either way


def test_another_prompt_has_its_own_bars_and_truth(studio, pets):
    studio.type("textbox", "prompt", "The dog was")
    words = [*grammar.next_words("The dog was")]
    probs = gptlib.softmax(logits_of(pets, "The dog was"))
    shows(lambda: first_numbers(studio, words), chances(pets, probs, words))
    true = [svg.chance(p) for p in grammar.next_words("The dog was").values()]
    shows(lambda: [studio.row(f"␣{word}", 3)[2] for word in words], true)


def test_a_wrong_number_or_an_empty_prompt_greys_the_picture_and_says_why(studio):
    grey = studio.root.locator(".gptlib-stale")
    for typed, said in [("9", "temperature: type a number from 0 to 3"), ("", "temperature: type")]:
        studio.reach("spinbutton", "temperature")
        studio.page.keyboard.press("ControlOrMeta+a")
        studio.page.keyboard.press("Backspace")
        studio.page.keyboard.type(typed)
        shows(lambda said=said: said in studio.message(), True)
        assert grey.count() == 1
    studio.type("spinbutton", "temperature", "1")
    shows(grey.count, 0)
    studio.type("textbox", "prompt", "x")
    studio.page.keyboard.press("Backspace")
    shows(studio.message, "⚠ type some text")
    assert grey.count() == 1
    studio.type("textbox", "prompt", "cat " * 70)
    shows(lambda: "are too many to show: 64 at most" in studio.message(), True)


def test_a_prompt_beyond_the_grammar_says_that_there_is_no_truth(studio):
    studio.type("textbox", "prompt", "The cat is blue")
    shows(lambda: "No truth here" in " ".join(studio.words()), True)
    assert "truth" not in studio.words()


@in_each_colour
def test_no_serious_violation_of_accessibility_is_found(studio, lab, colours):
    with shown_in(lab, colours):
        studio.press("button", "Run", "Enter")
        shows(lambda: studio.root.locator(".gptlib-stop").count(), 1)
        found = grave(lab.page)
        studio.control("button", "Draw 1,000").click()
        counts = studio.root.locator(".gptlib-track .gptlib-many:visible")
        shows(lambda: counts.count() > 0, True)
        found += grave(lab.page)
    assert not found


def test_controls_can_be_limited_and_kl_asked_for(lab):
    only = f"{STUDIO[:-1]}, controls=('temperature',))"
    more = f"{STUDIO[:-1]}, controls=('top_k', 'kl'))"
    _, (few, kl) = open_live(lab, "limited", f"display({only}, {more})", count=2)
    assert ("slider", "temperature") in few.controls()
    assert not {("slider", "top-k, 0: all"), ("button", "Draw 1,000")} & few.controls()
    shows(lambda: "KL from the truth: 0.00 nats" in " ".join(kl.words()), True)
    assert "KL" not in " ".join(few.words())


SAMPLER = """
asked = []
def mine(logits, temperature, top_k, top_p):
    asked.append((temperature, top_k, top_p))
    if top_k == 3:
        raise KeyError("<img src=x onerror=alert(1)>")
    if top_k == 4:
        return logits[:3]
    return gptlib.next_token_probs(logits, 2 * temperature)
"""


def test_a_students_sampler_is_asked_and_its_errors_are_said(lab, pets):
    code = "widgets.sampling_studio(model, tokenizer, sampler=mine)"
    _, (studio,) = open_live(lab, "sampler", SAMPLER, code)
    expected = chances(pets, gptlib.next_token_probs(logits_of(pets, "The cat is"), 2.0))
    shows(lambda: first_numbers(studio), expected)
    studio.type("spinbutton", "top-k, 0: all", "3")
    shows(studio.message, "⚠ KeyError: '<img src=x onerror=alert(1)>'")
    assert studio.root.locator(".gptlib-stale").count() == 1 and not studio.strange()
    studio.type("spinbutton", "top-k, 0: all", "4")
    shows(studio.message, "⚠ your sampler gave shape (3,); logits have (397,)")
    studio.press("button", "Step", "Enter")
    studio.page.wait_for_timeout(500)
    studio.type("spinbutton", "top-k, 0: all", "0")
    shows(lambda: first_numbers(studio), expected)
    assert studio.root.locator(".gptlib-made").count() == 0  # by Step, of what was before


SLOW = """
import time
def slow(logits, temperature, top_k, top_p):
    time.sleep(0.6)
    return logits.softmax(-1)
studio = widgets.sampling_studio(model, tokenizer, sampler=slow)
studio
"""


def drawn(lab):
    """What Python has of the tokens that were drawn."""
    return lab.page.evaluate(
        """code => new Promise(done => {
          const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
          kernel.requestExecute({ code }).onIOPub = ({ content: { text } }) => text && done(text);
        })""",
        "print(studio.drawn)",
    ).strip()


def test_tokens_that_are_asked_for_while_a_sampler_is_slow_are_drawn_one_after_the_other(lab, pets):
    _, (studio,) = open_live(lab, "slow", SLOW)
    shows(lambda: len(studio.row("␣sleeping", 1)), 1)
    step = studio.control("button", "Step")
    step.dblclick()
    shows(lambda: studio.root.locator(".gptlib-made").count(), 2)
    model, tokenizer = pets
    ids = tokenizer.encode("The cat is")
    made = gptlib.generate(model, ids, 2, generator=torch.Generator().manual_seed(0))[-2:].tolist()
    shows(lambda: drawn(lab), str(made))
    studio.press("button", "Undo", "Enter")
    shows(lambda: drawn(lab), str(made[:1]))
    step.dblclick()
    studio.type("textbox", "prompt", "The dog was")
    studio.page.wait_for_timeout(3000)
    assert sentence(studio) == "The text so far: The dog was"
    shows(lambda: drawn(lab), "[]")


def test_a_model_too_large_for_a_browser_answers_from_the_kernel(lab, pets):
    code = "widgets.shared.LARGEST = 0\nwidgets.sampling_studio(model, tokenizer)"
    _, (studio,) = open_live(lab, "large", code)
    probs = gptlib.softmax(logits_of(pets, "The cat is"))
    shows(lambda: first_numbers(studio), chances(pets, probs))
    studio.type("textbox", "prompt", "The dog was")
    probs = gptlib.softmax(logits_of(pets, "The dog was"))
    shows(lambda: first_numbers(studio, ["hungry"]), chances(pets, probs, ["hungry"]))
    restart(lab)
    shows(lambda: "run this cell again" in studio.message(), True)
    assert studio.control("button", "Step").is_disabled()


def test_a_studio_in_the_browser_goes_on_when_the_kernel_has_gone(lab, pets):
    _, (studio,) = open_live(lab, "alone", STUDIO)
    shows(lambda: studio.row("␣sleeping", 3)[2], "0.60")
    restart(lab)
    studio.type("textbox", "prompt", "The dog was")
    probs = gptlib.softmax(logits_of(pets, "The dog was"))
    shows(lambda: first_numbers(studio, ["hungry"]), chances(pets, probs, ["hungry"]))
    shows(lambda: "No truth here: the kernel has stopped" in " ".join(studio.words()), True)


def test_when_the_kernel_is_shut_down_a_students_sampler_is_off_and_it_is_said_why(lab):
    code = "widgets.sampling_studio(model, tokenizer, sampler=mine)"
    _, (studio,) = open_live(lab, "shut_down", SAMPLER, code)
    shows(lambda: len(studio.row("␣sleeping", 1)), 1)
    shut_down(lab)
    shows(lambda: "run this cell again" in studio.message(), True)
    for name in ("Step", "Run", "Draw 1,000"):
        assert studio.control("button", name).is_disabled()


def test_a_slider_moves_the_picture_while_a_cell_calculates(lab, pets):
    _, (studio,) = open_live(lab, "busy", STUDIO)
    logits = logits_of(pets, "The cat is")
    shows(lambda: first_numbers(studio), chances(pets, gptlib.softmax(logits)))
    kernel = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
    ended = "window.gptlibEnded"
    code = "import time; time.sleep(60)"
    lab.page.evaluate(
        f"""code => {{
          {ended} = false;
          {kernel}.requestExecute({{code}}).done.then(() => {{ {ended} = true; }});
        }}""",
        code,
    )
    studio.press("slider", "temperature", "ArrowLeft", 10)
    try:
        said = chances(pets, gptlib.next_token_probs(logits, 0.5))
        shows(lambda: first_numbers(studio), said)
        assert not lab.page.evaluate(ended)
    finally:
        lab.page.evaluate(f"{kernel}.interrupt()")
        lab.page.wait_for_function(ended)


def test_reset_reads_a_model_that_has_learned_meanwhile(lab, pets):
    code = "studio = widgets.sampling_studio(model, tokenizer)\nstudio"
    notebook, (studio,) = open_live(lab, "learned", code)
    expected = chances(pets, gptlib.softmax(logits_of(pets, "The cat is")))
    shows(lambda: first_numbers(studio), expected)
    kernel = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
    learn = "with torch.no_grad(): _ = model.wte.weight.mul_(0.5)"
    lab.page.evaluate(f"code => {kernel}.requestExecute({{code}}).done.then(() => null)", learn)
    studio.press("button", "Reset", "Enter")
    model, tokenizer = gptlib.load("pets")
    with torch.no_grad():
        model.wte.weight.mul_(0.5)
    probs = gptlib.softmax(logits_of((model, tokenizer), "The cat is"))
    shows(lambda: first_numbers(studio, ["sleeping"]), chances(pets, probs, ["sleeping"]))


HOSTILE = """
bad = '</svg><img src=x onerror=alert(1)>" onload="alert(2)" --><script>alert(3)</script>'
tokenizer = gptlib.Tokenizer.train(bad * 3, 300)
model = gptlib.GPT(gptlib.GPTConfig(tokenizer.vocab_size, 64, 1, 2, 8), seed=0)
widgets.sampling_studio(model, tokenizer, bad[:40], truth=lambda prefix: {bad: 1.0})
"""


def test_hostile_tokens_bring_nothing_into_the_page(lab):
    _, (studio,) = open_live(lab, "hostile", HOSTILE)
    studio.control("combobox", "pace").select_option("at once")
    studio.press("button", "Run", "Enter")
    shows(lambda: studio.root.locator(".gptlib-made").count() > 10, True)
    assert not studio.strange()


def test_nothing_was_asked_of_another_machine(both, lab):
    assert not lab.left


# ---- The Python side ----


@pytest.fixture
def made(pets):
    return sampling_studio(*pets, truth=grammar.next_words)


def test_the_rows_of_the_fallback_sum_to_one_with_the_others(made):
    for column in (1, 2, 3):
        assert sum(row[column] for row in made.rows()) == pytest.approx(1, abs=1e-5)
    made.temperature, made.top_k = 0.5, 2
    assert [row.name for row in made.rows() if row.now][:2] == ["␣sleeping", "␣on"]


def test_rows_are_those_that_matter_the_likeliest_first():
    model = torch.tensor([0.001, 0.6, 0.001, 0.3, 0.05, 0.046, 0.002])
    assert rows_that_matter(model, {}) == [1, 3, 4, 5]
    assert rows_that_matter(model, {6: 1.0}) == [1, 3, 4, 5, 6]
    assert len(rows_that_matter(torch.full((100,), 0.01), {})) == 8


def test_the_fallback_says_the_same_each_time_and_is_written_to_files(made, pets, tmp_path):
    assert made.fallback() == sampling_studio(*pets, truth=grammar.next_words).fallback()
    words = made.fallback()["text/plain"]
    assert words.startswith("After 'The cat is', temperature 1: ␣sleeping 0.62 (truth 0.60)")
    for name in ("a.svg", "a.html"):
        made.save(tmp_path / name)
        assert "sleeping" in (tmp_path / name).read_text(encoding="utf-8")


def test_the_notebook_is_given_the_widget_and_an_image_beside_it(made):
    data, _ = made._repr_mimebundle_()
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "text/plain", "text/html"}
    assert image_of(data["text/html"])[0].startswith("After ")


def test_a_model_is_sent_once_however_many_explorers_show_it(pets):
    one, other = sampling_studio(*pets), sampling_studio(*pets)
    assert one.shared_model is other.shared_model
    assert one.shared_tokenizer is other.shared_tokenizer
    one.shared_model.close()
    assert sampling_studio(*pets).shared_model is not one.shared_model


def test_a_model_with_a_part_taken_out_stays_in_the_kernel(pets):
    broken = gptlib.ablate(pets[0], "mask")
    assert sampling_studio(broken, pets[1]).shared_model is None


def test_an_unknown_control_is_refused_by_name(pets):
    with pytest.raises(ValueError, match="controls: 'top_q' is not one of temperature, top_k"):
        sampling_studio(*pets, controls=("top_q",))


@pytest.mark.parametrize(
    "wrong, said",
    [
        (lambda p: p[:3], r"your sampler gave shape \(3,\); logits have \(397,\)"),
        (lambda p: p - 0.5, "found NaN, a negative, or only 0"),
        (lambda p: p * float("nan"), "found NaN, a negative, or only 0"),
        (lambda p: p * 0, "found NaN, a negative, or only 0"),
    ],
)
def test_what_is_wrong_with_a_sampler_is_said(wrong, said):
    with pytest.raises(ValueError, match=said):
        _checked(wrong(torch.full((397,), 1 / 397)), 397)


def test_a_sampler_that_is_not_written_yet_is_told_so(pets):
    def sampler(logits, *settings):
        raise NotImplementedError

    studio = sampling_studio(*pets, sampler=sampler)
    with pytest.raises(ValueError, match="your sampler is not written yet"):
        studio.answer_sample([1], temperature=1.0, top_k=None, top_p=None)
    assert "your sampler is not written yet" in studio.fallback()["text/plain"]


def test_an_id_without_a_token_gets_no_probability_from_a_padded_model(pets, tmp_path):
    tokenizer = pets[1]
    shape = {"block_size": 16, "n_layer": 1, "n_head": 1, "n_embd": 4}
    padded = gptlib.GPTConfig(tokenizer.vocab_size + 100, **shape)
    gptlib.save(tmp_path, gptlib.GPT(padded, seed=0), tokenizer)
    studio = sampling_studio(*gptlib.load(tmp_path))
    logits = studio.logits(studio.ids)
    assert torch.isfinite(logits[: tokenizer.vocab_size]).all()
    assert (logits[tokenizer.vocab_size :] == -torch.inf).all()
    assert studio.shared_model is None  # the page asks the kernel, which knows where the tokens end
