"""gptlib.widgets.tokenizer: after k merges the page has the tokens of the first k merges."""

import pytest
from explorers import HOSTILE, elements, text_of
from hypothesis import given, settings
from hypothesis import strategies as st
from live import grave, in_each_colour, moving, open_live, press_at_once, restart, shown_in, shows

import gptlib
from gptlib.widgets import tokenizer_explorer
from gptlib.widgets.tokenizer import GAP, LONGEST, SLOT, WIDTH, Shown, tokens_of, tokens_svg

END = "<|endoftext|>"
TEXT = "The cat is sleeping."
TRAINED = gptlib.Tokenizer.train("The cat is sleeping. The cat sat, naïve cats 🐱🐱🐱.  " * 3, 285)


def first_merges(tokenizer, count):
    """The tokenizer that knows the first so many merges only."""
    return gptlib.Tokenizer(tokenizer.merges[:count], (), tokenizer.byte_ids)


# ---- The page ----


@pytest.fixture(scope="module")
def opened(lab):
    code = "made = widgets.tokenizer_explorer(tokenizer)\ndisplay(made, made)"
    other = "widgets.tokenizer_explorer(tokenizer)"
    return open_live(lab, "tokens", code, other, count=3)[1]


@pytest.fixture
def live(opened, pets):
    """The last, which no other one shows, as it opens."""
    live = opened[2]
    live.type("textbox", "text", TEXT)
    live.type("spinbutton", "merges", str(len(pets[1].merges)))
    for name in ("special tokens", "compare with GPT-2"):
        live.control("checkbox", name).set_checked(False)
    shows(lambda: boxes(live), expected(pets[1], TEXT, len(pets[1].merges)))
    return live


def boxes(live, place=0):
    """[[name, id], ...] of the tokens."""
    parts = live.root.locator(".gptlib-fusing").nth(place).locator("button")
    return parts.evaluate_all("nodes => nodes.map(n => [...n.children].map(c => c.textContent))")


def bytes_of(live):
    rows = live.root.locator(".gptlib-bytes")
    return " ".join(
        rows.evaluate_all("n => n.map(r => [...r.children].map(c => c.textContent).join(' '))")
    )


def expected(tokenizer, text, merges):
    few = first_merges(tokenizer, merges)
    return [[few.token_str(id), str(id)] for id in few.encode(text)]


def test_every_control_has_a_name(live):
    names = {("textbox", "text"), ("slider", "merges"), ("spinbutton", "merges")}
    names |= {("button", name) for name in ("Fuse back", "Fuse on", "Play")}
    names |= {("checkbox", name) for name in ("special tokens", "compare with GPT-2")}
    assert names <= live.controls()
    assert ("button", "␣cat, id 283, 4 bytes") in live.controls()


def test_the_slider_shows_the_tokens_of_so_many_merges_over_their_bytes(live, pets):
    shows(lambda: boxes(live), expected(pets[1], TEXT, 140))
    live.press("slider", "merges", "Home")
    shows(lambda: boxes(live), expected(pets[1], TEXT, 0))
    live.press("slider", "merges", "ArrowRight", 5)
    for count in (5, 17, 64, 100):
        live.type("spinbutton", "merges", str(count))
        shows(lambda count=count: boxes(live), expected(pets[1], TEXT, count))
        tokens = len(expected(pets[1], TEXT, count))
        assert f"{tokens} tokens for 20 characters, 20 bytes" in live.words()
        assert bytes.fromhex(bytes_of(live)) == TEXT.encode()


def test_fuse_on_and_back_go_from_one_change_to_the_next_and_name_the_merge(live, pets):
    live.type("spinbutton", "merges", "0")
    shows(lambda: "Bytes: no merge has changed this text yet." in live.words(), True)
    counts = [len(first_merges(pets[1], k).encode(TEXT)) for k in range(141)]
    changes = [k for k in range(1, 141) if counts[k] != counts[k - 1]]
    for place, merges in enumerate(changes[:3]):
        live.press("button", "Fuse on", "Enter")
        shows(lambda: live.value("spinbutton", "merges"), str(merges))
        a, b, made = (pets[1].token_str(id) for id in (*pets[1].merges[merges - 1], 255 + merges))
        said = f"Merge {merges}: {a} + {b} → {made}, the last of {place + 1} that changed"
        shows(lambda said=said: any(words.startswith(said) for words in live.words()), True)
        fresh = live.root.locator(".gptlib-fresh button")
        assert {node.get_attribute("title") for node in fresh.element_handles()} == {made}
    live.press("button", "Fuse back", "Space")
    shows(lambda: boxes(live), expected(pets[1], TEXT, changes[2] - 1))
    live.press("button", "Fuse on", "Enter", len(changes))
    shows(lambda: live.value("spinbutton", "merges"), "140")


def test_play_fuses_to_the_end_beginning_again_from_the_bytes(live, pets):
    live.type("textbox", "text", "The cat")
    live.press("button", "Play", "Enter")
    shows(lambda: len(boxes(live)) > 4, True)
    shows(lambda: live.control("button", "Play").count(), 1)
    shows(lambda: boxes(live), expected(pets[1], "The cat", 140))


GHOSTS = "root => root.querySelectorAll('.gptlib-ghost').length"


def test_what_fuses_slides_together_unless_the_reader_wants_no_motion(live, lab, pets):
    for reduced, slides in [("no-preference", True), ("reduce", False)]:
        lab.page.emulate_media(reduced_motion=reduced)
        live.type("spinbutton", "merges", "0")
        shows(lambda: len(boxes(live)), 20)
        live.reach("button", "Fuse on")
        seen = live.root.evaluate(
            """async root => {
              const all = [...root.querySelectorAll('button')];
              all.find(button => button.textContent === 'Fuse on').click();
              let most = 0;
              for (let k = 0; k < 8; k++) {
                await new Promise(requestAnimationFrame);
                most = Math.max(most, root.querySelectorAll('.gptlib-ghost').length);
              }
              return most;
            }"""
        )
        assert (seen >= 2) == slides
        shows(lambda: live.root.evaluate(GHOSTS), 0)


def test_a_text_or_number_that_is_edited_while_it_plays_is_left_as_it_is(live, lab, pets):
    last = str(len(pets[1].merges))
    with moving(lab):
        live.type("spinbutton", "merges", "0")
        press_at_once(live, "Play")
        live.control("spinbutton", "merges").fill("9999")
        shows(lambda: "type a whole number" in live.message(), True)
        live.page.wait_for_timeout(1500)  # more than one fusion takes
        assert live.value("spinbutton", "merges") == "9999"
        live.type("spinbutton", "merges", last)
        press_at_once(live, *["Fuse back"] * 3)
        live.control("textbox", "text").fill("The dog")
        at = int(live.value("spinbutton", "merges"))
        shows(lambda: boxes(live), expected(pets[1], "The dog", at))
        assert live.root.evaluate(GHOSTS) == 0


def test_a_token_opens_to_its_merge_characters_and_bytes(live, pets):
    live.type("textbox", "text", "naïve cat")
    shows(lambda: len(boxes(live)) > 3, True)
    detail = live.root.locator(".gptlib-two-lines")
    live.control("button", "␣cat, id 283, 4 bytes").click()
    left, right = (pets[1].token_str(id) for id in pets[1].merges[283 - 256])
    shows(lambda: f"made by merge 28 of {left} and {right}." in detail.inner_text(), True)
    assert "U+0020 = 20" in detail.inner_text() and "t U+0074 = 74" in detail.inner_text()
    live.page.keyboard.press("Home")
    live.page.keyboard.press("ArrowRight")
    live.page.keyboard.press("ArrowRight")
    live.page.keyboard.press("Space")
    shows(lambda: "ï U+00EF = C3 AF (1 of its 2 bytes)" in detail.inner_text(), True)
    assert detail.locator(".gptlib-held").inner_text() == "C3"
    assert "one of the 256 bytes" in detail.inner_text()


def test_gpt2s_tokens_of_the_same_text_are_shown_beneath(live, gpt2_tokenizer):
    live.press("checkbox", "compare with GPT-2", "Space")
    listed = [[gpt2_tokenizer.token_str(id), str(id)] for id in gpt2_tokenizer.encode(TEXT)]
    shows(lambda: boxes(live, 1), listed)
    said = "Its vocabulary has 50,257 tokens; the one above has 397."
    assert any(said in words for words in live.words())
    live.type("textbox", "text", "🐱 9.11")
    ids = gpt2_tokenizer.encode("🐱 9.11")
    shows(lambda: boxes(live, 1), [[gpt2_tokenizer.token_str(id), str(id)] for id in ids])
    live.press("checkbox", "compare with GPT-2", "Space")
    shows(lambda: live.root.locator(".gptlib-fusing").nth(1).is_visible(), False)


def test_special_tokens_are_read_when_ticked(live, pets):
    live.type("textbox", "text", f"The{END}")
    shows(lambda: len(boxes(live)) > 2, True)
    live.press("checkbox", "special tokens", "Space")
    shows(lambda: boxes(live), [["The", "260"], [END, str(pets[1].eos_id)]])
    live.root.locator(".gptlib-special button").click()
    shows(lambda: any("a special token" in words for words in live.words()), True)


def test_spaces_and_halves_of_characters_can_be_seen(live):
    live.type("textbox", "text", " 🐱")
    live.type("spinbutton", "merges", "0")
    shows(lambda: [name for name, _ in boxes(live)], ["␣", "<F0>", "<9F>", "<90>", "<B1>"])


@pytest.mark.parametrize(
    "text, said",
    [(" ", "type some text"), ("a" * (LONGEST + 1), "193 bytes are too many to show: 192 at most")],
)
def test_a_text_that_cannot_be_shown_greys_the_picture_and_says_why(live, text, said):
    live.type("textbox", "text", text)
    if text == " ":
        live.page.keyboard.press("Backspace")
    shows(live.message, f"⚠ {said}")
    assert live.root.locator(".gptlib-stale").count() == 1
    live.type("textbox", "text", "cat")
    shows(live.message, "")


def test_two_views_of_one_explorer_agree_and_another_is_left_alone(opened, live, pets):
    before = boxes(live)
    opened[0].type("textbox", "text", "dog")
    live.page.keyboard.press("Tab")
    for view in opened[:2]:
        shows(lambda view=view: boxes(view), expected(pets[1], "dog", len(pets[1].merges)))
    assert boxes(live) == before


@in_each_colour
def test_no_serious_violation_of_accessibility_is_found(live, lab, colours):
    with shown_in(lab, colours):
        live.press("checkbox", "compare with GPT-2", "Space")
        live.type("spinbutton", "merges", "60")
        shows(
            lambda: live.root.locator(".gptlib-fusing").nth(1).locator("button").count() > 3, True
        )
        live.root.locator(".gptlib-part button").first.click()
        live.page.wait_for_timeout(600)  # what slides has arrived
        found = grave(lab.page)
    lab.theme("JupyterLab Light")
    assert not found


BAD = """
bad = '</svg><img src=x onerror=alert(1)>" onload="alert(2)" --><script>alert(3)</script>'
hostile = gptlib.Tokenizer.train(bad * 3, 300, [bad])
widgets.tokenizer_explorer(hostile, bad[:60], beside=hostile)
"""


def test_hostile_tokens_bring_nothing_into_the_page(lab):
    _, (live,) = open_live(lab, "hostile", BAD)
    live.press("checkbox", "compare with the other", "Space")
    shows(lambda: boxes(live, 1) == boxes(live) != [], True)
    live.root.locator(".gptlib-part button").first.click()
    live.press("button", "Fuse back", "Enter", 2)
    live.press("button", "Fuse on", "Enter")
    assert not live.strange()


def test_without_a_kernel_all_goes_on_but_what_was_not_sent(lab, pets):
    _, (live,) = open_live(lab, "gone", "widgets.tokenizer_explorer(tokenizer)")
    restart(lab)
    shows(lambda: "run this cell again" in live.message(), True)
    assert live.control("checkbox", "compare with GPT-2").is_disabled()
    live.type("textbox", "text", "dog")
    shows(lambda: boxes(live), expected(pets[1], "dog", 140))


def test_a_tokenizer_without_merges_shows_bytes(lab):
    _, (live,) = open_live(lab, "bytes", "widgets.tokenizer_explorer(gptlib.Tokenizer(), 'cat')")
    shows(lambda: boxes(live), [["c", "99"], ["a", "97"], ["t", "116"]])
    assert live.message() == ""


# ---- The Python side ----


@settings(deadline=None)
@given(
    st.text("The cats leping.,🐱ï \n", max_size=30) | st.text(max_size=8),
    st.integers(0, len(TRAINED.merges)),
)
def test_the_fallback_has_the_tokens_of_so_many_merges(text, count):
    found = [token.id for token in tokens_of(TRAINED, text, count)]
    assert found == first_merges(TRAINED, count).encode(text)


def test_the_fallback_reads_special_tokens_if_that_is_ticked(pets):
    explorer = tokenizer_explorer(pets[1], f"The{END}")
    assert len(explorer.tokens()) > 2
    explorer.special = True
    assert [token.id for token in explorer.tokens()] == [260, pets[1].eos_id]


def test_names_ids_and_bytes_are_all_in_the_fallback(pets):
    words = text_of(tokenizer_explorer(pets[1]).draw())
    for id in pets[1].encode(TEXT):
        assert pets[1].token_str(id) in words and str(id) in words
    assert words[:2] == ["5 tokens for 20 characters, 20 bytes", "After 140 of 140 merges"]
    assert [word for word in words if len(word) == 2][-1] == "2E"


def test_the_fallback_is_the_same_each_time_and_is_written_to_files(pets, tmp_path):
    explorer = tokenizer_explorer(pets[1])
    assert explorer.fallback() == tokenizer_explorer(pets[1]).fallback()
    assert "after 140 of 140 merges: 5 tokens: The 260, ␣cat 283" in explorer.describe()
    for name in ("a.svg", "a.html"):
        explorer.save(tmp_path / name)
        assert "283" in (tmp_path / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text, said", [("", "type some text"), ("a" * (LONGEST + 1), "193 bytes"), ("\udc00", "lone")]
)
def test_a_text_that_cannot_be_drawn_is_said_in_the_fallback(pets, text, said):
    assert said in tokenizer_explorer(pets[1], text).fallback()["text/plain"]


def test_the_second_tokenizer_is_sent_when_it_is_asked_for(pets):
    explorer = tokenizer_explorer(pets[1], beside=TRAINED)
    assert explorer.shared_beside is None
    assert explorer.answer_beside() == {}
    assert explorer.shared_beside.special == TRAINED.special_tokens


TOKENS = st.builds(
    Shown,
    id=st.integers(0, 50256),
    name=HOSTILE,
    data=st.binary(min_size=1, max_size=60),
    piece=st.just(0),
    special=st.booleans(),
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
