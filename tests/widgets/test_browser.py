"""Every explorer in a real JupyterLab, in a real browser, moved by keyboard alone.

What the page shows is compared with what gptlib computes here. Needs a Chromium: without one these
tests skip, or fail where GPTLIB_REQUIRE_BROWSER is 1, as it is in continuous integration. Keeps
pictures of all explorers, light and dark, in artifacts/.
"""

import os
from pathlib import Path

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from browser import NO_CHROMIUM, Lab, chromium_page, find_chromium, jupyterlab, settled

import gptlib
from gptlib.attention import attention_scores, mask_scores
from gptlib.corpora import pets as grammar
from gptlib.widgets import svg
from gptlib.widgets.by_hand import KEYS, QUERIES, TOKENS
from gptlib.widgets.logits import CAT

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
    "softmax_explorer": "widgets.softmax_explorer()",
    "logit_lens": "widgets.logit_lens(model, tokenizer)",
    "attention_explorer": "widgets.attention_explorer(model, tokenizer)",
    "attention_by_hand": "widgets.attention_by_hand()",
    "block_explorer": "widgets.block_explorer(model, tokenizer, truth=grammar.next_words)",
}


def numbers(*names):
    """The slider and the box of each."""
    return {(role, name) for name in names for role in ("slider", "spinbutton")}


def buttons(*names):
    return {("button", name) for name in names}


CONTROLS = {
    "softmax_explorer": numbers(*CAT, "+ c", "temperature") | buttons("Add 1 to all", "Reset"),
    "logit_lens": {("textbox", "text")} | numbers("words"),
    "attention_explorer": {("textbox", "sentence"), ("slider", "query"), ("combobox", "query")}
    | {("combobox", "layer"), ("combobox", "head")}
    | {("checkbox", "mask"), ("checkbox", "scale by 1/√d")},
    "attention_by_hand": {("slider", "token"), ("combobox", "token")}
    | numbers("q 1", "q 2", "k 1", "k 2")
    | {("checkbox", "mask"), ("checkbox", "scale by 1/√d")}
    | buttons("Reset"),
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


def softmax_explorer(explorer, *_):
    logits, c, temperature = dict(CAT), 0.0, 1.0

    def columns():
        z = (torch.tensor([*logits.values()], dtype=torch.float64) + c) / temperature
        rows = zip(z.tolist(), z.exp().tolist(), gptlib.softmax(z).tolist(), strict=True)
        expected = [[svg.two(z), f"{power:.3g}", svg.chance(p)] for z, power, p in rows]
        shows(lambda: [explorer.row(name, 3) for name in logits], expected)

    columns()
    for name in logits:
        explorer.press("slider", name, "ArrowRight", 3)
        logits[name] += 0.3
        columns()
        explorer.type("spinbutton", name, "1.5")
        logits[name] = 1.5
        columns()
    explorer.press("slider", "+ c", "ArrowLeft", 2)
    c = -1.0
    columns()
    explorer.press("button", "Add 1 to all", "Enter", 2)
    c = 1.0
    columns()
    explorer.type("spinbutton", "+ c", "2")
    c = 2.0
    columns()
    explorer.press("slider", "temperature", "ArrowRight", 5)
    temperature = 1.5
    columns()
    explorer.type("spinbutton", "temperature", "0.7")
    temperature = 0.7
    columns()
    explorer.press("button", "Reset", "Enter")
    logits, c, temperature = dict(CAT), 0.0, 1.0
    columns()


def logit_lens(lens, model, tokenizer):
    def best(text, count):
        ids = tokenizer.encode(text)
        probs = torch.softmax(gptlib.trace(model, ids).logits_by_layer, -1)  # (L + 1, T, V)
        expected = []
        for place, follows in enumerate([*ids[1:], None]):
            expected.append(tokenizer.token_str(ids[place]))
            for depth in probs[:, place]:
                for p, id in zip(*depth.topk(count), strict=True):
                    mark = " ✓" if id == follows else ""
                    expected += [tokenizer.token_str(int(id)) + mark, svg.chance(p.item())]
        heads = ["token", "embeddings", *(f"after block {k}" for k in range(1, len(probs)))]
        shows(lambda: lens.words()[1:], heads + expected)

    best("The cat is", 3)
    lens.press("slider", "words", "ArrowRight", 1)
    best("The cat is", 4)
    lens.type("spinbutton", "words", "2")
    best("The cat is", 2)
    lens.type("textbox", "text", "The dog was on the mat")
    best("The dog was on the mat", 2)


def attention_explorer(explorer, model, tokenizer):
    def looks(text, query, layer, head, masked=True, scaled=True):
        ids = tokenizer.encode(text)
        seen = gptlib.trace(model, ids).layers[layer]
        scores = attention_scores(seen.q[head], seen.k[head], None if scaled else 1.0)
        weights = torch.softmax(mask_scores(scores) if masked else scores, -1)[query]
        expected = []
        for place, (id, weight) in enumerate(zip(ids, weights.tolist(), strict=True)):
            hidden = masked and place > query
            expected += [tokenizer.token_str(id), "hidden" if hidden else svg.two(weight)]
        shows(lambda: explorer.words()[1 : 1 + len(expected)], expected)

    looks("The cat is", 2, 0, 0)
    explorer.press("slider", "query", "ArrowLeft")
    looks("The cat is", 1, 0, 0)
    explorer.press("combobox", "query", "ArrowUp")
    looks("The cat is", 0, 0, 0)
    explorer.press("slider", "query", "End")
    explorer.press("combobox", "layer", "ArrowDown")
    looks("The cat is", 2, 1, 0)
    explorer.press("combobox", "head", "ArrowDown", 2)
    looks("The cat is", 2, 1, 2)
    explorer.press("slider", "query", "ArrowLeft")
    explorer.press("checkbox", "mask", "Space")
    looks("The cat is", 1, 1, 2, masked=False)
    explorer.press("checkbox", "scale by 1/√d", "Space")
    looks("The cat is", 1, 1, 2, masked=False, scaled=False)
    explorer.press("checkbox", "mask", "Space")
    explorer.press("checkbox", "scale by 1/√d", "Space")
    text = "The cat is on the mat. The dog was hungry."
    explorer.type("textbox", "sentence", text)
    looks(text, len(tokenizer.encode(text)) - 1, 1, 2)


def attention_by_hand(explorer, *_):
    q, k = torch.tensor(QUERIES), torch.tensor(KEYS)

    def looks(query, masked=True, scaled=True):
        scores = attention_scores(q, k, None if scaled else 1.0)
        weights = torch.softmax(mask_scores(scores) if masked else scores, -1)[query]
        shown = [svg.two(weight) for weight in weights.tolist()]
        if masked:
            shown[query + 1 :] = ["hidden"] * (2 - query)
        shows(sums, [f"{token} {weight}" for token, weight in zip(TOKENS, shown, strict=True)])

    def sums():
        """The token and the weight of each line: token, terms, product, score, weight."""
        words = explorer.words()
        lines = words[words.index("weight") + 1 :]
        return [f"{lines[5 * k]} {lines[5 * k + 4]}" for k in range(len(TOKENS))]

    looks(2)
    explorer.press("slider", "q 1", "ArrowRight", 2)
    q[2, 0] = 2.0
    looks(2)
    explorer.type("spinbutton", "q 2", "-1")
    q[2, 1] = -1.0
    looks(2)
    explorer.press("slider", "k 1", "ArrowLeft", 2)
    k[2, 0] = 0.0
    looks(2)
    explorer.type("spinbutton", "k 2", "-2.5")
    k[2, 1] = -2.5
    looks(2)
    explorer.press("checkbox", "scale by 1/√d", "Space")
    looks(2, scaled=False)
    explorer.press("slider", "token", "ArrowLeft")
    looks(1, scaled=False)
    explorer.press("checkbox", "mask", "Space")
    looks(1, masked=False, scaled=False)
    explorer.press("combobox", "token", "ArrowUp")
    looks(0, masked=False, scaled=False)
    explorer.press("button", "Reset", "Enter")
    q, k = torch.tensor(QUERIES), torch.tensor(KEYS)
    looks(0)


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
    "softmax_explorer": softmax_explorer,
    "logit_lens": logit_lens,
    "attention_explorer": attention_explorer,
    "attention_by_hand": attention_by_hand,
    "block_explorer": block_explorer,
}
