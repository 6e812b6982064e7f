"""gptlib.formats.json_files: what Python's reader would let pass is refused in one line."""

import pytest

from gptlib.formats.json_files import parse


def test_json_is_read_as_it_is():
    assert parse('{"a": [1, -2.5, null, true, "é"]}') == {"a": [1, -2.5, None, True, "é"]}
    assert parse("1" + "0" * 400) == 10**400


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 1}}', "'c' is there twice in one object"),
        ('{"a\\nb": 1, "a\\nb": 2}', r"'a\nb' is there twice"),
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
