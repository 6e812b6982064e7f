"""Messages are one line, whatever is in them."""

import pytest

from gptlib.cli.messages import LONGEST, one_line, say


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("two\r\nlines\u2028and\tmore ", "two lines and more"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("\u202ereversed", "\\u202ereversed"),
        ("caf\u00e9 \u732b", "caf\u00e9 \u732b"),
        ("name \udce9", "name \udce9"),  # a byte of a file's name, which goes out as it came
        ("half \ud800", "half \\ud800"),
    ],
)
def test_nothing_in_a_message_moves_the_cursor(text, expected):
    assert one_line(text) == expected


def test_a_message_of_megabytes_is_cut_in_the_middle():
    line = one_line("start " + "x" * 5_000_000 + " end")
    assert line.startswith("start x") and line.endswith("x end") and " [...] " in line
    assert len(line) < LONGEST + 10


def test_a_message_says_who_speaks(capsys):
    say(ValueError("wrong"))
    assert capsys.readouterr().err == "gptlib: wrong\n"
