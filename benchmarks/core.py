"""Training and generation beside transformers. `python -m benchmarks --only core`"""

import warnings
from collections.abc import Iterator

import torch

import gptlib

from .side_by_side import Row, compare, write_table

BEGIN, END = "<!-- core: begin -->", "<!-- core: end -->"

SHAPE = gptlib.GPTConfig(vocab_size=1024, block_size=256, n_layer=4, n_head=4, n_embd=128)


def rows() -> Iterator[Row]:
    yield training_step()
    yield generation()


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


def main() -> None:
    write_table(rows(), BEGIN, END)
