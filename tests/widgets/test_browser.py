"""Every explorer in a real JupyterLab, in a real browser, moved by keyboard alone.

What the page shows is compared with what gptlib computes here. Needs a Chromium: without one these
tests skip, or fail where GPTLIB_REQUIRE_BROWSER is 1, as it is in continuous integration. Keeps
pictures of all explorers, light and dark, in artifacts/.
"""

import os
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import NO_CHROMIUM, Lab, chromium_page, find_chromium, jupyterlab, settled

import gptlib
from gptlib.corpora import pets as grammar
from gptlib.widgets import svg

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = "grammar.sample(100, seed=1)"
CONFIG = 'gptlib.TrainConfig(steps=5000, batch_size=2, warmup_steps=0, device="cpu")'
BEGIN = """
import torch
import gptlib
from gptlib import widgets
from gptlib.corpora import pets as grammar
torch.set_num_threads(1)
model, tokenizer = gptlib.load("pets")
def show(make):
    display(make(), make())
"""
NOTEBOOKS = {
    "block_explorer": "widgets.block_explorer(model, tokenizer, truth=grammar.next_words)",
}


def numbers(*names):
    """The slider and the box of each."""
    return {(role, name) for name in names for role in ("slider", "spinbutton")}


def buttons(*names):
    return {("button", name) for name in names}


CONTROLS = {
    "block_explorer": {("textbox", "prompt"), ("combobox", "out")}
    | {("checkbox", part) for part in ("attention", "feedforward", "layer norm", "residual path")},
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """One JupyterLab and one browser for all tests of this file."""
    executable = find_chromium()
    if executable is None:
        if os.environ.get("GPTLIB_REQUIRE_BROWSER") == "1":
            pytest.fail(f"GPTLIB_REQUIRE_BROWSER is 1, and there is {NO_CHROMIUM}")
        pytest.skip(NO_CHROMIUM)
    folder = tmp_path_factory.mktemp("lab")
    with jupyterlab(folder) as url, chromium_page(executable) as (page, left):
        yield Lab(page, url, folder, left)


@pytest.fixture(scope="module", params=NOTEBOOKS)
def opened(request, lab):
    """(name, its two explorers, the notebook) for each of the explorers."""
    name = request.param
    notebook = lab.new_notebook(f"{name}.ipynb", BEGIN, f"show(lambda: {NOTEBOOKS[name]})")
    notebook.run_all()
    return name, notebook.explorers(2), notebook


def test_every_control_has_a_name_that_a_screen_reader_says(opened):
    name, (first, second), _ = opened
    assert first.controls() == second.controls() == CONTROLS[name]


@pytest.mark.parametrize("place", [0, 1], ids=["first", "second"])
def test_each_control_moves_the_right_numbers_and_nothing_in_the_other_explorer(
    opened, pets, place
):
    name, explorers, notebook = opened
    other = explorers[1 - place]
    before = other.label()
    DRIVES[name](explorers[place], *pets)
    assert other.label() == before
    assert not notebook.errors()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_serious_violation_of_accessibility_is_found(opened, lab, theme):
    name, (first, _), _ = opened
    lab.theme(f"JupyterLab {theme.title()}")
    pictures = ROOT / "artifacts" / "widgets"
    pictures.mkdir(parents=True, exist_ok=True)
    first.root.screenshot(path=pictures / f"{name}-{theme}.png")
    found = Axe().run(lab.page, ".gptlib-explorer").response
    assert {"label", "color-contrast"} <= {rule["id"] for rule in found["passes"]}
    grave = [rule for rule in found["violations"] if rule["impact"] in ("serious", "critical")]
    said = [
        (rule["id"], node["html"], node["failureSummary"])
        for rule in grave
        for node in rule["nodes"]
    ]
    assert not said


def test_nothing_was_asked_of_another_machine(opened, lab):
    assert not lab.left


# ---- What each explorer must show when its controls are moved ----


def shows(read, expected):
    """What `read` gives becomes what is expected."""
    assert settled(read, expected) == expected


def probs_after(model, tokenizer, text):
    """The model's distribution of the next token, (V,)."""
    return gptlib.trace(model, tokenizer.encode(text)).probs[-1]


def chances(probs, tokenizer, words):
    """The probabilities of some words as they are printed."""
    return [svg.chance(probs[tokenizer.encode(f" {word}")[0]].item()) for word in words]


def first_numbers(explorer, words):
    """The first number of each word's row."""
    return [explorer.row(f"␣{word}", 1)[0] for word in words]


def block_explorer(explorer, model, tokenizer):
    off = set()

    def comes(text, layers=None):
        words = [*grammar.next_words(text)]
        broken = gptlib.ablate(model, *off, layers=layers)
        expected = chances(probs_after(broken, tokenizer, text), tokenizer, words)
        shows(lambda: first_numbers(explorer, words), expected)

    names = {"layernorm": "layer norm", "residual": "residual path"}
    for part in ("attention", "feedforward", "layernorm", "residual"):
        comes("The cat is")
        explorer.press("checkbox", names.get(part, part), "Space")
        off = {part}
        comes("The cat is")
        if part != "residual":
            explorer.press("checkbox", names.get(part, part), "Space")
            off = set()
    explorer.press("combobox", "out", "ArrowDown", 2)
    comes("The cat is", layers=[1])
    explorer.type("textbox", "prompt", "The dog was")
    comes("The dog was", layers=[1])


DRIVES = {
    "block_explorer": block_explorer,
}
