"""gptlib.widgets.tokenizer: after k merges the picture has the tokens of the first k merges."""

import copy
import re
from time import perf_counter

import pytest
from explorers import HOSTILE, check_names, elements, text_of
from hypothesis import given, settings
from hypothesis import strategies as st

import gptlib
from gptlib.widgets import svg, tokenizer_explorer
from gptlib.widgets.tokenizer import GAP, LONGEST, SLOT, WIDTH, Shown, fusions, tokens_svg

END = "<|endoftext|>"
TRAINED = gptlib.Tokenizer.train("The cat is sleeping. The cat sat, naïve cats 🐱🐱🐱.  " * 3, 285)


@pytest.fixture
def explorer(pets):
    return tokenizer_explorer(pets[1])


def bytes_of(picture):
    """[(x, y, byte), ...] of the bytes below the boxes: they are the faint ones."""
    faint = rf'<text x="([\d.]+)" y="([\d.]+)"[^>]*{re.escape(svg.FAINT)}[^>]*>([0-9A-F]{{2}})<'
    return [(x, y, bytes.fromhex(byte)) for x, y, byte in re.findall(faint, picture)]


def first_merges(tokenizer, count):
    """The tokenizer that knows the first so many merges only."""
    return gptlib.Tokenizer(tokenizer.merges[:count], (), tokenizer.byte_ids)


@settings(deadline=None)
@given(
    st.text("The cats leping.,🐱ï \n", max_size=30) | st.text(max_size=8),
    st.integers(0, len(TRAINED.merges)),
)
def test_a_state_is_what_a_tokenizer_of_so_many_merges_gives(text, count):
    states = [state for state in fusions(TRAINED, text) if state.merge < count]
    assert sum(states[-1].pieces, []) == first_merges(TRAINED, count).encode(text)


@settings(deadline=None)
@given(st.text("Thecat ", max_size=20), st.text("Thecat ", max_size=20))
def test_the_last_state_has_the_tokens_of_the_text_special_ones_too(left, right):
    text = left + END + right
    for special in (False, True):
        allowed = "all" if special else ()
        last = fusions(TRAINED, text, special)[-1]
        assert sum(last.pieces, []) == TRAINED.encode(text, allowed_special=allowed)


def test_bytes_whose_ids_are_in_another_order_are_found():
    order = [(byte + 7) % 256 for byte in range(256)]
    tokenizer = gptlib.Tokenizer([], (), order)
    assert fusions(tokenizer, "ab")[0].pieces == [[104, 105]]


def test_each_state_has_one_merge_more_than_the_one_before():
    states = fusions(TRAINED, "The cat is sleeping.")
    merges = [state.merge for state in states]
    assert merges[0] == -1 and merges == sorted(set(merges))
    for before, after in zip(states, states[1:], strict=False):
        assert sum(map(len, after.pieces)) < sum(map(len, before.pieces))


def test_it_opens_with_all_merges(explorer, pets):
    tokenizer = pets[1]
    assert explorer.merges.value == len(tokenizer.merges)
    assert [token.id for token in explorer.tokens()] == tokenizer.encode("The cat is sleeping.")


@pytest.mark.parametrize("count", [0, 1, 17, 64, 100])
def test_the_slider_shows_the_tokens_of_so_many_merges(explorer, pets, count):
    explorer.merges.value = count
    expected = first_merges(pets[1], count).encode("The cat is sleeping.")
    assert [token.id for token in explorer.tokens()] == expected
    words = text_of(explorer.picture.value)
    assert words[0] == f"{len(expected)} tokens for 20 characters, 20 bytes"
    assert {str(id) for id in expected} <= set(words)
    assert len([tag for tag, a in elements(explorer.picture.value) if "fill-opacity" in a]) == len(
        expected
    )


def test_names_ids_and_bytes_are_all_in_the_picture(explorer, pets):
    words = text_of(explorer.picture.value)
    for id in pets[1].encode("The cat is sleeping."):
        assert pets[1].token_str(id) in words and str(id) in words
    assert (
        b"".join(byte for *_, byte in bytes_of(explorer.picture.value)) == b"The cat is sleeping."
    )


def test_a_byte_keeps_its_place_while_tokens_fuse(explorer):
    everything = bytes_of(explorer.picture.value)
    size = elements(explorer.picture.value)[0][1]["viewbox"]
    for count in (0, 10, 60):
        explorer.merges.value = count
        assert bytes_of(explorer.picture.value) == everything
        assert elements(explorer.picture.value)[0][1]["viewbox"] == size


def test_fuse_on_and_back_go_from_one_change_to_the_next(explorer, pets):
    explorer.merges.value = 0
    seen = [len(explorer.tokens())]
    while explorer.merges.value < explorer.merges.max:
        explorer.buttons["Fuse on"].click()
        seen.append(len(explorer.tokens()))
    assert seen[:-1] == sorted(set(seen), reverse=True)
    assert seen[-1] == len(pets[1].encode("The cat is sleeping."))
    for _ in range(len(seen)):
        explorer.buttons["Fuse back"].click()
    assert explorer.merges.value == 0 and len(explorer.tokens()) == 20


def test_the_last_merge_is_named_and_what_it_made_stands_out(explorer, pets):
    explorer.merges.value = 0
    assert "Bytes: no merge has changed this text yet." in text_of(explorer.picture.value)
    explorer.buttons["Fuse on"].click()
    left, right = pets[1].merges[explorer.merges.value - 1]
    names = [pets[1].token_str(id) for id in (left, right, 255 + explorer.merges.value)]
    line = text_of(explorer.picture.value)[1]
    assert line.startswith(f"Merge {explorer.merges.value}: {names[0]} + {names[1]} → {names[2]}")
    fresh = [token for token in explorer.tokens() if token.fresh]
    assert fresh and {token.id for token in fresh} == {255 + explorer.merges.value}


def test_merges_do_not_cross_the_pieces_that_the_text_is_cut_into(explorer):
    pieces = [token.piece for token in explorer.tokens()]
    assert pieces == sorted(pieces) and len(set(pieces)) == 5


def test_special_tokens_are_read_when_ticked(explorer, pets):
    explorer.text.value = f"The{END}"
    assert len(explorer.tokens()) > 2
    explorer.special.value = True
    assert [token.id for token in explorer.tokens()] == [pets[1].encode("The")[0], pets[1].eos_id]
    assert "2 tokens for 16 characters, 16 bytes" in text_of(explorer.picture.value)


def test_spaces_and_halves_of_characters_can_be_seen(explorer):
    explorer.text.value = " \t\n🐱"
    explorer.merges.value = 0
    words = text_of(explorer.picture.value)
    assert {"␣", "⇥", "⏎", "<F0>", "<9F>", "<90>", "<B1>"} <= set(words)


def test_the_text_is_read_as_it_is_typed(explorer):
    assert explorer.text.continuous_update
    explorer.text.value = "cat"
    assert len(explorer.tokens()) == len(explorer.tokenizer.encode("cat"))


@pytest.mark.parametrize(
    "text, said",
    [("", "type some text"), ("a" * (LONGEST + 1), "193 bytes are too many"), ("\udc00", "lone")],
)
def test_a_text_that_cannot_be_shown_is_said(explorer, text, said):
    before = explorer.picture.value
    explorer.text.value = text
    assert said in "".join(text_of(explorer.message.value)) and explorer.picture.value == before
    explorer.buttons["Fuse on"].click()
    assert said in "".join(text_of(explorer.message.value))
    explorer.text.value = "cat"
    assert explorer.message.value == ""


def test_a_tokenizer_without_merges_shows_bytes():
    explorer = tokenizer_explorer(gptlib.Tokenizer(), "cat")
    assert [token.id for token in explorer.tokens()] == list(b"cat")
    assert explorer.message.value == ""


class Merges(list):
    """Counts how often all of them are gone through."""

    walks = 0

    def __iter__(self):
        Merges.walks += 1
        return super().__iter__()


class NewIds(dict):
    walks = 0

    def __iter__(self):
        NewIds.walks += 1
        return super().__iter__()

    def items(self):
        NewIds.walks += 1
        return super().items()


def test_fifty_thousand_merges_are_never_gone_through_while_typing_or_sliding(gpt2_tokenizer):
    tokenizer = copy.copy(gpt2_tokenizer)
    explorer = tokenizer_explorer(tokenizer)
    tokenizer.merges, tokenizer.new_ids = Merges(tokenizer.merges), NewIds(tokenizer.new_ids)
    Merges.walks = NewIds.walks = 0
    for text in ("T", "Th", "The", "The cat", "The dogs sleep"):
        explorer.text.value = text
        assert [token.id for token in explorer.tokens()] == gpt2_tokenizer.encode(text)
    for value in (0, 40_000, 39_999):
        explorer.merges.value = value
        expected = first_merges(gpt2_tokenizer, value).encode("The dogs sleep")
        assert [token.id for token in explorer.tokens()] == expected
    explorer.buttons["Fuse back"].click()
    assert (Merges.walks, NewIds.walks) == (0, 0)


def test_with_gpt2s_tokenizer_a_key_costs_about_what_it_costs_with_a_small_one(
    gpt2_tokenizer, pets
):
    explorers = [tokenizer_explorer(tokenizer) for tokenizer in (gpt2_tokenizer, pets[1])]
    text = "The little cat is sleeping on the old garden wall. "

    def seconds(explorer, typed):
        began = perf_counter()
        explorer.text.value = typed
        explorer.merges.value = explorer.merges.max // 2
        explorer.merges.value = explorer.merges.max
        return perf_counter() - began

    spent = [[seconds(each, text + "abcdefgh"[: k + 1]) for each in explorers] for k in range(8)]
    big, small = map(min, zip(*spent, strict=True))  # the least: of other programs it has least
    assert big < 3 * small


def test_controls_have_names_and_two_do_not_interfere(explorer, pets):
    check_names(explorer)
    other = tokenizer_explorer(pets[1])
    before = other.picture.value
    explorer.merges.value = 3
    explorer.text.value = "dog"
    assert other.picture.value == before


def test_it_is_saved_and_falls_back_to_the_same_words(explorer, pets, tmp_path):
    assert explorer.fallback() == tokenizer_explorer(pets[1]).fallback()
    assert "after 140 of 140 merges: 5 tokens: The 260, ␣cat 283" in explorer.describe()
    explorer.save(tmp_path / "a.svg")
    explorer.save(tmp_path / "a.html")


TOKENS = st.builds(
    Shown,
    id=st.integers(0, 50256),
    name=HOSTILE,
    data=st.binary(min_size=1, max_size=60),
    piece=st.just(0),
    special=st.booleans(),
    fresh=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(TOKENS, max_size=6), st.lists(HOSTILE, max_size=2), st.data())
def test_hostile_tokens_add_nothing_and_stay_inside_the_picture(tokens, notes, data):
    steps = data.draw(st.lists(st.integers(0, 1), min_size=len(tokens), max_size=len(tokens)))
    tokens = [t._replace(piece=sum(steps[: k + 1])) for k, t in enumerate(tokens)]
    found = elements(tokens_svg(tokens, notes))
    tame = tokens_svg([t._replace(name="x") for t in tokens], ["x"] * len(notes))
    assert [tag for tag, _ in found] == [tag for tag, _ in elements(tame)]
    boxes = [attributes for tag, attributes in found if tag == "rect"]
    assert all(0 <= float(b["x"]) and float(b["x"]) + float(b["width"]) <= WIDTH for b in boxes)


def test_a_piece_that_fits_into_a_line_is_not_cut():
    fits = (WIDTH - GAP) // SLOT
    tokens = [Shown(1, "a", b"a" * 10, 0), Shown(2, "b", b"b" * fits, 1)]
    boxes = [a for tag, a in elements(tokens_svg(tokens)) if tag == "rect"]
    assert [float(box["width"]) for box in boxes] == [10 * SLOT - 2, fits * SLOT - 2]
    assert float(boxes[0]["y"]) < float(boxes[1]["y"])
