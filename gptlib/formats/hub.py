"""GPT-2 by name, from the Hugging Face Hub: downloaded once, checked, and offline from then on.

`huggingface_hub` speaks with the server. This module says what is wanted (never a pickle, and of
one revision alone), keeps what a broken connection had brought, and holds each file against a
hash: the one written down here, and for the few files without one, that which the server states. A
model becomes the folder of its name in the cache (`GPTLIB_CACHE`): copy it to who is offline.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from .files import cache_dir
from .tensors import CONFIG, INDEX, PICKLE, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS, shards
from .values import reason

REPOSITORIES = {
    "gpt2": "openai-community/gpt2",
    "gpt2-medium": "openai-community/gpt2-medium",
    "gpt2-large": "openai-community/gpt2-large",
    "gpt2-xl": "openai-community/gpt2-xl",
    "distilgpt2": "distilbert/distilgpt2",
}


class Pin(NamedTuple):
    """Which files a name means, so that nobody who may write to the repository can change them."""

    revision: str  # a commit of the repository
    sha256: dict[str, str]  # of its files


_SAME = {  # in all of the repositories
    TOKENIZER: "8414cab924d8b9b33013f0d221c5862f365ee9be39c5c2bfae8a5a9e970478a6",
    TOKENIZER_CONFIG: "5e04eb606e3a1583530a42e36c2a6b6615c86f34fe77e44d9ddeb43ff940931f",
}
PINS = {
    "gpt2": Pin(
        "607a30d783dfa663caf39e06633721c8d4cfcd7e",
        _SAME
        | {
            CONFIG: "0daed7749b4f02b8f76240d5444551d7b08712dab4d0adb8239c56ba823bb7b4",
            WEIGHTS: "248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707",
        },
    ),
    "gpt2-medium": Pin(
        "6dcaa7a952f72f9298047fd5137cd6e4f05f41da",
        _SAME
        | {
            CONFIG: "ef1a44d889ad1a0acc7731c78134f1b87d2d222f110e97dd10fd4117331caf22",
            WEIGHTS: "fc5a354a19255ad494f3d71549390baca1ccf61d1d822b9408971705c687c9cd",
        },
    ),
    "gpt2-large": Pin(  # of its weights the server's own hash is taken, which the revision implies
        "32b71b12589c2f8d625668d2335a01cac3249519", {}
    ),
    "gpt2-xl": Pin(
        "15ea56dee5df4983c59b2538573817e1667135e2",
        _SAME
        | {
            CONFIG: "be48115d52314bc27327e160bf10197760db02ea689d10adb24db4102edf7a8a",
            WEIGHTS: "0f8b28eb05a8075f48b61b6f35332978c74fc7763fa9fb4051a1c30511736a6a",
        },
    ),
    "distilgpt2": Pin(
        "2290a62682d06624634c1f46a6ad5be0f47f38aa",
        _SAME
        | {
            CONFIG: "4ec5947c1d59fee6212cdf3b0ec1a53eac02092554c5ff0a733488cbd2c64f3a",
            WEIGHTS: "e1ff18884359fe8beb795a5f414feb85a6ce3d929ad019c0d958c039d2b94a1b",
        },
    ),
}
PARTIAL = ".partial"  # ends the name of a folder that is still being downloaded


def folder(name: str) -> Path:
    """The folder of a model of this name; a whole copy in the cache needs no network.

    Raises:
        ImportError: it must be downloaded, and huggingface_hub is not installed.
        FileNotFoundError: it is not here, and the download failed; the next call takes it up.
        ValueError: the server has no safetensors for it, or sent other bytes than were asked for.
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
        files = [
            try_to_load_from_cache(repository, file, revision=PINS[name].revision)
            for file in (CONFIG, TOKENIZER, WEIGHTS)
        ]
        here = [Path(file) for file in files if isinstance(file, str)]
        if len(here) == len(files):
            return here[0].parent
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

    _fetch(name, CONFIG, partial)
    _fetch(name, TOKENIZER, partial)
    with suppress(EntryNotFoundError):
        _fetch(name, TOKENIZER_CONFIG, partial)
    try:
        _fetch(name, WEIGHTS, partial)
        return
    except EntryNotFoundError:
        pass
    try:
        _fetch(name, INDEX, partial)
    except EntryNotFoundError:
        raise ValueError(
            f"{name}: {REPOSITORIES[name]} has no {WEIGHTS} on the Hub (a {PICKLE} is a pickle, "
            "which can run any code, and is never opened)"
        ) from None
    for path in sorted(set(shards(partial / INDEX).values())):
        _fetch(name, path.name, partial)


def _fetch(name: str, file: str, partial: Path) -> None:
    """Bring one file, or what is missing of it, and check it."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    pin = PINS[name]
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
    url = hf_hub_url(REPOSITORIES[name], file, revision=pin.revision, endpoint=endpoint)
    stated = get_hf_file_metadata(url, token=False)  # all of these are open to everybody
    etag = stated.etag or ""
    if stated.size is None or not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", etag):
        raise ValueError(f"{name}: {url}: the server gives no size or hash to check it against")
    wanted = pin.sha256.get(file, etag)
    if len(etag) == len(wanted) and etag != wanted:  # before half a gigabyte of it
        raise ValueError(
            f"{name}: {url}: the server has a different file (SHA-256 {etag}) from the "
            f"one that belongs to this name ({wanted})"
        )
    path = partial / file
    path.touch()
    while path.stat().st_size < stated.size:
        had = path.stat().st_size
        try:
            _go_on(url, path, stated.size, f"{name}/{file}")
        except _errors():
            if path.stat().st_size == had:  # a try that brought something is worth another
                raise
    _check(path, wanted, f"{name}: {url}")


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


def _check(path: Path, wanted: str, source: str) -> None:
    """Hold the file against its hash: SHA-256, or git's SHA-1, as the server has of small files.

    A file that is not the one is removed, so that the next call begins it anew.
    """
    if len(wanted) == 64:
        kind, digest = "SHA-256", hashlib.sha256()
    else:
        kind, digest = "SHA-1", hashlib.sha1(usedforsecurity=False)
        digest.update(b"blob %d\0" % path.stat().st_size)  # so git names a file's content
    with open(path, "rb") as file:
        while piece := file.read(2**20):
            digest.update(piece)
    if digest.hexdigest() != wanted:
        path.unlink()
        raise ValueError(f"{source}: sent the wrong bytes ({kind} differs): run it again")


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
        kept = sum(file.stat().st_size for file in partial.iterdir())
        raise FileNotFoundError(
            f"{name}: not in the cache, and the download failed ({reason(error)}). With a "
            f"network, run it again ({kept / 1e6:,.0f} MB are kept); without one, copy {target} "
            "from a computer that has it, or set GPTLIB_CACHE to the folder that it is in"
        ) from error
