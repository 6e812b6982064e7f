"""gptlib.widgets.cells: a cell that is run again ends what it had started."""

import pytest

from gptlib.widgets import cells
from gptlib.widgets.cells import end_when_run_again


class Shell:
    """What a kernel's shell says of the message that it answers."""

    def __init__(self, monkeypatch):
        self.request = {}
        monkeypatch.setattr(cells, "get_ipython", lambda: self)
        monkeypatch.setattr(cells, "_started", {})

    def get_parent(self):
        return self.request

    def execute(self, execution, cell=None, code="explore()"):
        header = {"msg_type": "execute_request", "msg_id": execution}
        metadata = {} if cell is None else {"cellId": cell}
        self.request = {"header": header, "metadata": metadata, "content": {"code": code}}


@pytest.fixture
def shell(monkeypatch):
    return Shell(monkeypatch)


def test_the_same_cell_run_three_times_leaves_one_going_on(shell):
    ended = []
    for k in range(3):
        shell.execute(f"execution {k}", "cell-33")
        end_when_run_again(lambda k=k: ended.append(k))
    assert ended == [0, 1]


def test_what_one_execution_starts_goes_on_side_by_side_and_ends_together(shell):
    ended = []
    for k, execution in enumerate(["a", "a", "b"]):
        shell.execute(execution, "cell-33")
        end_when_run_again(lambda k=k: ended.append(k))
        assert ended == ([] if execution == "a" else [0, 1])


def test_other_cells_are_left_alone(shell):
    ended = []
    for k in range(3):
        shell.execute(f"execution {k}", f"cell-{k}")
        end_when_run_again(lambda k=k: ended.append(k))
    assert ended == []


def test_a_cell_that_was_edited_is_the_same_and_one_without_a_name_is_known_by_its_code(shell):
    ended = []
    for k, (cell, code) in enumerate([("x", "a"), ("x", "b"), (None, "c"), (None, "c")]):
        shell.execute(f"execution {k}", cell, code)
        end_when_run_again(lambda k=k: ended.append(k))
    assert ended == [0, 2]


def test_outside_a_cell_nothing_is_ended(shell, monkeypatch):
    ended = []
    shell.request = {"header": {"msg_type": "comm_msg", "msg_id": "1"}}  # a slider was moved
    end_when_run_again(lambda: ended.append(1)), end_when_run_again(lambda: ended.append(2))
    monkeypatch.setattr(cells, "get_ipython", lambda: None)  # a script
    end_when_run_again(lambda: ended.append(3)), end_when_run_again(lambda: ended.append(4))
    assert ended == []
