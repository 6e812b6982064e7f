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
