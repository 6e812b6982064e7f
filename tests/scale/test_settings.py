"""gptlib.scale.settings: what a setting may be."""

import math

import pytest

from gptlib import TrainConfig


def test_settings_of_a_time_before_muon_mean_adamw():
    assert TrainConfig.from_dict({"steps": 3}) == TrainConfig(3, optimizer="adamw")


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in ("steps", "batch_size", "accumulate") for value in (0, -1, 1.5)]
    + [
        ("eval_every", 0),
        ("steps", True),
        ("steps", None),
        ("seed", -1),
        ("seed", 2**64),
        ("warmup_steps", -1),
    ]
    + [("learning_rate", v) for v in (-1.0, math.nan, math.inf, "1", True)]
    + [("optimizer", v) for v in ("sgd", None, 1)]
    + [("schedule", "step")]
    + [
        ("beta1", 1.0),
        ("beta2", math.nan),
        ("momentum", 1.0),
        ("grad_clip", 0),
        ("weight_decay", math.inf),
    ]
    + [("block_size", 0), ("eval_rows", 0), ("eos_id", -1), ("bf16", "no"), ("compile", 1)],
)
def test_a_setting_that_means_nothing_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        TrainConfig(**{name: value})


def test_settings_go_through_a_dictionary_and_an_unknown_name_is_refused():
    c = TrainConfig(steps=7, eos_id=3)
    assert TrainConfig.from_dict(c.to_dict()) == c
    with pytest.raises(ValueError, match="lr is not a setting"):
        TrainConfig.from_dict({"lr": 1})
