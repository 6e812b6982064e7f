"""Cuts README's pictures out of the executed lessons: `make pictures`, after `make notebooks`.

One picture a lesson, the one it turns on, 480 pixels wide. `readme.png` is a screenshot, made by
hand.
"""

import base64
import io
import json
from pathlib import Path

from PIL import Image  # comes with matplotlib

HERE = Path(__file__).resolve().parent
WIDTH = 480
# lesson: how the description of its picture begins
PICTURES = {
    "00_the_whole_machine": "Probabilities. sleeping: model",
    "01_tokenization": 'The text "The cat is sleeping." after each merge',
    "02_embeddings": "before training. Most alike",
    "03_masked_attention": "Attention weights, layer 1, head 1",
    "04_feedforward": "The logit of sleeping",
    "05_logits_and_softmax": "Softmax. sleeping",
    "06_training": "Next word by step",
    "07_sampling": "Tree of",
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


def main() -> None:
    for lesson, begins in PICTURES.items():
        image = Image.open(io.BytesIO(picture(lesson, begins))).convert("RGB")
        image.thumbnail((WIDTH, WIDTH))
        image.quantize(256).save(HERE / f"{lesson}.png", optimize=True)


if __name__ == "__main__":
    main()
