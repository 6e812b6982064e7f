"""Where files are cut: no token crosses a cut, and no document is cut in two."""

import io
import json

import pytest
from chunked import TEXT
from hypothesis import given, settings
from hypothesis import strategies as st

import gptlib
from gptlib import corpora
from gptlib.scale import chunks
from gptlib.scale.documents import STOP
from gptlib.scale.prepare import prepare


def test_chunks_join_to_the_files_and_encode_to_the_same_ids(small, files, tokenizer):
    for path in files:
        text, found = path.read_bytes().decode(), list(chunks.plan([path]))
        parts = [chunk.read() for chunk in found]
        assert "".join(parts) == text and len(parts) > 5
        assert [id for part in parts for id in tokenizer.encode(part)] == tokenizer.encode(text)
        assert max(c.end - c.start for c in found) <= 300 + 64


@settings(max_examples=300, deadline=None)
@given(
    text=st.text("ab'st1.\n \t\x1c\u00a0\u3000\u2028é日🐈", max_size=120) | st.text(max_size=80),
    place=st.integers(0, 200),
)
def test_a_cut_at_a_space_changes_no_piece(text, place):
    data = text.encode()
    cut = chunks.cut_after(io.BytesIO(data), place, len(data))
    assert min(place, len(data)) <= cut <= len(data)
    one, two = data[:cut].decode(), data[cut:].decode()  # never within a character
    assert gptlib.tokenizer.split(one) + gptlib.tokenizer.split(two) == gptlib.tokenizer.split(text)


@pytest.mark.parametrize("text", ["日本語" * 500, "x" * 2000, "\u00a0 " * 500, " \n" * 900])
def test_text_with_no_place_to_cut_is_cut_between_characters(small, tmp_path, text):
    (tmp_path / "a").write_bytes(text.encode())
    found = list(chunks.plan([tmp_path / "a"]))
    assert "".join(chunk.read() for chunk in found) == text
    assert max(c.end - c.start for c in found) <= 300 + 64


def test_the_end_of_each_file_is_held_out_and_of_a_long_text_no_more_than_that(small, files):
    found = list(chunks.plan(files))
    for path in files:
        size, path = path.stat().st_size, str(path)
        train = sum(c.end - c.start for c in found if (c.path, c.part) == (path, "train"))
        heldout = sum(c.end - c.start for c in found if (c.path, c.part) == (path, "heldout"))
        assert train + heldout == size and 100 < heldout < 600
        assert [c.last for c in found if c.path == path].count(True) == 2
    shards_of = {part: {c.shard for c in found if c.part == part} for part in ("train", "heldout")}
    assert not shards_of["train"] & shards_of["heldout"]
    assert sorted(set.union(*shards_of.values())) == list(range(found[-1].shard + 1))


def test_the_mark_that_windows_puts_before_utf_8_is_not_text(tmp_path):
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert next(chunks.plan([tmp_path / "a"])).read().startswith(TEXT[:10])


# ---- Files of many texts ----


def documents(count):
    return [f"Story {k} has a cat.\n\nAnd a dog {'x' * (k % 40)}." for k in range(count)]


def as_file(path, texts):
    """The texts as TinyStories has them, or as lines of JSON."""
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    else:
        path.write_text(f"\n{STOP}\n".join(texts) + f"\n{STOP}\n")
    return path


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_every_cut_is_between_two_documents(small, tmp_path, name, monkeypatch):
    monkeypatch.setattr(chunks, "WINDOW", 128)  # every document is shorter
    texts = documents(200)
    found = list(chunks.plan([as_file(tmp_path / name, texts)], documents=True))
    parts = [chunk.read() for chunk in found]
    assert "".join(parts) == "".join(text + STOP for text in texts)
    assert len(parts) > 10 and all(part.endswith(STOP) for part in parts)
    assert max(c.end - c.start for c in found) <= 300 + 128


def test_a_long_document_is_cut_where_no_token_crosses_and_never_within_a_stop_token(
    small, tmp_path
):
    for long in (TEXT[:2000], "x" * 2000):
        for shift in range(0, 320, 7):  # so that stop tokens are at every place in a chunk
            texts = ["y" * shift, long, "z", long + "end"]
            path = tmp_path / "a.txt"
            path.write_text(STOP.join(texts))
            found = list(chunks.plan([path], documents=True))
            parts = [chunk.read() for chunk in found]
            assert "".join(parts) == STOP.join(texts)
            assert sum(part.count(STOP) for part in parts) == 3


def test_a_line_of_json_is_never_cut_and_has_a_limit(small, tmp_path, monkeypatch):
    texts = ["short", "long " * 500, "short"] * 3
    path = as_file(tmp_path / "a.jsonl", texts)
    parts = [chunk.read() for chunk in chunks.plan([path], documents=True)]
    assert "".join(parts) == "".join(text + STOP for text in texts)
    monkeypatch.setattr(chunks, "LONGEST_LINE", 1000)
    with pytest.raises(ValueError, match="a.jsonl: the line around byte .* has 1,000 bytes"):
        list(chunks.plan([path], documents=True))


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_prepared_documents_have_the_ids_of_each_text_and_its_end(
    small, tmp_path, tokenizer, name, jobs
):
    texts = documents(100)
    path = as_file(tmp_path / name, texts)
    made = prepare([path], tmp_path / "out", tokenizer, jobs=jobs, documents=True)
    expected = [id for text in texts for id in [*tokenizer.encode(text), tokenizer.eos_id]]
    assert made.train[:].tolist() + made.heldout.tolist() == expected
    assert made.heldout[-1] == made.train[len(made.train) - 1 :] == tokenizer.eos_id
    corpus = corpora.load(path, documents=True)
    assert [id for part in corpus.encode(tokenizer) for id in part.tolist()] == expected
    with pytest.raises(ValueError, match="holds a different corpus"):
        prepare([path], tmp_path / "out", tokenizer)
    learned = prepare([path], tmp_path / "new", vocab_size=280, documents=True).tokenizer
    assert not any("|" in learned.token_str(id) for id in range(256, learned.vocab_size - 1))


def test_documents_need_a_stop_token(tmp_path):
    path = as_file(tmp_path / "a.txt", documents(20))
    tokenizer = gptlib.Tokenizer(special_tokens=())
    with pytest.raises(ValueError, match="tokenizer has no <|endoftext|>, which is to end each"):
        prepare([path], tmp_path / "out", tokenizer, documents=True)
