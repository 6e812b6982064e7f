"""Text to ids: our Python beside tiktoken's Rust, same merges. `python -m benchmarks.encoding`

Each time as if the text were met for the first time: the cache of pieces is emptied before.
"""

import base64
from collections.abc import Iterator

import gptlib
from gptlib.formats.files import data_dir
from gptlib.formats.tokenizers import GPT2_FILE

from .side_by_side import NotMeasured, Row, compare, write_table

BEGIN, END = "<!-- encoding: begin -->", "<!-- encoding: end -->"
PEER = "tiktoken (Rust)"


def rows() -> Iterator[Row | NotMeasured]:
    """GPT-2's vocabulary, and one of our own; text that is ASCII alone, and text that is not."""
    try:
        texts = {
            name: "".join(gptlib.corpora.load(name)) for name in ("shakespeare", "python-docs")
        }
        gpt2 = gptlib.Tokenizer.gpt2()
    except FileNotFoundError as why:
        yield NotMeasured("encoding", PEER, why)
        return
    own = gptlib.Tokenizer.train(texts["shakespeare"], 4096)
    for name, text in texts.items():
        for tokenizer in (gpt2, own):
            yield encoding(name, text, tokenizer)
    yield handed_over(texts["shakespeare"], gpt2)


def encoding(name: str, text: str, tokenizer: gptlib.Tokenizer) -> Row:
    fast = tokenizer.to_tiktoken()

    def ours():
        tokenizer._piece_ids.clear()
        return tokenizer.encode(text)

    assert ours() == fast.encode_ordinary(text)
    kind = "ASCII" if text.isascii() else "not all ASCII"
    what = f"encoding {name}, {len(text) / 1e6:.1f} MB, {kind}, {tokenizer.vocab_size:,} tokens"
    return compare(what, PEER, ours, lambda: fast.encode_ordinary(text))


def handed_over(text: str, gpt2: gptlib.Tokenizer) -> Row:
    """What `to_tiktoken` makes, beside the encoding that tiktoken makes of GPT-2's file."""
    import tiktoken
    from tiktoken_ext.openai_public import r50k_pat_str

    lines = (data_dir() / GPT2_FILE).read_bytes().splitlines()
    ranks = {base64.b64decode(token): int(rank) for token, rank in map(bytes.split, lines)}
    peer = tiktoken.Encoding(
        "gpt2", pat_str=r50k_pat_str, mergeable_ranks=ranks, special_tokens=gpt2.special_tokens
    )
    ours = gpt2.to_tiktoken()
    assert ours.encode_ordinary(text) == peer.encode_ordinary(text)
    what = "the same by `.to_tiktoken()`, shakespeare, 50,257 tokens"
    return compare(
        what,
        "tiktoken itself",
        lambda: ours.encode_ordinary(text),
        lambda: peer.encode_ordinary(text),
        runs=11,
    )


def main() -> None:
    write_table(rows(), BEGIN, END)


if __name__ == "__main__":
    main()
