"""The docstrings as reStructuredText: they are plain text, in which `*` and `|` are just signs."""

import re

DOCTEST = re.compile(r"\s*(>>>|\.\.\. )")
SIGNS = re.compile(r"([*|\\]|(?<=\w)_(?!\w))")


def setup(app) -> dict:
    app.connect("autodoc-process-docstring", prepare, priority=400)  # before napoleon reads it
    return {"parallel_read_safe": True}


def prepare(app, what, name, obj, options, lines: list[str]) -> None:
    """Escape what is not meant as markup, and make an indented example a block of code."""
    made: list[str] = []
    code = quoted = False
    for line in lines:
        indented = line.startswith("    ")
        if not line.strip():
            code = False
        elif DOCTEST.match(line):
            code = True
        elif indented and not quoted and made and not made[-1].strip() and _is_prose(made):
            made += ["::", ""]
            quoted = True
        if line.strip() and not indented:
            quoted = False
        made.append(line if code or quoted else escaped(line))
    lines[:] = made


def _is_prose(made: list[str]) -> bool:
    """Whether the last paragraph is none of "Args:", "Raises:", under which all is indented."""
    before = [line for line in made if line.strip() and not line.startswith("    ")]
    return bool(before) and not re.fullmatch(r"[A-Z]\w+:", before[-1].strip())


def escaped(line: str) -> str:
    """A line in which only backquotes have a meaning."""
    parts = re.split(r"(`[^`]*`)", line)
    return "".join(part if k % 2 else SIGNS.sub(r"\\\1", part) for k, part in enumerate(parts))
