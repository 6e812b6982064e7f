"""Which cells of a notebook train or measure times and show no progress, read off their syntax."""

import ast

from cell_times import CLOCKS

BARS = {"tqdm", "trange", "progress", "progress_bar", "watch"}
LOOPS = ast.For | ast.While | ast.comprehension | ast.ListComp | ast.GeneratorExp | ast.DictComp


def silent(sources):
    """The numbers of the cells that run long, or call a function that does, without a bar.

    What runs long: a loop over a Trainer, a loop around `backward`, and a function that looks at
    the clock. A function has a bar if it is given one, or if the cells that call it have one.

    >>> silent(["for step in gptlib.Trainer(model, ids, how):\\n    pass"])
    [0]
    """
    cells = [ast.parse(source) for source in sources]
    functions = {f.name: f for cell in cells for f in cell.body if isinstance(f, ast.FunctionDef)}
    trainers = {"Trainer"}
    for node in (node for cell in cells for node in ast.walk(cell)):
        if isinstance(node, ast.Assign) and "Trainer" in _names([node.value], calls=True):
            trainers |= _names(node.targets)
    steps, long = {"backward"}, set()
    while True:  # a function may call another one
        found = {f for f in functions if _names([functions[f]], calls=True) & steps}
        slow = {f for f in functions if _is_long(functions[f].body, trainers, steps, long)}
        slow |= {f for f in functions if _names([functions[f]]) & CLOCKS}
        if found <= steps and slow <= long:
            break
        steps, long = steps | found, long | slow
    bodies = [[n for n in cell.body if not isinstance(n, ast.FunctionDef)] for cell in cells]
    return [
        k
        for k, body in enumerate(bodies)
        if _is_long(body, trainers, steps, long) and not _names(body) & BARS
    ]


def _is_long(body, trainers, steps, long):
    if _names(body, calls=True) & long:
        return True
    nodes = [node for statement in body for node in ast.walk(statement)]
    loops = [node for node in nodes if isinstance(node, LOOPS)]
    over = [node.iter for node in nodes if isinstance(node, ast.For | ast.comprehension)]
    over += [a for n in nodes if isinstance(n, ast.Call) and _called(n) == "list" for a in n.args]
    over = {_called(n) if isinstance(n, ast.Call) else getattr(n, "id", "") for n in over}
    return bool(over & trainers or _names(loops, calls=True) & steps)


def _called(call):
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def _names(nodes, calls=False):
    """The names and attributes in these nodes, or only those that are called."""
    nodes = [node for top in nodes for node in ast.walk(top)]
    if calls:
        return {_called(node) for node in nodes if isinstance(node, ast.Call)}
    return {getattr(node, "attr", getattr(node, "id", "")) for node in nodes} - {""}
