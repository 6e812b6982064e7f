"""Lesson 02. Token and position embeddings: two tables, looked up and added.

Leaves out sinusoidal and rotary positions: GPT-2 learns its positions. Sources: Bengio et al.
2003 for learned word vectors; Radford et al. 2019 (GPT-2) for learned positions, added.

Axes: B batch, T tokens in a row, C = n_embd channels, V = vocab_size.
"""

import torch
from torch import Tensor, nn

from .fast.tracing import is_traced
from .formats.values import check_ids


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
        if ids.device.type == "cpu" and not is_traced():
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
