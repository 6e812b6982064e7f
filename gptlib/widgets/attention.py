"""Lesson 03's explorer: who looks at whom, in every head of any model, on any sentence.

The model runs once for each text. Layer, head and query pick from that pass; mask and scale repeat
the softmax from its queries and keys. Leaves out what later layers would make of the change: that
is `ablations`. Axes: L layers, nh heads, T tokens.
"""

import numpy as np
import torch
from torch import Tensor

from ..attention import attention_scores, mask_scores
from ..model import GPT
from ..tokenizer import Tokenizer
from ..trace import Trace, trace
from .base import LONGEST, Explorer, capped, token_name
from .controls import Picker, few, line, row, tick
from .heads import attention_svg, looks, overview_svg, two_digits


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

    def __init__(self, model: GPT, tokenizer: Tokenizer, text: str) -> None:
        self.model, self.tokenizer = model, tokenizer
        self._seen: tuple | None = None
        attn = model.h[0].attn
        self.text = line("sentence", text)
        self.layer = few("layer", model.config.n_layer)
        self.head = few("head", model.config.n_head)
        self.masked = tick("mask", attn.causal, "hide the future")
        plain = attn.scale == 1 and model.config.n_embd != model.config.n_head
        self.scaled = tick("scale by 1/√d", not plain, "divide scores by the root of the head size")
        self.query = Picker("query", ["?"])
        self.text.observe(lambda _: self.guard(self._relabel), names="value")
        self._overviews: dict[tuple, str] = {}
        super().__init__(
            [
                self.text,
                self.query,
                row(self.layer, self.head, self.masked, self.scaled),
            ],
            [self.text, self.layer, self.head, self.masked, self.scaled, self.query.slider],
        )
        self.guard(self._relabel)

    def look(self) -> tuple[Trace, list[str]]:
        """The pass of the text as it stands, and its tokens; made once for each text."""
        text = self.text.value
        if self._seen is None or self._seen[0] != text:
            most = min(LONGEST, self.model.config.block_size)
            ids = capped(self.tokenizer.encode(text, allowed_special="all"), most)
            tokens = [token_name(self.tokenizer, id) for id in ids]
            self._seen = (text, trace(self.model, ids), tokens)
            self._overviews.clear()
        return self._seen[1:]

    def _relabel(self) -> None:
        """The queries to choose from are the tokens of the text; the last one to begin with."""
        _, tokens = self.look()
        labels = [f"{place}: {token}" for place, token in enumerate(tokens)]
        self.query.relabel(labels, len(labels) - 1)

    def shown(self) -> np.ndarray:
        """The weights for mask and scale as they are ticked, to two digits, (L, nh, T, T)."""
        seen, _ = self.look()
        return two_digits(attention_weights(seen, self.masked.value, self.scaled.value))

    def draw(self) -> str:
        weights, (_, tokens) = self.shown(), self.look()
        masked = self.masked.value
        key = (masked, self.scaled.value)
        if key not in self._overviews:
            self._overviews[key] = overview_svg(weights, masked)
        return attention_svg(
            weights,
            tokens,
            self.layer.value,
            self.head.value,
            min(self.query.value, len(tokens) - 1),
            masked=masked,
            overview=self._overviews[key],
        )

    def describe(self) -> str:
        _, tokens = self.look()
        query = min(self.query.value, len(tokens) - 1)
        layer, head = self.layer.value, self.head.value
        words = looks(self.shown()[layer, head, query], tokens, query)
        return f"Attention explorer: in layer {layer}, head {head}, {words}."


def attention_explorer(
    model: GPT, tokenizer: Tokenizer, text: str = "The cat is"
) -> AttentionExplorer:
    """Look into every head: type a sentence, choose layer, head and the word that looks.

    Args:
        text: the sentence to begin with; at most 64 tokens, and at most the model's block_size.
    """
    return AttentionExplorer(model, tokenizer, text)
