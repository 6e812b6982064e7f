"""A lesson in a real Jupyter kernel: its cells in any order, restarts, and ■ while one trains."""

import json
import os
import re
import threading
from pathlib import Path

from jupyter_client.manager import KernelManager

TESTS = Path(__file__).resolve().parent
LONGEST = 300  # seconds for a cell, on a machine that is busy with other things


class Lesson:
    """A notebook's code cells, from 0, and a kernel in `folder`, which ends with the block.

    with Lesson("00_the_whole_machine", tmp_path / "notebooks") as lesson:
        lesson.run(0)
    """

    def __init__(self, name, folder):
        text = (TESTS.parent / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8")
        cells = (c for c in json.loads(text)["cells"] if c["cell_type"] == "code")
        self.name, self.folder = name, folder
        self.sources = ["".join(cell["source"]) for cell in cells]
        self.ran = 0  # cells, by now

    def __enter__(self):
        self.folder.mkdir()
        paths = [TESTS, TESTS.parent, os.environ.get("PYTHONPATH")]
        # Nothing of the user's: no start-up files of IPython, no other gptlib.
        own = {"IPYTHONDIR": str(self.folder), "JUPYTER_PREFER_ENV_PATH": "1"}
        own["PYTHONPATH"] = os.pathsep.join(str(path) for path in paths if path)
        self.manager = KernelManager(connection_file=str(self.folder / "kernel.json"))
        self.manager.start_kernel(cwd=str(self.folder), env=os.environ | own)
        try:
            self._meet()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def restart(self):
        self.client.stop_channels()
        self.manager.restart_kernel(now=True)
        self._meet()

    def _meet(self):
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        self._execute("import updates as _updates")

    @property
    def cells(self):
        return range(len(self.sources))

    def run(self, k):
        """Run cell k, which must not fail; how many updates the optimizers in it made."""
        before = self.value("_updates.made")
        reply, _ = self._execute(self.sources[k])
        self.ran += 1
        trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(reply.get("traceback", ())))
        assert reply["status"] == "ok", f"{self.name}, code cell {k}: {self.sources[k]}\n{trace}"
        return self.value("_updates.made") - before

    def interrupt(self, k, after):
        """Run cell k and press ■ once it made `after` updates.

        How many it made, and whether it was stopped: it may have ended before, or train nothing.
        """
        before, ended = self.value("_updates.made"), threading.Event()
        sign = self.folder / "update-made"
        sign.unlink(missing_ok=True)
        self._execute(f"_updates.tell({before + after}, {sign.name!r})")

        def press():
            while not ended.wait(0.001):
                if sign.exists():
                    return self.manager.interrupt_kernel()

        thread = threading.Thread(target=press)
        thread.start()
        reply, printed = self._execute(self.sources[k])
        ended.set(), thread.join()
        self.ran += 1
        stopped = reply.get("ename") == "KeyboardInterrupt" or "Stopped after step" in printed
        assert reply["status"] == "ok" or stopped, f"{self.name}, code cell {k}: {reply}"
        return self.value("_updates.made") - before, stopped

    def value(self, expression):
        """What the kernel says that a number is."""
        reply, _ = self._execute("", {"it": expression})
        return json.loads(reply["user_expressions"]["it"]["data"]["text/plain"])

    def _execute(self, code, expressions=None):
        """(the kernel's reply, what was printed)."""
        printed = []

        def keep(message):
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])

        message = self.client.execute_interactive(
            code,
            user_expressions=expressions,
            allow_stdin=False,
            output_hook=keep,
            timeout=LONGEST,
        )
        return message["content"], "".join(printed)
