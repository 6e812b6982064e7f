"""The teacher's page, in a browser: live, by keyboard, in light and dark, and all text as text."""

import pytest
from boards import COURSE, WIDE, running
from browser import chromium, chromium_page, settled

from gptlib.teaching.board.room import Room
from gptlib.teaching.board.store import Store


@pytest.fixture(scope="module")
def browser():
    with chromium_page(chromium()) as (page, left):
        yield page, left


@pytest.fixture
def room():
    return Room(Store(None), "ABCDE", COURSE)


@pytest.fixture
def page(browser, board):
    """The teacher's page as the line in the terminal opens it."""
    page, left = browser
    page.context.clear_cookies()
    page.goto("about:blank")
    page.troubles = []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.on("console", lambda said: said.type == "error" and page.troubles.append(said.text))
    page.goto(f"{board.url}/teacher#{board.room.key}")
    page.get_by_text("live", exact=True).wait_for()
    yield page
    assert page.troubles == [] and left == []


def shows(read, expected):
    assert settled(read, expected) == expected


def row(page, name):
    """The cells of a row, by how its first one begins."""
    found = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name))
    return [found.first.get_by_role("cell").nth(k).inner_text() for k in range(2)]


def vote(board, seat, chosen, name="spread", **different):
    assert board.send(seat=seat, chosen=chosen, question=name, **different)[0] == 200


def test_the_key_leaves_the_address_and_the_page_says_where_the_class_is(page, board):
    assert page.url == f"{board.url}/teacher"
    shows(lambda: page.locator("#room").inner_text(), "Room ABCDE")
    assert page.locator("#address").inner_text() == f"{board.url}/room/ABCDE"
    page.reload()
    page.get_by_text("live", exact=True).wait_for()


def test_votes_before_and_after_the_discussion_come_live_and_the_answer_when_it_is_shown(
    page, board
):
    for seat in range(3):
        vote(board, seat, "4 times" if seat else "2 times")
    shows(lambda: row(page, "2 times"), ["1 (33 %)", "–"])
    shows(lambda: row(page, "4 times"), ["2 (67 %)", "–"])
    page.get_by_role("button", name="Open the vote after the discussion").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Back to the first vote").wait_for()
    vote(board, 1, "2 times", age=0)
    shows(lambda: row(page, "2 times"), ["1 (33 %)", "1 (100 %)"])
    shows(lambda: page.locator("#numbers").inner_text(), "3 students, 4 answers")
    assert page.locator("tr.right").count() == 0 and "✔" not in page.content()
    page.get_by_role("button", name="Show the answer").focus()
    page.keyboard.press("Space")
    page.locator("tr.right").wait_for()
    assert page.locator("tr.right th").inner_text() == "✔ 2 times"
    page.get_by_role("button", name="Hide the answer").click()
    page.get_by_role("button", name="Show the answer").wait_for()
    assert page.locator("tr.right").count() == 0


def test_exercises_show_who_is_stuck_and_the_commonest_mistakes(page, board):
    for seat, verdicts in enumerate((["wrong axis"] * 3, ["wrong axis", "right"], ["right"])):
        for chosen in verdicts:
            vote(board, seat, chosen, "softmax", lesson="05", kind="check")
    cells = page.locator("#exercises tbody td")
    shows(lambda: cells.all_inner_texts(), ["3", "2", "1", "2 × wrong axis"])
    assert page.locator("#lesson").input_value() == "05"  # what was answered last


def test_the_lesson_and_the_question_are_chosen_by_keyboard_and_stay(page, board):
    page.locator("#lesson").select_option("05")
    page.get_by_role("heading", name="And?").wait_for()
    page.locator("#lesson").select_option("03")
    page.get_by_role("button", name="wide").focus()
    page.keyboard.press("Enter")
    vote(board, 1, "2 times")
    shows(lambda: page.locator("#numbers").inner_text(), "1 student, 1 answer")
    assert page.get_by_role("button", name="wide").get_attribute("aria-pressed") == "true"
    assert page.locator("#question h3").inner_text() == "Which <b>one</b>?"


def test_markup_in_words_is_shown_as_text(page, board):
    vote(board, 1, "<i>this</i>", "wide")
    page.get_by_role("button", name="wide").click()
    shows(lambda: row(page, "<i>this</i>"), ["1 (100 %)", "–"])
    assert page.locator("#question b, #question i").count() == 0
    assert board.ask("/teacher")[2].count("style=") == 0
    assert COURSE.questions[WIDE].words == "Which <b>one</b>?"


def test_the_votes_can_be_covered_while_the_class_chooses(page, board):
    vote(board, 1, "2 times")
    shows(lambda: row(page, "2 times"), ["1 (100 %)", "–"])
    page.get_by_label("Cover the votes").check()
    assert row(page, "2 times")[0].strip() == ""
    assert page.get_by_role("button", name="spread").inner_text().split() == ["spread", "1"]
    page.get_by_label("Cover the votes").uncheck()
    assert row(page, "2 times") == ["1 (100 %)", "–"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_is_small(page, board, theme):
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415

    page.get_by_label("Colours").select_option(theme)
    vote(board, 1, "2 times")
    vote(board, 1, "wrong axis", "softmax", lesson="05", kind="check")
    board.ask("/teacher/show", {"lesson": "03", "name": "spread", "shown": True})
    page.locator("#lesson").select_option("03")
    shows(lambda: row(page, "2 times"), ["1 (100 %)", "–"])
    for path in ("", f"{board.url}/room/ABCDE"):
        page.goto(path) if path else None
        found = Axe().run(page).response
        assert found["passes"]
        assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found["violations"]] == []
    smallest = "Math.min(...[...document.querySelectorAll('body *')]"
    smallest += ".map(e => parseFloat(getComputedStyle(e).fontSize)))"
    assert page.evaluate(smallest) >= 16


@pytest.mark.parametrize("width", [1280, 1920, 390])
def test_the_page_fits_a_projector_and_a_phone(page, board, width):
    vote(board, 1, "2 times")
    page.set_viewport_size({"width": width, "height": 720})
    shows(lambda: row(page, "2 times"), ["1 (100 %)", "–"])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_the_key_the_page_says_what_to_do_and_shows_nothing(browser, board):
    page, _ = browser
    page.context.clear_cookies()
    page.goto(f"{board.url}/teacher")
    page.get_by_text("This page needs the teacher's key").wait_for()
    page.goto("about:blank")
    page.goto(f"{board.url}/teacher#wrong")
    page.get_by_text("That was not done: not the key.").wait_for()
    assert page.locator("#question h3").count() == 0


def test_a_board_that_is_gone_is_said_and_comes_back(browser, tmp_path):
    page, _ = browser
    page.context.clear_cookies()
    with running(Room(Store(tmp_path), "ABCDE", COURSE)) as board:
        page.goto(f"{board.url}/teacher#{board.room.key}")
        page.get_by_text("live", exact=True).wait_for()
        port = board.port
        vote(board, 1, "2 times")
    page.get_by_text("The board does not reply.").wait_for()
    with running(Room(Store(tmp_path), "ABCDE", COURSE), port=port):
        page.get_by_text("live", exact=True).wait_for()
        shows(lambda: row(page, "2 times"), ["1 (100 %)", "–"])
