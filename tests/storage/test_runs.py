"""What a run leaves in its folder: its log, the saves it keeps, its pictures; and full disks."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from processes import forked, train_command

import gptlib
from gptlib import cli
from gptlib.corpora import pets as grammar
from gptlib.storage import checkpoint, runs

NAMES = ["step", "loss", "learning_rate", "grad_norm", "tokens", "seconds", "val_loss"]


@pytest.fixture
def train(corpus, tmp_path, capsys):
    """train(*options): (exit status, stdout, stderr) of a tiny run in tmp_path / "run"."""

    def run(*options):
        capsys.readouterr()
        try:
            status = cli.main(train_command(corpus, tmp_path / "run", *options))
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run, not to be changed."""
    scratch = tmp_path_factory.mktemp("trained")
    text = grammar.sample(40, seed=0).replace(grammar.STOP, "\n")
    (scratch / "pets.txt").write_text(text, encoding="utf-8")
    argv = train_command(scratch / "pets.txt", scratch / "run", "--batch-size", "2")
    assert cli.main(argv) == 0
    return scratch / "run"


@pytest.fixture
def folder(trained, tmp_path):
    """A copy of it."""
    return shutil.copytree(trained, tmp_path / "run")


# ---- the log ----


def test_the_log_has_every_step_of_the_history_as_a_line_of_json(folder):
    rows = [json.loads(line) for line in (folder / runs.LOG).read_text().splitlines()]
    assert all(list(row) == NAMES for row in rows)
    history = checkpoint.load_training(folder)[1]["history"]
    assert [list(row.values()) for row in rows] == history
    assert [list(step) for step in runs.read_log(folder)] == history
    assert [row["step"] for row in rows if row["val_loss"] is not None] == [5, 10, 12]


def test_a_line_is_on_disk_as_soon_as_its_step_is_done(train, tmp_path, monkeypatch):
    real, seen = gptlib.Trainer.update, []

    def update(self):
        if self.step:
            seen.append(len(runs.read_log(tmp_path / "run")))
        return real(self)

    monkeypatch.setattr(gptlib.Trainer, "update", update)
    train()
    assert seen == list(range(1, 12))


def test_on_a_card_a_line_comes_with_the_next_step_and_none_is_missing_at_the_end(
    train, tmp_path, monkeypatch
):
    made, real, seen = gptlib.Trainer.__init__, gptlib.Trainer.update, []

    def as_on_a_card(self, *arguments):
        made(self, *arguments)
        self.runs_ahead = True

    def update(self):
        seen.append(self.logged())
        return real(self)

    log = tmp_path / "run" / runs.LOG
    monkeypatch.setattr(gptlib.Trainer, "__init__", as_on_a_card)
    monkeypatch.setattr(gptlib.Trainer, "update", update)
    logged = lambda self: len(runs.read_log(tmp_path / "run")) if log.exists() else 0  # noqa: E731
    monkeypatch.setattr(gptlib.Trainer, "logged", logged, raising=False)
    assert train("--save-every", "5")[0] == 0
    # A save reads the step that it saves, which is then logged with the one after it.
    assert seen == [0, 0, *range(1, 11)]
    assert [step.step for step in runs.read_log(tmp_path / "run")] == list(range(1, 13))


def test_steps_that_a_killed_run_had_logged_after_its_last_save_are_there_once(
    train, tmp_path, monkeypatch
):
    def update(self):
        if self.step == 8:
            raise MemoryError  # as a kill would: nothing more is saved
        return real(self)

    real = gptlib.Trainer.update
    monkeypatch.setattr(gptlib.Trainer, "update", update)
    train("--save-every", "5")
    monkeypatch.undo()
    log = tmp_path / "run" / runs.LOG
    with open(log, "a") as file:
        file.write('{"step": 9, "lo')  # half a line
    assert [step.step for step in runs.read_log(tmp_path / "run")] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert train("--save-every", "5", "--resume")[0] == 0
    assert [step.step for step in runs.read_log(tmp_path / "run")] == list(range(1, 13))
    log.unlink()  # what was deleted comes back with the next step
    assert train("--steps", "13", "--resume")[0] == 0
    assert len(runs.read_log(tmp_path / "run")) == 13


@pytest.mark.parametrize(
    "line", ["", "{}", "[1]", "[" * 9999, '{"step": 1}', "nonsense", "\x00\xff", '{"odd": 1}']
)
def test_a_line_that_is_no_step_is_named(folder, line):
    whole = (folder / runs.LOG).read_bytes()
    (folder / runs.LOG).write_bytes(whole + line.encode("latin-1") + b"\n")
    with pytest.raises(ValueError, match="log.jsonl: line 13 is not a step of a run"):
        runs.read_log(folder)


def test_a_number_that_is_none_is_named(folder):
    line = (folder / runs.LOG).read_text().splitlines()[0]
    for name, value in {"step": '"1"', "loss": '"x"', "tokens": "1.5", "val_loss": "[]"}.items():
        row = json.loads(line) | {name: json.loads(value)}
        (folder / runs.LOG).write_text(json.dumps(row) + "\n")
        with pytest.raises(ValueError, match="line 1 is not a step"):
            runs.read_log(folder)


@pytest.mark.parametrize("name", ["step", "loss", "tokens", "val_loss", "grad_norm", "seconds"])
@pytest.mark.parametrize(
    "value", ["Infinity", "NaN", "-1.0", "1e400", "1" + "0" * 400, "[1]", "true"]
)
def test_a_number_that_no_step_has_is_refused(folder, name, value):
    line = (folder / runs.LOG).read_text().splitlines()[0]
    row = json.loads(line) | {name: "here"}
    (folder / runs.LOG).write_text(json.dumps(row).replace('"here"', value) + "\n")
    with pytest.raises(ValueError, match="line 1 is not a step"):
        runs.read_log(folder)


def test_a_number_that_is_there_twice_is_refused(folder):
    line = (folder / runs.LOG).read_text().splitlines()[0]
    (folder / runs.LOG).write_text(line[:-1] + ', "loss": 1.0}\n')
    with pytest.raises(ValueError, match="line 1 is not a step"):
        runs.read_log(folder)


def test_a_folder_without_a_log_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no log\.jsonl in it"):
        runs.read_log(tmp_path)


# ---- the folder of a run ----


@pytest.mark.parametrize(
    "name", ["model.safetensors", "config.json", "training.safetensors", runs.LOG]
)
def test_a_folder_where_a_file_belongs_is_refused_before_it_trains(train, tmp_path, name):
    (tmp_path / "run" / name).mkdir(parents=True)
    for options in ((), ("--overwrite",), ("--resume",)):
        status, _, err = train(*options)
        assert status == 2 and err.count("\n") == 1 and name in err
    assert f"{name}: is a folder" in train("--overwrite")[2]
    assert [path.name for path in (tmp_path / "run").rglob("*")] == [name]


@pytest.mark.parametrize("name", [runs.SAVES, runs.TENSORBOARD])
def test_a_file_where_a_folder_belongs_is_refused_before_it_trains(train, tmp_path, name):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).write_text("mine")
    status, _, err = train()
    assert status == 2 and f"{name}: is a file or a link, but a folder is needed" in err
    assert [path.name for path in (tmp_path / "run").rglob("*")] == [name]


def test_what_the_user_keeps_beside_saves_and_pictures_stays_when_a_run_is_overwritten(
    train, tmp_path
):
    pytest.importorskip("torch.utils.tensorboard", reason="tensorboard is not installed")
    folder = tmp_path / "run"
    assert train("--save-every", "5", "--keep", "2", "--tensorboard")[0] == 0
    mine = [folder / runs.SAVES / name for name in ("notes", "step-x", "step-1")]
    for place in mine:
        place.mkdir()
    mine.append(folder / runs.TENSORBOARD / "mine.txt")
    mine[-1].write_text("mine")
    assert train("--steps", "6", "--overwrite", "--keep", "1", "--tensorboard")[0] == 0
    assert all(place.exists() for place in mine) and steps_of(folder) == [6]
    assert len(list((folder / runs.TENSORBOARD).glob("events.*"))) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows lets few users make links")
def test_no_save_is_kept_or_pruned_through_a_link(train, tmp_path):
    mine = tmp_path / "mine" / "step-0000001"
    mine.mkdir(parents=True)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / runs.SAVES).symlink_to(tmp_path / "mine")
    status, _, err = train("--keep", "1")
    assert status == 2 and "is a file or a link, but a folder is needed" in err
    assert mine.exists() and runs.saved_steps(tmp_path / "run") == []


def test_a_second_run_in_one_folder_is_refused_before_it_trains(train, tmp_path, monkeypatch):
    refused = []

    def update(self):
        if self.step == 5:
            argv = train_command(corpus, tmp_path / "run", "--overwrite")
            refused.append(forked(tmp_path, argv))
        return real(self)

    real, corpus = gptlib.Trainer.update, tmp_path / "pets.txt"
    monkeypatch.setattr(gptlib.Trainer, "update", update)
    assert train("--save-every", "3")[0] == 0
    [(status, out, err)] = refused
    assert (status, out) == (2, b"") and err.count(b"\n") == 1
    assert err.startswith(f"gptlib: {tmp_path / 'run'}: another program is writing".encode())
    gptlib.load(tmp_path / "run")
    assert [step.step for step in runs.read_log(tmp_path / "run")] == list(range(1, 13))
    assert not list((tmp_path / "run").glob(".*"))


# ---- the saves it keeps ----


def steps_of(folder):
    return [int(save.name.removeprefix("step-")) for save in runs.saved_steps(folder)]


def test_the_last_saves_are_kept_and_older_ones_pruned_to_the_number_asked_for(train, tmp_path):
    assert train("--save-every", "2", "--keep", "3")[0] == 0
    folder = tmp_path / "run"
    assert steps_of(folder) == [8, 10, 12]
    for save, step in zip(runs.saved_steps(folder), (8, 10, 12), strict=True):
        gptlib.load(save)
        assert checkpoint.load_training(save)[1]["step"] == step
    last = runs.saved_steps(folder)[-1]
    for name in checkpoint.FILES:
        assert (last / name).read_bytes() == (folder / name).read_bytes()


def test_a_run_goes_on_from_a_save_that_was_kept_to_the_same_weights(train, corpus, tmp_path):
    train("--save-every", "5", "--keep", "3")
    first = runs.saved_steps(tmp_path / "run")[0]
    shutil.copytree(first, tmp_path / "again")
    assert cli.main(train_command(corpus, tmp_path / "again", "--resume")) == 0
    files = [tmp_path / run / "model.safetensors" for run in ("run", "again")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_without_keep_there_are_no_earlier_saves(folder):
    assert not (folder / runs.SAVES).exists() and runs.saved_steps(folder) == []


def test_a_kill_between_the_save_and_its_keeping_is_made_good_by_resume(train, tmp_path):
    train("--save-every", "5", "--keep", "9", "--steps", "5", "--warmup-steps", "0")
    shutil.rmtree(runs.saved_steps(tmp_path / "run")[-1])
    (tmp_path / "run" / runs.SAVES / ".saving").mkdir()  # half done
    train("--resume", "--keep", "9", "--steps", "6", "--warmup-steps", "0")
    assert steps_of(tmp_path / "run") == [5, 6]
    assert not (tmp_path / "run" / runs.SAVES / ".saving").exists()


def test_the_saves_of_a_run_that_is_overwritten_go_with_it(train, tmp_path):
    train("--save-every", "2", "--keep", "3")
    train("--overwrite", "--steps", "3", "--keep", "3")
    assert steps_of(tmp_path / "run") == [3]


def test_where_links_cannot_be_made_saves_are_copied(train, tmp_path, monkeypatch):
    def refuse(*names):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    train("--save-every", "6", "--keep", "2")
    assert steps_of(tmp_path / "run") == [6, 12]
    gptlib.load(runs.saved_steps(tmp_path / "run")[0])


def test_keep_below_zero_is_refused(train):
    status, _, err = train("--keep", "-1")
    assert status == 2 and "--keep: must be 0 or more, not -1" in err


# ---- a disk that fills up ----


@pytest.fixture
def small_disk(tmp_path):
    """small_disk(kilobytes, argv): run gptlib where tmp_path / "disk" is that small; its result.

    A tmpfs in a mount namespace of its own, which is gone when the command ends.
    """
    disk = tmp_path / "disk"
    disk.mkdir()

    def run(kilobytes, argv):
        mount = 'mount -t tmpfs -o size="$0"k tmpfs "$1" && shift && "$@"; status=$?; '
        keep = f'cp -r "{disk}" "{tmp_path / "copy"}"; exit $status'
        command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount + keep]
        command += [str(kilobytes), str(disk), sys.executable, "-m", "gptlib", *argv]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    namespace = ["unshare", "--user", "--map-root-user", "--mount", "true"]
    if shutil.which("unshare") is None or subprocess.run(namespace, capture_output=True).returncode:
        pytest.skip("needs Linux with mount namespaces, for a small disk")
    return run


def fill(small_disk, corpus, tmp_path, bytes_free):
    """Train until so small a disk is full: the last save, whole; None where there was no room."""
    argv = train_command(corpus, tmp_path / "disk" / "run", "--batch-size", "2")
    argv += ["--save-every", "1", "--steps", "9999", "--keep", "9999"]
    result = small_disk(bytes_free // 1024, argv)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.startswith("gptlib: ") and result.stderr.count("\n") == 1, result.stderr
    assert "the disk is full" in result.stderr or "No space left" in result.stderr
    copy = tmp_path / "copy" / "run"
    for save in runs.saved_steps(copy):
        gptlib.load(save)
    if "nothing has been saved yet" in result.stderr:
        return None
    gptlib.load(copy)
    step = checkpoint.load_training(copy)[1]["step"]
    assert f"the save of step {step} is complete: --resume continues from it" in result.stderr
    return step


@pytest.fixture
def size(train, tmp_path):
    """The bytes of a save."""
    train("--batch-size", "2", "--steps", "5")
    return sum((tmp_path / "run" / name).stat().st_size for name in checkpoint.FILES)


def test_a_disk_that_fills_up_is_one_line_and_the_last_save_stays(
    small_disk, corpus, tmp_path, size
):
    assert fill(small_disk, corpus, tmp_path, 6 * size) >= 1


@pytest.mark.soak
def test_disks_of_many_sizes_fill_up_at_many_moments_and_the_last_save_stays(
    small_disk, corpus, tmp_path, size, record_property
):
    steps = []
    for tenths in range(5, 65, 5):
        shutil.rmtree(tmp_path / "copy", ignore_errors=True)
        steps.append(fill(small_disk, corpus, tmp_path, size * tenths // 10))
    assert any(steps)
    record_property("soak", f"{len(steps)} disks of 0.5 to 6 saves, full after {steps}; lost: 0")


# ---- pictures ----


def test_plot_draws_the_log_and_prints_where(folder, tmp_path, capsys):
    assert cli.main(["plot", str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder / 'loss.png'}\n"
    assert (folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert cli.main(["plot", str(folder), "--out", str(tmp_path / "curve.svg")]) == 0
    assert "<svg" in (tmp_path / "curve.svg").read_text()


def test_plot_draws_a_run_that_has_saved_nothing_yet(folder):
    for name in checkpoint.FILES:
        (folder / name).unlink()
    assert cli.main(["plot", str(folder)]) == 0


def test_plot_draws_a_folder_with_a_history(tmp_path, capsys):
    pets = gptlib.formats.files.data_dir() / "pets"
    assert cli.main(["plot", str(pets), "--out", str(tmp_path / "pets.png")]) == 0


def test_plot_refuses_in_one_line_what_it_cannot_draw(folder, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / runs.LOG).write_text('{"st')
    for argv, text in {
        (str(folder), "--out", "curve.txt"): "curve.txt: must end in .png or .svg",
        (str(tmp_path / "absent"),): "absent: no such folder",
        (str(tmp_path / "empty"),): "there is no log.jsonl in it",
        (str(tmp_path / "begun"),): "log.jsonl: has no steps yet",
    }.items():
        assert cli.main(["plot", *argv]) == 2
        err = capsys.readouterr().err
        assert err.startswith("gptlib: ") and err.count("\n") == 1 and text in err


def test_plot_without_matplotlib_is_one_line(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "gptlib.plots.training", None)
    assert cli.main(["plot", str(folder)]) == 2
    said = "gptlib: gptlib plot needs matplotlib: pip install matplotlib\n"
    assert capsys.readouterr().err == said


# ---- TensorBoard ----


def test_tensorboard_that_is_not_installed_is_one_line_before_training(
    train, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    status, _, err = train("--tensorboard")
    assert status == 2 and err.count("\n") == 1 and "pip install tensorboard" in err
    assert not (tmp_path / "run").exists()


def test_tensorboard_shows_every_step_once_after_a_resume_too(train, tmp_path):
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="tensorboard is not installed",
    )
    train("--steps", "5", "--tensorboard")
    train("--steps", "12", "--tensorboard", "--resume")
    found = reader.EventAccumulator(str(tmp_path / "run" / runs.TENSORBOARD)).Reload()
    assert [event.step for event in found.Scalars("loss")] == list(range(1, 13))
    logged = [step.loss for step in runs.read_log(tmp_path / "run")]
    assert [event.value for event in found.Scalars("loss")] == pytest.approx(logged)
    assert [event.step for event in found.Scalars("val_loss")] == [5, 10, 12]
