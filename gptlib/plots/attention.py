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

from .parts.heatmap import cells, colour_bar, few, label_inches, side_inches
from .parts.inputs import array, counted, finite, index, largest, quoted, two, words
from .style import SIZE, Picture, sheet

FROM, TO = "from (query)", "to (key)"
WIDE = 10.4  # inches of the widest picture: wider, and a page would shrink its words
CAPTION = 1.8  # inches of the longest line below a table
MANY = 8  # heads in a row: with more, the small tables have no room for tokens beside them


def attention_head(
    weights,
    tokens: Sequence[str],
    layer: int = 0,
    head: int = 0,
    *,
    rows: Sequence[int] | None = None,
    theme: str | None = None,
) -> Picture:
    """One head's attention weights, each row of which sums to one; the future is crossed out.

    Args:
        weights: (T, T), or a Trace, of which `layer` and `head` are shown.
        tokens: T strings.
        rows: the places whose rows the description tells; else all, or of many only the last.

    >>> attention_head([[1.0, 0.0], [0.3, 0.7]], ["A", " cat"]).description
    'Attention weights. "A" looks most at "A" (1.00), "cat" at "cat" (0.70). The future is hidden.'
    """
    name = "Attention weights"
    if isinstance(weights, Trace):
        one, place = _layer(weights, layer, head)
        weights, name = one.weights[head], name + place
    weights = _checked(weights, "T", "T")
    tokens = words(tokens, len(weights))
    side, room = side_inches(len(tokens)), label_inches(tokens) + 0.6
    with sheet(side + room + 0.8, side + room + 0.5, theme, "compressed") as (picture, paint):
        ax = picture.add_subplot(title=name, xlabel=TO, ylabel=FROM)
        look = {"cell": side / len(tokens), "hidden": _future(weights), "hidden_text": "0"}
        image = cells(ax, weights, tokens, tokens, paint, **look)
        if not few(weights):
            colour_bar(picture, image, ax, "weight", [0, 0.5, 1])
    picture.description = f"{name}. {_looks(weights, tokens, rows)}"
    return picture


def attention_heads(weights, tokens: Sequence[str], *, theme: str | None = None) -> Picture:
    """All layers (one a row) and heads (one a column) as small tables of attention weights.

    Args:
        weights: (L, nh, T, T), or a Trace.
        tokens: T strings.

    >>> attention_heads([[[[1.0, 0.0], [0.3, 0.7]]]], ["The", " cat"]).description
    'Attention weights, 1 layer of 1 head. "cat" looks most: in layer 0 head 0 at "cat" (0.70).'
    """
    weights = weights.weights if isinstance(weights, Trace) else weights
    weights = _checked(weights, "L", "nh", "T", "T")
    n_layer, n_head, count = weights.shape[:3]
    tokens = words(tokens, count)
    draw = _grid_of_tables if n_head <= MANY else _mosaic
    picture = draw(weights, tokens, theme)
    picture.description = _looks_in_each_head(weights, tokens)
    return picture


def _grid_of_tables(weights: np.ndarray, tokens: list[str], theme: str | None) -> Picture:
    """A table for each layer and head, with the tokens at the rim."""
    n_layer, n_head, count = weights.shape[:3]
    room = label_inches(tokens) + 1.2
    side = min(max(0.23 * count, 1.7), 3.0, (WIDE - room) / n_head)
    size = (n * side + room for n in (n_head, n_layer))
    with sheet(*size, theme, "compressed") as (picture, paint):
        grid = picture.subplots(n_layer, n_head, squeeze=False)
        for (layer, head), ax in np.ndenumerate(grid):
            one = weights[layer, head]
            look = {"cell": side / count, "hidden": _future(one), "texts": False}
            image = cells(ax, one, tokens, tokens, paint, **look)
            ax.set_title(f"head {head}" if layer == 0 else "", loc="center")
            ax.set_ylabel(f"layer {layer}" if head == 0 else "", weight="bold", color=paint.ink)
            ax.tick_params(labeltop=layer == 0, labelleft=head == 0)
        colour_bar(picture, image, grid, "weight", [0, 0.5, 1])
        picture.suptitle(TO, color=paint.soft, fontsize=SIZE)
        picture.supylabel(FROM, color=paint.soft, fontsize=SIZE)
    return picture


def _mosaic(weights: np.ndarray, tokens: list[str], theme: str | None) -> Picture:
    """All tables in one image, where there are too many for a chart each."""
    n_layer, n_head, count = weights.shape[:3]
    gap = max(1, count // 8)
    size = count + gap
    framed = np.ma.masked_array(np.zeros((n_layer, n_head, size, size)), mask=True)
    for place in np.ndindex(n_layer, n_head):
        one = np.ma.masked_array(weights[place], _future(weights[place]))
        framed[place][:count, :count] = one
    table = framed.transpose(0, 2, 1, 3).reshape(n_layer * size, n_head * size)[:-gap, :-gap]
    side = min(0.8, (WIDE - 1.5) / n_head)
    with sheet(n_head * side + 1.5, n_layer * side + 1.2, theme, "compressed") as (picture, paint):
        ax = picture.add_subplot(xlabel=f"head, inside it {TO}", ylabel=f"layer, inside it {FROM}")
        # As squares: an image would be enlarged as numbers first, which takes 60 MB.
        borders = (np.arange(size + 1) - 0.5 for size in table.shape[::-1])
        image = ax.pcolormesh(*borders, table, cmap=paint.hue, vmin=0, vmax=1)
        ax.set_aspect("equal")
        ax.invert_yaxis()
        ax.set_xticks(np.arange(n_head) * size + (count - 1) / 2, range(n_head))
        ax.set_yticks(np.arange(n_layer) * size + (count - 1) / 2, range(n_layer))
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
        ax.xaxis.set_label_position("top")
        colour_bar(picture, image, ax, "weight", [0, 0.5, 1])
    return picture


def attention_steps(
    scores, tokens: Sequence[str], layer: int = 0, head: int = 0, *, theme: str | None = None
) -> Picture:
    """Scores, masked scores and weights of one head: three tables side by side.

    Args:
        scores: (T, T) before the mask, or a Trace, of which `layer` and `head` are shown.
        tokens: T strings.

    >>> attention_steps([[0.0, 2.0], [1.0, 1.0]], ["The", " cat"]).description.split(". ")[1:3]
    ['Scores from 0.00 to 2.00', 'Weights: "The" looks most at "The" (1.00), "cat" at "The" (0.50)']
    """
    place = _layer(scores, layer, head)[1] if isinstance(scores, Trace) else ""
    scores, masked, weights = _three_steps(scores, layer, head)
    tokens = words(tokens, len(scores))
    room = label_inches(tokens) + 1
    side = max(CAPTION, min(side_inches(len(scores)), (WIDE - room) / 3))
    with sheet(3 * side + room, side + room + 0.4, theme, "compressed") as (picture, paint):
        axes = picture.subplots(1, 3, sharey=True)
        hidden = np.isneginf(masked)
        signed = {"cmap": colormaps["cividis"], "limits": (scores.min(), scores.max())}
        masked_look = {"hidden": hidden, "hidden_text": "−∞"} | signed
        weights_look = {"hidden": hidden, "hidden_text": "0"}
        steps = [
            ("scores", "q · k / √hs", scores, signed),
            ("masked scores", "the future: −∞" if hidden.any() else "", scores, masked_look),
            ("weights", "softmax of each row", weights, weights_look),
        ]
        for ax, (title, caption, values, look) in zip(axes, steps, strict=True):
            image = cells(ax, values, tokens, tokens, paint, cell=side / len(tokens), **look)
            ax.set(title=title, xlabel=TO, ylabel=FROM if ax is axes[0] else "")
            ax.text(0.5, -0.04, caption, transform=ax.transAxes, ha="center", va="top")
            ax.tick_params(labelleft=ax is axes[0])
            if not few(values) and ax is not axes[0]:
                colour_bar(picture, image, ax, "", None)
        picture.suptitle(place.removeprefix(", "), color=paint.soft, fontsize=SIZE)
    picture.description = (
        f"Attention step by step{place}. Scores from {two(scores.min())} to {two(scores.max())}. "
        f"Weights: {_looks(weights, tokens)}"
    )
    return picture


def _checked(weights, *axes: str) -> np.ndarray:
    """Attention weights. Rows that do not sum to one are drawn, too: a lesson shows why not to."""
    weights = array(weights, "weights", *axes)
    if (weights < 0).any() or (weights > 1 + 1e-6).any():
        raise ValueError("weights must be in 0..1: are these the scores?")
    return weights


def _future(weights: np.ndarray) -> np.ndarray:
    """(T, T) of bool: what the mask hid, if there was one."""
    future = np.triu(np.ones(weights.shape, bool), 1)
    return future & False if weights[future].any() else future


def _layer(trace: Trace, layer: int, head: int) -> tuple[LayerTrace, str]:
    """What one layer did, and the name of the place."""
    layer = index(layer, len(trace.layers), "layer")
    head = index(head, len(trace.layers[layer].weights), "head")
    return trace.layers[layer], f", layer {layer}, head {head}"


def _three_steps(scores, layer: int, head: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, masked scores and weights, (T, T) each."""
    if isinstance(scores, Trace):
        one, _ = _layer(scores, layer, head)
        steps = (one.scores[head], one.masked[head], one.weights[head])
        return tuple(array(step, "scores", "T", "T") for step in steps)
    scores = finite(array(scores, "scores", "T", "T"), "scores")
    masked = mask_scores(torch.from_numpy(scores))
    return scores, masked.numpy(), torch.softmax(masked, -1).numpy()


def _looks(weights: np.ndarray, tokens: list[str], rows: Sequence[int] | None = None) -> str:
    """Where the tokens of these rows look most; else all tokens, or of many only the last."""
    if rows is None:
        rows = range(len(tokens)) if few(weights) else [len(tokens) - 1]
    said = []
    for row in rows:
        (most,) = largest(weights[row])
        verb = "looks most at" if not said else "at"
        said.append(
            f"{quoted(tokens[row])} {verb} {quoted(tokens[most])} ({two(weights[row, most])})"
        )
    hidden = "The future is hidden." if _future(weights).any() else "No part is hidden."
    return f"{', '.join(said)}. {hidden}"


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
        said.append(f"{place} at {quoted(tokens[most])} ({two(last[k, most])})")
    return (
        f"Attention weights, {counted(n_layer, 'layer')} of {counted(n_head, 'head')}. "
        f"{quoted(tokens[-1])} looks most: {', '.join(said)}."
    )
