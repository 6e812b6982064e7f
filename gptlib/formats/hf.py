"""Hugging Face's GPT-2 layout: config.json and model.safetensors, as `transformers` has them.

Linear matrices lie transposed there, since GPT-2's first code wrote x @ W + b ("Conv1D"), and the
tied head is stored once. Leaves out reading the weights (`weights`), every other architecture, and
pickles, which can run any code.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from .memory import check_memory
from .tensor_file import shown_name
from .tensors import existing, read_json
from .values import shown


class Shape(Protocol):
    """What a config of a GPT has, under GPT-2's names."""

    @property
    def vocab_size(self) -> int: ...
    @property
    def block_size(self) -> int: ...
    @property
    def n_layer(self) -> int: ...
    @property
    def n_head(self) -> int: ...
    @property
    def n_embd(self) -> int: ...
    @property
    def dropout(self) -> float: ...


Config = TypeVar("Config", bound=Shape)

PREFIX = "transformer."  # Hugging Face's name for all but the head
HEAD, TIED = "lm_head.weight", "wte.weight"  # one matrix under two names
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


def read_config(path: Path, config_class: Callable[..., Config]) -> Config:
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
    for name in sorted(state.keys() - shapes.keys() - {HEAD}):
        raise ValueError(
            f"{shown_name(name)}: GPT-2's files have no place for it, so the model cannot be "
            "saved: it would load without it"
        )
    for name, shape in shapes.items():
        found = state.get(name)
        if found is None or tuple(found.shape) != shape or found.dtype not in FLOAT_TYPES:
            has = "is missing" if found is None else f"is {tuple(found.shape)}, {found.dtype}"
            raise ValueError(f"{name} {has}; a model of this config has floats of shape {shape}")
        if found.is_meta:
            raise ValueError(f"{name}: has a shape but no numbers: there is nothing to save")
    for name, module in model.named_modules():
        if getattr(module, "eps", EPSILON) != EPSILON:
            raise ValueError(f"{name}.eps is {module.eps}: GPT-2's files allow only {EPSILON}")
    tied = state[TIED]
    head = state.get(HEAD, tied)
    if head.data_ptr() != tied.data_ptr() and not torch.equal(head, tied):
        raise ValueError(
            f"{HEAD} is not {TIED}: GPT-2's files hold one matrix for both, so the model "
            "cannot be saved: a different one would load"
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
