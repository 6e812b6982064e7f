"""gptlib.corpora: the loaders of text, and what they refuse."""

import hashlib
import io
import json
import os
import threading

import pytest
import torch

import gptlib
from gptlib import corpora
from gptlib.corpora import pets as grammar
from gptlib.formats.files import cache_dir

STOP = grammar.STOP


# ---- As tokens ----


def test_in_the_pets_corpus_stop_tokens_are_read_as_such(pets):
    corpus, tokenizer = corpora.load("pets"), pets[1]
    heldout = corpus.encode(tokenizer)[1]
    assert (heldout == tokenizer.eos_id).sum() == corpus.heldout.count(STOP) > 0


# ---- Real text ----


def test_python_docs_are_prose_inside_every_python():
    corpus = corpora.load("python-docs")
    assert len(corpus.train) > 100_000 and "lambda" in corpus.train and not corpus.documents
    assert 0.09 < len(corpus.heldout) / len(corpus.train + corpus.heldout) < 0.11


def test_a_python_without_its_manual_says_what_to_do(monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(corpora.importlib, "import_module", absent)
    with pytest.raises(FileNotFoundError, match="name a text file instead"):
        corpora.load("python-docs")


def test_a_text_file_is_cut_in_two_after_a_line(tmp_path, monkeypatch):
    text = "".join(f"caf\u00e9 {k}\n" for k in range(100))
    (tmp_path / "a.txt").write_bytes(text.encode())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for name in (tmp_path / "a.txt", str(tmp_path / "a.txt"), "~/a.txt"):
        train, heldout = corpus = corpora.load(name)
        assert train + heldout == text and train.endswith("\n")
        assert heldout.count("\n") == 10 and not corpus.documents
    assert repr(corpus) == f"Corpus('~/a.txt', train={len(train)}, heldout={len(heldout)})"


@pytest.mark.parametrize("text", ["x" * 1000, "A title\n" + "x" * 992])
def test_a_text_of_one_enormous_line_is_cut_inside_it(tmp_path, text):
    (tmp_path / "a.txt").write_bytes(text.encode())
    assert [len(part) for part in corpora.load(tmp_path / "a.txt")] == [900, 100]


def test_a_stop_token_in_a_users_text_is_plain_text(tmp_path):
    (tmp_path / "a.txt").write_text(f"one{STOP}two\n" * 30)
    corpus = corpora.load(tmp_path / "a.txt")
    tokenizer = gptlib.Tokenizer.train(corpus.train, 261)
    assert (corpus.encode(tokenizer)[0] != tokenizer.eos_id).all()
    assert corpus.encode(tokenizer)[0].dtype == torch.int64


def test_a_text_that_cannot_be_read_is_refused_with_its_name_and_place(tmp_path):
    path = tmp_path / "a.txt"
    for content, words in (
        (b"", "has 0 characters; a corpus needs 200"),
        (b"short", "has 5 characters"),
        (b"line\n" * 100 + b"\xff", r"not UTF-8 at byte 500 .line 101."),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"a.txt: {words}"):
            corpora.load(path)
    with pytest.raises(ValueError, match="is a folder"):
        corpora.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="pets, python-docs, shakespeare"):
        corpora.load(tmp_path / "absent.txt")


# ---- Shakespeare: downloaded once, checked, kept ----


@pytest.mark.skipif(
    not (cache_dir() / corpora.SHAKESPEARE_FILE).exists(),
    reason="Shakespeare's text is not in the cache folder, and tests download nothing",
)
def test_shakespeare_comes_from_the_cache():
    corpus = corpora.load("shakespeare")
    assert len((corpus.train + corpus.heldout).encode()) == 1_115_394
    assert corpus.train.startswith("First Citizen:\nBefore we proceed")


PLAY = b"First Citizen:\nBefore we proceed any further, hear me speak.\n" * 10


@pytest.fixture
def server(server, tmp_path, monkeypatch):
    """Where the play is downloaded from; the cache is empty."""
    server.answer = (200, PLAY, len(PLAY))
    monkeypatch.setenv("GPTLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(corpora, "SHAKESPEARE_URL", server.url)
    monkeypatch.setattr(corpora, "SHAKESPEARE_SHA256", hashlib.sha256(PLAY).hexdigest())
    return server


def test_shakespeare_is_downloaded_once_and_kept(server, tmp_path):
    for _ in range(2):
        corpus = corpora.load("shakespeare")
        assert (corpus.train + corpus.heldout).encode() == PLAY
    assert server.visits == 1
    assert [p.name for p in (tmp_path / "cache").iterdir()] == ["tinyshakespeare.txt"]


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ((404, b"", 0), FileNotFoundError, "download failed .Not Found."),
        ((200, PLAY[:99], len(PLAY)), FileNotFoundError, "download failed .IncompleteRead"),
        ((200, b"<html>Log in", 12), ValueError, "sent a different file .SHA-256 differs."),
        (None, FileNotFoundError, "download failed"),  # nobody listens there
    ],
)
def test_a_download_that_fails_says_what_to_do_and_keeps_nothing(
    server, tmp_path, answer, error, words
):
    server.answer = answer
    if answer is None:
        server.server_close()
    with pytest.raises(error, match=words) as caught:
        corpora.load("shakespeare")
    for advice in (
        "GPTLIB_CACHE",
        str(tmp_path / "cache"),
        "pets and python-docs need no download",
    ):
        assert advice in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_a_damaged_file_in_the_cache_is_refused_and_left_alone(server, tmp_path):
    (tmp_path / "cache").mkdir()
    path = tmp_path / "cache" / "tinyshakespeare.txt"
    path.write_text("not he")
    with pytest.raises(ValueError, match="SHA-256 differs.: delete it"):
        corpora.load("shakespeare")
    assert path.read_text() == "not he" and server.visits == 0


def test_the_mark_that_windows_puts_before_utf_8_is_not_text(tmp_path):
    path = tmp_path / "notepad.txt"
    path.write_bytes(b"\xef\xbb\xbf" + b"The cat is sleeping.\n" * 50)
    assert corpora.load(path).train.startswith("The cat")


# ---- Many texts in one file ----


def stories(path, count=40):
    """A file of stories, and the stories."""
    texts = [f"Story {k} is about a cat.\n\nIt sleeps." for k in range(count)]
    if path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps({"text": text}) for text in texts))
    else:
        path.write_text("".join(f"{text}\n<|endoftext|>\n" for text in texts))
    return texts


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_documents_are_whole_and_each_is_ended_by_the_stop_token(tmp_path, name):
    texts = stories(tmp_path / name)
    corpus = corpora.load(tmp_path / name, documents=True)
    assert corpus.train + corpus.heldout == "".join(text + "<|endoftext|>" for text in texts)
    assert corpus.heldout == "".join(text + "<|endoftext|>" for text in texts[36:])
    tokenizer = gptlib.Tokenizer.train(corpus.train, 300)
    train, heldout = corpus.encode(tokenizer)
    assert (train == tokenizer.eos_id).sum() == 36 and (heldout == tokenizer.eos_id).sum() == 4
    assert train[-1] == heldout[-1] == tokenizer.eos_id and not corpus.aligned


def test_without_documents_a_stop_token_of_the_users_own_text_is_plain_text(tmp_path):
    stories(tmp_path / "a.txt")
    plain = corpora.load(tmp_path / "a.txt")
    tokenizer = gptlib.Tokenizer.train(plain.train, 300)
    assert not (plain.encode(tokenizer)[0] == tokenizer.eos_id).any()
    assert plain.fingerprint != corpora.load(tmp_path / "a.txt", documents=True).fingerprint


def test_a_text_that_has_no_two_documents_is_refused(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("The cat is sleeping.\n" * 50)
    with pytest.raises(ValueError, match="a.txt: has fewer than 2 documents"):
        corpora.load(path, documents=True)
    (tmp_path / "a.jsonl").write_text('{"text": "' + "a" * 300 + '"}\n{"title": 7}\n')
    with pytest.raises(ValueError, match='a.jsonl: line 2 is not JSON with a "text"'):
        corpora.load(tmp_path / "a.jsonl", documents=True)
    with pytest.raises(ValueError, match="python-docs: is one text"):
        corpora.load("python-docs", documents=True)
    assert corpora.load("pets", documents=True) == corpora.load("pets")


def test_a_huge_and_a_tiny_document_leave_one_to_hold_out(tmp_path):
    path = tmp_path / "a.txt"
    for texts in (["x" * 1000, "end"], ["start", "x" * 1000]):
        path.write_text("<|endoftext|>".join(texts))
        corpus = corpora.load(path, documents=True)
        assert [part.removesuffix("<|endoftext|>") for part in corpus] == texts


# ---- What is no file ----


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_a_pipe_is_read_to_its_end_and_what_never_ends_to_a_limit(tmp_path, monkeypatch):
    text = "The cat is sleeping.\n" * 50
    os.mkfifo(tmp_path / "pipe")
    for limit in (len(text), len(text) - 1):
        monkeypatch.setattr(corpora, "LONGEST_STREAM", limit)
        writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=(text,))
        writer.start()
        if limit == len(text):
            corpus = corpora.load(tmp_path / "pipe")
            assert corpus.train + corpus.heldout == text
        else:
            with pytest.raises(ValueError, match="pipe: is not a file, and gives more than 1,049"):
                corpora.load(tmp_path / "pipe")
        writer.join()
    if os.path.exists("/dev/zero"):
        with pytest.raises(ValueError, match="/dev/zero: is not a file, and gives more than"):
            corpora.load("/dev/zero")


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="there is no /dev/null")
def test_several_processes_do_not_share_out_one_stream(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="/dev/null: is not a file, so only one process"):
        corpora.load("/dev/null")


def test_a_file_that_no_memory_holds_is_said_to_be_too_large(tmp_path, monkeypatch):
    class Huge(io.BytesIO):
        def read(self):
            raise MemoryError

    (tmp_path / "huge").touch()
    monkeypatch.setattr(corpora, "open", lambda *args: Huge(), raising=False)
    with pytest.raises(ValueError, match="huge: too large for the memory; gptlib prepare takes"):
        corpora.load(tmp_path / "huge")
