"""The pages of the API: one for each module and folder of gptlib, made of its docstrings."""

from pathlib import Path

from .pages import ROOT

PACKAGE = ROOT / "gptlib"
# As they are read: the lessons' own modules in the order of the lessons, then the rest.
FIRST = "tokenizer embeddings attention feedforward logits model training sampling trace".split()
UNSHOWN = {"__main__", "js", "data"}


def pages() -> dict[str, str]:
    """{name of a source: its text}."""
    rooms = {path.stem: path for path in sorted(PACKAGE.iterdir()) if _is_room(path)}
    order = FIRST + [room for room in rooms if room not in FIRST]
    made = {f"api/{room}.rst": _page(room, rooms[room]) for room in order}
    listed = "\n".join(f"   {room}" for room in order)
    head = "API\n===\n\nAll that has a docstring; the modules of the lessons come first.\n"
    made["api/index.rst"] = f"{head}\n.. toctree::\n   :maxdepth: 1\n\n{listed}\n"
    return made


def _is_room(path: Path) -> bool:
    named = not path.stem.startswith("_") and path.stem not in UNSHOWN
    return named and (path.suffix == ".py" or (path / "__init__.py").is_file())


def _page(room: str, path: Path) -> str:
    """The page of one room: a module, or all modules of a folder."""
    title = f"gptlib.{room}"
    text = f"{title}\n{'=' * len(title)}\n\n{_module(title)}"
    for file in sorted(path.glob("*.py")) if path.is_dir() else ():
        if not file.stem.startswith("_"):
            name = f"{title}.{file.stem}"
            text += f"{name}\n{'-' * len(name)}\n\n{_module(name)}"
    return text


def _module(name: str) -> str:
    return f".. automodule:: {name}\n   :members:\n   :ignore-module-all:\n\n"
