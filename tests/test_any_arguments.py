"""Public functions over any arguments: a documented result, or a documented error of one line."""

import copy
import math
import warnings

import pytest
import torch
from any_arguments import FLOATS, IDS, LONG, ODD, result_or_error
from hypothesis import given
from hypothesis import strategies as st

import gptlib
from gptlib import corpora
from gptlib.corpora import pets as grammar


@LONG
@given(values=st.lists(ODD, min_size=5, max_size=5), dropout=ODD)
def test_a_config_has_a_shape_that_means_something_or_is_refused(values, dropout):
    config = result_or_error(lambda: gptlib.GPTConfig(*values, dropout=dropout), ValueError)
    if config is not None:
        assert all(type(v) is int and v >= 1 for v in values) and 0 <= config.dropout < 1
        assert config.n_embd % config.n_head == 0


@LONG
@given(st.dictionaries(st.sampled_from(sorted(gptlib.TrainConfig().to_dict())), ODD, max_size=4))
def test_a_training_config_goes_through_its_dictionary_or_is_refused(changes):
    config = result_or_error(lambda: gptlib.TrainConfig(**changes), ValueError)
    if config is not None:
        assert gptlib.TrainConfig.from_dict(config.to_dict()) == config
        assert config.steps >= 1 and math.isfinite(config.peak)


@LONG
@given(logits=st.lists(FLOATS, max_size=6), temperature=FLOATS, top_k=ODD, top_p=st.none() | FLOATS)
def test_next_token_probs_sum_to_one_or_name_the_argument(logits, temperature, top_k, top_p):
    probs = result_or_error(
        lambda: gptlib.next_token_probs(
            torch.tensor(logits), temperature=temperature, top_k=top_k, top_p=top_p
        ),
        ValueError,
        TypeError,
    )
    if probs is not None:
        assert probs.shape == (len(logits),) and probs.sum().item() == pytest.approx(1, abs=1e-4)
        assert (probs >= 0).all()


@LONG
@given(
    ids=IDS | ODD | st.lists(ODD, max_size=3),
    n=st.one_of(st.integers(-2, 12), st.none(), st.just(1.5), st.just("3")),
    temperature=st.sampled_from([0, 0.5, 1, -1, math.nan, math.inf]),
    top_k=st.none() | st.integers(-1, 20),
    top_p=st.none() | st.sampled_from([0, 0.1, 1, 1.1, math.nan]),
    eos_id=st.none() | st.integers(-1, 12),
)
def test_generate_goes_on_from_ids_or_names_what_is_wrong(
    model, ids, n, temperature, top_k, top_p, eos_id
):
    generator = torch.Generator().manual_seed(0)
    settings = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "eos_id": eos_id}
    out = result_or_error(
        lambda: gptlib.generate(model, ids, n, generator=generator, **settings),
        ValueError,
        TypeError,
    )
    if out is not None:
        assert out[: len(ids)].tolist() == ids and len(out) <= len(ids) + n
        assert all(0 <= id < 11 for id in out.tolist())


@LONG
@given(ODD | st.lists(ODD, max_size=3))
def test_a_trace_of_what_is_no_ids_is_refused(model, ids):
    found = result_or_error(lambda: gptlib.trace(model, ids), ValueError, TypeError)
    assert found is None or found.ids.tolist() == ids


@LONG
@given(IDS, IDS)
def test_a_model_a_trace_and_a_loss_take_ids_or_name_what_is_wrong(model, ids, targets):
    def run():
        rows = torch.tensor([ids], dtype=torch.int64)
        return model(rows), gptlib.trace(model, ids)

    if max(map(abs, ids + targets), default=0) >= 2**63:
        return  # no tensor holds it
    found = result_or_error(run, ValueError, TypeError)
    if found is not None:
        assert found[0].shape == (1, len(ids), 11)
        loss = result_or_error(
            lambda: gptlib.nll(found[0], torch.tensor([targets], dtype=torch.int64)),
            ValueError,
            TypeError,
        )
        assert loss is None or (loss >= 0 and len(targets) == len(ids))


@LONG
@given(text=st.text(max_size=60), vocab_size=ODD, names=st.lists(st.text(max_size=6), max_size=3))
def test_a_tokenizer_learns_and_gives_back_the_text_or_names_what_is_wrong(text, vocab_size, names):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it stopped early
        if isinstance(vocab_size, int) and vocab_size > 10**6:
            vocab_size = 10**6
        tokenizer = result_or_error(
            lambda: gptlib.Tokenizer.train(text, vocab_size, names), ValueError, TypeError
        )
    if tokenizer is not None:
        assert tokenizer.vocab_size <= vocab_size
        assert tokenizer.decode(tokenizer.encode(text)) == text


@LONG
@given(ids=st.lists(ODD, max_size=5))
def test_decoding_gives_text_or_names_the_id(pets, ids):
    text = result_or_error(lambda: pets[1].decode(ids), ValueError, TypeError)
    assert text is None or isinstance(text, str)


@LONG
@given(st.text(max_size=40) | st.lists(st.sampled_from(grammar.words()), max_size=8).map(" ".join))
def test_the_truth_after_any_prefix_sums_to_one_or_names_a_word(prefix):
    words = result_or_error(lambda: grammar.next_words(prefix), ValueError)
    assert words is None or sum(words.values()) == pytest.approx(1)


@LONG
@given(data=st.binary(max_size=400) | st.text(min_size=200, max_size=300).map(str.encode))
def test_a_corpus_is_the_whole_text_or_the_file_is_named(tmp_path, data):
    path = tmp_path / "corpus.txt"
    path.write_bytes(data)
    corpus = result_or_error(lambda: corpora.load(path), ValueError)
    if corpus is not None:
        assert corpus.train + corpus.heldout == data.decode("utf-8-sig")


@LONG
@given(st.text(st.characters(exclude_categories=["C"]), max_size=30) | st.integers() | st.none())
def test_a_name_of_no_model_or_corpus_is_one_line(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    errors = (ValueError, OSError, TypeError)
    if name not in ("", ".", *corpora.NAMES):
        assert result_or_error(lambda: gptlib.load(name), *errors) is None
        assert result_or_error(lambda: corpora.load(name), *errors) is None


@LONG
@given(ODD)
def test_a_part_that_is_none_is_named(model, part):
    broken = result_or_error(lambda: gptlib.ablate(model, part), ValueError, TypeError)
    named = isinstance(part, str) and part in gptlib.ablations.PARTS  # a guess may hit one
    assert (broken is not None) == named


@LONG
@given(p=st.lists(FLOATS, max_size=5), q=st.lists(FLOATS, max_size=5))
def test_softmax_and_kl_are_numbers_or_an_error(p, q):
    rows = [
        result_or_error(lambda x=x: gptlib.softmax(torch.tensor(x)), IndexError) for x in (p, q)
    ]
    if all(row is not None for row in rows) and len(p) == len(q):
        assert not gptlib.kl(*rows) < -1e-5  # NaN, where a number was none


@LONG
@given(st.lists(FLOATS, min_size=1, max_size=4), st.sampled_from(["wte", "h.1.mlp.c_fc"]))
def test_any_weights_fit_into_eight_bits_or_their_matrix_is_named(model, weights, name):
    broken = copy.deepcopy(model)
    row = broken.get_submodule(name).weight.data[0]
    row[: len(weights)] = torch.tensor(weights) / 2  # so that what it is rounded to is finite too
    small = result_or_error(lambda: gptlib.quantize(broken), ValueError)
    assert (small is None) == (not torch.isfinite(row).all())
    if small is not None:
        off = (small.get_submodule(name).weight[0] - row).abs().max()
        assert off <= row.abs().max() / 127
