"""Makes data/transformers/ again: a small GPT-2 that Hugging Face's transformers saved.

The course reads it to show that its reader fits a file that it did not write. All numbers are
random, biases and gains too, so that none can be left out or exchanged unseen.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel

FOLDER = Path(__file__).resolve().parent / "transformers"
SHAPE = {"vocab_size": 61, "n_positions": 16, "n_layer": 2, "n_head": 3, "n_embd": 12}
IDS = [[5, 17, 42, 8, 60, 17, 0]]


def main() -> None:
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(**SHAPE, bos_token_id=0, eos_token_id=0)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape), alpha=0.3)
        ids = torch.tensor(IDS)
        logits = model(ids).logits
    model.save_pretrained(FOLDER)
    (FOLDER / "generation_config.json").unlink()  # how to sample from it: not asked for here
    save_file({"ids": ids, "logits": logits.contiguous()}, FOLDER / "logits.safetensors")


if __name__ == "__main__":
    main()
