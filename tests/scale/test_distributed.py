"""Several processes: what they learn, who writes, and how all end when one does."""

import os
import signal
import time

import pytest
import torch
from processes import ranks, together, torchrun, train_command, wait_for_a_save

import gptlib
from gptlib import cli
from gptlib.corpora import pets as grammar
from gptlib.scale import distributed
from gptlib.storage import checkpoint
from gptlib.storage.runs import read_log

pytestmark = pytest.mark.thorough

not_on_windows = pytest.mark.skipif(os.name == "nt", reason="gloo and kill are not tried there")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "pets.txt"
    path.write_text(grammar.sample(40, seed=0).replace(grammar.STOP, "\n"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def pair(corpus, tmp_path_factory):
    """The folder of a run of two processes with dropout, and what they said."""
    scratch = tmp_path_factory.mktemp("pair")
    argv = train_command(corpus, scratch / "run", "--batch-size", "2", "--dropout", "0.1")
    return scratch / "run", *together(argv, 2, scratch)


def close(a, b):
    """The weights and the logged numbers of two runs, to 1e-5."""
    ours, theirs = (gptlib.load(folder)[0].state_dict() for folder in (a, b))
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], atol=1e-5, rtol=0)
    for one, other in zip(read_log(a), read_log(b), strict=True):
        expected = pytest.approx(one._replace(seconds=0, val_loss=one.val_loss or 0), abs=1e-5)
        assert other._replace(seconds=0, val_loss=other.val_loss or 0) == expected


@not_on_windows
def test_two_processes_learn_what_one_learns_from_twice_the_batch(corpus, tmp_path):
    argv = train_command(corpus, tmp_path / "two", "--batch-size", "2")
    assert together(argv, 2, tmp_path) == ([0, 0], ["", ""])
    assert cli.main(train_command(corpus, tmp_path / "one", "--batch-size", "4")) == 0
    close(tmp_path / "one", tmp_path / "two")


@not_on_windows
def test_two_processes_learn_what_one_adds_up_from_two_parts_dropout_included(
    pair, corpus, tmp_path
):
    assert pair[1:] == ([0, 0], ["", ""])
    options = ["--batch-size", "2", "--accumulate", "2", "--dropout", "0.1"]
    assert cli.main(train_command(corpus, tmp_path / "one", *options)) == 0
    close(tmp_path / "one", pair[0])


@not_on_windows
@pytest.mark.parametrize("who", [0, 1])
def test_when_one_process_ends_all_end_with_one_line_and_resume_goes_on_to_the_bit(
    pair, corpus, tmp_path, who
):
    argv = train_command(corpus, tmp_path / "run", "--batch-size", "2", "--dropout", "0.1")
    statuses, said = together(argv, 2, tmp_path, interrupted={who: 7})
    assert 0 not in statuses
    line = "".join(said)
    assert line.startswith("gptlib: ") and line.count("\n") == 1 and "--resume to continue" in line
    assert checkpoint.load_training(tmp_path / "run")[1]["step"] == 7
    assert who or "interrupted after step 7 of 12, saved in" in line
    assert together([*argv, "--resume"], 2, tmp_path) == ([0, 0], ["", ""])
    files = [folder / "model.safetensors" for folder in (tmp_path / "run", pair[0])]
    assert files[0].read_bytes() == files[1].read_bytes()


@not_on_windows
def test_three_processes_add_up_in_the_same_order_after_a_resume(corpus, tmp_path):
    # Of two numbers the order is no matter; of three it is, and DDP settles it only while it runs.
    options = ["--batch-size", "2", "--n-layer", "3", "--n-embd", "8"]
    together(train_command(corpus, tmp_path / "whole", *options), 3, tmp_path)
    argv = train_command(corpus, tmp_path / "broken", *options)
    together(argv, 3, tmp_path, interrupted={0: 7})
    assert together([*argv, "--resume"], 3, tmp_path)[0] == [0, 0, 0]
    files = [tmp_path / run / "model.safetensors" for run in ("whole", "broken")]
    assert files[0].read_bytes() == files[1].read_bytes()


@not_on_windows
def test_an_error_that_all_meet_is_said_once(corpus, tmp_path):
    argv = train_command(corpus, tmp_path / "run", "--learning-rate", "1e30")
    statuses, said = together(argv, 2, tmp_path)
    assert statuses == [2, 2] and "".join(said).count("\n") == 1
    assert "try a learning rate below" in said[0]


@not_on_windows
def test_a_run_may_go_on_in_another_number_of_processes_with_as_many_rows(
    pair, corpus, tmp_path, capsys
):
    argv = train_command(corpus, tmp_path / "run", "--batch-size", "2", "--dropout", "0.1")
    together(argv, 2, tmp_path, interrupted={0: 7})
    assert cli.main([*argv[: argv.index("--batch-size")], "--resume"]) == 2
    assert "updates have 4 rows; these have 2, on 1 processes" in capsys.readouterr().err
    assert cli.main([*argv, "--accumulate", "2", "--resume"]) == 0
    close(tmp_path / "run", pair[0])


def kill_one(corpus, folder, which):
    """kill -9 a process of a torchrun: (its lines from gptlib, seconds to the end)."""
    argv = train_command(corpus, folder, "--steps", "1000000", "--save-every", "1")
    process = torchrun(argv, 2)
    try:
        wait_for_a_save(folder, lambda: process.poll() is None)
        began = time.monotonic()
        os.kill(ranks(process)[which], signal.SIGKILL)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    lines = [line for line in err.splitlines() if line.startswith("gptlib: ")]
    assert process.returncode != 0
    gptlib.load(folder)
    return lines, time.monotonic() - began


@not_on_windows
def test_a_killed_process_ends_the_run_with_one_clear_line_within_30_seconds(corpus, tmp_path):
    lines, seconds = kill_one(corpus, tmp_path / "run", 1)
    step = checkpoint.load_training(tmp_path / "run")[1]["step"]
    assert len(lines) == 1 and seconds < 30
    assert f"after step {step} of 1000000, saved in" in lines[0] and "--resume" in lines[0]


@pytest.mark.soak
@not_on_windows
def test_when_the_process_that_writes_is_killed_another_says_so(corpus, tmp_path, record_property):
    lines, seconds = kill_one(corpus, tmp_path / "run", 0)
    assert len(lines) == 1 and "another process of this run ended" in lines[0] and seconds < 30
    record_property("soak", f"1 kill -9 of rank 0 of 2; all ended after {seconds:.0f} s; lost: 0")


@pytest.mark.soak
@not_on_windows
def test_three_processes_killed_together_five_times_end_with_the_very_weights(
    corpus, tmp_path, record_property
):
    options = ["--steps", "300", "--batch-size", "2", "--dropout", "0.1", "--resume"]
    whole = torchrun(train_command(corpus, tmp_path / "whole", *options), 3)
    assert whole.communicate(timeout=300) and whole.returncode == 0
    argv = train_command(corpus, tmp_path / "killed", *options, "--save-every", "1")
    steps = []
    for pause in (0, 0.05, 0.1, 0.2, 0.3):
        process = torchrun(argv, 3)
        wait_for_a_save(tmp_path / "killed", lambda p=process: p.poll() is None)
        time.sleep(pause)
        team = ranks(process)
        for pid in (process.pid, *team):
            os.kill(pid, signal.SIGKILL)
        process.communicate(timeout=60)
        gptlib.load(tmp_path / "killed")
        steps.append(checkpoint.load_training(tmp_path / "killed")[1]["step"])
    assert steps == sorted(set(steps)) and steps[-1] < 300
    last = torchrun(argv, 3)
    _, err = last.communicate(timeout=300)
    assert last.returncode == 0, err
    files = [tmp_path / run / "model.safetensors" for run in ("whole", "killed")]
    assert files[0].read_bytes() == files[1].read_bytes()
    record_property("soak", f"5 kills -9 of all 3 processes, at steps {steps} of 300; lost: 0")


# ---- one process that thinks of others ----


@pytest.fixture
def second(monkeypatch):
    """As if this were the second of two processes."""
    for name, value in {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)


def test_alone_nothing_is_shared_or_averaged(model):
    with distributed.join() as team:
        assert team == distributed.ALONE and team.share(model) is model and team.mean(2.5) == 2.5
        assert team.device("auto") == "auto" and distributed.speaks()


def test_what_is_wrong_with_the_command_is_said_by_the_first_process_alone(second, capsys):
    assert cli.main(["train", "--odd"]) == 2
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["WORLD_SIZE", "RANK", "LOCAL_RANK"])
def test_a_variable_that_is_no_number_is_named(second, monkeypatch, name):
    monkeypatch.setenv(name, "many")
    with pytest.raises(ValueError, match=f"{name} is 'many'"), distributed.join():
        pass


def test_a_device_that_cannot_be_shared_out_is_refused(second, monkeypatch):
    with pytest.raises(ValueError, match="several processes take auto, cuda or cpu"):
        with distributed.join("mps"):
            pass
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="process 2 of this computer has no CUDA card"):
        with distributed.join("cuda"):
            pass


def test_each_process_has_a_card_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    team = distributed.Team(rank=5, size=8, local_rank=1)
    assert [team.device(name) for name in ("auto", "cuda", "cpu")] == ["cuda:1", "cuda:1", "cpu"]


def test_other_errors_are_not_taken_for_a_lost_process(second):
    with pytest.raises(RuntimeError, match="shapes") as caught, distributed.others_needed():
        raise RuntimeError("shapes cannot be multiplied")
    assert not isinstance(caught.value, distributed.LostProcess)
    with pytest.raises(distributed.LostProcess, match="another process"):
        with distributed.others_needed():
            raise RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer")
