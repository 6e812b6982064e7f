"""A model's weights out of files, once every one of them is known to fit the model.

Leaves out the layout that the names and shapes follow (`hf`), and how a file is read
(`tensor_file`).
"""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .hf import HEAD, PREFIX, STAMP, TIED, expected_shapes, is_linear
from .tensor_file import TensorFile, shown_name
from .tensors import CONFIG, open_tensors, read_json
from .values import shown

Model = TypeVar("Model", bound=nn.Module)

LARGE = 2**25  # bytes of a model from which several threads are worth starting
READERS = 4
FLOATS = ("F32", "F16", "BF16", "F64")  # safetensors' names of what weights may be stored as


def read_model(model_class: type[Model], config, path: Path, prefix: str = "") -> Model:
    """The model with the weights of a file, once every one of them is known to fit.

    Args:
        model_class: makes an empty model from `config`.
        path: a .safetensors file, or an index.json that says which file holds which tensor.
        prefix: only the tensors of this prefix count (the snapshot of a history).

    Raises:
        ValueError: one line naming the file, the tensor, and what was expected of it.
    """
    with open_tensors(path) as tensors:
        return model_of(model_class, config, tensors, path, prefix)


def model_of(
    model_class: type[Model], config, tensors: dict[str, TensorFile], path: Path, prefix: str
) -> Model:
    """The same of what `open_tensors(path)` gives, for who reads several models of one file."""
    found = {_our_name(key, prefix): key for key in tensors if _is_ours(key, prefix)}
    head = found.pop(HEAD, None)
    if TIED not in found and head is not None:
        found[TIED] = head  # one name of the two is enough: safetensors' save_model keeps this
    _check_names_and_shapes(config, tensors, found, path)
    model = without_numbers(model_class, config)
    sums = {}  # path -> checksums
    for file in set(tensors.values()):
        sums[file.path] = file.sums()
        _check_metadata(config, file, path.with_name(CONFIG))
    state = _read_all(tensors, found, config, sums)
    if head not in (None, found[TIED]):
        _check_head(tensors[head], head, state[TIED], sums[tensors[head].path])
    for name, _ in model.named_parameters():
        if name not in state:
            raise ValueError(f"{path}: the tensor {name} of a {model_class.__name__} is missing")
    model.load_state_dict(state | {HEAD: state[TIED]}, assign=True)
    model.get_submodule("lm_head").weight = model.get_parameter(TIED)
    return model.eval()


def _our_name(key: str, prefix: str) -> str:
    return key[len(prefix) :].removeprefix(PREFIX)


def _is_ours(key: str, prefix: str) -> bool:
    """Not so: other snapshots, and the masks that early versions saved."""
    mask = re.search(r"\.attn\.(masked_)?bias$", key)
    return key.startswith(prefix) and not mask


def _stored_shape(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[::-1] if is_linear(name) else shape


def _check_names_and_shapes(config, tensors, found: dict[str, str], path: Path) -> None:
    """Hold the file's header against the config, before the model is built or a number read.

    Else one mistyped number in config.json has a million blocks built, or overflows.
    """
    layers = {int(m[1]) for name in found if (m := re.match(r"h\.(\d{1,6})\.", name))}
    if len(layers) != config.n_layer:
        raise ValueError(
            f"{path}: {len(layers)} layers; {CONFIG} asks for n_layer {config.n_layer}"
        )
    for name, n_rows in ((TIED, config.vocab_size), ("wpe.weight", config.block_size)):
        if name in found:
            _check_fits(tensors, found[name], (n_rows, config.n_embd))
    expected = set()
    for name, shape in expected_shapes(config):
        wanted = _stored_shape(name, shape)
        if name not in found:
            raise ValueError(f"{path}: the tensor {name} is missing; {CONFIG} asks for {wanted}")
        expected.add(name)
    for name in sorted(found.keys() - expected):
        raise ValueError(f"{path}: {shown_name(found[name])} is not a tensor of this model")
    for name, shape in expected_shapes(config):
        _check_fits(tensors, found[name], _stored_shape(name, shape))


def _check_fits(tensors: dict[str, TensorFile], key: str, wanted: tuple[int, ...]) -> None:
    """Hold a tensor's header against the model, before any of it is read."""
    path, stored = tensors[key].path, tensors[key].tensors[key]
    if stored.shape != wanted:
        raise ValueError(
            f"{path}: {key} has shape {shown(stored.shape)}; {CONFIG} asks for {wanted}"
        )
    if stored.kind not in FLOATS:
        raise ValueError(f"{path}: {key} holds {stored.kind}, not one of {', '.join(FLOATS)}")


def _check_metadata(config, file: TensorFile, config_path: Path) -> None:
    """What a save wrote beside the tensors: the number of heads, which no shape gives away, and
    the stamp that config.json has too.
    """
    saved = file.metadata.get("n_head", str(config.n_head))
    if saved != str(config.n_head):
        raise ValueError(
            f"{file.path}: was saved with n_head {shown(saved).strip(chr(39))}; "
            f"{CONFIG} has {config.n_head}"
        )
    if STAMP in file.metadata and config_path.is_file():
        wanted = read_json(config_path).get(STAMP)
        if wanted is not None and wanted != file.metadata[STAMP]:
            raise OtherSave(f"{file.path}: is from a different save than the {CONFIG} beside it")


class OtherSave(ValueError):
    """Files of two saves lie in one folder."""


def _read_all(tensors, found: dict[str, str], config, sums) -> dict[str, Tensor]:
    """{our name: tensor in float32}, of a large model several at once: one thread reads from the
    file while another takes a checksum or transposes.

    What must be transposed or converted passes through one piece of memory a thread, so that no
    more is taken than the model needs and that.
    """
    stored = {name: tensors[key].tensors[key] for name, key in found.items()}
    as_it_is = {n for n, s in stored.items() if s.kind == "F32" and not is_linear(n)}
    size = {name: s.end - s.start for name, s in stored.items()}
    room = max((n_bytes for name, n_bytes in size.items() if name not in as_it_is), default=0)
    own = threading.local()

    def read(name: str) -> Tensor:
        file = tensors[found[name]]
        if name in as_it_is:
            return file.read(found[name], sums[file.path])
        if not hasattr(own, "scratch"):
            own.scratch = torch.empty(room, dtype=torch.uint8)
        tensor = file.read(found[name], sums[file.path], own.scratch)
        tensor = tensor.T if is_linear(name) else tensor
        layout = torch.contiguous_format
        return tensor.to(torch.float32, copy=True, memory_format=layout)

    names = [name for name, _ in expected_shapes(config)]
    if sum(size.values()) < LARGE:
        return {name: read(name) for name in names}
    with ThreadPoolExecutor(min(READERS, torch.get_num_threads())) as pool:
        return dict(zip(names, pool.map(read, names), strict=True))


def _check_head(file: TensorFile, key: str, tied: Tensor, sums: dict[str, int]) -> None:
    """A head that is stored beside the embedding must be the same matrix."""
    if not torch.equal(file.read(key, sums).float(), tied):
        raise ValueError(f"{file.path}: {key} is not {TIED}: the model's output matrix is not tied")


class _NothingDrawn(TorchFunctionMode):
    """Initial weights are not drawn where all are replaced: on "meta" that takes seconds."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func.__name__ in ("normal_", "uniform_", "kaiming_uniform_"):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def without_numbers(model_class: type[Model], config) -> Model:
    """A model whose parameters have shapes and take no memory, on the device "meta"."""
    with torch.device("meta"), _NothingDrawn():
        return model_class(config)
