"""A training run in a thread, so that the page goes on answering while it trains.

The kernel reads what a page sends on threads of its own, and a cell or callback that trained there
would keep it from reading. PyTorch lets other threads run during each of its operations, so sliders
answer beside the training. A run is bounded by the steps of its Trainer.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from ..training import Trainer

BREATH = 0.001  # seconds after each update: who waits for the model gets it
NEWS = 0.2  # seconds from one redrawing to the next


class LiveRun:
    """Trains until stopped or done; may be started again, and goes on where it was.

    Args:
        trainer: what is trained.
        news: called in the thread, at most every NEWS seconds, and once when the run ends.
    """

    def __init__(self, trainer: Trainer, news: Callable[[], None]) -> None:
        self.trainer, self.error = trainer, None
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
