"""gptlib.widgets.svg: pictures hold what they are given, escaped, and read in both themes."""

import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from explorers import EXPLORERS, JUPYTERLAB, NEEDED, WITHOUT_DRAWING, image_of, over
from hypothesis import given, settings
from hypothesis import strategies as st

import gptlib
from gptlib import widgets
from gptlib.corpora import pets as grammar
from gptlib.plots.style import contrast
from gptlib.widgets import svg

ANY_TEXT = st.text(st.characters(), max_size=12)  # lone surrogates and control characters too


def colour_of(constant, theme, opacity=1.0):
    """What a colour of `svg` is in a theme, laid on the paper."""
    paper = JUPYTERLAB[theme]["--jp-layout-color0"][:3]
    if constant.startswith("#"):
        values = (*bytes.fromhex(constant[1:]), 1)
    else:
        values = JUPYTERLAB[theme][re.search(r"--[\w-]+", constant)[0]]
    return over((*values[:3], values[3] * opacity), paper)


def words_of(picture):
    """The texts of a picture, in order."""
    return [
        element.text for element in ET.fromstring(picture).iter() if element.tag.endswith("}text")
    ]


@pytest.mark.parametrize("theme", JUPYTERLAB)
def test_words_reach_a_contrast_of_four_and_a_half_and_marks_of_three(theme):
    paper = colour_of(svg.PAPER, theme)
    for ink in (svg.INK, svg.FAINT):
        assert contrast(colour_of(ink, theme), paper) >= 4.5
    for mark in (svg.BLUE, svg.ORANGE, svg.SERIES[2], svg.ALARM):
        assert contrast(colour_of(mark, theme), paper) >= 3


@pytest.mark.parametrize("theme", JUPYTERLAB)
@pytest.mark.parametrize("opacity", [0.1, 0.16, 0.25, 0.3])
def test_words_read_on_the_tints_that_the_widgets_lay_below_them(theme, opacity):
    tint = tuple(255 * share for share in colour_of(svg.BLUE, theme, opacity))
    ink = over(JUPYTERLAB[theme]["--jp-content-font-color1"], tint)
    assert contrast(ink, tuple(share / 255 for share in tint)) >= 4.5


def test_the_fallback_colours_read_on_the_fallback_paper():
    value = {name: re.search(r"#\w+", getattr(svg, name))[0] for name in ("PAPER", "INK", "FAINT")}
    assert contrast(value["INK"], value["PAPER"]) >= 4.5
    assert contrast(value["FAINT"], value["PAPER"]) >= 4.5


@settings(deadline=None)
@given(ANY_TEXT)
def test_escaped_text_says_the_same_and_ends_no_tag_or_attribute(words):
    picture = svg.document(svg.text(0, 0, words), 10, 10, words)
    root = ET.fromstring(picture)
    assert [element.tag.partition("}")[2] for element in root.iter()] == ["svg", "text"]
    readable = svg.writable(words)
    assert "".join(root[0].itertext()).split() == readable.split()
    assert root.get("aria-label").split() == readable.split()


def test_what_no_document_can_hold_becomes_the_replacement_sign():
    assert svg.escape("a\x00b\ud800c\x85") == "a\ufffdb\ufffdc\ufffd"


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_two_digits_do_not_depend_on_the_last_bit_of_a_tie(number):
    near = math.nextafter(number, math.inf)
    ties = abs(number) < 1e6 and abs(number * 100 - round(number * 100)) == 0.5
    if ties:
        assert svg.two(number) == svg.two(near)
    assert svg.two(number) != "−0.00"


def test_two_says_what_is_no_number():
    assert [svg.two(x) for x in (math.nan, math.inf, -math.inf)] == ["NaN", "∞", "−∞"]


@settings(deadline=None)
@given(st.floats(0, 1))
def test_a_bar_is_as_long_as_the_number_beside_it(p):
    shown = svg.chance(p)
    assert svg.rounded(p) == (0 if shown in ("0", "<0.01") else float(shown))


def test_a_clipped_text_fits_and_a_short_one_stays():
    assert svg.clip("short", 200) == "short"
    for code in (False, True):
        cut = svg.clip("猫" * 40, 100, code=code)
        assert cut.endswith("…") and svg.text_width(cut, code=code) <= 110


@settings(deadline=None)
@given(
    st.text("im猫W ", max_size=60) | st.text(max_size=30),
    st.floats(-20, 300),
    st.floats(8, 20),
    st.booleans(),
)
def test_a_clipped_text_is_as_long_as_it_can_be(words, width, size, code):
    kept = words
    if svg.text_width(words, size, code) > width:
        while kept and svg.text_width(kept, size, code) + size > width:
            kept = kept[:-1]
        kept += "…"
    assert svg.clip(words, width, size, code) == kept


@pytest.mark.parametrize("letters", [10_000, 10_000_000])
def test_of_a_long_text_only_as_much_is_looked_at_as_may_fit(letters, monkeypatch):
    measured = []
    width = svg.text_width
    monkeypatch.setattr(svg, "text_width", lambda w, *more: measured.append(len(w)) or width(w))
    assert svg.clip("i" * letters, 100) == "i" * 17 + "…"
    assert sum(measured) < 400


@settings(deadline=None)
@given(st.lists(st.floats(0, 100), max_size=5))
def test_names_that_are_spread_keep_their_order_and_their_distance(places):
    spread = svg.spread(places, gap=18, low=0, high=100)
    order = sorted(range(len(places)), key=lambda i: places[i])
    gaps = [spread[b] - spread[a] for a, b in zip(order, order[1:], strict=False)]
    assert all(gap >= 18 - 1e-9 for gap in gaps)
    assert all(place <= 100 for place in spread)


def test_a_line_chart_says_where_each_curve_and_level_ends():
    picture = svg.line_chart(
        {"loss": [(0, 6.0), (10, 1.25)], "held-out": [(10, 1.3)], "nothing": []},
        {"ln V": 5.999},
        x_max=10,
        label="a picture",
    )
    words = words_of(picture)
    assert {"loss 1.25", "held-out 1.30", "ln V 6.00"} <= set(words)
    assert not any("nothing" in word for word in words)


def test_a_line_chart_leaves_out_what_is_not_finite():
    picture = svg.line_chart(
        {"loss": [(0, math.inf), (5, math.nan), (10, 2.0)]}, x_max=10, label=""
    )
    assert "nan" not in picture and "inf" not in picture
    assert "loss 2.00" in words_of(picture)


def test_a_standalone_picture_has_no_variables_but_keeps_a_token_that_looks_like_one():
    token = "var(--jp-x, y)"
    picture = svg.document(svg.text(0, 0, token), 10, 10, token)
    alone = svg.standalone(picture)
    root = ET.fromstring(alone)
    assert alone.count("var(") == 2
    assert root[0].text == token and root.get("aria-label") == token
    assert root[0].get("fill") == "#1f1f1f"


def test_a_page_is_whole_and_its_title_is_escaped():
    whole = svg.page(svg.document("", 10, 10, "x"), title="<b>&")
    assert whole.startswith("<!doctype html>") and whole.endswith("</html>\n")
    assert "<title>&lt;b&gt;&amp;</title>" in whole and "var(" not in whole


# ---- Dark pages that are not JupyterLab's ----

VARIABLE = re.compile(r"var\((--jp-[\w-]+)(?:,\s*([^()]*))?\)")


def colours_of(text):
    """{(variable, its value where nobody gives it one)}, without those of fonts."""
    assert all(value for _, value in VARIABLE.findall(text)), "a variable with no value of ours"
    return {(name, value) for name, value in VARIABLE.findall(text) if "font-family" not in name}


def test_a_dark_page_has_a_value_for_each_colour_that_a_drawing_may_have():
    sources = (path.read_text("utf-8") for path in Path(widgets.__file__).parent.glob("*.py"))
    found = set().union(*(colours_of(text) for text in sources))
    assert {name for name, _ in found} == set(svg.DARK)
    assert len({name for name, _ in found}) == len(found), "one light value for each"
    for value in (*svg.DARK.values(), *(value for _, value in found)):
        assert re.fullmatch(r"#[0-9a-f]{6}", value)


@pytest.mark.parametrize("name", sorted(EXPLORERS.keys() - WITHOUT_DRAWING))
def test_each_explorers_drawing_has_all_its_colours_on_a_dark_page(name, pets):
    model, tokenizer = pets
    names = {"gptlib": gptlib, "widgets": widgets, "grammar": grammar}
    names |= {"model": model, "tokenizer": tokenizer}
    exec(NEEDED, names)
    alt, drawing = image_of(eval(EXPLORERS[name], names).fallback()["text/html"])
    used = colours_of(ET.tostring(drawing, encoding="unicode"))
    assert alt and used and {variable for variable, _ in used} <= set(svg.DARK)


def test_what_is_written_reads_on_a_dark_page_and_marks_are_seen():
    def dark(constant):
        return svg.DARK[VARIABLE.search(constant)[1]]

    for ink in (svg.INK, svg.FAINT, svg.STRONG):
        assert contrast(dark(ink), dark(svg.PAPER)) >= 4.5
    for mark in (svg.BLUE, svg.ORANGE, svg.ALARM, svg.HEAT):
        assert contrast(dark(mark), dark(svg.PAPER)) >= 3
    assert contrast(dark(svg.ON_HEAT), dark(svg.HEAT)) >= 4.5
