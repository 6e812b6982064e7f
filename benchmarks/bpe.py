"""Learning merges, beside the libraries that people would use instead. `python -m benchmarks.bpe`

Rust's tokenizers has the machine's cores, and gets its text in parts, with which it is faster than
with one long str; gptlib is Python and NumPy in one thread.
"""

import random
import sysconfig
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import gptlib
from gptlib.tokenizer import PATTERN, in_stretches

from .peers import Missing, from_clone
from .side_by_side import NotMeasured, Row, compare, numbers_of, write_table

BEGIN, END = "<!-- bpe: begin -->", "<!-- bpe: end -->"
LARGE, VOCAB_SIZE = 50_000_000, 4096
ENDINGS = (".py", ".md", ".rst", ".txt")
LONGEST = 500_000  # characters of a file: longer ones are tables that a program wrote

CHILD = """
from benchmarks import bpe
from benchmarks.peak import peak_bytes
bpe.{side}(bpe.documents(), {vocab_size})
print(peak_bytes() / 1e6)
"""


def rows(minbpe: Path | None) -> Iterator[Row | NotMeasured]:
    text = real_text()
    parts = list(map("".join, in_stretches(text)))
    for vocab_size in (512, 1024, VOCAB_SIZE):
        what = f"BPE training, {len(text) / 1e6:.1f} MB, {vocab_size:,} tokens"
        yield beside_rust(what, text, parts, vocab_size)
    yield beside_minbpe(text, minbpe)
    large = list(documents())
    what = f"BPE training, {_size(large) / 1e6:.0f} MB, {VOCAB_SIZE:,} tokens"
    yield beside_rust(what, large, large, VOCAB_SIZE)
    peaks = [numbers_of(CHILD.format(side=side, vocab_size=VOCAB_SIZE))[0] for side in SIDES]
    what = "the same, streamed: peak memory of a process that has imported gptlib"
    yield Row.of_pairs(what, "tokenizers (Rust)", [tuple(peaks)], "MB")


def real_text() -> str:
    """Shakespeare where it is in the cache, or else the manual inside Python."""
    try:
        corpus = gptlib.corpora.load("shakespeare")
    except (OSError, ValueError):
        corpus = gptlib.corpora.load("python-docs")
    return "".join(corpus)


def documents() -> Iterator[str]:
    """50 MB, nothing twice: Shakespeare, Python's manual, and then the sources and notes of the
    packages that are installed, in a random order."""
    root = Path(sysconfig.get_paths()["purelib"])
    files = sorted(path for path in root.rglob("*") if path.suffix in ENDINGS)
    random.Random(0).shuffle(files)
    seen, total = set(), 0
    for text in _texts(files):
        if hash(text) not in seen:  # not the texts: in a stream, one is held at a time
            seen.add(hash(text))
            total += len(text.encode())
            yield text
        if total >= LARGE:
            return


def _texts(files: Iterable[Path]) -> Iterator[str]:
    yield real_text()
    yield "".join(gptlib.corpora.load("python-docs"))
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if len(text) <= LONGEST:
            yield text


def _size(texts: Iterable[str]) -> int:
    return sum(len(text.encode()) for text in texts)


def ours(text: str | Iterable[str], vocab_size: int) -> gptlib.Tokenizer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return gptlib.Tokenizer.train(text, vocab_size)


def rust(texts: Iterable[str], vocab_size: int) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)


SIDES = ("ours", "rust")


def beside_rust(what: str, text: str | list[str], parts: list[str], vocab_size: int) -> Row:
    return compare(
        what, "tokenizers (Rust)", lambda: ours(text, vocab_size), lambda: rust(parts, vocab_size)
    )


def beside_minbpe(text: str, clone: Path | None, vocab_size: int = 512) -> Row | NotMeasured:
    """One run of each: minbpe takes minutes. It has GPT-2's pattern, and no special token."""
    what = f"BPE training, {len(text) / 1e6:.1f} MB, {vocab_size:,} tokens, one run"
    try:
        peer = from_clone(clone, "minbpe", "--minbpe").RegexTokenizer(PATTERN)
    except Missing as why:
        return NotMeasured(what, "minbpe", why)

    def theirs():
        peer.train(text, vocab_size)

    return compare(what, "minbpe", lambda: ours(text, vocab_size), theirs, 1, warm_up=False)


def main(minbpe: Path | None = None) -> None:
    write_table(rows(minbpe), BEGIN, END)


if __name__ == "__main__":
    main()
