"""What a class waits for, and what a lesson takes of a laptop. `python -m benchmarks.clock`

Five measurements: the import; JupyterLab from its start until the first cell of lesson 00 has been
run in a page that was empty; all lessons under nbval, as `make test` does it; the peak memory of
each one's kernel, run from top to bottom; and the seconds of each section of Deeper.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path
from statistics import median

import nbformat
from nbclient import NotebookClient

from tests.browser import NO_CHROMIUM, Lab, chromium_page, find_chromium, jupyterlab

from .side_by_side import HEAD, NotMeasured, Row, compare, load_since, machine, replace_section

BEGIN, END = "<!-- clock: begin -->", "<!-- clock: end -->"
ROOT = Path(__file__).resolve().parent.parent
FIRST = ROOT / "notebooks" / "00_the_whole_machine.ipynb"
STARTS = 5
PROBE = "from benchmarks.peak import peak_bytes\nprint(peak_bytes())"
ENVIRONMENT = {"JUPYTER_PREFER_ENV_PATH": "1", "JUPYTER_PATH": "", "GPTLIB_ANSWERS": "off"}

RUN_FIRST_CELL = """async () => {
  const {content} = window.jupyterapp.shell.currentWidget;
  content.deselectAll();
  content.activeCellIndex = content.widgets.findIndex(cell => cell.model.type === 'code');
  await window.jupyterapp.commands.execute('notebook:run-cell');
  return content.activeCell.model.outputs.toJSON().map(output => output.output_type);
}"""


def notebooks() -> list[Path]:
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def importing(runs: int = 25) -> Row:
    # A module compiled once stays compiled, as with everybody; pip has compiled the peer's.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def run(module: str):
        command = [sys.executable, "-c", f"import {module}"]
        return lambda: subprocess.run(command, check=True, env=environment)

    return compare("import gptlib", "import torch", run("gptlib"), run("torch"), runs)


def starting() -> str:
    """Seconds from starting JupyterLab to the first cell's output, several times."""
    what = "JupyterLab from its start to the output of lesson 00's first cell"
    executable = find_chromium()
    if executable is None:
        return str(NotMeasured(what, "10 s", NO_CHROMIUM)).removesuffix(" | |") + " |"
    found = [_one_start(executable) for _ in range(STARTS)]
    shown = f"{median(found):.1f} s ({min(found):.1f} to {max(found):.1f}, {STARTS} times)"
    return f"| {what} | 10 s | {shown} |"


def _one_start(executable: str) -> float:
    with tempfile.TemporaryDirectory() as name, chromium_page(executable) as (page, left):
        folder = Path(name)
        shutil.copy(FIRST, folder)
        began = time.perf_counter()
        with jupyterlab(folder) as url:
            Lab(page, url, folder, left).open(FIRST.name)
            outputs = page.evaluate(RUN_FIRST_CELL)
            took = time.perf_counter() - began
    if not outputs or "error" in outputs:
        raise RuntimeError(f"the first cell of {FIRST.name} gave {outputs}")
    return took


def series(paths: list[Path], jobs: str = "auto") -> str:
    """All notebooks against their committed outputs, as in `make test`."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", jobs, "--dist", "loadfile"]
    command += ["--nbval", "--nbval-current-env", *map(str, paths)]
    began = time.perf_counter()
    settings = ENVIRONMENT | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(command, cwd=ROOT, env=os.environ | settings, stdout=subprocess.PIPE)
    took = time.perf_counter() - began
    said = "all as committed" if done.returncode == 0 else "with failures"
    return (
        f"| the whole series under nbval, {len(paths)} notebooks | 360 s | {took:.0f} s, {said} |"
    )


def kernels(paths: list[Path]) -> Iterator[str]:
    """The peak memory and the seconds of each notebook's kernel."""
    for path in paths:
        notebook = nbformat.read(path, 4)
        notebook.cells.append(nbformat.v4.new_code_cell(PROBE))
        began = time.perf_counter()
        run(notebook, path.parent)
        took = time.perf_counter() - began
        peak = int(notebook.cells[-1].outputs[0].text)
        what = f"kernel of {path.stem.replace('_', ' ')}, peak memory"
        yield f"| {what} | 700 MB | {peak / 2**20:.0f} MB, after {took:.0f} s |"


def deeper(paths: list[Path]) -> Iterator[str]:
    """The seconds of each section of a notebook of Deeper."""
    for path in paths:
        notebook = nbformat.read(path, 4)
        run(notebook, path.parent)
        found = seconds(notebook)
        listed = ", ".join(f"{name} {took:.0f}" for name, took in found.items())
        longest = f"{max(found.values()):.0f} s: {listed}"
        yield f"| sections of Deeper {path.stem[:2]} | 60 s each | {longest} |"


def seconds(notebook: nbformat.NotebookNode) -> dict[str, float]:
    """{"A": its seconds, ...} of a notebook that was run; what comes before A is not counted."""
    found: Counter[str] = Counter()
    now = ""
    for cell in notebook.cells:
        if heading := re.search(r"^## (\w)\. .+ min\)$", cell.source, re.MULTILINE):
            now = heading[1]
        if now and cell.cell_type == "code":
            times = [datetime.fromisoformat(at) for at in cell.metadata.execution.values()]
            found[now] += (max(times) - min(times)).total_seconds()
    return dict(found)


def run(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """From top to bottom, in a kernel of its own."""
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}})
    settings = {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    client.execute(env=os.environ | ENVIRONMENT | settings)


def main() -> None:
    before = os.getloadavg()[0]
    lines = [*HEAD, str(importing()), "", "| what | at most | measured |", "|---|---|---|"]
    print(lines[2], flush=True)
    paths = notebooks()
    second_hour = sorted((ROOT / "notebooks" / "deeper").glob("*.ipynb"))
    for line in chain([starting()], kernels(paths), deeper(second_hour), [series(paths)]):
        print(line, flush=True)
        lines.append(line)
    head = [machine(), load_since(before) + "; here a MB is 2^20 bytes", ""]
    replace_section(BEGIN, END, "\n".join(head + lines))


if __name__ == "__main__":
    main()
