"""Lesson 06's live pictures: the loss while a model trains, and what the model makes of a prompt.

Leaves out the optimizer's inside. Axes: L layers, nh heads, T tokens, V = vocab_size.
"""

import math
import os
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial

import ipywidgets
import numpy as np
import torch
from IPython.display import display
from torch import Tensor

from ..model import GPT
from ..training import Step, TrainConfig, Trainer
from . import svg
from .bars import Bar, bars_height, bars_svg, expected, rows_of, spoken
from .base import Explorer, capped, token_name
from .cells import end_when_run_again
from .controls import Picker, choice, few, line, row
from .heads import looks, table_svg, two_digits
from .runs import Frame, LiveRun, Recording, take_frame
from .truth import Truth, kl_from, true_tokens

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

    Interrupting the cell ends the loop with a line that says so; run it again to go on. Without
    a front end that shows widgets the loop runs all the same, and the last curve is kept as SVG.
    """
    picture = ipywidgets.HTML(loss_curve(trainer, levels))
    shown = display(_with_fallback(picture), raw=True, display_id=True)
    drawn = time.perf_counter()
    try:
        for step in trainer.progress():
            if time.perf_counter() - drawn > REDRAW_SECONDS:
                picture.value = loss_curve(trainer, levels)
                drawn = time.perf_counter()
            yield step
    except KeyboardInterrupt:
        print(f"Stopped after step {trainer.step}. Run this cell again to go on.")
    finally:  # also when the loop is left
        picture.value = loss_curve(trainer, levels)
        if shown is not None:
            shown.update(_with_fallback(picture), raw=True)


def _with_fallback(picture: ipywidgets.HTML) -> dict:
    """The widget, and for a page without a kernel the picture that it shows."""
    return picture._repr_mimebundle_() | {"text/html": picture.value, "text/plain": "Loss by step"}


# ---- The explorer: a recorded run to scrub through, and a live one ----

WIDTH, TABLE, HIGH = 880, 560, 284  # pixels; where the heatmap begins, how high both are
TOKENS = 16  # of a prompt: more are not read beside a chart
ROWS = 5  # likeliest tokens; all others share one row
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0)


def training_svg(
    curve: str,
    weights,
    tokens: Sequence[str],
    rows: Sequence[Bar],
    names: Sequence[str],
    *,
    title: str,
    caption: str,
    label: str,
) -> str:
    """SVG of a loss curve, and beside and below it the model at one step of it.

    Args:
        curve: of `svg.curves`, as wide as TABLE. weights: (T, T) of one head. tokens: T strings.
        rows, names: of `bars_svg`.
        title: of the whole. caption: of the heatmap. label: all of it in words.
    """
    weights = two_digits(weights)
    hidden = np.triu(np.ones(weights.shape, bool), 1)
    table, _ = table_svg(weights, tokens, hidden, len(tokens) - 1, x=TABLE, y=40, side=216)
    body = (
        svg.text(0, 16, svg.clip(title, WIDTH), bold=True)
        + f'<g transform="translate(0 28)">{curve}</g>'
        + svg.small(svg.text(TABLE, 34, caption), bold=True)
        + table
        + bars_svg(rows, names, HIGH + 34)
    )
    return svg.document(body, WIDTH, HIGH + 34 + bars_height(len(rows)), label)


class TrainingExplorer(Explorer):
    """See `training_explorer`."""

    run: LiveRun | None = None  # the live one, once Start was pressed

    def __init__(self, recording, prompt, truth, tokens, config) -> None:
        self.recording, self.tokenizer, self.truth = recording, recording.tokenizer, truth
        self._corpus, self._config = tokens, config
        self._last = recording.load(recording.history.steps[-1])
        self._load = lru_cache(maxsize=32)(recording.load)
        self._recorded = lru_cache(maxsize=256)(self._recorded_frame)
        self._live: tuple[tuple[int, ...], Frame] | None = None  # (prompt, what it came to)
        self.before: dict[str, list[tuple[float, float]]] = {}  # the curve of the run before
        super().__init__(*self._controls(prompt, live=tokens is not None))
        end_when_run_again(self.stop)

    def _controls(self, prompt: str, live: bool) -> tuple[list, list]:
        """All controls, and those of them that a picture depends on."""
        steps = [f"{step:,}" for step in self.recording.history.steps]
        self.prompt = line("prompt", prompt)
        self.step = Picker("step", steps, len(steps) - 1)
        self.layer = few("layer", self._last.config.n_layer)
        self.head = few("head", self._last.config.n_head)
        self.show = choice("show", ["recorded run", "live run"])
        self.rate = Picker("learning rate", [f"{rate:g}" for rate in RATES], RATES.index(3e-3))
        self.rate.slider.observe(lambda _: self.guard(self._change_rate), names="value")
        self.buttons = {
            "Start": self.button("Start", self.start, "train, or train on"),
            "Stop": self.button("Stop", self.stop, "after the update that is being made"),
            "Begin again": self.button("Begin again", self.begin_again, "a new model"),
        }
        lines = [self.prompt, self.step, row(self.layer, self.head)]
        if live:
            train = row(self.rate, *self.buttons.values())
            lines[2:] = [train, row(self.layer, self.head, self.show)]
        return lines, [self.prompt, self.step.slider, self.layer, self.head, self.show]

    # ---- The live run ----

    def start(self) -> None:
        """Train from where the run is; show it."""
        if self.run is None:
            self.run = self.new_run()
        if self.run.done:
            raise ValueError("this run is over: press Begin again for a new one")
        self.run.set_rate(RATES[self.rate.value])
        self._go()

    def stop(self) -> None:
        """Stop after the update that is being made; Start goes on from there."""
        if self.run is not None:
            self.run.stop()

    def begin_again(self) -> None:
        """A new model, at the rate chosen; the curve of the one before stays to compare with."""
        if self.run is not None:
            self.run.stop()
            losses = _smoothed(self.run.trainer.history[:])
            self.before = {f"before {self.run.rates}": _thinned(losses, 40)}
        self.run = self.new_run()
        self._go()

    def _go(self) -> None:
        self._live = None
        self.run.start()
        self.show.value = "live run"
        self._redraw()

    def new_run(self) -> LiveRun:
        """A model of the recorded one's shape, about to be trained on the corpus."""
        config = self._config or TrainConfig(
            400, 16, warmup_steps=10, eos_id=self._stop_in_corpus(), optimizer="adamw"
        )
        trainer = Trainer(GPT(self._last.config, seed=config.seed), self._corpus, config)
        run = LiveRun(trainer, lambda: self._news(run))
        run.set_rate(RATES[self.rate.value])
        return run

    def _stop_in_corpus(self) -> int | None:
        """The stop token, if the corpus has documents that it ends."""
        stop = self.tokenizer.eos_id
        return stop if stop is not None and (torch.as_tensor(self._corpus) == stop).any() else None

    def _change_rate(self) -> None:
        """A run that is training takes the rate at once; one that stands, when it goes on."""
        if self.run is not None and self.run.running:
            self.run.set_rate(RATES[self.rate.value])

    def _news(self, run: LiveRun) -> None:
        """From the run's own thread: a new frame, which every control then only picks from."""

        def show() -> None:
            self._live = None
            if self.is_live:
                self._redraw()

        if run is self.run:
            self.guard(show)

    def close(self) -> None:
        """Take the widget off the page, and stop what it trains."""
        self.stop()
        super().close()

    # ---- What is shown ----

    @property
    def is_live(self) -> bool:
        """The live run is shown, not the recorded one."""
        return self.show.value == "live run"

    def ids(self) -> tuple[int, ...]:
        """The prompt's tokens."""
        ids = self.tokenizer.encode(self.prompt.value, allowed_special="all")
        return tuple(capped(ids, min(TOKENS, self._last.config.block_size)))

    def frame(self) -> Frame:
        """The prompt, seen by the model that is shown."""
        ids, steps = self.ids(), self.recording.history.steps
        if not self.is_live:
            return self._recorded(ids, steps[self.step.value])
        if self.run is None:
            return self._recorded(ids, steps[0])
        if self._live is None or self._live[0] != ids:
            self._live = (ids, self.run.frame(ids))
        return self._live[1]

    def _recorded_frame(self, ids: tuple[int, ...], step: int) -> Frame:
        return take_frame(self._load(step), ids, step)

    def rows(self) -> list[Bar]:
        """The tokens that the truth and the last recorded model expect, and all others."""
        ids, truth = self.ids(), self.true()
        end = self._recorded(ids, self.recording.history.steps[-1]).probs
        name = partial(token_name, self.tokenizer)
        return rows_of(expected(end, truth, ROWS), name, self.frame().probs, end, truth)

    def true(self) -> dict[int, float]:
        """The truth as {id: p}, or nothing where there is none."""
        try:
            return true_tokens(self.truth, self.tokenizer, self.ids()) if self.truth else {}
        except ValueError:  # a prompt that the grammar cannot say
            return {}

    def title(self) -> str:
        """Where the run is, and how far from the truth, in one line."""
        where = self._where_live() if self.is_live else self._where_recorded()
        truth = self.true()
        if truth:
            return f"{where}, KL from the truth {svg.two(kl_from(truth, self.frame().probs))}"
        return f"{where}, no truth for this prompt" if self.truth else where

    def _where_recorded(self) -> str:
        history, step = self.recording.history, self.frame().step
        loss = dict(history.val_loss).get(step)
        said = "" if loss is None else f", held-out loss {svg.two(loss)}"
        return f"Recorded run, step {step:,} of {history.steps[-1]:,}{said}"

    def _where_live(self) -> str:
        if self.run is None:
            return "Live run: press Start"
        over = "done" if self.run.done else "training" if self.run.running else "stopped"
        losses, most = self._losses(), self.run.trainer.config.steps
        said = f", loss {svg.two(losses[-1][1])}" if losses else ""
        return f"Live run ({over}), step {self.frame().step:,} of {most:,}{said}"

    def _losses(self) -> list[tuple[float, float]]:
        """Of the live run, as far as it is shown."""
        return _smoothed(self.run.trainer.history[: self.frame().step])

    def curve(self) -> str:
        """The loss of the run that is shown, with ln V and, if it is known, the floor."""
        history, vocab_size = self.recording.history, self._last.config.vocab_size
        levels = {"ln V": math.log(vocab_size)}
        levels |= {} if history.floor is None else {"floor": history.floor}
        look = {"x_name": "step", "width": TABLE - 30, "height": HIGH - 28}
        if not self.is_live:
            heldout = [point for point in history.val_loss if point[0] > 0]  # 0 is far off, by log
            series = {"loss": _thinned(history.loss), "held-out": _thinned(heldout, 12)}
            look |= {"x_max": history.steps[-1], "mark": self.frame().step, "log": True}
        elif self.run is None:
            series, look["x_max"] = {"loss": []}, 1
        else:
            series = {f"rate {self.run.rates}": self._losses()} | self.before
            look["x_max"] = self.run.trainer.config.steps
        return svg.curves(series, levels, **look)

    def _redraw(self) -> None:
        super()._redraw()
        if self.is_live and self.run is not None and self.run.error is not None:
            raise ValueError(f"{self.run.error}. Begin again")

    def draw(self) -> str:
        layer, head = self.layer.value, self.head.value
        rows = self.rows()
        return training_svg(
            self.curve(),
            self.frame().weights[layer, head],
            self.names(),
            rows,
            ["live" if self.is_live else "now", "at the end", "truth" if self.true() else ""],
            title=self.title(),
            caption=f"Layer {layer}, head {head}: rows look at columns",
            label=self.describe(),
        )

    def names(self) -> list[str]:
        """The prompt's tokens, as they are shown."""
        return [token_name(self.tokenizer, id) for id in self.ids()]

    def describe(self) -> str:
        layer, head, names = self.layer.value, self.head.value, self.names()
        last = two_digits(self.frame().weights[layer, head, -1])
        where = looks(last, names, len(names) - 1)
        text = self.tokenizer.decode(self.ids())
        said = f"{self.title()}. After {text!r}: {spoken(self.rows())}."
        return f"{said} In layer {layer}, head {head}, {where}."


def _thinned(points: Sequence[tuple[float, float]], most: int = 150) -> list[tuple[float, float]]:
    """At most about `most` of the points, as close at the start as they were."""
    if len(points) <= most:
        return list(points)
    places = np.unique(np.geomspace(1, len(points), most).round().astype(int)) - 1
    return [points[place] for place in places.tolist()]


def training_explorer(
    run: str | os.PathLike | Recording,
    prompt: str = "The cat is",
    truth: Truth | None = None,
    tokens: Tensor | None = None,
    config: TrainConfig | None = None,
) -> TrainingExplorer:
    """Scrub through a recorded run, and train a model of the same shape live beside it.

    Args:
        run: "pets", a folder with a history, or a Recording.
        prompt: its heatmap and its next-token probabilities are followed; at most 16 tokens.
        truth: prefix -> {word: probability}, as `gptlib.corpora.pets.next_words`.
        tokens: a corpus as ids, (N,); with it there is a live run.
        config: of the live run, whose learning rate is the slider's. None: 400 small steps.
    """
    recording = run if isinstance(run, Recording) else Recording.of(run)
    return TrainingExplorer(recording, prompt, truth, tokens, config)
