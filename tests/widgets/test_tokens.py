"""gptlib.widgets.tokens: how many tokens are shown, and under which names."""

import pytest

import gptlib
from gptlib.widgets.tokens import capped, token_name


def test_a_text_has_some_tokens_and_not_too_many():
    assert capped([1, 2], most=2) == [1, 2]
    with pytest.raises(ValueError, match="type some text"):
        capped([])
    with pytest.raises(ValueError, match="3 tokens are too many to show: 2 at most"):
        capped([1, 2, 3], most=2)


def test_an_id_that_the_tokenizer_lacks_has_a_name_too():
    tokenizer = gptlib.Tokenizer()
    assert token_name(tokenizer, 32) == "␣"
    assert token_name(tokenizer, 999) == "<999>"
