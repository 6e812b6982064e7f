"""gptlib.scale.resuming: a run that goes on ends as one that never stopped."""

import copy

import pytest
import torch
from tiny import TOKENS, same_weights, trainer


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_run_taken_up_from_its_state_ends_with_the_same_weights(dropout, optimizer):
    how = {"dropout": dropout, "optimizer": optimizer}
    whole, first = trainer(TOKENS[:50], **how), trainer(TOKENS[:50], **how)
    list(whole)
    for _ in range(3):
        first.update()
    tensors, numbers = copy.deepcopy(first.state())
    second = trainer(TOKENS[:50], **how)
    second.model.load_state_dict(first.model.state_dict())
    second.load_state(tensors, numbers)
    list(second)
    assert same_weights(whole, second)
    assert all(torch.equal(t, first.state()[0][name]) for name, t in tensors.items())  # copied
    assert [s._replace(seconds=0) for s in second.history] == [
        s._replace(seconds=0) for s in whole.history
    ]


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing():
    run = trainer()
    run.update()
    tensors, numbers = run.state()
    lacking = {k: v for k, v in tensors.items() if k != "wte.weight/exp_avg"}
    for damaged, text in (
        ((tensors | {"odd/step": torch.tensor(1.0)}, numbers), "also has odd/step"),
        ((lacking, numbers), "lacks wte.weight/exp_avg"),
        ((tensors | {"wte.weight/exp_avg": torch.zeros(2, 2)}, numbers), r"shape \(2, 2\)"),
        ((tensors, numbers | {"step": 7}), "does not end at 7"),
        ((tensors, numbers | {"history": [[1]]}), "history is damaged"),
    ):
        with pytest.raises(ValueError, match=text):
            run.load_state(*damaged)
    assert run.step == 1 and run.update().step == 2


def test_a_state_of_another_optimizer_is_refused():
    one, other = trainer(), trainer(optimizer="muon")
    one.update(), other.update()
    with pytest.raises(ValueError, match="also has h.0.attn.c_attn.weight/exp_avg"):
        other.load_state(*one.state())
    with pytest.raises(ValueError, match="lacks h.0.attn.c_attn.weight/exp_avg"):
        one.load_state(*other.state())
