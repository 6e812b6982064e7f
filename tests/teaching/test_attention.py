"""What the words of lesson 03's questions claim, and the numbers of its guided questions."""

import json
import math
import re
from pathlib import Path

import pytest
import torch

import gptlib
from gptlib.attention import attention, mask_scores
from gptlib.widgets import attention_by_hand, attention_explorer, svg
from gptlib.widgets.by_hand import KEYS, QUERIES

LESSON = Path(__file__).parents[2] / "notebooks" / "03_masked_attention.ipynb"
SENTENCE = "The cat is sleeping. It"
OWNERS = "Mia has a red ball. Tom has a big blue ball. Eve has a green ball."


@pytest.fixture(scope="module")
def prose():
    cells = json.loads(LESSON.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def test_the_sizes_in_the_questions_are_those_of_the_pets_model(pets):
    config = pets[0].config
    assert (config.n_head, config.n_embd, config.n_embd // config.n_head) == (4, 64, 16)
    assert config.n_layer == 2  # the last layer is layer 1


def test_a_head_reads_all_channels_and_all_tokens(pets):
    model, tokenizer = pets
    attn = model.h[0].attn
    first = attn.c_attn.weight[: attn.c_attn.in_features // attn.n_head]  # the queries of head 0
    assert (first.abs().amax(0) > 0).all()  # a weight for each of the 64 channels
    before = gptlib.trace(model, tokenizer.encode("The cat is")).layers[0].heads[:, 2]
    for other in ("Mia cat is", "The dog is", "The cat was"):
        after = gptlib.trace(model, tokenizer.encode(other)).layers[0].heads[:, 2]
        assert ((after - before).norm(dim=-1) > 0.01).all()


def test_zero_after_the_softmax_lets_the_future_be_known():
    q, k = torch.tensor(QUERIES), torch.tensor(KEYS)
    other = k.clone()
    other[2] = 3.0
    sums = [torch.softmax(q @ keys.T / 2**0.5, -1).tril().sum(-1) for keys in (k, other)]
    assert all((rows[:2] < 0.99).all() for rows in sums)
    assert (sums[0] - sums[1])[1].abs() > 0.1  # the row of ␣cat
    masked = [torch.softmax(mask_scores(q @ keys.T), -1)[:2] for keys in (k, other)]
    assert torch.equal(*masked)


def test_other_values_leave_the_weights_and_change_the_output(pets):
    model, tokenizer = pets
    seen = gptlib.trace(model, tokenizer.encode("The cat is"))
    for layer in seen.layers:
        out, weights = attention(layer.q, layer.k, layer.v)
        other, same = attention(layer.q, layer.k, layer.v[:, [1, 0, 2]])
        assert torch.equal(weights, same) and (out != other).any()
    assert divmod(seen.weights[:, :, 2, 1].argmax().item(), 4) == (1, 0)  # as the question says


def test_without_the_mask_of_the_last_layer_the_last_place_says_the_same(pets):
    model, tokenizer = pets
    for text in ("The cat is", SENTENCE, "Mia has a red ball. Tom has a big blue ball. The"):
        ids = tokenizer.encode(text)
        seen, open_ = (
            gptlib.trace(m, ids) for m in (model, gptlib.ablate(model, "mask", layers=[1]))
        )
        torch.testing.assert_close(seen.probs[-1], open_.probs[-1], atol=1e-5, rtol=1e-4)
        assert not torch.allclose(seen.probs[:-1], open_.probs[:-1], atol=1e-3)


def answers(prose):
    """The numbers that the lesson folds away: question -> numbers."""
    folded = re.search(r"<summary>The numbers</summary>(.*?)</details>", prose, re.S)[1]
    return [re.findall(r"\d\.\d\d", part) for part in folded.split("Question ")[1:]]


def test_the_guided_questions_have_the_numbers_that_are_folded_away(prose, pets):
    hand = attention_by_hand()
    hand.k = [[2.0, hand.k[0][1]], *hand.k[1:]]
    first = hand.steps().weights[2, 0]
    hand.reset()
    hand.masked = False
    second = hand.steps().weights[0, 1]
    layer, head = map(int, re.search(r"layer (\d), head (\d): what does", prose).groups())
    shares = []
    for name, ball in (("Tom", 11), ("Eve", 17)):
        explorer = attention_explorer(*pets, f"{OWNERS} The ball of {name} is")
        assert explorer.look()[1][ball] == "␣ball"
        shares.append(explorer.shown()[layer, head, -1, ball])
    expected = [[svg.two(first)], [svg.two(second)], [svg.two(share) for share in shares]]
    assert answers(prose) == expected


def test_the_powers_given_for_paper_are_right(prose):
    for x, power in ((0, "1"), (0.707, "2.028"), (1.414, "4.113")):
        assert f"{power}" in prose and abs(math.exp(x) - float(power)) < 0.002
    assert abs(math.exp(1 / 2**0.5) - 2.028) < 5e-4 and abs(math.exp(2**0.5) - 4.113) < 5e-4
