"""Lesson 02. Token and position embeddings: two tables, looked up and added.

Leaves out sinusoidal and rotary positions: GPT-2 learns its positions. Sources: Bengio et al.
2003 for learned word vectors; Radford et al. 2019 (GPT-2) for learned positions, added.

Axes: B batch, T tokens in a row, C = n_embd channels, V = vocab_size.
"""

import torch
from torch import Tensor, nn


def as_ids(values, what: str) -> Tensor:
    """`values`, which `what` names, as a tensor.

    Raises:
        TypeError: they are text, or nothing that a tensor can hold.
    """
    if isinstance(values, str):
        raise TypeError(f"{what} must be token ids, not text: tokenizer.encode(text) gives them")
    try:
        return torch.as_tensor(values)
    except RuntimeError as error:
        raise TypeError(f"{what} must be token ids: {error}") from error


def check_ids(ids: Tensor, vocab_size: int) -> None:
    """Refuse token ids that no table row stands for.

    Raises:
        ValueError: names the first id outside 0..vocab_size-1.
        TypeError: the ids are not integers.
    """
    if ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool:
        raise TypeError(f"token ids must be whole numbers (int64), not {ids.dtype}")
    wrong = (ids < 0) | (ids >= vocab_size)
    if wrong.any():
        raise ValueError(f"token id {int(ids[wrong][0])} is outside 0..{vocab_size - 1}")


class TokenEmbedding(nn.Module):
    """`wte`: one learned vector for each token of the vocabulary.

    >>> wte = TokenEmbedding(vocab_size=3, n_embd=2)
    >>> with torch.no_grad(): _ = wte.weight.copy_(torch.tensor([[0., 1.], [2., 3.], [4., 5.]]))
    >>> wte(torch.tensor([[2, 0]])).tolist()
    [[[4.0, 5.0], [0.0, 1.0]]]
    """

    def __init__(self, vocab_size: int, n_embd: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(vocab_size, n_embd))  # (V, C)
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, ids: Tensor) -> Tensor:
        """ids (B, T) -> vectors (B, T, C). Lookup equals one-hot times matrix, and is cheaper."""
        # On CUDA the look would stop the queue of kernels at each call; there the driver refuses.
        if ids.device.type == "cpu" and not torch.compiler.is_compiling():
            check_ids(ids, self.weight.shape[0])
        return self.rows(ids.long())  # (B, T, C)

    def rows(self, ids: Tensor) -> Tensor:
        """The rows of ids (...) that are known to be in the table, (..., C)."""
        return nn.functional.embedding(ids, self.weight)


class PositionEmbedding(nn.Module):
    """`wpe`: one learned vector for each position, from 0 to block_size - 1."""

    def __init__(self, block_size: int, n_embd: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(block_size, n_embd))  # (block_size, C)
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, n_tokens: int, start: int = 0) -> Tensor:
        """The vectors of positions start .. start + n_tokens - 1, (T, C).

        Raises:
            ValueError: there is no vector for the last of them (the context limit).
        """
        limit = self.weight.shape[0]
        if start + n_tokens > limit:
            raise ValueError(
                f"{start + n_tokens} tokens do not fit into the context of {limit} (block_size)"
            )
        return self.weight[start : start + n_tokens]  # (T, C)
