"""gptlib.formats.json_files: JSON that says one thing, or one line that names the file."""

import json
from pathlib import Path

import pytest

from gptlib.formats.json_files import errors_that_name, on_one_line, read_strict_json


def test_what_the_file_holds_is_read(tmp_path):
    (tmp_path / "a.json").write_text('{"é": [1, {"x": null}]}', encoding="utf-8")
    assert read_strict_json(tmp_path / "a.json") == {"é": [1, {"x": None}]}


@pytest.mark.parametrize(
    "data, said",
    [
        (b'{"a": 1, "a": 1}', "'a' is there twice"),
        (b'[{"b": {"c": 1, "d": 2, "c": 3}}]', "'c' is there twice"),
        (
            json.dumps({"k" * 5_000_000: 1})[:-1].encode() + b', "' + b"k" * 5_000_000 + b'": 2}',
            "k'",
        ),
        (b'{"a\\nb": 1, "a\\nb": 2}', r"'a\nb' is there twice"),
        (b"{", "truncated, or not JSON"),
        (b"\xff", "truncated, or not JSON in UTF-8"),
        (b"[" * 100_000, "truncated, or not JSON"),
        (b"9" * 10_000, "a.json: "),
    ],
    ids=range(8),
)
def test_what_is_wrong_is_one_short_line_that_names_the_file(tmp_path, data, said):
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(ValueError) as caught, errors_that_name(path):
        read_strict_json(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ") and said in line
    assert line.isprintable() and len(line) < 300 + len(str(path))


def test_a_path_that_would_break_the_line_is_put_in_quotes():
    assert on_one_line(Path("a b/é.json")) == "a b/é.json"
    assert on_one_line("a\nb") == "'a\\nb'"
    with pytest.raises(ValueError) as caught, errors_that_name("a\nb"):
        raise ValueError("damaged")
    assert str(caught.value) == "'a\\nb': damaged"
