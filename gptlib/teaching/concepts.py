"""What students often believe of language models, and questions that tell who does.

Each item is posed in two forms, A and B, with other words and numbers. The right answers, and most
of the wrong ones, are calculated: from the grammar of the stories, the tokenizer, or the formula.
"""

import math
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from ..corpora import pets
from ..storage.checkpoint import load

MISCONCEPTIONS = {  # name: (lesson, what is believed)
    "last token only": ("00", "A model predicts from the last token alone."),
    "always the favourite": ("00", "A model always gives its most probable token."),
    "a token is a word": ("01", "Every word is one token."),
    "unknown words fail": ("01", "A word that is no token cannot be encoded."),
    "the space is apart": ("01", "A space between two words is a token of its own."),
    "ids have a size": ("01", "Tokens with ids close to each other are alike."),
    "meaning is given": ("02", "Embeddings know what words mean before any training."),
    "embeddings know the context": ("02", "A token's embedding depends on its neighbours."),
    "order comes for free": ("02", "A model knows the order of tokens without position vectors."),
    "attention weights are fixed": ("03", "Training sets the attention weights once and for all."),
    "attention picks one": ("03", "Attention takes the value of one token and drops the others."),
    "zero after softmax": ("03", "Setting weights to 0 after softmax is as good as the mask."),
    "the future is visible": ("03", "In training, a prediction may use the tokens after it."),
    "feedforward mixes tokens": ("04", "A feedforward network moves information between tokens."),
    "two linear layers do more": ("04", "Two linear layers in a row can do more than one."),
    "a block replaces": ("04", "A block replaces the vector that enters it."),
    "attention has most numbers": ("04", "Most parameters of a block belong to attention."),
    "logits are probabilities": ("05", "A logit of 0 means that the token is impossible."),
    "adding changes": ("05", "Adding the same number to all logits changes the probabilities."),
    "ratios of logits": ("05", "A logit twice as large means twice as probable."),
    "one prediction a text": ("06", "In training, a text gives one prediction, at its end."),
    "targets are probabilities": ("06", "A model is told the true probabilities in training."),
    "a perfect loss is zero": ("06", "A model that has learned everything has the loss 0."),
    "a low training loss is enough": ("06", "The lower the training loss, the better the model."),
    "temperature is noise": ("07", "Temperature and seed make the probabilities themselves vary."),
    "greedy finds the best": ("07", "The best token at each step gives the best sentence."),
    "the model plans": ("07", "A model has in mind how its sentence will end."),
    "losses per token compare": ("08", "Losses of different tokenizers can be compared."),
}


class Posed(NamedTuple):
    """A question with four answers: what is wrong with the others."""

    asks: str
    right: str
    wrong: dict[str, str]  # {answer: the name of a misconception, or "" for a slip}


def number(value: float) -> str:
    """At most two digits after the point."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


# ---- 00: the whole machine ----


def last_token(noun: str, other: str, verb: str, word: str) -> Posed:
    mine, its = (pets.next_words(f"The {n} {verb}").get(word, 0) for n in (noun, other))
    likely = {n: p * pets.VERBS[n].get(verb, 0) for n, p in pets.NOUNS.items()}
    words = {n: pets.STATES.get((n, verb), {}).get(word, 0) for n in likely}
    pooled = sum(likely[n] * words[n] for n in likely) / sum(likely.values())
    return Posed(
        f"In some stories, `{word}` follows `The {other} {verb}` in {its:.0%} of all cases, "
        f"`The {noun} {verb}` in {mine:.0%}, and `The ... {verb}` with any animal or thing in "
        f"{pooled:.0%}. "
        f"A model has learned these stories well. It reads `The {noun} {verb}`. Which probability "
        f"does it give to `{word}`?",
        f"about {number(mine)}",
        {
            f"about {number(pooled)}": "last token only",
            f"about {number(its)}": "last token only",
            "a new one each time": "temperature is noise",
        },
    )


def favourite(text: str, word: str, times: int) -> Posed:
    p = pets.next_words(text)[word]
    return Posed(
        f"After `{text}`, a model gives `{word}` the probability {number(p)}. It continues this "
        f"text {times} times, at temperature 1. How often do you expect `{word}`?",
        f"in about {round(p * times)} of them",
        {
            f"in all {times} of them": "always the favourite",
            f"in about {round(times / len(pets.next_words(text)))} of them": "",
            "in none or in all of them": "always the favourite",
        },
    )


# ---- 01: tokens ----


@cache
def _tokenizer():
    return load("pets")[1]


def new_word(text: str, word: str) -> Posed:
    tokenizer = _tokenizer()
    names = [tokenizer.token_str(id) for id in tokenizer.encode(text)]
    pieces = [tokenizer.token_str(id) for id in tokenizer.encode(f" {word}")]
    known = [name for name in names if name not in pieces or name == "."]
    n_words = len(text.split())
    return Posed(
        f"A byte-level BPE tokenizer has {', '.join(f'`{name}`' for name in known)} among its "
        f"tokens (`␣` is a space). `{word}` is not: after a space, it is cut into "
        f"{', '.join(f'`{piece}`' for piece in pieces)}. How many tokens does `{text}` have?",
        f"{len(names)}",
        {
            f"{n_words + 1}": "a token is a word",
            f"{2 * n_words}": "the space is apart",
            "none: it has no code": "unknown words fail",
        },
    )


def ids(*words: str) -> Posed:
    found = {word: _tokenizer().encode(f" {word}")[0] for word in words}
    ranked = sorted(found, key=found.get)
    low, high = ranked[0], ranked[-1]
    near = min(pairwise(ranked), key=lambda two: found[two[1]] - found[two[0]])
    listed = ", ".join(f"`{word}` {id}" for word, id in found.items())
    return Posed(
        f"Some tokens of a model and their ids: {listed}. What do these ids tell the model about "
        "the words, before any training?",
        "nothing about any of them",
        {
            f"that `{near[0]}` and `{near[1]}` are alike": "ids have a size",
            f"that `{high}` matters more than `{low}`": "ids have a size",
            f"that `{low}` comes before `{high}`": "ids have a size",
        },
    )


# ---- 02: embeddings ----


def meaning(one: str, other: str, kind: str) -> Posed:
    return Posed(
        f"A new model has not been trained yet. What is the cosine similarity of its vectors for "
        f"`{one}` and `{other}`?",
        "near 0, as of any two tokens",
        {
            f"near 1, since both are {kind}": "meaning is given",
            "near -1, since they differ": "meaning is given",
            "near 1, as of any two tokens": "",
        },
    )


def same_vector(one: str, other: str) -> Posed:
    word = one.split()[-1]
    return Posed(
        f"In `{one}` and in `{other}`, the model looks up a row of its embedding matrix for "
        f"`{word}`. Which rows are these?",
        "the same row in both texts",
        {
            "two rows, by the word before": "embeddings know the context",
            "two rows that training makes alike": "embeddings know the context",
            "one row, a little changed in each": "embeddings know the context",
        },
    )


def order(one: str, other: str) -> Posed:
    return Posed(
        f"A model has one layer and no position vectors. It reads `{one}`, and then `{other}`: the "
        "same tokens, and the same last token. What are its predictions after the last token?",
        "the same for both texts",
        {
            "different, as the order differs": "order comes for free",
            "different, because of the mask": "order comes for free",
            "different, at each new run": "temperature is noise",
        },
    )


# ---- 03: attention ----

MATRICES, WEIGHTS = "the matrices `Wq` and `Wk`", "the attention weights"


def fixed(same: bool) -> Posed:
    if same:
        asks, right = "A trained model reads two texts. What is the same for both?", MATRICES
        others = (WEIGHTS, "the queries and the keys", "the scores before softmax")
    else:
        asks, right = "A trained model reads a new text. What does it compute anew?", WEIGHTS
        others = (MATRICES, "the embedding matrix", "the feedforward's matrices")
    return Posed(asks, right, dict.fromkeys(others, "attention weights are fixed"))


def average(weights: tuple[float, float], values: tuple[float, float]) -> Posed:
    pairs = list(zip(weights, values))
    listed = " and ".join(f"{number(w)} to a token with the value {number(v)}" for w, v in pairs)
    return Posed(
        f"In one head, a query gives the weight {listed}. What does the head compute for it?",
        number(sum(w * v for w, v in pairs)),
        {
            number(max(pairs)[1]): "attention picks one",
            number(sum(values) / 2): "",
            number(sum(values)): "",
        },
    )


def after_softmax(tokens: int, allowed: int) -> Posed:
    return Posed(
        f"A row of {tokens} scores, all equal, belongs to a token that may see the first {allowed} "
        f"tokens. Somebody applies softmax to all {tokens} scores, and then sets the other weights "
        "to 0. To what do the weights of this row sum?",
        number(allowed / tokens),
        {
            "1": "zero after softmax",
            number(1 / allowed): "",
            number(1 + allowed / tokens): "",
        },
    )


def future(length: int, place: int) -> Posed:
    return Posed(
        f"In training, a GPT reads a row of {length} tokens at once. On which of them does its "
        f"prediction at token {place} depend?",
        f"on the tokens 1 to {place}",
        {
            f"on all {length} of the tokens": "the future is visible",
            f"on the tokens 1 to {place + 1}": "the future is visible",
            f"on token {place} alone": "last token only",
        },
    )


# ---- 04: feedforward and the block ----


def separate(text: str, word: str) -> Posed:
    return Posed(
        f"The feedforward network of a block gets a vector for each token of `{text}`. We change "
        f"the vector of `{word}`. For which tokens does its result change?",
        f"for `{word}` alone",
        {
            "for all of them": "feedforward mixes tokens",
            f"for `{word}` and those after it": "feedforward mixes tokens",
            f"for those after `{word}`": "feedforward mixes tokens",
        },
    )


def linear(small: int, large: int) -> Posed:
    return Posed(
        f"One matrix turns {small} numbers into {large}, and a second one turns these into {small} "
        f"again, with nothing in between. What can the two do that one matrix, {small} × {small}, "
        "cannot?",
        "nothing at all",
        {
            f"{2 * large // small} times as many functions": "two linear layers do more",
            "functions that are not linear": "two linear layers do more",
            "a few functions more": "two linear layers do more",
        },
    )


def stream(enters: float, attention: float, feedforward: float) -> Posed:
    parts = attention + feedforward
    return Posed(
        f"One number of the vector that enters a block is {number(enters)}. There, attention's "
        f"output is {number(attention)} and the feedforward network's is {number(feedforward)}. "
        "Which number leaves the block?",
        number(enters + parts),
        {
            number(feedforward): "a block replaces",
            number(parts): "a block replaces",
            number(enters + feedforward): "",
        },
    )


def most_numbers(width: int) -> Posed:
    attention, feedforward = 4 * width * width, 2 * width * 4 * width
    return Posed(
        f"In a GPT's block of width {width}, the matrices of attention have {attention:,} numbers. "
        "How many do those of the feedforward network have, with the usual inner width?",
        f"{feedforward:,}",
        {
            f"{attention:,}": "attention has most numbers",
            f"{attention // 2:,}": "attention has most numbers",
            f"{attention // 4:,}": "attention has most numbers",
        },
    )


# ---- 05: logits and softmax ----


def zero_logit(logits: tuple[int, ...], added: int) -> Posed:
    listed = ", ".join(map(str, logits))
    return Posed(
        f"A model has one logit for each of its tokens: {listed}. We add {added} to all of them, "
        "and then apply softmax. Which token gets the probability 0?",
        "none of the tokens",
        {
            "the one that had 0": "logits are probabilities",
            f"the one that had -{added}": "adding changes",
            f"those that had 0 and -{added}": "logits are probabilities",
        },
    )


def ratio(high: int, low: int) -> Posed:
    return Posed(
        f"Two tokens of a row have the logits {high} and {low}. How many times as probable is the "
        "first one?",
        f"{math.exp(high - low):.1f} times",
        {
            f"{high / low:.1f} times": "ratios of logits",
            f"{high - low}.0 times": "ratios of logits",
            "it depends on the rest": "adding changes",
        },
    )


# ---- 06: training ----


def targets(text: str) -> Posed:
    words = text.removesuffix(".").split()
    tokens = [words[0], *(f"␣{word}" for word in words[1:])]
    named = [f"`{token}`" for token in tokens]
    return Posed(
        f"In training, a model reads `{' '.join(words[:-1])}` from the text `{text}`. What is it "
        "trained to predict?",
        f"{', '.join(named[1:])}",
        {
            f"{named[-1]}, and nothing else": "one prediction a text",
            f"{', '.join(named[:-1])}": "",
            f"the probabilities after {named[-2]}": "targets are probabilities",
        },
    )


def perfect_loss(text: str) -> Posed:
    truth = pets.next_words(text)
    entropy = -sum(p * math.log(p) for p in truth.values())
    listed = " and ".join(f"`{word}` in {p:.0%} of all cases" for word, p in truth.items())
    return Posed(
        f"In some stories, `{text}` is followed by {listed}. A model has learned exactly this. "
        "What is its mean loss there, in nats, on new stories?",
        f"{entropy:.2f}",
        {
            "0.00": "a perfect loss is zero",
            f"{-math.log(max(truth.values())):.2f}": "always the favourite",
            f"{math.log(len(truth)):.2f}": "",
        },
    )


def overfitting(good: tuple[float, float], bad: tuple[float, float]) -> Posed:
    return Posed(
        f"Two models were trained on one book. Model P has the training loss {good[0]} and the "
        f"held-out loss {good[1]}. Model Q has {bad[0]} and {bad[1]}. Which one will probably do "
        "better on a new chapter?",
        f"P, since {good[1]} is below {bad[1]}",
        {
            f"Q, since {bad[0]} is below {good[0]}": "a low training loss is enough",
            "Q, since it has learned more": "a low training loss is enough",
            "neither: the book was the same": "",
        },
    )


# ---- 07: sampling ----


def noise(text: str, word: str, temperature: float) -> Posed:
    return Posed(
        f"A program computes the probability of `{word}` after `{text}`, at temperature "
        f"{temperature:g}: once with seed 1, and once with seed 2. What do you expect?",
        "the same number twice",
        {
            "two numbers, close to each other": "temperature is noise",
            "the same only at temperature 0": "temperature is noise",
            "the same on average": "temperature is noise",
        },
    )


Ways = dict[str, tuple[float, dict[str, float]]]  # {first: (its p, {second: its p})}, {} if none


def greedy(text: str, table: Ways) -> Posed:
    """table: the ways on after the text."""
    whole = {
        " ".join([first, *([second] if second else [])]): p * q
        for first, (p, then) in table.items()
        for second, q in (then or {"": 1.0}).items()
    }
    first = max(table, key=lambda token: table[token][0])
    then = table[first][1]
    chosen, best = f"{first} {max(then, key=then.get)}", max(whole, key=whole.get)
    listed = ", ".join(f"`{token}` {number(p)}" for token, (p, _) in table.items())
    second = ", ".join(f"`{token}` {number(p)}" for token, p in then.items())
    return Posed(
        f"The next token after `{text}` can be: {listed}. After `{first}` it can be: {second}. All "
        "other ways end there. What does greedy decoding write, and is it the most probable text?",
        f"`{chosen}`, and it is not",
        {
            f"`{chosen}`, and it is": "greedy finds the best",
            f"`{best}`, and it is": "greedy finds the best",
            "that depends on the seed": "temperature is noise",
        },
    )


def plans(text: str, place: str) -> Posed:
    return Posed(
        f"A model has just written `{text}`, and a place comes next. Where does the model keep the "
        "place that it will name?",
        "nowhere: no place is chosen yet",
        {
            f"in its cache: `{place}` is kept there": "the model plans",
            "in its vectors: they hold the plan": "the model plans",
            f"in the choice of `{text.split()[-1]}`: it had one in mind": "the model plans",
        },
    )


# ---- 08: larger models ----


def per_byte(long: tuple[float, float], short: tuple[float, float]) -> Posed:
    each = [loss / size for loss, size in (long, short)]
    return Posed(
        f"Two models read the same text. R has a loss of {short[0]} nats a token, and its tokens "
        f"have {short[1]:g} bytes on average. S has {long[0]}, and its tokens have {long[1]:g}. "
        "Which one predicts the text better?",
        f"S, with {number(each[0])} against {number(each[1])}",
        {
            f"R, with {short[0]} against {long[0]}": "losses per token compare",
            "neither can be called better": "",
            f"R, with {short[1]:g} against {long[1]:g}": "",
        },
    )


# {name: (what makes it, its arguments in form A, and in form B)}
ITEMS: dict[str, tuple[Callable[..., Posed], tuple, tuple]] = {
    "last_token": (last_token, ("dog", "cat", "is", "sleeping"), ("bird", "dog", "was", "hungry")),
    "favourite": (favourite, ("The bird is", "singing", 50), ("The sky was", "grey", 200)),
    "new_word": (
        new_word,
        ("The bird was whistling.", "whistling"),
        ("The dog was dreaming.", "dreaming"),
    ),
    "ids": (ids, ("cat", "is", "dog"), ("sofa", "was", "bird")),
    "meaning": (meaning, ("red", "blue", "colours"), ("cat", "dog", "animals")),
    "same_vector": (same_vector, ("The cat is", "The dog is"), ("The sky was", "The bird was")),
    "order": (
        order,
        ("Then Mia helps Tom.", "Then Tom helps Mia."),
        ("Now Eve likes Ben.", "Now Ben likes Eve."),
    ),
    "fixed": (fixed, (True,), (False,)),
    "average": (average, ((0.9, 0.1), (10, 20)), ((0.75, 0.25), (8, 16))),
    "after_softmax": (after_softmax, (4, 3), (5, 2)),
    "future": (future, (8, 3), (10, 6)),
    "separate": (separate, ("The cat is hungry", "cat"), ("The big dog was happy", "dog")),
    "linear": (linear, (8, 24), (10, 40)),
    "stream": (stream, (3, 0.5, -1), (2, 1.5, -0.5)),
    "most_numbers": (most_numbers, (64,), (128,)),
    "zero_logit": (zero_logit, ((2, 0, -1), 1), ((3, 1, 0, -2), 2)),
    "ratio": (ratio, (6, 4), (5, 2)),
    "targets": (targets, ("The cat is sleeping.",), ("The bird was hungry.",)),
    "perfect_loss": (perfect_loss, ("The sky is",), ("The sky was",)),
    "overfitting": (overfitting, ((2.4, 2.6), (0.9, 3.7)), ((1.9, 2.1), (0.6, 2.8))),
    "noise": (noise, ("The cat is", "sleeping", 2), ("The dog was", "hungry", 0.5)),
    "greedy": (
        greedy,
        (
            "The man eats",
            {"a": (0.45, {"pear": 0.6, "plum": 0.4}), "soup": (0.35, {}), "bread": (0.2, {})},
        ),
        (
            "Ann sees",
            {"a": (0.5, {"kite": 0.6, "ball": 0.4}), "nobody": (0.4, {}), "me": (0.1, {})},
        ),
    ),
    "plans": (plans, ("The dog is on", "bed"), ("The bird was on", "roof")),
    "per_byte": (per_byte, ((0.9, 3), (0.5, 1)), ((1.2, 4), (0.8, 2))),
}
