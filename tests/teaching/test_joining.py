"""gptlib.teaching.join: one line in a cell, from which on answers go to the board; and leave."""

import time

import pytest
from boards import COURSE, running

from gptlib import teaching
from gptlib.storage import sending
from gptlib.teaching.board.room import Room
from gptlib.teaching.board.store import Store
from gptlib.teaching.questions import PREDICTION, Question, QuestionBox

SPREAD = COURSE.questions["03", "spread"]
ASKED = Question(SPREAD.words, SPREAD.right, {choice: "Look." for choice in SPREAD.choices})


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    monkeypatch.setenv("GPTLIB_ANSWERS", str(tmp_path / "me.jsonl"))
    monkeypatch.setattr(sending, "_joined", None)
    monkeypatch.setattr(sending, "_current", None)
    yield
    teaching.leave()


def test_a_prediction_reaches_the_board_once_in_each_vote_and_none_after_leaving():
    with running(Room(Store(None), "ABCDE", COURSE)) as board:
        seat = teaching.join(f"{board.url}/room/ABCDE")
        assert "the board is there" in repr(seat)

        def predict(chosen):
            QuestionBox("03", "spread", ASKED, PREDICTION).answer_commit(chosen)
            end = time.monotonic() + 20
            while seat.waiting and time.monotonic() < end:
                time.sleep(0.01)
            assert seat.waiting == 0
            return [board.room.counts.votes(("03", "spread"), vote) for vote in (1, 2)]

        assert predict("4 times") == [[0, 1, 0], [0, 0, 0]]
        assert predict("2 times") == [[0, 1, 0], [0, 0, 0]]  # the cell was run again
        board.enter()
        board.ask("/teacher/vote", {"lesson": "03", "name": "spread", "vote": 2})
        assert predict("2 times") == [[0, 1, 0], [1, 0, 0]]
        assert set(board.room.counts.seats) == {seat.number}
        teaching.leave()
        predict("16 times")
        time.sleep(0.2)
        assert board.room.shown()["answers"] == 3


def test_a_wrong_address_is_said_at_once():
    with pytest.raises(ValueError, match="'teacher' is not the address of a room"):
        teaching.join("teacher")
