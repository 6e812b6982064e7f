"""The spine of the course: the whole machine, alive, open at a lesson's station."""

import traitlets

from ..model import GPT
from ..tokenizer import Tokenizer
from ..trace import Trace, trace
from . import svg
from .explorer import Explorer
from .gpt2 import parts
from .shared import LARGEST, share_model, share_tokenizer
from .tokens import capped, token_name

STATIONS = ("text", "tokenizer", "embeddings", "attention", "feedforward", "logits", "sampling")
OPENED = (*STATIONS, "training")
LONGEST = 48  # tokens of a prompt, as in js/machine.js
WIDTH, CARD, STEP, LINE, ROWS = 880, 112, 128, 26, 4  # of the fallback's picture


class Machine(Explorer):
    """See `machine`."""

    SCRIPT = "machine"

    prompt = traitlets.Unicode().tag(sync=True)
    station = traitlets.Enum(OPENED).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    drawn = traitlets.List().tag(sync=True)  # ids, as the page has them

    def __init__(self, model, tokenizer, prompt, station, seed) -> None:
        shared = share_model(model)
        if shared is None:
            raise ValueError(f"the machine runs in the page: a GPT of {LARGEST:,} numbers at most")
        self.model, self.tokenizer = model, tokenizer
        super().__init__(
            settings={"parts": _learned(model)},
            prompt=prompt,
            station=station,
            seed=seed,
            shared_model=shared,
            shared_tokenizer=share_tokenizer(tokenizer),
        )

    def look(self) -> Trace:
        """The pass of the prompt as it stands."""
        ids = capped(self.tokenizer.encode(self.prompt, allowed_special="all"), LONGEST)
        return trace(self.model, ids)

    def draw(self) -> str:
        return machine_svg(self.look(), self.tokenizer, self.prompt, self.station, self.describe())

    def describe(self) -> str:
        seen = self.look()
        best = seen.probs[-1].argsort(descending=True, stable=True)[:ROWS].tolist()
        listed = ", ".join(
            f"{token_name(self.tokenizer, id)} {svg.chance(seen.probs[-1, id].item())}"
            for id in best
        )
        return (
            f"The whole machine, open at {self.station}. {self.prompt!r} becomes {len(seen.ids)} "
            f"tokens, then vectors of {seen.wte.shape[1]} numbers; {len(seen.layers)} layers of "
            f"attention and feedforward work on them; the next token: {listed}. One is drawn, "
            "joins the text, and it all begins again."
        )


def machine_svg(seen: Trace, tokenizer: Tokenizer, text: str, station: str, label: str) -> str:
    """The stations side by side, with what each makes of the last few tokens."""
    names = [token_name(tokenizer, id) for id in seen.ids.tolist()][-ROWS:]
    best = seen.probs[-1].argsort(descending=True, stable=True)[:ROWS].tolist()
    heads, hidden = seen.weights.shape[1], seen.layers[0].mlp_hidden.shape[1]
    inside = {
        "text": [text],
        "tokenizer": names,
        "embeddings": [f"{name} →{seen.wte.shape[1]}" for name in names],
        "attention": [f"{len(seen.layers)} layers,", f"{heads} heads each"],
        "feedforward": [f"{seen.wte.shape[1]} → {hidden}", f"→ {seen.wte.shape[1]}"],
        "logits": [
            f"{token_name(tokenizer, id)} {svg.two(seen.probs[-1, id].item())}" for id in best
        ],
        "sampling": ["one of them,", "at random"],
    }
    body = []
    for place, name in enumerate(STATIONS):
        x = STEP * place
        edge = svg.ORANGE if name == station else svg.GRID
        body.append(svg.rect(x + 1, 1, CARD, 34 + LINE * ROWS, stroke=edge, radius=6))
        body.append(svg.text(x + CARD / 2, 24, name, anchor="middle", bold=name == station))
        for line, words in enumerate(inside[name]):
            words = svg.clip(words, CARD - 12)
            body.append(svg.text(x + 8, 50 + LINE * line, words))
        if place:
            body.append(svg.text(x - 8, 80, "▸", anchor="middle", fill=svg.FAINT))
    foot = "The token that is drawn joins the text, and round it goes again."
    body.append(svg.text(0, 62 + LINE * ROWS, foot, fill=svg.FAINT))
    return svg.document("".join(body), STEP * 6 + CARD + 2, 72 + LINE * ROWS, label)


def _learned(model: GPT) -> dict[str, int]:
    """How many numbers training adjusts, by station; the head is the token table itself."""
    counted = parts(model.config)
    return {
        "embeddings": counted["tokens"] + counted["positions"],
        "attention": counted["attention"],
        "feedforward": counted["feedforward"],
        "layer norms": counted["norms"],
    }


def machine(
    model: GPT,
    tokenizer: Tokenizer,
    prompt: str = "The cat is",
    station: str = "text",
    seed: int = 0,
) -> Machine:
    """Follow a sentence through the whole machine, station by station, and round again.

    Args:
        station: the one that is open at first: "text", "tokenizer", "embeddings", "attention",
            "feedforward", "logits", "sampling" or "training".
        seed: the tokens drawn are those of `gptlib.generate` with a generator of this seed.

    Raises:
        ValueError: no station has that name, or the model is too large for a page.
    """
    if station not in OPENED:
        raise ValueError(f"station must be one of {', '.join(OPENED)}, not {station!r}")
    return Machine(model, tokenizer, prompt, station, seed)
