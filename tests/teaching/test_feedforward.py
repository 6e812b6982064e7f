"""What the words of lesson 04 claim, in its questions and in its notebook."""

import json
import math
import re
from pathlib import Path

import pytest
import torch

import gptlib
from gptlib import plots, widgets
from gptlib.corpora import pets as grammar
from gptlib.feedforward import gelu
from gptlib.teaching.feedforward import QUESTIONS

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "04_feedforward.ipynb"


def prose():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


@pytest.fixture
def layers(pets):
    model, tokenizer = pets
    return gptlib.trace(model, tokenizer.encode("The cat is")).layers


def test_by_hand_the_feedforward_parts_four_steps():
    x1, x2 = 1.0, 2.0
    wide = torch.tensor([x1, x2, x2 - x1, x1 - x2])  # (4,)
    for bend, expected in ((torch.relu, (2.0, 1.0)), (gelu, (1.682, 0.887))):
        h = bend(wide)
        assert (x1 + h[2] + h[3]).item() == pytest.approx(expected[0], abs=5e-4)
        assert (x2 + h[0] - h[1]).item() == pytest.approx(expected[1], abs=5e-4)


def test_gelu_and_relu_differ_most_at_three_quarters_either_side():
    x = torch.linspace(-5, 5, 1001, dtype=torch.float64)  # (X,), in steps of 0.01
    apart = torch.relu(x) - gelu(x)  # (X,)
    assert x[apart.argmax()].abs().item() == pytest.approx(0.75, abs=0.011)
    assert apart.max().item() == pytest.approx(0.17, abs=5e-4)
    torch.testing.assert_close(apart, apart.flip(0))  # let through below 0, taken off above
    assert "At ±0.75, by 0.17" in prose()


def test_by_hand_the_layer_norm():
    token = [7, 1, 1, -1]
    mean = sum(token) / 4
    variance = sum((v - mean) ** 2 for v in token) / 4
    assert (mean, variance) == (2, 9)
    normed = [round((v - mean) / math.sqrt(variance), 3) for v in token]
    assert normed == [1.667, -0.333, -0.333, -1.0]


def test_the_feedforward_part_has_two_thirds_of_a_blocks_weights(pets):
    block = pets[0].h[0]
    mlp, whole = (sum(p.numel() for p in m.parameters()) for m in (block.mlp, block))
    assert mlp / whole == pytest.approx(2 / 3, abs=0.01)
    assert block.mlp.c_fc.weight.shape == (256, 64) and 2 * 64 * 256 == 8 * 64 * 64


def test_layer_norm_does_the_same_in_training(pets, layers):
    norm, x = pets[0].h[0].ln_2, layers[0].x_mid  # (3, 64)
    assert torch.equal(norm.train()(x), norm.eval()(x))


def test_feedforward_0_adds_several_times_what_the_layer_read(layers):
    read, attn, mlp = (v[2].norm().item() for v in (layers[0].x, layers[0].attn, layers[0].mlp))
    assert mlp > 3 * read > 3 * attn
    replies = " ".join(QUESTIONS["how_much"].replies.values())
    for length in (read, attn, mlp):
        assert f"{length:.1f}" in replies


def test_two_matrices_without_a_bend_are_one_and_each_one_is_two():
    noise = torch.Generator().manual_seed(0)
    first, second, one, x = torch.randn(4, 64, 64, generator=noise, dtype=torch.float64)
    first, second = first.repeat(4, 1), second.repeat(1, 4)  # (256, 64) and (64, 256)
    torch.testing.assert_close(x @ first.T @ second.T, x @ (second @ first).T)
    wide = torch.cat([one, torch.zeros(192, 64)])  # (256, 64)
    torch.testing.assert_close(torch.eye(64, 256).double() @ wide, one)


def test_the_last_feedforward_adds_most_and_to_on_nearly_as_much(pets):
    model, tokenizer = pets
    trace = gptlib.trace(model, tokenizer.encode("The cat is"))
    [sleeping], [on] = tokenizer.encode(" sleeping"), tokenizer.encode(" on")
    to_sleeping, to_on = (plots.logit_parts(model, trace, id) for id in (sleeping, on))
    assert max(to_sleeping, key=to_sleeping.get) == "feedforward 1"
    assert to_on["feedforward 1"] > 0.8 * to_sleeping["feedforward 1"]


def test_the_explorers_three_questions(pets):
    def without(part, layer=-1, prompt="The cat is"):
        explorer = widgets.block_explorer(*pets, prompt, grammar.next_words)
        explorer.layer, explorer.off = layer, [part]
        return explorer

    def kl(part, layer):
        return without(part, layer).distances().from_truth

    def running(explorer):
        return next(row.now for row in explorer.rows() if row.name == "␣running")

    cat, dog = (running(without("attention", prompt=f"The {a} is")) for a in ("cat", "dog"))
    assert cat == pytest.approx(dog, abs=1e-4)
    measured = [kl("feedforward", 1), kl("feedforward", 0), cat]
    measured += [kl("layernorm", -1), kl("residual", -1)]
    answers = prose().partition("The numbers</summary>")[2].partition("</details>")[0]
    said = [float(number) for number in re.findall(r"\d+\.\d\d", answers)]
    assert said == pytest.approx(measured, abs=0.011)


def test_two_good_phrases_and_two_bad_ones_have_the_same_sum():
    words = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))  # is, isn't, happy, sad
    is_, isnt, happy, sad = words
    good, bad = (is_ + happy) + (isnt + sad), (is_ + sad) + (isnt + happy)
    torch.testing.assert_close(good, bad)


def test_one_who_knows_nothing_has_a_loss_of_ln_397(pets):
    assert pets[1].vocab_size == 397 and round(math.log(397), 2) == 5.98
    assert "knowing nothing gives 5.98" in prose()
