"""Points for an exercise: all for a right answer, and a share for each property that holds.

For nbgrader, whose cells end in `points(checks.logits.softmax, softmax, most=4)`; `make nbgrader`
writes them. Nothing here is shown or kept as a verdict is.
"""

from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from io import StringIO
from types import CodeType, ModuleType
from typing import NamedTuple

import numpy as np

from .blanks import code_of
from .exercise import Exercise, name_of
from .limits import quiet
from .reading import Numbers
from .running import INTERRUPTED, NOT_WRITTEN

RIGHT = "Every result is right."
CHECKS = "gptlib.checks"
EMPTY_KINDS = (list, tuple, dict, set, str, int, float)
HALF = 0.5  # of the inputs
ODD = "cannot be seen in a result like this"


class Part(NamedTuple):
    """One part of an exercise's points."""

    words: str  # a property, or RIGHT
    earned: float  # from 0 to 1


def points(check: Exercise, student: Callable, most: float) -> float:
    """Print which parts of an exercise an answer has earned, and give back its points.

    Each property counts alike, and so does being right on every input. A right answer has all
    points; one that is not written yet, or that calls the course's own answer, has none.

    Args:
        most: the points of a right answer.
    """
    if name := borrowed(student):
        print(f"0 of {most:g} points: the answer uses {name}, which is the course's own.")
        return 0.0
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):  # for nbgrader, stderr is 0
        verdict = check.judge(student)
        open_yet = verdict.mistake in (NOT_WRITTEN, INTERRUPTED)
        found = [Part(RIGHT, 1.0)] if verdict or open_yet else parts(check, student)
    if open_yet:
        print(f"0 of {most:g} points. {verdict.words}")
        return 0.0
    got = round(most * sum(part.earned for part in found) / len(found), 2)
    print(f"{got:g} of {most:g} points for {name_of(student)}.")
    for part in found:
        mark = "✔" if part.earned == 1 else "½" if part.earned else "✘"
        print(f"  {mark} {part.words}")
    return got


def parts(check: Exercise, student: Callable) -> list[Part]:
    """The parts of a wrong answer's points, the last for being right.

    What `worth` finds needs no work earns nothing, but without the first of it, such as the right
    shape, the rest earns nothing either. An answer that stops on some inputs has only the share of
    those on which it gives a result, if these are half of them or more.
    """
    held, share = holding(check, student)
    basics, earns = worth(check)
    share = share if share >= HALF and all(held[:basics]) else 0.0
    triples = zip(check.properties, held, earns)
    found = [Part(prop.words, share if holds else 0.0) for prop, holds, its in triples if its]
    return [*found, Part(RIGHT, 0.0)]


def holding(check: Exercise, student: Callable) -> tuple[list[bool], float]:
    """(does each property hold of all results, the share of the inputs that have a result)."""
    found = check.outcomes(student) if callable(student) else []
    results = {k: got.value for k, got in enumerate(found) if not got.kind}
    held = [
        bool(results) and not any(check.observe(p, student, k, v, ODD) for k, v in results.items())
        for p in check.properties
    ]
    return held, len(results) / len(check.given)


@cache
def worth(check: Exercise) -> tuple[int, tuple[bool, ...]]:
    """(how many of the first properties are basic, does each property earn points).

    Basic is what some answer has that does nothing: it gives back None, its first argument, 0, 1,
    or what is empty or zero in the right form. With all of the basics, such an answer may also have
    a later property, as an empty list has no id twice: that one earns nothing.
    """
    idle = [lambda *given: None, lambda *given: given[0], lambda *given: 0, lambda *given: 1]
    if check.right:
        idle.append(lambda *given: empty(check.read(check.right(*given))))
    with quiet():
        held = [found for found, share in (holding(check, each) for each in idle) if share >= HALF]
    basics = max(([*each, False].index(False) for each in held), default=0)
    rows = [each for each in held if all(each[:basics])]
    earns = tuple(not any(column) for column in zip(*rows))
    return basics, earns or (True,) * len(check.properties)


def empty(value: object) -> object:
    """Zeros in the shape of a result, or an empty one of its kind."""
    if isinstance(value, Numbers):
        return np.zeros_like(value.array, float)
    return type(value)() if isinstance(value, EMPTY_KINDS) else None


# ---- The course's own answers ----


def borrowed(student: object) -> str:
    """The name by which an answer uses the course's own, or "".

    What it calls is looked up, in its own helpers too. That finds a student who tries, and not one
    who hides it well: a teacher who wants to be sure reads the code.
    """
    if _of_the_course(student, "gptlib"):
        return f"{student.__module__}.{name_of(student)}"
    for name, value in _used(student):
        if name.startswith(CHECKS) or name == "checks" or _of_the_course(value, CHECKS):
            return name
    return ""


def _of_the_course(value: object, package: str) -> bool:
    try:
        module = value.__name__ if isinstance(value, ModuleType) else value.__module__
    except Exception:  # objects of the student's, whose attributes may do anything
        return False
    return isinstance(module, str) and f"{module}.".startswith(f"{package}.")


def _used(student: object) -> Iterator[tuple[str, object]]:
    """(name, value or None) of all that a function names, and its helpers in the notebook."""
    space = getattr(code_of(student) and student, "__globals__", {})
    todo, seen = [code_of(student)], set()
    while todo:
        code = todo.pop()
        if code is None or code in seen or len(seen) > 200:
            continue
        seen.add(code)
        todo += [const for const in code.co_consts if isinstance(const, CodeType)]
        for name in (*code.co_names, *code.co_freevars):
            value = space.get(name)
            yield name, value
            if getattr(value, "__globals__", None) is space:
                todo.append(code_of(value))
