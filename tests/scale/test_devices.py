"""gptlib.scale.devices: which device a name means."""

import pytest
import torch

from gptlib.scale.devices import resolve_device


def test_auto_takes_cuda_where_there_is_one_and_never_mps(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto").type == "cpu"
    assert resolve_device("mps").type == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert resolve_device("auto").type == "cuda"
    with pytest.raises(ValueError, match="not here"):
        resolve_device("cuda:1")


@pytest.mark.parametrize(
    "device", ["", "gpu", "CUDA", "cuda:-1", "cuda:x", "meta", "xla", None, 1.5]
)
def test_an_absurd_device_is_refused_with_the_names_there_are(device):
    with pytest.raises(ValueError, match="use auto, cpu, cuda or mps"):
        resolve_device(device)
