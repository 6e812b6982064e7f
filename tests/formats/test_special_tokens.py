"""gptlib.formats.special_tokens: names are found as one pattern of all would, however many."""

import time

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gptlib.formats.special_tokens import checked_names, checked_text, cut_at, names_to_find
from gptlib.tokenizer import Tokenizer

MANY = [f"<|{k}|>" for k in range(50_000)]


def cut_by_one_pattern(text, names):
    longest_first = sorted(names, key=len, reverse=True)
    return regex.split("(" + "|".join(map(regex.escape, longest_first)) + ")", text)


@settings(max_examples=500, deadline=None)
@given(
    text=st.text("ab<|>", max_size=30),
    names=st.lists(st.text("ab<|>", min_size=1, max_size=4), min_size=1, max_size=6, unique=True),
)
@example(text="aaab", names=["aab", "aac"])
@example(text="<a>+<a>", names=["<a>", "<a>+"])
def test_a_text_is_cut_as_a_pattern_of_all_names_cuts_it(text, names):
    assert cut_at(text, names) == cut_by_one_pattern(text, names)


def test_a_name_of_signs_that_patterns_read_otherwise_is_found():
    names = ["[a]", "(b", "c|d", "e.", "\\n", "^", "$"]
    assert cut_at("xabc d[a]e.f$", names) == ["xabc d", "[a]", "", "e.", "f", "$", ""]


def test_without_names_a_text_stays_whole():
    assert cut_at("<|endoftext|>", []) == ["<|endoftext|>"]


def test_a_text_is_cut_at_any_of_50_000_names():
    assert cut_at("a<|49999|><|7|>b<|50000|>", MANY) == [
        "a",
        "<|49999|>",
        "",
        "<|7|>",
        "b<|50000|>",
    ]


def test_50_000_special_tokens_take_moments(tmp_path):
    began = time.process_time()
    tokenizer = Tokenizer([(97, 98)], MANY)
    tokenizer.save(tmp_path / "t.json")
    assert Tokenizer.load(tmp_path / "t.json") == tokenizer
    text = "ab<|123|>" * 1000
    ids = tokenizer.encode(text, allowed_special="all")
    assert ids == [256, 257 + 123] * 1000 and tokenizer.decode(ids) == text
    with pytest.raises(ValueError, match="has '<|123|>' at position 2"):
        tokenizer.encode(text, disallowed_special="all")
    assert time.process_time() - began < 15  # looking each name up among all others took 44 s
    assert len(repr(tokenizer)) < 200


@pytest.mark.parametrize(
    "name", ["a\nb", "x" * 5_000_000, "\u2028" * 100, "\x1b[31m"], ids=range(4)
)
def test_errors_about_a_name_are_one_short_line(name):
    tokenizer = Tokenizer(special_tokens=("<a>",))
    for call in (
        lambda: checked_names(name),
        lambda: checked_names([name, name]),
        lambda: tokenizer.encode("a", allowed_special={name}),
        lambda: tokenizer.encode("a", allowed_special=name),
        lambda: tokenizer.encode(name, disallowed_special={name}),
        lambda: tokenizer.encode("a", disallowed_special=name),
        lambda: Tokenizer(special_tokens=[*MANY, name]).encode("a", allowed_special={"<b>"}),
    ):
        with pytest.raises((ValueError, TypeError)) as caught:
            call()
        assert str(caught.value).isprintable() and len(str(caught.value)) < 400


@pytest.mark.parametrize("names", [[""], [5], [None]])
def test_what_is_no_name_is_neither_allowed_nor_disallowed(names):
    for rules in ((names, ()), ((), names)):
        with pytest.raises(ValueError, match="allowed_special: .* is not a name"):
            names_to_find("a", {"<a>": 256}, *rules)


def test_a_text_is_str_without_half_characters():
    assert checked_text("café") == "café"
    with pytest.raises(TypeError, match="corpus: must be str, not bytes"):
        checked_text(b"a", "corpus")
    with pytest.raises(ValueError, match="corpus: lone surrogate .* at position 1"):
        checked_text("a\ud800", "corpus")
