"""What the words of lesson 05, in its questions, its notebook and its Deeper, claim."""

import math
import random

import pytest
import torch
from explorers import shown

import gptlib
from gptlib import widgets
from gptlib.corpora import pets as grammar
from gptlib.training import evaluate, evaluation_rows

WORDS = ["sleeping", "on", "happy", "running"]


@pytest.fixture(scope="module")
def seen(pets):
    """The trace of "The cat is", and the ids of the four words."""
    model, tokenizer = pets
    ids = [tokenizer.encode(" " + word)[0] for word in WORDS]
    return gptlib.trace(model, tokenizer.encode("The cat is")), ids


@pytest.fixture(scope="module")
def by_hand():
    rows = torch.tensor([[2.0, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, -1]])  # (V, C)
    return rows @ torch.tensor([0.693, 1.099, 0.0])  # (V,)


# ---- The lesson ----


def test_the_score_0_of_lesson_03_has_the_weight_0_09():
    weights = gptlib.softmax(torch.tensor([0.0, 2.0, 1.0]))
    assert [round(weight, 2) for weight in weights.tolist()] == [0.09, 0.67, 0.24]


def test_the_numbers_for_paper_are_those_of_the_grammar(by_hand):
    assert by_hand.tolist() == pytest.approx([2.485, 1.792, 0, 0], abs=1e-6)
    assert by_hand.exp().tolist() == pytest.approx([12, 6, 1, 1], abs=0.01)
    assert (by_hand + 0.693).exp().tolist() == pytest.approx([24, 12, 2, 2], abs=0.01)
    truth = [grammar.next_words("The cat is")[word] for word in WORDS]
    assert gptlib.softmax(by_hand).tolist() == pytest.approx(truth, abs=1e-3)


def test_without_subtracting_the_largest_1000_more_or_less_gives_nan(by_hand):
    for c, power in ((1000, math.inf), (-1000, 0)):
        powers = (by_hand + c).exp()
        assert powers.tolist() == [power] * 4 and (powers / powers.sum()).isnan().all()
        stable = gptlib.softmax(by_hand + c).tolist()
        assert stable == pytest.approx([0.6, 0.3, 0.05, 0.05], abs=1e-3)
    assert torch.tensor([88.0, 89.0]).exp().isinf().tolist() == [False, True]
    assert f"{torch.finfo(torch.float32).max:.1e}" == "3.4e+38"


def test_each_row_of_logits_predicts_the_token_after_its_own(pets, seen):
    _, tokenizer = pets
    assert seen[0].logits.shape == (3, 397)
    best = [tokenizer.token_str(id) for id in seen[0].logits.argmax(-1).tolist()]
    assert best == ["␣cat", "␣is", "␣sleeping"]
    for text, token, p in zip(["The", "The cat", "The cat is"], best, seen[0].probs.amax(-1)):
        assert p.item() == pytest.approx(grammar.next_words(text)[token[1:]], abs=0.02)


def test_the_logits_are_one_linear_layer_with_the_embedding_matrix(pets, seen):
    model, _ = pets
    assert (model.lm_head.in_features, model.lm_head.out_features) == (64, 397)
    assert model.lm_head.bias is None and model.lm_head.weight is model.wte.weight
    torch.testing.assert_close(seen[0].ln_f @ model.lm_head.weight.T, seen[0].logits)
    gpt2 = gptlib.GPTConfig()  # GPT-2 small
    assert (gpt2.n_embd, gpt2.vocab_size) == (768, 50_257)
    assert 50_257 * 768 == 38_597_376


def test_a_logit_minus_its_log_probability_is_one_number_for_each_row(seen):
    apart = seen[0].logits - gptlib.log_softmax(seen[0].logits)  # (T, V)
    assert [f"{number:.2f}" for number in apart[:, 0].tolist()] == ["10.22", "10.68", "10.35"]
    torch.testing.assert_close(apart, apart[:, :1].expand_as(apart), atol=1e-4, rtol=0)


def test_the_logarithm_of_a_stable_softmax_is_still_minus_infinity():
    far = torch.tensor([1000.0, 0, -1000])
    assert gptlib.softmax(far).tolist() == [1, 0, 0]
    assert gptlib.softmax(far).log().tolist() == [0, -math.inf, -math.inf]
    assert gptlib.log_softmax(far).tolist() == [0, -1000, -2000]


def test_the_picture_shows_the_powers_13_6_1_and_1_and_the_others_get_0_001(seen):
    trace, ids = seen
    four = trace.logits[-1, ids] - trace.logits[-1, ids].min()
    assert [round(logit, 2) for logit in four[:2].tolist()] == [2.59, 1.81]
    assert [round(power, 1) for power in four.exp().tolist()] == [13.3, 6.1, 1, 1]
    assert round(1 - trace.probs[-1, ids].sum().item(), 3) == 0.001
    assert trace.probs.shape[-1] - len(ids) == 393


def test_the_explorers_two_questions_have_the_answers_that_the_lesson_gives(by_hand):
    explorer = widgets.softmax_explorer(temperature=False)
    start = explorer.logits
    less = by_hand - torch.tensor(list(start.values()))  # our logits minus about 0.5
    assert less.tolist() == pytest.approx([0.5] * 4, abs=0.02)
    assert explorer.settings["ranges"][2] == [-5.0, 5.0]  # the slider reaches what is asked for
    explorer.values = list((start | {"happy": 1.3}).values())
    shares = {word: row[2] for word, row in shown(explorer.draw(), WORDS).items()}
    assert (shares["sleeping"], shares["on"], shares["happy"]) == ("0.48", "0.24", "0.24")


def test_two_logits_tell_the_odds_and_a_logit_of_9_may_be_next_to_nothing():
    assert round(math.exp(9 - 7), 1) == 7.4 and round(9 / 7, 1) == 1.3 and round(19 / 17, 1) == 1.1
    rare = gptlib.softmax(torch.tensor([9.0, 7.0, 19.0]))
    assert rare[0].item() == pytest.approx(5e-5, abs=5e-6)
    assert (rare[0] / rare[1]).item() == pytest.approx(math.exp(2))


def test_no_softmax_is_right_where_float32_has_lost_the_differences(by_hand):
    """The lesson makes this exception."""
    assert gptlib.softmax(by_hand + 1e8).tolist() == [0.25] * 4


# ---- Deeper ----


def best_after(pets, text, layer, count):
    model, tokenizer = pets
    read = gptlib.trace(model, tokenizer.encode(text)).logits_by_layer[layer, -1]
    best = gptlib.softmax(read).topk(count)
    names = [tokenizer.token_str(id) for id in best.indices.tolist()]
    return dict(zip(names, (round(p, 2) for p in best.values.tolist())))


def test_the_lens_shows_first_the_token_itself_then_what_may_follow_then_the_answer(pets, seen):
    first = gptlib.softmax(seen[0].logits_by_layer[0])  # (T, V)
    assert first.argmax(-1).tolist() == seen[0].ids.tolist() and 0.99 <= first[-1].max() < 0.995
    assert best_after(pets, "The cat is", 1, 2) == {"␣on": 0.18, "␣happy": 0.18}
    assert best_after(pets, "The cat is", 2, 2) == {"␣sleeping": 0.62, "␣on": 0.28}


def test_the_lens_has_the_three_answers_that_are_folded_away(pets):
    assert best_after(pets, "The dog is", 1, 1) == {"␣happy": 0.20}
    assert best_after(pets, "The dog is", 2, 2) == {"␣on": 0.37, "␣running": 0.37}
    it = "The cat is sleeping. It"
    assert best_after(pets, it, 0, 1) == {"␣It": 0.88}
    assert best_after(pets, it, 1, 2) == {"␣purrs": 0.49, "␣barks": 0.23}
    assert best_after(pets, it, 2, 1) == {"␣purrs": 1.0}
    assert best_after(pets, "The bird was", 1, 1) == {"␣hungry": 0.48}
    assert best_after(pets, "The bird was", 2, 2) == {"␣on": 0.55, "␣hungry": 0.33}


@pytest.fixture(scope="module")
def texts():
    """The stories that Deeper trains on, and held-out ones that are not in the training text."""
    corpus = gptlib.corpora.load("pets")
    known = set(corpus.train.split(grammar.STOP))
    fresh = [s for s in corpus.heldout.split(grammar.STOP)[:-1] if s not in known]
    return corpus.train[:600_000].split(grammar.STOP)[:-1], fresh


def encoded(tokenizer, stories):
    text = grammar.STOP.join([*stories, ""])
    return torch.tensor(tokenizer.encode(text, allowed_special="all"))


def trained(pets, student, stories):
    model, tokenizer = pets
    settings = {"optimizer": "adamw", "device": "cpu", "eos_id": tokenizer.eos_id}
    config = gptlib.TrainConfig(100, 16, 32, 1e-3, **settings)
    student.load_state_dict(model.state_dict())
    for _ in gptlib.Trainer(student, encoded(tokenizer, stories), config):
        pass
    return student


def cat_outputs(student, seen):
    with torch.no_grad():
        return student(seen[0].ids[None])[0, -1]  # (V,)


def test_half_the_sleeping_cats_and_twice_the_others_exchange_two_probabilities(pets, seen, texts):
    asleep = [s for s in texts[0] if s.startswith("The cat is sleeping")]
    on = [s for s in texts[0] if s.startswith("The cat is on")]
    others = [s for s in texts[0] if s not in {*asleep, *on}]
    changed = others + asleep[::2] + on + on
    random.Random(0).shuffle(changed)  # in order, a row would have stories of one kind
    for stories, most in ((texts[0], 0), (changed, 1)):
        student = trained(pets, gptlib.GPT(pets[0].config), stories)
        p = gptlib.softmax(cat_outputs(student, seen))[seen[1]]
        assert p[most].item() == pytest.approx(0.60, abs=0.08)
        assert p[1 - most].item() == pytest.approx(0.30, abs=0.08)


class Twice(gptlib.GPT):
    def forward(self, ids, cache=None):
        return gptlib.softmax(super().forward(ids, cache))


def test_a_second_softmax_shows_in_loss_and_probabilities_but_not_in_greedy_text(pets, seen, texts):
    student = trained(pets, Twice(pets[0].config), texts[0])
    rows = evaluation_rows(encoded(pets[1], texts[1]), 32, pets[1].eos_id)
    assert evaluate(student, *rows) > 10 * evaluate(pets[0], *rows)
    p = cat_outputs(student, seen)[seen[1]]
    assert p[0] > 0.95 and p[1] < 0.03
    same = [gptlib.generate(model, seen[0].ids, 6, temperature=0) for model in (student, pets[0])]
    assert torch.equal(*same)


def test_a_second_softmax_gives_no_token_more_than_0_0068_and_hardly_varies_its_sum():
    certain = torch.zeros(397, dtype=torch.float64)
    certain[0] = 1
    most = gptlib.softmax(certain).max().item()
    assert round(most, 4) == 0.0068 and round(-math.log(most), 2) == 4.99
    equal = torch.full((397,), 1 / 397, dtype=torch.float64)  # the least, as e^p is convex
    assert 5.986 < equal.logsumexp(-1) < certain.logsumexp(-1) < 5.989


def test_beginnings_that_were_never_read_get_the_grammars_probabilities(pets, texts):
    model, tokenizer = pets
    train = gptlib.corpora.load("pets").train
    unread = [s.rsplit(" ", 3)[0] for s in texts[1]]
    unread = [beginning for beginning in unread if beginning not in train]
    assert len(unread) == 83 and unread[0].endswith("The kite of")
    for beginning in unread[::8]:
        p = gptlib.trace(model, [tokenizer.eos_id, *tokenizer.encode(beginning)]).probs[-1]
        for word, true in grammar.next_words(beginning).items():
            assert p[tokenizer.encode(" " + word)[0]].item() == pytest.approx(true, abs=0.065)


def test_float16_loses_all_probabilities_before_a_power_overflows(seen):
    logits = seen[0].logits[-1]
    assert torch.finfo(torch.float16).max == 65_504 and 9.8 < logits.max() < 9.9
    sums = {c: (logits + c).half().exp().sum() for c in (0.5, 1, 2)}
    assert sums[0.5] < 65_504 and sums[1].isinf() and sums[2].isinf()
    assert ((logits + 1).half().exp() / sums[1] == 0).all()
    assert ((logits + 2).half().exp() / sums[2]).isnan().any()
    rounded = gptlib.softmax((logits + 1000).half())[seen[1][0]].item()
    assert round(rounded, 2) == 0.65  # multiples of 0.5 are all that float16 has there
