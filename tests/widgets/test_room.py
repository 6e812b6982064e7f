"""Every explorer in JupyterLab, as it opens, has room on a laptop, a projector and a phone."""

import pytest
from explorers import EXPLORERS, NEEDED
from live import open_live

NAMES = list(EXPLORERS)

# Width and height of the window, and the largest height of an explorer in it, in CSS pixels. A
# projector of 1080 lines at 150 % has 720 of them, and letters of 24 of its pixels have 16.
WINDOWS = {"laptop": (1366, 768, 620), "projector": (1280, 720, 620), "phone": (390, 844, None)}
LETTERS = 16

# [letters that are smaller, how far it is wider than its place, controls out of reach: those of a
# table that scrolls are not]
LOOK = """(root, letters) => {
  const small = [], walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const box = walk.currentNode.parentElement, words = walk.currentNode.textContent.trim();
    if (!words || !box.getClientRects().length || box.closest(".gptlib-unseen, title, option"))
      continue;
    const svg = box.closest("svg"), drawn = svg?.viewBox?.baseVal.width;
    const shrunk = drawn ? svg.getBoundingClientRect().width / drawn : 1;
    const size = parseFloat(getComputedStyle(box).fontSize) * shrunk;
    if (size < letters - 0.05) small.push(`${words}: ${size.toFixed(1)}`);
  }
  const place = root.parentElement.getBoundingClientRect();
  const scrolls = (node) => node !== root
    && (/auto|scroll/.test(getComputedStyle(node).overflowX) || scrolls(node.parentElement));
  const outside = [...root.querySelectorAll("button, input, select")].filter(control => {
    const box = control.getBoundingClientRect();
    const inside = box.left >= place.left - 1 && box.right <= place.right + 1;
    return box.width && !inside && !scrolls(control);
  });
  return [small, root.scrollWidth - root.clientWidth, outside.map(node => node.outerHTML)];
}"""


@pytest.fixture(scope="module")
def all_of_them(lab):
    """{name: the explorer's element}."""
    notebook, _ = open_live(lab, "room", NEEDED, *EXPLORERS.values())
    found = notebook.panel.locator(".gptlib-live")
    found.nth(len(NAMES) - 1).wait_for(state="attached")
    return {name: found.nth(place) for place, name in enumerate(NAMES)}


@pytest.fixture(scope="module", params=WINDOWS)
def window(request, lab):
    """The name of a window, which the page has; on a phone the file browser is put away."""
    before, (width, height, _) = lab.page.viewport_size, WINDOWS[request.param]
    lab.page.set_viewport_size({"width": width, "height": height})
    lab.command("application:toggle-left-area") if width < 800 else None
    yield request.param
    lab.command("application:toggle-left-area") if width < 800 else None
    lab.page.set_viewport_size(before)


@pytest.mark.parametrize("name", NAMES)
def test_it_fits_its_letters_can_be_read_and_no_control_is_out_of_reach(window, all_of_them, name):
    root = all_of_them[name]
    root.scroll_into_view_if_needed()
    root.locator("[role=img], [role=group], [role=region], button").first.wait_for()
    small, wider, outside = root.evaluate(LOOK, LETTERS)
    assert not small and wider <= 1 and not outside
    highest = WINDOWS[window][2]
    assert highest is None or root.bounding_box()["height"] <= highest
