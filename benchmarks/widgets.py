"""From a key press to the new picture, in a real JupyterLab. `python -m benchmarks.widgets`

Measured inside the page, from the event of the key to the change of the document: what drives the
browser does not count, and the messages, the kernel and the drawing do. Each explorer takes turns
with `interactive` and a bar chart of matplotlib, in the same notebook.
"""

import os
import tempfile
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles

from tests.browser import NO_CHROMIUM, Explorer, Lab, chromium_page, find_chromium, jupyterlab

from .side_by_side import load_since, machine, replace_section

BEGIN, END = "<!-- widgets: begin -->", "<!-- widgets: end -->"
ROUNDS, BURST = 4, 40
TO_AND_FRO = ("ArrowLeft",) * 4 + ("ArrowRight",) * 4
SPACES = ("Space",) * 8
LONG = (
    "The cat is on the bed and the dog was on the sofa. The bird is happy. "
    "The cat was hungry. The dog is sleeping. The bird was"
)

SET_UP = f"""
import time
import gptlib
import ipywidgets
import matplotlib.pyplot as plt
import torch
from gptlib import widgets
from gptlib.corpora import pets as grammar
model, tokenizer = gptlib.load("pets")
models = {{step: gptlib.load("pets", step=step)[0] for step in gptlib.load_history("pets").steps}}
sentence = tokenizer.decode(tokenizer.encode({LONG!r})[:32])
assert len(tokenizer.encode(sentence)) == 32
"""

# What a notebook would do without gptlib.widgets: the bars, outlines, marks and numbers of the
# studio as a figure, of logits that are computed once.
PEER = """
logits = gptlib.trace(model, tokenizer.encode("The cat is")).logits[-1]
shown = logits.topk(10).indices.flip(0)
names = [tokenizer.token_str(int(id)) for id in shown]
true = grammar.next_words("The cat is")
truth = [true.get(name[1:], 0) for name in names]
def bars(temperature=1.0):
    figure, axes = plt.subplots(figsize=(8.8, 4))
    now = gptlib.next_token_probs(logits, temperature)[shown]
    model_says = gptlib.softmax(logits)[shown]
    drawn = axes.barh(names, now)
    axes.barh(names, model_says, fill=False, linestyle="dashed")
    axes.plot(truth, names, "D")
    rows = [f"{a:.2f}   {b:.2f}   {c:.2f}" for a, b, c in zip(now, model_says, truth)]
    axes.bar_label(drawn, rows)
    axes.set_xlim(0, 1)
    plt.show()
slider = ipywidgets.FloatSlider(1.0, min=0.0, max=3.0, step=0.05, description="temperature")
peer = ipywidgets.interactive(bars, temperature=slider)
peer.add_class("gptlib-peer")
peer
"""

# What is in the picture at the moment, and when it became so. Performance.now() and the time of an
# event have the same zero.
TIMER = """([root, what]) => {
  const seen = () => what === 'img'
    ? root.querySelector('.widget-output img')?.src
    : [...root.querySelectorAll('[role=img], [role=region]')].at(-1)?.outerHTML;
  const timer = {key: 0, change: 0, seen: seen()};
  document.addEventListener('keydown', event => { timer.key = event.timeStamp; }, true);
  new MutationObserver(() => {
    const now = seen();
    if (now && now !== timer.seen) { timer.seen = now; timer.change = performance.now(); }
  }).observe(root, {childList: true, subtree: true, attributes: true, characterData: true});
  window.gptlibTimer = timer;
}"""

OPEN = """place => new Promise(done => {
  const panel = window.jupyterapp.shell.currentWidget;
  for (const old of panel.node.querySelectorAll('.gptlib-explorer, .gptlib-peer'))
    old.remove();
  const found = () => panel.node.querySelector(
    '.gptlib-explorer [role=img], .gptlib-explorer [role=region], .gptlib-peer img');
  const began = performance.now();
  const watching = new MutationObserver(() => {
    if (found()) { watching.disconnect(); done(performance.now() - began); }
  });
  watching.observe(panel.node, {childList: true, subtree: true});
  panel.content.deselectAll();
  panel.content.activeCellIndex = place;
  window.jupyterapp.commands.execute('notebook:run-cell');
})"""


@dataclass
class Case:
    """An explorer, the control that is moved, and what was measured, in milliseconds."""

    name: str
    arguments: str
    control: tuple[str, str]  # role and name
    keys: tuple[str, ...] = TO_AND_FRO
    ours: list[float] = field(default_factory=list)
    peer: list[float] = field(default_factory=list)
    burst: list[float] = field(default_factory=list)
    opening: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        faster = median(self.peer) / median(self.ours)
        figures = [*_spread(self.ours), *_spread(self.peer), f"{faster:.1f}"]
        figures += [f"{max(self.burst):.0f}", f"{median(self.opening):.0f}"]
        return f"| {self.name} | {self.control[1]} | {' | '.join(figures)} |"


def _spread(values: list[float]) -> tuple[str, str]:
    return f"{median(values):.0f}", f"{quantiles(values, n=10)[-1]:.0f}"


def cases() -> list[Case]:
    truth, temperature = "truth=grammar.next_words", ("slider", "temperature")
    return [
        Case("sampling_studio", f"model, tokenizer, {truth}", temperature),
        Case("softmax_explorer", "", temperature),
        Case("attention_explorer", "model, tokenizer, sentence", ("slider", "query")),
        Case("logit_lens", "model, tokenizer, words=5", ("slider", "words")),
        Case("tokenizer_explorer", "tokenizer", ("slider", "merges")),
        Case("embedding_explorer", "models, tokenizer", ("slider", "step")),
        Case("block_explorer", f"model, tokenizer, {truth}", ("checkbox", "attention"), SPACES),
        Case("training_explorer", f"'pets', {truth}", ("slider", "step")),
    ]


def measure(case: Case, lab: Lab) -> None:
    """One notebook with the explorer and the peer, and rounds of both in turn."""
    code = f"widgets.{case.name}({case.arguments})"
    notebook = lab.new_notebook(f"{case.name}.ipynb", SET_UP, code, PEER)
    notebook.run_all()
    (explorer,) = notebook.explorers(1)
    for _ in range(3):
        case.opening.append(lab.page.evaluate(OPEN, 1))
    lab.page.evaluate(OPEN, 2)
    notebook.lab.command("notebook:run-all-cells")
    (explorer,) = notebook.explorers(1)
    peer = Explorer(lab.page, notebook.panel.locator(".gptlib-peer"))
    peer.root.locator("img").wait_for()
    for _ in range(ROUNDS):
        case.ours += presses(explorer, case.control, case.keys, "html")
        case.peer += presses(peer, None, TO_AND_FRO, "img")
        case.burst.append(burst(explorer, case.control, case.keys))


def presses(explorer: Explorer, control, keys: tuple[str, ...], what: str) -> list[float]:
    """Milliseconds from each key to its picture."""
    page = explorer.page
    _reach(explorer, control, what)
    found = []
    for key in keys:
        page.keyboard.press(key)
        page.wait_for_function("gptlibTimer.change > gptlibTimer.key")
        found.append(page.evaluate("gptlibTimer.change - gptlibTimer.key"))
        page.wait_for_timeout(60)  # as between two presses of a person
    return found


def burst(explorer: Explorer, control, keys: tuple[str, ...]) -> float:
    """Milliseconds from the last of BURST keys to the last picture."""
    page = explorer.page
    _reach(explorer, control, "html")
    for place in range(BURST):
        page.keyboard.press(keys[place % len(keys)])
    page.wait_for_function(
        "performance.now() - Math.max(gptlibTimer.change, gptlibTimer.key) > 700"
    )
    return page.evaluate("Math.max(0, gptlibTimer.change - gptlibTimer.key)")


def _reach(explorer: Explorer, control, what: str) -> None:
    if control is None:  # the peer's only one: nothing gives the handle a name
        explorer.root.locator(".noUi-handle").focus()
    else:
        explorer.reach(*control)
    explorer.page.evaluate(TIMER, [explorer.root.element_handle(), what])


def main() -> None:
    executable = find_chromium()
    if executable is None:
        print(f"The widgets were not measured: {NO_CHROMIUM}.")
        return
    with tempfile.TemporaryDirectory() as folder, jupyterlab(Path(folder)) as url:
        with chromium_page(executable) as (page, left):
            lab = Lab(page, url, Path(folder), left)
            browser = page.context.browser.version
            lines = [machine(), f"JupyterLab {version('jupyterlab')}, Chromium {browser}", ""]
            lines += HEAD
            before = os.getloadavg()[0]
            for case in cases():
                measure(case, lab)
                print(case, flush=True)
                lines.append(str(case))
            lines[1] += f"; {load_since(before)}"
    replace_section(BEGIN, END, "\n".join(lines))


HEAD = [
    "| widget | control | p50 | p90 | matplotlib p50 | p90 | times faster | burst | opening |",
    "|---|---|---|---|---|---|---|---|---|",
]

if __name__ == "__main__":
    main()
