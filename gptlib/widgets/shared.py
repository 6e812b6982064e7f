"""What several explorers of a notebook need, sent to a page once: a model's weights, a tokenizer.

A hidden widget holds it and explorers refer to it, so that it is there as soon as they are: nothing
waits for a kernel that is busy with the next cell.
"""

import hashlib
import json
import struct

import ipywidgets
import numpy as np
import traitlets
from ipywidgets import widget_serialization
from safetensors.torch import save

from ..decoding.decoders import PLAIN_PARTS
from ..formats.hf import to_hf_tensors
from ..model import GPT
from ..tokenizer import Tokenizer

LARGEST = 2_000_000  # parameters: what a browser computes while a slider moves


class Shared(ipywidgets.Widget):
    """Data without a view."""

    _model_module = traitlets.Unicode("@jupyter-widgets/base").tag(sync=True)
    _model_module_version = traitlets.Unicode("2.0.0").tag(sync=True)
    _model_name = traitlets.Unicode("WidgetModel").tag(sync=True)


class SharedModel(Shared):
    """A model: its shape, and its weights as the bytes of a model.safetensors."""

    config = traitlets.Dict().tag(sync=True)
    tensors = traitlets.Bytes().tag(sync=True)


class SharedTokenizer(Shared):
    """A tokenizer: its merges as pairs of int32, its special tokens, the ids of the bytes."""

    merges = traitlets.Bytes().tag(sync=True)
    special = traitlets.Dict().tag(sync=True)
    byte_ids = traitlets.List().tag(sync=True)


def reference(kind: type[ipywidgets.Widget] = Shared) -> traitlets.Instance:
    """A trait that refers to a widget of this kind, or to none."""
    return traitlets.Instance(kind, allow_none=True).tag(sync=True, **widget_serialization)


_made: dict[str, Shared] = {}


def share_model(model: GPT) -> SharedModel | None:
    """The model as it is now; None where it is too large, or another one than `GPT` alone.

    A model with a padded vocabulary stays in the kernel too: the page knows no unused ids.
    """
    plain = {type(module) for module in model.modules()} <= PLAIN_PARTS
    if not plain or model.n_params() > LARGEST or model.first_unused_id is not None:
        return None
    tensors = {name: t.float().contiguous() for name, t in to_hf_tensors(model).items()}
    return _once(SharedModel, config=model.config.to_dict(), tensors=save(tensors))


def share_tokenizer(tokenizer: Tokenizer) -> SharedTokenizer:
    """The tokenizer as it is now."""
    return _once(
        SharedTokenizer,
        merges=np.array(tokenizer.merges, dtype="<i4").tobytes(),
        special=dict(tokenizer.special_tokens),
        byte_ids=list(tokenizer.byte_ids),
    )


def _once(kind: type[Shared], **values) -> Shared:
    """The widget that holds these values: one for each kernel, while it is open."""
    digest = hashlib.sha256(kind.__name__.encode())
    for value in values.values():
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        digest.update(struct.pack("<Q", len(data)) + data)
    made = _made.get(digest.hexdigest())
    if made is None or made.comm is None:  # None: closed, as when a notebook's widgets are cleared
        made = _made[digest.hexdigest()] = kind(**values)
    return made
