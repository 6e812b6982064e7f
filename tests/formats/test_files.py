"""Where files live, and what a crash while writing may cost: never the last good one."""

import os
import stat
import threading
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gptlib.formats import files
from gptlib.formats.files import atomic_write
from gptlib.formats.saves import atomic_folder


def content(folder):
    """{name: text} of the files in a folder, the hidden ones too."""
    return {p.name: p.read_text() for p in folder.iterdir() if p.is_file()}


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

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, name, full)
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
        with atomic_folder(tmp_path / "folder") as staging:
            (staging / "vocab.json").touch(0o600)
            save_file({"a": torch.zeros(2)}, staging / "model.safetensors")
        for path in (tmp_path / "a", *(tmp_path / "folder").iterdir()):
            assert stat.S_IMODE(path.stat().st_mode) == mode
        assert os.umask(mask) == mask  # looked at, and put back
    finally:
        os.umask(before)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_writing_never_opens_the_files_of_another_thread_to_everyone(tmp_path):
    modes, ended = set(), threading.Event()

    def write_mine():
        for k in range(10**6):
            if ended.is_set():
                return
            path = tmp_path / f"mine{k}"
            path.touch()
            modes.add(stat.S_IMODE(path.stat().st_mode))
            path.unlink()

    before = os.umask(0o077)
    thread = threading.Thread(target=write_mine)
    try:
        thread.start()
        for _ in range(300):
            with atomic_write(tmp_path / "a") as temporary:
                temporary.touch()
    finally:
        ended.set()
        thread.join()
        os.umask(before)
    assert modes == {0o600}


def test_a_name_as_long_as_the_system_allows_is_written(tmp_path):
    path = tmp_path / ("n" * 254)
    with atomic_write(path) as temporary:
        temporary.write_text("x")
    assert content(tmp_path) == {path.name: "x"}


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    with atomic_write("~/a.txt") as temporary:
        temporary.write_text("x")
    assert (tmp_path / "a.txt").exists()
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
