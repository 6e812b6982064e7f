"""gptlib.teaching.capstone: what its questions say of rows and units is so."""

import torch

import gptlib
from gptlib import teaching
from gptlib.teaching import capstone


def test_positions_that_no_batch_has_used_keep_their_random_start():
    model = gptlib.GPT(gptlib.GPTConfig(11, 48, 1, 1, 8), seed=0)
    before = model.wpe.weight.detach().clone()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.0)
    ids = torch.arange(9)[None] % 11  # (1, 9): rows of 8
    gptlib.nll(model(ids[:, :-1]), ids[:, 1:]).backward()
    optimizer.step()
    changed = (model.wpe.weight != before).any(1)
    assert changed[:8].all() and not changed[8:].any()


def test_the_units_question_can_go_either_way():
    """3.9 nats a token and 2.4: with 6 and 3 characters a token A is better, with 5 and 4 B."""
    assert 3.9 / 6 < 2.4 / 3 and 3.9 / 5 > 2.4 / 4
    assert "cannot be said" in capstone.QUESTIONS["unit"].right


def test_the_capstone_goes_by_its_name_in_a_class_s_answers():
    assert teaching.Lesson("capstone").number == "capstone"
