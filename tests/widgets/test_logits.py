"""gptlib.widgets.softmax_explorer: three columns in a page, as gptlib computes them."""

import math

import pytest
import torch
from explorers import HOSTILE, elements, image_of, shown, text_of
from hypothesis import given, settings
from hypothesis import strategies as st
from live import grave_in, in_each_colour, open_live, shows

import gptlib
from gptlib.widgets import softmax_explorer, svg
from gptlib.widgets.logits import CAT, softmax_columns, softmax_svg

FIRST = "The logits: any numbers at all. They are not probabilities yet."


def said(logits=CAT, c=0.0, temperature=1.0):
    """The three numbers of each row, as they are printed."""
    z = (torch.tensor([*logits.values()], dtype=torch.float64) + c) / temperature
    rows = zip(z.tolist(), z.exp().tolist(), gptlib.softmax(z).tolist(), strict=True)
    return [[svg.two(z), f"{power:.3g}", svg.chance(p)] for z, power, p in rows]


# ---- The page ----


@pytest.fixture(scope="module")
def both(lab):
    """Two explorers of one notebook, which pick up where the test before left them."""
    code = "one = widgets.softmax_explorer()\ndisplay(one, widgets.softmax_explorer())"
    _, found = open_live(lab, "softmax", code, count=2)
    return found


@pytest.fixture
def explorer(both):
    both[0].press("button", "Reset", "Enter")
    return both[0]


def columns(explorer, names=CAT):
    return [explorer.row(name, 3) for name in names]


def test_every_control_has_a_name(both):
    names = (*CAT, "+ c", "temperature")
    expected = {(role, name) for name in names for role in ("slider", "spinbutton")}
    expected |= {("button", name) for name in ("Add 1 to all", "Reset", "Show the steps")}
    assert both[0].controls() == both[1].controls() == expected


def test_each_row_has_the_logit_its_power_and_its_share(explorer):
    shows(lambda: columns(explorer), said())
    assert explorer.label("[role=img]") == "sleeping: logit 2.00, e to that 7.39, probability 0.60"
    assert {"sum 12.3", "sum 1"} <= set(explorer.words())


def test_every_control_moves_its_own_numbers_and_leaves_the_other_explorer_alone(explorer, both):
    other, logits = both[1].words(), dict(CAT)
    for name in CAT:
        explorer.press("slider", name, "ArrowRight", 3)
        logits[name] += 0.3
        shows(lambda: columns(explorer), said(logits))
        explorer.type("spinbutton", name, "1.5")
        logits[name] = 1.5
        shows(lambda: columns(explorer), said(logits))
    explorer.press("slider", "+ c", "ArrowLeft", 2)
    shows(lambda: columns(explorer), said(logits, -1.0))
    explorer.type("spinbutton", "temperature", "0.7")
    shows(lambda: columns(explorer), said(logits, -1.0, 0.7))
    assert "(logit − 1) / 0.7" in explorer.words()
    explorer.press("button", "Reset", "Enter")
    shows(lambda: columns(explorer), said())
    assert both[1].words() == other


def test_adding_1_to_all_changes_no_share_and_says_by_what_each_power_was_multiplied(explorer):
    explorer.press("button", "Add 1 to all", "Enter", 3)
    shows(lambda: columns(explorer), said(c=3.0))
    assert [row[2] for row in columns(explorer)] == ["0.60", "0.30", "0.05", "0.05"]
    words = " ".join(explorer.words())
    assert "logit + 3" in words and "Each exp is 20.1 times what it was" in words


def test_c_ends_at_10_and_the_button_says_so(explorer):
    explorer.type("spinbutton", "+ c", "9.5")
    shows(lambda: "11.50" in explorer.words(), True)  # a frame later: that clears messages
    explorer.press("button", "Add 1 to all", "Enter")
    shows(explorer.message, "c is 10 at most: press Reset.")
    assert explorer.value("spinbutton", "+ c") == "9.5"


def test_the_steps_are_shown_one_after_the_other_each_with_its_sentence(explorer):
    explorer.press("button", "Show the steps", "Enter")
    shows(lambda: FIRST in explorer.words(), True)
    assert "0.60" not in explorer.words() and "7.39" not in explorer.words()
    shows(lambda: "7.39" in explorer.words(), True)
    assert "0.60" not in explorer.words()
    shows(lambda: "sum 12.3" in explorer.words(), True)
    shows(lambda: columns(explorer), said())
    assert "add up to 1" in " ".join(explorer.words())
    shows(lambda: explorer.control("button", "Show the steps").count(), 1)


def test_a_slider_that_moves_while_the_steps_are_shown_ends_them(explorer):
    explorer.press("button", "Show the steps", "Enter")
    shows(lambda: FIRST in explorer.words(), True)
    explorer.type("spinbutton", "on", "2")
    shows(lambda: columns(explorer), said(CAT | {"on": 2.0}))
    assert explorer.control("button", "Show the steps").count() == 1


def test_a_number_out_of_range_greys_the_picture_and_says_why(explorer):
    explorer.reach("spinbutton", "temperature")
    explorer.page.keyboard.press("ControlOrMeta+a")
    explorer.page.keyboard.type("9")
    shows(explorer.message, "⚠ temperature: type a number from 0.1 to 5")
    assert explorer.root.locator(".gptlib-stale").count() == 1
    explorer.type("spinbutton", "temperature", "2")
    shows(explorer.root.locator(".gptlib-stale").count, 0)
    shows(lambda: columns(explorer), said(temperature=2.0))


@in_each_colour
def test_no_serious_violation_of_accessibility_is_found(explorer, lab, colours):
    assert not grave_in(lab, colours)
    explorer.control("button", "Add 1 to all").click()
    assert not grave_in(lab, colours)


def test_what_code_sets_is_shown_and_what_the_page_sets_is_read(lab):
    code = "one = widgets.softmax_explorer({'a': 0, 'b': 0}, temperature=False)\none"
    notebook, (explorer,) = open_live(lab, "code", code)
    assert ("slider", "temperature") not in explorer.controls()
    kernel = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
    run = f"code => {kernel}.requestExecute({{code}}).done.then(() => null)"
    lab.page.evaluate(run, "one.values = [0.0, 2.0]")
    shows(lambda: columns(explorer, "ab"), said({"a": 0.0, "b": 2.0}))
    explorer.type("spinbutton", "a", "2")
    explorer.page.keyboard.press("Tab")  # left, so that it stands: Python is told
    lab.page.evaluate(run, "one.c = one.logits['a']")
    shows(lambda: columns(explorer, "ab"), said({"a": 2.0, "b": 2.0}, c=2.0))


def test_the_explorer_goes_on_when_the_kernel_has_gone(lab):
    _, (explorer,) = open_live(lab, "alone", "widgets.softmax_explorer()")
    session = "window.jupyterapp.shell.currentWidget.sessionContext.session"
    lab.page.evaluate(f"{session}.kernel.restart()")
    explorer.press("button", "Add 1 to all", "Enter")
    shows(lambda: columns(explorer), said(c=1.0))
    explorer.type("spinbutton", "on", "0")
    shows(lambda: columns(explorer), said(CAT | {"on": 0.0}, c=1.0))


BAD = """</svg><img src=x onerror=alert(1)>" onload="alert(2)" --><script>alert(3)</script>"""


def test_hostile_names_bring_nothing_into_the_page(lab):
    code = f"widgets.softmax_explorer({{{BAD!r}: 1.0, '\\ud800': 0.0, '7': 0.0, '3': 2.0}})"
    _, (explorer,) = open_live(lab, "hostile", code)
    assert not explorer.strange()
    names = [BAD, "\ufffd", "7", "3"]  # in the order that was given
    shows(lambda: columns(explorer, names), said(dict(zip(names, (1.0, 0.0, 0.0, 2.0)))))


def test_nothing_was_asked_of_another_machine(both, lab):
    assert not lab.left


# ---- The Python side ----


def test_the_default_gives_the_probabilities_of_the_course():
    rows = shown(softmax_explorer().draw(), CAT)
    assert list(rows.values()) == said()
    assert [row[2] for row in rows.values()] == ["0.60", "0.30", "0.05", "0.05"]


@settings(deadline=None)
@given(
    st.lists(st.floats(-50, 50), min_size=1, max_size=8),
    st.floats(-10, 10),
    st.floats(0.1, 5),
)
def test_c_never_changes_a_probability_and_they_sum_to_one(logits, c, temperature):
    named = {str(place): logit for place, logit in enumerate(logits)}
    plain = [share for *_, share in softmax_columns(named, 0.0, temperature).values()]
    moved = [share for *_, share in softmax_columns(named, c, temperature).values()]
    assert plain == pytest.approx(moved, abs=1e-9) and sum(plain) == pytest.approx(1)


def test_the_ends_of_the_sliders_are_drawn_without_overflow():
    explorer = softmax_explorer({"a": 90.0, "b": -90.0})
    explorer.c, explorer.temperature = 10.0, 0.1
    elements(explorer.draw())
    assert shown(explorer.draw(), "ab")["a"][2] == "1.00"


@pytest.mark.parametrize("count", [0, 9])
def test_a_handful_of_logits_is_asked_for(count):
    with pytest.raises(ValueError, match="1 to 8 logits"):
        softmax_explorer({str(k): 0.0 for k in range(count)})


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_logit_that_is_no_finite_number_is_named(wrong):
    with pytest.raises(ValueError, match="the logit of 'a' is"):
        softmax_explorer({"a": wrong})


def test_the_fallback_is_one_image_with_the_same_words_each_time(tmp_path):
    explorer = softmax_explorer()
    assert explorer.fallback() == softmax_explorer().fallback()
    alt, picture = image_of(explorer.fallback()["text/html"])
    assert "sleeping: logit 2.00, e to that 7.39, probability 0.60" in alt
    assert len(list(picture.iter())) > 10
    explorer.save(tmp_path / "a.svg")
    explorer.save(tmp_path / "a.html")


def test_the_fallback_says_what_was_set():
    explorer = softmax_explorer()
    explorer.c = 3.0
    assert "logit + 3" in text_of(explorer.draw()) and "20.1 times" in explorer.draw()


@settings(max_examples=40, deadline=None)
@given(st.lists(HOSTILE, min_size=1, max_size=8, unique=True))
def test_hostile_names_of_logits_add_nothing(names):
    picture = softmax_svg(dict.fromkeys(names, 1.0))
    tame = softmax_svg({str(k): 1.0 for k in range(len(names))})
    assert [tag for tag, _ in elements(picture)] == [tag for tag, _ in elements(tame)]
    softmax_explorer(dict.fromkeys(names, 1.0)).fallback()["text/plain"].encode()
