"""Pictures of an explorer as a class sees it: in each of WINDOWS, light and dark.

    python tests/look.py FOLDER 'widgets.sampling_studio(model, tokenizer)' ['JavaScript']

The JavaScript runs in the page before each picture; `root` is the explorer's element.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from browser import FLAGS, NARROW, WINDOWS, Lab, find_chromium, jupyterlab
from playwright.sync_api import sync_playwright

BEGIN = """
import torch
import gptlib
from gptlib import widgets
from gptlib.corpora import pets as grammar
torch.set_num_threads(1)
model, tokenizer = gptlib.load("pets")
"""


def take(folder: Path, code: str, script: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as home, jupyterlab(Path(home)) as url, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        for name, (width, height, scale) in WINDOWS.items():
            size = {"width": width, "height": height}
            page = browser.new_page(viewport=size, device_scale_factor=scale)
            page.set_default_timeout(60_000)
            page.on("console", lambda said: said.type == "error" and print("console:", said.text))
            page.on("pageerror", lambda error: print("error:", error))
            lab = Lab(page, url, Path(home), [])
            lab.command("application:toggle-left-area") if width < NARROW else None
            notebook = lab.new_notebook(f"{name}.ipynb", BEGIN, code)
            notebook.run_all()
            root = page.locator(".gptlib-live").first
            root.wait_for()
            page.wait_for_timeout(1200)
            for theme in ("Light", "Dark"):
                lab.theme(f"JupyterLab {theme}")
                if script:
                    root.evaluate(f"async root => {{ {script} }}")
                    page.wait_for_timeout(600)
                root.evaluate("root => root.scrollIntoView({block: 'start'})")
                page.wait_for_timeout(200)
                page.screenshot(path=folder / f"{name}-{theme.lower()}.png")
                box = root.bounding_box()
                print(f"{name} {theme}: {box['width']:.0f} x {box['height']:.0f} CSS px")
            page.close()
        browser.close()


if __name__ == "__main__":
    take(Path(sys.argv[1]), sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "")
