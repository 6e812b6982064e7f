"""Where files are cut: no token crosses a cut, and no document is cut in two."""

import io

import pytest
from chunked import TEXT
from hypothesis import given, settings
from hypothesis import strategies as st

import gptlib
from gptlib.scale import chunks


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
