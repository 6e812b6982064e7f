"""Small inputs that several tests share."""

import torch

import gptlib
from gptlib import TrainConfig, Trainer


def random_ids(model, batch=2, length=6, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(model.config.vocab_size, (batch, length), generator=generator)


TOKENS = torch.randint(11, (200,), generator=torch.Generator().manual_seed(0))
QUICK = {"steps": 6, "batch_size": 4, "warmup_steps": 2, "device": "cpu", "optimizer": "adamw"}


def trainer(heldout=None, dropout=0.0, tokens=TOKENS, **settings):
    """A Trainer of a tiny model, quick to run to its end."""
    shape = gptlib.GPTConfig(11, block_size=8, n_layer=2, n_head=2, n_embd=12, dropout=dropout)
    return Trainer(gptlib.GPT(shape, seed=0), tokens, TrainConfig(**QUICK | settings), heldout)


def same_weights(one, other):
    pairs = zip(one.model.parameters(), other.model.parameters(), strict=True)
    return all(torch.equal(p, q) for p, q in pairs)
