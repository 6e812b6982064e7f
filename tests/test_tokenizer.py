"""gptlib.tokenizer, held against a naive BPE, against bytes, and against examples on paper."""

import copy
import doctest
import pickle
import random
import warnings

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from texts import DIFFICULT, EOT, PETS, naive_merges, texts, train_quietly

import gptlib.tokenizer as module
from gptlib.tokenizer import Tokenizer, apply_merges, merge, split


@pytest.fixture(scope="module")
def pets():
    return Tokenizer.train(PETS, 300)


@pytest.fixture(scope="module")
def mixed():
    """Merges inside characters of several bytes, spaces, newlines, control characters."""
    return train_quietly(" ".join(DIFFICULT) + PETS, 600, special_tokens=(EOT, "<|user|>"))


# --- the idea, by hand -------------------------------------------------------------------------


def test_examples_in_the_docstrings_are_true():
    results = doctest.testmod(module)
    assert results.attempted >= 10 and results.failed == 0


def test_split_cuts_as_gpt2_does():
    assert split("It's 42  dogs,\n\n they're") == [
        *("It", "'s", " 42", " ", " dogs", ",", "\n\n", " they", "'re")
    ]


@given(texts)
def test_split_loses_nothing(text):
    assert "".join(split(text)) == text


def test_aaabdaaabac_is_merged_as_on_paper():
    # aaabdaaabac: aa stands at 4 positions, ab at 2.           Z = aa  (256)
    # ZabdZabac:   ab and Za stand twice, (97, 98) is smaller.  Y = ab  (257)
    # ZYdZYac:     ZY stands twice.                             X = ZY  (258)
    # XdXac:       each pair once; the smallest is (97, 99).    W = ac  (259)
    tokenizer = Tokenizer.train("aaabdaaabac", 256 + 4 + 1)
    assert tokenizer.merges == [(97, 97), (97, 98), (256, 257), (97, 99)]
    assert tokenizer.encode("aaabdaaabac") == [258, ord("d"), 258, 259]
    assert [tokenizer.token_bytes(id) for id in (256, 257, 258, 259)] == [
        *(b"aa", b"ab", b"aaab", b"ac")
    ]


def test_low_lower_lowest_is_merged_as_on_paper():
    # Pieces "low", " lower", " lowest": lo and ow stand 3 times, (108, 111) is smaller. So "lo";
    # then lo + w, 3 times; then " " + low and low + e, twice each: (32, 257) is smaller. So " low";
    # then " low" + e, twice.
    tokenizer = Tokenizer.train("low lower lowest", 256 + 4, special_tokens=())
    assert [tokenizer.token_str(id) for id in range(256, 260)] == ["lo", "low", "␣low", "␣lowe"]
    assert tokenizer.encode("low lowest") == [257, 259, ord("s"), ord("t")]


def test_among_equal_counts_the_smallest_pair_of_ids_wins():
    assert Tokenizer.train("yz,ab,yx", 256 + 3, special_tokens=()).merges == [
        *((97, 98), (121, 120), (121, 122))
    ]
    # (c, a) comes first in the text, and is the smaller one read backwards: neither counts.
    assert Tokenizer.train("ca,ac", 257, special_tokens=()).merges == [(97, 99)]


def test_overlapping_pairs_count_once_for_every_position():
    # "aaa" holds (a, a) at 2 positions: as many as two pieces "xy" hold (x, y), and a < x.
    assert Tokenizer.train("aaa.xy,xy", 257, special_tokens=()).merges == [(97, 97)]
    assert Tokenizer.train("aa.xy,xy", 257, special_tokens=()).merges == [(120, 121)]


def test_a_merge_goes_from_left_to_right():
    assert merge([1, 1, 1, 1, 1], (1, 1), 9) == [9, 9, 1]
    assert apply_merges([1, 1, 1, 1, 1], {(1, 1): 9, (9, 9): 10}) == [10, 1]


# --- training ----------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(st.text("ab", max_size=60) | st.text("abc .\n", max_size=60) | st.text("aé日", max_size=30))
@example("aaaaaaaaaaaaaaaaaaaaaaa")
@example("aaa aaaa aaaaa abaaba abaab")
def test_merges_are_those_of_naive_bpe(text):
    assert train_quietly(text, 276, special_tokens=()).merges == naive_merges(text, 20)


def test_merges_are_those_of_naive_bpe_on_longer_text():
    rng = random.Random(0)
    words = ["".join(rng.choices("abcde", k=rng.randint(1, 9))) for _ in range(60)]
    text = " ".join(rng.choices(words, k=600)) + "ab" * 50 + "a" * 101
    assert Tokenizer.train(text, 376, special_tokens=()).merges == naive_merges(text, 120)


def test_training_is_the_same_for_any_order_of_the_documents():
    documents = PETS.splitlines() + DIFFICULT
    forward = train_quietly(documents, 400)
    assert forward == train_quietly(iter(documents[::-1]), 400)


def test_merges_do_not_cross_documents_or_special_tokens():
    apart = train_quietly(["ab", "ab"], 300)
    assert apart.merges == [(97, 98)]
    assert train_quietly(f"ab{EOT}ab", 300) == apart


def test_vocab_size_counts_bytes_merges_and_special_tokens():
    tokenizer = Tokenizer.train(PETS, 300, special_tokens=("<a>", "<b>"))
    assert tokenizer.vocab_size == len(tokenizer) == 300
    assert len(tokenizer.merges) == 300 - 256 - 2
    assert tokenizer.special_tokens == {"<a>": 298, "<b>": 299}
    assert tokenizer.eos_id is None
    assert Tokenizer.train(PETS, 300).eos_id == 299


@pytest.mark.parametrize(
    "text, made", [("abab", 2), ("a b c", 2), ("abc" * 2, 3), ("", 0), ("a", 0)]
)
def test_training_stops_when_no_pair_is_left_and_says_so(text, made):
    with pytest.warns(UserWarning, match=f"only {made} merges of 743: vocab_size is {257 + made}"):
        tokenizer = Tokenizer.train(text, 1000)
    assert tokenizer.vocab_size == 257 + made
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_no_text_and_no_merges_asked_for_is_no_reason_to_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Tokenizer.train([], 257) == Tokenizer()


def test_too_small_a_vocabulary_is_refused_with_the_size_needed():
    with pytest.raises(ValueError, match="vocab_size is 257.*at least 258"):
        Tokenizer.train("abc", 257, special_tokens=("<a>", "<b>"))


@pytest.mark.parametrize("bad", [b"bytes", None, 3, ["text", b"bytes"]])
def test_training_on_what_is_not_text_is_a_type_error(bad):
    with pytest.raises(TypeError):
        Tokenizer.train(bad, 300)


@pytest.mark.parametrize(
    "names, error",
    [(EOT, TypeError), ((1,), TypeError), (("",), ValueError), (("<a>", "<a>"), ValueError)],
)
def test_bad_special_tokens_are_refused(names, error):
    with pytest.raises(error, match="special_tokens"):
        Tokenizer.train("abc", 300, special_tokens=names)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text("ab", max_size=40) | st.text("abc", max_size=20), max_size=4))
@example(["aaaaaaaaaaaaaaaaaaaaaaa", "abababababa"])
def test_training_makes_every_token_once_and_its_bytes_encode_to_it(documents):
    tokenizer = train_quietly(documents, 10_000, special_tokens=())
    tokens = [tokenizer.token_bytes(id) for id in range(tokenizer.vocab_size)]
    assert len(set(tokens)) == len(tokens)
    assert [tokenizer.encode(token.decode()) for token in tokens[256:]] == [
        [id] for id in range(256, len(tokens))
    ]


def test_two_merges_that_spell_the_same_bytes_are_refused():
    with pytest.raises(ValueError, match=r"merges\[3\] makes b'abc', as merges\[2\] does"):
        Tokenizer([(97, 98), (98, 99), (97, 257), (256, 99)])
    with pytest.raises(ValueError, match=r"merges\[1\] makes b'aa', as merges\[0\] does"):
        Tokenizer([(97, 97), (97, 97)])


def test_merges_that_double_without_end_are_refused_before_they_fill_the_memory():
    with pytest.raises(ValueError, match=r"merges\[\d+\]: .* more than 67108864 bytes"):
        Tokenizer([(97, 97), *((256 + k, 256 + k) for k in range(60))])


@pytest.mark.parametrize("name", ["a", "é", "Ġ", "ab"])
def test_a_special_token_with_the_name_that_files_give_another_token_is_refused(name):
    with pytest.raises(ValueError, match="special_tokens: .* is what files call the token b"):
        Tokenizer([(97, 98)], special_tokens=(EOT, name))


# --- text to ids and back ----------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(text=texts)
@example(text="".join(DIFFICULT))
def test_decode_undoes_encode_for_any_text(mixed, text):
    assert mixed.decode(mixed.encode(text)) == text
    assert mixed.decode(mixed.encode(text, allowed_special="all")) == text


@given(data=st.binary())
def test_every_byte_string_is_a_list_of_ids(mixed, data):
    assert mixed.decode_bytes(list(data)) == data
    assert mixed.decode(list(data)) == data.decode("utf-8", errors="replace")


@settings(deadline=None)
@given(ids=st.lists(st.integers(0, 599)))
def test_any_known_ids_can_be_decoded(mixed, ids):
    ids = [id % mixed.vocab_size for id in ids]
    assert mixed.decode_bytes(ids) == b"".join(mixed.token_bytes(id) for id in ids)
    assert isinstance(mixed.decode(ids), str)


def test_half_a_character_decodes_to_the_replacement_sign():
    tokenizer = Tokenizer()
    assert tokenizer.decode([0xE2, 0x82]) == "\ufffd"
    assert tokenizer.decode([0xE2, 0x82], errors="ignore") == ""
    with pytest.raises(ValueError):
        tokenizer.decode([0xE2, 0x82], errors="strict")


@pytest.mark.parametrize("kind", [list, tuple, iter, np.array, torch.tensor])
def test_ids_may_come_as_any_sequence_of_ints(pets, kind):
    ids = pets.encode("The cat is")
    assert pets.decode(kind(ids)) == "The cat is"
    assert pets.decode([torch.tensor(id) for id in ids]) == "The cat is"


@pytest.mark.parametrize("id", [-1, 300, 10**30])
def test_an_unknown_id_is_named_with_the_range(pets, id):
    for call in (pets.token_bytes, pets.token_str, lambda id: pets.decode([65, id])):
        with pytest.raises(ValueError, match=rf"id {id}: ids are 0\.\.299"):
            call(id)


@pytest.mark.parametrize("ids", [[1.5], ["a"], "abc", [[1, 2]], 5, torch.tensor([1.0])])
def test_ids_that_are_not_ints_are_a_type_error(pets, ids):
    with pytest.raises(TypeError):
        pets.decode(ids)


@pytest.mark.parametrize("bad", [b"abc", None, 5, ["a"]])
def test_encoding_what_is_not_text_is_a_type_error(pets, bad):
    with pytest.raises(TypeError, match="must be str, not"):
        pets.encode(bad)


def test_a_lone_surrogate_is_refused_with_its_position(pets):
    with pytest.raises(ValueError, match=r"lone surrogate '\\ud83d' at position 4"):
        pets.encode("cat \ud83d")
    with pytest.raises(ValueError, match="at position 0"):
        Tokenizer.train(["fine", "\udfff"], 300)
    with pytest.raises(ValueError, match="special_tokens"):
        Tokenizer.train("abc", 300, special_tokens=["\udfff"])


def test_tokens_are_shown_so_that_all_of_them_can_be_seen():
    tokenizer = train_quietly(" the the\n\n\t", 280, special_tokens=(EOT,))
    assert tokenizer.token_str(tokenizer.encode(" the")[0]) == "␣the"
    assert tokenizer.token_str(tokenizer.encode("\n\n")[0]) in ("⏎⏎", "⏎")
    assert [tokenizer.token_str(id) for id in (9, 0x1B, 0xE2, tokenizer.eos_id)] == [
        *("⇥", "<1B>", "<E2>", EOT)
    ]
    unseen = Tokenizer.train("\u200b\u200b", 258, special_tokens=())
    assert unseen.token_str(257) == "<E2><80><8B>"


def test_no_token_is_shown_with_a_character_that_prints_as_nothing(mixed):
    for id in range(mixed.vocab_size):
        shown = mixed.token_str(id)
        assert shown and shown.isprintable() and not any(map(str.isspace, shown)), id


# --- special tokens ----------------------------------------------------------------------------


@settings(deadline=None)
@given(parts=st.lists(st.sampled_from([EOT, "<|user|>", "<|", "endoftext", "|>", "a"])))
def test_plain_text_never_yields_a_special_token(mixed, parts):
    ids = mixed.encode("".join(parts))
    assert not set(ids) & set(mixed.special_tokens.values())
    assert mixed.decode(ids) == "".join(parts)


def test_special_tokens_are_found_where_they_are_allowed(mixed):
    eot, user = mixed.special_tokens[EOT], mixed.special_tokens["<|user|>"]
    text = f"{EOT}a<|user|>{EOT}"
    assert mixed.encode(text, allowed_special="all") == [eot, ord("a"), user, eot]
    ids = mixed.encode(text, allowed_special={"<|user|>"})
    assert ids.count(user) == 1 and eot not in ids
    assert mixed.encode(text, allowed_special=iter([EOT])).count(eot) == 2


def test_of_two_special_tokens_the_longer_one_is_found():
    tokenizer = Tokenizer(special_tokens=("<a>", "<a>+"))
    assert tokenizer.encode("<a>+<a>", allowed_special="all") == [257, 256]


def test_special_tokens_take_no_part_in_merges():
    text = f"ab{EOT}" * 50
    merges = train_quietly(text, 300).merges
    assert merges == [(97, 98)]


@pytest.mark.parametrize("allowed", [{"<|nobody|>"}, [EOT, ""], EOT, "none"])
def test_an_unknown_special_token_is_refused(pets, allowed):
    with pytest.raises(ValueError, match="allowed_special"):
        pets.encode("abc", allowed_special=allowed)


def test_a_disallowed_special_token_is_refused_with_its_position(mixed):
    text = f"ab<|user|>{EOT}"
    for disallowed in ("all", {"<|user|>"}, [EOT, "<|user|>"], iter(["<|user|>"])):
        with pytest.raises(ValueError, match=r"text: has '<\|user\|>' at position 2"):
            mixed.encode(text, disallowed_special=disallowed)
    assert mixed.encode("ab", disallowed_special="all") == mixed.encode("ab")
    assert mixed.encode(text, disallowed_special=()) == mixed.encode(text)


def test_all_that_is_disallowed_is_what_is_not_allowed(mixed):
    text = f"ab<|user|>{EOT}"
    with pytest.raises(ValueError, match=r"'<\|endoftext\|>' at position 10"):
        mixed.encode(text, allowed_special={"<|user|>"}, disallowed_special="all")
    with pytest.raises(ValueError, match=r"'<\|user\|>' at position 2"):  # named in both
        mixed.encode(text, allowed_special="all", disallowed_special={"<|user|>"})
    whole = mixed.encode(text, allowed_special="all", disallowed_special="all")
    assert whole == mixed.encode(text, allowed_special="all")


def test_any_words_may_be_disallowed_as_with_tiktoken(mixed):
    with pytest.raises(ValueError, match="'cat' at position 4"):
        mixed.encode("The cat", disallowed_special={"cat"})
    assert mixed.encode("The dog", disallowed_special={"cat"}) == mixed.encode("The dog")
    with pytest.raises(ValueError, match="disallowed_special: 'cat' is not 'all'"):
        mixed.encode("The cat", disallowed_special="cat")


def test_changing_the_list_that_encode_returned_does_not_change_the_next(pets):
    first = pets.encode("cat")
    expected = list(first)
    first.append(0)
    assert pets.encode("cat") == expected


# --- one tokenizer and another ------------------------------------------------------------------


def test_copies_and_pickles_are_equal_and_others_are_not(pets):
    assert copy.deepcopy(pets) == pets == pickle.loads(pickle.dumps(pets))
    assert pets != Tokenizer(pets.merges, special_tokens=()) and pets != "pets"
    assert repr(pets) == "Tokenizer(vocab_size=300, special_tokens=['<|endoftext|>'])"
