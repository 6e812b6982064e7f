"""What a run shows, on a stream that may fail: a reader that is gone never ends a run."""

import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import redirect_stderr, suppress

from tqdm import TqdmMonitorWarning
from tqdm.auto import tqdm

from .unread import read_rows


class Steady:
    """A stream like `stream`; once that cannot be written to, it is written to /dev/null instead.

    `python train.py 2>&1 | tee log` ends tee at the first Ctrl-C, and whatever the program shows
    after that is an error. None stands for a stream that was closed before the program began.
    """

    def __init__(self, stream) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._try("write", text)
        return len(text)

    def flush(self) -> None:
        self._try("flush")

    def _try(self, name: str, *arguments) -> None:
        try:
            if self._stream is not None:
                getattr(self._stream, name)(*arguments)
        except BlockingIOError:  # a pipe that is full for the moment
            pass
        except (OSError, ValueError):  # the second: it was closed meanwhile
            silence(self._stream)

    def __getattr__(self, name: str):
        return getattr(self._stream, name)


def silence(stream) -> None:
    """Have what is written to `stream` go nowhere, what it still holds included.

    Python writes that when it ends, and would then fail.
    """
    with suppress(OSError, ValueError, AttributeError):
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


# tqdm.auto has looked for a notebook. To import the bar made for one imports ipywidgets too, which
# a server may lack.
_IN_A_NOTEBOOK = any(kind.__module__ == "tqdm.notebook" for kind in tqdm.__mro__)


class Bar(tqdm):
    """tqdm's bar; a notebook keeps of it how it ended, and not how it began.

    A notebook is saved with what an output was given, and tqdm gives its bar at 0 %: the widget
    moves on, and a reader without a kernel sees that 0 % for ever.
    """

    output = None  # in a notebook

    def __init__(self, *arguments, **options) -> None:
        if not _IN_A_NOTEBOOK:
            super().__init__(*arguments, **options)
            return
        super().__init__(*arguments, **options, display=False)
        if not self.disable:
            from tqdm.notebook import display  # noqa: PLC0415  (IPython's)

            self.displayed = True
            self.output = display(self.container, display_id=True)

    def close(self) -> None:
        open_until_now = not self.disable
        super().close()
        if self.output is not None and open_until_now:
            self.output.update(self._end(), raw=True)

    def _end(self) -> dict:
        """What is left: nothing of a bar that came to its end, if it was not to be left.

        No times, which are others each time that a notebook is run.
        """
        if not self.leave and not (self.total and self.n < self.total):
            return {"text/plain": ""}
        how = {"bar_format": "{l_bar}{bar}| {n_fmt}/{total_fmt}{postfix}"}
        words = self.format_meter(**(self.format_dict | how))
        return self.container._repr_mimebundle_() | {"text/plain": words}


def progress_bar(things: Iterable | None = None, **options) -> Bar:
    """tqdm's bar over `things` or a `total`, which never ends what it shows the progress of."""
    with redirect_stderr(Steady(sys.stderr)), warnings.catch_warnings():
        warnings.simplefilter("ignore", TqdmMonitorWarning)  # there may be no more threads
        return Bar(things, **options)  # keeps the stream that it finds


def with_progress(run, total: int) -> Iterator:
    """The steps of a Trainer, with a bar that shows the losses.

    The newest loss that is known: on a card that is the one before, and nobody waits for it.
    """
    with progress_bar(total=total, initial=run.step, unit="step") as bar:
        if run.compiling:
            bar.set_postfix_str("compiling first, about a minute")
        for step in run:
            known = read_rows(run.history, start=max(0, len(run.history) - 2))
            losses = {"loss": known[-1].loss if known else None, "held-out": run.val_loss}
            losses = {name: f"{loss:.3f}" for name, loss in losses.items() if loss is not None}
            bar.set_postfix(losses, refresh=False)
            bar.update()
            yield step
