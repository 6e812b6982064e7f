"""The truth as tokens: a grammar knows which word comes next, a model speaks of tokens."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..logits import kl

Truth = Callable[[str], dict[str, float]]  # prefix -> {word: probability}


def true_tokens(truth: Truth, tokenizer, ids: Sequence[int]) -> dict[int, float]:
    """{id: probability} of the next token after `ids`, from the words that `truth` knows of.

    A word of several tokens gives its probability to the first of them.

    Raises:
        ValueError: as `truth` does, for a prefix that its grammar cannot produce.
    """
    ids = list(ids)
    if tokenizer.eos_id in ids:  # a new document knows nothing of those before it
        ids = ids[len(ids) - ids[::-1].index(tokenizer.eos_id) :]
    prefix = tokenizer.decode(ids)
    apart = prefix and not prefix[-1].isspace()
    found: dict[int, float] = defaultdict(float)
    for word, p in truth(prefix).items():
        spaced = f" {word}" if apart and word[0].isalnum() else word
        found[tokenizer.encode(spaced, allowed_special="all")[0]] += p
    return dict(found)


def dense(truth: dict[int, float], size: int) -> Tensor:
    """{id: p} as (V,) of float64, 0 for every other token."""
    probs = torch.zeros(size, dtype=torch.float64)
    probs[list(truth)] = torch.tensor(list(truth.values()), dtype=torch.float64)
    return probs


def kl_from(truth: dict[int, float], probs: Tensor) -> float:
    """KL(truth || probs) in nats, of {id: p} and (V,): what believing `probs` costs."""
    return kl(dense(truth, len(probs)), probs.double()).item()
