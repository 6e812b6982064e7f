"""What `sampling` is given, checked and as plain numbers: settings, and the prompt."""

import math
from collections.abc import Sequence

from torch import Tensor

from ..formats.values import Whole, as_float, as_ids, check_ids
from ..model import GPT


def check_settings(
    temperature: float, top_k: int | None, top_p: float | None
) -> tuple[float, int | None, float | None]:
    """The three settings as plain numbers; ones that mean nothing are refused.

    Raises:
        ValueError: names the argument and what it may be.
    """
    heat = as_float("temperature", temperature)
    if not 0 <= heat < math.inf:
        raise ValueError(f"temperature must be 0 or more, and finite, not {temperature}")
    if top_k is not None:
        top_k = Whole(1).read("top_k", top_k)
    if top_p is not None and not 0 < (top_p := as_float("top_p", top_p)) <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, not {top_p}")
    return heat, top_k, top_p


def are_unequal(ids: object) -> bool:
    """Whether these are several prompts, a list or tuple of rows, of more than one length."""
    if not isinstance(ids, list | tuple):
        return False
    has_length = [hasattr(row, "__len__") and getattr(row, "ndim", 1) > 0 for row in ids]
    return all(has_length) and len({len(row) for row in ids}) > 1


def prompt_rows(model: GPT, ids: Tensor | Sequence[int]) -> Tensor:
    """The prompt as ids (B, T) on the model's device.

    Raises:
        ValueError: it is empty, of another shape, or has an id outside the vocabulary.
        TypeError: it is text, or nothing that a tensor can hold.
    """
    ids = as_ids(ids, "a prompt")
    if ids.numel() == 0 or ids.ndim not in (1, 2):
        raise ValueError(
            f"the prompt must hold at least one token id, as (T,) or (B, T), not {tuple(ids.shape)}"
        )
    check_ids(ids, model.config.vocab_size)
    return (ids if ids.ndim == 2 else ids[None]).long().to(model.device)
