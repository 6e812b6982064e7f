"""Lesson 04. Feedforward: its activation function, a hidden unit, what each part adds to a logit.

Axes: T tokens, C channels, V words.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from gptlib.feedforward import gelu
from gptlib.model import GPT
from gptlib.trace import Trace

from .parts.bars import bars, bars_height
from .parts.inputs import array, few, finite, index, shown, two, words
from .style import SMALL, Picture, follows_page, sheet

MOST_TOKENS = 32  # that `hidden_unit` draws


@follows_page
def gelu_and_relu(low: float = -4.0, high: float = 4.0, *, theme: str | None = None) -> Picture:
    """The two activation functions: ReLU cuts off at 0, GELU does nearly that without a corner.

    >>> gelu_and_relu().description
    'GELU and ReLU. At -1: GELU -0.16, ReLU 0.00. At 0: both 0.00. At 1: GELU 0.84, ReLU 1.00.'
    """
    if not low < 0 < high:
        raise ValueError(f"low and high must lie on both sides of 0, not at {low} and {high}")
    x = torch.linspace(low, high, 401, dtype=torch.float64)
    bend, cut = gelu(x).numpy(), torch.relu(x).numpy()
    with sheet(7, 4.4, theme) as (picture, paint):
        ax = picture.add_subplot(xlabel="x", ylabel="what comes out")
        ax.axhline(0, color=paint.line, linewidth=1)
        ax.axvline(0, color=paint.line, linewidth=1)
        ax.plot(x, bend, color=paint.accent, linewidth=2.6, label="GELU", zorder=3)
        ax.plot(x, cut, "--", color=paint.second, linewidth=2.2, label="ReLU")
        ax.legend(loc="upper left", fontsize=12)
    at = gelu(torch.tensor([-1.0, 1.0], dtype=torch.float64)).tolist()
    picture.description = (
        f"GELU and ReLU. At -1: GELU {two(at[0])}, ReLU 0.00. At 0: both 0.00. "
        f"At 1: GELU {two(at[1])}, ReLU 1.00."
    )
    return picture


@follows_page
def hidden_unit(
    values: Sequence[float], tokens: Sequence[str], name: str = "", *, theme: str | None = None
) -> Picture:
    """The activation of one hidden unit at each token of a text, a bar for each.

    Args:
        values: (T,), as a column of a trace's `mlp_hidden`.
        tokens: the T tokens.
        name: which unit it is, for the title.

    >>> hidden_unit([8.1, 0.0], ["The", " cat"], "unit 34").description
    'The activation of unit 34 at each token: The 8.10, ␣cat 0.00.'
    """
    values = finite(array(values, "values", "T"), "values")
    names = words(tokens, len(values))
    few(len(names), MOST_TOKENS, "values")
    title = f"The activation of {words([name], 1, space=' ')[0]}" if name else "The activation"
    with sheet(7, bars_height(len(names)) + 0.7, theme) as (picture, paint):
        ax = picture.add_subplot(title=f"{title} at each token")
        bars(ax, names, {"activation": values}, paint)
    said = ", ".join(f"{token} {two(v)}" for token, v in zip(names, values, strict=True))
    picture.description = f"{title} at each token: {said}."
    return picture


@torch.no_grad()
def logit_parts(
    model: GPT, trace: Trace, token: int, *, versus: int | None = None, position: int = -1
) -> dict[str, float]:
    """What each part of the model adds to the logit of `token`; the values sum to it.

    The residual stream is a sum, and the head reads it through one layer norm. With that norm's
    mean and variance held as they are, the logit is a sum, too (Elhage et al. 2021).

    Args:
        token: an id. versus: an id whose logit is subtracted: why this word and not that one?
        position: of the T places of the trace.

    Raises:
        ValueError: an id or a place that is not there; a model where parts do not add up (an
            ablation without residuals or layer norms).
    """
    place = index(position, len(trace.ids), "position")
    count = trace.logits.shape[-1]
    unembed = model.lm_head.weight[index(token, count, "token")].double()  # (C,)
    if versus is not None:
        unembed = unembed - model.lm_head.weight[index(versus, count, "versus")].double()
    parts = {"embeddings": trace.wte[place] + trace.wpe[place]}  # (C,) each
    for k, layer in enumerate(trace.layers):
        parts |= {f"attention {k}": layer.attn[place], f"feedforward {k}": layer.mlp[place]}
    whole = trace.layers[-1].out[place].double()
    deviation = torch.sqrt(whole.var(unbiased=False) + model.ln_f.eps)
    weight, bias = model.ln_f.weight.double(), model.ln_f.bias.double()
    added = {
        name: float((part.double() - part.double().mean()) / deviation * weight @ unembed)
        for name, part in parts.items()
    }
    added["bias of ln_f"] = float(bias @ unembed)
    logits = trace.logits[place].double()
    logit = float(logits[token] - (0 if versus is None else logits[versus]))
    if abs(sum(added.values()) - logit) > 1e-3 * max(1, abs(logit)):
        raise ValueError(
            f"the parts sum to {sum(added.values()):.3f}, but the logit is {logit:.3f}"
        )
    return added


@follows_page
def contributions(
    parts: Mapping[str, float], word: str = "", *, theme: str | None = None
) -> Picture:
    """What each part adds to a logit: each bar starts where the one before it ended.

    Args:
        parts: {name: what it adds}, in order, as from `logit_parts`.
        word: whose logit it is.

    >>> contributions({"embeddings": 1.0, "attention 0": 2.5}, "sleeping").description
    'The logit of sleeping: 3.50 = embeddings 1.00, attention 0 2.50.'
    """
    if not isinstance(parts, Mapping):
        raise ValueError("parts must be {name: what it adds to the logit}")
    values = finite(array(list(parts.values()), "parts", "parts"), "parts")
    names = words(list(parts), len(values), "names", space=" ")
    starts, total = np.concatenate([[0], values.cumsum()[:-1]]), values.sum()
    title = f"the logit of {words([word], 1)[0]}" if word else "the logit"
    with sheet(8, bars_height(len(names) + 1) + 0.8, theme) as (picture, paint):
        ax = picture.add_subplot(title=f"What each part adds to {title}")
        _waterfall(ax, names, values, starts, paint)
        low, high = min(0, starts.min(), total), max(0, starts.max(), total)
        room = 0.14 * (high - low or 1)
        ax.set_xlim(low - room, high + room)
    said = ", ".join(f"{name} {two(v)}" for name, v in zip(names, values, strict=True))
    picture.description = f"{title.capitalize()}: {two(total)} = {said}."
    return picture


def _waterfall(ax, names, values, starts, paint) -> None:
    """Bars from where the last one ended, and the whole as the last bar."""
    total = values.sum()
    for row, (value, start) in enumerate(zip(values, starts, strict=True)):
        up = value >= 0
        colour = paint.accent if up else paint.second  # and the number beside it has the sign
        ax.barh(row, value, left=start, height=0.62, color=colour)
        end = start + value
        ax.plot([end, end], [row, row + 0.7], color=paint.soft, linewidth=0.8, zorder=0)
        sign = "+" if up else ""
        _number(ax, row, max(start, end), sign + shown(value), paint)
    ax.barh(len(names), total, height=0.62, color=paint.ink)
    _number(ax, len(names), max(0, total), shown(total), paint, weight="bold")
    ax.set_yticks(range(len(names) + 1), [*names, "all together"])
    ax.set_ylim(len(names) + 0.6, -0.6)
    ax.axvline(0, color=paint.soft, linewidth=0.8)
    ax.tick_params(length=0, labelbottom=False)
    ax.spines[:].set_visible(False)


def _number(ax, row: int, x: float, text: str, paint, weight="normal") -> None:
    style = {"fontsize": SMALL, "color": paint.ink, "va": "center", "weight": weight}
    ax.annotate(text, (x, row), (5, 0), textcoords="offset points", **style)
