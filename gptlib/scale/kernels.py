"""How a product is done soonest on this computer: measured once, remembered, and said.

PyTorch's MKL, oneDNN and NumPy's OpenBLAS are each the fastest somewhere, and no processor's name
tells where; nor whether it multiplies bfloat16 sooner than float32, or whether a second thread
gains more than it costs. So they are tried with the shapes at hand before a run begins, if it is
large enough to gain by it. Elsewhere the rules of `fast.linear` hold, of which one is measured too,
before the first run of all. What was found is kept in the cache folder: a run that goes on later
goes on with the same kernels, and so to the same bits.

Axes: I input channels, O output channels.
"""

import json
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..fast import linear as products
from ..fast.linear import Linear, has_onednn
from ..fast.threads import one_torch_thread
from ..formats.files import atomic_write, cache_dir
from ..formats.memory import n_numbers
from .distributed import started
from .settings import TrainConfig

FILE, MANY = "kernels.json", "many rows"
TRIES, A_WAY = 3, 0.03  # of each way so many, and as many more as there is time for, in seconds
CLEARLY = 0.85  # of the usual way's time: less than that, or the usual way stays
LONG_RUN = 12 * 10**11  # multiplications of a run, half a minute's: below, there is little to gain
LONG_TRY = 2**29  # of one try: what is larger keeps the rule, or it would take seconds
LONG_UPDATE = 2**33  # the same of a whole update, tried with one thread and with all
LARGE_MODEL = 2**24  # weights from which on writing a token waits for memory
LARGE_MATRICES = 2**19  # numbers in what Muon trains from which on its products take their time
ONE, ALL = "one thread", "all threads"
ONEDNN, PYTORCH, BFLOAT16 = "oneDNN", "PyTorch", "bfloat16"

Way = Callable[[], object]
Loss = Callable[[Tensor, Tensor, int], Tensor]


class Found(NamedTuple):
    """What was chosen, and the best time of each way in milliseconds."""

    way: str
    ms: dict[str, float]

    def __str__(self) -> str:
        times = ", ".join(f"{name} {ms:.3g} ms" for name, ms in self.ms.items())
        return f"{self.way} ({times})"


_found: dict[str, Found] = {}
_read_from: list[Path] = []  # the file that `_found` has, once it was read


def fastest(what: str, ways: Mapping[str, Way]) -> str:
    """The name of the fastest way, measured the first time that this computer is asked for it.

    Args:
        what: names the product and its sizes. ways: the usual one first.
    """
    _read()
    found = _found.get(what)
    if found is None or found.way not in ways or ways.keys() - found.ms:  # one is new since then
        found = _found[what] = measured(ways)
        _write()
    return found.way


def measured(ways: Mapping[str, Way]) -> Found:
    """Time each way a few times and take its best; the usual one stays if none is clearly better.

    Not in turn: threads of one library may keep a core from the next for a moment.
    """
    best = dict.fromkeys(ways, float("inf"))
    for name, way in ways.items():
        way()  # the first time, libraries prepare themselves
        end, tries = time.perf_counter() + A_WAY, 0
        while tries < TRIES or time.perf_counter() < end:
            began = time.perf_counter()
            way()
            best[name] = min(best[name], time.perf_counter() - began)
            tries += 1
    usual, winner = next(iter(best)), min(best, key=best.__getitem__)
    chosen = winner if best[winner] < CLEARLY * best[usual] else usual
    return Found(chosen, {name: 1000 * seconds for name, seconds in best.items()})


# ---- What is asked ----


def for_many_rows(device: torch.device, measure: bool | None = None) -> None:
    """Choose who multiplies many rows where their sizes are not measured: for lessons, and all.

    Several processes would each choose for themselves, so theirs is always the same.
    """
    on_cpu = device.type == "cpu" and has_onednn()
    if on_cpu and started() == 1 and measure is not False:
        with torch.inference_mode(False), torch.enable_grad():
            products.many_rows_by_onednn = fastest(MANY, _layers()) == ONEDNN


def _layers() -> dict[str, Way]:
    """The matrices of a block in turn, there and back, each way."""
    x = torch.ones(512, 128)
    weights = [torch.ones(o, i) for o, i in ((128, 128), (512, 128), (128, 512))]
    given = [tensor.requires_grad_() for tensor in weights]

    def go(way: Callable) -> None:
        y = x
        for weight in weights:
            y = way(y, weight, None)
        torch.autograd.grad(y, given, torch.ones_like(y))

    return {ONEDNN: partial(go, products.by_onednn), PYTORCH: partial(go, products.linear)}


def n_products(model, config: TrainConfig) -> int:
    """How many multiplications an update of such a run takes, about: 6 a weight and token."""
    return 6 * _n_tokens(model, config) * n_numbers(model.config)


def for_training(
    model, config: TrainConfig, loss: Loss
) -> Callable[[], AbstractContextManager[None]]:
    """Choose how the run's rows are multiplied by the model's matrices, there and back.

    Args:
        loss: of a part of a batch, (inputs, targets, part) -> a scalar with its graph.

    Returns:
        for the gradients of the run, `with` what it gives: on one thread where that is clearly
        faster than on all, and with the products in bfloat16 that are clearly faster so.
    """
    worth_it = config.steps * n_products(model, config) >= LONG_RUN
    if not _wanted(config, worth_it) or started() > 1:
        return nullcontext
    rounded = set()
    with torch.inference_mode(False), torch.enable_grad():  # whatever the caller has set
        threads = _threads(model, config, loss)
        if _plain(model.parameters()):
            with threads:
                for n_out, n_in in _shapes(model):
                    sizes = _n_tokens(model, config), n_out, n_in
                    if _choose(sizes, config.bf16 is None) == BFLOAT16:
                        rounded.add(sizes)
    return partial(_as_chosen, threads, frozenset(rounded))


def _wanted(config: TrainConfig, worth_it: bool) -> bool:
    return worth_it if config.measure is None else config.measure


@contextmanager
def _as_chosen(threads: AbstractContextManager, rounded: frozenset) -> Iterator[None]:
    with threads, products.rounding(rounded):
        yield


def _threads(model, config: TrainConfig, loss: Loss) -> AbstractContextManager:
    """Tried with a whole gradient: what threads gain in a product they may lose by waiting for each
    other in the small operations between products."""
    on_cpu = all(p.device.type == "cpu" for p in model.parameters())
    too_long = n_products(model, config) > LONG_UPDATE or config.compile
    if not on_cpu or too_long or torch.get_num_threads() == 1:
        return nullcontext()
    rows = config.batch_size, config.block_size or model.config.block_size
    ids = torch.zeros(rows, dtype=torch.long)
    given = [p for p in model.parameters() if p.requires_grad]

    def gradient() -> None:
        torch.autograd.grad(loss(ids, ids, 0), given, allow_unused=True)

    def alone() -> None:
        with one_torch_thread:
            gradient()

    what = f"training, {n_numbers(model.config):,} weights, {_n_tokens(model, config)} tokens"
    found = fastest(what, {ALL: gradient, ONE: alone})
    return one_torch_thread if found == ONE else nullcontext()


def _n_tokens(model, config: TrainConfig) -> int:
    return config.batch_size * (config.block_size or model.config.block_size)


def _choose(sizes: products.Sizes, may_round: bool) -> str | None:
    """How products of these sizes are done; None: too large to be tried."""
    n_rows, n_out, n_in = sizes
    if 6 * n_rows * n_in * n_out > LONG_TRY:
        return None
    names = [ONEDNN, PYTORCH] if products.is_usual(*sizes) else [PYTORCH, ONEDNN]
    if may_round and products.CPU_HAS_BF16:
        names.append(BFLOAT16)
    what = "training" if may_round else "training in float32"
    way = fastest(f"{what}, {n_rows} rows, {n_in} to {n_out}", _there_and_back(names, *sizes))
    products.preferred[sizes] = way == ONEDNN
    return way


def _there_and_back(names: Iterable[str], n_rows: int, n_out: int, n_in: int) -> dict[str, Way]:
    x, weight = torch.ones(n_rows, n_in), torch.ones(n_out, n_in)
    bias, grad = torch.ones(n_out), torch.ones(n_rows, n_out)
    given = [tensor.requires_grad_() for tensor in (x, weight, bias)]
    ways = {
        ONEDNN: products.by_onednn,
        PYTORCH: products.linear,
        BFLOAT16: products.by_bfloat16,
    }

    def go(way: Callable) -> None:
        torch.autograd.grad(way(*given), given, grad)

    return {name: partial(go, ways[name]) for name in names}


def for_one_row(model: nn.Module, config) -> str:
    """Who multiplies the matrices by one row of text: "NumPy", "oneDNN" or "PyTorch".

    Tried with the head, the largest of them, since what counts is how fast memory is read.
    """
    if n_numbers(config) < LARGE_MODEL or not _plain(model.parameters()):
        return "NumPy"
    weight: Tensor = model.get_parameter("lm_head.weight").detach()
    way = fastest(f"writing, 1 row, {weight.shape[1]} to {len(weight)}", _one_row(weight))
    for n_out, n_in in _shapes(model) if way != "NumPy" else ():
        if products.is_usual(1, n_out, n_in):
            products.preferred[1, n_out, n_in] = way == ONEDNN
    return way


def _one_row(weight: Tensor) -> dict[str, Way]:
    row = torch.ones(1, weight.shape[1])
    array, vector = weight.numpy(), row[0].numpy()

    def by_numpy() -> None:
        with one_torch_thread:
            array.dot(vector)

    return {
        "NumPy": by_numpy,
        ONEDNN: partial(products.by_onednn, row, weight),
        PYTORCH: partial(products.linear, row, weight),
    }


def for_muon(
    matrices: list[Tensor], config: TrainConfig, orthogonalize: Callable, usual: torch.dtype
) -> Callable | None:
    """`orthogonalize` in the type of number, float32 or bfloat16, that is multiplied faster here.

    Tried with the largest matrix, as many of it as there are; None: too small for it to matter.
    """
    worth_it = sum(matrix.numel() for matrix in matrices) >= LARGE_MATRICES
    if (
        not _wanted(config, worth_it)
        or started() > 1
        or any(m.device.type != "cpu" for m in matrices)
    ):
        return None
    shape = max((matrix.shape for matrix in matrices), key=lambda s: s[0] * s[1])
    count = sum(matrix.shape == shape for matrix in matrices)
    if 30 * count * shape[0] * shape[1] * min(shape) > 4 * LONG_TRY:
        return None
    stack = torch.eye(*shape).repeat(count, 1, 1)  # (N, O, I)
    types = sorted((torch.float32, torch.bfloat16), key=lambda dtype: dtype != usual)
    ways = {
        str(dtype).removeprefix("torch."): partial(orthogonalize, dtype=dtype) for dtype in types
    }
    name = fastest(
        f"Muon, {count} of {shape[0]} x {shape[1]}",
        {name: partial(way, stack) for name, way in ways.items()},
    )
    return ways[name]


def remembered() -> dict[str, Found]:
    """All that was measured on this computer with this PyTorch: {what: found}."""
    _read()
    return dict(_found)


def _plain(parameters: Iterable[Tensor]) -> bool:
    """Whether there is a choice: float32 on a CPU, and oneDNN beside MKL.

    Not for several processes, of which each would choose for itself.
    """
    return (
        started() == 1
        and has_onednn()
        and all(p.device.type == "cpu" and p.dtype == torch.float32 for p in parameters)
    )


def _shapes(model: nn.Module) -> list[tuple[int, int]]:
    """(O, I) of the model's linear layers, each once."""
    layers = [module for module in model.modules() if isinstance(module, Linear)]
    return list(dict.fromkeys((len(layer.weight), layer.weight.shape[1]) for layer in layers))


# ---- What is remembered ----


def _computer() -> str:
    """What a measurement holds for."""
    name = ""
    with suppress(OSError, IndexError):  # Linux's name for it, without starting another program
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = [line for line in lines if line.startswith("model name")][0].partition(": ")[2]
    name = name or platform.processor()
    return f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def _read() -> None:
    """Take what the file says of this computer; one that is damaged says nothing."""
    path = cache_dir() / FILE
    if _read_from == [path]:
        return
    _found.clear()
    _read_from[:] = [path]
    with suppress(OSError, ValueError, TypeError, AttributeError):
        for what, (way, ms) in json.loads(path.read_text("utf-8")).get(_computer(), {}).items():
            _found[what] = Found(str(way), {str(k): float(v) for k, v in ms.items()})


def _write() -> None:
    """Keep it for the next run; where the folder cannot be written to, for this one."""
    path, kept = cache_dir() / FILE, {}
    with suppress(OSError, ValueError):
        kept = json.loads(path.read_text("utf-8"))
    kept = (kept if isinstance(kept, dict) else {}) | {_computer(): _found}
    with suppress(OSError), atomic_write(path) as temporary:
        temporary.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


# From the start, where it is known: so that what is computed before a run has the same bits later.
if started() == 1 and (known := remembered().get(MANY)):
    products.many_rows_by_onednn = known.way == ONEDNN
