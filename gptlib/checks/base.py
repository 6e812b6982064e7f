"""The engine of every check: run the student's function on many inputs, and name the mistake.

A check knows the right function and, for each mistake that beginners make, a function that makes
it. A mistake is named when the student's results are those of its function on every input. So a
diagnosis is an observation, and never a guess from how the code looks.
"""

import copy
import inspect
import re
import reprlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch

PATIENCE = 5  # seconds for one input, where the system has an alarm clock (not on Windows)
WIDTH = 100  # letters of an input or a result that are shown
MOST_NUMBERS = 24  # of a tensor with more, only the shape and the first few are shown

# What may happen instead of a result.
NOT_WRITTEN, STOPPED, ENDLESS = "not written", "stopped", "endless"
CHANGED, NOTHING, ODD = "changed its input", "nothing", "not of that kind"

# What Python's own error leaves a beginner to guess: {pattern in the verdict: a line more}.
NOTES = {
    r"torch\.return_types\.max": "max gives two things, values and places: take `.values`, or use "
    "amax."
}


class Mistake(NamedTuple):
    """A wrong way to do the exercise."""

    name: str
    words: str  # what the student is told: what happened, and where to look
    function: Callable


class Verdict:
    """What a check found. True when right; `mistake` is the name of the mistake, if it has one.

    The check has printed it, so a notebook shows nothing more.
    """

    def __init__(self, right: bool, words: str, mistake: str = "") -> None:
        self.right, self.words, self.mistake = right, words, mistake

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return f"<{'right' if self.right else self.mistake or 'not right yet'}>"

    def _ipython_display_(self) -> None:
        """Nothing: it is printed already."""


class Outcome(NamedTuple):
    """What a function did with one input: its result as read, or what went wrong."""

    value: object = None
    trouble: str = ""  # for the student
    kind: str = ""  # of the trouble, to compare


def check(
    student: Callable,
    *,
    right: Callable,
    inputs: Sequence[tuple],
    mistakes: Sequence[Mistake] = (),
    read: Callable[[object], object] = lambda value: value,
    notes: dict[str, str] | None = None,
) -> Verdict:
    """Print one verdict on a student's function, and return it. Never raises for what it does.

    Args:
        right: the function as it should be. inputs: tuples of arguments, the plainest first.
        read: brings a result into one form, so that a list, an array and a tensor are the same;
            its ValueError says what kind of thing was expected.
        notes: as NOTES, of this exercise alone.
    """
    verdict = judge(student, right, inputs, mistakes, read)
    for pattern, words in (NOTES | (notes or {})).items():
        if not verdict and re.search(pattern, verdict.words):
            verdict.words += f"\n  {words}"
    print(verdict.words)
    return verdict


def judge(student, right, inputs, mistakes, read) -> Verdict:
    """The verdict, not printed."""
    name = getattr(student, "__name__", type(student).__name__)
    if not callable(student):
        return Verdict(False, f"✘ Give the check your function itself, not {_short(student)}.")
    wanted = [outcome(right, given, read) for given in inputs]
    found = []
    for given in inputs:
        found.append(outcome(student, given, read))
        if found[-1].kind in (NOT_WRITTEN, ENDLESS):
            break
    wrong = [k for k, (got, want) in enumerate(zip(found, wanted)) if got != want]
    if not wrong:
        return Verdict(True, f"✔ {name} is right, on {len(inputs)} inputs.")
    first = wrong[0]
    if found[first].kind == NOT_WRITTEN:
        return Verdict(False, f"○ {name}{found[first].trouble}", NOT_WRITTEN)
    mistake = _named(found, wanted, inputs, mistakes, read)
    call = f"{name}({', '.join(map(_short, inputs[first]))})"
    return _told(name, call, found[first], wanted[first], mistake)


def outcome(function: Callable, given: tuple, read: Callable = lambda value: value) -> Outcome:
    """Run a function on a copy of the input, and watch over it."""
    mine = copy.deepcopy(given)
    try:
        with _alarm(PATIENCE):
            value = function(*mine)
            value = list(value) if isinstance(value, Iterator) else value
    except NotImplementedError as error:
        return _unwritten(error, function)
    except _TooLongError:
        words = f"was not done after {PATIENCE} seconds. Does the loop come to an end?"
        return Outcome(trouble=words, kind=ENDLESS)
    except (Exception, SystemExit) as error:
        return _stopped(error, function)
    if not _unchanged(mine, given):
        changed = next(now for now, was in zip(mine, given) if not _unchanged(now, was))
        words = f"has changed its input: it is {_short(changed)} afterwards. Work on a copy."
        return Outcome(trouble=words, kind=CHANGED)
    try:
        return Outcome(read(value))
    except (ValueError, TypeError) as error:
        if value is None:
            return Outcome(trouble="gives back nothing. Is there a `return`?", kind=NOTHING)
        return Outcome(_short(value), f"gives back {_short(value)}: {error}", ODD)


def _named(found, wanted, inputs, mistakes, read) -> Mistake | None:
    """The mistake that does what the student's function does, on every input it came to.

    If there is none: on every input that gave a result, when some of these are wrong; or on the
    first that is wrong, since beginners make two mistakes at once. Where most inputs gave none,
    what is left is too little to tell by.
    """
    results = [[outcome(m.function, given, read) for given in inputs] for m in mistakes]
    for mistake, its in zip(mistakes, results):
        if all(map(_same, found, its)):
            return mistake
    came = [k for k, mine in enumerate(found) if mine.kind != STOPPED]
    if 2 * len(came) >= len(found) and any(found[k] != wanted[k] for k in came):
        for mistake, its in zip(mistakes, results):
            if all(_same(found[k], its[k]) for k in came):
                return mistake
        first = next(k for k in came if found[k] != wanted[k])
        for mistake, its in zip(mistakes, results):
            if _same(found[first], its[first]):
                return mistake
    return None


def _same(mine: Outcome, its: Outcome) -> bool:
    """The same result; or both stopped, whatever they said."""
    return mine.kind == its.kind and (mine.kind == STOPPED or mine.value == its.value)


def _told(name, call, got: Outcome, want: Outcome, mistake: Mistake | None) -> Verdict:
    """What went wrong, with the input that shows it, and the mistake's name if it has one."""
    lines = [
        f"✘ {name}: {mistake.words}" if mistake else f"✘ {name} is not right yet.",
        f"  {call}",
    ]
    lines.append(f"  {got.trouble}" if got.trouble else f"  gives      {_short(got.value)}")
    if got.kind not in (CHANGED, ENDLESS):
        lines.append(f"  should be  {_short(want.value)}")
    return Verdict(False, "\n".join(lines), mistake.name if mistake else got.kind)


def _unchanged(after: object, before: object) -> bool:
    """Is an input as it was given? Tensors by value, and a module by its weights."""
    if isinstance(before, torch.nn.Module):
        after, before = after.state_dict(), before.state_dict()
    if isinstance(before, dict):
        return list(after) == list(before) and all(_unchanged(after[k], before[k]) for k in before)
    if isinstance(before, list | tuple):
        return len(after) == len(before) and all(map(_unchanged, after, before))
    if isinstance(before, torch.Tensor | np.ndarray):
        after, before = Numbers(after).array, Numbers(before).array
        return np.array_equal(after, before, equal_nan=before.dtype.kind == "f")
    return after == before or repr(after) == repr(before)


class _Short(reprlib.Repr):
    """Values on one line: what is long loses its middle, numbers keep three decimals."""

    def repr_float(self, value: float, level: int) -> str:
        return f"{value:.3f}" if abs(value) < 1e4 else f"{value:.3g}"

    def repr_Tensor(self, value: torch.Tensor, level: int) -> str:
        return repr(Numbers(value))

    def repr_ndarray(self, value: np.ndarray, level: int) -> str:
        return repr(Numbers(value))


def _short(value: object, width: int = WIDTH) -> str:
    """A value as Python writes it, on one line, with its middle left out where it is long."""
    shown = _Short()
    shown.maxlist = shown.maxtuple = shown.maxdict = shown.maxset = max(14, width // 8)
    shown.maxstring = shown.maxother = shown.maxlong = max(width, 40)
    shown.maxlevel = 8
    return shown.repr(value)


def _error(error: BaseException) -> str:
    words = str(error).splitlines()[0] if str(error) else ""
    return f"{type(error).__name__}{': ' if words else ''}{words[:WIDTH]}"


def _stopped(error: BaseException, function: Callable) -> Outcome:
    return Outcome(trouble=f"stops with {_error(error)}{_line(error, function)}", kind=STOPPED)


def _unwritten(error: NotImplementedError, function: Callable) -> Outcome:
    """A stub, the student's own or one that it calls; torch's own such errors come with words."""
    if str(error):
        return _stopped(error, function)
    step = error.__traceback__
    while step.tb_next is not None:
        step = step.tb_next
    raised, own = step.tb_frame.f_code, getattr(inspect.unwrap(function), "__code__", None)
    words = ": not written yet."
    if own not in (None, raised):
        words = f" calls {raised.co_name}, which is not written yet: do that one first."
    return Outcome(trouble=words, kind=NOT_WRITTEN)


def _line(error: BaseException, function: Callable) -> str:
    """In which line of the student's function it happened, counted from its `def`."""
    code, step, found = getattr(function, "__code__", None), error.__traceback__, ""
    while step is not None:
        if step.tb_frame.f_code is code:
            found = f", in its line {step.tb_lineno - code.co_firstlineno + 1}"
        step = step.tb_next
    return found


class _TooLongError(BaseException):
    """Not an Exception, so that no `except Exception` of the student's keeps it."""


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Stop what runs inside after some seconds, where the system can."""
    main = threading.current_thread() is threading.main_thread()
    if not hasattr(signal, "setitimer") or not main or sys.gettrace():
        yield
        return

    def ring(*_: object) -> None:
        raise _TooLongError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# ---- Reading results: the same answer in another form is the same answer ----


def ids(value: object) -> list[int]:
    """Whole numbers from a list, a tuple, an array, a tensor; ValueError for anything else."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise ValueError("a list of ids was expected")
    numbers = [item.item() if hasattr(item, "item") else item for item in value]
    if not all(isinstance(item, int) and not isinstance(item, bool) for item in numbers):
        raise ValueError("each id must be a whole number")
    return numbers


def text(value: object) -> str:
    """Text; ValueError for anything else."""
    if not isinstance(value, str):
        raise ValueError("text (a str) was expected")
    return str(value)


class Numbers:
    """An array that equals another of the same shape when the values agree but for rounding.

    Where there are no numbers, the shape does not count: a list loses it.

    >>> Numbers([[0.5, 0.25]])
    [[0.500, 0.250]] (shape 1, 2)
    """

    def __init__(self, value: object) -> None:
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu()
        self.array = np.asarray(value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Numbers):
            return False
        if self.array.size == other.array.size == 0:
            return True
        if self.array.shape != other.array.shape:
            return False
        return np.allclose(self.array, other.array, rtol=1e-4, atol=1e-5, equal_nan=True)

    __hash__ = None

    def __repr__(self) -> str:
        array, shape = self.array, self.array.shape
        if array.size > MOST_NUMBERS:
            return f"numbers of shape {shape}, the first {_short(array.ravel()[:4].tolist())}"
        listed = _short(array.tolist())
        return f"{listed} (shape {', '.join(map(str, shape))})" if array.ndim > 1 else listed


def numbers(value: object) -> Numbers:
    """Numbers from a list, a tuple, an array, a tensor or one number alone; also bools.

    ValueError for anything else. Compared but for rounding, and for the shape.
    """
    if isinstance(value, list | tuple) and any(isinstance(v, torch.Tensor) for v in value):
        shapes = {tuple(v.shape) if hasattr(v, "shape") else () for v in value}
        if len(shapes) > 1:
            raise ValueError("one tensor (or array, or list of numbers) was expected")
        value = torch.stack([torch.as_tensor(v) for v in value])
    if isinstance(value, str | bytes) or value is None:
        raise ValueError("a tensor (or array, or list of numbers) was expected")
    try:
        found = Numbers(value)
    except (ValueError, TypeError, RuntimeError):
        raise ValueError("the rows do not all have the same length") from None
    if found.array.dtype.kind not in "bifu":
        raise ValueError("a tensor (or array, or list of numbers) was expected")
    return found
