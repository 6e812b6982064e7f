"""Lesson 07's explorer: a distribution to bend, and a sentence that grows by drawing from it."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from ipywidgets import BoundedIntText
from torch import Tensor

from ..logits import kl, softmax
from ..model import GPT, without_dropout
from ..sampling import draw as draw_ids
from ..sampling import next_token_probs, prompt_rows
from ..tokenizer import Tokenizer
from . import svg
from .bars import Bar, bars_height, bars_svg, spoken
from .base import LABEL, Explorer, capped, number, token_name
from .controls import line, row
from .sentence import SENTENCE_HEIGHT, WIDTH, Word, sentence_svg
from .truth import Truth, dense, true_tokens

Sampler = Callable[[Tensor, float, int | None, int | None], Tensor]

ROWS = 10  # the likeliest tokens; all others share one row
MANY = 1000  # draws for the histogram
RUN = 40  # tokens, at most, for one press of Run


def studio_svg(
    rows: Sequence[Bar], words: Sequence[Word], notes: Sequence[str], *, label: str
) -> str:
    """The whole picture: the sentence, two lines about it, and the bars for its next token."""
    low = SENTENCE_HEIGHT
    said = "".join(
        svg.text(
            0, low + 18 + 22 * place, svg.clip(note, WIDTH), fill=svg.FAINT if place else svg.INK
        )
        for place, note in enumerate(notes)
    )
    true = "truth" if rows[0].truth is not None else ""
    drawn = f"of {MANY:,}" if rows[0].drawn is not None else ""
    bars = bars_svg(rows, ["to draw from", "model", true, drawn], low + 54, MANY)
    height = low + 54 + bars_height(len(rows))
    return svg.document(sentence_svg(words) + said + bars, WIDTH, height, label)


class _Place(NamedTuple):
    """What a prefix says about its next token; one model pass, kept while the sliders move."""

    logits: Tensor  # (V,)
    order: Tensor  # (V,) ids, the largest logit first
    model: Tensor  # (V,) probabilities
    shown: list[int]  # ids of the rows, largest first
    truth: dict[int, float]
    note: str  # why there is no truth


class SamplingStudio(Explorer):
    """See `sampling_studio`."""

    def __init__(self, model, tokenizer, prompt, truth, sampler, seed) -> None:
        self.model, self.tokenizer, self.truth, self.sampler = model, tokenizer, truth, sampler
        self.words: list[tuple[int, float]] = []  # (id, the probability it was drawn with)
        self.presses = 0  # of "draw 1,000", at this place
        self._place = lru_cache(maxsize=64)(self._read)  # Undo costs no pass
        self.prompt = line("prompt", prompt)
        self.prompt.observe(lambda _: self._back_to(0), names="value")  # before the redrawing
        first, self.temperature = number("temperature", 1.0, 0.0, 3.0, 0.05)
        most = min(model.config.vocab_size, 40)
        second, self.top_k = number("top-k, 0: all", 0, 0, most)
        third, self.top_p = number("top-p, 1: all", 1.0, 0.05, 1.0, 0.05)
        self.seed = BoundedIntText(seed, min=0, max=999_999, description="seed", style=LABEL)
        self.seed.layout.width = "13em"
        self.buttons = {
            "Step": self.button("Step", self.step, "draw one token"),
            "Run": self.button("Run", self.run, "draw tokens until the stop token"),
            "Undo": self.button("Undo", self.undo, "take the last token back"),
            "Reset": self.button("Reset", self.reset, "back to the prompt"),
            "Draw": self.button(f"Draw {MANY:,}", self.draw_many, "and count them"),
        }
        watched = [self.prompt, self.temperature, self.top_k, self.top_p, self.seed]
        settings = [row(first, second), row(third, self.seed), row(*self.buttons.values())]
        super().__init__([self.prompt, *settings], watched)

    # ---- What is drawn from ----

    @property
    def ids(self) -> list[int]:
        """The prompt and what was drawn after it."""
        prompt = self.tokenizer.encode(self.prompt.value, allowed_special="all")
        return capped(prompt) + [id for id, _ in self.words]

    @property
    def settings(self) -> tuple[float, int | None, float | None]:
        """temperature, top_k, top_p, with None for a filter that is off."""
        top_p = self.top_p.value if self.top_p.value < 1 else None
        return self.temperature.value, self.top_k.value or None, top_p

    @property
    def stopped(self) -> bool:
        return bool(self.words) and self.words[-1][0] == self.tokenizer.eos_id

    @torch.no_grad()
    def _read(self, ids: tuple[int, ...]) -> _Place:
        rows = prompt_rows(self.model, ids[-self.model.config.block_size :])
        with without_dropout(self.model):
            logits = self.model(rows)[0, -1].float().cpu()  # (V,)
        truth, note = {}, ""
        if self.truth is not None:
            try:
                truth = true_tokens(self.truth, self.tokenizer, ids)
            except ValueError as error:
                note = f"No truth here: {error}"
        order = logits.argsort(descending=True, stable=True)
        best = order[:ROWS].tolist()
        known = sorted(truth, key=truth.get, reverse=True)[:ROWS]
        shown = (known + [id for id in best if id not in known])[: len(best)]
        shown.sort(key=lambda id: (-logits[id].item(), id))
        return _Place(logits, order, softmax(logits), shown, truth, note)

    def probs(self) -> Tensor:
        """The distribution that Step draws from, (V,)."""
        place = self._place(tuple(self.ids))
        logits, order = place.logits, place.order
        if self.sampler is None:  # 50,000 logits in order are filtered four times as fast
            probs = next_token_probs(logits[order], *self.settings)
            return torch.empty_like(probs).scatter_(0, order, probs)
        try:
            probs = self.sampler(logits.clone(), *self.settings)
        except NotImplementedError:
            raise ValueError("your sampler is not written yet") from None
        return _checked(probs, len(logits))

    # ---- What the buttons do ----

    def step(self) -> None:
        """Draw one token and append it; after the stop token nothing more is drawn."""
        if self.stopped:
            return
        probs = self.probs()
        generator = torch.Generator().manual_seed(self.seed.value)
        for _ in range(1 + len(self.words)):  # as far into the seed's numbers as tokens are drawn
            id = int(draw_ids(probs[None], generator))
        if self.temperature.value == 0 and self.sampler is None:
            id = int(probs.argmax())
        self.words.append((id, probs[id].item()))
        self.presses = 0
        self._redraw()

    def run(self) -> None:
        """Step until the stop token, RUN times at most; the sentence is seen to grow."""
        for _ in range(RUN):
            self.step()
            if self.stopped:
                return

    def undo(self) -> None:
        """Take the last token back; the next Step draws it again, unless something has changed."""
        self._back_to(max(0, len(self.words) - 1))
        self._redraw()

    def reset(self) -> None:
        """Back to the prompt; a model that has learned meanwhile is asked again."""
        self._place.cache_clear()
        self._back_to(0)
        self._redraw()

    def draw_many(self) -> None:
        """Draw the next token MANY times, and show how often each came."""
        self.presses += 1
        self._redraw()

    def _back_to(self, count: int) -> None:
        del self.words[count:]
        self.presses = 0

    # ---- What is shown ----

    def rows(self) -> list[Bar]:
        """The rows of the bars: single tokens, then all others together."""
        place, probs = self._place(tuple(self.ids)), self.probs()
        truth = dense(place.truth, len(probs)) if place.truth else None  # None: nothing is known
        sources = [probs, place.model, truth, self._counts(probs)]
        picked = [s[place.shown].tolist() if s is not None else [None] * ROWS for s in sources]
        names = [token_name(self.tokenizer, id) for id in place.shown]
        rows = [Bar(*values) for values in zip(names, *picked, strict=False)]
        if len(probs) > len(rows):
            rest = [_rest(s, place.shown) for s in sources]
            rows.append(Bar(f"{len(probs) - len(rows):,} others", *rest))
        filtered = any(self.settings[1:])
        return [row._replace(cut=filtered and row.now == 0) for row in rows]

    def _counts(self, probs: Tensor) -> Tensor | None:
        """How often each id came, (V,). The same random numbers bend with the distribution."""
        if not self.presses:
            return None
        generator = torch.Generator().manual_seed(self.seed.value)
        u = torch.rand(self.presses, MANY, generator=generator, dtype=torch.float64)[-1]
        sums = probs.double().cumsum(-1)  # (V,)
        ids = torch.searchsorted(sums, u * sums[-1], right=True)
        last = int((sums < sums[-1]).sum())  # the last id of any probability
        return torch.bincount(ids.clamp(max=last), minlength=len(probs))

    def sentence(self) -> list[Word]:
        """The tokens of the prompt and those drawn."""
        ids = self.ids
        prompt = [Word(token_name(self.tokenizer, id)) for id in ids[: len(ids) - len(self.words)]]
        stop = self.tokenizer.eos_id
        return prompt + [
            Word(token_name(self.tokenizer, id), p, id == stop) for id, p in self.words
        ]

    def notes(self, rows: list[Bar]) -> list[str]:
        """What happened last, and how far from the truth we are."""
        together = torch.tensor([p for _, p in self.words], dtype=torch.float64).prod().item()
        if not self.words:
            state = "Press Step to draw the next token from the bars below."
        elif self.stopped:
            state = f"Stopped: the stop token was drawn. All of it together: {together:.2g}."
        else:
            state = f"{len(self.words)} drawn. All of them together: probability {together:.2g}."
        note = self._place(tuple(self.ids)).note
        total = sum(entry.now for entry in rows)
        if abs(total - 1) > 1e-3:
            note = f"The sampler's probabilities sum to {svg.two(total)}, not to 1. {note}"
        elif rows[0].truth is not None:
            truth, now = (torch.tensor([e[i] for e in rows], dtype=torch.float64) for i in (3, 1))
            note = (
                f"From the truth to what is drawn from: KL {svg.two(kl(truth, now))} nats. {note}"
            )
        return [state, note]

    def draw(self) -> str:
        rows = self.rows()
        return studio_svg(rows, self.sentence(), self.notes(rows), label=self._say(rows))

    def describe(self) -> str:
        return self._say(self.rows())

    def _say(self, rows: list[Bar]) -> str:
        temperature, top_k, top_p = self.settings
        filters = f", top-k {top_k}" * bool(top_k) + f", top-p {top_p or 1:g}" * bool(top_p)
        text = self.tokenizer.decode(self.ids)
        return f"After {text!r}, temperature {temperature:g}{filters}: {spoken(rows)}."


def _rest(values: Tensor | None, shown: list[int]) -> float | int | None:
    """What all but the shown ones have together: exactly 0 where each of them has 0."""
    if values is None:
        return None
    rest = values.clone()
    rest[shown] = 0
    return rest.sum().item()


def _checked(probs: object, size: int) -> Tensor:
    """What a student's sampler returned, as float32 (V,); ValueError says what is wrong with it."""
    probs = torch.as_tensor(probs).detach().float().cpu()
    if probs.shape != (size,):
        raise ValueError(f"your sampler gave shape {tuple(probs.shape)}; logits have ({size},)")
    if not torch.isfinite(probs).all() or (probs < 0).any() or probs.sum() == 0:
        raise ValueError("your sampler must give probabilities: found NaN, a negative, or only 0")
    return probs


def sampling_studio(
    model: GPT,
    tokenizer: Tokenizer,
    prompt: str = "The cat is",
    truth: Truth | None = None,
    sampler: Sampler | None = None,
    seed: int = 0,
) -> SamplingStudio:
    """Draw a sentence token by token, and bend the distribution that it is drawn from.

    Args:
        truth: prefix -> {word: probability}, as `gptlib.corpora.pets.next_words`.
        sampler: in place of `gptlib.next_token_probs`, (logits (V,), temperature, top_k, top_p)
            -> probabilities (V,); a filter that is off comes as None.
        seed: with the same settings, Run from the prompt draws what `gptlib.generate` draws with
            a generator of this seed.
    """
    return SamplingStudio(model, tokenizer, prompt, truth, sampler, seed)
