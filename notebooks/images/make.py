"""README's pictures: `make pictures`, after `make notebooks`.

One picture from each executed lesson, the one that it turns on, 480 pixels wide. `readme.png` is
lesson 00 in JupyterLab, photographed in a browser where there is one.
"""

import base64
import io
import json
import sys
import tempfile
from pathlib import Path

from PIL import Image  # comes with matplotlib

HERE = Path(__file__).resolve().parent
WIDTH = 480
WINDOW = {"width": 1280, "height": 760}  # of the photograph
# lesson: how the description of its picture begins
PICTURES = {
    "00_the_whole_machine": "Probabilities. sleeping: model",
    "01_tokenization": 'The text "The cat is sleeping." after more and more merges',
    "02_embeddings": "before training. Most alike",
    "03_masked_attention": "Attention weights, layer 1, head 1",
    "04_feedforward": "The activation of unit 34",
    "05_logits_and_softmax": "Softmax. sleeping",
    "06_training": "Loss in nats per token",
    "07_sampling": "Probabilities. sleeping: T = 0.5",
    "08_gpt2": "Share of all parameters",
}


def picture(lesson: str, begins: str) -> bytes:
    """The PNG of the output whose description begins so; the last one where there are several."""
    notebook = json.loads((HERE.parent / f"{lesson}.ipynb").read_text(encoding="utf-8"))
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    pictures = [output["data"] for output in outputs if "image/png" in output.get("data", {})]
    found = [data for data in pictures if "".join(data["text/plain"]).startswith(begins)]
    if not found:
        raise SystemExit(f"{lesson} has no picture that begins {begins!r}")
    return base64.b64decode(found[-1]["image/png"])


def small(lesson: str, begins: str) -> Image.Image:
    """The picture as README shows it."""
    image = Image.open(io.BytesIO(picture(lesson, begins))).convert("RGB")
    image.thumbnail((WIDTH, WIDTH))
    return image.quantize(256)


def photograph(file: Path) -> None:
    """Lesson 00's machine as a class sees it, once the sentence has come to the logits."""
    sys.path.insert(0, str(HERE.parent.parent / "tests"))
    from browser import Lab, chromium_page, find_chromium, jupyterlab

    executable = find_chromium()
    if executable is None:
        print("readme.png is the old one: no Chromium was found.")
        return
    source = (HERE.parent / "00_the_whole_machine.ipynb").read_text(encoding="utf-8")
    cells = [cell for cell in json.loads(source)["cells"] if cell["cell_type"] == "code"]
    (machine,) = ["".join(c["source"]) for c in cells if "widgets.machine(" in "".join(c["source"])]
    begin = "import gptlib\nfrom gptlib import widgets"
    with tempfile.TemporaryDirectory() as folder, jupyterlab(Path(folder)) as url:
        with chromium_page(executable) as (page, left):
            page.set_viewport_size(WINDOW)
            lab = Lab(page, url, Path(folder), left)
            lab.command("application:toggle-left-area")
            notebook = lab.new_notebook("00_the_whole_machine.ipynb", begin, machine)
            notebook.run_all()
            explorer = page.locator(".gptlib-live").first
            for _ in range(8):  # from the text through both layers to the logits
                explorer.get_by_role("button", name="Step", exact=True).click()
                page.wait_for_timeout(1000)  # what moves has arrived
            page.screenshot(path=file)


def main() -> None:
    photograph(HERE / "readme.png")
    for lesson, begins in PICTURES.items():
        small(lesson, begins).save(HERE / f"{lesson}.png", optimize=True)


if __name__ == "__main__":
    main()
