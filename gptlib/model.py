"""Block and GPT: the parts of lessons 02 to 05 put together, and nothing else.

Exactly GPT-2 (Radford et al. 2019): pre-norm, learned positions, tanh GELU, biases, tied head,
its initialisation and its parameter names. Training is in `training`, generation in `sampling`.

Axes: B batch, T tokens, C = n_embd channels, V = vocab_size.
"""

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .attention import CausalSelfAttention, LayerCache
from .embeddings import PositionEmbedding, TokenEmbedding
from .fast.linear import Linear
from .feedforward import EPS, MLP
from .formats.pretrained import Pretrained
from .formats.values import Real, Rules, Whole, read_fields

SIZES = ("vocab_size", "block_size", "n_layer", "n_head", "n_embd")
RULES: Rules = {**dict.fromkeys(SIZES, Whole(1)), "dropout": Real(below=1)}


@dataclass(frozen=True)
class GPTConfig:
    """The shape of a model, under GPT-2's names. The defaults are GPT-2 small's.

    Raises:
        ValueError: a value that no model can have; names the field.
    """

    vocab_size: int = 50257
    block_size: int = 1024
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768
    dropout: float = 0.0

    def __post_init__(self) -> None:
        read_fields(self, RULES)
        if self.n_embd % self.n_head:
            raise ValueError(f"n_embd ({self.n_embd}) must be divisible by n_head ({self.n_head})")

    def to_dict(self) -> dict:
        return asdict(self)


class Block(nn.Module):
    """One layer: attention, then feedforward, each adding to what it read (the residual)."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, eps=EPS)
        self.attn = CausalSelfAttention(config.n_embd, config.n_head, config.dropout)
        self.ln_2 = nn.LayerNorm(config.n_embd, eps=EPS)
        self.mlp = MLP(config.n_embd, config.dropout)

    def forward(self, x: Tensor, cache: LayerCache | None = None) -> Tensor:
        """x (B, T, C) -> (B, T, C)."""
        x = x + self.attn(self.ln_1(x), cache)
        x = x + self.mlp(self.ln_2(x))
        return x


class GPT(nn.Module, Pretrained):
    """Token ids in, logits out.

    Args:
        config: the shape.
        seed: of the initial weights; None takes PyTorch's global generator.

    >>> model = GPT(GPTConfig(vocab_size=10, block_size=8, n_layer=1, n_head=2, n_embd=4), seed=0)
    >>> model(torch.tensor([[1, 2, 3]])).shape
    torch.Size([1, 3, 10])
    """

    config_class = GPTConfig
    first_unused_id: int | None = None  # set by `gptlib.load`: ids from this one on have no token

    def __init__(self, config: GPTConfig, seed: int | None = None) -> None:
        super().__init__()
        self.config = config
        self.wte = TokenEmbedding(config.vocab_size, config.n_embd)
        self.wpe = PositionEmbedding(config.block_size, config.n_embd)
        self.drop = nn.Dropout(config.dropout)
        self.h = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.ln_f = nn.LayerNorm(config.n_embd, eps=EPS)
        self.lm_head = Linear(config.n_embd, config.vocab_size, bias=False)
        self.lm_head.weight = self.wte.weight  # tied (Press and Wolf 2017, arXiv 1608.05859)
        self.init_weights(seed)

    @torch.no_grad()
    def init_weights(self, seed: int | None = None) -> None:
        """GPT-2's start: normal of 0.02, biases 0; what adds to the residual smaller with depth.

        A seed gives the same weights on every device: they are drawn on the CPU.
        """
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            elif parameter.ndim == 1:  # the gain of a layer norm
                parameter.fill_(1.0)
            else:
                deep = name.endswith("c_proj.weight")
                std = 0.02 / math.sqrt(2 * self.config.n_layer) if deep else 0.02
                device = "cpu" if generator else parameter.device
                noise = torch.empty(parameter.shape, device=device)
                parameter.copy_(noise.normal_(std=std, generator=generator))

    def forward(self, ids: Tensor, cache: list[LayerCache] | None = None) -> Tensor:
        """ids (B, T) -> logits (B, T, V): at each place, scores for the token after it.

        Args:
            ids: int64, T at most block_size (and what a cache holds counts too).
            cache: from `new_cache`; then `ids` holds only the tokens it has not read yet.

        Raises:
            ValueError: an id outside the vocabulary, no tokens, or too many.
        """
        if ids.ndim != 2 or ids.shape[1] == 0:
            raise ValueError(f"ids must have shape (B, T) with T >= 1, not {tuple(ids.shape)}")
        start = cache[0].length if cache else 0
        x = self.wte(ids) + self.wpe(ids.shape[1], start)  # (B, T, C) + (T, C) -> (B, T, C)
        x = self.drop(x)
        for i, block in enumerate(self.h):
            x = block(x, cache[i] if cache else None)
        return self.lm_head(self.ln_f(x))  # (B, T, C) -> (B, T, V)

    def new_cache(self, batch_size: int) -> list[LayerCache]:
        """Empty room for the keys and values of block_size tokens, one per layer."""
        return [LayerCache(room) for room in self.cache_room(batch_size)]

    def cache_room(self, batch_size: int) -> Tensor:
        """The room of all layers' caches in one tensor, (n_layer, 2, B, nh, block_size, hs)."""
        c, weight = self.config, self.wpe.weight
        shape = (c.n_layer, 2, batch_size, c.n_head, c.block_size, c.n_embd // c.n_head)
        return torch.empty(shape, device=weight.device, dtype=weight.dtype)

    @property
    def device(self) -> torch.device:
        return self.wpe.weight.device

    def n_params(self) -> int:
        """How many numbers training can change (the tied head counts once)."""
        return sum(p.numel() for p in self.parameters())


class _WithoutDropout(TorchFunctionMode):
    """Calls of dropout, and of attention that drops weights, drop nothing in this thread."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is F.dropout:
            return args[0] if args else kwargs["input"]
        if func is F.scaled_dot_product_attention:
            kwargs = kwargs | {"dropout_p": 0.0}
        return func(*args, **kwargs)


def without_dropout(model: nn.Module) -> AbstractContextManager:
    """Inside, nothing is dropped in this thread, whatever mode the model is in.

    The model's own `training` stays as it is, since other threads may be training it. They may
    also set it while this one is inside, so a model in eval mode may begin to drop here.
    """
    drops = any(module.training or _drops(module) for module in model.modules())
    return _WithoutDropout() if drops else nullcontext()


def _drops(module: nn.Module) -> bool:
    """Whether the module would drop something in training mode."""
    share = module.p if isinstance(module, nn.Dropout) else vars(module).get("dropout", 0)
    return isinstance(share, int | float) and share > 0
