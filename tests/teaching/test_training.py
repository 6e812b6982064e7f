"""What the words of lesson 06 claim: in its questions, in its notebook, and in its Deeper.

Runs that take long are held by what the notebooks printed when they were executed.
"""

import json
import math
import re
from pathlib import Path
from statistics import mean, median

import pytest
import torch

import gptlib
from gptlib.checks.training_loop import CLOSE, STEPS, Problem
from gptlib.corpora import pets as grammar
from gptlib.teaching.training import HINTS, QUESTIONS
from gptlib.training import get_batch, row_starts
from gptlib.widgets import training_explorer

PROMPT = "The cat is"
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def cells(name):
    return json.loads((NOTEBOOKS / name).read_text(encoding="utf-8"))["cells"]


def prose(name="06_training.ipynb"):
    return "\n".join("".join(c["source"]) for c in cells(name) if c["cell_type"] == "markdown")


def printed(begins):
    """What the cells of Deeper printed from a section's letter on to the next section."""
    kept, inside = [], False
    for cell in cells("deeper/06_training.ipynb"):
        if cell["cell_type"] == "markdown":
            heading = re.search(r"^## (\w)\.", "".join(cell["source"]), re.MULTILINE)
            inside = heading[1] == begins if heading else inside
        elif inside:
            outputs = [o for o in cell["outputs"] if o["output_type"] == "stream"]
            kept += ["".join(output["text"]) for output in outputs]
    return "".join(kept)


def numbers(line):
    return [float(number) for number in re.findall(r"(?<![\w.])\d+\.\d+", line)]


@pytest.fixture(scope="module")
def told(pets):
    """The lesson's text, in which each story begins with "The": (N,); not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grammar, "FIRST", {"The": 1.0})
        text = grammar.sample(12_000, seed=1)
    return torch.tensor(pets[1].encode(text, allowed_special="all"))


@pytest.fixture
def the_stories(monkeypatch, told):
    """That text, and the grammar whose stories begin so."""
    monkeypatch.setattr(grammar, "FIRST", {"The": 1.0})
    return told


def lesson_model():
    shape = gptlib.GPTConfig(397, block_size=32, n_layer=1, n_head=4, n_embd=64)
    return gptlib.GPT(shape, seed=0)


# ---- By hand ----


def test_surprises_and_entropy_by_hand():
    truth = list(grammar.next_words(PROMPT).values())
    assert truth == [0.60, 0.30, 0.05, 0.05]
    assert [round(-math.log(p), 3) for p in truth[:3]] == [0.511, 1.204, 2.996]
    assert round(-sum(p * math.log(p) for p in truth), 3) == 0.967
    assert all(said in prose() for said in ("0.511, 1.204, 2.996 and 0", "=0.967"))


def test_the_gradient_by_hand():
    w = (torch.tensor([0.60, 0.30, 0.05, 0.05]).log() / 2).requires_grad_()
    gptlib.nll(2 * w[None], torch.tensor([1])).backward()
    p_less_onehot = torch.tensor([0.60, -0.70, 0.05, 0.05])
    torch.testing.assert_close(w.grad, 2 * p_less_onehot)


def test_the_numbers_in_questions_are_those_of_the_shipped_tokenizer(pets):
    _, tokenizer = pets
    assert tokenizer.vocab_size == 397 and round(math.log(397), 2) == 5.98
    assert len(tokenizer.encode(PROMPT)) == 3
    assert len(tokenizer.encode("The cat is sleeping.")) == 5  # the lesson's loops run over 4


def test_the_untrained_model_of_the_lesson_has_about_the_loss_that_the_question_names(pets):
    """So it does not give away where the loss ends."""
    model, tokenizer = gptlib.load("pets", step=0)
    ids = torch.tensor([tokenizer.encode("The cat is sleeping.")])
    with torch.no_grad():
        assert gptlib.nll(model(ids[:, :-1]), ids[:, 1:]).item() == pytest.approx(5.98, abs=0.2)


# ---- The floor ----


@pytest.mark.parametrize("first", ["", grammar.STOP])
def test_the_truth_on_a_row_loses_the_surprises_of_its_words(pets, monkeypatch, first):
    """Whether the row begins with the first word or with the mark before it."""
    monkeypatch.setattr(grammar, "FIRST", {"The": 1.0})
    row = torch.tensor([pets[1].encode(first + "The cat is sleeping.", allowed_special="all")])
    surprises = -sum(map(math.log, (0.35, 0.5, 0.6, 0.8)))  # The -> cat -> is -> sleeping -> .
    found = grammar.truth_loss(row[:, :-1], row[:, 1:], pets[1])
    assert found == pytest.approx(surprises / (row.shape[1] - 1))


def test_the_floor_of_rows_is_higher_the_shorter_they_are(pets, the_stories):
    for n_tokens, said in ((4, 0.86), (8, 0.62), (16, 0.55), (32, 0.51)):
        starts = row_starts(the_stories, n_tokens, pets[1].eos_id)
        rows = get_batch(the_stories, n_tokens, 1_000, seed=0, step=0, starts=starts)
        assert grammar.truth_loss(*rows, pets[1]) == pytest.approx(said, abs=0.02)
    assert round(said, 1) == float(QUESTIONS["end_loss"].right.partition(",")[0])


def test_on_single_batches_the_truth_is_sometimes_below_its_mean(pets, the_stories):
    starts = row_starts(the_stories, 32, pets[1].eos_id)
    losses = [
        grammar.truth_loss(*get_batch(the_stories, 32, 32, seed=0, step=k, starts=starts), pets[1])
        for k in range(40)
    ]
    assert min(losses) < 0.50 < mean(losses) < 0.52 < max(losses) < 0.58


# ---- What the lesson trains ----


def test_the_lessons_training_brings_kl_below_002_and_its_loss_near_the_floor(pets, the_stories):
    config = gptlib.TrainConfig(400, batch_size=32, eos_id=pets[1].eos_id, device="cpu")
    trainer = gptlib.Trainer(lesson_model(), the_stories, config)
    losses = [step.loss for step in trainer]
    assert losses[0] == pytest.approx(5.98, abs=0.05) and losses[100] < 1
    assert 0.50 < mean(losses[-50:]) < 0.54  # the floor is 0.51
    assert min(losses[300:]) < 0.51  # on easy batches below it, and so is the truth:
    truths = [grammar.truth_loss(*trainer.batch(k), pets[1]) for k in range(300, 400)]
    assert round(mean(truths), 2) == 0.51 and mean(truths) < mean(losses[300:]) < 0.53
    assert sum(mine < truth for mine, truth in zip(losses[300:], truths)) < 5
    words = grammar.next_words(PROMPT)
    ids = [pets[1].encode(" " + word)[0] for word in words]
    with torch.no_grad():
        said = gptlib.softmax(trainer.model(torch.tensor([pets[1].encode(PROMPT)]))[0, -1])[ids]
    assert gptlib.kl(torch.tensor(list(words.values())), said) < 0.02


def test_on_150_stories_the_training_loss_passes_the_floor_and_the_held_out_loss_turns_up(
    pets, the_stories
):
    text = grammar.sample(150, seed=1)
    known, drawn = (t.split(grammar.STOP) for t in (text, grammar.sample(1_000, seed=2)))
    kept = [story + grammar.STOP for story in drawn if story not in known][:128]
    assert len(kept) == 128
    small, heldout = (
        torch.tensor(pets[1].encode(t, allowed_special="all")) for t in (text, "".join(kept))
    )
    assert torch.equal(small, the_stories[: len(small)])
    floor = grammar.floor("".join(kept), len(heldout))
    own = grammar.floor(text, len(small))  # what the truth loses on the training text itself
    assert (round(own, 2), round(floor, 2)) == (0.45, 0.49)
    epochs = 300 * 16 * 32 / len(small)  # steps, rows, tokens of a row
    assert round(epochs) == 75 and "300 steps are about 75 **epochs**" in prose()
    config = gptlib.TrainConfig(300, 16, eos_id=pets[1].eos_id, eval_every=20, device="cpu")
    run = gptlib.Trainer(lesson_model(), small, config, heldout)
    history = list(run)
    found = {step.step: step.val_loss for step in history if step.val_loss is not None}
    assert 60 <= min(found, key=found.get) <= 180
    assert floor < min(found.values()) < found[300] - 0.05
    assert found[60] < 1  # in the first 60 steps, what is learned holds for other stories too
    assert mean(step.loss for step in history[-20:]) < own - 0.2
    band = [grammar.truth_loss(*run.batch(k), pets[1]) for k in range(100)]
    assert max(step.loss for step in history[-100:]) < min(band)
    assert "below the grey band, which shows the truth's losses on 100 training batches" in prose()
    assert min(band) < floor < max(band)  # the dashed line is inside
    shown = json.dumps(cells("06_training.ipynb"))
    assert f"as large as a batch: {min(band):.2f} to {max(band):.2f}." in shown


def test_the_perplexity_is_that_of_the_loss_which_the_cell_above_it_prints():
    outputs = [o for c in cells("06_training.ipynb") for o in c.get("outputs", [])]
    text = "".join("".join(o.get("text", "")) for o in outputs)
    (loss,) = re.findall(r"mean loss: truth ([\d.]+),", text)
    said = rf"loss is {loss}, and $e^{{{loss}}}\approx{{{math.exp(float(loss)):.1f}}}$ is its"
    assert f"{said} **perplexity**" in prose()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_exercise_can_be_done_with_the_optimizer_that_the_lesson_gives(seed):
    code = "".join(line for c in cells("06_training.ipynb") for line in c["source"])
    assert "torch.optim.AdamW(model.parameters(), lr=0.01)" in code
    assert "get_batch(tokens, 8, 64, " in code
    for problem in (Problem((0.60, 0.30, 0.05, 0.05), 0), Problem((0.05, 0.40, 0.20, 0.35), 1)):
        model = problem.model()
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        for step in range(STEPS):
            inputs, targets = get_batch(problem.tokens, 8, 64, seed=seed, step=step)
            optimizer.zero_grad()
            gptlib.nll(model(inputs), targets).backward()
            optimizer.step()
        assert problem.kl(model) < CLOSE


# ---- The explorer ----


def test_the_answers_to_the_explorers_questions_are_true():
    sleeping, at_step = {}, {}
    for step in gptlib.load_history("pets").steps:
        model, tokenizer = gptlib.load("pets", step=step)
        seen = gptlib.trace(model, tokenizer.encode(PROMPT))
        sleeping[step] = seen.probs[-1, tokenizer.encode(" sleeping")[0]].item()
        at_step[step] = seen.weights[1, 0, 2, 1].item()
    first = next(step for step, p in sleeping.items() if p > 0.5)
    assert f"Step {first}" in prose()
    assert "1,000 it is below 0.50" in prose() and sleeping[1_000] < 0.5
    assert f"its floor is {gptlib.load_history('pets').floor:.2f}" in prose()
    assert f"{at_step[0]:.2f} and {at_step[100]:.2f}" in prose()


@pytest.mark.parametrize("rate,low,high", [(0.003, 0.6, 1.2), (1.0, 10, 1e9)])
def test_a_live_run_learns_at_one_rate_and_not_at_another(the_stories, rate, low, high):
    run = training_explorer("pets", tokens=the_stories).new_run()
    run.set_rate(rate)
    losses = [run.trainer.update().loss for _ in range(100)]
    assert low < sum(losses[-10:]) / 10 < high


# ---- Questions and hints ----


def test_no_hint_hands_the_solution_over():
    solutions = cells("solutions/06_training.ipynb")
    code = "\n".join("".join(c["source"]) for c in solutions if c["cell_type"] == "code")
    lines = {line.strip().partition("  #")[0] for line in code.splitlines()}
    hints = " ".join(hint for steps in HINTS.values() for hint in steps)
    assert not [line for line in lines if len(line) > 20 and line in hints]


# ---- Deeper, as it was executed ----


def test_most_fresh_stories_occur_in_the_training_text(monkeypatch):
    monkeypatch.setattr(grammar, "FIRST", {"The": 1.0})
    trained, fresh = (grammar.sample(n, s).split(grammar.STOP) for n, s in ((6_000, 1), (200, 2)))
    assert sum(story in set(trained) for story in fresh) > 0.9 * len(fresh)


def test_a_model_that_reads_other_stories_moves_to_their_frequencies():
    line = next(line for line in printed("A").splitlines() if line.startswith("before"))
    before, after = re.findall(r"\[([^]]+)\]", line)
    sleeping, on, *rest = map(float, after.split())
    assert abs(float(before.split()[0]) - 0.60) < 0.05
    assert abs(sleeping - 0.50) < 0.07 and abs(on - 0.50) < 0.07 and max(rest) < 0.03
    for expected, entropy, kl in (
        numbers(line) for line in printed("A").splitlines() if "expected loss" in line
    ):
        assert expected == pytest.approx(entropy + kl, abs=0.011)


def test_either_part_of_adamw_alone_gains_most_of_its_lead_and_muon_more_than_all_of_it():
    table = [line for line in printed("B").splitlines() if re.match(r"\w+ +\d", line)]
    losses = {line.split()[0]: [float(x) for x in re.findall(r": (\S+)", line)] for line in table}
    assert list(losses) == ["plain_sgd", "with_momentum", "with_division", "adamw", "muon"]
    for three in losses.values():  # the best rate lies between two others
        assert three[1] == min(three)
    best = {kind: min(three) for kind, three in losses.items()}
    lead = best["plain_sgd"] - best["adamw"]
    for part in ("with_momentum", "with_division"):
        assert 0.6 < (best["plain_sgd"] - best[part]) / lead < 0.9
    assert best["muon"] < best["adamw"] - 0.1


def test_warm_up_helps_at_a_high_rate_and_coming_down_helps_each_seed():
    means = [float(m) for m in re.findall(r"mean (\S+)", printed("C"))]
    assert abs(means[0] - means[1]) < 0.07 and means[3] < means[2] - 0.1
    ends = [numbers(line) for line in printed("C").splitlines() if line.startswith("at 150")]
    assert len(ends) == 3 and all(down < steady for _, steady, down in ends)


def test_broken_loops_are_in_the_same_order_as_in_the_appendix():
    rows = {row["name"]: row["teacher_forced"] for row in gptlib.ablations.measured()["rows"]}
    lines = [line for line in printed("D").splitlines() if "appendix" in line]
    found = {line[:13].strip(): numbers(line) for line in lines}
    names = ("nothing", "zero_grad", "all stories but one", "the shift of the targets")
    order = ("nothing", "no zero_grad", "one story", "not shifted")
    for mine, theirs in zip(order, names):
        assert found[mine][2] == pytest.approx(median(rows[theirs]), abs=0.006)
    for column in (1, 2):
        losses = [found[name][column] for name in order]
        assert losses == sorted(losses)
    near_0 = [name for name in order if found[name][0] < 0.05]
    assert near_0 == ["one story", "not shifted"] and QUESTIONS["broken"].right == "two of them"
    assert found["no zero_grad"][0] > found["nothing"][0] + 0.3
    clipped, free = (numbers(line.partition(":")[2]) for line in printed("D").splitlines()[-2:])
    assert max(clipped) < 3 < 6 < min(free)


def test_the_leak_is_below_the_floor_and_worse_than_the_mask_with_only_the_past():
    floor, *runs = printed("E").splitlines()[4:]
    (floor,) = numbers(floor)
    assert len(runs) == 4
    for line in runs:
        whole, past = numbers(line)
        if line.startswith("with mask"):
            assert floor < whole < 1 and whole == pytest.approx(past, abs=0.011)
        else:
            assert whole < 0.3 and past > 1.5


def test_on_real_text_the_model_is_better_than_pair_counts_in_the_end():
    losses = re.search(r"held-out loss (\S+), pair counts (\S+)", printed("F"))
    assert float(losses[1]) < float(losses[2])
