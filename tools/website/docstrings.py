"""The docstrings as reStructuredText: they are plain text, in which `*` and `|` are just signs."""

import re

DOCTEST = re.compile(r"\s*(>>>|\.\.\. )")
# After a closing backquote, and before an opening one, markup knows these signs alone.
AFTER, BEFORE = re.compile(r"[\s'\")\]}>\-/\\:.,;!?]"), re.compile(r"[\s'\"(\[{<\-/:]")
KEPT: dict[str, list[str]] = {}
SIGNS = re.compile(r"([*|\\]|(?<=\w)_(?!\w))")


def setup(app) -> dict:
    app.connect("autodoc-process-docstring", prepare, priority=400)  # before napoleon reads it
    app.connect("autodoc-process-docstring", restore, priority=600)
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True}


def skip(app, what, name, obj, skipped: bool, options) -> bool | None:
    """Leave out what another library, or a NamedTuple, has put into a class of ours."""
    module = getattr(obj, "__module__", None) or ""
    alias = (getattr(obj, "__doc__", None) or "").startswith("Alias for field number")
    return True if alias or module.startswith(("matplotlib", "torch", "traitlets")) else None


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
    if what in ("property", "attribute") and made and ":" in made[0]:
        KEPT[name] = made  # napoleon would take what comes before the colon for a type
        lines[:] = []


def restore(app, what, name, obj, options, lines: list[str]) -> None:
    """What was kept from napoleon."""
    lines[:] = KEPT.pop(name, lines)


def _is_prose(made: list[str]) -> bool:
    """Whether the last paragraph is none of "Args:", "Raises:", under which all is indented."""
    before = [line for line in made if line.strip() and not line.startswith("    ")]
    return bool(before) and not re.fullmatch(r"[A-Z]\w+:", before[-1].strip())


def escaped(line: str) -> str:
    """A line in which only backquotes have a meaning."""
    parts = re.split(r"(`[^`]*`)", line)
    made = [part if k % 2 else SIGNS.sub(r"\\\1", part) for k, part in enumerate(parts)]
    for k in range(0, len(made), 2):
        if k and made[k] and not AFTER.match(made[k]):
            made[k] = "\\ " + made[k]
        if k + 1 < len(made) and made[k] and not BEFORE.match(made[k][-1]):
            made[k] += "\\ "
    return "".join(made)
