"""Makes every file of this folder again: `make data`. About ten minutes on two cores.

The texts come out the same on every machine. The weights are trained from the same seed, yet
floating-point sums differ between processors, so theirs agree to a few digits and no further.
"""

import hashlib
import json
import warnings
from pathlib import Path

import torch

import gptlib
from gptlib.corpora import pets
from gptlib.formats.files import atomic_write
from gptlib.storage import checkpoint

FOLDER = Path(__file__).resolve().parent / "pets"
TRAIN_DOCUMENTS, HELDOUT_DOCUMENTS = 50_000, 1_000
TRAIN_SEED, HELDOUT_SEED, MODEL_SEED = 1, 2, 0
SNAPSHOTS = (0, 10, 30, 100, 200, 400, 700, 1000, 1500, 2500, 4000)  # and the last step
SHAPE = {"block_size": 64, "n_layer": 2, "n_head": 4, "n_embd": 64}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, n_documents, seed in (
        ("train.txt", TRAIN_DOCUMENTS, TRAIN_SEED),
        ("heldout.txt", HELDOUT_DOCUMENTS, HELDOUT_SEED),
    ):
        text = pets.sample(n_documents, seed)
        with atomic_write(FOLDER / name) as temporary:
            temporary.write_bytes(text.encode())
        print(name, hashlib.sha256(text.encode()).hexdigest())
    train_model()


def train_model() -> None:
    """Tokenizer, model, snapshots and losses, from the texts as they now stand."""
    corpus = gptlib.corpora.load("pets")
    with warnings.catch_warnings():
        # Every word is a piece and every piece becomes one token: then no pair is left, so more
        # is asked for than there is, on purpose.
        warnings.simplefilter("ignore", UserWarning)
        tokenizer = gptlib.Tokenizer.train(corpus.train, 2000)
    tokens, heldout = corpus.encode(tokenizer)
    model = gptlib.GPT(gptlib.GPTConfig(vocab_size=tokenizer.vocab_size, **SHAPE), seed=MODEL_SEED)
    config = gptlib.TrainConfig(
        steps=5000,
        batch_size=64,
        learning_rate=4e-3,
        final_learning_rate=4e-5,
        warmup_steps=50,
        beta2=0.95,
        optimizer="adamw",
        eval_every=100,
        eval_rows=None,
        eos_id=tokenizer.eos_id,
        seed=MODEL_SEED,
        device="cpu",
    )
    trainer = gptlib.Trainer(model, tokens, config, heldout)
    floor = pets.floor(corpus.heldout, len(heldout))
    snapshots = {0: checkpoint.to_hf_tensors(model)}
    losses = {"loss": [], "val_loss": [(0, round(trainer.evaluate(), 5))], "floor": floor}
    for step in trainer.progress():
        if step.step in SNAPSHOTS or step.step == config.steps:
            snapshots[step.step] = checkpoint.to_hf_tensors(model)
        if step.step <= 100 or step.step % 10 == 0:
            losses["loss"].append((step.step, round(step.loss, 5)))
        if step.val_loss is not None:
            losses["val_loss"].append((step.step, round(step.val_loss, 5)))
    checkpoint.save(FOLDER, model, tokenizer)
    checkpoint.save_history(FOLDER, snapshots, losses)
    report(model, tokenizer, trainer.val_loss, floor)


def report(model: gptlib.GPT, tokenizer: gptlib.Tokenizer, val_loss: float, floor: float) -> None:
    """What the course promises of this model, printed as a line of JSON."""
    words = pets.next_words(pets.FIRST_LINE)
    truth = torch.zeros(tokenizer.vocab_size)
    for word, p in words.items():
        truth[tokenizer.encode(f" {word}")] = p
    with torch.no_grad():
        logits = model(torch.tensor([tokenizer.encode(pets.FIRST_LINE)]))[0, -1]
    probs = gptlib.softmax(logits)
    said = {word: round(probs[tokenizer.encode(f" {word}")].item(), 4) for word in words}
    print(
        json.dumps(
            {
                "parameters": model.n_params(),
                "vocab_size": tokenizer.vocab_size,
                "held-out loss / floor": round(val_loss / floor, 4),
                "KL to truth (nats)": round(gptlib.kl(truth, probs).item(), 5),
                "The cat is": said,
            }
        )
    )


if __name__ == "__main__":
    main()
