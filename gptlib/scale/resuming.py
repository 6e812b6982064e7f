"""What a run needs to go on exactly as if it had never stopped: the optimizers' state as tensors.

Leaves out files, which `storage.checkpoint` writes.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .distributed import Team
from .settings import TrainConfig
from .unread import settle

# What each optimizer remembers of a parameter; "step" is one number, the others have its shape.
REMEMBERED = {"AdamW": ("exp_avg", "exp_avg_sq", "step"), "Muon": ("momentum",)}


@contextmanager
def seeded_dropout(p: float, device: torch.device, *seed: int) -> Iterator[None]:
    """Dropout draws from the global generator: seeded inside, and put back afterwards.

    So a run that goes on drops what it would have dropped, and the caller's own draws stay theirs.
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices, enabled=p > 0):
        if p > 0:
            torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
        yield


def optimizer_state(model: nn.Module, optimizers: Sequence[Optimizer]) -> dict[str, Tensor]:
    """{"parameter's name/what is remembered": tensor}."""
    return {
        f"{name}/{key}": value
        for name, parameter in model.named_parameters()
        for optimizer in optimizers
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def load_optimizer_state(
    model: nn.Module, optimizers: Sequence[Optimizer], tensors: dict[str, Tensor], steps: int
) -> None:
    """Put back what `optimizer_state` gave after `steps` updates.

    Raises:
        ValueError: the state is of another model, or damaged; nothing is changed then.
    """
    parameters = dict(model.named_parameters())
    owners = {p: o for o in optimizers for group in o.param_groups for p in group["params"]}
    _check_shapes(_expected_shapes(parameters, owners) if steps else {}, tensors)
    for optimizer in optimizers:
        optimizer.state.clear()
    for key, value in tensors.items():
        name, _, what = key.rpartition("/")
        parameter = parameters[name]
        # The fused AdamW counts its steps beside the weights, the others on the CPU.
        beside = what != "step" or parameter.device.type == "cuda"
        value = value.to(parameter.device if beside else "cpu", copy=True)
        owners[parameter].state[parameter][what] = value


def _expected_shapes(parameters: Mapping[str, Tensor], owners: dict) -> dict[str, torch.Size]:
    """What the optimizers remember after an update; nothing of a frozen parameter."""
    return {
        f"{name}/{key}": torch.Size([]) if key == "step" else parameter.shape
        for name, parameter in parameters.items()
        if parameter.requires_grad
        for key in REMEMBERED[type(owners[parameter]).__name__]
    }


def _check_shapes(expected: dict[str, torch.Size], tensors: dict[str, Tensor]) -> None:
    if wrong := expected.keys() ^ tensors.keys():
        lacks = min(wrong) in expected
        raise ValueError(f"the training state {'lacks' if lacks else 'also has'} {min(wrong)}")
    for key, shape in expected.items():
        if tensors[key].shape != shape:
            raise ValueError(
                f"the training state's {key} has shape {tuple(tensors[key].shape)}, "
                f"the model's {tuple(shape)}"
            )


class Resumable:
    """The part of a Trainer that writes down where it is, and goes on from there."""

    step_type: type  # of the rows of `history`
    model: nn.Module
    optimizers: Sequence[Optimizer]
    config: TrainConfig
    team: Team
    step: int
    seconds: float
    history: list

    @property
    def parts(self) -> int:
        """How many batches, over all processes, one update learns from."""
        return self.config.accumulate * self.team.size

    @property
    def rows(self) -> int:
        """How many rows, over all processes, one update learns from."""
        return self.config.batch_size * self.parts

    @property
    def val_loss(self) -> float | None:
        """The last held-out loss, if any; nats per token."""
        return next((s.val_loss for s in reversed(self.history) if s.val_loss is not None), None)

    def state(self) -> tuple[dict[str, Tensor], dict]:
        """What a run needs to go on from: the optimizers' tensors, and the numbers beside them.

        Raises:
            FloatingPointError: the last loss is no number: nothing is to be kept of this.
        """
        settle(self.history)
        return optimizer_state(self.model, self.optimizers), {
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
        try:
            history = [self.step_type(*values) for values in numbers["history"]]
        except TypeError as error:
            raise ValueError("the training state's history is damaged") from error
        if [step.step for step in history] != list(range(1, numbers["step"] + 1)):
            raise ValueError(f"the training state's history does not end at {numbers['step']}")
        load_optimizer_state(self.model, self.optimizers, tensors, numbers["step"])
        self.step, self.seconds, self.history = numbers["step"], numbers["seconds"], history
