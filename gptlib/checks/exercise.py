"""The engine of every check: what an exercise asks for, and the one verdict on an answer to it.

An answer is right if it gives the right results on all inputs. If not, the verdict begins with the
first property that does not hold, on the plainest input that shows it. A known mistake is named
only if it gives the same results as the answer on every input.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from .blanks import line_of_ellipsis, without_its_stub
from .limits import quiet
from .reading import Numbers
from .running import CHANGED, ENDLESS, INTERRUPTED, NOT_WRITTEN, ODD, STOPPED, Outcome, run
from .showing import shown, side_by_side
from .verdict import Verdict

ODD_FOR_A_PROPERTY: tuple = (Exception,)  # a result so odd that a property cannot be seen in it

# What Python's own error leaves a beginner to guess: {pattern in the verdict: a line more}.
NOTES = {
    r"torch\.return_types\.m": "max and min give two things, values and places: take `.values`, "
    "or use amax and amin."
}


class Property(NamedTuple):
    """Something that holds of every right result.

    `seen(given, value)` is None where it holds and otherwise what was observed instead ("row 2 sums
    to 0.95"). given: the input. value: the result; Numbers as their array. With `asks`, a third
    argument runs the student's function on another input, and gives its result or None.
    """

    words: str  # a sentence of the lesson: "Each row sums to 1."
    seen: Callable[..., str | None]
    asks: bool = False
    name: str = ""
    advice: str = ""  # where to look if it does not hold

    def named(self, name: str, advice: str = "") -> "Property":
        """The same, as a mistake with a name, of an answer for which it holds on no input."""
        return self._replace(name=name, advice=advice)


class Mistake(NamedTuple):
    """A wrong way to do the exercise."""

    name: str
    function: Callable
    does: str = ""  # "the sum went down the columns": a sentence, and after "It behaves as if"
    advice: str = ""  # where to look: "Sum over the last axis, dim=-1."

    def as_if(self, does: str, advice: str) -> "Mistake":
        """The same with words about it."""
        return self._replace(does=does, advice=advice)


@dataclass(eq=False)
class Exercise:
    """An exercise and what its check knows; called with a student's function, it is the check.

    `inputs`: tuples of arguments, the plainest first; made when first needed, if a function.
    `read`: brings a result into one form; its ValueError says what was expected.
    `right`: the function as it should be. If None, an answer is right if all properties hold.
    `notes`: as NOTES, of this exercise alone.
    `shown`: how an argument is written in a verdict.
    `adapt`: makes of a student's function one that takes the inputs.
    """

    name: str  # "logits.softmax"
    doc: str = ""  # the exercise in a few sentences: its docstring
    right: Callable | None = None
    inputs: Sequence[tuple] | Callable[[], Sequence[tuple]] = ()
    properties: Sequence[Property] = ()
    mistakes: Sequence[Mistake] = ()
    read: Callable[[object], object] = lambda value: value
    notes: dict[str, str] = field(default_factory=dict)
    shown: Callable[[object], str] = shown
    adapt: Callable[[Callable], Callable] = lambda student: student

    def __post_init__(self) -> None:
        self.__doc__, self.__name__ = self.doc, self.name.rpartition(".")[2]

    @cached_property
    def given(self) -> list[tuple]:
        return list(self.inputs() if callable(self.inputs) else self.inputs)

    @cached_property
    def wanted(self) -> list[Outcome]:
        """The right outcomes, or none where properties alone decide."""
        with quiet():
            return self.outcomes(self.right) if self.right else []

    def outcomes(self, function: Callable) -> list[Outcome]:
        """What a function does with every input, up to one on which it does not end."""
        found, function = [], self.adapt(function)
        for given in self.given:
            found.append(run(function, given, self.read))
            if found[-1].ends_the_check:
                break
        return found

    def __call__(self, student: Callable) -> Verdict:
        """Print one verdict on a student's function, keep it, and return it. Never raises."""
        try:
            verdict = self.judge(student)
        except KeyboardInterrupt:
            verdict = Verdict(False, "○ The check was interrupted.", INTERRUPTED, self.name)
        for pattern, words in (NOTES | self.notes).items():
            if not verdict and re.search(pattern, verdict.words):
                verdict.words += f"\n  {words}"
        return verdict.told()

    def judge(self, student: Callable) -> Verdict:
        """The verdict, neither printed nor kept."""
        if not callable(student):
            words = f"✘ Give the check your function itself, not {shown(student)}."
            return Verdict(False, words, exercise=self.name)
        name = name_of(student)
        found = self.outcomes(student)
        unfinished = self._unfinished(student, name, found)
        if unfinished is not None:
            return unfinished
        wrong = self._wrong(student, found)
        if not wrong:
            words = f"✔ {name} is right, on {len(self.given)} inputs."
            return Verdict(True, words, exercise=self.name)
        return self._told(student, name, found, wrong)

    def _wrong(self, student: Callable, found: list[Outcome]) -> list[int]:
        """On which inputs the answer is wrong."""
        if self.right:
            pairs = zip(found, self.wanted)
            with quiet():
                return [k for k, (mine, its) in enumerate(pairs) if not same(mine, its)]
        wrong = [k for k, mine in enumerate(found) if mine.kind]
        failing = None if wrong else self.failing(student, found, range(len(found)))
        return [failing[0]] if failing else wrong

    # ---- Unfinished ----

    def _unfinished(self, student: Callable, name: str, found: list[Outcome]) -> Verdict | None:
        last = found[-1]
        if last.kind == INTERRUPTED:
            return Verdict(False, f"○ {name} {last.trouble}", INTERRUPTED, self.name)
        if last.kind == NOT_WRITTEN:
            words = f"○ {name}{last.trouble}"
            if stub := without_its_stub(student):
                rest, line = stub
                if self.judge(rest):
                    words = f"○ {name}: the answer is there, but line {line} still says `raise "
                    words += "NotImplementedError`, and Python stops there. Take that line out."
            return Verdict(False, words, NOT_WRITTEN, self.name)
        if (line := line_of_ellipsis(student)) and self._wrong(student, found):
            words = f"○ {name}: there is still a `...` in line {line}. Put your answer there."
            return Verdict(False, words, NOT_WRITTEN, self.name)
        return None

    # ---- Wrong ----

    def failing(
        self, student: Callable, found: list[Outcome], wrong: Sequence[int]
    ) -> tuple[int, Property, str] | None:
        """(input, property, observation): on the plainest input, the first that does not hold."""
        for k in wrong:
            for prop in self.properties if not found[k].kind else ():
                if saw := self.observe(prop, student, k, found[k].value):
                    return k, prop, saw
        return None

    def observe(
        self,
        prop: Property,
        student: Callable,
        k: int,
        value: object,
        not_to_be_seen: str | None = None,
    ) -> str | None:
        """What is seen of a result where a property does not hold; None where it holds.

        not_to_be_seen: what is said of a result so odd that the property cannot be seen in it.
        """
        value = value.array if isinstance(value, Numbers) else value

        def ask(*given: object) -> object:
            found = run(self.adapt(student), given, self.read)
            return found.value.array if isinstance(found.value, Numbers) else found.value

        try:
            with quiet():
                return prop.seen(self.given[k], value, *([ask] if prop.asks else []))
        except ODD_FOR_A_PROPERTY:
            return not_to_be_seen

    def _told(self, student, name: str, found: list[Outcome], wrong: list[int]) -> Verdict:
        first = wrong[0]
        failing = None if found[first].kind else self.failing(student, found, wrong)
        k, prop, saw = failing or (first, None, "")
        got = found[k]
        call = f"{name}({', '.join(map(self.shown, self.given[k]))})"
        verdict = Verdict(False, "", got.kind, self.name, call=call, given=self.given[k])
        verdict.observation = got.trouble
        if prop:
            verdict.property, verdict.observation, verdict.advice = prop.words, saw, prop.advice
            fails = (
                not f.kind and self.observe(prop, student, i, f.value) for i, f in enumerate(found)
            )
            verdict.mistake = prop.name if prop.name and all(fails) else ""
        self._put_beside(verdict, got, k)
        with quiet():
            self._explain(verdict, found, k)
        verdict.words = _in_words(name, verdict)
        return verdict

    def _put_beside(self, verdict: Verdict, got: Outcome, k: int) -> None:
        """What came and what should have come, where that is one thing and can be told apart."""
        if not self.right:
            return
        want = self.wanted[k].value
        if got.kind:
            verdict.should_be = "" if got.kind in (CHANGED, ENDLESS) else shown(want)
            return
        both = side_by_side(got.value, want)
        if both[0] != both[1]:
            verdict.gives, verdict.should_be, verdict.marks = both

    # ---- Known mistakes ----

    @cached_property
    def _mistaken(self) -> list[list[Outcome]]:
        with quiet():
            return [self.outcomes(mistake.function) for mistake in self.mistakes]

    def _explain(self, verdict: Verdict, found: list[Outcome], k: int) -> None:
        """Name the mistake that explains every input; or the one that explains most, as such."""
        best = 0.5
        for mistake, its in zip(self.mistakes, self._mistaken):
            agree = [same(a, b) for a, b in zip(found, its)]
            if all(agree) and len(found) == len(its):
                verdict.mistake, verdict.resembles = mistake.name, ""
                verdict.advice = f"{mistake.does[0].upper()}{mistake.does[1:]}. {mistake.advice}"
                return
            if k >= len(agree) or not agree[k] or found[k].kind == STOPPED:
                continue
            share = self._share(found, its, agree)
            if share > best:
                best, verdict.resembles = share, mistake.name
                verdict.advice = f"On this input it behaves as if {mistake.does}. {mistake.advice}"

    def _share(self, found: list[Outcome], its: list[Outcome], agree: list[bool]) -> float:
        """On how many inputs they agree, of those on which one of the two is wrong."""
        if not self.right:
            return sum(agree) / len(found)
        triples = zip(found, its, self.wanted)
        wrong = [not (same(a, want) and same(b, want)) for a, b, want in triples]
        return sum(yes for yes, bad in zip(agree, wrong) if bad) / sum(wrong)


def same(mine: Outcome, its: Outcome) -> bool:
    """The same result; or both stopped, whatever they said."""
    if mine.kind != its.kind:
        return False
    if mine.kind == ODD:
        return mine.trouble == its.trouble
    return mine.kind in (STOPPED, CHANGED) or mine.value == its.value


def name_of(student: object) -> str:
    """What a student calls his function."""
    try:
        name = getattr(student, "__name__", None)
    except Exception:
        name = None
    return name if isinstance(name, str) else type(student).__name__


def _in_words(name: str, verdict: Verdict) -> str:
    """A verdict as it is printed."""
    trouble = "" if verdict.property or verdict.gives else verdict.observation
    first = f"{name} is not right yet."
    if verdict.property:
        first = f"{name}: {verdict.observation}. {verdict.property}"
    lines = [(f"✘ {first}", True), (f"  {verdict.advice}", verdict.advice)]
    lines += [(f"  {verdict.call}", True), (f"  {trouble}", trouble)]
    lines += [(f"  gives      {verdict.gives}", verdict.gives)]
    lines += [(f"  should be  {verdict.should_be}", verdict.should_be)]
    lines += [(f"             {verdict.marks}", verdict.marks)]
    return "\n".join(line for line, there in lines if there)
