"""Firefox without a window, for tests; it speaks WebDriver BiDi itself, so no driver is needed."""

import asyncio
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp

PATIENCE = 60  # seconds; a busy machine is slow, and no test measures time
NO_FIREFOX = "no Firefox found: install one, or name it with GPTLIB_FIREFOX"
FIREFOXES = ("firefox-esr", "firefox")
WINDOW = {"width": 1366, "height": 768}
PORT_FILE = "WebDriverBiDiServer.json"  # written by Firefox into its profile
# A proxy that is not there: nothing but this machine can be reached.
NOWHERE = {
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
}
ARROW_RIGHT = "\ue014"  # as WebDriver names the key


def find_firefox() -> str | None:
    """The browser that GPTLIB_FIREFOX names, or one that is installed, or None."""
    named = os.environ.get("GPTLIB_FIREFOX")
    if named:
        return shutil.which(named)
    return next(filter(None, map(shutil.which, FIREFOXES)), None)


class Firefox:
    """Its one page: runs JavaScript, presses keys; `errors` are those of the console."""

    def __init__(self, runner: asyncio.Runner, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._runner, self._socket, self._count = runner, socket, 0
        self.errors: list[str] = []
        self.call("session.new", capabilities={})
        self.call("session.subscribe", events=["log.entryAdded"])
        self.context = self.call("browsingContext.getTree")["contexts"][0]["context"]
        self.call("browsingContext.setViewport", context=self.context, viewport=WINDOW)

    def call(self, method: str, **params: object) -> dict:
        """The result of a command of WebDriver BiDi.

        Raises:
            RuntimeError: Firefox refuses it.
        """
        return self._runner.run(asyncio.wait_for(self._call(method, params), PATIENCE))

    async def _call(self, method: str, params: dict) -> dict:
        self._count += 1
        await self._socket.send_json({"id": self._count, "method": method, "params": params})
        while True:
            said = await self._socket.receive_json()
            if said.get("method") == "log.entryAdded" and said["params"]["level"] == "error":
                self.errors.append(said["params"]["text"])
            if said.get("id") == self._count:
                if said["type"] == "error":
                    raise RuntimeError(f"{method}: {said['error']}: {said['message']}")
                return said["result"]

    def open(self, url: str) -> None:
        self.call("browsingContext.navigate", context=self.context, url=url, wait="complete")

    def evaluate(self, function: str, given: object = None) -> object:
        """What a JavaScript function of one argument returns, or its promise gives, by JSON.

        Raises:
            RuntimeError: it throws.
        """
        code = f"async () => JSON.stringify((await ({function})({json.dumps(given)})) ?? null)"
        where = {"target": {"context": self.context}, "awaitPromise": True}
        done = self.call("script.callFunction", functionDeclaration=code, **where)
        if done["type"] == "exception":
            raise RuntimeError(done["exceptionDetails"]["text"])
        return json.loads(done["result"]["value"])

    def press(self, key: str, times: int = 1) -> None:
        """Press a key where the focus is."""
        actions = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")] * times
        source = {"type": "key", "id": "keyboard", "actions": actions}
        self.call("input.performActions", context=self.context, actions=[source])


@contextmanager
def firefox(executable: str) -> Iterator[Firefox]:
    """A Firefox with a profile of its own, which is ended and forgotten afterwards."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        lines = (f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in NOWHERE.items())
        (Path(home) / "user.js").write_text("".join(lines))
        command = [executable, "--headless", "--no-remote", "--remote-debugging-port=0"]
        process = subprocess.Popen(
            [*command, "--profile", home],
            env=os.environ | {"HOME": home},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            address = _address(process, Path(home) / PORT_FILE)
            with asyncio.Runner() as runner:
                session = runner.run(_session())
                try:
                    socket = runner.run(session.ws_connect(address, max_msg_size=0))
                    yield Firefox(runner, socket)
                finally:
                    runner.run(session.close())
        finally:
            process.terminate()
            try:
                process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


async def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession()


def _address(process: subprocess.Popen, port_file: Path) -> str:
    """Where it listens, as soon as it does."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            told = json.loads(port_file.read_text())
            return f"ws://{told['ws_host']}:{told['ws_port']}/session"
        except (OSError, ValueError, KeyError):  # not written, or not to its end
            time.sleep(0.05)
    raise RuntimeError("Firefox did not start")
