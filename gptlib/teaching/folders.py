"""Where lessons keep what students train: with the course, or in the user's own folder."""

import tempfile
from pathlib import Path

import platformdirs

LESSONS = ("notebooks", "my_course")


def run_folder(name: str) -> Path:
    """The folder for a lesson's model of this name; it is made where it is not there yet.

    It is in `runs`, beside the folder that the lessons are in (`notebooks`, or a student's own
    `my_course`), or else beside the lesson itself. A class may share one copy of the course that
    nobody can write to: then it is in `runs` in the user's data folder.

    Raises:
        ValueError: neither can be written; names both, and says why.
    """
    here = Path.cwd()
    course = [folder.parent for folder in (here, *here.parents) if folder.name in LESSONS]
    places = [*course, here][0], Path(platformdirs.user_data_dir("gptlib"))
    refused = []
    for folder in (place / "runs" / name for place in places):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):  # to be sure: no permission tells of it
                return folder
        except OSError as error:
            refused.append(f"{folder}: {error.strerror}")
    raise ValueError(f"your model cannot be saved: {'; '.join(refused)}")
