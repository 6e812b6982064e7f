"""What the tests of explorers share: hostile words, and how a picture is read."""

import base64
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

from hypothesis import strategies as st

# Each explorer as a lesson might open it, and the cell that they need, after live.BEGIN.
EXPLORERS = {
    "machine": "widgets.machine(model, tokenizer)",
    "sampling_studio": "widgets.sampling_studio(model, tokenizer, truth=grammar.next_words)",
    "attention_explorer": "widgets.attention_explorer(model, tokenizer, LONG, exchange=[11, 17])",
    "attention_by_hand": "widgets.attention_by_hand()",
    "tokenizer_explorer": "widgets.tokenizer_explorer(tokenizer, beside=gptlib.Tokenizer.gpt2())",
    "embedding_explorer": "widgets.embedding_explorer({0: early, 5000: model}, tokenizer)",
    "block_explorer": "widgets.block_explorer(model, tokenizer, truth=grammar.next_words)",
    "softmax_explorer": "widgets.softmax_explorer()",
    "logit_lens": "widgets.logit_lens(model, tokenizer, 'The cat is sleeping on the')",
    "training_explorer": "widgets.training_explorer('pets', truth=grammar.next_words)",
    "size_explorer": "widgets.size_explorer('pets')",
    "set_up_check": "widgets.set_up_check()",
    "question": "lesson.ask('exit')",
    "comparison": "lesson.compare('swap')",
}
WITHOUT_DRAWING = {"question", "comparison"}
LONG = "Mia has a red ball. Tom has a big blue ball. Eve has a green ball. The ball of Tom is"
NEEDED = f"""
from gptlib.teaching import Lesson
lesson, early, LONG = Lesson("attention"), gptlib.load("pets", step=0)[0], {LONG!r}
"""

# What a token might say to break out of its place: markup, quotes, what XML cannot hold, text
# that runs the other way, half of an emoji.
HOSTILE = st.one_of(
    st.sampled_from(
        [
            "</svg><img src=x onerror=alert(1)>",
            "</text></title><script>alert(1)</script>",
            '" onload="alert(1)" x=\'',
            "--><![CDATA[<b>]]>&lt;&#60;",
            "\x00\x1b\x7f\x85\ufffe",
            "\ud83d",
            "\udc31 lone",
            "\u202eתואלש\u2066",
            "🐱\u200d👩",
            "var(--jp-x, red)",
            "",
        ]
    ),
    st.text(st.characters(), max_size=20),
)


TAGS = set("svg text rect line path title polygon polyline circle g".split())


ATTRIBUTES = set(
    "xmlns viewBox width height style role aria-label x y x1 x2 y1 y2 cx cy r rx points fill "
    "fill-opacity stroke stroke-opacity stroke-width stroke-dasharray d text-anchor transform "
    "scope tabindex".split()
)


class _Reader(HTMLParser):
    """Collects what a browser would see as elements and attributes."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.found, self.open, self.text, self.signs = [], [], [], 0

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self.signs += 1
        if tag not in ("img", "br", "meta"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self.signs += 1

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.signs += 1

    def handle_data(self, data):
        if self.open[-1:] != ["title"]:  # shown to a mouse at rest alone
            self.text.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl):
        raise AssertionError(f"a declaration: {decl}")

    unknown_decl = handle_pi = handle_decl


def elements(picture):
    """[(tag, attributes), ...] of a picture, after checking that we wrote every one of them."""
    reader = _Reader()
    reader.feed(picture)
    reader.close()
    assert not reader.open, "not closed"
    assert picture.count("<") == reader.signs, "a sign that begins no tag"
    for tag, attributes in reader.found:
        assert tag in TAGS, tag
        assert set(attributes) <= {name.lower() for name in ATTRIBUTES}, attributes
        assert not re.search(r"url|expression|javascript", attributes.get("style", ""))
    if picture.startswith("<svg"):
        strict = [(e.tag.partition("}")[2], e.attrib) for e in ET.fromstring(picture).iter()]
        assert [tag for tag, _ in strict] == [tag for tag, _ in reader.found]
    return reader.found


def text_of(picture):
    """All words of a picture, a line for each stretch of text."""
    reader = _Reader()
    reader.feed(picture)
    return reader.text


def image_of(html):
    """(alt, SVG) of an HTML that is one image, and the style by which it follows the page."""
    style, end, image = html.partition("</style>")
    assert end and "<img" not in style and "color-scheme" in style
    reader = _Reader()
    reader.feed(image)
    ((tag, attributes),) = reader.found
    assert tag == "img" and not reader.text
    kind, _, data = attributes["src"].partition(",")
    assert kind == "data:image/svg+xml;base64"
    return attributes["alt"], ET.fromstring(base64.b64decode(data))


class Names:
    """A tokenizer whose tokens are called anything one likes."""

    special_tokens = {}
    eos_id = None

    def __init__(self, names):
        self.names = names
        self.vocab_size = len(names)

    def encode(self, text, allowed_special=()):
        return [int(digit) for digit in text]

    def decode(self, ids):
        return "".join(self.names[id] for id in ids)

    def token_str(self, id):
        return self.names[id]


def shown(picture, names):
    """{name: (logit, exp, normalised)} as the picture says them."""
    words = text_of(picture)
    places = [words.index(name) for name in names]
    return {name: words[k + 1 : k + 4] for name, k in zip(names, places, strict=True)}


# JupyterLab 4's own values of the variables that pictures follow.
JUPYTERLAB = {
    "light": {
        "--jp-layout-color0": (255, 255, 255, 1),
        "--jp-content-font-color1": (0, 0, 0, 0.87),
        "--jp-content-font-color2": (0, 0, 0, 0.54),
        "--jp-brand-color1": (0x19, 0x76, 0xD2, 1),
        "--jp-warn-color0": (0xE6, 0x51, 0x00, 1),
        "--jp-error-color1": (0xD3, 0x2F, 0x2F, 1),
    },
    "dark": {
        "--jp-layout-color0": (0x11, 0x11, 0x11, 1),
        "--jp-content-font-color1": (255, 255, 255, 1),
        "--jp-content-font-color2": (255, 255, 255, 0.7),
        "--jp-brand-color1": (0x21, 0x96, 0xF3, 1),
        "--jp-warn-color0": (0xF5, 0x7C, 0x00, 1),
        "--jp-error-color1": (0xF4, 0x43, 0x36, 1),
    },
}


def over(colour, paper):
    """A colour that lets some of the paper through, as three shares of 1."""
    *ink, opacity = colour
    return tuple((opacity * i + (1 - opacity) * p) / 255 for i, p in zip(ink, paper, strict=True))
