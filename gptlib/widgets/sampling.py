"""Lesson 07's explorer: a distribution to change, and a sentence that grows by drawing from it."""

from collections.abc import Callable, Sequence

import torch
import traitlets
from torch import Tensor

from ..decoding.decoders import without_unused_ids
from ..logits import softmax
from ..model import GPT, without_dropout
from ..sampling import next_token_probs, prompt_rows
from ..tokenizer import Tokenizer
from . import svg
from .bars import Bar, bars_height, bars_svg, spoken
from .explorer import Explorer
from .sentence import SENTENCE_HEIGHT, WIDTH, Word, sentence_svg
from .shared import share_model, share_tokenizer
from .tokens import capped, token_name
from .truth import Truth, dense, true_tokens

Sampler = Callable[[Tensor, float, int | None, float | None], Tensor]

ROWS, FEWEST, MATTERS = 8, 4, 0.005  # as in js/sampling_studio.js
CONTROLS = ("temperature", "top_k", "top_p", "seed", "draws")  # in the order of the lesson
MORE_CONTROLS = ("kl",)


def studio_svg(rows: Sequence[Bar], words: Sequence[Word], *, label: str) -> str:
    """The whole picture: the sentence, and the bars for its next token."""
    names = ["to draw from", "model", "truth" if rows[0].truth is not None else ""]
    bars = bars_svg(rows, names, SENTENCE_HEIGHT // 2)
    height = SENTENCE_HEIGHT // 2 + bars_height(len(rows))
    return svg.document(sentence_svg(words) + bars, WIDTH, height, label)


class SamplingStudio(Explorer):
    """See `sampling_studio`."""

    SCRIPT = "sampling_studio"

    prompt = traitlets.Unicode().tag(sync=True)
    temperature = traitlets.Float(1.0).tag(sync=True)
    top_k = traitlets.Int(0).tag(sync=True)  # 0: all
    top_p = traitlets.Float(1.0).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    drawn = traitlets.List().tag(sync=True)  # ids, as the page has them

    def __init__(self, model, tokenizer, prompt, truth, sampler, seed, controls) -> None:
        self.model, self.tokenizer, self.truth, self.sampler = model, tokenizer, truth, sampler
        settings = {
            "controls": list(controls),
            "truth": truth is not None,
            "sampler": sampler is not None,
            "vocab_size": model.config.vocab_size,
        }
        super().__init__(
            settings=settings,
            prompt=prompt,
            seed=seed,
            shared_model=share_model(model),
            shared_tokenizer=share_tokenizer(tokenizer),
        )

    @property
    def ids(self) -> list[int]:
        """The prompt and what was drawn after it."""
        return capped(self.tokenizer.encode(self.prompt, allowed_special="all")) + self.drawn

    # ---- What the page asks ----

    @torch.no_grad()
    def logits(self, ids: Sequence[int]) -> Tensor:
        """What the model says after ids, (V,)."""
        rows = prompt_rows(self.model, list(ids)[-self.model.config.block_size :])
        with without_dropout(self.model):
            logits = self.model(rows)[0, -1].float().cpu()
        return without_unused_ids(self.model, logits)

    def answer_logits(self, ids: list[int]) -> dict:
        """The logits of a model that is too large for a browser."""
        return {"logits": self.logits(ids).numpy().tobytes()}

    def answer_reread(self) -> dict:
        """Send the model again, if it has learned meanwhile."""
        self.shared_model = share_model(self.model)
        return {}

    def answer_truth(self, ids: list[int]) -> dict:
        """The grammar's next tokens, or a note where it knows of none."""
        try:
            return {"truth": list(true_tokens(self.truth, self.tokenizer, ids).items())}
        except ValueError as error:
            return {"note": f"No truth here: {error}"}

    def answer_sample(self, ids: list[int], **settings) -> dict:
        """The probabilities that a student's sampler gives."""
        order = (settings[name] for name in ("temperature", "top_k", "top_p"))
        return {"probs": self._sampled(self.logits(ids), *order).numpy().tobytes()}

    def _sampled(self, logits: Tensor, *settings) -> Tensor:
        try:
            probs = self.sampler(logits.clone(), *settings)
        except NotImplementedError:
            raise ValueError("your sampler is not written yet") from None
        return _checked(probs, len(logits))

    # ---- What is shown where no widget runs ----

    def rows(self) -> list[Bar]:
        """The rows of the bars as they open: single tokens, then all others together."""
        ids = self.ids
        logits = self.logits(ids)
        top_p = self.top_p if self.top_p < 1 else None
        bend = next_token_probs if self.sampler is None else self._sampled
        probs = bend(logits, self.temperature, self.top_k or None, top_p)
        model = softmax(logits)
        known = self.answer_truth(ids) if self.truth else {}
        truth = dict(known["truth"]) if "truth" in known else {}
        shown = rows_that_matter(model, truth)
        sources = [probs, model, dense(truth, len(probs)) if truth else None]
        rows = [
            Bar(
                token_name(self.tokenizer, id), *(s if s is None else s[id].item() for s in sources)
            )
            for id in shown
        ]
        if len(probs) > len(rows):
            rest = [s if s is None else _rest(s, shown) for s in sources]
            rows.append(Bar(f"{len(probs) - len(rows):,} others", *rest))
        return rows

    def draw(self) -> str:
        words = [Word(token_name(self.tokenizer, id)) for id in self.ids]
        return studio_svg(self.rows(), words, label=self.describe())

    def describe(self) -> str:
        text = self.tokenizer.decode(self.ids)
        return f"After {text!r}, temperature {self.temperature:g}: {spoken(self.rows())}."


def rows_that_matter(model: Tensor, truth: dict[int, float]) -> list[int]:
    """The ids that have rows: what the truth and the model (V,) expect, its likeliest first."""
    known = sorted(truth, key=truth.get, reverse=True)[:ROWS]
    best = model.argsort(descending=True, stable=True)[:ROWS].tolist()
    best = [id for k, id in enumerate(best) if k < FEWEST or model[id] >= MATTERS]
    shown = (known + [id for id in best if id not in known])[:ROWS]
    return sorted(shown, key=lambda id: (-model[id].item(), id))


def _rest(values: Tensor, shown: list[int]) -> float:
    """What all but the shown ones have together: exactly 0 where each of them has 0."""
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
    controls: Sequence[str] = CONTROLS,
) -> SamplingStudio:
    """Draw a sentence token by token, and change the distribution that it is drawn from.

    Args:
        truth: prefix -> {word: probability}, as `gptlib.corpora.pets.next_words`.
        sampler: in place of `gptlib.next_token_probs`, (logits (V,), temperature, top_k, top_p)
            -> probabilities (V,); a filter that is off comes as None.
        seed: with the same settings, Run from the prompt draws what `gptlib.generate` draws with
            a generator of this seed.
        controls: of "temperature", "top_k", "top_p", "seed", "draws" (1,000 at once) and "kl" (the
            distance from the truth); the sentence and its buttons are always there.

    Raises:
        ValueError: a control that there is not.
    """
    known = (*CONTROLS, *MORE_CONTROLS)
    for name in controls:
        if name not in known:
            raise ValueError(f"controls: {name!r} is not one of {', '.join(known)}")
    return SamplingStudio(model, tokenizer, prompt, truth, sampler, seed, controls)
