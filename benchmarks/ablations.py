"""Every "break it" of the course, measured the same way: `make ablations`.

Small models are trained with one thing broken, with three seeds each, and compared with the intact
ones by four metrics. Writes data/ablations.json, which the appendix notebook shows. This takes
about half an hour on one core; `--only` runs some rows again.
"""

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

import gptlib
from gptlib.ablations import FILE, METRICS
from gptlib.corpora import pets
from gptlib.formats.files import atomic_write, data_dir
from gptlib.training import evaluate

SEEDS = (0, 1, 2)
STORIES = 150  # sampled stories that are looked at
ROWS_SCORED = 60  # of 64 held-out tokens
RECIPE = {"steps": 1000, "batch_size": 32, "learning_rate": 1e-2, "warmup_steps": 20}
SHAPE = {"block_size": 64, "n_layer": 2, "n_head": 4, "n_embd": 32}

corpus = gptlib.corpora.load("pets")
tokenizer = gptlib.load("pets")[1]
tokens, heldout = corpus.encode(tokenizer)


def held_out_rows() -> tuple[Tensor, Tensor]:
    """Rows as in training: from a stop token on, 64 tokens, several stories. (N, T), (N, T)."""
    stops = (heldout == tokenizer.eos_id).nonzero().flatten().tolist()
    rows, start = [], stops[0]
    while len(rows) < ROWS_SCORED:
        rows.append(heldout[start : start + SHAPE["block_size"] + 1])
        start = next(stop for stop in stops if stop >= start + SHAPE["block_size"])
    rows = torch.stack(rows)
    return rows[:, :-1], rows[:, 1:]


def floor() -> float:
    """The loss of the true distribution on those rows, nats per token."""
    targets = held_out_rows()[1]
    texts = [tokenizer.decode(row) for row in targets.tolist()]
    return -sum(map(pets.log_prob, texts)) / targets.numel()


# ---- The metrics ----


def measure(model: gptlib.GPT, sampler: Callable = gptlib.generate) -> dict:
    """The metrics of `gptlib.ablations.METRICS`, and a story."""
    rows = held_out_rows()
    stories = sampled(model, sampler)
    return {
        "teacher_forced": evaluate(model, *rows),
        "prefix_only": prefix_only(model, *rows),
        "kl": kl_after_the_cat_is(model),
        "sayable": sum(map(can_say, stories)) / len(stories),
        "sample": stories[0],
    }


@torch.no_grad()
def prefix_only(model: gptlib.GPT, x: Tensor, y: Tensor) -> float:
    """Mean loss in nats where the model is given the words before and nothing else.

    The same as the teacher-forced loss, unless a model looks ahead.
    """
    losses = [gptlib.nll(model(x[:, : t + 1])[:, -1], y[:, t]) for t in range(x.shape[1])]
    return torch.stack(losses).mean().item()


@torch.no_grad()
def kl_after_the_cat_is(model: gptlib.GPT) -> float:
    truth = torch.zeros(tokenizer.vocab_size)
    for word, p in pets.next_words(pets.FIRST_LINE).items():
        truth[tokenizer.encode(f" {word}")] = p
    logits = model(torch.tensor([tokenizer.encode(pets.FIRST_LINE)]))[0, -1]
    # The limit keeps what a model rules out a number: e to the -30 is never.
    return gptlib.kl(truth, gptlib.softmax(logits.clamp(min=logits.max() - 30))).item()


def sampled(model: gptlib.GPT, sampler: Callable) -> list[str]:
    """Stories from "The" on, to the stop token or 40 tokens, drawn at temperature 1."""
    generator = torch.Generator().manual_seed(0)
    start = torch.tensor(tokenizer.encode("The")).repeat(STORIES, 1)
    stop = tokenizer.eos_id
    cached = not any(getattr(module, "causal", True) is False for module in model.modules())
    out = sampler(model, start, 40, eos_id=stop, generator=generator, use_cache=cached)
    return [tokenizer.decode(row).split(pets.STOP)[0] for row in out.tolist()]


def can_say(story: str) -> bool:
    """Is it a whole story of the grammar?"""
    try:
        pets.log_prob(story + pets.STOP)
    except ValueError:
        return False
    return True


# ---- What is broken: each gives back a trained model ----


def train(
    seed: int, *parts: str, trainer=gptlib.Trainer, text: Tensor = tokens, **other
) -> gptlib.GPT:
    """A model trained from scratch without `parts`; `other` changes the shape or the recipe."""
    shape = SHAPE | {name: other.pop(name) for name in list(other) if name in SHAPE}
    model = gptlib.GPT(gptlib.GPTConfig(tokenizer.vocab_size, **shape), seed=seed)
    model = gptlib.ablate(model, *parts)
    recipe = {"eos_id": tokenizer.eos_id, "optimizer": "adamw"} | RECIPE | other
    config = gptlib.TrainConfig(seed=seed, device="cpu", **recipe)
    for _ in trainer(model, text, config):
        pass
    return model.eval()


class NotShifted(gptlib.Trainer):
    """Each token's target is the token itself."""

    def batch(self, step, part=0):
        x, _ = super().batch(step, part)
        return x, x


class NeverZeroed(gptlib.Trainer):
    """Gradients pile up from step to step."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.model.zero_grad = lambda: None


class SoftmaxTwice(gptlib.Trainer):
    """The loss is given probabilities and takes them for logits."""

    def _loss(self, x, y, part):
        return gptlib.nll(gptlib.softmax(self.model(x)), y)


def permuted(seed: int) -> gptlib.GPT:
    """Ids given to tokens at random; put back afterwards by moving the rows of the table."""
    order = torch.randperm(tokenizer.vocab_size, generator=torch.Generator().manual_seed(seed))
    model = train(seed, text=order[tokens], eos_id=order[tokenizer.eos_id].item())
    with torch.no_grad():
        model.wte.weight.copy_(model.wte.weight[order].clone())
    return model


def one_sentence(seed: int) -> gptlib.GPT:
    """Trained on nothing but one story."""
    story = f"The cat is sleeping. It purrs.{pets.STOP}"
    ids = torch.tensor(tokenizer.encode(story, allowed_special="all"))
    return train(seed, text=ids.repeat(100))


# ---- Samplers that are broken ----


def hot(model: gptlib.GPT, ids: Tensor, n: int, **how) -> Tensor:
    return gptlib.generate(model, ids, n, temperature=5.0, **how)


def by_hand(model: gptlib.GPT, ids: Tensor, n: int, *, generator, appends=True, k=None, **_):
    """The loop of lesson 07 with one thing wrong."""
    drawn = []
    for _ in range(n):
        with torch.no_grad():
            p = gptlib.softmax(model(ids)[:, -1])  # (B, V)
        if k is not None:  # the others are set to 0, and the rest still sums to less than 1
            p = torch.where(p >= p.topk(k).values[:, -1:], p, 0.0)
        u = torch.rand(len(ids), 1, generator=generator)
        token = torch.searchsorted(p.cumsum(-1), u).clamp(max=p.shape[1] - 1)  # (B, 1)
        drawn.append(token)
        ids = torch.cat([ids, token], dim=1) if appends else ids
    return torch.cat([ids[:, :1], *drawn], dim=1)


def not_renormalised(*arguments, **how):
    return by_hand(*arguments, k=2, **how)


def never_appended(*arguments, **how):
    return by_hand(*arguments, appends=False, **how)


# ---- The table ----


@dataclass(frozen=True)
class Row:
    """One thing broken. `against` names the row that is the same but whole."""

    name: str
    lesson: str
    build: Callable[[int], gptlib.GPT]
    against: str = "nothing"
    sampler: Callable = gptlib.generate


HOT = 0.1  # a learning rate at which a model without layer norms suffers
DEEP = {"n_layer": 8, "steps": 500}
ROWS = (
    Row("nothing", "", train),
    Row("the ids, shuffled", "01", permuted),
    Row("positions", "02", lambda seed: train(seed, "positions")),
    Row("one of two layers", "02", lambda seed: train(seed, n_layer=1)),
    Row(
        "positions, of one layer",
        "02",
        lambda seed: train(seed, "positions", n_layer=1),
        "one of two layers",
    ),
    Row("the mask", "03", lambda seed: train(seed, "mask")),
    Row("the scaling of the scores", "03", lambda seed: train(seed, "scaling")),
    Row("attention", "03", lambda seed: train(seed, "attention")),
    Row("the feedforward", "04", lambda seed: train(seed, "feedforward")),
    Row("the layer norms", "04", lambda seed: train(seed, "layernorm")),
    Row("nothing, high learning rate", "04", lambda seed: train(seed, learning_rate=HOT)),
    Row(
        "the layer norms, high learning rate",
        "04",
        lambda seed: train(seed, "layernorm", learning_rate=HOT),
        "nothing, high learning rate",
    ),
    Row("nothing, 8 layers", "04", lambda seed: train(seed, **DEEP)),
    Row(
        "the residual, 8 layers",
        "04",
        lambda seed: train(seed, "residual", **DEEP),
        "nothing, 8 layers",
    ),
    Row("softmax, applied twice", "05", lambda seed: train(seed, trainer=SoftmaxTwice)),
    Row("the shift of the targets", "06", lambda seed: train(seed, trainer=NotShifted)),
    Row("zero_grad", "06", lambda seed: train(seed, trainer=NeverZeroed)),
    Row("all stories but one", "06", one_sentence),
    Row("sampling at T = 5, no filter", "07", train, sampler=hot),
    Row("top-2 without renormalising", "07", train, sampler=not_renormalised),
    Row("the new token, never appended", "07", train, sampler=never_appended),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[row.name for row in ROWS])
    only = parser.parse_args().only or [row.name for row in ROWS]
    path = data_dir() / FILE
    known = {}
    if path.exists():
        known = {row["name"]: row for row in json.loads(path.read_text(encoding="utf-8"))["rows"]}
    whole: dict[int, gptlib.GPT] = {}
    for row in ROWS:
        if row.name not in only:
            continue
        found = []
        for seed in SEEDS:
            if row.build is train and seed not in whole:
                whole[seed] = train(seed)
            model = whole[seed] if row.build is train else attempt(row.build, seed)
            found.append(measure(model, row.sampler) if model else DIVERGED)
        known[row.name] = as_json(row, found)
        print(known[row.name], flush=True)
        write(path, [known[row.name] for row in ROWS if row.name in known])


DIVERGED = dict.fromkeys(METRICS, math.inf) | {"sayable": 0.0, "sample": "(the loss blew up)"}


def attempt(build: Callable, seed: int) -> gptlib.GPT | None:
    """The model, or None where the loss stopped being a number."""
    try:
        return build(seed)
    except FloatingPointError:
        return None


def as_json(row: Row, found: list[dict]) -> dict:
    values = {
        m: [round(one[m], 4) if one[m] < math.inf else None for one in found] for m in METRICS
    }
    about = {"name": row.name, "lesson": row.lesson, "against": row.against}
    return about | values | {"sample": found[0]["sample"]}


def rounded(value: float) -> float | None:
    return round(value, 4) if value < math.inf else None


def write(path, rows: list[dict]) -> None:
    about = {
        "command": "make ablations",
        "seeds": SEEDS,
        "rows_scored": ROWS_SCORED,
        "stories": STORIES,
        "recipe": RECIPE | SHAPE,
        "floor": round(floor(), 4),
        "rows": rows,
    }
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
