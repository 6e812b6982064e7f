"""GPT-2 by name, from the Hugging Face Hub: downloaded once, checked, and offline from then on.

`huggingface_hub` speaks with the server. This module says what is wanted (never a pickle), keeps
what a broken connection had brought, and holds each file against the hash that the server states.
A model becomes the folder of its name in the cache (`GPTLIB_CACHE`): copy it to who is offline.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .files import cache_dir
from .tensors import CONFIG, INDEX, PICKLE, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS, shards

REPOSITORIES = {
    "gpt2": "openai-community/gpt2",
    "gpt2-medium": "openai-community/gpt2-medium",
    "gpt2-large": "openai-community/gpt2-large",
    "gpt2-xl": "openai-community/gpt2-xl",
    "distilgpt2": "distilbert/distilgpt2",
}
PARTIAL = ".partial"  # ends the name of a folder that is still being downloaded


def folder(name: str) -> Path:
    """The folder of a model of this name; a whole copy in the cache needs no network.

    Raises:
        ImportError: it must be downloaded, and huggingface_hub is not installed.
        FileNotFoundError: it is not here, and the download failed; the next call takes it up.
        ValueError: the server has no safetensors for it, or sent other bytes than it states.
    """
    return cached(name) or download(name)


def cached(name: str) -> Path | None:
    """The folder, if the model is here whole: in our cache, or in the Hub's own (transformers')."""
    ours = cache_dir() / name
    if ours.is_dir():
        return ours
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    for repository in (REPOSITORIES[name], name):  # it goes there by the name that was asked for
        files = [try_to_load_from_cache(repository, f) for f in (CONFIG, TOKENIZER, WEIGHTS)]
        if all(isinstance(file, str) for file in files):
            return Path(files[0]).parent
    return None


def download(name: str) -> Path:
    """Fetch the model's files into the cache. The folder gets its name when all are there, checked.

    Arguments and errors as `folder`.
    """
    try:
        from filelock import FileLock  # huggingface_hub needs it too
        from huggingface_hub import constants  # noqa: F401
    except ImportError:
        raise ImportError(
            f"{name}: is downloaded with huggingface_hub: pip install huggingface_hub"
        ) from None
    target = cache_dir() / name
    cache_dir().mkdir(parents=True, exist_ok=True)
    with FileLock(cache_dir() / f".{name}.lock"):  # a class that shares a cache downloads once
        if not target.is_dir():
            partial = target.with_name(name + PARTIAL)
            partial.mkdir(exist_ok=True)
            with _errors_in_one_line(name, target, partial):
                _fetch_all(name, partial)
            partial.rename(target)
    return target


def _fetch_all(name: str, partial: Path) -> None:
    from huggingface_hub.errors import EntryNotFoundError

    commit = _fetch(name, CONFIG, None, partial)  # and all the others from the same one
    _fetch(name, TOKENIZER, commit, partial)
    with suppress(EntryNotFoundError):
        _fetch(name, TOKENIZER_CONFIG, commit, partial)
    try:
        _fetch(name, WEIGHTS, commit, partial)
        return
    except EntryNotFoundError:
        pass
    try:
        _fetch(name, INDEX, commit, partial)
    except EntryNotFoundError:
        raise ValueError(
            f"{name}: {REPOSITORIES[name]} has no {WEIGHTS} on the Hub (a {PICKLE} is a pickle, "
            "which can run any code, and is never opened)"
        ) from None
    for path in sorted(set(shards(partial / INDEX).values())):
        _fetch(name, path.name, commit, partial)


def _fetch(name: str, file: str, commit: str | None, partial: Path) -> str | None:
    """Bring one file, or what is missing of it, and check it; returns the commit it is of."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
    url = hf_hub_url(REPOSITORIES[name], file, revision=commit, endpoint=endpoint)
    stated = get_hf_file_metadata(url, token=False)  # all of these are open to everybody
    if stated.size is None or not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", stated.etag or ""):
        raise ValueError(f"{name}: {url}: the server states no size and hash to check it by")
    path = partial / file
    path.touch()
    while path.stat().st_size < stated.size:
        had = path.stat().st_size
        try:
            _go_on(url, path, stated.size, f"{name}/{file}")
        except _errors():
            if path.stat().st_size == had:  # a try that brought something is worth another
                raise
    _check(path, stated.etag, f"{name}: {url}")
    return stated.commit_hash


def _go_on(url: str, path: Path, size: int, shown: str) -> None:
    """Append to the file what it has not got yet, with a progress bar."""
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    headers = build_hf_headers(token=False, library_name="gptlib")
    had = path.stat().st_size
    with open(path, "ab") as opened:
        http_get(
            url,
            opened,
            resume_size=had,
            headers=headers,
            expected_size=size,
            displayed_filename=shown,
        )


def _check(path: Path, etag: str, source: str) -> None:
    """Hold the file against its ETag: SHA-256 of a large file, git's SHA-1 of a small one."""
    if len(etag) == 64:
        kind, digest = "SHA-256", hashlib.sha256()
    else:
        kind, digest = "SHA-1", hashlib.sha1(usedforsecurity=False)
        digest.update(b"blob %d\0" % path.stat().st_size)  # so git names a file's content
    with open(path, "rb") as file:
        while piece := file.read(2**20):
            digest.update(piece)
    if digest.hexdigest() != etag:
        path.unlink()
        raise ValueError(f"{source}: sent other bytes than stated ({kind} differs): run it again")


def _errors() -> tuple[type[Exception], ...]:
    """What a download can raise: the errors of huggingface_hub, and of its HTTP client."""
    from huggingface_hub.errors import HfHubHTTPError

    # Which client that is differs by version; the errors of some are no OSErrors.
    clients = (kind for kind in HfHubHTTPError.__mro__ if kind.__name__ == "HTTPError")
    return (OSError, *clients)


@contextmanager
def _errors_in_one_line(name: str, target: Path, partial: Path) -> Iterator[None]:
    try:
        yield
    except _errors() as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        kept = sum(file.stat().st_size for file in partial.iterdir())
        raise FileNotFoundError(
            f"{name}: not in the cache, and the download failed ({reason}). With a network, run it "
            f"again ({kept / 1e6:,.0f} MB are kept); without one, copy {target} from a computer "
            "that has it, or set GPTLIB_CACHE to the folder that it is in"
        ) from error
