"""Saves: several files of a folder that are replaced together, or not at all.

Several files cannot be renamed in one step, so the step that counts is the renaming of a whole
folder, from `.saving` to `.saved`. A crash before it changes nothing. After it the files are moved
into place, at once or when the folder is next opened. Leaves out what the files mean.

What lies in a folder may be the user's, or come from somewhere else: only files of the names below
are moved, out of a real folder that this program made: it wrote down in it what belongs to the
save, or, in earlier versions, gave its weights checksums.
"""

import errno
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .files import flush_to_disk, user_path
from .json_files import parse
from .locks import InUse, sole_writer
from .tensor_file import SUMS
from .tensors import open_file

STAGING = ".saving"  # a folder still being written: worth nothing
COMMITTED = ".saved"  # complete, and only waiting to be moved into place
MANIFEST = "save.json"  # in it: {"files": {name: bytes}}
LARGEST_MANIFEST = 2**16  # bytes
NAMES = (  # all that a save may consist of
    *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"),
    *("training.safetensors", "history.safetensors", "history.json"),
    *("vocab.json", "merges.txt", "added_tokens.json"),
)
WAIT = 20.0  # seconds that one save waits for another to end
READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def atomic_folder(folder: str | os.PathLike) -> Iterator[Path]:
    """Yield a staging folder; its files replace those of `folder` together, or not at all.

    Files of other names stay in `folder`. Another save into it waits until this one has ended.

    Raises:
        InUse: another program writes into the folder and does not end within some seconds.
        ValueError: something that no save of ours made is in the way; names it.
    """
    folder = user_path(folder)
    with sole_writer(folder, WAIT):
        check_room(folder)
        staging = folder / STAGING
        _clear(staging)
        staging.mkdir()
        (staging / MANIFEST).touch()  # so that the next save knows the folder as ours
        try:
            yield staging
            _seal(staging)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        os.rename(staging, folder / COMMITTED)
        _move_into_place(folder / COMMITTED)


def finish_save(folder: str | os.PathLike) -> None:
    """Complete a save that was cut off after its commit. Call before reading `folder`.

    Nothing else is changed: no folder that no save of ours made, nothing through a link, nothing
    while a writer is at work (who completes the save), and nothing where the user may not write.
    """
    folder = user_path(folder)
    if not _is_folder(folder / COMMITTED):
        return
    try:
        with sole_writer(folder):
            _move_into_place(folder / COMMITTED)
    except InUse:
        pass
    except OSError as error:
        if error.errno not in READ_ONLY:
            raise


def check_room(folder: Path) -> None:
    """Complete what a crash cut off, and refuse a folder in which a save would find no room.

    Raises:
        ValueError: a folder has the name of a file that a save writes; or what looks like an
            unfinished save is none of ours. Names it.
    """
    finish_save(folder)
    for name in NAMES:
        if _is_folder(folder / name):
            raise ValueError(f"{folder / name}: is a folder, but a file is to be saved there")
    with suppress(OSError):  # where a crash came after the last file was moved
        (folder / COMMITTED).rmdir()
    if os.path.lexists(folder / COMMITTED):
        raise ValueError(f"{folder / COMMITTED}: was not left by a gptlib save: move it away")


def _seal(staging: Path) -> None:
    """Write down what belongs to the save, and have the disk hold all of it."""
    files = sorted(file for file in staging.iterdir() if file.name != MANIFEST)
    for file in files:
        if file.name not in NAMES:
            raise ValueError(f"{file.name} is not a file of a save")
    sizes = {file.name: file.stat().st_size for file in files}
    manifest = staging / MANIFEST
    manifest.write_text(json.dumps({"files": sizes}), encoding="utf-8")
    mode = stat.S_IMODE(manifest.stat().st_mode)  # what the user's umask leaves
    for file in (*files, manifest):
        flush_to_disk(file)
        if stat.S_IMODE(file.stat().st_mode) != mode:
            file.chmod(mode)


def _move_into_place(committed: Path) -> None:
    """Move the files of a committed save; each one only if it is what was written down."""
    listed = os.path.lexists(committed / MANIFEST)
    sizes = _read_manifest(committed / MANIFEST) if listed else _unlisted(committed)
    for name, size in sorted(sizes.items()):
        with suppress(FileNotFoundError):  # it was moved before the crash
            found = os.lstat(committed / name)
            if stat.S_ISREG(found.st_mode) and found.st_size == size:
                os.replace(committed / name, committed.parent / name)
    with suppress(FileNotFoundError):
        left = [file.name for file in committed.iterdir()]
        if sizes and left in ([], [MANIFEST]):
            (committed / MANIFEST).unlink(missing_ok=True)
            committed.rmdir()


def _unlisted(committed: Path) -> dict[str, int]:
    """{name: bytes} of a save of an earlier version, which made no list; {} of any other folder.

    It is one if it holds tensors and all of them have our checksums.
    """
    found = {name: os.lstat(committed / name) for name in NAMES if (committed / name).is_file()}
    tensors = [committed / name for name in found if name.endswith(".safetensors")]
    if tensors and all(map(_is_summed, tensors)):
        return {name: each.st_size for name, each in found.items()}
    return {}


def _is_summed(path: Path) -> bool:
    try:
        with open_file(path) as file:
            return SUMS in file.metadata
    except ValueError:
        return False


def _read_manifest(path: Path) -> dict[str, int]:
    """{name: bytes} of a save; {} where the file is none that this program wrote."""
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST_MANIFEST:
            return {}
        sizes = parse(path.read_text(encoding="utf-8"))["files"]
        return sizes if sizes.keys() <= set(NAMES) else {}
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _clear(staging: Path) -> None:
    """Remove what a killed save left half-written, and nothing that somebody else put there."""
    if not os.path.lexists(staging):
        return
    parts = "|".join(map(re.escape, NAMES))
    half_written = re.compile(rf"\.?({parts})(\..*)?|\.tmp\w+")  # the last: safetensors' own
    marked = (staging / MANIFEST).is_file()  # earlier versions had no mark
    if not _is_folder(staging) or not (
        marked or all(half_written.fullmatch(file.name) for file in staging.iterdir())
    ):
        raise ValueError(f"{staging}: was not left by a gptlib save: move it away")
    shutil.rmtree(staging)


def _is_folder(path: Path) -> bool:
    """Whether this is a folder itself, and no link to one."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    junction = getattr(found, "st_file_attributes", 0) & stat.FILE_ATTRIBUTE_REPARSE_POINT
    return stat.S_ISDIR(found.st_mode) and not junction
