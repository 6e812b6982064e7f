"""A lesson as its notebook uses it: the map with its part lit, questions, hints, the machine."""

import importlib

from .. import widgets
from ..formats.images import AS_EXPLORERS
from ..plots import Picture, machine
from ..plots.machine import LESSONS
from ..storage.checkpoint import load
from ..widgets.machine import OPENED, Machine
from .questions import PREDICTION, QUICK, Comparison, QuestionBox, marked

# By their numbers. Those that are no part of the machine are about the whole of it; the capstone
# has no number.
PARTS = ("machine", *LESSONS, "gpt2", "capstone")


class Lesson:
    """One of the lessons by the name of its part; shown, it is the map with this part lit.

    "machine" is lesson 00, "gpt2" lesson 08 and "capstone" the capstone: their maps have all parts
    alike.

    Raises:
        ValueError: no lesson has that name.

    >>> [Lesson(part).number for part in ("machine", "tokenizer", "gpt2")]
    ['00', '01', '08']
    """

    def __init__(self, part: str) -> None:
        if part not in PARTS:
            raise ValueError(f"part must be one of {', '.join(PARTS)}, not {part!r}")
        self.part = part
        self.number = part if part == "capstone" else f"{PARTS.index(part):02d}"
        self._predictions: dict[str, QuestionBox] = {}  # the latest box of each
        self._comparisons: dict[str, list[Comparison]] = {}
        self._words = importlib.import_module(f"{__package__}.{part}")

    def map(self) -> Picture:
        """The whole machine, with today's part lit if it is one."""
        return machine(self.part if self.part in LESSONS else None)

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        return self.map()._repr_mimebundle_(include, exclude)

    def machine(self, text: str = "The cat is") -> Machine:
        """The pets model as the whole machine, alive, open at today's station.

        Lesson 08 is about parameters, and so opens what training has adjusted.
        The capstone's notebook has none: its model is made there of the class's own text, and this
        is the pets model. It ends with its own model in the studio.
        """
        elsewhere = "training" if self.part == "gpt2" else "text"
        station = self.part if self.part in OPENED else elsewhere
        return widgets.machine(*load("pets"), text, station)

    def ask(self, name: str) -> QuestionBox:
        """A quick question: it replies at once, and may be tried again."""
        return QuestionBox(self.number, name, self._find(name, "QUESTIONS"), QUICK)

    def predict(self, name: str) -> QuestionBox:
        """A prediction, to be committed before its experiment is run."""
        question = self._find(name, "QUESTIONS")
        box = QuestionBox(self.number, name, question, PREDICTION)
        self._predictions[name] = box
        for comparison in self._comparisons.get(name, []):  # those that are on the page already
            comparison.prediction = box
        return box

    def compare(self, name: str) -> Comparison:
        """The end of a prediction's experiment: compare the result with what was predicted."""
        made = Comparison(self._find(name, "QUESTIONS"), self._predictions.get(name))
        self._comparisons.setdefault(name, []).append(made)
        return made

    def hint(self, name: str) -> "Hint":
        """Hints to an exercise, folded away, each giving away a little more."""
        return Hint(self._find(name, "HINTS"))

    def _find(self, name: str, kind: str):
        known = getattr(self._words, kind)
        if name not in known:
            what = kind.lower()[:-1]
            raise ValueError(f"lesson {self.number} has no {what} {name!r}: {', '.join(known)}")
        return known[name]


class Hint:
    """Hints inside each other: to see the second, unfold the first."""

    def __init__(self, steps: tuple[str, ...]) -> None:
        self.steps = steps

    def __repr__(self) -> str:
        return f"{len(self.steps)} hint{'s' * (len(self.steps) != 1)}, folded away"

    def _repr_html_(self) -> str:
        html = ""
        for k, step in reversed(list(enumerate(self.steps, 1))):
            name = f"Hint {k} of {len(self.steps)}"
            body = f'<div style="margin-left: 1em">{marked(step)}{html}</div>'
            html = f"<details><summary>{name}</summary>{body}</details>"
        return f'<div style="{AS_EXPLORERS}">{html}</div>'
