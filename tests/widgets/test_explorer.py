"""gptlib.widgets.explorer: what holds for every explorer's Python side, shown on a small one."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from explorers import EXPLORERS, image_of

from gptlib import widgets
from gptlib.widgets import svg
from gptlib.widgets.explorer import Explorer


class Doubler(Explorer):
    """Shows twice a number, and says it when it is asked."""

    SCRIPT = "set_up_check"

    def __init__(self):
        self.sent = []
        super().__init__()

    def send(self, content, buffers=None):
        self.sent.append((content, buffers))

    def answer_double(self, number):
        if number == 13:
            raise ValueError("13 brings <b>bad</b> luck")
        return {"twice": 2 * number, "raw": b"\1\2"}

    def answer_break(self):
        raise KeyError("broken")

    def draw(self):
        return svg.document(svg.text(0, 20, "twice is 2"), 100, 30, "twice is 2")

    def describe(self):
        return "2 is twice \ud800"


@pytest.fixture
def doubler():
    return Doubler()


def test_a_question_of_the_page_is_answered_under_its_id_with_bytes_as_buffers(doubler):
    doubler._hear(None, {"id": "a-1", "ask": "double", "number": 4}, [])
    assert doubler.sent == [({"id": "a-1", "twice": 8}, [b"\1\2"])]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"ask": "double", "number": 13}, "13 brings <b>bad</b> luck"),
        ({"ask": "break"}, "KeyError: 'broken'"),
        ({"ask": "double"}, "TypeError: "),
        ({"ask": "odd"}, "AttributeError: "),
        ({}, "AttributeError: "),
    ],
)
def test_what_goes_wrong_is_sent_to_the_page_in_words(doubler, message, said):
    doubler._hear(None, {"id": "a-1", **message}, [])
    ((answer, _),) = doubler.sent
    assert answer["id"] == "a-1" and answer["error"].startswith(said)


def test_an_error_that_cannot_say_anything_is_named(doubler):
    class SpeechlessError(ValueError):
        def __str__(self):
            raise RuntimeError("no words")

    def fail():
        raise SpeechlessError

    doubler.answer_double = fail
    doubler._hear(None, {"id": "a-1", "ask": "double"}, [])
    assert "SpeechlessError" in doubler.sent[0][0]["error"]


def test_the_fallback_has_picture_and_words_and_is_the_same_each_time(doubler):
    first, second = doubler.fallback(), Doubler().fallback()
    assert first == second
    assert first["text/plain"] == "2 is twice \ufffd"
    alt, picture = image_of(first["text/html"])
    assert alt == "2 is twice \ufffd"
    assert [e.text for e in picture.iter() if e.tag.endswith("}text")] == ["twice is 2"]


@pytest.mark.parametrize("name", ["logit_lens", "tokenizer_explorer"])
def test_a_page_that_is_not_trusted_is_given_an_image_and_no_words_to_be_left_behind(name, pets):
    made = getattr(widgets, name)(*(pets[1:] if name == "tokenizer_explorer" else pets))
    alt, picture = image_of(made.fallback()["text/html"])
    assert alt == made.fallback()["text/plain"]
    assert len(list(picture.iter())) > 10
    assert "prefers-color-scheme: dark" in picture[0].text


def test_the_fallback_of_a_picture_that_cannot_be_drawn_says_why():
    class Broken(Doubler):
        def describe(self):
            raise ValueError("no <words>")

    bundle, _ = Broken()._repr_mimebundle_()
    assert bundle["text/plain"] == "Broken: no <words>"
    assert bundle["text/html"] == "<p>Broken: no &lt;words&gt;</p>"


def test_a_notebook_is_given_the_live_widget_first_and_the_fallback_beside_it(doubler):
    bundle, _ = doubler._repr_mimebundle_()
    assert set(bundle) == {
        "application/vnd.jupyter.widget-view+json",
        "text/plain",
        "text/html",
    }


def test_an_svg_is_saved_as_a_file_that_can_be_opened_alone(doubler, tmp_path):
    doubler.save(tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert ET.fromstring(text)[0].text == "twice is 2"
    assert "var(" not in text


def test_a_page_is_saved_whole(doubler, tmp_path):
    doubler.save(str(tmp_path / "a.html"))
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>") and "twice is 2" in text and "var(" not in text


@pytest.mark.parametrize("name", ["a.png", "a", "svg"])
def test_any_other_ending_is_refused(doubler, tmp_path, name):
    with pytest.raises(ValueError, match=r"must end in \.svg or \.html"):
        doubler.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


STRANGE = re.compile(r"assert not \w+(\[0\])?\.strange\(\)")


@pytest.mark.parametrize("name", EXPLORERS)
def test_strange_elements_are_looked_for_in_the_page_of_each_explorer(name):
    """Which hostile words an explorer is given is up to its own tests."""
    made = {"question": "QuestionBox(", "comparison": "Comparison("}.get(name, f"{name}(")
    texts = [path.read_text("utf-8") for path in Path(__file__).parents[1].rglob("test_*.py")]
    assert any(made in text and STRANGE.search(text) for text in texts)
