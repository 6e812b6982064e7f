"""How times grow with sizes, beside the growth that is expected. `python -m benchmarks.growth`

On two logarithmic axes a power is a straight line, and its exponent the slope: time that grows as
the square of the width has slope 2. Each curve gets a dashed line of the expected slope, through
its last point; at small sizes fixed costs hide the growth. Writes the pictures and growth.json.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

import gptlib
from gptlib.formats.files import atomic_write
from gptlib.plots.style import Picture, sheet

from .bpe import documents, ours, real_text
from .side_by_side import load_since, machine, replace_section

BEGIN, END = "<!-- growth: begin -->", "<!-- growth: end -->"
HERE = Path(__file__).resolve().parent
RUNS = 5
LONGEST = 1024  # tokens


@dataclass(frozen=True)
class Curve:
    """What was measured of one thing that grows."""

    picture: str  # the file it is drawn in
    what: str  # the title of its panel
    grows: str  # the name of the axis
    name: str  # of this curve in the panel
    sizes: list[float]
    seconds: list[float]
    slope: float  # expected for large sizes
    why: str

    @property
    def measured(self) -> float:
        """The slope between the last point and the one that is nearest to a fourth of its size."""
        logs = np.log(self.sizes)
        k = int(np.abs(logs - logs[-1] + np.log(4)).argmin())
        rise = np.log(self.seconds[-1] / self.seconds[k])
        return float(rise / (logs[-1] - logs[k]))


def least(run: Callable[[], object], runs: int = RUNS) -> float:
    """The shortest of a few runs: other programs only ever add to a time."""
    found = []
    for _ in range(runs):
        began = time.perf_counter()
        run()
        found.append(time.perf_counter() - began)
    return min(found)


# ---- What is measured ----


def bpe_curves() -> Iterator[Curve]:
    texts, sizes, seconds = {}, [], []
    for megabytes in (0.25, 0.5, 1, 2, 4, 8, 16):
        texts[megabytes] = _first(megabytes * 1e6)
        sizes.append(sum(len(text.encode()) for text in texts[megabytes]) / 1e6)
        seconds.append(least(lambda size=megabytes: ours(texts[size], 1024)))
    why = "all text is split and counted; distinct pieces grow more slowly"
    yield Curve("bpe", "BPE: text", "MB", "1,024 tokens", sizes, seconds, 1, why)
    text, sizes = real_text(), [384, 512, 1024, 2048, 4096, 8192, 16384]
    seconds = [least(lambda n=n: ours(text, n)) for n in sizes]
    why = "a merge a token, and each one has fewer places than the last: at most 1"
    yield Curve("bpe", "BPE: vocabulary", "tokens", "1.1 MB", sizes, seconds, 1, why)


def _first(size: float) -> list[str]:
    """Documents of `size` bytes together, the last one cut."""
    found, left = [], int(size)
    for text in documents():
        found.append(text[:left])
        left -= len(text.encode())
        if left <= 0:
            return found
    return found


def training_curves() -> Iterator[Curve]:
    base = {"vocab_size": 256, "block_size": 64, "n_layer": 2, "n_head": 4, "n_embd": 128}
    for what, field, sizes, slope, why in (
        ("width", "n_embd", (64, 128, 256, 512, 1024), 2, "matrices of C x C"),
        ("depth", "n_layer", (1, 2, 4, 8, 16), 1, "each layer costs the same"),
        (
            "block size",
            "block_size",
            (64, 128, 256, 512, 1024),
            1,
            "each token costs the same, and attention between T x T tokens comes on top: up to 2",
        ),
    ):
        seconds = [_step(gptlib.GPTConfig(**base | {field: size})) for size in sizes]
        title = f"Training: {what}"
        yield Curve("training", title, field, "a step, 4 rows", list(sizes), seconds, slope, why)


def _step(shape: gptlib.GPTConfig) -> float:
    """Seconds of one training step of 4 rows, the first two left out."""
    tokens = torch.arange(20_000) % shape.vocab_size
    config = gptlib.TrainConfig(steps=2 + 2 * RUNS, batch_size=4, eval_every=10**6, device="cpu")
    steps = iter(gptlib.Trainer(gptlib.GPT(shape, seed=0), tokens, config))
    next(steps), next(steps)
    return least(lambda: next(steps), 2 * RUNS)


def token_curves() -> Iterator[Curve]:
    shape = gptlib.GPTConfig(512, LONGEST, n_layer=4, n_head=4, n_embd=128)
    model = gptlib.GPT(shape, seed=0).eval()

    def a_token(size: int, use_cache: bool, n: int, runs: int) -> float:
        ids = torch.arange(size)[None] % shape.vocab_size

        def some(count):
            return lambda: gptlib.generate(model, ids, count, temperature=0, use_cache=use_cache)

        pairs = [(least(some(2 * n), 1), least(some(n), 1)) for _ in range(runs)]  # in turn
        longer, shorter = map(min, zip(*pairs, strict=True))
        # The prompt is read in both. Noise could leave nothing, which has no logarithm.
        return max((longer - shorter) / n, 1e-6)

    more = "Generating: length", "tokens before"
    for name, use_cache, n, runs, slope, why in (
        ("with a cache", True, 64, 5 * RUNS, 0, "only the new token goes through"),
        ("without", False, 8, RUNS, 1, "all tokens go through once more"),
    ):
        sizes = [16, 32, 64, 128, 256, 512, LONGEST - 2 * n]
        seconds = [a_token(size, use_cache, n, runs) for size in sizes]
        yield Curve("tokens", *more, name, sizes, seconds, slope, why)


# ---- What is written ----


def draw(curves: list[Curve]) -> Picture:
    """A panel for each thing that grows; its curves, and dashed the slopes that are expected."""
    panels = list(dict.fromkeys(curve.what for curve in curves))
    with sheet(4.4 * len(panels) + (len(panels) == 1), 3.8) as (picture, paint):
        axes = np.atleast_1d(picture.subplots(1, len(panels)))
        for ax, panel in zip(axes, panels, strict=True):
            shown = [curve for curve in curves if curve.what == panel]
            for curve, colour, marker in zip(shown, (paint.accent, paint.second), "os"):
                _draw_one(ax, curve, {"color": colour, "marker": marker}, paint.soft)
            ax.set(title=panel, xlabel=shown[0].grows, xscale="log", yscale="log")
            _label(ax, shown)
            ax.legend(loc="upper left")
        axes[0].set_ylabel("time")
    picture.description = " ".join(map(_told, curves))
    return picture


def _draw_one(ax, curve: Curve, look: dict, colour: str) -> None:
    ax.plot(curve.sizes, curve.seconds, label=curve.name, **look)
    line = curve.seconds[-1] * (np.array(curve.sizes) / curve.sizes[-1]) ** curve.slope
    ax.plot(curve.sizes, line, "--", color=colour, label=f"slope {curve.slope}")


def _label(ax, curves: list[Curve]) -> None:
    """Sizes that were measured below, decades of time at the left, and room for the legend."""
    ax.set_xticks(curves[0].sizes[::2], [f"{size:,g}" for size in curves[0].sizes[::2]])
    times = np.log10([time for curve in curves for time in curve.seconds])
    low, high = int(np.floor(times.min())), int(np.ceil(times.max()))
    decades = range(low, high + 1)
    ax.set_yticks([10.0**k for k in decades], [_time(k) for k in decades])
    ax.set_ylim(10.0**low, 10.0 ** (high + 0.6 + 0.2 * len(curves)))
    ax.minorticks_off()
    ax.grid(axis="y")


def _time(decade: int) -> str:
    unit = ("s", "ms", "µs", "ns")[-(decade // 3)] if decade < 0 else "s"
    return f"{10 ** (decade % 3 if decade < 0 else decade)} {unit}"


def _told(curve: Curve) -> str:
    return (
        f"{curve.what}, {curve.name}: from {curve.seconds[0]:.2g} s at {curve.sizes[0]:g} to "
        f"{curve.seconds[-1]:.2g} s at {curve.sizes[-1]:g} {curve.grows}, slope "
        f"{curve.measured:.1f}, expected {curve.slope}."
    )


def write(curves: list[Curve], before: float) -> None:
    """The pictures, growth.json, and the table in RESULTS.md."""
    lines = [machine(), load_since(before), ""]
    lines += ["| what | which | sizes | seconds | slope | expected | why |", "|" + "---|" * 7]
    for c in curves:
        ends = f"{c.sizes[0]:g} to {c.sizes[-1]:g} {c.grows}"
        times = f"{c.seconds[0]:.2g} to {c.seconds[-1]:.2g}"
        cells = [c.what, c.name, ends, times, f"{c.measured:.2f}", f"{c.slope}", c.why]
        lines.append(f"| {' | '.join(cells)} |")
    for name in dict.fromkeys(curve.picture for curve in curves):
        picture = draw([curve for curve in curves if curve.picture == name])
        (HERE / f"growth_{name}.png").write_bytes(picture.png())
        lines += ["", f"![{picture.description}](growth_{name}.png)"]
    with atomic_write(HERE / "growth.json") as temporary:
        numbers = [asdict(curve) for curve in curves]
        temporary.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    replace_section(BEGIN, END, "\n".join(lines))


def measured() -> Iterable[Curve]:
    for curves in (bpe_curves, training_curves, token_curves):
        for curve in curves():
            print(_told(curve), flush=True)
            yield curve


def main() -> None:
    before = os.getloadavg()[0]
    write(list(measured()), before)


if __name__ == "__main__":
    main()
