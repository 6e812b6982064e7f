"""gptlib.formats.vocab: vocab.json with merges.txt, and tiktoken's ranks, in and out."""

import json
import sys
from base64 import b64encode

import pytest
from difficult import DIFFICULT as PASSAGES
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import DIFFICULT, EOT, PETS, USER, assigned, train_quietly

from gptlib.formats import saves
from gptlib.tokenizer import Tokenizer

FILES = ["added_tokens.json", "merges.txt", "vocab.json"]


# --- vocab.json and merges.txt -----------------------------------------------------------------


def test_vocab_and_merges_bring_back_the_same_tokenizer(mixed, learned, tmp_path):
    backwards = Tokenizer([(158, 157)], byte_ids=range(255, -1, -1))
    for tokenizer in (mixed, learned, backwards, Tokenizer(), Tokenizer(special_tokens=())):
        tokenizer.save_vocab(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == FILES
        assert Tokenizer.from_vocab(str(tmp_path)) == Tokenizer.load(tmp_path) == tokenizer


def test_the_two_files_are_laid_out_as_gpt2s_own(tmp_path):
    Tokenizer.train("thé the", 261).save_vocab(tmp_path)
    # (t, h) stands twice; of the others, once each, the smallest pair of ids: Ġ is 32, Ã 195.
    lines = (tmp_path / "merges.txt").read_bytes().decode().split("\n")
    assert lines == ["#version: 0.2", "t h", "Ġ th", "Ã ©", "th Ã©", ""]
    vocab = json.loads((tmp_path / "vocab.json").read_bytes())
    assert vocab["Ā"] == 0 and vocab["Ġ"] == 32 and vocab["th"] == 256 and vocab[EOT] == 260


def test_a_folder_opens_by_its_tokenizer_json_first(learned, mixed, tmp_path):
    learned.save_vocab(tmp_path)
    mixed.save(tmp_path / "tokenizer.json")
    assert Tokenizer.load(tmp_path) == mixed and Tokenizer.from_vocab(tmp_path) == learned


def test_added_tokens_come_after_those_of_vocab(mixed, tmp_path):
    mixed.save_vocab(tmp_path)
    path = tmp_path / "vocab.json"

    def put(vocab):
        path.write_text(json.dumps(vocab), encoding="utf-8")
        return tmp_path

    vocab = json.loads(path.read_bytes())
    added = {USER: vocab.pop(USER), EOT: vocab[EOT]}
    put(vocab)
    (tmp_path / "added_tokens.json").write_text(json.dumps(added), encoding="utf-8")
    assert Tokenizer.load(tmp_path) == mixed
    (tmp_path / "added_tokens.json").unlink()
    with pytest.raises(ValueError, match=rf"vocab\.json: '<\|user.*' has the id {added[USER]}"):
        Tokenizer.from_vocab(put(vocab | added))  # no file says that it is special
    with pytest.raises(ValueError, match=rf"vocab\.json: '<\|end.* must be {added[EOT]}"):
        Tokenizer.from_vocab(put(vocab | {EOT: 700}))
    put(vocab | added)
    assert Tokenizer.from_vocab(tmp_path, special_tokens=(USER, EOT)) == mixed
    (tmp_path / "added_tokens.json").write_text(json.dumps(added | {"Ġ": 700}), encoding="utf-8")
    with pytest.raises(ValueError, match=r"added_tokens\.json: 'Ġ' has the id 700, but .* has 32"):
        Tokenizer.load(tmp_path)


def test_merges_with_windows_lines_or_no_version_or_no_last_line_open_too(learned, tmp_path):
    learned.save_vocab(tmp_path)
    path = tmp_path / "merges.txt"
    whole = path.read_bytes()
    for other in (whole.replace(b"\n", b"\r\n"), whole.partition(b"\n")[2], whole[:-1]):
        path.write_bytes(other)
        assert Tokenizer.load(tmp_path) == learned


def test_a_merge_may_begin_with_the_sign_of_the_version_line(tmp_path):
    tokenizer = Tokenizer([(ord("#"), ord("a"))])
    tokenizer.save_vocab(tmp_path)
    path = tmp_path / "merges.txt"
    path.write_bytes(path.read_bytes().partition(b"\n")[2])
    assert path.read_bytes() == b"# a\n" and Tokenizer.load(tmp_path) == tokenizer


def edit_line(number, line):
    def damage(folder):
        path = folder / "merges.txt"
        lines = path.read_bytes().split(b"\n")
        lines[number - 1] = line
        path.write_bytes(b"\n".join(lines))

    return damage


def edit_vocab(changes):
    def damage(folder):
        path = folder / "vocab.json"
        path.write_text(json.dumps(json.loads(path.read_bytes()) | changes), encoding="utf-8")

    return damage


def edit(name, data):
    return lambda folder: (folder / name).write_bytes(data)


@pytest.mark.parametrize(
    "damage, where",
    [
        (edit_line(5, b"a"), r"merges\.txt: line 5: 'a' is not two tokens"),
        (edit_line(5, b"a b c"), r"merges\.txt: line 5"),
        (edit_line(5, b""), r"merges\.txt: line 5"),
        (edit_line(5, "a 日".encode()), r"merges\.txt: line 5"),
        (edit_line(5, b"a\tb"), r"merges\.txt: line 5"),
        (edit_line(5, b"\xff b"), r"merges\.txt: truncated, or not"),
        (edit_line(5, b"zzz a"), r"merges\.txt: merges\[3\]: 'zzz' is not a token made before"),
        (edit_line(5, b" a"), r"merges\.txt: merges\[3\]: '' is not a token"),
        (edit_line(5, b"a Z"), r"vocab\.json: 'aZ' has the id None, but merges\[3\]"),
        (edit("merges.txt", b""), r"vocab\.json: '<\|end.*' has the id 299, .* the 0 merges of"),
        (edit("merges.txt", b"#version: 0.2\n"), r"vocab\.json: .* the 0 merges of"),
        (edit("vocab.json", b""), r"vocab\.json: truncated"),
        (edit("vocab.json", b"[]"), r"vocab\.json: must be a JSON object"),
        (edit("vocab.json", b"{}"), r"vocab\.json: 'Ā' has the id None"),
        (edit("vocab.json", b'{"a": 1, "a": 2}'), r"vocab\.json: 'a' appears twice"),
        (edit_vocab({"a": "1"}), r"vocab\.json: 'a' has the id '1', not an int"),
        (edit_vocab({"a": True}), r"vocab\.json: 'a' has the id True, not an int"),
        (edit_vocab({"Ġ": 33}), r"vocab\.json: 'Ġ' has the id 33"),
        (edit_vocab({EOT: 300}), r"added_tokens\.json: '<\|end.*' has the id 299, but .* has 300"),
        (edit_vocab({"<x>": 300}), r"vocab\.json: '<x>' has the id 300, but is not a byte"),
        (edit_vocab({"<x>": -1}), r"vocab\.json: '<x>' has the id -1"),
        (edit_vocab({"<x>": 299}), r"vocab\.json: '.*' has the id 299"),
        (edit_vocab({"he": 300}), r"vocab\.json: 'he' has the id 300, but merges"),
        (edit("added_tokens.json", b"{"), r"added_tokens\.json: truncated"),
        (edit("added_tokens.json", b'{"<x>": 301}'), r"vocab\.json: '<x>' has the id 301"),
        (edit("added_tokens.json", b'{"<|endoftext|>": 298}'), r"added_tokens\.json: '<"),
    ],
)
def test_files_that_do_not_fit_are_refused_naming_the_file_and_the_place(
    learned, tmp_path, damage, where
):
    learned.save_vocab(tmp_path)
    damage(tmp_path)
    with pytest.raises(ValueError, match=where) as caught:
        Tokenizer.load(tmp_path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize("gone", ["vocab.json", "merges.txt"])
def test_one_file_without_the_other_is_a_missing_file(learned, tmp_path, gone):
    learned.save_vocab(tmp_path)
    (tmp_path / gone).unlink()
    with pytest.raises(FileNotFoundError, match=gone):
        Tokenizer.from_vocab(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"vocab\.json|merges\.txt|tokenizer\.json"):
        Tokenizer.load(tmp_path)


def test_a_folder_with_no_tokenizer_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"tokenizer\.json"):
        Tokenizer.load(tmp_path)


def test_a_crash_while_saving_leaves_both_old_files(learned, mixed, tmp_path, monkeypatch):
    learned.save_vocab(tmp_path)

    def full_disk(file):
        raise OSError("no space left")

    monkeypatch.setattr(saves, "flush_to_disk", full_disk)
    with pytest.raises(OSError, match="no space"):
        mixed.save_vocab(tmp_path)
    assert Tokenizer.load(tmp_path) == learned
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES


@pytest.mark.parametrize("names", [(EOT,), (EOT, USER)])
def test_transformers_opens_the_two_files_with_the_same_ids(tmp_path, names):
    peers = pytest.importorskip("transformers", reason="the peer `transformers` is not installed")
    tokenizer = train_quietly(" ".join(DIFFICULT) + PETS, 600, special_tokens=names)
    tokenizer.save_vocab(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    peer = peers.AutoTokenizer.from_pretrained(str(tmp_path), local_files_only=True)
    assert len(peer) == tokenizer.vocab_size and peer.eos_token_id == tokenizer.eos_id
    for text in [*DIFFICULT, *PASSAGES]:
        assert peer(text, split_special_tokens=True)["input_ids"] == tokenizer.encode(text)


# --- tiktoken ----------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(text=assigned | st.text("ab "), corpus=st.text("abé ", max_size=80))
def test_tiktoken_gives_the_same_ids_with_our_merges(text, corpus):
    pytest.importorskip("tiktoken", reason="the peer `tiktoken` is not installed")
    tokenizer = train_quietly(corpus, 300)
    assert tokenizer.to_tiktoken().encode_ordinary(text) == tokenizer.encode(text)


def test_tiktoken_gives_the_same_ids_with_our_special_tokens(mixed):
    pytest.importorskip("tiktoken", reason="the peer `tiktoken` is not installed")
    encoding = mixed.to_tiktoken()
    assert encoding.n_vocab == mixed.vocab_size
    for text in (*DIFFICULT, f"{EOT}a<|user|>"):
        assert encoding.encode_ordinary(text) == mixed.encode(text)
        assert encoding.encode(text, allowed_special="all") == mixed.encode(text, "all")


def test_merges_that_tiktoken_would_read_otherwise_are_refused():
    # abc: with us ab + c, and a + bc is never met. tiktoken would join ab + c, which spells it.
    by_hand = Tokenizer([(97, 98), (98, 99), (97, 257)])
    assert by_hand.encode("abc") == [256, 99]
    with pytest.raises(ValueError, match=r"merges\[2\]"):
        by_hand.to_tiktoken()


def test_without_tiktoken_the_error_says_what_to_install(learned, monkeypatch):
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    with pytest.raises(ImportError, match="pip install tiktoken"):
        learned.to_tiktoken()


def ranks_file(tmp_path, tokens):
    lines = [b"%s %d\n" % (b64encode(token), rank) for token, rank in tokens]
    (tmp_path / "t.tiktoken").write_bytes(b"".join(lines))
    return tmp_path / "t.tiktoken"


def test_merges_are_recovered_from_tiktokens_ranks(mixed, tmp_path):
    tokens = [(mixed.token_bytes(id), id) for id in range(256 + len(mixed.merges))]
    path = ranks_file(tmp_path, tokens[::-1])
    assert Tokenizer.from_tiktoken(path, (EOT, USER)) == mixed


SINGLE = [(bytes([byte]), byte) for byte in range(256)]


@pytest.mark.parametrize(
    "tokens, message",
    [
        (SINGLE[:255], "not the 256 bytes"),
        ([*SINGLE, (b"ab", 257)], "ranks"),
        ([*SINGLE, (b"ab", 256), (b"ab", 257)], "line 258.*twice"),
        ([*SINGLE, (b"abc", 256)], "id 256"),
        ([*SINGLE[:255], (b"ab", 255), (b"\xff", 256)], "not the 256 bytes"),
    ],
)
def test_ranks_that_cannot_be_are_refused(tmp_path, tokens, message):
    with pytest.raises(ValueError, match=rf"t\.tiktoken: .*{message}"):
        Tokenizer.from_tiktoken(ranks_file(tmp_path, tokens))


@pytest.mark.parametrize("line", [b"\n", b"IQ==\n", b"YW*I= 256\n", b"IQ== x\n", b"\xff\xff 1 2\n"])
def test_a_line_that_is_no_rank_is_named(tmp_path, line):
    path = ranks_file(tmp_path, SINGLE)
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(ValueError, match=r"t\.tiktoken: line 257"):
        Tokenizer.from_tiktoken(path)
