"""The engine of every check: run the student's function on many inputs, and name the mistake.

A check knows the right function and, for each mistake that beginners make, a function that makes
it. A mistake is named when the student's results are those of its function on every input. So a
diagnosis is an observation, and never a guess from how the code looks.
"""

import copy
import reprlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

PATIENCE = 5  # seconds for one input, where the system has an alarm clock (not on Windows)
WIDTH = 100  # letters of an input or a result that are shown

# What may happen instead of a result.
NOT_WRITTEN, STOPPED, ENDLESS = "not written", "stopped", "endless"
CHANGED, NOTHING, ODD = "changed its input", "nothing", "not of that kind"


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
) -> Verdict:
    """Print one verdict on a student's function, and return it. Never raises for what it does.

    Args:
        right: the function as it should be. inputs: tuples of arguments, the plainest first.
        read: brings a result into one form, so that a list, an array and a tensor are the same;
            its ValueError says what kind of thing was expected.
    """
    verdict = judge(student, right, inputs, mistakes, read)
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
    if found[wrong[0]].kind == NOT_WRITTEN:
        return Verdict(False, f"○ {name}: not written yet.", NOT_WRITTEN)
    first = wrong[0]
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
    except NotImplementedError:
        return Outcome(kind=NOT_WRITTEN)
    except _TooLongError:
        words = f"was not done after {PATIENCE} seconds. Does the loop come to an end?"
        return Outcome(trouble=words, kind=ENDLESS)
    except (Exception, SystemExit) as error:
        where = _line(error, function)
        return Outcome(trouble=f"stops with {_error(error)}{where}", kind=STOPPED)
    if _short(mine, 10**6) != _short(given, 10**6):
        words = f"has changed its input: it is {_short(mine[0])} afterwards. Work on a copy."
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
    first that is wrong, since beginners make two mistakes at once.
    """
    results = [[outcome(m.function, given, read) for given in inputs] for m in mistakes]
    for mistake, its in zip(mistakes, results):
        if all(map(_same, found, its)):
            return mistake
    came = [k for k, mine in enumerate(found) if mine.kind != STOPPED]
    if any(found[k] != wanted[k] for k in came):
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


def _short(value: object, width: int = WIDTH) -> str:
    """A value as Python writes it, with its middle left out where it is long."""
    shown = reprlib.Repr()
    shown.maxlist = shown.maxtuple = shown.maxdict = shown.maxset = max(14, width // 8)
    shown.maxstring = shown.maxother = shown.maxlong = max(width, 40)
    shown.maxlevel = 8
    return shown.repr(value)


def _error(error: BaseException) -> str:
    words = str(error).splitlines()[0] if str(error) else ""
    return f"{type(error).__name__}{': ' if words else ''}{words[:WIDTH]}"


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
