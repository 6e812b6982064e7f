"""gptlib.formats.json_files: what Python's reader would let pass is refused in one line."""

from pathlib import Path

import pytest

from gptlib.formats.json_files import errors_that_name, on_one_line, parse, read_strict_json


def test_json_is_read_as_it_is():
    assert parse('{"a": [1, -2.5, null, true, "é"]}') == {"a": [1, -2.5, None, True, "é"]}
    assert parse("1" + "0" * 400) == 10**400


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 1}}', "'c' appears twice in one object"),
        ('{"a\\nb": 1, "a\\nb": 2}', r"'a\nb' appears twice"),
        ("[NaN]", "NaN is not a number in JSON"),
        ("[Infinity]", "Infinity is not a number in JSON"),
        ("[-Infinity]", "-Infinity is not a number in JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("", "Expecting value"),
        ("1" * 5000, "digits"),
    ],
)
def test_what_is_no_json_is_refused_in_one_short_line(text, says):
    with pytest.raises(ValueError) as caught:
        parse(text)
    line = str(caught.value)
    assert says in line and "\n" not in line and len(line) < 200


def test_a_key_of_five_megabytes_is_named_by_its_beginning():
    key = "k" * 5 * 2**20
    with pytest.raises(ValueError) as caught:
        parse(f'{{"{key}": 1, "{key}": 2}}')
    assert len(str(caught.value)) < 200


def test_what_the_file_holds_is_read(tmp_path):
    (tmp_path / "a.json").write_text('{"é": [1, {"x": null}]}', encoding="utf-8")
    assert read_strict_json(tmp_path / "a.json") == {"é": [1, {"x": None}]}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'[{"b": {"c": 1, "d": 2, "c": 3}}]', "'c' appears twice"),
        (b"{", "truncated, or not JSON"),
        (b"\xff", "truncated, or not JSON in UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
    ],
    ids=range(4),
)
def test_what_is_wrong_with_a_file_is_one_short_line_that_names_it(tmp_path, data, says):
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(ValueError) as caught, errors_that_name(path):
        read_strict_json(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ") and says in line
    assert line.isprintable() and len(line) < 200 + len(str(path))


def test_a_path_that_would_break_the_line_is_put_in_quotes():
    assert on_one_line(Path("a b/é.json")) == "a b/é.json"
    assert on_one_line("a\nb") == "'a\\nb'"
    with pytest.raises(ValueError) as caught, errors_that_name("a\nb"):
        raise ValueError("damaged")
    assert str(caught.value) == "'a\\nb': damaged"
