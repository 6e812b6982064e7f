"""What a class may be asked: the questions with their answers, the exercises with their mistakes.

Only what is in here is ever shown. An answer that arrives is looked up, and its words are dropped
where the course does not know them.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

CHECK, VOTES = "check", ("question", "prediction")  # kinds of answers
RIGHT, OTHER = "right", "not right yet"  # of a check; the second also for what has no known name
NO_TRY = ("not written", "interrupted")  # what a check says where nothing was tried
Key = tuple[str, str]  # (lesson, name): ("03", "spread")


class Asked(NamedTuple):
    """A question of a lesson; `choices` in the order in which the page shows them."""

    words: str
    choices: tuple[str, ...]
    right: str


class Exercise(NamedTuple):
    """An exercise, and the names of what may be wrong with an answer to it."""

    words: str
    mistakes: frozenset[str]


@dataclass(frozen=True)
class Catalogue:
    """The questions and exercises of a course, by lesson and name."""

    questions: dict[Key, Asked] = field(default_factory=dict)
    exercises: dict[Key, Exercise] = field(default_factory=dict)

    def known(self, key: Key, kind: str, chosen: str) -> str:
        """The answer in the course's own words.

        Raises:
            ValueError: there is no such question or exercise, or the question has no such answer.
        """
        if kind == CHECK:
            if key not in self.exercises:
                raise ValueError("no such exercise")
            return chosen if chosen in {RIGHT, *self.exercises[key].mistakes} else OTHER
        if key not in self.questions:
            raise ValueError("no such question")
        if chosen not in self.questions[key].choices:
            raise ValueError("no such answer")
        return chosen

    def shown(self) -> dict:
        """What the page is told once: every question without its right answer, every exercise."""
        questions = [
            {"lesson": lesson, "name": name, "words": asked.words, "choices": asked.choices}
            for (lesson, name), asked in self.questions.items()
        ]
        exercises = [
            {"lesson": lesson, "name": name, "words": exercise.words}
            for (lesson, name), exercise in self.exercises.items()
        ]
        return {"questions": questions, "exercises": exercises}
