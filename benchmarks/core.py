"""gptlib's core beside the libraries that people would use instead. `python -m benchmarks`"""

import subprocess
import sys
import warnings
from collections.abc import Iterator

import torch

import gptlib

from .side_by_side import Row, compare

SHAPE = gptlib.GPTConfig(vocab_size=1024, block_size=256, n_layer=4, n_head=4, n_embd=128)


def rows() -> Iterator[Row]:
    text = real_text()
    for vocab_size in (512, 1024, 4096):
        yield bpe_training(text, vocab_size)
    yield training_step()
    yield generation()
    yield importing()


def real_text() -> str:
    """Shakespeare where it is in the cache, or else the manual inside Python."""
    try:
        corpus = gptlib.corpora.load("shakespeare")
    except (OSError, ValueError):
        corpus = gptlib.corpora.load("python-docs")
    return "".join(corpus)


def bpe_training(text: str, vocab_size: int) -> Row:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    def theirs():
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False
        )
        tokenizer.train_from_iterator([text], trainer)

    def ours():
        gptlib.Tokenizer.train(text, vocab_size)

    what = f"BPE training, {len(text) / 1e6:.1f} MB, {vocab_size:,} tokens"
    return compare(what, "tokenizers (Rust)", ours, theirs)


def _peer_model():
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=SHAPE.vocab_size,
        n_positions=SHAPE.block_size,
        n_layer=SHAPE.n_layer,
        n_head=SHAPE.n_head,
        n_embd=SHAPE.n_embd,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        eos_token_id=None,
        bos_token_id=None,
    )
    return GPT2LMHeadModel(config)


def training_step(steps: int = 10) -> Row:
    """The same batch through forward, loss, backward and AdamW, ten times."""
    ids = torch.randint(SHAPE.vocab_size, (16, SHAPE.block_size + 1))
    x, y = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
    model, peer = gptlib.GPT(SHAPE, seed=0), _peer_model()

    def run(loss_of, parameters):
        optimizer = torch.optim.AdamW(parameters)

        def go():
            for _ in range(steps):
                optimizer.zero_grad()
                loss_of().backward()
                optimizer.step()

        return go

    ours = run(lambda: gptlib.nll(model(x), y), model.parameters())
    theirs = run(
        lambda: torch.nn.functional.cross_entropy(peer(x).logits.flatten(0, 1), y.flatten()),
        peer.parameters(),
    )
    what = f"{steps} training steps, 4 layers, width 128, 16 rows of 256"
    return compare(what, "transformers", ours, theirs)


def generation(n: int = 200) -> Row:
    model, peer = gptlib.GPT(SHAPE, seed=0).eval(), _peer_model().eval()
    prompt = torch.tensor([[1, 2, 3]])

    def theirs():
        settings = {"do_sample": True, "top_k": 50, "pad_token_id": 0, "use_cache": True}
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mask = torch.ones_like(prompt)
            peer.generate(prompt, attention_mask=mask, max_new_tokens=n, **settings)

    def ours():
        gptlib.generate(model, prompt, n, top_k=50)

    return compare(f"generating {n} tokens with a cache", "transformers", ours, theirs)


def importing() -> Row:
    def run(module: str):
        return lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)

    return compare("import gptlib", "import torch", run("gptlib"), run("torch"))
