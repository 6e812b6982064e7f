"""What an exercise left to be filled in: a `...` or a `raise NotImplementedError` still there."""

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType


def code_of(function: object) -> CodeType | None:
    """The code of a function, under what wraps it; None where there is none in Python."""
    try:
        while isinstance(function, functools.partial):
            function = function.func
        found = getattr(inspect.unwrap(function), "__code__", None)
    except Exception:  # an object whose attributes do anything
        return None
    return found if isinstance(found, CodeType) else None


def line_of_ellipsis(function: object) -> int | None:
    """In which line of a function, counted from its `def`, a blank `...` is left; or None.

    `x[..., 0]` is no blank, nor is a default value.
    """
    tree = _tree(function)
    if tree is None:
        return None
    lines = [node.lineno for part in tree.body for node in _blanks(part)]
    return min(lines, default=None)


def _blanks(node: ast.AST) -> Iterator[ast.Constant]:
    if isinstance(node, ast.Constant) and node.value is ...:
        yield node
    elif isinstance(node, ast.Subscript):
        yield from _blanks(node.value)
    elif isinstance(node, ast.Call):
        yield from _blanks(node.func)
    elif not isinstance(node, ast.arguments | ast.AnnAssign):
        for child in ast.iter_child_nodes(node):
            yield from _blanks(child)
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield from _blanks(node.value)


def without_its_stub(function: object) -> tuple[Callable, int] | None:
    """(the function without `raise NotImplementedError`, the line of the first such); or None."""
    tree = _tree(function)
    if tree is None:
        return None
    stubs = [node for node in ast.walk(tree) if _is_stub(node)]
    if not stubs:
        return None
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            if isinstance(held := getattr(node, name, None), list) and held:
                setattr(node, name, [n for n in held if not _is_stub(n)] or [ast.Pass()])
    tree.decorator_list = []
    module = ast.fix_missing_locations(ast.Module([tree], type_ignores=[]))
    function = inspect.unwrap(function)
    around = inspect.getclosurevars(function).nonlocals
    space = {**function.__globals__, **around}
    try:
        exec(compile(module, "<your answer>", "exec"), space)
    except Exception:
        return None
    return space[tree.name], min(node.lineno for node in stubs)


def _is_stub(node: ast.AST) -> bool:
    if not isinstance(node, ast.Raise) or node.exc is None:
        return False
    name = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return isinstance(name, ast.Name) and name.id == "NotImplementedError"


def _tree(function: object) -> ast.FunctionDef | None:
    """A function as it is written, or None where that is not to be had."""
    try:
        function = inspect.unwrap(function)
        if not isinstance(function, FunctionType):
            return None
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError, SyntaxError, ValueError, IndexError):
        return None
    return tree if isinstance(tree, ast.FunctionDef) and tree.name == function.__name__ else None
