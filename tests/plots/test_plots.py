"""The numbers in a picture are the numbers it was given, and so are those in its description."""

import math

import numpy as np
import pytest
import torch
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text

import gptlib
from gptlib import plots
from gptlib.corpora import pets as grammar
from gptlib.plots.machine import PARTS
from gptlib.plots.parts import inputs
from gptlib.plots.parts.labels import overlap, spread
from gptlib.plots.parts.tree import BAR

WEIGHTS = [[1.0, 0.0, 0.0], [0.4, 0.6, 0.0], [0.25, 0.7, 0.05]]
THREE = ["The", " cat", " is"]
TRUTH = {"sleeping": 0.6, "on": 0.3, "happy": 0.05, "running": 0.05}


def words_of(figure):
    return [t.get_text() for t in figure.findobj(Text) if t.get_visible() and t.get_text()]


def image_of(ax):
    return ax.images[0].get_array()


def crossed_out(ax):
    """(T, T) of bool: the cells that are hatched."""
    rows, columns = image_of(ax).shape
    hatched = [patch for patch in ax.patches if patch.get_hatch()]
    cells = [[(x, y) for x in range(columns)] for y in range(rows)]
    covered = [[any(h.get_path().contains_point(p) for h in hatched) for p in row] for row in cells]
    return np.array(covered)


def widths(ax):
    return [[bar.get_width() for bar in container] for container in ax.containers]


@pytest.fixture
def trace(model):
    return gptlib.trace(model, [1, 2, 3, 4])


TOKENS = ["a", "b", "c", "d"]


# ---- Attention ----


def test_a_heads_cells_hold_its_weights_and_print_them():
    ax = plots.attention_head(WEIGHTS, THREE).axes[0]
    shown = image_of(ax)
    assert np.allclose(shown.filled(0), WEIGHTS)
    assert shown.mask.tolist() == np.triu(np.ones((3, 3), bool), 1).tolist()
    printed = [text.get_text() for text in ax.texts]
    assert printed == ["1.00", "0", "0", "0.40", "0.60", "0", "0.25", "0.70", "0.05"]


def test_rows_are_named_from_and_columns_to_with_the_tokens_beside_them():
    ax = plots.attention_head(WEIGHTS, THREE).axes[0]
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("from (query)", "to (key)")
    for axis in (ax.xaxis, ax.yaxis):
        assert [label.get_text() for label in axis.get_ticklabels()] == ["The", "␣cat", "␣is"]
    top, bottom = ax.get_ylim()[::-1]
    assert top < bottom  # the first token is the top row


def test_what_the_mask_hides_is_hatched_and_nothing_else():
    ax = plots.attention_head(WEIGHTS, THREE).axes[0]
    assert (crossed_out(ax) == np.triu(np.ones((3, 3), bool), 1)).all()


def test_without_a_mask_no_cell_is_hatched_and_the_description_says_so():
    seeing = [[0.5, 0.5], [0.5, 0.5]]
    figure = plots.attention_head(seeing, ["a", "b"])
    assert not crossed_out(figure.axes[0]).any()
    assert plots.describe(figure).endswith("No part is hidden.")


def test_rows_that_do_not_sum_to_one_are_drawn_as_they_are():
    zeroed = [[0.5, 0.0], [0.5, 0.5]]  # masked after the softmax: lesson 3 shows it
    assert image_of(plots.attention_head(zeroed, ["a", "b"]).axes[0])[0, 0] == 0.5


def test_a_head_of_a_trace_is_the_head_asked_for(trace):
    figure = plots.attention_head(trace, TOKENS, layer=1, head=-1)
    expected = trace.layers[1].weights[1]
    assert np.allclose(image_of(figure.axes[0]).filled(0), expected)
    assert "layer 1, head 1" in plots.describe(figure)


def test_the_description_of_a_head_tells_the_rows_asked_for():
    words = plots.describe(plots.attention_head(WEIGHTS, THREE, rows=[1]))
    assert words == 'Attention weights. "cat" looks most at "cat" (0.60). The future is hidden.'


def test_numbers_are_printed_up_to_eight_tokens_and_not_beyond():
    for count, printed in ((8, 64), (9, 0)):
        uniform = np.tril(np.ones((count, count))) / np.arange(1, count + 1)[:, None]
        ax = plots.attention_head(uniform, ["x"] * count).axes[0]
        assert len(ax.texts) == printed


def test_the_grid_has_a_table_for_every_layer_and_head(trace):
    figure = plots.attention_heads(trace, TOKENS)
    tables = [ax for ax in figure.axes if ax.images and image_of(ax).shape == (4, 4)]
    assert len(tables) == 4  # 2 layers of 2 heads
    for ax, expected in zip(tables, trace.weights.flatten(0, 1), strict=True):
        assert np.allclose(image_of(ax).filled(0), expected)
    assert {"head 0", "head 1", "layer 0", "layer 1"} <= set(words_of(figure))


def test_many_heads_are_one_image_with_every_weight_in_it():
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(3, 12, 5, 5, generator=generator).tril()
    weights /= weights.sum(-1, keepdim=True)
    shown = plots.attention_heads(weights, list("abcde")).axes[0].collections[0].get_array()
    for layer, head in ((0, 0), (1, 7), (2, 11)):
        part = shown[layer * 6 : layer * 6 + 5, head * 6 : head * 6 + 5]
        assert np.allclose(part.filled(0), weights[layer, head])
    assert shown.shape == (3 * 6 - 1, 12 * 6 - 1)


def test_the_three_steps_are_scores_then_masked_scores_then_weights(trace):
    figure = plots.attention_steps(trace, TOKENS, layer=0, head=1)
    one = trace.layers[0]
    first, second, third = (image_of(ax) for ax in figure.axes[:3])
    assert np.allclose(first, one.scores[1]) and not np.ma.is_masked(first)
    assert (second.mask == np.isneginf(one.masked[1].numpy())).all()
    assert np.allclose(second.filled(0), one.scores[1].tril())
    assert np.allclose(third.filled(0), one.weights[1])
    assert [text.get_text() for text in figure.axes[1].texts].count("−∞") == 6


def test_the_steps_of_plain_scores_are_computed_as_the_model_computes_them():
    scores = torch.tensor([[0.0, 5.0], [math.log(3.0), 0.0]], requires_grad=True)
    figure = plots.attention_steps(scores, ["a", "b"])
    assert np.allclose(image_of(figure.axes[2]).filled(0), [[1, 0], [0.75, 0.25]])
    assert '"a" looks most at "a" (1.00), "b" at "a" (0.75)' in plots.describe(figure)


def test_an_unmasked_model_has_no_crossed_out_step(model):
    seeing = gptlib.ablate(model, "mask")
    figure = plots.attention_steps(gptlib.trace(seeing, [1, 2, 3]), ["a", "b", "c"])
    assert not any(crossed_out(ax).any() for ax in figure.axes[:3])


@pytest.mark.parametrize(
    ("weights", "tokens", "words"),
    [
        ([[1.0, 0.0]], ["a", "b"], r"weights must have shape \(T, T\), not \(1, 2\)"),
        ([1.0], ["a"], "weights must have shape"),
        (WEIGHTS, ["a", "b"], "3 tokens are needed, one for each row, not 2"),
        (WEIGHTS, "abc", "tokens must be a list of strings"),
        (WEIGHTS, [1, 2, 3], "tokens must be a list of strings"),
        ([[math.nan]], ["a"], "weights holds NaN"),
        ([[2.0]], ["a"], "weights must be in 0..1: are these the scores"),
        ([["x"]], ["a"], "weights must be numbers"),
        (np.zeros((0, 0)), [], "weights is empty"),
    ],
)
def test_wrong_weights_or_tokens_are_refused_with_the_reason(weights, tokens, words):
    with pytest.raises(ValueError, match=words):
        plots.attention_head(weights, tokens)


def test_a_layer_or_head_that_is_not_there_is_named(trace):
    with pytest.raises(ValueError, match=r"layer must be in 0..1, not 2"):
        plots.attention_head(trace, TOKENS, layer=2)
    with pytest.raises(ValueError, match=r"head must be in 0..1, not 5"):
        plots.attention_steps(trace, TOKENS, head=5)
    with pytest.raises(ValueError, match="scores must be finite"):
        plots.attention_steps([[math.inf]], ["a"])


# ---- Embeddings ----


def test_cosines_by_hand_and_a_vector_of_zeros_has_none():
    table = plots.cosines([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0], [0.0, 0.0]])
    assert table.tolist() == [[1, 0, -1, 0], [0, 1, 0, 0], [-1, 0, 1, 0], [0, 0, 0, 0]]


def test_the_cosine_table_shows_the_cosines_of_parameters_with_gradients():
    vectors = torch.nn.Parameter(torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
    figure = plots.cosine_heatmap({"before": vectors, "after": vectors * 2}, ["a", "b"])
    for ax in figure.axes[:2]:
        assert np.allclose(image_of(ax), [[1, 0.5**0.5], [0.5**0.5, 1]])
    said = "before. Most alike: a and b (0.71). after. Most alike: a and b (0.71)."
    assert plots.describe(figure) == said


def test_the_projection_keeps_distances_where_two_directions_hold_everything():
    generator = torch.Generator().manual_seed(0)
    flat = torch.randn(9, 2, generator=generator) @ torch.randn(2, 16, generator=generator)
    points, shares = plots.project_2d(flat)
    assert np.allclose(torch.cdist(flat, flat), np.linalg.norm(points[:, None] - points, axis=-1))
    assert shares.sum() == pytest.approx(1) and shares[0] >= shares[1]


def test_the_projection_is_not_mirrored_by_chance():
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(9, 4, generator=generator).double()
    points, _ = plots.project_2d(vectors)
    shuffled = torch.randperm(9, generator=generator)
    assert np.allclose(plots.project_2d(vectors[shuffled])[0], points[shuffled])


def test_the_map_has_every_word_at_its_point_and_a_shape_for_each_group():
    vectors = np.random.default_rng(0).normal(size=(6, 5))
    figure = plots.embedding_map(vectors, list("abcdef"), ["x", "y"] * 3)
    drawn = np.concatenate([s.get_offsets() for s in figure.axes[0].collections])
    points, _ = plots.project_2d(vectors)
    assert np.allclose(drawn, np.concatenate([points[::2], points[1::2]]))
    assert [s.get_label() for s in figure.axes[0].collections] == ["x", "y"]
    for letter, point in zip("abcdef", points, strict=True):
        (label,) = (text for text in figure.axes[0].texts if text.get_text() == letter)
        assert np.allclose(label.xy, point)


def test_arrows_lead_from_the_origin_to_each_vector():
    figure = plots.arrows([[1.0, 2.0], [-2.0, 1.0]], ["cat", "dog"])
    drawn = [text for text in figure.axes[0].texts if not text.get_text()]
    assert [text.xyann for text in drawn] == [(0, 0), (0, 0)]
    assert np.array_equal([text.xy for text in drawn], [[1, 2], [-2, 1]])
    low, high = figure.axes[0].get_xlim()
    assert low < -2 and high > 2
    with pytest.raises(ValueError, match="two numbers each, not 3"):
        plots.arrows([[1.0, 2.0, 3.0]], ["cat"])


def test_position_similarity_shows_the_table_and_says_its_mean():
    turning = [[math.cos(k / 5), math.sin(k / 5)] for k in range(16)]
    figure = plots.position_similarity(turning)
    expected = [[math.cos((i - j) / 5) for j in range(16)] for i in range(16)]
    assert np.allclose(image_of(figure.axes[0]), expected)
    assert f"neighbours {math.cos(0.2):.2f}" in plots.describe(figure)


@pytest.mark.parametrize("draw", [plots.cosine_heatmap, plots.embedding_map])
def test_wrong_vectors_or_labels_are_refused(draw):
    with pytest.raises(ValueError, match="2 labels are needed"):
        draw([[1.0, 2.0], [3.0, 4.0]], ["a"])
    with pytest.raises(ValueError, match=r"vectors must have shape \(N, C\)"):
        draw([1.0, 2.0], ["a", "b"])
    with pytest.raises(ValueError, match="finite"):
        draw([[math.inf, 0.0]], ["a"])


@pytest.mark.parametrize("draw", [plots.cosine_heatmap, plots.embedding_map])
def test_more_vectors_than_can_be_seen_are_refused_before_they_take_minutes(draw):
    many = np.ones((50257, 2), dtype=np.float32)
    with pytest.raises(ValueError, match="vectors has 50,257 rows, where 500 can be shown"):
        draw(many, ["a"] * 50257)


def test_panels_of_different_words_and_groups_of_another_number_are_refused():
    with pytest.raises(ValueError, match="labels are needed"):
        plots.cosine_heatmap({"a": [[1.0]], "b": [[1.0], [2.0]]}, ["x"])
    with pytest.raises(ValueError, match="vectors is empty"):
        plots.cosine_heatmap({}, [])
    with pytest.raises(ValueError, match="2 groups are needed"):
        plots.embedding_map([[1.0], [2.0]], ["a", "b"], ["noun"])


# ---- Feedforward ----


def test_the_curves_are_gelu_and_relu():
    bend, cut = plots.gelu_and_relu().axes[0].get_lines()[2:4]
    x = torch.from_numpy(bend.get_xdata())
    assert np.allclose(bend.get_ydata(), torch.nn.functional.gelu(x, approximate="tanh"))
    assert np.allclose(cut.get_ydata(), torch.relu(x))
    with pytest.raises(ValueError, match="both sides of 0"):
        plots.gelu_and_relu(1, 2)


def test_a_hidden_units_bars_are_its_activations_at_each_token():
    figure = plots.hidden_unit([8.0, -0.5, 0.0], THREE, "unit 34")
    assert widths(figure.axes[0]) == [[8.0, -0.5, 0.0]]
    assert {"The", "␣cat", "␣is", "8.00", "−0.50"} <= set(words_of(figure))
    assert "The activation of unit 34 at each token" in words_of(figure)
    said = "The activation of unit 34 at each token: The 8.00, ␣cat -0.50, ␣is 0.00."
    assert plots.describe(figure) == said


def test_a_hidden_units_picture_needs_a_finite_value_for_each_token():
    with pytest.raises(ValueError, match="2 tokens are needed"):
        plots.hidden_unit([1.0, 2.0], ["a"])
    with pytest.raises(ValueError, match="finite"):
        plots.hidden_unit([math.inf], ["a"])
    with pytest.raises(ValueError, match="32 can be shown"):
        plots.hidden_unit([1.0] * 33, ["a"] * 33)


def test_the_parts_of_a_logit_sum_to_it(pets):
    model, tokenizer = pets
    trace = gptlib.trace(model, tokenizer.encode("The cat is"))
    sleeping, on = (tokenizer.encode(word)[0] for word in (" sleeping", " on"))
    parts = plots.logit_parts(model, trace, sleeping)
    assert sum(parts.values()) == pytest.approx(trace.logits[-1, sleeping].item(), abs=1e-4)
    names = ["embeddings", "attention 0", "feedforward 0", "attention 1", "feedforward 1"]
    assert list(parts) == [*names, "bias of ln_f"]
    versus = plots.logit_parts(model, trace, sleeping, versus=on, position=2)
    gap = (trace.logits[2, sleeping] - trace.logits[2, on]).item()
    assert sum(versus.values()) == pytest.approx(gap, abs=1e-4)


def test_parts_that_cannot_add_up_are_refused(model):
    broken = gptlib.ablate(model, "residual")
    with pytest.raises(ValueError, match="but the logit is"):
        plots.logit_parts(broken, gptlib.trace(broken, [1, 2]), 3)
    with pytest.raises(ValueError, match="token must be in 0..10, not 11"):
        plots.logit_parts(model, gptlib.trace(model, [1, 2]), 11)


def test_contributions_follow_each_other_and_the_last_bar_is_their_sum():
    figure = plots.contributions({"embeddings": 1.0, "attention 0": -0.5, "mlp": 2.0}, "on")
    bars = [bar for container in figure.axes[0].containers for bar in container]
    assert [(bar.get_x(), bar.get_width()) for bar in bars] == [
        (0, 1),
        (1, -0.5),
        (0.5, 2),
        (0, 2.5),
    ]
    assert {"+1.00", "−0.50", "+2.00", "2.50"} <= set(words_of(figure))
    said = "The logit of on: 2.50 = embeddings 1.00, attention 0 -0.50, mlp 2.00."
    assert plots.describe(figure) == said


def test_contributions_need_a_mapping_of_finite_numbers():
    with pytest.raises(ValueError, match="parts must be"):
        plots.contributions([1.0, 2.0])
    with pytest.raises(ValueError, match="finite"):
        plots.contributions({"a": math.inf})


# ---- Logits ----


def test_the_softmax_bars_are_logits_powers_and_probabilities():
    logits = torch.log(torch.tensor([6.0, 3.0, 1.0], requires_grad=True))
    figure = plots.logits_to_probs(logits, ["sleeping", "on", "happy"])
    first, second, third = (widths(ax)[0] for ax in figure.axes)
    assert np.allclose(first, np.log([6, 3, 1]))
    assert np.allclose(second, [6, 3, 1]) and np.allclose(third, [0.6, 0.3, 0.1])
    assert "sum 10.00" in words_of(figure)
    assert "on: logit 1.10, e^logit 3.00, probability 0.30." in plots.describe(figure)


def test_logits_too_large_to_draw_get_the_advice_to_shift_them():
    with pytest.raises(ValueError, match="subtract the largest"):
        plots.logits_to_probs([1000.0, 0.0], ["a", "b"])
    with pytest.raises(ValueError, match="finite"):
        plots.logits_to_probs([-math.inf, 0.0], ["a", "b"])
    with pytest.raises(ValueError, match="logits has 50,257 rows, where 50 can be shown"):
        plots.logits_to_probs([0.0] * 50257, ["a"] * 50257)


def test_the_logit_lens_has_the_best_word_of_each_layer_and_place(trace):
    vocabulary = [f"w{k}" for k in range(11)]
    figure = plots.logit_lens(trace, TOKENS, vocabulary)
    probs = torch.softmax(trace.logits_by_layer, -1).flip(0)  # (L + 1, T, V), last layer on top
    assert np.allclose(image_of(figure.axes[0]), probs.amax(-1))
    printed = [text.get_text() for text in figure.axes[0].texts]
    for text, p in zip(printed, probs.flatten(0, 1), strict=True):
        name, number = text.split("\n")
        assert float(number) == pytest.approx(p.max().item(), abs=0.0051)
        assert p[int(name[1:])].item() == pytest.approx(
            p.max().item(), abs=0.011
        )  # equal when printed
    assert plots.logit_lens(trace, TOKENS, vocabulary.__getitem__).description == figure.description


# ---- Training ----


def test_the_loss_curve_has_the_losses_and_both_lines():
    loss, heldout = [(1, 2.3), (2, 1.5), (3, 1.2)], [(2, 1.6), (3, 1.3)]
    figure = plots.loss_curve(loss, vocab_size=10, floor=0.967, heldout=heldout)
    training, evaluated, top, floor = figure.axes[0].get_lines()
    assert np.allclose(training.get_xydata(), loss) and np.allclose(evaluated.get_xydata(), heldout)
    assert top.get_ydata()[0] == math.log(10) and floor.get_ydata()[0] == 0.967
    for part in ("2.30 at step 1, 1.20 at step 3", "1.30 at step 3", "ln V: 2.30", "Floor: 0.97"):
        assert part in plots.describe(figure)


def test_the_loss_curve_says_where_the_held_out_loss_is_lowest_and_what_the_truth_loses_there():
    loss, heldout = [(1, 2.3), (9, 0.2)], [(2, 1.6), (5, 1.1), (9, 1.4)]
    figure = plots.loss_curve(loss, heldout=heldout, truth=0.49)
    assert figure.axes[0].get_lines()[2].get_ydata()[0] == 0.49
    assert figure.description == (
        "Loss in nats per token. Training: 2.30 at step 1, 0.20 at step 9. Held-out: 1.60 at step "
        "2, lowest 1.10 at step 5, 1.40 at step 9. The truth on the held-out text: 0.49."
    )


def test_the_loss_curve_shades_where_the_truth_lies_on_single_batches():
    figure = plots.loss_curve([(1, 2.3), (9, 0.5)], truth=0.49, spread=(0.38, 0.57))
    ax = figure.axes[0]
    (band,) = ax.patches
    corners = ax.transData.inverted().transform(band.get_window_extent())
    assert np.allclose(corners[:, 1], (0.38, 0.57))
    left, right = ax.get_xlim()
    assert corners[0, 0] <= left and corners[1, 0] >= right  # over the whole width
    assert band.get_zorder() < min(line.get_zorder() for line in ax.get_lines())
    (legend,) = figure.legends
    assert "the truth on samples as large as a batch" in [t.get_text() for t in legend.get_texts()]
    assert figure.description.endswith(
        "held-out text: 0.49. The truth on samples as large as a batch: 0.38 to 0.57."
    )
    assert plots.loss_curve([(1, 2.3)], spread=(0.1, 9.0)).axes[0].get_ylim()[1] > 9.0


@pytest.mark.parametrize("spread", [(0.5, 0.4), (0.4,), (0.4, math.nan), (0.4, math.inf)])
def test_a_band_that_is_none_is_refused(spread):
    with pytest.raises(ValueError, match="spread must be"):
        plots.loss_curve([(1, 2.3)], spread=spread)


def test_the_loss_curve_takes_a_trainers_steps_and_a_shipped_history(model):
    config = gptlib.TrainConfig(steps=4, batch_size=2, eval_every=2, device="cpu")
    tokens = torch.arange(200) % 11
    trainer = gptlib.Trainer(model, tokens, config, heldout=tokens)
    steps = list(trainer)
    training, evaluated = plots.loss_curve(steps).axes[0].get_lines()
    assert np.allclose(training.get_xydata(), [(s.step, s.loss) for s in steps])
    assert evaluated.get_xdata().tolist() == [2, 4]
    history = gptlib.load_history("pets")
    lines = plots.loss_curve(history).axes[0].get_lines()
    assert np.allclose(lines[1].get_xydata(), history.val_loss)
    assert lines[2].get_ydata()[0] == history.floor


def test_on_a_log_axis_no_line_joins_the_held_out_losses():
    figure = plots.loss_curve(
        [(1, 2.0), (100, 1.0)], heldout=[(0, 2.1), (100, 1.1)], log_steps=True
    )
    assert figure.axes[0].get_xscale() == "symlog"
    assert figure.axes[0].get_lines()[1].get_linewidth() == 0


@pytest.mark.parametrize("history", [[], [(1, 2.0, 3.0)], [1.0, 2.0], [(1, math.nan)]])
def test_losses_that_are_none_are_refused(history):
    with pytest.raises(ValueError, match="history|loss"):
        plots.loss_curve(history)


def test_the_stacked_columns_hold_the_probabilities_and_the_truth_beside():
    probs = [[0.1, 0.2, 0.0, 0.0], [0.5, 0.3, 0.1, 0.05]]
    figure = plots.probs_over_training([0, 300], probs, [f" {word}" for word in TRUTH], TRUTH)
    stacks = figure.axes[0].containers[:4]
    for k, (stack, word) in enumerate(zip(stacks, TRUTH, strict=True)):
        heights = [bar.get_height() for bar in stack]
        assert heights == pytest.approx([probs[0][k], probs[1][k], TRUTH[word]])
        assert stack.get_label() == word
    lower = [bar.get_y() for bar in stacks[1]]
    assert lower == pytest.approx([0.1, 0.5, 0.6])  # each on top of the last
    ticks = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert ticks == ["0", "300", "truth"]
    assert "Step 300: sleeping 0.50, on 0.30" in plots.describe(figure)


def test_what_is_missing_to_one_is_framed_and_named():
    figure = plots.probs_over_training([0], [[0.1, 0.1]], ["a", "b"])
    assert "all other tokens 0.80" in words_of(figure)


@pytest.mark.parametrize(
    ("steps", "probs", "labels"),
    [
        ([0], [[0.5], [0.5]], ["a"]),
        ([0], [[0.5, 0.6]], ["a", "b"]),
        ([0], [[-0.5, 0.6]], ["a", "b"]),
        ([0], [[0.5, 0.5]], ["a"]),
        ([0], [0.5, 0.5], ["a", "b"]),
    ],
)
def test_stacks_that_are_no_probabilities_are_refused(steps, probs, labels):
    with pytest.raises(ValueError, match="steps|probs|labels"):
        plots.probs_over_training(steps, probs, labels)


# ---- Sampling ----


def test_bars_have_the_lengths_of_the_probabilities_given():
    model = {"sleeping": 0.61, "on": 0.29, "happy": 0.06, "running": 0.04}
    sampled = {"on": 0.28, "sleeping": 0.62, "happy": 0.1}
    figure = plots.model_beside_truth(model, TRUTH, sampled)
    series = [[s.get(word, 0.0) for word in TRUTH] for s in (model, TRUTH, sampled)]
    assert widths(figure.axes[0]) == series
    labels = [container.get_label() for container in figure.axes[0].containers]
    assert labels == ["model", "truth", "sampled"]
    assert "on: model 0.29, truth 0.30, sampled 0.28." in plots.describe(figure)


def test_series_differ_by_hatch_and_not_by_colour_alone():
    figure = plots.compare({name: TRUTH for name in "abcde"})
    looks = [(c[0].get_hatch(), c[0].get_facecolor()) for c in figure.axes[0].containers]
    assert len(set(looks)) == 5
    assert len({hatch for hatch, _ in looks[:3]}) == 3


def test_the_whole_vocabulary_is_cut_down_to_words_that_matter(pets):
    model, tokenizer = pets
    probs = gptlib.trace(model, tokenizer.encode("The cat is")).probs[-1].tolist()
    said = {tokenizer.token_str(id): p for id, p in enumerate(probs)}
    figure = plots.model_beside_truth(said, grammar.next_words("The cat is"))
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == list(TRUTH)
    (model_bars, truth_bars) = widths(figure.axes[0])
    assert truth_bars == list(TRUTH.values())
    assert model_bars[0] == said["␣sleeping"]


def test_words_are_the_likeliest_of_any_series_or_those_asked_for():
    a, b = {"x": 0.5, "y": 0.2, "z": 0.1}, {"z": 0.4, "w": 0.01}

    def names(**options):
        ax = plots.compare({"a": a, "b": b}, **options).axes[0]
        return [label.get_text() for label in ax.get_yticklabels()]

    assert names(top=2) == ["x", "z"]
    assert names(labels=["w", "x"]) == ["w", "x"]
    with pytest.raises(ValueError, match="top must be"):
        names(top=0)


@pytest.mark.parametrize(
    "probs", [{}, [0.5], {"a": 1.2}, {"a": -0.1}, {"a": 0.7, "b": 0.7}, {"a": "much"}]
)
def test_what_is_no_distribution_is_refused_by_name(probs):
    with pytest.raises(ValueError, match="truth"):
        plots.model_beside_truth(TRUTH, probs)


def test_the_tree_has_every_branch_and_every_sentence_with_its_probability():
    figure = plots.sentence_tree(grammar.continuations("The dog is"))
    bars = {bar.get_label(): bar for bar in figure.axes[0].patches if bar.get_label().endswith(".")}
    expected = dict(grammar.continuations("The dog is"))
    assert bars.keys() == expected.keys()
    for text, p in expected.items():
        length = bars[text].get_bbox().width
        assert length == pytest.approx(max(BAR * p / 0.35, 1.0))
    words = words_of(figure)
    assert "The dog is" in words and words.count("on the") == 2 and words.count("0.80") == 1
    said = "Likeliest: The dog is running. (0.35). Found by greedy choice: The dog is on the bed."
    assert said in plots.describe(figure)
    assert {"0.35  likeliest", "0.24  greedy"} <= set(words)


def test_of_many_sentences_the_likeliest_are_drawn_and_the_rest_is_counted():
    figure = plots.sentence_tree(grammar.continuations("The"))
    bars = [bar for bar in figure.axes[0].patches if bar.get_label().endswith(".")]
    masses = sorted((p for _, p in grammar.continuations("The")), reverse=True)
    assert len(bars) == 24
    assert f"and {len(masses) - 24} more, {sum(masses[24:]):.2f} together" in words_of(figure)


def test_a_sentence_that_begins_another_has_an_end_of_its_own():
    words = words_of(plots.sentence_tree([("The cat", 0.5), ("The cat sat", 0.5)]))
    assert {"The cat", "(end)", "sat"} <= set(words)


@pytest.mark.parametrize(
    ("sentences", "words"),
    [
        ([], "empty"),
        ([("a", 0.5)], "sum to 1, not to 0.500"),
        ([("a", 0.5), ("a", 0.5)], "a sentence is there twice"),
        ([("a", 1.5), ("b", -0.5)], "sum to 1"),
    ],
)
def test_a_tree_needs_all_sentences_once(sentences, words):
    with pytest.raises(ValueError, match=words):
        plots.sentence_tree(sentences)


def test_the_time_per_token_is_drawn_and_said_by_length():
    figure = plots.time_per_token([8, 16, 32], torch.tensor([2.0, 4.0, 8.0]), [1.0, 1.0, 1.25])
    without, cached = figure.axes[0].get_lines()
    assert without.get_xydata().tolist() == [[8, 2], [16, 4], [32, 8]]
    assert cached.get_xydata().tolist() == [[8, 1], [16, 1], [32, 1.25]]
    assert {without.get_linestyle(), cached.get_linestyle()} == {"-", "--"}  # not colour alone
    said = plots.describe(figure)
    assert "2.00 after 8" in said and "8.00 after 32" in said and said.endswith("1.00, 1.25.")


@pytest.mark.parametrize(
    ("lengths", "times", "words"),
    [
        ([8, 8], [1, 2], "lengths must grow"),
        ([8, 16], [1], "without cache: 2 times"),
        ([8, 16], [1, -1], "without cache: 2 times"),
        ([8, 16], [1, math.inf], "without cache must be finite"),
        ([], [], "lengths is empty"),
    ],
)
def test_times_that_cannot_be_drawn_are_refused(lengths, times, words):
    with pytest.raises(ValueError, match=words):
        plots.time_per_token(lengths, times, [1, 1])


# ---- Tokens ----


def boxes(figure):
    patches = [p for p in figure.axes[0].patches if isinstance(p, FancyBboxPatch)]
    return [(p.get_label(), p.get_bbox()) for p in patches]


def test_the_strip_has_a_box_for_each_token_and_its_id_below():
    figure = plots.token_strip([*THREE, "\n", "$x$"], [10, 11, 12, 13, 14])
    assert [label for label, _ in boxes(figure)] == ["The", "␣cat", "␣is", "⏎", "$x$"]
    assert {"10", "14", "␣cat", "$x$"} <= set(words_of(figure))
    said = "5 tokens: The (10), ␣cat (11), ␣is (12), ⏎ (13), $x$ (14)."
    assert plots.describe(figure) == said


def test_neighbours_differ_in_shade_and_have_room_between_them():
    figure = plots.token_strip(THREE)
    patches = [p for p in figure.axes[0].patches if isinstance(p, FancyBboxPatch)]
    assert patches[0].get_facecolor() != patches[1].get_facecolor()
    assert patches[0].get_bbox().x1 < patches[1].get_bbox().x0


def test_every_letter_keeps_its_place_while_pieces_fuse():
    steps = [list("the␣the"), ["t", "he", "␣", "t", "he"], ["the", "␣", "the"]]
    figure = plots.merge_strips(steps)
    page, letters = figure.axes[0], {}
    for text in page.texts:
        if len(text.get_text()) == 1 and text.get_family() == ["DejaVu Sans Mono"]:
            letters.setdefault(text.get_position()[1], []).append(text)
    rows = [sorted(row, key=lambda t: t.get_position()[0]) for row in letters.values()]
    assert ["".join(t.get_text() for t in row) for row in rows] == ["the␣the"] * 3
    places = [[t.get_position()[0] for t in row] for row in rows]
    assert np.allclose(places[0], places[1]) and np.allclose(places[0], places[2])
    assert [label for label, _ in boxes(figure)] == [token for row in steps for token in row]


def test_new_tokens_are_framed_bold_and_named():
    figure = plots.merge_strips([["t", "h", "e"], ["th", "e"]], ["letters", "t + h"])
    edges = {p.get_label(): p.get_linewidth() for p in figure.axes[0].patches}
    assert edges["th"] > edges["e"]
    bold = {t.get_text() for t in figure.axes[0].texts if t.get_weight() == "bold"}
    assert bold == {"t", "h"}
    said = 'The text "the" after more and more merges. letters: 3 tokens. t + h: 2 tokens, new: th.'
    assert plots.describe(figure) == said


def test_strips_without_tokens_or_of_different_texts_are_refused():
    with pytest.raises(ValueError, match="0 tokens"):
        plots.token_strip([])
    with pytest.raises(ValueError, match="3 tokens, 1 ids"):
        plots.token_strip(THREE, [1])
    with pytest.raises(ValueError, match="spell the same text"):
        plots.merge_strips([["a"], ["b"]])
    with pytest.raises(ValueError, match="spell the same text"):
        plots.merge_strips([])
    with pytest.raises(ValueError, match="2 labels are needed"):
        plots.merge_strips([["a", "b"], ["ab"]], ["one"])


# ---- The machine ----


@pytest.mark.parametrize("part", PARTS)
def test_the_lit_part_has_the_thickest_frame_and_a_bold_name(part):
    figure = plots.machine(part)
    frames = {p.get_label(): p.get_linewidth() for p in figure.axes[0].patches}
    frames = {name: width for name, width in frames.items() if name in PARTS}
    assert frames.keys() == set(PARTS)
    assert [name for name, width in frames.items() if width == max(frames.values())] == [part]
    named = {t.get_text(): t.get_weight() for t in figure.axes[0].texts if t.get_text() in PARTS}
    assert [name for name, weight in named.items() if weight == "bold"] == [part]
    assert f"with {part} lit" in plots.describe(figure)


def test_the_machine_carries_the_sentence_through_lessons_one_to_seven():
    words = words_of(plots.machine())
    assert {"The cat is", "The", "␣cat", "␣is", *TRUTH, *PARTS} <= set(words)
    assert {str(k) for k in range(1, 8)} <= set(words)
    assert words.count("sleeping") == 3  # scored, drawn, and on its way back


def test_the_machines_probabilities_are_the_grammars():
    from gptlib.plots.machine import WORDS

    assert WORDS == grammar.next_words("The cat is")


def test_a_part_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="lit must be one of text, tokenizer, .* not 'engine'"):
        plots.machine("engine")


# ---- What all of them share ----


def test_numbers_near_a_tie_print_the_same_on_every_machine():
    for number in (0.125, 0.125 - 1e-8, 0.125 + 1e-8):
        assert inputs.two(number) == "0.13" and inputs.two(-number) == "-0.13"
    assert inputs.two(-1e-9) == "0.00" and inputs.shown(-0.5) == "−0.50"


def test_the_largest_of_values_that_print_the_same_is_the_first():
    assert inputs.largest([0.3, 0.3 + 1e-9, 0.1], 2) == [0, 1]
    assert inputs.largest([-math.inf, -1.0]) == [1]


@pytest.mark.parametrize("kind", ["bfloat16", "float16", "int64"])
def test_tensors_of_any_kind_are_taken(kind):
    eye = torch.eye(2, dtype=getattr(torch, kind))
    assert image_of(plots.attention_head(eye, ["a", "b"]).axes[0])[1, 1] == 1


def test_what_is_given_is_not_changed():
    weights, copy = np.array(WEIGHTS), np.array(WEIGHTS)
    plots.attention_head(weights, THREE)
    plots.position_similarity(weights)
    assert (weights == copy).all()


def test_a_long_token_is_cut_and_what_has_no_glyph_is_written_out():
    assert inputs.visible("x" * 50) == "x" * 17 + "…"
    assert inputs.visible("\U0001f600") == "<U+1F600>"
    assert inputs.visible("e\u0301\u200b") == "e<U+0301><U+200B>"
    assert inputs.visible("\udcff") == "<U+DCFF>"


def test_spread_labels_keep_their_order_and_their_distance():
    places = spread([0.1, 0.1, 0.12, 0.5, 0.52, 0.9], 0.06)
    assert all(b - a >= 0.06 - 1e-9 for a, b in zip(places, places[1:], strict=False))
    assert places[-1] == pytest.approx(0.9)
    assert overlap((0, 0, 2, 2), (1, 1, 3, 3)) == 1 and overlap((0, 0, 1, 1), (2, 0, 3, 1)) == 0


# ---- Appendix: the ablations ----

ROW = {"name": "nothing", "lesson": "", "against": "nothing", "sample": "The cat is happy."}
ROW |= {"teacher_forced": [0.5, 0.6, 0.7], "prefix_only": [0.5, 0.6, 0.7]}
ROW |= {"kl": [0.1, 0.2, 0.1], "sayable": [0.9, 0.8, 1.0]}
BROKEN = ROW | {"name": "the <mask>", "lesson": "03", "teacher_forced": [0.1, 0.1, 0.1]}
BROKEN |= {"prefix_only": [3.0, None, 3.5], "sample": "a\rb <b>"}
MEASURED = {"floor": 0.45, "rows": [ROW, BROKEN]}


def test_the_ablations_are_described_with_median_and_range_and_what_blew_up():
    said = plots.describe(plots.ablation_losses(MEASURED))
    assert "floor at 0.45" in said and "nothing: 0.60 (0.50 to 0.70) teacher-forced" in said
    assert "0.10 (0.10 to 0.10) teacher-forced, 3.50 (3.00 to inf) given the prefix only" in said


def test_the_legend_of_the_ablations_lies_outside_the_axes_where_no_mark_looks_like_a_result():
    figure = plots.ablation_losses(MEASURED)
    figure.draw_without_rendering()
    (ax,), (legend,) = figure.axes, figure.legends
    assert ax.get_legend() is None
    assert [t.get_text() for t in legend.get_texts()] == [
        "teacher-forced loss",
        "loss given the prefix only",
    ]
    assert not legend.get_window_extent().overlaps(ax.get_window_extent())


def test_the_table_of_ablations_names_the_metrics_that_noticed_and_escapes_words():
    table = plots.AblationTable(MEASURED)
    assert table.noticed == {"the <mask>": ["prefix_only"]}
    assert table.lines()[1][6] == "" and table.lines()[2][6] == "loss given the prefix only"
    assert table.lines()[1][5] == "90% (80% to 100%)"
    html = table._repr_html_()
    assert "the &lt;mask&gt;" in html and "<mask>" not in html and "a�b &lt;b&gt;" in html
    assert html.count("<tr>") == 3 and html.count('scope="col"') == len(table.lines()[0])
    assert repr(table).count("\n") == 2
