"""gptlib.formats.byte_text: each byte as one visible character, and back."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptlib.formats import byte_text
from gptlib.formats.byte_text import CHARACTERS, bytes_to_text, text_to_bytes


def test_examples_in_the_docstrings_are_true():
    results = doctest.testmod(byte_text)
    assert results.attempted >= 2 and results.failed == 0


def test_every_byte_has_one_visible_character():
    assert len(set(CHARACTERS)) == 256
    assert all(c.isprintable() and not c.isspace() for c in CHARACTERS)
    assert [CHARACTERS[byte] for byte in (0, 32, 33, 126, 127, 160, 161, 173, 255)] == list(
        "ĀĠ!~ġł¡Ńÿ"
    )


@given(st.binary())
def test_text_undoes_bytes(data):
    assert text_to_bytes(bytes_to_text(data)) == data


@pytest.mark.parametrize("text", [" ", "ab c", "日", "\n", "\xad"])
def test_text_that_spells_no_bytes_is_none(text):
    assert text_to_bytes(text) is None
