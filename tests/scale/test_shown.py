"""What a run shows never ends it: readers that are gone, full disks, streams that were closed."""

import errno
import os
import re
import sys

import nbformat
import pytest
import torch
from nbclient import NotebookClient

import gptlib
from gptlib.scale.shown import Steady, progress_bar


@pytest.fixture
def broken():
    """A text stream whose reader is gone; every line is written at once."""
    read, write = os.pipe()
    os.close(read)
    with open(write, "w", buffering=1) as stream:
        yield stream


def full():
    return open("/dev/full", "w", buffering=1)


needs_dev_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")


def test_a_stream_whose_reader_is_gone_takes_what_is_written_and_closes_well(broken):
    steady = Steady(broken)
    for _ in range(3):
        assert steady.write("line\n") == 5
    steady.flush()


@needs_dev_full
def test_a_full_disk_under_a_log_is_no_error():
    with full() as stream:
        Steady(stream).write("line\n")
        Steady(stream).flush()


def test_a_stream_that_was_closed_is_no_error(tmp_path):
    Steady(None).write("line")
    Steady(None).flush()
    with open(tmp_path / "log", "w") as stream:
        pass
    Steady(stream).write("line")


def test_a_pipe_that_is_full_for_the_moment_is_written_to_again():
    class Pipe:
        written = []

        def write(self, text):
            if not self.written:
                self.written.append(None)
                raise BlockingIOError(errno.EAGAIN, "later")
            self.written.append(text)

    steady = Steady(Pipe())
    steady.write("lost")
    steady.write("shown")
    assert Pipe.written == [None, "shown"]


@pytest.mark.parametrize("closed", [False, True])
def test_a_progress_bar_that_nobody_sees_ends_nothing(broken, closed, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None if closed else broken)
    with progress_bar(total=3, mininterval=0) as bar:
        for _ in range(3):
            bar.update()
    assert bar.n == 3


@pytest.mark.parametrize("wish", [None, KeyboardInterrupt])
def test_training_goes_on_when_its_bar_cannot_be_shown_and_ctrl_c_is_still_heard(
    broken, monkeypatch, wish
):
    model = gptlib.GPT(gptlib.GPTConfig(20, 8, 1, 1, 4), seed=0)
    config = gptlib.TrainConfig(steps=4, batch_size=2, device="cpu")
    trainer = gptlib.Trainer(model, torch.arange(200) % 20, config)
    monkeypatch.setattr(sys, "stderr", broken)
    update = trainer.update

    def interrupted():
        if trainer.step == 2:
            raise wish
        return update()

    if wish is None:
        assert [step.step for step in trainer.progress()] == [1, 2, 3, 4]
    else:
        trainer.update = interrupted
        with pytest.raises(wish):
            list(trainer.progress())
        assert trainer.step == 2


# ---- In a notebook ----

BARS = {
    "for k in progress_bar(range(3)): pass": "100%|██████████| 3/3",
    "for k in progress_bar(range(3), leave=False): pass": "",
    "for k in progress_bar(iter('ab')): pass": "|          | 2/?",
    "with progress_bar(total=4, leave=False) as bar: bar.update()": " 25%|██▌       | 1/4",
    "for step in trainer.progress(): pass": "100%|██████████| 4/4, loss=…, held-out=…",
}
TRAINER = """
import torch
import gptlib
from gptlib.teaching import progress_bar
tokens = torch.arange(200) % 20
model = gptlib.GPT(gptlib.GPTConfig(20, 8, 1, 1, 4), seed=0)
trainer = gptlib.Trainer(model, tokens, gptlib.TrainConfig(4, 2, device="cpu"), tokens[:100])
"""


@pytest.fixture(scope="module")
def kept():
    """{a cell: what a notebook keeps of its bar}."""
    cells = [nbformat.v4.new_code_cell(code) for code in (TRAINER, *BARS)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    return {cell.source: cell.outputs for cell in notebook.cells}


@pytest.mark.parametrize("code", BARS)
def test_a_notebook_keeps_how_a_bar_ended_and_not_how_it_began(kept, code):
    (output,) = kept[code]
    assert re.sub(r"=\d\.\d{3}", "=…", output.data["text/plain"]) == BARS[code]
    alive = "application/vnd.jupyter.widget-view+json" in output.data
    assert alive == (BARS[code] != "")
