"""Lesson 06. Training by negative log likelihood: batch, loss, gradient, update, and again.

`Trainer` is iterated, one `Step` for each update, so a notebook sees and stops it anywhere. What an
update is made of is in `optimizers`; saving is `storage`'s, several processes are `scale`'s. Source
of the recipe (AdamW, decay on matrices, warm-up, cosine, clipping): Brown et al. 2020, appendix B.

Axes: B batch_size, T block_size. Losses are in nats per token.
"""

import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .fast.cards import fused_nll, has_bf16, in_parts, tensor_cores, to_card
from .logits import nll, token_nll
from .model import GPT, without_dropout
from .optimizers import make_optimizers
from .scale import kernels
from .scale.compiling import compiled, compiles
from .scale.devices import resolve_device
from .scale.distributed import ALONE, Team
from .scale.resuming import Resumable, seeded_dropout
from .scale.rows import NO_TARGET, check_sizes, corpus_tokens, evaluation_rows, row_starts
from .scale.settings import TrainConfig
from .scale.shards import StoredTokens
from .scale.shown import with_progress
from .scale.signals import uninterrupted
from .scale.unread import Numbers, Unread, check_finite, number, settle


class Step(NamedTuple):
    """What one update did."""

    step: int  # updates done, this one included
    loss: float  # of this step's batch, before the update; nats per token
    learning_rate: float
    grad_norm: float  # before clipping
    tokens: int  # seen so far
    seconds: float  # spent on steps and evaluation so far
    val_loss: float | None  # held-out, after the update, where this step had its turn


class Trainer(Resumable):
    """Trains `model` in place; iterate it, and each turn is one update.

        for step in Trainer(model, tokens, TrainConfig(steps=100)):
            print(step.step, step.loss)

    A loop that was left (break, or an interrupted cell) continues where it stopped when iterated
    again: an update is done whole or not at all. `history` keeps every Step; `progress` has a bar.
    A CUDA card works on while the next update is prepared: it is waited for by who reads a loss.

    Args:
        model: moved to the configured device.
        tokens: the corpus as ids, (N,), more than block_size of them; or a prepared one's
            (`scale.shards`), which stay on disk: then rows begin anywhere, whatever eos_id says.
        config: how to train.
        heldout: ids that are not trained on, (M,), two or more of them, for `val_loss`.
        team: the processes that train together; each has a batch of its own.

    Raises:
        ValueError: what is given cannot be trained, or there is no such device; says what is wrong.
        FloatingPointError: while iterating, the loss stopped being a number.
    """

    step_type = Step
    model: GPT

    def __init__(
        self,
        model: GPT,
        tokens: Tensor | StoredTokens,
        config: TrainConfig | None = None,
        heldout: Tensor | StoredTokens | None = None,
        team: Team = ALONE,
    ) -> None:
        self.config = config = config or TrainConfig()
        self.team = team
        self.block_size = config.block_size or model.config.block_size
        self.tokens = corpus_tokens(tokens, model.config.vocab_size, "the corpus")
        check_sizes(model, self.tokens, self.block_size)
        self.device = resolve_device(team.device(config.device))
        self.model = model.to(self.device)
        self.shared = team.share(self.model)  # the same weights; its gradients are everyone's mean
        self.starts = row_starts(self.tokens, self.block_size, config.eos_id)
        self.heldout_rows = None
        if heldout is not None:
            heldout = corpus_tokens(heldout, model.config.vocab_size, "the held-out text")
            x, y = evaluation_rows(heldout[:], self.block_size, config.eos_id)
            self.heldout_rows = x[: config.eval_rows], y[: config.eval_rows]
        self.optimizers = make_optimizers(model, config)
        self.step, self.seconds, self.history = 0, 0.0, []  # a Step for each update
        self.runs_ahead = self.device.type == "cuda"
        self.compiling = compiles(model, config)  # before the next update
        self.mean_loss = compiled(self._mean_loss) if self.compiling else self._mean_loss
        kernels.for_many_rows(self.device, config.measure)
        self.kernels = kernels.for_training(model, config, self._loss)

    def __len__(self) -> int:
        return self.config.steps

    def __iter__(self) -> Iterator[Step]:
        while self.step < self.config.steps:
            yield self.update()

    def update(self) -> Step:
        """One update: a batch, its loss, the gradient, and a step of the optimizer."""
        began, config = time.perf_counter(), self.config
        self.model.train()
        self.model.zero_grad()
        with torch.inference_mode(False), torch.enable_grad():  # whatever the caller has set
            loss = self._backward()  # nats per token; the gradient is in each parameter's .grad
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.grad_clip)
        numbers = Numbers(self.step, config.peak, loss=loss, gradient=number(norm, self.runs_ahead))
        ahead = self.runs_ahead and self.step + 1 < config.steps
        if not ahead:
            numbers.read()  # no update is made of what is no number
        with uninterrupted():
            rate = learning_rate_at(self.step, config)
            for optimizer in self.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = rate * group["share"]
                optimizer.step()
            settle(self.history)  # the update before this one: by now a card has done it
            self.step += 1
            due = self.step % config.eval_every == 0 or self.step == config.steps
            val_loss = self.evaluate() if due and self.heldout_rows else None
            self.seconds += time.perf_counter() - began
            tokens = self.step * self.rows * self.block_size
            step = Step(self.step, math.nan, rate, math.nan, tokens, self.seconds, val_loss)
            told = Unread(step, ("loss", "grad_norm"), numbers)
            self.history.append(told if ahead else told.read())
            self.compiling = False
        return self.history[-1]

    def _backward(self) -> float | Tensor:
        """The gradient of this update, part by part, left in the parameters; its mean loss."""
        count, total = self.config.accumulate, 0.0
        for i in range(count):
            part = self.team.rank * count + i
            with nullcontext() if i == count - 1 else self.team.apart(self.shared):
                with tensor_cores(self.device), self.kernels():
                    loss = self._loss(*self.batch(self.step, part), part)
                    (loss / count).backward()
            total += number(loss, self.runs_ahead)
        return self.team.mean(total / count)

    def _loss(self, x: Tensor, y: Tensor, part: int) -> Tensor:
        """The loss of one part of the batch, a scalar with its graph."""
        bf16 = has_bf16(self.device) if self.config.bf16 is None else self.config.bf16
        seed = (self.config.seed, self.step, part)
        with (
            seeded_dropout(self.model.config.dropout, self.device, *seed),
            torch.autocast(self.device.type, torch.bfloat16, enabled=bf16),
        ):
            return self.mean_loss(x, y)

    def _mean_loss(self, x: Tensor, y: Tensor) -> Tensor:
        """What `compiled` makes one of: the model and its loss."""
        logits = self.shared(x)  # (B, T, V)
        return fused_nll(logits, y) if x.device.type == "cuda" else nll(logits.float(), y)

    def batch(self, step: int, part: int = 0) -> tuple[Tensor, Tensor]:
        """Inputs and targets (B, T) of a part of update `step` (both from 0), on the device."""
        sizes = (self.block_size, self.config.batch_size)
        which = {"seed": self.config.seed, "step": step, "part": part, "parts": self.parts}
        rows = get_batch(self.tokens, *sizes, starts=self.starts, **which)
        return to_card(rows[0], self.device), to_card(rows[1], self.device)

    def progress(self) -> Iterator[Step]:
        """The same loop with a progress bar, which shows the losses."""
        return with_progress(self, self.config.steps)

    def evaluate(self) -> float:
        """The held-out loss now, in nats per token."""
        if self.heldout_rows is None:
            raise ValueError("this Trainer was given no held-out tokens")
        loss = evaluate(self.model, *self.heldout_rows)
        check_finite(self.step, self.config.peak, **{"held-out loss": loss})
        return loss


def get_batch(
    tokens: Tensor | StoredTokens,
    block_size: int,
    batch_size: int,
    *,
    seed: int,
    step: int,
    starts: Tensor | None = None,
    part: int = 0,
    parts: int = 1,
) -> tuple[Tensor, Tensor]:
    """The batch of step `step`: a pure function of (seed, step), so a run can be taken up again.

    Args:
        tokens: the corpus, (N,). starts: the places where a row may begin; None: anywhere.
        part: which of `parts` batches that together are one of parts * B rows.

    Returns:
        inputs (B, T) and targets (B, T), the same tokens shifted by one: the target of each
        token is the token after it.
    """
    rng = np.random.default_rng((seed, step))
    places = len(tokens) - block_size if starts is None else len(starts)
    chosen = torch.from_numpy(rng.integers(0, places, parts * batch_size))
    chosen = chosen[part * batch_size : (part + 1) * batch_size]
    if starts is not None:
        chosen = starts[chosen]
    rows = tokens[chosen[:, None] + torch.arange(block_size + 1)]  # (B, T + 1)
    return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()


def learning_rate_at(step: int, config: TrainConfig) -> float:
    """The rate of update `step` (from 0): a straight climb, then half a cosine or a line down.

    The last update of the warm-up has the peak, and the last of all the final rate.

    >>> c = TrainConfig(10, warmup_steps=2, optimizer="adamw", learning_rate=1.0,
    ...                 final_learning_rate=0.0)
    >>> [round(learning_rate_at(k, c), 2) for k in (0, 1, 5, 9)]
    [0.5, 1.0, 0.5, 0.0]
    """
    peak, final = config.peak, config.final
    top = max(config.warmup, 1) - 1  # the update at the peak; the first without a warm-up
    if step <= top:
        return peak * (step + 1) / (top + 1)
    progress = min(1.0, (step - top) / max(1, config.steps - 1 - top))
    left = 0.5 * (1 + math.cos(math.pi * progress)) if config.shape == "cosine" else 1 - progress
    return final + (peak - final) * left


@torch.no_grad()
def evaluate(model: GPT, x: Tensor, y: Tensor, batch_size: int = 64) -> float:
    """Mean loss in nats per token over the targets of `evaluation_rows`, dropout off."""
    total, count = 0.0, 0
    with without_dropout(model), tensor_cores(model.device):
        for rows, targets in in_parts(x, y, batch_size, model):
            rows, targets = rows.to(model.device), targets.to(model.device)
            losses = token_nll(model(rows).float(), targets.clamp(min=0))  # (B, T)
            kept = losses[targets != NO_TARGET].cpu()
            total, count = total + kept.double().sum().item(), count + len(kept)
    return total / count
