"""Text to ids: our Python beside tiktoken's Rust, same merges. `python -m benchmarks.encoding`

Each time as if the text were met for the first time: the cache of pieces is emptied before.
"""

from collections.abc import Iterator

import gptlib

from .side_by_side import Row, compare, write_table

BEGIN, END = "<!-- encoding: begin -->", "<!-- encoding: end -->"


def rows() -> Iterator[Row]:
    """GPT-2's vocabulary, and one of our own; text that is ASCII alone, and text that is not."""
    texts = {name: "".join(gptlib.corpora.load(name)) for name in ("shakespeare", "python-docs")}
    tokenizers = [
        gptlib.Tokenizer.gpt2(),
        gptlib.Tokenizer.train(texts["shakespeare"], 4096),
    ]
    for name, text in texts.items():
        for tokenizer in tokenizers:
            yield encoding(name, text, tokenizer)


def encoding(name: str, text: str, tokenizer: gptlib.Tokenizer) -> Row:
    fast = tokenizer.to_tiktoken()

    def ours():
        tokenizer._cache.clear()
        return tokenizer.encode(text)

    assert ours() == fast.encode_ordinary(text)
    kind = "ASCII" if text.isascii() else "not all ASCII"
    what = f"encoding {name}, {len(text) / 1e6:.1f} MB, {kind}, {tokenizer.vocab_size:,} tokens"
    return compare(what, "tiktoken (Rust)", ours, lambda: fast.encode_ordinary(text))


def main() -> None:
    write_table(rows(), BEGIN, END)


if __name__ == "__main__":
    main()
