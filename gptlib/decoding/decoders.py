"""Lesson 07's loop, made fast: a model that remembers what it has read, one more token at a time.

`Decoder` is the readable way, and runs any model. For one new token its time goes to calling a
hundred modules and to views of small tensors. `FastDecoder` is the same sums as one function, with
no module called, and `OneRowDecoder` the same again for one row of text on a CPU, where NumPy is
faster than PyTorch. A test holds the three equal.

Axes: B batch, T new tokens, S tokens read so far, C = n_embd, nh heads, hs channels of a head,
L = n_layer, V = vocab_size.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..attention import CausalSelfAttention, LayerCache
from ..embeddings import PositionEmbedding, TokenEmbedding
from ..fast.linear import Linear
from ..fast.threads import one_torch_thread
from ..feedforward import EPS, MLP
from ..formats.values import check_ids
from ..model import GPT, Block, without_dropout
from ..scale import kernels
from .quantization import Int8Embedding, Int8Linear

# What the fast ones know by heart, eight bits FastDecoder alone. A model with anything else in it
# runs as it is.
PLAIN_PARTS = {GPT, Block, CausalSelfAttention, MLP, TokenEmbedding, PositionEmbedding, Linear}
PLAIN_PARTS |= {nn.LayerNorm, nn.Dropout, nn.ModuleList}
EIGHT_BIT_PARTS = {Int8Linear, Int8Embedding}

# A layer as the fast ones hold it: two layer norms, and the two products of each part.
Norm = tuple[Tensor, Tensor]
Product = Callable[[Tensor], Tensor]
Layer = tuple[Norm, tuple[Product, Product], Norm, tuple[Product, Product]]

# Products of a prompt below which to share the work out takes longer than it saves: a core that is
# busy with something else is waited for.
LARGE_PROMPT = 10**8


def last_logits(model: GPT, ids: Tensor, cache: list[LayerCache] | None = None) -> Tensor:
    """What the model says after ids (B, T): logits (B, V), without gradients and dropout."""
    with torch.no_grad(), without_dropout(model):
        return model(ids, cache)[:, -1]


def without_unused_ids(model: GPT, logits: Tensor) -> Tensor:
    """The logits (..., V) with -inf for every id that has no token, so that none of them is drawn.

    A vocabulary may be padded to a round number, such as 50,304 for GPT-2's 50,257 tokens. Where
    the tokens end is known of a model that was opened together with its tokenizer.
    """
    if model.first_unused_id is None:
        return logits
    logits = logits.clone()
    logits[..., model.first_unused_id :] = -torch.inf
    return logits


class Decoder:
    """Reads tokens and says what comes next, keeping keys and values in room set aside once.

    Room for block_size tokens: beyond that positions have no vectors, and the model says so.
    """

    threads: AbstractContextManager = (
        nullcontext()
    )  # in which a token is best drawn from the logits

    def __init__(self, model: GPT, batch_size: int) -> None:
        self.model = model
        self.room = model.cache_room(batch_size)  # (L, 2, B, nh, block_size, hs)
        self.cache = [LayerCache(room) for room in self.room]

    @property
    def length(self) -> int:
        """How many tokens of each row have been read."""
        return self.cache[0].length

    def read(self, ids: Tensor) -> Tensor:
        """The next T tokens, ids (B, T) -> logits (B, V) for the token after them."""
        return self._read_one(ids) if self._has_a_fast_way(ids) else self._read_all(ids)

    def _has_a_fast_way(self, ids: Tensor) -> bool:
        """Whether `_read_one` can read these: the plain decoder has no such thing."""
        return False

    def _read_one(self, ids: Tensor) -> Tensor:
        """One token of each row, ids (B, 1) -> logits (B, V), with no module called."""
        raise NotImplementedError

    def _read_all(self, ids: Tensor) -> Tensor:
        """Any number of tokens by the model itself: a prompt in one pass, or its word for full."""
        return last_logits(self.model, ids, self.cache)


class _StepDecoder(Decoder):
    """A decoder with a fast way for one new token, as long as there is room for it."""

    def _has_a_fast_way(self, ids: Tensor) -> bool:
        return ids.shape[1] == 1 and self.length < self.model.config.block_size


class FastDecoder(_StepDecoder):
    """The logits of `Decoder`, for a model of `PLAIN_PARTS` or `EIGHT_BIT_PARTS` alone."""

    def __init__(self, model: GPT, batch_size: int) -> None:
        super().__init__(model, batch_size)
        self.layers, self.lm_head = layers_of(model), model.lm_head.for_few_rows()

    def _read_one(self, ids: Tensor) -> Tensor:
        with torch.inference_mode():  # no bookkeeping for a backward pass: an eighth of the time
            logits = self._logits(ids[:, 0])
        return logits.clone()  # a caller may train on it, which such a tensor does not allow

    def _logits(self, ids: Tensor) -> Tensor:
        """The layers as one function, ids (B,) -> logits (B, V)."""
        model, config, place = self.model, self.model.config, self.length
        channels, n_rows = (config.n_embd,), ids.shape[0]
        as_heads = (n_rows, 3, config.n_head, 1, config.n_embd // config.n_head)
        norm, gelu, attend = torch.layer_norm, F.gelu, F.scaled_dot_product_attention
        here = self.room.narrow(4, place, 1).flatten(0, 1).unbind(0)  # 2L of (B, nh, 1, hs)
        seen = self.room.narrow(4, 0, place + 1).flatten(0, 1).unbind(0)  # 2L of (B, nh, S, hs)

        x = model.wte.rows(ids) + model.wpe.weight[place]  # (B, C)
        for i, (ln_1, (c_attn, attn_proj), ln_2, (c_fc, mlp_proj)) in enumerate(self.layers):
            q, k, v = c_attn(norm(x, channels, *ln_1, EPS)).view(as_heads).unbind(1)
            here[2 * i].copy_(k)
            here[2 * i + 1].copy_(v)
            y = attend(q, seen[2 * i], seen[2 * i + 1])  # (B, nh, 1, hs); no key lies ahead
            x = x + attn_proj(y.reshape(n_rows, -1))  # (B, C)
            x = x + mlp_proj(gelu(c_fc(norm(x, channels, *ln_2, EPS)), approximate="tanh"))
            self.cache[i].length += 1
        return self.lm_head(norm(x, channels, model.ln_f.weight, model.ln_f.bias, EPS))  # (B, V)


class OneRowDecoder(_StepDecoder):
    """The logits of `Decoder` for one row, in float32 on a CPU, for a model of `PLAIN_PARTS`.

    A matrix times one vector is as fast as the matrix can be read. On some processors PyTorch's
    MKL reads it on one core, and its oneDNN not as fast as NumPy's OpenBLAS; and to be asked takes
    NumPy half as long. For a large model it is measured. The arrays are the model's own memory, so
    that it sees what is changed in place between two tokens; weights that are replaced it sees when
    all are, as by `model.to`.
    """

    threads = one_torch_thread

    def __init__(self, model: GPT, batch_size: int = 1) -> None:
        super().__init__(model, batch_size)
        self.rooms = self.room.flatten(0, 1)  # (2L, 1, nh, block_size, hs): keys, values, keys, ...
        self.rows = [room[:, 0].numpy() for room in self.room]  # L of (2, nh, block_size, hs)
        self._take_weights()

    def _take_weights(self) -> None:
        """Take the arrays of the weights; once more when the first of them lies elsewhere."""
        model = self.model
        self.layers = [
            (
                (block.ln_1.weight, block.ln_1.bias),
                (*_arrays(block.attn.c_attn), *_arrays(block.attn.c_proj)),
                (block.ln_2.weight, block.ln_2.bias),
                (*_arrays(block.mlp.c_fc), *_arrays(block.mlp.c_proj)),
            )
            for block in _blocks(model)
        ]
        self.wte, self.wpe = model.wte.weight.detach().numpy(), model.wpe.weight.detach().numpy()
        self.lm_head, self.lm_head_bias = _arrays(model.lm_head)
        self.first = model.wte.weight  # to ask all of them takes a tenth of a token's time
        self.address = self.first.data_ptr()

    def _has_a_fast_way(self, ids: Tensor) -> bool:
        # Autocast chooses number types by itself.
        return super()._has_a_fast_way(ids) and not torch.is_autocast_enabled("cpu")

    def _read_all(self, ids: Tensor) -> Tensor:
        large = ids.numel() * self.model.n_params() >= LARGE_PROMPT
        with nullcontext() if large else one_torch_thread:
            return super()._read_all(ids)

    def _read_one(self, ids: Tensor) -> Tensor:
        token = int(ids)
        if not 0 <= token < len(self.wte):
            check_ids(ids, len(self.wte))
        if self.first.data_ptr() != self.address:
            self._take_weights()
        with torch.inference_mode(), one_torch_thread, np.errstate(all="ignore"):
            logits = self._logits_of(token)
        return torch.from_numpy(logits)[None]

    def _logits_of(self, token: int) -> np.ndarray:
        """One token -> its logits, an array (V,). Arrays here are vectors: (C,), (3C,), (4C,)."""
        config, place, tensor = self.model.config, self.length, torch.from_numpy
        n_head, channels = config.n_head, config.n_embd
        heads = (n_head, channels // n_head)  # of one vector
        norm, gelu, attend = torch.layer_norm, F.gelu, F.scaled_dot_product_attention
        seen = self.rooms.narrow(3, 0, place + 1).unbind(0)  # 2L of (1, nh, S, hs)

        x = self.wte[token] + self.wpe[place]
        x_tensor = tensor(x)  # the same memory
        for i, (ln_1, attn, ln_2, mlp) in enumerate(self.layers):
            c_attn, c_attn_bias, c_proj, c_proj_bias = attn
            qkv = c_attn.dot(norm(x_tensor, (channels,), *ln_1, EPS).numpy())
            qkv += c_attn_bias
            self.rows[i][:, :, place] = qkv[channels:].reshape(2, *heads)
            q = tensor(qkv[:channels]).view(1, n_head, 1, -1)
            y = attend(q, seen[2 * i], seen[2 * i + 1])  # (1, nh, 1, hs); no key lies ahead
            x += c_proj.dot(y.numpy().reshape(channels))
            x += c_proj_bias

            c_fc, c_fc_bias, c_proj, c_proj_bias = mlp
            hidden = c_fc.dot(norm(x_tensor, (channels,), *ln_2, EPS).numpy())
            hidden += c_fc_bias
            x += c_proj.dot(gelu(tensor(hidden), approximate="tanh").numpy())
            x += c_proj_bias
            self.cache[i].length += 1
        ln_f = self.model.ln_f
        x = norm(x_tensor, (channels,), ln_f.weight, ln_f.bias, EPS).numpy()
        return self.lm_head.dot(x) + self.lm_head_bias


def layers_of(model: GPT) -> list[Layer]:
    """Each layer's weights and products, found once: no module is asked for them at each token."""
    return [
        (
            (block.ln_1.weight, block.ln_1.bias),
            (block.attn.c_attn.for_few_rows(), block.attn.c_proj.for_few_rows()),
            (block.ln_2.weight, block.ln_2.bias),
            (block.mlp.c_fc.for_few_rows(), block.mlp.c_proj.for_few_rows()),
        )
        for block in _blocks(model)
    ]


def _blocks(model: GPT) -> Iterable[Block]:
    """The model's blocks, of the type that they are known to have."""
    return cast(Iterable[Block], model.h)


def _arrays(layer: Linear) -> tuple[np.ndarray, np.ndarray | float]:
    """Weight and bias; NumPy adds 0 to a vector as it adds a bias."""
    bias = 0.0 if layer.bias is None else layer.bias.detach().numpy()
    return layer.weight.detach().numpy(), bias


def decoder_for(model: GPT, batch_size: int) -> Decoder:
    """The fastest one that runs `model` as it is: ablated, watched or wrapped parts stay in use."""
    if not is_plain(model, PLAIN_PARTS | EIGHT_BIT_PARTS):
        return Decoder(model, batch_size)
    in_numpy = all(p.device.type == "cpu" and p.dtype == torch.float32 for p in model.parameters())
    if batch_size == 1 and in_numpy and is_plain(model):
        if kernels.for_one_row(model, model.config) == "NumPy":
            return OneRowDecoder(model, batch_size)
    return FastDecoder(model, batch_size)


def is_plain(model: GPT, parts: set[type] = PLAIN_PARTS) -> bool:
    """Whether the model is made of these parts alone, and nobody watches or replaced one."""
    return all(type(module) in parts and not _watched(module) for module in model.modules())


def _watched(module: nn.Module) -> bool:
    """Whether somebody wants to see this module being called, or has put a forward in its place."""
    return bool(module._forward_hooks or module._forward_pre_hooks) or "forward" in vars(module)
