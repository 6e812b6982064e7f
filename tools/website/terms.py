"""Terms of the glossary, linked where a page first uses them."""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from docutils import nodes

GLOSSARY = Path(__file__).resolve().parents[2] / "notebooks" / "glossary.md"
PAGE = "glossary"
LINKED = ("lessons/", "deeper/", "teach/", "capstone", "appendix", "index")
ROW = re.compile(r"^\| (?!word \|)([^|]+?) \| (.+?) \| ([^|]+) \|$", re.MULTILINE)
EVERYDAY = {"half", "key", "step", "value"}  # they mostly mean something else in a sentence
# Inside these a word is a name, or is linked already.
NOT_IN = (nodes.title, nodes.literal, nodes.literal_block, nodes.reference, nodes.raw)
NOT_IN += (nodes.math, nodes.math_block, nodes.term, nodes.image, nodes.Invisible)


def rows() -> list[tuple[str, str, str]]:
    """(the term, what it is, links to its lesson), ... as the glossary has them."""
    return ROW.findall(GLOSSARY.read_text(encoding="utf-8"))


def names_of(term: str) -> list[str]:
    """The names in a row: "Byte pair encoding (BPE)" has two, "Head (of attention)" one."""
    inside = re.findall(r"\(([^)]*)\)", term)
    names = [*re.split(", ", re.sub(r" ?\([^)]*\)", "", term))]
    names += [name for part in inside for name in part.split(", ") if not part.startswith("of ")]
    return [name.strip() for name in names]


def anchor(term: str) -> str:
    """Where the term is on its page."""
    return "term-" + re.sub(r"[^a-z0-9]+", "-", term.lower()).strip("-")


@lru_cache(maxsize=1)
def known() -> dict[str, tuple[str, str]]:
    """{a name in small letters: (anchor, what it is)}; of two rows the first."""
    found: dict[str, tuple[str, str]] = {}
    for term, meaning, _ in rows():
        for name in names_of(term):
            plain = re.sub(r"[`*\\]", "", meaning)
            found.setdefault(name.lower(), (anchor(term), f"{name}: {plain}"))
    return {name: said for name, said in found.items() if name not in EVERYDAY}


@lru_cache(maxsize=1)
def pattern() -> re.Pattern:
    """Any of the names as a whole word, the longest first, also in the plural."""
    names = sorted(known(), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, names))})(s?)(?![\w-])", re.IGNORECASE)


def setup(app) -> dict:
    app.connect("doctree-resolved", link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def link(app, doctree: nodes.document, page: str) -> None:
    """Make the first use of each term on a page a link that says what it means."""
    if not page.startswith(LINKED):
        return
    address = app.builder.get_relative_uri(page, PAGE)
    done: set[str] = set()
    for text in list(doctree.findall(nodes.Text)):
        if not _inside(text):
            made = list(_linked(text.astext(), address, done))
            if len(made) > 1:
                text.parent.replace(text, made)


def _inside(text: nodes.Text) -> bool:
    node = text.parent
    while node is not None:
        if isinstance(node, NOT_IN) or "output" in node.get("classes", ()):
            return True
        node = node.parent
    return False


def _linked(text: str, address: str, done: set[str]) -> Iterator[nodes.Node]:
    at = 0
    for found in pattern().finditer(text):
        place, meaning = known()[found[1].lower()]
        if place in done:
            continue
        done.add(place)
        yield nodes.Text(text[at : found.start()])
        target = f"{address}#{place}"
        more = {"internal": True, "refuri": target, "reftitle": meaning, "classes": ["course-term"]}
        yield nodes.reference(found[0], found[0], **more)
        at = found.end()
    yield nodes.Text(text[at:])
