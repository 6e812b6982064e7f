"""teaching.board.room: an answer is on disk before anybody is told so, and belongs to its vote."""

import asyncio
import sqlite3

import pytest
from boards import COURSE, WIDE, an_answer

from gptlib.teaching.board.catalogue import Catalogue
from gptlib.teaching.board.room import Full, Room
from gptlib.teaching.board.store import Store

SPREAD = ("03", "spread")


def working(work, store=None, clock=lambda: 100.0):
    """Run `work(room)` beside the room's writer."""

    async def both():
        room = Room(store or Store(None), "ABCDE", COURSE, clock)
        writing = asyncio.create_task(room.write_all())
        try:
            return await work(room)
        finally:
            writing.cancel()
            room.close()

    return asyncio.run(both())


def question(room, key=SPREAD):
    (found,) = [q for q in room.shown()["questions"] if (q["lesson"], q["name"]) == key]
    return found


def test_a_vote_is_on_disk_when_it_is_acknowledged(tmp_path):
    async def work(room):
        await room.add(an_answer(1))
        return len(list(Store(tmp_path).answers("ABCDE")))

    assert working(work, Store(tmp_path)) == 1


def test_many_votes_at_once_are_all_kept_and_counted(tmp_path):
    async def work(room):
        await asyncio.gather(*(room.add(an_answer(seat)) for seat in range(700)))
        return question(room)["before"], room.shown()["seats"]

    assert working(work, Store(tmp_path)) == ([700, 0, 0], 700)
    assert len(list(Store(tmp_path).answers("ABCDE"))) == 700


def test_the_same_answer_sent_again_counts_once():
    async def work(room):
        answer = an_answer(1)
        for _ in range(3):
            await room.add(answer)
        return room.shown()["answers"]

    assert working(work) == 1


def test_a_vote_belongs_to_the_vote_that_was_open_when_it_was_given():
    async def work(room):
        await room.add(an_answer(1, "4 times", made=90))
        await room.set_vote(SPREAD, 2)  # at 100
        await room.add(an_answer(2, "16 times", made=99))  # waited for the network
        await room.add(an_answer(1, "2 times", made=101))
        await room.add(an_answer(3, "that", WIDE, made=101))  # another question
        found = question(room)
        return found["before"], found["after"], found["vote"], question(room, WIDE)["before"]

    assert working(work) == ([0, 1, 1], [1, 0, 0], 2, [0, 1])


def test_the_right_answer_leaves_the_room_only_when_it_is_shown():
    async def work(room):
        await room.add(an_answer(1))
        hidden = question(room)["right"]
        await room.show(SPREAD, True)
        shown = question(room)["right"]
        await room.show(SPREAD, False)
        return hidden, shown, question(room)["right"]

    assert working(work) == (None, "2 times", None)


@pytest.mark.parametrize(("key", "vote"), [(("03", "odd"), 2), (SPREAD, 3), (SPREAD, 0)])
def test_a_question_or_a_vote_that_is_not_there_is_refused(key, vote):
    with pytest.raises(ValueError, match="no such"):
        working(lambda room: room.set_vote(key, vote))


def test_a_room_is_taken_up_where_it_was_left(tmp_path):
    async def before(room):
        await room.add(an_answer(1, made=90))
        await room.set_vote(SPREAD, 2)
        await room.add(an_answer(1, "4 times", made=101))
        await room.show(SPREAD, True)
        return room.shown(), room.key

    async def after(room):
        return room.shown(), room.key

    assert working(before, Store(tmp_path)) == working(after, Store(tmp_path))


def test_answers_to_what_the_course_no_longer_asks_are_left_out(tmp_path):
    async def work(room):
        await room.add(an_answer(1))
        await room.add(an_answer(1, "yes", ("05", "exit")))

    working(work, Store(tmp_path))
    exit = {("05", "exit"): COURSE.questions["05", "exit"]}
    room = Room(Store(tmp_path), "ABCDE", Catalogue(exit))
    assert [q["name"] for q in room.shown()["questions"]] == ["exit"]


def test_when_the_disk_refuses_nobody_is_told_that_it_was_kept_and_the_room_goes_on(monkeypatch):
    async def work(room):
        add = room._store.add

        def refuse(*_):
            raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr(room._store, "add", refuse)
        with pytest.raises(sqlite3.OperationalError):
            await room.add(an_answer(1))
        assert room.shown()["answers"] == 0
        monkeypatch.setattr(room._store, "add", add)
        await room.add(an_answer(1))
        return room.shown()["answers"]

    assert working(work) == 1


def test_a_full_room_says_so(monkeypatch):
    monkeypatch.setattr("gptlib.teaching.board.counts.MOST_SEATS", 1)

    async def work(room):
        await room.add(an_answer(1))
        with pytest.raises(Full):
            await room.add(an_answer(2))
        await room.add(an_answer(1))

    working(work)


def test_who_waits_for_news_gets_them_and_not_before():
    async def work(room):
        version = room.version
        await room.changed(version, 0.05)
        assert room.version == version
        waiting = asyncio.create_task(room.changed(version, 10))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await room.add(an_answer(1))
        await asyncio.wait_for(waiting, 1)

    working(work)
