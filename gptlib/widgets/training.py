"""Lesson 06's live pictures: the loss while a model trains, and what the model makes of a prompt.

Leaves out the optimizer's inside. Axes: L layers, nh heads, T tokens, V = vocab_size.
"""

import math
import os
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial

import numpy as np
import torch
import traitlets
from IPython.display import display
from torch import Tensor

from ..model import GPT
from ..training import Step, TrainConfig, Trainer
from . import svg
from .bars import Bar, bars_height, bars_svg, expected, rows_of, spoken
from .cells import end_when_run_again
from .explorer import Explorer
from .heads import looks, table_svg, two_digits
from .runs import Frame, LiveRun, Recording, take_frame
from .tokens import capped, token_name
from .truth import Truth, kl_from, true_tokens

REDRAW_SECONDS = 0.25  # a curve redrawn at each step would cost more than the step


def loss_curve(trainer: Trainer, levels: dict[str, float] | None = None) -> str:
    """SVG of the training and held-out losses so far, in nats per token.

    Args:
        levels: name -> nats, lines to compare with, such as ln V and a floor.
    """
    series, said = _losses(trainer)
    return svg.line_chart(series, levels, x_max=trainer.config.steps, label=said)


def _losses(trainer: Trainer) -> tuple[dict[str, list[tuple[float, float]]], str]:
    """The curves by name, and what they say in words."""
    steps = _smoothed(trainer.history)
    heldout = [(s.step, s.val_loss) for s in trainer.history if s.val_loss is not None]
    said = f"step {steps[-1][0]}, loss {steps[-1][1]:.2f}" if steps else "no steps yet"
    return {"loss": steps, "held-out": heldout}, f"Loss in nats per token: {said}"


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
    picture = LossCurve(trainer, levels)
    shown = display(picture.bundle(), raw=True, display_id=True)
    drawn = time.perf_counter()
    try:
        for step in trainer.progress():
            if time.perf_counter() - drawn > REDRAW_SECONDS:
                picture.grow()
                drawn = time.perf_counter()
            yield step
    except KeyboardInterrupt:
        print(f"Stopped after step {trainer.step}. Run this cell again to go on.")
    finally:  # also when the loop is left
        picture.grow()
        if shown is not None:
            shown.update(picture.bundle(), raw=True)


class LossCurve(Explorer):
    """The curve of `watch`, and for a page without a kernel its picture."""

    SCRIPT = "loss_curve"

    curve = traitlets.Dict().tag(sync=True)

    def __init__(self, trainer: Trainer, levels: dict[str, float] | None) -> None:
        self.trainer, self.levels = trainer, levels
        super().__init__(curve=self.told())

    def told(self) -> dict:
        """What js/chart.js draws."""
        series, said = _losses(self.trainer)
        levels, x_max = self.levels or {}, self.trainer.config.steps
        return {"series": series, "levels": levels, "xMax": x_max, "label": said}

    def grow(self) -> None:
        """Show the losses up to now."""
        self.curve = self.told()

    def bundle(self) -> dict:
        """What a notebook is given."""
        return self._repr_mimebundle_()[0]

    def draw(self) -> str:
        return loss_curve(self.trainer, self.levels)

    def describe(self) -> str:
        return "Loss by step"


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
        + svg.group(svg.text(TABLE, 34, caption), bold=True)
        + table
        + bars_svg(rows, names, HIGH + 34)
    )
    return svg.document(body, WIDTH, HIGH + 34 + bars_height(len(rows)), label)


class TrainingExplorer(Explorer):
    """See `training_explorer`.

    A prompt is read here and not in the page: for that it would need the weights of every recorded
    step, 6 MB for the twelve of pets, and a page with eight explorers is to have 1.5 MB in all.
    What they make of a prompt has 3 kB for three tokens, so no step of the slider asks the kernel.
    """

    SCRIPT = "training_explorer"

    prompt = traitlets.Unicode().tag(sync=True)
    step = traitlets.Int().tag(sync=True)  # a place among the recorded ones
    rate = traitlets.Int(RATES.index(3e-3)).tag(sync=True)  # a place among RATES
    seen = traitlets.Dict().tag(sync=True)  # the prompt, as the recorded models see it
    weights = traitlets.Bytes().tag(sync=True)  # float32, (steps, L, nh, T, T)

    run: LiveRun | None = None  # the live one, once Start was pressed

    def __init__(self, recording, prompt, truth, tokens, config) -> None:
        self.recording, self.tokenizer, self.truth = recording, recording.tokenizer, truth
        self._corpus, self._config = tokens, config
        history = recording.history
        self._last = recording.load(history.steps[-1])
        self._load = lru_cache(maxsize=32)(recording.load)
        self._recorded = lru_cache(maxsize=256)(self._recorded_frame)
        self.before: dict[str, list[tuple[float, float]]] = {}  # the curve of the run before
        self.prompt = prompt
        seen = self._seen()
        weights = seen.pop("weights")
        super().__init__(
            settings=self._told_once(),
            step=len(history.steps) - 1,
            prompt=prompt,
            seen=seen,
            weights=weights,
        )
        end_when_run_again(self.stop)

    def _told_once(self) -> dict:
        history, config = self.recording.history, self._last.config
        heldout = [point for point in history.val_loss if point[0] > 0]  # 0 is far off, by log
        levels = {"ln V": math.log(config.vocab_size)}
        levels |= {} if history.floor is None else {"floor": history.floor}
        losses = dict(history.val_loss)
        return {
            "steps": list(history.steps),
            "held_out": [losses.get(step) for step in history.steps],
            "curve": {"loss": _thinned(history.loss), "held-out": _thinned(heldout, 12)},
            "levels": levels,
            "n_layer": config.n_layer,
            "n_head": config.n_head,
            "rates": list(RATES),
            "live": self._corpus is not None,
            "truth": self.truth is not None,
        }

    # ---- The recorded run ----

    def ids(self) -> tuple[int, ...]:
        """The prompt's tokens."""
        ids = self.tokenizer.encode(self.prompt, allowed_special="all")
        return tuple(capped(ids, min(TOKENS, self._last.config.block_size)))

    def frame(self, place: int = -1) -> Frame:
        """The prompt, seen by the model of a recorded step."""
        return self._recorded(self.ids(), self.recording.history.steps[place])

    def _recorded_frame(self, ids: tuple[int, ...], step: int) -> Frame:
        return take_frame(self._load(step), ids, step)

    def true(self) -> dict[int, float]:
        """The truth as {id: p}, or nothing where there is none."""
        try:
            return true_tokens(self.truth, self.tokenizer, self.ids()) if self.truth else {}
        except ValueError:  # a prompt that the grammar cannot say
            return {}

    def rows(self, frame: Frame | None = None) -> list[Bar]:
        """The tokens that the truth and the last recorded model expect, and all others."""
        truth, end = self.true(), self.frame().probs
        now = (frame or self.frame(self.step)).probs
        name = partial(token_name, self.tokenizer)
        return rows_of(expected(end, truth, ROWS), name, now, end, truth)

    def _seen(self) -> dict:
        """All that the page shows of a prompt: a frame for each recorded step."""
        frames = [self.frame(place) for place in range(len(self.recording.history.steps))]
        rows = [self.rows(frame) for frame in frames]
        truth = self.true()
        return {
            "text": self.prompt,
            "tokens": self.names(),
            "names": [row.name for row in rows[0]],
            "frames": [[row.now for row in each] for each in rows],
            "truth": [row.truth for row in rows[0]] if truth else None,
            "kl": [kl_from(truth, frame.probs) for frame in frames] if truth else None,
            "weights": _packed(torch.stack([frame.weights for frame in frames])),
        }

    def answer_prompt(self, prompt: str) -> dict:
        """Another prompt, seen by all recorded models."""
        before, self.prompt = self.prompt, prompt
        try:
            seen = self._seen()
        except Exception:
            self.prompt = before
            raise
        if self.run is not None:
            self._news(self.run)
        return seen

    def names(self) -> list[str]:
        """The prompt's tokens, as they are shown."""
        return [token_name(self.tokenizer, id) for id in self.ids()]

    # ---- The live run ----

    def answer_live(self, action: str, rate: int) -> dict:
        """Start, stop or begin again, or take another learning rate."""
        self.rate = rate
        {
            "start": self.start,
            "stop": self.stop,
            "begin": self.begin_again,
            "rate": self._change_rate,
        }[action]()
        return {}

    def start(self) -> None:
        """Train from where the run is."""
        if self.run is None:
            self.run = self.new_run()
        if self.run.done:
            raise ValueError("this run is over: press Begin again for a new one")
        self.run.set_rate(RATES[self.rate])
        self.run.start()

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
        self.run.start()

    def new_run(self) -> LiveRun:
        """A model of the recorded one's shape, about to be trained on the corpus."""
        config = self._config or TrainConfig(
            400, 16, warmup_steps=10, eos_id=self._stop_in_corpus(), optimizer="adamw"
        )
        trainer = Trainer(GPT(self._last.config, seed=config.seed), self._corpus, config)
        run = LiveRun(trainer, lambda: self._news(run))
        run.set_rate(RATES[self.rate])
        return run

    def _stop_in_corpus(self) -> int | None:
        """The stop token, if the corpus has documents that it ends."""
        stop = self.tokenizer.eos_id
        return stop if stop is not None and (torch.as_tensor(self._corpus) == stop).any() else None

    def _change_rate(self) -> None:
        """A run that is training takes the rate at once; one that waits, when it goes on."""
        if self.run is not None and self.run.running:
            self.run.set_rate(RATES[self.rate])

    def _news(self, run: LiveRun) -> None:
        """Tell the page; also from the run's own thread."""
        if run is not self.run:
            return
        try:
            news = self.news()
        except ValueError as error:  # its numbers have overflowed
            news = {"error": str(error), "weights": b""}
        self.send({**news, "weights": None, "news": "live"}, buffers=[news["weights"]])

    def news(self) -> dict:
        """The live run as it is: what the page shows of it."""
        run = self.run
        frame, truth = run.frame(self.ids()), self.true()
        losses, most = _smoothed(run.trainer.history[: frame.step]), run.trainer.config.steps
        over = "done" if run.done else "training" if run.running else "stopped"
        said = f", loss {svg.two(losses[-1][1])}" if losses else ""
        return {
            "text": self.prompt,
            "title": f"Live run ({over}), step {frame.step:,} of {most:,}{said}",
            "of": most,
            "curve": {f"rate {run.rates}": losses} | self.before,
            "probs": [row.now for row in self.rows(frame)],
            "kl": kl_from(truth, frame.probs) if truth else None,
            "error": f"{run.error}. Begin again" if run.error is not None else None,
            "weights": _packed(frame.weights),
        }

    def close(self) -> None:
        """Take the widget off the page, and stop what it trains."""
        self.stop()
        super().close()

    # ---- What is shown where no widget runs ----

    def title(self) -> str:
        """Which step is shown, and how far from the truth it is, in one line."""
        history, truth = self.recording.history, self.true()
        step = history.steps[self.step]
        loss = dict(history.val_loss).get(step)
        said = "" if loss is None else f", held-out loss {svg.two(loss)}"
        where = f"Recorded run, step {step:,} of {history.steps[-1]:,}{said}"
        if truth:
            distance = kl_from(truth, self.frame(self.step).probs)
            return f"{where}, KL from the truth {svg.two(distance)}"
        return f"{where}, no truth for this prompt" if self.truth else where

    def curve(self) -> str:
        """The loss of the recorded run, with ln V and, if it is known, the floor."""
        told, history = self._told_once(), self.recording.history
        look = {"x_name": "step", "width": TABLE - 30, "height": HIGH - 28, "log": True}
        look |= {"x_max": history.steps[-1], "mark": history.steps[self.step]}
        return svg.curves(told["curve"], told["levels"], **look)

    def draw(self) -> str:
        return training_svg(
            self.curve(),
            self.frame(self.step).weights[0, 0],
            self.names(),
            self.rows(),
            ["now", "at the end", "truth" if self.true() else ""],
            title=self.title(),
            caption="Layer 0, head 0: rows look at columns",
            label=self.describe(),
        )

    def describe(self) -> str:
        names = self.names()
        last = two_digits(self.frame(self.step).weights[0, 0, -1])
        where = looks(last, names, len(names) - 1)
        text = self.tokenizer.decode(self.ids())
        said = f"{self.title()}. After {text!r}: {spoken(self.rows())}."
        return f"{said} In layer 0, head 0, {where}."


def _packed(numbers: Tensor) -> bytes:
    return numbers.float().contiguous().numpy().astype("<f4").tobytes()


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
