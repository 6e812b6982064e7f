"""Save and load: a folder of config.json, model.safetensors and tokenizer.json.

The folder is laid out as Hugging Face lays out GPT-2, so that other tools open it; no pickle is
read or written. A save replaces all of its files or none (`files.atomic_folder`).
"""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .files import atomic_folder, data_dir, finish_save, user_path
from .model import GPT, GPTConfig
from .tokenizer import END_OF_TEXT, Tokenizer
from .tokenizer_files import hf_tokenizer_config

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
TRAINING, HISTORY, LOSSES = "training.safetensors", "history.safetensors", "history.json"
TOKENIZER_CONFIG = "tokenizer_config.json"  # for transformers' AutoTokenizer; not read here
PREFIX = "transformer."  # Hugging Face's name for all but the head
FILES = (WEIGHTS, CONFIG, TOKENIZER, TOKENIZER_CONFIG, TRAINING)  # what `save` may write
FLOATS = ("F32", "F16", "BF16", "F64")  # safetensors' names of what weights may be stored as
SHIPPED = ("pets",)

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


# ---- Whole folders ----


def load(name_or_dir, step: int | None = None) -> tuple[GPT, Tokenizer]:
    """A trained model and its tokenizer, in eval mode on the CPU.

    Args:
        name_or_dir: "pets", or a folder written by `save` or `gptlib train`.
        step: the model as it was after so many updates; see `history_steps`.

    Raises:
        FileNotFoundError: no such name or folder, or a file is missing from it.
        ValueError: a file is truncated, foreign, or does not fit the others; one line naming it.
    """
    folder = resolve(name_or_dir)
    tokenizer = Tokenizer.load(_existing(folder / TOKENIZER))
    model = load_model(folder, step)
    if tokenizer.vocab_size > model.config.vocab_size:
        raise ValueError(
            f"{folder / TOKENIZER}: {tokenizer.vocab_size} tokens, but {CONFIG} has "
            f"vocab_size {model.config.vocab_size}"
        )
    return model, tokenizer


def load_model(name_or_dir, step: int | None = None) -> GPT:
    """The model alone; arguments and errors as `load`."""
    folder = resolve(name_or_dir)
    config = read_config(folder / CONFIG)
    if step is None:
        return _build(config, folder / WEIGHTS)
    if step not in history_steps(folder):
        known = ", ".join(map(str, history_steps(folder))) or "none"
        raise ValueError(f"{name_or_dir} has no snapshot of step {step!r}: it has {known}")
    return _build(config, folder / HISTORY, f"{step}/")


def save(folder, model: GPT, tokenizer: Tokenizer | None = None, training=None) -> None:
    """Write the folder that `load` opens, all of it or nothing.

    Args:
        tokenizer: None leaves the folder's own in place.
        training: a Trainer whose state goes along, for `load_training`.

    Raises:
        ValueError: the tokenizer has more ids than the model, or the model has a part taken out
            (`ablations`), which the files have no word for; nothing is written then.
    """
    if any(hasattr(module, "ablated") for module in model.modules()):
        raise ValueError("a model with a part taken out cannot be saved: it would load whole")
    tokens = tokenizer or _kept_tokenizer(folder)
    if tokens is not None and tokens.vocab_size > model.config.vocab_size:
        raise ValueError(
            f"{folder}: the tokenizer has {tokens.vocab_size} ids, the model's vocab_size is "
            f"{model.config.vocab_size}: they do not belong together"
        )
    with atomic_folder(folder) as staging:
        config = to_hf_config(model.config, tokens)
        (staging / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        _write(to_hf_tensors(model), staging / WEIGHTS, {"format": "pt"})
        if tokenizer is not None:
            tokenizer.save(staging / TOKENIZER)
            stop = None if tokenizer.eos_id is None else END_OF_TEXT
            settings = hf_tokenizer_config(stop, model.config.block_size)
            path = staging / TOKENIZER_CONFIG
            path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        if training is not None:
            tensors, numbers = training.state()
            tensors = {name: t.detach().contiguous().cpu() for name, t in tensors.items()}
            numbers = numbers | {"weights": _sha256(staging / WEIGHTS)}
            _write(tensors, staging / TRAINING, {"gptlib": json.dumps(numbers)})


def _kept_tokenizer(folder) -> Tokenizer | None:
    """The one that a save without a tokenizer leaves in place, if there is one."""
    path = user_path(folder) / TOKENIZER
    return Tokenizer.load(path) if path.is_file() else None


def load_training(folder) -> tuple[dict[str, Tensor], dict]:
    """What `Trainer.load_state` takes, from a folder saved with `training`.

    Raises:
        ValueError: the file is damaged, or was saved with other weights than the folder has now.
    """
    path = resolve(folder) / TRAINING
    with _opened(path) as file:
        try:
            numbers = json.loads((file.metadata() or {})["gptlib"])
            numbers["step"], numbers["seconds"], numbers["history"], numbers["config"]
            weights = numbers["weights"]
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(f"{path}: its header holds no training state") from error
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    if weights != _sha256(_existing(path.with_name(WEIGHTS))):
        raise ValueError(f"{path}: belongs to other weights than those of {WEIGHTS}")
    return tensors, numbers


def resolve(name_or_dir) -> Path:
    """The folder of a shipped name or of a path; finishes a save that a crash cut off."""
    if str(name_or_dir) in SHIPPED:
        return data_dir() / str(name_or_dir)
    folder = user_path(name_or_dir)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{name_or_dir}: no such folder, and no shipped model has that name "
            f"({', '.join(SHIPPED)})"
        )
    finish_save(folder)
    return folder


# ---- A history: snapshots of one run ----


@dataclass(frozen=True)
class History:
    """The losses of a run and the steps of which there are snapshots."""

    steps: list[int]  # snapshots: load(name, step=...)
    loss: list[tuple[int, float]]  # (step, training loss), nats per token
    val_loss: list[tuple[int, float]]  # (step, held-out loss), nats per token
    floor: float | None  # the held-out loss of the true distribution, if it is known


def history_steps(name_or_dir) -> list[int]:
    """The steps of which the folder has a snapshot, in order."""
    path = resolve(name_or_dir) / HISTORY
    if not path.is_file():
        return []
    with _opened(path) as file:
        steps = {key.partition("/")[0] for key in file.keys()}  # noqa: SIM118
    if odd := [step for step in steps if not step.isdecimal()]:
        raise ValueError(f"{path}: {min(odd)!r} is not the step of a snapshot")
    return sorted(map(int, steps))


def load_history(name_or_dir) -> History:
    """The losses and snapshots of a run that was saved with `save_history`."""
    path = _existing(resolve(name_or_dir) / LOSSES)
    values = _read_json(path)
    try:
        return History(
            steps=history_steps(name_or_dir),
            loss=[(int(step), float(loss)) for step, loss in values["loss"]],
            val_loss=[(int(step), float(loss)) for step, loss in values["val_loss"]],
            floor=values["floor"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a history ({error})") from error


def save_history(folder, snapshots: dict[int, dict[str, Tensor]], losses: dict) -> None:
    """Add to a saved folder: {step: to_hf_tensors(model)} and {"loss", "val_loss", "floor"}."""
    tensors = {f"{step}/{name}": t for step, ts in snapshots.items() for name, t in ts.items()}
    with atomic_folder(folder) as staging:
        _write(tensors, staging / HISTORY, {"format": "pt"})
        (staging / LOSSES).write_text(json.dumps(losses) + "\n", encoding="utf-8")


# ---- Hugging Face's GPT-2 layout ----


def to_hf_config(config: GPTConfig, tokenizer: Tokenizer | None = None) -> dict:
    """config.json's content: the shape under Hugging Face's names, and what is always so."""
    eos_id = tokenizer.eos_id if tokenizer else None
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


def read_config(path: Path) -> GPTConfig:
    """The shape that a config.json tells of; ValueError names the field that cannot be ours."""
    values = _read_json(_existing(path))
    if values.get("model_type") != "gpt2":  # first: the other names may mean nothing there
        raise ValueError(f"{path}: model_type is {values.get('model_type')!r}, not 'gpt2'")
    for name in ("vocab_size", "n_positions", "n_layer", "n_head", "n_embd"):
        if name not in values:
            raise ValueError(f"{path}: {name} is missing")
    try:
        shape = {name: values[name] for name in ("vocab_size", "n_layer", "n_head", "n_embd")}
        config = GPTConfig(
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


def to_hf_tensors(model: GPT) -> dict[str, Tensor]:
    """The weights under Hugging Face's names: linear matrices transposed, the tied head once."""
    return {
        PREFIX + name: (tensor.T if _is_linear(name) else tensor)
        .detach()
        .cpu()
        .clone(memory_format=torch.contiguous_format)
        for name, tensor in model.state_dict().items()
        if name != "lm_head.weight"
    }


def _is_linear(name: str) -> bool:
    """Stored (in, out) by GPT-2's original code ("Conv1D"), (out, in) by torch's Linear."""
    return re.search(r"\.(c_attn|c_proj|c_fc)\.weight$", name) is not None


def _build(config: GPTConfig, path: Path, prefix: str = "") -> GPT:
    """The model with the weights of `path`, once every one of them is known to fit."""
    with _opened(path) as file:
        found = _names(file, prefix)
        expected = _shapes(config, file, found, path)
        missing, extra = expected.keys() - found.keys(), found.keys() - expected.keys()
        if missing:
            raise ValueError(f"{path}: the tensor {min(missing)} is missing")
        if extra:
            raise ValueError(f"{path}: {min(extra)} is no tensor of this model")
        state = {}
        for name, shape in expected.items():
            _check_fits(file, found[name], shape[::-1] if _is_linear(name) else shape, path)
            tensor = file.get_tensor(found[name])
            tensor = tensor.T if _is_linear(name) else tensor
            # A copy: what safe_open gives is the file itself, mapped into memory.
            state[name] = tensor.float().clone(memory_format=torch.contiguous_format)
    with torch.device("meta"):  # no time spent on weights that are replaced at once
        model = GPT(config)
    model.load_state_dict(state | {"lm_head.weight": state["wte.weight"]}, assign=True)
    model.lm_head.weight = model.wte.weight
    return model.eval()


def _names(file, prefix: str) -> dict[str, str]:
    """{our name: the file's name}, without what some versions saved and no model needs."""
    names = {}
    for key in file.keys():  # noqa: SIM118
        if key.startswith(prefix):
            name = key[len(prefix) :].removeprefix(PREFIX)
            if name != "lm_head.weight" and not re.search(r"\.attn\.(masked_)?bias$", name):
                names[name] = key
    return names


def _shapes(config: GPTConfig, file, found: dict[str, str], path: Path) -> dict[str, tuple]:
    """{name: shape} of the model's parameters.

    The depth, width and vocabulary are held against the file first: else one mistyped number in
    config.json has a million blocks built, or overflows.
    """
    layers = {int(m[1]) for name in found if (m := re.match(r"h\.(\d{1,6})\.", name))}
    if len(layers) != config.n_layer:
        raise ValueError(
            f"{path}: {len(layers)} layers; {CONFIG} asks for n_layer {config.n_layer}"
        )
    for name, n_rows in (("wte.weight", config.vocab_size), ("wpe.weight", config.block_size)):
        if name in found:
            _check_fits(file, found[name], (n_rows, config.n_embd), path)
    with torch.device("meta"):
        model = GPT(config)
    return {name: tuple(p.shape) for name, p in model.named_parameters()}


def _check_fits(file, key: str, wanted: tuple[int, ...], path: Path) -> None:
    """Hold a tensor's header against the model, before any of it is read."""
    tensor = file.get_slice(key)
    shape, kind = tuple(tensor.get_shape()), tensor.get_dtype()
    if shape != wanted:
        raise ValueError(f"{path}: {key} has shape {shape}; {CONFIG} asks for {wanted}")
    if kind not in FLOATS:
        raise ValueError(f"{path}: {key} holds {kind}, not one of {', '.join(FLOATS)}")


# ---- Reading, with errors in one line ----


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent}: there is no {path.name} in it")
    return path


def _read_json(path: Path) -> dict:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path}: must hold a JSON object, not {type(values).__name__}")
    return values


@contextmanager
def _opened(path: Path) -> Iterator:
    """The safetensors file, open for reading; whatever is wrong with it is a ValueError."""
    try:
        with safe_open(_existing(path), framework="pt") as file:
            yield file
    except SafetensorError as error:
        raise ValueError(f"{path}: not a whole safetensors file ({error})") from error


def _write(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    try:
        save_file(tensors, path, metadata=metadata)
    except SafetensorError as error:  # a full disk, which is an OSError everywhere else
        raise OSError(f"{path}: {error}") from error


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
