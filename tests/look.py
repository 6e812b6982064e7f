"""Pictures of an explorer as a class sees it: on a laptop, a projector and a phone, light and dark.

    python tests/look.py FOLDER 'widgets.sampling_studio(model, tokenizer)' ['JavaScript']

The JavaScript runs in the page before each picture; `root` is the explorer's element.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from browser import FLAGS, Lab, find_chromium, jupyterlab
from playwright.sync_api import sync_playwright

BEGIN = """
import torch
import gptlib
from gptlib import widgets
from gptlib.corpora import pets as grammar
torch.set_num_threads(1)
model, tokenizer = gptlib.load("pets")
"""
# Name -> (width, height in CSS pixels, device pixels in one of them).
WINDOWS = {
    "laptop": (1366, 768, 1),
    "projector": (1280, 720, 1.5),  # 1920 x 1080 at 150 %
    "phone": (390, 844, 2),
}


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
            lab.command("application:toggle-left-area") if width < 800 else None
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
