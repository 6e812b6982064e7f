"""Texts that are cut into chunks, for several tests: plain prose, and one with odd signs."""

from gptlib.corpora import pets as grammar
from gptlib.scale import chunks, prepare

TEXT = grammar.sample(60, seed=0).replace(grammar.STOP, "\n")  # 8 KB
GREEK = "Ὁ γάτος κοιμᾶται. 猫が寝ている。\u00a0 \u3000\n🐈\u200d⬛ don't  \n\n 12\t!\r\n" * 40


def prepare_in_small_chunks(files, out):
    """Body of a started process, to be killed."""
    chunks.CHUNK, chunks.WINDOW, chunks.SHARD = 3000, 64, 9000
    prepare.prepare(files, out, vocab_size=270, jobs=1)
