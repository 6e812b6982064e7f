"""What is in focus is framed and has its numbers, and of a large table the rest is drawn small."""

import numpy as np
import pytest
import torch

import gptlib
from gptlib import plots
from gptlib.attention import mask_scores
from gptlib.plots.parts.focus import places

WEIGHTS = [[1.0, 0.0, 0.0], [0.4, 0.6, 0.0], [0.25, 0.7, 0.05]]
THREE = ["The", " cat", " is"]
MANY = [f" w{k}" for k in range(24)]


def causal(*shape):
    scores = 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    return torch.softmax(mask_scores(scores), -1)


def frames(ax):
    """(left, top, right, bottom) of what is framed, in the units of the axes."""
    found = [patch.get_bbox() for patch in ax.patches if patch.get_label() == "focus"]
    return [tuple(round(float(x), 3) for x in (b.x0, b.y0, b.x1, b.y1)) for b in found]


def bold(axis):
    return [label.get_text() for label in axis.get_ticklabels() if label.get_weight() == "bold"]


def table_of(ax):
    return ax.collections[0].get_array()


@pytest.fixture
def trace(model):
    return gptlib.trace(model, [1, 2, 3, 4])


# ---- Naming places ----


def test_rows_and_cells_are_named_by_place_from_the_end_or_by_label():
    labels = ["The", "␣cat", "␣is"]
    named = places([0, -1, "cat", " is", (1, 0), ("is", "cat"), [2, -2]], labels, labels)
    assert named == [(0, None), (2, None), (1, None), (1, 0), (2, 1)]
    assert places(None, labels, labels) == places([], labels, labels) == []


@pytest.mark.parametrize(
    ("focus", "words"),
    [
        ([3], r"focus: row must be in 0..2, not 3"),
        ([(0, 5)], r"focus: column must be in 0..2, not 5"),
        (["dog"], "'dog' is the label of 0 rows"),
        ([("b", "a")], "'a' is the label of 2 columns"),
        ([(0, 1, 2)], r"\(row, column\) pairs"),
        ("b", "focus must be a list"),
        (2, "focus must be a list"),
    ],
)
def test_a_place_that_is_not_there_is_named(focus, words):
    with pytest.raises(ValueError, match=words):
        plots.attention_head(WEIGHTS, ["a", "b", "a"], focus=focus)


# ---- Small tables ----


def test_a_row_is_framed_as_far_as_it_is_seen_and_a_cell_alone_and_their_labels_are_bold():
    ax = plots.attention_head(WEIGHTS, THREE, focus=[1, ("is", "The")]).axes[0]
    assert frames(ax) == [(-0.5, 0.5, 1.5, 1.5), (-0.5, 1.5, 0.5, 2.5)]
    assert bold(ax.yaxis) == ["␣cat", "␣is"] and bold(ax.xaxis) == ["The"]


def test_without_focus_nothing_is_framed():
    ax = plots.attention_head(WEIGHTS, THREE).axes[0]
    assert frames(ax) == [] and bold(ax.yaxis) == []


def test_the_rows_that_the_description_tells_are_framed_too():
    figure = plots.attention_head(WEIGHTS, THREE, rows=[1])
    assert frames(figure.axes[0]) == [(-0.5, 0.5, 1.5, 1.5)]
    both = plots.attention_head(WEIGHTS, THREE, rows=[1], focus=[2])
    assert frames(both.axes[0]) == [(-0.5, 1.5, 2.5, 2.5)]
    assert plots.describe(both) == plots.describe(figure)


def test_small_multiples_print_only_the_numbers_in_focus():
    figure = plots.attention_heads([[WEIGHTS, WEIGHTS]], THREE, focus=[2])
    for ax in figure.axes[:2]:
        assert [text.get_text() for text in ax.texts] == ["0.25", "0.70", "0.05"]
        assert frames(ax) == [(-0.5, 1.5, 2.5, 2.5)]


# ---- Large tables ----


def test_of_a_large_table_the_rows_in_focus_are_high_and_numbered_and_the_others_low():
    weights = causal(24, 24)
    ax = plots.attention_head(weights, MANY, focus=[11, 23]).axes[0]
    assert np.allclose(table_of(ax).filled(0), weights)
    assert [label.get_text() for label in ax.get_yticklabels() if label.get_text()] == [
        "␣w11",
        "␣w23",
    ]
    heights = [bottom - top for _, top, _, bottom in frames(ax)]
    assert len(heights) == 2 and min(heights) > 0.35 - 1e-6
    assert ax.get_ylim()[0] < 2 * 0.36 + 22 * 0.11  # inches: the others are a third as high
    numbers = [text.get_text() for text in ax.texts if text.get_text()[0].isdigit()]
    shown = [f"{p:.2f}" for p in [*weights[11, :12].tolist(), *weights[23].tolist()]]
    missing = [number for number in shown if number not in numbers and number != "0.00"]
    assert len(missing) <= 4  # columns without room for a number have the smallest shares
    assert all(float(number) < 0.05 for number in missing)


def test_a_large_table_in_focus_is_lower_than_a_large_table_without():
    weights = causal(24, 24)
    whole, part = (plots.attention_head(weights, MANY, focus=f) for f in (None, [4, 11, 17, 23]))
    assert part.get_size_inches()[1] < 0.75 * whole.get_size_inches()[1]
    names = [label.get_text() for label in part.axes[0].get_xticklabels()]
    assert names == [f"␣w{k}" for k in range(24)]  # the sentence can still be read


def test_a_cell_in_focus_has_its_number_even_if_that_is_nothing():
    weights = np.zeros((40, 40))
    weights[:, 0] = 1
    figure = plots.attention_head(weights, ["x"] * 40, focus=[(39, 7), (39, 0)])
    numbers = [t.get_text() for t in figure.axes[0].texts if t.get_text()[0].isdigit()]
    assert sorted(numbers) == ["0.00", "1.00"]
    assert '"x" looks at "x" (0.00), "x" at "x" (1.00)' in plots.describe(figure)


def test_heads_of_a_long_sentence_are_strips_below_each_other():
    weights = causal(2, 4, 24, 24)
    figure = plots.attention_heads(weights, MANY, heads=[(0, 3), (1, 1)], focus=[5, -1])
    first, second = figure.axes
    assert (first.get_title("left"), second.get_title("left")) == (
        "layer 0, head 3",
        "layer 1, head 1",
    )
    assert np.allclose(table_of(first).filled(0), weights[0, 3][[5, 23]])
    assert np.allclose(table_of(second).filled(0), weights[1, 1][[5, 23]])
    assert len(frames(first)) == len(frames(second)) == 2


def test_more_strips_than_fit_below_each_other_are_refused():
    with pytest.raises(ValueError, match="144 tables are too many below each other"):
        plots.attention_heads(causal(12, 12, 10, 10), MANY[:10], focus=[9])


# ---- Some heads ----


def test_some_heads_are_small_multiples_with_a_title_each(trace):
    figure = plots.attention_heads(trace, list("abcd"), heads=[(1, 0), (0, -1)])
    tables = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title() for ax in tables] == ["layer 1, head 0", "layer 0, head 1"]
    for ax, (layer, head) in zip(tables, [(1, 0), (0, 1)], strict=True):
        expected = trace.layers[layer].weights[head]
        assert np.allclose(ax.images[0].get_array().filled(0), expected)
    named = plots.attention_heads(trace, list("abcd"), heads={"the first": (0, 0)})
    assert named.axes[0].get_title() == "the first"
    assert "of 1 head. the first: " in plots.describe(named)


@pytest.mark.parametrize(
    ("heads", "words"),
    [
        ([], "heads must be"),
        ([1], "heads must be"),
        ([(0, 1, 2)], "heads must be"),
        ([(2, 0)], r"layer must be in 0..1, not 2"),
        ({"x": (0, 2)}, r"head must be in 0..1, not 2"),
    ],
)
def test_heads_that_are_not_there_are_refused(trace, heads, words):
    with pytest.raises(ValueError, match=words):
        plots.attention_heads(trace, list("abcd"), heads=heads)


# ---- Steps and cosines ----


def test_the_steps_frame_the_same_row_in_all_three(trace):
    figure = plots.attention_steps(trace, list("abcd"), focus=[2])
    assert [frames(ax)[0][3] for ax in figure.axes[:3]] == [2.5] * 3
    assert '"c" looks most at' in plots.describe(figure)


def test_the_steps_of_many_tokens_show_the_row_as_scores_then_masked_then_weights():
    scores = 2 * torch.randn(24, 24, generator=torch.Generator().manual_seed(0))
    figure = plots.attention_steps(scores, MANY, focus=[10])
    first, second, third = (table_of(ax) for ax in figure.axes)
    assert np.allclose(first[0], scores[10]) and not np.ma.is_masked(first)
    assert second.mask[0].tolist() == [k > 10 for k in range(24)]
    assert np.allclose(third[0].filled(0), torch.softmax(mask_scores(scores), -1)[10])


def test_scores_and_weights_grow_in_one_direction_from_the_colour_of_the_page():
    figure = plots.attention_steps([[0.0, 4.0], [-4.0, 4.0]], ["a", "b"])
    scores, _, weights = (ax.images[0] for ax in figure.axes[:3])
    assert np.allclose(scores.to_rgba(0.0), weights.to_rgba(0.0))
    assert np.allclose(scores.to_rgba(4.0), weights.to_rgba(1.0))
    assert scores.norm.vmin == -scores.norm.vmax


def test_cosines_in_focus_are_framed_and_told():
    table = [[1.0, 0.0], [1.0, 1.0], [-1.0, 0.0]]
    figure = plots.cosine_heatmap(table, ["cat", "dog", "sky"], focus=["cat", ("dog", "sky")])
    assert len(frames(figure.axes[0])) == 2
    assert plots.describe(figure) == (
        "Cosines. Most like cat: dog (0.71), sky (-1.00). dog and sky: -0.71."
    )
    vectors = np.random.default_rng(0).normal(size=(20, 8))
    names = [f"word{k}" for k in range(20)]
    many = plots.cosine_heatmap({"before": vectors, "after": vectors}, names, focus=["word3"])
    assert np.allclose(table_of(many.axes[1])[0], plots.cosines(vectors)[3])
