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
ROWS, COLUMNS = 4, 4  # of the fallback's picture: tokens in a card, cards side by side
CARD, HIGH, STEP, GAP, EDGE = 148, 138, 168, 12, 8  # in pixels: a card, and what lies around it
TRAINS = "adjusts the numbers from embeddings to logits"  # as js/machine.js says it
LINE, CLOSE, WRAPPED = 26, 16, 6  # from line to line, the same in a text, and its lines


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
    """The stations in two rows, with what each makes of the last few tokens, and training."""
    names = [token_name(tokenizer, id) for id in seen.ids.tolist()][-ROWS:]
    best = seen.probs[-1].argsort(descending=True, stable=True)[:ROWS].tolist()
    heads, hidden = seen.weights.shape[1], seen.layers[0].mlp_hidden.shape[1]
    size = seen.wte.shape[1]
    inside = {
        "text": [(words, "") for words in _lines(text)],
        "tokenizer": [(name, "") for name in names],
        "embeddings": [(name, f"→ {size}") for name in names],
        "attention": [(f"{len(seen.layers)} layers,", ""), (f"{heads} heads in each", "")],
        "feedforward": [(f"{size} → {hidden} → {size}", "")],
        "logits": [
            (token_name(tokenizer, id), svg.chance(seen.probs[-1, id].item())) for id in best
        ],
        "sampling": [("one of them,", ""), ("at random", "")],
        "training": [(words, "") for words in _lines(TRAINS)],
    }
    body = []
    for place, (name, rows) in enumerate(inside.items()):
        x, y = STEP * (place % COLUMNS), (HIGH + GAP) * (place // COLUMNS)
        edge = svg.ORANGE if name == station else svg.GRID
        body.append(svg.rect(x + 1, y + 1, CARD, HIGH, stroke=edge, radius=6))
        title = svg.text(x + 1 + CARD / 2, y + 24, name, anchor="middle", bold=name == station)
        body.append(title)
        line = CLOSE if name in ("text", "training") else LINE
        for k, (words, number) in enumerate(rows):
            body += _row(x + 1, y + 50 + line * k, words, number)
        if name in STATIONS[:-1]:
            body.append(svg.text(x + CARD + 10, y + 80, "▸", anchor="middle", fill=svg.FAINT))
    bottom = 2 * HIGH + GAP
    foot = "The token that is drawn joins the text, and round it goes again."
    body.append(svg.text(0, bottom + 26, foot, fill=svg.FAINT))
    return svg.document("".join(body), STEP * COLUMNS, bottom + 36, label)


def _row(x: float, y: float, words: str, number: str) -> list[str]:
    """Words and a number at the right end of a card: long words are cut, and the number is not."""
    room = CARD - 2 * EDGE - (svg.text_width(number) + EDGE if number else 0)
    row = [svg.text(x + EDGE, y, svg.clip(words, room))]
    return [*row, svg.text(x + CARD - EDGE, y, number, anchor="end")] if number else row


def _lines(text: str) -> list[str]:
    """A text in lines as wide as a card; the end of one that has no room there."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and svg.text_width(longer) > CARD - 2 * EDGE:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines if len(lines) <= WRAPPED else ["…", *lines[1 - WRAPPED :]]


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
