"""teaching.board.limits: so many at once, so many a second, and no sender costs another."""

from gptlib.teaching.board.limits import Allowance


def test_a_burst_is_allowed_and_then_so_many_a_second():
    allowance = Allowance(burst=3, rate=2)
    assert [allowance.wait("a", 0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert [allowance.wait("a", 1) for _ in range(3)] == [0, 0, 0.5]
    assert [allowance.wait("a", 1000) for _ in range(4)] == [0, 0, 0, 0.5]  # no more than a burst


def test_senders_do_not_share():
    allowance = Allowance(burst=1, rate=1)
    assert allowance.wait("a", 0) == 0 and allowance.wait("b", 0) == 0
    assert allowance.wait("a", 0) == 1


def test_of_a_million_senders_few_are_remembered():
    allowance = Allowance(burst=1, rate=1, most=10)
    for sender in range(1000):
        allowance.wait(sender, 0)
    assert allowance.wait(999, 0) == 1 and len(allowance._left) == 10
