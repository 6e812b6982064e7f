"""gptlib.widgets.training: what was recorded is shown as it was; what is live can be stopped."""

import dataclasses
import re
import time

import pytest
import torch
from explorers import HOSTILE, Names, check_names, elements, text_of
from hypothesis import given, settings
from hypothesis import strategies as st

import gptlib
from gptlib.corpora import pets as grammar
from gptlib.storage.checkpoint import History
from gptlib.widgets import svg, training_explorer, watch
from gptlib.widgets.bars import Bar
from gptlib.widgets.runs import LiveRun, Recording
from gptlib.widgets.training import RATES, loss_curve, training_svg

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


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.005)


def press(explorer, name):
    explorer.buttons[name].click()


def numbers(explorer):
    """{token: [now, at the end, truth]} from the picture."""
    words, shown = text_of(explorer.picture.value), {}
    start = words.index("at the end")
    for row in explorer.rows():
        place = words.index(row.name, start)
        shown[row.name] = words[place + 1 : place + 1 + (2 if row.truth is None else 3)]
    return shown


# ---- The recorded run ----


@pytest.mark.parametrize("place", [0, 4, -1])
def test_at_each_step_the_bars_and_the_heatmap_are_that_snapshots(explorer, place):
    history = gptlib.load_history("pets")
    step = history.steps[place]
    explorer.step.value = history.steps.index(step)
    model, tokenizer = gptlib.load("pets", step=step)
    seen = gptlib.trace(model, tokenizer.encode("The cat is"))
    last = gptlib.softmax(
        gptlib.load("pets")[0](torch.tensor([tokenizer.encode("The cat is")]))[0, -1]
    )
    for word, p in grammar.next_words("The cat is").items():
        id = tokenizer.encode(f" {word}")[0]
        expected = [seen.probs[-1, id].item(), last[id].item(), p]
        assert numbers(explorer)[f"␣{word}"] == [svg.chance(x) for x in expected]
    words = text_of(explorer.picture.value)
    for share in seen.weights[0, 0, -1].tolist():
        assert svg.two(share) in words
    assert f"step {step:,} of {history.steps[-1]:,}" in words[0]


def test_the_title_has_the_held_out_loss_and_the_distance_from_the_truth(explorer):
    history, truth = gptlib.load_history("pets"), torch.zeros(explorer._last.config.vocab_size)
    for word, p in grammar.next_words("The cat is").items():
        truth[explorer.tokenizer.encode(f" {word}")[0]] = p
    distance = gptlib.kl(truth, explorer.frame().probs.float()).item()
    loss = dict(history.val_loss)[history.steps[-1]]
    assert f"held-out loss {svg.two(loss)}, KL from the truth {svg.two(distance)}" in (
        explorer.describe()
    )


def test_the_curve_lies_between_ln_v_and_the_floor_and_the_mark_moves(explorer):
    def mark():
        found = re.findall(
            r'<line x1="([\d.]+)"[^>]*stroke-width="2"/><path', explorer.picture.value
        )
        return float(found[0])

    words = text_of(explorer.picture.value)
    floor = gptlib.load_history("pets").floor
    assert f"floor {svg.two(floor)}" in words
    assert any(word.startswith("ln V ") for word in words)
    places = []
    for k in range(len(explorer.recording.history.steps)):
        explorer.step.value = k
        places.append(mark())
    assert places == sorted(set(places))


def test_layer_head_and_prompt_redraw_and_only_the_prompt_needs_a_pass(explorer, monkeypatch):
    passes = []
    monkeypatch.setattr(
        "gptlib.widgets.runs.trace",
        lambda model, ids: passes.append(ids) or gptlib.trace(model, ids),
    )
    seen = {explorer.picture.value}
    for control, value in ((explorer.layer, 1), (explorer.head, 3)):
        control.value = value
        assert explorer.picture.value not in seen
        seen.add(explorer.picture.value)
    assert passes == []
    explorer.prompt.value = "The dog was"
    assert len(passes) == 1 and numbers(explorer)["␣hungry"][2] == "0.60"


def test_a_step_seen_before_costs_no_pass(explorer, monkeypatch):
    for place in (0, 1):
        explorer.step.value = place
    monkeypatch.setattr("gptlib.widgets.runs.trace", None)
    explorer.step.value = 0
    assert explorer.message.value == ""


def test_rows_keep_their_places_from_first_step_to_last_and_sum_to_one(explorer):
    names = [row.name for row in explorer.rows()]
    for place in range(len(explorer.recording.history.steps)):
        explorer.step.value = place
        assert [row.name for row in explorer.rows()] == names
        for column in (1, 2, 3):
            assert sum(row[column] for row in explorer.rows()) == pytest.approx(1, abs=1e-6)


def test_a_prompt_without_truth_says_so(explorer):
    explorer.prompt.value = "The zebra"
    assert explorer.message.value == "" and "no truth for this prompt" in explorer.describe()
    assert "truth" not in text_of(explorer.picture.value)


@pytest.mark.parametrize(
    "text, message", [("", "type some text"), ("cat " * 20, "too many to show: 16 at most")]
)
def test_what_cannot_be_shown_is_said_in_the_widget(explorer, text, message):
    before = explorer.picture.value
    explorer.prompt.value = text
    assert message in explorer.message.value and explorer.picture.value == before
    explorer.prompt.value = "The cat is"
    assert explorer.message.value == ""


def test_any_run_can_be_shown(recording):
    explorer = training_explorer(recording, "012")
    assert explorer.message.value == "" and "held-out loss 0.40" in explorer.describe()
    explorer.step.value = 1
    expected = gptlib.trace(recording.load(10), [0, 1, 2]).probs[-1]
    shown = {row.name: row.now for row in explorer.rows() if row.name in LETTERS.names}
    for name, p in shown.items():
        assert p == pytest.approx(expected[LETTERS.names.index(name)].item(), abs=1e-6)


def test_a_folder_without_a_history_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="history.json"):
        training_explorer(tmp_path)


# ---- The live run ----


def test_without_a_corpus_there_is_nothing_to_start(explorer):
    check_names(explorer)
    names = {
        child.description for row in explorer.children for child in getattr(row, "children", [])
    }
    assert "Start" not in names


def test_start_trains_what_the_trainer_alone_would_train(live, config):
    press(live, "Start")
    wait_for(lambda: live.run.done and not live.run.running)
    rate = RATES[live.rate.value]
    alone = dataclasses.replace(CONFIG, learning_rate=rate, final_learning_rate=rate)
    trainer = gptlib.Trainer(gptlib.GPT(config, seed=CONFIG.seed), TOKENS, alone)
    losses = [step.loss for step in trainer]
    assert [step.loss for step in live.run.trainer.history] == pytest.approx(losses)
    wait_for(lambda: "done" in live.title())
    expected = gptlib.trace(trainer.model, [0, 1, 2]).probs[-1]
    for row in live.rows():
        if row.name in LETTERS.names:
            place = LETTERS.names.index(row.name)
            assert row.now == pytest.approx(expected[place].item(), abs=1e-4)
    assert "step 30 of 30" in live.describe() and live.message.value == ""


def test_it_shows_the_live_run_once_it_is_started(live):
    assert live.show.value == "recorded run"
    press(live, "Start")
    assert live.show.value == "live run"
    wait_for(lambda: "Live run (done), step 30 of 30" in text_of(live.picture.value)[0])
    assert any(word.startswith("rate 0.003 ") for word in text_of(live.picture.value))
    live.show.value = "recorded run"
    assert "Recorded run" in text_of(live.picture.value)[0]


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
    press(live, "Start")
    wait_for(lambda: live.run.trainer.step >= 2)
    began = time.monotonic()
    press(live, "Stop")
    wait_for(lambda: not live.run.running)
    assert time.monotonic() - began < 1
    step = live.run.trainer.step
    wait_for(lambda: f"(stopped), step {step} of 30" in text_of(live.picture.value)[0])
    time.sleep(0.1)
    assert live.run.trainer.step == step < 30
    press(live, "Start")
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
        press(live, "Start")
        press(live, "Stop")
        live.run.start()
        time.sleep(0.002)
    wait_for(lambda: not live.run.running)
    assert set(most) == {1}
    assert [step.step for step in live.run.trainer.history] == list(range(1, 31))


def test_a_run_ends_by_itself_and_a_new_one_begins_again(live):
    press(live, "Start")
    wait_for(lambda: live.run.done and not live.run.running)
    press(live, "Start")
    assert "press Begin again" in live.message.value
    first = live.run
    live.rate.value = RATES.index(1e-2)
    press(live, "Begin again")
    assert live.run is not first and live.message.value == ""
    wait_for(lambda: live.run.done and not live.run.running)
    wait_for(lambda: "done" in text_of(live.picture.value)[0])
    words = text_of(live.picture.value)
    assert any(word.startswith("before 0.003 ") for word in words)
    assert any(word.startswith("rate 0.01 ") for word in words)


def test_closing_stops_the_training(live):
    live.run = live.new_run()
    slowly(live)
    press(live, "Start")
    wait_for(lambda: live.run.trainer.step >= 1)
    live.close()
    wait_for(lambda: not live.run.running)
    assert live.run.trainer.step < 30


def test_the_rate_can_be_changed_while_it_trains(live):
    live.run = live.new_run()
    slowly(live)
    press(live, "Start")
    wait_for(lambda: live.run.trainer.step >= 2)
    live.rate.value = RATES.index(1e-1)
    step = live.run.trainer.step
    wait_for(lambda: live.run.trainer.step >= step + 3)
    assert live.run.trainer.history[-1].learning_rate == 0.1
    assert live.run.trainer.history[0].learning_rate == 0.003
    wait_for(lambda: "rate 0.003→0.1 " in live.picture.value)


def test_the_rate_of_a_run_that_stands_counts_when_it_goes_on(live):
    live.rate.value = RATES.index(1e-2)
    press(live, "Start")
    wait_for(lambda: live.run.done)
    assert {step.learning_rate for step in live.run.trainer.history} == {0.01}


def test_other_controls_answer_while_it_trains_and_none_of_them_errs(live):
    live.run = live.new_run()
    slowly(live, 0.005)
    press(live, "Start")
    k = 0
    while not live.run.done:
        live.head.value = k % 2
        live.step.value = k % 3
        live.show.value = ("live run", "recorded run")[k % 5 == 0]
        live.prompt.value = "012"[: 1 + k % 3]
        assert live.message.value == ""
        k += 1
    assert k > 10


def test_a_loss_that_blows_up_is_said_and_ends_the_run(live):
    live.run = live.new_run()

    def fails():
        raise FloatingPointError("the loss is nan at step 1: try a learning rate below 3")

    live.run.trainer.update = fails
    press(live, "Start")
    wait_for(lambda: not live.run.running)
    wait_for(lambda: "the loss is nan at step 1" in live.message.value)
    assert live.run.done and "Begin again" in live.message.value
    press(live, "Begin again")
    wait_for(lambda: live.run.trainer.step > 0)
    assert live.message.value == ""


def test_a_corpus_that_is_too_short_is_said_in_the_widget(recording):
    explorer = training_explorer(recording, "012", tokens=TOKENS[:5], config=CONFIG)
    press(explorer, "Start")
    assert "the corpus has 5 tokens" in explorer.message.value


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


# ---- All of it ----


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


def test_two_do_not_interfere_and_both_can_be_named(live, recording):
    other = training_explorer(recording, "012", tokens=TOKENS, config=CONFIG)
    assert other.fallback() == live.fallback()
    before = other.picture.value
    live.step.value = 0
    press(live, "Start")
    wait_for(lambda: live.run.done)
    assert other.picture.value == before and other.run is None
    check_names(live)


def test_it_is_saved(explorer, tmp_path):
    explorer.save(tmp_path / "run.svg")
    explorer.save(tmp_path / "run.html")
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
