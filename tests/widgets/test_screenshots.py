"""Pictures of every explorer for people to look at: in artifacts/explorers, which CI keeps.

In each of WINDOWS, light and dark. What can be measured is measured in test_room; here it is only
seen to that each picture has an explorer in it.
"""

import io
from pathlib import Path

import pytest
from browser import PATIENCE, Lab
from explorers import EXPLORERS, NEEDED
from live import open_live, shown_in
from look import WINDOWS
from PIL import Image

pytestmark = pytest.mark.thorough

FOLDER = Path(__file__).resolve().parent.parent.parent / "artifacts" / "explorers"
PAPERS = {"light": (255, 255, 255), "dark": (17, 17, 17)}


@pytest.fixture(scope="module")
def ran(lab):
    """A JupyterLab in which every explorer was opened, and the notebook saved."""
    notebook, _ = open_live(lab, "screenshots", NEEDED, *EXPLORERS.values())
    notebook.panel.locator(".gptlib-live").nth(len(EXPLORERS) - 1).wait_for(state="attached")
    lab.command("docmanager:save")
    return lab


@pytest.fixture(scope="module", params=WINDOWS)
def window(request, ran):
    """(name, a page with the same notebook and kernel in a window of this size)."""
    width, height, scale = WINDOWS[request.param]
    page = ran.page.context.browser.new_page(
        viewport={"width": width, "height": height}, device_scale_factor=scale
    )
    page.set_default_timeout(PATIENCE * 1000)
    lab = Lab(page, ran.url, ran.folder, ran.left)
    lab.command("application:toggle-left-area") if width < 800 else None
    lab.command("docmanager:open", path="screenshots.ipynb", factory="Notebook")
    page.locator(".gptlib-live").first.wait_for()
    yield request.param, lab
    page.close()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_each_explorer_is_seen(window, colours):
    FOLDER.mkdir(parents=True, exist_ok=True)
    (place, lab), found = window, {}
    width, height, scale = WINDOWS[place]
    with shown_in(lab, colours):
        for k, name in enumerate(EXPLORERS):
            cell = lab.page.locator(".jp-CodeCell").nth(k + 2)  # one that is far outside is empty
            cell.scroll_into_view_if_needed()
            root = cell.locator(".gptlib-live")
            root.evaluate("root => root.scrollIntoView({block: 'start'})")
            root.locator("[role=img], [role=group], [role=region], button").first.wait_for()
            lab.page.wait_for_timeout(200)  # what is drawn late is drawn
            shot = lab.page.screenshot(path=FOLDER / f"{name}-{place}-{colours}.png")
            box = root.bounding_box()
            sides = [box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]]
            sides[3] = min(sides[3], height)
            whole = Image.open(io.BytesIO(shot)).convert("RGB")
            assert whole.size == (width * scale, height * scale)
            seen = whole.crop([round(side * scale) for side in sides])
            assert min(sides) >= 0 and sides[2] <= width, name
            found[name] = seen.getcolors(2**24)
    assert {max(counts)[1] for counts in found.values()} == {PAPERS[colours]}
    assert all(len(counts) > 10 for counts in found.values())
