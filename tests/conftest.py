"""What several tests share: a tiny model, the shipped pets model, and no network."""

import os
import signal
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import soak
import torch

import gptlib
from gptlib.corpora import pets as grammar

pytest.register_assert_rewrite("live")  # before any test imports it
os.environ.setdefault("GPTLIB_ANSWERS", "off")  # checks that tests run are nobody's answers
# Whoever starts tests in the background (`nohup make test &`) has these ignored, and so would every
# program that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
torch.set_num_threads(1)  # for tensors as small as these, threads cost more than they save


@pytest.fixture
def config():
    """A shape small enough to check by eye, with no two sizes the same."""
    return gptlib.GPTConfig(vocab_size=11, block_size=8, n_layer=2, n_head=2, n_embd=12)


@pytest.fixture
def model(config):
    return gptlib.GPT(config, seed=0).eval()


@pytest.fixture
def lively(model):
    """The same with every weight far from its start, biases and gains too.

    At the start attention is nearly even and the logits nearly equal: mistakes would not show.
    """
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.4)
    return model


@pytest.fixture
def two_threads():
    """PyTorch on two threads; as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def pets():
    """(model, tokenizer) as shipped; not to be changed."""
    return gptlib.load("pets")


@pytest.fixture(scope="session")
def gpt2_tokenizer():
    """GPT-2's own; not to be changed."""
    return gptlib.Tokenizer.gpt2()


@pytest.fixture
def corpus(tmp_path):
    """A small text file."""
    path = tmp_path / "pets.txt"
    path.write_text(grammar.sample(40, seed=0).replace(grammar.STOP, "\n"), encoding="utf-8")
    return path


@pytest.fixture
def server(monkeypatch):
    """Something to download from: `answer` is (status, bytes, promised length); counts `visits`."""

    class Server(HTTPServer):
        answer, visits = (404, b"", 0), 0

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body, length = self.server.answer
            self.server.visits += 1
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("no_proxy", "*")
        server.url = f"http://127.0.0.1:{server.server_port}/"
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """No test may leave the machine: the course promises to work without a network."""
    connect = socket.socket.connect

    def local_only(self, address):
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"a test tried to reach {address[0]}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)


def pytest_addoption(parser):
    parser.addoption("--soak-results", action="store_true", help="write benchmarks/RESULTS.md")


def pytest_terminal_summary(terminalreporter, config):
    if config.getoption("--soak-results"):
        soak.write(terminalreporter.stats, whole=config.args == ["tests"])


def pytest_runtest_setup(item):
    if item.get_closest_marker("cuda") and not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
