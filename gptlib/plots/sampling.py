"""Lesson 07. Sampling: model beside truth beside what was drawn, and the tree of sentences."""

from collections.abc import Iterable, Mapping, Sequence

from ..formats.values import Whole
from .parts.bars import bars, bars_height
from .parts.inputs import (
    array,
    bare,
    counted,
    distribution,
    finite,
    largest,
    shown,
    spoken,
    two,
    words,
)
from .parts.page import POINTS, Page
from .parts.tree import BAR, MARGIN, ROW, Node, draw_branches, grow, hide_all_but, mark, place
from .style import Picture, follows_page, sheet

MOST = 24  # sentences that are drawn


@follows_page
def compare(
    series: Mapping[str, Mapping[str, float]],
    labels: Sequence[str] | None = None,
    *,
    top: int = 10,
    title: str = "",
    theme: str | None = None,
) -> Picture:
    """Distributions over words beside each other, such as one at several temperatures.

    Args:
        series: {name: {word: probability}}, at most 5.
        labels: the words to show; None: the `top` likeliest by the largest of their bars.

    >>> compare({"T = 1": {"on": 0.3}, "T = 2": {"on": 0.28}}).description
    'Probabilities. on: T = 1 0.30, T = 2 0.28.'
    """
    if not isinstance(series, Mapping) or not 1 <= len(series) <= 5:
        raise ValueError("series must be {name: {word: probability}}, 1 to 5 of them")
    series = {str(name): distribution(probs, str(name)) for name, probs in series.items()}
    names = _likeliest(series, top) if labels is None else words(labels, len(labels), "labels")
    values = {label: [probs.get(name, 0.0) for name in names] for label, probs in series.items()}
    height = bars_height(len(names), len(series)) + 0.5 + 0.35 * (len(series) > 1 or bool(title))
    with sheet(7.5, height, theme) as (picture, paint):
        ax = picture.add_subplot(title=title)
        bars(ax, names, values, paint, limits=(0, max(map(max, values.values()))))
        if len(series) > 1:
            picture.legend(loc="outside upper right", ncols=len(series))
    said = (
        f"{spoken(name)}: {', '.join(f'{label} {two(v[k])}' for label, v in values.items())}."
        for k, name in enumerate(names)
    )
    picture.description = f"{title or 'Probabilities'}. {' '.join(said)}"
    return picture


def model_beside_truth(
    model: Mapping[str, float],
    truth: Mapping[str, float],
    sampled: Mapping[str, float] | None = None,
    *,
    top: int = 10,
    title: str = "",
    theme: str | None = None,
) -> Picture:
    """What the model says of the next word beside the grammar's exact truth.

    Args:
        model, truth: {word: probability}, the truth as from `pets.next_words`. A space before
            a word, as tokens have it, does not count: " on" and "on" are one word.
        sampled: {word: share of the draws}, for a third bar.
        top: the words of the truth are shown, then the others of 0.01 or more, up to so many.

    >>> model_beside_truth({" on": 0.31, " red": 0.01}, {"on": 0.3}).description
    'Probabilities. on: model 0.31, truth 0.30. red: model 0.01, truth 0.00.'
    """
    series = {"model": model, "truth": truth}
    if sampled is not None:
        series["sampled"] = sampled
    checked = {name: _by_word(distribution(probs, name)) for name, probs in series.items()}
    true = _likeliest({"truth": checked["truth"]}, top)
    seen = {word for probs in checked.values() for word, p in probs.items() if p >= 0.01}
    rest = [word for word in _likeliest(checked, len(true) + top) if word in seen - {*true}]
    return compare(checked, [*true, *rest][:top], title=title, theme=theme)


def _by_word(probs: Mapping[str, float]) -> dict[str, float]:
    """The same without the space before a word; what then is the same word is added up."""
    found: dict[str, float] = {}
    for token, p in probs.items():
        word = bare(token)
        found[word] = found.get(word, 0.0) + p
    return found


@follows_page
def sentence_tree(sentences: Iterable[tuple[str, float]], *, theme: str | None = None) -> Picture:
    """All sentences as a tree: a probability at each branch, their product at each end.

    Marked are the likeliest sentence and the one that greedy choice finds (the likeliest word
    each time): they need not be the same. Of many sentences, the 24 likeliest are drawn.

    Args:
        sentences: (text, probability), all that there are, as from `pets.continuations`.

    >>> sentence_tree([("The cat.", 0.75), ("The dog.", 0.25)]).description
    'Tree of 2 sentences. Likeliest: The cat. (0.75). Found by greedy choice: The cat. (0.75).'
    """
    root = grow(sentences)
    ends = list(root.ends())
    order = largest([end.mass for end in ends], len(ends))
    best, greedy = mark(root)
    drawn = {id(ends[k]): ends[k] for k in order[:MOST]} | {id(greedy): greedy}
    hide_all_but(root, set(drawn))
    left_out = [end.mass for end in ends if not end.drawn]
    bottom = MARGIN + (ROW if left_out else 0) + 4
    width = place(root, bottom)
    height = bottom + ROW * (len(drawn) - 1) + MARGIN + 4
    with sheet((width + 286) / POINTS, height / POINTS, theme, layout=None) as (picture, paint):
        page = Page(picture)
        draw_branches(page, root)
        for end in drawn.values():
            _end(page, end, width + 24, max(end.mass / best.mass * BAR, 1.0))
        if left_out:
            rest = f"and {len(left_out)} more, {shown(sum(left_out))} together"
            page.text(width + 24, MARGIN + 4, rest, ha="left", color=paint.soft)
    picture.description = (
        f"Tree of {counted(len(ends), 'sentence')}. Likeliest: {best.sentence} "
        f"({two(best.mass)}). Found by greedy choice: {greedy.sentence} ({two(greedy.mass)})."
    )
    return picture


@follows_page
def time_per_token(
    lengths: Sequence[int],
    without: Sequence[float],
    with_cache: Sequence[float],
    *,
    theme: str | None = None,
) -> Picture:
    """What one more token costs, by how many stand before it: without a cache and with one.

    Args:
        lengths: S numbers of tokens, growing. without, with_cache: S times in milliseconds each.

    >>> time_per_token([8, 16], [2.0, 4.0], [1.0, 1.0]).description
    'Milliseconds per token. Without cache: 2.00 after 8, 4.00 after 16. With cache: 1.00, 1.00.'
    """
    lengths = array(lengths, "lengths", "S")
    series = {"without cache": without, "with cache": with_cache}
    series = {name: finite(array(t, name, "S"), name) for name, t in series.items()}
    for name, times in series.items():
        if len(times) != len(lengths) or (times < 0).any():
            raise ValueError(f"{name}: {len(lengths)} times of 0 or more are needed")
    if (lengths[1:] <= lengths[:-1]).any():
        raise ValueError("lengths must grow")
    with sheet(8, 4.2, theme) as (picture, paint):
        ax = picture.add_subplot(xlabel="tokens before it", ylabel="one more token takes (ms)")
        looks = (paint.second, "o", "-"), (paint.accent, "s", "--")
        for (name, times), (color, marker, line) in zip(series.items(), looks, strict=True):
            ax.plot(lengths, times, line, color=color, marker=marker, linewidth=1.8, label=name)
        ax.set_xticks(lengths, [f"{length:g}" for length in lengths])
        ax.set_ylim(0, max(map(max, series.values())) * 1.08 or 1)
        picture.legend(loc="outside upper right", ncols=2)
    first, second = series.values()
    said = ", ".join(f"{two(t)} after {n:g}" for n, t in zip(lengths, first, strict=True))
    picture.description = (
        f"Milliseconds per token. Without cache: {said}. With cache: {', '.join(map(two, second))}."
    )
    return picture


def _end(page: Page, end: Node, x: float, length: float) -> None:
    """One sentence's probability: a dotted line to it, its bar, its number, what it is."""
    paint = page.paint
    page.line([end.right + 6, x - 6], [end.y] * 2, paint.line, 1.2, linestyle=":")
    colour = paint.accent if end.likely else paint.second if end.greedy else paint.soft
    look = {"facecolor": colour, "linewidth": 0, "label": end.sentence}
    page.box(x, end.y - 6, length, 12, radius=0, **look)
    marks = [name for name, true in (("likeliest", end.likely), ("greedy", end.greedy)) if true]
    text = shown(end.mass) + ("  " + " = ".join(marks) if marks else "")
    page.text(x + length + 6, end.y, text, ha="left", weight=end.weight)


def _likeliest(series: Mapping[str, Mapping[str, float]], top: int) -> list[str]:
    """The `top` words with the longest bars, longest first."""
    top = Whole(1).read("top", top)
    names = list(dict.fromkeys(name for probs in series.values() for name in probs))
    longest = [max(probs.get(name, 0.0) for probs in series.values()) for name in names]
    return [names[k] for k in largest(longest, top)]
