"""What the words of lesson 00, in its questions and its notebooks, claim."""

import random
from collections import Counter
from itertools import islice
from math import log

import pytest
import torch

import gptlib
from gptlib import teaching
from gptlib.checks.machine import right_counting, right_divergence, right_surprise
from gptlib.corpora import pets as grammar
from gptlib.widgets import machine, sampling_studio


def chances(model, tokenizer, text):
    """The probability of each token after a text, (V,)."""
    return gptlib.trace(model, tokenizer.encode(text)).probs[-1]


def of_word(model, tokenizer, text, word):
    return chances(model, tokenizer, text)[tokenizer.encode(" " + word)[0]].item()


# ---- The lesson and its questions ----


def test_it_is_lesson_00_and_its_map_has_all_parts_alike():
    lesson = teaching.Lesson("machine")
    assert lesson.number == "00" and teaching.Lesson("tokenizer").number == "01"
    assert lesson._repr_mimebundle_()[0]["text/plain"].startswith("The whole machine. From left")


# ---- Once round the machine ----


def test_the_numbers_of_the_stations_are_those_that_the_lesson_gives(pets):
    model, tokenizer = pets
    seen = gptlib.trace(model, tokenizer.encode("The cat is"))
    assert model.n_params() == 129_600
    assert (seen.wte.shape, seen.logits.shape) == ((3, 64), (3, 397))
    assert seen.weights.shape == (2, 4, 3, 3)
    assert torch.allclose(seen.weights.sum(-1), torch.ones(2, 4, 3))
    assert torch.equal(seen.weights, seen.weights.tril())  # itself and earlier tokens
    assert gptlib.corpora.load("pets").train.count(grammar.STOP) == 50_000


def test_only_head_0_of_layer_1_gives_the_cat_the_weight_1(pets):
    weights = gptlib.trace(pets[0], pets[1].encode("The cat is")).weights[1, :, 2, 1]
    assert [f"{w:.2f}" for w in weights.tolist()] == ["1.00", "0.40", "0.11", "0.33"]


def test_play_ends_with_the_stop_token(pets):
    explorer = machine(*pets)
    dice = torch.Generator().manual_seed(explorer.seed)
    ids = gptlib.generate(pets[0], explorer.look().ids, 40, eos_id=pets[1].eos_id, generator=dice)
    assert ids[-1] == pets[1].eos_id


def test_the_dog_gets_other_next_words_than_the_cat(pets):
    for text, words in (
        ("The cat is", [("␣sleeping", "0.62"), ("␣on", "0.28"), ("␣running", "0.05")]),
        ("The dog is", [("␣on", "0.37"), ("␣running", "0.37"), ("␣happy", "0.21")]),
    ):
        best = chances(*pets, text).topk(3)
        found = zip(best.indices.tolist(), best.values.tolist())
        assert [(pets[1].token_str(i), f"{p:.2f}") for i, p in found] == words


def test_the_answers_to_the_studios_questions_are_true(pets):
    model, tokenizer = pets
    studio = sampling_studio(model, tokenizer, truth=grammar.next_words, controls=("temperature",))
    assert studio.settings["controls"] == ["temperature"]
    said = gptlib.generate(model, studio.ids, 40, temperature=0, eos_id=tokenizer.eos_id)
    assert tokenizer.decode(said) == "The cat is sleeping. It purrs." + grammar.STOP
    hot = gptlib.next_token_probs(studio.logits(studio.ids), 3.0)
    assert f"{hot[tokenizer.encode(' sleeping')[0]]:.2f}" == "0.23"


def test_after_a_word_that_the_grammar_cannot_say_the_model_is_as_sure_as_ever(pets):
    model, tokenizer = pets
    ids = tokenizer.encode("The cat flies")
    assert [tokenizer.token_str(i) for i in ids[2:]] == ["␣", "f", "l", "i", "es"]
    with pytest.raises(ValueError, match="cannot say 'flies'"):
        grammar.next_words("The cat flies")
    flies = chances(model, tokenizer, "The cat flies")
    assert tokenizer.token_str(int(flies.argmax())) == "." and f"{flies.max():.2f}" == "1.00"


# ---- A model of one's own ----


@pytest.fixture(scope="module")
def manual():
    """(corpus, its tokenizer, the tokens to train on, those of the lesson's test)."""
    corpus = gptlib.corpora.load("python-docs")
    bpe = gptlib.Tokenizer.train(corpus.train, 512)
    tokens, heldout = corpus.encode(bpe)
    return corpus, bpe, tokens, heldout[:8193]


@pytest.fixture(scope="module")
def per_letter(manual):
    """The letters of the test, and how many of them a token has."""
    letters = manual[1].decode(manual[3])
    return letters, len(letters) / len(manual[3])


def trained(manual, tokens, steps, **settings):
    """The losses (in training, held-out) of a small model on these tokens."""
    width = settings.pop("n_embd")
    shape = gptlib.GPTConfig(512, block_size=64, n_layer=2, n_head=4, n_embd=width)
    config = gptlib.TrainConfig(steps=steps, **settings)
    trainer = gptlib.Trainer(gptlib.GPT(shape, seed=0), tokens, config, manual[3][:2049])
    losses = [step.loss for step in trainer]
    return sum(losses[-10:]) / 10, trainer.evaluate()


def test_the_baselines_are_those_that_the_lessons_words_give(manual, per_letter):
    corpus, bpe, tokens, test = manual
    letters, size = per_letter
    assert bpe.vocab_size == 512 and 1.9 < size < 2.3
    pairs = right_counting(corpus.train, letters, 1) * size
    assert 5.0 < pairs < 5.4 < log(512) < 6.25
    assert 3.5 < right_counting(tokens.tolist(), test.tolist(), 1) < 3.8
    single = right_counting(corpus.train, letters, 0) * size
    assert single > log(512)  # worse than knowing nothing, as Deeper says


def test_the_counts_add_a_tenth_that_is_about_the_best_for_them(manual, per_letter):
    """The baseline is not easy because the counts were smoothed badly."""

    def pair_loss(extra):
        known, new = manual[2].tolist(), manual[3].tolist()
        pairs, firsts = Counter(zip(known, known[1:])), Counter(known[:-1])
        kinds = len(set(known))
        return right_surprise(
            [
                (pairs[a, b] + extra) / (firsts[a] + extra * kinds)
                for a, b in zip(new, new[1:], strict=False)
            ]
        )

    losses = {extra: pair_loss(extra) for extra in (1, 0.3, 0.1, 0.03, 0.01)}
    assert losses[0.1] < min(losses.values()) + 0.03
    known, new = manual[2].tolist(), manual[3].tolist()
    assert losses[0.1] == pytest.approx(right_counting(known, new, 1))


def test_the_held_out_loss_passes_the_token_pairs_between_steps_50_and_100(manual):
    """The lesson's own training, up to its second point on the held-out curve."""
    shape = gptlib.GPTConfig(512, block_size=64, n_layer=2, n_head=4, n_embd=96)
    plan = gptlib.TrainConfig(steps=300, eval_every=50)
    trainer = gptlib.Trainer(gptlib.GPT(shape, seed=0), manual[2], plan, heldout=manual[3])
    points = [step.val_loss for step in islice(trainer, 100)]
    assert [k for k, loss in enumerate(points, 1) if loss is not None] == [50, 100]
    pairs = right_counting(manual[2].tolist(), manual[3].tolist(), 1)
    assert points[99] < pairs < points[49] < log(512)


def test_the_is_a_token_and_xqz_is_not(manual):
    assert len(manual[1].encode("the")) == 1 and len(manual[1].encode("xqz")) == 3


def test_few_held_out_lines_occur_in_the_rest(manual):
    corpus = manual[0]
    known = {line.strip() for line in corpus.train.splitlines()}
    lines = [line.strip() for line in corpus.heldout.splitlines() if len(line.strip()) > 30]
    assert 0.05 < sum(line in known for line in lines) / len(lines) < 0.13


# ---- Deeper ----


def test_each_story_is_read_about_twenty_times(pets):
    tokens = gptlib.corpora.load("pets").encode(pets[1])[0]
    assert len(tokens) == 912_746 and 20 < 5_000 * 64 * 64 / len(tokens) < 25


def test_half_of_the_parameters_are_in_feedforward(pets):
    sizes = Counter()
    for name, parameter in pets[0].named_parameters():
        sizes[name.split(".")[2] if name.startswith("h.") else name[:3]] += parameter.numel()
    embeddings = sizes["wte"] + sizes["wpe"]
    assert (embeddings, sizes["attn"], sizes["mlp"]) == (29_504, 33_280, 66_176)
    shares = [f"{n / 129_600:.0%}" for n in (embeddings, sizes["attn"], sizes["mlp"])]
    assert shares == ["23%", "26%", "51%"]


def test_the_divergence_that_is_computed_by_hand():
    truth, model = {"on": 0.5, "happy": 0.5}, {"on": 0.25, "happy": 0.75}
    assert right_divergence(truth, model) == pytest.approx(0.144, abs=5e-4)
    assert (log(0.5 / 0.25), log(0.5 / 0.75)) == pytest.approx((0.693, -0.405), abs=5e-4)


@pytest.fixture(scope="module")
def hundred():
    """Fifty beginnings of stories that are in the training text, and fifty that are not."""
    beginnings = set()
    for story in grammar.sample(200, seed=99).split(grammar.STOP):
        words = grammar.split(story)
        beginnings |= {grammar.join(words[:k]) for k in range(1, len(words))}
    text, groups = gptlib.corpora.load("pets").train, ([], [])
    for beginning in random.Random(0).sample(sorted(beginnings), 800):
        groups[grammar.STOP + beginning not in text].append(beginning)
    return groups[0][:50], groups[1][:50]


def kl_after(text, model, tokenizer):
    truth, said = grammar.next_words(text), chances(model, tokenizer, text)
    tokens = {word: word if word in (".", grammar.STOP) else " " + word for word in truth}
    ids = {word: tokenizer.encode(t, allowed_special="all")[0] for word, t in tokens.items()}
    return right_divergence(truth, {word: said[id].item() for word, id in ids.items()})


def test_the_model_is_near_the_truth_on_beginnings_it_never_met_too(pets, hundred):
    means = [sum(kl_after(text, *pets) for text in group) / 50 for group in hundred]
    assert max(means) < 0.002
    assert max(kl_after(text, *pets) for group in hundred for text in group) < 0.01


def test_what_was_not_seen_is_longer_and_mostly_about_three_owners(hundred):
    lengths = [sum(len(text.split()) for text in group) / 50 for group in hundred]
    assert lengths[1] > 1.5 * lengths[0]
    owners = [sum(text.count(" has a") >= 3 for text in group) for group in hundred]
    assert owners[1] > 25 > owners[0]


TWO = "Mia has a red ball. Tom has a blue ball. The ball of Tom is"
THREE = "Mia has a red ball. Tom has a blue ball. Ben has a green ball. The ball of Tom is"


def test_the_colour_among_three_owners_is_learned_last():
    at = {step: gptlib.load("pets", step=step) for step in (400, 700, 1500, 2500, 4000, 5000)}
    for step in (1500, 2500, 4000, 5000):
        assert of_word(*at[step], "The cat is", "sleeping") == pytest.approx(0.6, abs=0.045)
    assert of_word(*at[400], "The dog was hungry. It", "barked") > 0.995
    found = {text: [of_word(*at[step], text, "blue") for step in at] for text in (TWO, THREE)}
    assert [f"{p:.2f}" for p in found[TWO][1:4]] == ["0.16", "0.93", "1.00"]
    assert [f"{p:.2f}" for p in found[THREE][1:4]] == ["0.18", "0.30", "1.00"]
    for text in (TWO, THREE):
        assert grammar.next_words(text) == {"blue": 1.0}


def test_at_step_0_all_tokens_are_about_alike_and_at_step_100_four_words_have_three_quarters():
    start, later = (chances(*gptlib.load("pets", step=s), "The cat is") for s in (0, 100))
    assert start.max() < 2 / 397
    four = [gptlib.load("pets")[1].encode(" " + w)[0] for w in grammar.next_words("The cat is")]
    assert 0.74 < later[four].sum() < 0.78


def test_little_text_gives_a_low_training_loss_and_a_held_out_loss_above_knowing_nothing(manual):
    training, heldout = trained(manual, manual[2][:4_000], 100, n_embd=64, batch_size=16)
    assert training < 2 and heldout > log(512)  # with all of the text both would be near 4
    assert 150 * 16 * 64 / 4_000 == pytest.approx(38.4)


def test_counting_letters_is_best_with_three_of_them_before(manual, per_letter):
    letters, size = per_letter
    losses = {n: right_counting(manual[0].train, letters, n) * size for n in (2, 3, 4, 6)}
    assert min(losses, key=losses.get) == 3 and 3.4 < losses[3] < 3.7
    assert losses[3] < losses[4] < 5 < losses[6]
