"""What every lesson repeats: its map, predictions, quick questions, hints, and a class's tally.

The words of a lesson's questions and hints are in the file of the lesson's name, not in the
notebook, where the answer would stand above the question.
"""

from ..scale.shown import progress_bar
from ..storage.answers import answers_file
from .counting import tally
from .folders import run_folder
from .joining import join, leave
from .lesson import Lesson
from .timing import shortest
from .weights import file_by_transformers, gpt2_or_its_shape

__all__ = [
    "Lesson",
    "answers_file",
    "file_by_transformers",
    "gpt2_or_its_shape",
    "join",
    "leave",
    "progress_bar",
    "run_folder",
    "shortest",
    "tally",
]
