"""Opening a folder of GPT-2's 124M shape, in fresh processes. `python -m benchmarks.loading`

Both sides map the file into memory and read it when it is used. So the time to the first logits is
measured too, and the peak of memory after them: that of the whole process, libraries included.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator

from .side_by_side import Row, numbers_of, write_table

BEGIN, END = "<!-- loading: begin -->", "<!-- loading: end -->"

CHILD = """
import time, warnings
import torch
from benchmarks.peak import peak_bytes
{imports}
warnings.simplefilter("ignore")
times = [time.perf_counter()]
model = {load}({folder!r})
times.append(time.perf_counter())
with torch.no_grad():
    model(torch.arange(16)[None])
times.append(time.perf_counter())
print(times[1] - times[0], times[2] - times[0], peak_bytes() / 1e6)
"""
OURS = "import gptlib", "gptlib.GPT.from_pretrained"
PEER = "from transformers import GPT2LMHeadModel", "GPT2LMHeadModel.from_pretrained"
MAKE = "import gptlib; gptlib.GPT(gptlib.GPTConfig(), seed=0).save_pretrained({folder!r})"

WHAT = {"opening": "s", "opening and the first logits": "s", "peak memory of the process": "MB"}


def loading(runs: int = 5) -> Iterator[Row]:
    """Rows for the time to open, the time to the first logits, and the peak of memory."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-c", MAKE.format(folder=folder)], check=True)
        _measured(OURS, folder), _measured(PEER, folder)  # to warm up: the file is read once
        pairs = [(_measured(OURS, folder), _measured(PEER, folder)) for _ in range(runs)]
    for i, (what, unit) in enumerate(WHAT.items()):
        pairs_of_it = [(ours[i], peers[i]) for ours, peers in pairs]
        yield Row.of_pairs(f"GPT-2 124M: {what}", "transformers", pairs_of_it, unit)


def _measured(side: tuple[str, str], folder: str) -> list[float]:
    """[seconds to open, seconds to the first logits, MB at the peak], of a process of its own."""
    code = CHILD.format(imports=side[0], load=side[1], folder=folder)
    return numbers_of(code)


def main() -> None:
    write_table(loading(), BEGIN, END)


if __name__ == "__main__":
    main()
