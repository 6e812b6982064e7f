"""Lesson 08's explorer: a GPT's parameters by part, and what a token costs, from its shape alone.

Nothing is built or run: `parts` counts on paper, and a test holds it against real models.
"""

import traitlets

from ..model import GPTConfig
from . import svg
from .explorer import Explorer

SHAPES = {
    "pets": GPTConfig(397, 64, 2, 4, 64),
    "gpt2": GPTConfig(),
    "gpt2-medium": GPTConfig(n_layer=24, n_head=16, n_embd=1024),
    "gpt2-large": GPTConfig(n_layer=36, n_head=20, n_embd=1280),
    "gpt2-xl": GPTConfig(n_layer=48, n_head=25, n_embd=1600),
}
STORED = (("4 bytes (float32)", 4), ("2 bytes (float16)", 2), ("1 byte (int8)", 1))
WIDTH, TRACK, BAR, STEP = 880, 120, 480, 26
UNITS = (" ", " k", " M", " G", " T")


def parts(config: GPTConfig) -> dict[str, int]:
    """How many parameters each part of a model of this shape has; the tied head counts once.

    >>> parts(SHAPES["gpt2"])["feedforward"], sum(parts(SHAPES["gpt2"]).values())
    (56669184, 124439808)
    """
    c, n_layer = config.n_embd, config.n_layer
    return {
        "tokens": config.vocab_size * c,
        "positions": config.block_size * c,
        "attention": n_layer * (4 * c * c + 4 * c),  # c_attn 3C x C, c_proj C x C, their biases
        "feedforward": n_layer * (8 * c * c + 5 * c),  # c_fc 4C x C, c_proj C x 4C, their biases
        "norms": (2 * n_layer + 1) * 2 * c,  # a gain and a bias each
    }


def costs(config: GPTConfig, n_tokens: int, stored: int, bandwidth: float) -> dict[str, float]:
    """What the next token costs when a cache holds n_tokens.

    Args:
        stored: bytes per number, in weights and cache. bandwidth: bytes per second.

    Returns:
        weights and cache in bytes; flops, two for each number of both; seconds, to read both once.
    """
    total = sum(parts(config).values())
    weights = total * stored
    cached = 2 * config.n_layer * config.n_embd * n_tokens  # a key and a value in each layer
    cache = cached * stored
    return {
        "weights": weights,
        "cache": cache,
        "flops": 2 * (total + cached),
        "seconds": (weights + cache) / bandwidth,
    }


def in_units(value: float, unit: str) -> str:
    """Three digits and a prefix.

    >>> in_units(497_759_232, "B"), in_units(96, "B"), in_units(0, "B")
    ('498 MB', '96 B', '0 B')
    """
    power = 0
    while value >= 999.5 and power < len(UNITS) - 1:
        value, power = value / 1000, power + 1
    return f"{_three(value)}{UNITS[power]}{unit}"


def _three(value: float) -> str:
    """Three digits, written out.

    >>> _three(38_412), _three(0.01234)
    ('38,400', '0.0123')
    """
    return f"{float(f'{value:.3g}'):,.10g}"


def size_svg(config: GPTConfig, n_tokens: int, stored: int, bandwidth: float) -> str:
    """Bars of the parameters by part, and below them the costs of a token."""
    counted = parts(config)
    total = sum(counted.values())
    title = f"{total:,} parameters: {config.n_layer} layers, width {config.n_embd:,}"
    body = [svg.text(0, 18, title, bold=True)]
    for place, (name, count) in enumerate(counted.items()):
        y, share = 34 + STEP * place, count / total
        body.append(svg.text(TRACK - 10, y + 15, name, anchor="end"))
        body.append(svg.rect(TRACK, y + 2, BAR * max(share, 0.002), 17, fill=svg.BLUE, hint=name))
        body.append(svg.text(760, y + 15, f"{count:,}", anchor="end"))
        body.append(svg.text(WIDTH - 30, y + 15, f"{100 * share:.1f}%", anchor="end"))
    top = 34 + STEP * len(counted) + 26
    for place, line in enumerate(said(config, n_tokens, stored, bandwidth)):
        body.append(svg.text(0, top + 22 * place, line))
    label = f"{title}. {_spoken(counted)}. {' '.join(said(config, n_tokens, stored, bandwidth))}"
    return svg.document("".join(body), WIDTH, top + 22 * 3 + 6, label)


def said(config: GPTConfig, n_tokens: int, stored: int, bandwidth: float) -> list[str]:
    """The costs in sentences."""
    cost = costs(config, n_tokens, stored, bandwidth)
    alone = cost["weights"] / bandwidth
    more = 100 * cost["cache"] / cost["weights"]
    return [
        f"Memory: weights {in_units(cost['weights'], 'B')}, cache of {n_tokens:,} tokens "
        f"{in_units(cost['cache'], 'B')} ({more:.1f}% more).",
        f"The next token: {in_units(cost['flops'], 'FLOPs')}, and "
        f"{_three(1000 * cost['seconds'])} ms to read both ({_three(1000 * alone)} ms for the "
        "weights).",
        f"So at most {_three(1 / cost['seconds'])} tokens per second.",
    ]


def _spoken(counted: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counted.items())


class SizeExplorer(Explorer):
    """See `size_explorer`."""

    SCRIPT = "size_explorer"

    layers = traitlets.Int().tag(sync=True)
    width = traitlets.Int().tag(sync=True)
    vocabulary = traitlets.Int().tag(sync=True)
    block = traitlets.Int().tag(sync=True)  # the longest context
    cached = traitlets.Int().tag(sync=True)  # tokens
    bandwidth = traitlets.Float(20.0).tag(sync=True)  # GB per second
    stored = traitlets.Int(4).tag(sync=True)  # bytes per number

    def __init__(self, shape: str) -> None:
        first = _named(SHAPES[shape])
        shapes = {name: _named(config) for name, config in SHAPES.items()}
        settings = {"shapes": shapes, "stored": [list(pair) for pair in STORED]}
        super().__init__(settings=settings, cached=min(256, first["block"]), **first)

    def take(self, name: str) -> None:
        """The shape of one of the models."""
        for trait, value in _named(SHAPES[name]).items():
            setattr(self, trait, value)
        self.cached = min(self.cached, self.block)

    def counted(self) -> tuple[GPTConfig, int, int, float]:
        """What `size_svg` takes, as the controls are."""
        # How many heads share the width changes no count.
        config = GPTConfig(self.vocabulary, self.block, self.layers, 1, self.width)
        return config, self.cached, self.stored, self.bandwidth * 1e9

    def draw(self) -> str:
        return size_svg(*self.counted())

    def describe(self) -> str:
        total = sum(parts(self.counted()[0]).values())
        return f"Size explorer: {total:,} parameters. {' '.join(said(*self.counted()))}"


def _named(config: GPTConfig) -> dict[str, int]:
    """A shape by the names of the controls."""
    return {
        "layers": config.n_layer,
        "width": config.n_embd,
        "vocabulary": config.vocab_size,
        "block": config.block_size,
    }


def size_explorer(shape: str = "gpt2") -> SizeExplorer:
    """Choose a GPT's shape, and read its parameters by part, its memory and its time per token.

    Args:
        shape: to begin with, one of "pets", "gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl".

    Raises:
        ValueError: no shape has that name.
    """
    if shape not in SHAPES:
        raise ValueError(f"shape must be one of {', '.join(SHAPES)}, not {shape!r}")
    return SizeExplorer(shape)
