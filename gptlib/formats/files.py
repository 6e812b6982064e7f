"""Where files live, and how they are fetched and written so that a crash costs no good one.

Leaves out several files that belong together (`saves`), and what the files mean (`tokenizer`,
`checkpoint`, `corpora`).
"""

import hashlib
import http.client
import os
import secrets
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

from .values import reason


def data_dir() -> Path:
    """The folder of shipped data: `gptlib/data` in a wheel, `data/` in a checkout.

    Raises:
        FileNotFoundError: neither is there, so the package was not installed whole.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "data", package.parent / "data"):
        if (folder / "README.md").is_file():
            return folder
    raise FileNotFoundError("gptlib's data folder is missing: install gptlib again")


def cache_dir() -> Path:
    """The folder for downloaded files: `GPTLIB_CACHE`, or else the user's cache directory."""
    named = os.environ.get("GPTLIB_CACHE")
    return user_path(named) if named else Path(platformdirs.user_cache_dir("gptlib"))


def fetch(what: str, file: str, url: str, sha256: str, hint: str = "") -> Path:
    """The file in the cache folder, checked; where it is not there it is downloaded first.

    what: what the errors call it. hint: a last word for the error of a download.

    Raises:
        FileNotFoundError: it is not in the cache and cannot be downloaded; says what to do.
        ValueError: another file than that of this SHA-256 is in the cache, or was sent.
    """
    path = cache_dir() / file
    if not path.is_file():
        advice = f"Put the file at {path}, or set GPTLIB_CACHE to the folder that has it{hint}"
        _download(what, path, url, sha256, advice)
    elif hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise ValueError(f"{path}: is not the file it should be (SHA-256 differs): delete it")
    return path


def _download(what: str, path: Path, url: str, sha256: str, advice: str) -> None:
    """Fetch `url` into `path`, whole and checked, or leave nothing there."""
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            data = response.read()
    except (OSError, http.client.HTTPException) as error:  # the second: it broke off half-way
        why = getattr(error, "reason", error)
        why = reason(why) if isinstance(why, BaseException) else why
        raise FileNotFoundError(
            f"{what}: not in the cache, and the download failed ({why}). {advice}"
        ) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(f"{what}: {url} sent a different file (SHA-256 differs). {advice}")
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)


def user_path(path: str | os.PathLike) -> Path:
    """`path` with a leading `~` read as a shell would; that of nobody stays as it is."""
    return Path(os.path.expanduser(path))


@contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary file beside `path`; it takes `path`'s place when the block ends well.

    A reader sees the old file or the new one and never half of either. If the block raises
    (a full disk, say), the old file stays and the temporary one is removed.
    """
    path = user_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _new_file(path)
    try:
        yield temporary
        flush_to_disk(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _new_file(path: Path) -> Path:
    """An empty file beside `path`, which anybody may read who may read the user's other files.

    The system takes the umask off these permissions. `tempfile` would create the file for its
    owner alone, and to ask for the umask means to change it for an instant, in every thread.
    """
    while True:
        new = path.with_name(f".{path.name[:50]}.{secrets.token_hex(4)}")
        with suppress(FileExistsError):
            os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
            return new


def flush_to_disk(file: Path) -> None:
    """Have the disk hold the file's bytes before its name says that it does."""
    with open(file, "rb+") as opened:
        os.fsync(opened.fileno())
