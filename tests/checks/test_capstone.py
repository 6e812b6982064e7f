"""gptlib.checks.capstone: it says what is the matter with a folder, and what a text can teach."""

from dataclasses import replace
from math import log

import pytest
import torch

import gptlib
from gptlib.checks import capstone as own
from gptlib.checks import own_text
from gptlib.corpora import Corpus
from gptlib.logits import softmax

# ---- A text of one's own ----

LINES = "".join(f"line {k} is about {k * k}\n" for k in range(2_000))


def text_of(capsys, corpus):
    verdict = own.text(corpus)
    return verdict, capsys.readouterr().out


def test_letter_pairs_have_the_loss_that_counting_by_hand_gives():
    """After a: 2 of b; after b: 1 of a. Two letters, and 0.1 is added to each count."""
    corpus = Corpus("by hand", "abab", "aba")
    by_hand = -(log(2.1 / 2.2) + log(1.1 / 1.2)) / 2
    assert own_text.letter_pairs(corpus) == pytest.approx(by_hand)


def test_a_stop_token_counts_as_one_character():
    stop = "<|endoftext|>"
    with_stops = Corpus("x", f"ab{stop}ab{stop}", f"ab{stop}", documents=True)
    assert own_text.letter_pairs(with_stops) == own_text.letter_pairs(
        Corpus("y", "ab\0ab\0", "ab\0")
    )


def test_a_text_that_is_large_enough_is_right_and_its_letter_pairs_are_told(capsys):
    verdict, said = text_of(capsys, Corpus("lines", LINES, "another line of its own\n" * 20))
    assert verdict and said.startswith("✔ text: ") and "letter pairs has" in said
    assert "also occur" not in said


def test_a_text_that_is_too_small_is_refused_before_any_training(capsys):
    verdict, said = text_of(capsys, Corpus("small", "abc " * 1_000, "abd " * 100))
    assert not verdict and verdict.mistake == "too small" and "4,000 characters: too few" in said


def test_held_out_text_that_repeats_the_training_text_is_told(capsys):
    _, said = text_of(capsys, Corpus("twice", LINES, LINES[:20_000]))
    assert "399 of 399 held-out pieces of 50 characters also occur in the training text" in said
    _, said = text_of(capsys, gptlib.corpora.load("pets"))
    assert "419 of 500 held-out documents also occur" in said


def test_a_text_that_is_not_there_or_is_prepared_does_not_raise(capsys):
    verdict, said = text_of(capsys, "odd.txt")
    assert not verdict and "no such file" in said


def test_a_student_whose_model_is_no_better_than_letter_pairs_is_told_both(
    trained, tmp_path, capsys, monkeypatch
):
    model, tokenizer, corpus = trained
    gptlib.save(tmp_path, model, tokenizer)
    monkeypatch.setattr(own, "letter_pairs", lambda corpus: 0.01)
    mistake, said = said_of(capsys, tmp_path, corpus)
    assert mistake == "no better than letter pairs" and "letter pairs has 0.01" in said
    assert "Train it longer" in said
    small = Corpus("small", corpus.train[:9_000], corpus.heldout, documents=True)
    mistake, said = said_of(capsys, tmp_path, small)
    assert mistake == "no better than letter pairs" and "9,000 characters: too few" in said


# ---- A folder ----


@pytest.fixture(scope="module")
def trained():
    """A small model of gptlib's parts, trained for a moment, its tokenizer and its text."""
    corpus = gptlib.corpora.load("pets")
    text = corpus.train[:60_000]
    corpus = gptlib.corpora.Corpus("pets", text, corpus.heldout, documents=True)
    merges = own.gptlibs_bpe(text[:5000].replace("<|endoftext|>", "\n"), 40)
    tokenizer = gptlib.Tokenizer(merges)
    config = gptlib.GPTConfig(tokenizer.vocab_size, 16, n_layer=1, n_head=2, n_embd=16)
    model = gptlib.GPT(config, seed=0)
    own.gptlibs_training(model, corpus.encode(tokenizer)[0], 150)
    return model, tokenizer, corpus


def test_gptlibs_own_training_shows_its_progress(capsys):
    model = gptlib.GPT(gptlib.GPTConfig(20, 8, n_layer=1, n_head=1, n_embd=4), seed=0)
    own.gptlibs_training(model, torch.arange(100) % 20, 3)
    shown = capsys.readouterr()
    assert shown.out == "" and "3/3" in shown.err and "loss=" in shown.err


def attend_with(model, attention):
    """The model with an attention of the student's, as the notebook puts it in."""
    for block in model.h:

        def forward(x, cache=None, part=block.attn):
            q, k, v = part.c_attn(x).chunk(3, dim=-1)
            return part.c_proj(attention(q, k, v, part.n_head))

        block.attn.forward = forward
    return model


def copied(model):
    other = gptlib.GPT(model.config)
    other.load_state_dict(model.state_dict())
    return other


def test_a_folder_that_holds_a_gpt_is_right(trained, tmp_path, capsys):
    model, tokenizer, corpus = trained
    gptlib.save(tmp_path, model, tokenizer)
    mine = attend_with(copied(model), own.gptlibs_attention)
    parts = {"model": mine, "sampler": gptlib.next_token_probs}
    parts["train_bpe"] = lambda text, n: list(map(list, own.gptlibs_bpe(text, n)))
    assert own.capstone(tmp_path, corpus, **parts)
    said = capsys.readouterr().out
    assert said.startswith("✔ capstone: it opens: 297 tokens") and "ln 297 = 5.69" in said
    assert "a table of letter pairs has 1.5" in said
    assert str(tmp_path) not in said


def test_a_model_trained_on_rows_shorter_than_its_context_is_told_so(trained, tmp_path, capsys):
    model, tokenizer, corpus = trained
    own_size = gptlib.GPTConfig(tokenizer.vocab_size, 32, n_layer=1, n_head=2, n_embd=16)
    longer = gptlib.GPT(own_size, seed=0)
    with torch.no_grad():
        own_weights = model.state_dict()
        own_weights["wpe.weight"] = torch.cat([own_weights["wpe.weight"], torch.randn(16, 16) * 3])
        longer.load_state_dict(own_weights)
    gptlib.save(tmp_path, longer, tokenizer)
    mistake, said = said_of(capsys, tmp_path, corpus)
    assert mistake == "untrained positions" and "at 17 to 32" in said


def test_a_model_that_knows_only_frequencies_has_not_learned(trained, tmp_path, capsys):
    model, tokenizer, corpus = trained
    barely = gptlib.GPT(model.config, seed=0)
    own.gptlibs_training(barely, corpus.encode(tokenizer)[0], 45)
    gptlib.save(tmp_path, barely, tokenizer)
    mistake, said = said_of(capsys, tmp_path, corpus)
    assert mistake == "only frequencies" and "how frequent each token is" in said


def test_ctrl_c_in_a_students_part_does_not_raise(trained, tmp_path, capsys):
    model, tokenizer, corpus = trained
    gptlib.save(tmp_path, model, tokenizer)

    def interrupted(*given):
        raise KeyboardInterrupt

    for parts in ({"sampler": interrupted}, {"train_bpe": interrupted}):
        assert "interrupted" in said_of(capsys, tmp_path, corpus, **parts)[1]


def said_of(capsys, folder, corpus="pets", **how):
    verdict = own.capstone(folder, corpus, **how)
    said = capsys.readouterr().out
    assert not verdict and said.startswith("✘ capstone: ") and said.count("\n") == 1
    return verdict.mistake, said


def test_what_load_cannot_open_is_said_with_the_reason(tmp_path, capsys):
    assert said_of(capsys, tmp_path / "no")[0] == "not a folder that opens"
    (tmp_path / "odd").mkdir()
    mistake, said = said_of(capsys, tmp_path / "odd")
    assert mistake == "not a folder that opens" and "there is no config.json" in said


def test_a_tokenizer_of_another_size_is_named(trained, tmp_path, capsys):
    model, tokenizer, corpus = trained
    gptlib.save(tmp_path, model, gptlib.Tokenizer(tokenizer.merges[:20]))
    mistake, said = said_of(capsys, tmp_path, corpus)
    assert mistake == "tokenizer does not fit" and "277 ids and the model 297" in said


def test_a_padded_vocabulary_is_not_taken_for_a_tokenizer_of_another_size(
    trained, tmp_path, capsys
):
    model, tokenizer, corpus = trained
    padded = gptlib.GPT(replace(model.config, vocab_size=320), seed=0)
    own.gptlibs_training(padded, corpus.encode(tokenizer)[0], 150)
    gptlib.save(tmp_path, padded, tokenizer)
    assert own.capstone(tmp_path, corpus)
    assert "it opens: 297 tokens" in capsys.readouterr().out


def test_a_model_that_has_not_learned_is_named(trained, tmp_path, capsys):
    model, tokenizer, corpus = trained
    gptlib.save(tmp_path, gptlib.GPT(model.config, seed=0), tokenizer)
    assert said_of(capsys, tmp_path, corpus)[0] == "has not learned"


def test_a_tokenizer_of_the_same_size_with_other_tokens_is_worse_than_nothing(
    pets, tmp_path, capsys
):
    model, tokenizer = pets
    corpus = gptlib.corpora.load("python-docs")
    other = gptlib.Tokenizer.train(corpus.train[:50_000], tokenizer.vocab_size)
    assert other.vocab_size == tokenizer.vocab_size
    gptlib.save(tmp_path, model, other)
    assert said_of(capsys, tmp_path, "pets")[0] == "worse than nothing"


def test_an_attention_that_sees_the_future_is_named(trained, tmp_path, capsys):
    model, tokenizer, corpus = trained
    gptlib.save(tmp_path, model, tokenizer)

    def unmasked(q, k, v, n_head):
        return softmax(q @ k.mT / 8**0.5) @ v

    mine = attend_with(copied(model), unmasked)
    assert said_of(capsys, tmp_path, corpus, model=mine)[0] == "another attention"


def test_a_folder_of_an_earlier_model_is_named(trained, tmp_path, capsys):
    model, tokenizer, corpus = trained
    gptlib.save(tmp_path, model, tokenizer)
    later = copied(model)
    with torch.no_grad():
        later.wte.weight.mul_(1.01)
    assert said_of(capsys, tmp_path, corpus, model=later)[0] == "another model"
    larger = gptlib.GPT(gptlib.GPTConfig(297, 16, n_layer=2, n_head=2, n_embd=16))
    assert said_of(capsys, tmp_path, corpus, model=larger)[0] == "another model"


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        (lambda logits, t, k, p: softmax(logits * t), "gives other probabilities"),
        (lambda logits, t, k, p: softmax(logits / t)[:5], "gives shape (5,), not (297,)."),
        (lambda logits, t, k, p: {}[t], "stops with KeyError: 1.0"),
        (lambda logits: softmax(logits), "stops with TypeError"),
        (lambda logits, t, k, p: softmax(logits / max(t, 1e-6)), "temperature 0.5 and top_k 2"),
    ],
)
def test_an_odd_sampler_is_named(trained, tmp_path, capsys, sampler, words):
    model, tokenizer, corpus = trained
    gptlib.save(tmp_path, model, tokenizer)
    mistake, said = said_of(capsys, tmp_path, corpus, sampler=sampler)
    assert mistake == "sampler" and words in said


@pytest.mark.parametrize(
    ("train_bpe", "words"),
    [
        (lambda text, n: [(k, k) for k in range(n)], "merge 1 is (0, 0), and gptlib's is ("),
        (lambda text, n: own.gptlibs_bpe(text, n)[:5], "merge 6 is None"),
        (lambda text, n: own.gptlibs_bpe(text, 2 * n), "gptlib's is None"),
        (lambda text, n: {}[text[:3]], "stops with KeyError"),
    ],
)
def test_merges_that_are_not_gptlibs_are_named(trained, tmp_path, capsys, train_bpe, words):
    model, tokenizer, corpus = trained
    gptlib.save(tmp_path, model, tokenizer)
    mistake, said = said_of(capsys, tmp_path, corpus, train_bpe=train_bpe)
    assert mistake in ("other merges", "stopped") and words in said


def test_a_corpus_that_is_not_there_does_not_raise(trained, tmp_path, capsys):
    model, tokenizer, _ = trained
    gptlib.save(tmp_path, model, tokenizer)
    assert "no such file" in said_of(capsys, tmp_path, "odd.txt")[1]


def test_gptlibs_parts_have_the_form_of_the_exercises(model):
    assert own.gptlibs_bpe("aaabdaaabac", 3) == [(97, 97), (97, 98), (256, 257)]
    with torch.no_grad():
        ids = torch.randint(11, (2, 8), generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(
            attend_with(copied(model), own.gptlibs_attention)(ids), model(ids)
        )
