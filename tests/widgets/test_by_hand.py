"""gptlib.widgets.by_hand: the sums in the picture are right, and each control changes its own."""

import math

import pytest
import torch
from explorers import HOSTILE, check_names, elements, text_of
from hypothesis import given, settings
from hypothesis import strategies as st

from gptlib.attention import attention
from gptlib.widgets import attention_by_hand, svg
from gptlib.widgets.by_hand import KEYS, QUERIES, TOKENS, attention_in_steps, by_hand_svg


@pytest.fixture
def explorer():
    return attention_by_hand()


def lines(explorer):
    """token -> [terms, product, score, weight] of the query that is picked."""
    words = text_of(explorer.picture.value)
    rows = words[words.index("weight") + 1 :]
    return {token: rows[5 * i + 1 : 5 * i + 5] for i, token in enumerate(explorer.tokens)}


def test_the_steps_are_those_of_gptlibs_attention():
    q, k = torch.tensor(QUERIES), torch.tensor(KEYS)
    for masked in (True, False):
        for scaled in (True, False):
            scale = None if scaled else 1.0
            _, weights = attention(q, k, k, causal=masked, scale=scale)
            steps = attention_in_steps(q, k, masked, scaled)
            torch.testing.assert_close(steps.weights.float(), weights)


def test_the_sums_can_be_followed_with_a_pencil(explorer):
    # is: q (1, 0). The 0; cat 2, over the root of 2 1.41; is 1, 0.71.
    # e^0 = 1, e^1.414 = 4.113, e^0.707 = 2.028, sum 7.141.
    assert lines(explorer) == {
        "The": ["1·0 + 0·1 =", "0.00", "0.00", "0.14"],
        "␣cat": ["1·2 + 0·0 =", "2.00", "1.41", "0.58"],
        "␣is": ["1·1 + 0·(−1) =", "1.00", "0.71", "0.28"],
    }


def test_a_query_changes_its_row_and_a_key_its_column(explorer):
    before = explorer.steps().scores
    explorer.query.value = 1
    explorer.sliders["q 1"].value = 3.0
    changed = explorer.steps().scores != before
    assert changed.tolist() == [[False] * 3, [False, True, True], [False] * 3]  # k of The: (0, 1)
    explorer.reset()
    explorer.sliders["k 2"].value = 1.5
    changed = explorer.steps().scores != before
    assert changed.tolist() == [[False, True, False], [False, True, False], [False] * 3]


def test_hidden_keys_are_said_to_be_hidden_until_the_mask_is_taken_off(explorer):
    explorer.query.value = 0
    assert [line[-1] for line in lines(explorer).values()] == ["1.00", "hidden", "hidden"]
    assert lines(explorer)["␣cat"][2] == "−∞"
    explorer.masked.value = False
    assert "hidden" not in text_of(explorer.picture.value)
    assert explorer.steps().weights[0, 1] > 0


def test_without_the_scale_the_softmax_is_sharper(explorer):
    explorer.scaled.value = False
    assert lines(explorer)["␣cat"] == ["1·2 + 0·0 =", "2.00", "2.00", "0.67"]  # 7.389 / 11.107
    assert math.isclose(explorer.steps().weights[2, 1], 7.389 / 11.107, rel_tol=1e-3)


def test_each_token_keeps_its_own_numbers(explorer):
    explorer.sliders["q 2"].value = -2.0
    explorer.query.value = 0
    assert [box.value for box in explorer.sliders.values()] == [*QUERIES[0], *KEYS[0]]
    explorer.query.value = 2
    assert explorer.sliders["q 2"].value == -2.0
    assert explorer.q[:2] == [list(vector) for vector in QUERIES[:2]]


def test_every_control_redraws_and_reset_brings_the_first_picture_back(explorer):
    first = explorer.picture.value
    seen = {first}
    changes = [(box, 2.5) for box in explorer.sliders.values()]
    changes += [(explorer.scaled, False), (explorer.masked, False), (explorer.query.slider, 1)]
    for control, value in changes:
        control.value = value
        assert explorer.picture.value not in seen
        seen.add(explorer.picture.value)
    explorer.query.value = 2
    explorer.buttons["Reset"].click()
    assert explorer.picture.value == first and explorer.message.value == ""


def test_two_do_not_share_numbers_and_every_control_has_a_name(explorer):
    other = attention_by_hand()
    explorer.sliders["k 1"].value = -4.0
    assert other.picture.value != explorer.picture.value
    assert attention_by_hand().picture.value == other.picture.value
    check_names(explorer)


def test_it_falls_back_to_words_and_is_saved(explorer, tmp_path):
    said = "Attention by hand: “␣is” looks at “␣cat” 0.58, at “␣is” 0.28, at “The” 0.14."
    assert explorer.fallback()["text/plain"] == said
    explorer.save(tmp_path / "hand.svg")
    assert "var(--" not in (tmp_path / "hand.svg").read_text(encoding="utf-8")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(HOSTILE, min_size=1, max_size=5),
    st.floats(-4, 4),
    st.floats(-4, 4),
    st.booleans(),
    st.booleans(),
)
def test_any_tokens_and_numbers_are_drawn_within_the_page(tokens, one, two, masked, scaled):
    vectors = [[one, two]] * len(tokens)
    tags = elements(by_hand_svg(vectors, vectors, tokens, masked=masked, scaled=scaled))
    right = [float(a["x"]) + float(a["width"]) for tag, a in tags if tag == "rect"]
    assert max(right) <= 880 and min(float(a.get("x", 0)) for tag, a in tags if tag == "rect") >= -2


def test_the_labels_of_equal_keys_do_not_lie_on_each_other():
    picture = by_hand_svg([[1.0, 1.0]] * 5, [[1.0, 1.0]] * 5, [*"abcde"])
    heights = [float(a["y"]) for tag, a in elements(picture) if a.get("height") == "16.0"]
    assert len(heights) == 5
    assert all(b - a >= 15.9 for a, b in zip(heights, heights[1:]))


@pytest.mark.parametrize(
    "arguments, words",
    [
        (([], [], []), "1 to 5 tokens"),
        (([[0, 0]], [[0, 0]], ["a", "b"]), "a query and a key for each"),
        (([[0, 0, 0]], [[0, 0]], ["a"]), "two numbers"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_words(arguments, words):
    with pytest.raises(ValueError, match=words):
        attention_by_hand(*arguments)


def test_the_tokens_of_the_lesson_are_those_of_the_pets(pets):
    _, tokenizer = pets
    assert tuple(map(tokenizer.token_str, tokenizer.encode("The cat is"))) == TOKENS
    assert svg.two(0.576) == "0.58"
