"""Where files live, and what a crash while writing may cost: never the last good one."""

import os
import stat
from pathlib import Path

import pytest

from gptlib.formats import files
from gptlib.formats.files import atomic_write
from gptlib.formats.saves import COMMITTED, STAGING, atomic_folder, finish_save

OLD, NEW = {"a": "old", "b": "old"}, {"a": "new", "b": "new"}


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

    monkeypatch.setattr(files.os, name, failing)
    return calls


def test_a_file_is_replaced_whole_when_the_block_ends(tmp_path):
    path = tmp_path / "deep" / "er" / "a.txt"
    with atomic_write(path) as temporary:
        assert temporary.parent == path.parent and not path.exists()
        temporary.write_text("one")
    with atomic_write(str(path)) as temporary:
        temporary.write_text("two")
        assert path.read_text() == "one"
    assert content(path.parent) == {"a.txt": "two"}


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_block_that_raises_leaves_the_old_file_and_no_litter(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error):
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise error
    assert content(tmp_path) == {"a.txt": "old"}


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_a_file_outlives_a_disk_that_fails(tmp_path, monkeypatch, name):
    path = tmp_path / "a.txt"
    path.write_text("old")
    fail_at(monkeypatch, name, 1)
    with pytest.raises(OSError):
        with atomic_write(path) as temporary:
            temporary.write_text("new")
    assert content(tmp_path) == {"a.txt": "old"}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_files_are_as_readable_as_any_other_of_the_user(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        with atomic_write(tmp_path / "a") as temporary:
            temporary.touch()
        save(tmp_path / "folder", {"a": "x"})
        for path in (tmp_path / "a", tmp_path / "folder" / "a"):
            assert stat.S_IMODE(path.stat().st_mode) == mode
        assert os.umask(mask) == mask  # looked at, and put back
    finally:
        os.umask(before)


def test_a_folders_files_are_replaced_together_and_others_stay(tmp_path):
    save(tmp_path / "new" / "folder", OLD)
    folder = tmp_path / "new" / "folder"
    (folder / "notes").write_text("mine")
    with atomic_folder(folder) as staging:
        for name, text in NEW.items():
            (staging / name).write_text(text)
        assert content(folder) == OLD | {"notes": "mine"}
    assert content(folder) == NEW | {"notes": "mine"}
    assert not (folder / STAGING).exists() and not (folder / COMMITTED).exists()


def test_a_save_that_raises_half_way_changes_nothing(tmp_path):
    save(tmp_path, OLD)
    with pytest.raises(KeyboardInterrupt):
        with atomic_folder(tmp_path) as staging:
            (staging / "a").write_text("half")
            raise KeyboardInterrupt
    assert content(tmp_path) == OLD and not (tmp_path / STAGING).exists()


@pytest.mark.parametrize("read_first", [True, False])
@pytest.mark.parametrize(
    ("name", "nth", "left"),
    [("fsync", 1, OLD), ("fsync", 2, OLD), ("rename", 1, OLD), ("replace", 1, NEW)]
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
    save(tmp_path, {"a": "third"})  # what the crash left behind is in nobody's way
    assert content(tmp_path) == left | {"a": "third"}


def test_a_save_cut_off_by_kill_leaves_staging_that_counts_for_nothing(tmp_path):
    save(tmp_path, OLD)
    (tmp_path / STAGING).mkdir()
    (tmp_path / STAGING / "a").write_text("half")
    (tmp_path / STAGING / "c").write_text("half")
    finish_save(tmp_path)
    assert content(tmp_path) == OLD
    save(tmp_path, NEW)
    assert content(tmp_path) == NEW


def test_a_reader_may_finish_the_save_under_the_writers_hands(tmp_path, monkeypatch):
    save(tmp_path, OLD)
    real, helped = os.replace, []

    def replace(source, target):
        if not helped:
            helped.append(True)
            finish_save(tmp_path)  # another process opens the folder just now
        real(source, target)

    monkeypatch.setattr(files.os, "replace", replace)
    save(tmp_path, NEW)
    assert content(tmp_path) == NEW and helped


def test_finish_save_has_nothing_to_do_elsewhere(tmp_path):
    finish_save(tmp_path)
    finish_save(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    with atomic_write("~/a.txt") as temporary:
        temporary.write_text("x")
    save("~/folder", {"a": "x"})
    assert (tmp_path / "a.txt").exists() and (tmp_path / "folder" / "a").exists()
    monkeypatch.setenv("GPTLIB_CACHE", "~/cache")
    assert files.cache_dir() == tmp_path / "cache"
    assert files.user_path("~nobody-of-that-name/x") == Path("~nobody-of-that-name/x")


def test_the_cache_is_the_users_own_unless_it_is_named(monkeypatch):
    monkeypatch.delenv("GPTLIB_CACHE", raising=False)
    assert "gptlib" in files.cache_dir().parts


def test_the_data_folder_is_found_in_a_wheel_and_in_a_checkout(tmp_path, monkeypatch):
    package = tmp_path / "gptlib"
    for folder in (package, package / "data", tmp_path / "data"):
        folder.mkdir()
    monkeypatch.setattr(files, "__file__", str(package / "formats" / "files.py"))
    with pytest.raises(FileNotFoundError, match="install gptlib again"):
        files.data_dir()
    (tmp_path / "data" / "README.md").touch()
    assert files.data_dir() == tmp_path / "data"
    (package / "data" / "README.md").touch()
    assert files.data_dir() == package / "data"
