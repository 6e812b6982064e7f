"""gptlib.teaching.counting: a class's files are counted, whatever one of them holds."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptlib import teaching
from gptlib.teaching import counting


def answer(question="exit", chosen="no", right=False, lesson="01"):
    fields = {"lesson": lesson, "question": question, "kind": "question"}
    return json.dumps(fields | {"chosen": chosen, "right": right})


def write(folder, name, *lines):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    return path


@pytest.fixture
def folder(tmp_path):
    """Two students' files, of which nothing is damaged."""
    write(tmp_path / "class", "a.jsonl", answer("exit", "yes", True), answer("exit", "no"))
    write(tmp_path / "class", "b.jsonl", answer("exit", "no"), answer("exit", "yes", True))
    return tmp_path / "class"


BOTH = {("01", "exit"): {("yes", True): 1, ("no", False): 1}}


def test_a_class_is_tallied_by_first_answers(folder):
    write(folder, "c.jsonl", answer("exit", "no"), '{"lesson": "01", "ques', "[1]")
    found = teaching.tally(folder)
    assert found.counts == {("01", "exit"): {("yes", True): 1, ("no", False): 2}}
    assert (found.files, found.damaged, found.left_out) == (3, 2, {})
    assert found.share_right("01", "exit") == 1 / 3
    assert repr(found).splitlines() == [
        "3 files, first answers, 2 lines unreadable",
        "01 exit: 33% right of 3",
        "     2    no",
        "     1  ✔ yes",
    ]
    assert teaching.tally([folder / "a.jsonl"]).files == 1


# ---- Which files are students ----


@pytest.mark.parametrize(
    "name",
    [
        ".ipynb_checkpoints/a-checkpoint.jsonl",
        "sub/.ipynb_checkpoints/a-checkpoint.jsonl",
        "__MACOSX/a.jsonl",
        "__MACOSX/sub/._a.jsonl",
        "._a.jsonl",
    ],
)
def test_copies_that_programs_made_are_no_students(folder, name):
    write(folder, name, answer("exit", "yes", True))
    found = teaching.tally(folder)
    assert (found.files, found.counts, found.left_out) == (2, BOTH, {})


def test_a_folder_that_is_itself_hidden_is_read(tmp_path):
    write(tmp_path / ".collected", "a.jsonl", answer())
    assert teaching.tally(tmp_path / ".collected").files == 1


def test_the_log_of_a_run_is_no_student_and_its_lines_are_not_damaged_answers(folder):
    log = write(folder, "runs/mine/log.jsonl", '{"step": 1, "loss": 2.5}', '{"step": 2}')
    found = teaching.tally(folder)
    assert (found.files, found.damaged, found.counts) == (2, 0, BOTH)
    assert found.left_out == {log: "no answers in it"}
    assert f"left out: {log} (no answers in it)" in repr(found).splitlines()


def test_of_many_files_that_were_left_out_a_few_are_named(folder):
    for k in range(8):
        write(folder, f"empty{k}.jsonl")
    lines = repr(teaching.tally(folder)).splitlines()
    assert lines[5].endswith("empty4.jsonl (no answers in it)")
    assert lines[6:8] == ["left out: 3 more files", "01 exit: 50% right of 2"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_left_out_and_not_waited_for(folder):
    os.mkfifo(folder / "pipe.jsonl")
    (folder / "loop.jsonl").symlink_to(folder / "loop.jsonl")
    (folder / "zeros.jsonl").symlink_to("/dev/zero")
    found = teaching.tally(folder)
    assert (found.files, found.counts) == (2, BOTH)
    assert found.left_out[folder / "pipe.jsonl"] == "no ordinary file"
    assert found.left_out[folder / "zeros.jsonl"] == "no ordinary file"
    assert set(found.left_out) == {folder / f"{n}.jsonl" for n in ("pipe", "zeros", "loop")}
    assert teaching.tally([folder / "pipe.jsonl"]).files == 0


def test_a_file_that_may_not_be_read_is_left_out(folder, monkeypatch):
    read = counting._read

    def refuse(path):
        if path.name == "a.jsonl":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(counting, "_read", refuse)
    found = teaching.tally(folder)
    assert found.files == 1 and found.left_out == {folder / "a.jsonl": "Permission denied"}


def test_a_folder_by_the_name_of_a_file_is_looked_into(folder):
    write(folder / "mia.jsonl", "answers.jsonl", answer("exit", "yes", True))
    assert teaching.tally(folder).files == 3


def test_a_file_that_is_not_there_is_an_error(folder):
    with pytest.raises(FileNotFoundError):
        teaching.tally([folder / "a.jsonl", folder / "odd.jsonl"])


# ---- What a file may hold ----

CUT = '{"lesson": "01", "question": "exit", "ki'
HOSTILE = {
    "deep": ("[" * 200_000, 1),
    "deep and closed": ('{"lesson":' * 20_000 + "1" + "}" * 20_000, None),
    "a number of 10,000 digits": ("9" * 10_000, 1),
    "no text": ("\0\x01\udcff", 1),
    "other types": (answer().replace("false", "1"), 1),
    "a question that looks like a result": (answer("exit: 100% right of 30"), 1),
    "a question with a line break": (answer("exit\n01"), 1),
    "a lesson with a terminal's code": (answer(lesson="\x1b[2J"), 1),
    "a lesson with half of a pair": (answer(lesson="\ud800"), 1),
    "a cut line": (CUT, 1),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_answer_is_counted_and_the_class_is_as_it_was(folder, name):
    text, damaged = HOSTILE[name]
    write(folder, "c.jsonl", text, answer("exit", "no"))
    found = teaching.tally(folder)
    assert found.counts == {("01", "exit"): {("yes", True): 1, ("no", False): 2}}
    assert found.damaged == damaged or damaged is None
    assert found.files == 3


@pytest.mark.parametrize(
    ("chosen", "shown"),
    [
        ("no\n    30  ✔ yes", "no<U+000A>    30  ✔ yes"),
        ("no\u2028    30  ✔ yes", "no<U+2028>    30  ✔ yes"),
        ("\x1b[2J\x1b[31myes\r", "<U+001B>[2J<U+001B>[31myes<U+000D>"),
        ("\u202eon\u2066", "<U+202E>on<U+2066>"),
        ("\ud800", "<U+D800>"),
        ("y" * 5_000, "y" * counting.LONGEST + "…"),
        ("größer als ␣cat", "größer als ␣cat"),
    ],
)
def test_an_answer_is_shown_on_one_line_in_visible_characters(folder, chosen, shown):
    write(folder, "c.jsonl", answer("exit", chosen))
    said = repr(teaching.tally(folder))
    assert said.splitlines()[1] == "01 exit: 33% right of 3"
    assert f"     1    {shown}" in said.split("\n") and len(said.split("\n")) == 5
    said.encode("utf-8")


def test_line_breaks_that_json_leaves_alone_cut_no_answer(folder):
    said = "one\u2028two\x85three"
    lines = [json.dumps(json.loads(answer("exit", said)), ensure_ascii=False)]
    write(folder, "c.jsonl", *lines)
    assert teaching.tally(folder).counts["01", "exit"][said, False] == 1


def test_the_name_of_a_file_is_shown_on_one_line_too(folder):
    if os.name == "nt":
        pytest.skip("no such names on Windows")
    write(folder, "x\n01 exit: 100% right of 30\x1b[2J.jsonl")
    left_out = repr(teaching.tally(folder)).split("\n")[1]
    assert "x<U+000A>01 exit: 100% right of 30<U+001B>[2J.jsonl (no answers in it)" in left_out


@pytest.mark.parametrize("damage", [CUT, CUT * 3, '{"lesson": "01"}', "{}"])
def test_an_answer_after_a_line_that_was_cut_off_counts(folder, damage):
    write(folder, "c.jsonl", damage + answer("exit", "yes", True), answer("exit", "no"))
    found = teaching.tally(folder)
    assert found.counts == {("01", "exit"): {("yes", True): 2, ("no", False): 1}}
    assert found.damaged == damage.count("{")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_that_windows_has_saved_again_counts(folder, encoding):
    text = "\r\n".join([answer("exit", "größer", True), answer("exit", "no"), ""])
    (folder / "c.jsonl").write_bytes(text.encode(encoding))
    found = teaching.tally(folder)
    assert found.counts["01", "exit"]["größer", True] == 1 and found.damaged == 0


def test_a_file_without_end_is_read_up_to_a_limit_and_adds_few_rows(folder):
    with (folder / "c.jsonl").open("w") as file:
        for k in range(20_000):
            file.write(answer(f"q{k}") + "\n")
    found = teaching.tally(folder)
    assert len(found.counts) == 1 + counting.MOST_QUESTIONS
    assert found.counts["01", "exit"] == BOTH["01", "exit"]


@given(st.lists(st.one_of(st.binary(max_size=80), st.just(answer().encode())), max_size=4))
def test_no_file_changes_what_the_others_said(tmp_path_factory, parts):
    folder = tmp_path_factory.mktemp("class")
    write(folder, "a.jsonl", answer("exit", "yes", True))
    (folder / "b.jsonl").write_bytes(b"\n".join(parts))
    found = teaching.tally(folder)
    assert found.counts["01", "exit"]["yes", True] == 1
    assert found.counts["01", "exit"].total() <= 2
    assert all(line.isprintable() for line in repr(found).split("\n"))
