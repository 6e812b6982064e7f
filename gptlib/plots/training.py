"""Lesson 06. Training: the loss between ln V and the floor, and how the probabilities come.

Axes: S steps, V words. Losses are in nats per token.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from gptlib.storage.checkpoint import History

from .parts.bars import looks
from .parts.inputs import array, bare, distribution, finite, shown, spoken, two, words
from .parts.labels import spread
from .style import SMALL, Picture, Theme, follows_page, readable_on, sheet

WIDEST = 16  # columns in which numbers have room
LEAST = 0.075  # of probability, for a number to have room
BAND = "the truth on samples as large as a batch"


@follows_page
def loss_curve(
    history,
    *,
    vocab_size: int | None = None,
    floor: float | None = None,
    truth: float | None = None,
    spread: tuple[float, float] | None = None,
    heldout=None,
    log_steps: bool = False,
    theme: str | None = None,
) -> Picture:
    """The loss by step, between ln V (every word alike) and the floor (the truth itself).

    Args:
        history: a History, a list of Step (`trainer.history`), or (S, 2) of (step, loss).
        vocab_size: V, for the line at ln V. floor: for the line at the floor; None: History's.
        truth: for a line at the loss of the truth on the held-out text itself, which by chance may
            be easier or harder than the floor expects.
        spread: (lowest, highest) of the truth's own losses on samples as large as a batch, for a
            band: so far chance alone moves a point of the training line.
        heldout: (S, 2) of (step, held-out loss); None: History's or the Steps' own.
        log_steps: each tenfold of steps as wide as the last, since most is learned early.

    >>> loss_curve([(1, 2.0), (2, 1.5)], vocab_size=10, floor=1.0).description
    'Loss in nats per token. Training: 2.00 at step 1, 1.50 at step 2. ln V: 2.30. Floor: 1.00.'
    """
    lines, floor = _losses(history, heldout, floor)
    levels = {}
    if vocab_size is not None:
        levels["ln V"] = (math.log(vocab_size), "ln V: every token alike")
    if floor is not None:
        levels["Floor"] = (float(floor), "floor: the truth itself")
    if truth is not None:
        levels["The truth on the held-out text"] = (float(truth), "the truth on the held-out text")
    band = _band(spread)
    with sheet(9, 4.8, theme) as (picture, paint):
        ax = picture.add_subplot(xlabel="step", ylabel="loss (nats per token)")
        ax.plot(*lines["Training"].T, color=paint.accent, linewidth=1.5, label="training")
        if "Held-out" in lines:
            # On a log axis, a straight line between distant steps would claim too much.
            style = {"color": paint.second, "linewidth": 0 if log_steps else 1.8}
            style |= {"marker": "o", "markersize": 6, "markevery": 0.04, "zorder": 3}
            ax.plot(*lines["Held-out"].T, label="held-out", **style)
        if log_steps:
            ax.set_xscale("symlog", linthresh=1, linscale=0.5)
            ax.xaxis.set_major_formatter("{x:g}")
            ax.minorticks_off()
        if band:
            ax.axhspan(*band, color=paint.line, linewidth=0, zorder=0, label=BAND)
        _draw_levels(ax, levels.values(), list(lines.values()), band, paint)
        picture.legend(loc="outside upper right", ncols=3)
    said = [_ends(name, line) for name, line in lines.items()]
    said += [f"{name}: {two(level)}." for name, (level, _) in levels.items()]
    said += [f"{BAND.capitalize()}: {two(band[0])} to {two(band[1])}."] if band else []
    picture.description = f"Loss in nats per token. {' '.join(said)}"
    return picture


@follows_page
def probs_over_training(
    steps: Sequence[int],
    probs,
    labels: Sequence[str],
    truth: Mapping[str, float] | None = None,
    *,
    theme: str | None = None,
) -> Picture:
    """The next word's probabilities, stacked, a column for each snapshot, and the truth beside.

    Args:
        steps: S numbers.
        probs: (S, V), rows with a sum of at most 1: what is missing is left empty.
        labels: V strings; a space before a word, as tokens have it, does not count.
        truth: {label: probability}, as from `pets.next_words`.

    >>> probs_over_training([0, 9], [[0.1, 0.1], [0.6, 0.3]], ["sleeping", "on"]).description
    'Next word by step. Step 0: sleeping 0.10, on 0.10. Step 9: sleeping 0.60, on 0.30.'
    """
    probs = array(probs, "probs", "S", "V")
    names = list(map(bare, words(labels, probs.shape[1], "labels")))
    if len(steps) != len(probs):
        raise ValueError(f"{len(probs)} steps are needed, one for each row, not {len(steps)}")
    if (probs < 0).any() or (probs.sum(1) > 1 + 1e-3).any():
        raise ValueError("probs must be 0 or more, and each row must sum to at most 1")
    columns = [(f"Step {step}", row) for step, row in zip(steps, probs, strict=True)]
    if truth is not None:
        truth = {bare(word): p for word, p in distribution(truth, "truth").items()}
        columns.append(("Truth", np.array([truth.get(name, 0.0) for name in names])))
    with sheet(max(6.5, min(0.52 * len(columns) + 2.4, 10)), 5, theme) as (picture, paint):
        ax = picture.add_subplot(
            xlabel="training step (snapshots, not to scale)", ylabel="probability of the next word"
        )
        places = [k + (0.4 if name == "Truth" else 0) for k, (name, _) in enumerate(columns)]
        _stack(ax, places, np.array([row for _, row in columns]), names, paint)
        every = -(-len(steps) // WIDEST)
        ticks = [name.removeprefix("Step ").lower() for name, _ in columns]
        ticks = [tick if k % every == 0 or tick == "truth" else "" for k, tick in enumerate(ticks)]
        ax.set_xticks(places, ticks)
    first_and_last = dict([columns[0], columns[len(steps) - 1], columns[-1]])
    said = (f"{name}: {_each(names, row)}." for name, row in first_and_last.items())
    picture.description = f"Next word by step. {' '.join(said)}"
    return picture


def _losses(history, heldout, floor) -> tuple[dict[str, np.ndarray], float | None]:
    """{"Training": (S, 2), "Held-out": (S, 2)} of step and loss, and the floor if it is known."""
    if isinstance(history, History):
        floor = history.floor if floor is None else floor
        heldout = history.val_loss if heldout is None else heldout
        history = history.loss
    elif len(history) and hasattr(history[0], "val_loss"):
        if heldout is None:
            heldout = [(step.step, step.val_loss) for step in history if step.val_loss is not None]
        history = [(step.step, step.loss) for step in history]
    lines = {"Training": history, "Held-out": heldout}
    lines = {name: line for name, line in lines.items() if line is not None and len(line)}
    if "Training" not in lines:
        raise ValueError("history is empty: there is no loss to draw")
    for name, line in lines.items():
        lines[name] = finite(array(line, f"{name.lower()} loss", "S", "2"), name.lower())
        if lines[name].shape[1] != 2:
            raise ValueError(f"{name.lower()} loss must be pairs of step and loss")
    return lines, floor


def _band(spread) -> tuple[float, ...]:
    """(lowest, highest), or () where there is none."""
    if spread is None:
        return ()
    band = tuple(map(float, spread))
    if len(band) != 2 or not -math.inf < band[0] <= band[1] < math.inf:
        raise ValueError(f"spread must be (lowest, highest), not {spread}")
    return band


def _draw_levels(ax, levels, lines, band, paint: Theme) -> None:
    """Dashed lines with their names on them, and an axis from the floor or 0 to ln V."""
    heights = [level for level, _ in levels] + [y for line in lines for y in line[:, 1]]
    heights += band
    low, high = min(heights), max(heights)
    margin = 0.1 * (high - low or 1)
    ax.set_ylim(low - margin, high + margin)
    ax.margins(x=0.01)
    for level, text in levels:
        under = any(line[-1, 1] < level for line in lines)  # a curve would run through the name
        above = under or level > (low + high) / 2
        ax.axhline(level, color=paint.soft, linewidth=1.4, linestyle=(0, (5, 3)), zorder=1)
        style = {"xycoords": ax.get_yaxis_transform(), "textcoords": "offset points"}
        style |= {"va": "bottom" if above else "top", "fontsize": SMALL, "color": paint.ink}
        at = (0.995, level), (0, 4 if above else -5)
        ax.annotate(f"{text} = {shown(level)}", *at, ha="right", **style)


def _stack(ax, places, rows: np.ndarray, names: list[str], paint: Theme) -> None:
    """Stacked columns (S, V), with their numbers, and the names beside the last one."""
    tops = rows.cumsum(1)  # (S, V)
    for k, look in enumerate(looks(paint, len(names))):
        ax.bar(places, rows[:, k], 0.84, tops[:, k] - rows[:, k], label=names[k], **look)
        for place, share, top in zip(places, rows[:, k], tops[:, k], strict=True):
            if share >= LEAST and len(places) <= WIDEST:
                plain = not look["hatch"]
                ink = readable_on(look["facecolor"]) if plain else paint.ink
                under = (
                    None if plain else {"facecolor": look["facecolor"], "linewidth": 0, "pad": 1}
                )
                style = {"ha": "center", "va": "center", "fontsize": SMALL, "color": ink}
                ax.text(place, top - share / 2, shown(share), bbox=under, **style)
    for place, top in zip(places, tops[:, -1], strict=True):
        if top < 1 - LEAST:  # what is missing to 1 has a frame, and in the first column a name
            ax.bar(place, 1 - top, 0.84, top, fill=False, edgecolor=paint.line, linewidth=1)
    rest = 1 - tops[0, -1]
    if rest > 0.4:
        style = {"rotation": 90, "ha": "center", "va": "center", "fontsize": SMALL}
        text = f"all other tokens {shown(rest)}"
        ax.text(places[0], 1 - rest / 2, text, color=paint.soft, **style)
    middles = tops[-1] - rows[-1] / 2
    for name, middle, at in zip(names, middles, spread(middles, 0.055), strict=True):
        line = {"arrowstyle": "-", "color": paint.soft, "linewidth": 0.8, "shrinkA": 0}
        ax.annotate(
            name, (places[-1] + 0.43, middle), (places[-1] + 0.8, at), va="center", arrowprops=line
        )
    ax.set_xlim(places[0] - 0.6, places[-1] + 0.6)
    ax.set_ylim(0, 1)
    ax.tick_params(axis="x", length=0)


def _ends(name: str, line: np.ndarray) -> str:
    """The first and the last loss of a line, and of a held-out line one that is lower than both."""
    places = [0, len(line) - 1] if len(line) > 1 else [0]
    best = int(line[:, 1].argmin())
    said = [f"{two(line[k, 1])} at step {line[k, 0]:.0f}" for k in places]
    if name == "Held-out" and best not in places:
        said.insert(1, f"lowest {two(line[best, 1])} at step {line[best, 0]:.0f}")
    return f"{name}: {', '.join(said)}."


def _each(names: list[str], row: np.ndarray) -> str:
    return ", ".join(f"{spoken(name)} {two(p)}" for name, p in zip(names, row, strict=True))
