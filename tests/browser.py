"""A real JupyterLab in a real browser, for the tests of the widgets and for their benchmark.

Started in a folder of its own: what a user has set up at home, or opened yesterday, plays no part.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import nbformat
from playwright.sync_api import Error, Locator, Page, sync_playwright

PATIENCE = 30  # seconds; a busy machine is slow, and no test measures time
NO_CHROMIUM = "no Chromium found: install one, or name it with GPTLIB_CHROMIUM"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# What a browser would fetch for itself is switched off, and every name but this machine's is
# unknown to it. The window is high enough for two explorers: JupyterLab leaves out of the page what
# is far outside.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
WINDOW = {"width": 1280, "height": 1900}
# Those in which explorers are looked at: name -> (width, height in CSS pixels, device pixels in one
# of them).
WINDOWS = {
    "laptop": (1366, 768, 1),
    "projector": (1280, 720, 1.5),  # 1920 x 1080 at 150 %
    "phone": (390, 844, 2),
    "zoomed": (683, 384, 2),  # the laptop, with a browser that shows everything twice as large
}
NARROW = 800  # there the file browser is put away, as a person would do
HERE = ("127.0.0.1", "localhost")
TYPED = 20  # signs; each makes an explorer draw, and what is longer would take seconds


def find_chromium() -> str | None:
    """The browser that GPTLIB_CHROMIUM names, or one that is installed, or None."""
    named = os.environ.get("GPTLIB_CHROMIUM")
    if named:
        return shutil.which(named)
    return next(filter(None, map(shutil.which, CHROMIUMS)), None)


def chromium() -> str:
    """The browser for a test, which is skipped without one, or fails where one is required."""
    import pytest  # noqa: PLC0415  (this file also runs without it)

    executable = find_chromium()
    if executable is None:
        if os.environ.get("GPTLIB_REQUIRE_BROWSER") == "1":
            pytest.fail(f"GPTLIB_REQUIRE_BROWSER is 1, and there is {NO_CHROMIUM}")
        pytest.skip(NO_CHROMIUM)
    return executable


@contextmanager
def jupyterlab(
    folder: Path, command: Sequence[str | Path] = (sys.executable, "-m", "jupyterlab"), **variables
) -> Iterator[str]:
    """JupyterLab, or another front end, over `folder`, with no settings but ours; its address."""
    own = folder / ".jupyter"
    places = ("CONFIG", "DATA", "RUNTIME")
    environment = os.environ | {f"JUPYTER_{place}_DIR": str(own / place) for place in places}
    environment |= {"IPYTHONDIR": str(own / "ipython"), "JUPYTER_PREFER_ENV_PATH": "1"}
    environment |= {"JUPYTER_PATH": "", "JUPYTERLAB_SETTINGS_DIR": str(own / "settings")}
    environment |= {"JUPYTERLAB_WORKSPACES_DIR": str(own / "workspaces")}
    environment |= variables
    pages = own / "CONFIG" / "labconfig"
    pages.mkdir(parents=True)
    off = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (pages / "page_config.json").write_text(json.dumps(off))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {
        "config": Path(__file__).parent.parent / "notebooks" / "jupyter_config.py",
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": folder,
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,
        "IdentityProvider.token": "",  # nobody else's browser finds this port
        # `window.jupyterapp`, for what is no test of ours
        "LabApp.expose_app_in_browser": True,
        "JupyterNotebookApp.expose_app_in_browser": True,
        "LanguageServerManager.autodetect": False,
    }
    said = own / "server.txt"
    with said.open("w") as log:
        server = subprocess.Popen(
            [*command, *(f"--{k}={v}" for k, v in options.items())],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            _wait_until_it_listens(server, port, said)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()  # and its kernels with it
            try:
                server.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                server.kill()


def _wait_until_it_listens(server: subprocess.Popen, port: int, said: Path) -> None:
    end = time.monotonic() + 2 * PATIENCE
    while time.monotonic() < end and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"JupyterLab did not start:\n{said.read_text()[-3000:]}")


@contextmanager
def chromium_page(executable: str) -> Iterator[tuple[Page, list[str]]]:
    """A page of a headless browser, and the list of addresses off this machine that it asks for."""
    left: list[str] = []

    def note(asked) -> None:
        url = urlsplit(asked.url)
        if url.scheme not in ("data", "blob", "about") and url.hostname not in HERE:
            left.append(asked.url)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        context = browser.new_context(viewport=WINDOW, reduced_motion="reduce")
        page = context.new_page()
        context.on("request", note)
        page.on("websocket", note)
        page.set_default_timeout(PATIENCE * 1000)
        try:
            yield page, left
        finally:
            context.close()
            browser.close()


class Lab:
    """JupyterLab as a person has it before them."""

    def __init__(self, page: Page, url: str, folder: Path, left: list[str]) -> None:
        self.page, self.url, self.folder, self.left = page, url, folder, left
        own = uuid4().hex  # a workspace without the tabs of an earlier page
        page.goto(f"{url}/lab/workspaces/{own}")
        page.wait_for_function("window.jupyterapp?.restored")
        page.evaluate("window.jupyterapp.restored.then(() => null)")

    def command(self, name: str, **arguments: object) -> None:
        """What a menu of JupyterLab would do."""
        self.page.evaluate(
            "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => null)",
            [name, arguments],
        )

    def theme(self, name: str) -> None:
        """JupyterLab Light or JupyterLab Dark."""
        self.command("apputils:change-theme", theme=name)
        light = str(name == "JupyterLab Light").lower()
        self.page.wait_for_selector(f'body[data-jp-theme-light="{light}"]', state="attached")
        self.page.wait_for_timeout(100)  # colours that fade into others have arrived

    @contextmanager
    def window(self, name: str) -> Iterator[None]:
        """The page in one of WINDOWS, and afterwards in the one of before."""
        before, (width, height, _) = self.page.viewport_size, WINDOWS[name]
        self.page.set_viewport_size({"width": width, "height": height})
        with self.put_away() if width < NARROW else nullcontext():
            yield
        self.page.set_viewport_size(before)

    @contextmanager
    def put_away(self) -> Iterator[None]:
        """Without the file browser, which leaves more room; afterwards with it."""
        self.command("application:toggle-left-area")
        yield
        self.command("application:toggle-left-area")

    def leave(self) -> None:
        """The light theme again, which the server remembers, and nothing open."""
        self.theme("JupyterLab Light")
        self.page.evaluate(_CLOSE_ALL)

    def new_notebook(self, name: str, *cells: str) -> "Notebook":
        """Write a notebook of these cells, and open it."""
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(made, self.folder / name)
        return self.open(name)

    def open(self, path: str) -> "Notebook":
        """Open a notebook of the folder in place of any other, with the kernel that is running.

        What an earlier notebook showed is closed. To import PyTorch anew for each notebook would
        take longer than what is done there; so the kernel of an earlier test file does, too.
        """
        kernel = self.page.evaluate(_CLOSE_ALL)
        more = {"kernel": {"id": kernel}} if kernel else {}
        self.command("docmanager:open", path=path, factory="Notebook", **more)
        self.page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
        self.page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.ready")
        return Notebook(self)


_CLOSE_ALL = """async () => {
  const { kernels } = window.jupyterapp.serviceManager;
  await kernels.refreshRunning();
  let found = [...kernels.running()].find(one => one.execution_state !== 'dead')?.id ?? null;
  for (const panel of [...window.jupyterapp.shell.widgets('main')]) {
    const kernel = panel.sessionContext?.session?.kernel;
    if (kernel) {
      const code = 'import ipywidgets; ipywidgets.Widget.close_all()';
      await kernel.requestExecute({code, store_history: false}).done;
      found = kernel.id;
    }
    panel.dispose();
  }
  return found;
}"""


class Notebook:
    """The one notebook that is open."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.page = lab, lab.page
        self.panel = self.page.locator(".jp-NotebookPanel")

    def run_all(self) -> None:
        """Run its cells. On a busy machine a page that has just begun may lose such a run and, as
        Chromium says, its promise: then a person presses the button once more."""
        try:
            self.lab.command("notebook:run-all-cells")
        except Error as error:
            if "garbage collected" not in str(error):
                raise
            self.lab.command("notebook:run-all-cells")

    def explorers(self, count: int) -> "list[Explorer]":
        """The explorers in its outputs, when there are `count` and each has its picture."""
        found = self.panel.locator(".gptlib-explorer")
        found.nth(count - 1).locator("[role=img], [role=region]").first.wait_for()
        return [Explorer(self.page, found.nth(place)) for place in range(found.count())]

    def errors(self) -> list[str]:
        """Everything that the outputs say went wrong."""
        wrong = (
            ".jp-OutputArea [data-mime-type*='error'], .jp-OutputArea [data-mime-type*='stderr']"
        )
        wrong += ", .gptlib-explorer [role=alert], .jp-OutputArea .jupyter-widgets-error-widget"
        return self.panel.locator(wrong).all_inner_texts()


class Explorer:
    """One explorer, read and moved as a person with a keyboard does."""

    def __init__(self, page: Page, root: Locator) -> None:
        self.page, self.root = page, root

    def control(self, role: str, name: str) -> Locator:
        """A control by what a screen reader announces."""
        return self.root.get_by_role(role, name=name, exact=True)

    def controls(self) -> set[tuple[str, str]]:
        """(role, name) of everything that takes the focus or a value."""
        found = set()
        for line in self.root.aria_snapshot().splitlines():
            said = re.match(r"""\s*- '?(\w+)(?: "([^"]*)")?""", line)
            if said and said[1] in ROLES:
                found.add((said[1], said[2] or ""))
        return found

    def reach(self, role: str, name: str) -> None:
        """Go to a control with Tab, or back with Shift+Tab."""
        target = self.control(role, name).element_handle()
        for _ in range(60):
            way = target.evaluate(_WAY)
            if not way:
                return
            self.page.keyboard.press(way)
        raise AssertionError(f"Tab does not reach {role} {name!r}")

    def press(self, role: str, name: str, key: str, times: int = 1) -> None:
        """Go to a control and press a key there."""
        self.reach(role, name)
        for _ in range(times):
            self.page.keyboard.press(key)

    def type(self, role: str, name: str, words: str) -> None:
        """Go to a box, and type something else into it; what is long is pasted."""
        self.reach(role, name)
        self.page.keyboard.press("ControlOrMeta+a")
        if len(words) <= TYPED:
            self.page.keyboard.type(words)
        else:
            self.page.keyboard.insert_text(words)
        self.page.keyboard.press("Enter")

    def value(self, role: str, name: str) -> str:
        """What a box holds."""
        return self.control(role, name).input_value()

    def label(self) -> str:
        """What a screen reader says of the picture."""
        return self.root.locator("[role=img], [role=region]").first.get_attribute("aria-label")

    def words(self) -> list[str]:
        """All that is written in the picture, in the order of the document."""
        return self.root.evaluate(_WORDS)

    def row(self, name: str, count: int) -> list[str]:
        """The `count` words after the last that is `name`."""
        words = self.words()
        last = len(words) - 1 - words[::-1].index(name)
        return words[last + 1 : last + 1 + count]


ROLES = "textbox slider spinbutton button combobox checkbox radio link".split()
_WORDS = """root => [...root.querySelectorAll('.widget-html svg text, th, td span, caption')]
  .map(element => element.textContent)"""
_WAY = """target => {
  const now = document.activeElement;
  if (now === target) return '';
  return now.compareDocumentPosition(target) & 4 ? 'Tab' : 'Shift+Tab';
}"""


def settled(read: Callable[[], object], expected: object) -> object:
    """What `read` gives as soon as it is what is expected; after PATIENCE, what it is then."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            seen = read()
        except ValueError as error:  # a row that is not there yet
            seen = error
        if seen == expected or time.monotonic() > end:
            return seen
        time.sleep(0.02)


if __name__ == "__main__" and find_chromium() is None:  # the end of `make test`
    print(f"\nThe widgets were NOT tried in a browser: {NO_CHROMIUM}.")
