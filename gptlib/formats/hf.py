"""Hugging Face's GPT-2 layout: config.json and model.safetensors, as `transformers` has them.

Linear matrices lie transposed there, since GPT-2's first code wrote x @ W + b ("Conv1D"), and the
tied head is stored once. Leaves out every other architecture, and pickles, which can run any code.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .memory import check_memory
from .tensors import CONFIG, TensorFile, existing, open_tensors, read_json, shown_name
from .values import shown

Config = TypeVar("Config")
Model = TypeVar("Model", bound=nn.Module)

PREFIX = "transformer."  # Hugging Face's name for all but the head
HEAD, TIED = "lm_head.weight", "wte.weight"  # one matrix under two names
FLOATS = ("F32", "F16", "BF16", "F64")  # safetensors' names of what weights may be stored as
FLOAT_TYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
STAMP = "gptlib_save"  # in config.json and in the weights' metadata: which save they are of

EPSILON = 1e-5  # of the layer norms

# What Hugging Face's config says -> the only values for which the model is this one.
FIXED = {
    "model_type": ("gpt2",),
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "layer_norm_epsilon": (EPSILON,),
    "n_inner": (None,),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "add_cross_attention": (False,),
    "tie_word_embeddings": (True,),
}

# ---- config.json ----


def to_hf_config(config, eos_id: int | None = None) -> dict:
    """config.json's content: the shape under Hugging Face's names, and what is always so."""
    return {name: values[0] for name, values in FIXED.items()} | {
        "architectures": ["GPT2LMHeadModel"],
        "vocab_size": config.vocab_size,
        "n_positions": config.block_size,
        "n_layer": config.n_layer,
        "n_head": config.n_head,
        "n_embd": config.n_embd,
        "embd_pdrop": config.dropout,
        "attn_pdrop": config.dropout,
        "resid_pdrop": config.dropout,
        "initializer_range": 0.02,
        "bos_token_id": eos_id,
        "eos_token_id": eos_id,
    }


def read_config(path: Path, config_class: type[Config]) -> Config:
    """The shape that a config.json describes.

    Raises:
        ValueError: a field that cannot be ours, which is named; or this computer's memory holds no
            model of this shape.
    """
    values = read_json(existing(path))
    if values.get("model_type") != "gpt2":  # first: the other names may mean nothing there
        raise ValueError(f"{path}: model_type is {shown(values.get('model_type'))}, not 'gpt2'")
    for name in ("vocab_size", "n_positions", "n_layer", "n_head", "n_embd"):
        if name not in values:
            raise ValueError(f"{path}: {name} is missing")
    try:
        shape = {name: values[name] for name in ("vocab_size", "n_layer", "n_head", "n_embd")}
        config = config_class(
            block_size=values["n_positions"], dropout=values.get("resid_pdrop", 0.0), **shape
        )
        check_memory(config)
    except ValueError as error:
        here = str(error).replace("block_size", "n_positions").replace("dropout", "resid_pdrop")
        raise ValueError(f"{path}: {here}") from error
    for name, allowed in FIXED.items():
        value = values.get(name, allowed[0])
        if value not in allowed and (name, value) != ("n_inner", 4 * config.n_embd):
            raise ValueError(f"{path}: {name} is {shown(value)}, not {allowed[0]!r}")
    return config


# ---- The weights ----


def to_hf_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The weights under Hugging Face's names: linear matrices transposed, the tied head once.

    Raises:
        ValueError: what the format has no place for, and what would not come back: a parameter
            more or of another shape, or a head of its own.
    """
    model = plain(model)
    state = {_plain_name(name): tensor for name, tensor in model.state_dict().items()}
    _check_format(model, state)
    return {
        PREFIX + name: (tensor.T if is_linear(name) else tensor)
        .detach()
        .cpu()
        .clone(memory_format=torch.contiguous_format)
        for name, tensor in state.items()
        if name != HEAD
    }


def plain(model: nn.Module) -> nn.Module:
    """The model itself, of one that `torch.compile` or a parallel trainer wraps."""
    while isinstance(model, nn.Module):
        inner = getattr(model, "_orig_mod", None)  # what torch.compile calls it
        if inner is None and isinstance(
            model, nn.DataParallel | nn.parallel.DistributedDataParallel
        ):
            inner = model.module
        if inner is None:
            return model
        model = inner
    return model


def _plain_name(name: str) -> str:
    """A parameter's name without what `torch.compile` adds where it compiled a part of a model."""
    return name.replace("_orig_mod.", "")


def _check_format(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Refuse a model that would load as another one."""
    shapes = dict(expected_shapes(model.config))
    head = state.get(HEAD, state.get(TIED))
    for name in sorted(state.keys() - shapes.keys() - {HEAD}):
        raise ValueError(
            f"{shown_name(name)}: GPT-2's files have no place for it, so that the model cannot be "
            "saved: it would load without it"
        )
    for name, shape in shapes.items():
        found = state.get(name)
        if found is None or tuple(found.shape) != shape or found.dtype not in FLOAT_TYPES:
            has = "is missing" if found is None else f"is {tuple(found.shape)}, {found.dtype}"
            raise ValueError(f"{name} {has}; a model of this config has floats of shape {shape}")
        if found.is_meta:
            raise ValueError(f"{name}: has a shape and no numbers: there is nothing to save")
    for name, module in model.named_modules():
        if getattr(module, "eps", EPSILON) != EPSILON:
            raise ValueError(f"{name}.eps is {module.eps}: GPT-2's files have {EPSILON} alone")
    tied = state[TIED]
    if head.data_ptr() != tied.data_ptr() and not torch.equal(head, tied):
        raise ValueError(
            f"{HEAD} is not {TIED}: GPT-2's files hold one matrix for both, so that the model "
            "cannot be saved: another would load"
        )


def is_linear(name: str) -> bool:
    """Stored (in, out) by GPT-2's original code ("Conv1D"), (out, in) by torch's Linear."""
    return re.search(r"\.(c_attn|c_proj|c_fc)\.weight$", name) is not None


def expected_shapes(config) -> Iterator[tuple[str, tuple[int, ...]]]:
    """(name, shape) of each tensor of a model of this shape, in the model's own layout.

    One after the other: a damaged config may ask for a million layers.
    """
    C = config.n_embd
    yield TIED, (config.vocab_size, C)
    yield "wpe.weight", (config.block_size, C)
    for i in range(config.n_layer):
        for part, shape in (
            ("ln_1", (C,)),
            ("attn.c_attn", (3 * C, C)),
            ("attn.c_proj", (C, C)),
            ("ln_2", (C,)),
            ("mlp.c_fc", (4 * C, C)),
            ("mlp.c_proj", (C, 4 * C)),
        ):
            yield f"h.{i}.{part}.weight", shape
            yield f"h.{i}.{part}.bias", shape[:1]
    yield "ln_f.weight", (C,)
    yield "ln_f.bias", (C,)


def stamp(config: dict, sums: dict[str, int], others: str) -> str:
    """What tells the files of one save from those of another: a hash of all that is saved.

    sums: the checksums of the weights. others: what is saved beside config and weights, as text.
    """
    text = json.dumps([config, sums, others], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


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
    model.lm_head.weight = model.wte.weight
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
        raise ValueError(f"{path}: {shown_name(found[name])} is no tensor of this model")
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
            raise OtherSave(f"{file.path}: is of another save than the {CONFIG} beside it")


class OtherSave(ValueError):
    """Files of two saves lie in one folder."""


def _read_all(tensors, found: dict[str, str], config, sums) -> dict[str, Tensor]:
    """{our name: tensor in float32}; what must be transposed or converted passes through one
    piece of memory, so that no more is taken than the model needs and one tensor.
    """
    as_it_is = {
        name: tensors[key].tensors[key].kind == "F32" and not is_linear(name)
        for name, key in found.items()
    }
    stored = (tensors[key].tensors[key] for name, key in found.items() if not as_it_is[name])
    scratch = torch.empty(max((s.end - s.start for s in stored), default=0), dtype=torch.uint8)
    state = {}
    for name, _ in expected_shapes(config):
        file = tensors[found[name]]
        room = None if as_it_is[name] else scratch
        tensor = file.read(found[name], sums[file.path], room)
        if room is not None:
            tensor = tensor.T if is_linear(name) else tensor
            layout = torch.contiguous_format
            tensor = tensor.to(torch.float32, copy=True, memory_format=layout)
        state[name] = tensor
    return state


def _check_head(file: TensorFile, key: str, tied: Tensor, sums: dict[str, int]) -> None:
    """A head that is stored beside the embedding must be the same matrix."""
    if not torch.equal(file.read(key, sums).float(), tied):
        raise ValueError(f"{file.path}: {key} is not {TIED}: a model with a head of its own")


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
