"""The pets grammar: a tiny language whose every next-word probability is known exactly.

The grammar is one function, `tell`, that tells a story by asking `say` for each word. Sampling,
probabilities and the truth all come from running it with another `say`. No paper: it is our own.
"""

import math
import random
import re
from collections.abc import Callable, Iterable, Iterator

STOP = "<|endoftext|>"
FIRST_LINE = "The cat is"  # the sentence that the whole course carries

Distribution = dict[str, float]
Say = Callable[[Distribution], str]

FIRST = {"The": 0.6, "Mia": 0.16, "Tom": 0.12, "Ben": 0.08, "Eve": 0.04}
NAMES = {"Mia": 0.4, "Tom": 0.3, "Ben": 0.2, "Eve": 0.1}
COLOURS = {"red": 0.3, "blue": 0.3, "green": 0.2, "yellow": 0.2}
THINGS = {"ball": 0.5, "kite": 0.3, "box": 0.2}

NOUNS = {"cat": 0.35, "dog": 0.25, "bird": 0.15, "cats": 0.15, "sky": 0.1}
VERBS = {
    "cat": {"is": 0.5, "was": 0.2, "chases": 0.2, "chased": 0.1},
    "dog": {"is": 0.3, "was": 0.2, "chases": 0.3, "chased": 0.2},
    "bird": {"is": 0.4, "was": 0.3, "chases": 0.2, "chased": 0.1},
    "cats": {"are": 0.6, "were": 0.4},
    "sky": {"is": 0.6, "was": 0.4},
}
# Subject and tense together decide what follows, so that the last word alone cannot.
STATES = {
    ("cat", "is"): {"sleeping": 0.60, "on": 0.30, "happy": 0.05, "running": 0.05},
    ("cat", "was"): {"hungry": 0.50, "on": 0.20, "sleeping": 0.20, "happy": 0.10},
    # Greedy picks "on" and then has to choose a place; the likeliest sentence is "running".
    ("dog", "is"): {"on": 0.40, "running": 0.35, "happy": 0.20, "sleeping": 0.05},
    ("dog", "was"): {"hungry": 0.60, "sleeping": 0.25, "running": 0.15},
    ("bird", "is"): {"singing": 0.70, "on": 0.20, "happy": 0.10},
    ("bird", "was"): {"on": 0.60, "hungry": 0.30, "singing": 0.10},
    ("cats", "are"): {"running": 0.50, "on": 0.30, "sleeping": 0.20},
    ("cats", "were"): {"hungry": 0.70, "happy": 0.20, "sleeping": 0.10},
    ("sky", "is"): {"blue": 0.80, "grey": 0.20},
    ("sky", "was"): {"grey": 0.70, "blue": 0.30},
}
PLACES = {
    "cat": {"sofa": 0.6, "roof": 0.3, "bed": 0.1},
    "dog": {"bed": 0.6, "sofa": 0.4},
    "bird": {"roof": 0.9, "sofa": 0.1},
    "cats": {"roof": 0.6, "bed": 0.4},
}
SOUNDS = {  # (present, past)
    "cat": ("purrs", "purred"),
    "dog": ("barks", "barked"),
    "bird": ("sings", "sang"),
    "cats": ("purr", "purred"),
    "sky": ("rains", "rained"),
}
CHASED = {
    "cat": {"bird": 0.6, "dog": 0.4},
    "dog": {"cat": 0.7, "bird": 0.3},
    "bird": {"dog": 0.5, "cat": 0.5},
}


def tell(say: Say) -> None:
    """Tell one document of 2 to 4 sentences. `say` is given a distribution and returns a word.

    Which branch is taken depends on the words said and on nothing else, so a text has exactly
    one way through, and its probability is the product of those of its words.
    """
    first = say(FIRST)
    if first != "The":
        return _belongings(say, first)
    noun = say(NOUNS)
    verb = say(VERBS[noun])
    if verb.startswith("chase"):
        return _chase(say, noun, verb)
    return _statement(say, noun, verb)


def _statement(say: Say, noun: str, verb: str) -> None:
    """The cat is sleeping. It purrs. Mia likes it. Mia is happy."""
    state = say(STATES[noun, verb])
    if state == "on" or (state == "sleeping" and say({".": 0.8, "on": 0.2}) == "on"):
        _say_all(say, "the")
        say(PLACES[noun])
        _say_all(say, ".")
    elif state != "sleeping":
        _say_all(say, ".")
    past, plural = verb in ("was", "were"), noun == "cats"
    pronoun = "They" if plural else "It"
    word = say({pronoun: 0.6} | _scaled(NAMES, 0.4))
    if word == pronoun:  # the subject and its tense are to be fetched from the first sentence
        _say_all(say, SOUNDS[noun][past], ".")
        word = say({STOP: 0.5} | _scaled(NAMES, 0.5))
        if word == STOP:
            return
    _say_all(say, "liked" if past else "likes", "them" if plural else "it", ".")
    _happy_end(say, word, past)


def _chase(say: Say, chaser: str, verb: str) -> None:
    """The dog chases the cat. The cat hides. Tom helps the cat. Tom is happy."""
    _say_all(say, "the")
    chased = say(CHASED[chaser])
    past = verb == "chased"
    _say_all(say, ".", "The")
    if say({chased: 0.7, chaser: 0.3}) == chased:  # who is who lies in the order of the words
        _say_all(say, "hid" if past else "hides", ".")
    else:
        _say_all(say, SOUNDS[chaser][past], ".")
    word = say({STOP: 0.4} | _scaled(NAMES, 0.6))
    if word != STOP:
        _say_all(say, "helped" if past else "helps", "the", chased, ".")
        _happy_end(say, word, past)


def _happy_end(say: Say, name: str, past: bool) -> None:
    """... Mia is happy. (Or the document ends without it.)"""
    if say({STOP: 0.6, name: 0.4}) == name:
        _say_all(say, "was" if past else "is", "happy", ".", STOP)


def _belongings(say: Say, first: str) -> None:
    """Mia has a red ball. Tom has a big blue ball. Eve has a green ball. The ball of Tom is blue.

    Two owners are asked about once or twice, three owners once.
    """
    owners: dict[str, str] = {}
    thing, owners[first] = _has(say, None, [])
    while (word := say(_after_owner(owners))) != "The":
        thing, owners[word] = _has(say, thing, owners.values())
    asked = _ask(say, thing, owners)
    if len(owners) == 2:
        if say({STOP: 0.5, "The": 0.5}) == STOP:
            return
        _ask(say, thing, {name: owners[name] for name in owners if name != asked})
    _say_all(say, STOP)


def _has(say: Say, thing: str | None, taken: Iterable[str]) -> tuple[str, str]:
    """... has a red ball. / ... has a big red ball. Returns the thing and its colour."""
    _say_all(say, "has", "a")
    colours = _without(COLOURS, *taken)
    colour = say({"big": 0.3} | _scaled(colours, 0.7))
    if colour == "big":
        colour = say(colours)
    thing = say(THINGS if thing is None else {thing: 1.0})
    _say_all(say, ".")
    return thing, colour


def _after_owner(owners: Iterable[str]) -> Distribution:
    """Who comes after one, two or three owners: another name, or "The" of the first question."""
    others = _without(NAMES, *owners)
    return (others, {"The": 0.3} | _scaled(others, 0.7), {"The": 1.0})[len(list(owners)) - 1]


def _ask(say: Say, thing: str, owners: dict[str, str]) -> str:
    """The ball of Mia is red. Returns the owner.

    The answer lies two steps away: from the name at hand to its first mention, and from there to
    the colour that stands with it. A layer of attention takes one step; with three owners to tell
    apart, a single layer cannot make up for the second (measured in benchmarks/RESULTS.md).
    """
    _say_all(say, thing, "of")
    name = say({name: 1 / len(owners) for name in owners})
    _say_all(say, "is", owners[name], ".")
    return name


def _say_all(say: Say, *words: str) -> None:
    """Words that the grammar leaves no choice about."""
    for word in words:
        say({word: 1.0})


def _scaled(distribution: Distribution, share: float) -> Distribution:
    return {word: share * p for word, p in distribution.items()}


def _without(distribution: Distribution, *words: str) -> Distribution:
    rest = {word: p for word, p in distribution.items() if word not in words}
    return _scaled(rest, 1 / sum(rest.values()))


# ---- The same function, run with three other listeners ----


def sample(n_documents: int, seed: int) -> str:
    """Text of `n_documents` documents, each ended by `<|endoftext|>`; the same for the same seed.

    >>> sample(1, seed=4)
    'The cat is sleeping. It purrs. Tom likes it.<|endoftext|>'
    """
    if n_documents < 1:
        raise ValueError(f"n_documents must be at least 1, not {n_documents}")
    rng = random.Random(seed)
    documents = []
    for _ in range(n_documents):
        words: list[str] = []

        def say(distribution: Distribution, words: list[str] = words) -> str:
            word = rng.choices(list(distribution), list(distribution.values()))[0]
            words.append(word)
            return word

        tell(say)
        documents.append(join(words))
    return "".join(documents)


def next_words(prefix: str) -> Distribution:
    """The exact probability of each word (or `.` or `<|endoftext|>`) that may follow `prefix`.

    >>> next_words("The cat is")
    {'sleeping': 0.6, 'on': 0.3, 'happy': 0.05, 'running': 0.05}

    Raises:
        ValueError: the grammar cannot produce `prefix`; names the first word that it cannot.
    """
    return dict(_replay(split(prefix))[1])


def log_prob(text: str) -> float:
    """ln P(text) in nats, as the start of a run of documents: the sum over its words.

    Divided by minus the number of tokens it is the floor, the loss that no model can go below
    on average: it holds under any tokenizer, since it comes from words alone.
    """
    return _replay(split(text))[0]


def floor(text: str, n_tokens: int) -> float:
    """The loss of the true distribution on whole documents: -ln P(text) / n_tokens, in nats."""
    if n_tokens < 1:
        raise ValueError(f"n_tokens must be at least 1, not {n_tokens}")
    return -log_prob(text) / n_tokens


def truth_loss(inputs, targets, tokenizer) -> float:
    """The loss of the true distribution on rows of tokens that begin with a document, in nats.

    inputs (B, T), targets (B, T) as a batch has them: each row's first token, a word or the stop
    token before it, is given and costs only what FIRST says of that word.
    """
    total = 0.0
    for first, rest in zip(inputs[:, 0].tolist(), targets.tolist(), strict=True):
        total -= log_prob(tokenizer.decode([first, *rest]).removeprefix(STOP))
    return total / targets.numel()


def continuations(prefix: str, until: str = ".") -> Iterator[tuple[str, float]]:
    """Every way on from `prefix` up to and with the word `until`, with its exact probability.

    Yields (text, probability), the text with the prefix; the probabilities sum to 1.
    """
    stack = [(split(prefix), 1.0)]
    while stack:
        words, p = stack.pop()
        for word, q in reversed(_replay(words)[1].items()):
            if word in (until, STOP):
                yield join([*words, word]), p * q
            else:
                stack.append(([*words, word], p * q))


def words() -> list[str]:
    """Every word of the language, the full stop and the stop token with them, in order."""
    found: set[str] = {STOP, ".", "The", "the", "on", "It", "They", "it", "them", "has", "a"}
    found |= {"big", "of", "is", "was", "likes", "liked", "hides", "hid"}
    found |= {"helps", "helped", "happy", *NAMES, *COLOURS, *THINGS, *NOUNS}
    for table in (VERBS, STATES, PLACES):
        found |= {word for row in table.values() for word in row}
    found |= {sound for pair in SOUNDS.values() for sound in pair}
    return sorted(found)


class _PrefixEnds(Exception):
    """Carries the distribution that `tell` asked for when the prefix had no more words."""

    def __init__(self, distribution: Distribution) -> None:
        self.distribution = distribution


def _replay(words: list[str]) -> tuple[float, Distribution]:
    """Have `tell` say exactly `words`; return ln P of them and the distribution of the next."""
    position, total = 0, 0.0

    def say(distribution: Distribution) -> str:
        nonlocal position, total
        if position == len(words):
            raise _PrefixEnds(distribution)
        word = words[position]
        if word not in distribution:
            heard = " ".join(words[max(0, position - 6) : position]) or "the start"
            allowed = ", ".join(distribution)
            raise ValueError(
                f"the pets grammar cannot say {word!r} (word {position + 1}) after "
                f"{heard!r}; it can say: {allowed}"
            )
        total += math.log(distribution[word])
        position += 1
        return word

    try:
        while True:
            tell(say)
    except _PrefixEnds as end:
        return total, end.distribution


def split(text: str) -> list[str]:
    """The words of `text`: `The cat.` is `The`, `cat`, `.`; anything odd is a word of its own."""
    return re.findall(r"<\|endoftext\|>|[^\W\d_]+|[^\s]", text)


def join(words: list[str]) -> str:
    """Words to text: a space before each but full stops, stop tokens and document starts."""
    text = ""
    for word in words:
        glued = not text or text.endswith(STOP) or word in (".", STOP)
        text += word if glued else " " + word
    return text
