"""The numbers of an update while a card is still working them out.

Whoever asks a card for a number waits until it has done all that comes before, and then the card
waits in its turn. So an update's loss and norm are sent for, and read when the next update is on
its way. A loop that looks at each loss at once waits for it, and sees what it always saw.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


class Numbers:
    """The loss and the like of one update: floats, or tensors on a card.

    Args:
        done: updates before this one. peak: the learning rate that advice is about.
        numbers: by the name that an error calls each.
    """

    def __init__(self, done: int, peak: float, **numbers: float | Tensor) -> None:
        self.done, self.peak, self.names = done, peak, tuple(numbers)
        self._found: list[float] | None = None
        self._event: Any = None
        values = list(numbers.values())
        if any(isinstance(value, Tensor) for value in values):
            self._send(torch.stack([torch.as_tensor(v, dtype=torch.float64) for v in values]))
        else:
            self._found = [float(value) for value in values]

    def _send(self, there: Tensor) -> None:
        """Have the numbers copied here as soon as they are known; on a CPU they are."""
        self._sent = there
        if there.is_cuda:
            self._sent = torch.empty(there.shape, dtype=there.dtype, pin_memory=True)
            self._sent.copy_(there, non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record(torch.cuda.current_stream(there.device))  # which need not be card 0

    def read(self) -> list[float]:
        """The numbers as floats; waits for the card where it has not come to them.

        Raises:
            FloatingPointError: one of them is none.
        """
        if self._found is None:
            if self._event is not None:
                self._event.synchronize()  # waits for this event, not for what was asked later
            self._found = self._sent.tolist()
        check_finite(self.done, self.peak, **dict(zip(self.names, self._found, strict=True)))
        return self._found


def number(scalar: Tensor, stays: bool) -> Any:
    """The number of a tensor (), a float; or, if it stays on its card, a tensor like it."""
    return scalar.detach().double() if stays else scalar.item()


def check_finite(done: int, peak: float, **numbers: float) -> None:
    """Refuse a loss, norm or the like that is no number after `done` updates.

    Raises:
        FloatingPointError: names it, and says what to try.
    """
    for name, number in numbers.items():
        if not math.isfinite(number):
            raise FloatingPointError(
                f"the {name} is {number} after {done} steps: try a learning rate below {peak}"
            )


class Unread:
    """A row of a history, such as a `Step`, of which some numbers are still to come.

    It is read like the row itself. What is known answers at once, the rest when it has come.

    Args:
        row: a named tuple with anything in the places of `names`.
        names: its fields that `numbers` has, in that order.
    """

    def __init__(self, row: Any, names: tuple[str, ...], numbers: Numbers) -> None:
        self._row, self._names, self._numbers = row, names, numbers

    def read(self) -> Any:
        """The row with all its numbers. FloatingPointError: one of them is none."""
        return self._row._replace(**dict(zip(self._names, self._numbers.read(), strict=True)))

    def __getattr__(self, name: str):
        if "_row" not in vars(self) or not hasattr(self._row, name):
            raise AttributeError(name)
        known = name in self._row._fields and name not in self._names
        return getattr(self._row if known else self.read(), name)

    def __iter__(self) -> Iterator:
        return iter(self.read())

    def __getitem__(self, place):
        return self.read()[place]

    def __len__(self) -> int:
        return len(self._row)

    def __eq__(self, other) -> bool:
        return self.read() == (other.read() if isinstance(other, Unread) else other)

    def __hash__(self) -> int:
        return hash(self.read())

    def __repr__(self) -> str:
        return repr(self.read())


def settle(history: list) -> None:
    """Read the last row, which is the only one that may be unread.

    Raises:
        FloatingPointError: a number in it is none; the row stays unread.
    """
    if history and isinstance(history[-1], Unread):
        history[-1] = history[-1].read()


def read_rows(history: list, start: int = 0) -> list:
    """Those from `start` on that have been read: all of them, or all but the last."""
    unread = bool(history) and isinstance(history[-1], Unread)
    return history[start : len(history) - unread]
