"""Hugging Face's GPT-2 layout: config.json and model.safetensors, as `transformers` has them.

Linear matrices lie transposed there, since GPT-2's first code wrote x @ W + b ("Conv1D"), and the
tied head is stored once. Leaves out every other architecture, and pickles, which can run any code.
"""

import os
import re
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .tensors import CONFIG, check_sum, existing, open_tensors, read_json, read_sums

Config = TypeVar("Config")
Model = TypeVar("Model", bound=nn.Module)

PREFIX = "transformer."  # Hugging Face's name for all but the head
FLOATS = ("F32", "F16", "BF16", "F64")  # safetensors' names of what weights may be stored as

# What Hugging Face's config says -> the only values for which the model is this one.
FIXED = {
    "model_type": ("gpt2",),
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "layer_norm_epsilon": (1e-5,),
    "n_inner": (None,),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "add_cross_attention": (False,),
    "tie_word_embeddings": (True,),
}

# A file of this many bytes or more is not read but mapped into memory: the system fetches what is
# used, when it is used, and thirty students who open one GPT-2 share one copy of it. A smaller one
# is copied, so that whoever writes into that file afterwards changes no model.
MAPPED_FROM = 64 * 2**20


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
    """The shape that a config.json describes; ValueError names the field that cannot be ours."""
    values = read_json(existing(path))
    if values.get("model_type") != "gpt2":  # first: the other names may mean nothing there
        raise ValueError(f"{path}: model_type is {values.get('model_type')!r}, not 'gpt2'")
    for name in ("vocab_size", "n_positions", "n_layer", "n_head", "n_embd"):
        if name not in values:
            raise ValueError(f"{path}: {name} is missing")
    try:
        shape = {name: values[name] for name in ("vocab_size", "n_layer", "n_head", "n_embd")}
        config = config_class(
            block_size=values["n_positions"], dropout=values.get("resid_pdrop", 0.0), **shape
        )
    except ValueError as error:
        here = str(error).replace("block_size", "n_positions").replace("dropout", "resid_pdrop")
        raise ValueError(f"{path}: {here}") from error
    for name, allowed in FIXED.items():
        value = values.get(name, allowed[0])
        if value not in allowed and (name, value) != ("n_inner", 4 * config.n_embd):
            raise ValueError(f"{path}: {name} is {value!r}, not {allowed[0]!r}")
    return config


# ---- The weights ----


def to_hf_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The weights under Hugging Face's names: linear matrices transposed, the tied head once."""
    return {
        PREFIX + name: (tensor.T if is_linear(name) else tensor)
        .detach()
        .cpu()
        .clone(memory_format=torch.contiguous_format)
        for name, tensor in model.state_dict().items()
        if name != "lm_head.weight"
    }


def is_linear(name: str) -> bool:
    """Stored (in, out) by GPT-2's original code ("Conv1D"), (out, in) by torch's Linear."""
    return re.search(r"\.(c_attn|c_proj|c_fc)\.weight$", name) is not None


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
        _check_depth(config, tensors, found, path)
        model = without_numbers(model_class, config)
        expected = {name: tuple(p.shape) for name, p in model.named_parameters()}
        for name in sorted(expected.keys() - found.keys()):
            wanted = _stored_shape(name, expected[name])
            raise ValueError(f"{path}: the tensor {name} is missing; {CONFIG} asks for {wanted}")
        for name in sorted(found.keys() - expected.keys()):
            raise ValueError(f"{path}: {found[name]} is no tensor of this model")
        for name, shape in expected.items():
            _check_fits(tensors, found[name], _stored_shape(name, shape))
        sums = {}  # path -> checksums
        for part, file in dict(tensors.values()).items():
            sums[part] = read_sums(part, file)
            _check_heads(config, part, file)
        state = {name: _read(tensors, found[name], is_linear(name), sums) for name in expected}
    model.load_state_dict(state | {"lm_head.weight": state["wte.weight"]}, assign=True)
    model.lm_head.weight = model.wte.weight
    return model.eval()


def _our_name(key: str, prefix: str) -> str:
    return key[len(prefix) :].removeprefix(PREFIX)


def _is_ours(key: str, prefix: str) -> bool:
    """Not so: other snapshots, the head (it is tied), and the masks that early versions saved."""
    name = _our_name(key, prefix)
    mask = re.search(r"\.attn\.(masked_)?bias$", name)
    return key.startswith(prefix) and name != "lm_head.weight" and not mask


def _stored_shape(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[::-1] if is_linear(name) else shape


def _check_depth(config, tensors, found: dict[str, str], path: Path) -> None:
    """Hold depth, width and vocabulary against the file before the model is built.

    Else one mistyped number in config.json has a million blocks built, or overflows.
    """
    layers = {int(m[1]) for name in found if (m := re.match(r"h\.(\d{1,6})\.", name))}
    if len(layers) != config.n_layer:
        raise ValueError(
            f"{path}: {len(layers)} layers; {CONFIG} asks for n_layer {config.n_layer}"
        )
    for name, n_rows in (("wte.weight", config.vocab_size), ("wpe.weight", config.block_size)):
        if name in found:
            _check_fits(tensors, found[name], (n_rows, config.n_embd))


def _check_fits(tensors, key: str, wanted: tuple[int, ...]) -> None:
    """Hold a tensor's header against the model, before any of it is read."""
    path, file = tensors[key]
    tensor = file.get_slice(key)
    shape, kind = tuple(tensor.get_shape()), tensor.get_dtype()
    if shape != wanted:
        raise ValueError(f"{path}: {key} has shape {shape}; {CONFIG} asks for {wanted}")
    if kind not in FLOATS:
        raise ValueError(f"{path}: {key} holds {kind}, not one of {', '.join(FLOATS)}")


def _check_heads(config, path: Path, file) -> None:
    """The one number of the shape that no tensor's shape gives away."""
    saved = (file.metadata() or {}).get("n_head", str(config.n_head))
    if saved != str(config.n_head):
        raise ValueError(f"{path}: was saved with n_head {saved}; {CONFIG} has {config.n_head}")


def _read(tensors, key: str, transposed: bool, sums: dict[Path, dict[str, int]]) -> Tensor:
    """One tensor in float32. Of a mapped file it is a view; writing into it leaves the file.

    A mapped file is not held against its checksums: all of it would have to be read.
    """
    path, file = tensors[key]
    tensor = file.get_tensor(key)
    # Windows locks a file that is mapped: nobody could save a model over it.
    mapped = os.name != "nt" and path.stat().st_size >= MAPPED_FROM
    if not mapped:
        check_sum(path, sums[path], key, tensor)
    tensor = tensor.float()
    tensor = tensor.T if transposed else tensor
    return tensor if mapped else tensor.clone(memory_format=torch.contiguous_format)


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
