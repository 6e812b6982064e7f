"""A question with a few answers, each with its reply; shown as a widget, or as text to unfold."""

import re
from dataclasses import dataclass, field

from ipywidgets import HTML, RadioButtons

from ..storage import answers
from ..widgets import svg
from ..widgets.base import Explorer
from ..widgets.controls import row

QUICK, PREDICTION = "question", "prediction"
CSS = """
.gptlib-question .widget-radio { width: auto; }
.gptlib-question .widget-radio-box { flex: 1; max-width: 100%; padding-left: 4px; }
.gptlib-question .widget-radio-box label { white-space: normal; height: auto; padding: 3px 0;
  max-width: 100%; font-size: 14px; line-height: 1.4; }
"""


@dataclass(frozen=True)
class Question:
    """What is asked, and of each answer what is replied to it.

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


class QuestionBox(Explorer):
    """A question to click or to answer by keyboard.

    A quick question replies at once and may be tried again. A prediction is committed, cannot be
    changed any more, and is compared when the student has run the experiment.
    """

    def __init__(self, lesson: str, name: str, question: Question, kind: str = QUICK) -> None:
        self.lesson, self.name, self.question, self.kind = lesson, name, question, kind
        self.committed = self.compared = False
        self.chosen: str | None = None
        plain = [_plain(choice) for choice in question.choices]
        asks = HTML(f"<style>{CSS}</style><b>{self._title}.</b> {_marked(question.asks)}")
        self.choices = RadioButtons(
            options=list(zip(plain, question.choices)),
            value=None,
            description="your answer",
            layout={"width": "auto"},
        ).add_class("gptlib-box")
        first = "Commit" if kind == PREDICTION else "Check"
        self.buttons = {first: self.button(first, self.commit, "give this answer")}
        if kind == PREDICTION:
            hint = "after you have run the next cells"
            self.buttons["Compare"] = self.button("Compare", self.compare, hint)
            self.buttons["Compare"].disabled = True
        super().__init__([asks, self.choices, row(*self.buttons.values())], [])
        self.message.layout.min_height = "0"
        self.add_class("gptlib-question")

    @property
    def _title(self) -> str:
        return "Predict" if self.kind == PREDICTION else "Question"

    def commit(self) -> None:
        """Take the answer that is marked, and save it."""
        if self.choices.value is None:
            raise ValueError("choose an answer first")
        self.chosen, self.committed = self.choices.value, True
        if self.kind == PREDICTION:
            self.choices.disabled = self.buttons["Commit"].disabled = True
            self.buttons["Compare"].disabled = False
        self.refresh()
        right = self.chosen == self.question.right
        answers.record(self.lesson, self.name, self.kind, self.chosen, right)

    def compare(self) -> None:
        """After the experiment: what it says of the answer."""
        if not self.committed:
            raise ValueError("commit to an answer first")
        self.compared = True
        self.refresh()

    def draw(self) -> str:
        return f'<div role="status">{self._reply()}</div>'

    def _reply(self) -> str:
        if not self.committed:
            return ""
        if self.kind == PREDICTION and not self.compared:
            chosen = _marked(self.chosen)
            return f"Noted: {chosen}. Now run on; when you have seen it, press <b>Compare</b>."
        right = self.chosen == self.question.right
        verdict = "✔ Yes." if right else "✘ No."
        reply = f"<b>{verdict}</b> {_marked(self.question.replies[self.chosen])}"
        if right or self.kind == QUICK:
            return reply
        answer = self.question.right
        return f"{reply}<br>It is: {_marked(answer)}. {_marked(self.question.replies[answer])}"

    def describe(self) -> str:
        listed = "  ".join(f"({chr(97 + k)}) {c}" for k, c in enumerate(self.question.choices))
        return f"{self._title}. {self.question.asks}  {listed}"

    def fallback(self) -> dict[str, str]:
        """The question, and its answers to be unfolded: the same before and after answering."""
        items = "".join(f"<li>{_marked(choice)}</li>" for choice in self.question.choices)
        replies = "".join(
            f"<li>{'✔' if choice == self.question.right else '✘'} {_marked(reply)}</li>"
            for choice, reply in self.question.replies.items()
        )
        html = f"<p><b>{self._title}.</b> {_marked(self.question.asks)}</p>"
        html += f'<ol type="a">{items}</ol><details><summary>Choose first, then unfold</summary>'
        html += f'<ol type="a">{replies}</ol></details>'
        return {"text/plain": svg.writable(self.describe()), "text/html": html}


def _plain(words: str) -> str:
    """Without the backquotes, for where no code can be set."""
    return svg.writable(words.replace("`", ""))


def _marked(words: str) -> str:
    """HTML that is safe, with what stands in backquotes as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", svg.escape(words))
