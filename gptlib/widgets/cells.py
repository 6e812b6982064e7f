"""What a cell has started ends when the cell is run again: its picture is gone from the page then,
and with it the button that would stop it."""

from collections.abc import Callable

from IPython import get_ipython

# For each cell: which of its executions was the last, and what ends all that this one started.
_started: dict[str, tuple[str, list[Callable[[], None]]]] = {}


def end_when_run_again(end: Callable[[], None]) -> None:
    """Have `end` called as soon as a later execution of the same cell calls this function.

    Call it while the cell runs, such as when an explorer is made. What one execution starts may
    go on side by side, and so may what other cells start. Outside a notebook nothing is ended.
    """
    cell, execution = _executed()
    last, ends = _started.get(cell, (execution, []))
    if last != execution:
        for end_earlier in ends:
            end_earlier()
        ends = []
    if cell:
        _started[cell] = execution, [*ends, end]


def _executed() -> tuple[str, str]:
    """(the cell that is being executed, which execution it is); empty outside a notebook.

    JupyterLab gives each cell a name. Where a front end does not, its code has to do.
    """
    request = getattr(get_ipython(), "get_parent", dict)()
    header, content = request.get("header", {}), request.get("content", {})
    if header.get("msg_type") != "execute_request":
        return "", ""
    return request["metadata"].get("cellId") or content["code"], header["msg_id"]
