"""The scripts of the pages: those of the explorers, as the notebooks have them, and docs/js."""

import hashlib
import re
from pathlib import Path

from .pages import ROOT

FOLDERS = ("gptlib/widgets/js", "docs/js")  # they lie in one folder on the site
IMPORT = re.compile(r'^(?:import|\}) .*from "\./([\w-]+)\.js";$', re.MULTILINE)


def texts() -> dict[str, str]:
    """{name: its text} of all scripts."""
    files = [path for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.js"))]
    return {path.stem: path.read_text(encoding="utf-8") for path in files}


def folder() -> str:
    """What their folder is called, by what they say: an old script never meets a new page."""
    return "js-" + hashlib.sha256("".join(texts().values()).encode()).hexdigest()[:12]


def write(static: Path) -> None:
    """Copy them into their folder."""
    (static / folder()).mkdir(parents=True)
    for name, text in texts().items():
        (static / folder() / f"{name}.js").write_text(text, encoding="utf-8")


def needed(*names: str) -> list[str]:
    """These scripts and all that they import, each once."""
    known, found = texts(), []
    todo = [*names]
    while todo:
        name = todo.pop(0)
        if name not in found:
            found.append(name)
            todo += IMPORT.findall(known[name])
    return found
