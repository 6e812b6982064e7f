"""gptlib.formats.tokenizers: GPT-2's own, whose ids are tiktoken's and transformers' for any text.

What is refused in each kind of file is in test_tokenizer_json and test_vocab.
"""

import json

import pytest
from difficult import DIFFICULT, PASSAGES
from hypothesis import example, given, settings
from hypothesis import strategies as st
from texts import as_gpt2s_own_file, fields_of, load_fields

import gptlib
from gptlib import Tokenizer
from gptlib.formats import tokenizers as module
from gptlib.formats.files import cache_dir, data_dir
from gptlib.formats.tokenizers import GPT2_FILE
from gptlib.tokenizer import PATTERN, apply_merges, split

EOT = "<|endoftext|>"
# All of Unicode but lone surrogates: also the code points of which libraries know different kinds.
texts = st.text(st.characters(exclude_categories=("Cs",)))
snippets = st.lists(st.sampled_from([*PASSAGES.values(), EOT, " ", "\n", "'s", "a"]), max_size=4)


@pytest.fixture(scope="module")
def gpt2(gpt2_tokenizer):
    return gpt2_tokenizer


@pytest.fixture(scope="module")
def tiktokens(gpt2):
    """tiktoken's GPT-2, made by tiktoken alone from the file of ranks."""
    tiktoken = pytest.importorskip("tiktoken", reason="the peer `tiktoken` is not installed")
    from tiktoken.load import load_tiktoken_bpe

    ranks = load_tiktoken_bpe(str(data_dir() / GPT2_FILE))
    tokens = {EOT: len(ranks)}
    return tiktoken.Encoding("gpt2", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens=tokens)


@pytest.fixture(scope="module")
def as_tiktoken(gpt2):
    return gpt2.to_tiktoken()


@pytest.fixture(scope="module")
def transformers_peer(gpt2, tmp_path_factory):
    """A function: what AutoTokenizer makes of a folder with our files of one kind."""
    transformers = pytest.importorskip("transformers", reason="the peer is not installed")

    def opened(kind):
        folder = tmp_path_factory.mktemp(kind)
        (folder / "config.json").write_text('{"model_type": "gpt2"}')
        gpt2.save_vocab(folder) if kind == "vocab" else gpt2.save(folder / "tokenizer.json")
        return transformers.AutoTokenizer.from_pretrained(str(folder), local_files_only=True)

    return opened


@pytest.fixture(scope="module")
def transformers(transformers_peer):
    return transformers_peer("json")


def python_docs():
    return "".join(gptlib.corpora.load("python-docs"))


def shakespeare():
    path = cache_dir() / "tinyshakespeare.txt"
    if not path.is_file():
        pytest.skip("needs tinyshakespeare.txt in the folder that GPTLIB_CACHE names")
    return path.read_bytes().decode()


# --- the ids -----------------------------------------------------------------------------------


def test_gpt2_has_its_own_ids(gpt2):
    assert gpt2.vocab_size == 50257 and gpt2.eos_id == 50256 and len(gpt2.merges) == 50000
    assert gpt2.encode("The cat is") == [464, 3797, 318]
    assert gpt2.encode("!") == [0]
    assert gpt2.decode([464, 3797, 318, 50256]) == "The cat is<|endoftext|>"


@pytest.mark.parametrize("text", [shakespeare, python_docs])
def test_a_whole_corpus_has_the_ids_of_both_peers(gpt2, as_tiktoken, tiktokens, transformers, text):
    text = text()
    ids = gpt2.encode(text)
    assert ids == tiktokens.encode_ordinary(text) == as_tiktoken.encode_ordinary(text)
    assert ids == transformers(text, verbose=False)["input_ids"]
    assert gpt2.decode(ids) == text == tiktokens.decode(ids)


@pytest.mark.parametrize("text", DIFFICULT, ids=[*PASSAGES, "all", "all in lines"])
def test_difficult_text_has_the_ids_of_both_peers(gpt2, as_tiktoken, tiktokens, transformers, text):
    ids = gpt2.encode(text)
    assert ids == tiktokens.encode_ordinary(text) == as_tiktoken.encode_ordinary(text)
    assert ids == transformers(text, split_special_tokens=True)["input_ids"]
    assert gpt2.decode(ids) == text


@settings(max_examples=500, deadline=None)
@given(texts | st.text("aé日 \n\t'st12.!<|>\u200d\u0301🐱") | snippets.map("".join))
@example("\u0558a \U000323b01 \U0003d000!")  # without a meaning in one table, letters in another
def test_any_text_has_the_ids_of_both_peers(gpt2, tiktokens, transformers, text):
    ids = gpt2.encode(text)
    assert ids == tiktokens.encode_ordinary(text)
    assert ids == transformers(text, split_special_tokens=True)["input_ids"]
    assert gpt2.decode(ids) == text


@settings(max_examples=200, deadline=None)
@given(texts | snippets.map("".join))
def test_any_text_has_the_ids_of_the_readable_merges(gpt2, text):
    pieces = [[gpt2.byte_ids[byte] for byte in piece.encode()] for piece in split(text)]
    readable = [apply_merges(ids, gpt2.new_ids) if len(ids) < 99 else None for ids in pieces]
    if None not in readable:  # quadratic
        assert gpt2.encode(text) == sum(readable, [])


# --- special tokens ----------------------------------------------------------------------------


def said_by(encode, *args, **kwargs):
    """The ids, or the fact that the text was refused."""
    try:
        return encode(*args, **kwargs)
    except ValueError:
        return "refused"


RULES = [set(), {EOT}, "all"]


@pytest.mark.parametrize("allowed", RULES)
@pytest.mark.parametrize("disallowed", [*RULES, {"cat"}, {EOT, "cat"}])
@pytest.mark.parametrize("text", ["a cat", f"a cat{EOT}", f"{EOT}{EOT} b", "<|endoftext|", ""])
def test_special_tokens_follow_tiktokens_rules(
    gpt2, as_tiktoken, tiktokens, allowed, disallowed, text
):
    rules = {"allowed_special": allowed, "disallowed_special": disallowed}
    expected = said_by(tiktokens.encode, text, **rules)
    assert said_by(gpt2.encode, text, **rules) == expected
    assert said_by(as_tiktoken.encode, text, **rules) == expected


def test_transformers_finds_special_tokens_as_all_of_them_allowed_does(gpt2, transformers):
    text = f"{EOT}a cat{EOT} {EOT}{EOT}<|endoftext |>"
    assert transformers(text)["input_ids"] == gpt2.encode(text, "all")
    assert transformers.decode(gpt2.encode(text, "all")) == text


# --- its files ---------------------------------------------------------------------------------


def test_it_survives_every_kind_of_file(gpt2, tmp_path):
    gpt2.save(tmp_path / "gpt2.json")
    assert Tokenizer.load(tmp_path / "gpt2.json") == gpt2
    gpt2.save_vocab(tmp_path)
    assert Tokenizer.from_vocab(tmp_path) == gpt2
    with open(tmp_path / "merges.txt", encoding="utf-8") as lines:
        assert [next(lines), next(lines)] == ["#version: 0.2\n", "Ġ t\n"]
    vocab = json.loads((tmp_path / "vocab.json").read_text(encoding="utf-8"))
    assert vocab["!"] == 0 and vocab["Ġthe"] == 262 and vocab[EOT] == 50256


@pytest.mark.parametrize("kind", ["vocab", "json"])
def test_transformers_opens_either_kind_and_what_it_saves_opens_here(
    gpt2, transformers_peer, tmp_path, kind
):
    peer = transformers_peer(kind)
    assert len(peer) == 50257 and peer.eos_token_id == 50256
    text = "".join(PASSAGES.values())
    assert peer(text)["input_ids"] == gpt2.encode(text)
    peer.save_pretrained(tmp_path)
    assert Tokenizer.load(tmp_path) == gpt2


def test_what_transformers_writes_as_vocab_and_merges_opens_here(gpt2, transformers, tmp_path):
    transformers.backend_tokenizer.model.save(str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["merges.txt", "vocab.json"]
    assert Tokenizer.load(tmp_path) == gpt2


def test_it_opens_from_a_file_as_old_as_its_own(gpt2, tmp_path):
    fields = fields_of(gpt2, tmp_path)
    as_gpt2s_own_file(fields)
    assert fields["model"]["vocab"]["Ġthe"] == 262 and fields["model"]["merges"][0] == "Ġ t"
    assert load_fields(fields, tmp_path) == gpt2


# --- where it comes from -----------------------------------------------------------------------


def test_gpt2s_tokenizer_needs_neither_network_nor_cache(gpt2, monkeypatch, tmp_path):
    monkeypatch.setenv("GPTLIB_CACHE", str(tmp_path / "nowhere"))
    assert Tokenizer.gpt2() == gpt2 and not list(tmp_path.iterdir())


def test_another_file_of_its_name_is_refused(monkeypatch, tmp_path):
    (tmp_path / "gpt2").mkdir()
    whole = (data_dir() / GPT2_FILE).read_bytes()
    (tmp_path / GPT2_FILE).write_bytes(whole.replace(b" 256\n", b" 257\n", 1))
    monkeypatch.setattr(module, "data_dir", lambda: tmp_path)
    with pytest.raises(ValueError, match="gpt2.tiktoken: is not OpenAI's file"):
        Tokenizer.gpt2()
