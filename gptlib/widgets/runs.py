"""Training runs to look at: one that was recorded, and one that goes on in a thread.

A callback that trained would keep the kernel from reading what the page sends. In a thread of its
own the training leaves room: PyTorch lets other threads run during each of its operations. A run is
bounded by the steps of its Trainer.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..model import GPT
from ..storage import checkpoint
from ..storage.checkpoint import History
from ..tokenizer import Tokenizer
from ..trace import trace
from ..training import Trainer

BREATH = 0.001  # seconds after each update: who waits for the model gets it
NEWS = 0.2  # seconds from one redrawing to the next


@dataclass(frozen=True)
class Recording:
    """A run that is over: its tokenizer, its losses, and its model at some steps."""

    tokenizer: Tokenizer
    history: History
    load: Callable[[int], GPT]  # step -> the model then, for each of history.steps

    @classmethod
    def of(cls, name_or_dir: str | os.PathLike) -> "Recording":
        """The recording of "pets", or of a folder with a history.

        Raises:
            FileNotFoundError, ValueError: there is none; see `gptlib.load_history`.
        """
        history = checkpoint.load_history(name_or_dir)
        models, tokenizer = checkpoint.load_snapshots(name_or_dir)
        return cls(tokenizer, history, models.__getitem__)


@dataclass(frozen=True)
class Frame:
    """What a model makes of a prompt at one step."""

    step: int
    weights: Tensor  # (L, nh, T, T)
    probs: Tensor  # (V,) of the next token


def take_frame(model: GPT, ids: Sequence[int], step: int) -> Frame:
    """One pass over the prompt.

    Raises:
        ValueError: the weights are no numbers any more.
    """
    seen = trace(model, ids)
    probs = torch.softmax(seen.logits[-1].double().cpu(), -1)  # (V,)
    if not torch.isfinite(probs).all():
        raise ValueError("the model's numbers have overflowed: begin again at a lower rate")
    return Frame(step, seen.weights.cpu(), probs)


class LiveRun:
    """Trains until stopped or done; may be started again, and goes on where it was.

    Args:
        trainer: what is trained.
        news: called in the thread, at most every NEWS seconds, and once when the run ends.
    """

    def __init__(self, trainer: Trainer, news: Callable[[], None]) -> None:
        self.trainer, self.error = trainer, None
        self.first_rate = trainer.config.learning_rate
        self._news = news
        self._state = threading.Lock()  # of the two below
        self._running, self._stopping = False, False
        self._model = threading.Lock()  # held while the weights change

    @property
    def running(self) -> bool:
        return self._running

    @property
    def done(self) -> bool:
        """All steps are made, or the loss has blown up."""
        return self.error is not None or self.trainer.step >= self.trainer.config.steps

    def start(self) -> None:
        """Train on; without effect on a run that trains or is done."""
        with self._state:
            self._stopping = False
            if self._running or self.done:
                return
            self._running = True
        threads = torch.get_num_threads()  # a new thread would take PyTorch's own default
        threading.Thread(target=self._train, args=(threads,), daemon=True).start()

    def stop(self) -> None:
        """No further update after the one that is being made. Does not wait for it."""
        self._stopping = True

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inside, the model stays as it is."""
        with self._model:
            yield

    def frame(self, ids: Sequence[int]) -> Frame:
        """The prompt, seen by the model as it is between two updates."""
        with self.paused():
            return take_frame(self.trainer.model, ids, self.trainer.step)

    def set_rate(self, rate: float) -> None:
        """A constant learning rate from the next update on."""
        if self.trainer.step == 0:
            self.first_rate = rate
        self.trainer.config = replace(
            self.trainer.config, learning_rate=rate, final_learning_rate=rate
        )

    @property
    def rates(self) -> str:
        """The learning rate: at the start and, where it was changed, now."""
        first, now = self.first_rate, self.trainer.config.learning_rate
        return f"{now:g}" if now == first else f"{first:g}→{now:g}"

    def _train(self, threads: int) -> None:
        torch.set_num_threads(threads)
        told = time.perf_counter()
        while self._goes_on():
            try:
                with self._model:
                    self.trainer.update()
            except Exception as error:  # the loss blew up, or memory is short
                self.error = error
            time.sleep(BREATH)
            if time.perf_counter() - told > NEWS and not self.done:
                self._news()
                told = time.perf_counter()
        self._news()

    def _goes_on(self) -> bool:
        """Asked before each update, and never while `start` is at work: one thread at a time."""
        with self._state:
            self._running = not (self._stopping or self.done)
            return self._running
