"""Lesson 05. Logits to probabilities, and the loss that compares them with what came next.

Leaves out temperature and filters: those belong to choosing (lesson 07, `sampling`), not to the
model. Source: Bridle 1990 for the softmax; the rest is two lines of logarithms.

Axes: ... any leading axes, V = vocab_size. All logarithms are natural, so losses are in nats.
"""

import torch
from torch import Tensor

from .fast.tracing import is_traced
from .formats.values import check_ids


def softmax(logits: Tensor, dim: int = -1) -> Tensor:
    """e^logit, divided by the sum of all e^logit along `dim`; any shape.

    The largest is subtracted first: a shift changes no probability, and e^1000 would overflow.
    IndexError: there is nothing along `dim`, and so nothing that could sum to 1.

    >>> softmax(torch.tensor([1000.0, 1000.0])).tolist()
    [0.5, 0.5]
    """
    powers = torch.exp(logits - logits.amax(dim=dim, keepdim=True))
    return powers / powers.sum(dim=dim, keepdim=True)


def log_softmax(logits: Tensor, dim: int = -1) -> Tensor:
    """ln softmax without leaving the logarithm: logit - ln sum e^logit; any shape.

    The largest is subtracted first here too: beside 1000, float32 keeps only four decimals.
    """
    shifted = logits - logits.amax(dim=dim, keepdim=True)
    return shifted - torch.logsumexp(shifted, dim=dim, keepdim=True)


def token_nll(logits: Tensor, targets: Tensor) -> Tensor:
    """-ln of the probability given to each target, in nats.

    logits (..., V), targets (...) of int64 -> (...).

    Raises:
        ValueError: the shapes do not go together, or a target is outside 0..V-1.
    """
    if logits.shape[:-1] != targets.shape:
        raise ValueError(
            f"logits {tuple(logits.shape)} need targets of shape {tuple(logits.shape[:-1])}, "
            f"not {tuple(targets.shape)}"
        )
    if targets.device.type == "cpu" and not is_traced():  # see TokenEmbedding
        check_ids(targets, logits.shape[-1])
    picked = logits.gather(-1, targets.unsqueeze(-1)).squeeze(-1)  # (..., V) -> (...)
    return torch.logsumexp(logits, dim=-1) - picked


def nll(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean of `token_nll`, a scalar in nats per token: the loss that training lowers.

    >>> round(nll(torch.log(torch.tensor([[0.6, 0.3, 0.1]])), torch.tensor([0])).item(), 3)
    0.511
    """
    return token_nll(logits, targets).mean()


def kl(truth: Tensor, probs: Tensor) -> Tensor:
    """KL(truth || probs) in nats, (..., V) both -> (...): what believing `probs` costs.

    0 only where they agree; infinite where `probs` is 0 and the truth is not.
    """
    return (torch.xlogy(truth, truth) - torch.xlogy(truth, probs)).sum(-1)
