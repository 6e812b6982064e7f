"""gptlib.corpora.pets: the grammar, its exact truth and its floor."""

import hashlib
import math
import random
from collections import Counter, defaultdict

import pytest
import torch

from gptlib.corpora import pets as grammar
from gptlib.training import evaluate, evaluation_rows

STOP = grammar.STOP


@pytest.fixture(scope="module")
def every():
    """All 21,853 documents of the language with their probabilities: {words: p}."""
    found, path = {}, []  # path: for each choice its options and which one is being taken

    def say(distribution):
        assert math.isclose(sum(distribution.values()), 1, abs_tol=1e-12)
        assert all(p > 0 for p in distribution.values())
        if len(said) == len(path):
            path.append([list(distribution.items()), 0])
        options, i = path[len(said)]
        said.append(options[i])
        return options[i][0]

    while not found or path:
        said = []
        grammar.tell(say)
        words = tuple(word for word, _ in said)
        assert words not in found, "a text has exactly one way through"
        found[words] = math.prod(p for _, p in said)
        while path and path[-1][1] == len(path[-1][0]) - 1:
            path.pop()
        if path:
            path[-1][1] += 1
    return found


def test_the_probabilities_of_all_documents_sum_to_one(every):
    assert len(every) == 49501
    assert math.fsum(every.values()) == pytest.approx(1, abs=1e-12)


def test_every_document_has_two_to_four_sentences_and_one_stop_at_its_end(every):
    assert {words.count(".") for words in every} == {2, 3, 4}
    for words in every:
        assert words[-1] == STOP and words.count(STOP) == 1 and words[-2] == "."


def test_words_are_the_words_of_all_documents(every):
    assert grammar.words() == sorted({word for words in every for word in words})


def test_the_truth_after_the_cat_is():
    truth = {"sleeping": 0.60, "on": 0.30, "happy": 0.05, "running": 0.05}
    assert grammar.next_words("The cat is") == truth
    entropy = -sum(p * math.log(p) for p in truth.values())
    assert entropy == pytest.approx(0.967, abs=5e-4) and math.exp(entropy) == pytest.approx(
        2.63, abs=5e-3
    )
    assert {"cat", "dog", "sky"} < grammar.next_words("The").keys()


def test_next_words_agree_with_all_documents_after_prefixes_of_any_length(every):
    documents = sorted(every)
    chosen = {grammar.join(list(random.Random(0).choice(documents)[:n])) for n in range(16)}
    chosen |= {"", "The", "The dog chases the cat. The", "Mia has a red ball. Tom has a"}
    for prefix in chosen:
        words = tuple(grammar.split(prefix))
        after = defaultdict(float)
        for document, p in every.items():
            if document[: len(words)] == words:
                after[document[len(words)]] += p
        total = sum(after.values())
        assert grammar.next_words(prefix) == pytest.approx({w: p / total for w, p in after.items()})


def test_after_a_document_the_next_one_begins():
    assert grammar.next_words("The sky is blue. It rains." + STOP) == grammar.next_words("")


@pytest.mark.parametrize("prefix", ["", "The", "The cat is", "The dog chases the"])
def test_the_truth_holds_against_frequencies_by_a_chi_square(prefix):
    truth, start = grammar.next_words(prefix), grammar.split(prefix)
    counts = Counter()
    for document in grammar.sample(20_000, seed=5).split(STOP)[:-1]:
        words = grammar.split(document)
        if words[: len(start)] == start:
            counts[words[len(start)]] += 1
    n = sum(counts.values())
    assert n > 400 and counts.keys() == truth.keys()
    chi_square = sum((counts[w] - n * p) ** 2 / (n * p) for w, p in truth.items())
    assert chi_square < 18.5  # passed by chance once in a thousand seeds, with 4 degrees of freedom


def test_log_prob_is_the_sum_over_the_words_and_the_floor_its_share_of_a_token(every):
    for words in list(every)[::4000]:
        text = grammar.join(list(words))
        by_word = [
            grammar.next_words(grammar.join(list(words[:n])))[w] for n, w in enumerate(words)
        ]
        assert grammar.log_prob(text) == pytest.approx(sum(map(math.log, by_word)))
        assert grammar.log_prob(text) == pytest.approx(math.log(every[words]))
        assert grammar.log_prob(text + text) == pytest.approx(2 * math.log(every[words]))
        assert grammar.floor(text, 10) == pytest.approx(-math.log(every[words]) / 10)
    assert grammar.log_prob("The cat is on") == pytest.approx(math.log(0.6 * 0.35 * 0.5 * 0.3))


@pytest.mark.parametrize(
    ("prefix", "word", "number", "context"),
    [
        ("The cat flies", "flies", 3, "The cat"),
        ("the cat", "the", 1, "the start"),
        ("The cats are running. It", "It", 6, "The cats are running ."),
        ("The cat is 7", "7", 4, "The cat is"),
        ("The cat is sleeping. It purred. Odd", "purred", 7, "cat is sleeping . It"),
        ("Mia has a red ball. Mia", "Mia", 7, "Mia has a red ball ."),
    ],
)
def test_an_impossible_prefix_is_refused_by_its_first_impossible_word(
    prefix, word, number, context
):
    with pytest.raises(ValueError) as caught:
        grammar.next_words(prefix)
    assert f"cannot say '{word}' (word {number})" in str(caught.value)
    assert f"{context}'; it can say:" in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(ValueError):
        grammar.log_prob(prefix)


@pytest.mark.parametrize("prefix", ["The cat is", "The dog is", "Mia has a", "The"])
def test_continuations_sum_to_one_and_agree_with_log_prob(prefix):
    found = dict(grammar.continuations(prefix))
    assert math.fsum(found.values()) == pytest.approx(1, abs=1e-12)
    for text, p in found.items():
        assert text.startswith(prefix) and text.endswith(".")
        assert math.log(p) == pytest.approx(grammar.log_prob(text) - grammar.log_prob(prefix))


def test_greedy_does_not_find_the_most_probable_sentence_after_the_dog_is():
    greedy = "The dog is"
    while not greedy.endswith("."):
        truth = grammar.next_words(greedy)
        greedy = grammar.join([*grammar.split(greedy), max(truth, key=truth.get)])
    found = dict(grammar.continuations("The dog is"))
    assert greedy == "The dog is on the bed." and found[greedy] == pytest.approx(0.24)
    assert max(found, key=found.get) == "The dog is running."
    assert found["The dog is running."] == pytest.approx(0.35)


def test_a_sample_is_the_same_for_the_same_seed_in_every_python():
    text = grammar.sample(1000, seed=0)
    digest = "3175d2f6f3860b1e8467c739703f75e3ab5a2d3f3faa4bc013839640511444a2"
    assert hashlib.sha256(text.encode()).hexdigest() == digest  # or data/ has to be made again
    assert text.count(STOP) == 1000 and text.endswith(STOP)
    assert grammar.sample(1000, seed=1) != text and text.startswith(grammar.sample(10, seed=0))
    with pytest.raises(ValueError, match="n_documents must be at least 1"):
        grammar.sample(0, seed=0)


def test_splitting_and_joining_keep_the_text():
    text = grammar.sample(50, seed=3)
    assert grammar.join(grammar.split(text)) == text
    assert grammar.split("Odd 1_\u00e9!") == ["Odd", "1", "_", "\u00e9", "!"]


def test_the_best_bigram_stays_clearly_above_the_floor(every):
    """Exact, not trained: what any model must lose that sees one word back."""
    pairs, firsts, entropy, length = defaultdict(float), defaultdict(float), 0.0, 0.0
    for words, p in every.items():
        entropy, length = entropy - p * math.log(p), length + p * len(words)
        for pair in zip((STOP, *words), words, strict=False):
            pairs[pair] += p
            firsts[pair[0]] += p
    bigram = -sum(p * math.log(p / firsts[pair[0]]) for pair, p in pairs.items())
    assert bigram / length > 1.5 * entropy / length


def test_the_truth_itself_scores_exactly_the_floor(pets):
    """A model that knows the grammar, evaluated as any model is."""
    tokenizer = pets[1]
    text = grammar.sample(30, seed=9)

    class Truth(torch.nn.Module):
        device = torch.device("cpu")

        def forward(self, rows):
            logits = torch.full((*rows.shape, tokenizer.vocab_size), -torch.inf)
            for b, t in (rows > 0).nonzero().tolist():  # 0 fills a row up
                said = tokenizer.decode(rows[b, 1 : t + 1].tolist())
                for word, p in grammar.next_words(said).items():
                    said_so_far = grammar.split(said)
                    shown = grammar.join([*said_so_far, word])[len(grammar.join(said_so_far)) :]
                    [token] = tokenizer.encode(shown, allowed_special="all")
                    logits[b, t, token] = math.log(p)
            return logits

    ids = torch.tensor(tokenizer.encode(text, allowed_special="all"))
    loss = evaluate(Truth(), *evaluation_rows(ids, 64, tokenizer.eos_id))
    assert loss == pytest.approx(grammar.floor(text, len(ids)), rel=1e-5)
