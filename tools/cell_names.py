"""Which names the cells of a notebook take over from each other, read off their bytecode."""

import builtins
import dis
from types import CodeType

ON_THE_SPOT = {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}
GIVEN = {*dir(builtins), "display"}  # by Python and by IPython


def names_of(source):
    """(bound, taken over, used later) by a cell: the last are those that its functions look up."""
    bound, taken, later = set(), set(), set()

    def walk(code, seen):
        for step in dis.get_instructions(code):
            name = step.argval
            if isinstance(name, CodeType):
                walk(name, seen if name.co_name in ON_THE_SPOT else later)
            elif step.opname == "STORE_NAME" and code.co_name == "<module>":
                bound.add(name)
            elif step.opname in ("LOAD_NAME", "LOAD_GLOBAL") and name not in GIVEN:
                if seen is later or name not in bound:
                    seen.add(name)

    walk(compile(source, "cell", "exec"), taken)
    return bound, taken, later


def not_settled(sources):
    """Lines that say which cell takes over a name whose value depends on the cell that ran last.

    >>> not_settled(["x = 1", "y = 2 * x", "x = 3"])
    ['cell 1 takes over x, set in cells [0, 2]']
    """
    cells = [names_of(source) for source in sources]
    found = []
    for k, (_, taken, later) in enumerate(cells):
        for name in sorted(taken | later):
            setters = [j for j, (bound, _, _) in enumerate(cells) if name in bound]
            if len(setters) > 1 or (name in taken and k in setters):
                found.append(f"cell {k} takes over {name}, set in cells {setters}")
    return found
