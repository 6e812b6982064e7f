"""gptlib.teaching.folders: a lesson saves its model, also where nobody can write to the course."""

from pathlib import Path

import platformdirs
import pytest

import gptlib
from gptlib import teaching


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The user's data folder of this test."""
    monkeypatch.setattr(platformdirs, "user_data_dir", lambda name: str(tmp_path / "own" / name))
    return tmp_path / "own" / "gptlib"


@pytest.mark.parametrize(
    "inside",
    ["notebooks", "notebooks/solutions", "notebooks/deeper", "my_course", "my_course/deeper"],
)
def test_a_lessons_model_is_kept_with_the_course(tmp_path, own, monkeypatch, inside):
    (tmp_path / inside).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / inside)
    folder = teaching.run_folder("first")
    assert folder == tmp_path / "runs" / "first"
    assert folder.is_dir() and not list(folder.iterdir())
    assert teaching.run_folder("first") == folder  # again, as a cell that is run again
    assert not own.exists()


def test_the_model_of_a_lesson_that_was_copied_elsewhere_is_kept_beside_it(
    tmp_path, own, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert teaching.run_folder("mine") == tmp_path / "runs" / "mine"


def test_in_a_course_that_cannot_be_written_the_model_is_kept_in_the_users_own_folder(
    tmp_path, own, monkeypatch, pets
):
    read_only(tmp_path, monkeypatch)
    folder = teaching.run_folder("first")
    assert folder == own / "runs" / "first"
    gptlib.save(folder, *pets)
    assert gptlib.load(folder)[1] == pets[1]


def test_a_folder_of_an_earlier_class_that_cannot_be_written_is_left_alone(
    tmp_path, own, monkeypatch
):
    """It is there, so that to make it is no error, but it belongs to somebody else."""
    (tmp_path / "runs" / "first").mkdir(parents=True)
    read_only(tmp_path, monkeypatch)
    assert teaching.run_folder("first") == own / "runs" / "first"


def test_where_nothing_can_be_written_one_line_names_both_folders(tmp_path, own, monkeypatch):
    read_only(tmp_path, monkeypatch)
    own.parent.write_text("a file where the folder would be")
    with pytest.raises(ValueError, match="cannot be saved: ") as raised:
        teaching.run_folder("first")
    said = str(raised.value)
    assert "\n" not in said
    assert f"{tmp_path / 'runs' / 'first'}: " in said and f"{own / 'runs' / 'first'}: " in said


def read_only(course, monkeypatch):
    """Go to the notebooks of a course in which nothing can be written.

    The user who runs the tests may be root, whom no permission stops: so writing fails by itself.
    """
    (course / "notebooks").mkdir()
    monkeypatch.chdir(course / "notebooks")
    mkdir, temporary = Path.mkdir, teaching.folders.tempfile.TemporaryFile

    def refuse(folder):
        if Path(folder).is_relative_to(course / "runs"):
            raise PermissionError(13, "Permission denied", str(folder))

    def make(folder, *args, **kwargs):
        if not folder.is_dir():
            refuse(folder)
        mkdir(folder, *args, **kwargs)

    def open_temporary(*args, dir, **kwargs):
        refuse(dir)
        return temporary(*args, dir=dir, **kwargs)

    monkeypatch.setattr(Path, "mkdir", make)
    monkeypatch.setattr(teaching.folders.tempfile, "TemporaryFile", open_temporary)
