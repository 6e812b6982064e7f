"""A corpus as rows of tokens: where rows may begin, and held-out text cut into rows to score.

Axes: N tokens of a text; afterwards N rows of T = block_size tokens.
"""

import torch
from torch import Tensor

from ..formats.values import as_ids, check_ids
from .shards import StoredTokens

NO_TARGET = -1  # in a row of targets: there is nothing to predict here, only padding


def corpus_tokens(tokens, vocab_size: int, what: str) -> Tensor | StoredTokens:
    """The ids (N,) as int64 on the CPU; ids that stay on disk are returned as they are.

    Raises:
        ValueError: they are no row of token ids, or one is outside the vocabulary; names `what`.
    """
    if isinstance(tokens, StoredTokens):  # the ids themselves were checked when they were opened
        check_ids(torch.tensor([tokens.largest]), vocab_size)
        return tokens
    tokens = as_ids(tokens, what)
    if tokens.ndim != 1 or (tokens.is_floating_point() and len(tokens)):  # .long() would round
        shape = tuple(tokens.shape)
        raise ValueError(f"{what} must be ids of shape (N,), not {tokens.dtype} of shape {shape}")
    tokens = tokens.long().cpu()
    check_ids(tokens, vocab_size)
    return tokens


def check_sizes(model, tokens: Tensor | StoredTokens, block_size: int) -> None:
    """Refuse what cannot be trained: rows longer than the model's, a short corpus, frozen weights.

    Raises:
        ValueError: says which, and how much there is and must be.
    """
    limit = model.config.block_size
    if block_size > limit:
        raise ValueError(f"block_size {block_size} is more than the model's {limit}")
    if len(tokens) <= block_size:
        raise ValueError(
            f"the corpus has {len(tokens)} tokens; block_size {block_size} needs {block_size + 1}"
        )
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("all weights of the model are frozen: there is nothing to train")
    if any(p.is_inference() for p in model.parameters()):
        raise ValueError("the model was made under torch.inference_mode: make it outside")


def document_starts(tokens: Tensor, eos_id: int) -> Tensor:
    """Where rows may begin: at 0, at each stop token, and at the token after it."""
    stops = (tokens == eos_id).nonzero().flatten()
    return torch.cat([torch.zeros(1, dtype=torch.int64), stops, stops + 1]).unique()


def row_starts(tokens: Tensor | StoredTokens, block_size: int, eos_id: int | None) -> Tensor | None:
    """The `document_starts` that leave room for a row and its last target; None: start anywhere.

    Raises:
        ValueError: the stop token does not occur, so that every row would begin at 0.
    """
    if eos_id is None or isinstance(tokens, StoredTokens):
        return None
    if not (tokens == eos_id).any():
        raise ValueError(f"eos_id {eos_id} does not occur in the corpus")
    starts = document_starts(tokens, eos_id)
    return starts[starts < len(tokens) - block_size]


def evaluation_rows(
    tokens: Tensor, block_size: int, eos_id: int | None = None
) -> tuple[Tensor, Tensor]:
    """All of `tokens` as rows to score, inputs and targets (N, T), each target once.

    With an `eos_id`, a row is one whole document, from the stop token before it to its own, so
    its first word is scored too. The rest of a row is padded: its targets are NO_TARGET.

    Raises:
        ValueError: there is no target at all, in fewer than 2 tokens (with `eos_id`: none).
    """
    texts = [tokens]
    if eos_id is not None:
        stop, ends = torch.tensor([eos_id]), (tokens == eos_id).nonzero().flatten() + 1
        texts = [torch.cat([stop, document]) for document in torch.tensor_split(tokens, ends)]
    pieces = [t[i : i + block_size + 1] for t in texts for i in range(0, len(t) - 1, block_size)]
    if not pieces:
        raise ValueError(f"a text of {len(tokens)} tokens has nothing to predict in it")
    x = torch.zeros(len(pieces), block_size, dtype=torch.int64)
    y = torch.full_like(x, NO_TARGET)
    for i, piece in enumerate(pieces):
        x[i, : len(piece) - 1], y[i, : len(piece) - 1] = piece[:-1], piece[1:]
    return x, y
