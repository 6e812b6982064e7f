"""What a hub needs: N students' kernels on one machine. `python -m benchmarks.hub`

Each kernel is a student in lesson 00, 05 or 07, in turn. All run their lesson at once; then the
memory of each is read, a slider is moved in each while all are idle, and again while every third
kernel trains; last, all train at once. The same without the lessons for several settings of
threads. Into docs/teach/hub.md. `--kernels 2 --settings 2` tries it quickly.
"""

import argparse
import json
import os
import queue
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

from tests.kernels import start_kernel

from .side_by_side import load_since, machine, replace_section

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "teach" / "hub.md"
BEGIN, END = "<!-- hub: begin -->", "<!-- hub: end -->"
LESSONS = ("00_the_whole_machine", "05_logits_and_softmax", "07_sampling")
PATIENCE = 3600  # seconds for a cell, where many wait for two cores
MOVES = 10  # of each slider
TRAINERS = 3  # every third kernel trains while the others' sliders are moved
STEPS = 100

SETTINGS = {  # what a hub tells its kernels
    "as they come": {},
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
    "OMP_NUM_THREADS=1": {"OMP_NUM_THREADS": "1"},
    "both": {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1"},
}
ADVICE = SETTINGS["both"]  # what docs/teach/hub.md and deploy/ tell a hub
QUIET = {"GPTLIB_ANSWERS": "off", "JUPYTER_PREFER_ENV_PATH": "1", "JUPYTER_PATH": ""}

SET_UP = """
import gptlib as _gptlib, torch as _torch
from gptlib import widgets as _widgets
_model, _tokenizer = _gptlib.load("pets")
_studio = _widgets.sampling_studio(_model, _tokenizer)
_ids = _tokenizer.encode("The cat is")
print(_studio.model_id)
"""
TRAIN = f"""
_text = _gptlib.corpora.pets.sample(2000, seed=1)
_tokens = _torch.tensor(_tokenizer.encode(_text, allowed_special="all"))
_config = _gptlib.GPTConfig(397, 64, n_layer=2, n_head=4, n_embd=64)
_how = _gptlib.TrainConfig({STEPS}, batch_size=16, device="cpu")
for _step in _gptlib.Trainer(_gptlib.GPT(_config, seed=0), _tokens, _how): pass
"""


class Student:
    """A kernel that somebody works in, in a folder of its own."""

    def __init__(self, number: int, environment: dict[str, str]) -> None:
        self.lesson = LESSONS[number % len(LESSONS)]
        self.folder = Path(tempfile.mkdtemp(prefix="gptlib-hub-")) / "notebooks"
        self.folder.mkdir()
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        its = {k: v for k, v in os.environ.items() if not k.startswith("OMP_")}
        its |= QUIET | {"PYTHONPATH": path, "IPYTHONDIR": str(self.folder)} | environment
        self.manager, self.client = start_kernel(PATIENCE, environment=its, cwd=self.folder)
        self.slider = self.ids = None

    def end(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        shutil.rmtree(self.folder.parent, ignore_errors=True)

    def run(self, code: str) -> str:
        """Run a cell; what it printed.

        Raises:
            RuntimeError: it failed.
        """
        said = []

        def keep(message: dict) -> None:
            if message["msg_type"] == "stream":
                said.append(message["content"]["text"])

        reply = self.client.execute_interactive(
            code, allow_stdin=False, output_hook=keep, timeout=PATIENCE
        )["content"]
        if reply["status"] != "ok":
            raise RuntimeError(f"{self.lesson}: {reply.get('ename')}: {reply.get('evalue')}")
        return "".join(said)

    def run_lesson(self) -> None:
        text = (ROOT / "notebooks" / f"{self.lesson}.ipynb").read_text(encoding="utf-8")
        for cell in json.loads(text)["cells"]:
            if cell["cell_type"] == "code":
                self.run("".join(cell["source"]))

    def open_slider(self) -> None:
        self.slider = self.run(SET_UP).split()[-1]
        self.ids = json.loads(self.run("print(_ids)"))

    def move(self) -> float:
        """Seconds from a moved slider to the kernel's answer: the logits of the model."""
        asked = time.monotonic_ns()
        content = {"id": asked, "ask": "logits", "ids": self.ids}
        data = {"method": "custom", "content": content}
        message = self.client.session.msg("comm_msg", {"comm_id": self.slider, "data": data})
        began = time.perf_counter()
        self.client.shell_channel.send(message)
        while True:
            heard = self.client.get_iopub_msg(timeout=PATIENCE)
            answer = heard["content"].get("data", {}) if heard["msg_type"] == "comm_msg" else {}
            if answer.get("content", {}).get("id") == asked:
                break
        took = time.perf_counter() - began
        with_errors = answer["content"].get("error")
        if with_errors:
            raise RuntimeError(with_errors)
        self._empty(self.client.get_shell_msg)
        return took

    def _empty(self, get: Callable) -> None:
        try:
            while True:
                get(timeout=0)
        except queue.Empty:
            pass

    def train(self) -> float:
        """Seconds of a cell that trains."""
        began = time.perf_counter()
        self.run(TRAIN)
        return time.perf_counter() - began

    def memory(self) -> float:
        """MB of its processes: what they alone use, and a share of what several use together."""
        return sum(map(proportional_set_size, family(self.manager.provisioner.pid))) / 2**20


def proportional_set_size(pid: int) -> int:
    """Bytes, as Linux counts them (Pss)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    line = next(line for line in text.splitlines() if line.startswith("Pss:"))
    return 1024 * int(line.split()[1])


def family(pid: int) -> Iterator[int]:
    """A process and those that it started."""
    yield pid
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in path.read_text(encoding="ascii").split():
            yield from family(int(child))


@contextmanager
def class_of(n: int, environment: dict[str, str]) -> Iterator[list[Student]]:
    """So many students, started four at a time."""
    students: list[Student] = []
    try:
        with ThreadPoolExecutor(4) as pool:
            for student in pool.map(lambda k: Student(k, environment), range(n)):
                students.append(student)
        yield students
    finally:
        for student in students:
            student.end()


def at_once(students: list[Student], what: Callable[[Student], object]) -> list:
    """What each student gets, who all do it at the same time."""
    with ThreadPoolExecutor(max(1, len(students))) as pool:
        return list(pool.map(what, students))


def moves(students: list[Student]) -> list[float]:
    """Round trips of all their sliders, one student after the other, in milliseconds."""
    return [1000 * student.move() for _ in range(MOVES) for student in students]


def moves_beside_training(students: list[Student]) -> list[float]:
    """The same while every third student's kernel trains, for as long as the first of these."""
    busy = students[::TRAINERS]
    others = [student for student in students if student not in busy] or students[:0]
    found: list[float] = []
    with ThreadPoolExecutor(len(busy)) as pool:
        training = [pool.submit(student.train) for student in busy]
        while others and not any(each.done() for each in training):
            for student in others:
                found.append(1000 * student.move())
        for each in training:
            each.result()
    return found


def p90(values: list[float]) -> float:
    return quantiles(values, n=10)[-1] if len(values) > 1 else max(values, default=float("nan"))


# ---- The two tables ----


def a_class(n: int) -> str:
    """A class that has run its lessons: memory, sliders, training."""
    with class_of(n, ADVICE) as students:
        began = time.perf_counter()
        at_once(students, Student.run_lesson)
        took = time.perf_counter() - began
        by_lesson = {name: [] for name in LESSONS}
        for student in students:
            by_lesson[student.lesson].append(student.memory())
        figures = _of_sliders_and_training(students)
    total = sum(map(sum, by_lesson.values())) / 1024
    each = " / ".join(f"{median(found):.0f}" if found else "-" for found in by_lesson.values())
    return f"| {n} | {each} MB | {total:.1f} GB | {took:.0f} s | {figures} |"


def a_setting(name: str, n: int) -> str:
    """The same kernels without the lessons, told something else about threads."""
    with class_of(n, SETTINGS[name]) as students:
        return f"| {name} | {_of_sliders_and_training(students)} |"


def _of_sliders_and_training(students: list[Student]) -> str:
    at_once(students, Student.open_slider)
    moves(students)  # each once, or what is loaded at the first move would be measured
    idle, beside = moves(students), moves_beside_training(students)
    training = at_once(students, Student.train)
    ms = [f"{median(f):.0f} / {p90(f):.0f} ms" if f else "-" for f in (idle, beside)]
    return " | ".join([*ms, f"{median(training):.1f} / {max(training):.1f} s"])


FIGURES = (
    "slider idle, median / p90 | slider while a third trains | training cell, median / longest"
)
HEAD = [
    "| kernels | memory a student, lessons 00 / 05 / 07 | together | all lessons at once | "
    + FIGURES
    + " |",
    "|---|---|---|---|---|---|---|",
]
HEAD_OF_SETTINGS = [f"| threads | {FIGURES} |", "|---|---|---|---|"]


def main() -> None:
    if sys.platform != "linux":
        sys.exit("This benchmark reads /proc, which only Linux has.")
    given = _parser().parse_args()
    before = os.getloadavg()[0]
    lines = list(HEAD)
    for n in given.kernels:
        lines.append(a_class(n))
        print(lines[-1], flush=True)
    lines += ["", f"Settings of threads, {given.settings} kernels:", "", *HEAD_OF_SETTINGS]
    for name in SETTINGS if given.settings else ():
        lines.append(a_setting(name, given.settings))
        print(lines[-1], flush=True)
    cores = len(os.sched_getaffinity(0))
    head = [machine(), f"{cores} cores; {load_since(before)}; here a MB is 2^20 bytes", ""]
    if given.dry:
        print("\n".join(head + lines))
    else:
        replace_section(BEGIN, END, "\n".join(head + lines), PAGE)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hub", description=__doc__)
    numbers = lambda text: [int(part) for part in text.split(",")]  # noqa: E731
    parser.add_argument("--kernels", type=numbers, default=[10, 20, 40], metavar="N,N")
    parser.add_argument("--settings", type=int, default=20, metavar="N", help="0 leaves them out")
    parser.add_argument("--dry", action="store_true", help="print, and leave hub.md as it is")
    return parser


if __name__ == "__main__":
    main()
