"""benchmarks/hub.py: its own parts, with no class of kernels."""

import os
import subprocess
import sys

import pytest

from benchmarks import hub

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads Linux's /proc")


def test_memory_is_that_of_a_process_and_of_those_that_it_started():
    code = "held = bytearray(b'x') * 200_000_000; input()"
    child = subprocess.Popen(
        [sys.executable, "-c", f"print(flush=True); {code}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert set(hub.family(os.getpid())) >= {os.getpid(), child.pid}
        child.stdout.readline()
        held = 0
        while held < 200e6:  # until it has filled them
            assert child.poll() is None
            held = hub.proportional_set_size(child.pid)
        assert held < 400e6
    finally:
        child.kill()
        child.wait()


def test_nine_of_ten_moves_are_faster_than_the_p90():
    assert hub.p90([float(k) for k in range(1, 101)]) == pytest.approx(90.9)
    assert hub.p90([5.0]) == 5.0


def test_students_are_in_the_three_lessons_in_turn():
    assert all((hub.ROOT / "notebooks" / f"{name}.ipynb").is_file() for name in hub.LESSONS)
    assert hub.HEAD[0].count("|") == hub.HEAD[1].count("|") == 8
    assert hub.HEAD_OF_SETTINGS[0].count("|") == hub.HEAD_OF_SETTINGS[1].count("|") == 5


def test_its_tables_replace_those_of_the_page_and_nothing_else(tmp_path, monkeypatch, capsys):
    page = tmp_path / "hub.md"
    page.write_text(hub.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(hub, "PAGE", page)
    monkeypatch.setattr(hub, "a_class", lambda n: f"| {n} | of a class |")
    monkeypatch.setattr(hub, "a_setting", lambda name, n: f"| {name} | of {n} |")
    monkeypatch.setattr("sys.argv", ["hub", "--kernels", "2,3", "--settings", "5"])
    hub.main()
    now, before = page.read_text(encoding="utf-8"), hub.ROOT / "docs" / "teach" / "hub.md"
    lines = now.partition(hub.BEGIN)[2].partition(hub.END)[0].splitlines()
    assert "| 2 | of a class |" in lines and "| both | of 5 |" in lines
    assert lines[-1] == "| both | of 5 |" and "not measured" not in now.partition(hub.END)[0]
    rest = before.read_text(encoding="utf-8")
    assert now.partition(hub.BEGIN)[0] == rest.partition(hub.BEGIN)[0]
    assert now.partition(hub.END)[2] == rest.partition(hub.END)[2]
    monkeypatch.setattr("sys.argv", ["hub", "--kernels", "2", "--settings", "0", "--dry"])
    hub.main()
    assert (
        page.read_text(encoding="utf-8") == now and "| 2 | of a class |" in capsys.readouterr().out
    )


@pytest.mark.soak
def test_a_class_of_one_is_measured(monkeypatch, record_property):
    monkeypatch.setattr(hub, "LESSONS", ("05_logits_and_softmax",) * 3)
    row = hub.a_setting("both", 2)
    assert row.startswith("| both | ") and row.count(" ms |") == 2 and row.endswith(" s |")
    record_property("soak", "2 students of lesson 05: a slider alone, beside training; training")
