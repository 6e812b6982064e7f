"""tools/nbgrader_course.py: nbgrader itself makes, validates and grades what it writes."""

import ast
import json
import linecache
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import nbgrader_course
import pytest
import torch
from nbgrader_course import SKIP, assignment, note, with_solution

from gptlib.checks import running

ROOT = Path(__file__).resolve().parent.parent
STUB = "raise NotImplementedError"
LESSONS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))
LOGITS, ATTENTION = LESSONS[5], LESSONS[3]
WHERE = ROOT / ".venv" / "nbgrader" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
GRADER = Path(os.environ.get("GPTLIB_NBGRADER", WHERE))
SCORES = """
import json, sys
from nbgrader.api import Gradebook
with Gradebook(f"sqlite:///{sys.argv[1]}") as book:
    submissions = book.assignment_submissions(sys.argv[2])
    print(json.dumps({
        submission.student.id: {
            grade.cell.name: grade.auto_score
            for notebook in submission.notebooks
            for grade in notebook.grades
        }
        for submission in submissions
    }))
"""
LONGEST = 3000  # seconds for a command, on a machine that is busy with other things
thorough = pytest.mark.thorough  # nbgrader starts a kernel for each submission


# ---- What is written ----


@pytest.fixture(scope="module")
def made():
    """{lesson: its assignment}."""
    files = nbgrader_course.course()
    return {
        Path(name).stem: nbformat.reads(content.decode(), as_version=4)
        for name, content in files.items()
        if name.endswith(".ipynb")
    }


def of_kind(notebook, kind):
    return [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get(kind)]


def test_every_lesson_is_an_assignment_with_all_its_exercises(made):
    assert sorted(made) == LESSONS
    for lesson, notebook in made.items():
        text = (ROOT / "notebooks" / f"{lesson}.ipynb").read_text(encoding="utf-8")
        stubs = [
            cell
            for cell in json.loads(text)["cells"]
            if cell["cell_type"] == "code" and STUB in "".join(cell["source"])
        ]
        assert len(of_kind(notebook, "solution")) == len(of_kind(notebook, "grade")) == len(stubs)


def test_what_gives_points_is_locked_and_what_is_to_be_written_is_not(made):
    for notebook in made.values():
        names = [cell.metadata.nbgrader.grade_id for cell in of_kind(notebook, "schema_version")]
        assert len(names) == len(set(names))
        for cell in of_kind(notebook, "grade"):
            its = cell.metadata.nbgrader
            assert its.locked and not its.solution and its.points > 0 and its.schema_version == 3
            assert cell.source.splitlines()[-1].startswith("points(checks.")
        assert not any(cell.metadata.nbgrader.locked for cell in of_kind(notebook, "solution"))


def test_the_stub_keeps_what_the_lesson_gives_and_its_notes():
    stub = f"def f(x):  # (T,)\n    a = x + 1\n    b = ...  # 1: twice a\n    {STUB}"
    solution = "def f(x):\n    a = x + 1\n    b = 2 * a\n    return b"
    assert with_solution(stub, solution).splitlines() == [
        "def f(x):  # (T,)",
        "    a = x + 1",
        "    # b = ...  # 1: twice a",
        "    ### BEGIN SOLUTION",
        "    b = 2 * a",
        "    return b",
        "    ### END SOLUTION",
    ]
    assert note("    raise NotImplementedError  # return both") == ["    # return both"]
    assert note("    raise NotImplementedError") == []


def test_what_only_the_solutions_import_comes_into_the_solution():
    cell = nbformat.v4.new_code_cell
    stub = f"def f(x):\n    for _ in x:\n        {STUB}\n\nchecks.logits.softmax(f)"
    answer = "def f(x):\n    for _ in x:\n        sqrt(np.abs(x))\nassert checks.logits.softmax(f)"
    lesson = nbformat.v4.new_notebook(cells=[cell("import numpy as np"), cell(stub)])
    its = [cell("import numpy as np\nfrom math import log, sqrt"), cell(answer)]
    (made,) = of_kind(assignment(lesson, nbformat.v4.new_notebook(cells=its)), "solution")
    assert made.source.splitlines()[2:5] == [
        "        ### BEGIN SOLUTION",
        "        from math import sqrt",
        "        sqrt(np.abs(x))",
    ]


def test_an_exercise_that_has_drifted_from_its_solution_is_said():
    stub = "def f(x):\n    raise NotImplementedError\n    return x"
    with pytest.raises(ValueError, match="no line of the solution is for"):
        with_solution(stub, "def f(x):\n    return x")
    cell = nbformat.v4.new_code_cell(
        "def f(x):\n    raise NotImplementedError\n\nchecks.logits.softmax(f)"
    )
    lesson = nbformat.v4.new_notebook(cells=[cell])
    with pytest.raises(ValueError, match=r"no solution calls checks.logits.softmax\(f\)"):
        assignment(lesson, nbformat.v4.new_notebook())


def test_what_no_exercise_needs_is_not_run_for_grades(made):
    """No training and no picture: the imports, and what exercises use."""
    for lesson, notebook in made.items():
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        run = [cell for cell in code if SKIP not in cell.metadata.get("tags", ())]
        assert all(cell in run for cell in of_kind(notebook, "schema_version"))
        assert len(run) < len(code) / 1.5, lesson
        assert not any("Trainer(" in cell.source for cell in run), lesson


@pytest.fixture
def torch_as_it_was():
    """What a lesson sets for its whole kernel ends with the test."""
    grad, threads = torch.is_grad_enabled(), torch.get_num_threads()
    yield
    torch.set_grad_enabled(grad)
    torch.set_num_threads(threads)


@pytest.mark.parametrize("lesson", LESSONS)
def test_what_is_run_for_grades_is_enough_for_the_solutions_to_have_all_points(
    made, lesson, monkeypatch, torch_as_it_was
):
    monkeypatch.setattr(running, "PATIENCE", 60)  # this machine may be busy
    space, got, most = {"__name__": "notebook"}, 0, 0
    for cell in made[lesson].cells:
        if cell.cell_type != "code" or SKIP in cell.metadata.get("tags", ()):
            continue
        *before, last = ast.parse(cell.source).body
        linecache.cache[cell.id] = len(cell.source), None, cell.source.splitlines(True), cell.id
        if cell.metadata.get("nbgrader", {}).get("grade"):
            exec(compile(ast.Module(before, []), cell.id, "exec"), space)
            got += eval(compile(ast.Expression(last.value), cell.id, "eval"), space)
            most += cell.metadata.nbgrader.points
        else:
            exec(compile(cell.source, cell.id, "exec"), space)
    assert got == most > 0


def test_what_a_teacher_has_changed_is_left_alone(tmp_path):
    first, second = ({"source/a/a.ipynb": text} for text in (b"1", b"2"))
    nbgrader_course.keep_up(tmp_path, first, "make nbgrader")
    (tmp_path / "gradebook.db").write_text("marks")
    (tmp_path / "source/a/a.ipynb").write_text("more points")
    (said,) = nbgrader_course.keep_up(tmp_path, second, "make nbgrader")
    assert "rename yours and run `make nbgrader` again" in said
    assert (tmp_path / "source/a/a.ipynb").read_text() == "more points"
    assert (tmp_path / "gradebook.db").read_text() == "marks"


# ---- What nbgrader does with it ----


def test_students_do_not_see_nbgrader_in_their_jupyterlab():
    """Its extensions are in an environment of its own, which .venv does not look into."""
    share, settings = Path(sys.prefix, "share", "jupyter"), Path(sys.prefix, "etc", "jupyter")
    assert (share / "labextensions").is_dir()
    assert not list(share.rglob("*nbgrader*")) and not list(settings.rglob("*nbgrader*"))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "\t.venv/nbgrader/bin/python tools/see_packages.py" in makefile


def test_an_environment_sees_what_another_one_has_installed_for_editing(tmp_path):
    outer, edited = tmp_path / "a b" / "site", tmp_path / "checkout"
    for folder in (outer, edited):
        folder.mkdir(parents=True)
    (outer / "edited.pth").write_text(str(edited))
    (outer / "in_outer.py").write_text("")
    (edited / "in_checkout.py").write_text("")
    inner = tmp_path / "inner"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", inner], check=True)
    python = inner / WHERE.relative_to(ROOT / ".venv" / "nbgrader")
    see = ROOT / "tools" / "see_packages.py"
    assert subprocess.check_output([python, see], text=True).startswith(str(inner))
    subprocess.run([python, see, str(outer)], check=True)
    subprocess.run([python, "-c", "import in_outer, in_checkout"], check=True)


def nbgrader(folder, *command, status=0):
    """Run nbgrader in a course's folder, with nothing of the user's; what it said."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    own = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "HOME": str(folder)}
    own |= {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA")}
    own |= {"IPYTHONDIR": str(folder / ".ipython"), "JUPYTER_PREFER_ENV_PATH": "1"}
    own["PATH"] = os.pathsep.join([str(GRADER.parent), os.environ["PATH"]])  # alembic
    done = subprocess.run(
        [GRADER, "-m", "nbgrader", *command],
        cwd=folder,
        env=os.environ | own,
        text=True,
        capture_output=True,
        timeout=LONGEST,
    )
    assert status is None or done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The whole course, of which two assignments have been given out."""
    if not GRADER.is_file() and "GPTLIB_NBGRADER" not in os.environ:
        pytest.skip("nbgrader has no environment here: `make test THOROUGH=1` makes it")
    folder = tmp_path_factory.mktemp("nbgrader")
    nbgrader_course.keep_up(folder, nbgrader_course.course(), "make nbgrader")
    for lesson in (LOGITS, ATTENTION):
        nbgrader(folder, "generate_assignment", lesson)
    return folder


def released(course, lesson):
    return nbformat.read(course / "release" / lesson / f"{lesson}.ipynb", as_version=4)


def source_of(course, lesson):
    return nbformat.read(course / "source" / lesson / f"{lesson}.ipynb", as_version=4)


def hand_in(course, student, lesson, notebook):
    folder = course / "submitted" / student / lesson
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / f"{lesson}.ipynb")


def answer(notebook, source, exercise=0):
    of_kind(notebook, "solution")[exercise]["source"] = source
    return notebook


def scores(course, lesson):
    """{student: {exercise: points}}, from nbgrader's own gradebook."""
    command = [GRADER, "-c", SCORES, str(course / "gradebook.db"), lesson]
    own = {"PATH": os.pathsep.join([str(GRADER.parent), os.environ["PATH"]])}
    done = subprocess.run(
        command, env=os.environ | own, check=True, stdout=subprocess.PIPE, timeout=LONGEST
    )
    return json.loads(done.stdout)


@thorough
def test_a_students_copy_has_no_solution_and_its_exercises_are_open(course):
    for lesson in (LOGITS, ATTENTION):
        whole = json.dumps(released(course, lesson))
        assert "SOLUTION" not in whole and "raise NotImplementedError" in whole
    (softmax,) = of_kind(released(course, LOGITS), "solution")
    assert softmax.source.splitlines() == [
        "def softmax(logits):  # (..., V)",
        "    powers = torch.exp(logits)  # (..., V)",
        "    # return each power's share of its row, (..., V)",
        "    raise NotImplementedError  # write your answer here",
    ]


@thorough
def test_nbgrader_finds_the_teachers_version_valid_and_an_open_one_not(course):
    """Validating runs a notebook: the teacher's answers are right, and open ones are told."""
    page = f"{LOGITS}.ipynb"
    assert "Success" in nbgrader(course, "validate", str(course / "source" / LOGITS / page))
    said = nbgrader(course, "validate", str(course / "release" / LOGITS / page), status=None)
    assert "Success" not in said


SOFTMAX = "def softmax(logits):\n    powers = torch.exp(logits)\n    {}\n"
KEEPDIM = "    return powers / powers.sum(dim=-1, keepdim=True)\n"
RIGHT = SOFTMAX.format("return powers / powers.sum(dim=-1, keepdim=True)")
SUBMISSIONS = {
    "right": RIGHT,
    "wrong": SOFTMAX.format("return powers"),
    "own_input": SOFTMAX.format("return logits"),
    "open": None,
    "broken": "def softmax(logits:\n",
    "noisy": "import sys\n" + SOFTMAX.format("print('!', file=sys.stderr)") + KEEPDIM,
    "endless": SOFTMAX.format("while True: pass"),
    "stubborn": SOFTMAX.format("while True:\n        try:\n            while True: pass")
    + "        except BaseException: pass\n",
    "leaves": SOFTMAX.format("exit()"),
    "leaves_at_once": "import os\n" + SOFTMAX.format("os._exit(0)"),
    "leaves_before": "exit()\n" + RIGHT,
    "kills": "import os, signal\n" + SOFTMAX.format("os.kill(os.getpid(), signal.SIGKILL)"),
    "asks_the_check": SOFTMAX.format("return checks.logits.softmax.right(logits)"),
    "reads_the_solution": """
import json, pathlib
for folder in pathlib.Path.cwd().parents:
    for page in folder.glob("source/*/*logits*.ipynb"):
        cells = json.loads(page.read_text())["cells"]
        exec(next("".join(c["source"]) for c in cells if "BEGIN SOLUTION" in "".join(c["source"])))
""",
    "reads_the_courses_solution": f"""
import json
cells = json.load(open({str(ROOT / "notebooks" / "solutions" / f"{LOGITS}.ipynb")!r}))["cells"]
exec(next("".join(c["source"]) for c in cells if "def softmax" in "".join(c["source"])))
""",
    "starts_a_program": f"""
import subprocess
subprocess.run(["cat", {str(ROOT / "notebooks" / "solutions" / f"{LOGITS}.ipynb")!r}], check=True)
softmax = torch.softmax
""",
}


@pytest.fixture(scope="module")
def graded(course):
    """({student: points}, what nbgrader said) of many submissions, graded in one go."""
    for student, source in SUBMISSIONS.items():
        page = released(course, LOGITS)
        hand_in(course, student, LOGITS, page if source is None else answer(page, source))
    skipped = released(course, LOGITS)
    (grade,) = of_kind(skipped, "grade")
    grade.metadata["tags"] = [SKIP]
    hand_in(course, "skips_the_points", LOGITS, skipped)
    changed = released(course, LOGITS)
    (grade,) = of_kind(changed, "grade")
    grade["source"], grade.metadata.nbgrader["points"] = "1000.0", 1000
    hand_in(course, "changes_the_points", LOGITS, changed)
    deleted = released(course, LOGITS)
    deleted.cells = [cell for cell in deleted.cells if cell not in of_kind(deleted, "grade")]
    hand_in(course, "deletes_the_points", LOGITS, deleted)
    said = nbgrader(course, "autograde", LOGITS, status=None)
    found = scores(course, LOGITS)
    return {student: sum(filter(None, its.values())) for student, its in found.items()}, said


MOST = 2  # softmax is easy


@thorough
def test_a_right_answer_has_all_points_and_an_open_one_none(graded):
    points, said = graded
    assert points["right"] == points["noisy"] == MOST, said
    assert points["open"] == points["broken"] == points["own_input"] == 0


@thorough
def test_a_wrong_answer_has_points_for_the_properties_that_hold(graded):
    assert 0 < graded[0]["wrong"] < MOST


@thorough
@pytest.mark.parametrize(
    "student",
    ["endless", "stubborn", "leaves", "leaves_at_once", "kills", "asks_the_check"]
    + ["reads_the_solution", "reads_the_courses_solution", "starts_a_program"]
    + ["skips_the_points", "changes_the_points", "deletes_the_points"],
)
def test_a_hostile_submission_has_no_points_and_keeps_nobody_from_theirs(graded, student):
    points, said = graded
    assert points.get(student, 0) == 0, said
    assert points["right"] == MOST


@thorough
def test_an_exit_before_the_answer_ends_one_cell_and_not_the_kernel(graded):
    """The cell that defines the answer was not finished: no points, but a grade."""
    assert graded[0]["leaves_before"] == 0


@thorough
def test_each_submission_was_graded_none_was_given_up(graded):
    points, said = graded
    assert set(points) >= set(SUBMISSIONS), said
    assert "There was an error processing assignment" not in said


@thorough
def test_right_answers_to_all_exercises_of_a_lesson_have_all_its_points(course):
    page, answers = released(course, ATTENTION), of_kind(source_of(course, ATTENTION), "solution")
    for k, cell in enumerate(answers):
        answer(page, cell.source, k)
    hand_in(course, "right", ATTENTION, page)
    nbgrader(course, "autograde", ATTENTION)
    most = sum(cell.metadata.nbgrader.points for cell in of_kind(page, "grade"))
    assert sum(scores(course, ATTENTION)["right"].values()) == most > 2


@pytest.mark.soak
@pytest.mark.parametrize("lesson", [name for name in LESSONS if name not in (LOGITS, ATTENTION)])
def test_the_solutions_of_every_lesson_have_all_its_points(course, lesson, record_property):
    nbgrader(course, "generate_assignment", lesson)
    page = source_of(course, lesson)
    shutil.rmtree(course / "submitted" / "teacher" / lesson, ignore_errors=True)
    hand_in(course, "teacher", lesson, page)
    nbgrader(course, "autograde", lesson, "--student", "teacher")
    most = sum(cell.metadata.nbgrader.points for cell in of_kind(page, "grade"))
    assert sum(scores(course, lesson)["teacher"].values()) == most
    record_property("soak", f"{lesson}: the solutions have {most:g} of {most:g} points")


@pytest.mark.soak
def test_a_cell_that_cannot_even_be_interrupted_is_given_up_and_the_class_is_not(
    course, record_property
):
    """Two cells are waited for in full, all others for a second."""
    caught = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
    page = answer(released(course, ATTENTION), caught)
    hand_in(course, "a_first_one", ATTENTION, page)
    hand_in(course, "z_right", ATTENTION, source_of(course, ATTENTION))
    nbgrader(course, "autograde", ATTENTION, status=None)
    found = scores(course, ATTENTION)
    assert sum(filter(None, found.get("a_first_one", {}).values())) == 0
    assert sum(found["z_right"].values()) > 2
    points = f"{sum(found['z_right'].values()):g}"
    record_property("soak", f"1 notebook that never ends has no points; the next has its {points}")
