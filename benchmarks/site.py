"""The site's front page over a mobile line, in a real Chromium. `python -m benchmarks.site FOLDER`

FOLDER is what `make site` built. Chromium slows its own network down as its developer tools do;
nothing is kept from one visit to the next. The time of the first picture is Chromium's own
("first-contentful-paint" and the largest one after it); alive is when the machine can be used.
"""

import argparse
import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

from playwright.sync_api import sync_playwright

from tests.browser import FLAGS, NO_CHROMIUM, find_chromium

ROUNDS = 5
# (bytes a second, milliseconds of delay) of the developer tools' presets.
LINES = {"Fast 4G": (9_000_000 / 8 * 0.9, 165), "Slow 4G": (1_600_000 / 8 * 0.9, 562.5)}
PAINTS = """() => new Promise((done) => {
  new PerformanceObserver((list) => {
    const first = performance.getEntriesByName("first-contentful-paint")[0];
    done([first.startTime, list.getEntries().at(-1).startTime].map((t) => t / 1000));
  }).observe({ type: "largest-contentful-paint", buffered: true });
})"""
# From the slider's event to the frame in which the bars have moved: a message that is sent in a
# frame arrives when all of it has been done, and painted.
DRAG = """(root) => new Promise((done) => {
  const slider = root.querySelector('input[type="range"]');
  const label = () => root.querySelector('[role=img][aria-label^="After"]').ariaLabel;
  const [before, began] = [label(), performance.now()];
  const painted = new MessageChannel();
  let frames = 0;
  const wait = () => requestAnimationFrame(() => {
    frames += 1;
    painted.port2.postMessage(0);
  });
  painted.port1.onmessage = () => {
    if (label() !== before) done([frames, performance.now() - began]);
    else wait();
  };
  slider.value = "1.5";
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  wait();
})"""


class Quiet(SimpleHTTPRequestHandler):
    """Keeps a connection, as web servers do, and prints nothing."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass


def visit(browser, address: str, line: tuple[float, float]) -> dict[str, float]:
    """One visit with nothing kept: seconds to each moment, and bytes."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    down, delay = line
    slow = {"offline": False, "downloadThroughput": down, "uploadThroughput": down / 6}
    network.send("Network.emulateNetworkConditions", slow | {"latency": delay})
    got: list[int] = []
    network.on("Network.loadingFinished", lambda said: got.append(said["encodedDataLength"]))
    page.goto(address, wait_until="commit")
    page.locator("[data-explorer] .gptlib-live").first.wait_for()
    alive = page.evaluate("performance.now() / 1000")
    first, largest = page.evaluate(PAINTS)
    page.locator("[data-explorer]").nth(1).scroll_into_view_if_needed()
    studio = page.locator("[data-explorer]").nth(1).locator(".gptlib-live")
    studio.locator("[role=img]").first.wait_for()
    page.wait_for_timeout(500)
    frames, milliseconds = studio.evaluate(DRAG)
    context.close()
    found = {"first picture": first, "largest": largest, "alive": alive, "bytes": sum(got)}
    return found | {"frames of the first drag": frames, "its milliseconds": milliseconds}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.site", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    executable = find_chromium()
    if executable is None:
        raise SystemExit(NO_CHROMIUM)
    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        address = f"http://127.0.0.1:{server.server_port}/"
        for name, line in LINES.items():
            visits = [visit(browser, address, line) for _ in range(ROUNDS)]
            said = (f"{key} {median(v[key] for v in visits):,.2f}" for key in visits[0])
            print(f"{name}, median of {ROUNDS}: {', '.join(said)}")
        browser.close()
        server.shutdown()


if __name__ == "__main__":
    main()
