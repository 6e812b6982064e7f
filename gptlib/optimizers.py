"""Lesson 06's extra: from gradients to updates. AdamW, and Muon for the matrices.

Muon (Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks") takes the
momentum of a matrix and makes it orthogonal: all its singular values become about 1, so that a
direction that few examples pull at moves as far as one that all do. Embeddings, biases and gains
have no such directions, and AdamW trains them. Leaves out sharding over devices.

Axes: (O, I) a matrix; N matrices of one shape are stacked, (N, O, I).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer

from .fast.cards import has_bf16
from .fast.linear import CPU_HAS_BF16
from .fast.optimizer import AdamW, Ready
from .model import GPT
from .scale import kernels
from .scale.compiling import compiled, compiles
from .scale.settings import DEFAULTS, TrainConfig

# Coefficients of Polar Express (Amsel et al. 2025, arXiv 2505.16932, algorithm 1), a step each: of
# all polynomials a x + b x^3 + c x^5 those that bring singular values of 0.001 to 1 nearest to 1.
STEPS = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
)
SAFETY = 1.01  # room for rounding: above 1 by a little, the first polynomials would not come back

BESIDE_MUON = 2 / 3  # AdamW's rate for what is no matrix, as a share of Muon's


def orthogonalize(matrices: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Each of N matrices (N, O, I) with its singular values brought near to 1: U V^T of U S V^T.

    Five steps of X <- a X + (b X X^T + c (X X^T)^2) X, which change singular values and leave the
    singular vectors as they are. Only products, so it is fast where a decomposition is slow; what
    was above a thousandth of the norm ends between 0.85 and 1.15. In numbers of `dtype`, three
    digits of which are enough for a direction; None: what the device is known to multiply fast.

    >>> spread = torch.diag(torch.tensor([1.0, 0.1, 0.01]))
    >>> orthogonalize(spread[None])[0].diagonal().round().tolist()
    [1.0, 1.0, 1.0]
    """
    x = matrices.to(dtype or _fast_dtype(matrices.device))
    wide = x.shape[-1] >= x.shape[-2]
    x = x if wide else x.mT  # the smaller side first: X X^T is then the smaller one
    x = x / (x.norm(dim=(-2, -1), keepdim=True) * SAFETY + 1e-7)  # no singular value above 1
    for a, b, c in STEPS:
        b, c, a = b / SAFETY**3, c / SAFETY**5, a / SAFETY
        squared = x @ x.mT  # (N, O, O)
        factor = torch.baddbmm(squared, squared, squared, beta=b, alpha=c)  # b s + c s @ s
        x = torch.baddbmm(x, factor, x, beta=a)  # a x + factor @ x
    return (x if wide else x.mT).to(matrices.dtype)


def _fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device has instructions for it, and float32 elsewhere."""
    has_it = CPU_HAS_BF16 if device.type == "cpu" else has_bf16(device)
    return torch.bfloat16 if has_it else torch.float32


class Muon(Ready):
    """Momentum, made orthogonal: weight -= rate * sqrt(max(1, O / I)) * orthogonalize(momentum).

    Args:
        params: matrices (O, I). One with O = 3 I is queries, keys and values side by side
            (`c_attn`), three matrices that share their input: each is made orthogonal by itself.
        lr: how far each singular value moves at a step.
        momentum: share of the old gradients that stays; Nesterov's form looks one step ahead.
        weight_decay: as AdamW's, apart from the gradient.
        products: another way to `orthogonalize`, such as a compiled one.

    Raises:
        ValueError: a parameter is no matrix.
    """

    def __init__(
        self,
        params: Iterable,
        lr: float = DEFAULTS["muon"].peak,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        products: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.products = products
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.ndim != 2:
                    shape = tuple(parameter.shape)
                    raise ValueError(f"Muon trains matrices, not a parameter of shape {shape}")

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            by_shape = defaultdict(list)  # matrices of one shape go through the products together
            for weight, ahead in self._ahead(group):
                for part, direction in zip(_parts(weight), _parts(ahead)):
                    by_shape[direction.shape].append((part, direction))
            for (n_out, n_in), pairs in by_shape.items():
                parts, directions = zip(*pairs)
                updates = (self.products or orthogonalize)(torch.stack(directions))  # (N, O, I)
                rate = group["lr"] * max(1, n_out / n_in) ** 0.5
                torch._foreach_mul_(parts, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(parts, updates.unbind(0), alpha=-rate)
        return loss

    def _ahead(self, group: dict) -> Iterable[tuple[Tensor, Tensor]]:
        """Each parameter that has a gradient, with its momentum as it will be one step ahead."""
        weights = [weight for weight in group["params"] if weight.grad is not None]
        if not weights:
            return ()
        for weight in weights:
            if not self.state[weight]:
                self.state[weight]["momentum"] = torch.zeros_like(weight)
        momenta, grads = [self.state[w]["momentum"] for w in weights], [w.grad for w in weights]
        torch._foreach_lerp_(momenta, grads, 1 - group["momentum"])  # all of them in one call
        return zip(weights, torch._foreach_lerp(grads, momenta, group["momentum"]))


def _parts(matrix: Tensor) -> tuple[Tensor, ...]:
    n_out, n_in = matrix.shape
    return matrix.chunk(3) if n_out == 3 * n_in else (matrix,)


def decay_groups(model: GPT, weight_decay: float) -> list[dict]:
    """The parameters in two groups: matrices, which decay, and vectors, which do not."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    return [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]


def make_optimizers(model: GPT, config: TrainConfig) -> list[Optimizer]:
    """What `TrainConfig.optimizer` names: AdamW for all, or Muon for the blocks' matrices first.

    Each group has its share of the schedule's learning rate as "share".
    """
    decay = config.weight_decay
    groups = [group | {"share": 1.0} for group in decay_groups(model, decay)]
    muon = []
    if config.optimizer == "muon":
        hidden = {id(p) for p in model.h.parameters()}
        matrices = [p for p in groups[0]["params"] if id(p) in hidden]
        tables = [p for p in groups[0]["params"] if id(p) not in hidden]
        products = _products(model, config, matrices)
        group = {"params": matrices, "share": 1.0}
        muon = [Muon([group], config.peak, config.momentum, decay, products)]
        groups = [group | {"share": BESIDE_MUON} for group in groups]
        groups[0]["params"] = tables
    # One call for all tensors; where a device has no such kernel, PyTorch's own choice.
    fused = True if model.device.type in ("cpu", "cuda") else None
    return [*muon, AdamW(groups, betas=(config.beta1, config.beta2), fused=fused)]


def _products(model: GPT, config: TrainConfig, matrices: list[Tensor]):
    """The way to `orthogonalize` that is the fastest here; None: as it stands above."""
    if compiles(model, config):
        return compiled(orthogonalize)
    return kernels.for_muon(matrices, config, orthogonalize, usual=_fast_dtype(model.device))
