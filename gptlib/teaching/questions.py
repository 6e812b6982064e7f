"""A question with a few answers, each with its reply; shown as a widget, or as text to unfold.

The replies to a prediction stand below its experiment, in a widget of their own.
"""

import random
import re
from dataclasses import dataclass, field

import traitlets

from ..formats.images import AS_EXPLORERS
from ..storage import answers
from ..widgets import svg
from ..widgets.explorer import Explorer
from ..widgets.shared import reference

QUICK, PREDICTION = "question", "prediction"
TITLES = {QUICK: "Question", PREDICTION: "Predict"}


@dataclass(frozen=True)
class Question:
    """What is asked, and for each answer the reply to it.

    A reply to a wrong answer names the experiment that refutes it. `code` in backquotes.

    Raises:
        ValueError: `right` is none of the answers, or there is no choice.
    """

    asks: str
    right: str
    replies: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.right not in self.replies or len(self.replies) < 2:
            raise ValueError(f"{self.asks!r}: give two or more answers, the right one among them")

    @property
    def choices(self) -> list[str]:
        return list(self.replies)

    def shuffled(self, *seed: object) -> list[str]:
        """The answers in the order that this seed gives: the same on every computer."""
        return random.Random(repr((self.asks, *seed))).sample(self.choices, len(self.choices))


class QuestionBox(Explorer):
    """A question to click or to answer by keyboard.

    A quick question replies at once and may be tried again. A prediction is committed, cannot be
    changed any more, and is compared by a `Comparison` when the student has run the experiment. The
    answers are in an order of the student's own, so that nobody learns that it is always the
    second.
    """

    SCRIPT = "question"

    chosen = traitlets.Unicode(None, allow_none=True).tag(sync=True)  # what was committed last
    compared = traitlets.Bool(False).tag(sync=True)

    def __init__(self, lesson: str, name: str, question: Question, kind: str = QUICK) -> None:
        self.lesson, self.name, self.question, self.kind = lesson, name, question, kind
        order = question.shuffled(answers.seed())
        super().__init__(
            settings={
                "title": TITLES[kind],
                "asks": question.asks,
                "prediction": kind == PREDICTION,
                "right": question.right,
                "replies": [[choice, question.replies[choice]] for choice in order],
            }
        )

    def answer_commit(self, chosen: str) -> dict:
        """Keep the answer that was given: a prediction only once."""
        if chosen not in self.question.replies:
            raise ValueError(f"{svg.writable(chosen)!r} is none of the answers")
        if self.kind == PREDICTION and self.chosen is not None:
            raise ValueError("a prediction cannot be changed")
        self.chosen = chosen
        right = chosen == self.question.right
        answers.record(self.lesson, self.name, self.kind, chosen, right)
        return {}

    def describe(self) -> str:
        listed = "  ".join(f"({chr(97 + k)}) {c}" for k, c in enumerate(self.question.shuffled()))
        return f"{TITLES[self.kind]}. {self.question.asks}  {listed}"

    def fallback(self) -> dict[str, str]:
        """The question, and of a quick one its replies to be unfolded: the same for all."""
        items = "".join(f"<li>{marked(choice)}</li>" for choice in self.question.shuffled())
        html = f"<p><b>{TITLES[self.kind]}.</b> {marked(self.question.asks)}</p>"
        html += f'<ol type="a">{items}</ol>'
        if self.kind == QUICK:
            html += folded(self.question)
        return saved(self.describe(), html)


class Comparison(Explorer):
    """Where the answer to a prediction is read: what was predicted, and on *Compare* the reply."""

    SCRIPT = "comparison"

    prediction = reference(QuestionBox)

    def __init__(self, question: Question, prediction: QuestionBox | None) -> None:
        self.question = question
        super().__init__(settings={"asks": question.asks}, prediction=prediction)

    def describe(self) -> str:
        return f"Compare. {self.question.asks}"

    def fallback(self) -> dict[str, str]:
        """The question once more, and its replies to be unfolded."""
        html = f"<p><b>Compare.</b> {marked(self.question.asks)}</p>{folded(self.question)}"
        return saved(self.describe(), html)


def saved(words: str, html: str) -> dict[str, str]:
    """What a notebook keeps: the words, and the HTML in letters as large as an explorer's."""
    html = f'<div style="{AS_EXPLORERS}">{html}</div>'
    return {"text/plain": svg.writable(words), "text/html": html}


def folded(question: Question) -> str:
    """The replies as HTML, to be unfolded, in the order in which `shuffled()` has the answers."""
    replies = "".join(
        f"<li>{'✔' if choice == question.right else '✘'} {marked(question.replies[choice])}</li>"
        for choice in question.shuffled()
    )
    return (
        f"<details><summary>Choose first, then unfold</summary>"
        f'<ol type="a">{replies}</ol></details>'
    )


def marked(words: str) -> str:
    """HTML that is safe, with what is in backquotes as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", svg.escape(words))
