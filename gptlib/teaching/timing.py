"""How long a call takes, for lessons that show times."""

from collections.abc import Callable
from time import perf_counter


def shortest(run: Callable[..., object], *given: object, times: int = 10) -> float:
    """The shortest of several calls run(*given), in seconds: other programs slow some of them down.

    >>> shortest(sum, [1, 2]) < 1
    True
    """
    found = []
    for _ in range(times):
        begin = perf_counter()
        run(*given)
        found.append(perf_counter() - begin)
    return min(found)
