"""Does the pets grammar need what the course teaches? `python -m benchmarks.grammar`

Trains the same recipe with one thing missing, over three seeds, and holds each held-out loss
against the floor. A part that is not missed would not need a lesson. About half an hour.
"""

import argparse
import math
from collections import Counter
from collections.abc import Iterable
from statistics import median

import gptlib
from gptlib.corpora import pets

WITHOUT = {
    "nothing (the shipped shape)": (2, ()),
    "one layer": (1, ()),
    "positions": (2, ("positions",)),
    "positions, one layer": (1, ("positions",)),
    "attention": (2, ("attention",)),
    "feedforward": (2, ("feedforward",)),
}


def bigram_loss(train: str, heldout: str) -> float:
    """Held-out loss, nats per word, of the best table of "what follows this word"."""
    words = [pets.STOP, *pets.split(train)]
    pairs, firsts = Counter(zip(words, words[1:], strict=False)), Counter(words[:-1])
    held = [pets.STOP, *pets.split(heldout)]
    losses = [-math.log(pairs[a, b] / firsts[a]) for a, b in zip(held, held[1:], strict=False)]
    return sum(losses) / len(losses)


def trained_loss(corpus, n_layer: int, parts: Iterable[str], steps: int, seed: int) -> float:
    """Held-out loss, nats per token, after training from scratch without `parts`."""
    tokenizer = gptlib.load("pets")[1]
    tokens, heldout = corpus.encode(tokenizer)
    shape = gptlib.GPTConfig(tokenizer.vocab_size, 64, n_layer, 4, 64)
    model = gptlib.ablate(gptlib.GPT(shape, seed=seed), *parts)
    config = gptlib.TrainConfig(
        steps=steps,
        batch_size=64,
        learning_rate=4e-3,
        final_learning_rate=4e-5,
        warmup_steps=50,
        beta2=0.95,
        eval_every=steps,
        eval_rows=None,
        eos_id=tokenizer.eos_id,
        seed=seed,
    )
    trainer = gptlib.Trainer(model, tokens, config, heldout)
    for _ in trainer:
        pass
    return trainer.val_loss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    corpus = gptlib.corpora.load("pets")
    # Every word is one token, so losses per word and per token are the same.
    floor = pets.floor(corpus.heldout, len(pets.split(corpus.heldout)))
    print(f"{arguments.steps} steps, {arguments.seeds} seeds; floor {floor:.3f} nats per token\n")
    print("| without | held-out loss, median (each) | over the floor |\n|---|---|---|")
    loss = bigram_loss(corpus.train, corpus.heldout)
    print(f"| all but the last word (best bigram) | {loss:.3f} | {loss / floor - 1:.0%} |")
    for name, (n_layer, parts) in WITHOUT.items():
        seeds = range(arguments.seeds)
        losses = [trained_loss(corpus, n_layer, parts, arguments.steps, seed) for seed in seeds]
        each = ", ".join(f"{loss:.3f}" for loss in losses)
        middle = median(losses)
        print(f"| {name} | {middle:.3f} ({each}) | {middle / floor - 1:.0%} |", flush=True)


if __name__ == "__main__":
    main()
