"""From a key press to the new picture, in a real JupyterLab. `python -m benchmarks.widgets`

All of it is measured inside the page: from the key's event to the first frame in which the picture
differs. So neither the driver of the browser nor its screen counts, and the kernel, its messages,
the redrawing and the browser's layout do. Every explorer takes its turn beside `interactive` with a
bar chart of matplotlib, in the same page and of the same kernel.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

from tests.browser import NO_CHROMIUM, Explorer, Lab, chromium_page, find_chromium, jupyterlab

from .__main__ import replace_section
from .side_by_side import machine

BEGIN, END = "<!-- widgets: begin -->", "<!-- widgets: end -->"
ROUNDS, PRESSES, BURST = 4, 10, 40
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

# The peer does what a notebook would do without gptlib.widgets: the same bars, as a figure.
PEER = """
logits = gptlib.trace(model, tokenizer.encode("The cat is")).logits[-1]
shown = logits.topk(10).indices
def bars(temperature=1.0):
    probs = torch.softmax(logits / temperature, -1)[shown]
    plt.figure(figsize=(8, 3))
    plt.barh([tokenizer.token_str(int(i)) for i in shown], probs)
    plt.xlim(0, 1)
    plt.show()
slider = ipywidgets.FloatSlider(1.0, min=0.1, max=9.0, step=0.05, description="temperature")
peer = ipywidgets.interactive(bars, temperature=slider)
peer.add_class("gptlib-peer")
peer
"""


@dataclass
class Case:
    """An explorer, and the control that is moved to and fro."""

    name: str
    code: str
    role: str
    control: str
    keys: tuple[str, str] = ("ArrowLeft", "ArrowRight")
    ours: list[float] = field(default_factory=list)  # milliseconds
    peers: list[float] = field(default_factory=list)
    burst: list[float] = field(default_factory=list)
    opening: list[float] = field(default_factory=list)


CASES = (
    ("sampling_studio", "(model, tokenizer, truth=grammar.next_words)", "slider", "temperature"),
    ("softmax_explorer", "()", "slider", "temperature"),
    ("attention_explorer", "(model, tokenizer, sentence)", "slider", "query"),
    ("logit_lens", "(model, tokenizer)", "slider", "words"),
    ("tokenizer_explorer", "(tokenizer, 'The cat is sleeping.')", "slider", "merges"),
    ("embedding_explorer", "(models, tokenizer)", "slider", "step"),
    ("block_explorer", "(model, tokenizer, truth=grammar.next_words)", "checkbox", "attention"),
    ("training_explorer", "('pets', truth=grammar.next_words)", "slider", "step"),
)
