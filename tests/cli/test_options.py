"""What an option may be, as the functions that read one say; in commands: the other files here."""

import argparse

import pytest

from gptlib.cli import options


@pytest.mark.parametrize(
    ("read", "given", "expected"),
    [
        (options.seed, str(2**63 - 1), 2**63 - 1),
        (options.count, "0", 0),
        (options.positive, "1", 1),
        (options.non_empty, " ", " "),
        (options.text, "caf\u00e9 \u732b", "caf\u00e9 \u732b"),
        (options.text, "", ""),
    ],
)
def test_what_may_be_is_read(read, given, expected):
    assert read(given) == expected


@pytest.mark.parametrize(
    ("read", "given"),
    [(options.seed, "-1"), (options.seed, str(2**63)), (options.count, "-1")]
    + [(options.positive, "0"), (options.non_empty, ""), (options.folder, "")],
)
def test_what_may_not_be_is_refused(read, given):
    with pytest.raises(argparse.ArgumentTypeError, match="must"):
        read(given)


def test_a_flag_is_written_as_the_field_calls_its_setting():
    assert options.flag("n_layer") == "--n-layer"
