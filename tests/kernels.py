"""Jupyter kernels for tests: many that start at once, and a lesson treated as classes do."""

import json
import os
import queue
import re
import shutil
import tempfile
import threading
import time
import weakref
from pathlib import Path

import zmq
from jupyter_client.manager import KernelManager

TESTS = Path(__file__).resolve().parent
LONGEST = 300  # seconds for a cell or a start, on a machine that is busy with other things
LOOK_AGAIN = 2  # seconds until a kernel that is silent is looked after
DIED = "The kernel has died. It said:"
TRIES = 3  # to start a kernel, where it listens at ports
LONGEST_SOCKET = 90  # characters of a socket's name: no system takes less than 103


def start_kernel(timeout=LONGEST, environment=None, cwd=None, **options):
    """A kernel that is ready: (its manager, its client).

    A manager chooses ports that are free, and the kernel takes them a moment later: of many that
    start at once, some find theirs taken and die. So a kernel listens at files of its own where the
    system can do that, and elsewhere it is tried again.

    Args:
        options: of `KernelManager`, such as kernel_name.

    Raises:
        RuntimeError: it did not start, and what it said.
    """
    for tries_left in reversed(range(TRIES)):
        manager = _manager(options)
        said = {"stdout": manager.said, "stderr": manager.said}
        manager.start_kernel(cwd=cwd, env=dict(environment or os.environ), **said)
        try:
            return manager, meet(manager, timeout)
        except RuntimeError as error:
            words = what_it_said(manager)
            manager.shutdown_kernel(now=True)
            if not tries_left:
                raise RuntimeError(f"{error}. {DIED}\n{words}") from None


def _manager(options):
    """A manager with a folder of its own, for its files and for what the kernel says."""
    folder = Path(tempfile.mkdtemp(prefix="gptlib"))
    short = len(str(folder)) < LONGEST_SOCKET - len("/kernel-ipc-1")
    way = "ipc" if zmq.has("ipc") and short else "tcp"
    manager = KernelManager(connection_file=str(folder / "kernel.json"), transport=way, **options)
    manager.said = (folder / "said").open("wb")  # open for as long as there may be a restart
    weakref.finalize(manager, _forget, manager.said, folder)
    return manager


def _forget(said, folder):
    said.close()
    shutil.rmtree(folder, ignore_errors=True)


def meet(manager, timeout=LONGEST):
    """A client of a kernel that was just started, as soon as it answers."""
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=timeout)
    except BaseException:
        client.stop_channels()
        raise
    return client


def what_it_said(manager):
    """All that the kernel itself has printed, such as why it could not start."""
    return Path(manager.said.name).read_text(encoding="utf-8", errors="replace")


def for_nbval():
    """Let nbval start its kernels so, and say what one that died had said, without waiting long."""
    from nbval import kernel, plugin

    class Kernel(kernel.RunningKernel):
        def get_message(self, stream, timeout=None):
            end = time.monotonic() + (LONGEST if timeout is None else timeout)
            while True:
                wait = min(end - time.monotonic(), LOOK_AGAIN)
                try:
                    return super().get_message(stream, max(wait, 0))
                except queue.Empty:
                    if not self.is_alive():
                        raise RuntimeError(f"{DIED}\n{what_it_said(self.km)}") from None
                    if wait <= 0:
                        raise

    def start_new_kernel(startup_timeout, kernel_name, stderr, cwd):
        stderr.close()  # nbval would throw away what the kernel says
        specs = kernel.NbvalKernelspecManager()
        longest = max(startup_timeout, LONGEST)
        return start_kernel(longest, cwd=cwd, kernel_name=kernel_name, kernel_spec_manager=specs)

    kernel.start_new_kernel, plugin.RunningKernel = start_new_kernel, Kernel
    leave_out_pixels(plugin)


def leave_out_pixels(plugin):
    """Let nbval compare a picture's description in text/html, and not its pixels.

    nbval compares no image/png, since another processor may draw a pixel a shade off; the same
    pixels inside an <img> of text/html it would.
    """
    set_up = plugin.IPyNbFile.setup_sanitize_files

    def with_pictures(self):
        set_up(self)
        self.sanitize_patterns[r'(<img class="gptlib-picture" alt="[^"]*")[^>]*>'] = r"\1>"

    plugin.IPyNbFile.setup_sanitize_files = with_pictures


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
        self.manager, self.client = start_kernel(environment=os.environ | own, cwd=self.folder)
        try:
            self._execute("import updates as _updates")
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
        self.client = meet(self.manager)
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
