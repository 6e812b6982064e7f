"""Fixtures for the tests of js/: a page that loads the modules as they are, and a JupyterLab."""

from pathlib import Path

import pytest
from browser import Lab, chromium, chromium_page, jupyterlab

import gptlib

FOLDER = Path(gptlib.__file__).parent / "widgets" / "js"
HOME = "http://127.0.0.1/"  # answered by the test itself: nothing listens there


@pytest.fixture(scope="module")
def page():
    """A page without a kernel, for which `import("/gpt.js")` is the file of that name."""

    def answer(route):
        name = route.request.url.removeprefix(HOME)
        if name.endswith(".js"):
            text = (FOLDER / name).read_text(encoding="utf-8")
            route.fulfill(body=text, content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html><title>x</title>", content_type="text/html")

    with chromium_page(chromium()) as (page, _):
        page.route(f"{HOME}**", answer)
        page.goto(HOME)
        yield page


@pytest.fixture(scope="session")
def laboratory(tmp_path_factory):
    """(folder, address) of one JupyterLab for all files: to start one takes seconds."""
    folder = tmp_path_factory.mktemp("lab")
    with jupyterlab(folder) as url:
        yield folder, url


@pytest.fixture(scope="module")
def lab(laboratory):
    """A browser for the tests of a file, with nothing open; its kernels end with it."""
    folder, url = laboratory
    with chromium_page(chromium()) as (page, left):
        lab = Lab(page, url, folder, left)
        yield lab
        lab.leave()
