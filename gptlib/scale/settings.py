"""Every setting of a training run, each checked by one line of a table."""

from dataclasses import asdict, dataclass, fields
from typing import NamedTuple

from ..formats.values import Choice, Real, Rules, Whole, read_fields


class Defaults(NamedTuple):
    """What a setting is where None is given, since it differs by optimizer."""

    peak: float  # the learning rate after the warm-up
    warmup: int  # updates
    final_share: float  # the last learning rate, as a share of the peak
    schedule: str


DEFAULTS = {
    "adamw": Defaults(3e-3, 50, 0.1, "cosine"),
    "muon": Defaults(3e-2, 10, 0.0, "linear"),
}

# A rate that float32 cannot hold would end in an error of PyTorch's own.
_RATE = Real(below=1e36, optional=True)
RULES: Rules = {
    "steps": Whole(1),
    "batch_size": Whole(1),
    "block_size": Whole(1, optional=True),
    "learning_rate": _RATE,
    "final_learning_rate": _RATE,
    "warmup_steps": Whole(optional=True),
    "weight_decay": Real(),
    "beta1": Real(below=1),
    "beta2": Real(below=1),
    "grad_clip": Real(least=1e-12),  # 0 would wipe out every gradient
    "eval_every": Whole(1),
    "eval_rows": Whole(1, optional=True),
    "eos_id": Whole(optional=True),
    "seed": Whole(),
    "bf16": Choice((True, False), optional=True),
    "compile": Choice((True, False), optional=True),
    "measure": Choice((True, False), optional=True),
    "accumulate": Whole(1),
    "optimizer": Choice(tuple(DEFAULTS)),
    "schedule": Choice(("cosine", "linear"), optional=True),
    "momentum": Real(below=1),
}


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
    bf16: bool | None = None  # autocast to bfloat16; None: cards that have it; on a CPU what gains
    compile: bool | None = None  # by `torch.compile`, a minute's wait; None: large ones on CUDA
    measure: bool | None = None  # first, how a CPU multiplies soonest; None: before a long run
    accumulate: int = 1  # batches whose gradients are added up for one update
    optimizer: str = "muon"  # for the blocks' matrices, and AdamW for the rest; or "adamw" for all
    schedule: str | None = None  # from peak to end by "cosine" or "linear"; None: linear with Muon
    momentum: float = 0.9  # Muon's: the share of the old gradients that stays

    def __post_init__(self) -> None:
        read_fields(self, RULES)

    @property
    def peak(self) -> float:
        """The learning rate after the warm-up."""
        return self._or_default(self.learning_rate, DEFAULTS[self.optimizer].peak)

    @property
    def warmup(self) -> int:
        """How many updates climb to the peak."""
        return self._or_default(self.warmup_steps, DEFAULTS[self.optimizer].warmup)

    @property
    def final(self) -> float:
        """The learning rate of the last update."""
        share = DEFAULTS[self.optimizer].final_share
        return self._or_default(self.final_learning_rate, share * self.peak)

    @property
    def shape(self) -> str:
        """How the rate comes down: "cosine" or "linear"."""
        return self._or_default(self.schedule, DEFAULTS[self.optimizer].schedule)

    @staticmethod
    def _or_default(given, default):
        return default if given is None else given

    def to_dict(self) -> dict:
        """The settings as plain numbers and text, for a file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "TrainConfig":
        """From `to_dict`; a name that is no setting raises ValueError.

        Runs that name no optimizer are from the time when there was AdamW alone.
        """
        values = {"optimizer": "adamw"} | values
        known = {field.name for field in fields(cls)}
        for name in values:
            if name not in known:
                raise ValueError(f"{name} is not a setting of TrainConfig")
        return cls(**values)
