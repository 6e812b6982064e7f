"""Lessons in a real Jupyter kernel, treated as classes do: again, backwards, interrupted."""

import pytest
from kernels import Lesson

LESSONS = ("00_the_whole_machine", "03_masked_attention", "06_training", "07_sampling")
QUICK = "07_sampling"

each_lesson = pytest.mark.parametrize("name", LESSONS)


@pytest.fixture(autouse=True)
def own_kernel(monkeypatch):
    """The kernel of this environment, whatever "python3" the user has installed elsewhere."""
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
    monkeypatch.setenv("JUPYTER_PATH", "")


def twice_and_backwards(lesson):
    """Each cell twice in a row, and then each again, from the last to the first.

    Backwards, every cell meets what all later ones have left behind.
    """
    for k in lesson.cells:
        lesson.run(k), lesson.run(k)
    for k in reversed(lesson.cells):
        lesson.run(k)


def interrupted(lesson):
    """■ twice in each cell that trains, which is then run to its end; how often one was stopped.

    A loop that goes on where it was makes each update once; any other begins again.
    """
    presses = 0
    for k in lesson.cells:
        goes_on = "widgets.watch(trainer" in lesson.sources[k]
        had = lesson.value("trainer.step") if goes_on else 0
        made, stopped = lesson.interrupt(k, after=5)
        if not stopped:  # it trains nothing, or (a check) for a moment
            continue
        more, stopped_again = lesson.interrupt(k, after=20)
        rest = lesson.run(k)
        presses += stopped + stopped_again
        if goes_on:
            assert had + made + more + rest == lesson.value("trainer.config.steps")
        else:
            assert rest >= max(made, more)
    return presses


def test_any_cell_of_a_lesson_runs_twice_and_again_at_the_end(tmp_path):
    with Lesson(QUICK, tmp_path / "notebooks") as lesson:
        twice_and_backwards(lesson)


def test_a_lesson_goes_on_after_its_training_was_interrupted(tmp_path):
    with Lesson(QUICK, tmp_path / "notebooks") as lesson:
        assert interrupted(lesson) > 0


@pytest.mark.soak
@each_lesson
def test_restart_and_run_all_and_any_cell_again_leave_a_lesson_right(
    name, tmp_path, record_property
):
    with Lesson(name, tmp_path / "notebooks") as lesson:
        twice_and_backwards(lesson)
        for _ in range(2):
            lesson.restart()
            for k in lesson.cells:
                lesson.run(k)
        cells = len(lesson.cells)
        done = f"{cells} cells, each twice, again backwards, and after two restarts: {lesson.ran}"
        record_property("soak", f"{name}: {done}; claims that failed: 0")


@pytest.mark.soak
@each_lesson
def test_a_lesson_goes_on_after_each_of_its_trainings_was_interrupted(
    name, tmp_path, record_property
):
    with Lesson(name, tmp_path / "notebooks") as lesson:
        presses = interrupted(lesson)
        assert presses > 0
        done = f"{presses} presses of ■ while a cell trained, then on to the end"
        record_property("soak", f"{name}: {done}; claims that failed: 0; lost: 0")


def test_a_cell_that_fails_in_the_kernel_fails_here(tmp_path):
    with Lesson(QUICK, tmp_path / "notebooks") as lesson:
        lesson.sources = ["x = 1", "assert x == 2"]
        lesson.run(0)
        with pytest.raises(AssertionError, match="code cell 1: assert x == 2"):
            lesson.run(1)
        lesson.restart()
        with pytest.raises(AssertionError, match="name 'x' is not defined"):
            lesson.run(1)
    assert not lesson.manager.is_alive()
