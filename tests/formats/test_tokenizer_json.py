"""gptlib.formats.tokenizer_json: what peers open with the same ids; what is refused, and how."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from texts import (
    DIFFICULT,
    EOT,
    PETS,
    USER,
    as_gpt2s_own_file,
    assigned,
    fields_of,
    load_fields,
    train_quietly,
)

from gptlib.formats import merges
from gptlib.formats.tokenizer_json import NOTHING_ADDED, hf_tokenizer_config
from gptlib.tokenizer import Tokenizer

# --- on disk -----------------------------------------------------------------------------------


def test_save_and_load_give_the_same_tokenizer(mixed, learned, tmp_path):
    for tokenizer in (mixed, learned, Tokenizer(), Tokenizer(special_tokens=())):
        tokenizer.save(tmp_path / "t.json")
        loaded = Tokenizer.load(str(tmp_path / "t.json"))
        assert loaded == tokenizer and repr(loaded) == repr(tokenizer)
        assert loaded.encode(PETS) == tokenizer.encode(PETS)
    assert [path.name for path in tmp_path.iterdir()] == ["t.json"]


def test_an_order_of_bytes_other_than_0_to_255_is_saved_too(tmp_path):
    backwards = Tokenizer([(255 - 97, 255 - 98)], byte_ids=range(255, -1, -1))
    assert backwards.encode("abc") == [256, 255 - 99]
    backwards.save(tmp_path / "t.json")
    assert Tokenizer.load(tmp_path / "t.json") == backwards != Tokenizer([(158, 157)])


def test_special_tokens_of_any_text_survive(tmp_path):
    names = ("\n", " x ", "日本", '"q"', "\\n", "\u2028", "<a>", "<a>+")
    tokenizer = Tokenizer([(97, 98)], special_tokens=names)
    tokenizer.save(tmp_path / "t.json")
    assert Tokenizer.load(tmp_path / "t.json") == tokenizer


def test_the_file_can_be_read_by_people(tmp_path):
    Tokenizer.train("thé the", 261).save(tmp_path / "t.json")
    lines = (tmp_path / "t.json").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "{" and lines[1] == ' "version": "1.0",' and lines[-1] == "}"
    assert '   "th": 256,' in lines and '   ["t", "h"],' in lines
    assert '   "Ã©": 258,' in lines and '   ["Ã", "©"],' in lines  # é: two bytes
    assert '   "<|endoftext|>": 260' in lines and '   "content": "<|endoftext|>",' in lines


def test_300_damaged_files_are_refused_or_load_right(mixed, tmp_path):
    path, rng = tmp_path / "t.json", random.Random(0)
    mixed.save(path)
    whole, refused = path.read_bytes(), 0
    for k in range(300):
        data, at = bytearray(whole), rng.randrange(len(whole))
        if k % 4 == 0:
            data[at] = rng.randrange(256)
        elif k % 4 == 1:
            data[at : at + rng.randint(1, 30)] = b""
        elif k % 4 == 2:
            data[at:at] = bytes(rng.choices(b'0123456789,[]{}"', k=rng.randint(1, 3)))
        else:
            del data[at:]
        path.write_bytes(data)
        try:
            assert Tokenizer.load(path) == mixed, data[at - 20 : at + 20]
        except ValueError as error:
            refused += 1
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
    assert refused > 250


def put(place, value):
    """A damage: set fields["a"][0]["b"] to value, for place "a.0.b"."""

    def damage(fields):
        *path, last = (int(step) if step.isdigit() else step for step in place.split("."))
        for step in path:
            fields = fields[step]
        fields[last] = value

    return damage


def drop(place):
    def damage(fields):
        *path, last = place.split(".")
        for step in path:
            fields = fields[step]
        del fields[last]

    return damage


def swap(*tokens):
    def damage(fields):
        vocab = fields["model"]["vocab"]
        one, other = tokens
        vocab[one], vocab[other] = vocab[other], vocab[one]

    return damage


def add_special(**changes):
    def damage(fields):
        fields["added_tokens"].append(fields["added_tokens"][0] | changes)

    return damage


SEQUENCE = {"type": "Sequence", "pretokenizers": []}
TEMPLATE = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": EOT, "type_id": 0}}]}


@pytest.mark.parametrize(
    "damage, where",
    [
        # settings with which ids would differ, or that no tokenizers file can have
        (put("version", "2.0"), "version"),
        (put("version", None), "version"),
        (put("truncation", 50), "truncation"),
        (put("padding", [50]), "padding"),
        (put("normalizer", {"type": "NFC"}), "normalizer"),
        (put("pre_tokenizer", None), "pre_tokenizer.type"),
        (put("pre_tokenizer", "ByteLevel"), "pre_tokenizer"),
        (put("pre_tokenizer", SEQUENCE), "pre_tokenizer.type"),
        (put("pre_tokenizer.type", "Whitespace"), "pre_tokenizer.type"),
        (put("pre_tokenizer.add_prefix_space", True), "pre_tokenizer.add_prefix_space"),
        (put("pre_tokenizer.add_prefix_space", 0), "pre_tokenizer.add_prefix_space"),
        (put("pre_tokenizer.use_regex", False), "pre_tokenizer.use_regex"),
        (put("post_processor", TEMPLATE), "post_processor"),
        (put("post_processor", TEMPLATE | {"single": NOTHING_ADDED * 2}), "post_processor"),
        (put("post_processor", {"type": "BertProcessing"}), "post_processor"),
        (put("post_processor", 5), "post_processor"),
        (put("decoder", {"type": "WordPiece"}), "decoder.type"),
        (put("model", []), "model"),
        (put("model", None), "model.vocab"),
        (put("model.type", "Unigram"), "model.type"),
        (put("model.dropout", 0.1), "model.dropout"),
        (put("model.dropout", float("nan")), "NaN is not a number in JSON"),
        (put("model.continuing_subword_prefix", "##"), "model.continuing_subword_prefix"),
        (put("model.end_of_word_suffix", "</w>"), "model.end_of_word_suffix"),
        (put("model.ignore_merges", True), "model.ignore_merges"),
        (drop("pre_tokenizer"), "pre_tokenizer.type"),
        (drop("pre_tokenizer.type"), "pre_tokenizer.type"),
        (drop("pre_tokenizer.add_prefix_space"), "pre_tokenizer.add_prefix_space"),
        (drop("model"), "model.vocab"),
        (drop("model.vocab"), "model.vocab"),
        (drop("model.merges"), "model.merges"),
        # bytes
        (put("model.vocab", []), "model.vocab"),
        (put("model.vocab", {}), "model.vocab"),
        (put("model.merges", {}), "model.merges"),
        (drop("model.vocab.Ā"), "model.vocab: 'Ā'"),
        (put("model.vocab.Ā", 300), "model.vocab: 'Ā'"),
        (put("model.vocab.Ā", -1), "model.vocab: 'Ā'"),
        (put("model.vocab.Ā", 1), "model.vocab: 'Ā'"),  # as "ā", byte 1
        (put("model.vocab.Ā", False), "model.vocab: 'Ā'"),
        (put("model.vocab.Ā", 0.0), "model.vocab: 'Ā'"),
        (put("model.vocab.Ā", "0"), "model.vocab: 'Ā'"),
        # merges
        (swap("he", "at"), "model.vocab: 'he'"),
        (swap("a", "he"), "model.vocab: 'a'"),
        (drop("model.vocab.he"), "model.vocab: 'he'"),
        (put("model.vocab.zz", 299), "model.vocab: 'zz'"),
        (put("model.vocab.zz", 300), "model.vocab: 'zz'"),
        (put("model.vocab.he", 10**40), "model.vocab: 'he'"),
        (put("model.merges.5", ["a", "zzz"]), r"model.merges\[5\]"),
        (put("model.merges.5", ["", "a"]), r"model.merges\[5\]"),
        (put("model.merges.5", ["a", " "]), r"model.merges\[5\]"),
        (put("model.merges.5", ["a", 98]), r"model.merges\[5\]"),
        (put("model.merges.5", [["a"], "b"]), r"model.merges\[5\]"),
        (put("model.merges.5", ["a", "b", "c"]), r"model.merges\[5\]"),
        (put("model.merges.5", ["ab"]), r"model.merges\[5\]"),
        (put("model.merges.5", "abc"), r"model.merges\[5\]"),
        (put("model.merges.5", "a b c"), r"model.merges\[5\]"),
        (put("model.merges.5", "a  b"), r"model.merges\[5\]"),
        (put("model.merges.5", None), r"model.merges\[5\]"),
        (put("model.merges.5", ["\ud800", "a"]), r"model.merges\[5\]"),
        (put("model.merges.5", ["a", "Z"]), "model.vocab: 'aZ'"),
        # special tokens
        (put("added_tokens", {}), "added_tokens"),
        (put("added_tokens", None), "added_tokens"),
        (put("added_tokens", [EOT]), r"added_tokens\[0\]"),
        (put("added_tokens", []), f"model.vocab: '{EOT[:5]}"),
        (put("added_tokens.0.id", 97), r"added_tokens\[0\].id"),
        (put("added_tokens.0.id", 300), r"added_tokens\[0\].id"),
        (put("added_tokens.0.id", 10**40), r"added_tokens\[0\].id"),
        (put("added_tokens.0.id", 299.0), r"added_tokens\[0\].id"),
        (put("added_tokens.0.id", None), r"added_tokens\[0\].id"),
        (put("added_tokens.0.content", ""), r"added_tokens\[0\].content"),
        (put("added_tokens.0.content", 5), r"added_tokens\[0\].content"),
        (put("added_tokens.0.content", "he"), r"added_tokens\[0\].content"),
        (put("added_tokens.0.content", "<|other|>"), f"model.vocab: '{EOT[:5]}"),
        (put("added_tokens.0.content", "\ud800"), "surrogate|model.vocab"),
        (put("added_tokens.0.lstrip", True), r"added_tokens\[0\].lstrip"),
        (put("added_tokens.0.rstrip", True), r"added_tokens\[0\].rstrip"),
        (put("added_tokens.0.single_word", True), r"added_tokens\[0\].single_word"),
        (put(f"model.vocab.{EOT}", 298), "model.vocab"),
        (put(f"model.vocab.{EOT}", 300), "model.vocab"),
        (add_special(), r"added_tokens\[1\].id"),
        (add_special(id=300), r"added_tokens\[1\].content"),
        (add_special(id=301, content="<a>"), r"added_tokens\[1\].id"),
        (add_special(id=300, content="a<|e", normalized=True), r"added_tokens: 'a<\|e' is norm"),
        (add_special(id=300, content=f"a{EOT}", normalized=True), r"added_tokens: .* is norm"),
        (add_special(id=300, content=f"{EOT}a", normalized=True), r"added_tokens: .* is norm"),
        (add_special(id=300, content="a" * 1001, normalized=True), r"added_tokens: .* has more"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused_naming_the_field(
    learned, tmp_path, damage, where
):
    fields = fields_of(learned, tmp_path)
    damage(fields)
    with pytest.raises(ValueError, match=rf"t\.json: .*{where}") as caught:
        load_fields(fields, tmp_path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize("twice", ['"he": 256', '"<|endoftext|>": 299', '"type": "BPE"'])
def test_a_name_that_is_there_twice_is_refused(learned, tmp_path, twice):
    path = tmp_path / "t.json"
    learned.save(path)
    text = path.read_text(encoding="utf-8")
    assert text.count(twice) == 1
    path.write_text(text.replace(twice, f"{twice}, {twice}"), encoding="utf-8")
    name = twice.partition(":")[0].strip('"')
    with pytest.raises(ValueError, match=rf"t\.json: '{name[:5]}.* appears twice"):
        Tokenizer.load(path)


def test_merges_that_double_are_refused_before_they_fill_the_memory(tmp_path, monkeypatch):
    doubling = Tokenizer([(97, 97), *((256 + k, 256 + k) for k in range(9))])
    fields = fields_of(doubling, tmp_path)
    assert load_fields(fields, tmp_path) == doubling
    # As long as vocab has all tokens they are no longer than the file, and MAX_BYTES still holds.
    monkeypatch.setattr(merges, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match=r"t\.json: merges\[8\]: .* more than 1000 bytes"):
        load_fields(fields, tmp_path)
    # Where vocab does not have one of them, the next one is never made.
    del fields["model"]["vocab"]["a" * 8]
    with pytest.raises(ValueError, match=r"t\.json: model.vocab: 'aaaaaaaa' has the id None"):
        load_fields(fields, tmp_path)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff\xfe{\x00", b"[]", b"null", b'"text"', b"[" * 100_000, b"9" * 10_000, b"NaN"],
)
def test_a_file_that_is_something_else_is_refused_naming_the_file(tmp_path, data):
    (tmp_path / "t.json").write_bytes(data)
    with pytest.raises(ValueError, match=r"t\.json: ") as caught:
        Tokenizer.load(tmp_path / "t.json")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_a_missing_file(tmp_path):
    for read in (Tokenizer.load, Tokenizer.from_tiktoken):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "none.json")


def test_a_crash_while_saving_leaves_the_old_file(learned, tmp_path, monkeypatch):
    path = tmp_path / "t.json"
    learned.save(path)

    def full_disk(self, data):
        self.write_text("half of it")
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match="no space"):
        Tokenizer().save(path)
    assert Tokenizer.load(path) == learned
    assert [path.name for path in tmp_path.iterdir()] == ["t.json"]


def with_the_least_that_is_needed(fields):
    for name in ("version", "truncation", "padding", "normalizer", "post_processor", "decoder"):
        del fields[name]
    fields["model"] = {name: fields["model"][name] for name in ("vocab", "merges")}


@pytest.mark.parametrize(
    "change",
    [
        as_gpt2s_own_file,
        with_the_least_that_is_needed,
        drop(f"model.vocab.{EOT}"),  # then it is in added_tokens alone
        put("model.dropout", 0.0),
        put("model.unk_token", EOT),
        put("pre_tokenizer.trim_offsets", False),
        put(
            "post_processor", TEMPLATE | {"single": NOTHING_ADDED, "pair": [], "special_tokens": {}}
        ),
    ],
)
def test_other_files_of_the_same_tokenizer_open_too(learned, tmp_path, change):
    peers = pytest.importorskip("tokenizers", reason="the peer `tokenizers` is not installed")
    fields = fields_of(learned, tmp_path)
    change(fields)
    assert load_fields(fields, tmp_path) == learned
    peer = peers.Tokenizer.from_file(str(tmp_path / "t.json"))
    assert peer.encode(PETS + EOT).ids == learned.encode(PETS + EOT, "all")


def test_special_tokens_that_vocab_lacks_come_after_those_it_has(mixed, tmp_path):
    peers = pytest.importorskip("tokenizers", reason="the peer `tokenizers` is not installed")
    fields = fields_of(mixed, tmp_path)
    last = fields["model"]["vocab"].pop(USER)
    assert load_fields(fields, tmp_path) == mixed
    assert peers.Tokenizer.from_file(str(tmp_path / "t.json")).token_to_id(USER) == last
    # The other way round, the peer would give both of them the same id.
    del fields["model"]["vocab"][EOT]
    fields["model"]["vocab"][USER] = last
    with pytest.raises(ValueError, match=r"t\.json: model\.vocab: has '<|user|>', but not"):
        load_fields(fields, tmp_path)


# --- tokenizers --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A function: our tokenizer, saved, as the tokenizers library opens it."""
    peers = pytest.importorskip("tokenizers", reason="the peer `tokenizers` is not installed")
    path = tmp_path_factory.mktemp("saved") / "tokenizer.json"

    def open_saved(tokenizer):
        tokenizer.save(path)
        return peers.Tokenizer.from_file(str(path))

    return open_saved


@pytest.fixture(scope="module")
def mixed_peer(opened, mixed):
    return opened(mixed)


def assert_same_ids(peer, tokenizer, text):
    """Special tokens found, as is the rule there; and not found, as is the rule here."""
    for ordinary, allowed in ((False, "all"), (True, ())):
        peer.encode_special_tokens = ordinary
        ids = tokenizer.encode(text, allowed_special=allowed)
        assert peer.encode(text).ids == ids
        assert peer.decode(ids, skip_special_tokens=False) == text


@settings(max_examples=200, deadline=None)
@given(text=assigned)
@example(text="".join(DIFFICULT))
@example(text=f"{EOT}a <|user|>{EOT} ")
def test_tokenizers_gives_the_same_ids_for_any_text(mixed, mixed_peer, text):
    assert_same_ids(mixed_peer, mixed, text)


def test_tokenizers_gives_the_same_ids_for_difficult_text(mixed, mixed_peer, learned, opened):
    assert mixed_peer.get_vocab_size() == mixed.vocab_size
    for text in DIFFICULT:
        assert_same_ids(mixed_peer, mixed, text)
        assert_same_ids(opened(learned), learned, text)


@settings(max_examples=100, deadline=None)
@given(text=assigned | st.text("ab "), corpus=st.text("abé ", max_size=80))
def test_tokenizers_gives_the_same_ids_with_any_merges_we_learn(opened, text, corpus):
    tokenizer = train_quietly(corpus, 300)
    assert_same_ids(opened(tokenizer), tokenizer, text)


@settings(max_examples=100, deadline=None)
@given(
    text=st.text("abc", max_size=40),
    choices=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=12),
)
def test_tokenizers_gives_the_same_ids_with_merges_made_by_hand(opened, text, choices):
    pool, merges, made = [(97, "a"), (98, "b"), (99, "c")], [], set()
    for left, right in choices:  # any two tokens made so far, unless they spell one made before
        left, right = pool[left % len(pool)], pool[right % len(pool)]
        if left[1] + right[1] not in made and len(left[1] + right[1]) < 20:
            made.add(left[1] + right[1])
            pool.append((256 + len(merges), left[1] + right[1]))
            merges.append((left[0], right[0]))
    tokenizer = Tokenizer(merges)
    assert_same_ids(opened(tokenizer), tokenizer, text)


@pytest.mark.parametrize(
    "tokenizer",
    [
        Tokenizer(),
        Tokenizer(special_tokens=()),
        Tokenizer([(158, 157)], byte_ids=range(255, -1, -1)),
        Tokenizer([(97, 98)], special_tokens=("<a>", "<a>+", "\n", " x ", "日本", '"q"')),
    ],
)
def test_tokenizers_gives_the_same_ids_with_other_bytes_and_names(opened, tokenizer):
    for text in [*DIFFICULT, "ab<a>+<a><a>++\n x  x \n日本語 "]:
        assert_same_ids(opened(tokenizer), tokenizer, text)


@pytest.fixture
def trained_by_peer():
    """A function: train the tokenizers library's own GPT-2-like BPE."""
    peers = pytest.importorskip("tokenizers", reason="the peer `tokenizers` is not installed")

    def train(**kwargs):
        peer = peers.Tokenizer(peers.models.BPE())
        peer.pre_tokenizer = peers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        peer.post_processor = peers.processors.ByteLevel(trim_offsets=False)
        peer.decoder = peers.decoders.ByteLevel()
        alphabet = peers.pre_tokenizers.ByteLevel.alphabet()
        trainer = peers.trainers.BpeTrainer(
            vocab_size=400, initial_alphabet=alphabet, show_progress=False, **kwargs
        )
        peer.train_from_iterator([PETS, *DIFFICULT], trainer)
        return peer

    return train


def test_a_tokenizer_of_the_tokenizers_library_opens_with_the_same_ids(trained_by_peer, tmp_path):
    peer = trained_by_peer()
    peer.add_special_tokens([EOT, USER])  # after training: they get the ids after the merges
    peer.save(str(tmp_path / "t.json"))
    tokenizer = Tokenizer.load(tmp_path / "t.json")
    assert tokenizer.vocab_size == peer.get_vocab_size() and len(tokenizer.merges) > 100
    assert tokenizer.special_tokens == {name: peer.token_to_id(name) for name in (EOT, USER)}
    for text in [*DIFFICULT, PETS, f"{EOT}a{USER}"]:
        assert_same_ids(peer, tokenizer, text)


@pytest.fixture
def changed_by_peer(learned, opened, tmp_path):
    """A function: learned, as the tokenizers library has it after a change, and saves it again."""

    def change(how):
        peer = opened(learned)
        how(peer)
        peer.save(str(tmp_path / "t.json"))
        peer.no_truncation()
        peer.no_padding()
        return peer, Tokenizer.load(tmp_path / "t.json")

    return change


@pytest.mark.parametrize(
    "how",
    [
        lambda peer: peer.enable_truncation(5),
        lambda peer: peer.enable_padding(pad_id=299, pad_token=EOT, length=64),
        lambda peer: (peer.enable_padding(), peer.enable_truncation(8, stride=2)),
    ],
)
def test_how_batches_are_padded_and_cut_changes_no_id_of_a_text(changed_by_peer, learned, how):
    _, tokenizer = changed_by_peer(how)
    assert tokenizer == learned


@pytest.mark.parametrize(
    "names", [["<new>"], ["new", "ball!"], [" the", "<|", "xq"], ["日本", "ж"]]
)
def test_tokens_of_add_tokens_are_found_as_all_allowed_special_tokens_are(changed_by_peer, names):
    peer, tokenizer = changed_by_peer(lambda peer: peer.add_tokens(names))
    assert list(tokenizer.special_tokens) == [EOT, *names]
    for text in [*DIFFICULT, PETS, f"a{EOT}new<new>ball! the<|end<|xq日本ж{''.join(names)}{EOT}"]:
        assert peer.encode(text).ids == tokenizer.encode(text, "all")


@pytest.mark.parametrize("name", ["a<|", f"{EOT}a", f"a{EOT}b", "<<"])
def test_an_added_token_within_which_a_special_one_may_begin_is_refused(changed_by_peer, name):
    with pytest.raises(ValueError, match="t.json: added_tokens: .* can begin within it"):
        changed_by_peer(lambda peer: peer.add_tokens([name]))


def test_an_added_token_that_is_a_token_already_is_refused(changed_by_peer):
    with pytest.raises(ValueError, match=r"t.json: added_tokens\[0\].id: 'he' has 25"):
        changed_by_peer(lambda peer: peer.add_tokens(["he"]))


@pytest.mark.parametrize("name", ["a\nb", "x" * 5_000_000, "\x1b[31m", "\u2028"], ids=range(4))
@pytest.mark.parametrize("place", ["added_tokens.0.content", "version", "normalizer", "decoder"])
def test_errors_about_a_long_or_odd_value_are_one_short_line(learned, tmp_path, place, name):
    fields = fields_of(learned, tmp_path)
    put(place, name)(fields)
    with pytest.raises(ValueError) as caught:
        load_fields(fields, tmp_path)
    said = str(caught.value).removeprefix(str(tmp_path))
    assert said.isprintable() and len(said) < 400


def test_a_file_with_its_special_tokens_before_the_bytes_is_refused_saying_so(
    trained_by_peer, tmp_path
):
    trained_by_peer(special_tokens=[EOT]).save(str(tmp_path / "t.json"))
    with pytest.raises(ValueError, match=r"t\.json: added_tokens\[0\]\.id: .* has 0, but"):
        Tokenizer.load(tmp_path / "t.json")


# --- transformers ------------------------------------------------------------------------------


@pytest.fixture
def auto(tmp_path):
    """A function: our tokenizer, saved with its two configs, as AutoTokenizer opens it."""
    peers = pytest.importorskip("transformers", reason="the peer `transformers` is not installed")

    def open_saved(tokenizer, tokenizer_config):
        config = {"model_type": "gpt2", "vocab_size": tokenizer.vocab_size}
        config |= {"bos_token_id": tokenizer.eos_id, "eos_token_id": tokenizer.eos_id}
        (tmp_path / "config.json").write_text(json.dumps(config))
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(tokenizer_config))
        tokenizer.save(tmp_path / "tokenizer.json")
        return peers.AutoTokenizer.from_pretrained(str(tmp_path), local_files_only=True)

    return open_saved


@pytest.mark.parametrize("names", [(EOT,), (USER, EOT), (USER,), ()])
def test_transformers_opens_the_folder_with_the_same_ids(auto, names, tmp_path):
    tokenizer = train_quietly(" ".join(DIFFICULT) + PETS, 600, special_tokens=names)
    eos = EOT if EOT in names else None
    peer = auto(tokenizer, hf_tokenizer_config(eos, block_size=64))
    assert len(peer) == tokenizer.vocab_size and peer.model_max_length == 64
    assert (peer.eos_token, peer.eos_token_id) == (eos, tokenizer.eos_id)
    for text in [*DIFFICULT, "a .  b , 's n't", f"{EOT}a {USER} b{EOT}"]:
        ids = tokenizer.encode(text, allowed_special="all")
        assert peer(text)["input_ids"] == ids
        assert peer.decode(ids) == text
        assert peer.encode(text, split_special_tokens=True) == tokenizer.encode(text)
    peer.save_pretrained(tmp_path / "theirs")
    assert Tokenizer.load(tmp_path / "theirs" / "tokenizer.json") == tokenizer


def test_transformers_needs_no_tokenizer_config_where_there_is_an_end_of_text(auto, learned):
    peer = auto(learned, {})
    assert len(peer) == learned.vocab_size and peer.eos_token_id == learned.eos_id
    assert peer(PETS + EOT)["input_ids"] == learned.encode(PETS + EOT, "all")
