"""gptlib.fast.optimizer: the same as PyTorch's, without loading its compiler."""

import copy
import subprocess
import sys

import pytest
import torch

from gptlib.fast.optimizer import AdamW

WITHOUT = """
import sys, torch, gptlib
from gptlib.optimizers import Muon
model = gptlib.GPT(gptlib.GPTConfig(11, 8, n_layer=1, n_head=1, n_embd=4), seed=0)
ids = torch.arange(99) % 11
for optimizer in ("adamw", "muon"):
    config = gptlib.TrainConfig(steps=2, device="cpu", optimizer=optimizer)
    print(len(list(gptlib.Trainer(model, ids, config, heldout=ids))), end=" ")
for optimizer in gptlib.Trainer(model, ids, config).optimizers:
    optimizer.zero_grad()
    optimizer.load_state_dict(optimizer.state_dict())
print("torch._dynamo" in sys.modules)
"""


def updated(kind, **settings):
    """The optimizer and its weights after three updates; one of its two groups does not decay."""
    generator = torch.Generator().manual_seed(0)
    weights = [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in (6, (4, 6))]
    groups = [{"params": weights[:1], "weight_decay": 0.0}, {"params": weights[1:]}]
    optimizer = kind(groups, lr=0.01, betas=(0.9, 0.99), weight_decay=0.1, **settings)
    for _ in range(3):
        for weight in weights:
            weight.grad = torch.randn(weight.shape, generator=generator)
        optimizer.step()
    return optimizer, weights


@pytest.mark.parametrize("fused", [True, None])
def test_it_is_pytorchs_adamw_to_the_bit(fused):
    one, ours = updated(AdamW, fused=fused)
    other, theirs = updated(torch.optim.AdamW, fused=fused)
    for weight, same in zip(ours, theirs, strict=True):
        assert torch.equal(weight, same)
        for name, value in other.state[same].items():
            assert torch.equal(one.state[weight][name], value), name
    assert one.state_dict()["param_groups"] == other.state_dict()["param_groups"]


def test_it_goes_on_from_a_state_of_pytorchs():
    other, theirs = updated(torch.optim.AdamW)
    one, ours = updated(AdamW)
    one.state.clear()
    one.load_state_dict(copy.deepcopy(other.state_dict()))
    for optimizer, weights in ((one, ours), (other, theirs)):
        for weight in weights:
            weight.grad = torch.ones_like(weight)
        optimizer.step()
        optimizer.zero_grad()
        assert all(weight.grad is None for weight in weights)
    assert torch.equal(ours[1], theirs[1])


def test_no_gradient_is_recorded_by_a_step():
    _, weights = updated(AdamW)
    assert all(weight.is_leaf and weight.grad_fn is None for weight in weights)


def test_a_training_does_not_load_the_compiler_of_pytorch():
    result = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True)
    assert result.stdout == "2 2 False\n", result.stderr
