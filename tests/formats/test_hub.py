"""gptlib.hub: GPT-2 by name, from a server of the test's own that answers as the Hub does."""

import hashlib
import importlib
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import random_ids

import gptlib
from gptlib import cli
from gptlib.formats import hub

huggingface_hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
settings = importlib.import_module("huggingface_hub.constants")

COMMIT = "c0ffee" + "0" * 34
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


class Hub(ThreadingHTTPServer):
    """What huggingface_hub asks of the Hub for one file: HEAD and GET of /resolve/, with ranges.

    A large file's /resolve/ redirects to another host, as the Hub's does to where the bytes lie.
    """

    def __init__(self, repository, files):
        super().__init__(("127.0.0.1", 0), _Answer)
        self.repository, self.files = repository, dict(files)
        self.breaks = 0  # so many answers with weights stop in the middle
        self.harsh = False  # and are reset then, as a router does that forgets a connection
        self.busy = False  # whether weights are answered with 503 from the first break on
        self.changed = {}  # {file: bytes that are sent instead}
        self.etags = {}  # {file: what is stated instead}
        self.asked = []  # (method, file, Range header or None)
        self.headers_seen = []
        self.revisions = []  # that were asked for
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def etag(self, file):
        data = self.files[file]
        if file.endswith(".safetensors"):
            own = hashlib.sha256(data).hexdigest()
        else:
            own = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        return self.etags.get(file, own)

    def ranges(self, file=WEIGHTS):
        return [asked for method, name, asked in self.asked if (method, name) == ("GET", file)]

    def stop(self):
        self.shutdown()
        self.server_close()


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        server = self.server
        server.headers_seen.append(dict(self.headers))
        kind, _, rest = self.path.strip("/").partition("/")
        if kind == "bytes":  # the other host
            return self.send(rest)
        repository, _, place = self.path.strip("/").partition("/resolve/")
        commit, _, file = place.partition("/")
        server.revisions.append(commit)
        if repository != server.repository:
            return self.fail(404, "RepoNotFound")
        if file not in server.files or commit not in ("main", COMMIT):
            return self.fail(404, "EntryNotFound")
        if not file.endswith(".safetensors"):
            return self.send(file)
        self.send_response(302)
        self.send_header("Location", f"http://localhost:{server.server_port}/bytes/{file}")
        self.send_header("X-Linked-Etag", f'"{server.etag(file)}"')
        self.send_header("X-Linked-Size", str(len(server.files[file])))
        self.finish_headers(0)

    def send(self, file):
        server, asked = self.server, self.headers.get("Range")
        server.asked.append((self.command, file, asked))
        data = server.changed.get(file, server.files[file])
        weights = file.endswith(".safetensors")
        if weights and server.busy and not server.breaks:
            return self.fail(503, "")
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("ETag", f'"{server.etag(file)}"')
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.finish_headers(len(data) - start)
        if self.command == "GET":
            if weights and server.breaks:
                server.breaks -= 1
                self.wfile.write(data[start : (start + len(data)) // 2])
                self.close_connection = True
                if server.harsh:
                    self.reset()
            else:
                self.wfile.write(data[start:])

    def reset(self):
        time.sleep(0.2)  # until what was sent has been read: a reset discards the rest
        self.wfile.flush()
        at_once = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        socket.close(self.connection.detach())

    def fail(self, status, code):
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.finish_headers(0)

    def finish_headers(self, length):
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(length))
        self.end_headers()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """{name: content} of a small GPT-2, and a pickle that nobody may ask for."""
    folder = tmp_path_factory.mktemp("small")
    tokenizer = gptlib.Tokenizer.train("The cat is sleeping. " * 20, 265)
    gptlib.save(folder, gptlib.GPT(gptlib.GPTConfig(265, 16, 2, 2, 8), seed=0), tokenizer)
    return {path.name: path.read_bytes() for path in folder.iterdir()} | {"pytorch_model.bin": b"x"}


@pytest.fixture
def server(files, tmp_path, monkeypatch):
    """The Hub with one GPT-2, and an empty cache; huggingface_hub takes the bytes as they come."""
    server = Hub(hub.REPOSITORIES["gpt2"], files)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setitem(hub.PINS, "gpt2", hub.Pin(COMMIT, {}))
    monkeypatch.setenv("GPTLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr(settings, "DOWNLOAD_CHUNK_SIZE", 1000)
    yield server
    server.stop()


def cache():
    return Path(os.environ["GPTLIB_CACHE"])


def refusal(*kinds):
    """The one line with which the name is refused."""
    with pytest.raises(kinds) as caught:
        gptlib.load("gpt2")
    line = str(caught.value)
    assert "\n" not in line and line.startswith("gpt2: ") and not (cache() / "gpt2").exists()
    return line


# ---- A download ----


def test_a_name_is_downloaded_checked_and_opened(server, files):
    model, tokenizer = gptlib.load("gpt2")
    assert tokenizer.encode("The cat is") == gptlib.load(cache() / "gpt2")[1].encode("The cat is")
    assert model(random_ids(model)).shape == (2, 6, 265) and not model.training
    got = {path.name: path.read_bytes() for path in (cache() / "gpt2").iterdir()}
    assert got == {name: data for name, data in files.items() if name != "pytorch_model.bin"}
    assert not list(cache().glob("*.partial"))
    assert server.ranges() == [None] and server.ranges("pytorch_model.bin") == []


def test_a_copy_in_the_cache_opens_with_no_server_and_without_huggingface_hub(server, monkeypatch):
    first = gptlib.GPT.from_pretrained("gpt2")
    server.stop()
    asked = list(server.asked)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    model, _ = gptlib.load("gpt2")
    assert torch.equal(model(random_ids(model)), first(random_ids(first)))
    assert server.asked == asked


def test_what_transformers_has_downloaded_already_is_opened_as_it_is(server, files):
    for name in ("config.json", "tokenizer.json", WEIGHTS):
        huggingface_hub.hf_hub_download("openai-community/gpt2", name, endpoint=server.url)
    server.stop()
    assert gptlib.load("gpt2")[0].config.n_embd == 8
    assert not cache().exists()


def test_no_token_is_ever_sent(server, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    gptlib.load("gpt2")
    assert server.headers_seen
    assert not any("authorization" in map(str.lower, seen) for seen in server.headers_seen)


def test_a_folder_of_that_name_here_comes_before_a_download(server, tmp_path):
    gptlib.save(tmp_path / "gpt2", gptlib.GPT(gptlib.GPTConfig(257, 8, 1, 1, 4)))
    assert gptlib.GPT.from_pretrained("gpt2").config.n_embd == 4
    assert server.asked == []


def test_a_model_in_several_files_is_downloaded_whole(server, files, tmp_path):
    (tmp_path / "whole.safetensors").write_bytes(files[WEIGHTS])
    tensors = load_file(tmp_path / "whole.safetensors")
    del server.files[WEIGHTS]
    where = {name: f"model-{1 + (i % 2)}.safetensors" for i, name in enumerate(tensors)}
    server.files[INDEX] = json.dumps({"metadata": {}, "weight_map": where}).encode()
    for part in set(where.values()):
        save_file({k: t for k, t in tensors.items() if where[k] == part}, tmp_path / part)
        server.files[part] = (tmp_path / part).read_bytes()
    model = gptlib.GPT.from_pretrained("gpt2")
    assert torch.equal(model.wte.weight, tensors["transformer.wte.weight"])
    assert (cache() / "gpt2" / "model-2.safetensors").is_file()


def test_several_that_ask_at_once_download_once(server):
    found = []
    askers = [threading.Thread(target=lambda: found.append(hub.folder("gpt2"))) for _ in range(3)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert found == [cache() / "gpt2"] * 3 and server.ranges() == [None]


def test_a_progress_bar_is_shown_in_a_terminal(server):
    code = (
        "import gptlib; from gptlib.formats import hub; "
        f"hub.PINS['gpt2'] = hub.Pin('{COMMIT}', {{}}); gptlib.load('gpt2')"
    )
    shown = os.environ | {"TQDM_POSITION": "-1"}  # for the library: as if stderr were a terminal
    done = subprocess.run([sys.executable, "-c", code], env=shown, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"gpt2/model.safetensors: 100%\|.+\|", done.stderr) and done.stdout == ""


# ---- What goes wrong ----


@pytest.mark.parametrize("harsh", [False, True], ids=["closed", "reset"])
def test_a_connection_that_breaks_in_the_middle_is_taken_up_where_it_broke(server, files, harsh):
    server.breaks, server.harsh = 1, harsh
    gptlib.load("gpt2")
    first, second = server.ranges()
    kept = int(re.fullmatch(r"bytes=(\d+)-", second)[1])
    assert first is None and 0 < kept <= len(files[WEIGHTS]) // 2
    assert (cache() / "gpt2" / WEIGHTS).read_bytes() == files[WEIGHTS]


def test_a_download_that_was_given_up_is_taken_up_by_the_next_call(server, files):
    server.breaks, server.busy = 1, True
    line = refusal(FileNotFoundError)
    assert "the download failed (" in line and "503" in line and "0 MB are kept" in line
    kept = (cache() / "gpt2.partial" / WEIGHTS).stat().st_size
    assert kept > 0
    server.busy, server.asked = False, []
    gptlib.load("gpt2")
    assert server.ranges() == [f"bytes={kept}-"]
    assert server.ranges("config.json") == []  # whole already, and checked again
    assert (cache() / "gpt2" / WEIGHTS).read_bytes() == files[WEIGHTS]


@pytest.mark.parametrize("file, kind", [(WEIGHTS, "SHA-256"), ("tokenizer.json", "SHA-1")])
def test_other_bytes_than_the_server_states_are_refused_and_not_kept(server, files, file, kind):
    wrong = bytearray(files[file])
    wrong[len(wrong) // 2] ^= 1
    server.changed = {file: bytes(wrong)}
    line = refusal(ValueError)
    assert f"/{file}: sent the wrong bytes ({kind} differs)" in line
    assert not (cache() / "gpt2.partial" / file).exists()
    server.changed = {}
    assert gptlib.load("gpt2")[0].config.n_embd == 8


def test_only_the_pinned_revision_is_asked_for(server, files, monkeypatch):
    monkeypatch.setitem(hub.PINS, "gpt2", hub.Pin("b" * 40, {}))  # the server has it not
    assert "404" in refusal(FileNotFoundError)
    monkeypatch.setitem(hub.PINS, "gpt2", hub.Pin(COMMIT, {}))
    gptlib.load("gpt2")
    assert {revision for revision in server.revisions if revision != "b" * 40} == {COMMIT}


@pytest.mark.parametrize("file", [WEIGHTS, "config.json", "tokenizer.json"])
def test_a_server_with_another_file_than_the_pinned_one_is_refused(
    server, files, monkeypatch, file
):
    """Whoever may write to the repository can state a hash of their own, too."""
    right = hashlib.sha256(files[file]).hexdigest()
    monkeypatch.setitem(hub.PINS, "gpt2", hub.Pin(COMMIT, {file: hashlib.sha256(b"x").hexdigest()}))
    line = refusal(ValueError)
    if file == WEIGHTS:  # the server states its SHA-256, so that nothing of it is downloaded
        assert f"a different file (SHA-256 {right})" in line and server.ranges() == []
    else:
        assert f"/{file}: sent the wrong bytes (SHA-256 differs)" in line
    monkeypatch.setitem(hub.PINS, "gpt2", hub.Pin(COMMIT, {file: right}))
    assert gptlib.load("gpt2")[0].config.n_embd == 8


def test_every_name_is_pinned_to_a_commit_and_its_files_to_hashes():
    assert hub.PINS.keys() == hub.REPOSITORIES.keys()
    for name, pin in hub.PINS.items():
        assert re.fullmatch("[0-9a-f]{40}", pin.revision)
        assert all(re.fullmatch("[0-9a-f]{64}", value) for value in pin.sha256.values())
        assert (WEIGHTS in pin.sha256) == (name != "gpt2-large")


def test_a_file_that_is_longer_than_stated_is_refused_and_not_kept(server, files):
    partial = cache() / "gpt2.partial"
    partial.mkdir(parents=True)
    (partial / WEIGHTS).write_bytes(files[WEIGHTS] + b"more")
    assert "sent the wrong bytes" in refusal(ValueError)
    assert gptlib.load("gpt2")[0].config.n_embd == 8


def test_a_server_that_states_no_hash_is_refused(server):
    server.etags = {WEIGHTS: "v1"}
    assert "gives no size or hash" in refusal(ValueError)
    assert server.ranges() == []  # and not after half a gigabyte


def test_only_a_pickle_on_offer_is_refused_and_never_asked_for(server):
    del server.files[WEIGHTS]
    line = refusal(ValueError)
    assert "openai-community/gpt2 has no model.safetensors" in line and "pickle" in line
    assert "pytorch_model.bin" not in {file for _, file, _ in server.asked}


def test_a_repository_that_is_not_there_says_so_in_one_line(server):
    server.repository = "another/one"
    assert "404" in refusal(FileNotFoundError)


def test_a_missing_config_or_tokenizer_is_an_error_and_a_missing_tokenizer_config_is_none(server):
    del server.files["tokenizer_config.json"]
    tokenizer = server.files.pop("tokenizer.json")
    assert "tokenizer.json" in refusal(FileNotFoundError)
    server.files["tokenizer.json"] = tokenizer
    assert gptlib.load("gpt2")[1].vocab_size == 265


def test_with_no_network_the_one_line_says_what_to_do(server, capsys):
    server.stop()
    began = time.monotonic()
    line = refusal(FileNotFoundError)
    assert time.monotonic() - began < 5
    assert "With a network, run it again" in line and f"copy {cache() / 'gpt2'}" in line
    assert "set GPTLIB_CACHE" in line
    assert cli.main(["sample", "--model", "gpt2", "--prompt", "Hi"]) == 2
    assert capsys.readouterr().err == f"gptlib: {line}\n"


def test_when_the_library_is_told_to_stay_offline_it_does(server, monkeypatch):
    monkeypatch.setattr(settings, "HF_HUB_OFFLINE", True)
    assert "With a network" in refusal(FileNotFoundError)
    assert server.asked == []


def test_without_huggingface_hub_the_one_line_names_the_command(server, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert "pip install huggingface_hub" in refusal(ImportError)


def test_a_cache_that_cannot_be_written_is_named(server, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GPTLIB_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(OSError, match="file"):
        gptlib.load("gpt2")


def test_every_name_of_gpt2_is_known():
    assert {"gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl"} < set(hub.REPOSITORIES)
    with pytest.raises(FileNotFoundError, match="gpt3: no such folder.*pets, gpt2, .*gpt2-xl"):
        gptlib.load("gpt3")
