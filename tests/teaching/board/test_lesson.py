"""A lesson and the board together: a click in JupyterLab is a vote on the teacher's page."""

import pytest
from boards import running
from browser import PATIENCE, settled
from pages import lab, laboratory  # noqa: F401 (fixtures)

from gptlib.teaching.asked import catalogue
from gptlib.teaching.board.room import Room
from gptlib.teaching.board.store import Store

CELLS = (
    """
from gptlib import checks, teaching
lesson = teaching.Lesson("attention")
lesson.predict("swap")
""",
    """
def my_weights(scores):
    return scores.softmax(-1)

verdict = checks.attention.causal_weights(my_weights)
""",
)


@pytest.fixture
def board():
    with running(Room(Store(None), "ABCDE", catalogue())) as board:
        yield board


def test_a_click_and_a_check_in_a_lesson_reach_the_board(lab, board):  # noqa: F811
    join = f'from gptlib import teaching\nteaching.join("{board.url}/room/ABCDE")'
    notebook = lab.new_notebook("joined.ipynb", join, *CELLS)
    notebook.run_all()
    said = notebook.panel.locator(".jp-OutputArea-output").first
    said.get_by_text("the board is there").wait_for()
    asked = notebook.panel.locator(".gptlib-live").first
    asked.locator("input").first.wait_for(timeout=3 * PATIENCE * 1000)  # two cells import much
    key = ("03", "swap")
    right = board.room.catalogue.questions[key].right
    asked.get_by_role("radio", name=right.replace("`", "")).check()
    asked.get_by_role("button", name="Commit").click()

    def seen():
        shown = board.room.shown()
        votes = [sum(question["before"]) for question in shown["questions"]]
        return shown["seats"], votes, [e["tried"] for e in shown["exercises"]]

    assert settled(seen, (1, [1], [1])) == (1, [1], [1])
    chosen = dict(zip(board.room.catalogue.questions[key].choices, board.room.counts.votes(key, 1)))
    assert chosen[right] == 1
    assert notebook.errors() == []
