"""Mutants of right answers: each is the answer with one small thing wrong.

`trials(case)` tries them all on an exercise's check. A mutant that gives the right results on
random inputs too is equivalent: it is no mistake.
"""

import ast
import copy
import inspect
import random
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FunctionType

from gptlib.checks import exercise as engine
from gptlib.checks import running
from gptlib.checks.exercise import Exercise, same
from gptlib.checks.limits import quiet
from gptlib.checks.verdict import Verdict

RANDOM_INPUTS = 40  # to tell an equivalent mutant from one that the check should refuse
OF_ODD_RESULTS = (LookupError, ValueError, ArithmeticError, RuntimeError)
TROUBLES = (running.STOPPED, running.ENDLESS, running.CHANGED, running.NOTHING, running.ODD)


@dataclass
class Case:
    """An exercise, and what is tried on its check."""

    exercise: Exercise
    right: list[Callable]  # right answers, differently written
    slips: dict[str, Callable]  # wrong answers by hand: under the mistake's name, or any other
    fuzz: Callable[[random.Random], tuple]  # a random input that the exercise allows
    more: list[Callable] = field(default_factory=list)  # right answers that are only mutated
    mutated: list[Callable] | None = None  # which answers are mutated, if not all of them
    patience: float = 0.2  # seconds, where a student has five: some mutants never end
    every: int = 7  # so many mutants are one in `make test`; `python -m benchmarks` tries all

    @property
    def mutants(self) -> dict[str, Callable]:
        """{what is wrong: the function} of all right answers with a `def`."""
        found = {}
        for answer in self.mutated or [*self.right, *self.more]:
            if isinstance(answer, FunctionType) and answer.__name__ != "<lambda>":
                for what, mutant in mutants(answer):
                    found[f"{answer.__name__}: {what}"] = mutant
        return found


@dataclass
class Trial:
    """One wrong answer on a check, and what the check said."""

    what: str
    answer: Callable
    verdict: Verdict
    equivalent: bool

    @property
    def told(self) -> str:
        """How much the verdict says: "" is no more than "not right yet"."""
        verdict = self.verdict
        if verdict.right:
            return "accepted"
        if verdict.mistake in TROUBLES:
            return "trouble"
        for kind in ("property", "mistake", "resembles"):
            if getattr(verdict, kind):
                return kind
        return ""


def trials(case: Case) -> list[Trial]:
    """The hand-written slips and every mutant, on the check."""
    with impatient(case), quiet():
        wrong = case.slips | case.mutants
        return [tried(case, what, answer) for what, answer in wrong.items()]


@contextmanager
def impatient(case: Case) -> Iterator[None]:
    """No long waiting for what never ends; and a fault in a property's own code is an error."""
    before = running.PATIENCE, engine.ODD_FOR_A_PROPERTY
    running.PATIENCE, engine.ODD_FOR_A_PROPERTY = case.patience, OF_ODD_RESULTS
    try:
        yield
    finally:
        running.PATIENCE, engine.ODD_FOR_A_PROPERTY = before


def tried(case: Case, what: str, answer: Callable) -> Trial:
    verdict, patience = case.exercise.judge(answer), running.PATIENCE
    equivalent = verdict.right and gives_the_right_results(case, answer)
    running.PATIENCE = patience
    return Trial(what, answer, verdict, equivalent)


def gives_the_right_results(case: Case, answer: Callable) -> bool:
    """On random inputs that the check has never seen."""
    running.PATIENCE *= 10  # what gave right results ends, on a busy machine later
    exercise, dice = case.exercise, random.Random(0)
    for _ in range(RANDOM_INPUTS if exercise.right else 1):
        given = case.fuzz(dice)
        if exercise.right is None:
            found = running.run(exercise.adapt(answer), given, exercise.read)
            if found.kind or any(p.seen(given, found.value) for p in exercise.properties):
                return False
        elif not same(*(running.run(f, given, exercise.read) for f in (answer, exercise.right))):
            return False
    return True


# ---- What can be wrong ----

OTHER = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.FloorDiv: ast.Mod, ast.Pow: ast.Mult, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE,
    ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.And: ast.Or, ast.Or: ast.And,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
NAMES = {
    "amax": "amin", "max": "min", "argmax": "argmin", "sum": "mean", "exp": "exp2", "log": "log2",
    "softmax": "log_softmax", "tril": "triu", "ones": "zeros", "ones_like": "zeros_like",
    "sqrt": "square", "mean": "sum", "var": "std", "most_common": "elements", "backward": "detach",
    "step": "zero_grad", "zero_grad": "step", "sorted": "list", "transpose": "swapdims",
    "min": "max", "zeros_like": "ones_like", "add_": "sub_", "tanh": "sigmoid", "mT": "mH",
}  # fmt: skip
NOT_COMMUTING = ast.Sub | ast.Div | ast.MatMult | ast.Pow | ast.FloorDiv | ast.Mod


def mutants(function: Callable) -> Iterator[tuple[str, Callable]]:
    """(what is wrong, the function with that) for each place of its source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    tree.body[0].decorator_list = []
    for node in ast.walk(tree):  # types that are written down change nothing
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
    seen = {ast.unparse(tree)}
    for k, node in enumerate(ast.walk(tree)):
        for what, change in changes(node):
            other = copy.deepcopy(tree)
            change(list(ast.walk(other))[k], Parents(other))
            source = ast.unparse(ast.fix_missing_locations(other))
            if source not in seen:
                seen.add(source)
                line = getattr(node, "lineno", 0)
                yield f"line {line}, {what}", compiled(other, function)


class Parents:
    """Puts a node in the place of another, in a tree."""

    def __init__(self, tree: ast.AST) -> None:
        self.of = {
            id(child): (node, name, k)
            for node in ast.walk(tree)
            for name, value in ast.iter_fields(node)
            for k, child in enumerate(value if isinstance(value, list) else [value])
            if isinstance(child, ast.AST)
        }

    def replace(self, node: ast.AST, new: ast.AST) -> None:
        parent, name, k = self.of[id(node)]
        if isinstance(getattr(parent, name), list):
            getattr(parent, name)[k] = new
        else:
            setattr(parent, name, new)


def compiled(tree: ast.Module, like: Callable) -> Callable:
    space = {**like.__globals__, **inspect.getclosurevars(like).nonlocals}
    exec(compile(tree, "<mutant>", "exec"), space)
    return space[like.__name__]


def changes(node: ast.AST) -> Iterator[tuple[str, Callable[[ast.AST, Parents], None]]]:
    """(what it does, a function that does it to this node in a copy of the tree)."""
    if isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp) and type(node.op) in OTHER:
        other = OTHER[type(node.op)]
        yield f"{_name(node.op)} is {other.__name__}", lambda n, _: setattr(n, "op", other())
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, NOT_COMMUTING):
            yield f"the sides of {_name(node.op)} are exchanged", _exchanged
        yield f"only the left of {_name(node.op)}", lambda n, p: p.replace(n, n.left)
        yield f"only the right of {_name(node.op)}", lambda n, p: p.replace(n, n.right)
    if isinstance(node, ast.UnaryOp):
        yield f"without {_name(node.op)}", lambda n, p: p.replace(n, n.operand)
    if isinstance(node, ast.Compare) and type(node.ops[0]) in OTHER:
        op = OTHER[type(node.ops[0])]
        yield f"{_name(node.ops[0])} is {op.__name__}", lambda n, _: n.ops.__setitem__(0, op())
    if isinstance(node, ast.Constant):
        yield from _constants(node)
    if isinstance(node, ast.Attribute | ast.Name):
        key = "attr" if isinstance(node, ast.Attribute) else "id"
        if new := NAMES.get(getattr(node, key)):
            yield f"{getattr(node, key)} is {new}", lambda n, _: setattr(n, key, new)
    if isinstance(node, ast.Call):
        yield from _calls(node)
    if isinstance(node, ast.Slice | ast.Subscript):
        yield from _places(node)
    if isinstance(node, ast.Tuple) and len(node.elts) > 1 and isinstance(node.ctx, ast.Load):
        yield "the first two of a tuple are exchanged", lambda n, _: _swap(n.elts)
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        yield (
            "the condition is turned round",
            lambda n, _: setattr(n, "test", ast.UnaryOp(ast.Not(), n.test)),
        )
    yield from _statements(node)


def _constants(node: ast.Constant) -> Iterator:
    value = node.value
    if isinstance(value, bool):
        yield f"{value} is {not value}", lambda n, _: setattr(n, "value", not value)
    elif isinstance(value, int):
        for new in (value + 1, value - 1):
            yield f"{value} is {new}", lambda n, _, new=new: setattr(n, "value", new)
    elif isinstance(value, float):
        for new in (2 * value, value / 3):
            yield f"{value} is {new:g}", lambda n, _, new=new: setattr(n, "value", new)


def _calls(node: ast.Call) -> Iterator:
    if len(node.args) > 1:
        yield "the first two arguments are exchanged", lambda n, _: _swap(n.args)
    if isinstance(node.func, ast.Attribute):
        yield f"without .{node.func.attr}()", lambda n, p: p.replace(n, n.func.value)
    if node.args and not isinstance(node.args[0], ast.Starred):
        yield "the argument for the call", lambda n, p: p.replace(n, n.args[0])
    for k, keyword in enumerate(node.keywords):
        yield f"without {keyword.arg}=", lambda n, _, k=k: n.keywords.pop(k)
    if isinstance(node.func, ast.Name) and node.func.id == "range":
        for op in (ast.Add, ast.Sub):
            yield (
                f"range, {op.__name__} 1",
                lambda n, _, op=op: n.args.__setitem__(
                    -1, ast.BinOp(n.args[-1], op(), ast.Constant(1))
                ),
            )


def _places(node: ast.Slice | ast.Subscript) -> Iterator:
    names = ("lower", "upper") if isinstance(node, ast.Slice) else ("slice",)
    for name in names:
        bound = getattr(node, name)
        if bound is None or isinstance(bound, ast.Constant | ast.Tuple | ast.Slice):
            continue
        for op in (ast.Add, ast.Sub):
            yield (
                f"{name}, {op.__name__} 1",
                lambda n, _, name=name, op=op: setattr(
                    n, name, ast.BinOp(getattr(n, name), op(), ast.Constant(1))
                ),
            )
        if name != "slice":
            yield f"no {name}", lambda n, _, name=name: setattr(n, name, None)


def _statements(node: ast.AST) -> Iterator:
    for name in ("body", "orelse"):
        held = getattr(node, name, None)
        if not isinstance(held, list):
            continue
        for k, statement in enumerate(held):
            if isinstance(statement, ast.FunctionDef | ast.Import | ast.ImportFrom):
                continue
            line = statement.lineno
            yield (
                f"line {line} dropped",
                lambda n, _, name=name, k=k: getattr(n, name).__setitem__(k, ast.Pass()),
            )
            if k + 1 < len(held):
                yield (
                    f"lines {line} and next exchanged",
                    lambda n, _, name=name, k=k: _swap(getattr(n, name), k),
                )


def _name(op: ast.AST) -> str:
    return type(op).__name__


def _exchanged(node: ast.BinOp, _: Parents) -> None:
    node.left, node.right = node.right, node.left


def _swap(items: list, k: int = 0) -> None:
    items[k], items[k + 1] = items[k + 1], items[k]
