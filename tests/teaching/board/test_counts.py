"""teaching.board.counts: a seat counts once in each vote, and who is stuck is counted too."""

from boards import COURSE, WIDE, an_answer

from gptlib.teaching.board import counts
from gptlib.teaching.board.counts import AFTER, BEFORE, Counts

SPREAD, SOFTMAX = ("03", "spread"), ("05", "softmax")


def counted(*answers):
    made = Counts(COURSE)
    for answer, vote in answers:
        made.add(answer, vote)
    return made


def test_the_first_answer_of_a_seat_counts_in_each_vote():
    made = counted(
        (an_answer(1, "4 times"), BEFORE),
        (an_answer(1, "2 times"), BEFORE),
        (an_answer(2, "2 times"), BEFORE),
        (an_answer(1, "2 times"), AFTER),
        (an_answer(3, "16 times"), AFTER),
    )
    assert made.votes(SPREAD, BEFORE) == [1, 1, 0]
    assert made.votes(SPREAD, AFTER) == [1, 0, 1]
    assert made.votes(WIDE, BEFORE) == [0, 0]
    assert made.questions() == [SPREAD] and made.last == SPREAD and len(made.seats) == 3


def check(seat, chosen):
    return an_answer(seat, chosen, SOFTMAX, "check"), BEFORE


def test_an_exercise_counts_students_and_names_the_commonest_mistake_first():
    made = counted(
        check(1, "no maximum"),
        check(1, "no maximum"),
        check(1, "right"),
        check(2, "wrong axis"),
        check(3, "wrong axis"),
        check(3, "no maximum"),
        check(3, "not right yet"),
        check(4, "right"),
    )
    assert made.exercises() == [
        {
            "lesson": "05",
            "name": "softmax",
            "tried": 4,
            "passed": 2,
            "stuck": 1,
            "mistakes": [("no maximum", 2), ("wrong axis", 2), ("not right yet", 1)],
        }
    ]


def test_a_check_of_what_is_not_written_is_no_try_and_no_mistake():
    made = counted(*[check(1, "not written")] * 4, check(2, "interrupted"), check(3, "wrong axis"))
    (shown,) = made.exercises()
    assert (shown["tried"], shown["stuck"]) == (1, 0)
    assert shown["mistakes"] == [("wrong axis", 1)] and len(made.seats) == 3


def test_who_has_passed_is_not_stuck_whatever_is_tried_afterwards():
    tries = [check(1, "right")] + [check(1, "wrong axis")] * 5
    assert counted(*tries).exercises()[0]["stuck"] == 0


def test_a_room_has_an_end_and_so_has_a_seat(monkeypatch):
    monkeypatch.setattr(counts, "MOST_SEATS", 2)
    monkeypatch.setattr(counts, "MOST_ANSWERS", 2)
    made = counted((an_answer(1), BEFORE), (an_answer(1), BEFORE), (an_answer(2), BEFORE))
    assert (made.has_room(1), made.has_room(2), made.has_room(3)) == (False, True, False)
