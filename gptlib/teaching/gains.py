"""What a class knew before and after: difficulty, discrimination and gain, from inventory answers.

A student's file may hold anything (see `counting`). Whether an answer is right is found out here,
by the inventory's own key, and not taken from the file.
"""

import os
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np

from ..formats.files import user_path
from .counting import answers_in, handed_in, said_of
from .inventory import FORMS, KIND, NOT_VALIDATED, Item, inventory

DRAWS, SURE = 2000, 0.95  # of the bootstrap
GROUP = 0.27  # of a class: its upper and its lower group (Kelley 1939)
FEWEST = 10  # students; with fewer, the figures of a single question say little
COMMONEST = 5


class Sitting:
    """One time that a class has taken the inventory, in either form.

    A student is a file, by its name. Of a question that a file answers twice the last answer
    counts; a question that was left out is not right.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        """Raises FileNotFoundError: there is no such folder."""
        self.left_out: dict[Path, str] = {}
        self.right: dict[str, dict[str, bool]] = {}  # {student: {question: right?}}
        self.believed: Counter[str] = Counter()  # {misconception: wrong answers that show it}
        keys = {f"{KIND}{form.lower()}": {i.name: i for i in inventory(form)} for form in FORMS}
        folder = user_path(folder)
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: no such folder")
        for path in sorted(handed_in(folder)):
            try:
                chosen = _chosen(answers_in(path)[0], keys)
            except (OSError, ValueError) as error:
                self.left_out[path] = str(error)
                continue
            self.right[path.relative_to(folder).as_posix()] = {
                item.name: option == item.right for item, option in chosen.values()
            }
            self.believed.update(item.misconceptions.get(o, "") for item, o in chosen.values())
        del self.believed[""]  # right answers, slips, and what is no option

    def marks(self, students: list[str] | None = None) -> np.ndarray:
        """(students, questions): 1 where the answer was right."""
        rows = self.right if students is None else students
        names = [item.name for item in inventory()]
        found = [[self.right[student].get(name, False) for name in names] for student in rows]
        return np.array(found, dtype=float).reshape(len(found), len(names))


def _chosen(answers: list[dict], keys: dict[str, dict[str, Item]]) -> dict[str, tuple[Item, str]]:
    """{question: (it in its form, what was chosen)} of one file.

    Raises:
        ValueError: the file has no answer to the inventory.
    """
    found = {}
    for answer in answers:
        item = keys.get(answer["lesson"], {}).get(answer["question"])
        if item is not None:
            found[item.name] = item, answer["chosen"]
    if not found:
        raise ValueError("no answers to the inventory in it")
    return found


def discrimination(marks: np.ndarray) -> np.ndarray:
    """(students, questions) -> (questions,): how much more often the better group is right.

    The upper and the lower 27 % by all marks together, at least one student each. nan: there are
    fewer than two students.
    """
    n = len(marks)
    if n < 2:
        return np.full(marks.shape[1], np.nan)
    size = max(1, round(GROUP * n))
    order = np.argsort(marks.sum(1), kind="stable")
    return marks[order[-size:]].mean(0) - marks[order[:size]].mean(0)


def point_biserial(marks: np.ndarray) -> np.ndarray:
    """(students, questions) -> (questions,): each question's correlation with all the others.

    nan: all students have the same mark there, or the same sum of the others.
    """
    if len(marks) < 2:
        return np.full(marks.shape[1], np.nan)
    rest = marks.sum(1, keepdims=True) - marks
    a, b = marks - marks.mean(0), rest - rest.mean(0)
    spread = np.sqrt((a * a).sum(0) * (b * b).sum(0))
    return np.divide((a * b).sum(0), spread, out=np.full(len(spread), np.nan), where=spread > 1e-12)


def gain(before: np.ndarray | float, after: np.ndarray | float) -> np.ndarray:
    """The normalised gain (after - before) / (1 - before) (Hake 1998); nan where all were right."""
    before, after = np.asarray(before, float), np.asarray(after, float)
    left = 1 - before
    return np.divide(after - before, left, out=np.full(left.shape, np.nan), where=left > 1e-12)


def interval(
    figure: Callable[..., np.ndarray], *marks: np.ndarray, paired: bool = False, seed: int = 0
) -> np.ndarray:
    """(2, questions): the ends of each question's 95 % interval, by bootstrap.

    figure: of marks (students, questions), one or two of them. Students are drawn anew, 2,000
    times; paired: the same ones from both. nan: the figure was never a number.
    """
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(DRAWS):
        rows = [rng.integers(len(each), size=len(each)) for each in marks]
        rows = [rows[0]] * len(marks) if paired else rows
        drawn.append(figure(*(each[row] for each, row in zip(marks, rows, strict=True))))
    known = [column[~np.isnan(column)] for column in np.array(drawn).T]
    ends = [(1 - SURE) / 2, (1 + SURE) / 2]
    return np.array([np.quantile(c, ends) if len(c) else [np.nan] * 2 for c in known]).T


class Gains:
    """A class before and after. Printed, it is a table for the teacher.

    The gain is of the students in both folders, by the names of their files; of all students if no
    name is in both.
    """

    def __init__(self, before: str | os.PathLike, after: str | os.PathLike | None = None) -> None:
        self.before = Sitting(before)
        self.after = Sitting(after) if after is not None else None

    @cached_property
    def matched(self) -> list[str]:
        """The students in both folders."""
        return sorted(self.before.right.keys() & self.after.right.keys()) if self.after else []

    @cached_property
    def both(self) -> tuple[np.ndarray, np.ndarray]:
        """Marks before and after, of the students that the gain is of."""
        which = self.matched or None
        return self.before.marks(which), self.after.marks(which)

    def gain(self, seed: int = 0) -> tuple[float, float, float]:
        """(the class's gain, the lower and the upper end of its 95 % interval, by bootstrap).

        Students are drawn anew, those in both folders with both their sheets. nan: nobody.
        """
        before, after = self.both
        if not len(before) or not len(after):
            return (np.nan,) * 3
        rng = np.random.default_rng(seed)
        first = rng.integers(len(before), size=(DRAWS, len(before)))
        then = first if self.matched else rng.integers(len(after), size=(DRAWS, len(after)))
        means = before.mean(1)[first].mean(1), after.mean(1)[then].mean(1)
        drawn = gain(*means)
        drawn = drawn[~np.isnan(drawn)]
        if not len(drawn):  # everybody was right before
            return (np.nan,) * 3
        low, high = np.quantile(drawn, [(1 - SURE) / 2, (1 + SURE) / 2])
        return float(gain(before.mean(), after.mean())), float(low), float(high)

    def __repr__(self) -> str:
        lines = [f"Concept inventory, {NOT_VALIDATED}."]
        sittings = {"before": self.before, "after": self.after}
        sittings = {word: sitting for word, sitting in sittings.items() if sitting is not None}
        for word, sitting in sittings.items():
            marks = sitting.marks()
            mean = f", {marks.mean():.0%} right" if len(marks) else ""
            lines.append(f"{word}: {len(marks)} student{'s' * (len(marks) != 1)}{mean}")
            lines += said_of(sitting.left_out)
        if self.after is not None:
            lines.append(self._said_of_the_gain())
        few = min(len(sitting.right) for sitting in sittings.values()) < FEWEST
        if few:
            lines.append(f"Fewer than {FEWEST} students: a single question says little.")
        lines += ["", *self._table(sittings), ""]
        lines += [] if few else [*self._intervals(sittings), ""]
        for word, sitting in sittings.items():
            found = sitting.believed.most_common(COMMONEST)
            listed = ", ".join(f"{name} ({n})" for name, n in found) or "none"
            lines.append(f"commonest misconceptions {word}: {listed}")
        return "\n".join(lines)

    def _said_of_the_gain(self) -> str:
        middle, low, high = self.gain()
        if np.isnan(middle):
            return "normalised gain: not to be had"
        of = f"{len(self.matched)} students in both" if self.matched else "all students, unmatched"
        return f"normalised gain: {middle:.2f}, 95 % interval {low:.2f} to {high:.2f} ({of})"

    def _table(self, sittings: dict[str, Sitting]) -> list[str]:
        """Each question's figures; discrimination is that of the last sitting."""
        columns = {word: _share(sitting.marks()) for word, sitting in sittings.items()}
        if self.after is not None:
            columns["gain"] = gain(*map(_share, self.both))
        last = list(sittings.values())[-1].marks()
        columns |= {"upper-lower": discrimination(last), "correlation": point_biserial(last)}
        lines = ["question       " + "".join(f"{name:>13}" for name in columns)]
        for k, item in enumerate(inventory()):
            figures = [("-" if np.isnan(c[k]) else f"{c[k]:.2f}") for c in columns.values()]
            lines.append(f"{item.name:15}" + "".join(f"{figure:>13}" for figure in figures))
        return lines

    def _intervals(self, sittings: dict[str, Sitting]) -> list[str]:
        """Between what each question's figures could easily be with another class like this one."""
        found = {word: interval(_share, sitting.marks()) for word, sitting in sittings.items()}
        if self.after is not None and min(map(len, self.both)) >= FEWEST:
            found["gain"] = interval(_gain_of_each, *self.both, paired=bool(self.matched))
        found["upper-lower"] = interval(discrimination, list(sittings.values())[-1].marks())
        lines = ["95 % intervals  " + "".join(f"{name:>16}" for name in found)]
        for k, item in enumerate(inventory()):
            ends = [low_high[:, k] for low_high in found.values()]
            said = ["-" if np.isnan(low) else f"{low:.2f} to {high:.2f}" for low, high in ends]
            lines.append(f"{item.name:16}" + "".join(f"{each:>16}" for each in said))
        return lines


def _gain_of_each(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return gain(_share(before), _share(after))


def _share(marks: np.ndarray) -> np.ndarray:
    return marks.mean(0) if len(marks) else np.full(marks.shape[1], np.nan)
