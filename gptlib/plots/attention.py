"""Lesson 03. Attention: who looks at whom, in one head, in all, and step by step.

Rows are the tokens that look (queries), columns the tokens looked at (keys).
Axes: T tokens, nh heads, L layers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from gptlib.attention import mask_scores
from gptlib.trace import LayerTrace, Trace

from .parts.focus import Place, places
from .parts.heatmap import NUMBER, cells, colour_bar, few, label_inches, side_inches
from .parts.inputs import array, counted, finite, index, largest, quoted, two, visible, words
from .parts.multiples import future, mosaic, rim_inches, small_tables
from .parts.strips import WIDE, Strip, strips
from .style import SIZE, Picture, follows_page, sheet

FROM, TO = "from (query)", "to (key)"
CAPTION = 1.8  # inches of the longest line below a table
MANY = 8  # heads in a row: with more, the small tables have no room for tokens beside them


@follows_page
def attention_head(
    weights,
    tokens: Sequence[str],
    layer: int = 0,
    head: int = 0,
    *,
    rows: Sequence[int] | None = None,
    focus: Sequence | None = None,
    theme: str | None = None,
) -> Picture:
    """One head's attention weights, each row of which sums to one; the future is crossed out.

    Args:
        weights: (T, T), or a Trace, of which `layer` and `head` are shown.
        tokens: T strings.
        rows: the places whose rows the description tells; None: those in focus, or else all, or of
            many only the last.
        focus: rows, or (row, column) pairs, by place or by a token that occurs once: framed, with
            their numbers, and of a table of more than 8 rows the others are drawn small. None:
            `rows`.

    >>> attention_head([[1.0, 0.0], [0.3, 0.7]], ["A", " cat"]).description
    'Attention weights. "A" looks most at "A" (1.00), "cat" at "cat" (0.70). The future is hidden.'
    >>> attention_head([[1.0, 0.0], [0.3, 0.7]], ["A", " cat"], focus=[("cat", "A")]).description
    'Attention weights. "cat" looks at "A" (0.30). The future is hidden.'
    """
    name = "Attention weights"
    if isinstance(weights, Trace):
        one, place = _layer(weights, layer, head)
        weights, name = one.weights[head], name + place
    weights = _checked(weights, "T", "T")
    tokens = words(tokens, len(weights))
    at = places(rows if focus is None else focus, tokens, tokens)
    if at and not few(weights):
        table = Strip(name, weights, future(weights))
        picture = strips([table], tokens, tokens, at, (FROM, TO), theme, others=True)
    else:
        picture = _one_table(weights, name, tokens, at, theme)
    said = at if rows is None else places(rows, tokens, tokens)
    picture.description = f"{name}. {_looks(weights, tokens, said)}"
    return picture


def _one_table(weights: np.ndarray, name: str, tokens: list[str], at, theme) -> Picture:
    """The whole table (T, T), with numbers if it is small."""
    side, room = side_inches(len(tokens)), label_inches(tokens) + 0.6
    with sheet(side + room + 0.8, side + room + 0.5, theme, "compressed") as (picture, paint):
        ax = picture.add_subplot(title=name, xlabel=TO, ylabel=FROM)
        look = {"cell": side / len(tokens), "hidden": future(weights), "hidden_text": "0"}
        image = cells(ax, weights, tokens, tokens, paint, focus=at, **look)
        if not few(weights):
            colour_bar(picture, image, ax, "weight", [0, 0.5, 1])
    return picture


@follows_page
def attention_heads(
    weights,
    tokens: Sequence[str],
    *,
    heads: Sequence[tuple[int, int]] | Mapping[str, tuple[int, int]] | None = None,
    focus: Sequence | None = None,
    theme: str | None = None,
) -> Picture:
    """Several heads as small tables: all layers (one a row) and heads (one a column), or some.

    Args:
        weights: (L, nh, T, T), or a Trace.
        tokens: T strings.
        heads: (layer, head) pairs, or {title: (layer, head)}; None: all.
        focus: as in `attention_head`. Where a table has no room for the numbers, only the rows in
            focus are drawn, those of each head below those of the last; of 16 heads at most.

    >>> attention_heads([[[[1.0, 0.0], [0.3, 0.7]]]], ["The", " cat"]).description
    'Attention weights, 1 layer of 1 head. "cat" looks most: in layer 0 head 0 at "cat" (0.70).'
    >>> attention_heads([[[[1.0, 0.0], [0.3, 0.7]]]], ["The", " cat"], heads=[(0, 0)]).description
    'Attention weights of 1 head. layer 0, head 0: "cat" looks most at "cat" (0.70).'
    """
    weights = weights.weights if isinstance(weights, Trace) else weights
    weights = _checked(weights, "L", "nh", "T", "T")
    tokens = words(tokens, weights.shape[2])
    at = places(focus, tokens, tokens)
    names = _named(heads, *weights.shape[:2])
    chosen = np.array([weights[place] for place in names.values()])  # (K, T, T)
    side = NUMBER * len(tokens)
    fit = int((WIDE - rim_inches(tokens)) / side) if few(chosen[0]) else 0
    if at and fit < (weights.shape[1] if heads is None else 1):
        tables = [Strip(name, one, future(one)) for name, one in zip(names, chosen, strict=True)]
        picture = strips(tables, tokens, tokens, at, (FROM, TO), theme)
    elif heads is not None:
        picture = _some_heads(chosen, list(names), tokens, at, theme)
    elif weights.shape[1] > MANY:
        picture = mosaic(weights, (FROM, TO), theme)
    else:
        picture = _all_heads(weights, tokens, at, theme)
    if heads is None and not at:
        picture.description = _looks_in_each_head(weights, tokens)
    else:
        last = at or [(len(tokens) - 1, None)]
        said = (f" {name}: {_looks_at(weights[k], tokens, last)}." for name, k in names.items())
        picture.description = f"Attention weights of {counted(len(names), 'head')}.{''.join(said)}"
    return picture


def _all_heads(weights: np.ndarray, tokens: list[str], at: list[Place], theme) -> Picture:
    """A small table for each layer and head of (L, nh, T, T)."""
    n_layer, n_head, count = weights.shape[:3]
    side = min(max(0.23 * count, 1.7), 3.0, (WIDE - rim_inches(tokens)) / n_head)
    if at:
        side = max(side, NUMBER * count)
    titles = [f"head {head}" if layer == 0 else "" for layer, head in np.ndindex(n_layer, n_head)]
    layers = [f"layer {layer}" for layer in range(n_layer)]
    look = {"across": n_head, "side": side, "row_names": layers, "at": at}
    tables = weights.reshape(-1, count, count)
    return small_tables(tables, titles, tokens, (FROM, TO), theme, **look)


def _some_heads(chosen: np.ndarray, titles: list[str], tokens: list[str], at, theme) -> Picture:
    """A small table with a title for each of (K, T, T), about 3 inches wide."""
    room = WIDE - rim_inches(tokens)
    least = max(NUMBER * len(tokens) * bool(at), label_inches(titles) + 0.5, 1.7)
    across = min(len(chosen), max(1, int(room / max(least, min(0.23 * len(tokens), 3.0)))))
    side = max(least, min(3.2, 0.5 * len(tokens), room / across))
    look = {"across": across, "side": side, "at": at}
    return small_tables(chosen, titles, tokens, (FROM, TO), theme, **look)


@follows_page
def attention_steps(
    scores,
    tokens: Sequence[str],
    layer: int = 0,
    head: int = 0,
    *,
    focus: Sequence | None = None,
    theme: str | None = None,
) -> Picture:
    """Scores, masked scores and weights of one head: three tables side by side.

    Scores are blue above 0 and orange below, weights blue; 0 is the colour of the page.

    Args:
        scores: (T, T) before the mask, or a Trace, of which `layer` and `head` are shown.
        tokens: T strings.
        focus: as in `attention_head`; of more than 8 tokens, only the rows in focus are drawn, and
            the tables are below each other.

    >>> attention_steps([[0.0, 2.0], [1.0, 1.0]], ["The", " cat"]).description.split(". ")[1:3]
    ['Scores from 0.00 to 2.00', 'Weights: "The" looks most at "The" (1.00), "cat" at "The" (0.50)']
    """
    place = _layer(scores, layer, head)[1] if isinstance(scores, Trace) else ""
    scores, masked, weights = _three_steps(scores, layer, head)
    tokens = words(tokens, len(scores))
    at = places(focus, tokens, tokens)
    hidden, most = np.isneginf(masked), float(np.abs(scores).max()) or 1.0
    signed = {"cmap": "signed", "limits": (-most, most), "counts": False}
    steps = {
        "q · k / √hs": Strip("scores", scores, hidden & False, **signed),
        "the future: −∞" if hidden.any() else "": Strip("masked scores", scores, hidden, **signed),
        "softmax of each row": Strip("weights", weights, hidden),
    }
    if at and not few(scores):
        tables = [replace(one, title=_joined(one.title, how)) for how, one in steps.items()]
        picture = strips(tables, tokens, tokens, at, (FROM, TO), theme)
    else:
        picture = _three_tables(steps, tokens, place.removeprefix(", "), at, theme)
    picture.description = (
        f"Attention step by step{place}. Scores from {two(scores.min())} to {two(scores.max())}. "
        f"Weights: {_looks(weights, tokens, at)}"
    )
    return picture


def _joined(title: str, how: str) -> str:
    return f"{title}: {how}" if how else title


def _three_tables(steps: dict[str, Strip], tokens: list[str], place: str, at, theme) -> Picture:
    """The steps of a head side by side, with what was done below each."""
    room = label_inches(tokens) + 1
    side = max(CAPTION, min(side_inches(len(tokens)), (WIDE - room) / 3))
    with sheet(3 * side + room, side + room + 0.4, theme, "compressed") as (picture, paint):
        axes = picture.subplots(1, 3, sharey=True)
        for ax, (caption, one) in zip(axes, steps.items(), strict=True):
            look = {"cmap": getattr(paint, one.cmap), "limits": one.limits, "hidden": one.hidden}
            look |= {"hidden_text": "0" if one.counts else "−∞", "cell": side / len(tokens)}
            image = cells(ax, one.values, tokens, tokens, paint, focus=at, **look)
            ax.set(title=one.title, xlabel=TO, ylabel=FROM if ax is axes[0] else "")
            ax.text(0.5, -0.04, caption, transform=ax.transAxes, ha="center", va="top")
            ax.tick_params(labelleft=ax is axes[0])
            if not few(one.values) and ax is not axes[0]:
                colour_bar(picture, image, ax, "", None)
        picture.suptitle(place, color=paint.soft, fontsize=SIZE)
    return picture


def _named(heads, n_layer: int, n_head: int) -> dict[str, tuple[int, int]]:
    """{title: (layer, head)} of those that are asked for; None: of all."""
    if heads is None:
        heads = list(np.ndindex(n_layer, n_head))
    titled = heads if isinstance(heads, Mapping) else dict.fromkeys(range(len(heads)))
    pairs = list(heads.values()) if isinstance(heads, Mapping) else list(heads)
    if not pairs or not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs):
        raise ValueError(f"heads must be (layer, head) pairs, one or more, not {heads!r:.60}")
    found = {}
    for title, (layer, head) in zip(titled, pairs, strict=True):
        place = index(layer, n_layer, "layer"), index(head, n_head, "head")
        found[title if isinstance(title, str) else f"layer {place[0]}, head {place[1]}"] = place
    return {visible(title, longest=60, space=" "): place for title, place in found.items()}


def _checked(weights, *axes: str) -> np.ndarray:
    """Attention weights. Rows that do not sum to one are drawn, too: a lesson shows why not to."""
    weights = array(weights, "weights", *axes)
    if (weights < 0).any() or (weights > 1 + 1e-6).any():
        raise ValueError("weights must be in 0..1: are these the scores?")
    return weights


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


def _looks(weights: np.ndarray, tokens: list[str], at: Sequence[Place] = ()) -> str:
    """Where the tokens of these rows look most; else all tokens, or of many only the last."""
    if not at:
        at = [(row, None) for row in (range(len(tokens)) if few(weights) else [len(tokens) - 1])]
    hidden = "The future is hidden." if future(weights).any() else "No part is hidden."
    return f"{_looks_at(weights, tokens, at)}. {hidden}"


def _looks_at(weights: np.ndarray, tokens: list[str], at: Sequence[Place]) -> str:
    """Where a row looks most, and how much in a single cell, one after the other."""
    said, before = [], ""
    for row, column in at:
        verb = "looks most at" if column is None else "looks at"
        place = largest(weights[row])[0] if column is None else column
        said.append(
            f"{quoted(tokens[row])} {'at' if verb == before else verb} "
            f"{quoted(tokens[place])} ({two(weights[row, place])})"
        )
        before = verb
    return ", ".join(said)


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
