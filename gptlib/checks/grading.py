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
from .exercise import Exercise, Property, name_of
from .reading import Numbers
from .running import INTERRUPTED, NOT_WRITTEN

RIGHT = "Every result is right."
CHECKS = "gptlib.checks"
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

    A property has to hold of every result that there is. What stops on some inputs, or does not
    end, has of each property only the share of the inputs on which there was a result.
    """
    found = check.outcomes(student) if callable(student) else []
    results = {k: got.value for k, got in enumerate(found) if not got.kind}
    share = len(results) / len(check.given)

    def holds(prop: Property) -> bool:
        return all(not check.observe(prop, student, k, v, ODD) for k, v in results.items())

    held = [Part(prop.words, share if holds(prop) else 0.0) for prop in earning(check)]
    return [*held, Part(RIGHT, 0.0)]


@cache
def earning(check: Exercise) -> tuple[Property, ...]:
    """The properties that earn something: an answer that does nothing breaks each of them.

    Such answers give back their first argument, or 0, or zeros in the right shape. What holds of
    them too, such as "no number is nan", shows no work.
    """
    idle = [lambda *given: given[0], lambda *given: 0]
    if check.right and isinstance(check.wanted[0].value, Numbers):
        idle.append(lambda *given: np.zeros_like(check.read(check.right(*given)).array, float))
    runs = [(answer, check.outcomes(answer)) for answer in idle]

    def breaks(prop: Property) -> bool:
        return all(
            any(got.kind or check.observe(prop, answer, k, got.value, ODD) for k, got in seen)
            for answer, outcomes in runs
            for seen in [list(enumerate(outcomes))]
        )

    return tuple(prop for prop in check.properties if breaks(prop))


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
