"""What a lesson shows has room in every window, and its letters can be read from the last row.

On a projector of 1080 lines at 150 % letters of 24 pixels have 16 CSS pixels.
"""

import re
from contextlib import contextmanager, nullcontext

import calls
import pytest
from browser import WINDOWS
from live import open_live

from gptlib import widgets
from gptlib.plots.machine import POINTS, WIDTH
from gptlib.plots.style import CSS_DPI, SMALL
from gptlib.widgets import svg

LETTERS = 16
# Of a picture that is put into a place too narrow for it; what is narrower still scrolls.
SHRUNK = 10
PROJECTED = ("projector", "presentation")
HIGHEST = 620  # CSS pixels of a laptop's page that are free for an explorer; so of a projector's

NOT_HERE = {"00 watch"}  # it trains for a minute, and that of lesson 06 shows the same
OUR_OWN = {
    "sampling_studio, sampler": "widgets.sampling_studio(model, tokenizer, 'The', sampler=own)",
    "tokenizer_explorer, two": "widgets.tokenizer_explorer(tokenizer, beside=gpt2)",
    "size_explorer, pets": "widgets.size_explorer('pets')",
    "attention_explorer, 64 tokens": "widgets.attention_explorer(model, tokenizer, ' cat' * 64)",
}
EXPLORERS = {name: cell for name, cell in calls.explorers().items() if name not in NOT_HERE}
EXPLORERS["06 watch"] = re.sub(r"steps=\d+", "steps=40", EXPLORERS["06 watch"])  # as wide, and soon
EXPLORERS |= OUR_OWN | calls.longest_questions()

# What is pressed, one after the other, by how its name begins; the last sets back what can be.
PRESSED = {
    "00 machine": ["Next token", "tokenizer", "embeddings", "attention", "logits", "Reset"],
    "03 machine": ["layer 0", "tokenizer", "feedforward", "sampling", "attention"],
    "00 sampling_studio": ["Step", "Step", "Reset"],
    "sampling_studio": ["Step", "Step", "Draw 1,000", "Reset"],
    "attention_explorer": ["score", "softmax", "values", "exchange", "layer 1, head 1", "q · k"],
    "attention_by_hand": ["␣cat", "Reset"],
    "tokenizer_explorer": ["The, id", "Fuse back", "Fuse back", "Fuse on", "Fuse on"],
    "embedding_explorer": ["␣barks"],
    "softmax_explorer": ["Show the steps", "Add 1 to all", "Reset"],
    "logit_lens": ["The, after block 1"],
    "training_explorer": ["Play", "Pause"],
    "size_explorer": ["gpt2-xl", "pets"],
    "ask": ["", "Check"],
    "predict": ["", "Commit"],
    "compare": ["Compare"],
}

# Output cells that no kernel changes.
STILL = {
    "map": "teaching.Lesson('machine')",
    "an explorer's picture": "HTML(widgets.softmax_explorer().fallback()['text/html'])",
    "a question's text": "HTML(teaching.Lesson('training').ask('exit').fallback()['text/html'])",
    "hints": "teaching.Lesson('logits').hint('softmax')",
    "a check that fails": "checks.logits.softmax(torch.exp)",
    "a check that passes": "checks.logits.softmax(gptlib.softmax)",
}
# Those of them that are pictures: CSS pixels of the smallest letters as they are drawn, and of the
# width at which they are; None: the image's own.
PICTURES = {
    "map": (SMALL / POINTS * CSS_DPI, round(WIDTH / POINTS * CSS_DPI)),
    "an explorer's picture": (svg.SIZE, None),
}
BEGIN = """
from IPython.display import HTML
from gptlib import checks, teaching
from gptlib.corpora import pets
first_words, own, gpt2 = pets.FIRST, gptlib.next_token_probs, gptlib.Tokenizer.gpt2()
"""
END = "pets.FIRST = first_words"  # lesson 06 sets it, and the kernel serves other tests

# [letters that are smaller, how far it is wider than its place, controls out of reach, its height];
# first of the explorer as it is, then after each press. Controls of a table that scrolls are
# within reach.
LOOK = """async (root, [letters, pressed]) => {
  const scrolls = (node) => node !== root
    && (/auto|scroll/.test(getComputedStyle(node).overflowX) || scrolls(node.parentElement));
  const look = () => {
    const small = [], walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const box = walk.currentNode.parentElement, words = walk.currentNode.textContent.trim();
      if (!words || !box.getClientRects().length || box.closest(".gptlib-unseen, title, option"))
        continue;
      const svg = box.closest("svg"), drawn = svg?.viewBox?.baseVal.width;
      const shrunk = drawn ? svg.getBoundingClientRect().width / drawn : 1;
      const size = parseFloat(getComputedStyle(box).fontSize) * shrunk;
      if (size < letters - 0.05) small.push(`${words}: ${size.toFixed(1)}`);
    }
    const place = root.parentElement.getBoundingClientRect();
    const outside = [...root.querySelectorAll("button, input, select")].filter(control => {
      const box = control.getBoundingClientRect();
      const inside = box.left >= place.left - 1 && box.right <= place.right + 1;
      return box.width && !inside && !scrolls(control);
    });
    return [small, root.scrollWidth - root.clientWidth, outside.map(node => node.outerHTML),
      root.getBoundingClientRect().height];
  };
  const named = (node) => (node.getAttribute("aria-label") || node.textContent).trim();
  const found = [["", ...look()]];
  for (const name of pressed) {
    const controls = [...root.querySelectorAll("button, input[type=radio]")];
    const one = controls.find(node => !node.disabled && named(node).startsWith(name));
    if (!one) continue;
    one.click();
    await new Promise(done => setTimeout(done, 120));
    found.push([name, ...look()]);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def shown(lab):
    """{name: the element of an explorer, or the output of what is still}."""
    cells = [BEGIN, *EXPLORERS.values(), END, *STILL.values()]
    notebook, _ = open_live(lab, "room", *cells)
    live, every = notebook.panel.locator(".gptlib-live"), notebook.panel.locator(".jp-CodeCell")
    live.nth(len(EXPLORERS) - 1).wait_for(state="attached")
    places = {name: live.nth(k) for k, name in enumerate(EXPLORERS)}
    for cell, name in enumerate(STILL, 1 + len(cells) - len(STILL)):  # the first is open_live's
        places[name] = every.nth(cell).locator(".jp-OutputArea-output").first
        places[name].wait_for(state="attached")
    return places


@contextmanager
def presented(lab):
    """On a projector, with letters as large as JupyterLab's Presentation Mode makes them."""
    with lab.window("projector"):
        lab.command("application:toggle-presentation-mode")
        yield
        lab.command("application:toggle-presentation-mode")


@pytest.fixture(scope="module", params=[*WINDOWS, "presentation"])
def window(request, lab):
    """The name of a window, which the page has."""
    name = request.param
    with presented(lab) if name == "presentation" else lab.window(name):
        yield name


def test_every_explorer_is_here():
    opened = " ".join(EXPLORERS.values())
    assert all(f"widgets.{name}(" in opened for name in widgets.__all__)


@pytest.mark.parametrize("name", EXPLORERS)
def test_it_fits_its_letters_can_be_read_and_no_control_is_out_of_reach(window, shown, name):
    root = shown[name]
    root.scroll_into_view_if_needed()
    root.locator("[role=img], [role=group], [role=region], button").first.wait_for()
    pressed = next((PRESSED[part] for part in PRESSED if part in name), [])
    looks = root.evaluate(LOOK, [LETTERS, pressed])
    assert window != "laptop" or [when for when, *_ in looks] == ["", *pressed]  # it comes first
    for when, small, wider, outside, height in looks:
        assert not small and wider <= 1 and not outside, when
        assert window not in ("laptop", "projector") or height <= HIGHEST, when


TEXTS = [name for name in STILL if name not in PICTURES]


@pytest.mark.parametrize("name", TEXTS)
def test_hints_verdicts_and_questions_are_as_large_as_explorers(window, shown, name):
    root = shown[name]
    root.scroll_into_view_if_needed()
    root.evaluate("root => root.querySelectorAll('details').forEach(one => (one.open = true))")
    ((_, small, wider, outside, _),) = root.evaluate(LOOK, [LETTERS, []])
    assert root.inner_text().strip() and not small and wider <= 1 and not outside


# [how large the smallest letters are, whether all of it can be seen, if need be by scrolling]
LOOK_AT_PICTURE = """(root, [drawn, width]) => {
  const image = root.querySelector("img"), box = image.getBoundingClientRect();
  const scrolls = /auto|scroll/.test(getComputedStyle(root).overflowX);
  const wider = root.scrollWidth - root.clientWidth;
  return [drawn * box.width / (width ?? image.naturalWidth), wider <= 1 || scrolls, wider];
}"""


@pytest.mark.parametrize("name", PICTURES)
def test_a_pictures_letters_can_be_read_and_where_it_has_no_room_it_scrolls(
    window, shown, lab, name
):
    root, (drawn, width) = shown[name], PICTURES[name]
    root.scroll_into_view_if_needed()
    with lab.put_away() if window in PROJECTED else nullcontext():  # as a teacher would
        letters, seen, wider = root.evaluate(LOOK_AT_PICTURE, [drawn, width])
    assert seen and letters >= (LETTERS if window in PROJECTED else SHRUNK) - 0.05
    assert wider <= 1 or window in ("phone", "zoomed")
