"""What a class has answered so far, counted as the answers come in."""

from collections import Counter
from dataclasses import dataclass, field

from .arriving import Answer
from .catalogue import CHECK, NO_TRY, RIGHT, Catalogue, Key

BEFORE, AFTER = 1, 2  # the two votes on a question: before the class has discussed it, and after
STUCK = 3  # tries without success, from which on somebody is stuck
MOST_SEATS = 2000  # in a room
MOST_ANSWERS = 1000  # of a seat


@dataclass
class Tries:
    """What one seat has tried on one exercise."""

    count: int = 0
    passed: bool = False
    mistakes: set[str] = field(default_factory=set)


class Counts:
    """Votes and tries, by seat and by what was asked."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.seats: Counter[int] = Counter()  # answers of each
        self.last: Key | None = None  # what was answered last
        self._voted: dict[tuple[Key, int], dict[int, str]] = {}  # seat -> what it chose first
        self._tries: dict[Key, dict[int, Tries]] = {}

    def has_room(self, seat: int) -> bool:
        """Whether one more answer of this seat may be kept."""
        if seat not in self.seats:
            return len(self.seats) < MOST_SEATS
        return self.seats[seat] < MOST_ANSWERS

    def add(self, answer: Answer, vote: int) -> None:
        """Count an answer; of a question, as part of this vote."""
        self.seats[answer.seat] += 1
        self.last = answer.key
        if answer.kind != CHECK:
            self._voted.setdefault((answer.key, vote), {}).setdefault(answer.seat, answer.chosen)
            return
        if answer.chosen in NO_TRY:  # as when a notebook is run from top to bottom
            return
        tries = self._tries.setdefault(answer.key, {}).setdefault(answer.seat, Tries())
        tries.count += 1
        if answer.chosen == RIGHT:
            tries.passed = True
        else:
            tries.mistakes.add(answer.chosen)

    def votes(self, key: Key, vote: int) -> list[int]:
        """How many seats chose each answer."""
        counted = Counter(self._voted.get((key, vote), {}).values())
        return [counted[choice] for choice in self.catalogue.questions[key].choices]

    def questions(self) -> list[Key]:
        """Those that somebody has answered."""
        return sorted({key for key, _ in self._voted})

    def exercises(self) -> list[dict]:
        """Of each exercise that somebody has tried: how many seats did what."""
        return [_exercise(key, tries.values()) for key, tries in sorted(self._tries.items())]


def _exercise(key: Key, tries) -> dict:
    mistakes = Counter(name for one in tries for name in one.mistakes)
    commonest = sorted(mistakes.items(), key=lambda item: (-item[1], item[0]))
    return {
        "lesson": key[0],
        "name": key[1],
        "tried": len(tries),
        "passed": sum(one.passed for one in tries),
        "stuck": sum(one.count >= STUCK and not one.passed for one in tries),
        "mistakes": commonest,
    }
