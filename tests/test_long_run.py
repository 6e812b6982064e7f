"""A long run: its memory stays flat, its log is whole, and of its saves the last few are kept."""

import subprocess
import sys
import time
from statistics import mean

import memory
import pytest

import gptlib
from gptlib.storage import checkpoint, runs

STEPS, SAVE, EVALUATE, KEEP = 10_000, 100, 200, 5
OPTIONS = (
    f"--steps {STEPS} --save-every {SAVE} --eval-every {EVALUATE} --keep {KEEP} --batch-size 16 "
    "--block-size 64 --n-layer 2 --n-head 4 --n-embd 64 --vocab-size 397 --device cpu --quiet"
).split()


def watched(folder):
    """Train on the pets corpus; [(step, bytes of memory)] as they were several times a second."""
    command = [sys.executable, "-m", "gptlib", "train", "--corpus", "pets", "--out", str(folder)]
    seen, log = [], folder / runs.LOG
    with subprocess.Popen([*command, *OPTIONS], stdout=subprocess.DEVNULL) as process:
        try:
            while process.poll() is None:
                held = memory.held(process.pid, "Rss")
                if held and log.is_file():
                    seen.append((log.read_bytes().count(b"\n"), held))
                time.sleep(0.25)
        finally:
            process.kill()
        assert process.returncode == 0
    return seen


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted from /proc")
def test_ten_thousand_steps_hold_no_more_memory_at_the_end_and_leave_a_whole_log(
    tmp_path, record_property
):
    seen = watched(tmp_path / "run")
    tenths = [[held for step, held in seen if 10 * step // (STEPS + 1) == t] for t in range(10)]
    means = [mean(tenth) / 1e6 for tenth in tenths]
    megabytes = ", ".join(f"{each:.1f}" for each in means)
    log = runs.read_log(tmp_path / "run")
    assert [step.step for step in log] == list(range(1, STEPS + 1))
    evaluated = [step.step for step in log if step.val_loss is not None]
    assert evaluated == list(range(EVALUATE, STEPS + 1, EVALUATE))
    saves = runs.saved_steps(tmp_path / "run")
    last = [int(save.name.removeprefix("step-")) for save in saves]
    assert last == list(range(STEPS - (KEEP - 1) * SAVE, STEPS + 1, SAVE))
    for save, step in zip(saves, last, strict=True):
        gptlib.load(save)
        assert checkpoint.load_training(save)[1]["step"] == step
    grown = means[-1] / means[1] - 1
    record_property(
        "soak",
        f"{STEPS:,} steps, {STEPS // SAVE} saves of which the last {KEEP} were kept and open, "
        f"{len(evaluated)} held-out losses; MB held in each tenth: {megabytes}, the last "
        f"{grown:+.1%} beside the second; lost: 0",
    )
    assert abs(grown) < 0.02, megabytes
