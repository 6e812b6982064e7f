"""A room of a tiny course, in memory, and a running board of it."""

import pytest
from boards import COURSE, running

from gptlib.teaching.board.room import Room
from gptlib.teaching.board.store import Store


@pytest.fixture
def room():
    return Room(Store(None), "ABCDE", COURSE)


@pytest.fixture
def board(room):
    with running(room) as board:
        yield board
