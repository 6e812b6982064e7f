"""Training, saving, opening, and the grammar over any arguments: as `test_any_arguments`."""

import math
from pathlib import Path

import pytest
import torch
from any_arguments import FLOATS, IDS, LONG, ODD, result_or_error
from hypothesis import given
from hypothesis import strategies as st

import gptlib
from gptlib.corpora import pets as grammar

NOT_TEXT = st.none() | st.integers() | FLOATS | st.binary(max_size=3)
PREFIXES = st.text(max_size=30) | st.lists(st.sampled_from(grammar.words()), max_size=8).map(
    " ".join
)
PAIRS = st.lists(st.tuples(st.integers(-1, 300), st.integers(-1, 300)), max_size=4)


# ---- Training ----


@LONG
@given(
    ids=IDS | ODD,
    heldout=st.none() | IDS | ODD,
    block_size=st.none() | st.integers(1, 12),
    eos_id=st.none() | st.integers(0, 12),
)
def test_a_trainer_makes_an_update_or_names_what_is_wrong(config, ids, heldout, block_size, eos_id):
    how = gptlib.TrainConfig(
        steps=1, batch_size=2, block_size=block_size, eos_id=eos_id, device="cpu"
    )
    model = gptlib.GPT(config, seed=0)
    before = [p.clone() for p in model.parameters()]
    held = None if heldout is None else as_ids(heldout)
    trainer = result_or_error(
        lambda: gptlib.Trainer(model, as_ids(ids), how, held), ValueError, TypeError
    )
    if trainer is None:
        assert all(p.equal(old) for p, old in zip(model.parameters(), before))
    else:
        [step] = trainer
        assert math.isfinite(step.loss) and (step.val_loss is None) == (heldout is None)


def as_ids(values):
    """A tensor where one can hold the values; else they are given as they are."""
    try:
        return torch.tensor(values)
    except (RuntimeError, ValueError, TypeError, OverflowError):
        return values


@LONG
@given(ids=IDS, n=st.integers(-1, 5), use_cache=st.booleans(), eos_id=st.none() | ODD)
def test_a_stream_is_what_generate_appends_or_names_what_is_wrong(model, ids, n, use_cache, eos_id):
    how = {"temperature": 0, "eos_id": eos_id, "use_cache": use_cache}
    errors = (ValueError, TypeError)
    steps = result_or_error(lambda: list(gptlib.stream(model, ids, n, **how)), *errors)
    out = result_or_error(lambda: gptlib.generate(model, ids, n, **how), *errors)
    assert (steps is None) == (out is None)
    if steps is not None:
        assert ids + [step.ids.item() for step in steps] == out.tolist()


@LONG
@given(logits=st.lists(FLOATS, max_size=6))
def test_log_softmax_is_the_logarithm_of_softmax_or_an_error(logits):
    row = torch.tensor(logits)
    found = result_or_error(lambda: gptlib.log_softmax(row), IndexError)
    assert (found is None) == (not logits)
    if found is not None and row.isfinite().all():
        assert found.exp().allclose(gptlib.softmax(row), atol=1e-6)


# ---- Files ----


@LONG
@given(part=st.sampled_from(["model", "tokenizer", "step", "name"]), odd=ODD)
def test_what_is_saved_opens_and_what_cannot_be_is_named(
    tmp_path_factory, model, pets, monkeypatch, part, odd
):
    folder = tmp_path_factory.mktemp("any")
    monkeypatch.chdir(folder)
    errors = (ValueError, TypeError, OSError, AttributeError)
    if part == "model":
        assert result_or_error(lambda: gptlib.save(folder / "it", odd), *errors) is None
    elif part == "tokenizer" and odd is not None:
        result_or_error(lambda: gptlib.save(folder / "it", model, odd), *errors)
    elif part == "step" and odd is not None:
        result_or_error(lambda: gptlib.load("pets", step=odd), *errors)
    elif part == "name" and isinstance(odd, str) and odd.strip("."):
        result_or_error(lambda: gptlib.load_history(odd), *errors)
    assert not (folder / "it").exists() or not any((folder / "it").iterdir())


# ---- Texts ----


@LONG
@given(merges=PAIRS, names=st.lists(st.text(max_size=6), max_size=3) | ODD)
def test_a_tokenizer_made_from_merges_spells_each_id_or_names_what_is_wrong(merges, names):
    made = result_or_error(lambda: gptlib.Tokenizer(merges, names), ValueError, TypeError)
    if made is not None:
        assert made.vocab_size == 256 + len(merges) + len(names)
        assert len({made.token_bytes(id) for id in range(made.vocab_size)}) == made.vocab_size
        assert all(made.token_str(id) for id in range(made.vocab_size))


@LONG
@given(
    text=st.text(max_size=30) | NOT_TEXT,
    allowed=st.just("all") | ODD | st.lists(st.text(max_size=4), max_size=2),
    disallowed=st.just("all") | ODD | st.lists(st.text(max_size=4), max_size=2),
)
def test_any_text_is_encoded_or_what_is_wrong_named(pets, text, allowed, disallowed):
    ids = result_or_error(lambda: pets[1].encode(text, allowed, disallowed), ValueError, TypeError)
    assert ids is None or pets[1].decode(ids) == text


@LONG
@given(id=ODD)
def test_a_token_is_shown_or_its_id_named(pets, id):
    calls = (pets[1].token_bytes, pets[1].token_str, lambda id: pets[1].decode_bytes([id]))
    found = [result_or_error(lambda f=f: f(id), ValueError, TypeError) for f in calls]
    known = isinstance(id, int) and 0 <= id < pets[1].vocab_size
    assert [value is not None for value in found] == [known] * 3


@LONG
@given(text=PREFIXES, n=st.integers(-2, 50))
def test_the_grammar_gives_a_probability_or_names_a_word(text, n):
    p = result_or_error(lambda: grammar.log_prob(text), ValueError)
    floor = result_or_error(lambda: grammar.floor(text, n), ValueError)
    assert p is None or p <= 0
    assert (floor is None) == (p is None or n < 1)
    assert floor is None or floor == pytest.approx(-p / n)
    ways = result_or_error(lambda: list(grammar.continuations(text)), ValueError)
    assert (ways is None) == (p is None)
    assert ways is None or sum(q for _, q in ways) == pytest.approx(1)


@LONG
@given(n=st.integers(-2, 5), seed=st.integers(0))
def test_a_sample_of_the_grammar_is_possible_or_its_size_named(n, seed):
    text = result_or_error(lambda: grammar.sample(n, seed), ValueError)
    assert (text is None) == (n < 1)
    if text is not None:
        assert math.isfinite(grammar.log_prob(text))
        assert grammar.join(grammar.split(text)) == text


def test_every_public_name_is_tried():
    rooms = Path(__file__).parent.glob("test_any_*.py")
    text = "".join(room.read_text(encoding="utf-8") for room in rooms)
    given_back = {"Step", "Trace"}
    assert [n for n in gptlib.__all__ if n not in given_back and f"{n}(" not in text] == ["corpora"]
    assert "corpora.load(" in text
