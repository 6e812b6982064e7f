"""Joining the class's board from a cell: `teaching.join("http://teacher:8765/room/ABCDE")`."""

from ..storage import answers, sending
from ..storage.sending import Seat


def join(address: str) -> Seat:
    """Send your answers, without name or code, to the board at the address on the wall.

    The environment variable `GPTLIB_BOARD` does the same for every lesson.

    Raises:
        ValueError: it is not the address of a room.
    """
    return sending.join(address, answers.own_number())


def leave() -> None:
    """Send nothing to a board from now on."""
    sending.leave()
