"""nbgrader's settings for the course that `make nbgrader` writes; a teacher may change them there.

A submission is run behind gptlib.checks.fence, and only as much of it as its exercises need.
"""

import os

from nbformat.v4 import new_output
from nbgrader.converters.autograde import Autograde
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from nbgrader.utils import is_grade

TIMEOUT = 120  # seconds for a cell; checks end an endless answer themselves, after 20


class ExecuteInTime(Execute):
    """A kernel that cannot be interrupted, in a loop that catches everything, is not waited for."""

    unanswered = 0  # cells, one after the other

    def on_cell_executed(self, **about):
        super().on_cell_executed(**about)
        timed_out = about["execute_reply"]["content"].get("ename") == "CellTimeoutError"
        self.unanswered = self.unanswered + 1 if timed_out else 0
        self.timeout = 1 if self.unanswered > 1 else TIMEOUT


class PointsOrNone(NbGraderPreprocessor):
    """A cell that should give points and gives no number, or was not run, gives none.

    nbgrader itself would give it all of them.
    """

    def preprocess_cell(self, cell, resources, index):
        if is_grade(cell) and not self.is_number(cell.get("outputs", [])):
            words = "this cell was not run, or its result is no number: no points"
            cell.outputs = [*cell.get("outputs", []), new_output("error")]
            cell.outputs[-1].update(ename="NoPoints", evalue=words, traceback=[words])
        return cell, resources

    def is_number(self, outputs):
        results = [output.data for output in outputs if output.output_type == "execute_result"]
        try:
            return len(results) == 1 and float(results[0]["text/plain"]) >= 0
        except (KeyError, TypeError, ValueError):
            return False


c = get_config()  # noqa: F821  (nbgrader defines it when it reads this file)
c.CourseDirectory.course_id = "gptlib"
c.CourseDirectory.root = os.path.dirname(os.path.abspath(__file__))

# What stays in a student's copy where the solution was.
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError  # write your answer here"}

c.Execute.timeout = TIMEOUT
c.Execute.skip_cells_with_tag = "not-for-grades"
c.Execute.extra_arguments = [
    "--HistoryManager.hist_file=:memory:",
    "--IPKernelApp.exec_lines=from gptlib.checks.fence import fence as _fence; "
    f"_fence({c.CourseDirectory.root!r}); del _fence",
]
usual = [step for step in Autograde.autograde_preprocessors.default() if step is not Execute]
c.Autograde.autograde_preprocessors = [ExecuteInTime, PointsOrNone, *usual]

# The answers of a class are not the teacher's own, and threads that wait let others work.
os.environ.update(GPTLIB_ANSWERS="off", OMP_WAIT_POLICY="PASSIVE")
