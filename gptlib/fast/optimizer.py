"""PyTorch's optimizers without its compiler, which they load at their first call.

To load it takes almost as long as to load PyTorch, and a run that compiles nothing never asks it
for anything: all that it is told here is what not to compile.
"""

import inspect

import torch
from torch.optim import Optimizer


class Ready(Optimizer):
    """An Optimizer with its methods as they are inside what PyTorch wraps around them."""

    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)


class AdamW(Ready, torch.optim.AdamW):
    """`torch.optim.AdamW`, to the bit."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))
