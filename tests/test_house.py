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

# From the ground up: a module imports from the floors below its own, and never from above.
CORE = (
    "files answers bpe tokenizer_files vocab_files tokenizer shards prepare embeddings linear "
    "attention feedforward logits model quantization decoding optimizers distributed training "
    "sampling trace ablations tensor_files hf hub checkpoint runs corpora __init__ cli __main__"
).split()
FLOORS = [*CORE, "checks", "plots", "widgets", "teaching"]
# Inside the function that needs it: GPT.from_pretrained, and `gptlib plot`.
WHEN_CALLED = {("model", "checkpoint"), ("cli", "plots")}

NO_PICTURES = [*CORE, "checks"]  # a check runs in a terminal too
NOT_FOR_THE_CORE = {"matplotlib", "ipywidgets", "IPython", "jupyterlab", "notebook", "plotly"}


def floor(path):
    """The floor of a file: its module, or the folder that it lies in."""
    return path.relative_to(ROOT / "gptlib").parts[0].removesuffix(".py")


def files(floors):
    found = sorted((ROOT / "gptlib").rglob("*.py"))
    return [path for path in found if floor(path) in floors]


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


def floor_of_name(name):
    """The floor that a full name belongs to; None outside gptlib."""
    package, _, rest = name.partition(".")
    if package != "gptlib":
        return None
    first = rest.partition(".")[0]
    return first if first in FLOORS else "__init__"


def test_every_module_has_its_floor():
    here = {floor(path) for path in (ROOT / "gptlib").rglob("*.py")}
    assert here <= set(FLOORS), "say in FLOORS where the new module stands"
    assert set(CORE) <= here


@pytest.mark.parametrize("path", files(FLOORS), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_module_imports_from_a_floor_above(path):
    here = floor(path)
    for name, when_called in imports(path):
        there = floor_of_name(name)
        if there is None or there == here or (when_called and (here, there) in WHEN_CALLED):
            continue
        assert FLOORS.index(there) < FLOORS.index(here), f"{here} imports {name}"


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
    modules = [floor(path) for path in files(CORE) if floor(path) not in ("__init__", "__main__")]
    code = f"""
import sys, importlib
import gptlib
after = set(sys.modules)
for name in {sorted(set(modules))}:
    importlib.import_module("gptlib." + name)
loaded = {{name.partition(".")[0] for name in sys.modules}}
print(sorted(loaded & {NOT_FOR_THE_CORE | {"transformers", "tiktoken", "tokenizers"}}))
print(sorted(after & {{"gptlib.checks", "gptlib.plots", "gptlib.widgets", "gptlib.teaching"}}))
"""
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert result.stderr == "" and result.stdout.split() == ["[]", "[]"]


@pytest.mark.parametrize("name", [floor for floor in CORE if not floor.startswith("__")])
def test_every_module_has_a_test_file_of_its_name(name):
    assert (ROOT / "tests" / f"test_{name}.py").is_file()


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
