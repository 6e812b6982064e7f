"""Lesson 05. Logits and softmax: from scores to probabilities, and what each layer would say.

Axes: V words, L layers, T tokens.
"""

from collections.abc import Callable, Sequence

import numpy as np

from gptlib.trace import Trace

from .parts.bars import bars, bars_height
from .parts.heatmap import cells, label_inches
from .parts.inputs import array, few, finite, largest, quoted, shown, spoken, two, visible, words
from .style import Picture, follows_page, sheet

TOP = 100.0  # the largest logit that is drawn: e^100 has 44 digits
WIDEST = 8  # columns of the logit lens
HANDFUL = 50  # bars of a softmax


@follows_page
def logits_to_probs(logits, labels: Sequence[str], *, theme: str | None = None) -> Picture:
    """The softmax step by step, as bars: logits, e to each of them, divided by the sum.

    Args:
        logits: (V,), a handful (50 at most), none above 100. labels: V strings.

    >>> logits_to_probs([0.0, 0.0], ["on", "happy"]).description[:53]
    'Softmax. on: logit 0.00, e^logit 1.00, probability 0.'
    """
    logits = finite(array(logits, "logits", "V"), "logits")
    few(len(logits), HANDFUL, "logits")
    labels = words(labels, len(logits), "labels")
    if logits.max() > TOP:
        raise ValueError(
            f"logits must be at most {TOP:.0f} to be drawn, not {logits.max():.0f}: subtract "
            "the largest from all of them, which changes no probability"
        )
    powers = np.exp(logits)
    probs = powers / powers.sum()
    with sheet(9.6, bars_height(len(labels)) + 1.3, theme) as (picture, paint):
        axes = picture.subplots(1, 3, sharey=True)
        steps = [("logit", logits), ("e^logit", powers), ("probability", probs)]
        for ax, (title, values) in zip(axes, steps, strict=True):
            texts = [_amount(value) for value in values]
            bars(ax, labels, {title: values}, paint, texts=texts, room=0.42)
            ax.set_title(title)
        axes[1].set_xlabel(f"sum {_amount(powers.sum())}")
        axes[2].set_xlabel("each divided by the sum")
    said = " ".join(
        f"{spoken(label)}: logit {two(z)}, e^logit {_amount(e, two)}, probability {two(p)}."
        for label, z, e, p in zip(labels, logits, powers, probs, strict=True)
    )
    picture.description = f"Softmax. {said}"
    return picture


@follows_page
def logit_lens(
    logits_by_layer,
    tokens: Sequence[str],
    vocabulary: Sequence[str] | Callable[[int], str],
    *,
    theme: str | None = None,
) -> Picture:
    """The token on top if the head read the stream after each layer; at most the last 8 places.

    Args:
        logits_by_layer: (L + 1, T, V), or a Trace. tokens: T strings.
        vocabulary: V strings, or a function from id to string, as `tokenizer.token_str`.

    >>> logit_lens([[[0.0, 9.0]], [[9.0, 0.0]]], [" is"], [" on", " happy"]).description
    'Logit lens. After "is": embeddings say "happy" (1.00), layer 0 says "on" (1.00).'
    """
    if isinstance(logits_by_layer, Trace):
        logits_by_layer = logits_by_layer.logits_by_layer
    logits = array(logits_by_layer, "logits_by_layer", "L + 1", "T", "V")
    tokens = words(tokens, logits.shape[1])[-WIDEST:]
    powers = np.exp(logits - logits.max(-1, keepdims=True))[:, -WIDEST:]
    probs = (powers / powers.sum(-1, keepdims=True))[::-1]  # the last layer on top
    name_of = vocabulary if callable(vocabulary) else list(vocabulary).__getitem__
    best = np.array([[largest(place)[0] for place in layer] for layer in probs])
    names = np.array([[visible(name_of(int(id))) for id in layer] for layer in best], dtype=object)
    share = np.take_along_axis(probs, best[..., None], -1)[..., 0]  # (L + 1, T)
    rows = [f"layer {k}" for k in range(len(probs) - 1)][::-1] + ["embeddings"]
    column = max(label_inches([*names.flat, *tokens]) + 0.15, 0.8)
    size = (len(tokens) * column + 1.6, len(rows) * 0.6 + 1.1)
    with sheet(max(size[0], 5.0), size[1], theme) as (picture, paint):
        ax = picture.add_subplot(title="What the head reads after each layer")
        texts = np.vectorize(lambda name, p: f"{name}\n{shown(p)}", otypes=[object])(names, share)
        cells(ax, share, rows, tokens, paint, texts=texts, cell=column, aspect="auto")
    said = ", ".join(
        f"{row} {'say' if row == 'embeddings' else 'says'} {quoted(name)} ({two(p)})"
        for row, name, p in zip(rows[::-1], names[::-1, -1], share[::-1, -1], strict=True)
    )
    picture.description = f"Logit lens. After {quoted(tokens[-1])}: {said}."
    return picture


def _amount(number: float, write: Callable[[float], str] = shown) -> str:
    """A number to two digits, or as a power of ten if it is long."""
    return write(number) if abs(number) < 1e5 else f"{number:.1e}".replace("e+", "e")
