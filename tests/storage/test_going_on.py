"""Going on with a run: what may be another this time, and what must not."""

from pathlib import Path

import pytest

import gptlib
from gptlib.storage.going_on import resumed_config, saved_run

RUN = Path("run")
SAVED = {"step": 5, "vocab_size": 300, "rows": 8}


@pytest.fixture
def resumed():
    """resumed(size, ...): the settings of a run of 8 rows an update that goes on with these."""
    model = gptlib.GPT(gptlib.GPTConfig(260, 8, 1, 2, 4))
    config = gptlib.TrainConfig(steps=10, batch_size=4, accumulate=2, device="cpu")

    def call(size=1, **given):
        saved = SAVED | {"config": config.to_dict()}
        return resumed_config(RUN, given, model, saved, size, "--{}".format)

    return call


def test_what_is_given_again_as_it_was_changes_nothing(resumed):
    same = {"n_layer": 1, "block_size": 8, "vocab_size": 300, "seed": 0, "learning_rate": 0.03}
    assert resumed(**same, warmup_steps=10, final_learning_rate=0.0) == resumed()
    assert (resumed().steps, resumed().batch_size, resumed().accumulate) == (10, 4, 2)


def test_the_device_and_the_number_of_steps_may_change(resumed):
    config = resumed(steps=20, device="auto")
    assert (config.steps, config.device) == (20, "auto")
    with pytest.raises(ValueError, match="--steps 4: the run in run has already done 5"):
        resumed(steps=4)


@pytest.mark.parametrize(
    ("size", "batch_size", "accumulate"), [(1, 8, 1), (1, 1, 8), (2, 2, 2), (2, 4, 1), (8, 1, 1)]
)
def test_the_rows_of_an_update_may_be_spread_differently(resumed, size, batch_size, accumulate):
    config = resumed(size, batch_size=batch_size, accumulate=accumulate)
    assert config.batch_size * config.accumulate * size == 8


def test_another_number_of_rows_or_another_setting_is_refused_by_name(resumed):
    with pytest.raises(ValueError, match="--batch_size 8: the run in run has 4"):
        resumed(batch_size=8)
    with pytest.raises(ValueError, match="8 rows; these have 16, on 2 processes: choose"):
        resumed(2)
    with pytest.raises(ValueError, match="--n_layer 2: the run in run has 1"):
        resumed(n_layer=2)


def test_a_folder_without_a_run_gives_none(tmp_path):
    assert saved_run(tmp_path, "fingerprint", "my.txt") is None
