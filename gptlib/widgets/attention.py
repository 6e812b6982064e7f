"""Lesson 03's explorer: who looks at whom, in every head of any model, on any sentence.

The page runs the model once for each text. Layer, head and query pick from that pass; mask and
scale repeat the softmax from its queries and keys. Leaves out what later layers would make of the
change: that is `ablations`. Axes: L layers, nh heads, T tokens, hs numbers of a head.
"""

from collections.abc import Sequence

import numpy as np
import torch
import traitlets
from torch import Tensor

from ..attention import attention_scores, mask_scores
from ..model import GPT, without_dropout
from ..sampling import prompt_rows
from ..tokenizer import Tokenizer
from ..trace import Trace, head_outputs_set, trace
from .explorer import Explorer
from .heads import attention_svg, looks, two_digits
from .shared import share_model, share_tokenizer
from .tokens import LONGEST, capped, token_name

PANELS = ("q · k", "score", "softmax", "values", "exchange")  # as in js/attention_explorer.js


def attention_weights(seen: Trace, masked: bool = True, scaled: bool = True) -> Tensor:
    """The weights of all layers and heads, (L, nh, T, T), with or without mask and scale.

    From the queries and keys of one pass: what each layer reads stays as it was.
    """
    q = torch.stack([layer.q for layer in seen.layers])  # (L, nh, T, hs)
    k = torch.stack([layer.k for layer in seen.layers])
    scores = attention_scores(q, k, None if scaled else 1.0)
    return torch.softmax(mask_scores(scores) if masked else scores, -1)


class AttentionExplorer(Explorer):
    """See `attention_explorer`."""

    SCRIPT = "attention_explorer"

    text = traitlets.Unicode().tag(sync=True)
    other = traitlets.Unicode().tag(sync=True)
    layer = traitlets.Int(0).tag(sync=True)
    head = traitlets.Int(0).tag(sync=True)
    query = traitlets.Int(-1).tag(sync=True)  # -1: the last token
    focus = traitlets.List(traitlets.Int()).tag(sync=True)
    exchange = traitlets.List(traitlets.Int()).tag(sync=True)
    panel = traitlets.Enum(PANELS).tag(sync=True)
    masked = traitlets.Bool().tag(sync=True)
    scaled = traitlets.Bool().tag(sync=True)

    def __init__(self, model: GPT, tokenizer: Tokenizer, **traits) -> None:
        self.model, self.tokenizer = model, tokenizer
        self._seen: tuple | None = None
        attn, config = model.h[0].attn, model.config
        plain = attn.scale == 1 and config.n_embd != config.n_head
        own = {"masked": attn.causal, "scaled": not plain}
        settings = {
            "layers": config.n_layer,
            "heads": config.n_head,
            "most": min(LONGEST, config.block_size),
        }
        super().__init__(
            settings=settings | own,
            **own,
            shared_model=share_model(model),
            shared_tokenizer=share_tokenizer(tokenizer),
            **traits,
        )

    @traitlets.validate("layer", "head")
    def _there_is_one(self, proposal: dict) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        config = self.model.config
        _check(name, value, 0, config.n_layer if name == "layer" else config.n_head)
        return value

    def check_places(self) -> None:
        """Refuse places that the sentences do not have; what cannot be read is said in the page."""
        count = self._count(self.text)
        if count is None:
            return
        _check("query", self.query, -count, count)
        for place in self.focus:
            _check("focus", place, 0, count)
        if self.exchange:
            at, beside = self.exchange
            _check("exchange", at, 0, count)
            second = self._count(self.other) if self.other.strip() else count
            if second is not None:
                _check("exchange", beside, 0, second)

    def _count(self, text: str) -> int | None:
        """How many tokens a text has; None where it has none, or too many to show."""
        count = len(self.tokenizer.encode(text, allowed_special="all"))
        return count if 0 < count <= self.settings["most"] else None

    def look(self) -> tuple[Trace, list[str]]:
        """The pass of the text as it is now, and its tokens; made once for each text."""
        if self._seen is None or self._seen[0] != self.text:
            most = min(LONGEST, self.model.config.block_size)
            ids = capped(self.tokenizer.encode(self.text, allowed_special="all"), most)
            tokens = [token_name(self.tokenizer, id) for id in ids]
            self._seen = (self.text, trace(self.model, ids), tokens)
        return self._seen[1:]

    def shown(self) -> np.ndarray:
        """The weights for mask and scale as they are ticked, to two digits, (L, nh, T, T)."""
        seen, _ = self.look()
        return two_digits(attention_weights(seen, self.masked, self.scaled))

    # ---- What the page asks, of a model that is too large for it ----

    def answer_look(self, ids: list[int]) -> dict:
        """Queries, keys and values of all layers and heads, (L, nh, T, hs) each."""
        layers = trace(self.model, ids).layers
        parts = {name: torch.stack([getattr(layer, name) for layer in layers]) for name in "qkv"}
        sent = {name: part.float().cpu().numpy().tobytes() for name, part in parts.items()}
        return {"shape": list(parts["q"].shape), **sent}

    def answer_exchange(self, ids: list[int], second: list[int] | None, **where) -> dict:
        """The logits of each sentence as it is, then those with a head's outputs exchanged."""
        before, after = exchanged(self.model, ids, second, **where)
        logits = [*before, *after]
        return {f"logits {k}": row.numpy().tobytes() for k, row in enumerate(logits)}

    # ---- What is shown where no widget runs ----

    def draw(self) -> str:
        _, tokens = self.look()
        return attention_svg(
            self.shown(),
            tokens,
            self.layer,
            self.head,
            self._place(tokens),
            masked=self.masked,
            focus=self.focus,
        )

    def describe(self) -> str:
        _, tokens = self.look()
        query = self._place(tokens)
        words = looks(self.shown()[self.layer, self.head, query], tokens, query)
        return f"Attention explorer: in layer {self.layer}, head {self.head}, {words}."

    def _place(self, tokens: Sequence[str]) -> int:
        count = len(tokens)
        return max(0, count + self.query) if self.query < 0 else min(self.query, count - 1)


def _check(name: str, value: int, least: int, most: int) -> None:
    if not least <= value < most:
        raise ValueError(f"{name} must be in {least}..{most - 1}, not {value}")


@torch.no_grad()
def exchanged(
    model: GPT,
    first: Sequence[int],
    second: Sequence[int] | None,
    *,
    layer: int,
    head: int,
    at: int,
    beside: int,
) -> tuple[list[Tensor], list[Tensor]]:
    """What the model says comes next before and after a head's outputs are exchanged, (V,) each.

    The output at place `at` of the first sentence, and that at place `beside` of the second.

    Args:
        second: ids; None is the first sentence itself.
    """
    passes = [trace(model, ids) for ids in (first, second) if ids is not None]
    outputs = [seen.layers[layer].heads[head] for seen in passes]  # (T, hs) each
    mine, others = outputs[0][at], outputs[-1][beside]
    given = [{at: others}, {beside: mine}]
    if second is None:
        given = [given[0] | given[1]]
    after = []
    for seen, outputs_at in zip(passes, given, strict=True):
        with head_outputs_set(model, layer, head, outputs_at), without_dropout(model):
            after.append(model(prompt_rows(model, seen.ids))[0, -1].float().cpu())
    return [seen.logits[-1].float().cpu() for seen in passes], after


def attention_explorer(
    model: GPT,
    tokenizer: Tokenizer,
    text: str = "The cat is",
    *,
    layer: int = 0,
    head: int = 0,
    query: int = -1,
    focus: Sequence[int] = (),
    panel: str = "q · k",
    other: str = "",
    exchange: Sequence[int] = (),
) -> AttentionExplorer:
    """Look into every head: type a sentence, choose a head, a word that looks, and one cell.

    Args:
        text: the sentence to begin with; at most 64 tokens, and at most the model's block_size.
        layer, head, query: what is chosen at first; query -1 is the last token.
        focus: places whose rows are framed.
        panel: the step that is open: "q · k", "score", "softmax", "values" or "exchange".
        other: a second sentence, between which and the first a head's output is exchanged.
        exchange: the places of that: one in the text, one in `other`, or in the text too.

    Raises:
        ValueError: a layer, head or place that there is not, or not two places to exchange.
    """
    if len(exchange) not in (0, 2):
        raise ValueError(f"exchange is two places, not {len(exchange)}")
    start = {"text": text, "other": other, "layer": layer, "head": head, "query": query}
    more = {"focus": list(focus), "panel": panel, "exchange": list(exchange)}
    explorer = AttentionExplorer(model, tokenizer, **start, **more)
    explorer.check_places()
    return explorer
