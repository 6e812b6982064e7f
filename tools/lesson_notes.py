"""The teacher's notes of a lesson: docs/teach/lessons/NN_name.md, read for the kit.

A file is a page that reads well by itself, in a form that tools can read too:

    # 03 · Title                            the lesson's number first
    **In one sentence.** ...
    ## Objectives                           a table: objective | questions | exercises
    ## The hour                             a table: section | minutes | if you are late
    ## Before the lesson
    ## The start                            then each section of the lesson, in its order, by its
    ## By hand                              title up to a colon
    **Do.** This (2 min). That (1 min).     one line; its minutes are those of the section
    **Say.** ... **Draw.** ...
    ### `spread`                            a question of that section: how a class splits
    > What happens to the spread?           its words
    - ✔ **right option** (60 %)
    - **wrong option** (40 %): what to answer.
    ## Deeper                               what it has for students who are done; its questions
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import lesson_clock

ROOT = Path(__file__).resolve().parent.parent
FOLDER, COURSE = ROOT / "docs" / "teach" / "lessons", ROOT / "notebooks"
START, START_MINUTES = "The start", 2  # the header and the map, which have no heading
OBJECTIVES, HOUR, BEFORE, DEEPER = "Objectives", "The hour", "Before the lesson", "Deeper"
ESTIMATE = "our estimate: no class has been counted"
DEEP = "Deeper: "  # begins an objective that only Deeper reaches
_OPTION = re.compile(r"(✔ )?\*\*(.+?)\*\* \((\d+) %\)(?:: (.+))?", re.DOTALL)


@dataclass(frozen=True)
class Objective:
    """What students can do afterwards, and the questions and exercises that show it, by name."""

    words: str
    questions: tuple[str, ...]
    exercises: tuple[str, ...]


@dataclass(frozen=True)
class Option:
    """An option of a question: the share of a class that we expect to choose it, and the answer."""

    words: str
    right: bool
    percent: int
    answer: str


@dataclass
class Notes:
    """All that a file says."""

    number: str
    sentence: str
    objectives: list[Objective]
    hour: list[tuple[str, int, str]]  # (section, minutes, what to do when late)
    sections: dict[str, str] = field(default_factory=dict)  # {title: Markdown without questions}
    questions: dict[str, list[Option]] = field(default_factory=dict)
    asked_in: dict[str, str] = field(default_factory=dict)  # {question: title of its section}


def read(path: Path) -> Notes:
    """The notes of one lesson.

    Raises:
        ValueError: something is not in the form above; names the file and what it is about.
    """
    text = path.read_text(encoding="utf-8")
    try:
        return _notes(text)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def all_notes() -> dict[str, Notes]:
    """{number: notes} of every lesson that has them, if its sections say their minutes."""
    paths = [path for path in sorted(FOLDER.glob("[0-9]*.md")) if _timed(path.stem)]
    return {notes.number: notes for notes in map(read, paths)}


def short(title: str) -> str:
    """A section's title as notes and tables have it: up to a colon."""
    return title.partition(":")[0].strip()


def plain(words: str) -> str:
    """Words to compare by: the option of a question whatever its marks and spaces are."""
    return " ".join(re.sub(r"[`*]", "", words).split()).lower().strip(" .;,")


def split_in_words(options: list[Option]) -> str:
    """How a class splits and what to answer, as a Markdown list, the right option first."""
    lines = [f"How a class usually splits ({ESTIMATE}), and what to answer:", ""]
    for option in sorted(options, key=lambda option: not option.right):
        mark = "✔ " if option.right else ""
        answer = f": {option.answer}" if option.answer else ""
        lines.append(f"- {mark}**{option.words}** ({option.percent} %){answer}")
    return "\n".join(lines)


def by_the_clock(notes: Notes) -> dict[str, tuple[int, int, str]]:
    """{section: (the minute it begins, the minute it ends, what to do when late)}."""
    found, now = {}, 0
    for title, minutes, late in notes.hour:
        found[title] = (now, now + minutes, late)
        now += minutes
    return found


def _timed(lesson: str) -> bool:
    notebook = COURSE / f"{lesson}.ipynb"
    return notebook.is_file() and lesson_clock.timed(notebook)


def _notes(text: str) -> Notes:
    number = re.match(r"# (\d\d) · ", text)
    sentence = re.search(r"^\*\*In one sentence\.\*\* (.+?)\n\n", text, re.DOTALL | re.MULTILINE)
    if not number or not sentence:
        raise ValueError("begin with `# 03 · Title` and **In one sentence.**")
    parts = dict(_split(text, "## "))
    for name in (OBJECTIVES, HOUR):
        if name not in parts:
            raise ValueError(f"there is no section {name!r}")
    objectives = [
        Objective(words, _names(questions), _names(exercises))
        for words, questions, exercises in _rows(parts.pop(OBJECTIVES))
    ]
    hour = [(title, int(minutes), late) for title, minutes, late in _rows(parts.pop(HOUR))]
    notes = Notes(number[1], " ".join(sentence[1].split()), objectives, hour)
    for title, body in parts.items():
        notes.sections[title] = body.partition("\n### ")[0].strip()
        for name, listed in _split(f"\n{body}", "### "):
            name = name.strip("`")
            if name in notes.questions:
                raise ValueError(f"the question {name!r} is there twice")
            notes.questions[name] = list(_options(name, listed))
            notes.asked_in[name] = title
    return notes


def _split(text: str, mark: str) -> Iterator[tuple[str, str]]:
    """(title, body) of each heading of one level."""
    for part in re.split(rf"^{mark}", text, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        yield title.strip(), body.strip()


def _rows(table: str) -> Iterator[list[str]]:
    """The cells of each row of a Markdown table of three columns, without its head."""
    for line in [line for line in table.splitlines() if line.startswith("|")][2:]:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) != 3:
            raise ValueError(f"three cells in a row: {line}")
        yield cells


def _names(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([^`]+)`", cell))


def _options(name: str, listed: str) -> Iterator[Option]:
    for item in re.split(r"^- ", listed, flags=re.MULTILINE)[1:]:
        found = _OPTION.fullmatch(" ".join(item.split()))
        if not found or bool(found[1]) == bool(found[4]):
            raise ValueError(
                f"{name}: write `- ✔ **right option** (60 %)` or "
                f"`- **wrong option** (40 %): what to answer.`, not {item.strip()!r}"
            )
        yield Option(found[2], bool(found[1]), int(found[3]), found[4] or "")
