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
from gptlib.widgets import svg
from gptlib.widgets.by_hand import KEYS, QUERIES, TOKENS

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = "grammar.sample(100, seed=1)"
CONFIG = 'gptlib.TrainConfig(steps=5000, batch_size=2, warmup_steps=0, device="cpu")'
STEPS = (0, 100, 5000)
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
    "tokenizer_explorer": "widgets.tokenizer_explorer(tokenizer)",
    "attention_explorer": "widgets.attention_explorer(model, tokenizer)",
    "attention_by_hand": "widgets.attention_by_hand()",
    "embedding_explorer": "widgets.embedding_explorer("
    f"{{step: gptlib.load('pets', step=step)[0] for step in {STEPS}}}, tokenizer)",
}


def numbers(*names):
    """The slider and the box of each."""
    return {(role, name) for name in names for role in ("slider", "spinbutton")}


def buttons(*names):
    return {("button", name) for name in names}


CONTROLS = {
    "tokenizer_explorer": {("textbox", "text"), ("checkbox", "special tokens")}
    | numbers("merges")
    | buttons("Fuse back", "Fuse on"),
    "attention_explorer": {("textbox", "sentence"), ("slider", "query"), ("combobox", "query")}
    | {("combobox", "layer"), ("combobox", "head")}
    | {("checkbox", "mask"), ("checkbox", "scale by 1/√d")},
    "attention_by_hand": {("slider", "token"), ("combobox", "token")}
    | numbers("q 1", "q 2", "k 1", "k 2")
    | {("checkbox", "mask"), ("checkbox", "scale by 1/√d")}
    | buttons("Reset"),
    "embedding_explorer": {("combobox", "word"), ("slider", "step"), ("combobox", "step")},
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


def tokenizer_explorer(explorer, model, tokenizer):
    def pieces(text, merges, special=()):
        few = gptlib.Tokenizer(tokenizer.merges[:merges])
        ends = few.special_tokens
        expected = []
        for id in few.encode(text, allowed_special=special):
            kept = tokenizer.special_tokens["<|endoftext|>"] if id in ends.values() else id
            hexes = [] if kept != id else [f"{byte:02X}" for byte in few.token_bytes(id)]
            expected += [few.token_str(id), str(kept), *hexes]
        shows(lambda: explorer.words()[2:], expected)
        shows(
            lambda: explorer.value("spinbutton", "merges"), str(merges)
        )  # the picture may be there

    text, most = "The cat is sleeping.", len(tokenizer.merges)
    states = [gptlib.Tokenizer(tokenizer.merges[:n]).encode(text) for n in range(most + 1)]
    pieces(text, most)
    explorer.press("slider", "merges", "Home")
    pieces(text, 0)
    explorer.press("slider", "merges", "ArrowRight", 5)
    pieces(text, 5)
    explorer.type("spinbutton", "merges", "60")
    pieces(text, 60)
    explorer.press("button", "Fuse on", "Enter")
    after = next(n for n in range(61, most) if states[n] != states[60])
    pieces(text, after)
    explorer.press("button", "Fuse back", "Space")
    pieces(text, after - 1)
    explorer.type("textbox", "text", "é<|endoftext|>")
    pieces("é<|endoftext|>", after - 1)
    explorer.press("checkbox", "special tokens", "Space")
    pieces("é<|endoftext|>", after - 1, special="all")


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


def embedding_explorer(explorer, model, tokenizer):
    ids = [id for id in range(model.config.vocab_size) if len(tokenizer.token_bytes(id)) > 1]

    def near(word, step):
        table = gptlib.load("pets", step=step)[0].wte.weight.detach()[ids]
        (own,) = tokenizer.encode(f" {word}")
        cosines = torch.cosine_similarity(table, table[ids.index(own)], dim=-1)
        expected = []
        for cosine, place in zip(*cosines.topk(9), strict=True):
            if ids[place] != own:
                expected += [tokenizer.token_str(ids[place]), svg.two(cosine.item())]
        shows(lambda: explorer.row("cosine", 16), expected)

    near("cat", STEPS[2])
    explorer.press("slider", "step", "ArrowLeft")
    near("cat", STEPS[1])
    explorer.press("combobox", "step", "ArrowUp")
    near("cat", STEPS[0])
    explorer.press("slider", "step", "End")
    explorer.type("combobox", "word", "dog")
    near("dog", STEPS[2])


DRIVES = {
    "tokenizer_explorer": tokenizer_explorer,
    "attention_explorer": attention_explorer,
    "attention_by_hand": attention_by_hand,
    "embedding_explorer": embedding_explorer,
}
