"""The mutation table: `python -m checks.table logits.softmax --verbose`, with tests/ on the path.

Tries every slip and every mutant of the right answers on the checks, and counts what they say.
"""

import argparse
import importlib
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from checks.mutants import Case, Trial, trials

LESSONS = "machine tokenizer embeddings attention feedforward logits training sampling gpt2".split()
HEAD = ["| exercise | tried | equivalent | accepted | a property | a mistake by name | an error |"]
HEAD[0] += " nearly a mistake | not right yet, no more |"
HEAD.append("|---" * 9 + "|")


@dataclass
class Row:
    """What came of one exercise."""

    name: str
    trials: list[Trial]
    seconds: float
    known: frozenset[str]  # the names of its mistakes

    @property
    def wrong(self) -> list[Trial]:
        return [trial for trial in self.trials if not trial.equivalent]

    def count(self, *told: str) -> int:
        return sum(trial.told in told for trial in self.wrong)

    @property
    def counts(self) -> list[int]:
        equivalent = len(self.trials) - len(self.wrong)
        named = sum(t.verdict.mistake in self.known for t in self.wrong)
        kinds = (("accepted",), ("property",), None, ("trouble",), ("resembles",), ("",))
        found = [named if told is None else self.count(*told) for told in kinds]
        return [len(self.trials), equivalent, *found]

    def __str__(self) -> str:
        return f"| {self.name} | {' | '.join(map(str, self.counts))} |"


def cases(lesson: str) -> dict[str, Case]:
    """{"logits.softmax": its case} of a lesson whose test file gives cases."""
    module = importlib.import_module(f"checks.test_{lesson}")
    found = getattr(module.TestChecks, "cases", {})
    return {case.exercise.name: case for case in found.values()}


def rows(names: list[str]) -> Iterator[Row]:
    """The rows of some lessons ("logits") or exercises ("logits.softmax")."""
    for name in names:
        for exercise, case in cases(name.partition(".")[0]).items():
            if exercise.startswith(name):
                began = time.perf_counter()
                tried = trials(case)
                known = frozenset(m.name for m in case.exercise.mistakes)
                yield Row(exercise, tried, time.perf_counter() - began, known)


def share(found: list[Row]) -> float:
    """Of the wrong answers, those that are told more than "not right yet"."""
    wrong = [trial for row in found for trial in row.wrong]
    return sum(trial.told not in ("", "accepted") for trial in wrong) / len(wrong)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m checks.table", description=__doc__)
    parser.add_argument("names", nargs="*", default=LESSONS, help="logits, logits.softmax, ...")
    parser.add_argument("--verbose", action="store_true", help="print every verdict")
    given = parser.parse_args()
    print("\n".join(HEAD))
    found = []
    for row in rows(given.names):
        found.append(row)
        print(f"{row}  {row.seconds:.1f} s", flush=True)
        for trial in row.wrong:
            if given.verbose or trial.told in ("", "accepted"):
                print(f"    [{trial.told or 'no more'}] {trial.what}\n{trial.verdict.words}\n")
    told = Counter(trial.told for row in found for trial in row.wrong)
    print(f"{share(found):.0%} of {told.total()} wrong answers are told more: {dict(told)}")


if __name__ == "__main__":
    main()
