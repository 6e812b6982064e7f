"""Small inputs that several tests share."""

import torch


def random_ids(model, batch=2, length=6, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(model.config.vocab_size, (batch, length), generator=generator)
