"""Lesson 06's live pictures: the loss while a model trains."""

import time
from collections.abc import Iterator

import ipywidgets
from IPython.display import display

from ..training import Step, Trainer
from . import svg

REDRAW_SECONDS = 0.25  # a curve redrawn at each step would cost more than the step


def loss_curve(trainer: Trainer, levels: dict[str, float] | None = None) -> str:
    """SVG of the training and held-out losses so far, in nats per token.

    Args:
        levels: name -> nats, lines to compare with, such as ln V and a floor.
    """
    steps = _smoothed(trainer.history)
    heldout = [(s.step, s.val_loss) for s in trainer.history if s.val_loss is not None]
    said = f"step {steps[-1][0]}, loss {steps[-1][1]:.2f}" if steps else "no steps yet"
    return svg.line_chart(
        {"loss": steps, "held-out": heldout},
        levels,
        x_max=trainer.config.steps,
        label=f"Loss in nats per token: {said}",
    )


def _smoothed(history: list[Step], most: int = 200) -> list[tuple[float, float]]:
    """(step, loss), averaged over equal stretches so that the curve has at most `most` points."""
    size = max(1, -(-len(history) // most))
    chunks = [history[i : i + size] for i in range(0, len(history), size)]
    return [(c[-1].step, sum(s.loss for s in c) / len(c)) for c in chunks]


def watch(trainer: Trainer, levels: dict[str, float] | None = None) -> Iterator[Step]:
    """Iterate `trainer` with a progress bar and a loss curve that grows: `for step in watch(t)`.

    Without a front end that shows widgets the loop runs all the same.
    """
    picture = ipywidgets.HTML(loss_curve(trainer, levels))
    display(picture)
    drawn = time.perf_counter()
    try:
        for step in trainer.progress():
            if time.perf_counter() - drawn > REDRAW_SECONDS:
                picture.value = loss_curve(trainer, levels)
                drawn = time.perf_counter()
            yield step
    finally:  # also when the loop is left or the cell interrupted
        picture.value = loss_curve(trainer, levels)
