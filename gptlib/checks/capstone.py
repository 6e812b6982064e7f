"""The capstone: does a folder that a student made hold a GPT, its tokenizer, and learning?

Also gptlib's parts in the form of the exercises, to stand in for a student's.
"""

import math
from collections.abc import Callable
from itertools import zip_longest

import torch
from torch import Tensor

from .. import corpora
from ..attention import fast_attention, merge_heads, split_heads
from ..checkpoint import load
from ..model import GPT
from ..sampling import next_token_probs
from ..tokenizer import Tokenizer
from ..training import TrainConfig, Trainer, evaluate, evaluation_rows
from .verdict import Verdict

SCORED = 4_000  # tokens of held-out text
READ, MERGES = 2_000, 30  # characters and merges on which two trainings of BPE are compared
AGREE = 1e-3  # logits of the same weights, by the student's attention and by gptlib's
SETTINGS = ((1.0, None, None), (0.5, 2, None), (0.0, None, None))  # temperature, top_k, top_p


def gptlibs_bpe(text: str, n_merges: int) -> list[tuple[int, int]]:
    """The merges that gptlib learns; in place of lesson 01's exercise 3."""
    return Tokenizer.train(text, 256 + n_merges, special_tokens=()).merges


def gptlibs_attention(q: Tensor, k: Tensor, v: Tensor, n_head: int) -> Tensor:
    """Causal attention in heads, (B, T, C) three times -> (B, T, C); in place of lesson 03's."""
    return merge_heads(fast_attention(*(split_heads(part, n_head) for part in (q, k, v))))


def gptlibs_training(model: GPT, tokens: Tensor, steps: int) -> None:
    """gptlib's training loop; in place of lesson 06's exercise 3. tokens: (N,) ids."""
    config = TrainConfig(steps, learning_rate=5e-3, device="cpu", optimizer="adamw")
    for _ in Trainer(model, tokens, config):
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
        right, name, words = _judge(folder, corpus, train_bpe, model, sampler)
    except Exception as error:  # whatever the student's parts raise
        right, name = False, "stopped"
        words = f"stops with {type(error).__name__}: {error}"
    verdict = Verdict(right, f"{'✔' if right else '✘'} capstone: {words}", name)
    print(verdict.words)
    return verdict


def _judge(folder, corpus, train_bpe, trained, sampler) -> tuple[bool, str, str]:
    try:
        model, tokenizer = load(folder)
    except (OSError, ValueError) as error:
        words = f"gptlib.load cannot open it. {error}"
        return False, "not a folder that opens", words
    ids, vocab_size = tokenizer.vocab_size, model.config.vocab_size
    if ids != vocab_size:
        return (
            False,
            "tokenizer does not fit",
            f"the tokenizer has {ids} ids and the model {vocab_size}: is it another model's "
            "tokenizer? GPTConfig(tokenizer.vocab_size, ...) makes them fit.",
        )
    corpus = corpora.load(corpus) if not isinstance(corpus, corpora.Corpus) else corpus
    loss = _heldout_loss(model, tokenizer, corpus)
    knows_nothing = math.log(vocab_size)
    if not loss < knows_nothing - 0.5:
        return False, *_no_better(loss, knows_nothing)
    trouble = (
        _another_model(model, trained)
        or _odd_sampler(sampler, vocab_size)
        or _other_merges(train_bpe, corpus.train[:READ])
    )
    if trouble:
        return False, *trouble
    return (
        True,
        "",
        f"it opens: {ids} tokens, {model.n_params():,} parameters. Held-out loss {loss:.2f} nats a "
        f"token; one who knows nothing has ln {vocab_size} = {knows_nothing:.2f}.",
    )


def _heldout_loss(model, tokenizer, corpus) -> float:
    tokens = corpus.encode(tokenizer)[1][:SCORED]
    return evaluate(model, *evaluation_rows(tokens, model.config.block_size))


def _no_better(loss: float, knows_nothing: float) -> tuple[str, str]:
    seen = f"its held-out loss is {loss:.2f} nats, and one who knows nothing has "
    seen += f"ln V = {knows_nothing:.2f}"
    if loss > knows_nothing + 0.5:
        return (
            "worse than nothing",
            f"{seen}: it is sure of the wrong tokens. Is this the tokenizer, and the text, that it "
            "was trained with? Are the targets the next tokens?",
        )
    return (
        "has not learned",
        f"{seen}. Has it been trained, and was it saved after that? Does each step end in "
        "optimizer.step()?",
    )


@torch.no_grad()
def _another_model(loaded: GPT, trained: GPT | None) -> tuple[str, str] | None:
    if trained is None:
        return None
    if trained.config != loaded.config:
        return "another model", "the folder holds a model of another shape: save it again."
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(
        loaded.config.vocab_size, (2, loaded.config.block_size), generator=generator
    )
    was = trained.training
    mine, theirs = trained.eval()(ids.to(trained.device)).cpu(), loaded(ids)
    trained.train(was)
    if all(torch.equal(p.cpu(), q) for p, q in zip(trained.parameters(), loaded.parameters())):
        if (mine - theirs).abs().max() > AGREE:
            return (
                "another attention",
                "with the same weights, your attention gives other logits than gptlib's, so the "
                "folder will not write what you trained. Is there a mask, and 1/sqrt(hs)?",
            )
        return None
    return "another model", "the folder holds other weights than your model has now: save it again."


def _other_merges(train_bpe: Callable | None, text: str) -> tuple[str, str] | None:
    """Not seen in the loss: shorter tokens are easier to foretell, so junk may even lower it."""
    if train_bpe is None:
        return None
    found = [tuple(pair) for pair in train_bpe(text, MERGES)]
    for place, (mine, its) in enumerate(zip_longest(found, gptlibs_bpe(text, MERGES)), 1):
        if mine != its:
            return (
                "other merges",
                f"your train_bpe's merge {place} is {mine}, and gptlib's is {its}. "
                "checks.tokenizer.train(train_bpe) says more.",
            )
    return None


def _odd_sampler(sampler: Callable | None, size: int) -> tuple[str, str] | None:
    if sampler is None:
        return None
    logits = torch.randn(size, generator=torch.Generator().manual_seed(0))
    for temperature, top_k, top_p in SETTINGS:
        given = f"your sampler, at temperature {temperature:g} and top_k {top_k},"
        try:
            probs = torch.as_tensor(sampler(logits.clone(), temperature, top_k, top_p))
        except Exception as error:
            return "sampler", f"{given} stops with {type(error).__name__}: {error}"
        want = next_token_probs(logits, temperature, top_k, top_p)
        if probs.shape != want.shape:
            return "sampler", f"{given} gives shape {tuple(probs.shape)}, not {tuple(want.shape)}."
        if not torch.allclose(probs.float(), want, atol=1e-4):
            return "sampler", f"{given} gives other probabilities than gptlib.next_token_probs."
    return None
