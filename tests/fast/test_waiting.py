"""gptlib.fast.waiting: how threads wait, unless someone has chosen otherwise."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gptlib.cli import checks
from gptlib.fast import waiting

ROOT = Path(__file__).resolve().parents[2]
KEPT_BUSY = "they keep their cores busy while they wait, since torch was loaded before gptlib."
SLEEP = "OMP_WAIT_POLICY=PASSIVE"
SAYS = f"says; where kernels share a machine, set only {SLEEP}"


def fresh(code, **chosen):
    """What a new process prints, whose environment says only `chosen` of how threads wait."""
    environment = {name: value for name, value in os.environ.items() if name not in waiting.NAMES}
    environment |= {"PYTHONPATH": str(ROOT)} | chosen
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip(), done.stderr.decode()


# In the place of PyTorch, which reads how threads shall wait when it is loaded: says what there is
# to be read, and ends the process.
TORCH = """
import os
print(*(os.environ.get(name) for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")))
raise SystemExit
"""


@pytest.fixture
def read_by_torch(tmp_path):
    """read_by_torch(imports, ...): how threads wait where these imports come to load torch."""
    (tmp_path / "torch.py").write_text(TORCH)
    (tmp_path / "ipykernel.py").write_text("")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    return lambda imports, **chosen: fresh(f"import {imports}", PYTHONPATH=path, **chosen)[0]


def test_in_a_kernel_waiting_threads_sleep(read_by_torch):
    assert read_by_torch("ipykernel, gptlib") == "PASSIVE None"
    assert read_by_torch("ipykernel, gptlib.corpora.pets") == "PASSIVE None"  # whatever is first


def test_elsewhere_they_look_out_for_a_moment_before_they_sleep(read_by_torch):
    assert read_by_torch("gptlib") == "PASSIVE 3000"
    assert read_by_torch("gptlib.corpora.pets") == "PASSIVE 3000"


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("OMP_WAIT_POLICY", "ACTIVE", "ACTIVE None"),
        ("GOMP_SPINCOUNT", "300000", "None 300000"),
        ("KMP_BLOCKTIME", "200", "None None"),
    ],
)
def test_a_way_of_waiting_that_was_chosen_stays(read_by_torch, name, value, read):
    assert read_by_torch("gptlib", **{name: value}) == read


def test_where_torch_was_loaded_first_nothing_is_set_since_nobody_would_read_it():
    assert fresh("import torch, gptlib, os; print(os.environ.get('OMP_WAIT_POLICY'))")[0] == "None"


@pytest.mark.skipif(sys.platform != "linux", reason="GNU's OpenMP says what it has read")
def test_openmp_reads_the_choice():
    told = fresh("import gptlib", OMP_DISPLAY_ENV="VERBOSE")[1]
    if "GOMP_SPINCOUNT" not in told:
        pytest.skip("this PyTorch has another OpenMP than GNU's")
    assert "GOMP_SPINCOUNT = '3000'" in told  # it is 300,000 by default
    told = fresh("import ipykernel, gptlib", OMP_DISPLAY_ENV="VERBOSE")[1]
    assert "GOMP_SPINCOUNT = '0'" in told


def test_benchmarks_are_timed_with_the_defaults_of_openmp(read_by_torch):
    """Peers and gptlib alike, in this process and in those that it starts."""
    assert read_by_torch("benchmarks, gptlib") == "None 300000"
    code = "import benchmarks, os; print(os.environ['GOMP_SPINCOUNT'], os.environ['KMP_BLOCKTIME'])"
    assert fresh(code)[0] == "300000 200"
    code = "import benchmarks; print(*set(benchmarks.as_started_by_hand()) & set(%r))"
    assert fresh(code % (waiting.NAMES,))[0] == ""
    assert fresh(code % (waiting.NAMES,), GOMP_SPINCOUNT="7")[0] == "GOMP_SPINCOUNT"


@pytest.mark.parametrize(
    ("torch_first", "chosen", "said"),
    [
        (False, {"OMP_WAIT_POLICY": "PASSIVE"}, "they sleep while they wait for each other"),
        (True, {"OMP_WAIT_POLICY": "passive"}, "they sleep while they wait for each other"),
        (
            False,
            {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "3000"},
            "they look out for each other for a moment, then sleep",
        ),
        (
            True,
            {},
            f"{KEPT_BUSY} Where kernels share a machine, import gptlib first or set {SLEEP}",
        ),
        (False, {"OMP_WAIT_POLICY": "ACTIVE"}, f"they wait as OMP_WAIT_POLICY=ACTIVE {SAYS}"),
        (False, {"GOMP_SPINCOUNT": "9"}, f"they wait as GOMP_SPINCOUNT=9 {SAYS}"),
    ],
)
def test_doctor_says_how_threads_wait_and_what_to_do(monkeypatch, torch_first, chosen, said):
    for name in waiting.NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(waiting, "TORCH_CAME_FIRST", torch_first)
    line = next(value for name, value, _ in checks() if name == "threads")
    assert line == f"{torch.get_num_threads()}; {said}"
