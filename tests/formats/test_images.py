"""gptlib.formats.images: an address holds its data, and a style names the class and both themes.

How a page takes them is tried in a browser: tests/plots/test_page.py.
"""

import base64
import re

from gptlib.formats.images import FONT, LEAST, LETTERS, as_page, data_url, wide


def test_an_address_holds_all_of_its_data():
    data = bytes(range(256))
    kind, _, coded = data_url("image/svg+xml", data).removeprefix("data:").partition(";base64,")
    assert kind == "image/svg+xml" and base64.b64decode(coded, validate=True) == data


def test_a_style_gives_the_images_of_one_class_the_light_or_the_dark_of_their_page():
    rules = re.findall(
        r'\[data-jp-theme-light="(\w+)"\] \.one \{ color-scheme: (\w+) \}', as_page("one")
    )
    assert rules == [("true", "light"), ("false", "dark")]


def test_a_width_is_in_letters_of_the_page_and_its_least_leaves_the_smallest_that_can_be_read():
    letters, least = map(float, re.findall(r"width: ([\d.]+)em", wide(560)))
    assert letters * FONT == 560 and least * FONT * LETTERS / 560 == LEAST
