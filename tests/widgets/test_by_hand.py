"""gptlib.widgets.by_hand: the sums in the picture are right, and each control changes its own."""

import math

import pytest
import torch
from explorers import HOSTILE, elements, image_of, text_of
from hypothesis import given, settings
from hypothesis import strategies as st
from live import grave_in, in_each_colour, open_live, shows

from gptlib.attention import attention
from gptlib.widgets import attention_by_hand, svg
from gptlib.widgets.by_hand import (
    KEYS,
    QUERIES,
    TOKENS,
    VALUES,
    attention_in_steps,
    by_hand_svg,
)

HAND = "widgets.attention_by_hand()"


# ---- The page ----


@pytest.fixture(scope="module")
def both(lab):
    return open_live(lab, "by_hand", f"display({HAND}, {HAND})", count=2)[1]


@pytest.fixture
def live(both):
    both[0].control("button", "Reset").click()
    both[0].control("button", "␣is").click()
    return both[0]


def sums(live):
    """[[terms, product, score, weight], ...], a row for each key."""
    said = live.root.locator(".gptlib-sums > *").all_inner_texts()[4:]
    return [
        [" ".join(said[k].split("\n")[1:]), *said[k + 1 : k + 4]] for k in range(0, len(said), 4)
    ]


def weights(q, k, query, masked=True, scaled=True):
    row = attention_in_steps(q, k, masked, scaled).weights[query]
    return [
        "hidden" if masked and key > query else svg.two(weight)
        for key, weight in enumerate(row.tolist())
    ]


def looks(live, *state, **how):
    shows(lambda: [row[-1] for row in sums(live)], weights(*state, **how))


def test_every_control_has_a_name(both):
    numbers = {(kind, name) for name in ("q 1", "q 2", "k 1", "k 2")
               for kind in ("slider", "spinbutton")}  # fmt: skip
    expected = numbers | {("button", name) for name in (*TOKENS, "Reset")}
    expected |= {("checkbox", "mask"), ("checkbox", "scale by 1/√d")}
    assert both[0].controls() == both[1].controls() == expected


def test_the_sums_can_be_followed_with_a_pencil(live):
    # is: q (1, 0). The 0; cat 2, over the root of 2 1.41; is 1, 0.71.
    # e^0 = 1, e^1.414 = 4.113, e^0.707 = 2.028, sum 7.141.
    expected = [
        ["1·0 + 0·1 =", "0.00", "0.00", "0.14"],
        ["1·2 + 0·0 =", "2.00", "1.41", "0.58"],
        ["1·1 + 0·(−1) =", "1.00", "0.71", "0.28"],
    ]
    shows(lambda: sums(live), expected)
    output = live.root.locator(".gptlib-hand [role=status]")  # 0.14 + 0.28, and 0.58 + 0.28
    said = "Output of ␣is, the values mixed: 0.14·(1, 0) + 0.58·(0, 1) + 0.28·(1, 1) = (0.42, 0.86)"
    shows(output.inner_text, said)


def test_each_control_changes_its_own_number_and_nothing_in_the_other(live, both):
    q, k = [list(row) for row in QUERIES], [list(row) for row in KEYS]
    other = both[1].words()
    live.press("slider", "q 1", "ArrowRight", 2)
    q[2][0] = 2.0
    looks(live, q, k, 2)
    live.type("spinbutton", "q 2", "-1")
    q[2][1] = -1.0
    looks(live, q, k, 2)
    live.press("slider", "k 1", "ArrowLeft", 2)
    k[2][0] = 0.0
    looks(live, q, k, 2)
    live.type("spinbutton", "k 2", "-2.5")
    k[2][1] = -2.5
    looks(live, q, k, 2)
    live.press("checkbox", "scale by 1/√d", "Space")
    looks(live, q, k, 2, scaled=False)
    live.root.locator(".gptlib-weight-table").focus()
    live.page.keyboard.press("ArrowUp")
    looks(live, q, k, 1, scaled=False)
    live.press("checkbox", "mask", "Space")
    looks(live, q, k, 1, masked=False, scaled=False)
    live.press("button", "Reset", "Enter")
    looks(live, QUERIES, KEYS, 1)
    assert both[1].words() == other


def test_a_tip_that_is_dragged_goes_in_halves_and_moves_its_slider(live):
    tip = live.root.locator(".gptlib-tip")
    box = tip.nth(1).bounding_box()  # the key of cat, at (2, 0)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    live.page.mouse.move(x, y)
    live.page.mouse.down()
    live.page.mouse.move(x - 34, y - 52, steps=4)  # 35 pixels are one
    live.page.mouse.up()
    k = [KEYS[0], (1.0, 1.5), KEYS[2]]
    looks(live, QUERIES, k, 2)
    live.control("button", "␣cat").click()
    shows(lambda: live.value("spinbutton", "k 1"), "1")
    assert live.value("spinbutton", "k 2") == "1.5"


def test_a_wrong_number_is_said_and_greys_the_picture(live):
    live.reach("spinbutton", "q 1")
    live.page.keyboard.press("ControlOrMeta+a")
    live.page.keyboard.type("9")
    shows(live.message, "⚠ q 1: type a number from -4 to 4")
    assert live.root.locator(".gptlib-stale").count() == 1
    live.reach("spinbutton", "q 2")
    shows(live.message, "")


@in_each_colour
def test_no_serious_violation_of_accessibility_is_found(live, lab, colours):
    assert not grave_in(lab, colours)
    live.control("checkbox", "mask").set_checked(False)
    assert not grave_in(lab, colours)
    live.control("checkbox", "mask").set_checked(True)


def test_the_letters_of_the_plane_follow_the_font_of_the_page(live, lab):
    plane = live.root.locator(".gptlib-plane")

    def sizes():
        """Of the plane, of its letters, and how far the longest name sticks out of its paper."""
        return plane.evaluate("""plane => {
          const wide = node => node.getBoundingClientRect().width;
          const over = [...plane.querySelectorAll("text")].map(
            text => wide(text) - wide(text.previousElementSibling));
          return [wide(plane), parseFloat(getComputedStyle(plane).fontSize), Math.max(...over)];
        }""")

    style = "document.documentElement.style"
    wide, letters, _ = sizes()
    assert (wide, letters) == (300, 16)
    lab.page.evaluate(f"{style}.setProperty('--jp-content-font-size1', '21px')")
    shows(lambda: sizes()[:2], [450, 24])
    assert sizes()[2] <= 0
    lab.page.evaluate(f"{style}.removeProperty('--jp-content-font-size1')")
    shows(lambda: sizes()[:2], [300, 16])


BAD = r"""
bad = '</svg><img src=x onerror=alert(1)>" onload="alert(2)" --><script>alert(3)</script>'
names = [bad, "", "var(--jp-x, red)", "🐱\u200d👩", "\x00\x1b"]
widgets.attention_by_hand([[1, 1]] * 5, [[2, 1]] * 5, names, v=[[0, 1]] * 5)
"""


def test_hostile_tokens_bring_nothing_into_the_page(lab):
    _, (live,) = open_live(lab, "hostile_hand", BAD)
    assert not live.strange()


def test_nothing_was_asked_of_another_machine(both, lab):
    assert not lab.left


# ---- The Python side ----


def test_the_steps_are_those_of_gptlibs_attention():
    q, k = torch.tensor(QUERIES), torch.tensor(KEYS)
    for masked in (True, False):
        for scaled in (True, False):
            scale = None if scaled else 1.0
            _, weights = attention(q, k, k, causal=masked, scale=scale)
            steps = attention_in_steps(q, k, masked, scaled)
            torch.testing.assert_close(steps.weights.float(), weights)


def lines(explorer):
    """token -> [terms, product, score, weight] of the query that is chosen, as it is saved."""
    words = text_of(explorer.draw())
    rows = words[words.index("weight") + 1 :]
    return {token: rows[5 * i + 1 : 5 * i + 5] for i, token in enumerate(explorer.tokens)}


def test_a_query_changes_its_row_and_a_key_its_column():
    hand = attention_by_hand()
    before = hand.steps().scores
    hand.q = [hand.q[0], [3.0, 2.0], hand.q[2]]
    changed = hand.steps().scores != before
    assert changed.tolist() == [[False] * 3, [False, True, True], [False] * 3]  # k of The: (0, 1)
    hand.reset()
    hand.k = [hand.k[0], [2.0, 1.5], hand.k[2]]
    changed = hand.steps().scores != before
    assert changed.tolist() == [[False, True, False], [False, True, False], [False] * 3]


def test_what_is_saved_says_what_is_hidden_until_the_mask_is_off():
    hand = attention_by_hand()
    hand.query = 0
    assert [line[-1] for line in lines(hand).values()] == ["1.00", "hidden", "hidden"]
    assert lines(hand)["␣cat"][2] == "−∞"
    hand.masked = False
    assert "hidden" not in text_of(hand.draw())
    hand.query, hand.masked, hand.scaled = 2, True, False
    assert lines(hand)["␣cat"] == ["1·2 + 0·0 =", "2.00", "2.00", "0.67"]  # 7.389 / 11.107
    assert math.isclose(hand.steps().weights[2, 1], 7.389 / 11.107, rel_tol=1e-3)


def test_it_falls_back_to_a_picture_with_words_and_is_saved(tmp_path):
    hand = attention_by_hand()
    said = "Attention by hand: “␣is” looks at “␣cat” 0.58, at “␣is” 0.28, at “The” 0.14."
    assert image_of(hand.fallback()["text/html"])[0] == hand.fallback()["text/plain"] == said
    assert hand.fallback() == attention_by_hand().fallback()
    hand.save(tmp_path / "hand.svg")
    assert "var(--" not in (tmp_path / "hand.svg").read_text(encoding="utf-8")


def test_the_lessons_values_go_with_the_lessons_queries_and_keys_alone():
    assert attention_by_hand().settings["v"] == [list(vector) for vector in VALUES]
    own = [[1, 1]], [[0, 2]], ["a"]
    assert attention_by_hand(*own).settings["v"] is None
    assert attention_by_hand(*own, v=[[3, 4]]).settings["v"] == [[3.0, 4.0]]


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
        (([[0, 0]], [[0, 0]], ["a"], [[1]]), "two numbers"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_words(arguments, words):
    with pytest.raises(ValueError, match=words):
        attention_by_hand(*arguments)


def test_the_tokens_of_the_lesson_are_those_of_the_pets(pets):
    _, tokenizer = pets
    assert tuple(map(tokenizer.token_str, tokenizer.encode("The cat is"))) == TOKENS
    assert svg.two(0.576) == "0.58"
