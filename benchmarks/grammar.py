"""Does the pets grammar need what the course teaches? `python -m benchmarks.grammar`

Trains the same recipe with one thing missing and holds each held-out loss against the floor. A
part that is not missed would not need a lesson. Most words need no more than a look back, so the
loss is also taken over the answers alone ("The ball of Mia is red"), of which the truth is sure:
there the floor is 0. About five minutes for each row and seed.
"""

import argparse
import math
from collections import Counter
from collections.abc import Iterable
from statistics import median

import torch

import gptlib
from gptlib.corpora import pets
from gptlib.scale.rows import NO_TARGET, evaluation_rows
from gptlib.training import evaluate

WITHOUT = {
    "the second layer": (1, ()),
    "attention": (2, ("attention",)),
    "positions": (2, ("positions",)),
    "positions and the second layer": (1, ("positions",)),
    "feedforward": (2, ("feedforward",)),
}


def bigram_loss(train: str, heldout: str) -> float:
    """Held-out loss, nats per word, of the best table of "what follows this word"."""
    words = [pets.STOP, *pets.split(train)]
    pairs, firsts = Counter(zip(words, words[1:], strict=False)), Counter(words[:-1])
    held = [pets.STOP, *pets.split(heldout)]
    losses = [-math.log(pairs[a, b] / firsts[a]) for a, b in zip(held, held[1:], strict=False)]
    return sum(losses) / len(losses)


def trained_losses(
    corpus: gptlib.corpora.Corpus, n_layer: int, parts: Iterable[str], steps: int, seed: int
) -> tuple[float, float]:
    """`losses_of` a model trained from scratch without `parts`, as the shipped one was."""
    tokenizer = gptlib.load("pets")[1]
    shape = gptlib.GPTConfig(tokenizer.vocab_size, 64, n_layer, 4, 64)
    model = gptlib.ablate(gptlib.GPT(shape, seed=seed), *parts)
    config = gptlib.TrainConfig(
        steps=steps,
        batch_size=64,
        learning_rate=4e-3,
        final_learning_rate=4e-5,
        warmup_steps=50,
        beta2=0.95,
        optimizer="adamw",
        eos_id=tokenizer.eos_id,
        seed=seed,
    )
    for _ in gptlib.Trainer(model, corpus.encode(tokenizer)[0], config):
        pass
    return losses_of(model, corpus)


def losses_of(model: gptlib.GPT, corpus: gptlib.corpora.Corpus) -> tuple[float, float]:
    """Held-out loss, and that of the answers alone, in nats per token."""
    tokenizer = gptlib.load("pets")[1]
    heldout = corpus.encode(tokenizer)[1]
    x, y = evaluation_rows(heldout, model.config.block_size, tokenizer.eos_id)
    return evaluate(model, x, y), evaluate(model, x, only_answers(x, y, tokenizer))


def only_answers(x: torch.Tensor, y: torch.Tensor, tokenizer: gptlib.Tokenizer) -> torch.Tensor:
    """The targets, NO_TARGET where the word is not the colour after "The ball of Mia is"."""
    of, is_ = (tokenizer.encode(f" {word}")[0] for word in ("of", "is"))
    asked = (x == is_) & (torch.roll(x, 2, dims=1) == of)
    return y.where(asked, NO_TARGET)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    corpus = gptlib.corpora.load("pets")
    # Every word is one token, so losses per word and per token are the same.
    floor = pets.floor(corpus.heldout, len(pets.split(corpus.heldout)))
    print(f"{arguments.steps} steps, {arguments.seeds} seeds; floor {floor:.3f} nats per token\n")
    print("| without | held-out loss | over the floor | loss of the answers |\n|---|---|---|---|")
    loss = bigram_loss(corpus.train, corpus.heldout)
    print(f"| all but the last word (best bigram) | {loss:.3f} | {loss / floor - 1:.1%} | |")
    loss, answers = losses_of(gptlib.load("pets")[0], corpus)
    print(f"| nothing: the shipped model | {loss:.3f} | {loss / floor - 1:.1%} | {answers:.3f} |")
    for name, (n_layer, parts) in WITHOUT.items():
        seeds = range(arguments.seeds)
        losses = [trained_losses(corpus, n_layer, parts, arguments.steps, seed) for seed in seeds]
        loss, answers = (median(column) for column in zip(*losses, strict=True))
        print(f"| {name} | {loss:.3f} | {loss / floor - 1:.1%} | {answers:.3f} |", flush=True)


if __name__ == "__main__":
    main()
