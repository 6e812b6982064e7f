"""Lesson 06. Training by negative log likelihood: batch, loss, gradient, update, and again.

`Trainer` is iterated, one `Step` for each update, so a notebook sees and stops it anywhere.
Leaves out files, which `checkpoint` saves, and what an update is made of: `optimizers`. Source:
Loshchilov and Hutter 2019 (AdamW, arXiv 1711.05101); the recipe (decay on matrices, warm-up,
cosine, clipping) is GPT-3's, Brown et al. 2020 (arXiv 2005.14165), appendix B.

Axes: B batch_size, T block_size. Losses are in nats per token.
"""

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, fields
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.optim import AdamW
from tqdm.auto import tqdm

from .distributed import ALONE, Team
from .embeddings import as_ids, check_ids
from .logits import nll, token_nll
from .model import GPT, eval_mode
from .optimizers import LEARNING_RATES, WARMUP_STEPS, Muon, make_optimizers
from .shards import StoredTokens

STATE = {AdamW: ("exp_avg", "exp_avg_sq", "step"), Muon: ("momentum",)}  # of each parameter
NOTHING = -1  # a target where there is nothing to predict: the padding of evaluation rows


@dataclass(frozen=True)
class TrainConfig:
    """How to train. The defaults suit a model of a million parameters on a laptop.

    Raises:
        ValueError: names the field and what it may be.
    """

    steps: int = 300
    batch_size: int = 32
    block_size: int | None = None  # tokens in a row; None: the model's
    learning_rate: float | None = None  # the peak, after warmup_steps; None: 3e-3, with Muon 3e-2
    final_learning_rate: float | None = None  # at the end; None: a tenth of the peak, with Muon 0
    warmup_steps: int | None = None  # None: 50, with Muon 10
    weight_decay: float = 0.1  # on matrices; biases, gains and nothing else are spared
    beta1: float = 0.9
    beta2: float = 0.99
    grad_clip: float = 1.0  # largest norm of the whole gradient
    eval_every: int = 50  # steps between held-out losses; there is one after the last, too
    eval_rows: int | None = 128  # rows of held-out text looked at; None: all
    eos_id: int | None = None  # rows begin where documents do: at this id, or at the one after
    seed: int = 0
    device: str = "auto"  # "auto" is CUDA where there is one, else "cpu"; "mps" must be asked for
    bf16: bool | None = None  # autocast to bfloat16; None: on CUDA
    accumulate: int = 1  # batches whose gradients are added up for one update
    optimizer: str = "muon"  # for the blocks' matrices, and AdamW for the rest; or "adamw" for all
    schedule: str | None = None  # from peak to end by "cosine" or "linear"; None: linear with Muon

    def __post_init__(self) -> None:
        whole = {"steps": 1, "batch_size": 1, "warmup_steps": 0, "eval_every": 1, "seed": 0}
        whole["accumulate"] = 1
        whole |= {"block_size": 1, "eval_rows": 1, "eos_id": 0}
        below = {"learning_rate": math.inf, "final_learning_rate": math.inf}
        below |= {"weight_decay": math.inf, "grad_clip": math.inf, "beta1": 1, "beta2": 1}
        optional = ("block_size", "eval_rows", "eos_id", "bf16")
        optional += ("learning_rate", "final_learning_rate", "warmup_steps", "schedule")
        for field in fields(self):
            name, value = field.name, getattr(self, field.name)
            if value is None and name in optional:
                continue
            if name in whole and not (_is(value, int) and whole[name] <= value < 2**63):
                least = whole[name]
                raise ValueError(f"{name} must be a whole number of {least} or more, not {value!r}")
            if name in below and not (_is(value, int | float) and 0 <= value < below[name]):
                raise ValueError(f"{name} must be a number in [0, {below[name]}), not {value!r}")
        if self.optimizer not in LEARNING_RATES:
            raise ValueError(f"optimizer must be 'adamw' or 'muon', not {self.optimizer!r}")
        if self.schedule not in (None, "cosine", "linear"):
            raise ValueError(f"schedule must be 'cosine' or 'linear', not {self.schedule!r}")
        if self.grad_clip == 0:
            raise ValueError("grad_clip must be above 0: 0 would wipe out every gradient")
        if self.bf16 not in (None, True, False):
            raise ValueError(f"bf16 must be True, False or None, not {self.bf16!r}")

    @property
    def peak(self) -> float:
        """The learning rate after the warm-up."""
        given = self.learning_rate
        return LEARNING_RATES[self.optimizer] if given is None else given

    @property
    def warmup(self) -> int:
        """How many updates climb to the peak."""
        given = self.warmup_steps
        return WARMUP_STEPS[self.optimizer] if given is None else given

    @property
    def final(self) -> float:
        """The learning rate of the last update."""
        if self.final_learning_rate is not None:
            return self.final_learning_rate
        return 0.0 if self.optimizer == "muon" else self.peak / 10

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "TrainConfig":
        """From `to_dict`; a name that is no setting raises ValueError.

        Runs that know of no optimizer are from the time when there was AdamW alone.
        """
        values = {"optimizer": "adamw"} | values
        known = {field.name for field in fields(cls)}
        for name in values:
            if name not in known:
                raise ValueError(f"{name} is not a setting of TrainConfig")
        return cls(**values)


def _is(value, kind) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


class Step(NamedTuple):
    """What one update did."""

    step: int  # updates done, this one included
    loss: float  # of this step's batch, before the update; nats per token
    learning_rate: float
    grad_norm: float  # before clipping
    tokens: int  # seen so far
    seconds: float  # spent on steps and evaluation so far
    val_loss: float | None  # held-out, after the update, where this step had its turn


def resolve_device(device: str = "auto") -> torch.device:
    """The device of that name; "auto" is CUDA where there is one and the CPU elsewhere.

    Raises:
        ValueError: it is not there, or no device is called that; says what to do.
    """
    if str(device) == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"no device is called {device!r}: use auto, cpu, cuda or mps") from error
    if resolved.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (resolved.index or 0) >= count:
            raise ValueError(f"device {device!r} is not here ({count} CUDA devices): use auto")
    elif resolved.type == "mps" and not torch.backends.mps.is_available():
        raise ValueError("device 'mps' is not here: use auto")
    elif resolved.type not in ("cpu", "cuda", "mps"):
        raise ValueError(f"device {device!r} is not supported: use auto, cpu, cuda or mps")
    return resolved


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
    left = 1 - progress
    if config.schedule == "cosine" or (config.schedule is None and config.optimizer == "adamw"):
        left = 0.5 * (1 + math.cos(math.pi * progress))
    return final + (peak - final) * left


def document_starts(tokens: Tensor, eos_id: int) -> Tensor:
    """Where rows may begin: at each stop token and at the token after it, and at 0."""
    stops = (tokens == eos_id).nonzero().flatten()
    return torch.cat([torch.zeros(1, dtype=torch.int64), stops, stops + 1]).unique()


def get_batch(
    tokens: Tensor,
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


def evaluation_rows(
    tokens: Tensor, block_size: int, eos_id: int | None = None
) -> tuple[Tensor, Tensor]:
    """All of `tokens` as rows to score, inputs and targets (N, T), each target once.

    With an `eos_id`, a row is one whole document, from the stop token before it to its own, so
    its first word is scored too. What is left of a row has the target NOTHING (-1).

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
    y = torch.full_like(x, NOTHING)
    for i, piece in enumerate(pieces):
        x[i, : len(piece) - 1], y[i, : len(piece) - 1] = piece[:-1], piece[1:]
    return x, y


@torch.no_grad()
def evaluate(model: GPT, x: Tensor, y: Tensor, batch_size: int = 64) -> float:
    """Mean loss in nats over the targets of `evaluation_rows`, dropout off."""
    total, count = 0.0, 0
    with eval_mode(model):
        for rows, targets in zip(x.split(batch_size), y.split(batch_size), strict=True):
            rows, targets = rows.to(model.device), targets.to(model.device)
            losses = token_nll(model(rows).float(), targets.clamp(min=0))  # (B, T)
            kept = losses[targets != NOTHING].cpu()
            total, count = total + kept.double().sum().item(), count + len(kept)
    return total / count


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold a Ctrl-C back until the block is done, so that what it does is done whole."""
    if threading.current_thread() is not threading.main_thread():  # it never gets a Ctrl-C
        yield
        return
    pressed = []
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)
        if pressed:
            signal.raise_signal(signal.SIGINT)


class Trainer:
    """Trains `model` in place; iterate it, and each turn is one update.

        for step in Trainer(model, tokens, TrainConfig(steps=100)):
            print(step.step, step.loss)

    A loop that was left (break, or an interrupted cell) goes on where it stopped when iterated
    again: an update is done whole or not at all. `history` keeps every Step. `progress()` is the
    same loop with a bar.

    Args:
        model: moved to the configured device.
        tokens: the corpus as ids, (N,), more than block_size of them; or a prepared one's
            (`shards`), which stay on disk: then rows begin anywhere, whatever eos_id says.
        config: how to train.
        heldout: ids never trained on, (M,), two or more of them, for `val_loss`.
        team: the processes that train together; each has a batch of its own (`distributed`).

    Raises:
        ValueError: too few tokens, an id outside the vocabulary, a device that is not there.
        FloatingPointError: while iterating, the loss stopped being a number.
    """

    def __init__(
        self,
        model: GPT,
        tokens: Tensor | StoredTokens,
        config: TrainConfig | None = None,
        heldout: Tensor | None = None,
        team: Team = ALONE,
    ) -> None:
        self.config = config = config or TrainConfig()
        self.team = team
        self.block_size = config.block_size or model.config.block_size
        if self.block_size > model.config.block_size:
            raise ValueError(
                f"block_size {self.block_size} is more than the model's {model.config.block_size}"
            )
        self.tokens = _checked(tokens, model.config.vocab_size, "the corpus")
        if len(self.tokens) <= self.block_size:
            raise ValueError(
                f"the corpus has {len(self.tokens)} tokens; "
                f"block_size {self.block_size} needs {self.block_size + 1}"
            )
        if not any(p.requires_grad for p in model.parameters()):
            raise ValueError("all weights of the model are frozen: there is nothing to train")
        self.device = resolve_device(team.device(config.device))
        self.model = model.to(self.device)
        self.shared = team.share(self.model)  # the same weights; its gradients are everyone's mean
        self.starts = None
        if config.eos_id is not None and not isinstance(tokens, StoredTokens):
            if not (self.tokens == config.eos_id).any():  # then each row would begin at 0
                raise ValueError(f"eos_id {config.eos_id} is nowhere in the corpus")
            starts = document_starts(self.tokens, config.eos_id)
            self.starts = starts[starts < len(self.tokens) - self.block_size]
        self.heldout_rows = None
        if heldout is not None:
            heldout = _checked(heldout, model.config.vocab_size, "the held-out text")
            rows = evaluation_rows(heldout, self.block_size, config.eos_id)
            self.heldout_rows = [part[: config.eval_rows] for part in rows]
        self.optimizers = make_optimizers(model, config)
        self.step, self.seconds = 0, 0.0
        self.history: list[Step] = []

    def __len__(self) -> int:
        return self.config.steps

    def __iter__(self) -> Iterator[Step]:
        while self.step < self.config.steps:
            yield self.update()

    def progress(self) -> Iterator[Step]:
        """The same loop with a progress bar, which shows the losses."""
        with tqdm(total=self.config.steps, initial=self.step, unit="step") as bar:
            for step in self:
                losses = {"loss": f"{step.loss:.3f}"}
                if self.val_loss is not None:
                    losses["held-out"] = f"{self.val_loss:.3f}"
                bar.set_postfix(losses, refresh=False)
                bar.update()
                yield step

    @property
    def val_loss(self) -> float | None:
        """The last held-out loss, if any."""
        return next((s.val_loss for s in reversed(self.history) if s.val_loss is not None), None)

    def update(self) -> Step:
        """One update: the whole of training, from which all else here is made."""
        began = time.perf_counter()
        config, k = self.config, self.step
        rate = learning_rate_at(k, config)
        self.model.train()
        self.model.zero_grad()
        loss = self._backward(k)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.grad_clip).item()
        self._check_finite("loss", loss)
        self._check_finite("gradient", norm)
        with uninterrupted():
            for optimizer in self.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = rate * group["share"]
                optimizer.step()
            self.step = k + 1
            turn = self.step % config.eval_every == 0 or self.step == config.steps
            val_loss = self.evaluate() if turn and self.heldout_rows else None
            if val_loss is not None:
                self._check_finite("held-out loss", val_loss)
            self.seconds += time.perf_counter() - began
            tokens = self.step * self.rows * self.block_size
            step = Step(self.step, loss, rate, norm, tokens, self.seconds, val_loss)
            self.history.append(step)
        return step

    def _check_finite(self, name: str, number: float) -> None:
        if not math.isfinite(number):
            raise FloatingPointError(
                f"the {name} is {number} after {self.step} steps: "
                f"try a learning rate below {self.config.peak}"
            )

    @property
    def rows(self) -> int:
        """Rows that one update learns from: those of all parts of all processes."""
        return self.config.batch_size * self.parts

    @property
    def parts(self) -> int:
        return self.config.accumulate * self.team.size

    def _backward(self, step: int) -> float:
        """The gradient of update `step`, part by part, left in the parameters; its mean loss."""
        count, total = self.config.accumulate, 0.0
        for i in range(count):
            part = self.team.rank * count + i
            last = i == count - 1
            with nullcontext() if last else self.team.apart(self.shared):
                loss = self._loss(*self.batch(step, part), part)
                (loss / count).backward()
            total += loss.item()
        return self.team.mean(total / count)

    def batch(self, step: int, part: int = 0) -> tuple[Tensor, Tensor]:
        """Inputs and targets (B, T) of a part of update `step` (both from 0), on the device."""
        x, y = get_batch(
            self.tokens,
            self.block_size,
            self.config.batch_size,
            seed=self.config.seed,
            step=step,
            starts=self.starts,
            part=part,
            parts=self.parts,
        )
        return x.to(self.device), y.to(self.device)

    def _loss(self, x: Tensor, y: Tensor, part: int = 0) -> Tensor:
        bf16 = self.device.type == "cuda" if self.config.bf16 is None else self.config.bf16
        # Dropout draws from the global generator: seeded by step and part, put back afterwards.
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices, enabled=self.model.config.dropout > 0):
            if self.model.config.dropout > 0:
                mixed = np.random.SeedSequence((self.config.seed, self.step, part)).generate_state(
                    1
                )
                torch.manual_seed(int(mixed[0]))
            with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
                logits = self.shared(x)
        return nll(logits.float(), y)

    def evaluate(self) -> float:
        """The held-out loss now, in nats per token."""
        if self.heldout_rows is None:
            raise ValueError("this Trainer was given no held-out tokens")
        return evaluate(self.model, *self.heldout_rows)

    # ---- What a run needs to go on from: plain tensors and numbers, for `checkpoint` ----

    def state(self) -> tuple[dict[str, Tensor], dict]:
        """The optimizer's tensors by parameter, and the numbers beside them."""
        tensors = {
            f"{name}/{key}": value
            for name, parameter in self.model.named_parameters()
            for optimizer in self.optimizers
            for key, value in optimizer.state.get(parameter, {}).items()
        }
        return tensors, {
            "step": self.step,
            "seconds": self.seconds,
            "config": self.config.to_dict(),
            "rows": self.rows,
            "history": [list(step) for step in self.history],
        }

    def load_state(self, tensors: dict[str, Tensor], numbers: dict) -> None:
        """Go on from `state`; the model's weights are loaded apart from this.

        Raises:
            ValueError: the state is of another model, or damaged; nothing is changed then.
        """
        owners = {p: o for o in self.optimizers for g in o.param_groups for p in g["params"]}
        parameters, shapes = dict(self.model.named_parameters()), {}
        for name, parameter in parameters.items() if numbers["step"] else ():  # else there is none
            for key in STATE[type(owners[parameter])]:
                shapes[f"{name}/{key}"] = torch.Size([]) if key == "step" else parameter.shape
        if wrong := shapes.keys() ^ tensors.keys():
            lacks = min(wrong) in shapes
            raise ValueError(f"the training state {'lacks' if lacks else 'also has'} {min(wrong)}")
        for key, shape in shapes.items():
            if tensors[key].shape != shape:
                raise ValueError(
                    f"the training state's {key} has shape {tuple(tensors[key].shape)}, "
                    f"the model's {tuple(shape)}"
                )
        try:
            history = [Step(*values) for values in numbers["history"]]
        except TypeError as error:
            raise ValueError("the training state's history is damaged") from error
        if [step.step for step in history] != list(range(1, numbers["step"] + 1)):
            raise ValueError(f"the training state's history does not end at {numbers['step']}")
        for optimizer in self.optimizers:
            optimizer.state.clear()
        for key, value in tensors.items():
            name, _, what = key.rpartition("/")
            parameter = parameters[name]
            # The fused AdamW counts its steps beside the weights, the others on the CPU.
            beside = what != "step" or self.device.type == "cuda"
            value = value.to(self.device if beside else "cpu", copy=True)
            owners[parameter].state[parameter][what] = value
        self.step, self.seconds, self.history = numbers["step"], numbers["seconds"], history


def _checked(tokens: Tensor | StoredTokens, vocab_size: int, what: str) -> Tensor | StoredTokens:
    """The ids (N,) as int64 on the CPU, once they are known to be ids."""
    if isinstance(tokens, StoredTokens):  # what they are was seen when they were checked
        check_ids(torch.tensor([tokens.largest]), vocab_size)
        return tokens
    tokens = as_ids(tokens, what)
    if tokens.ndim != 1 or (tokens.is_floating_point() and len(tokens)):  # .long() would round
        shape = tuple(tokens.shape)
        raise ValueError(f"{what} must be ids of shape (N,), not {tokens.dtype} of shape {shape}")
    tokens = tokens.long().cpu()
    check_ids(tokens, vocab_size)
    return tokens
