"""Lessons in a real Jupyter kernel, treated as classes do: again, backwards, interrupted; and
kernels that start side by side."""

import gc
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import kernels
import pytest
from kernels import Lesson, start_kernel

pytestmark = pytest.mark.thorough

LESSONS = ("00_the_whole_machine", "03_masked_attention", "06_training", "07_sampling")
QUICK = "07_sampling"
TRAIN = ("00_the_whole_machine", "06_training")

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
        source = lesson.sources[k]  # one that makes its trainer anew begins again
        goes_on = "widgets.watch(trainer" in source and "Trainer(" not in source
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


def test_any_cell_of_a_lesson_runs_twice_and_again_and_one_that_fails_in_the_kernel_fails_here(
    tmp_path,
):
    with Lesson(QUICK, tmp_path / "notebooks") as lesson:
        twice_and_backwards(lesson)
        lesson.sources = ["x = 1", "assert x == 2"]
        lesson.run(0)
        with pytest.raises(AssertionError, match="code cell 1: assert x == 2"):
            lesson.run(1)
        lesson.restart()
        with pytest.raises(AssertionError, match="name 'x' is not defined"):
            lesson.run(1)
    assert not lesson.manager.is_alive()


def test_a_lesson_goes_on_after_its_training_was_interrupted(tmp_path):
    with Lesson("06_training", tmp_path / "notebooks") as lesson:
        [first] = [k for k in lesson.cells if "widgets.watch(trainer" in lesson.sources[k]]
        lesson.sources = [shorter(source) for source in lesson.sources[: first + 1]]
        assert interrupted(lesson) > 0
        assert lesson.value("trainer.config.steps") == 100 and lesson.value("len(tokens)") < 20_000


def shorter(source):
    """The lesson's training in a few of its steps, on a few of its stories."""
    return source.replace("steps=400", "steps=100").replace("12_000", "1_000")


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
@pytest.mark.parametrize("name", TRAIN)
def test_a_lesson_goes_on_after_each_of_its_trainings_was_interrupted(
    name, tmp_path, record_property
):
    with Lesson(name, tmp_path / "notebooks") as lesson:
        presses = interrupted(lesson)
        assert presses > 0
        done = f"{presses} presses of ■ while a cell trained, then on to the end"
        record_property("soak", f"{name}: {done}; claims that failed: 0; lost: 0")


# ---- Many kernels that start at once ----


@pytest.fixture
def spec(tmp_path, monkeypatch):
    """Makes a kind of kernel from Python code that runs before ipykernel; gives its name."""

    def make(before):
        start = "from ipykernel.kernelapp import launch_new_instance as start; start()"
        command = [sys.executable, "-c", f"{before}\n{start}", "-f", "{connection_file}"]
        folder = tmp_path / "jupyter" / "kernels" / "odd"
        folder.mkdir(parents=True)
        told = {"argv": command, "display_name": "odd", "language": "python"}
        (folder / "kernel.json").write_text(json.dumps(told), encoding="utf-8")
        monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
        return "odd"

    return make


def stop(started):
    manager, client = started
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.mark.skipif(os.name == "nt", reason="kernels listen at ports on Windows")
def test_a_kernel_listens_at_files_of_its_own_where_no_other_can_be_in_its_way():
    started = [start_kernel() for _ in range(2)]
    folders = {Path(manager.connection_file).parent for manager, _ in started}
    assert {manager.transport for manager, _ in started} == {"ipc"} and len(folders) == 2
    for kernel in started:
        stop(kernel)
    del started, kernel
    gc.collect()
    assert not any(folder.exists() for folder in folders)


def test_where_the_names_of_files_would_be_too_long_a_kernel_listens_at_ports(
    tmp_path, monkeypatch
):
    (tmp_path / ("long" * 20)).mkdir()
    monkeypatch.setattr(kernels.tempfile, "tempdir", str(tmp_path / ("long" * 20)))
    started = start_kernel()
    assert started[0].transport == "tcp"
    stop(started)


def test_a_kernel_that_dies_at_its_start_is_tried_again(spec, tmp_path):
    mark = f"open({str(tmp_path / 'tries')!r}, 'a+')"
    once = f"tries = {mark}; tries.write('x'); tries.seek(0); assert len(tries.read()) == 2"
    stop(start_kernel(kernel_name=spec(once)))
    assert (tmp_path / "tries").read_text() == "xx"


def test_what_a_kernel_said_that_does_not_start_is_shown(spec, monkeypatch):
    monkeypatch.setattr(kernels, "TRIES", 1)
    name = spec("import sys; print('to stdout'); sys.exit('Address already in use')")
    with pytest.raises(RuntimeError, match="Kernel died") as raised:
        start_kernel(kernel_name=name)
    assert "to stdout" in str(raised.value) and "Address already in use" in str(raised.value)


NOTEBOOK = {
    "cells": [],
    "metadata": {"kernelspec": {"name": "odd", "display_name": "odd", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


# pytest, in a process that leaves out a grammar of web addresses: it takes a second to make, and
# jsonschema, which nbval reads notebooks with, does without it where it is not installed.
NBVAL = "import sys; sys.modules['rfc3987_syntax'] = None; import pytest; sys.exit(pytest.main())"


def nbval(folder, *notebooks, options=("--nbval-current-env",), setting=""):
    """What pytest prints of notebooks, each given as its cells, which have no outputs yet.

    setting: more of conftest.py than notebooks/ has.
    """
    for number, sources in enumerate(notebooks):
        cells = [
            {"cell_type": "code", "id": f"cell-{k}", "source": source, "metadata": {}}
            | {"outputs": [], "execution_count": None}
            for k, source in enumerate(sources)
        ]
        text = json.dumps(NOTEBOOK | {"cells": cells})
        (folder / f"{number}.ipynb").write_text(text, encoding="utf-8")
    conftest = (kernels.TESTS.parent / "notebooks" / "conftest.py").read_text(encoding="utf-8")
    (folder / "conftest.py").write_text(f"{conftest}\n{setting}\n", encoding="utf-8")
    command = [sys.executable, "-c", NBVAL, "--nbval", *options, str(folder)]
    paths = [str(kernels.TESTS), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
    return done.stdout


def test_nbval_starts_its_kernels_so_and_shows_what_one_said_that_died_later(tmp_path):
    # Windows has no sockets with a name.
    way = f"assert get_ipython().kernel.parent.transport == '{'tcp' if os.name == 'nt' else 'ipc'}'"
    end = "import os; os.write(2, b'out of memory, said the system'); os._exit(1)"
    said = nbval(tmp_path, [way], [end, "1"])
    assert "1 passed" in said
    assert "It said:" in said and "out of memory, said the system" in said


ONCE = "kernels.TRIES = 1"


def test_nbval_shows_what_a_kernel_said_that_did_not_start(spec, tmp_path):
    name = spec("import sys; sys.exit('Address already in use')")
    said = nbval(tmp_path, ["1"], options=("--nbval-kernel-name", name), setting=ONCE)
    assert "It said:" in said and "Address already in use" in said


@pytest.mark.soak
def test_many_kernels_start_at_once(record_property, starts=240, at_once=16):
    def start(_):
        stop(start_kernel())

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(start, range(starts)))
    record_property("soak", f"{starts} starts, {at_once} at a time; kernels that died: 0")
