"""Running a student's function: whatever it does, an Outcome comes back, and in good time."""

import copy
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch

from .blanks import code_of
from .limits import TooLongError, never_ends_in_c, quiet, within
from .reading import Numbers
from .showing import cut, shown

PATIENCE = 5  # seconds for one input
LONG = 200  # letters of an error
MOST_ITEMS = 1_000_000  # of a generator that a student gives back

# What may happen instead of a result.
NOT_WRITTEN, STOPPED, ENDLESS, INTERRUPTED = "not written", "stopped", "endless", "interrupted"
CHANGED, NOTHING, ODD = "changed its input", "nothing", "not of that kind"


class Outcome(NamedTuple):
    """What a function did with one input: its result as read, or what went wrong."""

    value: object = None
    trouble: str = ""  # for the student: "stops with ..."
    kind: str = ""  # of the trouble

    @property
    def ends_the_check(self) -> bool:
        """Would the next input only tell the same, or keep the student waiting?"""
        return self.kind in (NOT_WRITTEN, ENDLESS, INTERRUPTED)


def run(function: Callable, given: tuple, read: Callable[[object], object]) -> Outcome:
    """Run a function on a copy of its input and read its result. Never raises."""
    mine = copy.deepcopy(given)
    try:
        if never_ends_in_c(function, mine, PATIENCE):
            return _too_long()
        with _torch_as_it_was():
            value = within(PATIENCE, lambda: _called(function, mine))
    except NotImplementedError as error:
        return _not_written(error, function)
    except TooLongError:
        return _too_long()
    except KeyboardInterrupt:
        return Outcome(trouble="was interrupted before it was done.", kind=INTERRUPTED)
    except BaseException as error:  # a student's exit(), and exceptions of his own
        return _stopped(error, function)
    return _changed(mine, given) or _read(value, read)


def _called(function: Callable, mine: tuple) -> object:
    value = function(*mine)
    return list(islice(value, MOST_ITEMS)) if isinstance(value, Iterator) else value


def _read(value: object, read: Callable) -> Outcome:
    """What is read of a result; its methods are the student's too and may do anything."""
    if value is None:
        return Outcome(trouble="gives back nothing. Is there a `return`?", kind=NOTHING)
    try:
        with quiet():
            return Outcome(within(PATIENCE, lambda: read(value)))
    except ValueError as error:
        words = str(error)
    except KeyboardInterrupt:
        return Outcome(trouble="was interrupted before it was done.", kind=INTERRUPTED)
    except BaseException:
        words = "the check cannot read it"
    return Outcome(trouble=f"gives back {shown(value)}: {words}", kind=ODD)


def _changed(mine: tuple, given: tuple) -> Outcome | None:
    with quiet():
        for now, was in zip(mine, given):
            if not unchanged(now, was):
                words = f"changes its input: it is {shown(now)} afterwards. Work on a copy."
                return Outcome(trouble=words, kind=CHANGED)
    return None


def unchanged(after: object, before: object) -> bool:
    """Is an input as it was given? Tensors by value, and a module by its weights."""
    try:
        if isinstance(before, torch.nn.Module):
            after, before = after.state_dict(), before.state_dict()
        if isinstance(before, dict):
            same_keys = list(after) == list(before)
            return same_keys and all(unchanged(after[k], before[k]) for k in before)
        if isinstance(before, list | tuple):
            return len(after) == len(before) and all(map(unchanged, after, before))
        if isinstance(before, torch.Tensor) and torch.equal(after, before):
            return True
        if isinstance(before, torch.Tensor | np.ndarray):
            after, before = Numbers(after).array, Numbers(before).array
            return np.array_equal(after, before, equal_nan=True)
        return bool(after == before) or repr(after) == repr(before)
    except Exception:  # something was put in whose comparison fails
        return False


def _too_long() -> Outcome:
    words = f"is not done after {PATIENCE} seconds. Does the loop come to an end?"
    return Outcome(trouble=words, kind=ENDLESS)


def _stopped(error: BaseException, function: Callable) -> Outcome:
    words = f"stops with {error_words(error)}{_line(error, function)}"
    return Outcome(trouble=words, kind=STOPPED)


def _not_written(error: NotImplementedError, function: Callable) -> Outcome:
    """A stub, the student's own or one that it calls; torch's own such errors come with words."""
    if error.args:
        return _stopped(error, function)
    step = error.__traceback__
    while step.tb_next is not None:
        step = step.tb_next
    raised = step.tb_frame.f_code
    own = code_of(function)
    words = ": not written yet."
    if own not in (None, raised):
        words = f" calls {raised.co_name}, which is not written yet: do that one first."
    return Outcome(trouble=words, kind=NOT_WRITTEN)


def error_words(error: BaseException) -> str:
    """An error's kind and the first line of what it says, whatever its own str does."""
    last = traceback.format_exception_only(type(error), error)
    return cut(next(line for line in last[-1].splitlines() or ["an error"]), LONG)


def _line(error: BaseException, function: Callable) -> str:
    """In which line of the student's function it happened, counted from its `def`."""
    code, step, found = code_of(function), error.__traceback__, ""
    while step is not None:
        if step.tb_frame.f_code is code and step.tb_lineno is not None:
            found = f", in its line {step.tb_lineno - code.co_firstlineno + 1}"
        step = step.tb_next
    return found


@contextmanager
def _torch_as_it_was() -> Iterator[None]:
    """PyTorch's settings for the whole program: what a student's function sets ends with it."""
    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    random = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)
        torch.set_rng_state(random)
