"""gptlib.storage.answers: a line an answer, without name or code; and none where it is off."""

import json

import pytest

from gptlib.storage import answers


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "a folder" / "me.jsonl"
    monkeypatch.setenv("GPTLIB_ANSWERS", str(path))
    return path


def test_each_answer_is_a_line_of_json(file):
    answers.record("05", "softmax", "check", "wrong axis", False)
    answers.record("05", "softmax", "check", "right", True)
    first, second = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert set(first) == {"lesson", "question", "kind", "chosen", "right", "time"}
    assert (first["chosen"], first["right"], second["right"]) == ("wrong axis", False, True)


def test_off_keeps_nothing(file, monkeypatch):
    monkeypatch.setenv("GPTLIB_ANSWERS", "off")
    answers.record("05", "softmax", "check", "right", True)
    assert answers.answers_file() is None and not file.exists()


def test_a_file_that_cannot_be_written_is_said(file):
    file.parent.write_text("")
    with pytest.raises(ValueError, match="could not be saved"):
        answers.record("05", "softmax", "check", "right", True)


def test_an_answer_after_a_line_that_was_cut_off_is_whole(file):
    file.parent.mkdir()
    file.write_text('{"lesson": "05", "ques')
    answers.record("05", "softmax", "check", "right", True)
    assert json.loads(file.read_text(encoding="utf-8").splitlines()[1])["right"] is True


def test_a_student_keeps_one_seed_beside_the_answers(tmp_path, monkeypatch):
    monkeypatch.setenv("GPTLIB_ANSWERS", str(tmp_path / "class" / "me.jsonl"))
    seed = answers.seed()
    assert seed > 0 and (tmp_path / "class" / "me.seed").read_text() == f"{seed}\n"
    monkeypatch.setattr(answers, "THIS_SESSION", 5)  # as in a later session
    assert answers.seed() == seed
    (tmp_path / "class" / "me.seed").write_text("odd\n")
    assert answers.seed() == 5


def test_where_no_answers_are_kept_or_can_be_a_question_is_asked_all_the_same(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("GPTLIB_ANSWERS", "off")
    assert answers.seed() == 0
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GPTLIB_ANSWERS", str(tmp_path / "file" / "me.jsonl"))
    assert answers.seed() == answers.THIS_SESSION
