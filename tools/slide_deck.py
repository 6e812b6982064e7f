"""What is on each slide of a lesson: its notebook and its teacher's notes, cut in pieces.

`cut` decides from headings and cells where a slide ends, and writes no sentence of its own; what
the teacher says (docs/teach/lessons/, and of the first cell FIRST_CELL) becomes the presenter's
notes. What a cell prints comes with the next click, so that a class can work first. slides.py makes
the pages.
"""

import importlib
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import exercises
import lesson_clock
import lesson_notes
import nbformat
from lesson_notes import Notes, short

from gptlib.teaching.lesson import PARTS
from gptlib.teaching.questions import PREDICTION, QUICK, TITLES, Question, marked

COURSE = Path(__file__).resolve().parent.parent / "notebooks"
Alive = dict[tuple[int, int], str]  # {(cell, output): what opens the explorer there}
WORDS, SHORT, LINES, WIDTH = 58, 22, 17, 96  # the most on one slide, where it can be cut
_ASKED = re.compile(r'lesson\.(ask|predict|compare)\("(\w+)"\)')
_DETAILS = re.compile(r"<details>\s*<summary>(.*?)</summary>(.*?)</details>", re.DOTALL)
FIRST_CELL = (
    "The class opens the notebook of the lesson and runs its first cell with Shift and Enter. It "
    "takes some seconds, and shows the map, which is on the next slide. If it fails: *Kernel*, "
    "*Restart Kernel*, and run it again; or look on with a neighbour until the exercises."
)
# What to press in the notebook, and nothing else.
_ONLY_FOR_NOTEBOOKS = re.compile(r"(Now press|Press|Commit|Go back|Choose)\b[^.\n]{0,80}[.:]\s*$")


@dataclass
class Slide:
    """Cells that are seen together, and what the presenter reads meanwhile."""

    cells: list[nbformat.NotebookNode]
    notes: str = ""
    begins_section: bool = False
    section: str = ""  # whose title stands small at its top


@dataclass
class Deck:
    """The slides of a lesson as they are made, one after the other."""

    path: Path
    notes: Notes
    explorers: Alive
    slides: list[Slide] = field(default_factory=list)
    section: str = ""
    begins: str | None = None  # the notes of a section whose first slide is still to come

    def add(self, *cells: nbformat.NotebookNode, notes: str = "") -> None:
        """A slide; the first of a section gets the notes to all of it."""
        if cells:
            said = "\n\n".join(filter(None, [self.begins, notes]))
            self.slides.append(Slide(list(cells), said, self.begins is not None, self.section))
            self.begins = None

    def text(self, words: str, notes: str = "") -> None:
        self.add(nbformat.v4.new_markdown_cell(words), notes=notes)

    def below(self, *cells: nbformat.NotebookNode, notes: str = "") -> None:
        """Cells under the sentences that lead to them, where both fit one slide."""
        last = self.slides[-1] if self.slides else None
        leads = last and [cell.cell_type for cell in last.cells] == ["markdown"]
        if not leads or self.begins is not None or not _leads_in(last.cells[0].source):
            self.add(*cells, notes=notes)
            return
        last.cells += cells
        last.notes = "\n\n".join(filter(None, [last.notes, notes]))


def cut(path: Path, notes: Notes, explorers: Alive | None = None) -> list[Slide]:
    """The slides of one lesson. explorers: as `alive` gives them."""
    deck = Deck(path, notes, explorers or {})
    first, *rest = nbformat.read(path, as_version=4).cells
    _title(deck, first.source)
    for place, cell in enumerate(rest, 1):
        if cell.cell_type == "markdown":
            _prose(deck, cell.source)
        else:
            _code(deck, cell, place)
    return deck.slides


# ---- Prose ----


def _title(deck: Deck, header: str) -> None:
    """The question and what comes out of it; then the hour."""
    title = re.search(r"^# (.+)$", header, re.MULTILINE)[1]
    head, _, question = title.partition(": ")
    question = question[:1].upper() + question[1:]
    able = re.search(r"After this lesson.*?(?=\n\n\*\*)", header, re.DOTALL)
    minutes = re.search(r"^\| section .*?(?=\n\n)", header, re.DOTALL | re.MULTILINE)
    ideas = re.search(r"^\*\*New ideas:\*\* .+$", header, re.MULTILINE)
    before = deck.notes.sections.get(lesson_notes.BEFORE, "")
    start = deck.notes.sections.get(lesson_notes.START, "")
    deck.begins = f"{deck.notes.sentence}\n\n**Before the lesson.** {before}\n\n{start}"
    deck.text(f"{head}\n\n# {question}\n\n{able[0] if able else ''}")
    deck.text("\n\n".join(found[0] for found in (ideas, minutes) if found))


def _prose(deck: Deck, source: str) -> None:
    """A Markdown cell: a section's heading begins a stack of slides; each piece is a slide."""
    if re.search(r"^\*\*Stop here", source, re.MULTILINE):
        source = _closing(source)
    before, heading, after = _at_heading(source)
    for words in pieces(before):
        _piece(deck, words)
    if heading:
        deck.section, deck.begins = heading[1], _said(deck.notes, heading[1])
        for words in pieces(after):
            _piece(deck, words)


def _piece(deck: Deck, words: "str | tuple[str, str]") -> None:
    if isinstance(words, tuple):
        title, body = words
        for part in pieces(body):
            deck.text(f"### {title}\n\n{part}")
        return
    if words.strip() and not _ONLY_FOR_NOTEBOOKS.match(words):
        deck.text(words)


def _at_heading(source: str) -> tuple[str, re.Match | None, str]:
    found = lesson_clock.HEADING.search(source)
    return (source[: found.start()], found, source[found.end() :]) if found else (source, None, "")


def pieces(source: str) -> "Iterator[str | tuple[str, str]]":
    """Prose in pieces of one slide each; what is folded away is (its title, its text)."""
    place = 0
    for found in _DETAILS.finditer(source):
        yield from _grouped(source[place : found.start()])
        yield found[1].strip(), found[2].strip()
        place = found.end()
    yield from _grouped(source[place:])


def _grouped(source: str) -> Iterator[str]:
    """Paragraphs, as many as fit one slide; a list or a formula stays with what introduces it."""
    group: list[str] = []
    for block in _blocks(source):
        follows = bool(re.match(r"(\$\$|[-*|] |\d+\. |\||```)", block.lstrip()))
        room = WORDS if _size([block]) > SHORT else WORDS + SHORT  # nothing short stands alone
        follows = follows and _size(group) <= WORDS
        if group and not follows and _size([*group, block]) > room:
            yield "\n\n".join(group)
            group = []
        group.append(block)
    if group:
        yield "\n\n".join(group)


def _blocks(source: str) -> Iterator[str]:
    """Paragraphs, lists and formulas; a list that is long for one slide in two halves."""
    for block in re.split(r"\n{2,}(?![ \t])", source.strip()):
        items = re.split(r"\n(?=- |\d+\. )", block)
        if len(items) > 2 and _size([block]) > 2 * WORDS:
            half = (len(items) + 1) // 2
            yield from ("\n".join(items[:half]), "\n".join(items[half:]))
        elif block.strip():
            yield block


def _leads_in(words: str) -> bool:
    """Is it short, and neither a question nor a picture nor an answer?"""
    return not re.search("[<]|^### ", words) and _size([words]) <= WORDS // 2


def _size(blocks: list[str]) -> int:
    """Words of some blocks; a line of a list, a formula and a table take room of their own."""
    whole = "\n\n".join(blocks)
    return len(whole.split()) + 4 * whole.count("\n- ") + 12 * whole.count("$$") // 2


def _closing(source: str) -> str:
    """Of a lesson's last cell what a class is told: the summary, the machine, what comes next."""
    kept = [p for p in source.split("\n\n") if re.match(r"\*\*(Stop here|The machine|Next)", p)]
    return "\n\n".join(kept)


def _said(notes: Notes, title: str) -> str:
    hour = lesson_notes.by_the_clock(notes)
    begins, ends, late = hour[short(title)]
    head = f"**Minute {begins} to {ends}.** If you are late: {late}"
    return f"{head}\n\n{notes.sections.get(short(title), '')}"


# ---- Code ----


def _code(deck: Deck, cell: nbformat.NotebookNode, place: int) -> None:
    asked = _ASKED.findall(cell.source)
    if "NotImplementedError" in cell.source:
        _exercise(deck, cell)
        return
    if _is_set_up(cell.source):
        _set_up(deck, cell)
        return
    printed = _printed(cell)
    explorers = {k: told for (at, k), told in deck.explorers.items() if at == place}
    shown = [] if "widgets.set_up_check" in cell.source else pictures(cell, explorers)
    explorer = bool(lesson_clock.EXPLORER.search(cell.source))
    if not explorer:
        _lines(deck, cell, printed)
    for picture in shown:
        deck.add(picture, notes=_moves(deck) if explorer else "")
    for kind, name in asked:
        if kind != "compare":
            _question(deck, name, PREDICTION if kind == "predict" else QUICK)
        if kind != "predict":
            _answer(deck, name)


def _is_set_up(source: str) -> bool:
    return bool(re.search(r"^lesson = teaching\.Lesson\(", source, re.MULTILINE))


def _set_up(deck: Deck, cell: nbformat.NotebookNode) -> None:
    """The cell that a class runs first, and then the map, with its description in the notes."""
    heading = nbformat.v4.new_markdown_cell("### The first cell")
    deck.add(heading, nbformat.v4.new_code_cell(cell.source), notes=FIRST_CELL)
    (told,) = ["".join(o.data["text/plain"]) for o in cell.outputs if "image/png" in o.data]
    title = told.partition(".")[0].replace("The whole machine", "The map")
    deck.add(nbformat.v4.new_markdown_cell(f"### {title}"), *pictures(cell), notes=told)


def _moves(deck: Deck) -> str:
    """What a teacher does with the explorer of the present section."""
    said = deck.notes.sections.get(short(deck.section), "")
    found = re.search(r"^\*\*Projector\.\*\* .+?(?=\n\n|\Z)", said, re.DOTALL | re.MULTILINE)
    return found[0] if found else ""


def _lines(deck: Deck, cell: nbformat.NotebookNode, printed: list) -> None:
    """The code, and with the next click what it prints; on two slides where that is long."""
    source = "\n".join(line for line in cell.source.splitlines() if not _ASKED.search(line))
    source = source.strip()
    if not source:
        return
    code = nbformat.v4.new_code_cell(source)
    result = nbformat.v4.new_code_cell("", outputs=printed)
    lines = source.count("\n") + 1 + sum("".join(o.text).count("\n") + 1 for o in printed)
    if lines > LINES and printed:
        deck.below(code)
        deck.add(result)
    else:
        deck.below(code, *([typed(result, "fragment")] if printed else []))


def _printed(cell: nbformat.NotebookNode) -> list:
    """What a cell prints, as one output."""
    said = "".join(o.text for o in cell.outputs if o.output_type == "stream")
    for o in cell.outputs:
        if o.get("data", {}).keys() == {"text/plain"}:
            said += o.data["text/plain"]
    lines = [
        textwrap.fill(line, WIDTH) if len(line) > WIDTH else line for line in said.splitlines()
    ]
    text = "\n".join(lines).strip("\n") + "\n"
    return [nbformat.v4.new_output("stream", text=text)] if text.strip() else []


def pictures(
    cell: nbformat.NotebookNode, explorers: dict[int, str] | None = None
) -> list[nbformat.NotebookNode]:
    """The pictures that a cell shows, each as a Markdown cell: drawn ones, and explorers'."""
    found = []
    for k, output in enumerate(cell.outputs):
        data = output.get("data", {})
        words = _attribute("".join(data.get("text/plain", "")))
        if "image/png" in data:
            png = "".join(data["image/png"]).replace("\n", "")
            image = f'<img alt="{words}" src="data:image/png;base64,{png}">'
        elif image := re.search(r"<img[^>]+>", "".join(data.get("text/html", ""))):
            image = re.sub(r' style="[^"]*"', "", image[0])  # a slide has a size of its own
        else:
            continue
        told = (explorers or {}).get(k)
        opens = f' data-explorer="{_attribute(told)}"' if told else ""
        found.append(nbformat.v4.new_markdown_cell(f'<div class="picture"{opens}>{image}</div>'))
    return found


def typed(cell: nbformat.NotebookNode, kind: str) -> nbformat.NotebookNode:
    cell.metadata.slideshow = {"slide_type": kind}
    return cell


def _attribute(words: str) -> str:
    return (
        re.sub(r"\s+", " ", words).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    )


# ---- Questions and exercises ----


def question_of(path: Path, name: str) -> Question:
    """A question of a lesson, by its name."""
    words = importlib.import_module(f"gptlib.teaching.{PARTS[int(path.stem[:2])]}")
    return words.QUESTIONS[name]


def _question(deck: Deck, name: str, kind: str) -> None:
    question, options = question_of(deck.path, name), deck.notes.questions[name]
    listed = "".join(f"<li>{marked(choice)}</li>" for choice in question.shuffled())
    words = f"<h2>{TITLES[kind]}</h2><p>{marked(question.asks)}</p>"
    deck.text(
        f'{words}<ol class="options">{listed}</ol>', notes=lesson_notes.split_in_words(options)
    )


def _answer(deck: Deck, name: str) -> None:
    question = question_of(deck.path, name)
    words = f"<p>{marked(question.asks)}</p>"
    words += f'<p class="right"><strong>{marked(question.right)}</strong></p>'
    words += f"<p>{marked(question.replies[question.right])}</p>"
    said = lesson_notes.split_in_words(deck.notes.questions[name])
    deck.text(f'<div class="answer"><h2>Answer</h2>{words}</div>', notes=said)


def _exercise(deck: Deck, cell: nbformat.NotebookNode) -> None:
    """The stub as students have it, with a solution for the presenter alone."""
    solved = exercises.solutions(COURSE)
    notes = []
    for stub in exercises.functions(deck.path):
        if stub.open and f"def {stub.name}(" in cell.source:
            code = exercises.with_helpers(exercises.solution(stub, solved), COURSE)
            notes.append(f"A solution:\n\n```python\n{code}\n```")
    stub = re.sub(r"^lesson\.hint\(.*\n?", "", cell.source, flags=re.MULTILINE).rstrip()
    deck.below(nbformat.v4.new_code_cell(stub), notes="\n\n".join(notes))
