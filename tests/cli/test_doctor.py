"""`gptlib doctor`: can the course run here?"""

import torch
from command import run

from gptlib.scale import kernels
from gptlib.scale.kernels import Found
from gptlib.storage import checkpoint


def test_doctor_says_line_by_line_what_is_here(pets, capsys):
    status, out, _ = run(capsys, "doctor")
    assert f"torch         {torch.__version__}" in out and "The cat is sleeping" in out
    assert status == (1 if "!!" in out else 0)


def test_doctor_says_what_was_measured_here(pets, capsys, monkeypatch):
    found = {"training, 768 rows, 128 to 384": Found("oneDNN", {"oneDNN": 1.5, "PyTorch": 2.0})}
    for known, line in (
        (found, "training, 768 rows, 128 to 384: oneDNN (oneDNN 1.5 ms, PyTorch 2 ms)"),
        ({}, "nothing yet: a large run does this"),
    ):
        monkeypatch.setattr(kernels, "remembered", lambda known=known: known)
        assert f"    measured      {line}\n" in run(capsys, "doctor")[1]


def test_doctor_fails_when_the_model_cannot_be_read(capsys, monkeypatch):
    def broken(name):
        raise ValueError("model.safetensors: not whole")

    monkeypatch.setattr(checkpoint, "load", broken)
    status, out, _ = run(capsys, "doctor")
    assert status == 1 and "!!  pets model" in out
