"""What holds of every notebook as it is committed. That its outputs are true is nbval's part:
`make test THOROUGH=1` runs each one and compares.
"""

import ast
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

import lesson_clock
import pytest
from cell_bars import silent
from cell_names import names_of, not_settled
from cell_times import asserts_on_time
from terms import LABELS, TERMS, terms_of

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted(
    path
    for path in (ROOT / "notebooks").rglob("*.ipynb")
    if path.parent.name != ".ipynb_checkpoints"
)
LESSONS = [path for path in NOTEBOOKS if re.match(r"notebooks/\d", "/".join(path.parts[-2:]))]
DEEPER = [path for path in NOTEBOOKS if path.parent.name == "deeper"]
COURSE = [path for path in NOTEBOOKS if path.parent.name != "solutions"]
HOUR = 45  # minutes
A_PATH = re.compile(r"/(?:home|root|Users|tmp|work|usr|opt|mnt|content)/[\w.-]|\b[A-Za-z]:\\\\")

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
each_deeper = pytest.mark.parametrize("path", DEEPER, ids=lambda path: path.stem)


@cache
def cells(path: Path, kind: str) -> list[dict]:
    whole = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in whole["cells"] if cell["cell_type"] == kind and source(cell).strip()]


def source(cell: dict) -> str:
    return "".join(cell["source"])


def outputs(path: Path) -> list[dict]:
    return [output for cell in cells(path, "code") for output in cell["outputs"]]


def test_each_lesson_has_a_notebook_that_goes_deeper():
    assert [path.name for path in DEEPER] == [path.name for path in LESSONS]


@each_notebook
def test_it_was_run_from_top_to_bottom_once(path):
    counts = [cell["execution_count"] for cell in cells(path, "code")]
    assert counts == list(range(1, len(counts) + 1)), "run `make notebooks`"


@each_notebook
def test_no_cell_failed_or_warned(path):
    for output in outputs(path):
        assert output["output_type"] != "error"
        assert "Warning" not in json.dumps(output)


@each_notebook
def test_no_output_tells_of_the_machine_that_made_it(path):
    assert not A_PATH.search(json.dumps(outputs(path)))


@each_notebook
def test_no_widget_state_and_no_mark_of_a_python_is_kept(path):
    metadata = json.loads(path.read_text(encoding="utf-8"))["metadata"]
    assert set(metadata) == {"kernelspec", "language_info"}
    assert metadata["kernelspec"]["name"] == "python3"
    assert set(metadata["language_info"]) == {"name"}


@each_notebook
def test_no_progress_bar_is_kept_as_it_began(path):
    said = ["".join(output.get("data", {}).get("text/plain", "")) for output in outputs(path)]
    assert not [words for words in said if re.match(r" *0%\|", words)]


@each_notebook
def test_every_picture_says_in_words_what_it_shows(path):
    for output in outputs(path):
        data = output.get("data", {})
        if "image/png" in data:
            assert len("".join(data["text/plain"])) > 40
            assert not "".join(data["text/plain"]).startswith("<")


@each_notebook
def test_nothing_is_fetched_from_elsewhere(path):
    for cell in cells(path, "code") + cells(path, "markdown"):
        assert not re.search(r"""(src=["']?|!\[[^]]*\]\()(https?:)?//""", source(cell))
        assert not re.search(r"pip install|!wget|!curl|%pip", source(cell))


@each_notebook
def test_it_is_small_enough_to_open_at_once(path):
    assert path.stat().st_size < 1.5e6


def lines(cell: dict) -> int:
    """How many lines there are to read: a prediction's *Compare* is not one."""
    written = [line.strip() for line in source(cell).splitlines()]
    return sum(1 for line in written if line and not line.startswith("lesson.compare("))


@pytest.mark.parametrize("path", LESSONS + DEEPER, ids=lambda path: "/".join(path.parts[-2:]))
def test_code_cells_are_short(path):
    assert max(map(lines, cells(path, "code"))) <= 8


@each_lesson
def test_there_is_no_more_code_than_a_class_hour_holds(path):
    """What comes after "Stop here", the machine, is for whoever has time."""
    code = [cell for cell in lesson_clock.cells(path) if cell["cell_type"] == "code"]
    assert len(cells(path, "code")) <= len(code) + 1
    assert len(code) <= 16
    assert sum(map(lines, code)) <= 90


@each_notebook
def test_any_cell_can_be_run_again_after_all_others(path):
    """No name that a cell takes over is set in two cells: it would mean what ran last."""
    assert not_settled([source(cell) for cell in cells(path, "code")]) == []


@pytest.mark.parametrize(
    ("sources", "unsettled"),
    [
        (["x = 1", "x = 2\nprint(x)", "x = 3"], []),  # set before it is used
        (["x = 1", "print(x)", "x = 3"], ["cell 1 takes over x, set in cells [0, 2]"]),
        (["x = 1", "x += 1"], ["cell 1 takes over x, set in cells [0, 1]"]),
        (
            ["x = 1", "def f():\n    return x", "x = 2"],
            ["cell 1 takes over x, set in cells [0, 2]"],
        ),
        (["x = 1\nprint([x for _ in 'ab'])", "x = 2"], []),
        (["for x in range(3): print(x)", "[x for x in 'ab']", "f = lambda x: x"], []),
    ],
)
def test_names_that_depend_on_what_ran_last_are_found(sources, unsettled):
    assert not_settled(sources) == unsettled


@each_notebook
def test_no_cell_asserts_a_time(path):
    """On a machine that a class shares any cell may take ten times as long."""
    assert asserts_on_time([source(cell) for cell in cells(path, "code")]) == []


@pytest.mark.parametrize(
    "timed",
    [
        "import time\nbegan = time.perf_counter()\nassert time.perf_counter() - began < 45",
        "from time import process_time as cpu\nt = cpu()\nassert t",
        "def f():\n    began = time.time()\n    return time.time() - began\nassert f() < 1",
        "def f():\n    x = []\n    x.append(monotonic())\n    return x\nassert max(f())",
        "def f(a):\n    return g(a)\ndef g(a):\n    return timeit(a)\nx, y = 1, f(g)\nassert y",
        "times = {T: time.time() for T in (8, 256)}\nfor T, t in times.items():\n    assert t < 3",
        "def f():\n    began = time.time()\n    assert time.time() - began < 45",
        "x = 0\nx += time.time()\nassert (y := x) < 3",
    ],
)
def test_an_assert_on_a_time_is_found_wherever_the_time_was_taken(timed):
    assert len(asserts_on_time(timed.splitlines())) == 1


@pytest.mark.parametrize(
    "untimed",
    [
        "seen, began = {}, time.time()\nassert seen == {}",
        "t = time.time()\ndef f(t):\n    assert t == 1",
        "def f():\n    kept = 3\n    assert kept == 3\nfor kept in [time.time()]:\n    print(kept)",
        "def f():\n    time.time()\n    return 3\nassert f() == 3",
    ],
)
def test_an_assert_beside_a_time_is_none_on_it(untimed):
    assert asserts_on_time(untimed.splitlines()) == []


# Deeper 04's toy network has 16 hidden units: its 1,800 steps are quick.
QUICK = {"notebooks/deeper/04_feedforward.ipynb": ["cell-16"]}


@pytest.mark.parametrize("path", COURSE, ids=lambda path: "/".join(path.parts[-2:]))
def test_a_cell_that_trains_or_measures_times_shows_its_progress(path):
    code = cells(path, "code")
    quiet = [code[k]["id"] for k in silent([source(cell) for cell in code])]
    assert quiet == QUICK.get(path.relative_to(ROOT).as_posix(), [])


@pytest.mark.parametrize(
    "quiet",
    [
        ["for step in gptlib.Trainer(model, ids, how):\n    pass"],
        ["run = gptlib.Trainer(model, ids)", "losses = list(run)"],
        ["def fit(m):\n    for s in range(9):\n        nll(m).backward()\n", "fit(model)"],
        ["def one(m):\n    nll(m).backward()", "for _ in range(99):\n    one(model)"],
        ["def one(m):\n    began = perf_counter()", "print([one(m) for m in models])"],
    ],
)
def test_a_cell_without_progress_is_found_whatever_it_loops_over(quiet):
    assert silent(quiet) == [len(quiet) - 1]


@pytest.mark.parametrize(
    "shown",
    [
        ["for step in gptlib.Trainer(model, ids, how).progress():\n    pass"],
        ["run = gptlib.Trainer(model, ids)", "for step in widgets.watch(run):\n    pass"],
        ["def fit(m):\n    for s in range(9):\n        nll(m).backward()\n"],  # nothing runs yet
        ["def fit(m):\n    return list(Trainer(m))", "[fit(m) for m in tqdm(models)]"],
        ["nll(model(x), y).backward()"],  # a single step
    ],
)
def test_a_cell_with_progress_is_not_found(shown):
    assert silent(shown) == []


@each_notebook
def test_gptlib_is_imported_before_torch(path):
    """It chooses how threads wait, and torch reads that when it is loaded."""
    code = "\n".join(source(cell) for cell in cells(path, "code"))
    first = re.search(r"^ *(?:from|import) (gptlib|torch)\b", code, re.MULTILINE)
    assert first is None or first[1] == "gptlib"


def test_no_lesson_names_the_folder_that_it_saves_in():
    """`teaching.run_folder` does: the course's own may be read-only."""
    for path in NOTEBOOKS:
        assert not re.search(r"\bruns/|\.save\([\"']", "".join(map(source, cells(path, "code"))))


@each_lesson
def test_there_is_no_more_prose_than_a_class_hour_holds(path):
    before, _, after = "\n".join(source(c) for c in cells(path, "markdown")).partition("Stop here")
    assert after
    assert 400 < len(lesson_clock.FOLDED.sub("", before).split()) <= 900
    assert max(len(source(cell).split()) for cell in cells(path, "markdown")[1:-1]) <= 130


@each_lesson
def test_a_lesson_is_an_hour_of_45_minutes_and_each_section_says_its_minutes(path):
    total = sum(map(lesson_clock.counts, lesson_clock.cells(path)), start=Counter())
    assert lesson_clock.minutes(total) <= HOUR
    header, *sections = lesson_clock.sections(path).items()
    assert header[0] == lesson_clock.HEADER and len(sections) >= 5
    for title, (says, clock) in sections:
        assert says is not None, f"{title}: say its minutes: ## Title (7 min)"
        assert says >= clock - 1.5, title
    assert sum(says for _, (says, _) in sections) <= HOUR - 2
    table = re.findall(r"^\| ([^|]+) \| (\d+) \|$", source(cells(path, "markdown")[0]), re.M)
    assert [int(says) for _, says in table] == [says for _, (says, _) in sections]


@each_lesson
def test_it_says_its_new_ideas_and_they_are_few(path):
    (ideas,) = re.findall(r"^\*\*New ideas:\*\* (.+)$", source(cells(path, "markdown")[0]), re.M)
    assert 3 <= len(ideas.split(" · ")) <= 8


@each_lesson
def test_it_begins_with_its_question_and_the_map_and_ends_with_what_comes_next(path):
    first = source(cells(path, "markdown")[0])
    assert first.startswith(f"# {path.stem[:2]} · ") and "?" in first.splitlines()[0]
    opening = "".join(source(cell) for cell in cells(path, "code")[:2])
    assert "plots.machine(" in opening or "teaching.Lesson(" in opening  # which shows the same map
    last = source(cells(path, "markdown")[-1])
    assert f"(deeper/{path.name})" in last
    assert last.splitlines()[-1].startswith("**Next:**")


@each_lesson
def test_it_has_the_machine_open_at_todays_station(path):
    """Lesson 00 makes it on the page; the others open it where they stop."""
    *_, last = cells(path, "code")
    found = [source(cell) for cell in cells(path, "code") if ".machine(" in source(cell)]
    if path.stem.startswith("00"):
        assert len(found) == 1 and "widgets.machine(model, tokenizer)" in found[0]
    else:
        assert len(found) == 1 and found[0].startswith("lesson.machine(")
        assert found[0] == source(last) and last not in lesson_clock.cells(path)


# Of lessons 00 to 08. The last is about parameters, and so opens what training has adjusted.
STATIONS = "text tokenizer embeddings attention feedforward logits training sampling training"


@each_lesson
def test_the_machine_shows_todays_station_and_a_sentence_that_the_lesson_worked_with(path):
    code = cells(path, "code")
    (place,) = [k for k, cell in enumerate(code) if ".machine(" in source(cell)]
    said = "".join(
        "".join(output.get("data", {}).get("text/plain", "")) for output in code[place]["outputs"]
    )
    station, sentence = re.search(r"machine, open at (\w+)\. '(.+?)' becomes", said).groups()
    assert station == STATIONS.split()[int(path.stem[:2])]
    others = code if path.stem.startswith("00") else code[:place]  # lesson 00 begins with it
    parsed = ast.parse("\n".join(source(cell) for cell in others))
    texts = {node.value for node in ast.walk(parsed) if isinstance(node, ast.Constant)}
    assert sentence in texts


@each_notebook
def test_nobody_is_asked_to_clear_outputs(path):
    """Students get clean copies: `make lab`, `make student`."""
    assert "Clear Outputs" not in "".join(source(cell) for cell in cells(path, "markdown"))


def sections(path: Path) -> list[list[dict]]:
    """The code cells before the first section of Deeper, then those of each section."""
    found: list[list[dict]] = [[]]
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            found[-1].append(cell)
        elif re.search(r"^## .+\(\d+ min\)$", source(cell), re.MULTILINE):
            found.append([])
    return found


@each_deeper
def test_each_section_of_deeper_can_be_run_alone(path):
    """It uses names of its own and of the cells before the first section, and no other."""
    begin, *rest = sections(path)
    begun = set().union(*(names_of(source(cell))[0] for cell in begin))
    assert len(rest) >= 3
    for section in rest:
        found = [names_of(source(cell)) for cell in section]
        own = set().union(*(bound for bound, _, _ in found))
        for _, taken, later in found:
            assert taken | later <= begun | own
    assert f"(../{path.name})" in source(cells(path, "markdown")[0])


GLOSSARY = (ROOT / "notebooks" / "glossary.md").read_text(encoding="utf-8")


def in_bold(path: Path) -> list[str]:
    """All that a notebook has in bold, in small letters."""
    text = "\n\n".join(map(source, cells(path, "markdown"))).replace("\n", " ")
    return re.findall(r"\*\*(.+?)\*\*", text.lower())


def words_of_today(path: Path) -> list[str]:
    """The words that a lesson says it has explained."""
    text = "\n\n".join(source(cell) for cell in cells(path, "markdown"))
    found = re.search(r"\*\*Today's words\.\*\*(.*?)(?:\n\n|$)", text, re.DOTALL)
    assert found, path.stem
    named = re.findall(r"(?:^|[.;,] )\*([^*]+)\*", found[1].strip())
    return [word.strip().lower() for words in named for word in words.split(",")]


def test_every_lesson_has_its_terms():
    assert sorted(TERMS) == [path.stem[:2] for path in LESSONS]


@each_lesson
def test_a_lesson_gives_the_names_of_the_field_where_it_explains_a_thing(path):
    bold, known = "; ".join(in_bold(path)), GLOSSARY.lower()
    missing = [term for term in terms_of(path.stem[:2]) if not any(t in bold for t in term)]
    assert not missing
    assert not [term for term in terms_of(path.stem[:2]) if not any(t in known for t in term)]


def entries() -> list[str]:
    """What the glossary explains, in small letters."""
    return [line.split(" | ")[0].strip("| ").lower() for line in GLOSSARY.splitlines()[6:]]


def test_the_glossary_is_in_order():
    assert entries() == sorted(entries(), key=lambda entry: entry.replace("-", ""))


def explained() -> list[str]:
    """Each name in the glossary, in small letters: a row may explain several."""
    return [word for e in entries() for word in re.split(r", | \(", e.replace(")", ""))]


@each_lesson
def test_each_word_of_a_lesson_is_in_the_glossary(path):
    assert words_of_today(path)
    for word in words_of_today(path):
        assert re.sub(r" \(.*", "", word) in explained(), word


@pytest.mark.parametrize("path", COURSE, ids=lambda path: "/".join(path.parts[-2:]))
def test_each_term_in_bold_is_in_the_glossary(path):
    sentence = re.compile(r".+[.:?]|exercise,.*|\[.+\]\(.+")  # a heading within the text, or a link
    terms = [bold for bold in in_bold(path) if not sentence.fullmatch(bold)]
    terms = [re.sub(r" \(.+\)", "", term).replace("held out", "held-out") for term in terms]
    known = {*explained(), *(f"{word}s" for word in explained())}
    known |= {word.removesuffix(" layer") for word in known}
    assert not [term for term in terms if term not in known | LABELS]


def test_the_glossary_explains_each_name_once():
    assert [word for word, rows in Counter(explained()).items() if rows > 1] == []


def test_the_glossary_links_to_lessons_that_are_there():
    links = re.findall(r"\]\(([^)]+)\)", GLOSSARY)
    assert len(links) > 40 and all((ROOT / "notebooks" / link).is_file() for link in links)
