"""gptlib.widgets.base: what holds for every explorer, shown on one that is a slider and a line.

`HOSTILE` and `elements` serve the tests of the other explorers too.
"""

import re
import threading
import xml.etree.ElementTree as ET

import ipywidgets
import pytest
from explorers import TAGS, check_names, elements, image_of, text_of

import gptlib
from gptlib import widgets
from gptlib.widgets import svg
from gptlib.widgets.base import Explorer, capped, number, token_name

TAGS |= set("div p span table caption thead tbody tr th td".split())


class Doubler(Explorer):
    """Shows twice the number; cannot double 13, and its button breaks."""

    def __init__(self):
        row, self.number = number("number", 1, 0, 20)
        self.jump = self.button("Jump", self.to_thirteen)
        self.fail = self.button("Fail", self.break_down)
        super().__init__([row, self.jump, self.fail], [self.number])

    def to_thirteen(self):
        self.number.value = 13

    def break_down(self):
        raise KeyError("<img src=x onerror=alert(1)>")

    def draw(self):
        if self.number.value == 13:
            raise ValueError("13 brings <b>bad</b> luck")
        said = f"twice is {2 * self.number.value}"
        return svg.document(svg.text(0, 20, said), 100, 30, said)

    def describe(self):
        return f"{2 * self.number.value} is twice \ud800"


@pytest.fixture
def doubler():
    return Doubler()


def test_a_change_of_a_control_redraws_the_picture(doubler):
    doubler.number.value = 4
    assert text_of(doubler.picture.value) == ["twice is 8"]


def test_two_of_the_same_do_not_interfere(doubler):
    other = Doubler()
    other.number.value = 9
    assert text_of(doubler.picture.value) == ["twice is 2"]
    assert text_of(other.picture.value) == ["twice is 18"]


def test_a_picture_of_an_earlier_moment_does_not_come_last(doubler):
    draw, begun, moved = doubler.draw, threading.Event(), threading.Event()

    def slow_at_two():
        picture = draw()
        if doubler.number.value == 2:
            begun.set()
            moved.wait(0.2)  # the other thread's picture would be there by then
        return picture

    def move_to_three():
        doubler.number.value = 3
        moved.set()

    doubler.draw = slow_at_two
    first = threading.Thread(target=setattr, args=(doubler.number, "value", 2))
    second = threading.Thread(target=move_to_three)
    first.start()
    begun.wait(5)
    second.start()
    first.join()
    second.join()
    assert text_of(doubler.picture.value) == ["twice is 6"]


def test_an_error_of_a_drawing_is_shown_escaped_and_the_last_picture_stays(doubler):
    doubler.number.value = 5
    doubler.number.value = 13
    assert "".join(text_of(doubler.message.value)) == "⚠ 13 brings <b>bad</b> luck"
    assert dict(elements(doubler.message.value))["div"]["role"] == "alert"
    assert text_of(doubler.picture.value) == ["twice is 10"]


def test_an_error_goes_when_the_next_drawing_succeeds(doubler):
    doubler.number.value = 13
    doubler.number.value = 3
    assert doubler.message.value == ""


def test_an_error_of_a_button_is_shown_with_its_kind(doubler):
    doubler.fail.click()
    said = "".join(text_of(doubler.message.value))
    assert said == "⚠ KeyError: '<img src=x onerror=alert(1)>'"
    elements(doubler.message.value)


def test_an_error_that_a_button_brings_about_in_the_drawing_is_not_wiped_away(doubler):
    doubler.jump.click()
    assert "bad" in doubler.message.value
    doubler.jump.click()  # nothing changes: the button itself succeeds
    doubler.number.value = 2
    assert doubler.message.value == ""


def test_an_error_without_words_is_called_by_its_name(doubler):
    doubler.guard(lambda: (_ for _ in ()).throw(ValueError()))
    assert "ValueError" in doubler.message.value


def test_an_interrupted_action_leaves_the_explorer_able_to_speak(doubler):
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        doubler.guard(interrupt)
    doubler.fail.click()
    assert "KeyError" in doubler.message.value


def test_the_message_keeps_its_place_so_that_nothing_jumps(doubler):
    assert doubler.message.layout.min_height


def test_every_control_has_a_name_and_no_hint_says_null(doubler):
    check_names(doubler)


def test_nothing_in_the_page_has_an_id(doubler):
    for child in doubler.children:
        if isinstance(child, ipywidgets.HTML):
            assert not re.search(r"""\sid\s*=""", child.value)


def test_the_style_names_the_handles_of_sliders_and_brings_nothing_from_elsewhere(doubler):
    style = doubler.children[0].value
    assert style.startswith("<style onload=") and "aria-label" in style
    # The name of SVG's namespace is no address, and a data: picture is in the page already.
    rest = style.replace("http://www.w3.org/2000/svg", "").replace('url("data:image/svg+xml,', "")
    assert "http" not in rest and "url(" not in rest and "@import" not in rest


def test_the_fallback_has_picture_and_words_and_is_the_same_each_time(doubler):
    first, second = doubler.fallback(), Doubler().fallback()
    assert first == second
    assert first["text/plain"] == "2 is twice \ufffd"
    alt, picture = image_of(first["text/html"])
    assert alt == "2 is twice \ufffd"
    assert [e.text for e in picture.iter() if e.tag.endswith("}text")] == ["twice is 2"]


@pytest.mark.parametrize("name", ["logit_lens", "tokenizer_explorer"])
def test_a_page_that_is_not_trusted_is_given_an_image_and_no_words_to_be_left_behind(name, pets):
    model, tokenizer = pets
    made = getattr(widgets, name)(*([tokenizer] if name == "tokenizer_explorer" else pets))
    alt, picture = image_of(made.fallback()["text/html"])
    assert alt == made.fallback()["text/plain"]
    assert len(list(picture.iter())) > 10
    assert "prefers-color-scheme: dark" in picture[0].text


def test_the_fallback_of_a_picture_that_cannot_be_drawn_says_why(doubler):
    class Broken(Doubler):
        def describe(self):
            raise ValueError("no <words>")

    bundle = Broken()._repr_mimebundle_()
    assert bundle["text/plain"] == "Broken: no <words>"
    assert image_of(bundle["text/html"])[0] == "Broken: no <words>"


def test_a_notebook_is_given_the_live_widget_first_and_the_fallback_beside_it(doubler):
    bundle = doubler._repr_mimebundle_()
    assert set(bundle) == {
        "application/vnd.jupyter.widget-view+json",
        "text/plain",
        "text/html",
    }


def test_an_svg_is_saved_as_a_file_that_stands_alone(doubler, tmp_path):
    doubler.save(tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert ET.fromstring(text)[0].text == "twice is 2"
    assert "var(" not in text


def test_a_page_is_saved_whole(doubler, tmp_path):
    doubler.save(str(tmp_path / "a.html"))
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>") and "twice is 2" in text and "var(" not in text


@pytest.mark.parametrize("name", ["a.png", "a", "svg"])
def test_another_ending_is_refused(doubler, tmp_path, name):
    with pytest.raises(ValueError, match=r"must end in \.svg or \.html"):
        doubler.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_picture_that_is_not_one_svg_is_saved_as_a_page_only(doubler, tmp_path):
    doubler.draw = lambda: "<div>x</div>"
    with pytest.raises(ValueError, match="save it as .html"):
        doubler.save(tmp_path / "a.svg")
    doubler.save(tmp_path / "a.html")


def test_a_slider_and_its_box_are_always_equal():
    row, box = number("n", 1, 0, 5)
    slider = row.children[0]
    slider.value = 3
    assert box.value == 3
    box.value = 4
    assert slider.value == 4
    box.max = 9
    assert slider.max == 9


def test_a_box_takes_off_the_noise_of_a_slider_and_does_not_send_it_back():
    row, box = number("n", 1.0, -5.0, 5.0, 0.1)
    row.children[0].value = 1.2999999999999998
    assert box.value == 1.3 and row.children[0].value == 1.2999999999999998


def test_numbers_are_whole_where_value_and_step_are():
    assert isinstance(number("n", 1, 0, 5)[1].value, int)
    assert isinstance(number("n", 1, 0, 5, 0.5)[1].value, float)


def test_slider_and_box_have_the_same_name():
    row, _ = number("temperature", 1.0, 0.0, 3.0, 0.1)
    assert {child.description for child in row.children} == {"temperature"}


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


def test_an_error_that_cannot_say_anything_is_named():
    class SpeechlessError(ValueError):
        def __str__(self):
            raise RuntimeError("no words")

    def fail():
        raise SpeechlessError

    doubler = Doubler()
    doubler.guard(fail)
    assert "SpeechlessError" in doubler.message.value
