"""tools/student.py: students get clean copies, and what a student has done is never lost."""

import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import student

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of two lessons, one of them with a notebook to go deeper."""
    folder = tmp_path / "notebooks"
    for name in ("01_a.ipynb", "deeper/01_a.ipynb", "solutions/01_a.ipynb"):
        write(folder / name, f"x = {name!r}")
    (folder / "glossary.md").write_text("# Glossary\n")
    monkeypatch.setattr(student, "COURSE", folder)
    return folder


def write(path, source, count=3):
    output = nbformat.v4.new_output("stream", text="the answer")
    cells = [
        nbformat.v4.new_markdown_cell("# A question?"),
        nbformat.v4.new_code_cell(source, outputs=[output], execution_count=count),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


def test_a_teacher_hands_out_all_but_solutions_and_outputs(course, tmp_path):
    out = tmp_path / "build" / "student"
    (said,) = student.hand_out(out)
    assert said == f"{out} has 4 files for students."
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert names == {"01_a.ipynb", "deeper/01_a.ipynb", "glossary.md", "AGENTS.md"} | {
        student.HANDED_OUT
    }
    assert "the answer" not in (out / "01_a.ipynb").read_text()
    cell = nbformat.read(out / "01_a.ipynb", as_version=4).cells[1]
    assert (cell.outputs, cell.execution_count) == ([], None)
    assert "the answer" in (course / "01_a.ipynb").read_text()


def test_handing_out_again_leaves_nothing_of_an_earlier_term(course, tmp_path):
    out = tmp_path / "student"
    student.hand_out(out)
    (course / "01_a.ipynb").rename(course / "02_b.ipynb")
    student.hand_out(out)
    assert not (out / "01_a.ipynb").exists() and (out / "02_b.ipynb").exists()


def test_a_folder_of_somebody_elses_is_not_emptied(course, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("mine")
    with pytest.raises(ValueError, match="was not made by this command"):
        student.hand_out(tmp_path / "thesis")
    assert (tmp_path / "thesis" / "thesis.tex").read_text() == "mine"


def test_a_students_own_folder_is_never_made_anew(course, tmp_path):
    student.keep_up(tmp_path / "my_course")
    with pytest.raises(ValueError, match="was not made by this command"):
        student.hand_out(tmp_path / "my_course")


def test_what_a_student_has_done_stays_and_a_newer_version_is_said(course, tmp_path):
    mine = tmp_path / "my_course"
    assert student.keep_up(mine) == []
    (mine / "01_a.ipynb").write_text("my work")
    assert student.keep_up(mine) == []
    write(course / "01_a.ipynb", "newer")
    write(course / "deeper" / "01_a.ipynb", "newer")
    for _ in range(2):
        (said,) = student.keep_up(mine)
        assert said.startswith(f"{mine / '01_a.ipynb'}: the course has a newer version.")
        assert (mine / "01_a.ipynb").read_text() == "my work"
        assert "newer" in (mine / "deeper" / "01_a.ipynb").read_text()  # nobody had changed it
    (mine / "01_a.ipynb").rename(mine / "mine.ipynb")
    assert student.keep_up(mine) == []
    assert "newer" in (mine / "01_a.ipynb").read_text()
    assert (mine / "mine.ipynb").read_text() == "my work"


def test_a_lesson_that_is_new_arrives_and_one_that_is_gone_stays(course, tmp_path):
    mine = tmp_path / "my_course"
    student.keep_up(mine)
    write(course / "02_b.ipynb", "b")
    (course / "01_a.ipynb").unlink()
    student.keep_up(mine)
    assert (mine / "02_b.ipynb").exists() and (mine / "01_a.ipynb").exists()


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"01_a.ipynb": "odd"}'])
def test_without_its_memory_nothing_that_is_there_is_written_to(course, tmp_path, text):
    mine = tmp_path / "my_course"
    student.keep_up(mine)
    (mine / "01_a.ipynb").write_text("my work")
    (mine / student.COPIED).write_text(text)
    student.keep_up(mine)
    assert (mine / "01_a.ipynb").read_text() == "my work"


def test_a_folder_that_cannot_be_made_is_one_line(course, tmp_path):
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "student.py", tmp_path / "file" / "my_course", "--keep"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("No copies were made: ") and done.stderr.count("\n") == 1


def test_the_real_course_is_handed_out_with_exercises_open(tmp_path):
    student.hand_out(tmp_path / "student")
    lessons = sorted((tmp_path / "student").glob("0*.ipynb"))
    assert len(lessons) == 9
    for path in lessons:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
        whole = "".join("".join(cell["source"]) for cell in cells)
        assert "NotImplementedError" in whole or path.stem.startswith("00")


@pytest.mark.parametrize("make", [student.hand_out, student.keep_up])
def test_every_link_of_a_students_folder_leads_to_a_file_in_it(make, tmp_path):
    make(tmp_path / "folder")
    found = 0
    for path in [*(tmp_path / "folder").rglob("*.ipynb"), *(tmp_path / "folder").rglob("*.md")]:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
        for link in re.findall(r"""\]\(([^)\s]+)\)|(?:src|href)=["']([^"']+)""", text):
            file = "".join(link).partition("#")[0]
            if file and ":" not in file:  # neither a place on the page nor another site's address
                there = (path.parent / file).resolve()
                assert there.is_file() and there.is_relative_to(tmp_path / "folder"), (path, file)
                found += 1
    assert found > 100


@pytest.mark.parametrize("make", [student.hand_out, student.keep_up])
def test_a_students_folder_tells_ai_helpers_to_explain_and_never_to_write_an_exercise(
    make, tmp_path
):
    make(tmp_path / "folder")
    rules = (tmp_path / "folder" / "AGENTS.md").read_text(encoding="utf-8")
    assert "Never write an exercise" in rules and "lesson.hint(...)" in rules
    assert "notebooks/" not in rules and "](" not in rules  # nothing that a student lacks


def test_make_lab_opens_a_students_own_copy_which_git_ignores():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "LESSON := my_course/00_the_whole_machine.ipynb" in makefile
    assert "tools/student.py my_course --keep" in makefile
    assert "/my_course/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
