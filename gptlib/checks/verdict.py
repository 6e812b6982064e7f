"""What a check found: shown as text or in a notebook as a page, and kept for the teacher."""

import sys
from dataclasses import dataclass, field

from ..storage import answers
from .html import verdict_html

# In a class's answers a lesson goes by its number, 00 to 08.
LESSONS = ("machine", "tokenizer", "embeddings", "attention", "feedforward", "logits", "training")
LESSONS += ("sampling", "gpt2")


@dataclass(repr=False)
class Verdict:
    """True when right. The check has shown it, so a notebook shows nothing more.

    `mistake` is the name of a known mistake that explains every input, or the kind of trouble
    ("stopped", "not written", ...), or "".
    """

    right: bool
    words: str  # all that is said, in lines
    mistake: str = ""
    exercise: str = ""  # "logits.softmax"
    property: str = ""  # the sentence that does not hold: "Each row sums to 1."
    observation: str = ""  # what was seen: "row 2 sums to 0.95"
    advice: str = ""  # about the mistake
    resembles: str = ""  # the name of a mistake that explains most inputs
    call: str = ""  # "softmax([2, 1, 0])"
    gives: str = ""
    should_be: str = ""
    marks: str = ""  # under `gives` and `should_be`: ^ where they differ
    given: tuple = field(default=(), compare=False)  # the input that is told about

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return f"<{'right' if self.right else self.mistake or 'not right yet'}>"

    def _ipython_display_(self) -> None:
        """Nothing: it is shown already."""

    def told(self) -> "Verdict":
        """It, shown and kept."""
        if trouble := self.keep():
            self.words += f"\n  ({trouble})"
        notebook = _notebook()
        if notebook is None:
            print(self.words)
        else:
            html = verdict_html(self.words, self.gives, self.should_be, self.marks)
            notebook.display_pub.publish({"text/plain": self.words, "text/html": html})
        return self

    def keep(self) -> str:
        """Add it to the student's answers, without code or name; "" or why that failed."""
        chosen = "right" if self.right else self.mistake or self.property or "not right yet"
        try:
            answers.record(*key(self.exercise), "check", chosen, self.right)
        except ValueError as error:
            return str(error)
        return ""


def key(exercise: str) -> tuple[str, str]:
    """The lesson and the name of an exercise, as they are kept.

    >>> key("logits.softmax")
    ('05', 'softmax')
    """
    lesson, _, name = exercise.rpartition(".")
    return (f"{LESSONS.index(lesson):02d}" if lesson in LESSONS else lesson), name


def _notebook() -> object | None:
    """The IPython that runs in a kernel, if this is one; in a terminal text is better printed."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell if hasattr(shell, "kernel") else None
