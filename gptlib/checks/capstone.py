"""The capstone: does a folder that a student made hold a GPT, its tokenizer, and learning?

Also gptlib's parts in the form of the exercises, to stand in for a student's.
"""

import math
from collections.abc import Callable
from itertools import zip_longest

import numpy as np
import torch
from torch import Tensor

from ..attention import fast_attention, merge_heads, split_heads
from ..corpora import Corpus
from ..model import GPT
from ..sampling import next_token_probs
from ..storage.checkpoint import load
from ..tokenizer import Tokenizer
from ..training import TrainConfig, Trainer, evaluation_rows, token_nll
from . import own_text
from .limits import quiet
from .own_text import letter_pairs, text
from .reading import numbers
from .running import STOPPED, error_words, run
from .showing import short
from .tokenizer import right_train as gptlibs_bpe  # in place of train_bpe (01, Deeper)
from .verdict import Verdict

__all__ = ["capstone", "gptlibs_attention", "gptlibs_bpe", "gptlibs_training", "text"]

SCORED, COUNTED = 4_000, 100_000  # tokens of held-out text, and of the text that was trained on
LARGEST_PADDING = 128  # ids without a token: a vocabulary may be padded to a multiple of 8 to 128
READ, MERGES = 2_000, 30  # characters and merges on which two trainings of BPE are compared
BETTER = 0.3  # nats below what counts of single tokens reach
CLEARLY = 0.97  # of the letter pairs' loss: a model must be below it
UNTRAINED = 0.5  # nats by which later positions may be worse than earlier ones
AGREE = 1e-3  # logits of the same weights, by the student's attention and by gptlib's
SETTINGS = ((1.0, None, None), (0.5, 2, None), (0.0, None, None))  # temperature, top_k, top_p


def gptlibs_attention(q: Tensor, k: Tensor, v: Tensor, n_head: int) -> Tensor:
    """Causal attention in heads, (B, T, C) three times -> (B, T, C); in place of lesson 03's."""
    return merge_heads(fast_attention(*(split_heads(part, n_head) for part in (q, k, v))))


def gptlibs_training(model: GPT, tokens: Tensor, steps: int) -> None:
    """gptlib's training loop; in place of lesson 06's. tokens: (N,) ids."""
    config = TrainConfig(steps, learning_rate=5e-3, device="cpu", optimizer="adamw")
    for _ in Trainer(model, tokens, config).progress():
        pass


def capstone(
    folder,
    corpus="pets",
    *,
    train_bpe: Callable | None = None,
    model: GPT | None = None,
    sampler: Callable | None = None,
) -> Verdict:
    """Print what a folder made in the capstone holds, or what is the matter with it.

    Args:
        corpus: what the model was trained on: a name, a path, or a Corpus; its held-out part is
            scored.
        train_bpe: the student's, (text, n_merges) -> merges.
        model: the model as it was trained, to be held against what the folder gives back: with
            the student's own attention in it.
        sampler: the student's, (logits (V,), temperature, top_k, top_p) -> probabilities (V,).
    """
    try:
        with quiet():
            right, name, words = _judge(folder, corpus, train_bpe, model, sampler)
    except BaseException as error:  # whatever the student's parts raise, Ctrl-C too
        right, name, words = False, STOPPED, f"stops with {error_words(error)}"
    words = f"{'✔' if right else '✘'} capstone: {words}"
    return Verdict(right, words, name, "capstone.capstone").told()


Trouble = tuple[str, str] | None  # (name, words)


def _judge(folder, corpus, train_bpe, trained, sampler) -> tuple[bool, str, str]:
    try:
        model, tokenizer = load(folder)
    except (OSError, ValueError) as error:
        return False, "not a folder that opens", f"gptlib.load cannot open it. {error}"
    ids, vocab_size = tokenizer.vocab_size, model.config.vocab_size
    padded = vocab_size % 8 == 0 and 0 < vocab_size - ids < LARGEST_PADDING
    if ids != vocab_size and not padded:
        words = f"the tokenizer has {ids} ids and the model {vocab_size}: is it another model's "
        words += "tokenizer? GPTConfig(tokenizer.vocab_size, ...) makes them fit."
        return False, "tokenizer does not fit", words
    corpus = own_text.in_two(corpus)
    losses, bars = _losses(model, tokenizer, corpus)
    by_letters, pairs = losses.mean().item() / _length(corpus, tokenizer), letter_pairs(corpus)
    trouble = (
        _untrained_places(losses, bars[1])
        or _no_better(losses.mean().item(), *bars)
        or _no_better_than_pairs(by_letters, pairs, corpus)
        or _another_model(model, trained)
        or _odd_sampler(sampler, vocab_size)
        or _other_merges(train_bpe, corpus.train[:READ])
    )
    if trouble:
        return False, *trouble
    words = f"it opens: {ids} tokens, {model.n_params():,} parameters. Held-out loss: "
    words += f"{losses.mean():.2f} nats a token, where a model that knows nothing has "
    words += f"ln {vocab_size} = {bars[0]:.2f}. That is {by_letters:.2f} nats a character, where "
    words += f"a table of letter pairs has {pairs:.2f}. {own_text.repeats(corpus)}"
    return True, "", words.strip()


# ---- Has it learned? ----


@torch.no_grad()
def _losses(model: GPT, tokenizer: Tokenizer, corpus) -> tuple[Tensor, tuple[float, float]]:
    """(the held-out loss at each position (N, T), what needs no model: (ln V, by frequency))."""
    trained_on, heldout = (torch.as_tensor(part).long() for part in corpus.encode(tokenizer))
    heldout = heldout[:SCORED]
    x, y = evaluation_rows(heldout, model.config.block_size)
    whole = max(1, len(x) - 1)  # the last row may have fewer targets
    model.eval()
    parts = zip(x[:whole].split(64), y[:whole].split(64))
    losses = torch.cat([token_nll(model(a).float(), b.clamp(min=0)) for a, b in parts])
    counts = torch.bincount(trained_on[:COUNTED], minlength=tokenizer.vocab_size) + 0.1
    by_frequency = -(counts / counts.sum()).log()[heldout].mean().item()
    return losses, (math.log(tokenizer.vocab_size), by_frequency)


def _no_better(loss: float, knows_nothing: float, by_frequency: float) -> Trouble:
    words = f"its held-out loss is {loss:.2f} nats, and a model that knows "
    bar = f"nothing has ln V = {knows_nothing:.2f}"
    if not loss < knows_nothing + 0.5:
        words += (
            f"{bar}: it is sure of the wrong tokens. Is this the tokenizer, and the text, that "
        )
        words += "it was trained with? Are the targets the next tokens?"
        return "worse than nothing", words
    if loss > knows_nothing - 0.5:
        words += f"{bar}. Has it been trained, and was it saved after that? Does each step end in "
        return "has not learned", words + "optimizer.step()?"
    if loss > by_frequency - BETTER:
        words += f"only how frequent each token is has {by_frequency:.2f}. Train it longer, with "
        return "only frequencies", words + "larger batches, or with a better learning rate."
    return None


def _length(corpus: Corpus, tokenizer: Tokenizer) -> float:
    """Characters per token in the held-out text: nats a token / this = nats a character."""
    text = corpus.heldout[: 10 * SCORED]
    allowed = "all" if corpus.documents else ()
    return len(own_text.characters(text)) / len(tokenizer.encode(text, allowed_special=allowed))


def _no_better_than_pairs(loss: float, pairs: float, corpus: Corpus) -> Trouble:
    """Both in nats a character, so that no tokenizer has an advantage."""
    if loss < CLEARLY * pairs:
        return None
    words = f"its held-out loss is {loss:.2f} nats a character, and a table of letter pairs has "
    words += f"{pairs:.2f}. " + (own_text.too_small(corpus) or "Train it longer, or make it wider.")
    return "no better than letter pairs", words


def _untrained_places(losses: Tensor, by_frequency: float) -> Trouble:
    """losses: (N, T). With more before it, no position should be worse than the first ones."""
    mean, T = losses.mean(0), losses.shape[1]
    cuts = sorted({T // 4, T // 2, 3 * T // 4} - {0})
    pairs = [(mean[:cut].mean().item(), mean[cut:].mean().item(), cut) for cut in cuts]
    before, after, cut = max(pairs, key=lambda pair: pair[1] - pair[0], default=(0.0, 0.0, 0))
    if before > by_frequency or after < before + UNTRAINED:
        return None
    words = f"its held-out loss is {before:.2f} nats at positions 1 to {cut} and {after:.2f} at "
    words += f"{cut + 1} to {T}. Train with rows as long as the model's block_size, {T}."
    return "untrained positions", words


# ---- Do the parts fit together? ----


@torch.no_grad()
def _another_model(loaded: GPT, trained: GPT | None) -> Trouble:
    if trained is None:
        return None
    if trained.config != loaded.config:
        return "another model", "the folder holds a model of another shape: save it again."
    generator = torch.Generator().manual_seed(0)
    size = (2, loaded.config.block_size)
    ids = torch.randint(loaded.config.vocab_size, size, generator=generator)
    was = trained.training
    mine, theirs = trained.eval()(ids.to(trained.device)).cpu().float(), loaded(ids)
    trained.train(was)
    pairs = zip(trained.parameters(), loaded.parameters())
    if not all(torch.equal(p.cpu().to(q.dtype), q) for p, q in pairs):
        words = "the folder holds other weights than your model has now: save it again."
        return "another model", words
    if not (mine - theirs).abs().max() <= AGREE:
        words = "with the same weights, your attention gives other logits than gptlib's, so the "
        words += "folder will not write what you trained. Is there a mask, and 1/sqrt(hs)?"
        return "another attention", words
    return None


def _other_merges(train_bpe: Callable | None, text: str) -> Trouble:
    """Not seen in the loss: shorter tokens are easier to predict, so junk may even lower it."""
    if train_bpe is None:
        return None
    found = run(train_bpe, (text, MERGES), lambda value: [tuple(pair) for pair in value])
    if found.kind:
        return found.kind, f"your train_bpe {found.trouble}"
    for place, (mine, its) in enumerate(zip_longest(found.value, gptlibs_bpe(text, MERGES)), 1):
        if mine != its:
            words = f"your train_bpe's merge {place} is {mine}, and gptlib's is {its}. "
            return "other merges", words + "checks.tokenizer.train(train_bpe) says more."
    return None


def _odd_sampler(sampler: Callable | None, size: int) -> Trouble:
    if sampler is None:
        return None
    logits = torch.randn(size, generator=torch.Generator().manual_seed(0))
    for given in SETTINGS:
        which = f"your sampler, at temperature {given[0]:g} and top_k {given[1]},"
        found = run(sampler, (logits, *given), numbers)
        if found.kind:
            return "sampler", f"{which} {found.trouble}"
        want = numbers(next_token_probs(logits, *given))
        mine, its = found.value.array, want.array
        if mine.shape != its.shape:
            return "sampler", f"{which} gives shape {mine.shape}, not {its.shape}."
        if found.value != want:
            k = int(np.argmax(np.abs(mine - its)))
            words = (
                f"{which} gives other probabilities than gptlib.next_token_probs: token {k} has "
            )
            return "sampler", words + f"{short(mine[k])}, and should have {short(its[k])}."
    return None
