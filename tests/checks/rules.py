"""What holds of the check of every exercise. A lesson's test file gives its cases:

class TestChecks(CheckRules):
    cases = {logits.softmax: Case(logits.SOFTMAX, right=[...], slips={...}, fuzz=...)}
"""

import re
from collections.abc import Callable

import pytest
import torch

from checks.mutants import Case, Trial, impatient, tried
from gptlib.checks import running
from gptlib.checks.exercise import same
from gptlib.checks.limits import quiet


class BadRepr:
    def __repr__(self):
        raise RuntimeError("no repr")

    __str__ = __repr__


class BadEq(BadRepr):
    def __eq__(self, other):
        raise RuntimeError("no ==")

    __hash__ = None

    def __getattr__(self, name):
        raise RuntimeError(f"no {name}")


def _raises(*_):
    raise BadError


class BadError(BaseException):
    def __str__(self):
        raise RuntimeError("no str")


def _itself():
    found = []
    found.append(found)
    return found


ODD_ANSWERS = [None, 3, "decode", print, type, BadRepr(), BadEq(), lambda: 1, lambda *a: exit()]
ODD_ANSWERS += [_raises, torch.tensor(1.0)]
ODD_RESULTS = [
    object(), BadRepr(), BadEq(), [BadEq()], {"a": BadRepr()}, type, 10**5000, [10**400],
    "x" * 10**5, _itself(), float("nan"), 1j, b"\xff", [[1], [1, 2]], [None], {}, set(), (), [[]],
    range(3),
    torch.ones(2, 3).to_sparse(), torch.ones(2, device="meta"), torch.ones(2).bfloat16(),
    torch.ones(2, dtype=torch.complex64), torch.zeros(0, 3), torch.ones(3).half(),
]  # fmt: skip
with quiet():
    ODD_RESULTS.append(torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.quint8))
    ODD_RESULTS.append(torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]))


class CheckRules:
    """One test for each case: see `pytest_generate_tests` below."""

    cases: dict[Callable, Case]

    def pytest_generate_tests(self, metafunc):
        names = [n for n in ("check", "answer", "slip", "mistake") if n in metafunc.fixturenames]
        if names:
            params = list(_params(metafunc.cls.cases, names))
            metafunc.parametrize(names, params)

    def test_a_right_answer_is_accepted_however_it_is_written(self, check, answer, capsys):
        assert check(answer), capsys.readouterr().out
        said = capsys.readouterr().out
        assert said.startswith("✔ ") and " is right, on " in said

    def test_there_are_two_right_answers_and_ten_slips(self, check):
        assert len(self.cases[check].right) >= 2
        assert len(self.cases[check].slips) >= 10

    def test_a_slip_under_the_name_of_a_mistake_is_called_so(self, check, slip, capsys):
        case = self.cases[check]
        exercise = case.exercise
        known = {m.name: m for m in (*exercise.mistakes, *exercise.properties) if m.name}
        verdict = check(case.slips[slip])
        assert not verdict
        if slip in known:
            assert verdict.mistake == slip
            assert known[slip].advice in capsys.readouterr().out
        with impatient(case):
            assert_true(case, Trial(slip, case.slips[slip], verdict, equivalent=False))

    def test_a_known_mistake_explains_its_own_function(self, check, mistake):
        known = {mistake.name: mistake for mistake in self.cases[check].exercise.mistakes}
        assert self.cases[check].exercise.judge(known[mistake].function).mistake == mistake

    def test_no_two_mistakes_and_no_mistake_and_the_right_answer_agree(self, check):
        exercise = self.cases[check].exercise
        table = dict(zip((m.name for m in exercise.mistakes), exercise._mistaken, strict=True))
        if exercise.right:
            table["right"] = exercise.wanted
        for name, its in table.items():
            for other, others in table.items():
                if name < other and len(its) == len(others):
                    with quiet():
                        alike = all(map(same, its, others))
                    assert not alike, f"{name} and {other} agree on all inputs"

    def test_every_property_holds_of_the_right_answers(self, check):
        exercise = self.cases[check].exercise
        answers = self.cases[check].right if exercise.right else []  # else they decide themselves
        for answer in answers:
            for k, found in enumerate(exercise.outcomes(answer)):
                for prop in exercise.properties:
                    assert exercise.observe(prop, answer, k, found.value) is None, prop.words

    def test_mutants_are_refused_and_what_is_said_of_them_is_so(self, check):
        case = self.cases[check]
        with impatient(case), quiet():
            for what, mutant in list(case.mutants.items())[:: case.every]:
                trial = tried(case, what, mutant)
                assert trial.equivalent or not trial.verdict, f"accepted: {what}"
                assert_true(case, trial)

    def test_a_stub_is_not_written_yet(self, check, capsys):
        def stub(*_):
            raise NotImplementedError

        assert check(stub).mistake == running.NOT_WRITTEN
        assert capsys.readouterr().out == "○ stub: not written yet.\n"

    def test_nothing_a_student_gives_or_gives_back_raises(self, check, capsys):
        for odd in ODD_ANSWERS:
            assert not check(odd)
        for odd in ODD_RESULTS:
            check(lambda *_, odd=odd: odd)
        assert capsys.readouterr().out


def assert_true(case: Case, trial: Trial) -> None:
    """Whatever a verdict says of an answer holds of it when it is run once more."""
    exercise, verdict = case.exercise, trial.verdict
    if verdict.right or not verdict.call or verdict.mistake == running.ENDLESS:
        return
    names = {m.name: its for m, its in zip(exercise.mistakes, exercise._mistaken)}
    k = next(k for k, given in enumerate(exercise.given) if given is verdict.given)
    if verdict.mistake in names:
        again = exercise.outcomes(trial.answer)
        with quiet():
            assert all(map(same, again, names[verdict.mistake])), trial.what
        found = again[k]
    else:  # all that is said is of one input
        found = running.run(exercise.adapt(trial.answer), verdict.given, exercise.read)
    with quiet():
        if verdict.resembles:
            assert same(found, names[verdict.resembles][k]), trial.what
        if verdict.property:
            [prop] = [p for p in exercise.properties if p.words == verdict.property]
            again = exercise.observe(prop, trial.answer, k, found.value)
            if exercise.right:
                assert again == verdict.observation, trial.what
            assert again, trial.what  # of a training loop the last digits may be different
        elif found.kind:
            assert steady(found.trouble) == steady(verdict.observation), trial.what


def steady(words: str) -> str:
    """Without what differs from run to run: where an object lies in memory, and the line of an
    error about an unassigned name, of which CPython is not sure once a function has run often."""
    return re.sub(r" at 0x\w+|, in its line \d+", "", words)


def _params(cases: dict[Callable, Case], names: list[str]):
    for check, case in cases.items():
        of = {
            "answer": [(check, answer) for answer in case.right],
            "slip": [(check, slip) for slip in case.slips],
            "mistake": [(check, mistake.name) for mistake in case.exercise.mistakes],
            "check": [(check,)],
        }[names[-1]]
        for k, args in enumerate(of):
            label = args[-1] if names[-1] in ("slip", "mistake") else str(k)
            yield pytest.param(*args, id=f"{check.__name__}-{label}")
