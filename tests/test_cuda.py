"""tools/cuda.py: what needs a card, in one table that says what was left out."""

import sys
from pathlib import Path

import cuda
import pytest
from cuda import Part, outcomes


def test_without_a_card_each_part_says_so_and_nothing_has_failed(monkeypatch, capsys):
    monkeypatch.setattr(cuda, "_card", lambda: False)
    monkeypatch.setattr(sys, "argv", ["cuda"])
    assert cuda.main() == 0
    table = capsys.readouterr().out.strip().splitlines()
    assert len(table) == 5 and all("there is no CUDA card here" in line for line in table[2:])


def test_the_parts_are_the_tests_all_notebooks_and_the_benchmarks():
    tests, notebooks, benchmarks = (part.arguments for part in cuda.parts("clone"))
    marked = [name for name in tests if name.endswith(".py")]
    assert tests[3:5] == ["-m", "cuda"] and len(marked) == len(tests) - 5 > 7
    assert str(cuda.ROOT / "tests" / "decoding" / "test_graphs.py") in marked
    assert not any("browser" in Path(name).read_text("utf-8") for name in marked)
    found = {Path(name) for name in notebooks if name.endswith(".ipynb")}
    there = (cuda.ROOT / "notebooks").rglob("*.ipynb")
    assert found == {path for path in there if path.parent.name != ".ipynb_checkpoints"}
    assert len(found) > 20
    assert benchmarks[1:-1] == "benchmarks --only cuda --minutes MINUTES --nanogpt".split()


def test_what_jupyter_keeps_of_a_notebook_is_none(tmp_path, monkeypatch):
    kept = [".ipynb_checkpoints/01_a-checkpoint", "deeper/.ipynb_checkpoints/01_a-checkpoint"]
    for name in ("01_a", "capstone", "deeper/01_a", "solutions/01_a", *kept):
        path = tmp_path / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    monkeypatch.setattr(cuda, "ROOT", tmp_path)
    found = [name for name in cuda.parts(None)[1].arguments if name.endswith(".ipynb")]
    assert len(found) == 4 and not any("checkpoint" in name for name in found)


def ran(code, minutes=1.0, needs=()):
    (outcome,) = outcomes([Part("this", ["-c", code], needs, 1.0)], minutes, card=True)
    return outcome


@pytest.mark.parametrize(
    ("code", "said", "good"),
    [
        ("print('x\\n== 15 passed, 2 skipped in 3.00s ==')", "15 passed, 2 skipped in 3.00s", True),
        (
            "print('1 failed, 2 passed in 1s'); raise SystemExit(1)",
            "1 failed, 2 passed in 1s",
            False,
        ),
        ("print('| a | p | 1 |\\n| b | p | not measured: no | |')", "1 rows measured, 1 not", True),
        ("print('| a | p | not measured: it failed: x | |')", "0 rows measured, 1 not", False),
    ],
)
def test_a_part_says_how_it_went(code, said, good):
    outcome = ran(code)
    assert (outcome.said, outcome.good) == (said, good)
    assert str(outcome).startswith("| ok | this |" if good else "| !! | this |")


def test_a_part_ends_with_its_time_and_so_does_what_it_started():
    code = "import subprocess, sys; print('| a | p | 1 |', flush=True); "
    code += "subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    outcome = ran(code, minutes=0.05)
    assert outcome.said == "1 rows measured, 0 not, stopped: the time was up" and not outcome.good
    assert outcome.seconds < 50


def test_a_part_is_told_how_long_it_may_take():
    code = "import sys; print(sys.argv[1], 'passed')"
    (outcome,) = outcomes([Part("this", ["-c", code, "MINUTES"], (), 0.5)], 4.1, card=True)
    assert outcome.said.endswith("1.3 passed")  # of 2.05, with something to spare


def test_a_part_without_its_package_is_left_out():
    outcome = ran("1/0", needs=("no_such_package",))
    assert outcome.said == "skipped: no_such_package not installed" and outcome.good
