"""gptlib.formats.merges: merges and byte ids of any type of whole numbers, or one line."""

import numpy as np
import pytest
import torch

from gptlib.formats import merges
from gptlib.formats.merges import checked_byte_ids, checked_merges, spell
from gptlib.tokenizer import Tokenizer


@pytest.mark.parametrize(
    "kind", [np.array, torch.tensor, tuple, lambda rows: [tuple(map(np.int64, r)) for r in rows]]
)
def test_merges_may_be_pairs_or_an_array_of_whole_numbers(kind):
    assert checked_merges(kind([[97, 98], [256, 99]])) == [(97, 98), (256, 99)]
    assert {type(id) for pair in checked_merges(kind([[97, 98]])) for id in pair} == {int}


@pytest.mark.parametrize("kind", [list, np.array, lambda ids: np.array(ids, np.uint8)])
def test_byte_ids_may_be_an_array_of_whole_numbers(kind):
    backwards = list(range(255, -1, -1))
    assert checked_byte_ids(kind(backwards)) == backwards
    assert Tokenizer(byte_ids=kind(backwards)) == Tokenizer(byte_ids=backwards)


@pytest.mark.parametrize(
    "bad, where",
    [
        ([(97, 98), (97, 257)], r"merges\[1\]"),  # 257 is what this very merge makes
        ([(97, -1)], r"merges\[0\]"),
        ([(97,)], r"merges\[0\]"),
        ([(97, 98, 99)], r"merges\[0\]"),
        ([(97, 98.5)], r"merges\[0\]"),
        ([(97, True)], r"merges\[0\]"),
        ([("a", "b")], r"merges\[0\]"),
        ([(97, 10**4000)], r"merges\[0\]"),
        ([tuple(range(100_000))], r"merges\[0\]"),
    ],
    ids=range(9),
)
def test_what_is_no_pair_of_earlier_ids_is_named_in_one_short_line(bad, where):
    with pytest.raises(ValueError, match=where) as caught:
        Tokenizer(bad)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 200


@pytest.mark.parametrize("bad", [range(255), [0] * 256, [*range(255), 256], [*range(255), 255.0]])
def test_byte_ids_that_are_not_the_256_ids_are_refused(bad):
    with pytest.raises(ValueError, match="byte_ids"):
        checked_byte_ids(bad)


def test_a_token_has_the_bytes_of_the_two_that_it_was_merged_from():
    assert spell([(97, 98), (256, 256)], list(range(256)))[256:] == [b"ab", b"abab"]
    backwards = list(range(255, -1, -1))
    assert spell([(255 - 97, 255 - 98)], backwards)[255 - 97 :: 256 - 158 + 97] == [b"a"]
    assert spell([(255 - 97, 255 - 98)], backwards)[256] == b"ab"


def test_tokens_that_are_too_long_together_are_refused(monkeypatch):
    monkeypatch.setattr(merges, "MAX_BYTES", 261)
    assert len(spell([(97, 98), (256, 99)], list(range(256)))) == 258
    with pytest.raises(ValueError, match=r"merges\[2\]: the tokens together have more than 261"):
        spell([(97, 98), (256, 99), (97, 97)], list(range(256)))
