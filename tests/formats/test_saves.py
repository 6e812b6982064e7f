"""Several files that are replaced together: after a crash at any step, and among strange files."""

import errno
import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

import gptlib
from gptlib.formats import locks, saves
from gptlib.formats.locks import LOCK
from gptlib.formats.saves import COMMITTED, MANIFEST, STAGING, atomic_folder, finish_save

A, B, C = "config.json", "model.safetensors", "vocab.json"  # whatever they hold here
OLD, NEW = {A: "old", B: "old"}, {A: "new", B: "new"}


def content(folder):
    """{name: text} of the files in a folder, the hidden ones too."""
    return {p.name: p.read_text() for p in folder.iterdir() if p.is_file()}


def save(folder, values):
    with atomic_folder(folder) as staging:
        for name, text in values.items():
            (staging / name).write_text(text)


def fail_at(monkeypatch, name, nth):
    """Have the nth call of os.<name> raise, once, as a full disk does."""
    real, calls = getattr(os, name), []

    def failing(*args, **kwargs):
        calls.append(args)
        if len(calls) == nth:
            raise OSError(28, "No space left on device")
        return real(*args, **kwargs)

    monkeypatch.setattr(saves.os, name, failing)
    return calls


def test_a_folders_files_are_replaced_together_and_others_stay(tmp_path):
    save(tmp_path / "new" / "folder", OLD)
    folder = tmp_path / "new" / "folder"
    (folder / "notes").write_text("mine")
    with atomic_folder(folder) as staging:
        for name, text in NEW.items():
            (staging / name).write_text(text)
        assert content(folder) == OLD | {"notes": "mine", LOCK: ""}
    assert content(folder) == NEW | {"notes": "mine"}
    assert not (folder / STAGING).exists() and not (folder / COMMITTED).exists()


def test_a_save_that_raises_half_way_changes_nothing(tmp_path):
    save(tmp_path, OLD)
    with pytest.raises(KeyboardInterrupt):
        with atomic_folder(tmp_path) as staging:
            (staging / A).write_text("half")
            raise KeyboardInterrupt
    assert content(tmp_path) == OLD and not (tmp_path / STAGING).exists()


@pytest.mark.parametrize("read_first", [True, False])
@pytest.mark.parametrize(
    ("name", "nth", "left"),
    [
        ("fsync", 1, OLD),
        ("fsync", 2, OLD),
        ("fsync", 3, OLD),
        ("rename", 1, OLD),
        ("replace", 1, NEW),
    ]
    + [("replace", 2, NEW)],
)
def test_at_every_step_a_failure_leaves_the_old_files_or_all_of_the_new(
    tmp_path, monkeypatch, name, nth, left, read_first
):
    save(tmp_path, OLD)
    calls = fail_at(monkeypatch, name, nth)
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path, NEW)
    assert len(calls) == nth
    if read_first:
        finish_save(tmp_path)  # as whoever reads the folder next does
        assert content(tmp_path) == left
    save(tmp_path, {A: "third"})  # what the crash left behind is in nobody's way
    assert content(tmp_path) == left | {A: "third"}


def test_a_save_cut_off_by_kill_leaves_staging_that_counts_for_nothing(tmp_path):
    save(tmp_path, OLD)
    (tmp_path / STAGING).mkdir()
    (tmp_path / STAGING / A).write_text("half")
    (tmp_path / STAGING / C).write_text("half")
    finish_save(tmp_path)
    assert content(tmp_path) == OLD
    save(tmp_path, NEW)
    assert content(tmp_path) == NEW


@pytest.mark.parametrize("left", [(), (MANIFEST, ".tmpzrUvDI"), (".tmpzrUvDI",), (f".{C}.0a1b2c",)])
def test_what_a_kill_leaves_half_written_is_in_nobodys_way(tmp_path, left):
    save(tmp_path, OLD)
    (tmp_path / STAGING).mkdir()
    for name in left:
        (tmp_path / STAGING / name).write_text("half")
    save(tmp_path, NEW)
    assert content(tmp_path) == NEW and not (tmp_path / STAGING).exists()


def test_a_reader_may_finish_the_save_under_the_writers_hands(tmp_path, monkeypatch):
    save(tmp_path, OLD)
    real, helped = os.replace, []

    def replace(source, target):
        if not helped:
            helped.append(True)
            finish_save(tmp_path)  # another process opens the folder just now
        real(source, target)

    monkeypatch.setattr(saves.os, "replace", replace)
    save(tmp_path, NEW)
    assert content(tmp_path) == NEW and helped


def test_finish_save_has_nothing_to_do_elsewhere(tmp_path):
    finish_save(tmp_path)
    finish_save(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


# ---- Files that are not ours ----


@pytest.fixture
def pets(tmp_path):
    """A copy of the shipped model, and a folder of the user's that must stay as it is."""
    shutil.copytree(gptlib.formats.files.data_dir() / "pets", tmp_path / "pets")
    (tmp_path / "mine").mkdir()
    for name in ("thesis.tex", A, MANIFEST):
        (tmp_path / "mine" / name).write_text("mine")
    return tmp_path / "pets"


def tree(folder):
    """{path: text, or where a link leads} of all that is in a folder."""
    return {
        path.relative_to(folder).as_posix(): os.readlink(path)
        if path.is_symlink()
        else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def manifest(folder, **sizes):
    (folder / MANIFEST).write_text(
        json.dumps({"files": {k.replace("__", "."): v for k, v in sizes.items()}})
    )


def opens_and_stays_as_it_was(folder):
    before = tree(folder.parent)
    gptlib.load(folder)
    gptlib.Tokenizer.load(folder)
    finish_save(folder)
    assert tree(folder.parent) == before


@pytest.mark.skipif(os.name == "nt", reason="Windows lets few users make links")
@pytest.mark.parametrize("name", [COMMITTED, STAGING])
def test_nothing_is_moved_through_a_link_when_a_folder_is_opened(pets, name):
    mine = pets.parent / "mine"
    manifest(mine, config__json=4)
    (pets / name).symlink_to(mine)
    opens_and_stays_as_it_was(pets)
    with pytest.raises(ValueError, match=f"{name}: was not left by a gptlib save"):
        gptlib.load("pets")[0].save_pretrained(pets)
    assert (mine / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize("name", [COMMITTED, STAGING])
def test_a_folder_of_the_users_by_the_name_of_a_save_stays_as_it_is(pets, name):
    (pets / name).mkdir()
    for file in (A, "notes.txt"):
        (pets / name / file).write_text("mine")
    opens_and_stays_as_it_was(pets)
    with pytest.raises(ValueError, match=f"{name}: was not left by a gptlib save"):
        gptlib.load("pets")[0].save_pretrained(pets)
    assert tree(pets)[f"{name}/notes.txt"] == tree(pets)[f"{name}/{A}"] == b"mine"


@pytest.mark.parametrize(
    "text",
    ["", "mine", "[]", "[" * 10_000, '{"files": 1}', '{"files": {"thesis.tex": 4}}']
    + ['{"files": {"../mine/config.json": 4}}', '{"files": {"config.json": 5}}', "x" * 10**6],
)
def test_a_list_of_files_that_no_save_of_ours_wrote_moves_nothing(pets, text):
    shutil.copytree(pets.parent / "mine", pets / COMMITTED)
    (pets / COMMITTED / MANIFEST).write_text(text)
    opens_and_stays_as_it_was(pets)


@pytest.mark.skipif(os.name == "nt", reason="Windows lets few users make links")
def test_a_link_among_the_files_of_a_save_is_not_moved(pets):
    (pets / COMMITTED).mkdir()
    manifest(pets / COMMITTED, config__json=4)
    (pets / COMMITTED / A).symlink_to(pets.parent / "mine" / A)
    opens_and_stays_as_it_was(pets)


@pytest.mark.parametrize("name", [A, "tokenizer.json", B])
def test_files_that_no_earlier_version_left_stay_where_they_are(pets, name):
    """Without a list of them it is a save only where all weights have our checksums."""
    (pets / COMMITTED).mkdir()
    (pets / COMMITTED / name).write_text("mine")
    opens_and_stays_as_it_was(pets)
    save_file({"a": torch.zeros(2)}, pets / COMMITTED / B)
    opens_and_stays_as_it_was(pets)


@pytest.mark.parametrize("left", [[], [MANIFEST], [B, MANIFEST]])
def test_a_crash_after_any_of_the_files_was_moved_is_in_nobodys_way(tmp_path, model, left):
    model.save_pretrained(tmp_path)
    (tmp_path / COMMITTED).mkdir()
    if B in left:
        (tmp_path / B).rename(tmp_path / COMMITTED / B)
    if left:
        sizes = {A: 1, B: (tmp_path / COMMITTED / B).stat().st_size if B in left else 1}
        (tmp_path / COMMITTED / MANIFEST).write_text(json.dumps({"files": sizes}))
    gptlib.GPT.from_pretrained(tmp_path)
    model.save_pretrained(tmp_path)
    assert not (tmp_path / COMMITTED).exists()


def test_files_beside_an_unfinished_save_stay_where_they_are(pets):
    (pets / COMMITTED).mkdir()
    for name in (A, "notes.txt"):
        (pets / COMMITTED / name).write_bytes((pets / A).read_bytes())
    manifest(pets / COMMITTED, config__json=(pets / A).stat().st_size)
    (pets / A).write_text("old")
    gptlib.load(pets)
    assert {p.name for p in (pets / COMMITTED).iterdir()} == {MANIFEST, "notes.txt"}


@pytest.mark.parametrize("name", [B, "training.safetensors", "tokenizer.json"])
def test_a_folder_where_a_file_belongs_is_found_before_anything_is_written(pets, name):
    (pets / name).unlink(missing_ok=True)
    (pets / name).mkdir()
    before = tree(pets)
    with pytest.raises(ValueError, match=f"{name}: is a folder, but a file is to be saved there"):
        save(pets, NEW)
    assert tree(pets) == before


def test_only_files_of_the_names_of_a_save_are_saved(tmp_path):
    with pytest.raises(ValueError, match=".bashrc is not a file of a save"):
        save(tmp_path, {".bashrc": "x"})
    assert not list(tmp_path.iterdir())


def test_an_unfinished_save_on_a_disk_that_cannot_be_written_is_left(tmp_path, monkeypatch):
    def read_only(*args):
        raise OSError(errno.EROFS, "Read-only file system")

    save(tmp_path, OLD)
    with monkeypatch.context() as patched:
        fail_at(patched, "replace", 1)
        with pytest.raises(OSError):
            save(tmp_path, NEW)
    with monkeypatch.context() as patched:
        patched.setattr(locks.os, "open", read_only)
        finish_save(tmp_path)
        assert content(tmp_path) == OLD
    finish_save(tmp_path)
    assert content(tmp_path) == NEW


# ---- Two writers ----

WRITER = """
import sys
from gptlib.formats.locks import sole_writer
from pathlib import Path
with sole_writer(Path(sys.argv[1])):
    print("writing", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def writer(tmp_path):
    """Another program that is writing into tmp_path / "model"."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "model")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"writing\n"
        yield process
        process.kill()


def test_a_save_waits_for_another_programs_and_is_refused_when_that_does_not_end(
    writer, tmp_path, model, monkeypatch
):
    monkeypatch.setattr(saves, "WAIT", 0.1)
    monkeypatch.setattr(gptlib.formats.pretrained, "WAIT", 0.1)
    with pytest.raises(OSError) as caught:
        gptlib.save(tmp_path / "model", model)
    assert str(caught.value).startswith(f"{tmp_path / 'model'}: another program is writing into it")
    assert [path.name for path in (tmp_path / "model").iterdir()] == [LOCK]
    writer.kill()  # nothing but the system releases the lock now
    writer.wait()
    gptlib.save(tmp_path / "model", model)
    assert not (tmp_path / "model" / LOCK).exists()


def test_a_reader_neither_waits_for_a_writer_nor_moves_anything_under_its_hands(
    writer, tmp_path, monkeypatch
):
    folder = tmp_path / "model"
    (folder / COMMITTED).mkdir()
    (folder / COMMITTED / A).write_text("new")
    manifest(folder / COMMITTED, config__json=3)
    finish_save(folder)
    assert not (folder / A).exists()
    writer.kill()
    writer.wait()
    finish_save(folder)
    assert content(folder) == {A: "new"}


SAVER = """
import sys, gptlib
text, seed, folder = sys.argv[1:]
tokenizer = gptlib.Tokenizer.train(text * 20, 265)
config = gptlib.GPTConfig(tokenizer.vocab_size, 16, 2, 2, 8)
model = gptlib.GPT(config, seed=int(seed))
gptlib.save(f"{folder}/{seed}", model, tokenizer)
for line in sys.stdin:
    gptlib.save(line.strip(), model, tokenizer)
    print("saved", flush=True)
"""


def saver(folder, seed):
    """A program that saves its own model into each folder that it is told."""
    text = ["The cat is sleeping on the sofa. ", "A dog barks at the moon, and loudly. "][seed]
    command = [sys.executable, "-c", SAVER, text, str(seed), str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(command, text=True, bufsize=1, **pipes)


def two_writers(folder, trials):
    """(folders that are one save or the other, mixtures unnoticed, mixtures that `load` refused)
    after two programs have saved into each at once.
    """
    names = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    whole, silent, mixed = [], 0, 0
    with saver(folder, 0) as first, saver(folder, 1) as second:
        for k in range(trials):
            place = folder / f"trial{k}"
            for program in (first, second):
                program.stdin.write(f"{place}\n")
            assert [p.stdout.readline() for p in (first, second)] == ["saved\n"] * 2
            sources = [
                {seed for seed in "01" if (folder / seed / name).read_bytes() == data}
                for name, data in ((name, (place / name).read_bytes()) for name in names)
            ]
            if set.intersection(*sources):
                whole.append(min(set.intersection(*sources)))
                gptlib.load(place)
                continue
            mixed += 1
            try:
                gptlib.load(place)
                silent += 1
            except ValueError:
                pass
        for program in (first, second):
            program.stdin.close()
    return whole, silent, mixed


def test_two_programs_that_save_into_one_folder_leave_one_of_the_two_models(tmp_path):
    whole, silent, mixed = two_writers(tmp_path, 10)
    assert len(whole) == 10 and silent == mixed == 0


@pytest.mark.soak
def test_two_writers(tmp_path, record_property):
    whole, silent, mixed = two_writers(tmp_path, 200)
    done = f"200 times two programs saved into one folder at once; {whole.count('0')} times the "
    done += f"first one's model stayed, {whole.count('1')} times the second's"
    record_property("soak", f"{done}; mixed: {mixed}; silent: {silent}")
    assert len(whole) == 200 and silent == mixed == 0
