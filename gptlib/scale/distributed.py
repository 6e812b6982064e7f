"""Lesson 06 on several processes: each learns from its part of every batch, all the same weights.

`torchrun` starts the processes and gives each its rank by environment variables. Every process
holds the whole model; DistributedDataParallel averages their gradients, so all make the same
update. Leaves out models too large for one device. Source: Li et al. 2020 (arXiv 2006.15704).
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache

import torch
import torch.distributed as dist
from torch import Tensor, nn

WORD = 5.0  # seconds for the first process to say why a run ends, before another does
BROKEN = re.compile(r"gloo|nccl|connection|socket|store|timed? ?out", re.IGNORECASE)


@dataclass(frozen=True)
class Team:
    """Where this process stands among those of its run. The default is a process on its own.

    >>> Team().first, Team().mean(2.0)
    (True, 2.0)
    """

    rank: int = 0  # which of them this is
    size: int = 1
    local_rank: int = 0  # which of those on this computer: the number of its CUDA card

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def device(self, name: str) -> str:
        """The device that `name` means here: on several processes each has a CUDA card."""
        on_cards = self.size > 1 and name in ("auto", "cuda") and torch.cuda.is_available()
        return f"cuda:{self.local_rank}" if on_cards else name

    def share(self, model: nn.Module) -> nn.Module:
        """`model`, so wrapped that a backward pass averages its gradients over the processes."""
        if self.size == 1:
            return model
        device = next(model.parameters()).device
        cards = [device] if device.type == "cuda" else None
        shared = nn.parallel.DistributedDataParallel(model, device_ids=cards)
        # The first backward pass settles in which order gradients are added up. Done here and
        # thrown away, it is the same for a run that goes on as for one that never stopped.
        with torch.random.fork_rng(cards or []):
            shared(torch.zeros(1, 1, dtype=torch.int64, device=device)).sum().backward()
        model.zero_grad()
        return shared

    def apart(self, shared) -> AbstractContextManager:
        """Inside, gradients only add up here: `share` averages them after the last part."""
        return nullcontext() if self.size == 1 else shared.no_sync()

    def mean(self, number: float | Tensor) -> float | Tensor:
        """The mean of the processes' numbers, the same for all; of tensors () a tensor.

        Tensors are on the cards if the processes are: their mean is asked for, and not waited for.
        """
        if self.size == 1:
            return number
        total = torch.as_tensor(number, dtype=torch.float64).clone()
        dist.all_reduce(total)
        return total / self.size if isinstance(number, Tensor) else total.item() / self.size


ALONE = Team()


def started() -> int:
    """How many processes this run was started with (torchrun's WORLD_SIZE); mostly 1."""
    return _number("WORLD_SIZE", 1)


@contextmanager
def join(device: str = "auto") -> Iterator[Team]:
    """Meet the other processes of this run, on CUDA by NCCL and elsewhere by gloo.

    Raises:
        ValueError: the environment variables say nothing sensible, or the device is no choice.
        ConnectionError: the others were not found, or one of them ended.
    """
    size, rank = started(), _number("RANK", 0)
    if size == 1:
        yield ALONE
        return
    if device not in ("auto", "cuda", "cpu"):
        raise ValueError(f"--device {device}: several processes take auto, cuda or cpu")
    team = Team(rank, size, _number("LOCAL_RANK", rank))
    name = team.device(device)
    on_cards = name.startswith("cuda:")
    if on_cards and team.local_rank >= torch.cuda.device_count():
        cards = torch.cuda.device_count()
        raise ValueError(
            f"process {team.local_rank + 1} of this computer has no CUDA card: "
            f"there are {cards}; start {cards} processes, or use --device cpu"
        )
    with others_needed():
        if on_cards:
            torch.cuda.set_device(team.local_rank)
        dist.init_process_group("nccl" if on_cards else "gloo")
    yield team
    dist.destroy_process_group()  # not after an error: where another is gone, it might wait for it


@contextmanager
def others_needed() -> Iterator[None]:
    """Inside, what PyTorch says when another process is gone becomes a LostProcess."""
    try:
        yield
    except RuntimeError as error:
        broken = BROKEN.search(str(error)) and "out of memory" not in str(error)
        if started() > 1 and (isinstance(error, dist.DistError) or broken):
            raise LostProcess("another process of this run ended or cannot be reached") from error
        raise


class LostProcess(ConnectionError):
    """Another process of the run is gone."""


def speaks() -> bool:
    """Whether this process is to say why the run ends: one line is enough for all.

    The first process has a few seconds to be the one, for it knows what was saved; where it is
    gone another speaks.
    """
    if started() == 1:
        return True
    if not dist.is_initialized():  # nothing to agree by yet: all have read the same command
        return _number("RANK", 0) == 0
    return _first_to_speak(dist.get_rank())


@cache
def _first_to_speak(rank: int) -> bool:
    with suppress(Exception):  # whatever a dying network raises
        store = dist.distributed_c10d._get_default_store()
        end = time.monotonic() + WORD
        while rank and not store.check(["gptlib/spoke"]) and time.monotonic() < end:
            time.sleep(0.05)
        return store.add("gptlib/spoke", 1) == 1
    return rank == 1  # the store went with the first process


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdecimal() or (name == "WORLD_SIZE" and int(text) < 1):
        raise ValueError(f"{name} is {text!r}, not a number: start several processes by torchrun")
    return int(text)
