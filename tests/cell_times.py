"""Which asserts of a notebook depend on a clock, read off its syntax."""

import ast

CLOCKS = {"time", "perf_counter", "process_time", "monotonic", "thread_time", "timeit"}
CLOCKS |= {f"{name}_ns" for name in CLOCKS} | {"datetime", "getrusage", "cpu_times"}


def asserts_on_time(sources):
    """The asserts, as text, whose condition mentions a clock or what was worked out from one.

    >>> asserts_on_time(["import time", "began = time.time()", "assert time.time() - began < 9"])
    ['assert time.time() - began < 9']
    """
    whole = ast.parse("\n".join(sources))
    return _Timed(whole.body, set()).asserts


class _Timed:
    """The names of one scope that hold times, and the asserts on them in it."""

    def __init__(self, body, outer, own=()):
        self.body, self.asserts = body, []
        self.names = outer - {*own} - {n.id for n in _here(body) if _is_set(n)}
        before = None
        while before != self.names:  # a function may use what is set below it
            before = set(self.names)
            for node in _here(body):
                self._visit(node)
        self._collect()

    def _visit(self, node):
        if isinstance(node, ast.FunctionDef) and self._inside(node).returns_time():
            self.names.add(node.name)
        if isinstance(node, ast.ImportFrom):
            self.names |= {a.asname for a in node.names if a.asname and a.name in CLOCKS}
        for targets, value in _bindings(node):
            if self._mentions(value):
                self.names |= {n.id for t in targets for n in ast.walk(t) if _is_set(n)}

    def _inside(self, function):
        parameters = {
            argument.arg for argument in ast.walk(function.args) if _is_argument(argument)
        }
        return _Timed(function.body, set(self.names), parameters)

    def returns_time(self):
        found = [n.value for n in _here(self.body) if isinstance(n, ast.Return | ast.Yield)]
        return any(self._mentions(value) for value in found if value is not None)

    def _collect(self):
        for node in _here(self.body):
            if isinstance(node, ast.Assert) and self._mentions(node.test):
                self.asserts.append(ast.unparse(node))
            elif isinstance(node, ast.FunctionDef):
                self.asserts += self._inside(node).asserts

    def _mentions(self, value):
        return any(
            (isinstance(n, ast.Name) and n.id in self.names | CLOCKS)
            or (isinstance(n, ast.Attribute) and n.attr in CLOCKS)
            for n in ast.walk(value)
        )


def _bindings(node):
    """(targets, value) of all that a statement binds, a tuple's parts each by itself."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            parts = getattr(target, "elts", ()), getattr(node.value, "elts", ())
            if parts[0] and len(parts[0]) == len(parts[1]):
                yield from (([t], value) for t, value in zip(*parts))
            else:
                yield [target], node.value
    elif isinstance(node, ast.AugAssign | ast.NamedExpr | ast.AnnAssign) and node.value:
        yield [node.target], node.value
    elif isinstance(node, ast.For | ast.comprehension):
        yield [node.target], node.iter
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):  # times.append(t)
        if isinstance(node.func.value, ast.Name) and node.func.attr in ("append", "extend", "add"):
            stored = ast.Name(node.func.value.id, ast.Store())
            yield from (([stored], argument) for argument in node.args)


def _here(body):
    """All nodes of a scope, without those inside its functions."""
    waiting = list(body)
    while waiting:
        node = waiting.pop(0)
        yield node
        if not isinstance(node, ast.FunctionDef):
            waiting += ast.iter_child_nodes(node)


def _is_set(node):
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _is_argument(node):
    return isinstance(node, ast.arg)
