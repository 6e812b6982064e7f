"""The explorers' JavaScript: one ES module from several files, without a build step.

anywidget hands a widget's module to the browser as one text, in which "./bars.js" leads nowhere. So
each file becomes one function's inside, in the order that the imports ask for. The files keep to
two forms, and a page of the site loads them as they are:

    import { bars, spoken } from "./bars.js";      each import in one statement, names in braces
    export function bars() {                       or class, const, let; a default in the last alone
"""

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "js"
_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w-]+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(
    r"^export (?=(?:async )?(?:function\*?|class|const|let) ([\w$]+))", re.MULTILINE
)


@cache
def bundle(name: str) -> str:
    """The text of js/`name`.js with all that it imports, as one ES module.

    Raises:
        FileNotFoundError: it, or a file that it imports, is not there.
        ValueError: an import or export in another form, the import of a name that is not exported,
            or two files that import each other.
    """
    return "".join([*_modules(name, [], ()), _linked(name, last=True)])


def _modules(name: str, made: list[str], above: tuple[str, ...]) -> list[str]:
    """All that `name` imports, as constants, each after what it needs itself."""
    if name in above:
        raise ValueError(f"{' imports '.join([*above, name])}: a circle")
    for wanted, other in _IMPORT.findall(_source(name)):
        _modules(other, made, (*above, name))
        body = _linked(other)
        names = _EXPORT.findall(body)
        if missing := set(re.findall(r"([\w$]+)(?: as [\w$]+)?", wanted)) - set(names):
            raise ValueError(f"{name}.js: {other}.js exports no {', '.join(sorted(missing))}")
        whole = f"const {_constant(other)} = (() => {{\n{_EXPORT.sub('', body)}"
        whole += f"return {{ {', '.join(names)} }};\n}})();\n"
        if whole not in made:
            made.append(whole)
    return made


def _linked(name: str, last: bool = False) -> str:
    """The text of a file whose imports are names of constants; `last`: it may have a default."""
    linked = _IMPORT.sub(_assignment, _source(name))
    rest = _EXPORT.sub("", linked)
    rest = re.sub(r"^export default ", "", rest, count=1, flags=re.MULTILINE) if last else rest
    if wrong := re.search(r"^[ \t]*((?:import|export)\b.*)", rest, re.MULTILINE):
        raise ValueError(f"{name}.js: {wrong[1]!r} is not of the form that esm.py reads")
    return linked


def _assignment(found: re.Match) -> str:
    names = re.sub(r"(\w+) as (\w+)", r"\1: \2", found[1])
    return f"const {{{names}}} = {_constant(found[2])};\n"


def _constant(name: str) -> str:
    return "$" + name.replace("-", "_")


def _source(name: str) -> str:
    return (FOLDER / f"{name}.js").read_text(encoding="utf-8")
