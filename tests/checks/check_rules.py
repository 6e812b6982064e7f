"""What holds of the checks of every lesson. A lesson's test file gives its cases:

class TestChecks(CheckRules):
    right = {check: [right answers, differently written]}
    wrong = {check: {name of a mistake: the code of a beginner who makes it}}
    known = {check: the mistakes that the check knows}
"""

from collections.abc import Callable

import pytest

from gptlib.checks import base

ODD = [None, 3, "decode", print, lambda: 1, lambda *a: exit(), lambda *a: object(), type]


class CheckRules:
    """One case for each answer: see `pytest_generate_tests` in conftest."""

    right: dict[Callable, list[Callable]]
    wrong: dict[Callable, dict[str, Callable]]
    known: dict[Callable, tuple[base.Mistake, ...]]

    def test_a_right_answer_is_accepted_however_it_is_written(self, check, answer, capsys):
        assert check(answer)
        name = getattr(answer, "__name__", type(answer).__name__)
        assert capsys.readouterr().out.startswith(f"✔ {name} is right")

    def test_a_mistake_is_called_by_its_name(self, check, mistake, capsys):
        verdict = check(self.wrong[check][mistake])
        said = capsys.readouterr().out
        assert not verdict and verdict.mistake == mistake
        assert next(m.words for m in self.known[check] if m.name == mistake) in said

    def test_there_is_a_test_for_each_mistake_that_a_check_claims_to_know(self, check):
        assert [mistake.name for mistake in self.known[check]] == list(self.wrong[check])
        assert len(self.right[check]) >= 2

    def test_a_stub_is_not_written_yet(self, check, capsys):
        def stub(*_):
            raise NotImplementedError

        assert check(stub).mistake == base.NOT_WRITTEN
        assert capsys.readouterr().out == "○ stub: not written yet.\n"

    def test_nothing_a_student_gives_raises(self, check, odd, capsys):
        assert not check(odd)
        assert capsys.readouterr().out


def cases(rules: type[CheckRules], names: tuple[str, ...]) -> list[pytest.param]:
    """The arguments of a test of `rules` that asks for `names`."""
    if "answer" in names:
        found = [(check, a) for check, answers in rules.right.items() for a in answers]
    elif "mistake" in names:
        found = [(check, name) for check, named in rules.wrong.items() for name in named]
    elif "odd" in names:
        found = [(check, odd) for check in rules.known for odd in ODD]
    else:
        found = [(check,) for check in rules.known]
    return [pytest.param(*case, id=f"{case[0].__name__}-{k}") for k, case in enumerate(found)]


def give_cases(metafunc: pytest.Metafunc) -> None:
    """Give a test of the rules its cases."""
    names = [n for n in ("check", "answer", "mistake", "odd") if n in metafunc.fixturenames]
    if names:
        metafunc.parametrize(",".join(names), cases(metafunc.cls, tuple(names)))
