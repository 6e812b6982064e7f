"""Lesson 07. From logits to the next token, and again: greedy, temperature, top-k, top-p.

Leaves out beam search: language models are sampled. Sources: top-k, Fan et al. 2018 (arXiv
1805.04833); top-p, Holtzman et al. 2020 (arXiv 1904.09751).

Axes: B batch, T tokens, V = vocab_size.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from typing import NamedTuple

import torch
from torch import Tensor

from .decoding import graphs
from .decoding.arguments import are_unequal, check_settings, prompt_rows
from .decoding.choosing import divided
from .decoding.decoders import decoder_for, last_logits, without_unused_ids
from .formats.values import Whole, as_ids
from .model import GPT


def next_token_probs(
    logits: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Tensor:
    """The distribution that the next token is drawn from; (..., V) -> (..., V), rows sum to 1.

    Nothing here is random. In this order: logits / temperature, softmax, keep the top_k largest,
    then keep the fewest of the largest that reach top_p together, then divide by what is left.

    Args:
        temperature: 0 puts everything on the largest logit (greedy); 1 changes nothing.
        top_k: exactly so many stay; among equals the smaller id stays.
        top_p: in (0, 1]; at least one token stays.

    >>> p = next_token_probs(torch.log(torch.tensor([0.60, 0.30, 0.05, 0.05])), top_k=2)
    >>> [round(x, 3) for x in p.tolist()]
    [0.667, 0.333, 0.0, 0.0]

    Raises:
        ValueError: an argument out of its range, or logits with NaN or +inf, or only -inf, or none.
    """
    temperature, top_k, top_p = check_settings(temperature, top_k, top_p)
    if not logits.ndim or not logits.shape[-1]:
        raise ValueError(f"logits must be of shape (..., V), not {tuple(logits.shape)}")
    logits = logits.float()
    if top_k is None or top_k >= logits.shape[-1] or temperature == 0:
        ids, kept = None, logits
        _check_numbers(logits.amax(-1).flatten().tolist())  # NaN if there is one
    else:
        kept, ids = _largest(logits, top_k)  # (..., k)
    if temperature == 0:
        return torch.zeros_like(logits).scatter_(-1, _first_largest(logits), 1.0)
    probs = torch.softmax(divided(kept, temperature), -1)  # of those that stay, so they sum to 1
    if ids is not None:
        probs = torch.zeros_like(logits).scatter_(-1, ids, probs)
    return probs if top_p is None or top_p == 1 else _nucleus(probs, logits, top_p)


def _nucleus(probs: Tensor, logits: Tensor, top_p: float) -> Tensor:
    """The fewest of the largest probabilities that reach top_p together, made to sum to 1 again."""
    # Sorted by the logits: a high temperature can round unequal probabilities to equal ones.
    ids = logits.sort(dim=-1, descending=True, stable=True).indices
    ordered = probs.gather(-1, ids)  # (..., V), largest first, ties by id
    # The slack is for float32, where 0.6 + 0.3 can be a hair below 0.9.
    reached = ordered.cumsum(-1) >= top_p * (1 - 1e-6)  # (..., V)
    ordered[..., 1:] = ordered[..., 1:].masked_fill(reached[..., :-1], 0.0)  # the first stays
    kept = torch.zeros_like(probs).scatter_(-1, ids, ordered)
    return kept / kept.sum(-1, keepdim=True)


def _check_numbers(largest: Iterable[float]) -> None:
    """Refuse logits by the largest of each row."""
    if not all(map(math.isfinite, largest)):
        raise ValueError("logits must hold numbers: found NaN, +inf, or a row of -inf")


def _largest(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k < V largest and their ids, (..., V) -> (..., k) each; the smaller id among equals.

    Raises:
        ValueError: NaN or +inf among them, or a row of -inf.
    """
    rows = logits.shape[:-1]
    values, ids = logits.topk(k + 1)  # one more, to see whether the edge is between equals
    found = values.view(rows.numel(), k + 1).tolist()
    _check_numbers(row[0] for row in found)  # topk takes NaN for the largest
    if any(row[k - 1] == row[k] for row in found):  # of equals it takes any
        last = values[..., k - 1 : k]
        above, equal = logits > last, logits == last
        room = k - above.sum(-1, keepdim=True)
        stays = above | (equal & (equal.cumsum(-1) <= room))  # (..., V), k of each row
        ids = stays.nonzero()[:, -1].view(*rows, k)
        return logits.gather(-1, ids), ids
    return values[..., :k], ids[..., :k]


def _first_largest(logits: Tensor) -> Tensor:
    """(..., V) -> (..., 1): the smallest id among the largest logits (argmax promises no order)."""
    is_largest = logits == logits.amax(-1, keepdim=True)
    return is_largest.int().cumsum(-1).eq(0).sum(-1, keepdim=True)


def draw(probs: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw one id from each row of probabilities, (B, V) -> (B,).

    It is the first at which the running sum passes u, one uniform number in [0, 1) a row. Nothing
    else is random, so a seed gives the same ids on CPU and CUDA when the generator is the CPU's.
    A token of probability 0 is never drawn.
    """
    device = "cpu" if probs.device.type == "mps" else probs.device  # Apple's GPUs lack float64
    source = device if generator is None else generator.device
    u = torch.rand(probs.shape[0], 1, generator=generator, device=source, dtype=torch.float64)
    sums = probs.to(device).cumsum(-1, dtype=torch.float64)  # (B, V)
    u = u.to(device) * sums[:, -1:]  # the last sum is 1 but for rounding; u stays below it
    return torch.searchsorted(sums, u, right=True).squeeze(-1).to(probs.device)  # (B,)


class Sampled(NamedTuple):
    """One step of `stream`."""

    ids: Tensor  # (B,) the tokens drawn; a row that has stopped repeats the stop token
    probs: Tensor  # (B, V) what they were drawn from, after temperature and filters
    logits: Tensor  # (B, V) what the model said, and -inf for ids that have no token
    stopped: Tensor  # (B,) bool: the row has reached the stop token


def stream(
    model: GPT,
    ids: Tensor | Sequence[int],
    max_new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    eos_id: int | None = None,
    generator: torch.Generator | None = None,
    use_cache: bool = True,
) -> Iterator[Sampled]:
    """Generate a token at a time, giving each with its distribution. Arguments: see `generate`."""
    settings = check_settings(temperature, top_k, top_p)
    max_new_tokens = Whole().read("max_new_tokens", max_new_tokens)
    rows = prompt_rows(model, ids)
    eos_id = Whole(most=model.config.vocab_size - 1, optional=True).read("eos_id", eos_id)
    return _stream(model, rows, max_new_tokens, settings, eos_id, generator, use_cache)


def _stream(model, ids, max_new_tokens, settings, eos_id, generator, use_cache):
    limit = model.config.block_size
    stopped = torch.zeros(ids.shape[0], dtype=torch.bool, device=ids.device)
    decoder, threads = None, nullcontext()
    if use_cache and ids.shape[1] <= limit:
        decoder = decoder_for(model, ids.shape[0])
        threads = decoder.threads
    window, unread, fresh = ids[:, -limit:], ids, []
    for _ in range(max_new_tokens):
        if decoder is not None and decoder.length < limit:
            logits = decoder.read(unread)  # (B, V)
        else:  # the window slides: every token has a new position, so nothing can be kept
            window, fresh = torch.cat([window, *fresh], dim=1)[:, -limit:], []
            logits = last_logits(model, window)  # (B, V)
        with threads:
            logits = without_unused_ids(model, logits)
            probs = next_token_probs(logits, *settings)
            drawn = probs.argmax(-1) if settings[0] == 0 else draw(probs, generator)  # (B,)
        if eos_id is not None:
            drawn = torch.where(stopped, eos_id, drawn)
            stopped = stopped | (drawn == eos_id)
        unread = drawn[:, None]  # (B, 1)
        fresh.append(unread)
        yield Sampled(drawn, probs, logits, stopped)
        if eos_id is not None and stopped.all():
            return


def generate(
    model: GPT,
    ids: Tensor | Sequence[int],
    max_new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    eos_id: int | None = None,
    generator: torch.Generator | None = None,
    use_cache: bool = True,
) -> Tensor | list[Tensor]:
    """The prompt and up to `max_new_tokens` more: predict, draw, append, again.

    Args:
        ids: prompt, (T,) or (B, T), or a list of ids. A prompt longer than block_size is read
            through a sliding window of its last block_size tokens, and so is what grows past it.
            Prompts of unequal length are written on one after the other, each as if it were alone.
        temperature, top_k, top_p: see `next_token_probs`; temperature 0 is greedy.
        eos_id: stop after this token; in a batch, a row that is done repeats it.
        generator: a `torch.Generator` with a seed, for the same draws again.
        use_cache: keep keys and values between steps. The ids are the same without.

    Returns:
        ids with the new ones appended, (T + n,) or (B, T + n), on the model's device; for prompts
        of unequal length a list of them.

    Raises:
        ValueError: an empty prompt, an id outside the vocabulary, a setting out of its range.
    """
    settings: dict = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "eos_id": eos_id}
    settings |= {"generator": generator, "use_cache": use_cache}
    if are_unequal(ids):
        return [_continued(model, row, max_new_tokens, settings) for row in ids]
    return _continued(model, ids, max_new_tokens, settings)


def _continued(model: GPT, ids, max_new_tokens: int, settings: dict) -> Tensor:
    rows = prompt_rows(model, ids)
    steps = stream(model, rows, max_new_tokens, **settings)  # checks what it is given
    out = graphs.write(model, rows, int(max_new_tokens), **settings)  # on a CUDA card
    if out is None:
        out = torch.cat([rows, *(step.ids[:, None] for step in steps)], dim=1)  # (B, T + n)
    return out if as_ids(ids, "a prompt").ndim == 2 else out[0]
