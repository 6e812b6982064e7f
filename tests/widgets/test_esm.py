"""gptlib.widgets.esm: several files become one module that says the same."""

import re
import shutil
import subprocess

import pytest

from gptlib.widgets import esm

FILES = {
    "low": "let count = 0;\nexport function next() {\n  return ++count;\n}\n"
    "export const two = 2;\n",
    "left": 'import { next, two as both } from "./low.js";\n'
    "const two = both * 10;\nexport class Left {\n  get() {\n    return next() + two;\n  }\n}\n",
    "right": 'import { next } from "./low.js";\n'
    "export async function right() {\n  return next();\n}\n",
    "top": 'import { Left } from "./left.js";\nimport { right } from "./right.js";\n'
    "export default async () => [new Left().get(), await right(), new Left().get()];\n",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(esm, "FOLDER", tmp_path)
    esm.bundle.cache_clear()
    for name, text in FILES.items():
        (tmp_path / f"{name}.js").write_text(text)
    yield tmp_path
    esm.bundle.cache_clear()


def test_a_module_that_two_others_import_is_there_once_and_before_them(folder):
    text = esm.bundle("top")
    assert text.count("const $low") == 1
    assert text.index("const $low") < text.index("const $left") < text.index("export default")
    assert "import" not in text


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_one_module_answers_as_the_files_do(folder):
    (folder / "all.mjs").write_text(esm.bundle("top"))
    (folder / "package.json").write_text('{"type": "module"}')
    said = [
        subprocess.run(
            ["node", "-e", f"import('./{name}').then(m => m.default()).then(x => console.log(x))"],
            cwd=folder, capture_output=True, text=True, check=True,
        ).stdout
        for name in ("top.js", "all.mjs")
    ]  # fmt: skip
    assert said == ["[ 21, 2, 23 ]\n"] * 2


@pytest.mark.parametrize(
    "line",
    [
        'import * as low from "./low.js";',
        'import low from "./low.js";',
        'import low, { next } from "./low.js";',
        'import "./low.js";',
        '  import { next } from "./low.js";',
        "import { next } from './low.js';",
        'import { next } from "low";',
        "export { next };",
        "export { next as other };",
        'export * from "./low.js";',
        'export { next } from "./low.js";',
        "export const { a, b } = next;",
        "export var old = 1;",
        "  export const two = 2;",
        "export default next;",
    ],
)
def test_an_import_or_export_in_another_form_is_refused_by_its_line(folder, line):
    (folder / "odd.js").write_text(f"{line}\nexport const right = 1;\n")
    (folder / "last.js").write_text('import { right } from "./odd.js";\nexport default right;\n')
    with pytest.raises(ValueError, match=re.escape(f"odd.js: {line.strip()!r} is not of the form")):
        esm.bundle("last")


def test_the_last_file_has_one_default_and_no_more(folder):
    (folder / "twice.js").write_text("export default 1;\nexport default 2;\n")
    with pytest.raises(ValueError, match="twice.js: 'export default 2;'"):
        esm.bundle("twice")


@pytest.mark.parametrize("names", ["two, three", "two, three as four", "three"])
def test_a_name_that_is_not_exported_is_refused(folder, names):
    (folder / "low.js").write_text("export const two = 2, three = 3;\n")
    (folder / "last.js").write_text(f'import {{ {names} }} from "./low.js";\nexport default two;\n')
    with pytest.raises(ValueError, match="last.js: low.js exports no three$"):
        esm.bundle("last")


def test_a_circle_is_refused_by_name(folder):
    (folder / "low.js").write_text('import { Left } from "./left.js";\nexport const next = Left;\n')
    with pytest.raises(ValueError, match="left imports low imports left: a circle"):
        esm.bundle("top")


def test_a_file_that_is_not_there_is_named(folder):
    with pytest.raises(FileNotFoundError, match="none.js"):
        esm.bundle("none")


# ---- The rules of all explorers are in one page: JupyterLab has many notebooks in one ----

SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in esm.FOLDER.glob("*.js")}
EVERYWHERE = {"gptlib-live", "gptlib-explorer"}


def selectors(css):
    """Of every rule, also of those inside @media and @container; of @keyframes nothing."""
    css = re.sub(r"/\*.*?\*/|\$\{[^}]*\}", "", css, flags=re.DOTALL)
    css = re.sub(r"@keyframes[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", css)
    for group in re.findall(r"([^{}]+)\{[^{}]*\}", re.sub(r"@(?:media|container)[^{]*\{", "", css)):
        yield from (one.strip() for one in group.split(","))


def strangers(scripts):
    """Rules that reach what another file has made: (file, selector, the other file).

    The first class of a rule belongs to the file, or to style.js. Who imports a file may use its
    classes.
    """
    found = []
    for name, text in scripts.items():
        for css in re.findall(r"CSS = `(.*?)`", text, re.DOTALL) if name != "style.js" else ():
            for selector in selectors(css):
                classes = re.findall(r"\.(gptlib-[\w-]+)", selector)
                own = next((c for c in classes if c not in EVERYWHERE), "")
                others = [
                    other
                    for other, its in scripts.items()
                    if other != name
                    and f'from "./{name}"' not in its
                    and (not own or re.search(rf"{own}(?![\w-])", its))
                ]
                found += [(name, selector, other) for other in others]
    return found


def test_no_explorer_gives_a_look_to_what_another_has_made():
    assert strangers(SCRIPTS) == []


def test_a_class_of_two_explorers_would_be_found():
    one = "const CSS = `@media (print) { .gptlib-part { height: 1em; } }`;"
    two = (
        'const CSS = `.gptlib-row > .gptlib-part { top: 0; }`; make("p", { class: "gptlib-part" })'
    )
    of = {"one.js": one, "two.js": two}
    assert strangers(of) == [("one.js", ".gptlib-part", "two.js")]
    assert strangers({"one.js": "const CSS = `p { top: 0; }`", "two.js": ""}) != []
    assert strangers({**of, "two.js": two + ' import "x" from "./one.js"'}) == []
