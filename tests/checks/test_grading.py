"""gptlib.checks.grading: a right answer has all points, a wrong one a share, an idle one none."""

import numpy as np
import pytest
import torch

from checks.rules import ODD_ANSWERS
from gptlib import checks
from gptlib.checks import running
from gptlib.checks.exercise import Exercise, Mistake
from gptlib.checks.grading import RIGHT, borrowed, parts, points, worth

LESSONS = "machine tokenizer embeddings attention feedforward logits training sampling gpt2".split()
EXERCISES = {
    found.name: found
    for lesson in LESSONS
    for found in vars(getattr(checks, lesson)).values()
    if isinstance(found, Exercise)
}
each = pytest.mark.parametrize("check", EXERCISES.values(), ids=EXERCISES)
SOFTMAX = checks.logits.softmax


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(running, "PATIENCE", 1)


def right(logits):
    powers = torch.exp(logits)
    return powers / powers.sum(dim=-1, keepdim=True)


def not_divided(logits):
    return torch.exp(logits)


def test_a_right_answer_has_all_points_and_an_open_exercise_none(capsys):
    def stub(logits):
        raise NotImplementedError

    assert points(SOFTMAX, right, most=4) == 4.0
    assert capsys.readouterr().out == "4 of 4 points for right.\n  ✔ Every result is right.\n"
    assert points(SOFTMAX, stub, most=4) == 0.0
    assert capsys.readouterr().out == "0 of 4 points. ○ stub: not written yet.\n"


def test_a_wrong_answer_has_a_share_for_each_property_that_holds(capsys):
    """The odds are right, and the sums are not: a third, with the part for being right."""
    assert points(SOFTMAX, not_divided, most=6) == 2.0
    assert capsys.readouterr().out.splitlines() == [
        "2 of 6 points for not_divided.",
        "  ✘ Each row is one distribution: it sums to 1.",
        "  ✔ The odds of two tokens are e to the difference of their logits.",
        "  ✘ Every result is right.",
    ]


def test_where_an_answer_stops_on_some_inputs_it_has_the_share_of_the_others():
    def now_and_then(logits):
        if logits.dim() > 2:
            raise ValueError
        return not_divided(logits)

    share = sum(given[0].dim() <= 2 for given in SOFTMAX.given) / len(SOFTMAX.given)
    assert 0.5 <= share < 1
    assert [part.earned for part in parts(SOFTMAX, now_and_then)] == [0, share, 0]


def test_an_answer_that_stops_on_most_inputs_has_no_points():
    def seldom(logits):
        if logits.max() > 0:
            raise ValueError
        return not_divided(logits)

    assert points(SOFTMAX, seldom, most=4) == 0.0


def test_a_result_too_odd_for_a_property_does_not_count_as_if_it_held():
    """Of a result in another shape some properties cannot be seen at all."""
    assert not any(part.earned for part in parts(SOFTMAX, lambda logits: torch.ones(7, 7, 7)))


def zero(*given):
    return 0


def nothing(*given):
    return None


def its_input(*given):
    return given[0]


@each
@pytest.mark.parametrize("idle", [zero, nothing, its_input])
def test_an_answer_that_does_nothing_has_no_points(check, idle):
    assert points(check, idle, most=4) == 0.0


@each
def test_zeros_in_the_right_shape_have_no_points(check):
    if check.right is None:
        pytest.skip("no one result is right")

    def zeros(*given):
        value = check.read(check.right(*given))
        value = getattr(value, "array", value)
        return np.zeros_like(value) if isinstance(value, np.ndarray) else type(value)()

    assert points(check, zeros, most=4) == 0.0


@each
def test_a_known_mistake_never_has_all_points(check):
    for mistake in check.mistakes:
        assert 0 <= points(check, mistake.function, most=1) < 1, mistake.name


def test_of_most_exercises_some_known_mistake_has_a_share():
    """Partial points that nobody ever gets would be none."""
    sharing = [
        name
        for name, check in EXERCISES.items()
        if any(sum(p.earned for p in parts(check, m.function)) for m in check.mistakes)
    ]
    assert len(sharing) > len(EXERCISES) / 2, sharing


@pytest.mark.parametrize("answer", ODD_ANSWERS, ids=lambda a: type(a).__name__)
def test_whatever_is_called_an_answer_gets_a_number_in_good_time(answer):
    got = points(SOFTMAX, answer, most=4)
    assert isinstance(got, float) and 0 <= got < 4


def test_an_endless_answer_has_no_points_for_the_inputs_that_it_does_not_reach():
    def endless(logits):
        while True:
            pass

    assert points(SOFTMAX, endless, most=4) == 0.0


# ---- The course's own answers ----


def test_the_checks_own_answer_under_a_students_name_has_no_points(capsys):
    exercise = checks.sampling.with_temperature
    assert points(exercise, exercise.right, most=4) == 0.0
    assert "which is the course's own" in capsys.readouterr().out


kept = SOFTMAX.right
helper = lambda logits: SOFTMAX.right(logits)  # noqa: E731


def by_the_package(logits):
    from gptlib import checks

    return checks.logits.softmax.right(logits)


def by_a_global(logits):
    return SOFTMAX.right(logits)


def by_a_helper(logits):
    return helper(logits)


@pytest.mark.parametrize("answer", [by_the_package, by_a_global, by_a_helper])
def test_an_answer_that_calls_the_checks_has_no_points(answer):
    assert borrowed(answer)
    assert points(SOFTMAX, answer, most=4) == 0.0


@each
def test_what_a_lesson_lets_students_use_is_not_taken_for_the_courses_answer(check):
    def own(*given):
        import gptlib

        left, right = 1, 2  # as of a pair
        return gptlib.softmax(torch.tensor([left, right]))

    assert borrowed(own) == ""


def rows_of_softmax():
    from gptlib.checks import properties
    from gptlib.checks.reading import numbers

    return Exercise(
        "logits.rows",
        right=lambda x: x.softmax(-1),
        inputs=[(torch.tensor([[0.0, 1.0, 2.0]]),), (torch.tensor([[3.0, 1.0]]),)],
        read=numbers,
        properties=(
            properties.shape("There is one number for each.", lambda x: x.shape),
            properties.no_nan(),
            properties.sums_to_one("It sums to 1."),
        ),
        mistakes=(Mistake("axis", lambda x: x.softmax(0)),),
    )


def test_what_needs_no_work_earns_nothing_and_without_it_nothing_is_earned():
    check = rows_of_softmax()
    assert worth(check) == (2, (False, False, True))
    half = parts(check, lambda x: x.softmax(-1) / 2)
    assert half == [("It sums to 1.", 0.0), (RIGHT, 0.0)]
    turned = parts(check, lambda x: x.softmax(-1).flip(-1))
    assert [part.earned for part in turned] == [1.0, 0.0]
    other_shape = parts(check, lambda x: torch.ones(1))  # sums to 1
    assert [part.earned for part in other_shape] == [0.0, 0.0]
