"""gptlib.scale.unread: a history whose last row is still being worked out."""

import math

import pytest
import torch

from gptlib import Step
from gptlib.scale.unread import Numbers, Unread, check_finite, number, read_rows, settle


def numbers(loss=2.5, gradient=0.5):
    """As those of a card, which come as tensors."""
    tensors = {"loss": torch.tensor(loss), "gradient": torch.tensor(gradient)}
    return Numbers(6, 0.03, **tensors)


def unread(**found):
    row = Step(7, math.nan, 0.01, math.nan, 224, 1.5, None)
    return Unread(row, ("loss", "grad_norm"), numbers(**found))


WHOLE = Step(7, 2.5, 0.01, 0.5, 224, 1.5, None)


def test_a_row_is_read_like_the_one_that_it_becomes():
    assert unread().read() == WHOLE and type(unread().read()) is Step
    assert list(unread()) == list(WHOLE) and len(unread()) == len(WHOLE)
    assert unread()[1] == 2.5 and unread()[:2] == (7, 2.5) and unread().loss == 2.5
    assert unread() == WHOLE and WHOLE == unread() and unread() == unread()
    assert hash(unread()) == hash(WHOLE) and repr(unread()) == repr(WHOLE)
    assert unread()._asdict() == WHOLE._asdict() and unread()._replace(step=8).step == 8


def test_what_is_known_is_said_without_a_wait():
    row = unread()
    row._numbers.read = None  # nobody may ask
    assert (row.step, row.tokens, row.val_loss) == (7, 224, None)
    with pytest.raises(TypeError):
        row.loss  # noqa: B018
    with pytest.raises(AttributeError, match="odd"):
        row.odd  # noqa: B018


def test_floats_stay_the_very_floats():
    exact = 1 / 3
    assert Numbers(0, 0.1, loss=exact, gradient=2.0).read() == [exact, 2.0]


@pytest.mark.parametrize("found", [{"loss": math.nan}, {"gradient": math.inf}])
def test_what_is_no_number_is_refused_whenever_it_is_looked_at(found):
    row = unread(**found)
    history = [WHOLE, row]
    for look in (row.read, lambda: row.loss, lambda: list(row), lambda: settle(history)):
        with pytest.raises(FloatingPointError, match="after 6 steps: try .* below 0.03"):
            look()
    assert history[-1] is row


def test_a_loss_without_bounds_is_named():
    check_finite(0, 1.0, loss=3.0)
    with pytest.raises(FloatingPointError, match="the held-out loss is inf after 4 steps"):
        check_finite(4, 1.0, **{"held-out loss": math.inf})


def test_settling_reads_the_last_row_and_leaves_the_others():
    history = [WHOLE, unread()]
    assert read_rows(history) == [WHOLE] and read_rows(history, start=1) == []
    settle(history)
    assert type(history[1]) is Step and history == [WHOLE, WHOLE] == read_rows(history)
    settle(history), settle(empty := [])
    assert len(history) == 2 and empty == read_rows([]) == []


def test_a_number_stays_where_it_is_only_if_it_is_told_to():
    there = number(torch.tensor(0.1, requires_grad=True), stays=True)
    assert isinstance(there, torch.Tensor) and not there.requires_grad
    assert there.dtype == torch.float64
    assert number(torch.tensor(0.5), stays=False) == 0.5


def test_the_numbers_of_a_second_card_are_waited_for_there(monkeypatch):
    class There:  # two numbers on a card that is not the current one
        is_cuda, device, shape, dtype = True, torch.device("cuda", 1), (2,), torch.float64

    class Event:
        def record(self, stream="that of the current card"):
            recorded.append(stream)

    class Here:
        def copy_(self, other, non_blocking):
            assert other is there and non_blocking

    recorded, there, told = [], There(), numbers()
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"that of {device}")
    monkeypatch.setattr(torch, "empty", lambda *shape, **how: Here())
    told._send(there)
    assert recorded == ["that of cuda:1"]


@pytest.mark.cuda
def test_numbers_of_a_card_come_without_stopping_it():
    sent = Numbers(
        0, 1.0, loss=torch.tensor(2.0, device="cuda"), gradient=torch.ones((), device="cuda")
    )
    assert sent.read() == [2.0, 1.0]
