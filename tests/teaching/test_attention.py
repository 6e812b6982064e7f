"""What the words of lesson 03 and its "Deeper" claim, and the numbers of its guided questions."""

import copy
import json
import math
import re
from functools import partial
from pathlib import Path

import pytest
import torch

import gptlib
from gptlib import ablations
from gptlib.attention import attention, mask_scores
from gptlib.teaching.attention import QUESTIONS
from gptlib.trace import trace_swapped
from gptlib.widgets import attention_by_hand, attention_explorer, svg
from gptlib.widgets.by_hand import KEYS, QUERIES, VALUES

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
NAME = "03_masked_attention.ipynb"
OWNERS = "Mia has a red ball. Tom has a big blue ball. Eve has a green ball."
ASKED = f"{OWNERS} The ball of Tom is"
BALLS = {"Mia": 4, "Tom": 11, "Eve": 17}  # where in ASKED
LAST = 23
COLOURS = {"Mia": "red", "Tom": "blue", "Eve": "green"}


def cells(kind, folder=""):
    told = json.loads((NOTEBOOKS / folder / NAME).read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in told if cell["cell_type"] == kind]


@pytest.fixture(scope="module")
def prose():
    return "\n".join(cells("markdown"))


@pytest.fixture(scope="module")
def deeper_prose():
    return "\n".join(cells("markdown", "deeper"))


@pytest.fixture(scope="module")
def asked(pets):
    model, tokenizer = pets
    return gptlib.trace(model, tokenizer.encode(ASKED))


def word(tokenizer, logits):
    return tokenizer.token_str(int(logits.argmax()))


# ---- By hand, and the scale ----


def test_the_lessons_matrices_give_the_queries_keys_and_values_of_the_explorer():
    known = {"torch": torch}
    for name in ("x = torch", "Wq = torch"):
        (code,) = [cell for cell in cells("code") if cell.startswith(name)]
        exec("\n".join(line for line in code.splitlines() if "print" not in line), known)
    for name, expected in (("q", QUERIES), ("k", KEYS), ("v", VALUES)):
        torch.testing.assert_close(known[name], torch.tensor(expected))
    (paper,) = [cell for cell in cells("markdown") if "pmatrix" in cell]
    for name in ("q", "k", "v"):
        rows = re.search(rf"W_{name}=.begin{{pmatrix}}(.*?).end", paper)[1].split("\\\\")
        told = [[float(number) for number in row.split("&")] for row in rows]
        assert told == known[f"W{name}"].tolist()
    assert (known["k"] @ known["q"][2]).tolist() == [0, 2, 1]
    powers = torch.exp(known["k"] @ known["q"][2])
    torch.testing.assert_close(powers, torch.tensor([1, 7.39, 2.72]), atol=0.005, rtol=0)
    output = powers / powers.sum() @ known["v"]
    assert [round(number, 2) for number in output.tolist()] == [0.33, 0.91]


def test_the_numbers_by_hand_are_those_of_the_prose(prose, deeper_prose):
    hand = attention_by_hand()
    scaled = hand.steps().weights[2]
    hand.scaled = False
    raw = hand.steps().weights[2]
    assert f"two thirds of its weight ({raw[1]:.2f}) to `␣cat`" in prose
    assert f"`␣cat` gets {scaled[1]:.2f}" in prose
    assert f"{raw[1]:.2f} instead of {scaled[1]:.2f}" in deeper_prose


def test_the_spread_of_a_dot_product_is_the_root_of_its_width(prose):
    generator = torch.Generator().manual_seed(1)
    for d in (16, 64, 256, 1024):
        q, k = torch.randn(2, 4000, d, generator=generator)
        spread = (q * k).sum(1).std().item()
        assert spread == pytest.approx(math.sqrt(d), rel=0.05)
    assert QUESTIONS["spread"].right == f"it becomes {math.sqrt(64 / 16):.0f} times as large"


def test_nothing_before_the_prediction_says_that_a_root_is_taken():
    told = json.loads((NOTEBOOKS / NAME).read_text(encoding="utf-8"))["cells"]
    before = []
    for cell in told:
        if 'predict("spread")' in "".join(cell["source"]):
            break
        before.append("".join(cell["source"]))
    assert not re.search(r"sqrt|√|root|\*\* ?0\.5|[Dd]ivided? by .*width", "\n".join(before))


# ---- The swap ----


def test_the_sizes_in_the_words_are_those_of_the_pets_model(pets):
    config = pets[0].config
    assert (config.n_layer, config.n_head, config.n_embd) == (2, 4, 64)
    assert config.n_embd // config.n_head == 16


def test_the_first_three_balls_attend_to_their_owners_and_the_question_to_the_ball(asked, prose):
    weights = asked.weights
    for owner, ball in ((0, "Mia"), (6, "Tom"), (13, "Eve")):
        assert weights[0, 3, BALLS[ball], owner] > 0.85
    assert weights[1, 1, LAST].argmax() == BALLS["Tom"]
    assert (weights[1, 1, LAST] > 0.5).sum() == 1  # one dark cell in the last row
    assert f"took in `␣Tom` in layer 0 (head 1, {weights[0, 1, LAST, 22]:.2f})" in prose


def test_the_swap_moves_the_weight_and_the_answer_as_the_prose_says(pets, asked, prose):
    model, tokenizer = pets
    moved = trace_swapped(model, asked.ids, layer=0, head=3, places=[11, 17])
    told = []
    for ball in ("Tom", "Eve"):
        before, after = (run.weights[1, 1, LAST, BALLS[ball]].item() for run in (asked, moved))
        told.append(f"from {before:.2f} to {after:.2f}")
    assert f"Tom's ball falls {told[0]}, its weight on Eve's ball rises {told[1]}" in prose
    assert word(tokenizer, asked.probs[-1]) == "␣blue"
    assert word(tokenizer, moved.probs[-1]) == "␣green"
    assert moved.probs[-1].max() > 0.99  # "almost 1", as a reply says


def swap_heads(module, inputs, heads):
    outputs = inputs[0].clone()
    for head in heads:
        part = slice(16 * head, 16 * head + 16)
        outputs[0, [11, 17], part] = inputs[0][0, [17, 11], part]
    return outputs


def test_two_heads_change_the_answer_for_two_reasons_and_together_do_not(pets, asked, deeper_prose):
    model, tokenizer = pets
    answers = {(0,): "␣blue", (1,): "␣green", (2,): "␣blue", (3,): "␣green", (1, 3): "␣blue"}
    runs = {}
    for heads, answer in answers.items():
        put = partial(swap_heads, heads=heads)
        with model.h[0].attn.c_proj.register_forward_pre_hook(put):
            runs[heads] = gptlib.trace(model, asked.ids)
        assert word(tokenizer, runs[heads].probs[-1]) == answer
    left = {heads: run.weights[1, 1, LAST, BALLS["Tom"]].item() for heads, run in runs.items()}
    assert f"({left[3,]:.2f} is left for Tom's)" in deeper_prose
    assert f"still attends to Tom's ball ({left[1,]:.2f})" in deeper_prose
    assert runs[1, 3].weights[1, 1, LAST].argmax() == BALLS["Eve"]
    colours = {4: 3, 11: 10, 17: 16}  # ball: its colour
    for ball, colour in colours.items():
        assert asked.weights[0, 1, ball].argmax() == colour


def test_the_guided_questions_have_the_answers_that_are_folded_away(prose, pets, asked):
    _, tokenizer = pets
    folded = re.search(r"<summary>The answers</summary>(.*?)</details>", prose, re.S)[1]
    first, second = re.split(r"\n\d: ", folded)[1:]
    row = asked.weights[0, 3, 20]
    assert f"`{tokenizer.token_str(int(asked.ids[row.argmax()]))}` ({row.max():.2f})" in first
    row = attention_explorer(*pets, f"{OWNERS} The ball of Eve is").shown()[1, 1, -1]
    assert f"position {row.argmax()}, Eve's ball, with {svg.two(row.max())}" in second


# ---- Deeper ----


def test_just_three_heads_are_needed_to_say_whose_ball_has_which_colour(pets):
    model, tokenizer = pets
    prompts = {f"{OWNERS} The ball of {name} is": colour for name, colour in COLOURS.items()}
    needed = set()
    for layer in range(2):
        for head in range(4):
            ablated = copy.deepcopy(model)
            ablated.h[layer].attn.c_proj.weight.data[:, 16 * head : 16 * head + 16] = 0
            for prompt, colour in prompts.items():
                logits = ablated(torch.tensor([tokenizer.encode(prompt)]))[0, -1]
                if word(tokenizer, logits) != f"␣{colour}":
                    needed.add((layer, head))
    assert needed == {(0, 1), (0, 3), (1, 1)}


def test_zero_after_the_softmax_lets_the_future_have_an_effect():
    q, k = torch.tensor(QUERIES), torch.tensor(KEYS)
    other = k.clone()
    other[2] = 3.0
    rows = [torch.softmax(q @ keys.T / 2**0.5, -1).tril()[1] for keys in (k, other)]
    assert all(row.sum() < 0.99 for row in rows) and (rows[0] - rows[1]).abs().max() > 0.1
    masked = [torch.softmax(mask_scores(q @ keys.T), -1)[:2] for keys in (k, other)]
    assert torch.equal(*masked)
    divided = rows[1] / rows[1].sum()  # as the prose says, the sum was the fault
    torch.testing.assert_close(divided, torch.softmax(mask_scores(q @ k.T / 2**0.5), -1)[1])


def test_other_values_leave_the_weights_and_change_the_output(pets):
    model, tokenizer = pets
    seen = gptlib.trace(model, tokenizer.encode("The cat is"))
    layer = seen.layers[1]
    out, weights = attention(layer.q, layer.k, layer.v)
    other, same = attention(layer.q, layer.k, layer.v[:, [1, 0, 2]])
    assert torch.equal(weights, same) and (out - other)[0, 2].abs().max() > 0.1
    assert weights[0, 2, 1] > 0.95  # nearly all of it on ␣cat


def test_without_the_mask_of_the_last_layer_the_last_position_says_the_same(pets):
    model, tokenizer = pets
    for text in ("The cat is", "The cat is sleeping. It", f"{OWNERS} The"):
        ids = tokenizer.encode(text)
        seen, unmasked = (
            gptlib.trace(m, ids) for m in (model, gptlib.ablate(model, "mask", layers=[1]))
        )
        torch.testing.assert_close(seen.probs[-1], unmasked.probs[-1], atol=1e-5, rtol=1e-4)
        assert not torch.allclose(seen.probs[:-1], unmasked.probs[:-1], atol=1e-3)


def test_without_a_mask_in_training_the_two_losses_part(deeper_prose):
    measured = ablations.measured()
    rows = {row["name"]: row for row in measured["rows"]}
    assert f"the loss of the grammar's own probabilities is {measured['floor']:.2f}" in deeper_prose
    (loss,) = {f"{loss:.2f}" for loss in rows["the mask"]["teacher_forced"]}
    assert f"the loss at once is about {loss} with every seed" in deeper_prose
    assert max(rows["the mask"]["teacher_forced"]) < 0.1 * min(rows["nothing"]["teacher_forced"])
    assert min(rows["the mask"]["prefix_only"]) > 3 * max(rows["nothing"]["prefix_only"])


def test_without_the_scale_a_head_of_8_shows_no_harm_as_the_null_result_says():
    told = ablations.measured()
    recipe = told["recipe"]
    assert recipe["n_embd"] // recipe["n_head"] == 8 and recipe["steps"] == 1000
    rows = {row["name"]: row for row in told["rows"]}
    whole, without = rows["nothing"], rows["the scaling of the scores"]
    for metric in ("prefix_only", "sayable"):  # the seeds overlap
        assert min(without[metric]) <= max(whole[metric])
        assert min(whole[metric]) <= max(without[metric])


def test_without_positions_order_reaches_the_last_token_in_layer_1_only(pets):
    model, tokenizer = pets
    blind = gptlib.ablate(model, "positions")
    texts = ("The dog chases the cat. The", "The cat chases the dog. The")
    one, two = (gptlib.trace(blind, tokenizer.encode(text)).layers for text in texts)
    torch.testing.assert_close(one[0].attn[-1], two[0].attn[-1], atol=1e-4, rtol=1e-4)
    assert (one[1].attn[-1] - two[1].attn[-1]).norm() > 1


def test_what_leaving_out_positions_costs_is_as_measured(deeper_prose):
    rows = {row["name"]: row for row in ablations.measured()["rows"]}
    mean = {
        name: [sum(row[metric]) / 3 for metric in ("prefix_only", "sayable")]
        for name, row in rows.items()
    }
    pairs = ("nothing", "positions"), ("one of two layers", "positions, of one layer")
    for whole, without in pairs:
        losses = f"{mean[whole][0]:.2f} to {mean[without][0]:.2f}"
        shares = f"{mean[whole][1]:.0%} to {mean[without][1]:.0%}"
        assert losses in deeper_prose and shares in deeper_prose


# ---- The questions ----


@pytest.mark.parametrize("folder", ["", "deeper"])
def test_every_question_that_is_asked_is_there_and_asked_once(folder):
    code = "\n".join(cells("code", folder))
    names = re.findall(r"lesson\.(?:ask|predict)\(\"(\w+)\"\)", code)
    assert len(names) == len(set(names)) and set(names) <= set(QUESTIONS)


def test_no_question_is_left_over():
    code = "\n".join(cells("code") + cells("code", "deeper"))
    assert set(re.findall(r"lesson\.(?:ask|predict)\(\"(\w+)\"\)", code)) == set(QUESTIONS)
