"""teaching.board.store: what was kept is there again, each answer once, and no other file opens."""

import sqlite3

import pytest
from boards import an_answer

from gptlib.teaching.board.store import FILE, Moment, Store


def test_answers_come_back_in_order_and_an_id_counts_once(tmp_path):
    store = Store(tmp_path)
    first, second = an_answer(1), an_answer(2, "4 times", made=12.5)
    assert store.add("ABCDE", [(first, 1), (second, 2), (first, 1)]) == [True, True, False]
    assert store.add("ABCDE", [(first, 2)]) == [False]
    assert store.add("OTHER", [(first, 1)]) == [True]
    store.close()
    assert list(Store(tmp_path).answers("ABCDE")) == [(first, 1), (second, 2)]


def test_a_room_keeps_its_key_and_rooms_have_different_ones(tmp_path):
    key = Store(tmp_path).key("ABCDE")
    assert len(key) >= 32
    assert Store(tmp_path).key("ABCDE") == key != Store(tmp_path).key("OTHER")


def test_moments_come_back(tmp_path):
    store = Store(tmp_path)
    store.set_moment("ABCDE", ("03", "spread"), Moment(2, 7.5, False))
    store.set_moment("ABCDE", ("03", "spread"), Moment(2, 7.5, True))
    assert Store(tmp_path).moments("ABCDE") == {("03", "spread"): Moment(2, 7.5, True)}
    assert Store(tmp_path).moments("OTHER") == {}


def test_the_log_is_written_ahead_and_flushed_before_a_commit_returns(tmp_path):
    store = Store(tmp_path)
    assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_of_a_batch_that_fails_nothing_is_kept_and_the_store_goes_on(tmp_path):
    store = Store(tmp_path)
    broken = an_answer()._replace(chosen=None)
    with pytest.raises(sqlite3.Error):
        store.add("ABCDE", [(an_answer(), 1), (broken, 1)])
    assert list(store.answers("ABCDE")) == []
    assert store.add("ABCDE", [(an_answer(), 1)]) == [True]


def test_what_is_no_boards_data_is_refused_in_one_line_and_left_as_it_is(tmp_path):
    (tmp_path / FILE).write_text("some other file of the teacher's\n" * 100)
    with pytest.raises(ValueError, match="cannot be opened as a board's data") as refused:
        Store(tmp_path)
    assert "\n" not in str(refused.value)
    assert (tmp_path / FILE).read_text() == "some other file of the teacher's\n" * 100


def test_data_of_a_later_edition_is_refused(tmp_path):
    sqlite3.connect(tmp_path / FILE).execute("PRAGMA user_version = 9").connection.close()
    with pytest.raises(ValueError, match="has version 9, but this gptlib needs 1"):
        Store(tmp_path)
