"""The house: what may import what, which names are public, and that every lesson has its test."""

import ast
import inspect
import operator
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import gptlib

ROOT = Path(__file__).resolve().parent.parent
LESSONS = "tokenizer embeddings attention feedforward logits training sampling".split()

# The rooms of gptlib, a file in front or a folder, floor by floor from the ground up. An arrow only
# points down: a room imports from the floors below its own.
FLOORS = [
    ["fast", "formats"],
    ["tokenizer", "embeddings", "attention", "feedforward", "logits"],
    ["model", "scale"],
    ["optimizers", "decoding", "ablations", "corpora"],
    ["training", "sampling"],
    ["trace", "storage"],
    ["__init__", "checks", "plots"],
    ["widgets", "cli"],
    ["teaching", "__main__"],
]
HEIGHT = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}
CORE = [room for rooms in FLOORS[:7] for room in rooms if room not in ("checks", "plots")]
CORE += ["cli", "__main__"]
# Only when it is called: `gptlib plot` needs matplotlib, which a server may lack; `gptlib board`
# and `gptlib tally` need the words of the lessons.
WHEN_CALLED = {("cli", "plots"), ("cli", "teaching")}
MOST_ROOMS, MOST_LINES = 24, 250

NO_PICTURES = [*CORE, "checks"]  # a check runs in a terminal too
NOT_FOR_THE_CORE = {"matplotlib", "ipywidgets", "anywidget", "IPython", "jupyterlab", "notebook"}
NOT_FOR_THE_CORE |= {"plotly"}


def room(path):
    """The room of a file: its module, or the folder that it is in."""
    return path.relative_to(ROOT / "gptlib").parts[0].removesuffix(".py")


def files(rooms):
    found = sorted((ROOT / "gptlib").rglob("*.py"))
    return [path for path in found if room(path) in rooms]


def module(path):
    """The dotted name of a file: gptlib.storage.runs."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path):
    """(full name, whether only when a function is called) of all that a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    package = ("gptlib", *path.relative_to(ROOT / "gptlib").parts[:-1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*base, *([node.module] if node.module else ())))
            yield from ((f"{base}.{alias.name}", id(node) in inside) for alias in node.names)


def room_of_name(name):
    """The room that a full name belongs to; None outside gptlib."""
    package, _, rest = name.partition(".")
    if package != "gptlib":
        return None
    first = rest.partition(".")[0]
    return first if first in HEIGHT else "__init__"


def arrows_between_files():
    """{a file's module: the modules of gptlib that it imports, inside functions too}."""
    modules = {module(path) for path in files(HEIGHT)}
    arrows = {}
    for path in files(HEIGHT):
        named = {name for name, _ in imports(path) if name.startswith("gptlib")}
        there = {name if name in modules else name.rpartition(".")[0] for name in named}
        arrows[module(path)] = (there & modules) - {module(path)}
    return arrows


def circle(arrows):
    """Modules that import one another in a ring, or [] where there is none."""
    done, open_now = set(), []

    def visit(name):
        if name in open_now:
            return [*open_now[open_now.index(name) :], name]
        if name in done:
            return []
        open_now.append(name)
        for there in sorted(arrows[name]):
            if found := visit(there):
                return found
        open_now.pop()
        done.add(name)
        return []

    return next(filter(None, map(visit, sorted(arrows))), [])


def test_every_room_has_its_floor_and_there_are_not_too_many():
    here = {room(path) for path in (ROOT / "gptlib").rglob("*.py")}
    assert here == set(HEIGHT), "say in FLOORS where the new room stands"
    assert len(here) <= MOST_ROOMS and len(FLOORS) <= 9


@pytest.mark.parametrize("path", files(HEIGHT), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_file_imports_from_its_own_floor_or_one_above(path):
    here = room(path)
    for name, when_called in imports(path):
        there = room_of_name(name)
        if there is None or there == here or (when_called and (here, there) in WHEN_CALLED):
            continue
        assert HEIGHT[there] < HEIGHT[here], f"{here} imports {name}"


def test_no_files_import_one_another_in_a_circle_not_even_inside_a_function():
    assert circle(arrows_between_files()) == []


def test_a_circle_would_be_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@pytest.mark.parametrize("lesson", [*LESSONS, "model", "optimizers", "trace", "ablations"])
def test_what_a_student_reads_is_short(lesson):
    source = (ROOT / "gptlib" / f"{lesson}.py").read_text(encoding="utf-8")
    assert len(source.splitlines()) < MOST_LINES


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_has_its_module_pictures_explorer_words_checks_and_tests(lesson):
    for folder in ("plots", "widgets", "teaching", "checks"):
        assert (ROOT / "gptlib" / folder / f"{lesson}.py").is_file(), folder
        assert (ROOT / "tests" / folder / f"test_{lesson}.py").is_file() or folder == "plots"
    assert (ROOT / "tests" / f"test_{lesson}.py").is_file()


@pytest.mark.parametrize("path", files(NO_PICTURES), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_the_core_names_no_picture_and_needs_only_what_it_declares(path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}
    for name, when_called in imports(path):
        package = name.partition(".")[0]
        assert package not in NOT_FOR_THE_CORE
        own = package == "gptlib" or package in sys.stdlib_module_names
        assert own or when_called or package in needed, f"{package} is no dependency"


def test_importing_the_core_loads_no_picture_not_even_by_a_detour():
    modules = [module(path) for path in files(CORE) if room(path) != "__main__"]
    code = f"""
import sys, importlib
import gptlib
after = set(sys.modules)
for name in {sorted(set(modules))}:
    importlib.import_module(name)
loaded = {{name.partition(".")[0] for name in sys.modules}}
print(sorted(loaded & {NOT_FOR_THE_CORE | {"transformers", "tiktoken", "tokenizers"}}))
print(sorted(after & {{"gptlib.checks", "gptlib.plots", "gptlib.widgets", "gptlib.teaching"}}))
"""
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert result.stderr == "" and result.stdout.split() == ["[]", "[]"]


def test_importing_the_explorers_loads_no_matplotlib():
    code = "import gptlib.widgets, sys; print(sorted({'matplotlib', 'PIL'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert result.stdout == "[]\n", "explorers draw without it, and it takes a second"


def test_importing_gptlib_does_not_load_the_compiler_of_pytorch():
    code = "import gptlib, sys; print('torch._dynamo' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert result.stdout == "False\n", "it takes as long as PyTorch itself"


BOARD = sorted((ROOT / "gptlib" / "teaching" / "board").glob("*.py"))
TESTED = [path for path in files(CORE) + BOARD if not path.stem.startswith("__")]


@pytest.mark.parametrize("path", TESTED, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_module_has_a_test_file_of_its_name_in_the_same_place(path):
    place = path.relative_to(ROOT / "gptlib").parent
    room_tests = ROOT / "tests" / place
    assert (room_tests / f"test_{path.stem}.py").is_file()


# What README, notebooks and others rely on: DESIGN's public face. None: a required argument.
PUBLIC = {
    "Tokenizer.train": {"text": None, "vocab_size": None, "special_tokens": ("<|endoftext|>",)},
    "Tokenizer.encode": {"text": None, "allowed_special": (), "disallowed_special": ()},
    "Tokenizer.decode": {"ids": None},
    "Tokenizer.save": {"path": None},
    "Tokenizer.load": {"path": None},
    "Tokenizer.from_tiktoken": {"path": None},
    "Tokenizer.to_tiktoken": {},
    "Tokenizer.gpt2": {},
    "Tokenizer.save_vocab": {"folder": None},
    "Tokenizer.from_vocab": {"folder": None, "special_tokens": ("<|endoftext|>",)},
    "GPTConfig": dict.fromkeys(["vocab_size", "block_size", "n_layer", "n_head", "n_embd"])
    | {"dropout": 0.0},
    "GPT": {"config": None},
    "GPT.forward": {"ids": None},
    "GPT.save_pretrained": {"folder": None},
    "GPT.from_pretrained": {"name_or_dir": None},
    "load": {"name_or_dir": None, "step": "optional"},
    "nll": {"logits": None, "targets": None},
    "next_token_probs": {"logits": None, "temperature": 1.0, "top_k": "optional"}
    | {"top_p": "optional"},
    "generate": {"model": None, "ids": None, "max_new_tokens": None, "temperature": 1.0}
    | {"top_k": "optional", "top_p": "optional", "eos_id": "optional", "generator": "optional"}
    | {"use_cache": True},
    "trace": {"model": None, "ids": None},
    "Trainer": {"model": None, "tokens": None, "config": "optional"},
    "corpora.load": {"name_or_path": None},
    "corpora.pets.next_words": {"prefix": None},
}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_there_with_its_arguments_in_order(name):
    found = inspect.signature(operator.attrgetter(name)(gptlib)).parameters
    found = {key: parameter for key, parameter in found.items() if key != "self"}
    expected = PUBLIC[name]
    assert list(found)[: len(expected)] == list(expected)
    for key, default in expected.items():
        if default == "optional":
            assert found[key].default is None
        elif default is not None:
            assert found[key].default == default
    for key in list(found)[len(expected) :]:  # more may be asked for, never demanded
        assert found[key].default is not inspect.Parameter.empty
    if name == "generate":
        for key in list(expected)[3:]:
            assert found[key].kind is inspect.Parameter.KEYWORD_ONLY


def test_what_is_public_is_there_and_what_is_not_is_an_attribute_error():
    for name in gptlib.__all__:
        assert getattr(gptlib, name) is not None
    tokenizer = gptlib.Tokenizer.train("aaaa aaaa", 257)
    assert (tokenizer.vocab_size, tokenizer.eos_id, tokenizer.merges) == (257, 256, [])
    with pytest.raises(AttributeError, match="has no attribute 'odd'"):
        gptlib.odd  # noqa: B018


def test_a_config_is_frozen_and_the_model_gives_logits_alone():
    config = gptlib.GPTConfig(vocab_size=5, block_size=4, n_layer=1, n_head=1, n_embd=2)
    with pytest.raises(AttributeError):
        config.n_layer = 2
    ids = gptlib.generate(gptlib.GPT(config, seed=0), [1, 2], 3, temperature=0)[None]
    assert gptlib.GPT(config)(ids[:, :4]).shape == (1, 4, 5)


# ---- The page that explains the house ----

PAGE = ROOT / "docs" / "architecture.md"


def test_the_page_names_only_files_that_are_there():
    named = re.findall(r"`((?:gptlib|tests|notebooks|docs)/[\w./-]*)`", PAGE.read_text("utf-8"))
    assert len(named) > 30
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_page_names_every_room_and_what_it_points_at_in_a_module():
    text = PAGE.read_text("utf-8")
    for name in HEIGHT:
        if not name.startswith("__"):
            assert re.search(rf"\b{name}(\.py|/)", text), name
    for path, name in re.findall(r"`(gptlib/[\w/]+\.py)`: `([\w.]+)`", text):
        source = (ROOT / path).read_text("utf-8")
        assert re.search(rf"^\s*(def|class) {name.rpartition('.')[2]}\b|^{name} = ", source, re.M)
