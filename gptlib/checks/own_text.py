"""A student's own text: is there enough of it, what do letter pairs reach, what repeats in it?

Three things that a held-out loss cannot be judged without, where nobody knows the floor.
"""

from collections import Counter
from itertools import pairwise
from math import log

from .. import corpora
from ..corpora import Corpus
from ..scale.documents import STOP
from .limits import quiet
from .running import STOPPED, error_words
from .verdict import Verdict

FEWEST = 20_000  # characters to train on: fewer are learned by heart before the rest is learned
PIECE = 50  # characters of a text without documents that are looked for in the part trained on
LOOKED_FOR = 500  # pieces or documents of the held-out part
REPEATS = 0.1  # a share of known pieces that makes the held-out loss say less
SMOOTHING = 0.1  # added to each count, so that an unseen pair has a probability too


def text(corpus) -> Verdict:
    """Print whether a text is large enough, and how much of its held-out part is new.

    Args:
        corpus: a name, a path, or a `Corpus`.
    """
    try:
        with quiet():
            right, name, words = _judge(in_two(corpus))
    except BaseException as error:  # a file that is not there, Ctrl-C
        right, name, words = False, STOPPED, f"stops with {error_words(error)}"
    return Verdict(right, f"{'✔' if right else '✘'} text: {words}", name, "capstone.text").told()


def in_two(corpus) -> Corpus:
    """The corpus itself, or the one of that name or path.

    Raises:
        FileNotFoundError, ValueError: as `corpora.load`; and of a prepared folder, which has no
            text any more.
    """
    found = corpus if isinstance(corpus, Corpus) else corpora.load(corpus)
    if not isinstance(found, Corpus):
        raise ValueError("a prepared folder holds ids only: name the text file that it was made of")
    return found


def too_small(corpus: Corpus) -> str:
    """A sentence about a text that is too small to learn from, or ""."""
    if len(corpus.train) >= FEWEST:
        return ""
    return (
        f"Its part to train on has only {len(corpus.train):,} characters: too few to learn from, "
        f"and a model will learn them by heart. Take a text of {FEWEST:,} characters or more; "
        "100,000 are a good start."
    )


def repeats(corpus: Corpus) -> str:
    """A sentence about held-out text that occurs in the training text too, or ""."""
    known, looked_for, pieces = _known_pieces(corpus)
    if known < REPEATS * looked_for:
        return ""
    return (
        f"{known} of {looked_for} held-out {pieces} also occur in the training text, so part of "
        "the held-out loss shows what was memorised, and not what the model does with new text."
    )


def letter_pairs(corpus: Corpus) -> float:
    """The held-out loss of a table of letter pairs, in nats per character.

    Its probabilities are the counts of each pair in the training text, with a little added. A stop
    token counts as one character, since a model reads it as one token.
    """
    train, heldout = (characters(part) for part in corpus)
    pairs, firsts = Counter(pairwise(train)), Counter(train[:-1])
    letters = len(set(train) | set(heldout))
    asked = Counter(pairwise(heldout))
    loss = sum(
        times * (log(firsts[a] + SMOOTHING * letters) - log(pairs[a, b] + SMOOTHING))
        for (a, b), times in asked.items()
    )
    return loss / asked.total()


def characters(part: str) -> str:
    """The text with each stop token as one character."""
    return part.replace(STOP, "\0")


def _judge(corpus: Corpus) -> tuple[bool, str, str]:
    if trouble := too_small(corpus):
        return False, "too small", f"{trouble[0].lower()}{trouble[1:]}"
    train, heldout = (len(characters(part)) for part in (corpus.train, corpus.heldout))
    words = f"{train:,} characters to train on and {heldout:,} held out; "
    words += f"a table of letter pairs has {letter_pairs(corpus):.2f} nats a character. "
    return True, "", (words + repeats(corpus)).strip()


def _known_pieces(corpus: Corpus) -> tuple[int, int, str]:
    """(how many pieces of the held-out text are in the training text, of how many, their name)."""
    if corpus.documents:
        trained = set(corpus.train.split(STOP))
        heldout = [piece for piece in corpus.heldout.split(STOP) if piece][:LOOKED_FOR]
        return sum(piece in trained for piece in heldout), len(heldout), "documents"
    step = max(PIECE, len(corpus.heldout) // LOOKED_FOR)
    starts = range(0, max(1, len(corpus.heldout) - PIECE), step)
    heldout = [corpus.heldout[start : start + PIECE] for start in starts]
    return sum(piece in corpus.train for piece in heldout), len(heldout), "pieces of 50 characters"
