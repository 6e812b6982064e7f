"""The pets grammar as a table that a page can walk through, with no Python at hand.

`tell` is run once for each story that there is. Prefixes after which the same may follow, with the
same probabilities, become one state; so a table of a few thousand states knows every prefix.
"""

from gptlib.corpora import pets


def table() -> dict:
    """{"words": [...], "probabilities": [...], "start": a state, "states": [[word, p, next, ...]]}.

    A state has three numbers for each word that may come: its place in words, the place of its
    probability, and the state after it, or -1 where a story has ended.
    """
    states: dict[tuple, int] = {}  # (word, p, next), ... -> its number
    path: list[tuple[list, list[int]]] = []  # of the story being told: what was open, states so far
    while True:
        _tell(path)
        state = -1
        while path:
            choices, after = path[-1]
            after.append(state)
            if len(after) < len(choices):
                break
            path.pop()
            row = tuple((word, p, then) for (word, p), then in zip(choices, after, strict=True))
            state = states.setdefault(row, len(states))
        else:
            return _compact(states, state)


def _tell(path: list) -> None:
    """The next story: the words that `path` has chosen, then the first of each further choice."""
    told = 0

    def say(distribution: pets.Distribution) -> str:
        nonlocal told
        if told == len(path):
            path.append((list(distribution.items()), []))
        choices, after = path[told]
        told += 1
        return choices[len(after)][0]

    pets.tell(say)


def _compact(states: dict[tuple, int], start: int) -> dict:
    words = pets.words()
    known = sorted({p for row in states for _, p, _ in row})
    word_at, p_at = ({each: place for place, each in enumerate(all)} for all in (words, known))
    rows = [[x for word, p, then in row for x in (word_at[word], p_at[p], then)] for row in states]
    return {"words": words, "probabilities": known, "start": start, "states": rows}
