"""`gptlib train`: what it prints, what it leaves on disk, and how a run is taken up again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import warnings

import pytest
import torch
from command import TINY, refused, weights
from processes import CONTEXT, child, kill_at_random, train_command, wait_for_a_save

import gptlib
from gptlib import cli, corpora
from gptlib.formats import tensors as tensor_files
from gptlib.storage import checkpoint
from gptlib.storage.runs import read_log


def test_train_ends_with_one_line_of_json_and_the_folder_opens(train, tmp_path):
    status, out, err = train()
    assert status == 0 and out.count("\n") == 1 and err == ""
    summary = json.loads(out)
    model, tokenizer = gptlib.load(tmp_path / "run")
    assert summary.keys() >= {"steps", "train_loss", "val_loss", "seconds"}
    assert (summary["steps"], summary["device"]) == (12, "cpu")
    assert summary["vocab_size"] == tokenizer.vocab_size == model.config.vocab_size == 260
    assert summary["parameters"] == model.n_params() and summary["tokens_per_second"] > 0
    history = checkpoint.load_training(tmp_path / "run")[1]["history"]
    assert summary["train_loss"] == pytest.approx(sum(row[1] for row in history) / 12, abs=1e-4)
    assert summary["val_loss"] == pytest.approx(history[-1][-1], abs=1e-4)


def test_progress_goes_to_stderr(corpus, tmp_path, capsys):
    argv = ["train", "--corpus", str(corpus), "--out", str(tmp_path / "run"), *TINY]
    assert cli.main([option for option in argv if option != "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1 and "12/12" in err and "held-out=" in err


def test_a_vocabulary_that_stops_early_is_a_note_and_not_a_warning(train):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        status, out, err = train("run", "--vocab-size", "5000")
    assert status == 0 and err.startswith("gptlib: ") and err.count("\n") == 1
    assert str(json.loads(out)["vocab_size"]) in err and ".py" not in err


@pytest.mark.parametrize("warmup", [13, 10**18])
def test_a_warm_up_that_is_longer_than_the_run_is_one_line(train, warmup):
    status, out, err = train("run", "--warmup-steps", str(warmup))
    assert status == 0 and json.loads(out)["steps"] == 12
    words = "is more than the run's 12 steps: the learning rate never peaks"
    assert err == f"gptlib: --warmup-steps {warmup} {words}\n"
    assert train("whole", "--warmup-steps", "12")[2] == ""


def test_the_pets_corpus_trains_with_its_stop_tokens(train, tmp_path):
    assert train("run", "--steps", "1", corpus="pets")[0] == 0
    tokenizer = gptlib.load(tmp_path / "run")[1]
    config = checkpoint.load_training(tmp_path / "run")[1]["config"]
    assert config["eos_id"] == tokenizer.eos_id


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "has 0 characters; a corpus needs 200"),
        (b"short\n", "has 6 characters"),
        (b"good line\n" * 50 + b"caf\xe9\n", "line 51"),
        ("caf\u00e9 ".encode("utf-16") * 100, "not UTF-8"),
        (b"a" * 5000, "block_size"),  # one word, and so one token
    ],
)
def test_a_corpus_that_cannot_be_used_writes_nothing(train, tmp_path, content, text):
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    options = ["--block-size", "2000"] if content.startswith(b"a") else []
    refused(train("absent/run", *options, corpus=path), text)
    assert not (tmp_path / "absent").exists()


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="there is no /dev/null")
def test_dev_null_is_refused_in_one_line_and_writes_nothing(train, tmp_path):
    refused(train("run", corpus="/dev/null"), "/dev/null: has 0 characters")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--steps", "0"], "steps must be a whole number of 1 or more, not 0"),
        (["--steps", "1e3"], "--steps: invalid int value: '1e3'"),
        (["--save-every", "0"], "--save-every: must be 1 or more"),
        (["--batch-size", "-1"], "batch_size must be"),
        (["--learning-rate", "nan"], "learning_rate must be"),
        (["--learning-rate", "1e308"], "learning_rate must be in [0, 1e+36), not 1e+308"),
        (["--warmup-steps", str(10**19)], "warmup_steps must be a whole number of 0 or more, not"),
        (["--final-learning-rate", "inf"], "final_learning_rate must be"),
        (["--weight-decay=-Infinity"], "weight_decay must be"),
        (["--grad-clip", "0"], "grad_clip must be"),
        (["--dropout", "nan"], "dropout must be"),
        (["--n-embd", "6", "--n-head", "4"], "n_embd (6) must be divisible by n_head (4)"),
        (["--vocab-size", "0"], "vocab_size must be"),
        (["--vocab-size", "256"], "need at least 257"),
        (["--seed", "-1"], "seed must be"),
        (["--seed", str(2**70)], "seed must be"),
        (["--device", "gpu"], "no device is called 'gpu'"),
        (["--device", "cuda:77"], "is not here"),
        (["--resume", "--overwrite"], "not allowed with"),
        (["--n-layer", "1000000"], "GB of memory to train, and this computer has"),
        (["--n-embd", str(10**18)], "GB of memory to train, and this computer has"),
        (["--odd"], "unrecognized arguments: --odd"),
        (["--batch-size", str(10**13)], "out of memory: try a smaller --batch-size"),
    ],
)
def test_an_option_that_means_nothing_is_one_line_and_writes_nothing(
    train, tmp_path, options, text
):
    refused(train("run", *options), text)
    assert not (tmp_path / "run").exists()


def test_an_unknown_corpus_names_those_there_are(train, tmp_path):
    refused(train(corpus="absent"), "absent: no such file, and no corpus has that name (pets, ")
    refused(train(corpus=tmp_path), "is a folder")


def test_a_folder_that_cannot_be_written_to_is_refused_before_training(
    train, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("mine")
    monkeypatch.setattr(cli.train.corpora, "load", None)  # not even the corpus is read
    refused(train("file"), "is a file, but a folder is needed")
    refused(train("file/deep/run"), "file: is a file")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    refused(train("run"), "no permission to write there")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_model_is_not_replaced_unless_asked(train, tmp_path):
    train()
    before = weights(tmp_path / "run")
    refused(train(), "holds model.safetensors (--resume continues a run)")
    assert weights(tmp_path / "run") == before
    (tmp_path / "cut-off").mkdir()  # a first save that was killed while its files moved
    shutil.copytree(tmp_path / "run", tmp_path / "cut-off" / ".saved")
    refused(train("cut-off"), "holds model.safetensors (--resume continues a run)")
    assert train("run", "--overwrite", "--seed", "1")[0] == 0
    assert weights(tmp_path / "run") != before


def test_files_of_other_tools_are_not_replaced_unless_asked(train, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text("my own")
    refused(train("mine"), "holds config.json")
    assert (tmp_path / "mine" / "config.json").read_text() == "my own"


@pytest.mark.parametrize("option", ["--out", "--corpus"])
def test_an_empty_name_is_refused_and_not_taken_for_this_folder(option, capsys):
    names = {"--out": "run", "--corpus": "python-docs"} | {option: ""}
    assert cli.main(["train", *(word for pair in names.items() for word in pair)]) == 2
    assert f"{option}: must not be empty" in capsys.readouterr().err


def test_divergence_is_one_line_of_advice(train):
    refused(train("run", "--learning-rate", "1e30"), "try a learning rate below 1e+30")


def test_memory_that_is_used_up_is_one_line_and_a_bug_is_not_hidden(train, monkeypatch):
    def update(self):
        raise RuntimeError(message)

    monkeypatch.setattr(gptlib.Trainer, "update", update)
    message = "CUDA out of memory. Tried to allocate 20.00 GiB.\n"
    refused(train(), "out of memory: try a smaller --batch-size, --block-size or model")
    message = "shapes cannot be multiplied"
    with pytest.raises(RuntimeError, match=message):
        train()


def test_what_a_disk_says_is_one_line_and_the_last_save_stays(train, tmp_path, monkeypatch):
    real, calls = tensor_files.save_file, []

    def full(*args, **kwargs):
        calls.append(args)
        if len(calls) > 2:  # the second save
            raise tensor_files.SafetensorError("I/O error:\n No space left on device")
        real(*args, **kwargs)

    monkeypatch.setattr(tensor_files, "save_file", full)
    refused(train("run", "--save-every", "5"), "No space left on device")
    monkeypatch.undo()
    assert checkpoint.load_training(tmp_path / "run")[1]["step"] == 5


# ---- --resume ----


@pytest.mark.parametrize("options", [[], ["--dropout", "0.3"]])
def test_a_resumed_run_ends_with_the_very_weights_of_an_unbroken_one(
    train, tmp_path, monkeypatch, options
):
    train("whole", *options)
    real = gptlib.Trainer.update

    def update(self):
        if self.step == 7:
            raise KeyboardInterrupt
        return real(self)

    monkeypatch.setattr(gptlib.Trainer, "update", update)
    status, out, err = train("broken", *options)
    assert status == 130 and out == "" and err.count("\n") == 1
    assert "interrupted after step 7 of 12, saved in" in err and "--resume" in err
    assert checkpoint.load_training(tmp_path / "broken")[1]["step"] == 7
    monkeypatch.undo()
    assert json.loads(train("broken", *options, "--resume")[1])["steps"] == 12
    assert weights(tmp_path / "broken") == weights(tmp_path / "whole")


def test_resume_begins_a_run_where_there_is_none_and_repeats_the_end_of_one_that_is_done(
    train, tmp_path
):
    first = train("run", "--resume")
    before = weights(tmp_path / "run")
    again = train("run", "--resume")
    assert first[0] == again[0] == 0 and first[1] == again[1]
    assert weights(tmp_path / "run") == before


def test_resume_with_more_steps_goes_on_along_the_longer_schedule(train, tmp_path):
    train()
    assert json.loads(train("run", "--resume", "--steps", "20")[1])["steps"] == 20
    rows = checkpoint.load_training(tmp_path / "run")[1]["history"]
    config = gptlib.TrainConfig(steps=20, warmup_steps=2)
    expected = gptlib.training.learning_rate_at(12, config)
    assert rows[12][2] == pytest.approx(expected) and rows[12][2] > rows[11][2]
    refused(train("run", "--resume", "--steps", "15"), "has already done 20")


@pytest.mark.parametrize(
    ("option", "had"),
    [("--n-layer 2", "1"), ("--n-embd 8", "4"), ("--block-size 16", "8"), ("--dropout 0.5", "0.0")]
    + [("--vocab-size 300", "260"), ("--batch-size 3", "2"), ("--seed 1", "0"), ("--bf16", "None")]
    + [("--learning-rate 0.1", "0.03"), ("--optimizer adamw", "muon")],
)
def test_resume_with_another_setting_is_refused_by_name(train, tmp_path, option, had):
    train("run", "--steps", "1")
    before = weights(tmp_path / "run")
    result = train("run", "--resume", "--steps", "1", *option.split())
    refused(result, f"{option.split()[0]} ")
    assert result[2].endswith(f" has {had}\n")
    assert weights(tmp_path / "run") == before


def test_resume_with_another_corpus_or_without_a_state_is_refused(train, tmp_path, corpus):
    train("run", "--steps", "1")
    other = tmp_path / "other.txt"
    other.write_text(corpus.read_text() + "more\n")
    refused(train("run", "--resume", corpus=other), f"trained on a different corpus from {other}")
    (tmp_path / "run" / "training.safetensors").unlink()
    refused(train("run", "--resume"), "holds model.safetensors but no run to resume")


def killed_and_whole(tmp_path, corpus, kills, steps):
    """The folders of a run killed so often and of one that was not, and how many hit a save."""
    options = ["--batch-size", "2", "--steps", str(steps), "--dropout", "0.1", "--resume"]

    def start(out, save_every):
        argv = train_command(corpus, tmp_path / out, *options, "--save-every", save_every)
        argv += ["--keep", "2"]
        environment = {"OMP_NUM_THREADS": "1"}
        process = CONTEXT.Process(target=child, args=(argv, environment, os.devnull, -1))
        process.start()
        return process

    start("whole", str(steps)).join()
    killed = tmp_path / "killed"
    last, during = kill_at_random(lambda: start("killed", "1"), killed, kills)
    assert last < steps  # none had come to the end
    start("killed", str(steps)).join()
    return killed, tmp_path / "whole", during


def same_run(killed, whole):
    """The same weights, state of the optimiser, losses and log, to the bit."""
    assert weights(killed) == weights(whole)
    ours, theirs = checkpoint.load_training(killed), checkpoint.load_training(whole)
    assert all(torch.equal(ours[0][name], theirs[0][name]) for name in ours[0] | theirs[0])
    logs = [[s._replace(seconds=0) for s in read_log(folder)] for folder in (killed, whole)]
    assert logs[0] == logs[1]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_run_killed_at_random_moments_ends_with_the_very_weights_of_an_unbroken_one(
    tmp_path, corpus
):
    killed, whole, _ = killed_and_whole(tmp_path, corpus, kills=4, steps=100)
    same_run(killed, whole)


@pytest.mark.soak
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_run_killed_20_times_and_during_saves_ends_with_the_very_weights_of_an_unbroken_one(
    tmp_path, corpus, record_property
):
    killed, whole, during = killed_and_whole(tmp_path, corpus, kills=20, steps=1000)
    same_run(killed, whole)
    assert during > 0
    record_property("soak", f"20 kills -9 of 1000 steps, {during} of them during a save; lost: 0")


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C another way")
def test_ctrl_c_saves_what_there_is_and_says_how_to_go_on(tmp_path, corpus):
    command = [sys.executable, "-m", "gptlib", "train", "--corpus", str(corpus), *TINY]
    command += ["--out", str(tmp_path / "run"), "--steps", "1000000", "--save-every", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_a_save(tmp_path / "run", lambda: process.poll() is None)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and out == "" and "Traceback" not in err
    assert "gptlib: interrupted after step " in err and "with --resume to continue" in err
    step = checkpoint.load_training(tmp_path / "run")[1]["step"]
    assert f"after step {step} of" in err


# ---- Documents ----


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_a_run_on_documents_learns_the_stop_token_and_goes_on_with_them(train, tmp_path, name):
    texts = [f"The cat {k} is here." for k in range(60)]
    if name.endswith("jsonl"):
        text = "\n".join(json.dumps({"text": text}) for text in texts)
    else:
        text = "<|endoftext|>".join(texts)
    (tmp_path / name).write_text(text)
    options = ["--documents", "--steps", "60", "--learning-rate", "0.05", "--batch-size", "8"]
    status, out, err = train("run", *options, corpus=tmp_path / name)
    assert status == 0, err
    model, tokenizer = gptlib.load(tmp_path / "run")
    ids = tokenizer.encode("here.")
    with torch.no_grad():
        likely = model(torch.tensor([ids]))[0, -1].argmax()
    assert likely == tokenizer.eos_id
    assert train("run", *options, "--resume", corpus=tmp_path / name)[0] == 0
    plain = [option for option in options if option != "--documents"]
    refused(train("run", *plain, "--resume", corpus=tmp_path / name), "on a different corpus")


def test_documents_are_told_to_prepare_and_not_to_the_run_on_what_it_made(train, prepare, tmp_path):
    texts = tmp_path / "a.jsonl"
    texts.write_text("\n".join(json.dumps({"text": f"The cat {k} is here."}) for k in range(60)))
    status, out, err = prepare("--documents", "--vocab-size", "260", corpus=texts)
    assert status == 0 and json.loads(out)["vocab_size"] == 260, err
    shards = corpora.load(tmp_path / "shards")
    stops = int((shards.train[:] == 259).sum()) + int((shards.heldout == 259).sum())
    assert shards.tokenizer.eos_id == 259 and stops == 60
    assert train("run", corpus=tmp_path / "shards")[0] == 0
    refused(train("new", "--documents", corpus=tmp_path / "shards"), "give --documents to gptlib")
