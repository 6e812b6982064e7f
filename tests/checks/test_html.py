"""gptlib.checks.html: in a notebook a verdict is a page, in which the wrong numbers are framed."""

import re
import sys
from types import SimpleNamespace

import pytest
import torch

from gptlib.checks import logits
from gptlib.checks.html import verdict_html
from gptlib.checks.verdict import Verdict


@pytest.fixture
def published(monkeypatch):
    """What is shown in a notebook: [{kind: content}, ...]."""
    shown = []
    shell = SimpleNamespace(kernel=True, display_pub=SimpleNamespace(publish=shown.append))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    return shown


def rows(html):
    """[[(number, whether it is framed), ...], ...] of each table."""
    found = []
    for table in re.findall("<table.*?</table>", html):
        lines = [re.findall("<td.*?</td>", row) for row in re.findall("<tr>.*?</tr>", table)]
        found.append([[(re.sub("<[^>]*>", "", c), "<b>" in c) for c in line] for line in lines])
    return found


def test_in_a_notebook_a_verdict_is_a_page_and_nothing_is_printed(published, capsys):
    verdict = logits.softmax(lambda logits: logits)
    assert capsys.readouterr().out == ""
    ((words, html),) = [data.values() for data in published]
    assert words == verdict.words and html.startswith('<div role="status"')
    gives, should_be = rows(html)
    assert len(gives) == len(should_be) and any(wrong for row in gives for _, wrong in row)
    assert not any(wrong for row in should_be for _, wrong in row)
    assert verdict.should_be not in re.sub("<table.*?</table>", "", html)


def test_right_wrong_and_unfinished_differ_in_sign_and_in_colour(published):
    def unwritten(logits):
        raise NotImplementedError

    for answer in (lambda logits: torch.softmax(logits, -1), lambda logits: logits, unwritten):
        logits.softmax(answer)
    pages = [data["text/html"] for data in published]
    assert [re.search("<b>(.)", page)[1] for page in pages] == ["✔", "✘", "○"]
    assert len({re.search(r"border-left: [^;]*", page)[0] for page in pages}) == 3


@pytest.mark.parametrize("shell", [None, SimpleNamespace()])
def test_in_a_terminal_a_verdict_is_printed(shell, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    verdict = logits.softmax(lambda logits: torch.softmax(logits, -1))
    assert capsys.readouterr().out == f"{verdict.words}\n"


def test_the_numbers_that_are_wrong_are_framed_in_a_table():
    gives, marks = "[[1.000, 2.000], [0.500, -inf ]]", "  ^^^^^                  ^^^^^"
    words = f"✘ f: no.\n  f([1])\n  gives      {gives}\n  should be  [[1, 2]]\n             {marks}"
    html = verdict_html(words, gives, "[[1, 2]]", marks)
    first, second = rows(html)
    assert first == [[("1.000", True), ("2.000", False)], [("0.500", False), ("-inf", True)]]
    assert second == [[("1", False), ("2", False)]]
    assert "<code" in html and ">f([1])</code>" in html


def test_what_is_no_table_is_text_with_the_place_that_differs_marked():
    html = verdict_html("✘ f: no.\n  gives      'cat'", "'cat'", "'car'", "   ^")
    assert "&#x27;ca<mark>t</mark>&#x27;" in html and "&#x27;car&#x27;" in html


def test_what_a_student_gives_is_text():
    bad = "'</code><img src=x onerror=alert(1)>'"
    html = verdict_html(f"✘ {bad}.\n  {bad}\n  f({bad})", bad, bad, " ^^^^^^^^^^^^^^")
    assert "<img" not in html and html.count("<code") == 3


def test_trouble_with_keeping_it_is_shown_too(monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GPTLIB_ANSWERS", str(tmp_path / "file" / "me.jsonl"))
    Verdict(True, "✔ f is right.", exercise="logits.softmax").told()
    assert "could not be saved" in capsys.readouterr().out
