"""All sentences that can follow, as a tree: grown from their words, placed, and drawn."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from gptlib.corpora.pets import join, split

from .inputs import array, largest, shown, visible
from .page import Page, text_width

ROW = 27.0  # points from one sentence to the next
BRANCH = 68.0  # points from one word to the next, with the probability between them
BAR = 84.0  # points of the longest bar
MARGIN = 14.0
END = "(end)"  # where one sentence is the beginning of another


@dataclass
class Node:
    """Some words that follow each other, how probable they are, and what may come after."""

    said: list[str]
    mass: float = 0.0
    children: dict[str, "Node"] = field(default_factory=dict)
    sentence: str = ""  # of an end
    drawn: bool = True
    likely: bool = False  # on the way to the likeliest sentence
    greedy: bool = False  # on the way that greedy choice takes
    x: float = 0.0  # where its words begin, in points
    y: float = 0.0

    @property
    def text(self) -> str:
        return visible(join(self.said), 36, " ") if self.said else "(start)"

    @property
    def right(self) -> float:
        return self.x + text_width(self.text, weight=self.weight)

    @property
    def weight(self) -> str:
        return "bold" if self.likely or self.greedy else "normal"

    @property
    def shown(self) -> list["Node"]:
        return [child for child in self.children.values() if child.drawn]

    def ends(self) -> Iterator["Node"]:
        """The ends of all sentences from here on, from top to bottom."""
        if not self.children:
            yield self
        for child in self.children.values():
            yield from child.ends()


def grow(sentences: Iterable[tuple[str, float]]) -> Node:
    """The tree of (text, probability); words without an alternative stand in one node.

    Raises:
        ValueError: none, one of them twice, or probabilities that do not sum to 1.
    """
    sentences = [(str(text), float(p)) for text, p in sentences]
    masses = array([p for _, p in sentences], "probabilities", "sentences")
    if (masses < 0).any() or abs(masses.sum() - 1) > 1e-2:
        raise ValueError(f"the probabilities must sum to 1, not to {masses.sum():.3f}")
    if len(dict(sentences)) != len(sentences):
        raise ValueError("a sentence is there twice")
    root = Node([])
    for text, p in sentences:
        node = root
        node.mass += p
        for word in [*split(text), END]:
            node = node.children.setdefault(word, Node([word]))
            node.mass += p
        node.sentence = text
    return _joined(root)


def _joined(node: Node) -> Node:
    """Take in the only child, as long as there is only one."""
    while len(node.children) == 1:
        (child,) = node.children.values()
        node.said += [word for word in child.said if word != END]
        node.children, node.sentence = child.children, child.sentence
    for child in node.children.values():
        _joined(child)
    return node


def mark(root: Node) -> tuple[Node, Node]:
    """Mark the ways to the likeliest sentence and to greedy choice's; returns their ends."""
    ends = list(root.ends())
    best = ends[largest([end.mass for end in ends])[0]]
    node = root
    node.greedy = True
    while node.children:  # the likeliest branch each time
        branches = list(node.children.values())
        node = branches[largest([branch.mass for branch in branches])[0]]
        node.greedy = True
    _mark_way(root, best)
    return best, node


def _mark_way(node: Node, goal: Node) -> bool:
    on_way = [_mark_way(child, goal) for child in node.children.values()]
    node.likely = node is goal or any(on_way)
    return node.likely


def place(root: Node, bottom: float) -> float:
    """Give all drawn nodes their x and y, the lowest at `bottom`; returns the tree's width."""
    ends = [end for end in root.ends() if end.drawn]
    for row, end in enumerate(reversed(ends)):
        end.y = bottom + row * ROW
    column, x = [root], MARGIN
    while column:
        for node in column:
            node.x = x
        x = max(node.right for node in column) + BRANCH
        column = [child for node in column for child in node.shown]
    _centre(root)
    return x - BRANCH


def _centre(node: Node) -> None:
    for child in node.shown:
        _centre(child)
    if node.shown:
        node.y = (node.shown[0].y + node.shown[-1].y) / 2


def hide_all_but(node: Node, keep: set[int]) -> bool:
    """Mark as drawn the ends in `keep` (by id) and what leads to them."""
    kept = [hide_all_but(child, keep) for child in node.children.values()]
    node.drawn = any(kept) if kept else id(node) in keep
    return node.drawn


def draw_branches(page: Page, node: Node) -> None:
    """Words and branches from here on; the likeliest way thick, the greedy one dashed."""
    paint = page.paint
    page.text(node.x, node.y, node.text, ha="left", weight=node.weight)
    for child in node.shown:
        colour, width, dashes = paint.soft, 1.2, "-"
        if child.greedy:
            colour, width, dashes = paint.second, 2.2, (0, (4, 2))
        if child.likely:
            colour, width, dashes = paint.accent, 2.6, "-"
        start, end = (node.right + 5, node.y), (child.x - 40, child.y)
        bend = start[0] + 0.55 * (end[0] - start[0])
        bends = (bend, start[1]), (bend, end[1])
        page.curve(start, *bends, end, colour, width, linestyle=dashes, capstyle="butt")
        p = shown(child.mass / node.mass)
        page.text(child.x - 8, child.y, p, ha="right", color=colour, weight=child.weight)
        draw_branches(page, child)
