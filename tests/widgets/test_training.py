"""gptlib.widgets.training: what was recorded is shown as it was; what is live can be stopped."""

import dataclasses
import time
from types import SimpleNamespace

import pytest
import torch
from explorers import HOSTILE, Names, elements, image_of, text_of
from hypothesis import given, settings
from hypothesis import strategies as st
from live import (
    COLOURS,
    grave_in,
    in_each_colour,
    moving,
    open_live,
    press_at_once,
    shows,
    shut_down,
)

import gptlib
from gptlib.corpora import pets as grammar
from gptlib.storage.checkpoint import History
from gptlib.widgets import cells, svg, training_explorer, watch
from gptlib.widgets.bars import Bar
from gptlib.widgets.runs import LiveRun, Recording
from gptlib.widgets.training import RATES, LossCurve, loss_curve, training_svg

LETTERS = Names([*"abcdefghijk"])
TOKENS = torch.arange(4000) % 11
CONFIG = gptlib.TrainConfig(steps=30, batch_size=4, warmup_steps=0, device="cpu")


@pytest.fixture
def explorer():
    return training_explorer("pets", truth=grammar.next_words)


@pytest.fixture
def recording(config):
    """Three models that differ, as if trained, and a tokenizer of letters."""
    models = {step: gptlib.GPT(config, seed=step).eval() for step in (0, 10, 20)}
    losses = [(step, 2.4 - 0.1 * step) for step in range(1, 21)]
    history = History([0, 10, 20], losses, [(0, 2.4), (10, 1.4), (20, 0.4)], 0.3)
    return Recording(LETTERS, history, models.__getitem__)


@pytest.fixture
def live(recording):
    """An explorer that can train; its run is stopped at the end."""
    made = training_explorer(recording, "012", tokens=TOKENS, config=CONFIG)
    yield made
    made.close()
    wait_for(lambda: made.run is None or not made.run.running)


@pytest.fixture
def executed(monkeypatch):
    """Says that the same cell is executed, for the so-and-so-many-th time."""
    request = {"metadata": {"cellId": "cell-33"}, "content": {"code": ""}, "header": {}}
    monkeypatch.setattr(cells, "_started", {})
    monkeypatch.setattr(cells, "get_ipython", lambda: SimpleNamespace(get_parent=lambda: request))
    return lambda k: request["header"].update(msg_type="execute_request", msg_id=f"execution {k}")


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.005)


def press(explorer, action):
    explorer.answer_live(action, explorer.rate)


def by_name(explorer):
    return {row.name: row for row in explorer.rows()}


# ---- The recorded run ----


@pytest.mark.parametrize("place", [0, 4, -1])
def test_at_each_step_bars_and_weights_are_that_snapshots(explorer, place):
    history = gptlib.load_history("pets")
    step = history.steps[place]
    explorer.step = history.steps.index(step)
    model, tokenizer = gptlib.load("pets", step=step)
    seen = gptlib.trace(model, tokenizer.encode("The cat is"))
    for word, p in grammar.next_words("The cat is").items():
        id = tokenizer.encode(f" {word}")[0]
        row = by_name(explorer)[f"␣{word}"]
        assert (row.now, row.truth) == (pytest.approx(seen.probs[-1, id].item(), abs=1e-6), p)
    sent = torch.frombuffer(bytearray(explorer.weights), dtype=torch.float32)
    sent = sent.view(len(history.steps), *seen.weights.shape)
    torch.testing.assert_close(sent[place], seen.weights)
    assert explorer.title().startswith(f"Recorded run, step {step:,} of {history.steps[-1]:,}")


def test_the_title_has_the_held_out_loss_and_the_distance_from_the_truth(explorer):
    history, truth = gptlib.load_history("pets"), torch.zeros(explorer._last.config.vocab_size)
    for word, p in grammar.next_words("The cat is").items():
        truth[explorer.tokenizer.encode(f" {word}")[0]] = p
    distance = gptlib.kl(truth, explorer.frame().probs.float()).item()
    loss = dict(history.val_loss)[history.steps[-1]]
    assert f"held-out loss {svg.two(loss)}, KL from the truth {svg.two(distance)}" in (
        explorer.describe()
    )


def test_the_page_is_told_the_curve_ln_v_and_the_floor(explorer):
    levels = explorer.settings["levels"]
    assert levels["floor"] == gptlib.load_history("pets").floor
    assert levels["ln V"] == pytest.approx(5.984, abs=1e-3)
    assert set(explorer.settings["curve"]) == {"loss", "held-out"}


def test_rows_keep_their_places_from_first_step_to_last_and_sum_to_one(explorer):
    for frame in explorer.seen["frames"]:
        assert len(frame) == len(explorer.seen["names"])
        assert sum(frame) == pytest.approx(1, abs=1e-6)
    assert sum(explorer.seen["truth"]) == pytest.approx(1)


def test_another_prompt_is_answered_with_all_steps_and_its_truth(explorer):
    seen = explorer.answer_prompt("The dog was")
    place = seen["names"].index("␣hungry")
    assert seen["truth"][place] == 0.6 and len(seen["frames"]) == len(explorer.settings["steps"])
    assert explorer.prompt == "The dog was"


def test_a_prompt_without_truth_has_none(explorer):
    seen = explorer.answer_prompt("The zebra")
    assert seen["truth"] is None and seen["kl"] is None
    assert "no truth for this prompt" in explorer.describe()


@pytest.mark.parametrize(
    "text, message", [("", "type some text"), ("cat " * 20, "too many to show: 16 at most")]
)
def test_what_cannot_be_shown_is_refused_and_the_prompt_stays(explorer, text, message):
    with pytest.raises(ValueError, match=message):
        explorer.answer_prompt(text)
    assert explorer.prompt == "The cat is"


def test_any_run_can_be_shown(recording):
    explorer = training_explorer(recording, "012")
    assert "held-out loss 0.40" in explorer.describe()
    explorer.step = 1
    expected = gptlib.trace(recording.load(10), [0, 1, 2]).probs[-1]
    shown = {row.name: row.now for row in explorer.rows() if row.name in LETTERS.names}
    for name, p in shown.items():
        assert p == pytest.approx(expected[LETTERS.names.index(name)].item(), abs=1e-6)


def test_a_folder_without_a_history_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="history.json"):
        training_explorer(tmp_path)


# ---- The live run ----


def test_start_trains_what_the_trainer_alone_would_train(live, config):
    press(live, "start")
    wait_for(lambda: live.run.done and not live.run.running)
    rate = RATES[live.rate]
    alone = dataclasses.replace(CONFIG, learning_rate=rate, final_learning_rate=rate)
    trainer = gptlib.Trainer(gptlib.GPT(config, seed=CONFIG.seed), TOKENS, alone)
    losses = [step.loss for step in trainer]
    assert [step.loss for step in live.run.trainer.history] == pytest.approx(losses)
    news = live.news()
    assert news["title"].startswith("Live run (done), step 30 of 30") and news["of"] == 30
    expected = gptlib.trace(trainer.model, [0, 1, 2]).probs[-1]
    for name, p in zip(live.seen["names"], news["probs"], strict=True):
        if name in LETTERS.names:
            place = LETTERS.names.index(name)
            assert p == pytest.approx(expected[place].item(), abs=1e-4)
    assert list(news["curve"]) == ["rate 0.003"]


def test_news_are_sent_while_it_trains_and_at_the_end(live, monkeypatch):
    sent = []
    monkeypatch.setattr(live, "send", lambda content, buffers: sent.append((content, buffers)))
    press(live, "start")
    wait_for(lambda: sent and "(done), step 30" in sent[-1][0]["title"])
    content, buffers = sent[-1]
    assert content["news"] == "live" and content["error"] is None
    assert len(buffers[0]) == 4 * 2 * 2 * 3 * 3  # float32: layers, heads, queries, keys


def slowly(live, seconds=0.02):
    """Have each update of the run take its time."""
    update = live.run.trainer.update

    def slow():
        time.sleep(seconds)
        return update()

    live.run.trainer.update = slow


def test_stop_acts_within_a_fraction_of_a_second_and_start_goes_on(live):
    live.run = live.new_run()
    slowly(live)
    press(live, "start")
    wait_for(lambda: live.run.trainer.step >= 2)
    began = time.monotonic()
    press(live, "stop")
    wait_for(lambda: not live.run.running)
    assert time.monotonic() - began < 1
    step = live.run.trainer.step
    assert f"(stopped), step {step} of 30" in live.news()["title"]
    time.sleep(0.1)
    assert live.run.trainer.step == step < 30
    press(live, "start")
    wait_for(lambda: live.run.trainer.step > step)
    assert live.run.trainer.history[step].step == step + 1


def test_however_often_start_is_pressed_there_is_one_update_at_a_time(live):
    live.run = live.new_run()
    update, at_work, most = live.run.trainer.update, [], []

    def counted():
        at_work.append(1)
        most.append(len(at_work))
        time.sleep(0.01)
        step = update()
        at_work.pop()
        return step

    live.run.trainer.update = counted
    while not live.run.done:
        live.run.start()
        press(live, "stop")
        live.run.start()
        time.sleep(0.002)
    wait_for(lambda: not live.run.running)
    assert set(most) == {1}
    assert [step.step for step in live.run.trainer.history] == list(range(1, 31))


def test_a_run_ends_by_itself_and_a_new_one_begins_again(live):
    press(live, "start")
    wait_for(lambda: live.run.done and not live.run.running)
    with pytest.raises(ValueError, match="press Begin again"):
        press(live, "start")
    first = live.run
    live.answer_live("rate", RATES.index(1e-2))
    press(live, "begin")
    assert live.run is not first
    wait_for(lambda: live.run.done and not live.run.running)
    assert list(live.news()["curve"]) == ["rate 0.01", "before 0.003"]


def test_closing_stops_the_training(live):
    live.run = live.new_run()
    slowly(live)
    press(live, "start")
    wait_for(lambda: live.run.trainer.step >= 1)
    live.close()
    wait_for(lambda: not live.run.running)
    assert live.run.trainer.step < 30


def test_the_rate_can_be_changed_while_it_trains(live):
    live.run = live.new_run()
    slowly(live)
    press(live, "start")
    wait_for(lambda: live.run.trainer.step >= 2)
    live.answer_live("rate", RATES.index(1e-1))
    step = live.run.trainer.step
    wait_for(lambda: live.run.trainer.step >= step + 3)
    assert live.run.trainer.history[-1].learning_rate == 0.1
    assert live.run.trainer.history[0].learning_rate == 0.003
    assert "rate 0.003→0.1" in live.news()["curve"]


def test_the_rate_of_a_run_that_waits_counts_when_it_goes_on(live):
    live.rate = RATES.index(1e-2)
    press(live, "start")
    wait_for(lambda: live.run.done)
    assert {step.learning_rate for step in live.run.trainer.history} == {0.01}


def test_other_prompts_are_answered_while_it_trains(live):
    live.run = live.new_run()
    slowly(live, 0.005)
    press(live, "start")
    k = 0
    while not live.run.done:
        assert live.answer_prompt("012"[: 1 + k % 3])["tokens"] == list("abc"[: 1 + k % 3])
        k += 1
    assert k > 10


def test_a_loss_that_blows_up_is_said_and_ends_the_run(live):
    live.run = live.new_run()

    def fails():
        raise FloatingPointError("the loss is nan at step 1: try a learning rate below 3")

    live.run.trainer.update = fails
    press(live, "start")
    wait_for(lambda: not live.run.running)
    assert live.run.done
    assert live.news()["error"].startswith("the loss is nan at step 1")
    assert "Begin again" in live.news()["error"]
    press(live, "begin")
    wait_for(lambda: live.run.trainer.step > 0)
    assert live.news()["error"] is None


def test_a_corpus_that_is_too_short_is_refused_at_start(recording):
    explorer = training_explorer(recording, "012", tokens=TOKENS[:5], config=CONFIG)
    with pytest.raises(ValueError, match="the corpus has 5 tokens"):
        press(explorer, "start")


def test_a_live_run_tells_its_news_and_the_last_of_them_at_the_end(config):
    heard = []
    trainer = gptlib.Trainer(gptlib.GPT(config, seed=0), TOKENS, CONFIG)
    run = LiveRun(trainer, lambda: heard.append(trainer.step))
    run.start()
    wait_for(lambda: heard and heard[-1] == 30)
    assert not run.running and run.done and run.error is None


def test_while_it_is_paused_the_model_stays_as_it_is(config):
    trainer = gptlib.Trainer(gptlib.GPT(config, seed=0), TOKENS, CONFIG)
    run = LiveRun(trainer, lambda: None)
    run.start()
    with run.paused():
        step, weights = trainer.step, trainer.model.wte.weight.clone()
        time.sleep(0.05)
        assert trainer.step == step and torch.equal(trainer.model.wte.weight, weights)
    wait_for(lambda: run.done)


# ---- What is kept ----


@settings(max_examples=60, deadline=None)
@given(st.lists(HOSTILE, min_size=1, max_size=6))
def test_hostile_tokens_stay_words(tokens):
    rows = [Bar(token, 0.5, 0.25, 0.1) for token in tokens]
    picture = training_svg(
        "",
        torch.full((len(tokens), len(tokens)), 1 / len(tokens)),
        tokens,
        rows,
        tokens[:3],
        title=tokens[0],
        caption=tokens[-1],
        label=tokens[0],
    )
    elements(picture)


def test_the_fallback_is_the_same_each_time_and_saved_to_files(explorer, tmp_path):
    again = training_explorer("pets", truth=grammar.next_words)
    assert explorer.fallback() == again.fallback()
    assert image_of(explorer.fallback()["text/html"])[0].startswith("Recorded run, step 5,000")
    explorer.save(tmp_path / "run.svg")
    saved = (tmp_path / "run.svg").read_text(encoding="utf-8")
    assert "var(--" not in saved
    elements(saved.strip())


# ---- watch ----


def test_watch_gives_every_step_and_leaves_the_whole_curve(config, capsys):
    trainer = gptlib.Trainer(gptlib.GPT(config, seed=0), TOKENS, CONFIG)
    assert [step.step for step in watch(trainer, {"ln V": 2.4})] == list(range(1, 31))
    picture = loss_curve(trainer, {"ln V": 2.4})
    elements(picture)
    assert "ln V 2.40" in text_of(picture) and "step 30" in picture


def test_the_curve_that_watch_shows_grows_and_is_kept_as_a_picture(config):
    trainer = gptlib.Trainer(gptlib.GPT(config, seed=0), TOKENS, CONFIG)
    curve = LossCurve(trainer, {"ln V": 2.4})
    assert curve.curve["series"]["loss"] == []
    for _ in trainer:
        pass
    curve.grow()
    assert curve.curve["series"]["loss"][-1][0] == 30 and curve.curve["levels"] == {"ln V": 2.4}
    alt, _ = image_of(curve.bundle()["text/html"])
    assert alt == curve.bundle()["text/plain"] == "Loss by step"


def test_a_cell_run_three_times_leaves_one_training_going_on(recording, executed):
    long, made = dataclasses.replace(CONFIG, steps=100_000), []
    for k in range(3):
        executed(k)
        made.append(training_explorer(recording, "012", tokens=TOKENS, config=long))
        press(made[-1], "start")
    wait_for(lambda: not made[0].run.running and not made[1].run.running)
    assert made[2].run.running
    made[2].close()
    wait_for(lambda: not made[2].run.running)


# ---- The page ----

CORPUS = """
tokens = torch.tensor(tokenizer.encode(grammar.sample(100, seed=1), allowed_special="all"))
config = gptlib.TrainConfig(steps=5000, batch_size=2, warmup_steps=0, device="cpu")
"""
PAGE = "widgets.training_explorer('pets', truth=grammar.next_words, tokens=tokens, config=config)"


@pytest.fixture(scope="module")
def both(lab):
    return open_live(lab, "training", CORPUS, f"display({PAGE}, {PAGE})", count=2)[1]


def probs_of(step, text="The cat is"):
    model, tokenizer = gptlib.load("pets", step=step)
    return gptlib.trace(model, tokenizer.encode(text)).probs[-1]


def says(live, step, text="The cat is"):
    """The first number of each word's row is that of the snapshot."""
    tokenizer = gptlib.load("pets")[1]
    words = [*grammar.next_words(text)]
    probs = probs_of(step, text)
    expected = [svg.chance(probs[tokenizer.encode(f" {word}")[0]].item()) for word in words]
    shows(lambda: [live.row(f"␣{word}", 1)[0] for word in words], expected)


def test_every_control_has_a_name(both):
    expected = {("textbox", "prompt"), ("slider", "step"), ("combobox", "step")}
    expected |= {("combobox", name) for name in ("layer", "head", "learning rate", "show")}
    expected |= {("button", name) for name in ("Play", "Start", "Stop", "Begin again")}
    assert both[0].controls() == both[1].controls() == expected


def test_step_play_and_the_chart_move_through_the_recorded_run(both):
    live, steps, other = both[0], gptlib.load_history("pets").steps, both[1].words()
    says(live, steps[-1])
    live.press("slider", "step", "ArrowLeft", 2)
    says(live, steps[-3])
    assert f"step {steps[-3]:,} of" in " ".join(live.words())
    live.press("combobox", "step", "ArrowUp", 2)
    says(live, steps[-5])
    live.root.locator(".gptlib-chart").click(position={"x": 46, "y": 60})
    says(live, steps[0])
    live.press("button", "Play", "Enter")
    says(live, steps[-1])
    shows(lambda: live.control("button", "Play").count(), 1)
    assert both[1].words() == other


def test_larger_letters_alone_have_the_chart_drawn_again(both, lab):
    """As JupyterLab's Presentation Mode has them, which leaves the width as it is."""
    shape = """chart => [chart.viewBox.baseVal.width, chart.viewBox.baseVal.height,
      chart.clientWidth, chart.clientHeight, parseFloat(getComputedStyle(chart).fontSize)]"""
    chart = both[0].root.locator(".gptlib-chart")
    letters = "document.documentElement.style.setProperty('--jp-content-font-size1', '%s')"

    def fits(size):
        wide, high, width, height, em = chart.evaluate(shape)
        return [round(wide) == width, round(high) == height, em == size]

    assert fits(16) == [True] * 3
    lab.page.evaluate(letters % "21px")
    shows(lambda: fits(24), [True] * 3)
    lab.page.evaluate(letters % "")
    shows(lambda: fits(16), [True] * 3)


def test_layer_and_head_choose_the_weights(both, pets):
    live = both[0]
    seen = gptlib.trace(pets[0], pets[1].encode("The cat is"))
    live.press("combobox", "layer", "ArrowDown")
    live.press("combobox", "head", "ArrowDown", 2)
    expected = [svg.two(w) for t in range(3) for w in seen.weights[1, 2, t, : t + 1].tolist()]
    seen = live.root.locator(".gptlib-cell:not(.gptlib-future)")
    shows(seen.all_inner_texts, expected)


LOOK_OF_CELLS = """cells => cells.map(cell => {
  const { backgroundColor, backgroundImage } = getComputedStyle(cell);
  return [cell.innerText, backgroundColor, backgroundImage !== "none"];
})"""


def test_the_future_is_grey_crossed_out_and_zero_and_a_weight_has_the_shade_of_its_size(both):
    live = both[0]
    future = live.root.locator(".gptlib-future").evaluate_all(LOOK_OF_CELLS)
    assert len(future) == 3 and {words for words, _, _ in future} == {"0"}
    assert all(crossed for *_, crossed in future)
    (grey,) = {colour for _, colour, _ in future}
    first = live.root.locator(".gptlib-cell").first.evaluate_all(LOOK_OF_CELLS)
    ((words, colour, crossed),) = first
    paper = live.root.evaluate("root => getComputedStyle(root).backgroundColor")
    assert words == "1.00" and not crossed and len({grey, colour, paper, "rgba(0, 0, 0, 0)"}) == 4


def test_another_prompt_is_shown_at_each_step_and_a_wrong_one_greys_the_picture(both):
    live, steps = both[0], gptlib.load_history("pets").steps
    live.type("textbox", "prompt", "The dog was")
    says(live, steps[-1], "The dog was")
    live.type("textbox", "prompt", "cat " * 20)
    shows(lambda: "16 at most" in live.message(), True)
    assert live.root.locator(".gptlib-stale").count() == 1
    live.type("textbox", "prompt", "The cat is")
    says(live, steps[-1])


def test_play_ends_at_a_prompt_that_cannot_be_read_and_where_the_live_run_is_shown(both, lab):
    live = both[0]

    def wrong():
        live.control("textbox", "prompt").fill("")
        shows(lambda: "type some text" in live.message(), True)

    def right():
        live.control("textbox", "prompt").fill("The cat is")
        shows(live.message, "")

    def show(run):
        live.control("combobox", "show").select_option(run)

    with moving(lab):
        for begin, end in (
            (wrong, right),
            (lambda: show("live run"), lambda: show("recorded run")),
        ):
            press_at_once(live, "Play")
            assert live.control("button", "Pause").count() == 1
            begin()
            assert live.control("button", "Play").count() == 1
            end()
    live.press("slider", "step", "End")


def test_a_live_run_is_seen_to_train_and_stops(both):
    live = both[0]
    live.press("combobox", "learning rate", "ArrowDown")
    live.press("button", "Start", "Enter")
    shows(lambda: "Live run (training), step" in " ".join(live.words()), True)
    live.press("button", "Stop", "Enter")
    shows(lambda: "Live run (stopped), step" in " ".join(live.words()), True)
    assert "rate 0.01" in " ".join(live.words())
    live.press("combobox", "show", "ArrowUp")
    says(live, gptlib.load_history("pets").steps[-1])


@in_each_colour
def test_no_serious_violation_of_accessibility_is_found(both, lab, colours):
    for run in ("live run", "recorded run"):
        both[0].control("combobox", "show").select_option(run)
        assert not grave_in(lab, colours)
    assert not lab.left


HOSTILE_RUN = r"""
from gptlib.storage.checkpoint import History
from gptlib.widgets.runs import Recording
bad = '</svg><img src=x onerror=alert(1)>" onload="alert(2)" --><script>alert(3)</script>'
names = [bad, "", "var(--jp-x, red)", "\x00\x1b🐱\u200d👩"]

class Bad:
    special_tokens, eos_id, vocab_size = {}, None, 4

    def encode(self, text, allowed_special=()):
        return [ord(letter) % 4 for letter in text]

    def decode(self, ids):
        return "".join(names[id] for id in ids)

    def token_str(self, id):
        return names[id]

shape = gptlib.GPTConfig(vocab_size=4, block_size=16, n_layer=2, n_head=2, n_embd=8)
losses = [(1, 1.4), (10, 1.2)]
run = Recording(Bad(), History([0, 10], losses, [(0, 1.4), (10, 1.2)], 0.3),
                lambda step: gptlib.GPT(shape, seed=step).eval())
config = gptlib.TrainConfig(steps=5, batch_size=2, warmup_steps=0, device="cpu")
widgets.training_explorer(run, "0123", truth=lambda prefix: {bad: 1.0},
                          tokens=torch.arange(400) % 4, config=config)
"""


def test_hostile_tokens_bring_nothing_into_the_page(lab):
    _, (live,) = open_live(lab, "hostile_training", HOSTILE_RUN)
    live.press("combobox", "step", "ArrowUp")
    shows(lambda: "step 0 of 10" in " ".join(live.words()), True)
    assert any("</svg>" in words for words in live.words()) and not live.strange()
    live.press("button", "Start", "Enter")
    shows(lambda: "Live run (done), step 5" in " ".join(live.words()), True)
    assert not live.strange()


def test_when_the_kernel_is_shut_down_buttons_are_off_and_it_is_said_why(lab):
    _, (live,) = open_live(lab, "training_shut_down", CORPUS, PAGE)
    says(live, gptlib.load_history("pets").steps[-1])
    shut_down(lab)
    shows(lambda: "run this cell again" in live.message(), True)
    for name in ("Start", "Stop", "Begin again"):
        assert live.control("button", name).is_disabled()
    assert live.control("textbox", "prompt").is_disabled()


def test_watch_shows_a_curve_that_grows(lab):
    code = """
trainer = gptlib.Trainer(gptlib.GPT(model.config, seed=0), tokens, gptlib.TrainConfig(
    steps=20, batch_size=2, warmup_steps=0, device="cpu"))
for step in widgets.watch(trainer, {"floor": 0.46}):
    pass
"""
    _, (live,) = open_live(lab, "watch", CORPUS, code)
    shows(lambda: live.label().startswith("Loss in nats per token: step 20, loss "), True)
    assert "floor 0.46" in live.words()
    for colours in COLOURS:
        assert not grave_in(lab, colours)
