"""In JupyterLab, every explorer that asks the kernel says that it has gone, and keeps saying so."""

import re

import pytest
from live import grave, open_live, restart, shows, shut_down

from gptlib.widgets import esm

LARGE = """
from gptlib.widgets import embeddings, shared
shared.LARGEST, embeddings.ALL = 0, 10
"""
# By its file: the cell, what is off without a kernel, and an action that is fine without one.
ASKING = {
    "attention_explorer": (
        "widgets.attention_explorer(model, tokenizer)",
        [("textbox", "sentence")],
        ("button", "values"),
    ),
    "sampling_studio": (
        "widgets.sampling_studio(model, tokenizer)",
        [("button", "Step"), ("slider", "temperature"), ("textbox", "prompt")],
        None,
    ),
    "block_explorer": (
        "widgets.block_explorer(model, tokenizer)",
        [("textbox", "prompt"), ("checkbox", "attention"), ("combobox", "out")],
        None,
    ),
    "embedding_explorer": (
        "widgets.embedding_explorer({0: model, 5: model}, tokenizer)",
        [("textbox", "word")],
        ("button", "Play"),
    ),
    "logit_lens": (
        "widgets.logit_lens(model, tokenizer)",
        [("textbox", "text")],
        ("button", "Play"),
    ),
    "training_explorer": (
        "widgets.training_explorer('pets')",
        [("textbox", "prompt")],
        ("button", "Play"),
    ),
    "tokenizer_explorer": (
        "widgets.tokenizer_explorer(tokenizer)",
        [("checkbox", "compare with GPT-2")],
        ("button", "Fuse back"),
    ),
    "set_up_check": ("widgets.set_up_check()", [], None),
}


def asking():
    """The files of the explorers that ask the kernel for what they show."""
    texts = {path.stem: path.read_text("utf-8") for path in esm.FOLDER.glob("*.js")}
    return {name for name, text in texts.items() if re.search(r"\.ask\(|needsKernel\(", text)}


def test_no_explorer_that_asks_the_kernel_is_left_out_here():
    # base.js and kernel.js are where it is made; a question only has its answer kept there, and
    # tests/teaching/test_questions.py has it.
    assert asking() - {"base", "kernel", "question"} == set(ASKING)


@pytest.mark.parametrize("end", [restart, shut_down])
def test_every_explorer_that_asks_goes_on_saying_that_its_kernel_has_gone(lab, end):
    cells = [cell for cell, *_ in ASKING.values()]
    _, found = open_live(lab, f"asking_{end.__name__}", LARGE, *cells, count=len(cells))
    found = dict(zip(ASKING, found, strict=True))
    for name, (_, off, _) in ASKING.items():
        for role, control in off:
            found[name].control(role, control).wait_for()
    shows(lambda: "The kernel answers." in found["set_up_check"].words(), True)
    end(lab)
    for name, (_, off, action) in ASKING.items():
        live = found[name]
        shows(lambda live=live: "run this cell again" in live.message(), True)
        assert all(live.control(*which).is_disabled() for which in off), name
        if action:
            live.control(*action).click()
        if name == "set_up_check":
            live.press("slider", "move me", "ArrowRight", 3)
            shows(live.label, "3 of 100. The widgets answer.")
            assert "The kernel answers." not in live.words()
    lab.page.wait_for_timeout(1000)  # whatever was begun by a click has ended
    for name, live in found.items():
        assert "run this cell again" in live.message(), name
        assert live.root.locator(".gptlib-stale").count() == 0, name
    assert not grave(lab.page)
