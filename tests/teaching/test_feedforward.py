"""What the words of lesson 04 claim: in its questions, in the lesson and in its Deeper."""

import json
import math
import re
from pathlib import Path

import pytest
import torch

import gptlib
from gptlib import plots, widgets
from gptlib.corpora import pets as grammar
from gptlib.feedforward import gelu, layer_norm
from gptlib.teaching.feedforward import QUESTIONS

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
STORIES = "The dog chases the cat. The cat hides.<|endoftext|>The bird is on the roof."


def prose(name="04_feedforward.ipynb"):
    cells = json.loads((NOTEBOOKS / name).read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def deeper():
    return prose("deeper/04_feedforward.ipynb")


def replies(name):
    return " ".join(QUESTIONS[name].replies.values())


@pytest.fixture(scope="module")
def trace(pets):
    model, tokenizer = pets
    return gptlib.trace(model, tokenizer.encode("The cat is"))


# ---- By hand ----


def test_by_hand_the_first_output_of_the_network_is_a_distance_and_the_second_a_copy():
    first = torch.tensor([[1.0, 0], [-1, 1], [1, -1]])
    second = torch.tensor([[0.0, 1, 1], [1, 0, 0]])
    x = torch.tensor([1.0, 3.0])
    hidden = torch.relu(first @ x)
    assert hidden.tolist() == [1, 2, 0]
    assert (second @ hidden).tolist() == [2, 1]
    for sign in (1, -1):  # the distance of the two numbers is the same for x and for -x
        assert (second @ torch.relu(first @ (sign * x)))[0] == (x[0] - x[1]).abs()


def test_gelu_at_the_two_points_of_the_picture_and_its_gate_between_0_and_1():
    at = gelu(torch.tensor([-1.0, 1.0]))
    said = " and ".join(f"{v:.2f}" for v in at.tolist()).replace("-", "−")
    assert f"GELU: {said}. ReLU: 0 and 1." in prose()
    x = torch.linspace(-4, 4, 101, dtype=torch.float64)
    x = x[x != 0]
    gate = gelu(x) / x
    assert gate.diff().min() > 0 and 0 < gate.min() < 0.001 and 0.999 < gate.max() < 1


def test_by_hand_the_layer_norm():
    token = [7, 1, 1, -1]
    mean = sum(token) / 4
    variance = sum((v - mean) ** 2 for v in token) / 4
    assert (mean, variance) == (2, 9)
    normed = [round((v - mean) / math.sqrt(variance), 2) for v in token]
    assert normed == [1.67, -0.33, -0.33, -1.0]


def test_layer_norm_gives_a_vector_a_hundred_times_as_large_the_same_result():
    x, one, nought = torch.tensor([[7.0, 1, 1, -1]]), torch.ones(4), torch.zeros(4)
    torch.testing.assert_close(
        layer_norm(100 * x, one, nought), layer_norm(x, one, nought), atol=1e-4, rtol=0
    )


# ---- The trained model ----


def test_a_changed_row_moves_its_own_output_in_feedforward_and_a_later_one_in_attention(pets):
    model, tokenizer = pets
    cat, dog = (
        gptlib.trace(model, tokenizer.encode(f"The {animal} is")).layers[0]
        for animal in ("cat", "dog")
    )

    def moved(part, reads, other):
        changed = reads.clone()
        changed[1] = other[1]
        with torch.no_grad():
            return (part(changed[None]) - part(reads[None]))[0].norm(dim=-1)

    feedforward = moved(model.h[0].mlp, cat.ln_2, dog.ln_2)
    attention = moved(model.h[0].attn, cat.ln_1, dog.ln_1)  # each part reads its own LayerNorm
    assert feedforward[[0, 2]].max() < 1e-5 and feedforward[1] > 1
    assert attention[0] < 1e-5 and attention[2] > 0.1


def test_the_vectors_that_leave_a_block_do_not_have_variance_1(trace):
    for layer in trace.layers:
        variances = layer.out.var(-1, unbiased=False)
        assert (variances - 1).abs().min() > 0.2


def test_two_thirds_of_a_blocks_weights_are_in_the_feedforward_network(pets):
    block = pets[0].h[0]
    mlp, whole = (sum(p.numel() for p in m.parameters()) for m in (block.mlp, block))
    assert mlp / whole == pytest.approx(2 / 3, abs=0.01)
    assert block.mlp.c_fc.weight.shape == (256, 64)
    assert "About two thirds of a layer's parameters" in prose()


def test_the_end_of_the_stream_is_the_sum_of_five_vectors(trace):
    total = trace.wte + trace.wpe
    for layer in trace.layers:
        total = total + layer.attn + layer.mlp
    torch.testing.assert_close(total, trace.layers[-1].out, atol=1e-4, rtol=1e-4)


def test_unit_34_is_large_exactly_one_token_before_an_animal(pets):
    model, tokenizer = pets
    ids = tokenizer.encode(STORIES, allowed_special="all")
    values = gptlib.trace(model, ids).layers[1].mlp_hidden[:, 34]
    large = [place for place, value in enumerate(values.tolist()) if value > 1]
    words = [tokenizer.token_str(id).strip("␣") for id in ids]
    assert [words[place + 1] for place in large] == ["dog", "cat", "cat", "bird"]
    roof = words.index("roof")
    assert words[roof - 1] == "the" and values[roof - 1] < 0
    assert "four long bars" in replies("neuron") and "its activation is below 0" in replies(
        "neuron"
    )


def test_unit_34_raises_exactly_the_words_after_a_storys_first_the(pets):
    model, tokenizer = pets
    change = written(model, 34)
    top = [tokenizer.token_str(id).strip("␣") for id in change.argsort(descending=True)[:5]]
    assert set(top) == set(grammar.next_words("The"))
    fifth, sixth = change.sort(descending=True).values[4:6].tolist()
    assert fifth > 5 * sixth


def test_sky_follows_only_a_storys_first_the():
    """So what unit 34 writes fits there, and in the middle of a story only but for `sky`."""
    stories = [story.split() for story in grammar.sample(500, seed=3).split(grammar.STOP)]
    places = {k for story in stories for k, word in enumerate(story) if word == "sky"}
    assert places == {1}


def written(model, unit):
    """How far the column of a unit in the last layer raises each logit, (V,)."""
    column = model.h[1].mlp.c_proj.weight[:, unit].detach()
    return model.lm_head.weight.detach() @ ((column - column.mean()) * model.ln_f.weight.detach())


def test_the_last_feedforward_adds_most_to_sleeping_and_nearly_as_much_to_on(pets, trace):
    model, tokenizer = pets
    [sleeping], [on] = tokenizer.encode(" sleeping"), tokenizer.encode(" on")
    to_sleeping, to_on = (plots.logit_parts(model, trace, id) for id in (sleeping, on))
    assert max(to_sleeping, key=to_sleeping.get) == QUESTIONS["adds_most"].right.replace(
        "in layer ", ""
    )
    whole = sum(to_sleeping.values())
    for part in ("attention 1", "feedforward 0", "embeddings"):
        assert f"{to_sleeping[part]:.2f}" in replies("adds_most")
    assert f"{to_sleeping['feedforward 1']:.2f} of {whole:.2f}" in replies("adds_most")
    added = f"{to_sleeping['feedforward 1']:.1f} to `sleeping`, but also"
    assert f"{added} {to_on['feedforward 1']:.1f} to `on`" in deeper()
    assert f"adds only {to_sleeping['feedforward 0']:.1f} to `sleeping` itself" in deeper()


def test_without_what_feedforward_0_adds_itself_sleeping_is_still_likely(pets, trace):
    """It is what later parts read of it that the model cannot do without."""
    model, tokenizer = pets
    with torch.no_grad():
        stream = trace.layers[-1].out[-1] - trace.layers[0].mlp[-1]
        probs = torch.softmax(model.lm_head(model.ln_f(stream)), -1)
    assert probs[tokenizer.encode(" sleeping")[0]] > 0.6


def without(pets, part, layer=-1, prompt="The cat is"):
    explorer = widgets.block_explorer(*pets, prompt, grammar.next_words)
    explorer.layer, explorer.off = layer, [part]
    return explorer


def test_the_explorers_three_questions(pets):
    def kl(*given):
        return without(pets, *given).distances().from_truth

    def running(explorer):
        return next(row.now for row in explorer.rows() if row.name == "␣running")

    cat, dog = (
        running(without(pets, "attention", prompt=f"The {animal} is")) for animal in ("cat", "dog")
    )
    assert cat == pytest.approx(dog, abs=1e-4)
    truth = grammar.next_words("The cat is").values()
    equal = math.log(397) + sum(p * math.log(p) for p in truth)
    assert f"the same probability has a KL of {equal:.2f}" in prose()
    of_layers = [kl("feedforward", 1), kl("feedforward", 0)]
    for words in (*[r for r in QUESTIONS["which_layer"].replies.values() if "KL" in r], deeper()):
        assert all(f"{number:.2f}" in words for number in of_layers)
    residual = kl("residual", -1)
    assert min(residual, of_layers[1]) > equal  # "worse than ... a model that knows nothing"
    true = [grammar.next_words(f"The {animal} is")["running"] for animal in ("cat", "dog")]
    measured = [*of_layers, cat, *true, residual, equal, residual, of_layers[1]]
    answers = prose().split("The numbers</summary>")[2].partition("</details>")[0]
    said = [float(number) for number in re.findall(r"\d+\.\d\d", answers)]
    assert said == pytest.approx(measured, abs=0.011)


def test_without_feedforward_1_the_two_likely_words_stay_ahead(pets):
    rows = without(pets, "feedforward", 1).rows()
    rows = [row for row in rows if not row.name.endswith("others")]
    ahead = sorted(rows, key=lambda row: row.now, reverse=True)[:2]
    assert [row.name for row in ahead] == ["␣sleeping", "␣on"]


# ---- Deeper ----


def test_two_matrices_without_a_nonlinearity_are_one_and_each_one_is_two():
    noise = torch.Generator().manual_seed(0)
    first, second, one, x = torch.randn(4, 64, 64, generator=noise, dtype=torch.float64)
    first, second = first.repeat(4, 1), second.repeat(1, 4)  # (256, 64) and (64, 256)
    torch.testing.assert_close(x @ first.T @ second.T, x @ (second @ first).T)
    wide = torch.cat([one, torch.zeros(192, 64)])  # (256, 64)
    torch.testing.assert_close(torch.eye(64, 256).double() @ wide, one)


def test_two_good_phrases_and_two_bad_ones_have_the_same_sum():
    words = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))  # is, isn't, happy, sad
    is_, isnt, happy, sad = words
    good, bad = (is_ + happy) + (isnt + sad), (is_ + sad) + (isnt + happy)
    torch.testing.assert_close(good, bad)


CLASSES = {  # words: the layer and the unit that is clear for them, if any
    "cat dog bird cats sky": (1, 34),
    "sofa roof bed": (1, 85),
    "likes liked": (1, 178),
    "it them": (0, 171),
    "hid helped liked purred barked sang rained": None,
    "sleeping happy running hungry singing": None,
    "ball kite box": None,
}


@pytest.fixture(scope="module")
def activations(pets):
    """All 512 hidden units at each token of 300 stories, (N, 512), and the ids that follow."""
    model, tokenizer = pets
    hidden, following = [], []
    for story in grammar.sample(300, seed=7).split(grammar.STOP)[:-1]:
        ids = tokenizer.encode(story)
        layers = gptlib.trace(model, ids).layers
        hidden.append(torch.cat([layer.mlp_hidden for layer in layers], dim=-1)[:-1])
        following += ids[1:]
    return torch.cat(hidden), torch.tensor(following)


@pytest.mark.parametrize("words", CLASSES)
def test_a_unit_is_clear_for_a_class_of_words_or_none_is(words, pets, activations):
    hidden, following = activations
    ids = torch.tensor([pets[1].encode(f" {word}")[0] for word in words.split()])
    before = torch.isin(following, ids)
    gaps = hidden[before].amin(0) - hidden[~before].amax(0)  # (512,)
    clear = CLASSES[words]
    if clear is None:
        assert gaps.max() <= 0
    else:
        layer, unit = clear
        assert gaps[256 * layer + unit] > 0 and gaps.argmax() == 256 * layer + unit


def test_unit_233_raises_the_seven_verbs_of_the_past_and_lowers_seven_of_the_present(pets):
    change, tokenizer = written(pets[0], 233), pets[1]
    order = [tokenizer.token_str(id).strip("␣") for id in change.argsort(descending=True)]
    assert set(order[:7]) == set("hid helped liked purred barked sang rained".split())
    assert set(order[-7:]) <= set("hides helps likes purrs barks sings rains purr".split())


@pytest.fixture(scope="module")
def small(pets):
    """Deeper's text: ids to train on, and of held-out stories that are not among them."""
    corpus, tokenizer = gptlib.corpora.load("pets"), pets[1]
    text = corpus.train[:300_000]
    known = set(text.split(grammar.STOP))
    unseen = [s for s in corpus.heldout.split(grammar.STOP) if s and s not in known]
    ids = tokenizer.encode(text, allowed_special="all")
    heldout = tokenizer.encode(grammar.STOP.join(unseen), allowed_special="all")
    return torch.tensor(ids), torch.tensor(heldout)


def small_gpt(n_layer, scale, *off):
    model = gptlib.GPT(gptlib.GPTConfig(397, 16, n_layer, n_head=2, n_embd=32), seed=0)
    for weights in model.h.parameters():
        if weights.ndim == 2:
            weights.data *= scale
    return gptlib.ablate(model, *off)


def trained(small, model, steps, rate):
    how = {"learning_rate": rate, "warmup_steps": 20, "eval_every": steps, "device": "cpu"}
    how = gptlib.TrainConfig(steps, batch_size=16, seed=0, optimizer="adamw", **how)
    ids, heldout = small
    return list(gptlib.Trainer(model, ids, how, heldout))


def counting(small):
    ids, heldout = small
    shares = ids.bincount(minlength=397).clamp(min=1) / len(ids)
    return -shares.log()[heldout].mean().item()


def test_a_model_that_knows_nothing_has_a_loss_of_ln_397_and_counting_tokens_328(pets, small):
    assert pets[1].vocab_size == 397 and round(math.log(397), 2) == 5.98
    assert "5.98" in deeper() and "5.98" in replies("no_norm")
    assert f"{counting(small):.2f}" == "3.28"
    assert "3.3" in replies("no_residual") and "3.28" in replies("no_norm")


def test_without_residuals_eight_layers_only_count_and_two_learn_from_larger_weights(small):
    eight = trained(small, small_gpt(8, 1, "residual"), steps=80, rate=0.003)[-1].val_loss
    two = trained(small, small_gpt(2, 10, "residual"), steps=250, rate=0.003)[-1].val_loss
    assert eight == pytest.approx(counting(small), abs=0.2)
    assert two < counting(small) - 0.8


def test_without_residuals_each_further_layer_makes_two_texts_more_alike(pets):
    texts = torch.tensor([pets[1].encode(text) for text in ("The cat is", "The sky was")])

    def apart(n_layer, scale, *off):
        model = small_gpt(n_layer, scale, *off)
        stream = model.wte(texts) + model.wpe(3)
        for block in model.h:
            stream = block(stream)
        x, y = model.ln_f(stream)[:, -1].detach()
        return ((x - y).norm() / x.norm()).item()

    for scale in (1, 10):
        one, two, eight = (apart(n, scale, "residual") for n in (1, 2, 8))
        assert one > two > 0.5 > 0.015 > eight
    assert apart(8, 1) > 1


def test_without_layer_norm_a_rate_of_001_learns_less_and_01_throws_the_loss_above_100(small):
    def run(rate, *off):
        steps = trained(small, small_gpt(2, 1, *off), 140, rate)
        return steps[-1].val_loss, max(step.loss for step in steps[30:])

    whole, _ = run(0.01)
    slower, _ = run(0.01, "layernorm")
    _, worst = run(0.1, "layernorm")
    assert whole + 0.5 < slower < counting(small) - 0.5
    assert worst > 100


def test_layer_norm_does_the_same_in_training(pets, trace):
    norm, x = pets[0].h[0].ln_2, trace.layers[0].x_mid  # (3, 64)
    was = norm.training
    assert torch.equal(norm.train()(x), norm.eval()(x))
    norm.train(was)
