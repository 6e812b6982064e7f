"""From a key press to the new picture, in a real JupyterLab. `python -m benchmarks.widgets`

Measured inside the page, from the event of the key to the first frame that shows what it changed.
Each explorer is moved three times: with nothing else to do, with a kernel that is busy all the
while, and with a delay between browser and server. A figure of matplotlib under `interactive`,
which a notebook would have without gptlib.widgets, is moved once beside them.
"""

import asyncio
import base64
import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple
from urllib.parse import urlsplit

from playwright.sync_api import Page

import gptlib
from gptlib.widgets.esm import bundle
from gptlib.widgets.shared import LARGEST, share_model, share_tokenizer
from tests.browser import (
    NO_CHROMIUM,
    Explorer,
    Lab,
    Notebook,
    chromium_page,
    find_chromium,
    jupyterlab,
)

from .side_by_side import load_since, machine, replace_section

BEGIN, END = "<!-- widgets: begin -->", "<!-- widgets: end -->"
ROUNDS = 4
DELAY = 0.2  # seconds, each way
BUSY = 120  # seconds that the kernel has other things to do, until it is interrupted
TO_AND_FRO = ("ArrowLeft",) * 4 + ("ArrowRight",) * 4
UP_AND_DOWN = ("ArrowUp",) * 4 + ("ArrowDown",) * 4
ROW = ("table", "row")  # of the weights; the arrow keys choose it
SPACES = ("Space",) * 8
LONG = (
    "The cat is on the bed and the dog was on the sofa. The bird is happy. "
    "The cat was hungry. The dog is sleeping. The bird was"
)

SET_UP = f"""
import time
import gptlib
from gptlib import widgets
from gptlib.corpora import pets as grammar
model, tokenizer = gptlib.load("pets")
models = {{step: gptlib.load("pets", step=step)[0] for step in gptlib.load_history("pets").steps}}
sentence = tokenizer.decode(tokenizer.encode({LONG!r})[:32])
assert len(tokenizer.encode(sentence)) == 32
"""
# A loop, and no sleep: what the kernel does takes the processor too.
OTHER_WORK = f"end = time.monotonic() + {BUSY}\nwhile time.monotonic() < end: sum(range(10000))"

# What a notebook would do without gptlib.widgets: the bars, outlines, marks and numbers of the
# studio as a figure, of logits that are computed once.
PEER = """
import ipywidgets
import matplotlib.pyplot as plt
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

# When the page has changed after each key, and when the frame with that change has been painted: a
# message that is sent during a frame arrives after its painting. What changes between two frames is
# painted in the next one. `what` is "img" for the peer. Performance.now() and the time of an event
# have the same zero.
TIMER = """([root, what]) => {
  const timer = window.gptlibTimer = {key: 0, changed: 0, painted: 0, inFrame: false};
  const seen = () => what === 'img' ? root.querySelector('.widget-output img')?.src : null;
  const afterPainting = action => {
    const channel = new MessageChannel();
    channel.port1.onmessage = action;
    channel.port2.postMessage(0);
  };
  if (!window.gptlibFrame) {
    window.gptlibFrame = window.requestAnimationFrame.bind(window);
    window.requestAnimationFrame = action => window.gptlibFrame(now => {
      window.gptlibTimer.inFrame = true;
      afterPainting(() => { window.gptlibTimer.inFrame = false; });
      action(now);
    });
  }
  const done = () => afterPainting(() => { timer.painted = performance.now(); });
  let before = seen();
  const began = event => { timer.key = event.timeStamp; };
  document.addEventListener('keydown', began, true);
  // A button is clicked, and a box ticked, as the space bar comes up again.
  document.addEventListener('keyup', event => event.code === 'Space' && began(event), true);
  const watched = what === 'img' ? root : root.lastElementChild;
  new MutationObserver(() => {
    if (timer.painted === Infinity && what !== 'img') timer.changed = performance.now();
    if (timer.painted > timer.key) return;
    if (what === 'img' && (!seen() || seen() === before)) return;
    before = seen();
    timer.changed = performance.now();
    timer.painted = Infinity;
    if (timer.inFrame) done(); else window.gptlibFrame(done);
  }).observe(watched, {childList: true, subtree: true, attributes: true, characterData: true});
}"""

# Begins the cell that keeps the kernel busy; `Lab.command` would wait until it has ended.
BUSY_CELL = """() => {
  window.jupyterapp.shell.currentWidget.content.activeCellIndex = 2;
  window.jupyterapp.commands.execute('notebook:run-cell');
}"""

# From running the cell to the last change in its new explorer, before a third of a second without
# any: the first picture may be empty, or wait for the kernel to say the truth.
OPEN = """place => new Promise(done => {
  const panel = window.jupyterapp.shell.currentWidget;
  for (const old of panel.node.querySelectorAll('.gptlib-live')) old.remove();
  const began = performance.now();
  let timer = null;
  let seen = null;
  const watching = new MutationObserver(changes => {
    const live = panel.node.querySelector('.gptlib-live');
    const within = ({target}) => live.contains(target);
    if (!live || (live === seen && !changes.some(within))) return;
    seen = live;
    const last = performance.now();
    clearTimeout(timer);
    timer = setTimeout(() => { watching.disconnect(); done(last - began); }, 333);
  });
  const everything = {childList: true, subtree: true, attributes: true, characterData: true};
  watching.observe(panel.node, everything);
  panel.content.deselectAll();
  panel.content.activeCellIndex = place;
  window.jupyterapp.commands.execute('notebook:run-cell');
})"""


# Milliseconds of a pass of gpt.js over so many tokens, from nothing, and over one more after them.
PASS = """async ({module, config, tensors, lengths, rounds}) => {
  const url = URL.createObjectURL(new Blob([module], {type: 'text/javascript'}));
  const {GPT, readTensors} = await import(url);
  const bytes = Uint8Array.from(atob(tensors), sign => sign.charCodeAt(0)).buffer;
  const weights = readTensors(bytes);
  const timed = (gpt, ids) => {
    const began = performance.now();
    gpt.trace(ids).logits();
    return performance.now() - began;
  };
  return lengths.map(length => Array.from({length: rounds}, (_, round) => {
    const gpt = new GPT(config, weights);
    const ids = Array.from({length}, (_, t) => (7 * t + round) % config.vocab_size);
    return [timed(gpt, ids.slice(0, -1)), timed(gpt, ids), timed(new GPT(config, weights), ids)];
  }));
}"""


WAITED = """() => {
  const {key, changed, painted} = window.gptlibTimer;
  return [changed - key, painted - key];
}"""


class Press(NamedTuple):
    """Milliseconds from a key to the change of the page, and to its painting."""

    changed: float
    painted: float


@dataclass
class Case:
    """An explorer, the control that is moved, and what was measured, in milliseconds."""

    name: str
    arguments: str
    control: tuple[str, str]  # role and name
    keys: tuple[str, ...] = TO_AND_FRO
    idle: list[Press] = field(default_factory=list)
    busy: list[Press] = field(default_factory=list)
    delayed: list[Press] = field(default_factory=list)
    opening: list[float] = field(default_factory=list)

    @property
    def code(self) -> str:
        return f"widgets.{self.name}({self.arguments})"

    def __str__(self) -> str:
        figures = [*_changed(self.idle), *_changed(self.busy), *_changed(self.delayed)]
        figures.append(f"{median(self.opening):.0f}")
        figures += _spread([press.painted for press in self.busy])
        return f"| {self.name} | {self.control[1]} | {' | '.join(figures)} |"


def _changed(found: list[Press]) -> tuple[str, str]:
    return _spread([press.changed for press in found])


def _spread(values: list[float]) -> tuple[str, str]:
    return f"{median(values):.0f}", f"{quantiles(values, n=10)[-1]:.0f}"


def cases() -> list[Case]:
    truth, temperature = "truth=grammar.next_words", ("slider", "temperature")
    return [
        Case("sampling_studio", f"model, tokenizer, {truth}", temperature),
        Case("softmax_explorer", "", temperature),
        Case("attention_explorer", "model, tokenizer, sentence", ROW, UP_AND_DOWN),
        Case("logit_lens", "model, tokenizer, words=5", ("slider", "words")),
        Case("tokenizer_explorer", "tokenizer", ("slider", "merges")),
        Case("embedding_explorer", "models, tokenizer", ("slider", "step")),
        Case("block_explorer", f"model, tokenizer, {truth}", ("checkbox", "attention"), SPACES),
        Case("training_explorer", f"'pets', {truth}", ("slider", "step")),
        # A story that is long enough for all steps.
        Case("machine", "model, tokenizer, 'Mia has a'", ("button", "Step"), SPACES),
        Case("attention_by_hand", "", ("slider", "q 1")),
        Case("size_explorer", "'pets'", ("slider", "cached")),
    ]


def measure(case: Case, lab: Lab) -> None:
    """Openings, then presses with a kernel that is idle and with one that is busy."""
    notebook, explorer = _open(case, lab)
    case.opening += [lab.page.evaluate(OPEN, 1) for _ in range(5)]
    _run(lab, 1)
    _opened(lab, notebook)
    lab.page.wait_for_timeout(500)
    case.idle += presses(explorer, case.control, case.keys, "html", ROUNDS)
    lab.page.evaluate(BUSY_CELL)
    lab.page.wait_for_timeout(500)
    case.busy += presses(explorer, case.control, case.keys, "html", ROUNDS)
    assert "[*]" in notebook.panel.locator(".jp-InputPrompt").nth(2).inner_text(), "no longer busy"
    lab.command("notebook:interrupt-kernel")


def _open(case: Case, lab: Lab) -> tuple:
    notebook = lab.new_notebook(f"{case.name}.ipynb", SET_UP, case.code, OTHER_WORK)
    for place in (0, 1):
        _run(lab, place)
    return notebook, _opened(lab, notebook)


def _opened(lab: Lab, notebook: Notebook) -> Explorer:
    explorer = Explorer(lab.page, notebook.panel.locator(".gptlib-explorer").first)
    explorer.root.locator(":is([role=img], [role=region], [role=group])").first.wait_for()
    return explorer


def _run(lab: Lab, place: int) -> None:
    """One cell, to its end: the last one would keep the kernel busy."""
    lab.page.evaluate(f"window.jupyterapp.shell.currentWidget.content.activeCellIndex = {place}")
    lab.command("notebook:run-cell")


def presses(explorer: Explorer, control, keys, what: str, rounds: int) -> list[Press]:
    page = explorer.page
    if control is None:  # the peer's only one: nothing gives the handle a name
        explorer.root.locator(".noUi-handle").focus()
    elif control == ROW:
        explorer.root.locator(".gptlib-weight-table").focus()
    else:
        explorer.reach(*control)
    page.evaluate(TIMER, [explorer.root.element_handle(), what])
    found = []
    for key in keys * rounds:
        page.keyboard.press(key)
        page.wait_for_function(
            "gptlibTimer.painted > gptlibTimer.key && gptlibTimer.painted < Infinity"
        )
        found.append(Press(*page.evaluate(WAITED)))
        page.wait_for_timeout(60)  # as between two presses of a person
    return found


def of_matplotlib(lab: Lab) -> list[Press]:
    """The same of the peer, with nothing else to do."""
    notebook = lab.new_notebook("peer.ipynb", SET_UP, PEER)
    notebook.run_all()
    peer = Explorer(lab.page, notebook.panel.locator(".gptlib-peer"))
    peer.root.locator("img").wait_for()
    return presses(peer, None, TO_AND_FRO, "img", ROUNDS)


# ---- The largest model that a page computes ----

# 8 layers of width 128: 1.9 million numbers. A page computes models of up to shared.LARGEST.
LARGE = gptlib.GPTConfig(vocab_size=2000, block_size=64, n_layer=8, n_head=4, n_embd=128)
LENGTHS = (3, 64)  # tokens


def of_the_largest(page: Page) -> str:
    """How long gpt.js takes for a model that is about as large as a page computes."""
    model = gptlib.GPT(LARGE)
    shared = share_model(model)
    given = {"module": bundle("gpt"), "config": shared.config, "lengths": LENGTHS, "rounds": 15}
    given["tensors"] = base64.b64encode(shared.tensors).decode()
    found = page.evaluate(PASS, given)
    whole = [
        f"{median(took[2] for took in each):.0f} ms for {n}" for n, each in zip(LENGTHS, found)
    ]
    one_more = median(took[1] for took in found[-1])
    return (
        f"A pass of a model of {model.n_params():,} numbers (a page computes up to {LARGEST:,}): "
        f"{' and '.join(whole)} tokens, {one_more:.0f} ms for the last of {LENGTHS[-1]} alone. "
        "It is made for another text, a part that is taken out, or an output that is exchanged; "
        "no other control waits for it."
    )


# ---- A delay between browser and server ----


@contextmanager
def delayed(url: str, seconds: float) -> Iterator[str]:
    """An address behind which is the server of another, each byte so much later, both ways."""
    loop = asyncio.new_event_loop()
    target = urlsplit(url).port

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def later(data: bytes, when: float) -> None:
            await asyncio.sleep(when - loop.time())
            writer.write(data)

        last = asyncio.create_task(asyncio.sleep(0))
        while data := await reader.read(65536):
            before, when = last, loop.time() + seconds
            last = asyncio.create_task(_after(before, lambda d=data, w=when: later(d, w)))
        await last
        writer.close()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, out = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(carry(reader, out), carry(back, writer), return_exceptions=True)

    server = loop.run_until_complete(asyncio.start_server(meet, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    loop.set_exception_handler(lambda *_: None)  # of bytes that are still on their way
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


async def _after(before: asyncio.Task, action: Callable) -> None:
    """In the order in which it came."""
    await before
    await action()


# ---- What a page loads ----


def page_weight() -> float:
    """MB of modules and of shared data for a page with the first eight explorers."""
    model, tokenizer = gptlib.load("pets")
    modules = sum(len(bundle(case.name).encode()) for case in cases()[:8])
    shared = len(share_model(model).tensors) + len(share_tokenizer(tokenizer).merges)
    shared += len(json.dumps(share_tokenizer(tokenizer).special))
    return (modules + shared) / 1e6


def main() -> None:
    executable = find_chromium()
    if executable is None:
        print(f"The widgets were not measured: {NO_CHROMIUM}.")
        return
    before, measured = os.getloadavg()[0], cases()
    with tempfile.TemporaryDirectory() as folder, jupyterlab(Path(folder)) as url:
        with chromium_page(executable) as (page, left):
            lab = Lab(page, url, Path(folder), left)
            browser = page.context.browser.version
            for case in measured:
                measure(case, lab)
            peer, largest = of_matplotlib(lab), of_the_largest(page)
        with delayed(url, DELAY) as far, chromium_page(executable) as (page, left):
            lab = Lab(page, far, Path(folder), left)
            for case in measured:
                _, explorer = _open(case, lab)
                case.delayed += presses(explorer, case.control, case.keys, "html", ROUNDS)
                print(case, flush=True)
    lines = [machine(), f"JupyterLab {version('jupyterlab')}, Chromium {browser}", "", *HEAD]
    lines += map(str, measured)
    p50, p90 = _changed(peer)
    lines += [
        "",
        f"A figure of matplotlib under `interactive`, idle: p50 {p50}, p90 {p90}.",
        largest,
    ]
    lines += [f"A page with the first eight: {page_weight():.2f} MB of modules and shared data."]
    lines[1] += f"; {load_since(before)}"
    replace_section(BEGIN, END, "\n".join(lines))


HEAD = [
    "| explorer | control | idle p50 | p90 | kernel busy p50 | p90 | "
    f"{1000 * DELAY:.0f} ms delay p50 | p90 | opening | "
    "busy, painted p50 | p90 |",
    "|---|---|---|---|---|---|---|---|---|---|---|",
]

if __name__ == "__main__":
    main()
