"""Whether PyTorch is following a computation instead of only doing it.

Under `torch.compile`, `torch.export`, `torch.jit.trace` and the transforms of `torch.func` a tensor
may have no numbers to look at, and an operation without a derivative rule cannot be used. Code that
looks at numbers, or takes a faster operation, asks here first and else takes the plain way.
"""

import torch

# Not public names: PyTorch's list of the transforms at work, and what stands in it.
_last = getattr(torch._C._functorch, "peek_interpreter_stack", None)
_Transform = getattr(torch._C._functorch, "CInterpreter", ())
_compiled_too = torch.__version__ >= "2.7"  # a compiler before that cannot ask for the list


def is_transformed() -> bool:
    """Whether a transform of `torch.func` (grad, vmap, jvp, ...) is at work."""
    if _last is None or (torch.compiler.is_compiling() and not _compiled_too):
        return False
    # By its type: to a compiler that follows, the None of an empty list is something, and not None.
    return isinstance(_last(), _Transform)


def is_traced() -> bool:
    """Whether anything follows the computation: a compiler, an export, a trace or a transform."""
    # The compiler's question comes first: it is answered while compiling, and ends the matter.
    return torch.compiler.is_compiling() or torch.jit.is_tracing() or is_transformed()
