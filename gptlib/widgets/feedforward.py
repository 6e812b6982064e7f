"""Lesson 04's explorer: take parts of the block out, and see what the next word comes to.

The parts are taken out by `ablations`, in a page by js/gpt.js. Leaves out what training without the
part would give: the other parts could make up for it.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
import traitlets
from torch import Tensor

from ..ablations import ablate
from ..logits import kl
from ..model import GPT, without_dropout
from ..sampling import prompt_rows
from ..tokenizer import Tokenizer
from . import svg
from .bars import Bar, bars_height, bars_svg, expected, rows_of, spoken
from .explorer import Explorer
from .shared import share_model, share_tokenizer
from .tokens import LONGEST, capped, token_name
from .truth import Truth, kl_from, true_tokens

WIDTH = 880
ROWS, OWN = 7, 3  # tokens that the whole model or the truth expects; that the broken one does
ALL = -1  # layers
PARTS = ("attention", "feedforward", "layernorm", "residual")
NAMES = {"layernorm": "layer norm", "residual": "residual path"}


def block_svg(off: Sequence[str], where: str, top: float = 0) -> str:
    """One block as a row of boxes, what is `off` dashed and crossed out; 126 pixels high.

    Args:
        off: of "attention", "feedforward", "layernorm", "residual".
        where: which layers are meant, in words.
    """
    y, height = top + 72, 34
    boxes = ((96, 84, "layernorm"), (206, 110, "attention"))
    boxes += ((468, 84, "layernorm"), (578, 110, "feedforward"))
    parts = [svg.group(svg.text(0, top + 16, f"The block, {where}"), bold=True)]
    parts.append(svg.line(20, y + 17, 850, y + 17, svg.INK))
    parts.append(f'<path d="M850 {y + 11:g}l12 6l-12 6z" fill="{svg.INK}"/>')
    for start, end in ((62, 368), (434, 740)):
        parts.append(_residual(start, end, y, "residual" in off))
    for x, width, part in boxes:
        parts.append(_part(x, y, width, height, part, part in off))
    return "".join(parts)


def _residual(start: float, end: float, y: float, off: bool) -> str:
    """The path around a part, and the sum where it comes in again."""
    dashes = ' stroke-dasharray="4 5"' if off else ""
    path = f"M{start} {y + 17:g}v-41q0 -6 6 -6h{end - start - 12}q6 0 6 6v28"
    ink = svg.FAINT if off else svg.INK
    drawn = f'<path d="{path}" fill="none" stroke="{ink}" stroke-width="1.5"{dashes}/>'
    middle = (start + end) / 2
    if off:
        words = svg.text(middle, y - 34, "residual path off", anchor="middle")
        return drawn + words + _cross(middle - 8, y - 32, 16, 14)
    words = svg.text(middle, y - 34, "residual path", anchor="middle")
    plus = f'<circle cx="{end}" cy="{y + 17:g}" r="11" fill="{svg.PAPER}" stroke="{svg.INK}"/>'
    return drawn + words + plus + svg.text(end, y + 22, "+", anchor="middle", bold=True)


def _part(x: float, y: float, width: float, height: float, part: str, off: bool) -> str:
    name = NAMES.get(part, part)
    if off:
        box = svg.rect(x, y, width, height, fill=svg.PAPER, stroke=svg.FAINT, dashed=True)
        cross = _cross(x, y, width, height)
        below = svg.text(x + width / 2, y + height + 16, f"{name} off", anchor="middle")
        return box + cross + below
    opacity, ink = svg.heat(0.2)
    box = svg.rect(x, y, width, height, fill=svg.PAPER)
    box += svg.rect(x, y, width, height, fill=svg.HEAT, opacity=opacity, stroke=svg.INK)
    return box + svg.text(x + width / 2, y + 22, name, anchor="middle", fill=ink)


def _cross(x: float, y: float, width: float, height: float) -> str:
    return svg.line(x, y, x + width, y + height, svg.ORANGE, thick=2) + svg.line(
        x, y + height, x + width, y, svg.ORANGE, thick=2
    )


class Distances(NamedTuple):
    """Kullback-Leibler divergences in nats; None where there is no truth."""

    from_truth: float | None  # KL(truth || this model)
    whole_from_truth: float | None  # KL(truth || the whole model)
    from_whole: float  # KL(the whole model || this model)

    def __str__(self) -> str:
        whole = f"From the whole model: KL {svg.two(self.from_whole)} nats."
        if self.from_truth is None:
            return whole
        mine, other = svg.two(self.from_truth), svg.two(self.whole_from_truth)
        return f"From the truth: KL {mine} nats (the whole model {other}). {whole}"


class BlockExplorer(Explorer):
    """See `block_explorer`."""

    SCRIPT = "block_explorer"

    prompt = traitlets.Unicode().tag(sync=True)
    off = traitlets.List(traitlets.Enum(PARTS)).tag(sync=True)  # the parts that are taken out
    layer = traitlets.Int(ALL).tag(sync=True)  # in which layer; ALL: in all of them

    def __init__(self, model: GPT, tokenizer: Tokenizer, prompt: str, truth: Truth | None) -> None:
        self.model, self.tokenizer, self.truth = model, tokenizer, truth
        settings = {
            "parts": [[part, NAMES.get(part, part)] for part in PARTS],
            "layers": model.config.n_layer,
            "truth": truth is not None,
            "longest": min(LONGEST, model.config.block_size),
        }
        super().__init__(
            settings=settings,
            prompt=prompt,
            shared_model=share_model(model),
            shared_tokenizer=share_tokenizer(tokenizer),
        )

    # ---- What the page asks ----

    def answer_logits(self, ids: list[int], off: list[str], layer: int) -> dict:
        """The logits of a model that is too large for a browser, without these parts."""
        logits = next_logits(self.without(off, layer), ids)
        return {"logits": logits.float().numpy().tobytes()}

    def answer_truth(self, ids: list[int]) -> dict:
        """The grammar's next tokens, or a note where it knows of none."""
        try:
            return {"truth": list(true_tokens(self.truth, self.tokenizer, ids).items())}
        except ValueError as error:
            return {"note": f"No truth here: {error}"}

    def without(self, off: Sequence[str], layer: int) -> GPT:
        """The model without these parts, with the weights of the whole one."""
        layers = None if layer == ALL else [layer]
        return ablate(self.model, *off, layers=layers, share=True) if off else self.model

    # ---- What code reads, and what is shown where no widget runs ----

    def ids(self) -> list[int]:
        """The prompt's tokens, at most as many as the model reads."""
        ids = self.tokenizer.encode(self.prompt, allowed_special="all")
        return capped(ids, self.settings["longest"])

    def probs(self, off: Sequence[str] = ()) -> Tensor:
        """What follows the prompt without these parts, (V,)."""
        return torch.softmax(next_logits(self.without(off, self.layer), self.ids()), -1)

    def rows(self) -> list[Bar]:
        """What the whole model and the truth expect, what this model does, and all others.

        For one prompt the first rows stay: parts change their numbers only.
        """
        whole, now = self.probs(), self.probs(self.off)
        truth, _ = self.true()
        first = expected(whole, truth, ROWS)
        best = now.argsort(descending=True, stable=True)[: ROWS + OWN].tolist()
        own = [id for id in best if id not in first][:OWN]
        name = partial(token_name, self.tokenizer)
        return rows_of(first + own, name, now, whole, truth)

    def true(self) -> tuple[dict[int, float], str]:
        """The truth as {id: p}, and why there is none."""
        said = self.answer_truth(self.ids()) if self.truth else {}
        return dict(said.get("truth", [])), said.get("note", "")

    def distances(self) -> Distances:
        """How far the model without the parts is from the truth and from the whole model."""
        whole, now = self.probs(), self.probs(self.off)
        truth, _ = self.true()
        both = [kl_from(truth, now), kl_from(truth, whole)] if truth else [None, None]
        return Distances(*both, kl(whole, now).item())

    def where(self) -> str:
        """Which layers lose the parts, in words."""
        layer, count = self.layer, self.model.config.n_layer
        return f"in layer {layer}" if layer != ALL else f"in all layers ({count})"

    def draw(self) -> str:
        rows = self.rows()
        names = ["as ticked", "whole model"] + (["truth"] if rows[0].truth is not None else [])
        said = f"{self.distances()} {self.true()[1]}"
        bars = bars_svg(rows, names, 182)
        words = svg.text(0, 160, svg.clip(said, WIDTH))
        body = block_svg(self.off, self.where()) + words + bars
        return svg.document(body, WIDTH, 182 + bars_height(len(rows)), self._say(rows))

    def describe(self) -> str:
        return self._say(self.rows())

    def _say(self, rows: Sequence[Bar]) -> str:
        off = " and ".join(NAMES.get(part, part) for part in self.off)
        model = f"Without {off} {self.where()}" if off else "With every part"
        text = self.tokenizer.decode(self.ids())
        return f"{model}, after {text!r}: {spoken(rows)}. {self.distances()}"


@torch.no_grad()
def next_logits(model: GPT, ids: Sequence[int]) -> Tensor:
    """The logits of the token after `ids`, (V,), on the CPU in float64.

    Raises:
        ValueError: the logits are not numbers.
    """
    with without_dropout(model):
        logits = model(prompt_rows(model, list(ids)))[0, -1].double().cpu()  # (V,)
    if not torch.isfinite(logits).all():
        raise ValueError("without this part the numbers overflow: the logits are not finite")
    return logits


def block_explorer(
    model: GPT, tokenizer: Tokenizer, prompt: str = "The cat is", truth: Truth | None = None
) -> BlockExplorer:
    """Untick attention, feedforward, layer norm or residual path, and watch the next word.

    Args:
        truth: prefix -> {word: probability}, as `gptlib.corpora.pets.next_words`.
    """
    return BlockExplorer(model, tokenizer, prompt, truth)
