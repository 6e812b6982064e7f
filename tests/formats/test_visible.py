"""gptlib.formats.visible: nothing of a token is hidden, under any version of Unicode."""

import doctest
import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from gptlib.formats import visible as module
from gptlib.formats.visible import UNSEEN, visible

HIDDEN = regex.compile(
    r"[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Z}\s\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]"
)


def test_examples_in_the_docstrings_are_true():
    results = doctest.testmod(module)
    assert results.attempted >= 1 and results.failed == 0


def test_every_character_that_unicode_calls_invisible_is_shown_in_hexadecimal():
    for character in map(chr, range(0x110000)):
        if HIDDEN.match(character) and character not in " \n\t":
            data = character.encode("utf-8", "surrogatepass")
            assert visible(data) == "".join(f"<{byte:02X}>" for byte in data), ascii(character)


@pytest.mark.parametrize("code", [0x2800, 0x1D159, 0x3164, 0xFE0F, 0xE0041, 0x13441])
def test_blanks_that_unicode_calls_letters_signs_or_marks_are_shown_too(code):
    assert visible(chr(code).encode()).startswith("<")


@pytest.mark.parametrize("text", ["a", "é", "日本", "🐈", "ж", "\u0301", "<00>", "␣"])
def test_what_can_be_seen_stays_as_it_is(text):
    assert visible(text.encode()) == text


def test_the_list_is_in_order_and_says_what_each_range_is():
    ends = [code for first, last, _ in sorted(UNSEEN) for code in (first, last)]
    assert ends == sorted(ends) and all(name for _, _, name in UNSEEN)
    letters = [
        c for c in map(chr, range(0x110000)) if unicodedata.category(c) in ("Lu", "Ll", "Nd")
    ]
    assert [visible(c.encode()) for c in letters] == letters


@given(st.binary())
def test_any_bytes_are_shown_in_characters_that_print(data):
    shown = visible(data)
    assert not any(HIDDEN.match(character) for character in shown)
    assert bool(shown) == bool(data)
