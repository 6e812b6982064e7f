"""Lesson 03. Attention: who looks at whom, in one head, in all, and step by step.

Rows are the tokens that look (queries), columns the tokens looked at (keys).
Axes: T tokens, nh heads, L layers.
"""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib import colormaps

from gptlib.attention import mask_scores
from gptlib.trace import LayerTrace, Trace

from .heatmap import cells, colour_bar, few, label_inches, side_inches
from .inputs import array, finite, index, largest, spoken, two, words
from .style import SIZE, Picture, sheet

FROM, TO = "from (query)", "to (key)"
MANY = 8  # heads in a row: with more, the small tables have no room for tokens beside them


def attention_head(
    weights, tokens: Sequence[str], layer: int = 0, head: int = 0, *, theme: str | None = None
) -> Picture:
    """One head's attention weights: each row sums to one, the future is crossed out.

    Args:
        weights: (T, T), or a Trace, of which `layer` and `head` are shown.
        tokens: T strings.

    >>> attention_head([[1.0, 0.0], [0.3, 0.7]], ["The", " cat"]).description
    'Attention weights. The looks most at The (1.00), cat at cat (0.70).'
    """
    name = "Attention weights"
    if isinstance(weights, Trace):
        name += f", layer {layer}, head {head}"
        weights = _layer(weights, layer, head).weights[head]
    weights = _checked(weights, "T", "T")
    tokens = words(tokens, len(weights))
    side, room = side_inches(len(tokens)), label_inches(tokens) + 0.5
    with sheet(max(side + room + 0.8, 4.6), side + room + 0.5, theme) as (picture, paint):
        ax = picture.add_subplot(title=name, xlabel=TO, ylabel=FROM)
        image = cells(
            ax,
            weights,
            tokens,
            tokens,
            paint,
            cell=side / len(tokens),
            hidden=_future(weights),
            hidden_text="0",
        )
        ax.set_aspect("equal")
        if not few(weights):
            colour_bar(picture, image, ax, "weight", [0, 0.5, 1])
    picture.description = f"{name}. {_looks(weights, tokens)}"
    return picture


def attention_heads(weights, tokens: Sequence[str], *, theme: str | None = None) -> Picture:
    """All layers (one a row) and heads (one a column) as small tables of attention weights.

    Args:
        weights: (L, nh, T, T), or a Trace.
        tokens: T strings.

    >>> attention_heads([[[[1.0, 0.0], [0.3, 0.7]]]], ["The", " cat"]).description
    'Attention weights, layers x heads: 1 x 1. cat looks most: in layer 0 head 0 at cat (0.70).'
    """
    weights = weights.weights if isinstance(weights, Trace) else weights
    weights = _checked(weights, "L", "nh", "T", "T")
    n_layer, n_head, count = weights.shape[:3]
    tokens = words(tokens, count)
    side = 0.8 if n_head > MANY else min(max(0.23 * count, 1.7), 3.0)
    labels = [""] * count if n_head > MANY else tokens
    room = label_inches(labels) + 0.9
    width, height = (n * (side + 0.15) + room for n in (n_head, n_layer))
    with sheet(max(width + 0.6, 6.0), height + 0.5, theme) as (picture, paint):
        grid = picture.subplots(n_layer, n_head, squeeze=False, sharex=True, sharey=True)
        for (layer, head), ax in np.ndenumerate(grid):
            one, cell = weights[layer, head], side / count
            hidden = _future(one)
            image = cells(ax, one, labels, labels, paint, cell=cell, hidden=hidden, texts=False)
            ax.set_title(f"head {head}" if layer == 0 else "", loc="center")
            ax.set_ylabel(f"layer {layer}" if head == 0 else "", weight="bold", color=paint.ink)
            ax.tick_params(labeltop=layer == 0, labelleft=head == 0)
        colour_bar(picture, image, grid, "weight", [0, 0.5, 1])
        picture.suptitle(f"rows: {FROM}     columns: {TO}", color=paint.soft, fontsize=SIZE)
    picture.description = _looks_in_each_head(weights, tokens)
    return picture


def attention_steps(
    scores, tokens: Sequence[str], layer: int = 0, head: int = 0, *, theme: str | None = None
) -> Picture:
    """Scores, masked scores and weights of one head: three tables side by side.

    Args:
        scores: (T, T) before the mask, or a Trace, of which `layer` and `head` are shown.
        tokens: T strings.

    >>> attention_steps([[0.0, 2.0], [1.0, 1.0]], ["The", " cat"]).description.split(". ")[1:]
    ['Scores from 0.00 to 2.00', 'Weights: The looks most at The (1.00), cat at The (0.50).']
    """
    name = "Attention step by step"
    if isinstance(scores, Trace):
        name += f", layer {layer}, head {head}"
    scores, masked, weights = _three_steps(scores, layer, head)
    tokens = words(tokens, len(scores))
    side, room = side_inches(len(scores), most=3.4), label_inches(tokens) + 0.5
    side = min(side, 3.4)
    with sheet(3 * (side + 0.2) + room + 0.4, side + room + 0.8, theme) as (picture, paint):
        axes = picture.subplots(1, 3, sharey=True)
        hidden = np.isneginf(masked)
        signed = {"cmap": colormaps["cividis"], "limits": (scores.min(), scores.max())}
        captions = ("q · k / √hs", "the future: −∞", "softmax of each row")
        steps = [
            ("scores", scores, {"hidden": hidden & False} | signed),
            ("masked scores", scores, {"hidden": hidden, "hidden_text": "−∞"} | signed),
            ("weights", weights, {"hidden": hidden, "hidden_text": "0"}),
        ]
        for ax, caption, (title, values, style) in zip(axes, captions, steps, strict=True):
            image = cells(ax, values, tokens, tokens, paint, cell=side / len(tokens), **style)
            ax.set(title=title, xlabel=TO, ylabel=FROM if ax is axes[0] else "", aspect="equal")
            ax.text(0.5, -0.03, caption, transform=ax.transAxes, ha="center", va="top")
            ax.tick_params(labelleft=ax is axes[0])
            if not few(values):
                colour_bar(picture, image, ax, "", None)
    picture.description = (
        f"{name}. Scores from {two(scores.min())} to {two(scores.max())}. "
        f"Weights: {_looks(weights, tokens)}"
    )
    return picture


def _checked(weights, *axes: str) -> np.ndarray:
    """Attention weights: rows that sum to one."""
    weights = array(weights, "weights", *axes)
    if (weights < 0).any() or not np.allclose(weights.sum(-1), 1, atol=1e-2):
        raise ValueError("weights must be 0 or more, and each row must sum to 1")
    return weights


def _future(weights: np.ndarray) -> np.ndarray:
    """(T, T) of bool: what the mask hid, if there was one."""
    future = np.triu(np.ones(weights.shape, bool), 1)
    return future & False if weights[future].any() else future


def _layer(trace: Trace, layer: int, head: int) -> LayerTrace:
    one = trace.layers[index(layer, len(trace.layers), "layer")]
    index(head, len(one.weights), "head")
    return one


def _three_steps(scores, layer: int, head: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, masked scores and weights, (T, T) each."""
    if isinstance(scores, Trace):
        one = _layer(scores, layer, head)
        steps = (one.scores[head], one.masked[head], one.weights[head])
        return tuple(array(step, "scores", "T", "T") for step in steps)
    scores = finite(array(scores, "scores", "T", "T"), "scores")
    masked = mask_scores(torch.from_numpy(scores))
    return scores, masked.numpy(), torch.softmax(masked, -1).numpy()


def _looks(weights: np.ndarray, tokens: list[str]) -> str:
    """Where the tokens look most; of many tokens, only the last."""
    rows = range(len(tokens)) if few(weights) else [len(tokens) - 1]
    said = []
    for row in rows:
        (most,) = largest(weights[row])
        verb = "looks most at" if not said else "at"
        said.append(
            f"{spoken(tokens[row])} {verb} {spoken(tokens[most])} ({two(weights[row, most])})"
        )
    return ", ".join(said) + "."


def _looks_in_each_head(weights: np.ndarray, tokens: list[str]) -> str:
    """Where the last token looks, head by head; of many heads, in the eight that are sharpest."""
    n_layer, n_head = weights.shape[:2]
    last = weights[:, :, -1].reshape(n_layer * n_head, -1)  # (L * nh, T)
    heads = range(len(last))
    if len(last) > 16:
        heads = sorted(largest(last.max(-1), 8))
    said = []
    for k in heads:
        (most,) = largest(last[k])
        place = f"in layer {k // n_head} head {k % n_head}"
        said.append(f"{place} at {spoken(tokens[most])} ({two(last[k, most])})")
    return (
        f"Attention weights, layers x heads: {n_layer} x {n_head}. "
        f"{spoken(tokens[-1])} looks most: {', '.join(said)}."
    )
