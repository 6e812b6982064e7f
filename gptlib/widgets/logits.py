"""Lesson 05's first explorer: a handful of logits, and the probabilities that they become."""

import math
from collections.abc import Mapping

import torch
import traitlets

from ..logits import softmax
from . import svg
from .explorer import Explorer

WIDTH = 880
MOST_WORDS = 8  # more sliders than that are not looked at

# ln of 0.60, 0.30, 0.05, 0.05 and 2.5 more: what a model may say after "The cat is".
CAT = {"sleeping": 2.0, "on": 1.3, "happy": -0.5, "running": -0.5}


def softmax_svg(logits: Mapping[str, float], c: float = 0.0, temperature: float = 1.0) -> str:
    """Three columns side by side: (logit + c) / temperature, e to that, and its share of the sum.

    Args:
        logits: name -> logit. c: added to all of them. temperature: above 0.
    """
    shown = softmax_columns(logits, c, temperature)
    scaled, powers, shares = zip(*shown.values(), strict=True)
    reach = max(5.0, *map(abs, scaled))
    parts = _titles(c, temperature)
    for place, (name, z, power, share) in enumerate(
        zip(logits, scaled, powers, shares, strict=True)
    ):
        y = 62 + 40 * place
        parts.append(svg.text(110, y + 19, svg.clip(name, 104, code=True), anchor="end", code=True))
        start = 220 + 90 * min(z, 0) / reach
        parts.append(svg.rect(start, y + 4, 90 * abs(z) / reach, 20, fill=svg.SERIES[2]))
        parts.append(svg.text(372, y + 19, svg.two(z), anchor="end"))
        parts.append(svg.rect(410, y + 4, 140 * share / max(shares), 20, fill=svg.ORANGE))
        parts.append(svg.text(626, y + 19, _short(power), anchor="end"))
        parts.append(svg.rect(660, y + 4, 160 * svg.rounded(share), 20, fill=svg.BLUE))
        parts.append(svg.text(876, y + 19, svg.chance(share), anchor="end", bold=True))
    foot = 62 + 40 * len(shown)
    parts += [svg.line(x, 58, x, foot) for x in (220, 410, 660, 820)]
    sums = (626, f"sum {_short(sum(powers))}"), (876, "sum 1")
    parts += [svg.text(x, foot + 20, words, anchor="end", fill=svg.FAINT) for x, words in sums]
    parts.append(svg.text(0, foot + 50, _what_c_does(c / temperature)))
    return svg.document("".join(parts), WIDTH, foot + 58, _softmax_said(shown))


def _what_c_does(shift: float) -> str:
    if not shift:
        return "Before you move + c: which of the three columns will change?"
    factor = _short(math.exp(shift))
    return f"Each exp is {factor} times what it was, and so is their sum: no share of it changes."


def softmax_columns(
    logits: Mapping[str, float], c: float, temperature: float
) -> dict[str, tuple[float, float, float]]:
    """name -> (logit + c) / temperature, e to that, softmax."""
    z = (torch.tensor(list(logits.values()), dtype=torch.float64) + c) / temperature
    columns = z.tolist(), z.exp().tolist(), softmax(z).tolist()
    return dict(zip(logits, zip(*columns, strict=True), strict=True))


def _titles(c: float, temperature: float) -> list[str]:
    top = "logit" + (f" {'+' if c > 0 else '−'} {abs(c):g}" if c else "")
    if temperature != 1:
        top = f"({top}) / {temperature:g}" if c else f"{top} / {temperature:g}"
    heads = [(220, top, "below or above 0"), (480, "exp", "e to that, always above 0")]
    heads.append((740, "normalised", "exp / sum, from 0 to 1"))
    parts = [svg.text(x, 20, head, anchor="middle", bold=True) for x, head, _ in heads]
    parts += [svg.text(x, 42, below, anchor="middle", fill=svg.FAINT) for x, _, below in heads]
    return parts + [svg.text(x, 20, "→", anchor="middle") for x in (352, 606)]


def _short(number: float) -> str:
    """A power of e in three digits, with a power of ten where it is far from 1."""
    if number in (0, math.inf):  # beyond what a computer's numbers reach
        return "∞" if number else "0"
    if 0.01 <= number < 10_000:
        return f"{number:.3g}" if number < 999.5 else f"{number:.0f}"
    digits, _, power = f"{number:.1e}".partition("e")
    return f"{digits}·10" + str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _softmax_said(shown: Mapping[str, tuple[float, float, float]]) -> str:
    listed = (
        f"{name}: logit {svg.two(z)}, e to that {_short(power)}, probability {svg.chance(share)}"
        for name, (z, power, share) in shown.items()
    )
    return "; ".join(listed) + "."


class SoftmaxExplorer(Explorer):
    """See `softmax_explorer`."""

    SCRIPT = "softmax_explorer"

    values = traitlets.List(traitlets.Float()).tag(sync=True)  # the logits, in the order of names
    c = traitlets.Float(0.0).tag(sync=True)
    temperature = traitlets.Float(1.0).tag(sync=True)

    def __init__(self, logits: Mapping[str, float], temperature: bool = True) -> None:
        if not 1 <= len(logits) <= MOST_WORDS:
            raise ValueError(f"1 to {MOST_WORDS} logits can be shown, not {len(logits)}")
        self.names = [*logits]
        values = [float(value) for value in logits.values()]
        for name, value in zip(self.names, values, strict=True):
            if not math.isfinite(value):
                raise ValueError(f"the logit of {name!r} is {value}: it must be a finite number")
        settings = {
            "names": [svg.writable(name) for name in self.names],
            "ranges": [[min(-5.0, math.floor(v)), max(5.0, math.ceil(v))] for v in values],
            "start": values,
            "temperature": temperature,
        }
        super().__init__(settings=settings, values=values)

    @property
    def logits(self) -> dict[str, float]:
        """The logits as the sliders are."""
        return dict(zip(self.names, self.values, strict=True))

    def draw(self) -> str:
        return softmax_svg(self.logits, self.c, self.temperature)

    def describe(self) -> str:
        return _softmax_said(softmax_columns(self.logits, self.c, self.temperature))


def softmax_explorer(
    logits: Mapping[str, float] | None = None, *, temperature: bool = True
) -> SoftmaxExplorer:
    """Move a handful of logits and see them become probabilities; add c to all; divide by T.

    Args:
        logits: name -> logit, 8 at most; None: four words after "The cat is".
        temperature: show its slider (lesson 05 hides it: temperature is explained in 07).
    """
    return SoftmaxExplorer(CAT if logits is None else logits, temperature)
